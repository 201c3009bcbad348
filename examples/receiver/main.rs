//! Receives the webhooks of every provider and prints each event as one line of JSON on stdout.
//!
//! ```sh
//! ZEGOCLOUD_CALLBACK_SECRET=… cargo run --example receiver
//! ```
//!
//! Everything that is not an event goes to stderr. `examples/README.md` has the table of routes
//! and variables.

#[path = "../common/vars.rs"]
mod vars;

mod deliver;
mod hints;
mod page;
mod routes;
mod settings;

use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::{conn::auto, graceful::GracefulShutdown},
    service::TowerToHyperService,
};
use std::{env, error::Error, process::ExitCode, time::Duration};
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
    time::{sleep, timeout},
};

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("receiver: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<(), Box<dyn Error>> {
    #[cfg(feature = "tracing")]
    tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
        .with_writer(std::io::stderr)
        .init();
    let addr = env::var("RECEIVER_ADDR").unwrap_or_else(|_| vars::RECEIVER_ADDR.to_owned());
    let listener =
        TcpListener::bind(&addr).await.map_err(|error| format!("RECEIVER_ADDR {addr}: {error}"))?;
    let mut page = page::Page::from_env(listener.local_addr()?)?;
    let (app, drains) = routes::router(&mut page).await?;
    eprintln!("listening on http://{}", listener.local_addr()?);

    let mut server = auto::Builder::new(TokioExecutor::new());
    server
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_READ_TIMEOUT)
        .max_buf_size(READ_BUFFER);
    server.http2().timer(TokioTimer::new()).keep_alive_interval(HEADER_READ_TIMEOUT);
    let graceful = GracefulShutdown::new();
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;

    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                // Most likely the file descriptors have run out: connections that end will free
                // some.
                eprintln!("accept: {error}");
                sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        let connection =
            server.serve_connection(TokioIo::new(stream), TowerToHyperService::new(app.clone()));
        let connection = graceful.watch(connection.into_owned());
        // Errors on a connection are the client's doing, and there is nobody to report them to.
        tokio::spawn(async move { connection.await.ok() });
    }

    drop(listener);
    page.close();
    eprintln!("shutting down");
    if timeout(SHUTDOWN_TIMEOUT, graceful.shutdown()).await.is_err() {
        eprintln!("some requests were still unanswered after {} s", SHUTDOWN_TIMEOUT.as_secs());
    }
    let drained = async {
        for drained in drains {
            drained.await;
        }
    };
    if timeout(SHUTDOWN_TIMEOUT, drained).await.is_err() {
        eprintln!(
            "the replay store has not heard of every delivery after {} s",
            SHUTDOWN_TIMEOUT.as_secs()
        );
    }
    Ok(())
}

const HEADER_READ_TIMEOUT: Duration = Duration::from_secs(10);
/// By default hyper lets a connection's read buffer grow to 400 KiB.
const READ_BUFFER: usize = 32 << 10;
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(10);
