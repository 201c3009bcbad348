//! Voice callbacks: every kind in every form, and what is refused.
#![cfg(feature = "vobiz")]

use bytes::Bytes;
use http::Request;
use serde_json::{Map, Value, json};
use std::time::SystemTime;
use tower_webhooks::{
    Delivery, Provider, Rejection, RejectionKind, Signer as _,
    vobiz::voice::{
        CallStatus, ConferenceStep, DialStatus, DialStep, Direction, Event, HangupSource, IfMachine, InputType, Leg,
        RecordingEndReason, Signer, StirVerification, Voice,
    },
};

fn verify(request: http::request::Builder, body: impl Into<Bytes>) -> Result<Delivery<Event>, Rejection> {
    let request =
        Signer::new("token", "https://h").unwrap().sign(request.body(body.into()).unwrap(), SystemTime::now());
    Voice::new("token", "https://h").unwrap().verify(&request, SystemTime::now())
}

fn post(body: impl Into<Bytes>) -> Result<Delivery<Event>, Rejection> {
    verify(Request::post("/cb"), body)
}

fn get(query: &str) -> Result<Delivery<Event>, Rejection> {
    verify(Request::get(format!("/cb?{query}")), "")
}

fn event(form: &str) -> Event {
    post(form.to_owned()).unwrap().into_event()
}

#[track_caller]
fn invalid(result: Result<Delivery<Event>, Rejection>) {
    assert_eq!(result.unwrap_err().kind(), RejectionKind::Invalid);
}

fn pairs(form: &str) -> Map<String, Value> {
    form_urlencoded::parse(form.as_bytes()).map(|(name, value)| (name.into_owned(), value.into())).collect()
}

/// What any callback may say of its call, a custom SIP header and an undocumented field.
const CALL: &str = "CallUUID=c1&From=910000000001&To=00000000002&Direction=inbound&CallStatus=in-progress\
    &CallerName=%2B910000000001&ParentAuthID=MA_TEST0001&RequestUUID=r1&ALegUUID=a1&ALegRequestUUID=ar1\
    &SessionStart=2026-06-08+06%3A07%3A34.130248&BillRate=0.0050&STIRAttestation=Not+Applicable\
    &STIRVerification=Not+Applicable&X-VH-Ticket=T-7&NewField=kept";

