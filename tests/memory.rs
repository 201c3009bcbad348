//! How much memory strangers can make the layer hold: a binary of its own, as it counts every allocation.
#![cfg(feature = "zegocloud")]

mod common;

use bytes::Bytes;
use common::{ACCEPTED, Desk, Letterbox, Scripted, Step, outcome, paid, refused, run_without_runtime};
use http::{Request, header};
use http_body_util::Full;
use peak_alloc::PeakAlloc;
use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime},
};
use tokio_test::{assert_pending, task};
use tower::{Layer, ServiceExt};
use tower_webhooks::{
    Provider, RejectionKind, Signer as _, WebhookLayer,
    zegocloud::{Signer, Zegocloud},
};

#[global_allocator]
static ALLOCATOR: PeakAlloc = PeakAlloc;

/// Every test holds it to its end: what one of them allocates, the others would count.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What `work` returns and the most bytes that it held at once beyond what was there before.
fn most_held<T>(work: impl FnOnce() -> T) -> (T, usize) {
    let before = ALLOCATOR.current_usage();
    ALLOCATOR.reset_peak_usage();
    let result = work();
    (result, ALLOCATOR.peak_usage().saturating_sub(before))
}

const KIB: usize = 1 << 10;
const MIB: usize = 1 << 20;

#[test]
fn attack_memory_follows_what_arrived_and_not_what_was_declared() {
    let _alone = alone();
    let layer = WebhookLayer::new(Letterbox).body_limit(1 << 40).read_budget(1 << 40);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let _inside = runtime.enter();
    let ((), held) = most_held(|| {
        let stalled: Vec<_> = (0..100)
            .map(|_| {
                let frame = Step::Data(Bytes::from_static(&[b'a'; 100]));
                let (body, _) = Scripted::new([frame.clone(), frame, Step::Stall]);
                let request = paid().body(body.declaring(1 << 40)).unwrap();
                let mut reading = task::spawn(layer.layer(Desk::default()).oneshot(request));
                assert_pending!(reading.poll());
                reading
            })
            .collect();
        drop(stalled);
    });
    println!("100 stalled bodies that declared 1 TiB and sent 200 bytes: {} KiB", held / KIB);
    assert!(held < MIB, "{held}");
}

#[test]
fn attack_small_frames_do_not_keep_their_read_buffers() {
    let _alone = alone();
    let layer = WebhookLayer::new(Letterbox);
    let (outcome, held) = most_held(|| {
        // One byte out of each read buffer.
        let frames = futures_util::stream::iter((0..64 * KIB).map(|_| {
            let frame = Bytes::from(vec![b'a'; 8 * KIB]).slice(..1);
            Ok::<_, std::convert::Infallible>(http_body::Frame::data(frame))
        }));
        let request = paid().body(http_body_util::StreamBody::new(frames)).unwrap();
        outcome(&run_without_runtime(layer.layer(Desk::default()).oneshot(request)).unwrap())
    });
    println!("64 KiB in frames of one byte: {} KiB", held / KIB);
    assert_eq!(outcome, ACCEPTED);
    // The buffer while it grows, the event's own copy, and a read buffer or two.
    assert!(held < 256 * KIB, "{held}");
}

#[test]
fn a_body_in_one_frame_is_not_copied() {
    let _alone = alone();
    let layer = WebhookLayer::new(Letterbox);
    let text = Bytes::from(vec![b'a'; MIB]);
    let forged = Bytes::from([b"forged", &[b'a'; MIB - 6][..]].concat());
    for (text, expected, copies) in [(text, ACCEPTED, 1), (forged, refused(RejectionKind::CredentialWrong), 0)] {
        let request = paid().body(Full::new(text)).unwrap();
        let (outcome, held) =
            most_held(|| outcome(&run_without_runtime(layer.layer(Desk::default()).oneshot(request)).unwrap()));
        assert_eq!(outcome, expected);
        // The letterbox makes one for its event.
        assert!(held < copies * MIB + 16 * KIB, "{held}");
    }
}

// ZEGOCLOUD.

const SECRET: &str = "zego-memory-secret";

fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_763_680_000)
}

fn request(content_type: &str, body: impl Into<Bytes>) -> Request<Bytes> {
    Request::post("/").header(header::CONTENT_TYPE, content_type).body(body.into()).unwrap()
}

/// The provider alone: what the layer holds besides is not of the body's size.
fn check(request: Request<Bytes>) -> (Result<(), RejectionKind>, usize) {
    let provider = Zegocloud::new(SECRET).unwrap();
    let (head, body) = request.into_parts();
    most_held(|| provider.check_body((), &head, &body, now()).map(drop).map_err(|rejection| rejection.kind()))
}

#[test]
fn attack_deep_nesting_holds_at_most_twice_the_body() {
    let _alone = alone();
    for (open, close) in [("[", "]"), (r#"{"a":"#, "}")] {
        let deep = format!("{}1{}", open.repeat(100_000), close.repeat(100_000));
        for (place, members, accepted) in [
            ("an ignored member", format!(r#""event":"room_close","later":{deep}"#), true),
            ("an unknown event", format!(r#""event":"from_tomorrow","data":{deep}"#), true),
            ("a typed member", format!(r#""event":"room_close","room_id":{deep}"#), false),
        ] {
            let request = request("application/json", format!("{{{members}}}"));
            let request = Signer::new(SECRET).unwrap().sign(request, now());
            let length = request.body().len();
            let (result, held) = check(request);
            println!("100,000 levels of {open} in {place}: {} KiB for a body of {} KiB", held / KIB, length / KIB);
            assert_eq!(result, if accepted { Ok(()) } else { Err(RejectionKind::Invalid) }, "{place}");
            assert!(held <= 2 * length, "{place}: {held} bytes for {length}");
        }
    }
}

#[test]
fn attack_hostile_bodies_are_not_amplified() {
    let _alone = alone();
    for (name, body) in common::hostile_megabytes() {
        let content_type =
            if name.starts_with("form") { "application/x-www-form-urlencoded" } else { "application/json" };
        // An escape in a form is three bytes, in JSON up to six; and a buffer may double.
        let most = if name.starts_with("form") { 8 * MIB } else { 4 * MIB };
        let unsigned = request(content_type, body);
        let signed = Signer::new(SECRET).unwrap().sign(unsigned.clone(), now());
        for (name, request) in [(name.to_owned(), unsigned), (format!("{name}, signed"), signed)] {
            let length = request.body().len();
            let (result, held) = check(request);
            println!("{name}: {} KiB for a body of {} KiB, {result:?}", held / KIB, length / KIB);
            assert!(held <= most, "{name}: {held} bytes for {length}");
        }
    }
}
