//! In-app chat (ZIM): users online and offline, messages, calls, groups and rooms.
//!
//! Pages: <https://www.zegocloud.com/docs/zim-server/callbacks/message-sent>.

use super::{event::family, room::Relogin};
use crate::{
    Json,
    wire::{codes, number, payload, text, texts, words},
};
use percent_encoding::percent_decode_str;
use serde::{Serialize, de::DeserializeOwned};
use std::{convert::Infallible, fmt, str::FromStr};

family! {
    /// A callback of the family *ZIM*.
    pub enum ZimEvent in "event": str {
        /// A user came online, logged out or went offline.
        "user_action" => UserAction(UserAction) as "zim.user_action"
            by [session_id, action; login_time, logout_time, offline_time],
        /// A message was sent, or could not be.
        "send_msg" => SendMsg(SendMsg) as "zim.send_msg" by [; msg_id, user_list],
        /// A client wants to send a message and waits for a [`SendVerdict`].
        "before_send_msg" => BeforeSendMsg(BeforeSendMsg) as "zim.before_send_msg" by [request_id],
        /// A message was sent to a bot.
        "bot_msg" => BotMsg(SendMsg) as "zim.bot_msg" by [; msg_id, user_list],
        /// A call was made.
        "call_create" => CallCreate(CallCreate) as "zim.call_create" by [call_id],
        /// Users were invited into a running call.
        "call_invite" => CallInvite(CallInvite) as "zim.call_invite" by [call_id; user_ids, invite_time],
        /// A call was cancelled.
        "call_cancel" => CallCancel(CallCancel) as "zim.call_cancel" by [call_id; user_ids],
        /// A user accepted a call.
        "call_accept" => CallAccept(CallAnswer) as "zim.call_accept" by [call_id; user_id],
        /// A user rejected a call.
        "call_reject" => CallReject(CallAnswer) as "zim.call_reject" by [call_id; user_id],
        /// Users did not answer a call in time.
        "call_timeout" => CallTimeout(CallTimeout) as "zim.call_timeout" by [call_id; user_ids],
        /// A group came to be.
        "group_create" => GroupCreate(GroupCreate) as "zim.group_create" by [group_id, timestamp],
        /// A group ceased to be.
        "group_destroy" => GroupDestroy(GroupDestroy) as "zim.group_destroy" by [group_id, timestamp],
        /// Users joined a group. The English page's example calls it `Apply_join_group`, which is read too.
        "group_join" | "Apply_join_group" => GroupJoin(GroupJoin) as "zim.group_join"
            by [group_id, timestamp; new_user_ids],
        /// Users left a group.
        "group_exit" => GroupExit(GroupExit) as "zim.group_exit" by [group_id, timestamp; exit_user_ids],
        /// A room came to be. Unlike RTC's event of that name it has an `operator_account`.
        "room_create" => RoomCreate(ZimRoomCreate) as "zim.room_create" by [room_id, timestamp],
        /// A room ceased to be.
        "room_destroy" => RoomDestroy(ZimRoomDestroy) as "zim.room_destroy" by [room_id, timestamp],
        /// A user entered a room.
        "room_enter" => RoomEnter(ZimRoomEnter) as "zim.room_enter" by [room_id, timestamp; operator_account],
        /// Users left a room.
        "room_exit" => RoomExit(ZimRoomExit) as "zim.room_exit" by [room_id, timestamp; exit_user_ids],
    }
}

