//! The layer and its body reader, by bodies and inner services of their own: no provider, no
//! server.

use crate::support::{
    closed::Closed,
    letterbox::{
        ACCEPTED, Broken, COSIGN, Desk, Letterbox, PROOF, Probe, STAMP, Scripted, Step, data,
        outcome, paid, refused, run_without_runtime,
    },
};
use bytes::{Buf, Bytes};
use futures_util::{FutureExt, StreamExt, stream};
use http::{Request, Response, header};
use http_body::{Body, Frame};
use http_body_util::{BodyExt, Empty, Full, Limited, StreamBody};
use std::{
    collections::VecDeque,
    convert::Infallible,
    error::Error,
    fmt,
    future::{Future, pending, ready},
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
        mpsc,
    },
    task::{Context, Poll},
    thread,
    time::{Duration, SystemTime},
};
use tokio::time::Instant;
use tokio_test::{assert_pending, assert_ready, task};
use tower::{Layer, Service, ServiceBuilder, ServiceExt, limit::ConcurrencyLimit, service_fn};
use tower_http::limit::RequestBodyLimitLayer;
use tower_webhooks::{
    Covers, Delivery, Proof, Provider, ReadBudget, Rejection, RejectionKind, ResponseFuture,
    TestClock, Timestamp, Verified, Webhook, WebhookLayer, Window,
};

fn layer() -> WebhookLayer<Letterbox> {
    WebhookLayer::new(Letterbox)
}

fn full(text: impl Into<Bytes>) -> Full<Bytes> {
    Full::new(text.into())
}

fn letter(text: impl Into<Bytes>) -> Request<Full<Bytes>> {
    paid().body(full(text)).unwrap()
}

async fn send<B>(
    layer: &WebhookLayer<Letterbox>,
    desk: &Desk,
    request: Request<B>,
) -> Response<String>
where
    B: Body,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    layer.layer(desk.clone()).oneshot(request).await.unwrap()
}

// Order of the checks.

#[derive(Clone, Copy, Debug, PartialEq)]
enum Fault {
    Method,
    Head,
    Encoding,
    Declared,
    Stalled,
    Endless,
    Broken,
    Forged,
    NotUtf8,
}

fn faulty(faults: &[Fault]) -> (Request<Scripted>, Arc<Probe>) {
    let has = |fault| faults.contains(&fault);
    let mut request = Request::builder().method(if has(Fault::Method) { "GET" } else { "POST" });
    if !has(Fault::Head) {
        request = request.header(&STAMP, "paid");
    }
    if has(Fault::Encoding) {
        request = request.header(header::CONTENT_ENCODING, "gzip");
    }
    let mut steps = vec![data(if has(Fault::Forged) { "forged" } else { "honest" })];
    steps.extend(has(Fault::NotUtf8).then_some(Step::Data(Bytes::from_static(b"\xff"))));
    steps.extend(has(Fault::Stalled).then_some(Step::Stall));
    steps.extend(has(Fault::Endless).then_some(Step::Forever(Bytes::from_static(b"x"))));
    steps.extend(has(Fault::Broken).then_some(Step::Fail));
    let (mut body, probe) = Scripted::new(steps);
    if has(Fault::Declared) {
        body = body.declaring(LIMIT as u64 + 1);
    }
    (request.body(body).unwrap(), probe)
}

#[tokio::test(start_paused = true)]
async fn the_first_failing_check_answers() {
    for read in [
        (Fault::Stalled, RejectionKind::ReadTimeout),
        (Fault::Endless, RejectionKind::BodyTooLarge),
        (Fault::Broken, RejectionKind::BodyUnreadable),
    ] {
        let order = [
            (Fault::Method, RejectionKind::MethodNotAllowed),
            (Fault::Head, RejectionKind::CredentialMissing),
            (Fault::Encoding, RejectionKind::UnsupportedContentEncoding),
            (Fault::Declared, RejectionKind::BodyTooLarge),
            read,
            (Fault::Forged, RejectionKind::CredentialWrong),
            (Fault::NotUtf8, RejectionKind::Invalid),
        ];
        for (first, (fault, kind)) in order.iter().enumerate() {
            let faults: Vec<Fault> = order[first..].iter().map(|(fault, _)| *fault).collect();
            let (request, probe) = faulty(&faults);
            let desk = Desk::default();
            let response = send(&layer().body_limit(LIMIT), &desk, request).await;
            assert_eq!(outcome(&response), refused(*kind), "{faults:?}");
            assert_eq!(desk.calls(), 0, "{faults:?}");
            assert_eq!(
                probe.polls() == 0,
                first < 4,
                "{fault:?}: the body is touched by the read and not before"
            );
            assert_eq!(probe.drops(), 1);
        }
    }
    let (request, _) = faulty(&[]);
    assert_eq!(
        outcome(&send(&layer().body_limit(LIMIT), &Desk::default(), request).await),
        ACCEPTED
    );
}

const LIMIT: usize = 32;

