//! The callback: a task's id, its status, and the task itself.

use super::{Annotation, Elements};
use crate::{
    Json, Misfits, Rest, Unknown, WebhookEvent,
    payload::{
        FromValue, MAX_MEMBERS, Object, Reader, Tape, Value, codes, dedup_key, mend, part, payload,
        read_back, text, whole, words,
    },
};
use bytes::Bytes;
use serde::{Deserialize, Deserializer, Serialize, de};
use std::fmt;

/// A Stardust callback, or a body that is not one.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
#[non_exhaustive]
#[allow(clippy::large_enum_variant, reason = "it moves once, into an `Arc`")]
pub enum Event {
    /// The body of a callback.
    Callback(Callback),
    /// A body with neither a task's id nor a status.
    Unknown(Unknown),
}

impl Event {
    pub(super) fn from_body(body: &Bytes) -> Self {
        let callback = text(body).and_then(Callback::from_text);
        callback.map_or_else(|| Self::Unknown(Unknown::new(body.clone())), Self::Callback)
    }
}

impl WebhookEvent for Event {
    /// The presumed occasion: `task_error`, `audit_status_changed`, `completed`, `other`, or
    /// `unknown` for [`Unknown`](Self::Unknown).
    ///
    /// It is a best effort. Stardust documents three occasions, but no member that names them or
    /// holds the result of an audit. The first that applies: the status is an error; there is an
    /// [`audit_status`](Callback::audit_status); the status is completed; otherwise `other`. A
    /// later callback for an audited task counts as an audit again.
    fn kind(&self) -> &'static str {
        match self {
            Self::Callback(callback) => callback.kind(),
            Self::Unknown(_) => "unknown",
        }
    }

    /// The kind, the task's id, the status and the [`audit_status`](Callback::audit_status).
    ///
    /// Stardust sends no delivery id. A task that is rejected, fixed and rejected again has its
    /// first key again.
    fn dedup_key(&self) -> Option<String> {
        let Self::Callback(callback) = self else { return None };
        let Callback { task_id, status, .. } = callback;
        dedup_key(callback.kind(), &[part(task_id), part(status)], &[part(callback.audit_status())])
    }

    fn misfits(&self) -> &Misfits {
        match self {
            Self::Callback(callback) => callback.rest.misfits(),
            Self::Unknown(_) => Misfits::none(),
        }
    }
}

impl<'de> Deserialize<'de> for Event {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        read_back(input, Self::from_body, Self::Unknown)
    }
}

payload! {
    /// The body of a callback.
    pub struct Callback {
        /// The task's id, from [`Task::task_id`] if missing here.
        pub task_id: Option<String> = "taskId",
        /// The task's status, normally completed or an error; from [`Task::status`] if missing
        /// here.
        pub status: Option<Status>,
        /// The task with its annotations, unwrapped if it is in the envelope of Get Task; what else
        /// that holds is only in [`Verified::body`](crate::Verified::body). The paths of misfits are
        /// those without the envelope: `task.status`, not `task.data.status`.
        pub task: Option<Task>,
        ..rest
    }

    /// A task, as Get Task returns it.
    pub struct Task {
        /// The task's id.
        pub task_id: Option<String> = "taskId",
        /// What the task was created from.
        pub task_params: Option<TaskParams> = "taskParams",
        /// The result of the work on the task.
        pub result: Option<TaskResult>,
        /// The result of the previous pool.
        pub previous_result: Option<TaskResult> = "previousResult",
        /// The task's pool and project.
        pub append_info: Option<AppendInfo> = "appendInfo",
        /// The task's status; a code in the example of Get Task.
        pub status: Option<Status>,
        /// `null` in the example; the likeliest member to hold the result of an audit.
        pub quality_status: Option<Json> = "qualityStatus",
        /// When the task is due; `null` in the example.
        pub task_deadline: Option<String> = "taskDeadline",
        /// When a rejected task is due; `null` in the example.
        pub reject_deadline: Option<String> = "rejectDeadline",
        /// The server's time, `YYYY-MM-DD HH:MM:SS` without a zone.
        pub server_time: Option<String> = "serverTime",
        /// An undocumented list, empty in the example.
        pub quality_messages: Option<Json> = "qualityMessages",
        /// What went wrong, with `pointErrorMsgs` and `isPointTimeOut`.
        pub error_message: Option<Json> = "errorMessage",
        /// Undocumented; `null` in the example.
        pub worker_info: Option<Json> = "workerInfo",
        /// Whether a callback was answered with 2xx. It cannot be final while one is being sent.
        pub callback_succeeded: Option<bool> = "callback_succeeded" | "callbackSucceeded",
        ..rest
    }

    /// What a task was created from.
    pub struct TaskParams {
        /// The record that was imported.
        pub record: Option<Record>,
        /// The tools of the project.
        pub operators: Option<Json>,
        ..rest
    }

    /// A record as it was imported.
    pub struct Record {
        /// What the attachment is.
        pub attachment_type: Option<AttachmentType> = "attachmentType",
        /// A URL, an object or a list, depending on the type.
        pub attachment: Option<Json>,
        /// The metadata that was imported with it.
        pub metadata: Option<RecordMetadata>,
        ..rest
    }

    /// The metadata that was imported with a record.
    pub struct RecordMetadata {
        /// The importer's own id.
        pub unique_identifier: Option<String> = "uniqueIdentifier",
        /// The importer's own object, with the `callbackUrl`.
        pub additional_info: Option<Json> = "additionalInfo",
        ..rest
    }

    /// The result of the work on a task.
    pub struct TaskResult {
        /// The annotations.
        pub annotations: Option<Elements<Annotation>>,
        /// Annotations that an algorithm proposes.
        pub hints: Option<Elements<Annotation>>,
        /// Issues raised by inspectors.
        pub issues: Option<Json>,
        /// Metadata of the result: `invalidFrame`, `imageRotateAngle`, `noNeedToAnnotate` and more.
        pub metadata: Option<Json>,
        ..rest
    }

    /// A task's pool and project.
    pub struct AppendInfo {
        /// The pool that the task is in.
        pub pool_info: Option<PoolInfo> = "poolInfo",
        /// The project that the task belongs to.
        pub project_info: Option<ProjectInfo> = "projectInfo",
        /// When the task changed last, `YYYY-MM-DD HH:MM:SS` without a zone.
        pub update_time: Option<String> = "updateTime",
        ..rest
    }

    /// A pool of tasks.
    pub struct PoolInfo {
        /// The pool's id.
        pub pool_id: Option<String> = "poolId",
        /// What the pool is for.
        pub pool_type: Option<PoolType> = "poolType",
        /// Who may not work on the task.
        pub operator_id_black_list: Vec<String> = "operatorIdBlackList",
        /// Whether the task is a sequence of frames.
        pub is_time_sequence: Option<bool> = "isTimeSequence",
        ..rest
    }

    /// A project.
    pub struct ProjectInfo {
        /// The project's id.
        pub project_id: Option<String> = "projectId",
        /// The project's name.
        pub project_name: Option<String> = "projectName",
        ..rest
    }
}

