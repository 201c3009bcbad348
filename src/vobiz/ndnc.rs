//! NDNC: complaints about unwanted calls from your numbers.
//!
//! ```
//! use bytes::Bytes;
//! use http::Request;
//! use std::time::SystemTime;
//! use tower_webhooks::{Covers, Provider, Signer as _, vobiz::ndnc::{self, Ndnc}};
//!
//! let body = r#"{"accountName":"Shop","totalComplaints":1,"complaints":[{"urn":"URN0001"}]}"#;
//! let request = Request::post("/vobiz/ndnc").body(Bytes::from(body))?;
//! let request = ndnc::Signer::new("0123456789abcdef0123456789abcdef")?.sign(request, SystemTime::now());
//!
//! let delivery = Ndnc::new("0123456789abcdef0123456789abcdef")?.verify(&request, SystemTime::now())?;
//! assert_eq!((delivery.kind(), delivery.covers()), ("ndnc_alert", Covers::Body));
//! assert_eq!(delivery.event().total_complaints, Some(1));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Answer 2xx within 5 s; retries are not documented. **An alert has no id and no time.** Two that are alike byte for
//! byte are one signature and so one delivery: the second is not delivered while the first is remembered.
//!
//! Page: <https://docs.vobiz.ai/account/ndnc-webhook>.

use super::{
    body::family,
    object::{Members, Object},
};
use crate::wire::{number, payload, text};
use serde::{
    Deserialize,
    de::{MapAccess, value::MapAccessDeserializer},
};

family! {
    /// The rules of NDNC alerts: `X-VoBiz-Signature: <hex>`, with the secret that you have sent to Vobiz; 32 characters
    /// or more, by their advice.
    pub struct Ndnc: "vobiz.ndnc", "x-vobiz-signature", "", shared_secret: Alert
}

payload! {
    /// Complaints about an account's numbers.
    #[serde(rename_all = "camelCase")]
    pub struct Alert {
        /// The account's name.
        pub account_name: String => "text",
        /// How many complaints there are.
        pub total_complaints: u64 => "number",
        /// The complaints.
        pub complaints: Vec<Complaint>,
    }

    /// One complaint.
    #[serde(rename_all = "camelCase")]
    pub struct Complaint {
        /// The complaint's reference number: the key to tell a complaint that you have seen.
        pub urn: String => "text",
        /// The number that called.
        pub did: String => "text",
        /// Who complains.
        pub complainant_number: String => "text",
        /// When, `YYYY-MM-DD`.
        pub complaint_date: String => "text",
        /// What about.
        pub description: String => "text",
        /// The account, `MA_…`.
        pub account_id: String => "text",
        /// The account's name.
        pub account_name: String => "text",
        /// The account's address.
        pub account_email: String => "text",
    }
}

impl Alert {
    /// `ndnc_alert`.
    pub fn kind(&self) -> &'static str {
        "ndnc_alert"
    }

    /// `None`: an alert has no id. Its complaints have one each, [`Complaint::urn`].
    pub fn dedup_key(&self) -> Option<String> {
        None
    }
}

impl Object for Alert {
    fn read<'de, A: MapAccess<'de>>(members: Members<'de, A>, _whole: &str) -> Result<Self, A::Error> {
        Self::deserialize(MapAccessDeserializer::new(members))
    }
}
