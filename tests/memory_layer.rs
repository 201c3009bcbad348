//! How much memory strangers can make the layer hold: a binary of its own, as it counts every
//! allocation.
#![cfg(feature = "zegocloud")]

mod support;

use bytes::Bytes;
use http::{Request, Response, header};
use http_body_util::Full;
use hyper_util::{rt::TokioIo, service::TowerToHyperService};
use peak_alloc::PeakAlloc;
use std::{
    convert::Infallible,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::SystemTime,
};
use support::letterbox::{
    ACCEPTED, Desk, Letterbox, Scripted, Step, outcome, paid, refused, run_without_runtime,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_test::{assert_pending, task};
use tower::{Layer, ServiceExt, service_fn};
use tower_webhooks::{
    Provider, ReadBudget, RejectionKind, Signer as _, Verified, WebhookLayer,
    zegocloud::{Event, Signer, Zegocloud},
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
    let layer =
        WebhookLayer::new(Letterbox).body_limit(1 << 40).read_budget(ReadBudget::new(1 << 40));
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
    for (text, expected, copies) in
        [(text, ACCEPTED, 1), (forged, refused(RejectionKind::CredentialWrong), 0)]
    {
        let request = paid().body(Full::new(text)).unwrap();
        let (outcome, held) = most_held(|| {
            outcome(&run_without_runtime(layer.layer(Desk::default()).oneshot(request)).unwrap())
        });
        assert_eq!(outcome, expected);
        // The letterbox makes one for its event.
        assert!(held < copies * MIB + 16 * KIB, "{held}");
    }
}

/// A body is a slice of the connection's read buffer. What a handler queues must not keep all of
/// that.
#[test]
fn a_queued_event_does_not_keep_a_read_buffer() {
    const EVENTS: usize = 200;
    type Queue = Arc<Mutex<Vec<Verified<String>>>>;

    async fn one_event(layer: &WebhookLayer<Letterbox>, queue: &Queue) {
        let queue = Arc::clone(queue);
        let service = layer.layer(service_fn(move |mut request: Request<Full<Bytes>>| {
            queue.lock().unwrap().push(request.extensions_mut().remove().unwrap());
            std::future::ready(Ok::<_, Infallible>(Response::new(Full::<Bytes>::default())))
        }));
        let (mut client, server) = tokio::io::duplex(64 * KIB);
        let server = async move {
            let connection = hyper::server::conn::http1::Builder::new()
                .keep_alive(false)
                .serve_connection(TokioIo::new(server), TowerToHyperService::new(service));
            connection.await.unwrap();
        };
        let client = async {
            let event = "a".repeat(158);
            let request = format!(
                "POST / HTTP/1.1\r\nhost: a\r\nx-stamp: paid\r\ncontent-length: 158\r\n\r\n{event}"
            );
            client.write_all(request.as_bytes()).await.unwrap();
            let mut response = Vec::new();
            client.read_to_end(&mut response).await.unwrap();
            assert!(
                response.starts_with(b"HTTP/1.1 200 "),
                "{}",
                String::from_utf8_lossy(&response)
            );
        };
        tokio::join!(server, client);
    }

    let _alone = alone();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (layer, queue) = (WebhookLayer::new(Letterbox), Queue::default());
    runtime.block_on(one_event(&layer, &queue));
    queue.lock().unwrap().reserve(EVENTS);
    let before = ALLOCATOR.current_usage();
    runtime.block_on(async {
        for _ in 0..EVENTS {
            one_event(&layer, &queue).await;
        }
    });
    let each = (ALLOCATOR.current_usage() - before) / EVENTS;
    println!("an event of 158 bytes in a queue: {each} bytes");
    // The event's own text is there besides.
    assert!(each < KIB, "{each}");
}

// ZEGOCLOUD.

const SECRET: &str = "zego-memory-secret";

fn now() -> SystemTime {
    support::at(1_763_680_000)
}

fn request(content_type: &str, body: impl Into<Bytes>) -> Request<Bytes> {
    Request::post("/").header(header::CONTENT_TYPE, content_type).body(body.into()).unwrap()
}

/// The provider alone: what the layer holds besides is not of the body's size. An unknown event's
/// JSON is asked for.
fn check(request: Request<Bytes>) -> (Result<(), RejectionKind>, usize) {
    let provider = Zegocloud::new(SECRET).unwrap();
    let (head, body) = request.into_parts();
    most_held(|| {
        let delivery =
            provider.check_body((), &head, &body, now()).map_err(|rejection| rejection.kind())?;
        if let Event::Unknown(unknown) = delivery.event() {
            assert!(unknown.raw().is_some());
        }
        Ok(())
    })
}

#[test]
fn attack_deep_nesting_holds_at_most_twice_the_body() {
    let _alone = alone();
    for (open, close) in [("[", "]"), (r#"{"a":"#, "}")] {
        let deep = format!("{}1{}", open.repeat(100_000), close.repeat(100_000));
        for (place, members) in [
            ("an untyped member", format!(r#""event":"room_close","later":{deep}"#)),
            ("an unknown event", format!(r#""event":"from_tomorrow","data":{deep}"#)),
            ("a typed member", format!(r#""event":"room_close","room_id":{deep}"#)),
        ] {
            let request = request("application/json", format!("{{{members}}}"));
            let request = Signer::new(SECRET).unwrap().sign(request, now());
            let length = request.body().len();
            let (result, held) = check(request);
            println!(
                "100,000 levels of {open} in {place}: {} KiB for a body of {} KiB",
                held / KIB,
                length / KIB
            );
            assert_eq!(result, Ok(()), "{place}");
            // And the index of the first members.
            assert!(held <= 2 * length + 32 * KIB, "{place}: {held} bytes for {length}");
        }
    }
}

#[test]
fn attack_hostile_bodies_are_not_amplified() {
    let _alone = alone();
    let no_text = Bytes::from([b"{\"a\":\"", &[0xff; MIB][..], b"\"}"].concat());
    let hostile = support::hostile::hostile_megabytes()
        .into_iter()
        .map(|(name, body)| (name, Bytes::from(body)));
    let elements = Bytes::from("a[]=&".repeat(16_384) + &"b=&".repeat(70_000));
    for (name, body) in
        hostile.chain([("JSON that is no UTF-8", no_text), ("form of list elements", elements)])
    {
        let (content_type, body, most) = match name.starts_with("form") {
            // A raw control character of a form takes six bytes of JSON, and a buffer may double.
            true => ("application/x-www-form-urlencoded", body.slice(..255 * KIB), 13 * 255 * KIB),
            // What is no UTF-8 takes three bytes, and a buffer may double.
            false => ("application/json", body, 7 * MIB),
        };
        let unsigned = request(content_type, body);
        let signed = Signer::new(SECRET).unwrap().sign(unsigned.clone(), now());
        for (name, request, most) in
            [(name.to_owned(), unsigned, most), (format!("{name}, signed"), signed, 2 * most)]
        {
            let length = request.body().len();
            let (result, held) = check(request);
            println!("{name}: {} KiB for a body of {} KiB, {result:?}", held / KIB, length / KIB);
            assert!(held <= most, "{name}: {held} bytes for {length}");
        }
    }
}

/// Whoever captured one signature can send these again and again: they are typed before the guard
/// sees them.
#[test]
fn attack_typed_lists_are_not_amplified() {
    let _alone = alone();
    for (event, element) in [
        (r#"{"event_type":1,"file_info":["#, "{}"),
        (r#"{"event_type":1,"detail":{"file_info":["#, r#"{"user_id":"u"}"#),
        (r#"{"event_type":1,"detail":{"file_info":["#, r#"{"x":0}"#),
        (r#"{"event":"send_msg","user_list":["#, "{}"),
        (r#"{"event":"group_destroy","user_ids":["#, r#""u""#),
        (r#"{"Event":"censor_audio_v2_result","Detail":{"RiskInfoList":["#, "{}"),
    ] {
        for elements in [4096, (MIB - KIB) / (element.len() + 1)] {
            let list = format!("{event}{element}{}]", format!(",{element}").repeat(elements - 1));
            let body = format!(
                "{list}{}",
                if event.contains("{\"file") || event.contains("Risk") { "}}" } else { "}" }
            );
            let request =
                Signer::new(SECRET).unwrap().sign(request("application/json", body), now());
            let length = request.body().len();
            let (result, held) = check(request);
            println!(
                "{elements} of {element} in {event}: {} KiB for a body of {} KiB",
                held / KIB,
                length / KIB
            );
            assert_eq!(result, Ok(()));
            assert!(held <= 4 * MIB, "{held} bytes for {length}");
        }
    }
}

#[cfg(all(feature = "geelark", feature = "vobiz"))]
#[test]
fn attack_deep_and_wide_bodies_of_the_others_hold_at_most_twice_themselves() {
    use tower_webhooks::{
        geelark::{GeeLarkToken, TokenSigner},
        vobiz::{
            kyc::{self, Kyc},
            voice::{self, Voice},
        },
    };

    /// What a body is to its provider, and the most bytes that were held besides it.
    type Verify = fn(String) -> (String, usize);

    fn verify<P: Provider>(
        provider: P,
        signer: impl tower_webhooks::Signer,
        body: String,
    ) -> (String, usize) {
        let request = signer.sign(Request::post("/").body(Bytes::from(body)).unwrap(), now());
        let (delivery, held) = most_held(|| provider.verify(&request, now()).unwrap());
        (delivery.kind().to_owned(), held)
    }

    fn geelark(body: String) -> (String, usize) {
        verify(GeeLarkToken::new(SECRET).unwrap(), TokenSigner::new(SECRET).unwrap(), body)
    }

    fn voice(body: String) -> (String, usize) {
        let origin = "https://hooks.example.com";
        let signer = voice::Signer::new(SECRET, origin).unwrap();
        verify(Voice::new(SECRET, origin).unwrap(), signer, body)
    }

    fn kyc(body: String) -> (String, usize) {
        verify(Kyc::new(SECRET).unwrap(), kyc::Signer::new(SECRET).unwrap(), body)
    }

    let _alone = alone();
    let lists = "[".repeat(100_000) + &"]".repeat(100_000);
    let objects = r#"{"a":"#.repeat(100_000) + "1" + &"}".repeat(100_000);
    let keys = (0..90_000).map(|number| format!(r#""{number}":0"#)).collect::<Vec<_>>().join(",");
    let families: [(&str, Verify, &str, &str, &str); 3] = [
        ("GeeLark", geelark, r#""type":6"#, r#""taskId""#, r#""type":77"#),
        ("voice", voice, r#""Event":"Ring""#, r#""From""#, r#""Event":"FromTomorrow""#),
        ("kyc", kyc, r#""event":"kyc.failed""#, r#""session_id""#, r#""event":"from.tomorrow""#),
    ];
    for (family, verify, known, typed, unknown) in families {
        for (place, members, is_known) in [
            ("lists in an untyped member", format!(r#"{known},"later":{lists}"#), true),
            ("lists in a typed member", format!("{known},{typed}:{lists}"), true),
            ("lists in an unknown event", format!(r#"{unknown},"data":{lists}"#), false),
            ("objects in an untyped member", format!(r#"{known},"later":{objects}"#), true),
            ("objects in a typed member", format!("{known},{typed}:{objects}"), true),
            ("objects in an unknown event", format!(r#"{unknown},"data":{objects}"#), false),
            ("distinct keys", format!("{known},{keys}"), false),
            ("distinct inner keys", format!(r#"{known},"later":{{{keys}}}"#), true),
        ] {
            let body = format!("{{{members}}}");
            let length = body.len();
            let (kind, held) = verify(body);
            println!("{family}, {place}: {} KiB for a body of {} KiB", held / KIB, length / KIB);
            assert_eq!(kind != "unknown", is_known, "{family}, {place}: {kind}");
            // And the index of the first members.
            assert!(held <= 2 * length + 64 * KIB, "{family}, {place}: {held} for {length}");
        }
    }
}

#[cfg(feature = "geelark")]
#[test]
fn attack_lists_of_geelark_are_not_amplified() {
    use tower_webhooks::geelark::GeeLarkToken;

    let _alone = alone();
    let provider = GeeLarkToken::new("token").unwrap();
    for (list, element, kind) in [
        (r#"{"type":12,"taskIds":["#, r#""1""#, "tasks_created"),
        (r#"{"type":12,"taskIds":["#, "[]", "tasks_created"),
        (r#"{"type":9,"items":["#, "{}", "phones_renamed"),
        (r#"{"type":9,"items":["#, r#"{"x":0}"#, "phones_renamed"),
    ] {
        for elements in [4096, (MIB - KIB) / (element.len() + 1)] {
            let body = format!("{list}{element}{}]}}", format!(",{element}").repeat(elements - 1));
            let length = body.len();
            let request = Request::post("/").header(header::AUTHORIZATION, "Bearer token");
            let request = request.body(Bytes::from(body)).unwrap();
            let (delivery, held) = most_held(|| provider.verify(&request, now()).unwrap());
            println!(
                "{elements} of {element} in {list}: {} KiB for a body of {} KiB",
                held / KIB,
                length / KIB
            );
            assert_eq!(delivery.kind(), kind);
            assert!(held <= 4 * MIB, "{held} bytes for {length}");
        }
    }
}
