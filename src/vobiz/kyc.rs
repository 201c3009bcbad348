//! KYC: a sub-account's session of identity checks goes on.
//!
//! ```
//! use bytes::Bytes;
//! use http::Request;
//! use std::time::SystemTime;
//! use tower_webhooks::{Covers, Provider, Signer as _, vobiz::kyc::{self, Event, Kyc}};
//!
//! let body = r#"{"event":"kyc.completed","session_id":"b6a1f3c2","metadata":{"your_ref":"r1"}}"#;
//! let request = Request::post("/vobiz/kyc").body(Bytes::from(body))?;
//! let request = kyc::Signer::new("the main account's token")?.sign(request, SystemTime::now());
//!
//! let delivery = Kyc::new("the main account's token")?.verify(&request, SystemTime::now())?;
//! assert_eq!((delivery.kind(), delivery.covers()), ("kyc.completed", Covers::Body));
//! let Event::Completed(session) = delivery.event() else { panic!() };
//! assert_eq!(session.metadata.as_ref().unwrap().get(), r#"{"your_ref":"r1"}"#);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Answer 2xx; failures are tried again with growing pauses. For the sessions of the *partner* API no signature is
//! documented: Vobiz advises to fetch the session again before trusting a callback.
//!
//! Pages: <https://docs.vobiz.ai/sub-accounts/kyc/email-flow-webhook>,
//! <https://docs.vobiz.ai/sub-accounts/kyc/redirect-flow-webhook>.

use super::{body::family, object::events};
use crate::{
    Json,
    wire::{payload, text, words},
};

family! {
    /// The rules of KYC callbacks: `X-Vobiz-Signature: sha256=<hex>`, with the **parent** account's auth token.
    pub struct Kyc: "vobiz.kyc", "x-vobiz-signature", "sha256=", auth_token: Event
}

events! {
    /// A KYC callback.
    pub enum Event in "event" {
        /// A session began.
        "kyc.initiated" => Initiated(Session) key [session_id],
        /// The customer has sent everything.
        "kyc.submitted" => Submitted(Session) key [session_id],
        /// The customer is verified.
        "kyc.completed" => Completed(Session) key [session_id],
        /// The customer is not verified.
        "kyc.failed" => Failed(Session) key [session_id],
        /// The customer took too long.
        "kyc.session_expired" => SessionExpired(Session) key [session_id],
        /// You took it back.
        "kyc.session_revoked" => SessionRevoked(Session) key [session_id],
    }
}

payload! {
    /// A KYC session.
    pub struct Session {
        /// When this happened, RFC 3339.
        pub timestamp: String => "text",
        /// The session's id.
        pub session_id: String => "text",
        /// The sub-account, `SA_…`.
        pub account_auth_id: String => "text",
        /// The customer's address; not in the redirect flow.
        pub customer_email: String => "text",
        /// Who the customer is.
        pub kyc_type: KycType => "text",
        /// How far the session has come, such as `kyc_completed`.
        pub session_status: String => "text",
        /// What was given when the session was made.
        pub metadata: Json,
        /// When the session was made, RFC 3339.
        pub created_at: String => "text",
        /// When it changed last, RFC 3339.
        pub updated_at: String => "text",
        /// Why it was revoked; documented for partners only.
        pub reason: String => "text",
    }
}

words! {
    /// Who a customer is.
    pub enum KycType {
        /// A person.
        Individual = "individual",
        /// A company.
        Company = "company",
    }
}
