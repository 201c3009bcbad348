//! The callback: a task's id, its status, and the task itself.

use crate::{
    Json, Rejection, RejectionKind,
    wire::{Id, MAX_MEMBERS, Text, number},
};
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{self, IgnoredAny, MapAccess, Visitor},
};
use std::{convert::Infallible, fmt, str::FromStr};

/// A callback.
///
/// Serialised, it has Stardust's member names and values, and of the task every member that came.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Event {
    /// The task's id.
    pub task_id: String,
    /// How the task stands: normally [`Status::Completed`], or [`Status::Error`] where it failed.
    pub status: Status,
    /// The task with its annotations; one inside the envelope of Get Task is taken out of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task: Option<Task>,
}

impl Event {
    /// What the callback seems to be about: `task_error`, `audit_status_changed`, `completed` or `other`.
    ///
    /// It is a best effort. Stardust documents three occasions, but no member that names them and no value that an
    /// audit leaves in the task. In this order: [`status`](Self::status) is an error; there is an
    /// [`audit_status`](Self::audit_status); `status` is completed; all else is `other`. A task that is called back for
    /// some other reason after its audit counts as an audit again.
    pub fn kind(&self) -> &'static str {
        if self.status.is_error() {
            "task_error"
        } else if self.audit_status().is_some() {
            "audit_status_changed"
        } else if self.status.is_completed() {
            "completed"
        } else {
            "other"
        }
    }

    /// The first of `status`, `task.qualityStatus` and `task.auditStatus` that says approved, rejected or fixed.
    ///
    /// Only the three words are documented; that they stand in these members is inferred.
    pub fn audit_status(&self) -> Option<Status> {
        let task = self.task.as_ref();
        let quality = task.and_then(|task| task.quality_status.as_ref());
        let audit = task.and_then(|task| task.rest.get("auditStatus"));
        let in_task = [quality, audit].into_iter().flatten().filter_map(|json| json.parse::<Status>().ok());
        std::iter::once(self.status.clone())
            .chain(in_task)
            .find(|status| matches!(status, Status::Approved | Status::Rejected | Status::Fixed))
    }

    /// A key that two deliveries of the same change share: the task's id, the status and, where there is one, the
    /// [`audit_status`](Self::audit_status).
    ///
    /// This is inferred: Stardust sends no delivery id, and sends a callback again when it saw no 2xx or when somebody
    /// asks for it. A task that is rejected, fixed and rejected again has the first key again.
    pub fn dedup_key(&self) -> Option<String> {
        let Self { task_id, status, .. } = self;
        Some(match self.audit_status() {
            Some(audit) if audit != *status => format!("{task_id}:{status}:{audit}"),
            _ => format!("{task_id}:{status}"),
        })
    }

    pub(super) fn from_body(body: &[u8]) -> Result<Self, Rejection> {
        let text =
            std::str::from_utf8(body).map_err(|error| Rejection::new(RejectionKind::Invalid).with_source(error))?;
        Ok(serde_json::from_str(text)?)
    }
}

impl<'de> Deserialize<'de> for Event {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Payload;

        impl<'de> Visitor<'de> for Payload {
            type Value = Event;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a callback")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Event, A::Error> {
                let (mut task_id, mut status, mut task) = (None, None, None);
                let mut names = Vec::new();
                while let Some(Text(name)) = map.next_key()? {
                    match &*name {
                        "taskId" => task_id = map.next_value::<Option<Id>>()?,
                        "status" => status = map.next_value()?,
                        "task" => task = map.next_value()?,
                        _ => _ = map.next_value::<IgnoredAny>()?,
                    }
                    if names.len() == MAX_MEMBERS {
                        return Err(de::Error::custom("the object has more than 256 members"));
                    }
                    names.push(name);
                }
                names.sort_unstable();
                if names.windows(2).any(|pair| matches!(pair, [a, b] if a == b)) {
                    return Err(de::Error::custom("a top-level key is there twice"));
                }
                Ok(Event {
                    task_id: task_id.ok_or(de::Error::missing_field("taskId"))?.0,
                    status: status.ok_or(de::Error::missing_field("status"))?,
                    task: task.map(Task::out_of_envelope).transpose().map_err(de::Error::custom)?,
                })
            }
        }

        deserializer.deserialize_map(Payload)
    }
}

