//! Campaigns: the state of the campaign manager's campaigns, and the outcomes of their calls.
//!
//! ```
//! use bytes::Bytes;
//! use http::Request;
//! use std::time::SystemTime;
//! use tower_webhooks::{Covers, Provider, Signer as _, vobiz::campaign::{self, Campaign, Event}};
//!
//! let body = r#"{"event":"contact.answered","campaign_id":"a4c7ab38","call_uuid":"12d86ccd","duration":42}"#;
//! let request = Request::post("/vobiz/campaign").body(Bytes::from(body))?;
//! let request = campaign::Signer::new("an auth token")?.sign(request, SystemTime::now());
//!
//! let delivery = Campaign::new("an auth token")?.verify(&request, SystemTime::now())?;
//! assert_eq!((delivery.kind(), delivery.covers()), ("contact.answered", Covers::Body));
//! let Event::ContactAnswered(contact) = delivery.event() else {
//!     return Err("another event".into());
//! };
//! assert_eq!(contact.duration, Some(42.0));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Answer 2xx; otherwise an event is sent three times in all, at about 0, 5 and 30 s.
//!
//! Page: <https://docs.vobiz.ai/campaign-manager/webhooks>.

use super::body::family;
use crate::payload::{events, payload};

family! {
    /// The rules of campaign callbacks (`notify_url`): `X-VoBiz-Signature: sha256=<hex>`, with the
    /// account's auth token.
    pub struct Campaign: "vobiz.campaign", "x-vobiz-signature", "sha256=", auth_token: Event
}

events! {
    /// A campaign callback.
    pub enum Event in "event" {
        /// Started.
        "campaign.started" => Started(Update) key |it| [it.campaign_id, it.timestamp],
        /// Dialling stalled.
        "campaign.stalled" => Stalled(Update) key |it| [it.campaign_id, it.timestamp],
        /// Paused.
        "campaign.paused" => Paused(Update) key |it| [it.campaign_id, it.timestamp],
        /// Failed.
        "campaign.failed" => Failed(Update) key |it| [it.campaign_id, it.timestamp],
        /// Resumed.
        "campaign.resumed" => Resumed(Update) key |it| [it.campaign_id, it.timestamp],
        /// Completed.
        "campaign.completed" => Completed(Update) key |it| [it.campaign_id, it.timestamp],
        /// Cancelled.
        "campaign.cancelled" => Cancelled(Update) key |it| [it.campaign_id, it.timestamp],
        /// A contact answered.
        "contact.answered" => ContactAnswered(Contact)
            key |it| [it.campaign_id, it.whom(), it.timestamp],
        /// A contact did not answer; `contact.retry_scheduled` may follow.
        "contact.no_answer" => ContactNoAnswer(Contact)
            key |it| [it.campaign_id, it.whom(), it.timestamp],
        /// Another call to a contact is scheduled.
        "contact.retry_scheduled" => ContactRetryScheduled(Contact)
            key |it| [it.campaign_id, it.whom(), it.timestamp],
        /// The call to a contact failed.
        "contact.failed" => ContactFailed(Contact)
            key |it| [it.campaign_id, it.whom(), it.timestamp],
        /// The time to call a contact ran out.
        "contact.expired" => ContactExpired(Contact)
            key |it| [it.campaign_id, it.whom(), it.timestamp],
        _ => Unknown(Unknown),
    }
}

payload! {
    /// The state of a campaign.
    pub struct Update {
        /// The campaign's id.
        pub campaign_id: Option<String>,
        /// The account, `MA_…`.
        pub account_id: Option<String>,
        /// When this happened, RFC 3339.
        pub timestamp: Option<String>,
        /// The reason; of `campaign.stalled`, `.paused` and `.failed`.
        pub reason: Option<String>,
        /// When the last call was dialled, RFC 3339; of `campaign.stalled`.
        pub last_dial_at: Option<String>,
        /// The minutes without a dialled call; of `campaign.stalled`.
        pub stalled_minutes: Option<f64>,
        ..rest
    }

    /// The outcome of a contact's call.
    pub struct Contact {
        /// The campaign's id.
        pub campaign_id: Option<String>,
        /// The account, `MA_…`.
        pub account_id: Option<String>,
        /// When this happened, RFC 3339.
        pub timestamp: Option<String>,
        /// The contact's id.
        pub contact_id: Option<String>,
        /// The call's id.
        pub call_uuid: Option<String>,
        /// The callee.
        pub to_number: Option<String>,
        /// The caller.
        pub from_number: Option<String>,
        /// Why the call ended.
        pub hangup_cause: Option<String>,
        /// The call's length in seconds; whether it is whole is not documented.
        pub duration: Option<f64>,
        ..rest
    }
}

impl Contact {
    /// The contact's id, which is optional, or else the call's.
    fn whom(&self) -> Option<&String> {
        let is_there = |id: &&String| !id.trim().is_empty();
        self.contact_id.as_ref().filter(is_there).or(self.call_uuid.as_ref())
    }
}
