//! Stardust's callbacks, signed, with bodies of any shape.

#![no_main]

use tower_webhooks::stardust::{Signer as Signs, Stardust as Rules};

tower_webhooks_fuzz::provider!(
    "stardust",
    Rules::new("an access key", "a secret key"),
    Signs::new("an access key", "a secret key"),
    |asked, data| asked.post(data)
);
