//! Every documented ZEGOCLOUD event: told apart, typed, and serialised to what was sent.
#![cfg(feature = "zegocloud")]

use crate::support::{
    call, text,
    zegocloud::{layer, signed},
};
use bytes::Bytes;
use http::Request;
use serde_json::{Map, Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, SystemTime},
};
use tower::Layer as _;
use tower_webhooks::{
    Delivery, Provider, Rejection, RejectionKind, Signer as _, UnixMillis, UnixSeconds, Unknown,
    WebhookEvent as _,
    zegocloud::{
        self, Event, JsonText, Zegocloud, ai_agent::*, asr::*, board::*, cdn::*, digital_human::*,
        moderation::*, player::*, recording::*, room::*, stream::*, transcoding::*, zim::*,
    },
};

#[path = "../../examples/send/zegocloud_catalogue.rs"]
mod catalogue;

/// The documentation: an event's kind and all its fields but the signing members. `a.b` is `b`
/// inside `a`, or inside each object of the list `a`.
const DOCUMENTED: &[(&str, &str)] = &[
    ("room_create", "event appid room_id room_session_id room_create_time id_name"),
    ("room_close", "event appid room_id room_session_id room_close_time close_reason"),
    (
        "room_login",
        "event appid room_id room_name room_seq user_account user_nickname session_id login_time \
         user_role auth_level \
         relogin user_update_seq callback_data term_type",
    ),
    (
        "room_logout",
        "event appid room_id room_seq user_account user_nickname session_id login_time \
         logout_time reason user_role \
         user_update_seq",
    ),
    (
        "stream_create",
        "event appid room_id room_session_id user_id user_name channel_id stream_id stream_alias \
         stream_sid title \
         stream_attr stream_seq create_time create_time_ms extra_info recreate publish_id \
         publish_name rtmp_url hls_url \
         hdl_url pic_url",
    ),
    (
        "stream_close",
        "event appid room_id room_session_id user_id user_name channel_id stream_alias stream_id \
         stream_sid stream_seq \
         third_define_data create_time_ms destroy_timemillis type",
    ),
    (
        "mix_start",
        "event appid seq task_id channel_id publish_id mix_url mix_stream_alias rtmp_urls \
         hls_urls hdl_urls \
         stream_alias rtmp_url hls_url hdl_url",
    ),
    ("mix_stop", "event appid seq task_id channel_id publish_id mix_url mix_stream_alias"),
    (
        "transcode_start",
        "Event Appid TaskId UserId Sequence Status Details.Input.StreamId Details.Input.StreamUrl \
         Details.Outputs.StreamId Details.Outputs.StreamUrl Details.Outputs.VideoEncId \
         Details.Outputs.VideoBitrate \
         Details.Outputs.ShortEdgeAdaption Details.Outputs.Fps Details.Outputs.Width \
         Details.Outputs.Height \
         Details.Outputs.GOP",
    ),
    ("transcode_stop", "Event Appid TaskId UserId Sequence Status StopReason"),
    ("record", "event appid stream_alias replay_url begin_time end_time extra_params"),
    ("compose", "event appid replay_url task_id file_id code message"),
    ("procedure", "event appid task_id status file_id extra_params"),
    ("snapshot", "event appid task_id vendor field_id snapshot_pic_list"),
    (
        "censor_audio_v2_result",
        "Event AppId Code Message TaskId ResultTaskId AuxInfo.RoomId AuxInfo.ProcessBeginTime \
         AuxInfo.ProcessFinishTime AuxInfo.UserId Detail.RiskLevel Detail.AudioText \
         Detail.AudioUrl Detail.PreAudioUrl \
         Detail.RiskDescription Detail.RiskLabel1 Detail.RiskLabel2 Detail.RiskLabel3 \
         Detail.VadStatus \
         Detail.RiskDetail.RiskSource Detail.RiskDetail.AudioText \
         Detail.RiskDetail.MatchedLists.Name \
         Detail.RiskInfoList.RiskLevel Detail.RiskInfoList.RiskDescription \
         Detail.RiskInfoList.RiskLabel1 \
         Detail.RiskInfoList.RiskLabel2 Detail.RiskInfoList.RiskLabel3 \
         Detail.RiskInfoList.RiskDetail.RiskSource \
         Detail.RiskInfoList.RiskDetail.AudioText Detail.RiskInfoList.RiskDetail.MatchedLists.Name \
         Detail.BusinessInfoList.BusinessDescription Detail.BusinessInfoList.BusinessLabel1 \
         Detail.BusinessInfoList.BusinessLabel2 Detail.BusinessInfoList.BusinessLabel3 \
         Detail.BusinessInfoList.ConfidenceLevel Detail.BusinessInfoList.Probability",
    ),
    (
        "censor_audio_v2_status",
        "Event AppId Code Message TaskId Status AuxInfo.RoomId AuxInfo.CensorStreamTime",
    ),
    (
        "censor_video_v2_audio_result",
        "Event AppId Code Message TaskId ResultTaskId AuxInfo.RoomId AuxInfo.ProcessBeginTime \
         AuxInfo.ProcessFinishTime AuxInfo.StreamId Detail.RiskLevel Detail.Content \
         Detail.AudioUrl Detail.PreAudioUrl \
         Detail.RiskDescription Detail.RiskLabel1 Detail.RiskLabel2 Detail.RiskLabel3 \
         Detail.VadStatus \
         Detail.RiskDetail.RiskSource Detail.RiskDetail.AudioText \
         Detail.RiskDetail.MatchedLists.Name \
         Detail.RiskInfoList.RiskLevel Detail.RiskInfoList.RiskDescription \
         Detail.RiskInfoList.RiskLabel1 \
         Detail.RiskInfoList.RiskLabel2 Detail.RiskInfoList.RiskLabel3 \
         Detail.RiskInfoList.RiskDetail.RiskSource \
         Detail.RiskInfoList.RiskDetail.AudioText Detail.RiskInfoList.RiskDetail.MatchedLists.Name \
         Detail.BusinessInfoList.BusinessDescription Detail.BusinessInfoList.BusinessLabel1 \
         Detail.BusinessInfoList.BusinessLabel2 Detail.BusinessInfoList.BusinessLabel3 \
         Detail.BusinessInfoList.ConfidenceLevel Detail.BusinessInfoList.Probability",
    ),
    (
        "censor_video_v2_img_result",
        "Event AppId Code Message TaskId ResultTaskId AuxInfo.RoomId AuxInfo.ImgTime \
         AuxInfo.StreamId Detail.RiskLevel \
         Detail.ImgUrl Detail.RiskDescription Detail.RiskLabel1 Detail.RiskLabel2 \
         Detail.RiskLabel3 \
         Detail.RiskDetail.RiskSource Detail.RiskDetail.FaceInfoList.Name \
         Detail.RiskDetail.FaceInfoList.Id \
         Detail.RiskDetail.FaceInfoList.FaceRatio Detail.RiskDetail.FaceInfoList.Probability \
         Detail.RiskDetail.FaceInfoList.Location Detail.RiskDetail.OcrInfo.Text \
         Detail.RiskDetail.OcrInfo.MatchedLists.Name Detail.RiskInfoList.RiskLevel \
         Detail.RiskInfoList.Probability \
         Detail.RiskInfoList.RiskDescription Detail.RiskInfoList.RiskLabel1 \
         Detail.RiskInfoList.RiskLabel2 \
         Detail.RiskInfoList.RiskLabel3 Detail.RiskInfoList.RiskDetail.RiskSource \
         Detail.RiskInfoList.RiskDetail.FaceInfoList.Name \
         Detail.RiskInfoList.RiskDetail.FaceInfoList.Id \
         Detail.RiskInfoList.RiskDetail.FaceInfoList.FaceRatio \
         Detail.RiskInfoList.RiskDetail.FaceInfoList.Probability \
         Detail.RiskInfoList.RiskDetail.FaceInfoList.Location \
         Detail.RiskInfoList.RiskDetail.OcrInfo.Text \
         Detail.RiskInfoList.RiskDetail.OcrInfo.MatchedLists.Name \
         Detail.BusinessInfoList.BusinessDescription \
         Detail.BusinessInfoList.BusinessLabel1 Detail.BusinessInfoList.BusinessLabel2 \
         Detail.BusinessInfoList.BusinessLabel3 Detail.BusinessInfoList.ConfidenceLevel \
         Detail.BusinessInfoList.Probability \
         Detail.BusinessInfoList.BusinessDetail.FaceInfoList.Name \
         Detail.BusinessInfoList.BusinessDetail.FaceInfoList.Id \
         Detail.BusinessInfoList.BusinessDetail.FaceInfoList.FaceRatio \
         Detail.BusinessInfoList.BusinessDetail.FaceInfoList.Probability \
         Detail.BusinessInfoList.BusinessDetail.FaceInfoList.Location",
    ),
    (
        "censor_video_v2_audio_status",
        "Event AppId Code Message TaskId Status AuxInfo.RoomId AuxInfo.CensorStreamTime",
    ),
    (
        "censor_video_v2_img_status",
        "Event AppId Code Message TaskId Status AuxInfo.RoomId AuxInfo.CensorStreamTime",
    ),
    (
        "digital_human.stream_task",
        "EventType=3 AppId EventTime TaskId Detail.Status Detail.RoomId Detail.StreamId \
         Detail.FailReason",
    ),
    ("digital_human.drive_task", "EventType=4 AppId EventTime TaskId Detail.DriveId Detail.Status"),
    (
        "ai_agent.ASRResult",
        "Event AppId AgentInstanceId AgentUserId AgentId Name RoomId Sequence Data.UserId \
         Data.Round Data.Text",
    ),
    (
        "ai_agent.LLMResult",
        "Event AppId AgentInstanceId AgentUserId AgentId Name RoomId Sequence Data.Round Data.Text",
    ),
    (
        "ai_agent.Exception",
        "Event AppId AgentInstanceId AgentUserId AgentId Name RoomId Sequence Data.Code \
         Data.Message Data.Round",
    ),
    (
        "ai_agent.Interrupted",
        "Event AppId AgentInstanceId AgentUserId AgentId Name RoomId Sequence Data.Round \
         Data.Reason Data.PlayedText",
    ),
    (
        "ai_agent.UserSpeakAction",
        "Event AppId AgentInstanceId AgentUserId AgentId Name RoomId Sequence Data.UserId \
         Data.Action Data.Round",
    ),
    (
        "ai_agent.AgentInstanceStatus",
        "Event AppId AgentInstanceId AgentUserId AgentId Name RoomId Sequence Data.Status \
         Data.Round",
    ),
    (
        "ai_agent.AgentSpeakAction",
        "Event AppId AgentInstanceId AgentUserId AgentId Name RoomId Sequence Data.Action \
         Data.Status",
    ),
    (
        "ai_agent.UserAudioData",
        "Event AppId AgentInstanceId AgentUserId AgentId Name RoomId Sequence Data.UserId \
         Data.Round Data.SampleRate \
         Data.Format Data.Audio",
    ),
    (
        "ai_agent.AgentInstanceCreated",
        "Event AppId AgentInstanceId AgentUserId AgentId Name RoomId Sequence \
         Data.CreatedTimestamp",
    ),
    (
        "ai_agent.AgentInstanceDeleted",
        "Event AppId AgentInstanceId AgentUserId AgentId Name RoomId Sequence Data.Code \
         Data.DeletedTimestamp \
         Data.LatencyData.LLMTTFT Data.LatencyData.LLMTPS Data.LatencyData.TTSAudioFirstFrameTime \
         Data.LatencyData.TotalCost",
    ),
    (
        "ai_agent.AgentInstanceMetaInfo",
        "Event AppId AgentInstanceId AgentUserId AgentId Name RoomId Sequence Data.Round \
         Data.MetaInfo",
    ),
    ("asr.ASRResult", "Event AppId TaskId RoomId Data.UserId Data.StreamId Data.Round Data.Text"),
    (
        "asr.TranslationResult",
        "Event AppId TaskId RoomId Data.UserId Data.StreamId Data.Round Data.Text",
    ),
    ("asr.Exception", "Event AppId TaskId RoomId Data.Code Data.Message"),
    (
        "recording.uploaded",
        "event_type=1 app_id task_id room_id message sequence detail.upload_status \
         detail.file_info.user_id \
         detail.file_info.user_name detail.file_info.stream_id detail.file_info.file_id \
         detail.file_info.video_id \
         detail.file_info.file_url detail.file_info.output_file_format detail.file_info.file_size \
         detail.file_info.duration detail.file_info.resolution_width \
         detail.file_info.resolution_height \
         detail.file_info.media_track_type detail.file_info.begin_timestamp \
         detail.file_info.custom_begin_timestamp \
         detail.file_info.status",
    ),
    (
        "recording.aborted",
        "event_type=2 app_id task_id room_id message sequence detail.quit_reason",
    ),
    (
        "recording.image_failed",
        "event_type=3 app_id task_id room_id message sequence detail.image_type detail.image_url",
    ),
    ("recording.no_stream", "event_type=4 app_id task_id room_id message sequence detail"),
    ("recording.finished", "event_type=5 app_id task_id room_id message sequence detail"),
    (
        "recording.stream_missing",
        "event_type=6 app_id task_id room_id message sequence detail.stream_id",
    ),
    ("recording.uploading", "event_type=7 app_id task_id room_id message sequence detail"),
    (
        "recording.live_upload",
        "event_type=102 app_id task_id room_id message sequence detail.stream_id detail.file_id \
         detail.file_url \
         detail.media_track_type",
    ),
    ("recording.paused", "event_type=201 app_id task_id room_id message sequence detail"),
    ("recording.resumed", "event_type=202 app_id task_id room_id message sequence detail"),
    ("recording.legacy_uploaded", LEGACY_FILES),
    ("recording.legacy_partly_uploaded", LEGACY_FILES),
    ("recording.legacy_no_file", "event_type=3 app_id task_id room_id message sequence file_info"),
    (
        "player.created",
        "EventType=1 AppID RoomId PlayerId PlayerName EventTime Detail.CreateTime Detail.PlayTime \
         Detail.MaxIdleTime \
         Detail.StreamUrl",
    ),
    (
        "player.destroyed",
        "EventType=2 AppID RoomId PlayerId PlayerName EventTime Detail.PlayTime Detail.Reason",
    ),
    (
        "player.status",
        "EventType=3 AppID RoomId PlayerId PlayerName EventTime Detail.Status Detail.PlayIndex",
    ),
    (
        "player.exception",
        "EventType=4 AppID RoomId PlayerId PlayerName EventTime Detail.Code Detail.PlayIndex",
    ),
    ("player.uploaded", "EventType=10001 AppID UploadTaskId StreamUrl Title EventTime Detail"),
    (
        "player.upload_failed",
        "EventType=10002 AppID UploadTaskId StreamUrl Title EventTime Detail.Reason",
    ),
    (
        "player.upload_status",
        "EventType=10003 AppID UploadTaskId StreamUrl Title EventTime Detail.Status",
    ),
    (
        "player.upload_cancel_failed",
        "EventType=10004 AppID UploadTaskId StreamUrl Title EventTime Detail.Reason",
    ),
    (
        "player.upload_exception",
        "EventType=10005 AppID UploadTaskId StreamUrl Title EventTime Detail.Code",
    ),
    (
        "player.upload_expired",
        "EventType=10006 AppID UploadTaskId StreamUrl Title EventTime Detail",
    ),
    (
        "zim.user_action",
        "event appid user_id user_name os action session_id login_time relogin logout_time \
         logout_reason offline_time",
    ),
    ("zim.send_msg", MESSAGE),
    (
        "zim.before_send_msg",
        "event appid request_id from_user_id conv_id conv_type msg_id payload msg_type \
         sub_msg_type msg_body",
    ),
    ("zim.bot_msg", MESSAGE),
    ("zim.call_create", "event appid call_id user_ids create_time payload caller timeout"),
    ("zim.call_invite", "event appid call_id user_ids inviter invite_time"),
    ("zim.call_cancel", "event appid call_id user_ids reason payload"),
    ("zim.call_accept", "event appid call_id user_id extend_data"),
    ("zim.call_reject", "event appid call_id user_id extend_data"),
    ("zim.call_timeout", "event appid call_id user_ids"),
    (
        "zim.group_create",
        "event appid group_id operator_account owner_account group_name attributes.key \
         attributes.value user_ids",
    ),
    ("zim.group_destroy", "event appid group_id operator_account owner_account user_ids"),
    ("zim.group_join", "event appid group_id operator_account join_type new_user_ids"),
    ("zim.group_exit", "event appid group_id exit_type operator_account exit_user_ids"),
    (
        "zim.room_create",
        "event appid room_id operator_account room_name attributes.key attributes.value \
         attributes.auto_delete",
    ),
    ("zim.room_destroy", "event appid room_id user_ids operator_account"),
    ("zim.room_enter", "event appid room_id operator_account"),
    ("zim.room_exit", "event appid room_id exit_type operator_account exit_user_ids"),
    ("board.cvt_finish", "event appid data.file_id data.task_id data.status"),
];

