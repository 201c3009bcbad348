//! tower layers for the webhooks of GeeLark, Stardust, Vobiz and ZEGOCLOUD.

#![forbid(unsafe_code)]
#![deny(missing_docs, unreachable_pub)]
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects
    )
)]
#![cfg_attr(docsrs, feature(doc_cfg))]

pub use self::{
    layer::WebhookLayer,
    provider::{Content, Covers, Delivery, Identity, Provider},
    rejection::{Rejection, RejectionKind},
    secret::{ConfigError, Secret},
    service::{ResponseFuture, Webhook},
    verified::{Facts, Verified},
    window::Window,
    wire::Json,
};

#[cfg(feature = "axum")]
pub use self::axum::NotVerified;
#[cfg(feature = "geelark")]
pub use self::geelark::{GeeLark, GeeLarkLayer, GeeLarkToken, GeeLarkTokenLayer};
#[cfg(feature = "metrics")]
pub use self::observe::metric_names;
#[cfg(feature = "stardust")]
pub use self::stardust::{Stardust, StardustLayer, StardustSigned, StardustSignedLayer};
#[cfg(feature = "zegocloud")]
pub use self::zegocloud::{Zegocloud, ZegocloudLayer};
#[cfg(feature = "test-util")]
pub use self::{clock::TestClock, signer::Signer};

#[cfg(feature = "geelark")]
pub mod geelark;
#[cfg(feature = "vobiz")]
pub mod guide;
pub mod header;
pub mod provider;
pub mod rejection;
pub mod replay;
pub mod secret;
#[cfg(feature = "stardust")]
pub mod stardust;
pub mod verified;
#[cfg(feature = "vobiz")]
pub mod vobiz;
pub mod window;
#[cfg(feature = "zegocloud")]
pub mod zegocloud;

#[cfg(feature = "axum")]
mod axum;
mod clock;
mod layer;
mod observe;
mod read;
mod service;
#[cfg(feature = "test-util")]
mod signer;
#[cfg(any(feature = "geelark", feature = "stardust"))]
mod token;
#[cfg_attr(
    not(all(feature = "geelark", feature = "stardust", feature = "vobiz", feature = "zegocloud")),
    allow(dead_code, unused_imports, unused_macros, reason = "not every provider uses every form")
)]
mod wire;

#[cfg(all(doctest, feature = "axum", feature = "zegocloud"))]
#[doc = include_str!("../README.md")]
mod readme {}