#[test]
fn a_refusal_is_an_empty_response_with_the_rejection_in_it() {
    for (faults, kind) in [
        (Fault::Method, RejectionKind::MethodNotAllowed),
        (Fault::Head, RejectionKind::CredentialMissing),
        (Fault::Encoding, RejectionKind::UnsupportedContentEncoding),
        (Fault::Endless, RejectionKind::BodyTooLarge),
        (Fault::Broken, RejectionKind::BodyUnreadable),
        (Fault::Forged, RejectionKind::CredentialWrong),
        (Fault::NotUtf8, RejectionKind::Invalid),
    ] {
        let (request, _) = faulty(&[faults]);
        let response =
            run_without_runtime(send(&layer().body_limit(LIMIT), &Desk::default(), request));
        assert_eq!(response.status(), kind.status());
        assert_eq!(response.body(), "");
        let rejection = response.extensions().get::<Rejection>().unwrap();
        assert_eq!(rejection.kind(), kind);
        assert_eq!(response.headers().len(), usize::from(kind == RejectionKind::MethodNotAllowed));
    }
}

#[test]
fn the_error_behind_a_refusal_is_its_source() {
    let source = |fault| {
        let (request, _) = faulty(&[fault]);
        let response = run_without_runtime(send(&layer(), &Desk::default(), request));
        response.extensions().get::<Rejection>().unwrap().clone()
    };
    assert_eq!(source(Fault::Broken).source().unwrap().downcast_ref::<Broken>(), Some(&Broken));
    assert!(source(Fault::NotUtf8).source().unwrap().is::<std::str::Utf8Error>());
}

#[test]
fn other_methods_are_405_and_told_which_are_allowed() {
    for method in ["GET", "HEAD", "OPTIONS", "DELETE", "PATCH", "BREW"] {
        let request = Request::builder().method(method).body(Empty::<Bytes>::new()).unwrap();
        let response = run_without_runtime(send(&layer(), &Desk::default(), request));
        assert_eq!(outcome(&response), refused(RejectionKind::MethodNotAllowed), "{method}");
        assert_eq!(response.headers()[header::ALLOW], "PUT, POST");
    }
    for method in ["PUT", "POST"] {
        let request = Request::builder()
            .method(method)
            .header(&STAMP, "paid")
            .body(Empty::<Bytes>::new())
            .unwrap();
        assert_eq!(
            outcome(&run_without_runtime(send(&layer(), &Desk::default(), request))),
            ACCEPTED
        );
    }
}

#[test]
fn attack_compressed_bodies_are_415() {
    for (lines, accepted) in [
        (&["gzip"][..], false),
        (&["br"], false),
        (&["identity, gzip"], false),
        (&["identity", "deflate"], false),
        (&["X-GZIP"], false),
        (&["utf-8", "gzip"], false),
        (&["utf-8,br"], false),
        (&["identity"], true),
        (&["utf-8"], true),
        (&[""], true),
        (&["UTF-8, identity"], true),
        (&["\u{e9}"], true),
        (&[" Identity "], true),
        (&["identity", "IDENTITY"], true),
    ] {
        let mut request = letter("letter");
        for line in lines {
            let line = http::HeaderValue::from_bytes(line.as_bytes()).unwrap();
            request.headers_mut().append(header::CONTENT_ENCODING, line);
        }
        let response = run_without_runtime(send(&layer(), &Desk::default(), request));
        let expected =
            if accepted { ACCEPTED } else { refused(RejectionKind::UnsupportedContentEncoding) };
        assert_eq!(outcome(&response), expected, "{lines:?}");
    }
}

// One body, in one piece.

#[test]
fn a_single_frame_is_handed_on_without_a_copy() {
    // A smaller one may be copied out of its read buffer.
    let text = Bytes::from("one letter in one frame".repeat(200));
    let (unhurried, _) = Scripted::new([Step::Data(text.clone())]);
    let whole = Full::new(text.clone()).map_err(|never| match never {}).boxed();
    for body in [whole, unhurried.boxed()] {
        let desk = Desk::default();
        let response = run_without_runtime(send(&layer(), &desk, paid().body(body).unwrap()));
        assert_eq!(outcome(&response), ACCEPTED);
        let request = desk.only();
        let verified = request.extensions().get::<Verified<String>>().unwrap().clone();
        assert_eq!(verified.body().as_ptr(), text.as_ptr());
        let body = request
            .into_body()
            .frame()
            .now_or_never()
            .unwrap()
            .unwrap()
            .unwrap()
            .into_data()
            .unwrap();
        assert_eq!(body.as_ptr(), text.as_ptr());
        assert_eq!(body, text);
    }
}

/// A frame's bytes that tell how many frames are alive.
struct Pinned {
    bytes: Vec<u8>,
    _alive: Arc<()>,
}

