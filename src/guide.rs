//! Guides to topics that concern several items.

#[doc = include_str!("guide/acknowledging_fast.md")]
pub mod acknowledging_fast {}

#[doc = include_str!("guide/allow_listing_addresses.md")]
pub mod allow_listing_addresses {}

#[cfg(feature = "vobiz")]
#[doc = include_str!("guide/behind_a_proxy.md")]
pub mod behind_a_proxy {}

#[cfg_attr(all(feature = "axum", feature = "postgres"), doc = include_str!("guide/exactly_once.md"))]
#[cfg_attr(
    not(all(feature = "axum", feature = "postgres")),
    doc = "Needs features `axum` and `postgres`."
)]
pub mod exactly_once {}

#[doc = include_str!("guide/how_it_is_tested.md")]
pub mod how_it_is_tested {}

#[doc = include_str!("guide/limits_and_retention.md")]
pub mod limits_and_retention {}

#[doc = include_str!("guide/rotating_keys.md")]
pub mod rotating_keys {}

#[doc = include_str!("guide/security_model.md")]
pub mod security_model {}

#[doc = include_str!("guide/what_to_watch.md")]
pub mod what_to_watch {}

#[cfg_attr(feature = "test-util", doc = include_str!("guide/testing_your_handlers.md"))]
#[cfg_attr(not(feature = "test-util"), doc = "Needs feature `test-util`.")]
pub mod testing_your_handlers {}
