//! Rooms: created, closed, entered, left.
//!
//! Pages: <https://www.zegocloud.com/docs/real-time-video-server/callback/room/room-created>.

use crate::{
    UnixMillis, UnixSeconds,
    payload::{codes, events, payload},
};

events! {
    /// A callback of the family *room*.
    ///
    /// Neither arrival nor order is guaranteed. The pages advise:
    ///
    /// * Of two `room_create` for one `room_id`, the one with the later `room_create_time` is the
    ///   open room. A `room_close` is stale if its `room_session_id` is another and its
    ///   `room_close_time` is not later than that `room_create_time`.
    /// * `user_account`, `session_id` and `login_time` identify a user's presence. A `room_logout`
    ///   of another session or of an earlier login is stale.
    /// * Hold back callbacks that arrive before their room's `room_create`.
    pub enum RoomEvent in "event" {
        /// A room was created.
        "room_create" => Create(RoomCreate) key |it| [it.room_session_id],
        /// A room was closed.
        "room_close" => Close(RoomClose) key |it| [it.room_session_id],
        /// A user entered.
        "room_login" => Login(RoomLogin) key |it| [it.room_seq, it.session_id, it.login_time],
        /// A user left.
        "room_logout" => Logout(RoomLogout) key |it| [it.room_seq, it.session_id, it.logout_time],
    }
}

payload! {
    /// Payload of `room_create`.
    pub struct RoomCreate {
        /// The app's id.
        pub appid: Option<String>,
        /// When the callback was signed.
        pub timestamp: Option<UnixSeconds>,
        /// The room's id.
        pub room_id: Option<String>,
        /// The id of the room's session, from creation to close; [`RoomLogin::room_seq`] is the
        /// same.
        pub room_session_id: Option<String>,
        /// When the room was created.
        pub room_create_time: Option<UnixMillis>,
        /// The creator's user id.
        pub id_name: Option<String>,
        ..rest
    }

    /// Payload of `room_close`.
    pub struct RoomClose {
        /// The app's id.
        pub appid: Option<String>,
        /// When the callback was signed.
        pub timestamp: Option<UnixSeconds>,
        /// The room's id.
        pub room_id: Option<String>,
        /// The id of the room's session that ended.
        pub room_session_id: Option<String>,
        /// When the room was closed.
        pub room_close_time: Option<UnixMillis>,
        /// Why the room was closed.
        pub close_reason: Option<CloseReason>,
        ..rest
    }

    /// Payload of `room_login`.
    pub struct RoomLogin {
        /// The app's id.
        pub appid: Option<String>,
        /// When the callback was signed.
        pub timestamp: Option<UnixSeconds>,
        /// The room's id.
        pub room_id: Option<String>,
        /// The room's name.
        pub room_name: Option<String>,
        /// The id of the room's session; [`RoomCreate::room_session_id`] is the same.
        pub room_seq: Option<String>,
        /// The user's id.
        pub user_account: Option<String>,
        /// The user's name.
        pub user_nickname: Option<String>,
        /// The user's session id.
        pub session_id: Option<String>,
        /// When the user entered.
        pub login_time: Option<UnixMillis>,
        /// The user's role.
        pub user_role: Option<UserRole>,
        /// The token that the user logged in with.
        pub auth_level: Option<AuthLevel>,
        /// Whether the user had been in the room before.
        pub relogin: Option<Relogin>,
        /// Grows by one with every user who enters or leaves.
        pub user_update_seq: Option<u64>,
        /// What the client passed along.
        pub callback_data: Option<String>,
        /// The kind of device.
        pub term_type: Option<TerminalType>,
        ..rest
    }

    /// Payload of `room_logout`.
    pub struct RoomLogout {
        /// The app's id.
        pub appid: Option<String>,
        /// When the callback was signed.
        pub timestamp: Option<UnixSeconds>,
        /// The room's id.
        pub room_id: Option<String>,
        /// The id of the room's session; [`RoomCreate::room_session_id`] is the same.
        pub room_seq: Option<String>,
        /// The user's id.
        pub user_account: Option<String>,
        /// The user's name.
        pub user_nickname: Option<String>,
        /// The user's session id.
        pub session_id: Option<String>,
        /// When the user entered.
        pub login_time: Option<UnixMillis>,
        /// When the user left.
        pub logout_time: Option<UnixMillis>,
        /// Why the user left.
        pub reason: Option<LogoutReason>,
        /// The user's role.
        pub user_role: Option<UserRole>,
        /// Grows by one with every user who enters or leaves.
        pub user_update_seq: Option<u64>,
        ..rest
    }
}

codes! {
    /// Why a room was closed.
    pub enum CloseReason {
        /// It was closed normally.
        Normal = 0,
        /// The last user's heartbeat timed out.
        HeartbeatTimeout = 1,
        /// The last user went offline.
        Offline = 2,
        /// The last user was kicked.
        Kicked = 3,
    }

    /// A user's role; host and audience are meaningful with the LiveRoom SDK only.
    pub enum UserRole {
        /// Host.
        Host = 1,
        /// Audience.
        Audience = 2,
        /// Cloud recording, a moderation robot and the like.
        Admin = 4,
    }

    /// The token that a user logged in with.
    pub enum AuthLevel {
        /// No token.
        None = 0,
        /// A token of version 1.
        Token1 = 1,
        /// A token of version 2.
        Token2 = 2,
        /// A token of version 3.
        Token3 = 3,
        /// A token of version 4.
        Token4 = 4,
    }

    /// Whether a user entered for the first time.
    pub enum Relogin {
        /// For the first time.
        First = 0,
        /// Again.
        Again = 1,
    }

    /// A kind of device.
    pub enum TerminalType {
        /// None.
        None = 0,
        /// PC.
        Pc = 1,
        /// iOS.
        Ios = 2,
        /// Android.
        Android = 3,
        /// Mac.
        Mac = 4,
        /// Linux.
        Linux = 5,
        /// Web.
        Web = 6,
        /// Mini program.
        MiniProgram = 7,
        /// Unknown to ZEGOCLOUD.
        Unknown = 32,
    }

    /// Why a user left.
    pub enum LogoutReason {
        /// Of their own will.
        Normal = 0,
        /// The heartbeat timed out.
        HeartbeatTimeout = 1,
        /// The connection broke or its heartbeat timed out.
        Disconnected = 2,
        /// The same user entered elsewhere, or the KickoutUser API was called.
        Kicked = 3,
        /// The token expired.
        TokenExpired = 4,
    }
}