const LEGACY_FILES: &str = "event_type app_id task_id room_id message sequence file_info.user_id file_info.user_name \
    file_info.stream_id file_info.file_id file_info.video_id file_info.file_url \
    file_info.output_file_format \
    file_info.file_size file_info.duration file_info.resolution_width file_info.resolution_height \
    file_info.media_track_type file_info.begin_timestamp file_info.status";

const MESSAGE: &str = "event appid from_user_id conv_type conv_id msg_type sub_msg_type source msg_body msg_id msg_seq \
    payload msg_time send_result user_list.UserId user_list.MsgId user_list.MsgSeq";

/// What an event can look like beside its entry in the sender's catalogue.
const VARIANTS: &[(&str, &str)] = &[
    (
        "ai_agent.AgentSpeakAction",
        r#"{"Event": "AgentSpeakAction", "AppId": 4021355190, "AgentInstanceId": "1930000000000000001", "Sequence": 8,
            "Data": {"Status": "THINKING"}}"#,
    ),
    (
        "ai_agent.ASRResult",
        r#"{"Event": "ASRResult", "AppId": 4021355190, "AgentInstanceId": "1930000000000000001",
            "Data": {"UserId": "u", "Round": -1, "Text": ""}}"#,
    ),
    (
        "transcode_stop",
        r#"{"Event": "transcode_stop", "Appid": "4021355190", "Sequence": 2, "Status": "TranscodeStarted"}"#,
    ),
    (
        "procedure",
        r#"{"event": "procedure", "task_id": "proc-3", "status": "FAILED", "extra_params": ""}"#,
    ),
    (
        "censor_audio_v2_result",
        r#"{"Event": "censor_audio_v2_result", "ResultTaskId": "mod-a-1_18",
            "Detail": {"RiskLevel": "PASS", "VadStatus": 0, "RiskDetail": {"RiskSource": 1000, "AudioText": ""},
                "RiskInfoList": [], "BusinessInfoList": []}}"#,
    ),
    ("recording.uploaded", r#"{"event_type": 1, "detail": {"upload_status": 1, "file_info": []}}"#),
    (
        "zim.send_msg",
        r#"{"event": "send_msg", "appid": "4021355190", "from_user_id": "teacher-1", "conv_type": 0, "conv_id": "",
            "msg_type": 11, "source": 1, "msg_body": "{\"md5\":\"77\"}", "msg_id": "",
            "user_list": [{"UserId": "student-3", "MsgId": "857639062792568836", "MsgSeq": 9223372036854775808},
                {"UserId": "student-4", "MsgId": "", "MsgSeq": 0}]}"#,
    ),
];

