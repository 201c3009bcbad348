//! AI Agent: what was heard and said, who speaks, and the life of an agent's instance.
//!
//! Pages: <https://www.zegocloud.com/docs/aiagent-server/callbacks/receiving-callback>.

use super::event::family;
use crate::{
    Json,
    wire::{codes, number, payload, text, words},
};

family! {
    /// A callback of the family *AI Agent*.
    ///
    /// `ASRResult`, `LLMResult`, `Interrupted`, `UserSpeakAction`, `AgentInstanceStatus` and `UserAudioData` come only
    /// if the instance was created with `CallbackConfig.<name>` 1. `Sequence` orders the callbacks of an instance, with
    /// gaps; the number of a round grows with gaps too.
    pub enum AiAgentEvent in "Event": str {
        /// A user's words were recognised.
        "ASRResult" => AsrResult(AiAgent<AgentAsrResult>) as "ai_agent.ASRResult" by [agent_instance_id, sequence],
        /// The language model gave a sentence.
        "LLMResult" => LlmResult(AiAgent<AgentLlmResult>) as "ai_agent.LLMResult" by [agent_instance_id, sequence],
        /// Something went wrong.
        "Exception" => Exception(AiAgent<AgentException>) as "ai_agent.Exception" by [agent_instance_id, sequence],
        /// The agent was interrupted.
        "Interrupted" => Interrupted(AiAgent<AgentInterrupted>) as "ai_agent.Interrupted"
            by [agent_instance_id, sequence],
        /// A user began or ceased to speak.
        "UserSpeakAction" => UserSpeakAction(AiAgent<UserSpeakAction>) as "ai_agent.UserSpeakAction"
            by [agent_instance_id, sequence],
        /// The agent does something else now.
        "AgentInstanceStatus" => Status(AiAgent<AgentStatus>) as "ai_agent.AgentInstanceStatus"
            by [agent_instance_id, sequence],
        /// The agent began or ceased to speak. ZEGOCLOUD replaces it by `AgentInstanceStatus`, whose example on the
        /// page has this name.
        "AgentSpeakAction" => SpeakAction(AiAgent<AgentSpeakAction>) as "ai_agent.AgentSpeakAction"
            by [agent_instance_id, sequence],
        /// The first sound of a user's round.
        "UserAudioData" => UserAudioData(AiAgent<UserAudioData>) as "ai_agent.UserAudioData"
            by [agent_instance_id, sequence],
        /// The instance came to be.
        "AgentInstanceCreated" => Created(AiAgent<AgentCreated>) as "ai_agent.AgentInstanceCreated"
            by [agent_instance_id, sequence],
        /// The instance ceased to be.
        "AgentInstanceDeleted" => Deleted(AiAgent<AgentDeleted>) as "ai_agent.AgentInstanceDeleted"
            by [agent_instance_id, sequence],
        /// What the language model attached to its words.
        "AgentInstanceMetaInfo" => MetaInfo(AiAgent<AgentMetaInfo>) as "ai_agent.AgentInstanceMetaInfo"
            by [agent_instance_id, sequence],
    }
}

