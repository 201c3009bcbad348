//! Stardust's payload: with all members, with the required ones only, with nulls, and with nothing lost.
#![cfg(feature = "stardust")]

use bytes::Bytes;
use http::Request;
use serde_json::{Value, json};
use std::{error::Error as _, time::SystemTime};
use tower_webhooks::{
    Provider, Rejection, RejectionKind,
    stardust::{Event, StardustKeyOnly, Status},
};

fn parse(body: impl Into<Bytes>) -> Result<Event, Rejection> {
    let request = Request::post("/").header("x-stardust-key", "key").body(body.into()).unwrap();
    let delivery = StardustKeyOnly::new("key").unwrap().verify(&request, SystemTime::now())?;
    assert_eq!(delivery.kind(), delivery.event().kind());
    Ok(delivery.into_event())
}

fn event(body: &Value) -> Event {
    parse(body.to_string()).unwrap_or_else(|error| panic!("{body}: {error} {:?}", error.source()))
}

fn refused(body: &str) -> Rejection {
    let rejection = parse(body.to_owned()).map(|event| panic!("{body}: {event:?}")).unwrap_err();
    assert_eq!(rejection.kind(), RejectionKind::Invalid, "{body}");
    rejection
}

fn written(event: &Event) -> Value {
    serde_json::from_str(&serde_json::to_string(event).unwrap()).unwrap()
}

/// The members of the page's task object, with values of its own.
fn task() -> Value {
    json!({
        "taskId": "410000000000000001",
        "taskParams": {
            "record": {
                "attachmentType": "IMAGE",
                "attachment": "oss://bucket/lane 7.jpg",
                "metadata": {
                    "uniqueIdentifier": "frame-0007",
                    "additionalInfo": {"callbackUrl": "https://example.com/cb", "shift": 3},
                    "origin": "rig 2",
                },
                "priority": 5,
            },
            "operators": [{"key": "box", "label": "Box", "slotSpecification": {"type": "box2d"}}],
        },
        "pointData": [1, 2],
        "taskNoteDTOList": [{"note": "n"}],
        "result": {
            "annotations": [{"key": "box", "label": "Box", "type": "slot", "slots": [{
                "id": "s1", "label": "car", "userId": 77, "type": "box2d",
                "plane": {"topLeft": {"x": 12.25, "y": 7}, "bottomRight": {"x": 40.5, "y": 19}},
            }]}],
            "issues": [{"id": "i1"}],
            "hints": [],
            "metadata": {"invalidFrame": [3], "imageRotateAngle": 90},
        },
        "previousResult": {"annotations": []},
        "appendInfo": {"poolInfo": {"poolId": 8, "poolType": 5}, "updateTime": "2026-01-02 03:04:05"},
        "status": 9,
        "qualityStatus": "Approved",
        "taskDeadline": "2026-02-01 00:00:00",
        "serverTime": "2026-01-02 03:04:06",
        "qualityMessages": [{"message": "tight"}],
        "errorMessage": {"pointErrorMsgs": ["late"], "isPointTimeOut": true},
        "callback_succeeded": false,
    })
}

