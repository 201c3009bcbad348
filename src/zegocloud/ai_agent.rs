//! AI Agent: what users and agents say, and the states of agent instances.
//!
//! Pages: <https://www.zegocloud.com/docs/aiagent-server/callbacks/receiving-callback>.

use crate::{
    Json, UnixMillis,
    payload::{codes, events, payload, words},
};

events! {
    /// A callback of the family *AI Agent*.
    ///
    /// `ASRResult`, `LLMResult`, `Interrupted`, `UserSpeakAction`, `AgentInstanceStatus` and
    /// `UserAudioData` are sent only if the instance was created with `CallbackConfig.<name>` set.
    /// `Sequence` orders the callbacks of an instance; it and `Round` grow with gaps.
    pub enum AiAgentEvent in "Event" {
        /// A user's words were recognised.
        "ASRResult" => AsrResult(AiAgent<AgentText>) as "ai_agent.ASRResult"
            key |it| [it.agent_instance_id, it.sequence],
        /// The language model generated a sentence.
        "LLMResult" => LlmResult(AiAgent<AgentText>) as "ai_agent.LLMResult"
            key |it| [it.agent_instance_id, it.sequence],
        /// Something went wrong.
        "Exception" => Exception(AiAgent<AgentException>) as "ai_agent.Exception"
            key |it| [it.agent_instance_id, it.sequence],
        /// The agent was interrupted.
        "Interrupted" => Interrupted(AiAgent<AgentInterrupted>) as "ai_agent.Interrupted"
            key |it| [it.agent_instance_id, it.sequence],
        /// A user started or stopped speaking.
        "UserSpeakAction" => UserSpeakAction(AiAgent<UserSpeakAction>) as "ai_agent.UserSpeakAction"
            key |it| [it.agent_instance_id, it.sequence],
        /// The agent's state changed.
        "AgentInstanceStatus" => Status(AiAgent<AgentStatus>) as "ai_agent.AgentInstanceStatus"
            key |it| [it.agent_instance_id, it.sequence],
        /// The agent started or stopped speaking. Deprecated by ZEGOCLOUD in favour of
        /// `AgentInstanceStatus`, whose example on the page has this name.
        "AgentSpeakAction" => SpeakAction(AiAgent<AgentStatus>) as "ai_agent.AgentSpeakAction"
            key |it| [it.agent_instance_id, it.sequence],
        /// The start of a user's audio in a round.
        "UserAudioData" => UserAudioData(AiAgent<UserAudioData>) as "ai_agent.UserAudioData"
            key |it| [it.agent_instance_id, it.sequence],
        /// The instance was created.
        "AgentInstanceCreated" => Created(AiAgent<AgentCreated>) as "ai_agent.AgentInstanceCreated"
            key |it| [it.agent_instance_id, it.sequence],
        /// The instance was deleted.
        "AgentInstanceDeleted" => Deleted(AiAgent<AgentDeleted>) as "ai_agent.AgentInstanceDeleted"
            key |it| [it.agent_instance_id, it.sequence],
        /// What the language model attached to its text.
        "AgentInstanceMetaInfo" => MetaInfo(AiAgent<AgentMetaInfo>)
            as "ai_agent.AgentInstanceMetaInfo"
            key |it| [it.agent_instance_id, it.sequence],
    }
}