payload! {
    /// What all events have in common.
    #[serde(rename_all = "PascalCase")]
    pub struct AiAgent<D> {
        /// The app's id.
        pub app_id: u64 => "number",
        /// When the callback was signed, in Unix milliseconds.
        pub timestamp: u64 => "number",
        /// The agent's instance.
        pub agent_instance_id: String => "text",
        /// The user as whom it is in the room.
        pub agent_user_id: String => "text",
        /// The agent.
        pub agent_id: String => "text",
        /// The agent's name.
        pub name: String => "text",
        /// The room's id.
        pub room_id: String => "text",
        /// Grows with every callback of the instance.
        pub sequence: u64 => "number",
        /// The event itself.
        pub data: D,
    }

    /// `ASRResult`.
    #[serde(rename_all = "PascalCase")]
    pub struct AgentAsrResult {
        /// The speaker.
        pub user_id: String => "text",
        /// The round.
        pub round: i64 => "number",
        /// The words.
        pub text: String => "text",
    }

    /// `LLMResult`.
    #[serde(rename_all = "PascalCase")]
    pub struct AgentLlmResult {
        /// The round.
        pub round: i64 => "number",
        /// The sentence.
        pub text: String => "text",
    }

    /// `Exception`.
    #[serde(rename_all = "PascalCase")]
    pub struct AgentException {
        /// What went wrong.
        pub code: ExceptionCode => "number",
        /// More on it.
        pub message: String => "text",
        /// The round.
        pub round: i64 => "number",
    }

    /// `Interrupted`.
    #[serde(rename_all = "PascalCase")]
    pub struct AgentInterrupted {
        /// The round.
        pub round: i64 => "number",
        /// By what.
        pub reason: InterruptReason => "number",
        /// What the agent had said by then; since July 2026.
        pub played_text: String => "text",
    }

    /// `UserSpeakAction`.
    #[serde(rename_all = "PascalCase")]
    pub struct UserSpeakAction {
        /// The speaker.
        pub user_id: String => "text",
        /// Whether they began or ceased.
        pub action: SpeakAction => "text",
        /// The round.
        pub round: i64 => "number",
    }

    /// `AgentInstanceStatus`.
    #[serde(rename_all = "PascalCase")]
    pub struct AgentStatus {
        /// What the agent does.
        pub status: AgentState => "text",
        /// The round.
        pub round: i64 => "number",
    }

    /// `AgentSpeakAction`: an action, or what `AgentInstanceStatus` holds.
    #[serde(rename_all = "PascalCase")]
    pub struct AgentSpeakAction {
        /// Whether the agent began or ceased.
        pub action: SpeakAction => "text",
        /// What the agent does.
        pub status: AgentState => "text",
        /// The round.
        pub round: i64 => "number",
    }

    /// `UserAudioData`.
    #[serde(rename_all = "PascalCase")]
    pub struct UserAudioData {
        /// The speaker.
        pub user_id: String => "text",
        /// The round.
        pub round: i64 => "number",
        /// Samples a second, 16000.
        pub sample_rate: u64 => "number",
        /// `pcm`.
        pub format: String => "text",
        /// The first 1 to 1.5 s in Base64, about 64 KB.
        pub audio: String => "text",
    }

    /// `AgentInstanceCreated`.
    #[serde(rename_all = "PascalCase")]
    pub struct AgentCreated {
        /// When, in Unix milliseconds.
        pub created_timestamp: u64 => "number",
    }

    /// `AgentInstanceDeleted`.
    #[serde(rename_all = "PascalCase")]
    pub struct AgentDeleted {
        /// Why.
        pub code: DeletionCode => "number",
        /// When, in Unix milliseconds.
        pub deleted_timestamp: u64 => "number",
        /// How fast it was.
        pub latency_data: AgentLatency,
    }

    /// How fast an agent was, on average.
    #[serde(rename_all = "PascalCase")]
    pub struct AgentLatency {
        /// From the request to the language model until its first token, in milliseconds.
        #[serde(rename = "LLMTTFT")]
        pub llm_ttft: f64 => "number",
        /// The language model's tokens a second.
        #[serde(rename = "LLMTPS")]
        pub llm_tps: f64 => "number",
        /// From the first token until the first sound, in milliseconds.
        #[serde(rename = "TTSAudioFirstFrameTime")]
        pub tts_audio_first_frame_time: f64 => "number",
        /// From the end of the user's words until the first sound, in milliseconds.
        pub total_cost: f64 => "number",
    }

    /// `AgentInstanceMetaInfo`.
    #[serde(rename_all = "PascalCase")]
    pub struct AgentMetaInfo {
        /// The round.
        pub round: i64 => "number",
        /// What was attached; free in form.
        pub meta_info: Json,
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

    /// Why an instance ceased to be.
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
    /// Whether somebody began or ceased to speak.
    pub enum SpeakAction {
        /// Began.
        Begin = "SPEAK_BEGIN",
        /// Ceased.
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
