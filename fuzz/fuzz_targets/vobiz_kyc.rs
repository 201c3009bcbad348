//! Vobiz's kyc callbacks, signed, with bodies of any shape.

#![no_main]

use tower_webhooks::vobiz::kyc::{Signer as Signs, Kyc as Rules};

tower_webhooks_fuzz::provider!("vobiz_kyc", Rules::new("a token"), Signs::new("a token"), |asked, data| asked.post(data));