impl AsRef<[u8]> for Pinned {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

fn pinned(alive: &Arc<()>, bytes: &[u8]) -> Bytes {
    Bytes::from_owner(Pinned { bytes: bytes.to_vec(), _alive: Arc::clone(alive) })
}

#[test]
fn attack_many_small_frames_end_in_one_buffer() {
    let alive = Arc::new(());
    let (sender, most) = (alive.clone(), Arc::new(AtomicUsize::new(0)));
    let seen = Arc::clone(&most);
    let frames = stream::iter(0..20_000_u32).map(move |n| {
        seen.fetch_max(Arc::strong_count(&sender), Ordering::SeqCst);
        Ok::<_, Infallible>(Frame::data(pinned(&sender, &[b'a' + (n % 26) as u8])))
    });
    let desk = Desk::default();
    let response =
        run_without_runtime(send(&layer(), &desk, paid().body(StreamBody::new(frames)).unwrap()));
    assert_eq!(outcome(&response), ACCEPTED);
    // This test's own two handles and the first frame, which waits for a second.
    assert!(most.load(Ordering::SeqCst) <= 3, "{most:?} frames were kept");
    let request = desk.only();
    let letter = request.extensions().get::<Verified<String>>().unwrap();
    assert_eq!(letter.len(), 20_000);
    assert!(letter.bytes().zip(0_u32..).all(|(byte, n)| byte == b'a' + (n % 26) as u8));
    assert_eq!(letter.body(), letter.as_bytes());
    assert_eq!(Arc::strong_count(&alive), 1, "the event's body keeps no frame");
}

#[test]
fn a_small_body_in_one_frame_does_not_keep_it() {
    // The test's own handle and, if it was not copied, the frame's.
    for (size, handles) in [(1, 1), (4096, 1), (4097, 2)] {
        let alive = Arc::new(());
        let (body, _) = Scripted::new([Step::Data(pinned(&alive, &vec![b'a'; size]))]);
        let desk = Desk::default();
        let response = run_without_runtime(send(&layer(), &desk, paid().body(body).unwrap()));
        assert_eq!(outcome(&response), ACCEPTED);
        assert_eq!(desk.only().extensions().get::<Verified<String>>().unwrap().len(), size);
        assert_eq!(Arc::strong_count(&alive), handles, "{size} bytes");
    }
}

#[test]
fn frames_of_any_size_keep_their_order() {
    for sizes in
        [&[1, 5000, 1][..], &[0, 3, 0, 4], &[1023, 1, 1], &[4096, 4096, 4096], &[0, 0], &[]]
    {
        let mut text = String::new();
        let mut steps = Vec::new();
        for (n, size) in sizes.iter().enumerate() {
            let part = char::from(b'a' + n as u8).to_string().repeat(*size);
            text.push_str(&part);
            steps.extend([Step::Data(part.into()), Step::Pending]);
        }
        let (body, _) = Scripted::new(steps);
        let desk = Desk::default();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let response = runtime.block_on(send(&layer(), &desk, paid().body(body).unwrap()));
        assert_eq!(outcome(&response), ACCEPTED);
        assert_eq!(
            **desk.only().extensions().get::<Verified<String>>().unwrap(),
            text,
            "{sizes:?}"
        );
    }
}

#[test]
fn data_need_not_be_bytes() {
    type Rope = bytes::buf::Chain<Bytes, VecDeque<u8>>;
    let rope = |a: &'static str, b: &str| {
        Bytes::from_static(a.as_bytes()).chain(VecDeque::from(b.as_bytes().to_vec()))
    };
    for (frames, text) in
        [(vec![rope("one ", "frame")], "one frame"), (vec![rope("a", "b"), rope("", "c")], "abc")]
    {
        let frames = stream::iter(
            frames.into_iter().map(|rope: Rope| Ok::<_, Infallible>(Frame::data(rope))),
        );
        let desk = Desk::default();
        let response = run_without_runtime(send(
            &layer(),
            &desk,
            paid().body(StreamBody::new(frames)).unwrap(),
        ));
        assert_eq!(outcome(&response), ACCEPTED);
        assert_eq!(**desk.only().extensions().get::<Verified<String>>().unwrap(), text);
    }
}

#[test]
fn trailers_are_dropped() {
    let (body, _) = Scripted::new([data("letter"), Step::Trailers]);
    let desk = Desk::default();
    run_without_runtime(send(&layer(), &desk, paid().body(body).unwrap()));
    let collected = desk.only().into_body().collect().now_or_never().unwrap().unwrap();
    assert_eq!(collected.trailers(), None);
    assert_eq!(collected.to_bytes(), "letter");
}

#[test]
fn a_body_that_says_it_has_ended_is_not_polled() {
    struct Ended;

    impl Body for Ended {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            panic!("polled after the end");
        }

        fn is_end_stream(&self) -> bool {
            true
        }
    }

    let response =
        run_without_runtime(send(&layer(), &Desk::default(), paid().body(Ended).unwrap()));
    assert_eq!(outcome(&response), ACCEPTED);
}

// The limit.

#[test]
fn attack_a_declared_length_above_the_limit_is_413_unread() {
    for (declared, kind) in [
        (LIMIT as u64 + 1, Some(RejectionKind::BodyTooLarge)),
        (6 << 40, Some(RejectionKind::BodyTooLarge)),
        (u64::MAX, Some(RejectionKind::BodyTooLarge)),
        (LIMIT as u64, None),
    ] {
        let (body, probe) = Scripted::new([data("letter")]);
        let request = paid().body(body.declaring(declared)).unwrap();
        let response =
            run_without_runtime(send(&layer().body_limit(LIMIT), &Desk::default(), request));
        assert_eq!(outcome(&response), kind.map_or(ACCEPTED, refused), "{declared}");
        assert_eq!(probe.polls() > 0, kind.is_none());
    }
}

