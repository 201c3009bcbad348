//! ZEGOCLOUD: server callbacks of the real-time audio and video platform.
//!
//! ```
//! use bytes::Bytes;
//! use http::Request;
//! use std::time::SystemTime;
//! use tower_webhooks::{
//!     Covers, Provider, Signer as _,
//!     zegocloud::{self, Event, Zegocloud, room::RoomEvent},
//! };
//!
//! let now = SystemTime::now();
//! let body =
//!     r#"{"event":"room_close","appid":1234567,"room_id":"lobby","close_reason":2}"#;
//! let request = Request::post("/zegocloud").body(Bytes::from(body))?;
//! let request = zegocloud::Signer::new("a callback secret")?.sign(request, now);
//!
//! let delivery = Zegocloud::new("a callback secret")?.verify(&request, now)?;
//! assert_eq!(delivery.kind(), "room_close");
//! assert_eq!(delivery.covers(), Covers::Nothing);
//! let Event::Room(RoomEvent::Close(room)) = delivery.event() else {
//!     return Err("another event".into());
//! };
//! assert_eq!(room.room_id.as_deref(), Some("lobby"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What the signature proves
//!
//! `signature` is the SHA-1 of the CallbackSecret, `timestamp` and `nonce`, sorted as strings and
//! concatenated; all but the secret travel **in** the body. It proves that somebody who knows the
//! secret signed this timestamp and nonce. It covers **nothing else**: neither the event nor the
//! URL. Whoever has seen one callback can put its three members into a body of their own until the
//! timestamp leaves the [`Window`]. So treat an event as a hint: query ZEGOCLOUD's server API
//! before you act on anything important, and serve the route over TLS only.
//!
//! The secret is the console's CallbackSecret (not the ServerSecret), one per project for all its
//! callbacks.
//!
//! # Wire forms
//!
//! A body that starts with `{` is JSON and never percent-decoded; one that starts with `%7B` is
//! percent-decoded once, as a whole; any other with a `=` is read as a form, with `name[]` and
//! `name[0]` as lists. The content type is ignored. The signing members may be spelt `timestamp`,
//! `nonce`, `signature` or `Timestamp`, `Nonce`, `Signature`, and be strings or numbers.
//! `timestamp` stays in the event; `nonce` and `signature` are removed. Only [`Event`] removes them:
//! the enum of a single family, deserialized from a raw body, has them in its `rest`.
//!
//! Every validly signed body is delivered. ZEGOCLOUD documents no field as required, so all are
//! `Option`s or lists; a member of another type is absent and a [`Misfit`](crate::Misfit). JSON
//! inside a string stays a string ([`JsonText`]) and is parsed on demand. An event that is not
//! listed here, or has more than 256 members beside `nonce` and `signature`, is an
//! [`Unknown`](crate::Unknown). A list of more than 4096 elements, such as the `user_ids` of a large
//! group, is in the event's `rest` as JSON text.
//!
//! The signature is in the body, so forged bodies are read to the end too; the default limit is
//! therefore 256 KiB. The `group_destroy` of a group of more than about 7,480 users is larger and
//! is refused: see [limits](crate::guide::limits_and_retention#bodies).
//!
//! # Delivery
//!
//! ZEGOCLOUD guarantees neither arrival nor order, and documents no delivery id; an event's
//! [`dedup_key`](Event#deduplication) is inferred. [`RoomEvent`](room::RoomEvent) and
//! [`StreamEvent`](stream::StreamEvent) say how to handle callbacks out of order. Timeouts that are
//! not in the table are not documented.
//!
//! | family | a failure is | retries | where to set the URL |
//! | --- | --- | --- | --- |
//! | [rooms](room), [streams](stream), [`record`](cdn::Record) | no answer, or a status other than 2xx | 5: after 2, 4, 8, 16, 32 s | *Project Configuration > Server Callback Configuration*, one each for room creation, login, streams and recordings |
//! | [mixing], [transcoding], [on-demand](cdn), [Digital Human](digital_human) | the same | the same | through support |
//! | [moderation] | the same | the same | cloud market, Shumei |
//! | [AI Agent](ai_agent), [real-time ASR](asr) | the same | the same | *Server Callback Configuration*; AI Agent takes two URLs, told apart by a tag |
//! | [ZIM](zim) | the same | the same | the service's configuration, or through support |
//! | `before_send_msg` of ZIM | no answer in 2.5 s (English page: 3 s) | 1, at once; then the message is by default not sent | through support |
//! | [cloud recording](recording) | no answer | 2: 5 s apart (Chinese page) | when the service is opened |
//! | [cloud player](player) | no answer | 2, at once | through support |
//! | [super board](board) | no answer | 2: after 15 s | through support, HTTPS only |
//!
//! For the last three any status counts as an answer: a 409, 500 or 503 may lose the event.
//!
//! If two genuine callbacks have the same timestamp and nonce, the second one is a 409:
//! [`separate_short_nonces`](Zegocloud::separate_short_nonces) says when that can happen and what
//! to do.
//!
//! If a receiver dies while its handler runs, its claim ends after the
//! [lease](crate::WebhookLayer::lease), 15 s by default. The families with five retries deliver
//! again. The last attempt of the others may come earlier and find the delivery still claimed; then
//! the event is lost.
//!
//! # Not supported
//!
//! * **Mini game** signs with MD5 in a fixed order, on which ZEGOCLOUD's pages contradict each
//!   other.
//! * **RoomKit**, a legacy product, carries the signing members in the query and may encrypt the
//!   body.
//!
//! Do not point either at this layer: it refuses both.
//!
//! Pages:
//! <https://www.zegocloud.com/docs/real-time-video-server/callback/callback-configuration-description>.

