//! What can be sent to each route of the receiver: the variables it needs, some events, and the
//! signer.

use super::{
    vars::{self, Names},
    zegocloud_catalogue,
};
use tower_webhooks::{ConfigError, Signer, geelark, stardust, vobiz, zegocloud};

pub struct Family {
    pub name: &'static str,
    pub route: &'static str,
    pub vars: Names,
    /// The variables that the signer takes, in this order, each with the flag that overrides it.
    pub needs: &'static [(&'static str, &'static str)],
    pub content_type: &'static str,
    /// Kind and body; the first one is sent if none is named. `FRESH` is replaced with new digits
    /// each time: if the body is signed, the same body would be a repeat.
    pub events: fn() -> &'static [(&'static str, &'static str)],
    pub signer: NewSigner,
}

type NewSigner = fn(&[String]) -> Result<Box<dyn Signer>, ConfigError>;

pub const FAMILIES: &[Family] = &[
    Family {
        name: "zegocloud",
        route: "/zegocloud",
        vars: vars::ZEGOCLOUD,
        needs: &[("ZEGOCLOUD_CALLBACK_SECRET", "--secret")],
        content_type: JSON,
        events: zegocloud_catalogue::events,
        signer: |values| Ok(Box::new(zegocloud::Signer::new(value(values, 0))?)),
    },
    Family {
        name: "geelark",
        route: "/geelark",
        vars: vars::GEELARK,
        needs: &[("GEELARK_APP_ID", "--app-id"), ("GEELARK_APP_KEY", "--app-key")],
        content_type: JSON,
        events: || GEELARK,
        signer: |values| Ok(Box::new(geelark::Signer::new(value(values, 0), value(values, 1))?)),
    },
    Family {
        name: "geelark-token",
        route: "/geelark/token",
        vars: vars::GEELARK,
        needs: &[("GEELARK_TOKEN", "--token")],
        content_type: JSON,
        events: || GEELARK,
        signer: |values| Ok(Box::new(geelark::TokenSigner::new(value(values, 0))?)),
    },
    Family {
        name: "stardust",
        route: "/stardust",
        vars: vars::STARDUST,
        needs: &[("STARDUST_ACCESS_KEY", "--access-key")],
        content_type: JSON,
        events: || STARDUST,
        signer: |values| Ok(Box::new(stardust::KeyOnlySigner::new(value(values, 0))?)),
    },
    Family {
        name: "stardust-signed",
        route: "/stardust/signed",
        vars: vars::STARDUST,
        needs: &[("STARDUST_ACCESS_KEY", "--access-key"), ("STARDUST_SECRET_KEY", "--secret-key")],
        content_type: JSON,
        events: || STARDUST,
        signer: |values| Ok(Box::new(stardust::Signer::new(value(values, 0), value(values, 1))?)),
    },
    Family {
        name: "vobiz-voice",
        route: "/vobiz/voice",
        vars: vars::VOBIZ,
        needs: &[("VOBIZ_AUTH_TOKEN", "--auth-token"), ("VOBIZ_PUBLIC_URL", "--public-url")],
        content_type: "application/x-www-form-urlencoded",
        events: || VOICE,
        signer: |values| {
            Ok(Box::new(vobiz::voice::Signer::new(value(values, 0), value(values, 1))?))
        },
    },
    Family {
        name: "vobiz-kyc",
        route: "/vobiz/kyc",
        vars: vars::VOBIZ,
        needs: &[("VOBIZ_PARENT_AUTH_TOKEN", "--parent-auth-token")],
        content_type: JSON,
        events: || KYC,
        signer: |values| Ok(Box::new(vobiz::kyc::Signer::new(value(values, 0))?)),
    },
    Family {
        name: "vobiz-campaign",
        route: "/vobiz/campaign",
        vars: vars::VOBIZ,
        needs: &[("VOBIZ_AUTH_TOKEN", "--auth-token")],
        content_type: JSON,
        events: || CAMPAIGN,
        signer: |values| Ok(Box::new(vobiz::campaign::Signer::new(value(values, 0))?)),
    },
    Family {
        name: "vobiz-ndnc",
        route: "/vobiz/ndnc",
        vars: vars::VOBIZ,
        needs: &[("VOBIZ_NDNC_SECRET", "--secret")],
        content_type: JSON,
        events: || NDNC,
        signer: |values| Ok(Box::new(vobiz::ndnc::Signer::new(value(values, 0))?)),
    },
    Family {
        name: "vobiz-trunk",
        route: "/vobiz/trunk",
        vars: vars::VOBIZ,
        needs: &[("VOBIZ_TRUNK_SECRET", "--secret")],
        content_type: JSON,
        events: || TRUNK,
        signer: |values| Ok(Box::new(vobiz::trunk::Signer::new(value(values, 0))?)),
    },
    Family {
        name: "vobiz-whatsapp",
        route: "/vobiz/whatsapp",
        vars: vars::VOBIZ,
        needs: &[("VOBIZ_WHATSAPP_SECRET", "--secret")],
        content_type: JSON,
        events: || WHATSAPP,
        signer: |values| Ok(Box::new(vobiz::whatsapp::Signer::new(value(values, 0))?)),
    },
];

