//! Trunks: start and end of calls over a SIP trunk.
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
//! let Event::CallInitiated(call) = delivery.event() else { return Err("another event".into()) };
//! assert_eq!(call.allowed, Some(false));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Vobiz asks to confirm the header's name in the console: if it differs from their samples', set
//! it with [`Trunk::header`]. How a GET is signed is not documented, so a GET is answered with 405.
//! There are no retries: Vobiz only logs an answer other than 2xx, and the event is lost.
//!
//! `recording.completed` has no documented payload; it arrives as an [`Unknown`](crate::Unknown).
//!
//! Page: <https://docs.vobiz.ai/trunks/webhook>.

use super::{
    body::family,
    voice::{Direction, HangupSource},
};
use crate::payload::{events, payload};
use http::HeaderName;
use std::borrow::Cow;

family! {
    /// The rules of trunk callbacks: `X-Vobiz-Signature: <hex>` unless set otherwise, with the
    /// trunk's signing secret.
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

            /// Sets the prefix of the signature's digits, such as `sha256=`.
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
        /// A call was admitted or rejected.
        "CallInitiated" => CallInitiated(CallInitiated) key |it| [it.request_id],
        /// A call ended.
        "Hangup" => Hangup(Hangup) key |it| [it.request_id],
        _ => Unknown(Unknown),
    }
}

payload! {
    /// Payload of `CallInitiated`.
    pub struct CallInitiated {
        /// The call's id.
        pub call_uuid: Option<String> = "CallUUID",
        /// The callback's id, also in the header `X-Vobiz-Request-ID`.
        pub request_id: Option<String> = "RequestID",
        /// When this happened, RFC 3339.
        pub timestamp: Option<String> = "Timestamp",
        /// The caller.
        pub from: Option<String> = "From",
        /// The callee.
        pub to: Option<String> = "To",
        /// The call's direction.
        pub direction: Option<Direction> = "Direction",
        /// `initiated`.
        pub status: Option<String> = "Status",
        /// The account, `MA_…`; [`Hangup::account_id`] is the same.
        pub auth_id: Option<String>,
        /// The trunk's id.
        pub trunk_id: Option<String> = "TrunkID",
        /// The trunk's SIP domain.
        pub domain: Option<String> = "Domain",
        /// The address that the call comes from.
        pub source_ip: Option<String> = "SourceIP",
        /// The SIP `Call-ID`.
        pub sip_call_id: Option<String> = "SIPCallID",
        /// Whether the call is admitted.
        pub allowed: Option<bool> = "Allowed",
        /// Why it is rejected.
        pub reason: Option<String> = "Reason",
        ..rest
    }

    /// Payload of `Hangup`.
    pub struct Hangup {
        /// The call's id.
        pub call_uuid: Option<String> = "CallUUID",
        /// The callback's id, also in the header `X-Vobiz-Request-ID`.
        pub request_id: Option<String> = "RequestID",
        /// When this happened, RFC 3339.
        pub timestamp: Option<String> = "Timestamp",
        /// The caller.
        pub from: Option<String> = "From",
        /// The callee.
        pub to: Option<String> = "To",
        /// The call's direction.
        pub direction: Option<Direction> = "Direction",
        /// `completed`.
        pub status: Option<String> = "Status",
        /// The account, `MA_…`; [`CallInitiated::auth_id`] is the same.
        pub account_id: Option<String> = "AccountId",
        /// The trunk's id.
        pub trunk_id: Option<String> = "TrunkID",
        /// The trunk's SIP domain.
        pub domain: Option<String> = "Domain",
        /// The address that the call came from.
        pub source_ip: Option<String> = "SourceIP",
        /// The SIP `Call-ID`.
        pub sip_call_id: Option<String> = "SIPCallID",
        /// The second leg's id.
        pub bridge_uuid: Option<String> = "BridgeUUID",
        /// Such as `NORMAL_CLEARING`.
        pub reason: Option<String> = "Reason",
        /// When the call began, RFC 3339.
        pub start_time: Option<String> = "StartTime",
        /// When it ended, RFC 3339.
        pub end_time: Option<String> = "EndTime",
        /// Seconds of ringing and talking.
        pub duration: Option<u64> = "Duration",
        /// Billable seconds: for how long the call was connected.
        pub billsec: Option<u64> = "Billsec",
        /// Seconds of ringing.
        pub ring_time: Option<u64> = "RingTime",
        /// The price as decimal text.
        pub cost: Option<String> = "Cost",
        /// The price's currency.
        pub currency: Option<String> = "Currency",
        /// The mean opinion score, 1 to 5.
        pub mos: Option<f64> = "MOS",
        /// Jitter; only a sample repository of Vobiz mentions it, without a unit.
        pub jitter: Option<f64> = "Jitter",
        /// Such as `Normal Hangup`.
        pub hangup_cause_name: Option<String> = "HangupCauseName",
        /// Such as 4000; listed on the page *hangup causes*.
        pub hangup_cause_code: Option<i64> = "HangupCauseCode",
        /// Who ended the call: the caller or the callee.
        pub hangup_source: Option<HangupSource> = "HangupSource",
        ..rest
    }
}
