//! Moderation of streams by Shumei (cloud market): results for audio and pictures, and ended tasks.
//!
//! Pages: <https://www.zegocloud.com/docs/real-time-video-server/callback/moderation/audio>.

use crate::{
    UnixMillis, UnixSeconds,
    payload::{codes, events, payload, words},
};

events! {
    /// A callback of the family *moderation*.
    ///
    /// Audio is moderated in segments of 10 s. The end of a task is reported only if it was started
    /// with a `ReturnFinishInfo` of 1. Many fields are empty or missing for silent audio.
    pub enum ModerationEvent in "Event" {
        /// A segment of an audio stream was moderated.
        "censor_audio_v2_result" => AudioResult(ModerationResult) key |it| [it.result_task_id],
        /// The moderation of an audio stream ended.
        "censor_audio_v2_status" => AudioStatus(ModerationStatus) key |it| [it.task_id],
        /// A segment of a video stream's audio was moderated.
        "censor_video_v2_audio_result" => VideoAudioResult(ModerationResult)
            key |it| [it.result_task_id],
        /// A picture of a video stream was moderated.
        "censor_video_v2_img_result" => VideoImageResult(ModerationResult)
            key |it| [it.result_task_id],
        /// The moderation of a video stream's audio ended.
        "censor_video_v2_audio_status" => VideoAudioStatus(ModerationStatus) key |it| [it.task_id],
        /// The moderation of a video stream's pictures ended.
        "censor_video_v2_img_status" => VideoImageStatus(ModerationStatus) key |it| [it.task_id],
    }
}

