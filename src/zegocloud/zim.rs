//! In-app chat (ZIM): users online and offline, messages, calls, groups and rooms.
//!
//! Pages: <https://www.zegocloud.com/docs/zim-server/callbacks/message-sent>.

use super::{JsonText, room::Relogin};
use crate::{
    Json, UnixMillis, UnixSeconds,
    payload::{codes, events, payload, words},
};
use serde::Serialize;

events! {
    /// A callback of the family *ZIM*.
    ///
    /// If a user is invited twice into one call and both invitations end the same, two events have
    /// one [key](crate::WebhookEvent::dedup_key): the pages offer no member that tells them apart.
    pub enum ZimEvent in "event" {
        /// A user came online, logged out or went offline.
        "user_action" => UserAction(UserAction) as "zim.user_action"
            key |it| [it.session_id, it.action; it.login_time, it.logout_time, it.offline_time],
        /// A message was sent, or could not be.
        "send_msg" => SendMsg(SendMsg) as "zim.send_msg" key |it| [; it.msg_id, it.batch()],
        /// A client wants to send a message and waits for a [`SendVerdict`].
        "before_send_msg" => BeforeSendMsg(BeforeSendMsg) as "zim.before_send_msg"
            key |it| [it.request_id],
        /// A message was sent to a bot.
        "bot_msg" => BotMsg(SendMsg) as "zim.bot_msg" key |it| [; it.msg_id, it.batch()],
        /// A call was created.
        "call_create" => CallCreate(CallCreate) as "zim.call_create" key |it| [it.call_id],
        /// Users were invited into a running call.
        "call_invite" => CallInvite(CallInvite) as "zim.call_invite"
            key |it| [it.call_id, it.user_ids, it.invite_time],
        /// A call was cancelled.
        "call_cancel" => CallCancel(CallEnd) as "zim.call_cancel"
            key |it| [it.call_id, it.user_ids],
        /// A user accepted a call.
        "call_accept" => CallAccept(CallAnswer) as "zim.call_accept"
            key |it| [it.call_id, it.user_id],
        /// A user rejected a call.
        "call_reject" => CallReject(CallAnswer) as "zim.call_reject"
            key |it| [it.call_id, it.user_id],
        /// Users did not answer a call in time.
        "call_timeout" => CallTimeout(CallEnd) as "zim.call_timeout"
            key |it| [it.call_id, it.user_ids],
        /// A group was created.
        "group_create" => GroupCreate(Group) as "zim.group_create"
            key |it| [it.group_id, it.timestamp],
        /// A group was destroyed.
        "group_destroy" => GroupDestroy(Group) as "zim.group_destroy"
            key |it| [it.group_id, it.timestamp],
        /// Users joined a group. The English page's example calls it `Apply_join_group`, which is
        /// read too.
        "group_join" | "Apply_join_group" => GroupJoin(GroupJoin) as "zim.group_join"
            key |it| [it.group_id, it.timestamp, it.new_user_ids],
        /// Users left a group.
        "group_exit" => GroupExit(GroupExit) as "zim.group_exit"
            key |it| [it.group_id, it.timestamp, it.exit_user_ids],
        /// A room was created. Unlike RTC's event of that name it has an `operator_account`.
        "room_create" => RoomCreate(Room) as "zim.room_create"
            key |it| [it.room_id, it.timestamp],
        /// A room was destroyed.
        "room_destroy" => RoomDestroy(Room) as "zim.room_destroy"
            key |it| [it.room_id, it.timestamp],
        /// A user entered a room.
        "room_enter" => RoomEnter(RoomEnter) as "zim.room_enter"
            key |it| [it.room_id, it.timestamp, it.operator_account],
        /// Users left a room.
        "room_exit" => RoomExit(RoomExit) as "zim.room_exit"
            key |it| [it.room_id, it.timestamp, it.exit_user_ids],
    }
}

