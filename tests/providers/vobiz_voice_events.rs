//! Voice callbacks: every kind in every form, and what nobody expects.
#![cfg(feature = "vobiz")]

use crate::support::events::misfits;
use bytes::Bytes;
use http::Request;
use serde_json::{Map, Value, json};
use std::time::SystemTime;
use tower_webhooks::{
    Delivery, Provider, Signer as _, UnixMillis, Unknown, WebhookEvent as _,
    vobiz::voice::{
        CallStatus, ConferenceStep, DialStep, Direction, Event, HangupSource, IfMachine, InputType,
        Leg, RecordingEndReason, Signer, StirVerification, Voice,
    },
};

/// Nothing that is rightly signed is refused.
fn verify(request: http::request::Builder, body: impl Into<Bytes>) -> Delivery<Event> {
    let request = Signer::new("token", "https://h")
        .unwrap()
        .sign(request.body(body.into()).unwrap(), SystemTime::now());
    Voice::new("token", "https://h").unwrap().verify(&request, SystemTime::now()).unwrap()
}

fn post(body: impl Into<Bytes>) -> Delivery<Event> {
    verify(Request::post("/cb"), body)
}

fn get(query: &str) -> Delivery<Event> {
    verify(Request::get(format!("/cb?{query}")), "")
}

fn event(form: &str) -> Event {
    let event = post(form.to_owned()).into_event();
    comes_back(&event);
    event
}

fn unknown(body: impl Into<Bytes>) -> Unknown {
    match post(body).into_event() {
        Event::Unknown(unknown) => unknown,
        other => panic!("{other:?}"),
    }
}

fn comes_back(event: &Event) {
    let text = serde_json::to_string(event).unwrap();
    assert_eq!(serde_json::from_str::<Event>(&text).unwrap(), *event, "{text}");
    let value = serde_json::to_value(event).unwrap();
    assert_eq!(serde_json::from_value::<Event>(value).unwrap(), *event, "{text}");
}

fn pairs(form: &str) -> Map<String, Value> {
    form_urlencoded::parse(form.as_bytes())
        .map(|(name, value)| (name.into_owned(), value.into()))
        .collect()
}

/// The event as a form would say it: every scalar as text.
fn texts(event: &Event) -> Map<String, Value> {
    let Value::Object(members) = serde_json::to_value(event).unwrap() else { panic!("{event:?}") };
    let text = |value: Value| if value.is_string() { value } else { value.to_string().into() };
    members.into_iter().map(|(name, value)| (name, text(value))).collect()
}

/// What any callback may say of its call, a custom SIP header and an undocumented field.
const CALL: &str = "CallUUID=c1&From=910000000001&To=00000000002&Direction=inbound&CallStatus=in-progress\
    &CallerName=%2B910000000001&ParentAuthID=MA_TEST0001&RequestUUID=r1&ALegUUID=a1\
    &ALegRequestUUID=ar1\
    &SessionStart=2026-06-08+06%3A07%3A34.130248&BillRate=0.0050&STIRAttestation=Not+Applicable\
    &STIRVerification=Not+Applicable&timestamp=2026-06-08T06%3A07%3A34Z&auth_id=MA_TEST0001\
    &X-VH-Ticket=T-7&NewField=kept";

