//! GeeLark's payloads: each with all members, with none and with nulls; and what does not fit.
#![cfg(feature = "geelark")]

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
    Provider, UnixSeconds, WebhookEvent as _,
    geelark::{Channel, Event, GeeLarkToken, Outcome},
};

fn parse(body: impl Into<Bytes>) -> Event {
    let request =
        Request::post("/").header("authorization", "Bearer token").body(body.into()).unwrap();
    let delivery = GeeLarkToken::new("token").unwrap().verify(&request, SystemTime::now()).unwrap();
    assert_eq!(delivery.kind(), delivery.event().kind());
    assert_eq!(delivery.misfits()[..], delivery.event().misfits()[..]);
    delivery.into_event()
}

fn event(body: &Value) -> Event {
    parse(body.to_string())
}

#[test]
fn all_members() {
    let payloads = payloads("geelark");
    assert_eq!(payloads.len(), 14);
    for (payload, kind) in payloads {
        let event = event(&payload);
        assert_eq!(event.kind(), kind);
        assert!(event.misfits().is_empty());
        assert_eq!(written(&event), payload);
        let mut more = payload.clone();
        more["addedLater"] = json!({"deep": [1, 2.5, null]});
        assert_eq!(written(&self::event(&more)), more, "members that are not typed are kept");
    }
}

#[test]
fn the_typed_members() {
    let find =
        |kind| event(&payloads("geelark").into_iter().find(|payload| payload.1 == kind).unwrap().0);
    let Event::PhoneStarted(started) = find("phone_started") else { panic!() };
    assert_eq!(
        (started.ip.as_deref(), started.event_time),
        (Some("2001:db8::17"), Some(UnixSeconds(1_767_000_001)))
    );
    let Event::PhoneStopped(stopped) = find("phone_stopped") else { panic!() };
    assert_eq!((stopped.username.as_deref(), stopped.use_min), (Some("night shift"), Some(42)));
    let Event::PatchInstalled(patch) = find("patch_installed") else { panic!() };
    assert_eq!((patch.result, patch.message.as_deref()), (Some(false), Some("no space left")));
    let Event::PhonesDeleted(deleted) = find("phones_deleted") else { panic!() };
    assert_eq!(
        deleted.items.iter().map(|phone| phone.recycle).collect::<Vec<_>>(),
        [Some(true), Some(false)]
    );
    let Event::TasksCancelled(cancelled) = find("tasks_cancelled") else { panic!() };
    assert_eq!(cancelled.channel, Some(Channel::Client));
    let Event::ContactsImported(contacts) = find("contacts_imported") else { panic!() };
    assert_eq!(contacts.status, Some(Outcome::Succeeded));
    let Event::AppInstalled(app) = find("app_installed") else { panic!() };
    assert_eq!(app.result, Some(Outcome::Failed));
}

#[test]
fn without_members_and_with_nulls() {
    for (payload, kind) in payloads("geelark") {
        let bare = json!({"type": payload["type"]});
        let mut nulls = payload.clone();
        nulls.as_object_mut().unwrap().iter_mut().filter(|member| member.0 != "type").for_each(
            |member| {
                *member.1 = Value::Null;
            },
        );
        for body in [&bare, &nulls] {
            let event = event(body);
            assert_eq!(
                (event.kind(), written(&event), event.dedup_key()),
                (&*kind, bare.clone(), None)
            );
            assert!(event.misfits().is_empty());
        }
    }
}

