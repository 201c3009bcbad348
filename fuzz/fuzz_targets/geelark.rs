//! GeeLark's callbacks, signed, with bodies of any shape.

#![no_main]

use tower_webhooks::geelark::{GeeLark as Rules, Signer as Signs};

tower_webhooks_fuzz::provider!(
    "geelark",
    Rules::new("an app id", "an app key"),
    Signs::new("an app id", "an app key")
        .map(|signer| signer.trace_id("0123456789abcdef0123456789abcdef")),
    |asked, data| asked.post(data)
);
