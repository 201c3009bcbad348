//! Stardust's payload: with all members, with few, with nulls, with odd ones, and with nothing
//! lost.
#![cfg(feature = "stardust")]

#[cfg(target_os = "linux")]
use crate::support::cpu::is_cheap;
use crate::support::events::{misfits, payloads, written};
use bytes::Bytes;
use http::Request;
use serde_json::{Value, json};
#[cfg(target_os = "linux")]
use std::time::Duration;
use std::time::SystemTime;
use tower_webhooks::{
    Provider, WebhookEvent as _,
    stardust::{
        Annotation, AttachmentType, Callback, Event, PoolType, StardustKeyOnly, State, Status,
    },
};

fn parse(body: impl Into<Bytes>) -> Event {
    let request = Request::post("/").header("x-stardust-key", "key").body(body.into()).unwrap();
    let delivery =
        StardustKeyOnly::new("key").unwrap().verify(&request, SystemTime::now()).unwrap();
    assert_eq!(delivery.kind(), delivery.event().kind());
    assert_eq!(delivery.misfits()[..], delivery.event().misfits()[..]);
    delivery.into_event()
}

fn event(body: &Value) -> Event {
    parse(body.to_string())
}

fn callback(body: &Value) -> Callback {
    match event(body) {
        Event::Callback(callback) => callback,
        other => panic!("{other:?}"),
    }
}

fn task() -> Value {
    payloads("stardust").remove(0).0["task"].clone()
}

