//! Vobiz's campaign callbacks, signed, with bodies of any shape.

#![no_main]

use tower_webhooks::vobiz::campaign::{Campaign as Rules, Signer as Signs};

tower_webhooks_fuzz::provider!(
    "vobiz_campaign",
    Rules::new("a token"),
    Signs::new("a token"),
    |asked, data| asked.post(data)
);
