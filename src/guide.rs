//! What takes more words than an item's documentation has room for.

#[doc = include_str!("../docs/acknowledging-fast.md")]
pub mod acknowledging_fast {}

#[doc = include_str!("../docs/allow-listing-addresses.md")]
pub mod allow_listing_addresses {}

#[cfg(feature = "vobiz")]
#[doc = include_str!("../docs/behind-a-proxy.md")]
pub mod behind_a_proxy {}

#[cfg_attr(all(feature = "axum", feature = "postgres"), doc = include_str!("../docs/exactly-once.md"))]
#[cfg_attr(not(all(feature = "axum", feature = "postgres")), doc = "Needs features `axum` and `postgres`.")]
pub mod exactly_once {}

#[doc = include_str!("../docs/limits-and-retention.md")]
pub mod limits_and_retention {}

#[doc = include_str!("../docs/rotating-keys.md")]
pub mod rotating_keys {}

#[doc = include_str!("../docs/security-model.md")]
pub mod security_model {}

#[cfg_attr(feature = "test-util", doc = include_str!("../docs/testing-your-handlers.md"))]
#[cfg_attr(not(feature = "test-util"), doc = "Needs feature `test-util`, as what it is about does.")]
pub mod testing_your_handlers {}