#[test]
fn attack_a_body_beyond_its_declared_length_is_413_by_count() {
    let (body, probe) = Scripted::new(vec![data("0123456789"); 5]);
    let desk = Desk::default();
    let response = run_without_runtime(send(
        &layer().body_limit(LIMIT),
        &desk,
        paid().body(body.declaring(10)).unwrap(),
    ));
    assert_eq!(outcome(&response), refused(RejectionKind::BodyTooLarge));
    assert_eq!(
        (desk.calls(), probe.polls(), probe.drops()),
        (0, 4, 1),
        "the fourth frame is one too many"
    );

    let (body, _) = Scripted::new([Step::Data("a".repeat(LIMIT + 1).into())]);
    let response =
        run_without_runtime(send(&layer().body_limit(LIMIT), &desk, paid().body(body).unwrap()));
    assert_eq!(
        outcome(&response),
        refused(RejectionKind::BodyTooLarge),
        "a single frame is counted too"
    );

    let (body, _) = Scripted::new(vec![Step::Data("a".repeat(LIMIT / 2).into()); 2]);
    let response =
        run_without_runtime(send(&layer().body_limit(LIMIT), &desk, paid().body(body).unwrap()));
    assert_eq!(outcome(&response), ACCEPTED, "the limit itself passes");
}

#[test]
fn the_providers_limit_holds_unless_the_layer_sets_one() {
    let body = || letter("a".repeat((1 << 20) + 1));
    let response = run_without_runtime(send(&layer(), &Desk::default(), body()));
    assert_eq!(outcome(&response), refused(RejectionKind::BodyTooLarge));
    let response =
        run_without_runtime(send(&layer().body_limit((1 << 20) + 1), &Desk::default(), body()));
    assert_eq!(outcome(&response), ACCEPTED);
}

/// An error that hides another, as the bodies of frameworks do.
#[derive(Debug)]
struct Wrapped(Box<dyn Error + Send + Sync>);

impl fmt::Display for Wrapped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("something went wrong")
    }
}

impl Error for Wrapped {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&*self.0)
    }
}

#[test]
fn an_outer_length_limit_is_413_wherever_it_is_in_the_error() {
    type Wrap = fn(Box<dyn Error + Send + Sync>) -> Box<dyn Error + Send + Sync>;
    let own: Wrap = |error| Wrapped(error).into();
    let io: Wrap = |error| std::io::Error::other(error).into();
    for wraps in
        [&[][..], &[own], &[own; 3], &[io], &[io; 2], &[own, io], &[io, own], &[own, io, own, io]]
    {
        let (body, probe) = Scripted::new(vec![data("0123456789"); 3]);
        let mut body = Limited::new(body, 15).boxed();
        for wrap in wraps {
            body = body.map_err(*wrap).boxed();
        }
        let response =
            run_without_runtime(send(&layer(), &Desk::default(), paid().body(body).unwrap()));
        assert_eq!(
            outcome(&response),
            refused(RejectionKind::BodyTooLarge),
            "{} wraps",
            wraps.len()
        );
        assert_eq!(probe.polls(), 2);
    }
    let (body, _) = Scripted::new([data("0123456789"), Step::Fail]);
    let body = Limited::new(body, 15).map_err(Wrapped);
    let response =
        run_without_runtime(send(&layer(), &Desk::default(), paid().body(body).unwrap()));
    assert_eq!(
        outcome(&response),
        refused(RejectionKind::BodyUnreadable),
        "no other error is taken for it"
    );
}

#[test]
fn an_outer_request_body_limit_is_413() {
    let (body, _) = Scripted::new(vec![data("0123456789"); 3]);
    let mut service = ServiceBuilder::new()
        .layer(RequestBodyLimitLayer::new(15))
        .layer(layer())
        .service(Desk::default());
    let response = run_without_runtime(service.call(paid().body(body).unwrap())).unwrap();
    assert_eq!(outcome(&response), refused(RejectionKind::BodyTooLarge));
}

#[test]
fn attack_a_body_that_breaks_is_never_polled_again() {
    let (body, probe) = Scripted::new([data("letter"), Step::Fail, data("more")]);
    let desk = Desk::default();
    let mut task = task::spawn(layer().layer(desk.clone()).oneshot(paid().body(body).unwrap()));
    let response = assert_ready!(task.poll()).unwrap();
    assert_eq!(outcome(&response), refused(RejectionKind::BodyUnreadable));
    assert_eq!(
        (desk.calls(), probe.polls(), probe.polls_past_the_end(), probe.drops()),
        (0, 2, 0, 1)
    );
    assert!(!task.is_woken(), "nothing is left to do");
}

// The deadline.

#[test]
fn a_body_that_is_never_pending_needs_no_runtime() {
    let (body, _) = Scripted::new([data("let"), data("ter"), Step::Trailers]);
    let response =
        run_without_runtime(send(&layer(), &Desk::default(), paid().body(body).unwrap()));
    assert_eq!(outcome(&response), ACCEPTED);

    // More frames than one poll takes.
    let (body, _) = Scripted::new(vec![data("letter"); 5000]);
    let desk = Desk::default();
    let response = run_without_runtime(send(&layer(), &desk, paid().body(body).unwrap()));
    assert_eq!(outcome(&response), ACCEPTED);
    assert_eq!(desk.only().extensions().get::<Verified<String>>().unwrap().len(), 30_000);
}

#[tokio::test(start_paused = true)]
async fn attack_a_stalled_body_is_408_at_the_deadline() {
    for (steps, timeout) in [
        (vec![Step::Stall], 10),
        (vec![data("let"), Step::Stall], 10),
        (vec![data("let"), data("ter"), Step::Pending, Step::Stall], 3),
    ] {
        let (body, probe) = Scripted::new(steps);
        let layer = if timeout == 10 {
            layer()
        } else {
            layer().read_timeout(Duration::from_secs(timeout))
        };
        let (desk, start) = (Desk::default(), Instant::now());
        let response = send(&layer, &desk, paid().body(body).unwrap()).await;
        assert_eq!(outcome(&response), refused(RejectionKind::ReadTimeout));
        let waited = start.elapsed();
        assert!(
            waited >= Duration::from_secs(timeout)
                && waited < Duration::from_millis(timeout * 1000 + 10)
        );
        assert_eq!((desk.calls(), probe.drops()), (0, 1));
    }
}