payload! {
    /// Payload of the three `…_result` events.
    pub struct ModerationResult {
        /// The app's id.
        pub app_id: Option<String> = "AppId",
        /// When the callback was signed.
        pub timestamp: Option<UnixSeconds> = "Timestamp",
        /// 0 if it worked.
        pub code: Option<i64> = "Code",
        /// What went wrong.
        pub message: Option<String> = "Message",
        /// The task's id.
        pub task_id: Option<String> = "TaskId",
        /// The result's id.
        pub result_task_id: Option<String> = "ResultTaskId",
        /// What was found.
        pub detail: Option<ModerationDetail> = "Detail",
        /// What was moderated.
        pub aux_info: Option<ModerationSource> = "AuxInfo",
        ..rest
    }

    /// Payload of the three `…_status` events.
    pub struct ModerationStatus {
        /// The app's id.
        pub app_id: Option<String> = "AppId",
        /// When the callback was signed.
        pub timestamp: Option<UnixSeconds> = "Timestamp",
        /// 0 if it worked.
        pub code: Option<i64> = "Code",
        /// What went wrong.
        pub message: Option<String> = "Message",
        /// The task's id.
        pub task_id: Option<String> = "TaskId",
        /// The task's state.
        pub status: Option<ModerationState> = "Status",
        /// What was moderated.
        pub aux_info: Option<ModerationTotal> = "AuxInfo",
        ..rest
    }

    /// The source of a result.
    pub struct ModerationSource {
        /// The room's id.
        pub room_id: Option<String> = "RoomId",
        /// Audio: when the moderation of the segment began.
        pub process_begin_time: Option<UnixMillis> = "ProcessBeginTime",
        /// Audio: when the moderation of the segment ended.
        pub process_finish_time: Option<UnixMillis> = "ProcessFinishTime",
        /// Picture: when it was taken, `YYYY-MM-DD hh:mm:ss.mmm` in Beijing.
        pub img_time: Option<String> = "ImgTime",
        /// Audio stream: the speaker's id.
        pub user_id: Option<String> = "UserId",
        /// Video stream: the stream's id.
        pub stream_id: Option<String> = "StreamId",
        ..rest
    }

    /// What an ended task moderated.
    pub struct ModerationTotal {
        /// The room's id.
        pub room_id: Option<String> = "RoomId",
        /// How much of the stream was moderated, in seconds.
        pub censor_stream_time: Option<u64> = "CensorStreamTime",
        ..rest
    }

    /// What was found in a segment of audio or in a picture.
    pub struct ModerationDetail {
        /// The verdict; present if the result's code is 0.
        pub risk_level: Option<RiskLevel> = "RiskLevel",
        /// Audio stream: the spoken text.
        pub audio_text: Option<String> = "AudioText",
        /// Video stream's audio: the spoken text.
        pub content: Option<String> = "Content",
        /// Audio: the segment's URL.
        pub audio_url: Option<String> = "AudioUrl",
        /// Audio: the URL of the segment with the previous one; only if requested.
        pub pre_audio_url: Option<String> = "PreAudioUrl",
        /// Picture: its URL.
        pub img_url: Option<String> = "ImgUrl",
        /// The labels in readable form.
        pub risk_description: Option<String> = "RiskDescription",
        /// The first label; `normal` with [`RiskLevel::Pass`].
        pub risk_label1: Option<String> = "RiskLabel1",
        /// The second label; empty with [`RiskLevel::Pass`].
        pub risk_label2: Option<String> = "RiskLabel2",
        /// The third label; empty with [`RiskLevel::Pass`].
        pub risk_label3: Option<String> = "RiskLabel3",
        /// Audio: whether anybody spoke.
        pub vad_status: Option<VadStatus> = "VadStatus",
        /// The gravest risk.
        pub risk_detail: Option<RiskDetail> = "RiskDetail",
        /// All risks, the gravest first.
        pub risk_info_list: Vec<RiskInfo> = "RiskInfoList",
        /// What else was recognised.
        pub business_info_list: Vec<BusinessInfo> = "BusinessInfoList",
        ..rest
    }

    /// A risk that was found.
    pub struct RiskInfo {
        /// The verdict.
        pub risk_level: Option<RiskLevel> = "RiskLevel",
        /// Picture: the confidence, from 0 to 1.
        pub probability: Option<f64> = "Probability",
        /// The labels in readable form.
        pub risk_description: Option<String> = "RiskDescription",
        /// The first label.
        pub risk_label1: Option<String> = "RiskLabel1",
        /// The second label.
        pub risk_label2: Option<String> = "RiskLabel2",
        /// The third label.
        pub risk_label3: Option<String> = "RiskLabel3",
        /// Where it was found.
        pub risk_detail: Option<RiskDetail> = "RiskDetail",
        ..rest
    }

    /// Where a risk was found.
    pub struct RiskDetail {
        /// The kind of content in which it was found.
        pub risk_source: Option<RiskSource> = "RiskSource",
        /// Audio: the spoken text.
        pub audio_text: Option<String> = "AudioText",
        /// Audio: the customised lists that matched.
        pub matched_lists: Vec<MatchedList> = "MatchedLists",
        /// Picture: the faces of known persons, at most 10.
        pub face_info_list: Vec<FaceInfo> = "FaceInfoList",
        /// Picture: the text in it.
        pub ocr_info: Option<OcrInfo> = "OcrInfo",
        ..rest
    }

    /// A customised list that matched.
    pub struct MatchedList {
        /// The list's name.
        pub name: Option<String> = "Name",
        ..rest
    }

    /// A face in a picture.
    pub struct FaceInfo {
        /// The person's name.
        pub name: Option<String> = "Name",
        /// The number of the person in this picture.
        pub id: Option<String> = "Id",
        /// How much of the picture the face takes, from 0 to 1.
        pub face_ratio: Option<f64> = "FaceRatio",
        /// The confidence, from 0 to 1.
        pub probability: Option<f64> = "Probability",
        /// x and y of the top left corner, then of the bottom right one, in pixels.
        pub location: Vec<f64> = "Location",
        ..rest
    }

    /// Text in a picture.
    pub struct OcrInfo {
        /// The text.
        pub text: Option<String> = "Text",
        /// The customised lists that matched.
        pub matched_lists: Vec<MatchedList> = "MatchedLists",
        ..rest
    }

    /// Something that was recognised and is not a risk.
    pub struct BusinessInfo {
        /// The labels in readable form.
        pub business_description: Option<String> = "BusinessDescription",
        /// The first label.
        pub business_label1: Option<String> = "BusinessLabel1",
        /// The second label.
        pub business_label2: Option<String> = "BusinessLabel2",
        /// The third label. The page's table calls it `BusinessLabe3`, which is read too.
        pub business_label3: Option<String> = "BusinessLabel3" | "BusinessLabe3",
        /// The confidence as a level.
        pub confidence_level: Option<f64> = "ConfidenceLevel",
        /// The confidence, from 0 to 1.
        pub probability: Option<f64> = "Probability",
        /// Picture: details.
        pub business_detail: Option<BusinessDetail> = "BusinessDetail",
        ..rest
    }

    /// Details of what was recognised in a picture.
    pub struct BusinessDetail {
        /// The faces, at most 10.
        pub face_info_list: Vec<FaceInfo> = "FaceInfoList",
        ..rest
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

    /// The kind of content in which a risk was found.
    pub enum RiskSource {
        /// No risk was found.
        None = 1000,
        /// In words, spoken or written in the picture.
        Text = 1001,
        /// In the picture.
        Picture = 1002,
        /// In the sound of the voice.
        Voice = 1003,
    }
}

words! {
    /// The verdict on the content.
    pub enum RiskLevel {
        /// Let it pass.
        Pass = "PASS",
        /// Have a person review it.
        Review = "REVIEW",
        /// Block it.
        Reject = "REJECT",
    }
}
