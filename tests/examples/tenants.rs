//! The example `tenants` as a process of its own: tenants and keys come and go while it runs.
#![cfg(all(feature = "vobiz", feature = "zegocloud"))]

use crate::support::{
    processes::{PATIENCE, Running, Sender, example},
    signed,
};
use bytes::Bytes;
use http::Request;
use serde_json::{Value, json};
use std::{
    path::PathBuf,
    time::{Duration, Instant},
};
use tower_webhooks::{vobiz::kyc, zegocloud};

/// A running example with a file of tenants of its own; it is killed when dropped.
struct Example {
    running: Running,
    file: PathBuf,
    sender: Sender,
}

impl Example {
    fn start(name: &str, tenants: &Value) -> Self {
        let file = std::env::temp_dir().join(format!("tenants-{}-{name}.json", std::process::id()));
        std::fs::write(&file, tenants.to_string()).unwrap();
        let mut example = example("tenants");
        let running = Running::start(example.env("ADDR", "127.0.0.1:0").env("TENANTS_FILE", &file));
        assert_eq!(running.greeting, [""; 0]);
        Self { running, file, sender: Sender::new() }
    }

    async fn send(&self, request: &Request<Bytes>) -> u16 {
        self.sender.send(&self.running.addr, request).await
    }

    /// Sends it until it is answered like that. A request that begins a second after the change has
    /// to see it, however long its answer takes.
    async fn send_until(&self, request: &Request<Bytes>, status: u16) {
        let changed = Instant::now();
        loop {
            let begun = changed.elapsed();
            let now = self.send(request).await;
            if now == status {
                return;
            }
            assert!(begun < Duration::from_secs(1), "still {now} after {begun:?}");
        }
    }

    /// Nothing that was sent before is printed: the line of this is the next one.
    async fn prints_nothing_else(&self, secret: &str, tenant: &str) {
        let signer = zegocloud::Signer::new(secret).unwrap();
        let path = format!("/hooks/{tenant}/zegocloud");
        let end = signed(&signer, &path, r#"{"event":"room_create","room_id":"the end"}"#);
        assert_eq!(self.send(&end).await, 200);
        assert_eq!(self.line()["event"]["room_id"], "the end");
    }

    fn line(&self) -> Value {
        serde_json::from_str(&self.running.stdout.recv_timeout(PATIENCE).unwrap()).unwrap()
    }

    /// The next line on stderr that holds the text.
    fn says(&self, text: &str) -> String {
        loop {
            let line = self.running.stderr.recv_timeout(PATIENCE);
            let line = line.unwrap_or_else(|error| panic!("{text}: {error}"));
            if line.contains(text) {
                return line;
            }
        }
    }
}

impl Drop for Example {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.file);
    }
}

fn room(secret: &str, tenant: &str) -> Request<Bytes> {
    let signer = zegocloud::Signer::new(secret).unwrap();
    signed(
        &signer,
        &format!("/hooks/{tenant}/zegocloud"),
        r#"{"event":"room_create","room_id":"lobby"}"#,
    )
}

fn session(token: &str, tenant: &str) -> Request<Bytes> {
    let signer = kyc::Signer::new(token).unwrap();
    signed(
        &signer,
        &format!("/hooks/{tenant}/kyc"),
        r#"{"event":"kyc.completed","session_id":"1"}"#,
    )
}

#[tokio::test]
async fn each_tenant_has_its_own_keys() {
    let tenants = json!({
        "acme": { "zegocloud": ["acme's newest", "acme's older"], "kyc": ["acme's token"] },
        "other": { "zegocloud": ["other's"], "kyc": [] },
    });
    let example = Example::start("keys", &tenants);
    for (secret, key_index) in [("acme's newest", 0), ("acme's older", 1)] {
        let request = room(secret, "acme");
        // A repeat is acknowledged and not delivered.
        assert_eq!((example.send(&request).await, example.send(&request).await), (200, 200));
        let line = example.line();
        assert_eq!(line["event"]["room_id"], "lobby");
        let about = json!([line["tenant"], line["provider"], line["kind"], line["key_index"]]);
        assert_eq!(about, json!(["acme", "zegocloud", "room_create", key_index]));
        assert_eq!(line.as_object().unwrap().len(), 5);
    }
    let request = session("acme's token", "acme");
    assert_eq!((example.send(&request).await, example.send(&request).await), (200, 200));
    let line = example.line();
    let about = json!([line["tenant"], line["provider"], line["kind"], line["key_index"]]);
    assert_eq!(about, json!(["acme", "vobiz.kyc", "kyc.completed", 0]));
    assert_eq!(line["event"]["session_id"], "1");

    for (request, status) in [
        (room("nobody's", "nobody"), 404),
        (session("other's", "other"), 404),
        (
            signed(&zegocloud::Signer::new("acme's newest").unwrap(), "/hooks/acme/stardust", "{}"),
            404,
        ),
        (
            signed(&zegocloud::Signer::new("acme's newest").unwrap(), "/hooks/%ff/zegocloud", "{}"),
            404,
        ),
        (room("other's", "acme"), 401),
    ] {
        assert_eq!(example.send(&request).await, status, "{}", request.uri());
    }
    assert!(example.says("404").contains("the request's extensions do not hold the rules"));
    example.prints_nothing_else("acme's newest", "acme").await;
}

