//! AI Agent: what was heard and said, who speaks, and the life of an agent's instance.
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
    /// `UserAudioData` come only if the instance was created with `CallbackConfig.<name>` 1.
    /// `Sequence` orders the callbacks of an instance, with gaps; the number of a round grows with
    /// gaps too.
    pub enum AiAgentEvent in "Event" {
        /// A user's words were recognised.
        "ASRResult" => AsrResult(AiAgent<AgentAsrResult>) as "ai_agent.ASRResult"
            key |it| [it.agent_instance_id, it.sequence],
        /// The language model gave a sentence.
        "LLMResult" => LlmResult(AiAgent<AgentLlmResult>) as "ai_agent.LLMResult"
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
        /// The agent started or stopped speaking. ZEGOCLOUD replaces it by `AgentInstanceStatus`,
        /// whose example on the page has this name.
        "AgentSpeakAction" => SpeakAction(AiAgent<AgentSpeakAction>) as "ai_agent.AgentSpeakAction"
            key |it| [it.agent_instance_id, it.sequence],
        /// The first sound of a user's round.
        "UserAudioData" => UserAudioData(AiAgent<UserAudioData>) as "ai_agent.UserAudioData"
            key |it| [it.agent_instance_id, it.sequence],
        /// The instance was created.
        "AgentInstanceCreated" => Created(AiAgent<AgentCreated>) as "ai_agent.AgentInstanceCreated"
            key |it| [it.agent_instance_id, it.sequence],
        /// The instance was deleted.
        "AgentInstanceDeleted" => Deleted(AiAgent<AgentDeleted>) as "ai_agent.AgentInstanceDeleted"
            key |it| [it.agent_instance_id, it.sequence],
        /// What the language model attached to its words.
        "AgentInstanceMetaInfo" => MetaInfo(AiAgent<AgentMetaInfo>)
            as "ai_agent.AgentInstanceMetaInfo"
            key |it| [it.agent_instance_id, it.sequence],
    }
}

