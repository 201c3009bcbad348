//! Writes to stdout and stderr from threads of their own, so that a pipe that nobody reads holds up
//! only what waits for its line.

use std::{
    fmt,
    io::{self, Write},
    sync::{
        LazyLock,
        mpsc::{self, SyncSender},
    },
    thread,
    time::Duration,
};
use tokio::sync::{mpsc as waiting, oneshot};

/// Prints a line on stdout; returns once it is flushed. The line is made when its turn has come, so
/// that those who wait hold none.
pub async fn print(line: impl FnOnce() -> io::Result<Vec<u8>>) -> io::Result<()> {
    type Line = (Vec<u8>, oneshot::Sender<io::Result<()>>);
    static LINES: LazyLock<waiting::Sender<Line>> = LazyLock::new(|| {
        let (sender, mut lines) = waiting::channel::<Line>(4);
        thread::spawn(move || {
            let mut stdout = io::stdout();
            while let Some((line, done)) = lines.blocking_recv() {
                let written = stdout.write_all(&line).and_then(|()| stdout.flush());
                done.send(written).ok();
            }
        });
        sender
    });
    let ended = || io::Error::other("the thread that prints has ended");
    let turn = LINES.reserve().await.map_err(|_| ended())?;
    let (done, written) = oneshot::channel();
    turn.send((line()?, done));
    written.await.map_err(|_| ended())?
}

/// Says something on stderr. If the reader does not keep up, it is dropped.
pub fn say(what: impl fmt::Display) {
    write(format!("{what}\n").into());
}

/// Waits, though not for ever, until all that was said is written.
pub fn flush() {
    let (sender, written) = mpsc::channel();
    if STDERR.try_send(Said::Flush(sender)).is_ok() {
        written.recv_timeout(Duration::from_secs(1)).ok();
    }
}

enum Said {
    Text(Vec<u8>),
    Flush(mpsc::Sender<()>),
}

static STDERR: LazyLock<SyncSender<Said>> = LazyLock::new(|| {
    let (sender, said) = mpsc::sync_channel(1024);
    thread::spawn(move || {
        for said in said {
            match said {
                // If the reader is gone, there is nobody to tell.
                Said::Text(text) => drop(io::stderr().write_all(&text)),
                Said::Flush(done) => drop(done.send(())),
            }
        }
    });
    sender
});

fn write(text: Vec<u8>) {
    STDERR.try_send(Said::Text(text)).ok();
}

/// stderr as a writer, for `tracing`.
#[cfg(feature = "tracing")]
pub struct Stderr;

#[cfg(feature = "tracing")]
impl Write for Stderr {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        write(text.to_vec());
        Ok(text.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