pub use self::{event::Event, json_text::JsonText};

#[cfg(feature = "test-util")]
pub use self::auth::Signer;

use crate::{
    ConfigError, Delivery, Provider, Rejection, RejectionKind, Secret, Window,
    payload::{Object, Tape, only},
};
use bytes::Bytes;
use http::request::Parts;
use serde::de::IgnoredAny;
use std::time::SystemTime;

pub mod ai_agent;
pub mod asr;
pub mod board;
pub mod cdn;
pub mod digital_human;
pub mod mixing;
pub mod moderation;
pub mod player;
pub mod recording;
pub mod room;
pub mod stream;
pub mod transcoding;
pub mod zim;

mod auth;
pub(crate) mod encoding;
mod event;
mod json_text;

/// The rules of ZEGOCLOUD's server callbacks.
///
/// Any family may arrive at any URL: all of them share the secret and the scheme, and their members
/// tell them apart.
#[derive(Clone, Debug)]
pub struct Zegocloud {
    secrets: Vec<Secret>,
    window: Window,
    separates_short_nonces: bool,
}

impl Zegocloud {
    /// Rules with the project's CallbackSecret and the default [`Window`].
    ///
    /// # Errors
    ///
    /// [`ConfigError`] for a secret that is empty or has white space around it.
    pub fn new(callback_secret: impl AsRef<[u8]>) -> Result<Self, ConfigError> {
        let secrets = vec![Secret::new(callback_secret)?];
        Ok(Self { secrets, window: Window::default(), separates_short_nonces: false })
    }

    /// Accepts a further secret, for a rotation.
    /// [`Metadata::key_index`](crate::Metadata::key_index) tells which one verified a delivery.
    ///
    /// # Errors
    ///
    /// As for [`new`](Self::new).
    pub fn also_accept(mut self, callback_secret: impl AsRef<[u8]>) -> Result<Self, ConfigError> {
        self.secrets.push(Secret::new(callback_secret)?);
        Ok(self)
    }

    /// Sets how far a timestamp may be from the current time.
    ///
    /// ZEGOCLOUD sends its last retry 62 s or more after the first attempt, and whether it is
    /// signed anew is not documented: less than the default 300 s may refuse genuine retries.
    #[must_use]
    pub fn window(mut self, window: Window) -> Self {
        self.window = window;
        self
    }

    /// Delivers both of two callbacks with the same timestamp and the same short nonce if their
    /// bodies differ.
    ///
    /// By default the second one is refused as a [`Conflict`](RejectionKind::Conflict): a signature
    /// is bound to the content that comes first, so that a captured one cannot carry other bodies.
    /// With this setting, whoever captures a signature with a short nonce can send up to 64 bodies
    /// with it until the timestamp leaves the [`Window`]. Use it only if your logs show such nonces
    /// and conflicts: how likely they are is in the
    /// [security model](crate::guide::security_model#two-honest-callbacks-one-signature).
    ///
    /// A nonce is short if it has fewer than 12 characters, or fewer than 9 with a timestamp of 13
    /// digits.
    #[must_use]
    pub fn separate_short_nonces(mut self) -> Self {
        self.separates_short_nonces = true;
        self
    }
}

impl Provider for Zegocloud {
    const NAME: &'static str = "zegocloud";
    const CREDENTIALS: &'static [&'static str] = &[];
    // The signature is in the body, so forged bodies are read to the end.
    const BODY_LIMIT: usize = 256 << 10;
    type FromHead = ();
    type Event = Event;

    fn check_head(&self, _head: &Parts, _now: SystemTime) -> Result<(), Rejection> {
        Ok(())
    }

    fn check_body(
        &self,
        (): (),
        _head: &Parts,
        body: &Bytes,
        now: SystemTime,
    ) -> Result<Delivery<Event>, Rejection> {
        let json = encoding::to_json(body)?;
        let verify = |members: &Object<'_>| {
            auth::verify(members, &self.secrets, self.window, self.separates_short_nonces, now)
        };
        let tape = Tape::new(&json);
        let object = tape.as_ref().and_then(Tape::object);
        let proof = match &object {
            Some(members) => verify(members)?,
            // The object may be too large for the index.
            None => {
                let signing = only(&json, |name| auth::SIGNING.contains(name))
                    .ok_or_else(|| unreadable(&json))?;
                let tape = Tape::new(&signing);
                verify(&tape.as_ref().and_then(Tape::object).ok_or_else(|| unreadable(&json))?)?
            }
        };
        Ok(Delivery::of(Event::of(&json, object), proof))
    }
}

fn unreadable(json: &str) -> Rejection {
    match serde_json::from_str::<IgnoredAny>(json) {
        Err(error) => error.into(),
        Ok(_) => Rejection::new(RejectionKind::CredentialMalformed)
            .with_detail("too many signing members"),
    }
}