payload! {
    /// `user_action`.
    pub struct UserAction {
        /// The app's id.
        pub appid: u64 => "text",
        /// When the callback was signed, in Unix seconds.
        pub timestamp: u64 => "number",
        /// The user's id.
        pub user_id: String => "text",
        /// The user's name.
        pub user_name: String => "text",
        /// The kind of device.
        pub os: Os => "text",
        /// What the user did.
        pub action: Presence => "number",
        /// The user's session.
        pub session_id: String => "text",
        /// When the user came online, in Unix seconds.
        pub login_time: u64 => "number",
        /// Whether the user had been online before.
        pub relogin: Relogin => "text",
        /// When the user logged out, in Unix seconds.
        pub logout_time: u64 => "number",
        /// Why the user logged out.
        pub logout_reason: String => "text",
        /// When the user went offline, in Unix seconds.
        pub offline_time: u64 => "number",
    }

    /// `send_msg` and `bot_msg`.
    pub struct SendMsg {
        /// The app's id.
        pub appid: u64 => "text",
        /// When the callback was signed, in Unix seconds.
        pub timestamp: u64 => "number",
        /// The sender.
        pub from_user_id: String => "text",
        /// The kind of conversation; with a bot, [`ConversationType::OneToOne`].
        pub conv_type: ConversationType => "number",
        /// The conversation; empty with a `user_list`.
        pub conv_id: String => "text",
        /// The kind of message; to a bot, no [`MessageType::Combined`].
        pub msg_type: MessageType => "number",
        /// The app's own kind of a [`MessageType::Custom`], 0 to 200.
        pub sub_msg_type: i64 => "number",
        /// From where it was sent; missing means from a client.
        pub source: MessageSource => "number",
        /// The message.
        pub msg_body: MessageBody => "text",
        /// The message's id; empty in a batch.
        pub msg_id: String => "text",
        /// The message's number in its conversation.
        pub msg_seq: u64 => "number",
        /// What the sender attached.
        pub payload: String => "text",
        /// When the server received it, in Unix milliseconds.
        pub msg_time: u64 => "number",
        /// 0 if it was sent, else one of ZIM's error codes.
        pub send_result: i64 => "number",
        /// The receivers of messages that a server sent.
        pub user_list: Vec<MessageReceiver>,
    }

    /// The receiver of a message that a server sent.
    #[serde(rename_all = "PascalCase")]
    pub struct MessageReceiver {
        /// The receiver.
        pub user_id: String => "text",
        /// The message's id; empty if it could not be sent.
        pub msg_id: String => "text",
        /// The message's number in its conversation.
        pub msg_seq: u64 => "number",
    }

    /// `before_send_msg`.
    pub struct BeforeSendMsg {
        /// The app's id.
        pub appid: u64 => "text",
        /// When the callback was signed, in Unix seconds.
        pub timestamp: u64 => "number",
        /// This question.
        pub request_id: String => "text",
        /// The sender.
        pub from_user_id: String => "text",
        /// The conversation.
        pub conv_id: String => "text",
        /// The kind of conversation.
        pub conv_type: ConversationType => "number",
        /// The message's id.
        pub msg_id: String => "text",
        /// What the sender attached.
        pub payload: String => "text",
        /// The kind of message.
        pub msg_type: MessageType => "number",
        /// The app's own kind of a [`MessageType::Custom`], 0 to 200.
        pub sub_msg_type: i64 => "number",
        /// The message.
        pub msg_body: MessageBody => "text",
    }

    /// The [`MessageBody`] of images, files, audio and video.
    pub struct MediaBody {
        /// The file's MD5.
        pub md5: String => "text",
        /// The file's name.
        pub file_name: String => "text",
        /// The file's size in bytes.
        pub file_size: u64 => "text",
        /// The file's address.
        pub download_url: String => "text",
        /// Audio and video: how long it is; the page gives no unit, the SDK's is seconds.
        pub media_duration: u64 => "text",
        /// Image: the original's width in pixels.
        pub origin_image_width: u64 => "number",
        /// Image: the original's height in pixels.
        pub origin_image_height: u64 => "number",
        /// Image: the large form's address.
        pub large_image_download_url: String => "text",
        /// Image: the large form's width in pixels.
        pub large_image_width: u64 => "number",
        /// Image: the large form's height in pixels.
        pub large_image_height: u64 => "number",
        /// Image: the thumbnail's address.
        pub thumbnail_download_url: String => "text",
        /// Image: the thumbnail's width in pixels.
        pub thumbnail_width: u64 => "number",
        /// Image: the thumbnail's height in pixels.
        pub thumbnail_height: u64 => "number",
        /// Video: the first frame's address.
        pub video_first_frame_download_url: String => "text",
        /// Video: the first frame's width in pixels.
        pub video_first_frame_width: u64 => "number",
        /// Video: the first frame's height in pixels.
        pub video_first_frame_height: u64 => "number",
    }

    /// The [`MessageBody`] of a [`MessageType::Multi`].
    pub struct MultiBody {
        /// The parts.
        pub multi_msg: Vec<MultiPart>,
    }

    /// A part of a [`MessageType::Multi`].
    pub struct MultiPart {
        /// The kind of message.
        pub msg_type: MessageType => "number",
        /// The app's own kind of a [`MessageType::Custom`].
        pub sub_msg_type: i64 => "number",
        /// The part's content: a string, or an object such as [`MediaBody`].
        pub callback_content: Json,
    }

    /// The [`MessageBody`] of a [`MessageType::Combined`].
    #[serde(rename_all = "PascalCase")]
    pub struct CombinedBody {
        /// The title.
        pub title: String => "text",
        /// The summary.
        pub summary: String => "text",
    }

    /// `call_create`.
    pub struct CallCreate {
        /// The app's id.
        pub appid: u64 => "text",
        /// When the callback was signed, in Unix seconds.
        pub timestamp: u64 => "number",
        /// The call.
        pub call_id: String => "text",
        /// The callees.
        pub user_ids: Vec<String> => "texts",
        /// When it was made: 10 digits are Unix seconds, 13 are milliseconds.
        pub create_time: u64 => "number",
        /// What the caller attached.
        pub payload: String => "text",
        /// The caller.
        pub caller: String => "text",
        /// How long it rings, in seconds.
        pub timeout: u64 => "number",
    }

    /// `call_invite`.
    pub struct CallInvite {
        /// The app's id.
        pub appid: u64 => "text",
        /// When the callback was signed, in Unix seconds.
        pub timestamp: u64 => "number",
        /// The call.
        pub call_id: String => "text",
        /// The users who were invited.
        pub user_ids: Vec<String> => "texts",
        /// The user who invited them.
        pub inviter: String => "text",
        /// When, in Unix milliseconds.
        pub invite_time: u64 => "number",
    }

    /// `call_cancel`.
    pub struct CallCancel {
        /// The app's id.
        pub appid: u64 => "text",
        /// When the callback was signed, in Unix seconds.
        pub timestamp: u64 => "number",
        /// The call.
        pub call_id: String => "text",
        /// The callees.
        pub user_ids: Vec<String> => "texts",
        /// By what.
        pub reason: CallCancelReason => "text",
        /// What the caller attached.
        pub payload: String => "text",
    }

    /// `call_accept` and `call_reject`.
    pub struct CallAnswer {
        /// The app's id.
        pub appid: u64 => "text",
        /// When the callback was signed, in Unix seconds.
        pub timestamp: u64 => "number",
        /// The call.
        pub call_id: String => "text",
        /// The callee.
        pub user_id: String => "text",
        /// What the callee attached.
        pub extend_data: String => "text",
    }

    /// `call_timeout`.
    pub struct CallTimeout {
        /// The app's id.
        pub appid: u64 => "text",
        /// When the callback was signed, in Unix seconds.
        pub timestamp: u64 => "number",
        /// The call.
        pub call_id: String => "text",
        /// The users who did not answer.
        pub user_ids: Vec<String> => "texts",
    }

    /// `group_create`.
    pub struct GroupCreate {
        /// The app's id.
        pub appid: u64 => "text",
        /// When it happened and was signed: 10 digits are Unix seconds, 13 are milliseconds.
        pub timestamp: u64 => "number",
        /// The group's id.
        pub group_id: String => "text",
        /// The user who did it.
        pub operator_account: String => "text",
        /// The group's owner.
        pub owner_account: String => "text",
        /// The group's name.
        pub group_name: String => "text",
        /// The group's attributes.
        pub attributes: Vec<GroupAttribute>,
        /// The members.
        pub user_ids: Vec<String> => "texts",
    }

    /// An attribute of a group.
    pub struct GroupAttribute {
        /// Its name.
        pub key: String => "text",
        /// Its value.
        pub value: String => "text",
    }

    /// `group_destroy`.
    pub struct GroupDestroy {
        /// The app's id.
        pub appid: u64 => "text",
        /// When it happened and was signed: 10 digits are Unix seconds, 13 are milliseconds.
        pub timestamp: u64 => "number",
        /// The group's id.
        pub group_id: String => "text",
        /// The user who did it.
        pub operator_account: String => "text",
        /// The group's owner.
        pub owner_account: String => "text",
        /// The members.
        pub user_ids: Vec<String> => "texts",
    }

    /// `group_join`.
    pub struct GroupJoin {
        /// The app's id.
        pub appid: u64 => "text",
        /// When it happened and was signed: 10 digits are Unix seconds, 13 are milliseconds.
        pub timestamp: u64 => "number",
        /// The group's id.
        pub group_id: String => "text",
        /// The user who did it.
        pub operator_account: String => "text",
        /// How they joined.
        pub join_type: JoinType => "text",
        /// The users who joined.
        pub new_user_ids: Vec<String> => "texts",
    }

    /// `group_exit`.
    pub struct GroupExit {
        /// The app's id.
        pub appid: u64 => "text",
        /// When it happened and was signed: 10 digits are Unix seconds, 13 are milliseconds.
        pub timestamp: u64 => "number",
        /// The group's id.
        pub group_id: String => "text",
        /// How they left.
        pub exit_type: ExitType => "text",
        /// The user who did it.
        pub operator_account: String => "text",
        /// The users who left.
        pub exit_user_ids: Vec<String> => "texts",
    }

    /// `room_create`.
    pub struct ZimRoomCreate {
        /// The app's id.
        pub appid: u64 => "text",
        /// When it happened and was signed: 10 digits are Unix seconds, 13 are milliseconds.
        pub timestamp: u64 => "number",
        /// The room's id.
        pub room_id: String => "text",
        /// The user who did it.
        pub operator_account: String => "text",
        /// The room's name.
        pub room_name: String => "text",
        /// The room's attributes.
        pub attributes: Vec<RoomAttribute>,
    }

    /// An attribute of a room.
    pub struct RoomAttribute {
        /// Its name.
        pub key: String => "text",
        /// Its value.
        pub value: String => "text",
        /// Whether it goes when its owner leaves.
        pub auto_delete: AutoDelete => "number",
    }

    /// `room_destroy`.
    pub struct ZimRoomDestroy {
        /// The app's id.
        pub appid: u64 => "text",
        /// When it happened and was signed: 10 digits are Unix seconds, 13 are milliseconds.
        pub timestamp: u64 => "number",
        /// The room's id.
        pub room_id: String => "text",
        /// The users in it.
        pub user_ids: Vec<String> => "texts",
        /// The user who did it.
        pub operator_account: String => "text",
    }

    /// `room_enter`.
    pub struct ZimRoomEnter {
        /// The app's id.
        pub appid: u64 => "text",
        /// When it happened and was signed: 10 digits are Unix seconds, 13 are milliseconds.
        pub timestamp: u64 => "number",
        /// The room's id.
        pub room_id: String => "text",
        /// The user who entered.
        pub operator_account: String => "text",
    }

    /// `room_exit`.
    pub struct ZimRoomExit {
        /// The app's id.
        pub appid: u64 => "text",
        /// When it happened and was signed: 10 digits are Unix seconds, 13 are milliseconds.
        pub timestamp: u64 => "number",
        /// The room's id.
        pub room_id: String => "text",
        /// How they left.
        pub exit_type: ExitType => "text",
        /// The user who did it.
        pub operator_account: String => "text",
        /// The users who left.
        pub exit_user_ids: Vec<String> => "texts",
    }
}