/// A status, as a word of the callback page or a code of Get Task.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Status {
    /// `completed`.
    Completed,
    /// `error`.
    Error,
    /// `approved`, of an audit.
    Approved,
    /// `rejected`, of an audit.
    Rejected,
    /// `fixed`, of an audit.
    Fixed,
    /// A code: 1 waiting for distribution, 2 distributed, 3 working, 4 waiting for submission, 5 paused, 6 error,
    /// 7 suspended, 8 submission failed, 9 complete, 10 invalid.
    Code(i64),
    /// Another word.
    Other(String),
}

impl Status {
    /// Whether it is `completed` or code 9.
    pub fn is_completed(&self) -> bool {
        matches!(self, Self::Completed | Self::Code(9))
    }

    /// Whether it is `error` or code 6.
    pub fn is_error(&self) -> bool {
        matches!(self, Self::Error | Self::Code(6))
    }
}

impl From<&str> for Status {
    /// Reads a word in either case, or the digits of a code.
    fn from(text: &str) -> Self {
        let trimmed = text.trim();
        let known = [Self::Completed, Self::Error, Self::Approved, Self::Rejected, Self::Fixed];
        if let Some(known) = known.into_iter().find(|known| known.word().eq_ignore_ascii_case(trimmed)) {
            return known;
        }
        trimmed.parse().map_or_else(|_| Self::Other(text.to_owned()), Self::Code)
    }
}

impl FromStr for Status {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self::from(text))
    }
}

impl Status {
    fn word(&self) -> &str {
        match self {
            Self::Completed => "completed",
            Self::Error => "error",
            Self::Approved => "approved",
            Self::Rejected => "rejected",
            Self::Fixed => "fixed",
            Self::Code(_) => "",
            Self::Other(word) => word,
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => code.fmt(f),
            status => f.write_str(status.word()),
        }
    }
}

impl Serialize for Status {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Code(code) => out.serialize_i64(*code),
            status => out.serialize_str(status.word()),
        }
    }
}

impl<'de> Deserialize<'de> for Status {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        number::deserialize(input)?.ok_or(de::Error::custom("a status is empty"))
    }
}