/// Each row's kind, and a form with all its own fields.
const FIXTURES: &[(&str, &str)] = &[
    ("Ring", "Event=Ring"),
    ("StartApp", "Event=StartApp&ForwardedFrom=911&CountryCode=&RouteType="),
    (
        "Hangup",
        "Event=Hangup&StartTime=2026-06-08+11%3A37%3A34&AnswerTime=2026-06-08+11%3A37%3A40\
         &EndTime=2026-06-08+11%3A38%3A22\
         &Duration=42&BillDuration=60&HangupCause=NORMAL_CLEARING&HangupCauseCode=4000\
         &HangupCauseName=Normal+Hangup\
         &HangupSource=Answer+XML&TotalCost=0.00500",
    ),
    (
        "gather",
        "InputType=speech&Digits=&Speech=two+please&SpeechConfidenceScore=0.87&BilledAmount=0.020",
    ),
    ("gather_interim", "StableSpeech=two&UnstableSpeech=+please&Stability=0.9&SequenceNumber=3"),
    (
        "DialAnswer",
        "Event=DialAnswer&DialAction=answer&DialALegUUID=a1&DialBLegUUID=b1&DialBLegFrom=911\
         &DialBLegTo=912\
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
        "Event=DialHangup&DialAction=hangup&DialALegUUID=a1&DialBLegUUID=b1&DialBLegFrom=911\
         &DialBLegTo=912\
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
        "DialAction",
        "Event=Redirect&DialStatus=completed&DialRingStatus=false&DialHangupCause=NORMAL_CLEARING\
      &DialALegUUID=a1&DialBLegUUID=",
    ),
    ("Record", "Event=Record&RecordingID=rec1"),
    ("Record", "RecordingID=rec1"),
    (
        "RecordStop",
        "Event=RecordStop&RecordingID=rec1&RecordFile=https%3A%2F%2Fmedia.vobiz.ai%2Frec1.mp3\
      &RecordUrl=https%3A%2F%2Fmedia.vobiz.ai%2Frec1.mp3&RecordingDuration=42\
      &RecordingDurationMs=42120\
      &RecordingStartMs=1716112335000&RecordingEndMs=1716112377120\
      &RecordingEndReason=FinishedOnKey",
    ),
    (
        "recording",
        "api_id=api1&record_url=https%3A%2F%2Fmedia.vobiz.ai%2Frec1.mp3&call_uuid=c1\
         &recording_id=rec1\
      &recording_duration=42&recording_duration_ms=42120&recording_start_ms=1716112335000\
      &recording_end_ms=1716112377120",
    ),
    (
        "transcription",
        "transcription=hello&transcription_id=t1\
         &transcription_url=https%3A%2F%2Fmedia.vobiz.ai%2Ft1\
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
    (
        "ConferenceRemoteSounds",
        "Event=ConferenceRemoteSounds&ConferenceAction=waitSound&ConferenceName=room",
    ),
    (
        "conference_action",
        "ConferenceUUID=f1&ConferenceName=room&ConferenceMemberID=7&RecordingID=rec1\
      &RecordUrl=https%3A%2F%2Fmedia.vobiz.ai%2Frec1.mp3&RecordFile=rec1.mp3",
    ),
    (
        "StartStream",
        "Event=StartStream&StreamID=s1&Timestamp=2025-11-06+09%3A58%3A40\
      &ServiceURL=wss%3A%2F%2Fexample.com%2Fws&Error=\
      &status_callback_url=https%3A%2F%2Fexample.com%2Fs\
      &status_callback_method=POST",
    ),
    (
        "PlayedStream",
        "Event=PlayedStream&StreamID=s1&Timestamp=2025-11-06+09%3A58%3A41&Name=greeting&Error=",
    ),
    ("ClearedAudio", "Event=ClearedAudio&StreamID=s1&Timestamp=2025-11-06+09%3A58%3A42&Error="),
    (
        "DegradedStream",
        "Event=DegradedStream&StreamID=s1&Timestamp=2025-11-06+09%3A58%3A43\
         &Error=connection+degraded",
    ),
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
        let delivery = post(form.clone());
        assert_eq!((delivery.kind(), delivery.misfits().len()), (*kind, 0));
        let event = delivery.into_event();
        let filled: Map<_, _> =
            fields.clone().into_iter().filter(|(_, value)| value != "").collect();
        assert_eq!(texts(&event), filled, "{kind}");
        assert_eq!(event.kind(), *kind);
        comes_back(&event);

        assert_eq!(get(&form).into_event(), event, "{kind}");
        assert_eq!(post(Value::Object(fields.clone()).to_string()).into_event(), event, "{kind}");
        // Numbers and booleans as JSON has them, where they are typed; but for digits that JSON
        // would write otherwise.
        let typed: Map<_, _> = fields
            .into_iter()
            .map(|(name, value)| {
                let bare = serde_json::from_str::<Value>(value.as_str().unwrap());
                let bare = bare
                    .ok()
                    .filter(|bare| serde_json::to_string(bare).unwrap() == value.as_str().unwrap());
                let bare = bare.filter(|_| name != "ConferenceDigits");
                (name, bare.unwrap_or(value))
            })
            .collect();
        assert!(typed.values().any(|value| !value.is_string()));
        assert_eq!(post(Value::Object(typed).to_string()).into_event(), event, "{kind}");
    }
}