/// The fields of each event that its deduplication key is made of.
const KEYS: &[(&str, &str)] = &[
    ("room_create", "room_session_id"),
    ("room_close", "room_session_id"),
    ("room_login", "room_seq session_id login_time"),
    ("room_logout", "room_seq session_id logout_time"),
    ("stream_", "room_session_id stream_sid stream_seq"),
    ("mix_", "task_id seq"),
    ("transcode_start", "TaskId Sequence Status"),
    ("transcode_stop", "TaskId Sequence"),
    ("recording.", "task_id sequence"),
    ("record", "stream_alias replay_url"),
    ("compose", "task_id"),
    ("procedure", "task_id"),
    ("snapshot", "task_id"),
    ("censor_audio_v2_status", "TaskId"),
    ("censor_video_v2_audio_status", "TaskId"),
    ("censor_video_v2_img_status", "TaskId"),
    ("censor_", "ResultTaskId"),
    ("digital_human.", "TaskId EventTime Detail.DriveId Detail.Status"),
    ("ai_agent.", "AgentInstanceId Sequence"),
    ("asr.Exception", "none"),
    ("asr.", "TaskId Data.Round Data.StreamId Data.UserId"),
    ("player.status", "EventTime PlayerId Detail.Status"),
    ("player.exception", "EventTime PlayerId Detail.Code"),
    ("player.upload_status", "EventTime UploadTaskId Detail.Status"),
    ("player.upload_exception", "EventTime UploadTaskId Detail.Code"),
    ("player.", "EventTime PlayerId UploadTaskId"),
    ("zim.user_action", "session_id action login_time logout_time offline_time"),
    ("zim.send_msg", "msg_id"),
    ("zim.bot_msg", "msg_id user_list.UserId user_list.MsgId user_list.MsgSeq"),
    ("zim.before_send_msg", "request_id"),
    ("zim.call_create", "call_id"),
    ("zim.call_", "call_id user_id user_ids invite_time"),
    ("zim.group_", "group_id timestamp new_user_ids exit_user_ids"),
    ("zim.room_enter", "room_id timestamp operator_account"),
    ("zim.room_", "room_id timestamp exit_user_ids"),
    ("board.", "data.task_id"),
];

const NONCE: &str = "4410077312599031846";

fn fixtures() -> impl Iterator<Item = (&'static str, Value)> {
    catalogue::events()
        .iter()
        .chain(VARIANTS)
        .map(|(kind, body)| (*kind, serde_json::from_str(body).unwrap()))
}

fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_millis(1_760_000_123_456)
}

/// Signed as the family does it.
fn sign(kind: &str, body: &Value, at: SystemTime) -> Request<Bytes> {
    let mut signer = zegocloud::Signer::new("a callback secret").unwrap().nonce(NONCE);
    let (family, _) = kind.split_once('.').unwrap_or_default();
    if ["room_create", "room_close"].contains(&kind)
        || kind.starts_with("censor_")
        || ["ai_agent", "asr", "zim", "board"].contains(&family)
    {
        signer = signer.numeric_timestamp();
    }
    if ["ai_agent", "asr"].contains(&family) {
        signer = signer.milliseconds();
    }
    signer.sign(Request::post("/zegocloud").body(body.to_string().into()).unwrap(), at)
}

fn accept(request: &Request<Bytes>) -> Result<Delivery<Event>, Rejection> {
    let later = now() + Duration::from_secs(2);
    Zegocloud::new("a callback secret").unwrap().verify(request, later)
}

fn event(kind: &str, body: &Value) -> Event {
    accept(&sign(kind, body, now())).unwrap_or_else(|error| panic!("{kind}: {error}")).into_event()
}

/// The event of these members, and the paths of its misfits. It comes back from JSON and from CBOR.
fn read(members: &str) -> (Event, Vec<String>) {
    let signer = zegocloud::Signer::new("a callback secret").unwrap();
    let body = Bytes::from(format!("{{{members}}}"));
    let event =
        accept(&signer.sign(Request::post("/").body(body).unwrap(), now())).unwrap().into_event();
    let text = serde_json::to_string(&event).unwrap();
    assert_eq!(serde_json::from_str::<Event>(&text).unwrap(), event, "{text}");
    let mut cbor = Vec::new();
    ciborium::into_writer(&event, &mut cbor).unwrap();
    assert_eq!(ciborium::from_reader::<Event, _>(&cbor[..]).unwrap(), event, "{text}");
    let misfits = event.misfits().iter().map(|misfit| misfit.path().to_owned()).collect();
    (event, misfits)
}

/// Delivers the body and compares what comes out with what went in: member by member, numbers by
/// value, without what stands for nothing.
fn round_trip(kind: &str, body: &Value) {
    let request = sign(kind, body, now());
    let delivery = accept(&request).unwrap_or_else(|error| panic!("{kind}: {error}\n{body}"));
    assert_eq!(delivery.kind(), kind, "{body}");
    assert_eq!(delivery.event().kind(), kind);
    assert_eq!(delivery.misfits().len(), 0, "{body}");

    let mut sent: Value = serde_json::from_slice(request.body()).unwrap();
    for credential in ["nonce", "signature", "Nonce", "Signature"] {
        sent.as_object_mut().unwrap().remove(credential);
    }
    let printed = serde_json::to_value(delivery.event()).unwrap();
    assert_same(kind, &without_nothing(&sent), &printed);
    assert_eq!(&serde_json::from_value::<Event>(printed).unwrap(), delivery.event());
}

fn assert_same(at: &str, sent: &Value, printed: &Value) {
    match (sent, printed) {
        (Value::Object(a), Value::Object(b)) => {
            let names = |map: &Map<String, Value>| map.keys().cloned().collect::<BTreeSet<_>>();
            assert_eq!(names(a), names(b), "{at}");
            a.iter()
                .for_each(|(name, value)| assert_same(&format!("{at}.{name}"), value, &b[name]));
        }
        (Value::Array(a), Value::Array(b)) => {
            assert_eq!(a.len(), b.len(), "{at}");
            a.iter().zip(b).for_each(|(a, b)| assert_same(at, a, b));
        }
        // An integer compared as `f64` would hide its last digits.
        (Value::Number(a), Value::Number(b)) if a.is_f64() || b.is_f64() => {
            assert_eq!(a.as_f64(), b.as_f64(), "{at}");
        }
        // Where the unit is that of milliseconds, ten digits are seconds.
        (Value::Number(_) | Value::String(_), Value::Number(read)) => {
            let sent = sent.as_str().map_or_else(|| sent.to_string(), str::to_owned);
            let sent =
                sent.strip_prefix('0').filter(|rest| !rest.is_empty()).unwrap_or(&sent).trim();
            assert!(
                sent == read.to_string() || format!("{sent}000") == read.to_string(),
                "{at}: {sent} {read}"
            );
        }
        (Value::Number(sent), Value::String(read)) => assert_eq!(&sent.to_string(), read, "{at}"),
        _ => assert_eq!(sent, printed, "{at}"),
    }
}

/// `null`, empty text and empty lists are absent.
fn without_nothing(value: &Value) -> Value {
    let is_nothing = |value: &Value| value.is_null() || *value == json!("") || *value == json!([]);
    match value {
        Value::Object(map) => map
            .iter()
            .filter(|(_, v)| !is_nothing(v))
            .map(|(k, v)| (k.clone(), without_nothing(v)))
            .collect(),
        Value::Array(list) => list.iter().map(without_nothing).collect(),
        _ => value.clone(),
    }
}

/// The members without which a body would be of another family.
fn discriminates(kind: &str, name: &str) -> bool {
    let (family, _) = kind.split_once('.').unwrap_or_default();
    match name {
        "event" | "Event" | "event_type" | "EventType" => true,
        "AgentInstanceId" => family == "ai_agent",
        "TaskId" => family == "asr",
        "PlayerId" | "UploadTaskId" => family == "player",
        "operator_account" => kind == "zim.room_create",
        "detail" => family == "recording",
        _ => false,
    }
}

/// Calls `edit` with the path of every value that is no object, and for lists of objects with their
/// members.
fn edit_leaves(value: &mut Value, path: &str, edit: &mut dyn FnMut(&str, &mut Value)) {
    match value {
        Value::Object(map) if !map.is_empty() && !path.ends_with("MetaInfo") => {
            for (name, value) in map {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                edit_leaves(value, &path, edit);
            }
        }
        Value::Array(list) if list.iter().any(Value::is_object) => {
            list.iter_mut().for_each(|value| edit_leaves(value, path, edit));
        }
        _ => edit(path, value),
    }
}

#[test]
fn every_documented_event_has_a_fixture_with_every_field() {
    let mut fixtures_of: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for (kind, mut body) in fixtures() {
        let paths = fixtures_of.entry(kind).or_default();
        edit_leaves(&mut body, "", &mut |path, value| {
            paths.insert(path.to_owned());
            paths.insert(format!("{path}={value}"));
        });
    }
    let documented: BTreeSet<&str> = DOCUMENTED.iter().map(|(kind, _)| *kind).collect();
    assert_eq!(documented.len(), DOCUMENTED.len());
    assert_eq!(documented, fixtures_of.keys().copied().collect(), "kinds");
    assert_eq!(
        documented,
        catalogue::events().iter().map(|(kind, _)| *kind).collect(),
        "kinds of the catalogue"
    );
    assert_eq!(documented.len(), catalogue::events().len());
    for (kind, fields) in DOCUMENTED {
        for field in fields.split_whitespace() {
            assert!(fixtures_of[kind].contains(field), "{kind}: no fixture has {field}");
        }
    }
}

