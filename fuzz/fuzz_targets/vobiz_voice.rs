//! Vobiz's voice callbacks, signed, with bodies of any shape.

#![no_main]

use tower_webhooks::vobiz::voice::{Signer as Signs, Voice as Rules};

tower_webhooks_fuzz::provider!(
    "vobiz_voice",
    Rules::new("a token", "https://hooks.example.com"),
    Signs::new("a token", "https://hooks.example.com")
        .map(|signer| signer.nonce("01234567890123456789")),
    |asked, data| asked.post(data)
);