#[test]
fn all_members() {
    for (payload, kind) in payloads("stardust") {
        let event = event(&payload);
        assert_eq!(event.kind(), kind);
        assert!(event.misfits().is_empty());
        assert_eq!(written(&event), payload);
    }
    let (payload, _) = payloads("stardust").remove(0);
    let callback = callback(&payload);
    assert_eq!(callback.task_id.as_deref(), Some("410000000000000001"));
    assert_eq!(callback.status, Some(Status::from("completed")));

    let task = callback.task.as_ref().unwrap();
    assert_eq!(task.task_id.as_deref(), Some("410000000000000001"));
    assert_eq!(task.status, Some(Status::from(9)));
    assert_eq!(task.unique_identifier(), Some("frame-0007"));
    assert_eq!(task.additional_info().unwrap().parse::<Value>().unwrap()["shift"], 3);
    assert_eq!(task.quality_messages.as_ref().unwrap().get(), r#"[{"message":"tight"}]"#);
    assert!(task.error_message.as_ref().unwrap().get().contains("isPointTimeOut"));
    assert_eq!(task.worker_info.as_ref().unwrap().get(), r#"{"name":"w"}"#);
    assert_eq!(task.callback_succeeded, Some(false));
    assert_eq!(task.server_time.as_deref(), Some("2026-01-02 03:04:06"));
    assert_eq!(task.task_deadline.as_deref(), Some("2026-02-01 00:00:00"));
    assert_eq!(
        task.rest
            .iter()
            .map(|(name, _)| name)
            .collect::<std::collections::BTreeSet<_>>()
            .into_iter()
            .collect::<Vec<_>>(),
        [
            "instancePropertyShortcutMappingList",
            "issueTransferConfigs",
            "pointData",
            "taskNoteDTOList"
        ]
    );
    let record = task.task_params.as_ref().unwrap().record.as_ref().unwrap();
    assert_eq!(record.attachment_type, Some(AttachmentType::Image));
    assert_eq!(record.attachment.as_ref().unwrap().get(), r#""oss://bucket/lane 7.jpg""#);
    assert_eq!(record.rest.get("priority").unwrap().get(), "5");
    let info = task.append_info.as_ref().unwrap();
    assert_eq!(info.update_time.as_deref(), Some("2026-01-02 03:04:05"));
    assert_eq!(info.project_info.as_ref().unwrap().project_name.as_deref(), Some("lanes"));
    let pool = info.pool_info.as_ref().unwrap();
    assert_eq!(
        (pool.pool_id.as_deref(), pool.pool_type),
        (Some("16555"), Some(PoolType::Completion))
    );
    assert_eq!(
        (&*pool.operator_id_black_list, pool.is_time_sequence),
        (&["12".to_owned()][..], Some(false))
    );
    let before = task.previous_result.as_ref().unwrap().annotations.as_ref().unwrap();
    assert_eq!(before.iter().next().unwrap().unwrap().key.as_deref(), Some("box"));
}

#[test]
fn annotations_are_typed_one_by_one() {
    let callback = callback(&payloads("stardust")[0].0);
    let list = callback.task.as_ref().unwrap().annotations().unwrap();
    let annotations: Vec<Annotation> = list.iter().collect::<Result<_, _>>().unwrap();
    let [annotation] = &annotations[..] else { panic!("{annotations:?}") };
    assert_eq!(
        (annotation.key.as_deref(), annotation.r#type.as_deref()),
        (Some("box"), Some("slot"))
    );
    let slots = annotation.slots.as_ref().unwrap();
    let slot = slots.iter().next().unwrap().unwrap();
    assert_eq!(
        (slot.id.as_deref(), slot.user_id.as_deref(), slot.start),
        (Some("s1"), Some("77"), Some(3.0))
    );
    assert_eq!((slot.confidence, slot.confirmed, slot.length), (Some(0.75), Some(true), Some(4.0)));
    assert_eq!(
        (slot.hint_confidence.as_deref(), slot.hint_status.as_deref()),
        (Some("High"), Some("Unconfirmed"))
    );
    assert_eq!((slot.source.as_deref(), slot.text.as_deref()), (Some("cam0"), Some("van")));
    let corner = slot.plane.as_ref().unwrap().bottom_right.as_ref().unwrap();
    assert_eq!((corner.x, corner.y), (Some(40.5), Some(19.0)));
    assert!(slot.rest.is_empty());

    let odd =
        r#"[ {"label":"a","slots":{}} ,[["a"]],7, {"label":["b"],"points":[1]} , null,"x",{} ] "#;
    let body =
        format!(r#"{{"taskId":"1","status":"x","task":{{"result":{{"annotations":{odd}}}}}}}"#);
    let Event::Callback(callback) = parse(body) else { panic!() };
    let list = callback.task.as_ref().unwrap().annotations().unwrap();
    let read: Vec<_> = list.iter().map(Result::ok).collect();
    assert_eq!(
        read.iter().map(Option::is_some).collect::<Vec<_>>(),
        [true, false, false, true, false, false, true]
    );
    let misfits = |place: usize| read[place].as_ref().unwrap().rest.misfits()[0].path();
    assert_eq!((misfits(0), misfits(3)), ("slots", "label"));
    assert_eq!(read[3].as_ref().unwrap().rest.get("points").unwrap().get(), "[1]");
    for none in ["[]", "[ ]"] {
        let body = format!(
            r#"{{"taskId":"1","status":"x","task":{{"result":{{"annotations":{none}}}}}}}"#
        );
        let Event::Callback(callback) = parse(body) else { panic!() };
        assert_eq!(callback.task.unwrap().annotations().unwrap().iter().count(), 0);
    }
}

#[test]
fn each_member_alone_and_null() {
    let bare = json!({"taskId": "41", "status": "completed"});
    assert_eq!(written(&event(&bare)), bare);
    assert_eq!(callback(&bare).task, None);
    for none in [json!(null), json!("")] {
        assert_eq!(
            written(&event(&json!({"taskId": "41", "status": "completed", "task": none}))),
            bare
        );
    }
    let empty = json!({"taskId": "41", "status": "completed", "task": {}});
    assert_eq!(written(&event(&empty)), empty);

    let untyped = [
        "pointData",
        "taskNoteDTOList",
        "issueTransferConfigs",
        "instancePropertyShortcutMappingList",
    ];
    for (name, value) in task().as_object().unwrap() {
        let one = json!({"taskId": "41", "status": "other", "task": {name.as_str(): value}});
        assert_eq!(written(&event(&one)), one);
        let null = json!({"taskId": "41", "status": "completed", "task": {name.as_str(): null}});
        let expected = if untyped.contains(&name.as_str()) { &null } else { &empty };
        assert_eq!(&written(&event(&null)), expected, "{name}");
    }
    for nested in ["taskParams", "result"] {
        let mut nulls = task();
        nulls[nested].as_object_mut().unwrap().values_mut().for_each(|value| *value = Value::Null);
        let task =
            callback(&json!({"taskId": "41", "status": "completed", "task": nulls})).task.unwrap();
        assert!(if nested == "result" {
            task.annotations().is_none()
        } else {
            task.additional_info().is_none()
        });
    }
}

#[test]
fn nothing_of_a_callback_is_lost() {
    let kept = [
        r#""price":0.1000000000000000055511151231257827021181583404541015625"#,
        r#""big":123456789012345678901234567890"#,
        r#""huge":1e400"#,
        r#""escaped":"\u0041\/\ud83d\ude00""#,
        r#""spaced":{ "a" : [ 1 , 2.50 ] }"#,
        r#""null":null"#,
    ];
    for place in [
        |inner: &str| inner.to_owned(),
        |inner: &str| format!(r#""task":{{{inner}}}"#),
        |inner: &str| format!(r#""task":{{"result":{{{inner}}}}}"#),
        |inner: &str| format!(r#""task":{{"result":{{"annotations":[{{{inner}}}]}}}}"#),
        |inner: &str| format!(r#""task":{{"previousResult":{{{inner}}}}}"#),
        |inner: &str| format!(r#""task":{{"appendInfo":{{"poolInfo":{{{inner}}}}}}}"#),
        |inner: &str| format!(r#""task":{{"taskParams":{{{inner}}}}}"#),
        |inner: &str| format!(r#""task":{{"taskParams":{{"record":{{{inner}}}}}}}"#),
        |inner: &str| format!(r#""task":{{"taskParams":{{"record":{{"metadata":{{{inner}}}}}}}}}"#),
        |inner: &str| {
            format!(
                r#""task":{{"taskParams":{{"record":{{"metadata":{{"additionalInfo":{{{inner}}}}}}}}}}}"#
            )
        },
        |inner: &str| format!(r#""task":{{"errorMessage":{{{inner}}}}}"#),
    ] {
        let body = format!(r#"{{"taskId":"1","status":"x",{}}}"#, place(&kept.join(",")));
        assert_eq!(serde_json::to_string(&parse(body.clone())).unwrap(), body);
    }
}

#[test]
fn statuses_are_written_as_they_came() {
    for (spelt, state, kind) in [
        (json!("completed"), State::Completed, "completed"),
        (json!(" Completed"), State::Completed, "completed"),
        (json!(9), State::Completed, "completed"),
        (json!("9"), State::Completed, "completed"),
        (json!("ERROR"), State::Error, "task_error"),
        (json!(6), State::Error, "task_error"),
        (json!("Approved"), State::Approved, "audit_status_changed"),
        (json!("rejected"), State::Rejected, "audit_status_changed"),
        (json!("fixed"), State::Fixed, "audit_status_changed"),
        (json!(3), State::Working, "other"),
        (json!("10"), State::Invalid, "other"),
        (json!(-1), State::Other("-1".to_owned()), "other"),
        (json!("Suspended"), State::Other("Suspended".to_owned()), "other"),
    ] {
        let body = json!({"taskId": "41", "status": spelt});
        let event = event(&body);
        assert_eq!(written(&event), body);
        assert_eq!((callback(&body).status.unwrap().state(), event.kind()), (state, kind));
    }
    for odd in ["true", "[]", "{}", "[[]]", "1.5"] {
        let event = parse(format!(r#"{{"taskId":"41","status":{odd}}}"#));
        assert_eq!((event.kind(), &misfits(&event)[..]), ("other", &["status"][..]));
        assert_eq!(written(&event)["status"].to_string(), odd);
    }
}

#[test]
fn the_task_says_what_the_callback_does_not() {
    let task = json!({"taskId": "41", "status": 6});
    for (body, expected) in [
        (
            json!({"status": "error", "task": task}),
            json!({"taskId": "41", "status": "error", "task": task}),
        ),
        (
            json!({"taskId": "", "status": null, "task": task}),
            json!({"taskId": "41", "status": 6, "task": task}),
        ),
        (json!({"task": task}), json!({"taskId": "41", "status": 6, "task": task})),
        (json!({"task": {"status": "9"}}), json!({"status": "9", "task": {"status": "9"}})),
        (
            json!({"taskId": [1], "status": {}, "task": task}),
            json!({"taskId": "41", "status": 6, "task": task}),
        ),
        (
            json!({"task": {"code": 2000, "data": task}}),
            json!({"taskId": "41", "status": 6, "task": task}),
        ),
    ] {
        assert_eq!(written(&event(&body)), expected, "{body}");
    }
    let odd = event(&json!({"taskId": [1], "status": "error", "task": task}));
    assert_eq!((odd.kind(), misfits(&odd)), ("task_error", vec!["taskId"]));
}

#[test]
fn the_kind_is_derived_in_its_documented_order() {
    let of = |status: &str, task: Value| {
        let body = json!({"taskId": "41", "status": status, "task": task});
        let audit = callback(&body).audit_status().map(|status| status.state());
        (event(&body).kind(), audit, event(&body).dedup_key().unwrap())
    };
    assert_eq!(
        of("completed", json!({"qualityStatus": null})),
        ("completed", None, r#"["completed","41","completed",null]"#.to_owned())
    );
    assert_eq!(
        of("completed", json!({"qualityStatus": "Rejected"})),
        (
            "audit_status_changed",
            Some(State::Rejected),
            r#"["audit_status_changed","41","completed","Rejected"]"#.to_owned()
        )
    );
    assert_eq!(of("completed", json!({"auditStatus": "fixed"})).1, Some(State::Fixed));
    assert_eq!(
        of("completed", json!({"qualityStatus": 2, "auditStatus": "approved"})).1,
        Some(State::Approved)
    );
    assert_eq!(of("approved", json!({"qualityStatus": "rejected"})).1, Some(State::Approved));
    assert_eq!(of("error", json!({"qualityStatus": "approved"})).0, "task_error");
    for no_audit in [
        json!("completed"),
        json!(1),
        json!({"status": "approved"}),
        json!(["approved"]),
        json!(""),
    ] {
        assert_eq!(
            of("completed", json!({"qualityStatus": no_audit})).0,
            "completed",
            "{no_audit}"
        );
    }
    for lacking in [
        json!({"taskId": "41"}),
        json!({"status": "error"}),
        json!({"taskId": " ", "status": "error"}),
    ] {
        assert_eq!(event(&lacking).dedup_key(), None, "{lacking}");
    }
}

#[test]
fn ids_lose_no_digit() {
    for digits in
        ["0", "9007199254740993", "18446744073709551615", "123456789012345678901234567890"]
    {
        let number = format!(
            r#"{{"taskId":{digits},"status":"completed","task":{{"taskId":{digits},
                "taskParams":{{"record":{{"metadata":{{"uniqueIdentifier":{digits}}}}}}}}}}}"#
        );
        let event = parse(number);
        assert_eq!(written(&event)["taskId"], digits);
        let Event::Callback(callback) = event else { panic!() };
        let task = callback.task.as_ref().unwrap();
        assert_eq!(
            (callback.task_id.as_deref(), task.task_id.as_deref(), task.unique_identifier()),
            (Some(digits), Some(digits), Some(digits))
        );
    }
}

#[test]
fn a_status_is_text_or_a_whole_number() {
    for (json, status) in [
        ("9", Some(Status::from(9))),
        ("9.0", Some(Status::from(9))),
        (r#""9""#, Some(Status::from("9"))),
        (r#""a\u0062""#, Some(Status::from("ab"))),
        (r#""a\ud83d""#, Some(Status::from("a\u{fffd}"))),
        ("1.5", None),
        ("true", None),
        ("null", None),
        ("[9]", None),
        ("{}", None),
    ] {
        assert_eq!(serde_json::from_str(json).ok(), status, "{json}");
    }
}

#[test]
fn the_envelope_of_get_task_is_taken_off() {
    let bare = json!({"taskId": "410000000000000001", "status": "completed", "task": task()});
    let wrapped = json!({
        "taskId": "410000000000000001",
        "status": "completed",
        "task": {"code": 2000, "message": "Succeed", "data": task(), "requestId": "c5", "success": true},
    });
    assert_eq!(event(&wrapped), event(&bare));

    for kept in [
        json!({"data": {"taskId": "1"}}),
        json!({"code": 200, "data": null}),
        json!({"code": 200, "data": [1]}),
        json!({"taskId": "1", "code": 200, "data": {"taskId": "2"}}),
    ] {
        let payload = json!({"taskId": "1", "status": "completed", "task": kept});
        assert_eq!(written(&event(&payload)), payload);
    }
    // One that holds another is left as it is: what was taken off would not come back.
    let inner = json!({"code": 1, "data": {"taskId": "2"}});
    let twice = json!({"taskId": "1", "status": "completed", "task": {"code": 200, "data": inner}});
    assert_eq!(written(&event(&twice)), twice);
    let blank = json!({"taskId": "", "code": 1, "data": {"status": 9}});
    let blank = event(&json!({"taskId": "1", "status": "completed", "task": blank}));
    written(&blank);
    let odd = event(
        &json!({"taskId": "1", "status": "completed", "task": {"code": 200, "data": {"result": []}}}),
    );
    assert_eq!(misfits(&odd), ["task.result"]);
}

#[test]
fn members_that_are_odd_are_delivered() {
    let members: String = (0..256).map(|number| format!(r#""k{number}":0,"#)).collect();
    let metadata = format!(r#"{{"taskParams":{{"record":{{"metadata":{{{members}"k":0}}}}}}}}"#);
    for (task, paths) in [
        ("[]", &["task"][..]),
        (r#""{}""#, &["task"]),
        ("false", &["task"]),
        (r#"{"result":""}"#, &[]),
        (r#"{"result":[]}"#, &["task.result"]),
        (r#"{"result":{"annotations":{}}}"#, &["task.result.annotations"]),
        (r#"{"taskParams":"{}"}"#, &["task.taskParams"]),
        (r#"{"taskParams":{"record":7}}"#, &["task.taskParams.record"]),
        (r#"{"taskParams":{"record":{"metadata":{"uniqueIdentifier":1.5}}}}"#, &[]),
        (&metadata, &["task.taskParams.record.metadata"]),
        (r#"{"callback_succeeded":"true"}"#, &[]),
        (r#"{"callback_succeeded":0}"#, &[]),
        (r#"{"callback_succeeded":"yes"}"#, &["task.callback_succeeded"]),
        (r#"{"callback_succeeded":true,"callbackSucceeded":false}"#, &[]),
        (r#"{"callbackSucceeded":true}"#, &[]),
        (r#"{"status":1,"status":2}"#, &["task.status"]),
        (r#"{"result":{"annotations":[],"annotations":[]}}"#, &["task.result.annotations"]),
        (r#"{"result":{},"result":{}}"#, &["task.result"]),
        (r#"{"x":1,"x":2}"#, &["task"]),
    ] {
        let event = parse(format!(r#"{{"taskId":"1","status":"completed","task":{task}}}"#));
        assert_eq!((event.kind(), &misfits(&event)[..]), ("completed", paths), "{task}");
        written(&event);
    }
    for (body, path) in [
        (r#"{"taskId":"1","taskId":"1","status":"completed"}"#, "taskId"),
        (r#"{"taskId":"1","t\u0061skId":"2","status":"completed"}"#, "taskId"),
        (r#"{"taskId":"1","status":"completed","status":"error"}"#, "status"),
        (r#"{"taskId":"1","status":"completed","task":{},"task":{}}"#, "task"),
        (r#"{"taskId":"1","status":"completed","task":null,"task":{}}"#, "task"),
    ] {
        assert_eq!(misfits(&parse(body)), [path], "{body}");
    }
    let succeeded = |task: Value| {
        callback(&json!({"taskId": "1", "task": task})).task.unwrap().callback_succeeded
    };
    assert_eq!(succeeded(json!({"callback_succeeded": "true"})), Some(true));
    assert_eq!(succeeded(json!({"callbackSucceeded": false, "callback_succeeded": 1})), Some(true));
    assert_eq!(succeeded(json!({"callbackSucceeded": false})), Some(false));
}

// Row 29.
#[test]
fn attack_bodies_that_are_no_callback_are_delivered_as_they_are() {
    for (body, is_json) in [
        ("", false),
        ("null", true),
        ("[]", true),
        ("{}", true),
        ("{", false),
        ("\u{feff}", false),
        ("\u{feff}garbage", false),
        (r#"{"taskId":null,"status":"","task":{"x":1}}"#, true),
        (r#"{"taskId":"1","status":"completed","task":{"x":1,}}"#, false),
        (r#"{"taskId":"1","status":"completed"} x"#, false),
        // The page's "Example Callback Body", without its comments.
        (
            r#"{"attachmentType":"IMAGE","attachment":"oss://bucket/a.jpg","metadata":{"uniqueIdentifier":"3293","additionalInfo":{}}}"#,
            true,
        ),
    ] {
        let event = parse(body);
        assert_eq!((event.kind(), event.dedup_key()), ("unknown", None));
        written(&event);
        let Event::Unknown(unknown) = event else { panic!("{event:?}") };
        assert_eq!((unknown.raw().is_some(), unknown.bytes()), (is_json, &body.into()));
    }
    assert_eq!(parse(&b"{\"taskId\":\"\xff\",\"status\":\"completed\"}"[..]).kind(), "unknown");
    assert_eq!(parse("\u{feff}{\"taskId\":\"1\",\"status\":\"completed\"}").kind(), "completed");
}

// Row 21.
#[test]
fn attack_a_hundred_thousand_levels() {
    let deep = "[".repeat(100_000) + &"]".repeat(100_000);
    for (body, path) in [
        (format!(r#"{{"status":"completed","taskId":{deep}}}"#), "taskId"),
        (format!(r#"{{"taskId":"1","status":{deep}}}"#), "status"),
        (format!(r#"{{"taskId":"1","status":"completed","task":{deep}}}"#), "task"),
        (
            format!(r#"{{"taskId":"1","status":"completed","task":{{"result":{deep}}}}}"#),
            "task.result",
        ),
    ] {
        let event = parse(body.clone());
        assert_eq!((misfits(&event), serde_json::to_string(&event).unwrap()), (vec![path], body));
    }
    for kept in [
        format!(
            r#"{{"taskId":"1","status":"completed","task":{{"result":{{"annotations":{deep}}}}}}}"#
        ),
        format!(r#"{{"taskId":"1","status":"completed","task":{{"qualityStatus":{deep}}}}}"#),
        format!(r#"{{"taskId":"1","status":"completed","task":{{"pointData":{deep}}}}}"#),
        format!(r#"{{"taskId":"1","status":"completed","more":{deep}}}"#),
    ] {
        let event = parse(kept.clone());
        assert_eq!((event.kind(), serde_json::to_string(&event).unwrap()), ("completed", kept));
    }
    let envelopes = r#"{"code":1,"data":"#.repeat(100_000) + "{}" + &"}".repeat(100_000);
    let event = parse(format!(r#"{{"taskId":"1","status":"completed","task":{envelopes}}}"#));
    assert_eq!(event.kind(), "completed");
}

// Row 30.
#[test]
fn attack_amplification() {
    let keys =
        |count: usize| (0..count).map(|n| format!(r#""k{n}":0"#)).collect::<Vec<_>>().join(",");
    let inside = |keys: &str| format!(r#"{{"taskId":"1","status":"completed","task":{{{keys}}}}}"#);
    let beside = |keys: &str| format!(r#"{{"taskId":"1","status":"completed",{keys}}}"#);
    assert_eq!(misfits(&parse(inside(&keys(256)))), [] as [&str; 0]);
    assert_eq!(parse(beside(&keys(254))).kind(), "completed");
    assert_eq!(misfits(&parse(inside(&keys(257)))), ["task"]);
    assert_eq!(parse(beside(&keys(255))).kind(), "unknown");

    let large = || {
        assert_eq!(misfits(&parse(inside(&keys(90_000)))), ["task"]);
        assert_eq!(parse(beside(&keys(90_000))).kind(), "unknown");
        parse(inside(&format!(r#""pointData":[{}[]]"#, "[],".repeat(330_000))));
    };
    #[cfg(target_os = "linux")]
    assert!(is_cheap(Duration::from_secs(5), large), "3 MB took 5 s or more each time");
    #[cfg(not(target_os = "linux"))]
    large();
}