#[test]
fn every_field_comes_out_as_it_went_in() {
    for (kind, body) in fixtures() {
        round_trip(kind, &body);
    }
}

#[test]
fn no_field_is_required() {
    for (kind, mut body) in fixtures() {
        let map = body.as_object_mut().unwrap();
        map.retain(|name, _| discriminates(kind, name));
        if let Some(detail) = map.get_mut("detail") {
            *detail = json!({});
        }
        round_trip(kind, &body);
    }
}

#[test]
fn null_is_missing() {
    for (kind, body) in fixtures() {
        let mut outer = body.clone();
        for (name, value) in outer.as_object_mut().unwrap() {
            if !discriminates(kind, name) {
                *value = Value::Null;
            }
        }
        round_trip(kind, &outer);

        let mut inner = body;
        edit_leaves(&mut inner, "", &mut |path, value| {
            if !discriminates(kind, path) {
                *value = Value::Null;
            }
        });
        round_trip(kind, &inner);
    }
}

#[test]
fn strings_and_numbers_are_read_alike() {
    let mut swapped = 0;
    for (kind, body) in fixtures() {
        let mut other = body.clone();
        edit_leaves(&mut other, "", &mut |_, value| match value {
            Value::Number(number) => {
                *value = Value::String(number.to_string());
                swapped += 1;
            }
            Value::String(text)
                if !text.starts_with('0') && text.bytes().all(|byte| byte.is_ascii_digit()) =>
            {
                if let Ok(number) = text.parse::<u64>() {
                    *value = number.into();
                    swapped += 1;
                }
            }
            _ => {}
        });
        assert_eq!(event(kind, &body), event(kind, &other), "{kind}");
    }
    assert!(swapped > 300, "{swapped}");
}

#[test]
fn unknown_fields_are_kept() {
    for (kind, body) in fixtures() {
        let new = json!([{"deep": [1, 2.5, null]}]);
        let mut more = body.clone();
        more["a_field_of_next_year"] = new.clone();
        let mut printed = serde_json::to_value(event(kind, &more)).unwrap();
        assert_eq!(
            printed.as_object_mut().unwrap().remove("a_field_of_next_year"),
            Some(new),
            "{kind}"
        );
        assert_eq!(serde_json::from_value::<Event>(printed).unwrap(), event(kind, &body), "{kind}");
    }
}

