//! KYC: identity checks of a sub-account's customers.
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
//! let Event::Completed(session) = delivery.event() else { return Err("another event".into()) };
//! assert_eq!(session.metadata.as_ref().map(|json| json.get()), Some(r#"{"your_ref":"r1"}"#));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Answer 2xx; failures are retried with exponential backoff. No signature is documented for
//! sessions of the *partner* API: Vobiz advises fetching the session again before trusting such a
//! callback.
//!
//! Pages: <https://docs.vobiz.ai/sub-accounts/kyc/email-flow-webhook>,
//! <https://docs.vobiz.ai/sub-accounts/kyc/redirect-flow-webhook>.

use super::body::family;
use crate::{
    Json,
    payload::{events, payload, words},
};

family! {
    /// The rules of KYC callbacks: `X-Vobiz-Signature: sha256=<hex>`, with the **parent** account's
    /// auth token.
    pub struct Kyc: "vobiz.kyc", "x-vobiz-signature", "sha256=", auth_token: Event
}

events! {
    /// A KYC callback.
    pub enum Event in "event" {
        /// A session was created.
        "kyc.initiated" => Initiated(Session) key |it| [it.session_id, it.timestamp],
        /// The customer submitted everything.
        "kyc.submitted" => Submitted(Session) key |it| [it.session_id, it.timestamp],
        /// The customer is verified.
        "kyc.completed" => Completed(Session) key |it| [it.session_id, it.timestamp],
        /// The verification failed.
        "kyc.failed" => Failed(Session) key |it| [it.session_id, it.timestamp],
        /// The session expired.
        "kyc.session_expired" => SessionExpired(Session) key |it| [it.session_id, it.timestamp],
        /// You revoked the session.
        "kyc.session_revoked" => SessionRevoked(Session) key |it| [it.session_id, it.timestamp],
        _ => Unknown(Unknown),
    }
}

payload! {
    /// A KYC session.
    pub struct Session {
        /// When this happened, RFC 3339.
        pub timestamp: Option<String>,
        /// The session's id.
        pub session_id: Option<String>,
        /// The sub-account, `SA_…`.
        pub account_auth_id: Option<String>,
        /// The customer's e-mail address; not in the redirect flow.
        pub customer_email: Option<String>,
        /// Whether the customer is a person or a company.
        pub kyc_type: Option<KycType>,
        /// The session's state, such as `kyc_completed`.
        pub session_status: Option<String>,
        /// The metadata that you created the session with.
        pub metadata: Option<Json>,
        /// When the session was created, RFC 3339.
        pub created_at: Option<String>,
        /// When the session last changed, RFC 3339.
        pub updated_at: Option<String>,
        /// Why the session was revoked; documented for partners only.
        pub reason: Option<String>,
        ..rest
    }
}

words! {
    /// The kind of a customer.
    pub enum KycType {
        /// A person.
        Individual = "individual",
        /// A company.
        Company = "company",
    }
}
