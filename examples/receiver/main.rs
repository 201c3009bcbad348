//! Receives the webhooks of every provider and prints each event as one line of JSON on stdout.
//!
//! ```sh
//! ZEGOCLOUD_CALLBACK_SECRET=… cargo run --example receiver
//! ```
//!
//! Everything that is not an event goes to stderr. `examples/README.md` has the table of routes
//! and variables.

#[path = "../common/ended.rs"]
mod ended;
#[path = "../common/vars.rs"]
mod vars;

mod deliver;
mod hints;
mod output;
mod page;
mod routes;
mod settings;

use axum::Router;
use ended::ended;
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::{conn::auto, graceful::GracefulShutdown},
    service::TowerToHyperService,
};
use output::say;
use std::{error::Error, io, pin::pin, time::Duration};
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinSet,
    time::{Instant, sleep, timeout, timeout_at},
};

#[tokio::main]
async fn main() {
    let ended = run().await;
    if let Err(error) = &ended {
        say(format_args!("receiver: {error}"));
    }
    output::flush();
    // The runtime's end would wait for a name that is being resolved.
    std::process::exit(i32::from(ended.is_err()));
}

async fn run() -> Result<(), Box<dyn Error>> {
    // First, so that a signal at any later time ends it as documented.
    let mut end = pin!(ended()?);
    #[cfg(feature = "tracing")]
    tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
        .with_ansi(io::IsTerminal::is_terminal(&io::stderr()))
        .with_writer(|| output::Stderr)
        .init();
    let (listener, page, app, drains) = tokio::select! {
        started = start() => started?,
        () = &mut end => return Ok(()),
    };
    say(format_args!("listening on http://{}", listener.local_addr()?));

    let mut server = auto::Builder::new(TokioExecutor::new());
    server
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_READ_TIMEOUT)
        .max_buf_size(READ_BUFFER);
    server.http2().timer(TokioTimer::new()).keep_alive_interval(HEADER_READ_TIMEOUT);
    let graceful = GracefulShutdown::new();
    let mut silent = JoinSet::new();

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
                tokio::spawn(async move { connection.await.ok() });
            }
            () = &mut end => break,
        }
    }

    drop((listener, silent));
    page.close();
    say("shutting down");
    let deadline = Instant::now() + SHUTDOWN_TIMEOUT;
    if timeout_at(deadline, graceful.shutdown()).await.is_err() {
        say(format_args!(
            "some requests were still unanswered after {} s",
            SHUTDOWN_TIMEOUT.as_secs()
        ));
    }
    let drained = async {
        for drained in drains {
            drained.await;
        }
    };
    if timeout_at(deadline, drained).await.is_err() {
        say(format_args!(
            "the replay store has not heard of every delivery after {} s",
            SHUTDOWN_TIMEOUT.as_secs()
        ));
    }
    Ok(())
}

async fn start() -> Result<(TcpListener, page::Page, Router, routes::Drains), Box<dyn Error>> {
    let addr = vars::variable("RECEIVER_ADDR")?;
    let addr = addr.as_deref().unwrap_or(vars::RECEIVER_ADDR);
    let listener =
        TcpListener::bind(addr).await.map_err(|error| format!("RECEIVER_ADDR {addr}: {error}"))?;
    let mut page = page::Page::from_env(listener.local_addr()?)?;
    let (app, drains) = routes::router(&mut page).await?;
    Ok((listener, page, app, drains))
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
/// For requests and then outcomes, together.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(10);
