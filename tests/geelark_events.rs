//! GeeLark's payloads: each with all members, with the required ones only, and with nulls.
#![cfg(feature = "geelark")]

use bytes::Bytes;
use http::Request;
use serde_json::{Value, json};
use std::{error::Error as _, time::SystemTime};
use tower_webhooks::{
    Provider, Rejection, RejectionKind,
    geelark::{Channel, Event, GeeLarkToken},
};

fn parse(body: impl Into<Bytes>) -> Result<Event, Rejection> {
    let request = Request::post("/").header("authorization", "Bearer token").body(body.into()).unwrap();
    let delivery = GeeLarkToken::new("token").unwrap().verify(&request, SystemTime::now())?;
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

/// Every typed payload with all its members in the documented form, its kind, its optional members and its key.
fn payloads() -> Vec<(Value, &'static str, &'static [&'static str], Option<&'static str>)> {
    vec![
        (
            json!({"type": 1, "id": "520000000000000001", "result": true, "username": "ops@example.com",
                "ip": "2001:db8::17", "eventTime": 1767000001}),
            "phone_started",
            &["username", "ip", "eventTime"],
            Some("phone_started:520000000000000001:1767000001"),
        ),
        (
            json!({"type": 2, "id": "520000000000000002", "taskId": "910000000000000002", "result": false,
                "message": "no space left"}),
            "patch_installed",
            &["message"],
            Some("patch_installed:910000000000000002:false"),
        ),
        (
            json!({"type": 4, "id": "520000000000000004", "taskId": "910000000000000004", "result": true}),
            "file_uploaded",
            &[],
            Some("file_uploaded:910000000000000004:true"),
        ),
        (
            json!({"type": 5, "id": "520000000000000005", "taskId": "910000000000000005", "result": true,
                "downloadLink": "https://cdn.example.com/s.png?e=9&s=%2F"}),
            "screenshot",
            &["downloadLink"],
            Some("screenshot:910000000000000005:true"),
        ),
        (
            json!({"type": 6, "taskId": "910000000000000006", "result": false}),
            "task_completed",
            &[],
            Some("task_completed:910000000000000006:false"),
        ),
        (
            json!({"type": 7, "orderId": "R20260102-7", "result": true}),
            "payment_completed",
            &[],
            Some("payment_completed:R20260102-7:true"),
        ),
        (
            json!({"type": 8, "id": "520000000000000008", "username": "night shift", "ip": "192.0.2.8",
                "eventTime": 1767000008, "useMin": 42}),
            "phone_stopped",
            &["username", "ip", "eventTime", "useMin"],
            Some("phone_stopped:520000000000000008:1767000008"),
        ),
        (
            json!({"type": 9, "items": [{"id": "520000000000000009", "name": "emu \"9\""}, {"id": "52", "name": "机"}]}),
            "phones_renamed",
            &[],
            None,
        ),
        (
            json!({"type": 10, "items": [{"id": "520000000000000010", "recycle": true}, {"id": "53", "recycle": false}]}),
            "phones_deleted",
            &[],
            None,
        ),
        (json!({"type": 11, "envIds": ["520000000000000011", "54"]}), "tags_changed", &[], None),
        (
            json!({"type": 12, "taskIds": ["910000000000000012", "55"], "channel": "api"}),
            "tasks_created",
            &["channel"],
            Some("tasks_created:910000000000000012,55"),
        ),
        (
            json!({"type": 13, "taskIds": ["910000000000000013"], "channel": "client"}),
            "tasks_cancelled",
            &["channel"],
            Some("tasks_cancelled:910000000000000013"),
        ),
        (
            json!({"type": 14, "taskId": "910000000000000014", "status": 1}),
            "contacts_imported",
            &[],
            Some("contacts_imported:910000000000000014:true"),
        ),
        (
            json!({"type": 15, "id": "520000000000000015", "packageName": "com.example.app",
                "appVersionId": "1640000000000000015", "result": 0}),
            "app_installed",
            &[],
            None,
        ),
    ]
}

#[test]
fn all_members() {
    let payloads = payloads();
    assert_eq!(payloads.len(), 14);
    for (payload, kind, _, key) in payloads {
        let event = event(&payload);
        assert_eq!(event.kind(), kind);
        assert_eq!(Some(event.type_code()), payload["type"].as_i64());
        assert_eq!(event.dedup_key().as_deref(), key);
        assert_eq!(written(&event), payload);
        let mut more = payload.clone();
        more["addedLater"] = json!({"deep": [1, 2.5, null]});
        assert_eq!(written(&self::event(&more)), payload, "unknown members are ignored");
    }
}

#[test]
fn the_typed_members() {
    let find = |kind| event(&payloads().into_iter().find(|payload| payload.1 == kind).unwrap().0);
    let Event::PhoneStarted(started) = find("phone_started") else { panic!() };
    assert_eq!((started.ip.as_deref(), started.event_time), (Some("2001:db8::17"), Some(1_767_000_001)));
    let Event::PhoneStopped(stopped) = find("phone_stopped") else { panic!() };
    assert_eq!((stopped.username.as_deref(), stopped.use_min), (Some("night shift"), Some(42)));
    let Event::PatchInstalled(patch) = find("patch_installed") else { panic!() };
    assert_eq!((patch.result, patch.message.as_deref()), (false, Some("no space left")));
    let Event::PhonesDeleted(deleted) = find("phones_deleted") else { panic!() };
    assert_eq!(deleted.items.iter().map(|phone| phone.recycle).collect::<Vec<_>>(), [true, false]);
    let Event::TasksCancelled(cancelled) = find("tasks_cancelled") else { panic!() };
    assert_eq!(cancelled.channel, Some(Channel::Client));
    let Event::ContactsImported(contacts) = find("contacts_imported") else { panic!() };
    assert!(contacts.success);
    let Event::AppInstalled(app) = find("app_installed") else { panic!() };
    assert!(!app.success);
}

#[test]
fn without_the_optional_members_and_with_nulls() {
    for (payload, kind, optional, _) in payloads() {
        let (mut bare, mut nulls) = (payload.clone(), payload.clone());
        for name in optional {
            bare.as_object_mut().unwrap().remove(*name);
            nulls[*name] = Value::Null;
        }
        nulls["unheardOf"] = Value::Null;
        for body in [&bare, &nulls] {
            let event = event(body);
            assert_eq!((event.kind(), written(&event)), (kind, bare.clone()));
        }
        assert_eq!(event(&bare), event(&nulls));
        if optional.contains(&"eventTime") {
            assert_eq!(event(&bare).dedup_key(), None);
        }
    }
}

#[test]
fn attack_a_required_member_is_missing_null_or_of_another_shape() {
    for (payload, kind, optional, _) in payloads() {
        let names = payload.as_object().unwrap().keys().filter(|name| !optional.contains(&name.as_str()));
        for name in names {
            for bad in [None, Some(Value::Null), Some(json!({})), Some(json!([[]])), Some(json!(1.5)), Some(json!(-1))]
            {
                let mut broken = payload.clone();
                match bad {
                    Some(bad) => broken[name] = bad,
                    None => _ = broken.as_object_mut().unwrap().remove(name),
                }
                // A number that is not in the table is an event that this version does not know.
                if name == "type" && broken["type"].as_i64().is_some() {
                    continue;
                }
                refused(&broken.to_string());
            }
        }
        let error = {
            let mut broken = payload.clone();
            broken.as_object_mut().unwrap().retain(|name, _| name == "type");
            refused(&broken.to_string())
        };
        assert!(error.source().unwrap().to_string().contains("missing field"), "{kind}: {error:?}");
    }
}

#[test]
fn flat_renames_and_deletions_are_a_list_of_one() {
    let flat = event(&json!({"type": 9, "id": "521", "name": "attic"}));
    assert_eq!(written(&flat), json!({"type": 9, "items": [{"id": "521", "name": "attic"}]}));
    let flat = event(&json!({"type": 10, "id": 522, "recycle": 1, "items": null}));
    assert_eq!(written(&flat), json!({"type": 10, "items": [{"id": "522", "recycle": true}]}));
    assert_eq!(written(&event(&json!({"type": 9, "items": []}))), json!({"type": 9, "items": []}));
}

#[test]
fn outcomes_in_every_spelling() {
    for (spelt, success) in [
        (json!(true), true),
        (json!(1), true),
        (json!("1"), true),
        (json!("true"), true),
        (json!(false), false),
        (json!(0), false),
        (json!("0"), false),
        (json!("false"), false),
    ] {
        let task = event(&json!({"type": 6, "taskId": "1", "result": spelt}));
        assert_eq!(written(&task), json!({"type": 6, "taskId": "1", "result": success}));
        let contacts = event(&json!({"type": 14, "taskId": "1", "status": spelt}));
        assert_eq!(written(&contacts), json!({"type": 14, "taskId": "1", "status": u8::from(success)}));
    }
    for bad in ["2", "-1", "1.0", "\"yes\"", "\"\"", "\"True\"", "[]", "{}", "null"] {
        refused(&format!(r#"{{"type":6,"taskId":"1","result":{bad}}}"#));
    }
}

#[test]
fn ids_lose_no_digit() {
    for digits in ["0", "9007199254740993", "18446744073709551615", "123456789012345678901234567890"] {
        let number = parse(format!(r#"{{"type":6,"taskId":{digits},"result":true}}"#)).unwrap();
        let string = parse(format!(r#"{{"type":6,"taskId":"{digits}","result":true}}"#)).unwrap();
        assert_eq!(number, string);
        let Event::TaskCompleted(task) = number else { panic!() };
        assert_eq!(task.task_id, digits);
    }
    let Event::TaskCompleted(task) = parse(r#"{"type":6,"taskId":"5\u0032\"","result":true}"#).unwrap() else {
        panic!()
    };
    assert_eq!(task.task_id, "52\"");
    for bad in ["1.0", "1e3", "-1", "true", "[]", "{}", r#""\ud800""#] {
        refused(&format!(r#"{{"type":6,"taskId":{bad},"result":true}}"#));
    }
}

#[test]
fn lists_of_ids() {
    let list = |ids: &str| match parse(format!(r#"{{"type":12,"taskIds":{ids}}}"#)) {
        Ok(Event::TasksCreated(tasks)) => tasks.task_ids,
        other => panic!("{ids}: {other:?}"),
    };
    assert_eq!(list(r#"["1", 9007199254740993]"#), ["1", "9007199254740993"]);
    assert_eq!(list(r#""528""#), ["528"]);
    assert_eq!(list("528"), ["528"]);
    assert!(list("[]").is_empty());
    assert_eq!(event(&json!({"type": 12, "taskIds": []})).dedup_key(), None);
    refused(r#"{"type":12,"taskIds":[null]}"#);
    refused(r#"{"type":11,"envIds":{"0":"1"}}"#);
    assert_eq!(written(&event(&json!({"type": 11, "envIds": 7}))), json!({"type": 11, "envIds": ["7"]}));
}

#[test]
fn open_words_and_empty_links() {
    let tasks = json!({"type": 12, "taskIds": ["1"], "channel": "scheduler"});
    let Event::TasksCreated(created) = event(&tasks) else { panic!() };
    assert_eq!(created.channel, Some(Channel::Other("scheduler".to_owned())));
    assert_eq!(written(&event(&tasks)), tasks);

    let shot = event(&json!({"type": 5, "id": "1", "taskId": "2", "result": false, "downloadLink": ""}));
    let Event::Screenshot(screenshot) = &shot else { panic!() };
    assert_eq!(screenshot.download_link, None);
    assert_eq!(written(&shot), json!({"type": 5, "id": "1", "taskId": "2", "result": false}));
}

// Row 29.
#[test]
fn attack_unknown_types_are_events() {
    for (body, code) in [
        (r#"{"type":3,"id":"1"}"#, 3),
        (r#"{ "type" : 16, "price": 0.10000000000000000001, "n": [1e400] }"#, 16),
        (r#"{"type":-7}"#, -7),
        (r#"{"type":"99","type2":1}"#, 99),
        (r#"{"type":0}"#, 0),
    ] {
        let event = parse(body).unwrap();
        assert_eq!((event.kind(), event.type_code(), event.dedup_key()), ("unknown", code, None));
        let Event::Unknown(unknown) = &event else { panic!() };
        assert_eq!((unknown.raw().get(), unknown.type_code()), (body, code));
        assert_eq!(serde_json::to_string(&event).unwrap(), body);
    }
    assert_eq!(parse(r#"{"type":"6","taskId":"1","result":true}"#).unwrap().kind(), "task_completed");
}

#[test]
fn attack_bodies_that_are_no_callback() {
    for bad in [
        "",
        " ",
        "null",
        "1",
        "[]",
        "\"type\"",
        "{}",
        "{",
        "type=1&id=2",
        r#"{"type":null}"#,
        r#"{"type":true}"#,
        r#"{"type":1.5}"#,
        r#"{"type":""}"#,
        r#"{"type":"start"}"#,
        r#"{"type":{}}"#,
        r#"{"type":99999999999999999999}"#,
        r#"{"type":-9223372036854775809}"#,
        r#"{"type":6,"taskId":"1","result":true}{}"#,
        "\u{feff}{\"type\":6,\"taskId\":\"1\",\"result\":true}",
        // The trailing comma of the page's sample for type 4.
        r#"{"type":4,"id":"528715748189668352","taskId":"128715748189668352","result":true,}"#,
        // The desktop client's own webhook.
        r#"{"event":"browser_start","timestamp":1767000000000,"data":{"id":"5","status":"Active","debugPort":1}}"#,
    ] {
        refused(bad);
    }
    assert_eq!(parse(&b"{\"type\":6,\"taskId\":\"\xff\",\"result\":true}"[..]).unwrap_err().status(), 400);
}

// Row 9.
#[test]
fn attack_duplicated_keys() {
    for bad in [
        r#"{"type":6,"taskId":"1","result":true,"result":false}"#,
        r#"{"type":6,"type":6,"taskId":"1","result":true}"#,
        r#"{"type":6,"taskId":"1","result":true,"x":1,"x":1}"#,
        r#"{"type":6,"taskId":"1","t\u0061skId":"2","result":true}"#,
        r#"{"type":77,"x":1,"x":2}"#,
        r#"{"type":9,"items":[{"id":"1","id":"2","name":"n"}]}"#,
    ] {
        refused(bad);
    }
}

// Row 21.
#[test]
fn attack_a_hundred_thousand_levels() {
    let deep = |open: &str, close: &str| open.repeat(100_000) + &close.repeat(100_000);
    for deep in [deep("[", "]"), deep(r#"{"a":"#, "}").replace(":}", ":0}")] {
        for typed in ["taskId", "result"] {
            let mut members = [("taskId", "1"), ("result", "true")];
            members.iter_mut().filter(|member| member.0 == typed).for_each(|member| member.1 = &deep);
            let [(a, b), (c, d)] = members;
            refused(&format!(r#"{{"type":6,"{a}":{b},"{c}":{d}}}"#));
        }
        refused(&format!(r#"{{"type":12,"taskIds":{deep}}}"#));
        refused(&format!(r#"{{"type":9,"items":{deep}}}"#));
        let ignored = parse(format!(r#"{{"type":6,"taskId":"1","result":true,"more":{deep}}}"#)).unwrap();
        assert_eq!(ignored.kind(), "task_completed");
        assert_eq!(parse(format!(r#"{{"type":77,"more":{deep}}}"#)).unwrap().kind(), "unknown");
    }
}

// Row 30.
#[test]
fn attack_amplification() {
    let keys = |count: usize| {
        let members: Vec<_> = (0..count).map(|n| format!(r#""k{n}":0"#)).collect();
        format!(r#"{{"type":77,{}}}"#, members.join(","))
    };
    assert_eq!(parse(keys(255)).unwrap().kind(), "unknown");
    refused(&keys(256));

    let started = std::time::Instant::now();
    refused(&keys(90_000));
    refused(&format!(r#"{{"type":12,"taskIds":[{}[]]}}"#, "[],".repeat(330_000)));
    parse(format!(r#"{{"type":77,"more":[{}[]]}}"#, "[],".repeat(330_000))).unwrap();
    assert!(started.elapsed() < std::time::Duration::from_secs(2), "{:?}", started.elapsed());
}