/// Each row's kind, and a form with all its own fields.
const FIXTURES: &[(&str, &str)] = &[
    ("Ring", "Event=Ring"),
    ("StartApp", "Event=StartApp&ForwardedFrom=911&CountryCode=&RouteType="),
    (
        "Hangup",
        "Event=Hangup&StartTime=2026-06-08+11%3A37%3A34&AnswerTime=2026-06-08+11%3A37%3A40&EndTime=2026-06-08+11%3A38%3A22\
         &Duration=42&BillDuration=60&HangupCause=NORMAL_CLEARING&HangupCauseCode=4000&HangupCauseName=Normal+Hangup\
         &HangupSource=Answer+XML&TotalCost=0.00500",
    ),
    ("gather", "InputType=speech&Digits=&Speech=two+please&SpeechConfidenceScore=0.87&BilledAmount=0.020"),
    ("gather_interim", "StableSpeech=two&UnstableSpeech=+please&Stability=0.9&SequenceNumber=3"),
    (
        "DialAnswer",
        "Event=DialAnswer&DialAction=answer&DialALegUUID=a1&DialBLegUUID=b1&DialBLegFrom=911&DialBLegTo=912\
      &DialBLegStatus=answer&DialBLegPosition=1",
    ),
    (
        "DialConnected",
        "Event=DialConnected&DialAction=connected&DialALegUUID=a1&DialBLegUUID=b1&DialBLegFrom=911\
      &DialBLegTo=912&DialBLegStatus=connected&DialBLegPosition=2",
    ),
    (
        "DialDigitsMatch",
        "Event=DialDigitsMatch&DialAction=digits&DialALegUUID=a1&DialBLegUUID=b1&DialBLegFrom=911\
      &DialBLegTo=912&DialDigitsMatch=%2A9&DialDigitsPressedBy=bleg",
    ),
    (
        "DialHangup",
        "Event=DialHangup&DialAction=hangup&DialALegUUID=a1&DialBLegUUID=b1&DialBLegFrom=911&DialBLegTo=912\
      &DialBLegStatus=hangup&DialBLegPosition=1&DialBLegDuration=31&DialBLegBillDuration=60\
      &DialBLegHangupCause=NO_ANSWER&DialBLegHangupCauseCode=6010\
      &DialBLegHangupCauseName=Ring%20Timeout%20Reached&DialBLegHangupSource=Vobiz",
    ),
    (
        "DialAction",
        "Event=DialAction&DialStatus=no-answer&DialRingStatus=true&DialHangupCause=NO_ANSWER\
      &DialALegUUID=a1&DialBLegUUID=b1",
    ),
    (
        "Redirect",
        "Event=Redirect&DialStatus=completed&DialRingStatus=false&DialHangupCause=NORMAL_CLEARING\
      &DialALegUUID=a1&DialBLegUUID=",
    ),
    ("Record", "Event=Record&RecordingID=rec1"),
    ("record", "RecordingID=rec1"),
    (
        "RecordStop",
        "Event=RecordStop&RecordingID=rec1&RecordFile=https%3A%2F%2Fmedia.vobiz.ai%2Frec1.mp3\
      &RecordUrl=https%3A%2F%2Fmedia.vobiz.ai%2Frec1.mp3&RecordingDuration=42&RecordingDurationMs=42120\
      &RecordingStartMs=1716112335000&RecordingEndMs=1716112377120&RecordingEndReason=FinishedOnKey",
    ),
    (
        "recording",
        "api_id=api1&record_url=https%3A%2F%2Fmedia.vobiz.ai%2Frec1.mp3&call_uuid=c1&recording_id=rec1\
      &recording_duration=42&recording_duration_ms=42120&recording_start_ms=1716112335000\
      &recording_end_ms=1716112377120",
    ),
    (
        "transcription",
        "transcription=hello&transcription_id=t1&transcription_url=https%3A%2F%2Fmedia.vobiz.ai%2Ft1\
      &recording_id=rec1",
    ),
    (
        "transcription",
        "transcription_charge=0.050&transcription=hello&duration=42.5&call_uuid=c1\
      &transcription_rate=0.0100&recording_id=rec1&error=",
    ),
    (
        "ConferenceEnter",
        "Event=ConferenceEnter&ConferenceAction=enter&ConferenceUUID=f1&ConferenceName=room\
      &ConferenceMemberID=7&ConferenceFirstMember=true",
    ),
    (
        "ConferenceExit",
        "Event=ConferenceExit&ConferenceAction=exit&ConferenceUUID=f1&ConferenceName=room\
      &ConferenceMemberID=7&ConferenceLastMember=false",
    ),
    ("ConferenceDigitsMatch", "Event=ConferenceDigitsMatch&ConferenceName=room&ConferenceDigits=9"),
    ("ConferenceRemoteSounds", "Event=ConferenceRemoteSounds&ConferenceAction=waitSound&ConferenceName=room"),
    (
        "conference_action",
        "ConferenceUUID=f1&ConferenceName=room&ConferenceMemberID=7&RecordingID=rec1\
      &RecordUrl=https%3A%2F%2Fmedia.vobiz.ai%2Frec1.mp3&RecordFile=rec1.mp3",
    ),
    (
        "StartStream",
        "Event=StartStream&StreamID=s1&Timestamp=2025-11-06+09%3A58%3A40\
      &ServiceURL=wss%3A%2F%2Fexample.com%2Fws&Error=&status_callback_url=https%3A%2F%2Fexample.com%2Fs\
      &status_callback_method=POST",
    ),
    ("PlayedStream", "Event=PlayedStream&StreamID=s1&Timestamp=2025-11-06+09%3A58%3A41&Name=greeting&Error="),
    ("ClearedAudio", "Event=ClearedAudio&StreamID=s1&Timestamp=2025-11-06+09%3A58%3A42&Error="),
    ("DegradedStream", "Event=DegradedStream&StreamID=s1&Timestamp=2025-11-06+09%3A58%3A43&Error=connection+degraded"),
    (
        "DroppedStream",
        "Event=DroppedStream&StreamID=s1&Timestamp=2025-11-06+09%3A58%3A44\
      &Error=connection+disconnected+with+the+remote+service",
    ),
    ("StopStream", "Event=StopStream&StreamID=s1&Timestamp=2025-11-06+09%3A58%3A45&Error="),
    ("Redirect", "Event=Redirect"),
    ("Transfer", "Event=Transfer"),
    ("MachineDetection", "Event=MachineDetection&Machine=true&IfMachine=hangup"),
];

