//! The events, told apart by the integer `type`.

use crate::{
    Json, Rejection, RejectionKind,
    wire::{Id, Members, id, number, text, words},
};
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{self, SeqAccess, Visitor},
};
use serde_json::value::RawValue;
use std::fmt;

macro_rules! events {
    ($(
        $(#[$meta:meta])*
        $code:literal => $name:ident as $kind:literal, parsed by $parse:path;
    )*) => {
        /// A callback.
        ///
        /// Serialised, it has GeeLark's member names and values: ids are strings, `items` and `taskIds` lists.
        #[derive(Clone, Debug, PartialEq)]
        #[non_exhaustive]
        pub enum Event {
            $($(#[$meta])* $name($name),)*
            /// A callback of another `type`.
            Unknown(Unknown),
        }

        impl Event {
            /// The variant in snake_case: GeeLark has numbers only.
            pub fn kind(&self) -> &'static str {
                match self {
                    $(Self::$name(_) => $kind,)*
                    Self::Unknown(_) => "unknown",
                }
            }

            /// The `type` on the wire.
            pub fn type_code(&self) -> i64 {
                match self {
                    $(Self::$name(_) => $code,)*
                    Self::Unknown(event) => event.type_code,
                }
            }

            fn parse(code: i64, members: &Members<'_>) -> serde_json::Result<Option<Self>> {
                Ok(Some(match code {
                    $($code => Self::$name($parse(members)?),)*
                    _ => return Ok(None),
                }))
            }
        }

        impl Serialize for Event {
            fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
                #[derive(Serialize)]
                struct Tagged<'a, T> {
                    r#type: i64,
                    #[serde(flatten)]
                    payload: &'a T,
                }

                match self {
                    $(Self::$name(payload) => Tagged { r#type: $code, payload }.serialize(out),)*
                    Self::Unknown(event) => event.raw.serialize(out),
                }
            }
        }
    };
}

events! {
    /// A cloud phone was started, or could not be.
    1 => PhoneStarted as "phone_started", parsed by Members::parse;
    /// A patch was installed on a phone, or could not be. On the Chinese pages only.
    2 => PatchInstalled as "patch_installed", parsed by Members::parse;
    /// A file was uploaded to a phone, or could not be.
    4 => FileUploaded as "file_uploaded", parsed by Members::parse;
    /// A screenshot was taken, or could not be.
    5 => Screenshot as "screenshot", parsed by Members::parse;
    /// An RPA task ended.
    6 => TaskCompleted as "task_completed", parsed by Members::parse;
    /// A payment went through. On the Chinese pages only.
    7 => PaymentCompleted as "payment_completed", parsed by Members::parse;
    /// A cloud phone was stopped.
    8 => PhoneStopped as "phone_stopped", parsed by Members::parse;
    /// Cloud phones got new names.
    9 => PhonesRenamed as "phones_renamed", parsed by PhonesRenamed::parse;
    /// Cloud phones were deleted.
    10 => PhonesDeleted as "phones_deleted", parsed by PhonesDeleted::parse;
    /// The tags of cloud phones changed.
    11 => TagsChanged as "tags_changed", parsed by Members::parse;
    /// RPA tasks were created.
    12 => TasksCreated as "tasks_created", parsed by Members::parse;
    /// RPA tasks were cancelled.
    13 => TasksCancelled as "tasks_cancelled", parsed by Members::parse;
    /// Contacts were imported, or could not be.
    14 => ContactsImported as "contacts_imported", parsed by Members::parse;
    /// An app was installed on a phone, or could not be.
    15 => AppInstalled as "app_installed", parsed by Members::parse;
}

impl Event {
    /// A key that two deliveries of the same event share, as far as the members tell: GeeLark sends no event id.
    ///
    /// It is the kind with the task, order or (where there is a time) phone, and the outcome. This is inferred, not
    /// documented. Where nothing in the payload tells a repeated delivery from a second, equal event it is `None`:
    /// renamed and deleted phones, changed tags, installed apps, starts and stops without `eventTime`, `unknown`.
    pub fn dedup_key(&self) -> Option<String> {
        let kind = self.kind();
        let with_outcome = |id: &str, success: bool| Some(format!("{kind}:{id}:{success}"));
        let with_time = |id: &str, time: Option<u64>| time.map(|time| format!("{kind}:{id}:{time}"));
        let of_tasks = |ids: &[String]| (!ids.is_empty()).then(|| format!("{kind}:{}", ids.join(",")));
        match self {
            Self::PhoneStarted(event) => with_time(&event.id, event.event_time),
            Self::PatchInstalled(event) => with_outcome(&event.task_id, event.result),
            Self::FileUploaded(event) => with_outcome(&event.task_id, event.result),
            Self::Screenshot(event) => with_outcome(&event.task_id, event.result),
            Self::TaskCompleted(event) => with_outcome(&event.task_id, event.result),
            Self::PaymentCompleted(event) => with_outcome(&event.order_id, event.result),
            Self::PhoneStopped(event) => with_time(&event.id, event.event_time),
            Self::TasksCreated(event) => of_tasks(&event.task_ids),
            Self::TasksCancelled(event) => of_tasks(&event.task_ids),
            Self::ContactsImported(event) => with_outcome(&event.task_id, event.success),
            Self::PhonesRenamed(_)
            | Self::PhonesDeleted(_)
            | Self::TagsChanged(_)
            | Self::AppInstalled(_)
            | Self::Unknown(_) => None,
        }
    }

    pub(super) fn from_body(body: &[u8]) -> Result<Self, Rejection> {
        let invalid = || Rejection::new(RejectionKind::Invalid);
        let text = std::str::from_utf8(body).map_err(|error| invalid().with_source(error))?;
        let members: Members<'_> = serde_json::from_str(text)?;
        if members.has_duplicates() {
            return Err(invalid().with_detail("a top-level key is there twice"));
        }
        let type_code = match members.get("type") {
            Some(value) => number::deserialize(value)?,
            None => None,
        };
        let type_code = type_code.ok_or(invalid().with_detail("there is no type"))?;
        match Self::parse(type_code, &members)? {
            Some(event) => Ok(event),
            None => Ok(Self::Unknown(Unknown { type_code, raw: serde_json::from_str(text)? })),
        }
    }
}

/// `type` 1.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct PhoneStarted {
    /// The cloud phone's id.
    #[serde(deserialize_with = "id")]
    pub id: String,
    /// Whether it worked.
    #[serde(deserialize_with = "outcome")]
    pub result: bool,
    /// Who started it: an e-mail address or a plain name. Since 2025-12-19.
    #[serde(default, with = "text", skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// That user's IP address, as GeeLark saw it. Since 2025-12-19.
    #[serde(default, with = "text", skip_serializing_if = "Option::is_none")]
    pub ip: Option<String>,
    /// When, in Unix seconds. Since 2025-12-19.
    #[serde(default, with = "number", skip_serializing_if = "Option::is_none")]
    pub event_time: Option<u64>,
}

/// `type` 2.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct PatchInstalled {
    /// The cloud phone's id.
    #[serde(deserialize_with = "id")]
    pub id: String,
    /// The task's id.
    #[serde(deserialize_with = "id")]
    pub task_id: String,
    /// Whether it worked.
    #[serde(deserialize_with = "outcome")]
    pub result: bool,
    /// The result in words.
    #[serde(default, with = "text", skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// `type` 4.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct FileUploaded {
    /// The cloud phone's id.
    #[serde(deserialize_with = "id")]
    pub id: String,
    /// The task's id.
    #[serde(deserialize_with = "id")]
    pub task_id: String,
    /// Whether it worked.
    #[serde(deserialize_with = "outcome")]
    pub result: bool,
}