codes! {
    /// What a pool is for.
    pub enum PoolType {
        /// Distribution.
        Distribution = 0,
        /// Labelling.
        Labelling = 1,
        /// Inspection.
        Inspection = 2,
        /// Spot check.
        SpotCheck = 3,
        /// Algorithm.
        Algorithm = 4,
        /// Completion.
        Completion = 5,
    }
}

words! {
    /// What an attachment is.
    pub enum AttachmentType {
        /// An image.
        Image = "IMAGE",
        /// A sequence of images.
        ImageSequence = "IMAGE_SEQUENCE",
        /// A sequence of image sets, as of several cameras.
        ImageSetSequence = "IMAGE_SET_SEQUENCE",
        /// A point cloud.
        PointCloud = "POINTCLOUD",
        /// A sequence of point clouds.
        PointCloudSequence = "POINTCLOUD_SEQUENCE",
        /// A text.
        Text = "TEXT",
        /// Audio.
        Audio = "AUDIO",
        /// Video.
        Video = "VIDEO",
    }
}

impl Callback {
    /// The first of `status`, `task.qualityStatus` and `task.auditStatus` that is approved,
    /// rejected or fixed.
    ///
    /// Only the three words are documented; the members are inferred.
    pub fn audit_status(&self) -> Option<Status> {
        let task = self.task.as_ref();
        let quality = task.and_then(|task| task.quality_status.as_ref());
        let audit = task.and_then(|task| task.rest.get("auditStatus"));
        let in_task =
            [quality, audit].into_iter().flatten().filter_map(|json| Status::of(json.get()));
        self.status.iter().cloned().chain(in_task).find(|status| {
            matches!(status.state(), State::Approved | State::Rejected | State::Fixed)
        })
    }

    fn kind(&self) -> &'static str {
        let state = self.status.as_ref().map(Status::state);
        if state == Some(State::Error) {
            "task_error"
        } else if self.audit_status().is_some() {
            "audit_status_changed"
        } else if state == Some(State::Completed) {
            "completed"
        } else {
            "other"
        }
    }

    fn from_text(text: &str) -> Option<Self> {
        let tape = Tape::without(&["annotations", "hints"], text)?;
        let mut object = tape.object()?;
        let mut own = None;
        if let Some(task) = object.get("task") {
            of_envelope(task.indexed(&mut own))
                .into_iter()
                .for_each(|data| object.replace(task, data));
        }
        let mut callback: Self = object.into_event();
        if let Some(task) = &callback.task {
            fall_back(&mut callback.task_id, &task.task_id, "taskId", &mut callback.rest);
            fall_back(&mut callback.status, &task.status, "status", &mut callback.rest);
        }
        // With more members it would not be read back.
        let typed =
            [callback.task_id.is_some(), callback.status.is_some(), callback.task.is_some()];
        let typed = typed.into_iter().filter(|is_there| *is_there).count();
        let is_small = callback.rest.len().saturating_add(typed) <= MAX_MEMBERS;
        let is_callback = callback.task_id.is_some() || callback.status.is_some();
        (is_small && is_callback).then_some(callback)
    }
}

