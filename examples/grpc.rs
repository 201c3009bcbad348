//! A gRPC service and a webhook route on one port.
//!
//! ```sh
//! cargo run --example grpc
//! cargo run --example send -- zegocloud room_create
//! ```
//!
//! ZEGOCLOUD's callbacks arrive at `POST /zegocloud`. The gRPC health service (`tonic-health`)
//! knows which rooms are open: ask `grpc.health.v1.Health/Check` or `Watch` for the service
//! `room/` followed by the room's id.

#[path = "common/mod.rs"]
mod common;

use axum::{Router, extract::State, http::StatusCode, routing::post};
use common::{run::run, secret::callback_secret};
use std::error::Error;
use tonic::service::Routes;
use tonic_health::{
    ServingStatus,
    server::{HealthReporter, health_reporter},
};
use tower_webhooks::{
    ConfigError, Verified, WebhookLayer,
    zegocloud::{Event, Zegocloud, room::RoomEvent},
};

/// The gRPC service and the webhook route.
pub fn app(callback_secret: &str) -> Result<Router, ConfigError> {
    let (rooms, health) = health_reporter();
    // The layer is on the webhook's route only: gRPC calls are not callbacks.
    let webhooks = WebhookLayer::new(Zegocloud::new(callback_secret)?);
    let webhooks =
        Router::new().route("/zegocloud", post(on_event).route_layer(webhooks)).with_state(rooms);
    Ok(Routes::new(health).into_axum_router().merge(webhooks))
}

async fn on_event(State(mut rooms): State<HealthReporter>, event: Verified<Event>) -> StatusCode {
    match &*event {
        Event::Room(RoomEvent::Create(room)) => {
            let room = room.room_id.as_deref().unwrap_or_default();
            rooms.set_service_status(format!("room/{room}"), ServingStatus::Serving).await;
        }
        Event::Room(RoomEvent::Close(room)) => {
            let room = room.room_id.as_deref().unwrap_or_default();
            rooms.clear_service_status(&format!("room/{room}")).await;
        }
        _ => {}
    }
    StatusCode::OK
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    run(app(&callback_secret()?)?).await?;
    Ok(())
}
