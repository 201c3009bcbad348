//! What takes more words than an item's documentation has room for.

#[doc = include_str!("../docs/behind-a-proxy.md")]
pub mod behind_a_proxy {}