#[tokio::test]
async fn attack_a_tenant_s_capture_at_another_tenant() {
    let tenants =
        json!({ "acme": { "zegocloud": ["acme's"] }, "other": { "zegocloud": ["other's"] } });
    let example = Example::start("capture", &tenants);
    let request = room("acme's", "acme");
    let mut captured = request.clone();
    *captured.uri_mut() = "/hooks/other/zegocloud".parse().unwrap();
    assert_eq!(example.send(&captured).await, 401);
    assert_eq!(example.send(&request).await, 200);
    assert_eq!(example.send(&captured).await, 401);
    assert_eq!(example.line()["tenant"], "acme");
    example.prints_nothing_else("other's", "other").await;
}

#[tokio::test]
async fn a_changed_file_is_noticed() {
    let example = Example::start("changes", &json!({ "acme": { "zegocloud": ["the old key"] } }));
    let captured = room("the old key", "acme");
    assert_eq!(example.send(&captured).await, 200);
    let write = |tenants: Value| std::fs::write(&example.file, tenants.to_string()).unwrap();

    write(
        json!({ "acme": { "zegocloud": ["the new key", "the old key"] }, "new": { "kyc": ["a token"] } }),
    );
    example.send_until(&room("the new key", "acme"), 200).await;
    assert_eq!(example.send(&session("a token", "new")).await, 200);
    assert_eq!(example.send(&room("the old key", "acme")).await, 200);
    // What was delivered before the change is a repeat after it.
    assert_eq!(example.send(&captured).await, 200);
    let seen: Vec<_> = (0..4)
        .map(|_| example.line())
        .map(|line| json!([line["tenant"], line["key_index"]]))
        .collect();
    assert_eq!(
        seen,
        [json!(["acme", 0]), json!(["acme", 0]), json!(["new", 0]), json!(["acme", 1])]
    );

    // Half a file, no file, keys that are none: what was known stays, and it is said once.
    for (broken, says) in [
        (Some(r#"{"acme":{"zegocloud":["the new key""#), "line 1"),
        (Some(r#"{"acme":{"zegocloud":"a key in no message"}}"#), "line 1"),
        (Some(r#"{"acme":{"zegocloud":[" "]}}"#), "acme: the secret is empty"),
        (None, "No such file"),
    ] {
        match broken {
            Some(text) => std::fs::write(&example.file, text).unwrap(),
            None => std::fs::remove_file(&example.file).unwrap(),
        }
        let said = loop {
            assert_eq!(example.send(&room("the new key", "acme")).await, 200);
            assert_eq!(example.line()["key_index"], 0);
            if let Some(line) =
                example.running.stderr.try_iter().find(|line| line.contains("stay as they were"))
            {
                break line;
            }
        };
        assert!(said.contains(says), "{said}");
        assert!(!said.contains("a key in no message"), "{said}");
    }

    write(json!({ "new": { "kyc": ["a token"] } }));
    example.send_until(&room("the new key", "acme"), 404).await;
    assert_eq!(example.send(&session("another token", "new")).await, 401);
}

#[test]
fn it_does_not_start_without_tenants() {
    let none = std::env::temp_dir().join("no such file");
    for command in [&mut example("tenants"), example("tenants").env("TENANTS_FILE", none)] {
        let ended = command.env("ADDR", "127.0.0.1:0").output().unwrap();
        assert!(!ended.status.success());
        assert!(String::from_utf8_lossy(&ended.stderr).contains("TENANTS_FILE"));
    }
}