/// Structs of a payload that lose nothing: the members that are not typed are kept as they came, and written again.
///
/// serde's `flatten` would build a tree of them, and lose the digits of long decimals on the way.
macro_rules! keeping {
    ($(
        $(#[$meta:meta])*
        pub struct $name:ident {$(
            $(#[$field_meta:meta])*
            $wire:literal $(| $alias:literal)* => pub $field:ident: $type:ty $(, with $with:literal)?;
        )*}
    )*) => {$(
        $(#[$meta])*
        #[derive(Clone, Debug, Default, PartialEq, Serialize)]
        #[non_exhaustive]
        pub struct $name {
            $(
                $(#[$field_meta])*
                #[serde(rename = $wire, skip_serializing_if = "Option::is_none")]
                pub $field: Option<$type>,
            )*
            /// All other members.
            #[serde(flatten)]
            pub rest: Rest,
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Members;

                impl<'de> Visitor<'de> for Members {
                    type Value = $name;

                    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                        f.write_str("a JSON object")
                    }

                    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<$name, A::Error> {
                        let mut object = $name::default();
                        while let Some(Text(name)) = map.next_key()? {
                            match &*name {
                                $($wire $(| $alias)* => {
                                    #[derive(Deserialize)]
                                    #[serde(transparent)]
                                    struct Value($(#[serde(deserialize_with = $with)])? Option<$type>);

                                    if object.$field.is_some() {
                                        return Err(de::Error::duplicate_field($wire));
                                    }
                                    object.$field = map.next_value::<Value>()?.0;
                                })*
                                _ if object.rest.0.len() == MAX_MEMBERS => {
                                    return Err(de::Error::custom("the object has more than 256 members"));
                                }
                                _ => object.rest.0.push((name.into(), map.next_value()?)),
                            }
                        }
                        Ok(object)
                    }
                }

                deserializer.deserialize_map(Members)
            }
        }
    )*};
}

keeping! {
    /// A task, as Get Task gives it. Everything in it is optional.
    pub struct Task {
        /// The task's id.
        "taskId" => pub task_id: String, with "optional_id";
        /// How the task stands; a code in the example of Get Task.
        "status" => pub status: Status;
        /// What the task was made of.
        "taskParams" => pub task_params: TaskParams;
        /// What was done in the task.
        "result" => pub result: TaskResult;
        /// Always `null` in the examples; the likeliest member to tell of an audit.
        "qualityStatus" => pub quality_status: Json;
        /// A list.
        "qualityMessages" => pub quality_messages: Json;
        /// What went wrong, with `pointErrorMsgs` and `isPointTimeOut`.
        "errorMessage" => pub error_message: Json;
        /// Whether a callback was answered with 2xx; cannot be final while one is being sent.
        "callback_succeeded" | "callbackSucceeded" => pub callback_succeeded: bool;
    }

    /// What a task was made of.
    pub struct TaskParams {
        /// The record that was imported.
        "record" => pub record: Record;
    }

    /// A record as it was imported; `attachmentType` and `attachment` are among the [`rest`](Self::rest).
    pub struct Record {
        /// What the importer said of it.
        "metadata" => pub metadata: RecordMetadata;
    }

    /// What the importer said of a record.
    pub struct RecordMetadata {
        /// The importer's own id.
        "uniqueIdentifier" => pub unique_identifier: String, with "optional_id";
        /// The importer's own object, with the `callbackUrl`.
        "additionalInfo" => pub additional_info: Json;
    }

    /// What was done in a task.
    pub struct TaskResult {
        /// A list of objects whose shape depends on their `type`: give [`Json::parse`] the one that your project uses.
        "annotations" => pub annotations: Json;
    }
}

impl Task {
    /// The importer's own id, from deep inside [`task_params`](Self::task_params).
    pub fn unique_identifier(&self) -> Option<&str> {
        self.record_metadata()?.unique_identifier.as_deref()
    }

    /// The importer's own object, from deep inside [`task_params`](Self::task_params).
    pub fn additional_info(&self) -> Option<&Json> {
        self.record_metadata()?.additional_info.as_ref()
    }

    /// The annotations, from inside [`result`](Self::result).
    pub fn annotations(&self) -> Option<&Json> {
        self.result.as_ref()?.annotations.as_ref()
    }

    fn record_metadata(&self) -> Option<&RecordMetadata> {
        self.task_params.as_ref()?.record.as_ref()?.metadata.as_ref()
    }

    /// The page calls `task` what Get Task answers with, and that is `{"code": 200, "message": …, "data": TASK}`.
    fn out_of_envelope(self) -> serde_json::Result<Self> {
        match self.rest.get("data") {
            Some(data) if data.get().starts_with('{') && self.task_id.is_none() && self.rest.get("code").is_some() => {
                data.parse()
            }
            _ => Ok(self),
        }
    }
}

/// The members of an object that are not typed, in their order: at most 256.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rest(Vec<(Box<str>, Json)>);

impl Rest {
    /// The member of that name.
    pub fn get(&self, name: &str) -> Option<&Json> {
        self.iter().find(|(key, _)| *key == name).map(|(_, value)| value)
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Json)> {
        self.0.iter().map(|(name, value)| (&**name, value))
    }
}

impl Serialize for Rest {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        out.collect_map(self.iter())
    }
}

fn optional_id<'de, D: Deserializer<'de>>(input: D) -> Result<Option<String>, D::Error> {
    Option::<Id>::deserialize(input).map(|id| id.map(|id| id.0))
}
