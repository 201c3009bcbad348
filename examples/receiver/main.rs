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
#[path = "../common/serve.rs"]
mod serve;
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
use output::say;
use serve::serve;
#[cfg(feature = "tracing")]
use std::io;
use std::{error::Error, pin::pin};
use tokio::{net::TcpListener, time::timeout_at};

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

    let closed = || {
        page.close();
        say("shutting down");
    };
    let deadline = serve(listener, app, end, closed, |what| say(what)).await;
    let drained = async {
        for drained in drains {
            drained.await;
        }
    };
    if timeout_at(deadline, drained).await.is_err() {
        say("the replay store has not heard of every delivery");
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
