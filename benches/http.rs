//! How much of a bare route's throughput remains behind the layer: axum on one core, every body
//! signed.
//!
//! `cargo bench --bench http --all-features` alternates between a bare route that parses, one that
//! verifies by hand before it parses, the layer without its guard and the layer with it. It prints
//! how many requests each answers per second of the server thread's run time, so that neither the
//! sender nor other programs count. Linux only.

use axum::{
    Router,
    body::Bytes,
    http::{HeaderMap, StatusCode},
    routing::{get, post},
};
use hmac::{Hmac, KeyInit, Mac};
use serde::Deserialize;
use serde_json::value::RawValue;
use sha2::Sha256;
use std::{net::SocketAddr, thread, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    runtime::{Builder, Runtime},
};
use tower_webhooks::{
    Verified, WebhookLayer,
    replay::MemoryStore,
    vobiz::kyc::{self, Kyc},
};

fn main() {
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    let server = serve();
    let mut numbers = 0..u64::MAX;
    let mut rates = WAYS.map(|_| Vec::new());
    for _ in 0..ROUNDS {
        for (way, rates) in WAYS.iter().zip(&mut rates) {
            let requests: Vec<_> =
                numbers.by_ref().take(REQUESTS).map(|number| request(way, number)).collect();
            rates.push(rate(server, requests));
        }
    }
    println!(
        "| route | requests per second of the core | of the bare route |\n| --- | --: | --: |"
    );
    let medians = rates.map(|mut rates| {
        rates.sort_by(f64::total_cmp);
        rates[rates.len() / 2]
    });
    for (way, median) in WAYS.iter().zip(medians) {
        println!("| {way} | {median:.0} | {:.0} % |", 100.0 * median / medians[0]);
    }
}

/// Runs on a thread of its own, and so on one core.
fn serve() -> SocketAddr {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = listener.local_addr().unwrap();
    let layer = || WebhookLayer::new(Kyc::new(KEY).unwrap());
    let store = MemoryStore::with_capacity(ROUNDS * REQUESTS * WAYS.len()).unwrap();
    let guarded = layer().local_store(store);
    let app = Router::new()
        .route("/time", get(time_on_core))
        .route("/bare", post(bare))
        .route("/by-hand", post(by_hand))
        .route("/unguarded", post(verified).layer(layer().dangerous_without_replay_guard()))
        .route("/guarded", post(verified).layer(guarded));
    thread::spawn(move || {
        runtime().block_on(async {
            axum::serve(TcpListener::from_std(listener).unwrap(), app).await.unwrap()
        });
    });
    address
}

/// How many nanoseconds the server's thread has run.
async fn time_on_core() -> String {
    std::fs::read_to_string("/proc/thread-self/schedstat").unwrap()
}

async fn bare(body: Bytes) -> StatusCode {
    match serde_json::from_slice::<Session>(&body) {
        Ok(session) if session.event.starts_with("kyc.") => StatusCode::OK,
        _ => StatusCode::BAD_REQUEST,
    }
}

/// The least that a handler can do itself: no limits, no further key, no typed event.
async fn by_hand(headers: HeaderMap, body: Bytes) -> StatusCode {
    let signature = headers.get("x-vobiz-signature").and_then(|value| value.to_str().ok());
    let hex = signature.and_then(|signature| signature.strip_prefix("sha256="));
    let mut mac = [0; 32];
    if hex.is_none_or(|hex| hex::decode_to_slice(hex, &mut mac).is_err()) {
        return StatusCode::UNAUTHORIZED;
    }
    match hmac(&body).verify_slice(&mac) {
        Ok(()) => bare(body).await,
        Err(_) => StatusCode::UNAUTHORIZED,
    }
}

async fn verified(event: Verified<kyc::Event>) -> StatusCode {
    if event.kind().starts_with("kyc.") { StatusCode::OK } else { StatusCode::BAD_REQUEST }
}

#[derive(Deserialize)]
#[allow(dead_code, reason = "the route reads every field and uses one")]
struct Session {
    event: String,
    timestamp: Option<String>,
    session_id: Option<String>,
    account_auth_id: Option<String>,
    kyc_type: Option<String>,
    session_status: Option<String>,
    metadata: Option<Box<RawValue>>,
}

/// A genuine request, as it goes over the wire.
fn request(way: &str, number: u64) -> String {
    let body = format!(
        r#"{{"event":"kyc.completed","timestamp":"2026-06-04T08:51:10Z","session_id":"{number:016x}","account_auth_id":"SA_TEST0001","kyc_type":"individual","session_status":"kyc_completed","metadata":{{"note":"a note of some words, and then as many again, up to 280 bytes, as they come"}}}}"#
    );
    format!(
        "POST /{way} HTTP/1.1\r\nhost: localhost\r\ncontent-type: \
         application/json\r\nx-vobiz-signature: sha256={}\r\n\
            content-length: {}\r\n\r\n{body}",
        hex::encode(hmac(body.as_bytes()).finalize().into_bytes()),
        body.len(),
    )
}

fn hmac(body: &[u8]) -> Hmac<Sha256> {
    Hmac::new_from_slice(KEY.as_bytes()).unwrap().chain_update(body)
}

/// How many requests the server answers per second of its run time, over kept connections that each
/// wait for an answer before the next request.
fn rate(server: SocketAddr, requests: Vec<String>) -> f64 {
    runtime().block_on(async {
        let mut connections = Vec::new();
        for some in requests.chunks(REQUESTS / CONNECTIONS) {
            connections.push((TcpStream::connect(server).await.unwrap(), some.to_vec()));
        }
        let before = server_time(server).await;
        let all: Vec<_> = connections
            .into_iter()
            .map(|(connection, some)| tokio::spawn(send(connection, some)))
            .collect();
        for one in all {
            one.await.unwrap();
        }
        requests.len() as f64 / (server_time(server).await - before).as_secs_f64()
    })
}

async fn server_time(server: SocketAddr) -> Duration {
    let mut connection = TcpStream::connect(server).await.unwrap();
    connection
        .write_all(b"GET /time HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
        .await
        .unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).await.unwrap();
    let nanos = answer.rsplit("\r\n").next().and_then(|body| body.split(' ').next()).unwrap();
    Duration::from_nanos(nanos.parse().unwrap())
}

async fn send(mut connection: TcpStream, requests: Vec<String>) {
    let mut answer = [0; 1024];
    for request in requests {
        connection.write_all(request.as_bytes()).await.unwrap();
        let mut len = 0;
        while !answer[..len].ends_with(b"\r\n\r\n") {
            len += connection.read(&mut answer[len..]).await.unwrap();
        }
        assert!(answer.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&answer[..len]));
    }
}

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

const WAYS: [&str; 4] = ["bare", "by-hand", "unguarded", "guarded"];
const ROUNDS: usize = 15;
const REQUESTS: usize = 16_000;
const CONNECTIONS: usize = 64;
const KEY: &str = "5f4dcc3b5aa765d61d8327deb882cf99";
