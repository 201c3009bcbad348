//! The cost of accepting a ZEGOCLOUD callback beside its floor: the SHA-1 of the signed text and
//! serde into a plain struct.
//!
//! `cargo bench --bench zegocloud_catalogue` prints divan's table, then a ratio line for each
//! event.

use bytes::Bytes;
use divan::{Bencher, black_box};
use http::{Request, request::Parts};
use ratio::{is_measuring, ratio};
use serde::{Deserialize, de::DeserializeOwned};
use sha1::{Digest, Sha1};
use std::time::{Duration, SystemTime};
use tower_webhooks::{
    Provider, Signer as _,
    zegocloud::{self, Zegocloud},
};

#[path = "../examples/send/zegocloud_catalogue.rs"]
mod catalogue;
#[path = "common/ratio.rs"]
mod ratio;

fn main() {
    divan::main();
    if is_measuring() {
        compare::<StreamCreate>();
        compare::<ModerationResult>();
        compare::<SendMsg>();
    }
}

fn compare<T: Plain>() {
    let callback = Callback::new(T::KIND);
    ratio(T::KIND, callback.body.len(), || callback.accept(), || callback.floor::<T>());
}

#[divan::bench(args = ["stream_create", "censor_audio_v2_result", "zim.send_msg"])]
fn accept(bencher: Bencher<'_, '_>, kind: &str) {
    let callback = Callback::new(kind);
    bencher.bench(|| callback.accept());
}

#[divan::bench(types = [StreamCreate, ModerationResult, SendMsg])]
fn floor<T: Plain>(bencher: Bencher<'_, '_>) {
    let callback = Callback::new(T::KIND);
    bencher.bench(|| callback.floor::<T>());
}

struct Callback {
    provider: Zegocloud,
    head: Parts,
    body: Bytes,
    signed: String,
    now: SystemTime,
}

impl Callback {
    fn new(kind: &str) -> Self {
        let (_, json) = catalogue::events().iter().find(|(name, _)| *name == kind).unwrap();
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_760_000_123);
        let signer = zegocloud::Signer::new(SECRET).unwrap().nonce(NONCE);
        let (head, body) = signer
            .sign(Request::post("/zegocloud").body(Bytes::from(*json)).unwrap(), now)
            .into_parts();
        let signed = format!("1760000123{NONCE}{SECRET}");
        Self { provider: Zegocloud::new(SECRET).unwrap(), head, body, signed, now }
    }

    fn accept(&self) -> impl Sized + use<> {
        self.provider.check_body((), &self.head, &self.body, self.now).unwrap()
    }

    fn floor<T: DeserializeOwned>(&self) -> ([u8; 20], T) {
        let digest = Sha1::digest(black_box(&self.signed)).into();
        (digest, serde_json::from_str(std::str::from_utf8(black_box(&self.body)).unwrap()).unwrap())
    }
}

const SECRET: &str = "5f4dcc3b5aa765d61d8327deb882cf99";
const NONCE: &str = "7254119327986670314";

trait Plain: DeserializeOwned {
    const KIND: &'static str;
}

impl Plain for StreamCreate {
    const KIND: &'static str = "stream_create";
}

impl Plain for ModerationResult {
    const KIND: &'static str = "censor_audio_v2_result";
}

impl Plain for SendMsg {
    const KIND: &'static str = "zim.send_msg";
}

macro_rules! plain {
    ($($(#[$meta:meta])* struct $name:ident { $($field:ident: $type:ty,)* })*) => {$(
        #[derive(Deserialize)]
        #[allow(dead_code, reason = "the floor reads every field and uses none")]
        $(#[$meta])*
        struct $name { $($field: $type,)* }
    )*};
}

plain! {
    struct StreamCreate {
        event: String,
        appid: String,
        timestamp: String,
        nonce: String,
        signature: String,
        room_id: String,
        room_session_id: String,
        user_id: String,
        user_name: String,
        channel_id: String,
        stream_id: String,
        stream_alias: String,
        stream_sid: String,
        title: String,
        stream_attr: String,
        stream_seq: String,
        create_time: String,
        create_time_ms: String,
        extra_info: String,
        recreate: String,
        publish_id: String,
        publish_name: String,
        rtmp_url: Vec<String>,
        hls_url: Vec<String>,
        hdl_url: Vec<String>,
        pic_url: Vec<String>,
    }

    #[serde(rename_all = "PascalCase")]
    struct ModerationResult {
        event: String,
        app_id: u64,
        timestamp: String,
        nonce: String,
        signature: String,
        code: i64,
        message: String,
        task_id: String,
        result_task_id: String,
        detail: ModerationDetail,
        aux_info: AuxInfo,
    }

    #[serde(rename_all = "PascalCase")]
    struct ModerationDetail {
        risk_level: String,
        audio_text: String,
        audio_url: String,
        pre_audio_url: String,
        risk_description: String,
        risk_label1: String,
        risk_label2: String,
        risk_label3: String,
        vad_status: u8,
        risk_detail: RiskDetail,
        risk_info_list: Vec<RiskInfo>,
        business_info_list: Vec<BusinessInfo>,
    }

    #[serde(rename_all = "PascalCase")]
    struct RiskDetail {
        risk_source: u64,
        audio_text: String,
        matched_lists: Option<Vec<MatchedList>>,
    }

    #[serde(rename_all = "PascalCase")]
    struct MatchedList {
        name: String,
    }

    #[serde(rename_all = "PascalCase")]
    struct RiskInfo {
        risk_level: String,
        risk_description: String,
        risk_label1: String,
        risk_label2: String,
        risk_label3: String,
        risk_detail: RiskDetail,
    }

    #[serde(rename_all = "PascalCase")]
    struct BusinessInfo {
        business_description: String,
        business_label1: String,
        business_label2: String,
        business_label3: String,
        confidence_level: u64,
        probability: f64,
    }

    #[serde(rename_all = "PascalCase")]
    struct AuxInfo {
        room_id: String,
        process_begin_time: u64,
        process_finish_time: u64,
        user_id: String,
    }

    struct SendMsg {
        event: String,
        appid: String,
        timestamp: String,
        nonce: String,
        signature: String,
        from_user_id: String,
        conv_type: u8,
        conv_id: String,
        msg_type: u8,
        sub_msg_type: u8,
        source: u8,
        msg_body: String,
        msg_id: String,
        msg_seq: u64,
        payload: String,
        msg_time: u64,
        send_result: i64,
    }
}