payload! {
    /// The members that all events share.
    pub struct AiAgent<D> {
        /// The app's id.
        pub app_id: Option<String> = "AppId",
        /// When the callback was signed.
        pub timestamp: Option<UnixMillis> = "Timestamp",
        /// The id of the agent's instance.
        pub agent_instance_id: Option<String> = "AgentInstanceId",
        /// The id of the agent's user in the room.
        pub agent_user_id: Option<String> = "AgentUserId",
        /// The agent's id.
        pub agent_id: Option<String> = "AgentId",
        /// The agent's name.
        pub name: Option<String> = "Name",
        /// The room's id.
        pub room_id: Option<String> = "RoomId",
        /// Grows with every callback of the instance.
        pub sequence: Option<u64> = "Sequence",
        /// The event's own data.
        pub data: Option<D> = "Data",
        ..rest
    }

    /// Data of `ASRResult` and `LLMResult`.
    pub struct AgentText {
        /// The speaker; of `ASRResult`.
        pub user_id: Option<String> = "UserId",
        /// The round's number.
        pub round: Option<i64> = "Round",
        /// The text; of `LLMResult` one sentence.
        pub text: Option<String> = "Text",
        ..rest
    }

    /// Data of `Exception`.
    pub struct AgentException {
        /// The error.
        pub code: Option<ExceptionCode> = "Code",
        /// The error in words.
        pub message: Option<String> = "Message",
        /// The round's number.
        pub round: Option<i64> = "Round",
        ..rest
    }

    /// Data of `Interrupted`.
    pub struct AgentInterrupted {
        /// The round's number.
        pub round: Option<i64> = "Round",
        /// Why the agent was interrupted.
        pub reason: Option<InterruptReason> = "Reason",
        /// What the agent had said by then; since July 2026.
        pub played_text: Option<String> = "PlayedText",
        ..rest
    }

    /// Data of `UserSpeakAction`.
    pub struct UserSpeakAction {
        /// The speaker.
        pub user_id: Option<String> = "UserId",
        /// Whether they started or stopped.
        pub action: Option<SpeakAction> = "Action",
        /// The round's number.
        pub round: Option<i64> = "Round",
        ..rest
    }

    /// Data of `AgentInstanceStatus`, and of `AgentSpeakAction`, which it replaces.
    pub struct AgentStatus {
        /// The agent's state.
        pub status: Option<AgentState> = "Status",
        /// Whether the agent started or stopped; of `AgentSpeakAction`.
        pub action: Option<SpeakAction> = "Action",
        /// The round's number.
        pub round: Option<i64> = "Round",
        ..rest
    }

    /// Data of `UserAudioData`.
    pub struct UserAudioData {
        /// The speaker.
        pub user_id: Option<String> = "UserId",
        /// The round's number.
        pub round: Option<i64> = "Round",
        /// Samples per second, 16000.
        pub sample_rate: Option<u64> = "SampleRate",
        /// `pcm`.
        pub format: Option<String> = "Format",
        /// The first 1 to 1.5 s in Base64, about 64 KB.
        pub audio: Option<String> = "Audio",
        ..rest
    }

    /// Data of `AgentInstanceCreated`.
    pub struct AgentCreated {
        /// When the instance was created.
        pub created_timestamp: Option<UnixMillis> = "CreatedTimestamp",
        ..rest
    }

    /// Data of `AgentInstanceDeleted`.
    pub struct AgentDeleted {
        /// Why the instance was deleted.
        pub code: Option<DeletionCode> = "Code",
        /// When the instance was deleted.
        pub deleted_timestamp: Option<UnixMillis> = "DeletedTimestamp",
        /// The agent's average latency.
        pub latency_data: Option<AgentLatency> = "LatencyData",
        ..rest
    }

    /// The average latency of an agent.
    pub struct AgentLatency {
        /// From the request to the language model until its first token, in milliseconds.
        pub llm_ttft: Option<f64> = "LLMTTFT",
        /// The language model's tokens per second.
        pub llm_tps: Option<f64> = "LLMTPS",
        /// From the first token until the first sound, in milliseconds.
        pub tts_audio_first_frame_time: Option<f64> = "TTSAudioFirstFrameTime",
        /// From the end of the user's speech until the first sound, in milliseconds.
        pub total_cost: Option<f64> = "TotalCost",
        ..rest
    }

    /// Data of `AgentInstanceMetaInfo`.
    pub struct AgentMetaInfo {
        /// The round's number.
        pub round: Option<i64> = "Round",
        /// What was attached; free in form.
        pub meta_info: Option<Json> = "MetaInfo",
        ..rest
    }
}

codes! {
    /// The error of an `Exception`, also in real-time ASR.
    pub enum ExceptionCode {
        /// A general error; see the message.
        General = 1001,
        /// A voice was detected, but no text.
        NoText = 1004,
        /// In-app chat failed.
        Im = 1101,
        /// RTC failed.
        Rtc = 1201,
        /// The user was away for too long: 120 s, or `MaxIdleTime`.
        UserAbsent = 1202,
        /// Kicked from the room.
        Kicked = 1203,
        /// Could not enter the room.
        LoginFailed = 1204,
        /// Disconnected from the room.
        Disconnected = 1205,
        /// Could not publish a stream.
        PublishFailed = 1206,
        /// Could not play a stream.
        PullFailed = 1207,
        /// Could not send a message to the room.
        RoomMessageFailed = 1208,
        /// Speech recognition failed.
        Asr = 2101,
        /// Language model: general error.
        Llm = 2201,
        /// Language model: parameters.
        LlmParams = 2202,
        /// Language model: authentication.
        LlmAuth = 2203,
        /// Language model: too many concurrent requests.
        LlmConcurrency = 2204,
        /// Language model: its bill is not paid.
        LlmArrears = 2205,
        /// Language model: the content was refused.
        LlmContent = 2206,
        /// Speech synthesis: general error.
        Tts = 2301,
        /// Speech synthesis: parameters.
        TtsParams = 2302,
        /// Speech synthesis: authentication.
        TtsAuth = 2303,
        /// Speech synthesis: too many concurrent requests.
        TtsConcurrency = 2304,
        /// Speech synthesis: its bill is not paid.
        TtsArrears = 2305,
    }

    /// Why an agent was interrupted.
    pub enum InterruptReason {
        /// The user spoke.
        UserSpoke = 1,
        /// The SendAgentInstanceLLM API was called.
        SendLlm = 2,
        /// The SendAgentInstanceTTS API was called.
        SendTts = 3,
        /// The API to interrupt it was called.
        Api = 4,
    }

    /// Why an instance was deleted.
    pub enum DeletionCode {
        /// The API was called.
        Api = 0,
        /// RTC failed.
        Rtc = 1201,
        /// The user was away for too long: 120 s, or `MaxIdleTime`.
        UserAbsent = 1202,
        /// Kicked from the room.
        Kicked = 1203,
        /// Could not enter the room.
        LoginFailed = 1204,
        /// Disconnected from the room.
        Disconnected = 1205,
        /// Could not publish its stream.
        PublishFailed = 1206,
    }
}

words! {
    /// Whether somebody started or stopped speaking.
    pub enum SpeakAction {
        /// Started.
        Begin = "SPEAK_BEGIN",
        /// Stopped.
        End = "SPEAK_END",
    }

    /// The state of an agent.
    pub enum AgentState {
        /// It is idle.
        Idle = "IDLE",
        /// It listens.
        Listening = "LISTENING",
        /// It thinks.
        Thinking = "THINKING",
        /// It speaks.
        Speaking = "SPEAKING",
    }
}