payload! {
    /// Payload of `user_action`.
    pub struct UserAction {
        /// The app's id.
        pub appid: Option<String>,
        /// When the callback was signed.
        pub timestamp: Option<UnixSeconds>,
        /// The user's id.
        pub user_id: Option<String>,
        /// The user's name.
        pub user_name: Option<String>,
        /// The kind of device.
        pub os: Option<Os>,
        /// What the user did.
        pub action: Option<Presence>,
        /// The user's session id.
        pub session_id: Option<String>,
        /// When the user came online.
        pub login_time: Option<UnixSeconds>,
        /// Whether the user had been online before.
        pub relogin: Option<Relogin>,
        /// When the user logged out.
        pub logout_time: Option<UnixSeconds>,
        /// Why the user logged out.
        pub logout_reason: Option<String>,
        /// When the user went offline.
        pub offline_time: Option<UnixSeconds>,
        ..rest
    }

    /// Payload of `send_msg` and `bot_msg`.
    pub struct SendMsg {
        /// The app's id.
        pub appid: Option<String>,
        /// When the callback was signed.
        pub timestamp: Option<UnixSeconds>,
        /// The sender.
        pub from_user_id: Option<String>,
        /// The kind of conversation; with a bot, [`ConversationType::OneToOne`].
        pub conv_type: Option<ConversationType>,
        /// The conversation; empty with a `user_list`.
        pub conv_id: Option<String>,
        /// The kind of message; to a bot, no [`MessageType::Combined`].
        pub msg_type: Option<MessageType>,
        /// The app's own kind of a [`MessageType::Custom`], 0 to 200.
        pub sub_msg_type: Option<i64>,
        /// Where it was sent from; missing means from a client.
        pub source: Option<MessageSource>,
        /// The message. A [`MessageType::Text`] or [`MessageType::Custom`] is plain text. Any other
        /// type from a client is JSON: [`MediaBody`], [`MultiBody`], [`CombinedBody`]. From a
        /// server ([`MessageSource::Server`]) it is whatever the server sent.
        pub msg_body: Option<JsonText>,
        /// The message's id; empty in a batch.
        pub msg_id: Option<String>,
        /// The message's number in its conversation.
        pub msg_seq: Option<u64>,
        /// What the sender attached.
        pub payload: Option<String>,
        /// When the server received it.
        pub msg_time: Option<UnixMillis>,
        /// 0 if it was sent, else one of ZIM's error codes.
        pub send_result: Option<i64>,
        /// The receivers of messages that a server sent.
        pub user_list: Vec<MessageReceiver>,
        ..rest
    }

    /// The receiver of a message that a server sent.
    pub struct MessageReceiver {
        /// The receiver.
        pub user_id: Option<String> = "UserId",
        /// The message's id; empty if it could not be sent.
        pub msg_id: Option<String> = "MsgId",
        /// The message's number in its conversation.
        pub msg_seq: Option<u64> = "MsgSeq",
        ..rest
    }

    /// Payload of `before_send_msg`.
    pub struct BeforeSendMsg {
        /// The app's id.
        pub appid: Option<String>,
        /// When the callback was signed.
        pub timestamp: Option<UnixSeconds>,
        /// The request's id.
        pub request_id: Option<String>,
        /// The sender.
        pub from_user_id: Option<String>,
        /// The conversation.
        pub conv_id: Option<String>,
        /// The kind of conversation.
        pub conv_type: Option<ConversationType>,
        /// The message's id.
        pub msg_id: Option<String>,
        /// What the sender attached.
        pub payload: Option<String>,
        /// The kind of message.
        pub msg_type: Option<MessageType>,
        /// The app's own kind of a [`MessageType::Custom`], 0 to 200.
        pub sub_msg_type: Option<i64>,
        /// The message, as in [`SendMsg::msg_body`].
        pub msg_body: Option<JsonText>,
        ..rest
    }

    /// The [message](SendMsg::msg_body) of images, files, audio and video.
    pub struct MediaBody {
        /// The file's MD5.
        pub md5: Option<String>,
        /// The file's name.
        pub file_name: Option<String>,
        /// The file's size in bytes.
        pub file_size: Option<u64>,
        /// The file's address.
        pub download_url: Option<String>,
        /// Audio and video: how long it is; the page gives no unit, the SDK's is seconds.
        pub media_duration: Option<u64>,
        /// Image: the original's width in pixels.
        pub origin_image_width: Option<u64>,
        /// Image: the original's height in pixels.
        pub origin_image_height: Option<u64>,
        /// Image: the large form's address.
        pub large_image_download_url: Option<String>,
        /// Image: the large form's width in pixels.
        pub large_image_width: Option<u64>,
        /// Image: the large form's height in pixels.
        pub large_image_height: Option<u64>,
        /// Image: the thumbnail's address.
        pub thumbnail_download_url: Option<String>,
        /// Image: the thumbnail's width in pixels.
        pub thumbnail_width: Option<u64>,
        /// Image: the thumbnail's height in pixels.
        pub thumbnail_height: Option<u64>,
        /// Video: the first frame's address.
        pub video_first_frame_download_url: Option<String>,
        /// Video: the first frame's width in pixels.
        pub video_first_frame_width: Option<u64>,
        /// Video: the first frame's height in pixels.
        pub video_first_frame_height: Option<u64>,
        ..rest
    }

    /// The [message](SendMsg::msg_body) of a [`MessageType::Multi`].
    pub struct MultiBody {
        /// The parts.
        pub multi_msg: Vec<MultiPart>,
        ..rest
    }

    /// A part of a [`MessageType::Multi`].
    pub struct MultiPart {
        /// The kind of message.
        pub msg_type: Option<MessageType>,
        /// The app's own kind of a [`MessageType::Custom`].
        pub sub_msg_type: Option<i64>,
        /// The part's content: a string, or an object such as [`MediaBody`].
        pub callback_content: Option<Json>,
        ..rest
    }

    /// The [message](SendMsg::msg_body) of a [`MessageType::Combined`].
    pub struct CombinedBody {
        /// The title.
        pub title: Option<String> = "Title",
        /// The summary.
        pub summary: Option<String> = "Summary",
        ..rest
    }

    /// Payload of `call_create`.
    pub struct CallCreate {
        /// The app's id.
        pub appid: Option<String>,
        /// When the callback was signed.
        pub timestamp: Option<UnixSeconds>,
        /// The call's id.
        pub call_id: Option<String>,
        /// The callees.
        pub user_ids: Vec<String>,
        /// When it was created.
        pub create_time: Option<UnixMillis>,
        /// What the caller attached.
        pub payload: Option<String>,
        /// The caller.
        pub caller: Option<String>,
        /// How long it rings, in seconds.
        pub timeout: Option<u64>,
        ..rest
    }

    /// Payload of `call_invite`.
    pub struct CallInvite {
        /// The app's id.
        pub appid: Option<String>,
        /// When the callback was signed.
        pub timestamp: Option<UnixSeconds>,
        /// The call's id.
        pub call_id: Option<String>,
        /// The users who were invited.
        pub user_ids: Vec<String>,
        /// The user who invited them.
        pub inviter: Option<String>,
        /// When they were invited.
        pub invite_time: Option<UnixMillis>,
        ..rest
    }

    /// Payload of `call_cancel` and `call_timeout`.
    pub struct CallEnd {
        /// The app's id.
        pub appid: Option<String>,
        /// When the callback was signed.
        pub timestamp: Option<UnixSeconds>,
        /// The call's id.
        pub call_id: Option<String>,
        /// The callees; on timeout those who did not answer.
        pub user_ids: Vec<String>,
        /// Why the call was cancelled; on cancel.
        pub reason: Option<CallCancelReason>,
        /// What the caller attached; on cancel.
        pub payload: Option<String>,
        ..rest
    }

    /// Payload of `call_accept` and `call_reject`.
    pub struct CallAnswer {
        /// The app's id.
        pub appid: Option<String>,
        /// When the callback was signed.
        pub timestamp: Option<UnixSeconds>,
        /// The call's id.
        pub call_id: Option<String>,
        /// The callee.
        pub user_id: Option<String>,
        /// What the callee attached.
        pub extend_data: Option<String>,
        ..rest
    }

    /// Payload of `group_create` and `group_destroy`.
    pub struct Group {
        /// The app's id.
        pub appid: Option<String>,
        /// When it happened; the signed time.
        pub timestamp: Option<UnixMillis>,
        /// The group's id.
        pub group_id: Option<String>,
        /// The user who did it.
        pub operator_account: Option<String>,
        /// The group's owner.
        pub owner_account: Option<String>,
        /// The group's name; on creation.
        pub group_name: Option<String>,
        /// The group's attributes; on creation.
        pub attributes: Vec<Attribute>,
        /// The members.
        pub user_ids: Vec<String>,
        ..rest
    }

    /// An attribute of a group or a room.
    pub struct Attribute {
        /// Its name.
        pub key: Option<String>,
        /// Its value.
        pub value: Option<String>,
        /// Whether it is deleted when its owner leaves; of a room.
        pub auto_delete: Option<AutoDelete>,
        ..rest
    }

    /// Payload of `group_join`.
    pub struct GroupJoin {
        /// The app's id.
        pub appid: Option<String>,
        /// When it happened; the signed time.
        pub timestamp: Option<UnixMillis>,
        /// The group's id.
        pub group_id: Option<String>,
        /// The user who did it.
        pub operator_account: Option<String>,
        /// How they joined.
        pub join_type: Option<JoinType>,
        /// The users who joined.
        pub new_user_ids: Vec<String>,
        ..rest
    }

    /// Payload of `group_exit`.
    pub struct GroupExit {
        /// The app's id.
        pub appid: Option<String>,
        /// When it happened; the signed time.
        pub timestamp: Option<UnixMillis>,
        /// The group's id.
        pub group_id: Option<String>,
        /// How they left.
        pub exit_type: Option<ExitType>,
        /// The user who did it.
        pub operator_account: Option<String>,
        /// The users who left.
        pub exit_user_ids: Vec<String>,
        ..rest
    }

    /// Payload of `room_create` and `room_destroy`.
    pub struct Room {
        /// The app's id.
        pub appid: Option<String>,
        /// When it happened; the signed time.
        pub timestamp: Option<UnixMillis>,
        /// The room's id.
        pub room_id: Option<String>,
        /// The user who did it.
        pub operator_account: Option<String>,
        /// The room's name; on creation.
        pub room_name: Option<String>,
        /// The room's attributes; on creation.
        pub attributes: Vec<Attribute>,
        /// The users in it; on destruction.
        pub user_ids: Vec<String>,
        ..rest
    }

    /// Payload of `room_enter`.
    pub struct RoomEnter {
        /// The app's id.
        pub appid: Option<String>,
        /// When it happened; the signed time.
        pub timestamp: Option<UnixMillis>,
        /// The room's id.
        pub room_id: Option<String>,
        /// The user who entered.
        pub operator_account: Option<String>,
        ..rest
    }

    /// Payload of `room_exit`.
    pub struct RoomExit {
        /// The app's id.
        pub appid: Option<String>,
        /// When it happened; the signed time.
        pub timestamp: Option<UnixMillis>,
        /// The room's id.
        pub room_id: Option<String>,
        /// How they left.
        pub exit_type: Option<ExitType>,
        /// The user who did it.
        pub operator_account: Option<String>,
        /// The users who left.
        pub exit_user_ids: Vec<String>,
        ..rest
    }
}