/// `type` 5.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Screenshot {
    /// The cloud phone's id.
    #[serde(deserialize_with = "id")]
    pub id: String,
    /// The task's id.
    #[serde(deserialize_with = "id")]
    pub task_id: String,
    /// Whether it worked.
    #[serde(deserialize_with = "outcome")]
    pub result: bool,
    /// Where the picture is, for a while; an empty one is `None`.
    #[serde(default, deserialize_with = "not_empty", skip_serializing_if = "Option::is_none")]
    pub download_link: Option<String>,
}

/// `type` 6. A task that worked by its `result` may have done nothing all the same: ask for its status.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct TaskCompleted {
    /// The task's id.
    #[serde(deserialize_with = "id")]
    pub task_id: String,
    /// Whether it worked.
    #[serde(deserialize_with = "outcome")]
    pub result: bool,
}

/// `type` 7.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct PaymentCompleted {
    /// The order that was paid.
    #[serde(deserialize_with = "id")]
    pub order_id: String,
    /// Whether it worked; the page lists `true` only.
    #[serde(deserialize_with = "outcome")]
    pub result: bool,
}

/// `type` 8.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct PhoneStopped {
    /// The cloud phone's id.
    #[serde(deserialize_with = "id")]
    pub id: String,
    /// Who stopped it: an e-mail address or a plain name. Since 2025-12-19.
    #[serde(default, with = "text", skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// That user's IP address, as GeeLark saw it. Since 2025-12-19.
    #[serde(default, with = "text", skip_serializing_if = "Option::is_none")]
    pub ip: Option<String>,
    /// When, in Unix seconds. Since 2025-12-19.
    #[serde(default, with = "number", skip_serializing_if = "Option::is_none")]
    pub event_time: Option<u64>,
    /// For how many minutes the phone was in use. Since early 2026.
    #[serde(default, with = "number", skip_serializing_if = "Option::is_none")]
    pub use_min: Option<u64>,
}

/// `type` 9.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct PhonesRenamed {
    /// The phones; one where GeeLark sent the members of its table, without `items`.
    pub items: Vec<RenamedPhone>,
}

/// A phone with a new name.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct RenamedPhone {
    /// The cloud phone's id.
    #[serde(deserialize_with = "id")]
    pub id: String,
    /// Its new name.
    #[serde(deserialize_with = "id")]
    pub name: String,
}