#[tokio::test(start_paused = true)]
async fn attack_a_trickling_body_does_not_move_the_deadline() {
    let trickle = stream::unfold((), |()| async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        Some((Ok::<_, Infallible>(Frame::data(Bytes::from_static(b"x"))), ()))
    });
    let start = Instant::now();
    let response =
        send(&layer(), &Desk::default(), paid().body(StreamBody::new(trickle)).unwrap()).await;
    assert_eq!(outcome(&response), refused(RejectionKind::ReadTimeout));
    assert!(start.elapsed() < Duration::from_millis(10_010), "{:?}", start.elapsed());
}

#[tokio::test(start_paused = true)]
async fn the_deadline_begins_when_the_body_is_first_pending_and_ends_with_it() {
    let (body, _) = Scripted::new([data("let"), Step::Pending, data("ter")]);
    let slow = service_fn(|_: Request<Full<Bytes>>| async {
        tokio::time::sleep(Duration::from_secs(60)).await;
        Ok::<_, Infallible>(Response::new("filed".to_owned()))
    });
    let future = layer().layer(slow).oneshot(paid().body(body).unwrap());
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(outcome(&future.await.unwrap()), ACCEPTED);
}

#[test]
fn attack_an_always_ready_body_of_nothing_neither_hangs_nor_starves() {
    for (endless, kind) in [
        (Step::Forever(Bytes::new()), RejectionKind::ReadTimeout),
        (Step::Forever(Bytes::from_static(b"x")), RejectionKind::ReadBudget),
    ] {
        let (verdict, watchdog) = mpsc::channel();
        thread::spawn(move || {
            // Only the neighbour moves the clock: a busy machine takes nobody's turns.
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_time()
                .start_paused(true)
                .build()
                .unwrap();
            runtime.block_on(async {
                let turns = Arc::new(AtomicUsize::new(0));
                let count = Arc::clone(&turns);
                tokio::spawn(async move {
                    std::future::poll_fn::<(), _>(|cx| {
                        count.fetch_add(1, Ordering::SeqCst);
                        tokio::time::advance(Duration::from_millis(1)).now_or_never();
                        cx.waker().wake_by_ref();
                        Poll::Pending
                    })
                    .await
                });
                let layer = layer()
                    .read_timeout(Duration::from_millis(100))
                    .body_limit(usize::MAX)
                    .read_budget(ReadBudget::new(1 << 14));
                let (body, _) = Scripted::new([endless]);
                let request = tokio::spawn(async move {
                    send(&layer, &Desk::default(), paid().body(body).unwrap()).await
                });
                let response = request.await.unwrap();
                verdict.send((outcome(&response), turns.load(Ordering::SeqCst))).ok();
            });
        });
        let (outcome, turns) =
            watchdog.recv_timeout(Duration::from_secs(60)).expect("the layer hangs");
        assert_eq!(outcome, refused(kind));
        assert!(turns >= 10, "the neighbour had {turns} turns");
    }
}

// The budget.

#[test]
fn attack_bytes_beyond_the_budget_are_503() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let _inside = runtime.enter();
    let layer = layer().read_budget(ReadBudget::new(10));
    let stalled = |layer: &WebhookLayer<Letterbox>| {
        let (body, _) = Scripted::new([data("0123456"), Step::Stall]);
        let mut reading =
            task::spawn(layer.layer(Desk::default()).oneshot(paid().body(body).unwrap()));
        assert_pending!(reading.poll());
        reading
    };
    let send = |layer: &WebhookLayer<Letterbox>, text: &'static str| {
        run_without_runtime(send(layer, &Desk::default(), letter(text)))
    };

    let reading = stalled(&layer);
    // A clone and another service share it.
    let response = send(&layer.clone(), "four");
    assert_eq!(outcome(&response), refused(RejectionKind::ReadBudget));
    assert!(response.headers()[header::RETRY_AFTER].to_str().unwrap().parse::<u32>().unwrap() >= 1);
    assert_eq!(outcome(&send(&layer, "two")), ACCEPTED, "the rest of it is left");

    drop(reading);
    assert_eq!(
        outcome(&send(&layer, "0123456789")),
        ACCEPTED,
        "dropped in the middle, it is given back"
    );
    assert_eq!(outcome(&send(&layer, "0123456789")), ACCEPTED, "accepted, it is given back");
    assert_eq!(outcome(&send(&layer, "forged 789")), refused(RejectionKind::CredentialWrong));
    assert_eq!(outcome(&send(&layer, "0123456789")), ACCEPTED, "refused, it is given back");
    let (body, _) = Scripted::new([data("01234"), data("56789"), data("x"), data("y"), Step::Fail]);
    let response =
        run_without_runtime(layer.layer(Desk::default()).oneshot(paid().body(body).unwrap()))
            .unwrap();
    assert_eq!(outcome(&response), refused(RejectionKind::ReadBudget));
    assert_eq!(
        outcome(&send(&layer, "0123456789")),
        ACCEPTED,
        "refused in the middle, it is given back"
    );

    let _first = stalled(&layer);
    let other = WebhookLayer::new(Letterbox).read_budget(ReadBudget::new(10));
    assert_eq!(outcome(&send(&other, "0123456789")), ACCEPTED, "another layer has its own");

    let budget = ReadBudget::new(10);
    let [here, there] = [(); 2].map(|()| WebhookLayer::new(Letterbox).read_budget(budget.clone()));
    let reading = stalled(&here);
    assert_eq!(budget.held(), 7);
    assert_eq!(
        outcome(&send(&there, "four")),
        refused(RejectionKind::ReadBudget),
        "unless it was given the same"
    );
    drop(reading);
    assert_eq!(outcome(&send(&there, "four")), ACCEPTED);
}

