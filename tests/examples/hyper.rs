//! The layer on a hyper server without axum, over a socket.
#![cfg(feature = "zegocloud")]

use crate::support::{
    processes::Sender,
    text,
    zegocloud::{SECRET, signed},
};
use bytes::Bytes;
use http::Request;
use std::time::Duration;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

#[allow(dead_code, reason = "its `main`")]
#[path = "../../examples/hyper.rs"]
mod example;

async fn serve() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        example::serve(listener, SECRET).await.map_err(|error| error.to_string())
    });
    addr
}

#[tokio::test]
async fn delivered_repeated_and_refused() {
    let (addr, sender) = (serve().await, Sender::new());
    let ask = async |request| text(sender.answer(&addr, request).await.unwrap()).await;
    let genuine = signed("/zegocloud", r#"{"event":"room_create","room_id":"lobby"}"#);
    assert_eq!(ask(&genuine).await, (200, "attempt 1 at room_create".to_owned()));
    assert_eq!(ask(&genuine).await, (200, String::new()), "a repeat is not delivered");

    let forged = genuine
        .clone()
        .map(|body| String::from_utf8(body.to_vec()).unwrap().replace("lobby", "vault").into());
    assert_eq!(ask(&forged).await, (409, String::new()));
    let unsigned = Request::post("/zegocloud").body(Bytes::from_static(b"{}")).unwrap();
    assert_eq!(ask(&unsigned).await, (401, String::new()));
    let get = Request::get("/zegocloud").body(Bytes::new()).unwrap();
    let get = sender.answer(&addr, &get).await.unwrap();
    assert_eq!((get.status().as_u16(), get.headers()["allow"].to_str().unwrap()), (405, "POST"));
}

#[tokio::test]
async fn attack_a_large_body_is_refused_before_it_is_sent() {
    let mut stream = TcpStream::connect(serve().await).await.unwrap();
    let head = "POST /zegocloud HTTP/1.1\r\nhost: h\r\nexpect: 100-continue\r\ncontent-length: 1048577\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = String::new();
    // The server closes: nobody is going to read that body.
    let read =
        tokio::time::timeout(Duration::from_secs(60), stream.read_to_string(&mut answer)).await;
    read.expect("the connection stayed open").unwrap();
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
}