/// A message's content as it came: plain text or, of some types, JSON inside the string.
///
/// A [`MessageType::Text`] or [`MessageType::Custom`] is plain text. What a client sent of another type is JSON:
/// [`MediaBody`], [`MultiBody`], [`CombinedBody`]. What a server sent ([`MessageSource::Server`]) is whatever it
/// passed.
///
/// ```
/// use tower_webhooks::zegocloud::{CombinedBody, MessageBody};
///
/// let body: MessageBody = "%7B%22Title%22%3A%22Minutes%22%7D".parse().unwrap();
/// assert_eq!(body.parse::<CombinedBody>()?.title.as_deref(), Some("Minutes"));
/// assert_eq!(body.get(), "%7B%22Title%22%3A%22Minutes%22%7D");
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct MessageBody(String);

impl MessageBody {
    /// The text, as it came.
    pub fn get(&self) -> &str {
        &self.0
    }

    /// Parses it as JSON; only what is no JSON is percent-decoded, once and as a whole, and tried again.
    ///
    /// # Errors
    ///
    /// serde's, if the text is no JSON in either form, or of another shape.
    pub fn parse<T: DeserializeOwned>(&self) -> serde_json::Result<T> {
        serde_json::from_str(&self.0).or_else(|error| match percent_decode_str(&self.0).decode_utf8() {
            Ok(decoded) if !error.is_data() => serde_json::from_str(&decoded),
            _ => Err(error),
        })
    }
}

