//! Vobiz's ndnc callbacks, signed, with bodies of any shape.

#![no_main]

use tower_webhooks::vobiz::ndnc::{Ndnc as Rules, Signer as Signs};

tower_webhooks_fuzz::provider!(
    "vobiz_ndnc",
    Rules::new("a token"),
    Signs::new("a token"),
    |asked, data| asked.post(data)
);
