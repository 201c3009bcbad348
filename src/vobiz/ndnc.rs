//! NDNC: complaints about unwanted calls from your numbers.
//!
//! ```
//! use bytes::Bytes;
//! use http::Request;
//! use std::time::SystemTime;
//! use tower_webhooks::{
//!     Covers, Provider, Signer as _,
//!     vobiz::ndnc::{self, Event, Ndnc},
//! };
//!
//! let body =
//!     r#"{"accountName":"Shop","totalComplaints":1,"complaints":[{"urn":"URN0001"}]}"#;
//! let request = Request::post("/vobiz/ndnc").body(Bytes::from(body))?;
//! let request = ndnc::Signer::new("0123456789abcdef0123456789abcdef")?
//!     .sign(request, SystemTime::now());
//!
//! let delivery = Ndnc::new("0123456789abcdef0123456789abcdef")?
//!     .verify(&request, SystemTime::now())?;
//! assert_eq!((delivery.kind(), delivery.covers()), ("ndnc_alert", Covers::Body));
//! let Event::Alert(alert) = delivery.event() else {
//!     return Err("another event".into());
//! };
//! assert_eq!(alert.complaints[0].urn.as_deref(), Some("URN0001"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Answer 2xx within 5 s; retries are not documented. **An alert has no id and no time**, and so no
//! [`dedup_key`](crate::WebhookEvent::dedup_key). Two identical alerts have the same signature: the
//! second one is not delivered for as long as the layer remembers the first.
//!
//! Page: <https://docs.vobiz.ai/account/ndnc-webhook>.

use super::body::family;
use crate::{
    Unknown,
    payload::{Tape, events, payload, text},
};
use bytes::Bytes;

family! {
    /// The rules of NDNC alerts: `X-VoBiz-Signature: <hex>`, with the secret that you sent to
    /// Vobiz, which advises 32 characters or more.
    pub struct Ndnc: "vobiz.ndnc", "x-vobiz-signature", "", shared_secret: Event
}

events! {
    /// An NDNC callback. The body has no event name: one without a member of an [`Alert`] is
    /// unknown.
    pub enum Event {
        /// Complaints were received.
        "ndnc_alert" => Alert(Alert),
        _ => Unknown(Unknown),
    }
}

payload! {
    /// Complaints about an account's numbers.
    pub struct Alert {
        /// The account's name.
        pub account_name: Option<String> = "accountName",
        /// How many complaints there are.
        pub total_complaints: Option<u64> = "totalComplaints",
        /// The complaints.
        pub complaints: Vec<Complaint>,
        ..rest
    }

    /// One complaint.
    pub struct Complaint {
        /// The complaint's reference number, by which to recognize a repeated complaint.
        pub urn: Option<String>,
        /// The number that called.
        pub did: Option<String>,
        /// Who complains.
        pub complainant_number: Option<String> = "complainantNumber",
        /// The date, `YYYY-MM-DD`.
        pub complaint_date: Option<String> = "complaintDate",
        /// What the complaint is about.
        pub description: Option<String>,
        /// The account, `MA_…`.
        pub account_id: Option<String> = "accountId",
        /// The account's name.
        pub account_name: Option<String> = "accountName",
        /// The account's e-mail address.
        pub account_email: Option<String> = "accountEmail",
        ..rest
    }
}

impl Event {
    pub(crate) fn from_body(body: &Bytes) -> Result<Self, Unknown> {
        let tape = text(body).and_then(Tape::new);
        let object = tape.as_ref().and_then(Tape::object);
        object
            .and_then(|object| Self::of("ndnc_alert", object).ok())
            .filter(|event| matches!(event, Self::Alert(alert) if !alert.is_empty()))
            .ok_or_else(|| Unknown::new(body.clone()))
    }
}

impl Alert {
    /// Whether it has none of an alert's members.
    fn is_empty(&self) -> bool {
        let Self { account_name, total_complaints, complaints, rest } = self;
        let misfits = ["accountName", "totalComplaints", "complaints"];
        account_name.is_none()
            && total_complaints.is_none()
            && complaints.is_empty()
            && misfits.iter().all(|name| rest.get(name).is_none())
    }
}