impl FromStr for MessageBody {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for MessageBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The answer to a [`ZimEvent::BeforeSendMsg`], as JSON in the response's body. With the feature `axum` a handler can
/// return it.
///
/// The Chinese page gives a server 2.5 s, then asks once more at once and waits another 2.5 s; the English page speaks
/// of a retry after 3 s. So answer in well under 2.5 s. Without an answer the message is by default not sent; support
/// can change that. <https://www.zegocloud.com/docs/zim-server/callbacks/message-not-sent-yet>.
///
/// ```
/// use tower_webhooks::zegocloud::{Event, SendDecision, SendVerdict, ZimEvent};
///
/// // With axum: `async fn judge(event: Verified<Event>) -> SendVerdict`.
/// fn judge(event: &Event) -> SendVerdict {
///     match event {
///         Event::Zim(ZimEvent::BeforeSendMsg(message)) if message.from_user_id.as_deref() == Some("spammer") => {
///             SendVerdict::new(SendDecision::Refuse).reason("you are blocked")
///         }
///         _ => SendVerdict::new(SendDecision::Neutral),
///     }
/// }
///
/// # let mut message = tower_webhooks::zegocloud::BeforeSendMsg::default();
/// # message.from_user_id = Some("spammer".to_owned());
/// let verdict = judge(&Event::Zim(ZimEvent::BeforeSendMsg(message)));
/// assert_eq!(serde_json::to_string(&verdict)?, r#"{"result":3,"reason":"you are blocked"}"#);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct SendVerdict {
    /// Whether to send the message.
    pub result: SendDecision,
    /// Told to the sender of a refused message.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What to attach instead of what the sender did; on the Chinese page only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub new_payload: Option<String>,
    /// What to send instead of the message; on the Chinese page only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub new_msg_body: Option<String>,
}

