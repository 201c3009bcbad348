//! What tests of more than one group need.
#![allow(dead_code, reason = "each group uses its share")]

#[cfg(unix)]
pub mod browser;
pub mod claims;
pub mod closed;
#[cfg(target_os = "linux")]
pub mod cpu;
pub mod events;
pub mod hostile;
pub mod json;
pub mod kept;
pub mod ledger;
pub mod letterbox;
#[cfg(feature = "tracing")]
pub mod log;
#[cfg(all(feature = "postgres", unix))]
pub mod postgres;
pub mod processes;
pub mod redis;
#[cfg(feature = "zegocloud")]
pub mod zegocloud;

use axum::Router;
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Request, Response};
use http_body::Body;
use http_body_util::{BodyExt, Full};
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::{
    fmt::Debug,
    fs,
    net::SocketAddr,
    time::{Duration, SystemTime},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::timeout,
};
use tower::{Service, ServiceExt};
use tower_webhooks::Signer;

/// A POST, signed now.
pub fn signed(signer: &impl Signer, uri: &str, body: impl Into<Bytes>) -> Request<Bytes> {
    signer.sign(Request::post(uri).body(body.into()).unwrap(), SystemTime::now())
}

/// The request with another value of the header.
pub fn with(mut request: Request<Bytes>, name: &str, value: &str) -> Request<Bytes> {
    let name = HeaderName::try_from(name).unwrap();
    request.headers_mut().insert(name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
    request
}

/// The request without the header.
pub fn without(mut request: Request<Bytes>, name: &str) -> Request<Bytes> {
    assert!(request.headers_mut().remove(name).is_some(), "{name}");
    request
}

/// What the service answers to the request.
pub async fn call<S>(service: &S, request: &Request<Bytes>) -> S::Response
where
    S: Service<Request<Full<Bytes>>, Error: Debug> + Clone,
{
    service.clone().oneshot(request.clone().map(Full::new)).await.unwrap()
}

/// The status and the body.
pub async fn text<B: Body<Error: Debug>>(response: Response<B>) -> (u16, String) {
    let status = response.status().as_u16();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8(body.into()).unwrap())
}

/// Serves the application on a port of its own.
pub async fn serve(app: Router) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    addr
}

/// Sends the bytes as they are and reads until the server has nothing more to say.
pub async fn exchange(addr: SocketAddr, request: impl AsRef<[u8]>) -> String {
    let mut stream = TcpStream::connect(addr).await.unwrap();
    stream.write_all(request.as_ref()).await.unwrap();
    let mut answer = String::new();
    let read = stream.read_to_string(&mut answer);
    timeout(Duration::from_secs(60), read).await.expect("no answer").unwrap();
    answer
}

/// The published and computed signatures of a provider, in `tests/vectors`.
pub fn vectors_of<V: DeserializeOwned>(provider: &str, list: &str) -> Vec<V> {
    let path = format!("{}/tests/vectors/{provider}.json", env!("CARGO_MANIFEST_DIR"));
    let mut file: Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    serde_json::from_value(file[list].take()).unwrap()
}

/// As many seconds after the epoch.
pub fn at(unix: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(unix)
}