/// `type` 10.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct PhonesDeleted {
    /// The phones; one where GeeLark sent the members of its table, without `items`.
    pub items: Vec<DeletedPhone>,
}

/// A phone that is gone.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct DeletedPhone {
    /// The cloud phone's id.
    #[serde(deserialize_with = "id")]
    pub id: String,
    /// Whether it went to the recycle bin.
    #[serde(deserialize_with = "outcome")]
    pub recycle: bool,
}

/// `type` 11. It does not say which tags: ask for them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct TagsChanged {
    /// The cloud phones' ids.
    #[serde(deserialize_with = "ids")]
    pub env_ids: Vec<String>,
}

/// `type` 12.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct TasksCreated {
    /// The tasks' ids.
    #[serde(deserialize_with = "ids")]
    pub task_ids: Vec<String>,
    /// From where.
    #[serde(default, with = "text", skip_serializing_if = "Option::is_none")]
    pub channel: Option<Channel>,
}

/// `type` 13.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct TasksCancelled {
    /// The tasks' ids.
    #[serde(deserialize_with = "ids")]
    pub task_ids: Vec<String>,
    /// From where.
    #[serde(default, with = "text", skip_serializing_if = "Option::is_none")]
    pub channel: Option<Channel>,
}

/// `type` 14.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct ContactsImported {
    /// The task's id.
    #[serde(deserialize_with = "id")]
    pub task_id: String,
    /// Whether it worked: `status`, 0 or 1 on the wire. The query API's 1, 2 and 3 are something else.
    #[serde(rename = "status", deserialize_with = "outcome", serialize_with = "zero_or_one")]
    pub success: bool,
}

/// `type` 15.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct AppInstalled {
    /// The cloud phone's id.
    #[serde(deserialize_with = "id")]
    pub id: String,
    /// The app's package.
    #[serde(deserialize_with = "id")]
    pub package_name: String,
    /// The id of the app's version.
    #[serde(deserialize_with = "id")]
    pub app_version_id: String,
    /// Whether it worked: `result`, 0 or 1 on the wire.
    #[serde(rename = "result", deserialize_with = "outcome", serialize_with = "zero_or_one")]
    pub success: bool,
}

words! {
    /// From where a task was created or cancelled.
    pub enum Channel {
        /// Through the API.
        Api = "api",
        /// In the desktop client.
        Client = "client",
    }
}

/// A callback whose `type` this version does not know, as it came.
///
/// `type` 3 is among them: it is documented nowhere.
#[derive(Clone, Debug, PartialEq)]
pub struct Unknown {
    type_code: i64,
    raw: Json,
}

impl Unknown {
    /// The `type`.
    pub fn type_code(&self) -> i64 {
        self.type_code
    }

    /// The whole body.
    pub fn raw(&self) -> &Json {
        &self.raw
    }
}

impl PhonesRenamed {
    fn parse(members: &Members<'_>) -> serde_json::Result<Self> {
        Ok(Self { items: items_or_flat(members)? })
    }
}

impl PhonesDeleted {
    fn parse(members: &Members<'_>) -> serde_json::Result<Self> {
        Ok(Self { items: items_or_flat(members)? })
    }
}

/// The pages' tables have the members flat, their examples in `items`.
fn items_or_flat<'a, T: Deserialize<'a>>(members: &Members<'a>) -> serde_json::Result<Vec<T>> {
    match members.get("items").filter(|_| members.has("items")) {
        Some(items) => serde_json::from_str(items.get()),
        None => Ok(vec![members.parse()?]),
    }
}

/// The pages have `true` and `false` in some events, 1 and 0 in others.
fn outcome<'de, D: Deserializer<'de>>(input: D) -> Result<bool, D::Error> {
    match Box::<RawValue>::deserialize(input)?.get() {
        "true" | "1" | r#""true""# | r#""1""# => Ok(true),
        "false" | "0" | r#""false""# | r#""0""# => Ok(false),
        _ => Err(de::Error::custom("an outcome is neither true nor false, nor 1 nor 0")),
    }
}

fn zero_or_one<S: Serializer>(success: &bool, out: S) -> Result<S::Ok, S::Error> {
    out.serialize_u8(u8::from(*success))
}

/// A list of ids, or one.
fn ids<'de, D: Deserializer<'de>>(input: D) -> Result<Vec<String>, D::Error> {
    struct Ids;

    impl<'de> Visitor<'de> for Ids {
        type Value = Vec<String>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("ids")
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Vec<String>, A::Error> {
            let mut ids = Vec::new();
            while let Some(Id(id)) = list.next_element()? {
                ids.push(id);
            }
            Ok(ids)
        }

        fn visit_str<E>(self, id: &str) -> Result<Vec<String>, E> {
            Ok(vec![id.to_owned()])
        }

        fn visit_u64<E>(self, id: u64) -> Result<Vec<String>, E> {
            Ok(vec![id.to_string()])
        }
    }

    input.deserialize_any(Ids)
}

fn not_empty<'de, D: Deserializer<'de>>(input: D) -> Result<Option<String>, D::Error> {
    text::deserialize(input).map(|text| text.filter(|text: &String| !text.is_empty()))
}