payload! {
    /// What all events have in common.
    pub struct AiAgent<D> {
        /// The app's id.
        pub app_id: Option<String> = "AppId",
        /// When the callback was signed.
        pub timestamp: Option<UnixMillis> = "Timestamp",
        /// The agent's instance.
        pub agent_instance_id: Option<String> = "AgentInstanceId",
        /// The user as whom it is in the room.
        pub agent_user_id: Option<String> = "AgentUserId",
        /// The agent.
        pub agent_id: Option<String> = "AgentId",
        /// The agent's name.
        pub name: Option<String> = "Name",
        /// The room's id.
        pub room_id: Option<String> = "RoomId",
        /// Grows with every callback of the instance.
        pub sequence: Option<u64> = "Sequence",
        /// The event itself.
        pub data: Option<D> = "Data",
        ..rest
    }

    /// `ASRResult`.
    pub struct AgentAsrResult {
        /// The speaker.
        pub user_id: Option<String> = "UserId",
        /// The round.
        pub round: Option<i64> = "Round",
        /// The words.
        pub text: Option<String> = "Text",
        ..rest
    }

    /// `LLMResult`.
    pub struct AgentLlmResult {
        /// The round.
        pub round: Option<i64> = "Round",
        /// The sentence.
        pub text: Option<String> = "Text",
        ..rest
    }

    /// `Exception`.
    pub struct AgentException {
        /// What went wrong.
        pub code: Option<ExceptionCode> = "Code",
        /// More on it.
        pub message: Option<String> = "Message",
        /// The round.
        pub round: Option<i64> = "Round",
        ..rest
    }

    /// `Interrupted`.
    pub struct AgentInterrupted {
        /// The round.
        pub round: Option<i64> = "Round",
        /// By what.
        pub reason: Option<InterruptReason> = "Reason",
        /// What the agent had said by then; since July 2026.
        pub played_text: Option<String> = "PlayedText",
        ..rest
    }

    /// `UserSpeakAction`.
    pub struct UserSpeakAction {
        /// The speaker.
        pub user_id: Option<String> = "UserId",
        /// Whether they started or stopped.
        pub action: Option<SpeakAction> = "Action",
        /// The round.
        pub round: Option<i64> = "Round",
        ..rest
    }

    /// `AgentInstanceStatus`.
    pub struct AgentStatus {
        /// What the agent does.
        pub status: Option<AgentState> = "Status",
        /// The round.
        pub round: Option<i64> = "Round",
        ..rest
    }

    /// `AgentSpeakAction`: an action, or what `AgentInstanceStatus` holds.
    pub struct AgentSpeakAction {
        /// Whether the agent started or stopped.
        pub action: Option<SpeakAction> = "Action",
        /// What the agent does.
        pub status: Option<AgentState> = "Status",
        /// The round.
        pub round: Option<i64> = "Round",
        ..rest
    }

    /// `UserAudioData`.
    pub struct UserAudioData {
        /// The speaker.
        pub user_id: Option<String> = "UserId",
        /// The round.
        pub round: Option<i64> = "Round",
        /// Samples per second, 16000.
        pub sample_rate: Option<u64> = "SampleRate",
        /// `pcm`.
        pub format: Option<String> = "Format",
        /// The first 1 to 1.5 s in Base64, about 64 KB.
        pub audio: Option<String> = "Audio",
        ..rest
    }

    /// `AgentInstanceCreated`.
    pub struct AgentCreated {
        /// When.
        pub created_timestamp: Option<UnixMillis> = "CreatedTimestamp",
        ..rest
    }

    /// `AgentInstanceDeleted`.
    pub struct AgentDeleted {
        /// Why.
        pub code: Option<DeletionCode> = "Code",
        /// When.
        pub deleted_timestamp: Option<UnixMillis> = "DeletedTimestamp",
        /// How fast it was.
        pub latency_data: Option<AgentLatency> = "LatencyData",
        ..rest
    }

    /// How fast an agent was, on average.
    pub struct AgentLatency {
        /// From the request to the language model until its first token, in milliseconds.
        pub llm_ttft: Option<f64> = "LLMTTFT",
        /// The language model's tokens per second.
        pub llm_tps: Option<f64> = "LLMTPS",
        /// From the first token until the first sound, in milliseconds.
        pub tts_audio_first_frame_time: Option<f64> = "TTSAudioFirstFrameTime",
        /// From the end of the user's words until the first sound, in milliseconds.
        pub total_cost: Option<f64> = "TotalCost",
        ..rest
    }

    /// `AgentInstanceMetaInfo`.
    pub struct AgentMetaInfo {
        /// The round.
        pub round: Option<i64> = "Round",
        /// What was attached; free in form.
        pub meta_info: Option<Json> = "MetaInfo",
        ..rest
    }
}

codes! {
    /// What went wrong. Real-time ASR uses some of these codes too.
    pub enum ExceptionCode {
        /// Anything; the message says more.
        General = 1001,
        /// A voice was there, but no words.
        NoText = 1004,
        /// In-app chat.
        Im = 1101,
        /// RTC.
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
        /// Speech recognition.
        Asr = 2101,
        /// Language model: anything else.
        Llm = 2201,
        /// Language model: parameters.
        LlmParams = 2202,
        /// Language model: authentication.
        LlmAuth = 2203,
        /// Language model: too many at once.
        LlmConcurrency = 2204,
        /// Language model: its bill is not paid.
        LlmArrears = 2205,
        /// Language model: the content was refused.
        LlmContent = 2206,
        /// Speech synthesis: anything else.
        Tts = 2301,
        /// Speech synthesis: parameters.
        TtsParams = 2302,
        /// Speech synthesis: authentication.
        TtsAuth = 2303,
        /// Speech synthesis: too many at once.
        TtsConcurrency = 2304,
        /// Speech synthesis: its bill is not paid.
        TtsArrears = 2305,
    }

    /// By what an agent was interrupted.
    pub enum InterruptReason {
        /// The user spoke.
        UserSpoke = 1,
        /// The API SendAgentInstanceLLM.
        SendLlm = 2,
        /// The API SendAgentInstanceTTS.
        SendTts = 3,
        /// The API that interrupts.
        Api = 4,
    }

    /// Why an instance was deleted.
    pub enum DeletionCode {
        /// The API.
        Api = 0,
        /// RTC.
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

    /// What an agent does.
    pub enum AgentState {
        /// Nothing.
        Idle = "IDLE",
        /// It listens.
        Listening = "LISTENING",
        /// It thinks.
        Thinking = "THINKING",
        /// It speaks.
        Speaking = "SPEAKING",
    }
}
