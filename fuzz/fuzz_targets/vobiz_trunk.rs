//! Vobiz's trunk callbacks, signed, with bodies of any shape.

#![no_main]

use tower_webhooks::vobiz::trunk::{Signer as Signs, Trunk as Rules};

tower_webhooks_fuzz::provider!(
    "vobiz_trunk",
    Rules::new("a token"),
    Signs::new("a token"),
    |asked, data| asked.post(data)
);
