//! A gRPC service and a webhook route on one port, called by a gRPC client and by a sender.
#![cfg(feature = "zegocloud")]

use crate::support::{processes::Sender, serve, signed, zegocloud::SECRET};
use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use std::net::SocketAddr;
use tonic::{Code, transport::Channel};
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse, health_client::HealthClient};
use tower_webhooks::zegocloud::Signer;

#[allow(dead_code, reason = "its `main`")]
#[path = "../../examples/grpc.rs"]
mod example;

const SERVING: i32 = 1;

async fn post(addr: SocketAddr, body: &'static str, secret: &str) -> u16 {
    let request = signed(&Signer::new(secret).unwrap(), "/zegocloud", body);
    Sender::new().send(&addr.to_string(), &request).await
}

fn room(id: &str) -> HealthCheckRequest {
    HealthCheckRequest { service: format!("room/{id}") }
}

async fn check(grpc: &mut HealthClient<Channel>, id: &str) -> Result<i32, Code> {
    let answer = grpc.check(room(id)).await;
    answer.map(|answer| answer.into_inner().status).map_err(|status| status.code())
}

#[tokio::test]
async fn a_callback_is_seen_by_a_grpc_client_of_the_same_port() {
    let addr = serve(example::app(SECRET).unwrap()).await;
    let channel = Channel::from_shared(format!("http://{addr}")).unwrap();
    let mut grpc = HealthClient::new(channel.connect().await.unwrap());
    assert_eq!(check(&mut grpc, "lobby").await, Err(Code::NotFound));

    let opened = r#"{"event":"room_create","room_id":"lobby"}"#;
    assert_eq!(post(addr, opened, "somebody else's secret").await, 401);
    assert_eq!(check(&mut grpc, "lobby").await, Err(Code::NotFound));
    assert_eq!(post(addr, opened, SECRET).await, 200);
    assert_eq!(check(&mut grpc, "lobby").await, Ok(SERVING));

    let mut watch = grpc.watch(room("lobby")).await.unwrap().into_inner();
    assert_eq!(watch.message().await.unwrap(), Some(HealthCheckResponse { status: SERVING }));
    assert_eq!(post(addr, r#"{"event":"room_close","room_id":"lobby"}"#, SECRET).await, 200);
    assert_eq!(watch.message().await.unwrap(), None);
    assert_eq!(check(&mut grpc, "lobby").await, Err(Code::NotFound));
}

#[tokio::test]
async fn what_is_neither_stays_with_grpc() {
    let addr = serve(example::app(SECRET).unwrap()).await;
    let client = Client::builder(TokioExecutor::new()).http2_only(true).build_http::<Full<Bytes>>();
    let request = Request::post(format!("http://{addr}/nobody.Service/Call"))
        .header("content-type", "application/grpc");
    let answer = client.request(request.body(Full::default()).unwrap()).await.unwrap();
    assert_eq!(answer.headers()["grpc-status"], (Code::Unimplemented as i32).to_string().as_str());
}
