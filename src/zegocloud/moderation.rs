//! Moderation of streams by Shumei, from the console's cloud market: what was found in a piece of audio or in a
//! picture, and the end of a task.
//!
//! Pages: <https://www.zegocloud.com/docs/real-time-video-server/callback/moderation/audio>.

use super::event::family;
use crate::wire::{codes, number, payload, text, words};

family! {
    /// A callback of the family *moderation*.
    ///
    /// Audio is moderated in pieces of 10 s. The end of a task is told only if it was started with `ReturnFinishInfo`
    /// 1. Many fields are empty or missing where the audio is silent.
    pub enum ModerationEvent in "Event": str {
        /// A piece of an audio stream was moderated.
        "censor_audio_v2_result" => AudioResult(ModerationResult) as "censor_audio_v2_result" by [result_task_id],
        /// The moderation of an audio stream ended.
        "censor_audio_v2_status" => AudioStatus(ModerationStatus) as "censor_audio_v2_status" by [task_id],
        /// A piece of a video stream's audio was moderated.
        "censor_video_v2_audio_result" => VideoAudioResult(ModerationResult) as "censor_video_v2_audio_result"
            by [result_task_id],
        /// A picture of a video stream was moderated.
        "censor_video_v2_img_result" => VideoImageResult(ModerationResult) as "censor_video_v2_img_result"
            by [result_task_id],
        /// The moderation of a video stream's audio ended.
        "censor_video_v2_audio_status" => VideoAudioStatus(ModerationStatus) as "censor_video_v2_audio_status"
            by [task_id],
        /// The moderation of a video stream's pictures ended.
        "censor_video_v2_img_status" => VideoImageStatus(ModerationStatus) as "censor_video_v2_img_status" by [task_id],
    }
}

