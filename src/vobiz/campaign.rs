//! Campaigns: the campaign manager's calls go on.
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
//! let Event::ContactAnswered(contact) = delivery.event() else { panic!() };
//! assert_eq!(contact.duration, Some(42.0));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Answer 2xx; an event is sent at about 0, 5 and 30 s, three times in all.
//!
//! Page: <https://docs.vobiz.ai/campaign-manager/webhooks>.

use super::{body::family, object::events};
use crate::wire::{number, payload, text};

family! {
    /// The rules of campaign callbacks (`notify_url`): `X-VoBiz-Signature: sha256=<hex>`, with the account's
    /// auth token.
    pub struct Campaign: "vobiz.campaign", "x-vobiz-signature", "sha256=", auth_token: Event
}

events! {
    /// A campaign callback.
    pub enum Event in "event" {
        /// It began.
        "campaign.started" => Started(Update) key [campaign_id, timestamp],
        /// It dials no more, and should.
        "campaign.stalled" => Stalled(Update) key [campaign_id, timestamp],
        /// It was paused.
        "campaign.paused" => Paused(Update) key [campaign_id, timestamp],
        /// It failed.
        "campaign.failed" => Failed(Update) key [campaign_id, timestamp],
        /// It goes on.
        "campaign.resumed" => Resumed(Update) key [campaign_id, timestamp],
        /// It is through.
        "campaign.completed" => Completed(Update) key [campaign_id, timestamp],
        /// It was cancelled.
        "campaign.cancelled" => Cancelled(Update) key [campaign_id, timestamp],
        /// Somebody answered.
        "contact.answered" => ContactAnswered(Contact) key [campaign_id, contact_id, timestamp],
        /// Nobody answered; a retry may follow.
        "contact.no_answer" => ContactNoAnswer(Contact) key [campaign_id, contact_id, timestamp],
        /// There will be another try.
        "contact.retry_scheduled" => ContactRetryScheduled(Contact) key [campaign_id, contact_id, timestamp],
        /// The call failed.
        "contact.failed" => ContactFailed(Contact) key [campaign_id, contact_id, timestamp],
        /// There was no time left to call.
        "contact.expired" => ContactExpired(Contact) key [campaign_id, contact_id, timestamp],
    }
}

payload! {
    /// How a campaign is doing.
    pub struct Update {
        /// The campaign's id.
        pub campaign_id: String => "text",
        /// The account, `MA_…`.
        pub account_id: String => "text",
        /// When this happened, RFC 3339.
        pub timestamp: String => "text",
        /// Why; of stalled, paused and failed ones.
        pub reason: String => "text",
        /// When it dialled last, RFC 3339; of stalled ones.
        pub last_dial_at: String => "text",
        /// For how many minutes it has stalled.
        pub stalled_minutes: f64 => "number",
    }

    /// How one contact's call went.
    pub struct Contact {
        /// The campaign's id.
        pub campaign_id: String => "text",
        /// The account, `MA_…`.
        pub account_id: String => "text",
        /// When this happened, RFC 3339.
        pub timestamp: String => "text",
        /// The contact's id.
        pub contact_id: String => "text",
        /// The call's id.
        pub call_uuid: String => "text",
        /// The callee.
        pub to_number: String => "text",
        /// The caller.
        pub from_number: String => "text",
        /// Why the call ended.
        pub hangup_cause: String => "text",
        /// Seconds; nobody documents whether they are whole.
        pub duration: f64 => "number",
    }
}