fn value(values: &[String], place: usize) -> &str {
    &values[place]
}

const JSON: &str = "application/json";

const GEELARK: &[(&str, &str)] = &[
    (
        "phone_started",
        r#"{"type":1,"id":"528086321789535232","result":true,"username":"ops@example.com","ip":"198.51.100.17","eventTime":1795218342}"#,
    ),
    (
        "patch_installed",
        r#"{"type":2,"id":"528086321789535232","taskId":"128715748189668352","result":true,"message":"success"}"#,
    ),
    (
        "file_uploaded",
        r#"{"type":4,"id":"528086321789535232","taskId":"128715748189668353","result":true}"#,
    ),
    (
        "screenshot",
        r#"{"type":5,"id":"528086321789535232","taskId":"128715748189668354","result":true,"downloadLink":"https://files.example.com/shot.jpg"}"#,
    ),
    ("task_completed", r#"{"type":6,"taskId":"128715748189668355","result":false}"#),
    ("payment_completed", r#"{"type":7,"orderId":"90017","result":true}"#),
    (
        "phone_stopped",
        r#"{"type":8,"id":"528086321789535232","username":"ops@example.com","ip":"198.51.100.17","eventTime":1795218942,"useMin":10}"#,
    ),
    ("phones_renamed", r#"{"type":9,"items":[{"id":"528086321789535232","name":"till 3"}]}"#),
    ("phones_deleted", r#"{"type":10,"items":[{"id":"528086321789535232","recycle":true}]}"#),
    ("tags_changed", r#"{"type":11,"envIds":["528086321789535232"]}"#),
    ("tasks_created", r#"{"type":12,"taskIds":["128715748189668356"],"channel":"api"}"#),
    ("tasks_cancelled", r#"{"type":13,"taskIds":["128715748189668356"],"channel":"client"}"#),
    ("contacts_imported", r#"{"type":14,"taskId":"128715748189668357","status":1}"#),
    (
        "app_installed",
        r#"{"type":15,"id":"528086321789535232","packageName":"com.example.till","appVersionId":"77","result":1}"#,
    ),
];

const STARDUST: &[(&str, &str)] = &[
    (
        "completed",
        r#"{"taskId":"329345877854392320","status":"completed","task":{"taskId":"329345877854392320","status":9,"taskParams":{"record":{"attachmentType":"IMAGE","attachment":"oss://bucket/17.jpg","metadata":{"uniqueIdentifier":"row-17"}}},"result":{"annotations":[{"key":"box","label":"Car","type":"slot","slots":[{"id":"s1","type":"box2d","plane":{"topLeft":{"x":0.125,"y":4}}}]}]}}}"#,
    ),
    ("task_error", r#"{"taskId":"329345877854392321","status":"error","task":null}"#),
    (
        "audit_status_changed",
        r#"{"taskId":"329345877854392322","status":"Approved","task":{"taskId":"329345877854392322","status":9}}"#,
    ),
    (
        "other",
        r#"{"taskId":"329345877854392323","status":7,"task":{"taskId":"329345877854392323","status":7}}"#,
    ),
];

const VOICE: &[(&str, &str)] = &[
    (
        "StartApp",
        "BillRate=0&CallStatus=ringing&CallUUID=12d86ccd-0000-4000-8000-FRESH\
         &CallerName=%2B910000000001&Direction=inbound&Event=StartApp&From=910000000001\
         &ParentAuthID=MA_TEST0001&STIRVerification=Not+Applicable\
         &SessionStart=2026-06-08+06%3A07%3A34.130248&To=00000000002",
    ),
    (
        "Hangup",
        "AnswerTime=2026-06-08+11%3A37%3A40&BillDuration=60&BillRate=0.45&CallStatus=completed\
         &CallUUID=12d86ccd-0000-4000-8000-FRESH&Direction=inbound&Duration=42\
         &EndTime=2026-06-08+11%3A38%3A22&Event=Hangup&From=910000000001\
         &HangupCause=NORMAL_CLEARING&HangupCauseCode=4000&HangupCauseName=Normal+Hangup\
         &HangupSource=Caller&StartTime=2026-06-08+11%3A37%3A34&To=00000000002&TotalCost=0.45",
    ),
    (
        "gather",
        "CallUUID=12d86ccd-0000-4000-8000-FRESH&From=910000000001&To=00000000002&Direction=inbound\
         &InputType=dtmf&Digits=1&Speech=",
    ),
];

const KYC: &[(&str, &str)] = &[(
    "kyc.completed",
    r#"{"event":"kyc.completed","timestamp":"2026-06-04T08:51:10Z","session_id":"b6a1f3c2-7a44-4e2b-9c11-FRESH","account_auth_id":"SA_TEST0001","customer_email":"customer@example.com","kyc_type":"individual","session_status":"kyc_completed","metadata":{"your_ref":"r1"},"created_at":"2026-06-04T08:40:00+00:00","updated_at":"2026-06-04T08:51:10+00:00"}"#,
)];

const CAMPAIGN: &[(&str, &str)] = &[
    (
        "campaign.started",
        r#"{"event":"campaign.started","campaign_id":"a4c7ab38-0000-4bd0-a51a-FRESH","account_id":"MA_TEST0001","timestamp":"2026-05-01T09:00:00Z"}"#,
    ),
    (
        "contact.answered",
        r#"{"event":"contact.answered","campaign_id":"a4c7ab38-0000-4bd0-a51a-FRESH","account_id":"MA_TEST0001","timestamp":"2026-05-01T09:01:00Z","contact_id":"c-9","call_uuid":"12d86ccd-0000-4000-8000-000000000002","to_number":"+910000000002","from_number":"+910000000001","duration":31}"#,
    ),
];

const NDNC: &[(&str, &str)] = &[(
    "ndnc_alert",
    r#"{"accountName":"Example Co","totalComplaints":1,"complaints":[{"urn":"URN-FRESH","did":"9000000001","complainantNumber":"9000000002","complaintDate":"2026-06-08","description":"Unwanted call","accountId":"MA_TEST0001","accountName":"Example Co","accountEmail":"ops@example.com"}]}"#,
)];

const TRUNK: &[(&str, &str)] = &[(
    "CallInitiated",
    r#"{"Event":"CallInitiated","CallUUID":"aabbccdd-0000-4000-8000-FRESH","RequestID":"aabbccdd-0000-4000-8000-FRESH","Timestamp":"2026-03-18T12:00:00Z","From":"+910000000001","To":"+910000000002","Direction":"outbound","Status":"initiated","auth_id":"MA_TEST0001","TrunkID":"aabbccdd-0000-4000-8000-000000000002","Domain":"trunk.sip.example.com","SourceIP":"198.51.100.17","SIPCallID":"abc123@198.51.100.17","Allowed":true,"Reason":""}"#,
)];

const WHATSAPP: &[(&str, &str)] = &[(
    "message.inbound",
    r#"{"event_id":"f4c1a0d2-0000-4a9c-8e2f-FRESH","event_type":"message.inbound","account_id":"MA_TEST0001","occurred_at":"2026-03-25T10:00:00Z","payload":{"object":"whatsapp_business_account","entry":[{"id":"1","changes":[{"field":"messages","value":{"messaging_product":"whatsapp","metadata":{"display_phone_number":"910000000001","phone_number_id":"17"},"contacts":[{"profile":{"name":"Ada"},"wa_id":"910000000002"}],"messages":[{"from":"910000000002","id":"wamid.1","timestamp":"1774432800","type":"text","text":{"body":"hello"}}]}}]}]}}"#,
)];