/// The answer to a [`ZimEvent::BeforeSendMsg`], as JSON in the response's body. With the feature
/// `axum` a handler can return it.
///
/// On the Chinese page, ZEGOCLOUD waits 2.5 s, then retries once and waits another 2.5 s; on the
/// English page it retries after 3 s. So answer in well under 2.5 s. Without an answer the message
/// is by default not sent; support can change that.
/// <https://www.zegocloud.com/docs/zim-server/callbacks/message-not-sent-yet>.
///
/// ```
/// use tower_webhooks::zegocloud::{
///     Event,
///     zim::{SendDecision, SendVerdict, ZimEvent},
/// };
///
/// // With axum: `async fn judge(event: Verified<Event>) -> SendVerdict`.
/// fn judge(event: &Event) -> SendVerdict {
///     match event {
///         Event::Zim(ZimEvent::BeforeSendMsg(message))
///             if message.from_user_id.as_deref() == Some("spammer") =>
///         {
///             SendVerdict::new(SendDecision::Refuse).reason("you are blocked")
///         }
///         _ => SendVerdict::new(SendDecision::Neutral),
///     }
/// }
///
/// # let mut message = tower_webhooks::zegocloud::zim::BeforeSendMsg::default();
/// # message.from_user_id = Some("spammer".to_owned());
/// let verdict = judge(&Event::Zim(ZimEvent::BeforeSendMsg(message)));
/// assert_eq!(
///     serde_json::to_string(&verdict)?,
///     r#"{"result":3,"reason":"you are blocked"}"#
/// );
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct SendVerdict {
    /// Whether to send the message.
    pub result: SendDecision,
    /// The reason that the sender of a refused message is told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Replaces what the sender attached; on the Chinese page only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub new_payload: Option<String>,
    /// Replaces the message; on the Chinese page only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub new_msg_body: Option<String>,
}