#[test]
fn the_budget_is_for_bodies_that_are_read_not_for_handlers_that_work() {
    let layer = layer().read_budget(ReadBudget::new(10));
    let busy =
        service_fn(|_: Request<Full<Bytes>>| pending::<Result<Response<String>, Infallible>>());
    let mut working = task::spawn(layer.layer(busy).oneshot(letter("0123456789")));
    assert_pending!(working.poll());
    let response = run_without_runtime(send(&layer, &Desk::default(), letter("0123456789")));
    assert_eq!(outcome(&response), ACCEPTED);
}

// The inner service.

/// Panics when it is called unready. A clone is unready, as permits are not cloned.
struct Strict {
    polls_until_ready: usize,
    ready: bool,
}

impl Clone for Strict {
    fn clone(&self) -> Self {
        Self { polls_until_ready: self.polls_until_ready, ready: false }
    }
}

impl Service<Request<Full<Bytes>>> for Strict {
    type Response = Response<String>;
    type Error = Infallible;
    type Future = std::future::Ready<Result<Response<String>, Infallible>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        if let Some(left) = self.polls_until_ready.checked_sub(1) {
            self.polls_until_ready = left;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        self.ready = true;
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<Full<Bytes>>) -> Self::Future {
        assert!(std::mem::take(&mut self.ready), "called unready");
        ready(Ok(Response::new("filed".to_owned())))
    }
}

#[test]
fn the_clone_that_is_called_was_made_ready() {
    for polls_until_ready in [0, 1, 3] {
        // The one that is cloned is ready: that must not count.
        let mut service = layer().layer(Strict { polls_until_ready, ready: true });
        for _ in 0..2 {
            let response = run_without_runtime(service.call(letter("letter"))).unwrap();
            assert_eq!(outcome(&response), ACCEPTED);
        }
    }
}

#[tokio::test]
async fn readiness_is_asked_for_after_verification() {
    let (mock, mut handle) = tower_test::mock::pair::<Request<Full<Bytes>>, Response<String>>();
    handle.allow(0);
    let mut service = layer().layer(mock);
    let always = ServiceExt::<Request<Full<Bytes>>>::ready(&mut service).now_or_never();
    assert!(always.unwrap().is_ok(), "the layer itself is always ready");

    let forged = service.call(letter("forged"));
    assert_eq!(
        outcome(&forged.await.unwrap()),
        refused(RejectionKind::CredentialWrong),
        "refused without capacity"
    );

    let mut honest = task::spawn(service.call(letter("letter")));
    assert_pending!(honest.poll());
    handle.allow(1);
    assert!(honest.is_woken());
    assert_pending!(honest.poll());
    let (request, answer) = handle.next_request().await.unwrap();
    assert_eq!(**request.extensions().get::<Verified<String>>().unwrap(), "letter");
    answer.send_response(Response::new("filed".to_owned()));
    assert!(honest.is_woken());
    assert_eq!(assert_ready!(honest.poll()).unwrap().body(), "filed");
}

#[tokio::test]
async fn attack_a_slow_body_holds_no_inner_capacity() {
    let desk = Desk::default();
    let mut service = layer().layer(ConcurrencyLimit::new(desk.clone(), 1));
    let mut slow = Vec::new();
    for _ in 0..10 {
        let (body, _) = Scripted::new([data("let"), Step::Stall]);
        let mut request = task::spawn(service.call(paid().body(body).unwrap()));
        assert_pending!(request.poll());
        slow.push(request);
    }
    let honest = service.call(letter("letter"));
    let response = tokio::time::timeout(Duration::from_secs(5), honest)
        .await
        .expect("the capacity is held")
        .unwrap();
    assert_eq!(outcome(&response), ACCEPTED);
    assert_eq!(desk.calls(), 1);
}

#[test]
fn errors_of_the_inner_service_pass_through() {
    let request = || letter("letter");
    assert_eq!(run_without_runtime(layer().layer(Closed).call(request())).unwrap_err(), "closed");
    let failing = service_fn(|_: Request<Full<Bytes>>| ready(Err::<Response<String>, _>(Broken)));
    assert_eq!(run_without_runtime(layer().layer(failing).call(request())).unwrap_err(), Broken);
}

#[test]
fn the_inner_services_response_is_left_alone() {
    let teapot = service_fn(|_: Request<Full<Bytes>>| {
        ready(Ok::<_, Infallible>(
            Response::builder()
                .status(418)
                .header("x-kettle", "on")
                .body("short and stout".to_owned())
                .unwrap(),
        ))
    });
    let response = run_without_runtime(layer().layer(teapot).call(letter("tea"))).unwrap();
    assert_eq!((response.status().as_u16(), &**response.body()), (418, "short and stout"));
    assert_eq!(response.headers()["x-kettle"], "on");
    assert!(response.extensions().get::<Rejection>().is_none());
}