#[test]
fn without_optional_fields_and_with_nulls() {
    let mut bare = 0;
    for (kind, own) in FIXTURES {
        let fields = pairs(own);
        let Some(name) = fields.get("Event") else { continue };
        if *kind != name.as_str().unwrap() {
            continue;
        }
        let event = event(&format!("Event={kind}"));
        assert_eq!(event.kind(), *kind);
        assert_eq!(serde_json::to_value(&event).unwrap(), json!({ "Event": kind }));

        let untyped = ["ConferenceDigits", "X-VH-Ticket", "NewField"];
        let call = pairs(CALL);
        let names = fields.keys().chain(call.keys()).cloned();
        for nothing in [Value::Null, json!("")] {
            let names = names.clone().filter(|name| !untyped.contains(&&**name));
            let mut nothing: Map<_, _> = names.map(|name| (name, nothing.clone())).collect();
            nothing.insert("Event".to_owned(), name.clone());
            assert_eq!(post(Value::Object(nothing).to_string()).into_event(), event, "{kind}");
        }
        bare += 1;
    }
    assert_eq!(bare, 23);
}

#[test]
fn what_has_no_event_is_told_by_its_fields() {
    for (kind, form) in [
        ("gather", "Digits=1"),
        ("gather", "InputType=dtmf"),
        ("gather", "Event=&Digits=1"),
        ("gather_interim", "UnstableSpeech=x"),
        ("Record", "RecordingID=rec1"),
        ("recording", "record_url=x"),
        ("transcription", "transcription=x"),
        ("transcription", "transcription_rate=1"),
        ("conference_action", "ConferenceName=room"),
        ("conference_action", "ConferenceName=room&RecordingID=rec1"),
        // Blank fields tell it too, also once it has been written and read.
        ("gather", "Digits=&Speech=&CallUUID=c1"),
        ("gather", "InputType=%20&Digits="),
        ("conference_action", "ConferenceName=&RecordingID=rec1"),
        ("transcription", "transcription=&error=no+speech&recording_id=rec1"),
        ("DialAction", "Event=Redirect&DialBLegUUID="),
        // So do those that are no scalar.
        ("gather", "Digits=1&Digits=2"),
    ] {
        assert_eq!(event(form).kind(), kind, "{form}");
    }
    assert_eq!(post(r#"{"Digits":"1","StableSpeech":null,"Event":null}"#).kind(), "gather");
    let Event::Gather(timeout) = event("Digits=&Speech=&CallUUID=c1") else { panic!() };
    assert_eq!((timeout.digits, timeout.speech), (None, None));
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
        (hangup.duration, hangup.bill_duration, hangup.hangup_cause_code),
        (Some(42), Some(60), Some(4000))
    );
    assert_eq!(hangup.hangup_source, Some(HangupSource::AnswerXml));
    assert_eq!(hangup.total_cost.as_deref(), Some("0.00500"));
    let rest: Vec<_> = hangup.rest.iter().map(|(name, json)| (name, json.get())).collect();
    assert_eq!(rest, [("NewField", r#""kept""#), ("X-VH-Ticket", r#""T-7""#)]);

    let Event::StartApp(start) = full("StartApp") else { panic!() };
    assert_eq!((start.country_code, start.forwarded_from.as_deref()), (None, Some("911")));
    let Event::Gather(gather) = full("gather") else { panic!() };
    assert_eq!(
        (gather.input_type, gather.speech_confidence_score),
        (Some(InputType::Speech), Some(0.87))
    );
    let Event::GatherInterim(interim) = full("gather_interim") else { panic!() };
    assert_eq!((interim.stability, interim.sequence_number), (Some(0.9), Some(3)));
    assert_eq!(interim.unstable_speech.as_deref(), Some(" please"));
    let Event::DialDigitsMatch(dial) = full("DialDigitsMatch") else { panic!() };
    assert_eq!(
        (dial.dial_action, dial.dial_digits_pressed_by),
        (Some(DialStep::Digits), Some(Leg::B))
    );
    let Event::DialHangup(dial) = full("DialHangup") else { panic!() };
    assert_eq!((dial.dial_b_leg_duration, dial.dial_b_leg_position), (Some(31), Some(1)));
    assert_eq!(dial.dial_b_leg_hangup_source, Some(HangupSource::Vobiz));
    let Event::DialAction(dial) = full("DialAction") else { panic!() };
    assert_eq!((dial.dial_status, dial.dial_ring_status), (Some(CallStatus::NoAnswer), Some(true)));
    let Event::DialAction(dial) = event("Event=DialAction&HangupCause=NORMAL_CLEARING") else {
        panic!()
    };
    assert_eq!(dial.dial_hangup_cause.as_deref(), Some("NORMAL_CLEARING"));
    let Event::DialAction(dial) = event("Event=Redirect&DialStatus=busy") else { panic!() };
    assert_eq!(dial.call.event.as_deref(), Some("Redirect"));
    assert!(matches!(event("Event=Redirect"), Event::Redirect(_)));
    let Event::RecordStop(stop) = full("RecordStop") else { panic!() };
    assert_eq!(stop.recording_end_reason, Some(RecordingEndReason::FinishedOnKey));
    assert_eq!(stop.recording_end_ms, Some(UnixMillis(1_716_112_377_120)));
    let Event::Recording(recording) = full("recording") else { panic!() };
    assert_eq!(recording.recording_duration, Some(42));
    assert_eq!(recording.recording_start_ms, Some(UnixMillis(1_716_112_335_000)));
    let Event::ConferenceEnter(conference) = full("ConferenceEnter") else { panic!() };
    assert_eq!(
        (conference.conference_action, conference.conference_first_member),
        (Some(ConferenceStep::Enter), Some(true))
    );
    let Event::MachineDetection(detection) = full("MachineDetection") else { panic!() };
    assert_eq!((detection.machine, detection.if_machine), (Some(true), Some(IfMachine::Hangup)));
}

#[test]
fn what_does_not_fit_is_named_and_kept() {
    let hangup = event(
        "Event=Hangup&Duration=soon&BillDuration=&HangupCauseCode=busy&CallStatus=teleported\
         &Direction=",
    );
    assert_eq!(misfits(&hangup), ["Duration", "HangupCauseCode"]);
    let Event::Hangup(hangup) = hangup else { panic!() };
    assert_eq!(
        (hangup.duration, hangup.bill_duration, hangup.hangup_cause_code),
        (None, None, None)
    );
    assert_eq!(hangup.rest.get("Duration").unwrap().get(), r#""soon""#);
    assert_eq!(hangup.call.call_status, Some(CallStatus::Other("teleported".into())));
    assert_eq!(hangup.call.direction, None);
    for odd in ["NaN", "inf", "1e999", "%2B5", "0x5", "1_0", "1%2C5"] {
        let gather = event(&format!("SpeechConfidenceScore={odd}"));
        assert_eq!(misfits(&gather), ["SpeechConfidenceScore"], "{odd}");
    }
    // A list or an object is the value of no documented field, and no harm in another.
    let ring =
        post(r#"{"Event":"Ring","From":["1"],"To":{"a":1},"STIRAttestation":true,"New":{"a": 1}}"#)
            .into_event();
    comes_back(&ring);
    assert_eq!(misfits(&ring), ["From", "To", "STIRAttestation"]);
    let Event::Ring(ring) = ring else { panic!() };
    assert_eq!(ring.rest.get("New").unwrap().get(), r#"{"a": 1}"#);
    assert_eq!(ring.rest.get("From").unwrap().get(), r#"["1"]"#);
}

#[test]
fn numbers_and_booleans_in_other_spellings() {
    for (text, number) in
        [("42", 42), ("042", 42), ("42.0", 42), ("+42+", 42), ("4.2e1", 42), ("0", 0)]
    {
        let Event::Hangup(hangup) = event(&format!("Event=Hangup&Duration={text}")) else {
            panic!()
        };
        assert_eq!(hangup.duration, Some(number), "{text}");
    }
    for (text, is_machine) in
        [("True", true), ("TRUE", true), ("1", true), ("false", false), ("0", false)]
    {
        let Event::MachineDetection(detection) =
            event(&format!("Event=MachineDetection&Machine={text}"))
        else {
            panic!()
        };
        assert_eq!(detection.machine, Some(is_machine), "{text}");
    }
    for source in ["Callee", "Call+recipient", "Call+Recipient"] {
        let Event::Hangup(hangup) = event(&format!("Event=Hangup&HangupSource={source}")) else {
            panic!()
        };
        assert_eq!(hangup.hangup_source, Some(HangupSource::Callee));
    }
    let Event::Hangup(hangup) = event("Event=Hangup&HangupSource=&CallStatus=+") else { panic!() };
    assert_eq!((hangup.hangup_source, hangup.call.call_status), (None, None));
}

/// The sample of the callbacks' overview: JSON under a form's content type, with the standard
/// parameters.
#[test]
fn standard_parameters() {
    let body = r#"{"Event":"Hangup","CallUUID":"c1","timestamp":"2026-06-08T06:07:34Z","auth_id":"MA_TEST0001",
        "Status":"completed","Duration":125}"#;
    let request = Request::post("/cb").header("content-type", "application/x-www-form-urlencoded");
    let Event::Hangup(hangup) = verify(request, body).into_event() else { panic!() };
    assert_eq!(hangup.call.timestamp.as_deref(), Some("2026-06-08T06:07:34Z"));
    assert_eq!(hangup.call.auth_id.as_deref(), Some("MA_TEST0001"));
    assert_eq!(hangup.call.call_status, Some(CallStatus::Completed));
    assert!(hangup.rest.is_empty());

    let Event::Ring(ring) = event("Event=Ring&Status=queued&CallStatus=ringing") else { panic!() };
    assert_eq!(ring.call.call_status, Some(CallStatus::Ringing));
    assert_eq!(ring.rest.get("Status").unwrap().get(), r#""queued""#);
    let Event::Ring(ring) = event("Event=Ring&Status=completed&CallStatus=") else { panic!() };
    assert_eq!(ring.call.call_status, Some(CallStatus::Completed));
    let Event::StartStream(stream) = event("Event=StartStream&Timestamp=1&timestamp=2") else {
        panic!()
    };
    assert_eq!(
        (stream.timestamp.as_deref(), stream.call.timestamp.as_deref()),
        (Some("1"), Some("2"))
    );
}

#[test]
fn the_other_spelling_of_stir_verification() {
    let hangup = event("Event=Hangup&stir_verification=Verified");
    assert_eq!(hangup.call().unwrap().stir_verification, Some(StirVerification::Verified));
    assert_eq!(
        serde_json::to_value(hangup).unwrap(),
        json!({ "Event": "Hangup", "STIRVerification": "Verified" })
    );
    let Event::Hangup(both) =
        event("Event=Hangup&stir_verification=Verified&STIRVerification=Not+Verified")
    else {
        panic!()
    };
    assert_eq!(both.call.stir_verification, Some(StirVerification::NotVerified));
    assert_eq!(both.rest.get("stir_verification").unwrap().get(), r#""Verified""#);
}

#[test]
fn unknown_kinds_are_events() {
    for (form, claimed) in [
        ("Event=CallInitiated&CallUUID=c1", Some("CallInitiated")),
        ("Event=recording.completed&CallUUID=c1", Some("recording.completed")),
        ("Event=conference.started", Some("conference.started")),
        ("Event=conference.ended", Some("conference.ended")),
        // What is told by its fields has no name that an event could claim.
        ("Event=gather&Digits=1", Some("gather")),
        ("Event=hangup", Some("hangup")),
        ("Event=Unknown", Some("Unknown")),
        ("Event=5", Some("5")),
        ("CallUUID=c1&From=1", None),
        ("Digits=1&StableSpeech=x", None),
        ("Digits=1&RecordingID=rec1", None),
        ("Digits=1&ConferenceName=room&RecordingID=rec1", None),
        ("transcription=x&record_url=y", None),
        ("ConferenceName=room&ConferenceAction=enter", None),
        ("DialStatus=completed&Digits=1", None),
        ("MessageUUID=m1&Text=hi", None),
    ] {
        for delivery in [post(form), get(form)] {
            assert_eq!(
                (delivery.kind(), delivery.event().dedup_key()),
                ("unknown", None),
                "{form}"
            );
            assert_eq!(
                serde_json::to_value(delivery.event()).unwrap(),
                Value::Object(pairs(form)),
                "{form}"
            );
            comes_back(delivery.event());
            let Event::Unknown(unknown) = delivery.event() else { panic!() };
            assert_eq!(unknown.raw().unwrap().parse::<Map<String, Value>>().unwrap(), pairs(form));
            assert_eq!((&unknown.bytes()[..], unknown.claimed_kind()), (form.as_bytes(), claimed));
            assert!(
                delivery.event().call().is_none()
                    && delivery.event().sip_headers().next().is_none()
            );
        }
    }
    let json = r#"{"Event":"New","Count":10000000000000000000000001,"Deep":{"a":[1,{}]},"None":null,"Yes":true}"#;
    assert_eq!(
        (unknown(json).raw().unwrap().get(), unknown(json).claimed_kind()),
        (json, Some("New"))
    );
    for odd in [r#"{"Event":5}"#, r#"{"Event":["Hangup"]}"#, r#"{"Event":true,"Digits":"1"}"#] {
        assert_eq!(unknown(odd).raw().unwrap().get(), odd);
    }
}

#[test]
fn own_query_keys_stay_on_a_get_only() {
    let Event::Ring(ring) = get("Event=Ring&tenant=42&flag").into_event() else { panic!() };
    let rest: Vec<_> = ring.rest.iter().map(|(name, json)| (name, json.get())).collect();
    assert_eq!(rest, [("flag", r#""""#), ("tenant", r#""42""#)]);
    let Event::Ring(ring) = verify(Request::post("/cb?tenant=42"), "Event=Ring").into_event()
    else {
        panic!()
    };
    assert!(ring.rest.is_empty());
}

#[test]
fn attack_the_other_place_is_never_read() {
    let posted =
        verify(Request::post("/cb?Event=Hangup&CallUUID=forged"), "Event=Ring").into_event();
    assert_eq!(serde_json::to_value(posted).unwrap(), json!({ "Event": "Ring" }));
    let gotten =
        verify(Request::get("/cb?Event=Ring"), "Event=Hangup&CallUUID=forged").into_event();
    assert_eq!(serde_json::to_value(gotten).unwrap(), json!({ "Event": "Ring" }));
    assert_eq!(verify(Request::post("/cb?Event=Hangup"), "").kind(), "unknown");
    // Neither is a bad query of a POST, nor a bad body of a GET.
    assert_eq!(verify(Request::post("/cb?Event=%zz&a=1&a=2"), "Event=Ring").kind(), "Ring");
    assert_eq!(verify(Request::get("/cb?Event=Ring"), "%zz{").kind(), "Ring");
}

/// A caller chooses their name and, over SIP, the bytes of their headers.
#[test]
fn attack_a_caller_cannot_silence_their_own_callbacks() {
    for (form, name) in [
        (&b"Event=Hangup&CallerName=%E9ric"[..], "\u{fffd}ric"),
        (b"Event=Hangup&CallerName=\xe9ric", "\u{fffd}ric"),
        (b"Event=Hangup&CallerName=%ed%a0%80", "\u{fffd}\u{fffd}\u{fffd}"),
        (b"Event=Hangup&CallerName=10%&X-VH-A=%4&X-VH-B=%zz&%=1", "10%"),
        (b"Event=Hangup&CallerName=%c3%A9+%26%3d", "\u{e9} &="),
    ] {
        let delivery = post(form);
        let Event::Hangup(hangup) = delivery.event() else { panic!("{delivery:?}") };
        assert_eq!(hangup.call.caller_name.as_deref(), Some(name));
        comes_back(delivery.event());
        if let Ok(query) = std::str::from_utf8(form) {
            assert_eq!(get(query).into_event(), *delivery.event());
        }
    }
    // A name that is no UTF-8 is no other name.
    let form = "Event=Hangup&X-VH-%ff=1&X-VH-%fe=2&X-VH-Note=%ff";
    let hangup = event(form);
    assert_eq!(get(form).into_event(), hangup);
    let headers: Vec<_> = hangup.sip_headers().collect();
    let expected = [("X-VH-%fe", "2"), ("X-VH-%ff", "1"), ("X-VH-Note", "\u{fffd}")];
    assert_eq!(headers, expected.map(|(name, text)| (name, text.to_owned())));
    // The same in JSON, and a surrogate without its other half.
    let delivery = post(r#"{"Event":"Ring","CallerName":"a\ud83d"}"#);
    assert_eq!(delivery.event().call().unwrap().caller_name.as_deref(), Some("a\u{fffd}"));
}

#[test]
fn what_is_sent_twice() {
    let fields = "Event=Ring&X-VH-A=1&X-VH-A=2&X-VH-B=3&CallUUID=c1&To=1&To=2";
    let own = "discount=10%&tag=a&tag=b";
    let ring = event(&format!("{fields}&{own}"));
    assert_eq!(misfits(&ring), ["To"]);
    let gotten = get(&format!("{own}&{fields}")).into_event();
    assert_eq!((&gotten, misfits(&gotten)), (&ring, misfits(&ring)));
    let headers: Vec<_> = ring.sip_headers().collect();
    assert_eq!(
        headers,
        [("X-VH-A", "1".to_owned()), ("X-VH-A", "2".to_owned()), ("X-VH-B", "3".to_owned())]
    );
    let Event::Ring(ring) = ring else { panic!() };
    assert_eq!((ring.call.call_uuid.as_deref(), ring.call.to), (Some("c1"), None));
    let kept = |name| ring.rest.get(name).unwrap().get();
    assert_eq!(
        (kept("tag"), kept("To"), kept("discount")),
        (r#"["a","b"]"#, r#"["1","2"]"#, r#""10%""#)
    );
    // In JSON as well, where only the body has what was repeated.
    let json = post(r#"{"Event":"Ring","To":"1","To":"2","tag":"a","tag":"b","CallUUID":"c1"}"#)
        .into_event();
    assert_eq!(misfits(&json), ["", "To"]);
    assert_eq!(serde_json::to_value(&json).unwrap(), json!({"Event": "Ring", "CallUUID": "c1"}));
}

#[test]
fn attack_an_event_that_is_named_twice_is_none() {
    for twice in
        ["Event=Ring&Event=Hangup", "Event=Ring&Event=Ring", "Event=Ring&Ev%65nt=Ring&Digits=1"]
    {
        assert_eq!(post(twice).kind(), "unknown");
        assert_eq!(get(twice).kind(), "unknown");
        comes_back(post(twice).event());
    }
    for twice in [
        r#"{"Event":"Ring","Event":"Hangup"}"#,
        r#"{"Event":"Ring","Ev\u0065nt":"Ring"}"#,
        r#"{"Event":null,"Event":"Ring","Digits":"1"}"#,
    ] {
        assert_eq!(unknown(twice).raw().unwrap().get(), twice);
    }
}

#[test]
fn what_a_body_is() {
    const FORM: &str = "application/x-www-form-urlencoded";
    let kind = |content_type: Option<&str>, body: &str| {
        let request = content_type
            .iter()
            .fold(Request::post("/cb"), |request, kind| request.header("content-type", *kind));
        let delivery = verify(request, body.to_owned());
        comes_back(delivery.event());
        if let Event::Unknown(unknown) = delivery.event() {
            assert_eq!(unknown.bytes(), body);
        }
        delivery.kind().to_owned()
    };
    for content_type in [
        None,
        Some(FORM),
        Some("application/json"),
        Some("text/plain"),
        Some("multipart/form-data"),
    ] {
        // JSON, whatever the content type says; and what begins with a field.
        for body in [
            r#"{"Event":"Ring"}"#,
            "\n {\"Event\":\"Ring\"}\r\n",
            "\u{feff}{\"Event\":\"Ring\"}",
            "\u{feff}\n{\"Event\":\"Ring\"}",
            "Event=Ring",
            "\nEvent=Ring&From=1\r\n",
            "\u{feff}From=&Event=Ring",
        ] {
            assert_eq!(kind(content_type, body), "Ring", "{content_type:?} {body}");
        }
        // Neither.
        for body in [
            "[{\"Event\":\"Ring\"}]",
            "\"Event=Ring\"",
            "null",
            "{",
            "{}x",
            r#"{"Event":"Ring""#,
            r#"{"Event":"Ring"}{"Event":"Hangup"}"#,
            "{Event=Ring",
            "<Event name=\"Ring\">Ring</Event>",
            "<?xml version=\"1.0\"?>\n<Event>Ring</Event>",
            "--b\r\nContent-Disposition: form-data; name=\"Event\"\r\n\r\nRing\r\n--b--\r\n",
            "Event: Ring\nCallUUID: c1",
            "%7B%22Event%22%3A%22Ring%22%7D",
            "",
            "\u{feff}",
            "\u{feff}garbage",
        ] {
            assert_eq!(kind(content_type, body), "unknown", "{content_type:?} {body}");
        }
    }
    // A content type that says form is believed where a field does not show.
    for (content_type, known) in
        [("application/x-www-form-urlencoded; charset=utf-8", "Ring"), ("text/plain", "unknown")]
    {
        assert_eq!(kind(Some(content_type), "my field&Event=Ring"), known);
    }
    assert_eq!(get(r#"%7B"Event":"Ring"%7D"#.replace('"', "%22").as_str()).kind(), "unknown");
    let list = unknown("[1, 2]");
    assert_eq!((list.raw().unwrap().get(), list.claimed_kind()), ("[1, 2]", None));
    assert!(unknown("<Event/>").raw().is_none());
    let broken = unknown(&b"{\"Event\":\"Ring\",\"x\":\"\xff\"}"[..]);
    assert!(broken.raw().is_none() && broken.bytes().contains(&0xff));
}

#[test]
fn attack_many_fields_and_deep_json() {
    let form = |count: usize| (0..count).map(|n| format!("k{n}=")).collect::<Vec<_>>().join("&");
    assert!(matches!(event(&format!("Event=Ring&{}", form(255))), Event::Ring(_)));
    let many = format!("Event=Ring&{}", form(256));
    assert_eq!(
        unknown(many.clone()).raw().unwrap().parse::<Map<String, Value>>().unwrap(),
        pairs(&many)
    );
    let million = format!("Event=Ring&{}", "a=&".repeat(1 << 18));
    let Event::Unknown(unknown) = post(million.clone()).into_event() else { panic!() };
    assert_eq!((unknown.bytes().len(), unknown.raw().is_none()), (million.len(), true));
    let json = |count: usize| {
        let members: String = (0..count).map(|n| format!(",\"k{n}\":1")).collect();
        format!(r#"{{"Event":"Ring"{members}}}"#)
    };
    assert_eq!((post(json(255)).kind(), post(json(256)).kind()), ("Ring", "unknown"));

    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    assert_eq!(post(format!(r#"{{"Event":"Ring","New":{deep}}}"#)).kind(), "Ring");
    assert_eq!(post(format!(r#"{{"Event":"New","New":{deep}}}"#)).kind(), "unknown");
    assert_eq!(misfits(post(format!(r#"{{"Event":"Ring","From":{deep}}}"#)).event()), ["From"]);
}

#[test]
fn dedup_keys() {
    let key = |form: &str| event(form).dedup_key();
    for (form, expected) in [
        ("Event=Hangup&CallUUID=c1", r#"["Hangup","c1"]"#),
        ("Event=StartApp&CallUUID=c1", r#"["StartApp","c1"]"#),
        ("Event=DialHangup&CallUUID=c1&DialBLegUUID=b1", r#"["DialHangup","c1","b1"]"#),
        (
            "Event=Redirect&DialStatus=completed&DialALegUUID=a1&DialBLegUUID=b1",
            r#"["DialAction","a1","b1"]"#,
        ),
        ("Event=RecordStop&CallUUID=c1&RecordingID=rec1", r#"["RecordStop","rec1"]"#),
        ("RecordingID=rec1", r#"["Record","rec1"]"#),
        ("transcription=x&recording_id=rec1", r#"["transcription","rec1",null]"#),
        ("transcription_id=t1&recording_id=rec1", r#"["transcription","rec1","t1"]"#),
        (
            "StableSpeech=x&SequenceNumber=3&CallUUID=c1",
            r#"["gather_interim","c1",3,"x",null,null]"#,
        ),
        (
            "Event=ConferenceExit&CallUUID=c1&ConferenceUUID=f1&ConferenceMemberID=7",
            r#"["ConferenceExit","c1","f1","7"]"#,
        ),
        (
            "Event=PlayedStream&StreamID=s1&Timestamp=2025-11-06+09%3A58%3A41&Name=n",
            r#"["PlayedStream","s1","2025-11-06 09:58:41","n"]"#,
        ),
    ] {
        assert_eq!(key(form).as_deref(), Some(expected));
    }
    for none in [
        "Event=Hangup",
        "Event=Hangup&CallUUID=",
        "Event=Hangup&CallUUID=+",
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
    fn any_body_is_an_event_that_comes_back(
        body: Vec<u8>,
        tail in "[{}\\[\\]\":,a-zA-Z0-9%=&+ ]{0,40}",
    ) {
        for body in [body, tail.into_bytes()] {
            comes_back(post(body).event());
        }
    }

    #[test]
    fn any_form_comes_back(fields in proptest::collection::btree_map(".{1,8}", ".{0,8}", 0..8)) {
        let mut form = form_urlencoded::Serializer::new("x=1".to_owned());
        let form = form.extend_pairs(&fields).finish();
        proptest::prop_assume!(!fields.keys().any(|name| name.contains('\u{fffd}') || name == "x"));
        let mut event = serde_json::to_value(event(&form)).unwrap();
        event.as_object_mut().unwrap().remove("x");
        proptest::prop_assert_eq!(event, serde_json::to_value(fields).unwrap());
    }

    #[test]
    fn any_fields_of_any_kind_come_back(
        picked in proptest::collection::vec((0..FIXTURES.len(), 0..16_usize, ".{0,3}"), 0..12),
        kind in 0..FIXTURES.len(),
    ) {
        let mut form = form_urlencoded::Serializer::new(FIXTURES[kind].1.to_owned());
        for (row, field, text) in picked {
            let fields = pairs(FIXTURES[row].1);
            if let Some(name) = fields.keys().nth(field % fields.len()) {
                form.append_pair(name, &text);
            }
        }
        event(&form.finish());
    }
}
