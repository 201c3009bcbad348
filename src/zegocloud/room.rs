//! Rooms: opened, closed, entered, left.
//!
//! Pages: <https://www.zegocloud.com/docs/real-time-video-server/callback/room/room-created>.

use super::event::family;
use crate::wire::{codes, number, payload, text};

family! {
    /// A callback of the family *room*.
    ///
    /// Neither arrival nor order is guaranteed. How the pages reconcile:
    ///
    /// * Of two `room_create` for one `room_id` the newer `room_create_time` is the room that lives. A `room_close`
    ///   whose `room_session_id` differs from it and whose `room_close_time` is not later than it is stale.
    /// * A user's presence is `user_account` with `session_id` and `login_time`; a `room_logout` of another session or
    ///   of an earlier login is stale.
    /// * What comes before its room's `room_create` waits for it.
    pub enum RoomEvent in "event": str {
        /// A room came to be.
        "room_create" => Create(RoomCreate) as "room_create" by [room_session_id],
        /// A room ceased to be.
        "room_close" => Close(RoomClose) as "room_close" by [room_session_id],
        /// A user entered.
        "room_login" => Login(RoomLogin) as "room_login" by [room_seq, session_id, login_time],
        /// A user left.
        "room_logout" => Logout(RoomLogout) as "room_logout" by [room_seq, session_id, logout_time],
    }
}

payload! {
    /// `room_create`.
    pub struct RoomCreate {
        /// The app's id.
        pub appid: u64 => "number",
        /// When the callback was signed, in Unix seconds.
        pub timestamp: u64 => "number",
        /// The room's id.
        pub room_id: String => "text",
        /// Unique in every life of a room; [`RoomLogin::room_seq`] holds the same number.
        pub room_session_id: u64 => "number",
        /// When the room came to be, in Unix milliseconds.
        pub room_create_time: u64 => "text",
        /// The creator's user id.
        pub id_name: String => "text",
    }

    /// `room_close`.
    pub struct RoomClose {
        /// The app's id.
        pub appid: u64 => "number",
        /// When the callback was signed, in Unix seconds.
        pub timestamp: u64 => "number",
        /// The room's id.
        pub room_id: String => "text",
        /// The life of the room that ended.
        pub room_session_id: u64 => "number",
        /// When the room ceased to be, in Unix milliseconds.
        pub room_close_time: u64 => "text",
        /// Why.
        pub close_reason: CloseReason => "number",
    }

    /// `room_login`.
    pub struct RoomLogin {
        /// The app's id.
        pub appid: u64 => "text",
        /// When the callback was signed, in Unix seconds.
        pub timestamp: u64 => "text",
        /// The room's id.
        pub room_id: String => "text",
        /// The room's name.
        pub room_name: String => "text",
        /// The life of the room; [`RoomCreate::room_session_id`] holds the same number.
        pub room_seq: u64 => "text",
        /// The user's id.
        pub user_account: String => "text",
        /// The user's name.
        pub user_nickname: String => "text",
        /// The user's session.
        pub session_id: u64 => "text",
        /// When the user entered, in Unix milliseconds.
        pub login_time: u64 => "text",
        /// The user's role.
        pub user_role: UserRole => "text",
        /// With what the user proved who they are.
        pub auth_level: AuthLevel => "text",
        /// Whether the user had been in before.
        pub relogin: Relogin => "text",
        /// One more with every user that enters or leaves.
        pub user_update_seq: u64 => "text",
        /// What the client passed along.
        pub callback_data: String => "text",
        /// The kind of device.
        pub term_type: TerminalType => "text",
    }

    /// `room_logout`.
    pub struct RoomLogout {
        /// The app's id.
        pub appid: u64 => "text",
        /// When the callback was signed, in Unix seconds.
        pub timestamp: u64 => "text",
        /// The room's id.
        pub room_id: String => "text",
        /// The life of the room; [`RoomCreate::room_session_id`] holds the same number.
        pub room_seq: u64 => "text",
        /// The user's id.
        pub user_account: String => "text",
        /// The user's name.
        pub user_nickname: String => "text",
        /// The user's session.
        pub session_id: u64 => "text",
        /// When the user entered, in Unix milliseconds.
        pub login_time: u64 => "text",
        /// When the user left, in Unix milliseconds.
        pub logout_time: u64 => "text",
        /// Why.
        pub reason: LogoutReason => "text",
        /// The user's role.
        pub user_role: UserRole => "text",
        /// One more with every user that enters or leaves.
        pub user_update_seq: u64 => "text",
    }
}

codes! {
    /// Why a room ceased to be.
    pub enum CloseReason {
        /// It was left.
        Normal = 0,
        /// The last user's heartbeat timed out.
        HeartbeatTimeout = 1,
        /// The last user went offline.
        Offline = 2,
        /// The last user was kicked.
        Kicked = 3,
    }

    /// A user's role; host and audience mean something with the LiveRoom SDK only.
    pub enum UserRole {
        /// Host.
        Host = 1,
        /// Audience.
        Audience = 2,
        /// Cloud recording, a moderation robot and the like.
        Admin = 4,
    }

    /// With what a user proved who they are.
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
        /// The token ran out.
        TokenExpired = 4,
    }
}