#[test]
fn all_members() {
    let payload = json!({"taskId": "410000000000000001", "status": "completed", "task": task()});
    let event = event(&payload);
    assert_eq!(written(&event), payload);
    assert_eq!((event.task_id.as_str(), &event.status), ("410000000000000001", &Status::Completed));
    assert_eq!(event.dedup_key().as_deref(), Some("410000000000000001:completed:approved"));

    let task = event.task.as_ref().unwrap();
    assert_eq!(task.task_id.as_deref(), Some("410000000000000001"));
    assert_eq!(task.status, Some(Status::Code(9)));
    assert_eq!(task.unique_identifier(), Some("frame-0007"));
    assert_eq!(task.additional_info().unwrap().parse::<Value>().unwrap()["shift"], 3);
    assert_eq!(task.annotations().unwrap().parse::<Value>().unwrap()[0]["slots"][0]["plane"]["topLeft"]["x"], 12.25);
    assert_eq!(task.quality_status.as_ref().unwrap().get(), r#""Approved""#);
    assert_eq!(task.quality_messages.as_ref().unwrap().get(), r#"[{"message":"tight"}]"#);
    assert!(task.error_message.as_ref().unwrap().get().contains("isPointTimeOut"));
    assert_eq!(task.callback_succeeded, Some(false));
    assert_eq!(task.rest.get("serverTime").unwrap().get(), r#""2026-01-02 03:04:06""#);
    assert!(task.rest.get("taskId").is_none());
    assert_eq!(task.rest.iter().count(), 6);
    let record = task.task_params.as_ref().unwrap().record.as_ref().unwrap();
    assert_eq!(record.rest.get("attachmentType").unwrap().get(), r#""IMAGE""#);
}

#[test]
fn each_member_alone_and_null() {
    let bare = json!({"taskId": "41", "status": "completed"});
    assert_eq!(written(&event(&bare)), bare);
    assert_eq!(event(&bare).task, None);
    assert_eq!(written(&event(&json!({"taskId": "41", "status": "completed", "task": null, "more": 1}))), bare);
    let empty = json!({"taskId": "41", "status": "completed", "task": {}});
    assert_eq!(written(&event(&empty)), empty);

    let typed = [
        "taskId",
        "status",
        "taskParams",
        "result",
        "qualityStatus",
        "qualityMessages",
        "errorMessage",
        "callback_succeeded",
    ];
    for (name, value) in task().as_object().unwrap() {
        let one = json!({"taskId": "41", "status": "other", "task": {name.as_str(): value}});
        assert_eq!(written(&event(&one)), one);
        let null = json!({"taskId": "41", "status": "completed", "task": {name.as_str(): null}});
        let expected = if typed.contains(&name.as_str()) { &empty } else { &null };
        assert_eq!(&written(&event(&null)), expected, "{name}");
    }
    for nested in ["taskParams", "result"] {
        let mut nulls = task();
        nulls[nested].as_object_mut().unwrap().values_mut().for_each(|value| *value = Value::Null);
        let event = event(&json!({"taskId": "41", "status": "completed", "task": nulls}));
        let task = event.task.unwrap();
        assert!(if nested == "result" { task.annotations() } else { task.additional_info() }.is_none());
    }
}

#[test]
fn nothing_of_a_task_is_lost() {
    let kept = [
        r#""price":0.1000000000000000055511151231257827021181583404541015625"#,
        r#""big":123456789012345678901234567890"#,
        r#""huge":1e400"#,
        r#""escaped":"\u0041\/\ud83d\ude00""#,
        r#""spaced":{ "a" : [ 1 , 2.50 ] }"#,
        r#""null":null"#,
    ];
    for place in [
        |inner: &str| format!(r#"{{{inner}}}"#),
        |inner: &str| format!(r#"{{"result":{{{inner}}}}}"#),
        |inner: &str| format!(r#"{{"result":{{"annotations":[{{{inner}}}]}}}}"#),
        |inner: &str| format!(r#"{{"taskParams":{{{inner}}}}}"#),
        |inner: &str| format!(r#"{{"taskParams":{{"record":{{{inner}}}}}}}"#),
        |inner: &str| format!(r#"{{"taskParams":{{"record":{{"metadata":{{{inner}}}}}}}}}"#),
        |inner: &str| format!(r#"{{"taskParams":{{"record":{{"metadata":{{"additionalInfo":{{{inner}}}}}}}}}}}"#),
        |inner: &str| format!(r#"{{"errorMessage":{{{inner}}}}}"#),
    ] {
        let task = place(&kept.join(","));
        let event = parse(format!(r#"{{"taskId":"1","status":"x","task":{task}}}"#)).unwrap();
        let text = serde_json::to_string(&event).unwrap();
        assert_eq!(text, format!(r#"{{"taskId":"1","status":"x","task":{task}}}"#));
        for member in kept {
            assert!(text.contains(member), "{member} in {text}");
        }
    }
}

#[test]
fn statuses() {
    for (spelt, status, kind, written_as) in [
        (json!("completed"), Status::Completed, "completed", json!("completed")),
        (json!(" Completed"), Status::Completed, "completed", json!("completed")),
        (json!(9), Status::Code(9), "completed", json!(9)),
        (json!("9"), Status::Code(9), "completed", json!(9)),
        (json!("ERROR"), Status::Error, "task_error", json!("error")),
        (json!(6), Status::Code(6), "task_error", json!(6)),
        (json!("Approved"), Status::Approved, "audit_status_changed", json!("approved")),
        (json!("rejected"), Status::Rejected, "audit_status_changed", json!("rejected")),
        (json!("fixed"), Status::Fixed, "audit_status_changed", json!("fixed")),
        (json!(3), Status::Code(3), "other", json!(3)),
        (json!(-1), Status::Code(-1), "other", json!(-1)),
        (json!("Suspended"), Status::Other("Suspended".to_owned()), "other", json!("Suspended")),
        (json!(""), Status::Other(String::new()), "other", json!("")),
    ] {
        let event = event(&json!({"taskId": "41", "status": spelt}));
        assert_eq!((&event.status, event.kind()), (&status, kind));
        assert_eq!(written(&event), json!({"taskId": "41", "status": written_as}));
        assert_eq!(event.dedup_key(), Some(format!("41:{status}")));
    }
    for bad in ["null", "true", "[]", "{}", "[[]]"] {
        refused(&format!(r#"{{"taskId":"41","status":{bad}}}"#));
    }
}

#[test]
fn the_kind_is_derived_in_its_documented_order() {
    let of = |status: &str, task: Value| {
        let event = event(&json!({"taskId": "41", "status": status, "task": task}));
        (event.kind(), event.audit_status(), event.dedup_key().unwrap())
    };
    assert_eq!(of("completed", json!({"qualityStatus": null})), ("completed", None, "41:completed".to_owned()));
    assert_eq!(
        of("completed", json!({"qualityStatus": "Rejected"})),
        ("audit_status_changed", Some(Status::Rejected), "41:completed:rejected".to_owned())
    );
    assert_eq!(
        of("completed", json!({"auditStatus": "fixed"})),
        ("audit_status_changed", Some(Status::Fixed), "41:completed:fixed".to_owned())
    );
    assert_eq!(
        of("completed", json!({"qualityStatus": 2, "auditStatus": "approved"})),
        ("audit_status_changed", Some(Status::Approved), "41:completed:approved".to_owned())
    );
    assert_eq!(of("approved", json!({"qualityStatus": "rejected"})).1, Some(Status::Approved));
    assert_eq!(of("error", json!({"qualityStatus": "approved"})).0, "task_error");
    for no_audit in [json!("completed"), json!(1), json!({"status": "approved"}), json!(["approved"]), json!("")] {
        assert_eq!(of("completed", json!({"qualityStatus": no_audit})).0, "completed", "{no_audit}");
    }
}

#[test]
fn ids_lose_no_digit() {
    for digits in ["0", "9007199254740993", "18446744073709551615", "123456789012345678901234567890"] {
        let number = format!(
            r#"{{"taskId":{digits},"status":"completed","task":{{"taskId":{digits},
                "taskParams":{{"record":{{"metadata":{{"uniqueIdentifier":{digits}}}}}}}}}}}"#
        );
        let event = parse(number).unwrap();
        let task = event.task.as_ref().unwrap();
        assert_eq!(
            (event.task_id.as_str(), task.task_id.as_deref(), task.unique_identifier()),
            (digits, Some(digits), Some(digits))
        );
        assert_eq!(written(&event)["taskId"], digits);
    }
    for bad in ["1.0", "1e3", "-1", "true", "null", "[]", "{}"] {
        refused(&format!(r#"{{"taskId":{bad},"status":"completed"}}"#));
    }
}

#[test]
fn the_envelope_of_get_task_is_taken_off() {
    let bare = json!({"taskId": "410000000000000001", "status": "completed", "task": task()});
    let wrapped = json!({
        "taskId": "410000000000000001",
        "status": "completed",
        "task": {"code": 200, "message": "Success", "data": task()},
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
    // One envelope, not as many as somebody likes.
    let inner = json!({"code": 1, "data": {"taskId": "2"}});
    let twice = json!({"taskId": "1", "status": "completed", "task": {"code": 200, "data": inner}});
    assert_eq!(written(&event(&twice))["task"], inner);
    refused(r#"{"taskId":"1","status":"completed","task":{"code":200,"data":{"result":[]}}}"#);
}

#[test]
fn attack_bodies_that_are_no_callback() {
    for bad in [
        "",
        "null",
        "[]",
        "{}",
        "{",
        r#"{"taskId":"1"}"#,
        r#"{"status":"completed"}"#,
        r#"{"taskId":"1","status":"completed","task":[]}"#,
        r#"{"taskId":"1","status":"completed","task":"{}"}"#,
        r#"{"taskId":"1","status":"completed","task":{"result":[]}}"#,
        r#"{"taskId":"1","status":"completed","task":{"taskParams":{"record":7}}}"#,
        r#"{"taskId":"1","status":"completed","task":{"callback_succeeded":"yes"}}"#,
        r#"{"taskId":"1","status":"completed","task":{"x":1,}}"#,
        r#"{"taskId":"1","status":"completed"} x"#,
        // The page's "Example Callback Body", without its comments.
        r#"{"attachmentType":"IMAGE","attachment":"oss://bucket/a.jpg","metadata":{"uniqueIdentifier":"329345877854392320",
            "additionalInfo":{"callbackUrl":"http://www.example.com/callback"}}}"#,
    ] {
        refused(bad);
    }
    let error = refused(r#"{"attachmentType":"IMAGE","metadata":{}}"#);
    assert!(error.source().unwrap().to_string().contains("taskId"), "{error:?}");
    assert_eq!(parse(&b"{\"taskId\":\"\xff\",\"status\":\"completed\"}"[..]).unwrap_err().status(), 400);
}

// Row 9.
#[test]
fn attack_duplicated_keys() {
    for bad in [
        r#"{"taskId":"1","taskId":"1","status":"completed"}"#,
        r#"{"taskId":"1","t\u0061skId":"2","status":"completed"}"#,
        r#"{"taskId":"1","status":"completed","status":"error"}"#,
        r#"{"taskId":"1","status":"completed","task":null,"task":{}}"#,
        r#"{"taskId":"1","status":"completed","x":1,"x":2}"#,
        r#"{"taskId":"1","status":"completed","task":{"status":1,"status":2}}"#,
        r#"{"taskId":"1","status":"completed","task":{"callback_succeeded":true,"callbackSucceeded":false}}"#,
        r#"{"taskId":"1","status":"completed","task":{"result":{"annotations":[],"annotations":[]}}}"#,
    ] {
        refused(bad);
    }
    let camel = r#"{"taskId":"1","status":"completed","task":{"callbackSucceeded":true}}"#;
    assert_eq!(parse(camel).unwrap().task.unwrap().callback_succeeded, Some(true));
}

// Row 21.
#[test]
fn attack_a_hundred_thousand_levels() {
    let deep = "[".repeat(100_000) + &"]".repeat(100_000);
    for typed in [
        format!(r#"{{"taskId":{deep},"status":"completed"}}"#),
        format!(r#"{{"taskId":"1","status":{deep}}}"#),
        format!(r#"{{"taskId":"1","status":"completed","task":{deep}}}"#),
        format!(r#"{{"taskId":"1","status":"completed","task":{{"result":{deep}}}}}"#),
    ] {
        refused(&typed);
    }
    for kept in [
        format!(r#"{{"taskId":"1","status":"completed","task":{{"result":{{"annotations":{deep}}}}}}}"#),
        format!(r#"{{"taskId":"1","status":"completed","task":{{"qualityStatus":{deep}}}}}"#),
        format!(r#"{{"taskId":"1","status":"completed","task":{{"pointData":{deep}}}}}"#),
    ] {
        let event = parse(kept.clone()).unwrap();
        assert_eq!((event.kind(), serde_json::to_string(&event).unwrap()), ("completed", kept));
    }
    let ignored = parse(format!(r#"{{"taskId":"1","status":"completed","more":{deep}}}"#)).unwrap();
    assert_eq!(ignored.task, None);
    let envelopes = r#"{"code":1,"data":"#.repeat(100_000) + "{}" + &"}".repeat(100_000);
    let event = parse(format!(r#"{{"taskId":"1","status":"completed","task":{envelopes}}}"#)).unwrap();
    assert_eq!(event.kind(), "completed");
}

// Row 30.
#[test]
fn attack_amplification() {
    let keys = |count: usize| (0..count).map(|n| format!(r#""k{n}":0"#)).collect::<Vec<_>>().join(",");
    let inside = |keys: &str| format!(r#"{{"taskId":"1","status":"completed","task":{{{keys}}}}}"#);
    let beside = |keys: &str| format!(r#"{{"taskId":"1","status":"completed",{keys}}}"#);
    assert_eq!(parse(inside(&keys(256))).unwrap().task.unwrap().rest.iter().count(), 256);
    assert!(parse(beside(&keys(254))).is_ok());
    refused(&inside(&keys(257)));
    refused(&beside(&keys(255)));

    let started = std::time::Instant::now();
    refused(&inside(&keys(90_000)));
    refused(&beside(&keys(90_000)));
    parse(inside(&format!(r#""pointData":[{}[]]"#, "[],".repeat(330_000)))).unwrap();
    assert!(started.elapsed() < std::time::Duration::from_secs(2), "{:?}", started.elapsed());
}
