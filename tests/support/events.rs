//! The documented payloads, and what becomes of an event that is written and read back.

use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use std::{fmt::Debug, fs};
use tower_webhooks::WebhookEvent;

/// Every documented payload of the provider, and its kind.
pub fn payloads(provider: &str) -> Vec<(Value, String)> {
    let path = format!("{}/tests/payloads/{provider}.json", env!("CARGO_MANIFEST_DIR"));
    let payloads: Vec<Value> = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    payloads
        .into_iter()
        .map(|payload| (payload["body"].clone(), payload["kind"].as_str().unwrap().to_owned()))
        .collect()
}

/// What is written of the event, which reads back as the event.
pub fn written<E: Serialize + DeserializeOwned + PartialEq + Debug>(event: &E) -> Value {
    let text = serde_json::to_string(event).unwrap();
    assert_eq!(serde_json::from_str::<E>(&text).unwrap(), *event, "{text}");
    serde_json::from_str(&text).unwrap()
}

/// The paths of the members that did not fit.
pub fn misfits(event: &impl WebhookEvent) -> Vec<&str> {
    event.misfits().iter().map(|misfit| misfit.path()).collect()
}
