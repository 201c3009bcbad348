//! Vobiz's whatsapp callbacks, signed, with bodies of any shape.

#![no_main]

use tower_webhooks::vobiz::whatsapp::{Signer as Signs, Whatsapp as Rules};

tower_webhooks_fuzz::provider!(
    "vobiz_whatsapp",
    Rules::new("a token"),
    Signs::new("a token"),
    |asked, data| asked.post(data)
);