#[test]
fn every_kind_in_every_form() {
    for (kind, own) in FIXTURES {
        let form = format!("{own}&{CALL}");
        let fields = pairs(&form);
        let delivery = post(form.clone()).unwrap();
        assert_eq!(delivery.kind(), *kind);
        let event = delivery.into_event();
        assert_eq!(serde_json::to_value(&event).unwrap(), Value::Object(fields.clone()), "{kind}");
        assert!(!matches!(event, Event::Unknown(_)));

        assert_eq!(get(&form).unwrap().into_event(), event, "{kind}");
        assert_eq!(post(Value::Object(fields.clone()).to_string()).unwrap().into_event(), event, "{kind}");
        // Numbers and booleans as JSON has them; but for digits that JSON would write otherwise.
        let typed: Map<_, _> = fields
            .into_iter()
            .map(|(name, value)| {
                let bare = serde_json::from_str::<Value>(value.as_str().unwrap());
                let bare = bare.ok().filter(|bare| serde_json::to_string(bare).unwrap() == value.as_str().unwrap());
                (name, bare.unwrap_or(value))
            })
            .chain([("Nothing".to_owned(), Value::Null)])
            .collect();
        assert!(typed.values().any(|value| !value.is_string()));
        assert_eq!(post(Value::Object(typed).to_string()).unwrap().into_event(), event, "{kind}");
    }
}

