//! Webhooks on a hyper server, without axum.
//!
//! ```sh
//! cargo run --example hyper
//! cargo run --example send -- zegocloud stream_create
//! ```

#[path = "common/mod.rs"]
mod common;

use bytes::Bytes;
use common::{run::listen, secret::callback_secret};
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use std::{convert::Infallible, error::Error, time::Duration};
use tokio::net::TcpListener;
use tower::{Layer, service_fn};
use tower_webhooks::{
    Verified, WebhookLayer,
    zegocloud::{Event, Zegocloud},
};

async fn on_event(request: Request<Full<Bytes>>) -> Result<Response<Full<Bytes>>, Infallible> {
    let event = request.extensions().get::<Verified<Event>>();
    let (status, answer) = match event {
        Some(event) => {
            (StatusCode::OK, format!("attempt {} at {}", event.metadata().attempt, event.kind()))
        }
        None => (
            StatusCode::INTERNAL_SERVER_ERROR,
            "no webhook layer in front of this service".to_owned(),
        ),
    };
    let mut response = Response::new(Full::from(answer));
    *response.status_mut() = status;
    Ok(response)
}

/// Serves for ever. Every path is the webhook's: unsigned requests are 401.
pub async fn serve(
    listener: TcpListener,
    callback_secret: &str,
) -> Result<Infallible, Box<dyn Error>> {
    let webhooks = WebhookLayer::new(Zegocloud::new(callback_secret)?).layer(service_fn(on_event));
    // The layer's deadline is for bodies only. For heads hyper has a deadline, but only with a
    // timer.
    let mut server = http1::Builder::new();
    server.timer(TokioTimer::new()).header_read_timeout(Duration::from_secs(10));
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            // Most likely the file descriptors have run out: connections that end free some.
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        let connection = server
            .serve_connection(TokioIo::new(stream), TowerToHyperService::new(webhooks.clone()));
        // Errors on a connection are the client's doing, and there is nobody to report them to.
        tokio::spawn(async move { connection.await.ok() });
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let secret = callback_secret()?;
    match serve(listen().await?, &secret).await? {}
}