impl SendVerdict {
    /// A verdict that changes nothing about the message.
    pub fn new(result: SendDecision) -> Self {
        Self { result, reason: None, new_payload: None, new_msg_body: None }
    }

    /// Tells the sender why; with [`SendDecision::Refuse`] only.
    #[must_use]
    pub fn reason(mut self, reason: impl Into<String>) -> Self {
        self.reason = Some(reason.into());
        self
    }

    /// Replaces what the sender attached.
    #[must_use]
    pub fn new_payload(mut self, payload: impl Into<String>) -> Self {
        self.new_payload = Some(payload.into());
        self
    }

    /// Replaces the message.
    #[must_use]
    pub fn new_msg_body(mut self, body: impl Into<String>) -> Self {
        self.new_msg_body = Some(body.into());
        self
    }
}

#[cfg(feature = "axum")]
impl axum_core::response::IntoResponse for SendVerdict {
    /// The verdict as JSON, kept as the [`ReplayedResponse`](crate::replay::ReplayedResponse) to a repeat: put
    /// [`ReplayedResponse::restore`](crate::replay::ReplayedResponse::restore) outside of the layer for ZIM to get it again.
    fn into_response(self) -> axum_core::response::Response {
        let json = http::HeaderValue::from_static("application/json");
        match serde_json::to_vec(&self) {
            Ok(verdict) => crate::replay::ReplayedResponse::new(json, verdict).into_response(),
            Err(_) => http::StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        }
    }
}