/// Unwraps the answer of Get Task, `{"code": 2000, "message": …, "data": TASK}`: the callback page
/// describes `task` as that answer.
fn of_envelope(task: Value<'_>) -> Option<Value<'_>> {
    let data = data_of(task)?;
    // An envelope inside would be taken off when the event is read back.
    data_of(data.indexed(&mut None)).is_none().then_some(data)
}

fn data_of(answer: Value<'_>) -> Option<Value<'_>> {
    let answer = Object::of(answer)?;
    let has_id = answer.get("taskId").is_some_and(|id| !id.is_null() && !id.is_empty());
    answer.get("data").filter(|data| !has_id && answer.has("code") && data.is_object())
}

/// Fills a missing member from the task. Its misfit leaves the rest, or it would be serialized
/// beside it.
fn fall_back<T: Clone>(member: &mut Option<T>, of_task: &Option<T>, name: &str, rest: &mut Rest) {
    if member.is_none() && of_task.is_some() {
        member.clone_from(of_task);
        rest.remove(name);
    }
}

impl Task {
    /// The importer's own id, from [`task_params`](Self::task_params).
    pub fn unique_identifier(&self) -> Option<&str> {
        self.record_metadata()?.unique_identifier.as_deref()
    }

    /// The importer's own object, from [`task_params`](Self::task_params).
    pub fn additional_info(&self) -> Option<&Json> {
        self.record_metadata()?.additional_info.as_ref()
    }

    /// The annotations, from [`result`](Self::result).
    pub fn annotations(&self) -> Option<&Elements<Annotation>> {
        self.result.as_ref()?.annotations.as_ref()
    }

    fn record_metadata(&self) -> Option<&RecordMetadata> {
        self.task_params.as_ref()?.record.as_ref()?.metadata.as_ref()
    }
}

/// A status as it was sent: a word of the callback page, or a code of Get Task as a number or text.
///
/// ```
/// use tower_webhooks::stardust::{State, Status};
///
/// for status in [
///     Status::from("completed"),
///     Status::from("Completed"),
///     Status::from(9),
///     Status::from("9"),
/// ] {
///     assert_eq!(status.state(), State::Completed);
/// }
/// assert_eq!(serde_json::to_string(&Status::from("9"))?, r#""9""#);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct Status(Form);

#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(untagged)]
enum Form {
    Code(i64),
    Text(Box<str>),
}

impl Status {
    /// The meaning of the word, in any case, or of the code.
    pub fn state(&self) -> State {
        let sent = self.to_string();
        match State::from(sent.to_ascii_lowercase()) {
            State::Other(_) => State::Other(sent),
            state => state,
        }
    }

    fn of(json: &str) -> Option<Self> {
        Some(Self(match json.starts_with('"') {
            true => Form::Text(serde_json::from_str(&mend(json)).ok()?),
            false => Form::Code(whole(json)?),
        }))
    }
}

impl From<&str> for Status {
    fn from(text: &str) -> Self {
        Self(Form::Text(text.into()))
    }
}

impl From<i64> for Status {
    fn from(code: i64) -> Self {
        Self(Form::Code(code))
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Form::Code(code) => code.fmt(f),
            Form::Text(text) => f.write_str(text),
        }
    }
}

impl FromValue for Status {
    const EXPECTED: &'static str = "a word or a code";

    fn from_value(value: Value<'_>, _: &mut Reader<'_>) -> Option<Self> {
        Self::of(value.text())
    }
}

impl<'de> Deserialize<'de> for Status {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        Self::of(Json::deserialize(input)?.get()).ok_or_else(|| de::Error::custom(Self::EXPECTED))
    }
}

words! {
    /// The meaning of a [`Status`].
    pub enum State {
        /// 1: it waits for distribution.
        WaitingForDistribution = "1",
        /// 2: it is distributed.
        Distributed = "2",
        /// 3: somebody works on it.
        Working = "3",
        /// 4: it waits for submission.
        WaitingForSubmission = "4",
        /// 5: it is paused.
        Paused = "5",
        /// `error` or 6: it failed.
        Error = "error" | "6",
        /// 7: it is suspended.
        Suspended = "7",
        /// 8: its submission failed.
        SubmissionFailed = "8",
        /// `completed` or 9: it is completed.
        Completed = "completed" | "9",
        /// 10: it is invalid.
        Invalid = "10",
        /// `approved`, by an audit.
        Approved = "approved",
        /// `rejected`, by an audit.
        Rejected = "rejected",
        /// `fixed`, after an audit.
        Fixed = "fixed",
    }
}