#[test]
fn the_request_keeps_its_head() {
    #[derive(Clone, Debug, PartialEq)]
    struct FromOutside(u8);

    let request = Request::put("/letters?lang=en")
        .version(http::Version::HTTP_2)
        .header(&STAMP, "paid")
        .header("x-other", "kept")
        .extension(FromOutside(7))
        .body(full("letter"))
        .unwrap();
    let desk = Desk::default();
    run_without_runtime(send(&layer(), &desk, request));
    let request = desk.only();
    assert_eq!(request.method(), "PUT");
    assert_eq!(request.uri(), "/letters?lang=en");
    assert_eq!(request.version(), http::Version::HTTP_2);
    assert_eq!(request.headers()["x-other"], "kept");
    assert_eq!(request.extensions().get(), Some(&FromOutside(7)));
    let verified = request.extensions().get::<Verified<String>>().unwrap();
    assert_eq!(&***verified, "letter");
    assert_eq!((verified.metadata().provider, &*verified.metadata().kind), ("letterbox", "letter"));
    assert_eq!(verified.covers(), Covers::Nothing);
}

#[test]
fn attack_every_line_of_every_credential_is_marked_sensitive() {
    let mut request = paid().header("x-other", "open").body(full("letter")).unwrap();
    for line in ["first", "second", "third"] {
        request.headers_mut().append(&COSIGN, line.parse().unwrap());
    }
    let desk = Desk::default();
    assert_eq!(outcome(&run_without_runtime(send(&layer(), &desk, request))), ACCEPTED);
    let request = desk.only();
    let sensitive = |name: &str| {
        request.headers().get_all(name).iter().map(|line| line.is_sensitive()).collect()
    };
    let expected: [(&str, Vec<bool>); 3] =
        [("x-stamp", vec![true]), ("x-cosign", vec![true; 3]), ("x-other", vec![false])];
    for (name, expected) in expected {
        let found: Vec<bool> = sensitive(name);
        assert_eq!(found, expected, "{name}");
    }
    assert!(!format!("{:?}", request.headers()).contains("paid"));
}

// Applied twice, dropped early.

#[test]
fn the_layer_applied_twice_is_500() {
    let desk = Desk::default();
    let mut service = ServiceBuilder::new().layer(layer()).layer(layer()).service(desk.clone());
    let response = run_without_runtime(service.call(letter("letter"))).unwrap();
    assert_eq!(outcome(&response), refused(RejectionKind::AppliedTwice));
    assert_eq!((response.status().as_u16(), &**response.body(), desk.calls()), (500, "", 0));

    let response = run_without_runtime(service.call(letter("forged"))).unwrap();
    assert_eq!(
        outcome(&response),
        refused(RejectionKind::CredentialWrong),
        "a stranger learns nothing of it"
    );
}

/// Counts itself, is pending once before it is ready and once before it answers, and notes how far
/// it came.
#[derive(Clone)]
struct Staged {
    alive: Arc<()>,
    readied: bool,
    reached: Arc<Mutex<Stage>>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Stage {
    Reading,
    Readying,
    Calling,
}

impl Service<Request<Full<Bytes>>> for Staged {
    type Response = Response<String>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<String>, Infallible>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        *self.reached.lock().unwrap() = Stage::Readying;
        if !std::mem::replace(&mut self.readied, true) {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Full<Bytes>>) -> Self::Future {
        *self.reached.lock().unwrap() = Stage::Calling;
        let alive = Arc::clone(&self.alive);
        Box::pin(async move {
            tokio::task::yield_now().await;
            drop((request, alive));
            Ok(Response::new("filed".to_owned()))
        })
    }
}

#[tokio::test]
async fn attack_dropping_the_future_at_any_await_leaves_nothing_behind() {
    let layer = layer().read_budget(ReadBudget::new(1024));
    let mut stages = Vec::new();
    for polls in 0.. {
        let alive = Arc::new(());
        let reached = Arc::new(Mutex::new(Stage::Reading));
        let frame = |text: &[u8]| Step::Data(pinned(&alive, text));
        let (body, probe) = Scripted::new([
            Step::Pending,
            frame(&[b'a'; 600]),
            Step::Pending,
            frame(&[b'b'; 300]),
            Step::Pending,
            frame(b"c"),
        ]);
        let mut service = layer.layer(Staged {
            alive: Arc::clone(&alive),
            readied: false,
            reached: reached.clone(),
        });
        let mut task = task::spawn(service.call(paid().body(body).unwrap()));
        let done = (0..polls).any(|_| task.poll().is_ready());
        drop((task, service));
        assert_eq!(Arc::strong_count(&alive), 1, "dropped after {polls} polls");
        assert_eq!(probe.drops(), 1);
        let whole = send(&layer, &Desk::default(), letter("a".repeat(1024))).await;
        assert_eq!(outcome(&whole), ACCEPTED, "the budget is whole again after {polls} polls");
        if done {
            break;
        }
        stages.push(*reached.lock().unwrap());
    }
    assert_eq!(
        stages,
        [
            Stage::Reading,
            Stage::Reading,
            Stage::Reading,
            Stage::Reading,
            Stage::Readying,
            Stage::Calling
        ]
    );
}

// The clock.

/// Accepts the Unix seconds in `x-stamp`, and looks at them in both steps.
struct Dated;

impl Provider for Dated {
    const NAME: &'static str = "dated";
    const CREDENTIALS: &'static [&'static str] = &["x-stamp"];
    type FromHead = Timestamp;
    type Event = ();

