//! ZEGOCLOUD's callbacks of all families, signed, with bodies of any shape.

#![no_main]

use tower_webhooks::zegocloud::{Signer as Signs, Zegocloud as Rules};
use tower_webhooks_fuzz::{json, provider::request};

tower_webhooks_fuzz::provider!(
    "zegocloud",
    Rules::new("a callback secret"),
    Signs::new("a callback secret").map(|signer| signer.nonce("7254119327986670314")),
    |asked, data| drop(asked.ask(request(data), can_be_signed))
);

/// The signature goes into the body, so the body must be an object that has none yet.
fn can_be_signed(body: &str) -> bool {
    json::members(body).is_some_and(|members| {
        let mut names = members.into_iter().map(|(name, _)| json::content(name));
        names.all(|name| !["timestamp", "nonce", "signature"].contains(&&*name.to_lowercase()))
    })
}