#[test]
fn keys_hold_the_id_and_the_outcome() {
    let keys: Vec<_> =
        payloads("geelark").iter().map(|(payload, _)| event(payload).dedup_key()).collect();
    let expected = [
        Some(r#"["phone_started","520000000000000001",1767000001,true]"#),
        Some(r#"["patch_installed","910000000000000002",false]"#),
        Some(r#"["file_uploaded","910000000000000004",true]"#),
        Some(r#"["screenshot","910000000000000005",true]"#),
        Some(r#"["task_completed","910000000000000006",false]"#),
        Some(r#"["payment_completed","R20260102-7",true]"#),
        Some(r#"["phone_stopped","520000000000000008",1767000008]"#),
        None,
        None,
        None,
        Some(r#"["tasks_created",["910000000000000012","55"]]"#),
        Some(r#"["tasks_cancelled",["910000000000000013"]]"#),
        Some(r#"["contacts_imported","910000000000000014",1]"#),
        None,
    ];
    assert_eq!(keys.iter().map(Option::as_deref).collect::<Vec<_>>(), expected);

    let start = |result| {
        event(&json!({"type": 1, "id": "5", "eventTime": 7, "result": result})).dedup_key()
    };
    assert_ne!(start(true), start(false));

    // An empty id would be the key of every other event that has none.
    let id_of = |payload: &Value| {
        ["orderId", "taskId", "taskIds", "id"].into_iter().find(|id| payload.get(id).is_some())
    };
    for (payload, _) in
        payloads("geelark").into_iter().filter(|(payload, _)| event(payload).dedup_key().is_some())
    {
        for blank in [json!(""), json!(" "), json!(null), json!([]), json!([" "]), json!({})] {
            let mut odd = payload.clone();
            odd[id_of(&payload).unwrap()] = blank;
            assert_eq!(event(&odd).dedup_key(), None, "{odd}");
        }
    }
    for untimed in [json!({"type": 1, "id": "5", "result": true}), json!({"type": 8, "id": "5"})] {
        assert_eq!(event(&untimed).dedup_key(), None);
    }
}

#[test]
fn members_that_are_missing_or_odd_are_delivered() {
    for (body, kind, paths) in [
        (
            r#"{"type":15,"id":"5","packageName":"a","appVersionId":null,"result":0}"#,
            "app_installed",
            &[][..],
        ),
        (r#"{"type":15,"id":"5","packageName":"a","result":0}"#, "app_installed", &[]),
        (r#"{"type":9,"items":[{"id":"5","name":null}]}"#, "phones_renamed", &[]),
        (r#"{"type":10,"items":[{"id":"5"}]}"#, "phones_deleted", &[]),
        (r#"{"type":7,"orderId":"R7"}"#, "payment_completed", &[]),
        (r#"{"type":14,"taskId":"1","status":2}"#, "contacts_imported", &[]),
        (r#"{"type":14,"taskId":"1","status":"done"}"#, "contacts_imported", &["status"]),
        (r#"{"type":6,"taskId":"1","result":1.0}"#, "task_completed", &[]),
        (r#"{"type":6,"taskId":"1","result":"True"}"#, "task_completed", &[]),
        (r#"{"type":6,"taskId":"1","result":2}"#, "task_completed", &["result"]),
        (r#"{"type":8,"id":"5","useMin":12.5}"#, "phone_stopped", &["useMin"]),
        (r#"{"type":8,"id":"5","useMin":"NaN"}"#, "phone_stopped", &["useMin"]),
        (
            r#"{"type":1,"id":"5","eventTime":"2026-01-02 03:04:05"}"#,
            "phone_started",
            &["eventTime"],
        ),
        (r#"{"type":1,"id":"5","username":"a\ud83d"}"#, "phone_started", &[]),
        (r#"{"type":12,"taskIds":[null]}"#, "tasks_created", &[]),
        (r#"{"type":11,"envIds":{"0":"1"}}"#, "tags_changed", &["envIds"]),
        (r#"{"type":9,"items":[["5","till"]]}"#, "phones_renamed", &["items[0]"]),
        (
            r#"{"type":9,"items":[{"id":"1","id":"2","name":"n"}]}"#,
            "phones_renamed",
            &["items[0].id"],
        ),
        (r#"{"type":6,"taskId":"1","result":true,"result":false}"#, "task_completed", &["result"]),
        (
            r#"{"type":6,"taskId":"1","t\u0061skId":"2","result":true}"#,
            "task_completed",
            &["taskId"],
        ),
        (r#"{"type":6,"taskId":"1","x":1,"x":1}"#, "task_completed", &[""]),
        ("\u{feff}{\"type\":6,\"taskId\":\"1\",\"result\":true}", "task_completed", &[]),
    ] {
        let event = parse(body);
        assert_eq!((event.kind(), &misfits(&event)[..]), (kind, paths), "{body}");
        written(&event);
    }
}

#[test]
fn flat_renames_and_deletions_are_a_list_of_one() {
    let flat = event(&json!({"type": 9, "id": "521", "name": "attic", "by": "ops"}));
    assert_eq!(
        written(&flat),
        json!({"type": 9, "items": [{"id": "521", "name": "attic"}], "by": "ops"})
    );
    let flat = event(&json!({"type": 10, "id": 522, "recycle": 1, "items": null}));
    assert_eq!(written(&flat), json!({"type": 10, "items": [{"id": "522", "recycle": true}]}));
    let odd = event(&json!({"type": 9, "id": "521", "name": [1]}));
    assert_eq!(misfits(&odd), ["name"]);
    assert_eq!(written(&odd), json!({"type": 9, "items": [{"id": "521"}], "name": [1]}));
    let one = event(&json!({"type": 9, "items": {"id": "521", "name": "attic"}}));
    assert_eq!(written(&one), json!({"type": 9, "items": [{"id": "521", "name": "attic"}]}));
    assert_eq!(written(&event(&json!({"type": 9, "items": []}))), json!({"type": 9}));
    // Read back, a phone's member beside an empty list is no phone either.
    let beside = event(&json!({"type": 9, "items": [], "id": 52}));
    assert_eq!(written(&beside), json!({"type": 9, "items": [], "id": 52}));
}

#[test]
fn outcomes_in_every_spelling() {
    for (spelt, success) in [
        (json!(true), true),
        (json!("true"), true),
        (json!("True"), true),
        (json!(1), true),
        (json!("1"), true),
        (json!(1.0), true),
        (json!(false), false),
        (json!("false"), false),
        (json!("FALSE"), false),
        (json!(0), false),
        (json!("0"), false),
        (json!("0.0"), false),
    ] {
        let Event::TaskCompleted(task) = event(&json!({"type": 6, "taskId": "1", "result": spelt}))
        else {
            panic!()
        };
        assert_eq!(task.result, Some(success), "{spelt}");
    }
    for (spelt, outcome) in [
        (json!(1), Outcome::Succeeded),
        (json!("1"), Outcome::Succeeded),
        (json!(0), Outcome::Failed),
        (json!("0.0"), Outcome::Failed),
        (json!(2), Outcome::Other(2)),
        (json!(true), Outcome::Succeeded),
        (json!(" True"), Outcome::Succeeded),
        (json!(false), Outcome::Failed),
        (json!("false"), Outcome::Failed),
    ] {
        let contacts = event(&json!({"type": 14, "taskId": "1", "status": spelt}));
        assert_eq!(
            (&written(&contacts)["status"], misfits(&contacts).len()),
            (&json!(outcome.code()), 0)
        );
        let Event::ContactsImported(contacts) = contacts else { panic!() };
        assert_eq!(contacts.status, Some(outcome));
        let app = event(&json!({"type": 15, "id": "5", "result": spelt}));
        let Event::AppInstalled(app) = app else { panic!() };
        assert_eq!((app.result, app.rest.misfits().len()), (Some(outcome), 0));
    }
}

#[test]
fn ids_lose_no_digit() {
    for digits in
        ["0", "9007199254740993", "18446744073709551615", "123456789012345678901234567890"]
    {
        let number = parse(format!(r#"{{"type":6,"taskId":{digits},"result":true}}"#));
        let string = parse(format!(r#"{{"type":6,"taskId":"{digits}","result":true}}"#));
        assert_eq!(number, string);
        let Event::TaskCompleted(task) = number else { panic!() };
        assert_eq!(task.task_id.as_deref(), Some(digits));
    }
    let Event::TaskCompleted(task) = parse(r#"{"type":6,"taskId":"5\u0032\"","result":true}"#)
    else {
        panic!()
    };
    assert_eq!(task.task_id.as_deref(), Some("52\""));
}

#[test]
fn lists_of_ids() {
    let list = |ids: &str| match parse(format!(r#"{{"type":12,"taskIds":{ids}}}"#)) {
        Event::TasksCreated(tasks) => tasks.task_ids,
        other => panic!("{ids}: {other:?}"),
    };
    assert_eq!(list(r#"["1", 9007199254740993]"#), ["1", "9007199254740993"]);
    assert_eq!(list(r#""528""#), ["528"]);
    assert_eq!(list("528"), ["528"]);
    assert!(list("[]").is_empty());
    assert_eq!(
        written(&event(&json!({"type": 11, "envIds": 7}))),
        json!({"type": 11, "envIds": ["7"]})
    );
}

#[test]
fn open_words_and_empty_links() {
    let tasks = json!({"type": 12, "taskIds": ["1"], "channel": "scheduler"});
    let Event::TasksCreated(created) = event(&tasks) else { panic!() };
    assert_eq!(created.channel, Some(Channel::Other("scheduler".to_owned())));
    assert_eq!(written(&event(&tasks)), tasks);

    let shot =
        event(&json!({"type": 5, "id": "1", "taskId": "2", "result": false, "downloadLink": ""}));
    assert_eq!(written(&shot), json!({"type": 5, "id": "1", "taskId": "2", "result": false}));
}

#[test]
fn types_in_every_spelling() {
    for spelt in ["6", r#""6""#, "6.0", r#""6.0""#, r#"" 6""#, "6e0"] {
        let event = parse(format!(r#"{{"type":{spelt},"taskId":"1","result":true}}"#));
        assert_eq!(written(&event), json!({"type": 6, "taskId": "1", "result": true}));
    }
}

// Row 29.
#[test]
fn attack_unknown_types_are_events() {
    for (body, claimed) in [
        (r#"{"type":3,"id":"1"}"#, "3"),
        (r#"{ "type" : 16, "price": 0.10000000000000000001, "n": [1e400] }"#, "16"),
        (r#"{"type":-7}"#, "-7"),
        (r#"{"type":"99","type2":1}"#, "99"),
        (r#"{"type":1.5}"#, "1.5"),
        (r#"{"type":99999999999999999999}"#, "99999999999999999999"),
        (r#"{"type":"start"}"#, "start"),
    ] {
        let event = parse(body);
        assert_eq!((event.kind(), event.dedup_key()), ("unknown", None));
        assert_eq!(
            serde_json::from_str::<Event>(&serde_json::to_string(&event).unwrap()).unwrap(),
            event
        );
        let Event::Unknown(unknown) = &event else { panic!() };
        assert_eq!((unknown.raw().unwrap().get(), unknown.claimed_kind()), (body, Some(claimed)));
    }
}

// Row 29.
#[test]
fn attack_bodies_that_are_no_callback_are_delivered_as_they_are() {
    for (body, is_json) in [
        ("", false),
        (" ", false),
        ("null", true),
        ("1", true),
        ("[]", true),
        ("\"type\"", true),
        ("{}", true),
        ("{", false),
        ("\u{feff}", false),
        ("\u{feff}garbage", false),
        ("type=1&id=2", false),
        (r#"{"type":null}"#, true),
        (r#"{"type":true}"#, true),
        (r#"{"type":{}}"#, true),
        (r#"{"type":6,"type":6,"taskId":"1","result":true}"#, true),
        (r#"{"type":6,"taskId":"1","result":true}{}"#, false),
        // The trailing comma of the page's sample for type 4.
        (
            r#"{"type":4,"id":"528715748189668352","taskId":"128715748189668352","result":true,}"#,
            false,
        ),
        // The desktop client's own webhook.
        (
            r#"{"event":"browser_start","timestamp":1767000000000,"data":{"id":"5","status":"Active"}}"#,
            true,
        ),
    ] {
        let event = parse(body);
        let Event::Unknown(unknown) = &event else { panic!("{event:?}") };
        assert_eq!(
            (unknown.raw().is_some(), unknown.claimed_kind(), unknown.bytes()),
            (is_json, None, &body.into())
        );
        if !body.contains("\"type\":6,\"type\"") {
            written(&event);
        }
    }
    let event = parse(&b"{\"type\":6,\"taskId\":\"\xff\",\"result\":true}"[..]);
    assert_eq!(event.kind(), "unknown");
}

// Row 21.
#[test]
fn attack_a_hundred_thousand_levels() {
    let deep = |open: &str, close: &str| open.repeat(100_000) + &close.repeat(100_000);
    for deep in [deep("[", "]"), deep(r#"{"a":"#, "}").replace(":}", ":0}")] {
        for typed in ["taskId", "result"] {
            let mut members = [("taskId", "1"), ("result", "true")];
            members
                .iter_mut()
                .filter(|member| member.0 == typed)
                .for_each(|member| member.1 = &deep);
            let [(a, b), (c, d)] = members;
            assert_eq!(misfits(&parse(format!(r#"{{"type":6,"{a}":{b},"{c}":{d}}}"#))), [typed]);
        }
        let event = parse(format!(r#"{{"type":12,"taskIds":{deep}}}"#));
        assert!(misfits(&event)[0].starts_with("taskIds"));
        // An element of a list is in the body alone.
        assert_eq!(serde_json::to_string(&event).unwrap().contains(&deep), deep.starts_with('{'));
        assert_eq!(parse(format!(r#"{{"type":77,"more":{deep}}}"#)).kind(), "unknown");
    }
}

// Row 30.
#[test]
fn attack_amplification() {
    let keys = |count: usize| {
        let members: Vec<_> = (0..count).map(|n| format!(r#""k{n}":0"#)).collect();
        format!(r#"{{"type":6,{}}}"#, members.join(","))
    };
    assert_eq!(parse(keys(255)).kind(), "task_completed");
    assert_eq!(parse(keys(256)).kind(), "unknown");

    let large = || {
        assert_eq!(parse(keys(90_000)).kind(), "unknown");
        for body in [
            format!(r#"{{"type":12,"taskIds":[{}[]]}}"#, "[],".repeat(330_000)),
            format!(r#"{{"type":12,"taskIds":[{}1]}}"#, "1,".repeat(500_000)),
            format!(r#"{{"type":9,"items":[{}{{}}]}}"#, "{},".repeat(330_000)),
        ] {
            let event = parse(body);
            assert_eq!(event.misfits().len(), 1);
            assert!(serde_json::to_string(&event).unwrap().len() > 990_000, "it is kept as text");
        }
        assert_eq!(
            parse(format!(r#"{{"type":77,"more":[{}[]]}}"#, "[],".repeat(330_000))).kind(),
            "unknown"
        );
    };
    #[cfg(target_os = "linux")]
    assert!(is_cheap(Duration::from_secs(5), large), "5 MB took 5 s or more each time");
    #[cfg(not(target_os = "linux"))]
    large();
}