impl SendMsg {
    /// The receivers, if any of them was sent something.
    fn batch(&self) -> &[MessageReceiver] {
        let is_sent = |id: &String| !id.trim().is_empty();
        let is_any = self.user_list.iter().any(|it| it.msg_id.as_ref().is_some_and(is_sent));
        if is_any { &self.user_list } else { &[] }
    }
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
    /// Answers with the verdict as JSON and keeps it as the
    /// [`ReplayedResponse`](crate::replay::ReplayedResponse) to a repeat: with
    /// [`ReplayedResponse::restore`](crate::replay::ReplayedResponse::restore) outside of the
    /// layer, ZIM gets it again.
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
        /// Defined by the app.
        Custom = 200,
    }

    /// Where a message was sent from.
    pub enum MessageSource {
        /// From a client.
        Client = 0,
        /// Through the server API.
        Server = 1,
    }

    /// Whether an attribute is deleted when its owner leaves.
    pub enum AutoDelete {
        /// It is kept.
        Keep = 0,
        /// It is deleted.
        Delete = 1,
    }

    /// Whether to send a message. Only the Chinese page says what ZIM's content moderation changes.
    pub enum SendDecision {
        /// No judgement: the message is sent, unless content moderation is on and refuses it.
        Neutral = 0,
        /// Send it, even if content moderation refuses it.
        Send = 1,
        /// Tell the sender that it was sent, but do not send it. If content moderation refuses it,
        /// the sender is told that it was not sent.
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

    /// Why a call was cancelled.
    pub enum CallCancelReason {
        /// The caller cancelled it.
        Caller = "caller_cancel",
        /// It timed out.
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
