//! ZEGOCLOUD: server callbacks of the real-time audio and video platform.
//!
//! ```
//! use bytes::Bytes;
//! use http::Request;
//! use std::time::SystemTime;
//! use tower_webhooks::{Covers, Provider, Signer as _, Zegocloud, zegocloud::{self, Event, RoomEvent}};
//!
//! let now = SystemTime::now();
//! let body = r#"{"event":"room_close","appid":1234567,"room_id":"lobby","close_reason":2}"#;
//! let request = Request::post("/zegocloud").body(Bytes::from(body))?;
//! let request = zegocloud::Signer::new("a callback secret")?.sign(request, now);
//!
//! let delivery = Zegocloud::new("a callback secret")?.verify(&request, now)?;
//! assert_eq!(delivery.kind(), "room_close");
//! assert_eq!(delivery.covers(), Covers::Nothing);
//! let Event::Room(RoomEvent::Close(room)) = delivery.event() else { panic!() };
//! assert_eq!(room.room_id.as_deref(), Some("lobby"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What the signature proves
//!
//! `signature` is the SHA-1 of the sorted concatenation of the CallbackSecret, `timestamp` and `nonce`, all of which but
//! the secret travel **in** the JSON body. It proves that somebody who knows the secret made that timestamp and that
//! nonce. It covers **nothing else**: not the event, not the URL. Whoever has seen one callback can put its three
//! members into a body of their own until the timestamp leaves the [`Window`]. So an event is a hint: fetch the state
//! from ZEGOCLOUD's server API before you act on it where it matters, and serve the route over TLS only.
//!
//! The secret is the console's CallbackSecret (not the ServerSecret), one for a project and all its callbacks.
//!
//! # Wire forms
//!
//! A body that starts with `{` is JSON and never percent-decoded; one that starts with `%7B` is percent-decoded once, as
//! a whole; else it is a form if its content type says so or is absent, with `name[]` and `name[0]` as lists. The
//! signing members may be spelt `timestamp`, `nonce`, `signature` or `Timestamp`, `Nonce`, `Signature`, and be strings
//! or numbers. `timestamp` stays in the event; `nonce` and `signature` are consumed and are in no event.
//!
//! Pages: <https://www.zegocloud.com/docs/real-time-video-server/callback/callback-configuration-description>.

pub use self::{
    digital_human::{
        DigitalHumanEvent, DriveStatus, DriveTask, DriveTaskDetail, StreamTask, StreamTaskDetail, StreamTaskStatus,
    },
    event::{Event, Unknown},
    mixing::{MixStart, MixStop, MixingEvent},
    room::{
        AuthLevel, CloseReason, LogoutReason, Relogin, RoomClose, RoomCreate, RoomEvent, RoomLogin, RoomLogout,
        TerminalType, UserRole,
    },
    stream::{Recreate, StreamClose, StreamCloseType, StreamCreate, StreamEvent},
    transcoding::{
        StopReason, TranscodeDetails, TranscodeInput, TranscodeOutput, TranscodeStart, TranscodeStatus, TranscodeStop,
        TranscodingEvent,
    },
};

#[cfg(feature = "test-util")]
pub use self::auth::Signer;

use crate::{
    ConfigError, Covers, Delivery, Provider, Rejection, RejectionKind, Secret, WebhookLayer, Window, wire::Members,
};
use bytes::Bytes;
use http::{HeaderName, request::Parts};
use std::time::SystemTime;

mod auth;
mod digital_human;
mod encoding;
mod event;
mod mixing;
mod room;
mod stream;
mod transcoding;

/// [`WebhookLayer`] with ZEGOCLOUD's rules.
pub type ZegocloudLayer = WebhookLayer<Zegocloud>;

/// The rules of ZEGOCLOUD's server callbacks.
///
/// Any family may arrive at any URL: all of them share the secret and the signature, and are told apart by their
/// members. A body is at most 256 KiB unless the layer's limit says otherwise.
#[derive(Clone, Debug)]
pub struct Zegocloud {
    secrets: Vec<Secret>,
    window: Window,
}

impl Zegocloud {
    /// Rules with the project's CallbackSecret and the default [`Window`].
    ///
    /// # Errors
    ///
    /// [`ConfigError`] for an empty or blank secret, or one with white space around it.
    pub fn new(callback_secret: impl AsRef<[u8]>) -> Result<Self, ConfigError> {
        Ok(Self { secrets: vec![Secret::new(callback_secret)?], window: Window::default() })
    }

    /// Accepts a further secret, for the time of a rotation. [`Facts::key_index`](crate::Facts::key_index) tells which
    /// one verified a delivery.
    ///
    /// # Errors
    ///
    /// As for [`new`](Self::new).
    pub fn also_accept(mut self, callback_secret: impl AsRef<[u8]>) -> Result<Self, ConfigError> {
        self.secrets.push(Secret::new(callback_secret)?);
        Ok(self)
    }

    /// Sets how old a timestamp may be.
    ///
    /// ZEGOCLOUD's last retry leaves 62 s after the first attempt or later, and nobody documents whether a retry is
    /// signed anew: less than the default of 300 s may refuse honest retries.
    #[must_use]
    pub fn window(mut self, window: Window) -> Self {
        self.window = window;
        self
    }
}

impl Provider for Zegocloud {
    const NAME: &'static str = "zegocloud";
    const BODY_LIMIT: usize = 256 << 10;
    type Head = ();
    type Event = Event;

    fn credentials(&self) -> &[HeaderName] {
        &[]
    }

    fn check_head(&self, _head: &Parts, _now: SystemTime) -> Result<(), Rejection> {
        Ok(())
    }

    fn check_body(&self, (): (), head: &Parts, body: &Bytes, now: SystemTime) -> Result<Delivery<Event>, Rejection> {
        let json = encoding::to_json(&head.headers, body)?;
        let members: Members<'_> = serde_json::from_str(&json)?;
        let signed = auth::verify(&members, &self.secrets, self.window, now)?;
        if members.has_duplicates() {
            return Err(Rejection::new(RejectionKind::Invalid).with_detail("a top-level key is there twice"));
        }
        let event = Event::from_members(&members)?;
        let kind = event.kind();
        Ok(Delivery::new(event, kind, Covers::Nothing)
            .with_key_index(signed.key_index)
            .with_signed_at(signed.at)
            .with_identity(signed.identity))
    }
}