    fn check_head(
        &self,
        head: &http::request::Parts,
        now: SystemTime,
    ) -> Result<Timestamp, Rejection> {
        let stamp =
            Timestamp::from_digits(tower_webhooks::exactly_one(&head.headers, &STAMP)?).unwrap();
        Window::default().check(stamp, now)?;
        Ok(stamp)
    }

    fn check_body(
        &self,
        stamp: Timestamp,
        _: &http::request::Parts,
        _: &Bytes,
        now: SystemTime,
    ) -> Result<Delivery<()>, Rejection> {
        let at = Window::default().check(stamp, now)?;
        Ok(Delivery::new((), "dated", Proof { signed_at: Some(at), ..PROOF }))
    }
}

#[tokio::test]
async fn each_step_is_told_the_time_at_which_it_is_taken() {
    let signed_at = crate::support::at(1_763_680_000);
    let clock = TestClock::at(signed_at);
    let layer = WebhookLayer::new(Dated).clock(clock.clone());
    let request = |body| Request::post("/").header(&STAMP, "1763680000").body(body).unwrap();

    let desk = Desk::default();
    let (body, _) = Scripted::new([]);
    let response = layer.layer(desk.clone()).oneshot(request(body)).await.unwrap();
    assert_eq!(outcome(&response), ACCEPTED);
    let request_seen = desk.only();
    assert_eq!(
        request_seen.extensions().get::<Verified<()>>().unwrap().metadata().signed_at,
        Some(signed_at)
    );

    let (body, _) = Scripted::new([Step::Pending]);
    let mut slow = task::spawn(layer.layer(desk.clone()).oneshot(request(body)));
    assert_pending!(slow.poll());
    clock.advance(Duration::from_secs(301));
    assert_eq!(
        outcome(&assert_ready!(slow.poll()).unwrap()),
        refused(RejectionKind::Stale),
        "it aged while it arrived"
    );

    let (body, probe) = Scripted::new([data("letter")]);
    let response = layer.layer(desk).oneshot(request(body)).await.unwrap();
    assert_eq!(outcome(&response), refused(RejectionKind::Stale));
    assert_eq!(probe.polls(), 0);
}

// What the types promise.

#[test]
fn auto_traits() {
    fn clone<T: Clone>() {}
    fn send<T: Send>() {}
    fn sync<T: Sync>() {}
    fn debug<T: fmt::Debug>() {}

    // Neither the provider nor the request's body has to be.
    type Shy = std::cell::Cell<u8>;
    struct Rules(#[expect(dead_code)] Mutex<u8>);
    impl Provider for Rules {
        const NAME: &'static str = "rules";
        const CREDENTIALS: &'static [&'static str] = &[];
        type FromHead = Shy;
        type Event = ();
        fn check_head(&self, _: &http::request::Parts, _: SystemTime) -> Result<Shy, Rejection> {
            Ok(Shy::default())
        }
        fn check_body(
            &self,
            _: Shy,
            _: &http::request::Parts,
            _: &Bytes,
            _: SystemTime,
        ) -> Result<Delivery<()>, Rejection> {
            Ok(Delivery::new((), "rule", PROOF))
        }
    }

    clone::<WebhookLayer<Rules>>();
    send::<WebhookLayer<Rules>>();
    sync::<WebhookLayer<Rules>>();
    debug::<WebhookLayer<Rules>>();
    clone::<Webhook<Desk, Rules>>();
    send::<Webhook<Desk, Rules>>();
    sync::<Webhook<Desk, Rules>>();
    debug::<Webhook<(), Rules>>();
    send::<Webhook<Shy, Letterbox>>();
    send::<ResponseFuture<Desk, Rules, http_body_util::combinators::UnsyncBoxBody<Bytes, Broken>>>(
    );
    debug::<ResponseFuture<Desk, Rules, Full<Bytes>>>();
    sync::<Rejection>();
    clone::<Verified<Box<dyn Fn() + Send + Sync>>>();
    send::<Verified<()>>();
    sync::<Verified<()>>();
}

#[test]
fn debug_names_the_provider_and_shows_nothing_of_it() {
    // `Letterbox` has `Debug`; a provider with secrets in it must not be asked for it.
    let text = format!("{:?} {:?}", layer(), layer().layer("inner"));
    assert!(
        text.contains("letterbox") && text.contains("inner") && !text.contains("Letterbox"),
        "{text}"
    );
}

#[test]
fn a_future_that_is_polled_after_its_end_panics_and_calls_nobody() {
    let called = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&called);
    let inner = service_fn(move |_: Request<Full<Bytes>>| {
        flag.store(true, Ordering::SeqCst);
        ready(Ok::<_, Infallible>(Response::new(String::new())))
    });
    let mut refused =
        task::spawn(layer().layer(inner).call(Request::post("/").body(full("letter")).unwrap()));
    assert!(refused.poll().is_ready());
    let again = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| refused.poll()));
    assert_eq!(
        again.unwrap_err().downcast_ref(),
        Some(&"`ResponseFuture` polled after completion")
    );
    assert!(!called.load(Ordering::SeqCst));
}
