//! Serves an application until it is asked to end, and then waits for its requests, though not for
//! ever.

use axum::Router;
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::{conn::auto, graceful::GracefulShutdown},
    service::TowerToHyperService,
};
use std::{fmt, io, pin::pin, time::Duration};
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinSet,
    time::{Instant, sleep, timeout, timeout_at},
};

/// Serves until `end`, calls `closed` once no new connection is accepted, and drops the requests
/// that take too long then: their handlers do not run on. Returns until when the process should
/// have done what is left to do.
pub async fn serve(
    listener: TcpListener,
    app: Router,
    end: impl Future<Output = ()>,
    closed: impl FnOnce(),
    say: impl Fn(fmt::Arguments<'_>),
) -> Instant {
    let mut end = pin!(end);
    let mut server = auto::Builder::new(TokioExecutor::new());
    server
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_READ_TIMEOUT)
        .max_buf_size(READ_BUFFER);
    server.http2().timer(TokioTimer::new()).keep_alive_interval(HEADER_READ_TIMEOUT);
    let graceful = GracefulShutdown::new();
    let (mut silent, mut connections) = (JoinSet::new(), JoinSet::new());

    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => drop(silent.spawn(timeout(HEADER_READ_TIMEOUT, speaks(stream)))),
                Err(error) => {
                    // Most likely the file descriptors have run out: connections that end will free
                    // some.
                    say(format_args!("accept: {error}"));
                    sleep(Duration::from_millis(50)).await;
                }
            },
            Some(spoke) = silent.join_next() => {
                let Ok(Ok(Ok(stream))) = spoke else { continue };
                let service = TowerToHyperService::new(app.clone());
                let connection = server.serve_connection(TokioIo::new(stream), service);
                let connection = graceful.watch(connection.into_owned());
                // Errors on a connection are the client's doing, and there is nobody to report them
                // to.
                connections.spawn(async move { connection.await.ok() });
            }
            Some(_) = connections.join_next() => {}
            () = &mut end => break,
        }
    }

    drop((listener, silent, app));
    closed();
    let ended = Instant::now();
    if timeout_at(ended + FOR_REQUESTS, graceful.shutdown()).await.is_err() {
        let seconds = FOR_REQUESTS.as_secs();
        say(format_args!("some requests were still unanswered after {seconds} s"));
    }
    connections.shutdown().await;
    ended + FOR_ALL
}

/// Waits until the first bytes tell HTTP/1 from HTTP/2. hyper has no deadline for that.
async fn speaks(stream: TcpStream) -> io::Result<TcpStream> {
    const HTTP2: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    let (mut first, mut pause) = ([0; HTTP2.len()], Duration::from_millis(20));
    loop {
        let len = stream.peek(&mut first).await?;
        if len == 0 || len == HTTP2.len() || !HTTP2.starts_with(&first[..len]) {
            return Ok(stream);
        }
        // What was peeked at stays, so the next call returns at once.
        sleep(pause).await;
        pause *= 2;
    }
}

/// Also for the bytes before the head.
const HEADER_READ_TIMEOUT: Duration = Duration::from_secs(10);
/// By default hyper lets a connection's read buffer grow to 400 KiB.
const READ_BUFFER: usize = 16 << 10;
const FOR_REQUESTS: Duration = Duration::from_secs(10);
/// The rest is for the outcomes of the requests that are dropped.
const FOR_ALL: Duration = Duration::from_secs(12);