codes! {
    /// What a user did.
    pub enum Presence {
        /// Came online.
        Online = 0,
        /// Logged out.
        Logout = 1,
        /// Went offline.
        Offline = 2,
    }

    /// A kind of conversation.
    pub enum ConversationType {
        /// With one user.
        OneToOne = 0,
        /// In a room.
        Room = 1,
        /// In a group.
        Group = 2,
        /// In a channel; on the Chinese page only.
        Channel = 3,
    }

    /// A kind of message.
    pub enum MessageType {
        /// Text.
        Text = 1,
        /// Several parts.
        Multi = 10,
        /// An image.
        Image = 11,
        /// A file.
        File = 12,
        /// Audio.
        Audio = 13,
        /// Video.
        Video = 14,
        /// Several messages, forwarded.
        Combined = 100,
        /// The app's own.
        Custom = 200,
    }

    /// From where a message was sent.
    pub enum MessageSource {
        /// From a client.
        Client = 0,
        /// Through the server API.
        Server = 1,
    }

    /// Whether an attribute goes when its owner leaves.
    pub enum AutoDelete {
        /// It stays.
        Keep = 0,
        /// It goes.
        Delete = 1,
    }

    /// Whether to send a message.
    pub enum SendDecision {
        /// No judgement; the message is sent.
        Neutral = 0,
        /// Send it.
        Send = 1,
        /// Tell the sender that it was sent, but do not send it.
        Silent = 2,
        /// Do not send it.
        Refuse = 3,
    }
}

words! {
    /// A kind of device.
    pub enum Os {
        /// PC.
        Pc = "PC",
        /// iPhone.
        IosPhone = "IOS_PHONE",
        /// Android.
        Android = "ANDROID",
        /// Mac.
        Mac = "MAC",
        /// Linux.
        Linux = "LINUX",
        /// Web.
        Web = "WEB",
        /// Mini program.
        MiniProgram = "MINIPROGRAM",
        /// Android TV.
        AndroidTv = "ANDROID_TV",
    }

    /// By what a call was cancelled.
    pub enum CallCancelReason {
        /// By the caller.
        Caller = "caller_cancel",
        /// By a timeout.
        Timeout = "timeout_cancel",
    }

    /// How users joined a group.
    pub enum JoinType {
        /// They asked to.
        Apply = "Apply",
        /// They were invited.
        Invited = "Invited",
    }

    /// How users left a group or room.
    pub enum ExitType {
        /// Of their own will.
        Quit = "Quit",
        /// They were kicked.
        Kickout = "Kickout",
    }
}