payload! {
    /// The three `…_result`.
    #[serde(rename_all = "PascalCase")]
    pub struct ModerationResult {
        /// The app's id.
        pub app_id: u64 => "number",
        /// When the callback was signed, in Unix seconds.
        pub timestamp: u64 => "number",
        /// 0 if it worked.
        pub code: i64 => "number",
        /// What went wrong.
        pub message: String => "text",
        /// The task.
        pub task_id: String => "text",
        /// This result.
        pub result_task_id: String => "text",
        /// What was found.
        pub detail: ModerationDetail,
        /// What was moderated.
        pub aux_info: ModerationSource,
    }

    /// The three `…_status`.
    #[serde(rename_all = "PascalCase")]
    pub struct ModerationStatus {
        /// The app's id.
        pub app_id: u64 => "number",
        /// When the callback was signed, in Unix seconds.
        pub timestamp: u64 => "number",
        /// 0 if it worked.
        pub code: i64 => "number",
        /// What went wrong.
        pub message: String => "text",
        /// The task.
        pub task_id: String => "text",
        /// The task's state.
        pub status: ModerationState => "number",
        /// What was moderated.
        pub aux_info: ModerationTotal,
    }

    /// What was moderated to a result.
    #[serde(rename_all = "PascalCase")]
    pub struct ModerationSource {
        /// The room's id.
        pub room_id: String => "text",
        /// Audio: when the moderation of the piece began, in Unix milliseconds.
        pub process_begin_time: u64 => "number",
        /// Audio: when the moderation of the piece ended, in Unix milliseconds.
        pub process_finish_time: u64 => "number",
        /// Picture: when it was taken, `YYYY-MM-DD hh:mm:ss.mmm` in Beijing.
        pub img_time: String => "text",
        /// Audio stream: the speaker's id.
        pub user_id: String => "text",
        /// Video stream: the stream's id.
        pub stream_id: String => "text",
    }

    /// What was moderated by a task that ended.
    #[serde(rename_all = "PascalCase")]
    pub struct ModerationTotal {
        /// The room's id.
        pub room_id: String => "text",
        /// How much of the stream was moderated, in seconds.
        pub censor_stream_time: u64 => "number",
    }

    /// What was found in a piece of audio or in a picture.
    #[serde(rename_all = "PascalCase")]
    pub struct ModerationDetail {
        /// The verdict; there if the result's code is 0.
        pub risk_level: RiskLevel => "text",
        /// Audio stream: the spoken text.
        pub audio_text: String => "text",
        /// Video stream's audio: the spoken text.
        pub content: String => "text",
        /// Audio: the piece's address.
        pub audio_url: String => "text",
        /// Audio: the address of the piece with the one before it; only if asked for.
        pub pre_audio_url: String => "text",
        /// Picture: its address.
        pub img_url: String => "text",
        /// The labels, for people.
        pub risk_description: String => "text",
        /// The first label; `normal` with [`RiskLevel::Pass`].
        pub risk_label1: String => "text",
        /// The second label; empty with [`RiskLevel::Pass`].
        pub risk_label2: String => "text",
        /// The third label; empty with [`RiskLevel::Pass`].
        pub risk_label3: String => "text",
        /// Audio: whether anybody spoke.
        pub vad_status: VadStatus => "number",
        /// The gravest risk.
        pub risk_detail: RiskDetail,
        /// All risks, the gravest first.
        pub risk_info_list: Vec<RiskInfo>,
        /// What else was recognised.
        pub business_info_list: Vec<BusinessInfo>,
    }

    /// A risk that was found.
    #[serde(rename_all = "PascalCase")]
    pub struct RiskInfo {
        /// The verdict.
        pub risk_level: RiskLevel => "text",
        /// Picture: how sure that is, from 0 to 1.
        pub probability: f64 => "number",
        /// The labels, for people.
        pub risk_description: String => "text",
        /// The first label.
        pub risk_label1: String => "text",
        /// The second label.
        pub risk_label2: String => "text",
        /// The third label.
        pub risk_label3: String => "text",
        /// Where it was found.
        pub risk_detail: RiskDetail,
    }

    /// Where a risk was found.
    #[serde(rename_all = "PascalCase")]
    pub struct RiskDetail {
        /// In what.
        pub risk_source: RiskSource => "number",
        /// Audio: the spoken text.
        pub audio_text: String => "text",
        /// Audio: the customised lists that matched.
        pub matched_lists: Vec<MatchedList>,
        /// Picture: the faces of known persons, at most 10.
        pub face_info_list: Vec<FaceInfo>,
        /// Picture: the text in it.
        pub ocr_info: OcrInfo,
    }

    /// A customised list that matched.
    #[serde(rename_all = "PascalCase")]
    pub struct MatchedList {
        /// The list's name.
        pub name: String => "text",
    }

    /// A face in a picture.
    #[serde(rename_all = "PascalCase")]
    pub struct FaceInfo {
        /// The person's name.
        pub name: String => "text",
        /// The number of the person in this picture.
        pub id: String => "text",
        /// How much of the picture the face takes, from 0 to 1.
        pub face_ratio: f64 => "number",
        /// How sure it is, from 0 to 1.
        pub probability: f64 => "number",
        /// x and y of the top left corner, then of the bottom right one, in pixels.
        pub location: Vec<f64>,
    }

    /// Text in a picture.
    #[serde(rename_all = "PascalCase")]
    pub struct OcrInfo {
        /// The text.
        pub text: String => "text",
        /// The customised lists that matched.
        pub matched_lists: Vec<MatchedList>,
    }

    /// Something that was recognised and is no risk.
    #[serde(rename_all = "PascalCase")]
    pub struct BusinessInfo {
        /// The labels, for people.
        pub business_description: String => "text",
        /// The first label.
        pub business_label1: String => "text",
        /// The second label.
        pub business_label2: String => "text",
        /// The third label. The page's table calls it `BusinessLabe3`, which is read too.
        #[serde(alias = "BusinessLabe3")]
        pub business_label3: String => "text",
        /// How sure it is, in steps.
        pub confidence_level: f64 => "number",
        /// How sure it is, from 0 to 1.
        pub probability: f64 => "number",
        /// Picture: more on it.
        pub business_detail: BusinessDetail,
    }

    /// More on what was recognised in a picture.
    #[serde(rename_all = "PascalCase")]
    pub struct BusinessDetail {
        /// The faces, at most 10.
        pub face_info_list: Vec<FaceInfo>,
    }
}

codes! {
    /// The state of a moderation task.
    pub enum ModerationState {
        /// Ended.
        Finished = 0,
    }

    /// Whether anybody spoke.
    pub enum VadStatus {
        /// Nobody.
        Silent = 0,
        /// Somebody.
        Speech = 1,
    }

    /// In what a risk was found.
    pub enum RiskSource {
        /// None was found.
        None = 1000,
        /// In the meaning of words: spoken, or written in the picture.
        Text = 1001,
        /// In the picture.
        Picture = 1002,
        /// In the sound of the voice.
        Voice = 1003,
    }
}

words! {
    /// What to do about it.
    pub enum RiskLevel {
        /// Let it pass.
        Pass = "PASS",
        /// Have somebody look at it.
        Review = "REVIEW",
        /// Block it.
        Reject = "REJECT",
    }
}
