//! The trait of all events, and the event of an unknown body.

use super::{Json, Misfits, object::each_member};
use bytes::Bytes;
use serde::{Deserialize, Deserializer, Serialize, Serializer, ser::SerializeMap};
use serde_json::Value;
use std::{borrow::Cow, fmt, sync::OnceLock};

/// A typed event.
///
/// ```
/// use tower_webhooks::{WebhookEvent as _, vobiz::kyc};
///
/// let event: kyc::Event = serde_json::from_str(
///     r#"{"event":"kyc.failed","session_id":"s1","timestamp":7}"#,
/// )?;
/// assert_eq!(event.kind(), "kyc.failed");
/// assert_eq!(event.dedup_key().as_deref(), Some(r#"["kyc.failed","s1","7"]"#));
/// assert!(event.misfits().is_empty());
/// # Ok::<(), serde_json::Error>(())
/// ```
pub trait WebhookEvent {
    /// The provider's own name for the event, or a name in snake_case if it has none; `unknown` for
    /// an [`Unknown`].
    fn kind(&self) -> &'static str;

    /// A key that all deliveries of one occurrence share: a JSON list of the kind and of the
    /// members that identify the occurrence.
    ///
    /// It is inferred from the members' meaning, mostly without a promise by the provider, and can
    /// be trusted no more than the body. `None` if a required member is missing or blank, if the
    /// kind has no such members, and for an [`Unknown`]. It can be as long as the body, where the
    /// members are lists of users: store a digest of it in a unique column.
    fn dedup_key(&self) -> Option<String>;

    /// The members that did not fit their documented type.
    fn misfits(&self) -> &Misfits;
}

/// An event that this version does not know, or a body that is not an event.
///
/// It serializes as the body's JSON; a body that is not JSON, as a string with its text. A body that
/// is no JSON object needs a field of its own: a `#[serde(flatten)]` field is read back as another
/// event, and a `#[serde(tag = "…")]` enum around it is an error.
#[derive(Clone)]
pub struct Unknown {
    claimed: Option<Box<str>>,
    bytes: Bytes,
    /// Read on demand, as it is another copy of the body.
    raw: OnceLock<Option<Json>>,
}

impl Unknown {
    /// An unknown event with this body and no claimed kind.
    ///
    /// ```
    /// let unknown = tower_webhooks::Unknown::new(r#"{"event":"new"}"#);
    /// assert_eq!(unknown.raw().map(|json| json.get()), Some(r#"{"event":"new"}"#));
    /// assert!(tower_webhooks::Unknown::new("<event/>").raw().is_none());
    /// ```
    pub fn new(body: impl Into<Bytes>) -> Self {
        Self { claimed: None, bytes: body.into(), raw: OnceLock::new() }
    }

    /// Sets the [`claimed_kind`](Self::claimed_kind).
    #[must_use]
    pub fn claiming(mut self, kind: impl Into<String>) -> Self {
        self.claimed = Some(kind.into().into());
        self
    }

    /// Sets the JSON of a body that is not JSON itself, such as a form.
    #[must_use]
    pub(crate) fn meaning(mut self, json: Option<Json>) -> Self {
        self.raw = OnceLock::from(json);
        self
    }

    /// The event's name or number in the body, if there is one and the body has at most 256 members.
    /// It is the sender's text, unchecked.
    pub fn claimed_kind(&self) -> Option<&str> {
        self.claimed.as_deref()
    }

    /// The body, if it is JSON. A form becomes an object in which every value is a string or a list
    /// of strings. It is read when first asked for, and kept.
    pub fn raw(&self) -> Option<&Json> {
        self.raw.get_or_init(|| text(&self.bytes).and_then(Json::from_text)).as_ref()
    }

    /// The body, or the query of a GET that carries an event, without credentials that travel in
    /// it. Of ZEGOCLOUD it is the JSON that a form or percent-encoding holds.
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// The body's JSON, or a JSON string with its text.
    fn to_json(&self) -> Cow<'_, Json> {
        match self.raw() {
            // A JSON string would be read back as the text of a body that is not JSON.
            Some(raw) if !raw.get().starts_with('"') => Cow::Borrowed(raw),
            _ => Cow::Owned(Json::from_string(&String::from_utf8_lossy(&self.bytes))),
        }
    }
}

impl WebhookEvent for Unknown {
    fn kind(&self) -> &'static str {
        "unknown"
    }

    fn dedup_key(&self) -> Option<String> {
        None
    }

    fn misfits(&self) -> &Misfits {
        Misfits::none()
    }
}

impl fmt::Debug for Unknown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut fields = f.debug_struct("Unknown");
        fields.field("claimed_kind", &self.claimed).field("bytes", &self.bytes).finish()
    }
}

/// Equality compares the serialized forms.
impl PartialEq for Unknown {
    fn eq(&self, other: &Self) -> bool {
        let written = |unknown| serde_json::to_string(unknown).ok();
        self.to_json() == other.to_json() || written(self) == written(other)
    }
}

impl Serialize for Unknown {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        let json = self.to_json();
        if !json.get().starts_with('{') {
            return json.serialize(out);
        }
        // Member by member, so that an enum around the event can add its tag.
        let mut map = out.serialize_map(None)?;
        let mut written = Ok(());
        each_member(json.get(), |name, value| {
            written = map.serialize_entry(&name, &Json::from_checked(value.get()));
            written.is_ok().then_some(())
        });
        written?;
        map.end()
    }
}

impl<'de> Deserialize<'de> for Unknown {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        read_back(input, |body| Self::new(body.clone()), |unknown| unknown)
    }
}

/// Reads an event back from its serialized form. A string is the text of a body that was not JSON,
/// so it is never an event, even if it looks like one now that invalid UTF-8 was replaced.
pub(crate) fn read_back<'de, D: Deserializer<'de>, E>(
    input: D,
    from_body: impl FnOnce(&Bytes) -> E,
    unknown: impl FnOnce(Unknown) -> E,
) -> Result<E, D::Error> {
    let json = Json::deserialize(input)?;
    Ok(match json.parse::<String>() {
        Ok(text) => {
            let body = Unknown::new(text);
            let raw = body.raw().filter(|raw| raw.get().starts_with('"')).cloned();
            unknown(body.meaning(raw))
        }
        Err(_) => from_body(&json.get().to_owned().into()),
    })
}

/// The text of a body, without a byte order mark; `None` if it is not UTF-8.
pub(crate) fn text(body: &[u8]) -> Option<&str> {
    std::str::from_utf8(unmarked(body)).ok()
}

/// The body without a byte order mark.
pub(crate) fn unmarked(body: &[u8]) -> &[u8] {
    body.strip_prefix("\u{feff}".as_bytes()).unwrap_or(body)
}

/// See [`WebhookEvent::dedup_key`]. `None` unless all of `needed`, and at least one part in all,
/// are present.
pub(crate) fn dedup_key(kind: &str, needed: &[Value], further: &[Value]) -> Option<String> {
    if !needed.iter().all(is_there) || !needed.iter().chain(further).any(is_there) {
        return None;
    }
    let parts: Vec<_> =
        std::iter::once(&Value::from(kind)).chain(needed).chain(further).cloned().collect();
    serde_json::to_string(&parts).ok()
}

fn is_there(part: &Value) -> bool {
    match part {
        Value::Null => false,
        Value::String(text) => !text.trim().is_empty(),
        Value::Array(list) => !list.is_empty() && list.iter().all(is_there),
        _ => true,
    }
}

pub(crate) fn part(member: impl Serialize) -> Value {
    serde_json::to_value(member).unwrap_or_default()
}