#[test]
fn without_optional_fields_and_with_nulls() {
    let mut bare = 0;
    for (kind, own) in FIXTURES {
        let fields = pairs(own);
        let Some(event) = fields.get("Event") else { continue };
        if *kind != event.as_str().unwrap() {
            continue;
        }
        let delivery = post(format!("Event={kind}")).unwrap();
        assert_eq!(delivery.kind(), *kind);
        assert_eq!(serde_json::to_value(delivery.event()).unwrap(), json!({ "Event": kind }));

        let mut nulls: Map<_, _> =
            fields.keys().chain(pairs(CALL).keys()).map(|name| (name.clone(), Value::Null)).collect();
        nulls.insert("Event".to_owned(), event.clone());
        assert_eq!(post(Value::Object(nulls).to_string()).unwrap().into_event(), delivery.into_event(), "{kind}");
        bare += 1;
    }
    assert_eq!(bare, 24);
    for (kind, form) in [
        ("gather", "Digits=1"),
        ("gather", "InputType=dtmf"),
        ("gather_interim", "UnstableSpeech=x"),
        ("record", "RecordingID=rec1"),
        ("recording", "record_url=x"),
        ("transcription", "transcription=x"),
        ("transcription", "transcription_rate=1"),
        ("conference_action", "ConferenceName=room"),
        ("gather", "Event=&Digits=1"),
    ] {
        assert_eq!(post(form).unwrap().kind(), kind, "{form}");
    }
    assert_eq!(post(r#"{"Digits":"1","StableSpeech":null,"Event":null}"#).unwrap().kind(), "gather");
}

#[test]
fn typed_values() {
    let full = |kind: &str| {
        let (_, own) = FIXTURES.iter().find(|(name, _)| *name == kind).unwrap();
        event(&format!("{own}&{CALL}"))
    };
    let Event::Hangup(hangup) = full("Hangup") else { panic!() };
    assert_eq!(hangup.call.direction, Some(Direction::Inbound));
    assert_eq!(hangup.call.call_status, Some(CallStatus::InProgress));
    assert_eq!(hangup.call.stir_verification, Some(StirVerification::NotApplicable));
    assert_eq!(hangup.call.bill_rate.as_deref(), Some("0.0050"));
    assert_eq!(hangup.call.caller_name.as_deref(), Some("+910000000001"));
    assert_eq!(
        (hangup.duration.get(), hangup.bill_duration.get(), hangup.hangup_cause_code.get()),
        (Some(42), Some(60), Some(4000))
    );
    assert_eq!(hangup.hangup_source, Some(HangupSource::AnswerXml));
    assert_eq!(hangup.total_cost.as_deref(), Some("0.00500"));
    assert_eq!(hangup.sip_headers["X-VH-Ticket"], "T-7");
    assert_eq!(hangup.extra.len(), 1);
    assert_eq!(hangup.extra["NewField"], "kept");

    let Event::StartApp(start) = full("StartApp") else { panic!() };
    assert_eq!((start.country_code.as_deref(), start.forwarded_from.as_deref()), (Some(""), Some("911")));
    let Event::Gather(gather) = full("gather") else { panic!() };
    assert_eq!((gather.input_type, gather.speech_confidence_score.get()), (Some(InputType::Speech), Some(0.87)));
    let Event::GatherInterim(interim) = full("gather_interim") else { panic!() };
    assert_eq!((interim.stability.get(), interim.sequence_number.get()), (Some(0.9), Some(3)));
    assert_eq!(interim.unstable_speech.as_deref(), Some(" please"));
    let Event::DialDigitsMatch(dial) = full("DialDigitsMatch") else { panic!() };
    assert_eq!((dial.dial_action, dial.dial_digits_pressed_by), (Some(DialStep::Digits), Some(Leg::B)));
    let Event::DialHangup(dial) = full("DialHangup") else { panic!() };
    assert_eq!((dial.dial_b_leg_duration.get(), dial.dial_b_leg_position.get()), (Some(31), Some(1)));
    assert_eq!(dial.dial_b_leg_hangup_source, Some(HangupSource::Vobiz));
    let Event::DialAction(dial) = full("DialAction") else { panic!() };
    assert_eq!((dial.dial_status, dial.dial_ring_status.get()), (Some(DialStatus::NoAnswer), Some(true)));
    let Event::DialAction(dial) = full("Redirect") else { panic!() };
    assert_eq!(dial.call.event.as_deref(), Some("Redirect"));
    assert!(matches!(event("Event=Redirect"), Event::Redirect(_)));
    let Event::RecordStop(stop) = full("RecordStop") else { panic!() };
    assert_eq!(stop.recording_end_reason, Some(RecordingEndReason::FinishedOnKey));
    assert_eq!(stop.recording_end_ms.get(), Some(1_716_112_377_120));
    let Event::Recording(recording) = full("recording") else { panic!() };
    assert_eq!(
        (recording.recording_duration.get(), recording.recording_start_ms.get()),
        (Some(42), Some(1_716_112_335_000))
    );
    let Event::ConferenceEnter(conference) = full("ConferenceEnter") else { panic!() };
    assert_eq!(
        (conference.conference_action, conference.conference_first_member.get()),
        (Some(ConferenceStep::Enter), Some(true))
    );
    let Event::MachineDetection(detection) = full("MachineDetection") else { panic!() };
    assert_eq!((detection.machine.get(), detection.if_machine), (Some(true), Some(IfMachine::Hangup)));
}

#[test]
fn a_value_that_does_not_parse_is_kept() {
    let Event::Hangup(hangup) =
        event("Event=Hangup&Duration=soon&BillDuration=&HangupCauseCode=-1&CallStatus=teleported&Direction=")
    else {
        panic!()
    };
    assert_eq!((hangup.duration.get(), hangup.duration.text()), (None, Some("soon")));
    assert_eq!((hangup.bill_duration.get(), hangup.bill_duration.text()), (None, Some("")));
    assert_eq!((hangup.hangup_cause_code.get(), hangup.hangup_cause_code.text()), (None, Some("-1")));
    assert_eq!(hangup.call.call_status, Some(CallStatus::Other("teleported".into())));
    assert_eq!(hangup.call.direction, Some(Direction::Other("".into())));
    for odd in ["NaN", "inf", "1e999", "%2B5", "0x5", "1_0"] {
        let Event::Gather(gather) = event(&format!("SpeechConfidenceScore={odd}")) else { panic!() };
        assert_eq!(gather.speech_confidence_score.get(), None, "{odd}");
    }
    let Event::Ring(ring) =
        post(r#"{"Event":"Ring","From":919000000001,"STIRAttestation":true}"#).unwrap().into_event()
    else {
        panic!()
    };
    assert_eq!(
        (ring.call.from.as_deref(), ring.call.stir_attestation.as_deref()),
        (Some("919000000001"), Some("true"))
    );
}

#[test]
fn the_other_spelling_of_stir_verification() {
    let hangup = event("Event=Hangup&stir_verification=Verified");
    assert_eq!(hangup.call().unwrap().stir_verification, Some(StirVerification::Verified));
    assert_eq!(serde_json::to_value(hangup).unwrap(), json!({ "Event": "Hangup", "STIRVerification": "Verified" }));
    let Event::Hangup(both) = event("Event=Hangup&stir_verification=Verified&STIRVerification=Not+Verified") else {
        panic!()
    };
    assert_eq!(both.call.stir_verification, Some(StirVerification::NotVerified));
    assert_eq!(both.extra["stir_verification"], "Verified");
}

#[test]
fn unknown_kinds_are_events() {
    for form in [
        "Event=CallInitiated&CallUUID=c1",
        "Event=gather&Digits=1",
        "Event=hangup",
        "Event=Unknown",
        "CallUUID=c1&From=1",
        "",
        "Digits=1&StableSpeech=x",
        "Digits=1&RecordingID=rec1",
        "Digits=1&ConferenceName=room&RecordingID=rec1",
        "transcription=x&record_url=y",
        "ConferenceName=room&ConferenceAction=enter",
        "DialStatus=completed&Digits=1",
        "MessageUUID=m1&Text=hi",
    ] {
        let delivery = post(form).unwrap();
        assert_eq!((delivery.kind(), delivery.event().dedup_key()), ("unknown", None), "{form}");
        assert_eq!(serde_json::to_value(delivery.event()).unwrap(), Value::Object(pairs(form)), "{form}");
        let Event::Unknown(unknown) = delivery.event() else { panic!() };
        assert_eq!(unknown.raw().parse::<Map<String, Value>>().unwrap(), pairs(form));
        assert!(delivery.event().call().is_none());
    }
    let json = r#"{"Event":"New","Count":10000000000000000000000001,"Deep":{"a":[1,{}]},"None":null,"Yes":true}"#;
    let Event::Unknown(unknown) = post(json).unwrap().into_event() else { panic!() };
    assert_eq!(unknown.raw().parse::<Value>().unwrap(), serde_json::from_str::<Value>(json).unwrap());
    assert!(unknown.raw().get().contains("10000000000000000000000001"));
    for odd in [r#"{"Event":5}"#, r#"{"Event":["Hangup"]}"#, r#"{"Event":true,"Digits":"1"}"#] {
        assert_eq!(post(odd).unwrap().kind(), "unknown", "{odd}");
    }
}

#[test]
fn own_query_keys_stay_on_a_get_only() {
    let Event::Ring(ring) = get("Event=Ring&tenant=42&flag").unwrap().into_event() else { panic!() };
    assert_eq!((&*ring.extra["tenant"], &*ring.extra["flag"]), ("42", ""));
    let Event::Ring(ring) = verify(Request::post("/cb?tenant=42"), "Event=Ring").unwrap().into_event() else {
        panic!()
    };
    assert!(ring.extra.is_empty());
}

#[test]
fn attack_the_other_place_is_never_read() {
    let posted = verify(Request::post("/cb?Event=Hangup&CallUUID=forged"), "Event=Ring").unwrap().into_event();
    assert_eq!(serde_json::to_value(posted).unwrap(), json!({ "Event": "Ring" }));
    let gotten = verify(Request::get("/cb?Event=Ring"), "Event=Hangup&CallUUID=forged").unwrap().into_event();
    assert_eq!(serde_json::to_value(gotten).unwrap(), json!({ "Event": "Ring" }));
    assert_eq!(verify(Request::post("/cb?Event=Hangup"), "").unwrap().kind(), "unknown");
    // Neither is a bad query of a POST, nor a bad body of a GET.
    verify(Request::post("/cb?Event=%zz&a=1&a=2"), "Event=Ring").unwrap();
    verify(Request::get("/cb?Event=Ring"), "%zz{").unwrap();
}

#[test]
fn attack_form_and_json_confusion() {
    // The first byte decides, not the content type.
    for kind in ["application/json", "application/x-www-form-urlencoded", "text/plain"] {
        let request = || Request::post("/cb").header("content-type", kind);
        assert_eq!(verify(request(), r#"{"Event":"Ring"}"#).unwrap().kind(), "Ring");
        assert_eq!(verify(request(), "Event=Ring").unwrap().kind(), "Ring");
    }
    assert_eq!(get(r#"%7B"Event":"Ring"%7D"#.replace('"', "%22").as_str()).unwrap().kind(), "unknown");
    assert_eq!(post("%7B%22Event%22%3A%22Ring%22%7D").unwrap().kind(), "unknown");
    for broken in [
        "{",
        "{}x",
        r#"{"Event":"Ring""#,
        r#"{"Event":"Ring"}{"Event":"Hangup"}"#,
        "{Event=Ring",
        r#"{"Event":"\ud800"}"#,
    ] {
        invalid(post(broken));
    }
    // A list or an object is the value of no documented field, and no harm in another.
    invalid(post(r#"{"Event":"Ring","From":["1"]}"#));
    invalid(post(r#"{"Event":"Hangup","Duration":{"a":1}}"#));
    let Event::Ring(ring) = post(r#"{"Event":"Ring","New":{"a": 1}}"#).unwrap().into_event() else { panic!() };
    assert_eq!(ring.extra["New"], r#"{"a": 1}"#);
}

#[test]
fn attack_duplicate_fields() {
    for twice in [
        "Event=Ring&Event=Hangup",
        "Event=Ring&x=1&x=1",
        "Event=Ring&Ev%65nt=Ring",
        "Event=Ring&a+b=1&a%20b=2",
        "Event=Ring&x&x",
    ] {
        invalid(post(twice));
        invalid(get(twice));
    }
    for twice in
        [r#"{"Event":"Ring","Event":"Hangup"}"#, r#"{"Event":"Ring","Ev\u0065nt":"Ring"}"#, r#"{"x":null,"x":1}"#]
    {
        invalid(post(twice));
    }
}

#[test]
fn attack_bad_encodings() {
    for bad in [
        "Event=Ring&x=%",
        "Event=Ring&x=%4",
        "Event=Ring&x=%zz",
        "Event=Ring&%=1",
        "Event=Ring&x=%c3%28",
        "Event=Ring&x=%ff",
        "Event=Ring&x=%ed%a0%80",
        "Event=Ring&x=%c3&y=%a9",
    ] {
        invalid(post(bad));
        invalid(get(bad));
    }
    invalid(post(&b"Event=Ring&x=\xff"[..]));
    invalid(post(&b"{\"Event\":\"Ring\",\"x\":\"\xff\"}"[..]));
    let Event::Ring(ring) = event("Event=Ring&x=%c3%A9+%26%3d&y=\u{e9}") else { panic!() };
    assert_eq!((&*ring.extra["x"], &*ring.extra["y"]), ("é &=", "é"));
}

#[test]
fn attack_many_fields_and_deep_json() {
    let form = |count: usize| (0..count).map(|n| format!("k{n}=")).collect::<Vec<_>>().join("&");
    assert_eq!(post(form(256)).unwrap().kind(), "unknown");
    invalid(post(form(257)));
    let million = "a=&".repeat(1 << 18);
    invalid(post(million));
    let json =
        |count: usize| format!("{{{}}}", (0..count).map(|n| format!("\"k{n}\":1")).collect::<Vec<_>>().join(","));
    assert_eq!(post(json(256)).unwrap().kind(), "unknown");
    invalid(post(json(257)));

    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    assert_eq!(post(format!(r#"{{"Event":"Ring","New":{deep}}}"#)).unwrap().kind(), "Ring");
    assert_eq!(post(format!(r#"{{"Event":"New","New":{deep}}}"#)).unwrap().kind(), "unknown");
    invalid(post(format!(r#"{{"Event":"Ring","From":{deep}}}"#)));
}

#[test]
fn dedup_keys() {
    let key = |form: &str| event(form).dedup_key();
    assert_eq!(key("Event=Hangup&CallUUID=c1").as_deref(), Some("Hangup:c1"));
    assert_eq!(key("Event=StartApp&CallUUID=c1").as_deref(), Some("StartApp:c1"));
    assert_eq!(key("Event=DialHangup&CallUUID=c1&DialBLegUUID=b1").as_deref(), Some("DialHangup:c1:b1"));
    assert_eq!(
        key("Event=Redirect&DialStatus=completed&DialALegUUID=a1&DialBLegUUID=b1").as_deref(),
        Some("Redirect:a1:b1")
    );
    assert_eq!(key("Event=RecordStop&CallUUID=c1&RecordingID=rec1").as_deref(), Some("RecordStop:rec1"));
    assert_eq!(key("RecordingID=rec1").as_deref(), Some("record:rec1"));
    assert_eq!(key("transcription=x&recording_id=rec1").as_deref(), Some("transcription:rec1"));
    assert_eq!(key("StableSpeech=x&SequenceNumber=3&CallUUID=c1").as_deref(), Some("gather_interim:c1:3"));
    assert_eq!(
        key("Event=ConferenceExit&CallUUID=c1&ConferenceUUID=f1&ConferenceMemberID=7").as_deref(),
        Some("ConferenceExit:c1:f1:7")
    );
    assert_eq!(
        key("Event=PlayedStream&StreamID=s1&Timestamp=2025-11-06+09%3A58%3A41&Name=n").as_deref(),
        Some("PlayedStream:s1:2025-11-06 09:58:41:n")
    );
    for none in [
        "Event=Hangup",
        "Event=Hangup&CallUUID=",
        "Event=DialHangup&CallUUID=c1",
        "Event=DialAction&DialALegUUID=a1&DialBLegUUID=",
        "Digits=1&CallUUID=c1",
        "Event=Redirect&CallUUID=c1",
        "Event=Transfer&CallUUID=c1",
        "Event=DialDigitsMatch&CallUUID=c1&DialBLegUUID=b1",
    ] {
        assert_eq!(key(none), None, "{none}");
    }
}

proptest::proptest! {
    #[test]
    fn any_body_is_an_event_or_a_400(body: Vec<u8>, tail in "[{}\\[\\]\":,a-zA-Z0-9%=&+ ]{0,40}") {
        for body in [body, tail.into_bytes()] {
            match post(body) {
                Ok(delivery) => {
                    let json = serde_json::to_value(delivery.event()).unwrap();
                    proptest::prop_assert!(json.is_object());
                }
                Err(error) => proptest::prop_assert_eq!(error.kind(), RejectionKind::Invalid),
            }
        }
    }

    #[test]
    fn any_form_comes_back(fields in proptest::collection::btree_map(".{1,8}", ".{0,8}", 0..8)) {
        let form = form_urlencoded::Serializer::new(String::new()).extend_pairs(&fields).finish();
        let event = event(&form);
        proptest::prop_assert_eq!(serde_json::to_value(event).unwrap(), serde_json::to_value(fields).unwrap());
    }
}
