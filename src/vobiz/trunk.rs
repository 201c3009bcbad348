//! Trunks: calls over a SIP trunk begin and end.
//!
//! ```
//! use bytes::Bytes;
//! use http::Request;
//! use std::time::SystemTime;
//! use tower_webhooks::{Covers, Provider, Signer as _, vobiz::trunk::{self, Event, Trunk}};
//!
//! let body = r#"{"Event":"CallInitiated","CallUUID":"aabbccdd","Allowed":false,"Reason":"insufficient balance"}"#;
//! let request = Request::post("/vobiz/trunk").body(Bytes::from(body))?;
//! let request = trunk::Signer::new("a trunk's signing secret")?.sign(request, SystemTime::now());
//!
//! let delivery = Trunk::new("a trunk's signing secret")?.verify(&request, SystemTime::now())?;
//! assert_eq!((delivery.kind(), delivery.covers()), ("CallInitiated", Covers::Body));
//! let Event::CallInitiated(call) = delivery.event() else { panic!() };
//! assert_eq!(call.allowed, Some(false));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Vobiz says of the header's name that it has to be confirmed in the console: where it is another one than in their
//! samples, set it with [`Trunk::header`]. How a GET would be signed is not documented, so a trunk whose webhook method
//! is GET gets a 405. There are no retries: an answer other than 2xx is only logged by Vobiz, and the event is lost.
//!
//! `recording.completed` is announced but documented nowhere; it arrives as an [`Unknown`](super::Unknown).
//!
//! Page: <https://docs.vobiz.ai/trunks/webhook>.

use super::{body::family, object::events};
use crate::{
    Json,
    wire::{number, payload, text, words},
};
use http::HeaderName;
use std::borrow::Cow;

family! {
    /// The rules of trunk callbacks: `X-Vobiz-Signature: <hex>` unless set otherwise, with the trunk's signing secret.
    pub struct Trunk: "vobiz.trunk", "x-vobiz-signature", "", signing_secret: Event
}

macro_rules! settings {
    ($($name:ident)*) => {$(
        impl $name {
            /// Sets the signature's header.
            #[must_use]
            pub fn header(mut self, name: HeaderName) -> Self {
                self.rules.header = name;
                self
            }

            /// Sets what stands before the signature's digits, such as `sha256=`.
            #[must_use]
            pub fn prefix(mut self, prefix: impl Into<Cow<'static, str>>) -> Self {
                self.rules.prefix = prefix.into();
                self
            }
        }
    )*};
}

settings!(Trunk);
#[cfg(feature = "test-util")]
settings!(Signer);

events! {
    /// A trunk callback.
    pub enum Event in "Event" {
        /// A call begins, or is refused.
        "CallInitiated" => CallInitiated(CallInitiated) key [request_id],
        /// A call is over.
        "Hangup" => Hangup(Hangup) key [request_id],
    }
}

payload! {
    /// `CallInitiated`.
    #[serde(rename_all = "PascalCase")]
    pub struct CallInitiated {
        /// The call's id.
        #[serde(rename = "CallUUID")]
        pub call_uuid: String => "text",
        /// The callback's id, also in the header `X-Vobiz-Request-ID`.
        #[serde(rename = "RequestID")]
        pub request_id: String => "text",
        /// When this happened, RFC 3339.
        pub timestamp: String => "text",
        /// The caller.
        pub from: String => "text",
        /// The callee.
        pub to: String => "text",
        /// Which way it goes, seen from Vobiz.
        pub direction: Direction => "text",
        /// `initiated`.
        pub status: String => "text",
        /// The account, `MA_…`; [`Hangup::account_id`] is the same.
        #[serde(rename = "auth_id")]
        pub auth_id: String => "text",
        /// The trunk's id.
        #[serde(rename = "TrunkID")]
        pub trunk_id: String => "text",
        /// The trunk's SIP domain.
        pub domain: String => "text",
        /// Where the call comes from.
        #[serde(rename = "SourceIP")]
        pub source_ip: String => "text",
        /// The SIP `Call-ID`.
        #[serde(rename = "SIPCallID")]
        pub sip_call_id: String => "text",
        /// Whether it goes through.
        pub allowed: bool,
        /// Why not; empty if it does.
        pub reason: String => "text",
    }

    /// `Hangup`.
    #[serde(rename_all = "PascalCase")]
    pub struct Hangup {
        /// The call's id.
        #[serde(rename = "CallUUID")]
        pub call_uuid: String => "text",
        /// The callback's id, also in the header `X-Vobiz-Request-ID`.
        #[serde(rename = "RequestID")]
        pub request_id: String => "text",
        /// When this happened, RFC 3339.
        pub timestamp: String => "text",
        /// The caller.
        pub from: String => "text",
        /// The callee.
        pub to: String => "text",
        /// Which way it went, seen from Vobiz.
        pub direction: Direction => "text",
        /// `completed`.
        pub status: String => "text",
        /// The account, `MA_…`; [`CallInitiated::auth_id`] is the same.
        pub account_id: String => "text",
        /// The trunk's id.
        #[serde(rename = "TrunkID")]
        pub trunk_id: String => "text",
        /// The trunk's SIP domain.
        pub domain: String => "text",
        /// Where the call came from.
        #[serde(rename = "SourceIP")]
        pub source_ip: String => "text",
        /// The SIP `Call-ID`.
        #[serde(rename = "SIPCallID")]
        pub sip_call_id: String => "text",
        /// The other leg's id.
        #[serde(rename = "BridgeUUID")]
        pub bridge_uuid: String => "text",
        /// Why.
        pub reason: String => "text",
        /// When it began, RFC 3339.
        pub start_time: String => "text",
        /// When it ended, RFC 3339.
        pub end_time: String => "text",
        /// Seconds.
        pub duration: u64 => "number",
        /// Billed seconds.
        pub billsec: u64 => "number",
        /// Seconds of ringing.
        pub ring_time: u64 => "number",
        /// The price, a decimal number with the digits that were sent.
        pub cost: Json,
        /// The price's currency.
        pub currency: String => "text",
        /// The mean opinion score, 1 to 5.
        #[serde(rename = "MOS")]
        pub mos: f64 => "number",
        /// Jitter; only a sample repository of Vobiz mentions it, without a unit.
        pub jitter: f64 => "number",
        /// Such as `Normal Hangup`.
        pub hangup_cause_name: String => "text",
        /// Such as 4000; table on the page *hangup causes*.
        pub hangup_cause_code: i64 => "number",
        /// Who ended it.
        pub hangup_source: HangupSource => "text",
    }
}

words! {
    /// Which way a call goes.
    pub enum Direction {
        /// To you.
        Inbound = "inbound",
        /// From you.
        Outbound = "outbound",
    }

    /// Who ended a call.
    pub enum HangupSource {
        /// The caller.
        Caller = "Caller",
        /// The callee.
        Callee = "Callee",
    }
}