#[test]
fn every_digit_is_kept() {
    for number in [u64::MAX, 9_007_199_254_740_993, 858_012_925_204_410_401] {
        for value in [json!(number), json!(number.to_string())] {
            let Event::Room(RoomEvent::Create(room)) =
                event("room_create", &json!({"event": "room_create", "room_session_id": value}))
            else {
                panic!()
            };
            assert_eq!(room.room_session_id, Some(number.to_string()));
            let Event::AiAgent(AiAgentEvent::LlmResult(agent)) = event(
                "ai_agent.LLMResult",
                &json!({"Event": "LLMResult", "AgentInstanceId": number, "Sequence": value}),
            ) else {
                panic!()
            };
            assert_eq!(
                (agent.sequence, agent.agent_instance_id),
                (Some(number), Some(number.to_string()))
            );
        }
    }
    let (Event::Room(RoomEvent::Create(room)), misfits) =
        read(r#""event":"room_create","room_id":12345678901234567890123"#)
    else {
        panic!()
    };
    assert_eq!((room.room_id.as_deref(), misfits.len()), (Some("12345678901234567890123"), 0));
    let (Event::Stream(StreamEvent::Create(stream)), _) =
        read(r#""event":"stream_create","stream_seq":"01""#)
    else {
        panic!()
    };
    assert_eq!(stream.stream_seq, Some(1));
}

#[test]
fn seconds_and_milliseconds_by_their_digits() {
    let signer = || zegocloud::Signer::new("a callback secret").unwrap();
    for (signer, stamp) in [
        (signer(), 1_760_000_123),
        (signer().numeric_timestamp(), 1_760_000_123),
        (signer().milliseconds(), 1_760_000_123_456),
        (signer().milliseconds().numeric_timestamp(), 1_760_000_123_456),
    ] {
        for body in [
            r#"{"EventType":3.0,"TaskId":"t"}"#,
            r#"{"event":"group_exit","group_id":"g"}"#,
            r#"{"Event":"ASRResult","TaskId":"t"}"#,
            r#"{"event_type":5}"#,
        ] {
            let request = signer.sign(Request::post("/").body(Bytes::from(body)).unwrap(), now());
            let delivery = accept(&request).unwrap();
            let signed_at =
                delivery.proof().signed_at.unwrap().duration_since(SystemTime::UNIX_EPOCH).unwrap();
            assert_eq!(signed_at.as_secs(), 1_760_000_123);
            let millis = if stamp < 10_000_000_000 { stamp * 1000 } else { stamp };
            match delivery.into_event() {
                Event::DigitalHuman(DigitalHumanEvent::StreamTask(it)) => {
                    assert_eq!(it.timestamp, Some(UnixMillis(millis)));
                }
                Event::Zim(ZimEvent::GroupExit(it)) => {
                    assert_eq!(it.timestamp, Some(UnixMillis(millis)))
                }
                Event::Asr(AsrEvent::Result(it)) => {
                    assert_eq!(it.timestamp, Some(UnixMillis(millis)))
                }
                Event::Recording(RecordingEvent::Finished(it)) => {
                    assert_eq!(it.timestamp, Some(UnixSeconds(1_760_000_123)));
                }
                other => panic!("{other:?}"),
            }
        }
    }
}

#[test]
fn a_publisher_s_own_time_may_be_negative() {
    let (Event::Recording(RecordingEvent::Uploaded(it)), misfits) =
        read(r#""event_type":1,"detail":{"file_info":[{"custom_begin_timestamp":-1}]}"#)
    else {
        panic!()
    };
    let files = it.detail.unwrap().file_info;
    assert_eq!((files[0].custom_begin_timestamp, misfits.len()), (Some(-1), 0));
}

#[test]
fn families_are_told_apart() {
    for (body, kind) in [
        // Rooms of RTC and of ZIM.
        (json!({"event": "room_create", "room_session_id": 1, "id_name": "a"}), "room_create"),
        (json!({"event": "room_create", "operator_account": "a"}), "zim.room_create"),
        (json!({"event": "room_create", "operator_account": null}), "room_create"),
        (json!({"event": "room_close", "operator_account": "a"}), "room_close"),
        (json!({"event": "room_destroy"}), "zim.room_destroy"),
        // The types 3 and 4 of Digital Human and of the cloud player.
        (json!({"EventType": 3, "TaskId": "t"}), "digital_human.stream_task"),
        (json!({"EventType": 4, "TaskId": "t"}), "digital_human.drive_task"),
        (json!({"EventType": 4, "PlayerId": null}), "digital_human.drive_task"),
        (json!({"EventType": 3, "PlayerId": ""}), "digital_human.stream_task"),
        (json!({"EventType": 3, "AppID": 1}), "player.status"),
        (json!({"EventType": 3, "PlayerId": "p"}), "player.status"),
        (json!({"EventType": 4, "PlayerId": "p"}), "player.exception"),
        (json!({"EventType": 3, "UploadTaskId": "u", "TaskId": "t"}), "player.status"),
        (json!({"EventType": "4", "UploadTaskId": "u"}), "player.exception"),
        (json!({"EventType": 10006, "UploadTaskId": "u"}), "player.upload_expired"),
        // Speech recognition of AI Agent and of its own.
        (json!({"Event": "ASRResult", "AgentInstanceId": "a"}), "ai_agent.ASRResult"),
        (json!({"Event": "ASRResult", "TaskId": "t"}), "asr.ASRResult"),
        (
            json!({"Event": "Exception", "AgentInstanceId": "a", "TaskId": "t"}),
            "ai_agent.Exception",
        ),
        (json!({"Event": "Exception", "AgentInstanceId": null, "TaskId": "t"}), "asr.Exception"),
        (json!({"Event": "transcode_stop", "TaskId": "t"}), "transcode_stop"),
        (json!({"Event": "censor_audio_v2_status"}), "censor_audio_v2_status"),
        // Both forms of cloud recording.
        (json!({"event_type": 1, "detail": {}, "file_info": []}), "recording.uploaded"),
        (json!({"event_type": 1, "file_info": []}), "recording.legacy_uploaded"),
        (json!({"event_type": 2, "detail": {}}), "recording.aborted"),
        (json!({"event_type": 1, "detail": null}), "recording.uploaded"),
        (json!({"event_type": 2, "detail": null, "file_info": null}), "recording.aborted"),
        (json!({"event_type": 3, "detail": null}), "recording.image_failed"),
        (json!({"event_type": 3, "detail": ""}), "recording.image_failed"),
        (json!({"event_type": 2, "file_info": null}), "recording.legacy_partly_uploaded"),
        (json!({"event_type": 3, "detail": {}}), "recording.image_failed"),
        (json!({"event_type": "3"}), "recording.legacy_no_file"),
        (json!({"event_type": 7}), "recording.uploading"),
        (json!({"event": "cvt_finish"}), "board.cvt_finish"),
        // A further member that could name the event.
        (json!({"event": "room_close", "event_type": 7}), "room_close"),
        (json!({"event": "room_close", "Event": "transcode_stop"}), "room_close"),
        (json!({"event": "recorded", "event_type": 5}), "recording.finished"),
        (json!({"event": null, "Event": [], "EventType": 4}), "digital_human.drive_task"),
    ] {
        let delivery = accept(&sign(kind, &body, now())).unwrap();
        assert_eq!(delivery.kind(), kind, "{body}");
        let text = serde_json::to_string(delivery.event()).unwrap();
        assert_eq!(&serde_json::from_str::<Event>(&text).unwrap(), delivery.event(), "{text}");
    }
}

#[test]
fn what_is_not_known_is_delivered_as_it_came() {
    for (body, claimed) in [
        (
            r#"{"event":"room_explode","room_id":"r","big":123456789012345678901234567890,"tail":[1.50,{"x":null}]}"#,
            Some("room_explode"),
        ),
        (r#"{"Event":"Exception","Data":{"Code":1001}}"#, Some("Exception")),
        (r#"{"Event":"LLMResult","TaskId":"t"}"#, Some("LLMResult")),
        (r#"{"EventType":1,"TaskId":"t"}"#, Some("1")),
        (r#"{"EventType":5,"PlayerId":"p"}"#, Some("5")),
        (r#"{"event_type":8,"app_id":1}"#, Some("8")),
        (r#"{"event_type":-1,"app_id":1}"#, Some("-1")),
        (r#"{"event_type":1.5,"app_id":1}"#, Some("1.5")),
        (r#"{"event":{"name":"room_create"}}"#, None),
        (r#"{"event":"user_action ","user_id":"u"}"#, Some("user_action ")),
        (r#"{}"#, None),
    ] {
        let signer = zegocloud::Signer::new("a callback secret").unwrap().nonce(NONCE);
        let request = signer.sign(Request::post("/").body(Bytes::from(body)).unwrap(), now());
        let delivery = accept(&request).unwrap();
        assert_eq!(delivery.kind(), "unknown", "{body}");
        assert_eq!(delivery.event().dedup_key(), None);
        let Event::Unknown(unknown) = delivery.event() else { panic!("{body}") };
        assert_eq!(unknown.claimed_kind(), claimed, "{body}");
        let raw = unknown.raw().unwrap().get();
        assert_eq!(unknown.bytes(), raw);
        let (stamp, rest) = raw.split_once("1760000123\"").unwrap();
        assert!(stamp == r#"{"timestamp":""# || stamp == r#"{"Timestamp":""#, "{raw}");
        assert_eq!(
            rest.replacen(',', "{", usize::from(rest != "}")).replacen(
                '}',
                "{}",
                usize::from(rest == "}")
            ),
            body
        );
    }
}

#[test]
fn mini_game_and_roomkit_are_refused() {
    let signature =
        zegocloud::Signer::new("a callback secret").unwrap().signature("1760000123", NONCE);
    let mini_game = json!({"ReportType": 1, "MiniGameId": 2, "Timestamp": 1_760_000_123, "SignatureNonce": NONCE,
        "Signature": signature});
    let room_kit = json!({"event": "room_create"});
    let query = format!("/?timestamp=1760000123&nonce={NONCE}&signature={signature}");
    for (uri, body) in [("/", mini_game), (&*query, room_kit)] {
        let request = Request::post(uri).body(Bytes::from(body.to_string())).unwrap();
        assert_eq!(
            accept(&request).unwrap_err().kind(),
            RejectionKind::CredentialMissing,
            "{body}"
        );
    }
}

#[test]
fn attack_odd_members_do_not_hide_an_event() {
    for (members, misfits) in [
        (r#""event":"room_create","room_session_id":["x"]"#, &["room_session_id"][..]),
        (r#""event":"room_create","operator_account":"a","attributes":"none""#, &["attributes"]),
        (r#""event":"stream_create","rtmp_url":{"0":"a"}"#, &["rtmp_url"]),
        (
            r#""event":"stream_create","stream_seq":-1,"recreate":"yes""#,
            &["stream_seq", "recreate"],
        ),
        (r#""event":"record","begin_time":true"#, &["begin_time"]),
        (
            r#""Event":"censor_audio_v2_result","Detail":{"RiskInfoList":{"RiskLevel":[]}}"#,
            &["Detail.RiskInfoList.RiskLevel"],
        ),
        (
            r#""Event":"censor_audio_v2_status","AuxInfo":{"CensorStreamTime":12.5}"#,
            &["AuxInfo.CensorStreamTime"],
        ),
        (r#""EventType":3,"TaskId":"t","Detail":[[]]"#, &["Detail"]),
        (r#""EventType":3,"PlayerId":"p","Detail":3"#, &["Detail"]),
        (r#""Event":"ASRResult","AgentInstanceId":"a","Data":{"Round":1.5}"#, &["Data.Round"]),
        (r#""Event":"ASRResult","TaskId":"t","Data":"text""#, &["Data"]),
        (
            r#""event_type":1,"detail":{"file_info":[1,{"duration":1.5}]}"#,
            &["detail.file_info[0]", "detail.file_info[1].duration"],
        ),
        (r#""event_type":1,"file_info":[["u","n"]]"#, &["file_info[0]"]),
        (r#""event_type":2,"detail":7"#, &["detail"]),
        (r#""event":"call_timeout","user_ids":{}"#, &["user_ids"]),
        (r#""event":"send_msg","msg_seq":18446744073709551616"#, &["msg_seq"]),
        (r#""event":"cvt_finish","data":{"status":"good"}"#, &["data.status"]),
        (r#""event":"room_close","room_id":"a","room_id":"b""#, &["room_id"]),
    ] {
        let (event, found) = read(members);
        assert_ne!(event.kind(), "unknown", "{members}");
        assert_eq!(found, misfits, "{members}");
    }
}

#[test]
fn lists_are_read_whatever_they_are_sent_as() {
    let stream = |members: &str| {
        let (Event::Stream(StreamEvent::Create(stream)), misfits) =
            read(&format!(r#""event":"stream_create",{members}"#))
        else {
            panic!("{members}")
        };
        assert!(misfits.is_empty(), "{members}: {misfits:?}");
        stream
    };
    assert!(stream(r#""rtmp_url":"""#).rtmp_url.is_empty());
    assert_eq!(stream(r#""rtmp_url":"rtmp://a""#).rtmp_url, ["rtmp://a"]);
    assert_eq!(stream(r#""rtmp_url":["rtmp://a",null]"#).rtmp_url, ["rtmp://a"]);
    assert_eq!(stream(r#""pic_url":[1]"#).pic_url, ["1"]);

    let (Event::Moderation(ModerationEvent::VideoImageResult(result)), misfits) = read(
        r#""Event":"censor_video_v2_img_result","Detail":{"RiskDetail":{"FaceInfoList":[{"Location":["1",2]}],"MatchedLists":[null]}}"#,
    ) else {
        panic!()
    };
    let detail = result.detail.unwrap().risk_detail.unwrap();
    assert_eq!(
        (&*detail.face_info_list[0].location, detail.matched_lists.len()),
        (&[1.0, 2.0][..], 0)
    );
    assert!(misfits.is_empty());
}

#[test]
fn empty_text_is_no_object() {
    for members in [
        r#""Event":"censor_audio_v2_result","Code":1902,"Detail":"","AuxInfo":"""#,
        r#""Event":"censor_audio_v2_result","Detail":{"RiskDetail":"","RiskInfoList":"","VadStatus":""}"#,
        r#""EventType":3,"Detail":"""#,
        r#""EventType":1,"AppID":1,"Detail":"""#,
        r#""event_type":1,"detail":"""#,
        r#""event_type":102,"detail":"""#,
        r#""event":"cvt_finish","data":"""#,
    ] {
        let (event, misfits) = read(members);
        assert!(misfits.is_empty() && event.kind() != "unknown", "{members}: {misfits:?}");
    }

    // The pages say that the detail of these is empty.
    for number in [4, 5, 7, 201, 202] {
        let (Event::Recording(event), misfits) =
            read(&format!(r#""event_type":{number},"detail":"""#))
        else {
            panic!("{number}")
        };
        let (RecordingEvent::NoStream(it)
        | RecordingEvent::Finished(it)
        | RecordingEvent::Uploading(it)
        | RecordingEvent::Paused(it)
        | RecordingEvent::Resumed(it)) = event
        else {
            panic!("{number}")
        };
        assert_eq!((it.detail, misfits.len()), (None, 0), "{number}");
    }
    for number in [10001, 10006] {
        let (Event::Player(PlayerEvent::Uploaded(it) | PlayerEvent::UploadExpired(it)), misfits) =
            read(&format!(r#""EventType":{number},"AppID":1,"Detail":"""#))
        else {
            panic!("{number}")
        };
        assert_eq!((it.detail, misfits.len()), (None, 0), "{number}");
    }
}

#[test]
fn attack_text_of_users_cannot_hide_an_event() {
    let (Event::Zim(ZimEvent::SendMsg(message)), misfits) =
        read(r#""event":"send_msg","from_user_id":"u","msg_body":"hi \ud83d","payload":"\udc00""#)
    else {
        panic!()
    };
    assert_eq!(message.msg_body.unwrap().get(), "hi \u{fffd}");
    assert_eq!((message.payload.as_deref(), misfits.len()), (Some("\u{fffd}"), 0));
    let (Event::Room(RoomEvent::Login(login)), _) =
        read(r#""event":"room_login","user_nickname":"\ud83d\ud83d\ude00","\ud800":1"#)
    else {
        panic!()
    };
    assert_eq!(login.user_nickname.as_deref(), Some("\u{fffd}\u{1f600}"));

    let signer = zegocloud::Signer::new("a callback secret").unwrap();
    let request =
        Request::post("/").body(Bytes::from(r#"{"event":"room_login","user_nickname":"#)).unwrap();
    let request =
        signer.sign(request, now()).map(|body| Bytes::from([&body[..], b"\"\xe9ric\"}"].concat()));
    let Event::Room(RoomEvent::Login(login)) = accept(&request).unwrap().into_event() else {
        panic!()
    };
    assert_eq!(login.user_nickname.as_deref(), Some("\u{fffd}ric"));
}

#[test]
fn of_two_spellings_the_documented_one_wins() {
    let (Event::Cdn(CdnEvent::Procedure(it)), _) =
        read(r#""event":"procedure","fileId":"old","file_id":"new""#)
    else {
        panic!()
    };
    assert_eq!(
        (it.file_id.as_deref(), it.rest.get("fileId").unwrap().get()),
        (Some("new"), r#""old""#)
    );
    let (Event::Cdn(CdnEvent::Snapshot(it)), _) =
        read(r#""event":"snapshot","file_id":"1","field_id":"2""#)
    else {
        panic!()
    };
    assert_eq!((it.field_id.as_deref(), it.rest.len()), (Some("2"), 1));
    let (event, misfits) = read(
        r#""Event":"censor_audio_v2_result","Detail":{"BusinessInfoList":[{"BusinessLabe3":"a","BusinessLabel3":"b"}]}"#,
    );
    let Event::Moderation(ModerationEvent::AudioResult(it)) = event else { panic!() };
    assert_eq!(it.detail.unwrap().business_info_list[0].business_label3.as_deref(), Some("b"));
    assert!(misfits.is_empty());
}

#[test]
fn what_an_event_does_not_type_is_in_its_rest() {
    let (Event::Zim(ZimEvent::GroupCreate(group)), _) =
        read(r#""event":"group_create","room_id":"chat-2","operator_account":"a""#)
    else {
        panic!()
    };
    assert_eq!(group.rest.get("room_id").unwrap().get(), r#""chat-2""#);
    assert_eq!(ZimEvent::GroupCreate(group).dedup_key(), None);
}

/// Ids of 32 bytes: the most that the default limit lets through, and the most for 1 MiB.
#[tokio::test]
async fn what_a_large_group_needs() {
    for (count, limit) in [(7_480, None), (29_900, Some(1 << 20))] {
        let users: Vec<_> = (0..count).map(|number| format!("user-{number:027}")).collect();
        let body =
            json!({"event": "group_destroy", "group_id": "g", "user_ids": users}).to_string();
        let (layer, request) = (layer(), signed("/", body));
        let destroyed = tower::service_fn(async |request: Request<http_body_util::Full<Bytes>>| {
            let event =
                request.extensions().get::<tower_webhooks::Verified<Event>>().unwrap().clone();
            Ok::<_, std::convert::Infallible>(http::Response::new(event_of(&event)))
        });
        let layer = match limit {
            Some(limit) => {
                assert_eq!(call(&layer.layer(destroyed), &request).await.status(), 413);
                layer.body_limit(limit)
            }
            None => layer,
        };
        assert_eq!(call(&layer.layer(destroyed), &request).await.into_body(), users);
    }

    /// The users, from the rest: the list is longer than typed ones may be.
    fn event_of(event: &Event) -> Vec<String> {
        let Event::Zim(ZimEvent::GroupDestroy(group)) = event else { panic!("{event:?}") };
        assert_eq!((group.group_id.as_deref(), group.user_ids.len()), (Some("g"), 0));
        assert_eq!(
            event.misfits().iter().map(tower_webhooks::Misfit::path).collect::<Vec<_>>(),
            ["user_ids"]
        );
        group.rest.get("user_ids").unwrap().parse().unwrap()
    }
}

#[test]
fn more_members_than_an_index_holds_are_unknown() {
    let many: String = (0..300).map(|number| format!(r#","m{number}":{number}"#)).collect();
    let (Event::Unknown(unknown), _) = read(&format!(r#""event":"room_close"{many}"#)) else {
        panic!()
    };
    let kept: Map<String, Value> = unknown.raw().unwrap().parse().unwrap();
    assert_eq!((kept.len(), &kept["m299"], unknown.claimed_kind()), (302, &json!(299), None));
    assert!(
        kept.contains_key("timestamp")
            && !kept.contains_key("nonce")
            && !kept.contains_key("signature")
    );
}

#[test]
fn what_was_never_an_event_comes_back_from_a_queue() {
    for body in ["<event/>", "[1]", "7"] {
        let event = Event::Unknown(Unknown::new(body));
        let text = serde_json::to_string(&event).unwrap();
        assert_eq!(serde_json::from_str::<Event>(&text).unwrap(), event, "{text}");
    }
    // The raw body of a callback, should it get there, leaves its credentials behind.
    for body in [
        r#"{"event":"room_close","nonce":"n","signature":"s"}"#,
        r#"{"Nonce":"n","Signature":"s"}"#,
    ] {
        let read: Event = serde_json::from_str(body).unwrap();
        assert!(
            !serde_json::to_string(&read).unwrap().to_lowercase().contains("nonce"),
            "{read:?}"
        );
    }
}

#[test]
fn tables_of_two_are_read_from_booleans() {
    for (spelt, recreate) in
        [("true", Recreate::Again), (r#""True""#, Recreate::Again), ("false", Recreate::New)]
    {
        let (Event::Stream(StreamEvent::Create(it)), misfits) =
            read(&format!(r#""event":"stream_create","recreate":{spelt}"#))
        else {
            panic!("{spelt}")
        };
        assert_eq!((it.recreate, misfits.len()), (Some(recreate), 0), "{spelt}");
    }
    // A table of more than 0 and 1 has no yes and no.
    let (_, misfits) = read(r#""event":"room_close","close_reason":true"#);
    assert_eq!(misfits, ["close_reason"]);
}

#[test]
fn the_pages_other_spellings_are_read() {
    let key = |kind: &str, body: Value| event(kind, &body);
    for name in ["fileId", "file_id"] {
        let Event::Cdn(CdnEvent::Procedure(it)) =
            key("procedure", json!({"event": "procedure", name: "f"}))
        else {
            panic!()
        };
        assert_eq!(it.file_id.as_deref(), Some("f"));
    }
    for name in ["fileId", "file_id", "field_id"] {
        let Event::Cdn(CdnEvent::Snapshot(it)) =
            key("snapshot", json!({"event": "snapshot", name: "f"}))
        else {
            panic!()
        };
        assert_eq!(it.field_id.as_deref(), Some("f"));
    }
    for name in ["BusinessLabe3", "BusinessLabel3"] {
        let body = json!({"Event": "censor_audio_v2_result", "Detail": {"BusinessInfoList": [{name: "third"}]}});
        let Event::Moderation(ModerationEvent::AudioResult(it)) =
            key("censor_audio_v2_result", body)
        else {
            panic!()
        };
        let list = it.detail.unwrap().business_info_list;
        assert_eq!(list[0].business_label3.as_deref(), Some("third"));
    }
    let join = key(
        "zim.group_join",
        json!({"event": "Apply_join_group", "group_id": "g", "operator_account": "a"}),
    );
    assert_eq!(join.kind(), "zim.group_join");
    assert_eq!(serde_json::to_value(&join).unwrap()["event"], "group_join");

    let user = key("zim.user_action", json!({"event": "user_action", "os": "PC "}));
    let Event::Zim(ZimEvent::UserAction(it)) = &user else { panic!() };
    assert_eq!(it.os, Some(Os::Pc));
    assert_eq!(serde_json::to_value(&user).unwrap()["os"], "PC");

    let blank =
        json!({"event": "stream_close", "type": " 100 ", "create_time_ms": "", "stream_seq": " "});
    let Event::Stream(StreamEvent::Close(it)) = key("stream_close", blank) else { panic!() };
    assert_eq!(
        (it.r#type, it.create_time_ms, it.stream_seq),
        (Some(StreamCloseType::Deleted), None, None)
    );

    let users = json!({"event": "call_timeout", "user_ids": ["a", 12, null]});
    let Event::Zim(ZimEvent::CallTimeout(it)) = key("zim.call_timeout", users) else { panic!() };
    assert_eq!(it.user_ids, ["a", "12"]);

    // The page's table types it as a number.
    let body =
        json!({"Event": "censor_audio_v2_result", "Detail": {"RiskInfoList": [{"RiskLevel": 2}]}});
    let Event::Moderation(ModerationEvent::AudioResult(it)) = key("censor_audio_v2_result", body)
    else {
        panic!()
    };
    let list = it.detail.unwrap().risk_info_list;
    assert_eq!(list[0].risk_level, Some(RiskLevel::Other("2".to_owned())));
}

#[test]
fn json_inside_strings_is_parsed_on_demand() {
    let body = |kind: &str| fixtures().find(|(name, _)| *name == kind).unwrap().1;
    let Event::Stream(StreamEvent::Create(it)) = event("stream_create", &body("stream_create"))
    else {
        panic!()
    };
    let attr = it.stream_attr.unwrap();
    assert_eq!(attr.get(), r#"{"cid":3}"#);
    assert_eq!(attr.parse::<StreamAttr>().unwrap().cid, Some(VideoCodec::H265));
    let Event::Stream(StreamEvent::Close(it)) = event("stream_close", &body("stream_close")) else {
        panic!()
    };
    assert_eq!(it.third_define_data.unwrap().parse::<Value>().unwrap(), json!({"lesson": 7}));

    for (extra, (task_id, file_id, persistent_id, duration, obs_object, file_size)) in [
        (
            r#"{"TaskId":"t","FileID":"f","Duration":30.25}"#,
            (Some("t"), Some("f"), None, 30.25, None, None),
        ),
        (r#"{"PersistentId":"p","Duration":3}"#, (None, None, Some("p"), 3.0, None, None)),
        (
            r#"{"Duration":30,"ObsObject":"o/1.mp4","FileSize":9007199254740993}"#,
            (None, None, None, 30.0, Some("o/1.mp4"), Some(9_007_199_254_740_993)),
        ),
    ] {
        let Event::Cdn(CdnEvent::Record(it)) =
            event("record", &json!({"event": "record", "extra_params": extra}))
        else {
            panic!()
        };
        let parsed: RecordExtra = it.extra_params.unwrap().parse().unwrap();
        assert_eq!(parsed.task_id.as_deref(), task_id);
        assert_eq!(parsed.file_id.as_deref(), file_id);
        assert_eq!(parsed.persistent_id.as_deref(), persistent_id);
        assert_eq!(parsed.duration, Some(duration));
        assert_eq!(parsed.obs_object.as_deref(), obs_object);
        assert_eq!(parsed.file_size, file_size);
        assert_same(
            "extra_params",
            &serde_json::from_str(extra).unwrap(),
            &serde_json::to_value(&parsed).unwrap(),
        );
    }

    let Event::Cdn(CdnEvent::Procedure(it)) = event("procedure", &body("procedure")) else {
        panic!()
    };
    let extra = it.extra_params.unwrap();
    let parsed: ProcedureExtra = extra.parse().unwrap();
    assert_eq!(parsed.media.as_ref().unwrap().transcode[0].code, Some(0));
    assert_same("extra_params", &extra.parse().unwrap(), &serde_json::to_value(&parsed).unwrap());

    let Event::Cdn(CdnEvent::Snapshot(it)) = event("snapshot", &body("snapshot")) else { panic!() };
    let pictures: Vec<SnapshotPicture> = it.snapshot_pic_list.unwrap().parse().unwrap();
    assert_eq!(pictures[0].offset, Some(60_000.0));
    assert_eq!(pictures[0].url.as_deref(), Some("https://pic.example.net/4-1.jpg"));

    // The page's table types it as an array; then it is one when serialised, too.
    let bare = json!({"event": "snapshot", "snapshot_pic_list": [{"url": "u"}]});
    let Event::Cdn(CdnEvent::Snapshot(it)) = event("snapshot", &bare) else { panic!() };
    assert_eq!(
        it.snapshot_pic_list.unwrap().parse::<Vec<SnapshotPicture>>().unwrap()[0].url.as_deref(),
        Some("u")
    );
    round_trip("snapshot", &bare);
}

#[test]
fn message_bodies_are_decoded_only_where_they_are_no_json() {
    let body = |text: &str| {
        let Event::Zim(ZimEvent::SendMsg(it)) =
            event("zim.send_msg", &json!({"event": "send_msg", "msg_type": 11, "msg_body": text}))
        else {
            panic!()
        };
        let body = it.msg_body.unwrap();
        assert_eq!(body.get(), text);
        body
    };
    let media = r#"{"md5":"9b1c","file_name":"a%22b.png","file_size":"4096","download_url":"https://z.example/a%2Fb","media_duration":"9","origin_image_width":4000,"origin_image_height":3000,"large_image_download_url":"https://z.example/l","large_image_width":750,"large_image_height":563,"thumbnail_download_url":"https://z.example/t","thumbnail_width":198,"thumbnail_height":149,"video_first_frame_download_url":"https://z.example/f","video_first_frame_width":1280,"video_first_frame_height":720}"#;
    let parsed: MediaBody = body(media).parse().unwrap();
    assert_eq!(parsed.file_name.as_deref(), Some("a%22b.png"));
    assert_same(
        "msg_body",
        &serde_json::from_str(media).unwrap(),
        &serde_json::to_value(&parsed).unwrap(),
    );

    let encoded =
        media.replace('%', "%25").replace('"', "%22").replace('{', "%7B").replace('}', "%7d");
    assert_eq!(body(&encoded).parse::<MediaBody>().unwrap(), parsed);
    assert_eq!(
        body("%7B%22md5%22:%22a+b%22%7D").parse::<MediaBody>().unwrap().md5.as_deref(),
        Some("a+b")
    );

    let multi: MultiBody = body(
        r#"{"multi_msg":[{"msg_type":1,"sub_msg_type":0,"callback_content":"hi"},{"msg_type":11,"callback_content":{"md5":"1"}}]}"#,
    )
    .parse()
    .unwrap();
    let parts = multi.multi_msg;
    assert_eq!(parts[0].callback_content.as_ref().unwrap().parse::<String>().unwrap(), "hi");
    assert_eq!(parts[1].msg_type, Some(MessageType::Image));
    let content = parts[1].callback_content.as_ref().unwrap();
    assert_eq!(content.parse::<MediaBody>().unwrap().md5.as_deref(), Some("1"));
    let combined: CombinedBody = body(r#"{"Title":"t","Summary":"s"}"#).parse().unwrap();
    assert_eq!((combined.title.as_deref(), combined.summary.as_deref()), (Some("t"), Some("s")));

    for no_json in ["100%", "%", "%FF", "2 + 2", "%2522"] {
        assert!(body(no_json).parse::<Value>().is_err(), "{no_json}");
    }
    let attr = JsonText::from("%7B%22cid%22%3A0%7D".to_owned());
    assert_eq!(attr.parse::<StreamAttr>().unwrap().cid, Some(VideoCodec::H264));
    // What is JSON, but of another shape, is not tried in a second reading.
    assert!(body(r#"["%7B%7D"]"#).parse::<MediaBody>().unwrap_err().is_data());
}

#[test]
fn attack_inner_json_never_refuses_an_event() {
    let deep = "[".repeat(100_000);
    for inner in [r#"{"cid":"#, "null", "{\"cid\":\"x\"}", "%7B", "\u{0}", &deep] {
        for (kind, field) in [
            ("stream_create", "stream_attr"),
            ("stream_close", "third_define_data"),
            ("record", "extra_params"),
            ("procedure", "extra_params"),
            ("snapshot", "snapshot_pic_list"),
        ] {
            let body = json!({"event": kind, field: inner});
            round_trip(kind, &body);
            let attr: serde_json::Result<StreamAttr> = JsonText::from(inner.to_owned()).parse();
            assert!(attr.ok().and_then(|attr| attr.cid).is_none(), "{inner}");
        }
        round_trip("zim.bot_msg", &json!({"event": "bot_msg", "msg_body": inner}));
    }

    // Untyped members are skipped without recursion, whatever they hold.
    let body = format!(
        r#"{{"Event":"AgentInstanceMetaInfo","AgentInstanceId":"a","Data":{{"MetaInfo":{deep}{}}}}}"#,
        "]".repeat(100_000)
    );
    let signer = zegocloud::Signer::new("a callback secret").unwrap();
    let request = signer.sign(Request::post("/").body(Bytes::from(body)).unwrap(), now());
    let Event::AiAgent(AiAgentEvent::MetaInfo(it)) = accept(&request).unwrap().into_event() else {
        panic!()
    };
    assert_eq!(it.data.unwrap().meta_info.unwrap().get().len(), 200_000);
}

#[test]
fn attack_of_two_members_neither_is_taken() {
    for count in [1, 5, 31, 32, 33, 200] {
        // Of one length and with the same ends, so that only the whole names differ.
        let names: Vec<_> = (0..count).map(|number| format!("f{number:03}f")).collect();
        let body = |more: &str| {
            let fields: String = names.iter().map(|name| format!(r#","{name}":1"#)).collect();
            read(&format!(r#""event":"room_close","room_id":"r"{fields}{more}"#))
        };
        let rest = |event: &Event| {
            let Event::Room(RoomEvent::Close(room)) = event else { panic!("{event:?}") };
            room.rest.len()
        };
        assert_eq!(rest(&body("").0), count);
        for again in [&*names[0], &*names[count - 1], r"f\u00300\u0030f"] {
            let (event, misfits) = body(&format!(r#","{again}":2"#));
            assert_eq!((rest(&event), &*misfits), (count - 1, &[String::new()][..]), "{again}");
        }
        let (event, misfits) = body(r#","\u0072oom_id":null"#);
        assert_eq!((rest(&event), &*misfits), (count, &["room_id".to_owned()][..]));
        for again in ["event", r"\u0065vent"] {
            assert_eq!(body(&format!(r#","{again}":2"#)).0.kind(), "unknown", "{count} {again}");
        }
    }
}

#[test]
fn attack_nonce_and_signature_are_in_no_event() {
    for (kind, body) in fixtures() {
        let request = sign(kind, &body, now());
        let sent: Value = serde_json::from_slice(request.body()).unwrap();
        let signature = ["signature", "Signature"]
            .iter()
            .find_map(|name| sent[name].as_str())
            .unwrap()
            .to_owned();
        let event = accept(&request).unwrap().into_event();
        for printed in [format!("{event:?}"), serde_json::to_string(&event).unwrap()] {
            assert!(!printed.contains(&signature) && !printed.contains(NONCE), "{kind}");
        }
    }
}

#[test]
fn deduplication_keys_hold_these_fields_and_no_others() {
    let mut keys = BTreeSet::new();
    for (kind, body) in catalogue::events() {
        let body: Value = serde_json::from_str(body).unwrap();
        let fields = KEYS.iter().find(|(start, _)| kind.starts_with(start)).unwrap().1;
        let is_part = |path: &str| fields.split(' ').any(|field| field == path);
        let key = event(kind, &body).dedup_key();
        assert_eq!(key.is_some(), fields != "none", "{kind}");
        if let Some(key) = &key {
            assert!(keys.insert(key.clone()), "{kind}: {key}");
        }

        let mut paths = Vec::new();
        edit_leaves(&mut body.clone(), "", &mut |path, _| paths.push(path.to_owned()));
        for path in paths
            .iter()
            .filter(|path| !["event", "Event", "EventType", "event_type"].contains(&path.as_str()))
        {
            let mut other = body.clone();
            edit_leaves(&mut other, "", &mut |at, value| {
                if at == path {
                    *value = match &*value {
                        Value::Number(number) => {
                            json!(number.as_i64().map_or(0, |number| number + 1))
                        }
                        Value::String(text) => json!(format!("{text}1")),
                        Value::Array(_) if path.ends_with("Location") => json!([1]),
                        Value::Array(_) if path == "file_info" => json!([{}]),
                        Value::Array(_) => json!(["somebody else"]),
                        _ => json!({"changed": true}),
                    };
                }
            });
            let other = event(kind, &other);
            assert_ne!(other, event(kind, &body), "{kind}.{path}: the edit changed nothing");
            assert_eq!(
                other.dedup_key() != key,
                is_part(path),
                "{kind}.{path}: what `KEYS` says of it, at the first beginning that fits"
            );
        }
        let later =
            accept(&sign(kind, &body, now() + Duration::from_secs(1))).unwrap().into_event();
        assert_eq!(later.dedup_key() != key, is_part("timestamp"), "{kind}.timestamp");
    }
    assert_eq!(keys.len(), catalogue::events().len() - 1);

    // A batch has its ids in the list.
    let batch = fixtures().filter(|(kind, _)| *kind == "zim.send_msg").nth(1).unwrap().1;
    assert!(event("zim.send_msg", &batch).dedup_key().unwrap().contains("857639062792568836"));
    for members in [
        r#""event":"send_msg","msg_id":"""#,
        r#""event":"send_msg","msg_id":"","user_list":[{"UserId":"u","MsgId":"","MsgSeq":0}]"#,
        r#""event":"send_msg","user_list":[{}]"#,
        r#""event":"room_create","room_id":"r""#,
        r#""event":"mix_start","task_id":"t""#,
        r#""event":"mix_start","task_id":" ","seq":1"#,
        r#""event":"cvt_finish""#,
        r#""event":"stream_create","room_session_id":1,"stream_sid":"s""#,
        r#""event":"call_accept","call_id":"c""#,
        r#""event":"call_cancel","call_id":"c","user_ids":[]"#,
        r#""EventType":1,"AppID":1,"EventTime":"1760000500034""#,
        r#""Event":"ASRResult","TaskId":"t""#,
    ] {
        assert_eq!(read(members).0.dedup_key(), None, "{members}");
    }
    // Two users speak in one round.
    let asr = |user: &str| {
        read(&format!(r#""Event":"ASRResult","TaskId":"t","Data":{{"UserId":"{user}","Round":7}}"#))
            .0
            .dedup_key()
    };
    assert_eq!(asr("a").as_deref(), Some(r#"["asr.ASRResult","t",7,null,"a"]"#));
    assert_ne!(asr("a"), asr("b"));
    // Two updates of one start, and a start that is signed anew.
    let key = |status: &str, at: u64| {
        let body =
            json!({"Event": "transcode_start", "TaskId": "t", "Sequence": 1, "Status": status});
        accept(&sign("", &body, now() - Duration::from_secs(at)))
            .unwrap()
            .into_event()
            .dedup_key()
            .unwrap()
    };
    assert_ne!(key("TranscodeUpdated", 0), key("TranscodeUpdated", 5));
    assert_eq!(key("TranscodeStarted", 0), key("TranscodeStarted", 5));
}

#[test]
fn forms_give_the_same_events() {
    let form = "event=stream_create&room_id=lecture-7&stream_seq=01&user_name=Ada+%2B+Grace\
        &rtmp_url%5B%5D=rtmp%3A%2F%2Fa&rtmp_url%5B%5D=rtmp%3A%2F%2Fb\
        &stream_attr=%7B%22cid%22%3A0%7D";
    let signer = zegocloud::Signer::new("a callback secret").unwrap();
    let request = signer.sign(Request::post("/").body(Bytes::from(form)).unwrap(), now());
    // Whatever the content type says.
    for content_type in ["text/plain", "application/json", "multipart/form-data"] {
        let mut typed = request.clone();
        typed.headers_mut().insert("content-type", content_type.parse().unwrap());
        assert_eq!(
            accept(&typed).unwrap().event(),
            accept(&request).unwrap().event(),
            "{content_type}"
        );
    }
    let json = json!({"event": "stream_create", "room_id": "lecture-7", "stream_seq": "1", "user_name": "Ada + Grace",
        "rtmp_url": ["rtmp://a", "rtmp://b"], "stream_attr": "{\"cid\":0}"});
    assert_eq!(accept(&request).unwrap().event(), &event("stream_create", &json));
}

#[test]
fn code_tables() {
    macro_rules! codes {
        ($($table:ident: $($code:literal)*;)*) => {$(
            let mut known = BTreeSet::new();
            for code in [$($code),*] {
                let variant = $table::from(code);
                assert!(!matches!(variant, $table::Other(_)), "{} {code}", stringify!($table));
                assert_eq!(variant.code(), code);
                assert_eq!(serde_json::to_value(variant).unwrap(), json!(code));
                assert!(known.insert(format!("{variant:?}")));
            }
            assert_eq!($table::from(-987_654), $table::Other(-987_654));
            assert_eq!($table::Other(-987_654).code(), -987_654);
        )*};
    }
    codes! {
        CloseReason: 0 1 2 3;
        UserRole: 1 2 4;
        AuthLevel: 0 1 2 3 4;
        Relogin: 0 1;
        TerminalType: 0 1 2 3 4 5 6 7 32;
        LogoutReason: 0 1 2 3 4;
        VideoCodec: 0 1 2 3;
        Recreate: 0 1;
        StreamCloseType: 0 1 2 3 4 5 100;
        StopReason: 0 1;
        ComposeCode: 0 40000 60000 70000;
        ModerationState: 0;
        VadStatus: 0 1;
        RiskSource: 1000 1001 1002 1003;
        StreamTaskStatus: 1 2 3 4 5;
        DriveStatus: 1 2 3 4;
        InterruptReason: 1 2 3 4;
        DeletionCode: 0 1201 1202 1203 1204 1205 1206;
        ExceptionCode: 1001 1004 1101 1201 1202 1203 1204 1205 1206 1207 1208 2101 2201 2202 2203 2204 2205 2206 2301
            2302 2303 2304 2305;
        UploadStatus: 1 2;
        MediaTrackType: 1 2 3;
        FileStatus: 3 4 5;
        QuitReason: 1 2 3 4 5 6 1001 1002 1003 1004 1005 1006 1007 1008 1009 1010 1011;
        ImageType: 1 2 3 4;
        DestroyReason: 1 2 3 4 5;
        PlayerState: 1 2 3 4 5 6 7 8;
        PlayerExceptionCode: -1 -2 -3 -4 -5 -6 -7 1 2 3 4 5 6 7;
        UploadFailure: 1 2 3;
        UploadState: 1 2 3;
        CancelFailure: 1 2;
        UploadExceptionCode: 1 2;
        Presence: 0 1 2;
        ConversationType: 0 1 2 3;
        MessageType: 1 10 11 12 13 14 100 200;
        MessageSource: 0 1;
        AutoDelete: 0 1;
        SendDecision: 0 1 2 3;
        ConversionStatus: 16 32 64 128 256 512 1024 2048 4096 8192 16384 32768 32769;
    }
}

#[test]
fn word_tables() {
    macro_rules! words {
        ($($table:ident: $($word:literal)*;)*) => {$(
            for word in [$($word),*] {
                let variant = $table::from(word);
                assert!(!matches!(variant, $table::Other(_)), "{} {word}", stringify!($table));
                assert_eq!(variant.as_str(), word);
                assert_eq!(serde_json::to_value(&variant).unwrap(), json!(word));
            }
            assert_eq!($table::from("new").as_str(), "new");
        )*};
    }
    words! {
        TranscodeStatus: "TranscodeStarted" "TranscodeUpdated" "TranscodeStopped";
        ProcedureStatus: "SUCCESS" "FAILED";
        Vendor: "tencent" "hw";
        RiskLevel: "PASS" "REVIEW" "REJECT";
        SpeakAction: "SPEAK_BEGIN" "SPEAK_END";
        AgentState: "IDLE" "LISTENING" "THINKING" "SPEAKING";
        FileFormat: "mp4" "flv" "hls" "jpg" "aac";
        Os: "PC" "IOS_PHONE" "ANDROID" "MAC" "LINUX" "WEB" "MINIPROGRAM" "ANDROID_TV";
        CallCancelReason: "caller_cancel" "timeout_cancel";
        JoinType: "Apply" "Invited";
        ExitType: "Quit" "Kickout";
    }
}

#[tokio::test]
async fn a_verdict_is_an_answer() {
    use axum::response::IntoResponse;

    let verdict = SendVerdict::new(SendDecision::Send).new_payload("p").new_msg_body("\"b\"");
    let response = verdict.into_response();
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["content-type"], "application/json");
    let body = axum::body::to_bytes(response.into_body(), 1024).await.unwrap();
    assert_eq!(body, r#"{"result":1,"new_payload":"p","new_msg_body":"\"b\""}"#);

    let refused = SendVerdict::new(SendDecision::Refuse).reason("no");
    assert_eq!(serde_json::to_value(&refused).unwrap(), json!({"result": 3, "reason": "no"}));
}

/// ZIM may ask again after 2.5 s; it has to get the same verdict, and the handler is not asked
/// twice.
#[tokio::test]
async fn a_verdict_is_repeated() {
    use axum::{Router, routing::post};
    use std::sync::atomic::{AtomicUsize, Ordering};
    use tower::{ServiceBuilder, util::MapResponseLayer};
    use tower_webhooks::replay::ReplayedResponse;

    static ASKED: AtomicUsize = AtomicUsize::new(0);
    async fn judge() -> SendVerdict {
        ASKED.fetch_add(1, Ordering::Relaxed);
        SendVerdict::new(SendDecision::Refuse).reason("spam")
    }

    let layers = ServiceBuilder::new()
        .layer(MapResponseLayer::new(ReplayedResponse::restore))
        .layer(layer());
    let app: Router = Router::new().route("/zim", post(judge).layer(layers));
    let request = signed("/zim", r#"{"event":"before_send_msg","request_id":"r-1"}"#);
    for _ in 0..3 {
        let response = call(&app, &request).await;
        assert_eq!(response.headers()["content-type"], "application/json");
        assert_eq!(text(response).await.1, r#"{"result":3,"reason":"spam"}"#);
    }
    assert_eq!(ASKED.load(Ordering::Relaxed), 1);
}
