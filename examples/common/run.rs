//! Runs an application at the address in `ADDR`.

use super::{ended::ended, serve::serve, vars::variable};
use axum::Router;
use tokio::{net::TcpListener, time::Instant};

/// Serves until SIGINT or SIGTERM. What is left to do then has until the returned time.
pub async fn run(app: Router) -> Result<Instant, String> {
    // First, so that a signal ends it in order from the time that it says that it listens.
    let end = ended().map_err(|error| error.to_string())?;
    let listener = listen().await?;
    Ok(serve(listener, app, end, || (), |what| eprintln!("{what}")).await)
}

/// Listens at `ADDR`, or at `127.0.0.1:3000` if it is not set, and says so.
pub async fn listen() -> Result<TcpListener, String> {
    let addr = variable("ADDR")?.unwrap_or_else(|| "127.0.0.1:3000".to_owned());
    let failed = |error| format!("ADDR: {addr}: {error}");
    let listener = TcpListener::bind(&addr).await.map_err(failed)?;
    eprintln!("listening on http://{}", listener.local_addr().map_err(failed)?);
    Ok(listener)
}
