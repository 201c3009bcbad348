//! Acknowledging fast: what was answered with 200 is in the queue, and what found no room is sent
//! again.
#![cfg(feature = "zegocloud")]

use crate::support::{
    call,
    processes::{example as executable, listening, signal},
    zegocloud::{SECRET, signed},
};
use bytes::Bytes;
use http::{Request, StatusCode};
use std::{ffi::OsStr, os::unix::ffi::OsStrExt, time::SystemTime};
use tower_webhooks::{
    Provider as _, WebhookEvent as _,
    zegocloud::{Event, Zegocloud, room::RoomEvent},
};

#[allow(dead_code, reason = "its `main`")]
#[path = "../../examples/queue/main.rs"]
mod example;

use example::{MemoryQueue, app};

fn room_create(id: &str) -> Request<Bytes> {
    let body = format!(r#"{{"event":"room_create","room_id":"{id}"}}"#);
    signed("/zegocloud", body)
}

fn room_id(event: &Event) -> &str {
    let Event::Room(RoomEvent::Create(room)) = event else { panic!("{event:?}") };
    room.room_id.as_deref().unwrap()
}

#[test]
fn what_cannot_be_meant_is_an_error_that_names_the_variable() {
    for (name, value) in [
        ("QUEUE_CAPACITY", &b"0"[..]),
        ("QUEUE_CAPACITY", b"\xff"),
        ("REDIS_URL", b"\xff"),
        ("ZEGOCLOUD_CALLBACK_SECRET", b"\xff"),
    ] {
        let mut queue = executable("queue");
        queue.env("ADDR", "127.0.0.1:0").env(name, OsStr::from_bytes(value));
        let output = queue.output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{stderr}");
        assert!(stderr.contains(&format!("{name}: ")) && !stderr.contains("listening"), "{stderr}");
    }
}

#[test]
fn sigterm_ends_it_without_an_error() {
    let (mut queue, _) = listening(executable("queue").env("ADDR", "127.0.0.1:0"));
    signal(&queue, "TERM");
    assert_eq!(queue.wait().unwrap().code(), Some(0));
}

#[tokio::test]
async fn full_is_503_and_the_same_signature_gets_in_later() {
    let (queue, mut waiting) = MemoryQueue::new(1);
    let app = app(queue, SECRET).unwrap();
    let (first, second) = (room_create("first"), room_create("second"));
    assert_eq!(call(&app, &first).await.status(), 200);
    for _ in 0..3 {
        assert_eq!(call(&app, &second).await.status(), 503);
    }
    assert_eq!(room_id(&waiting.recv().await.unwrap()), "first");

    assert_eq!(call(&app, &second).await.status(), 200);
    let event = waiting.recv().await.unwrap();
    assert_eq!((room_id(&event), event.metadata().attempt), ("second", 4));

    // Repeats of what was acknowledged are not queued again.
    assert_eq!(
        (call(&app, &first).await.status(), call(&app, &second).await.status()),
        (StatusCode::OK, StatusCode::OK)
    );
    assert!(waiting.try_recv().is_err());
}

#[tokio::test]
async fn attack_another_body_in_the_place_of_what_found_no_room() {
    let (queue, mut waiting) = MemoryQueue::new(1);
    let app = app(queue, SECRET).unwrap();
    assert_eq!(call(&app, &room_create("first")).await.status(), 200);
    let second = room_create("second");
    assert_eq!(call(&app, &second).await.status(), 503);
    waiting.recv().await.unwrap();

    let forged = second
        .clone()
        .map(|body| String::from_utf8(body.to_vec()).unwrap().replace("second", "forged").into());
    assert_eq!(call(&app, &forged).await.status(), 409);
    assert_eq!(call(&app, &second).await.status(), 200);
    assert_eq!(room_id(&waiting.recv().await.unwrap()), "second");
}

#[tokio::test]
async fn a_worker_that_is_gone_is_503() {
    let (queue, waiting) = MemoryQueue::new(1);
    let app = app(queue, SECRET).unwrap();
    drop(waiting);
    assert_eq!(call(&app, &room_create("lobby")).await.status(), 503);
}

#[cfg(feature = "redis")]
mod durable {
    use super::{example::RedisQueue, *};
    use crate::support::{events::misfits, redis::Redis};
    use axum::Router;
    use std::{
        future::pending,
        sync::mpsc::{Sender, channel},
        time::Duration,
    };
    use tokio::{sync::mpsc, task::JoinHandle, time::timeout};

    /// The queue waits for Redis for a second, and a busy machine takes longer at times. A test's
    /// paused clock stands still while the sender lives, but for no more than a minute.
    fn serve(redis: &Redis, capacity: usize) -> (Router, RedisQueue, Sender<()>) {
        let (still, over) = channel();
        // Tokio does not move a paused clock while a blocking task runs.
        tokio::task::spawn_blocking(move || over.recv_timeout(Duration::from_secs(60)));
        let queue = RedisQueue::new(&redis.url(), capacity).unwrap();
        (app(queue.clone(), SECRET).unwrap(), queue, still)
    }

    /// A worker that says what it does and, unless it is told to hang, finishes it.
    fn worker(queue: &RedisQueue, hangs: bool) -> (JoinHandle<()>, mpsc::UnboundedReceiver<Event>) {
        let (done, worked) = mpsc::unbounded_channel();
        let work = move |event| {
            let done = done.clone();
            async move {
                done.send(event).unwrap();
                if hangs {
                    pending::<()>().await;
                }
            }
        };
        (tokio::spawn(queue.clone().work_off(work)), worked)
    }

    async fn next(worked: &mut mpsc::UnboundedReceiver<Event>) -> String {
        let event = timeout(Duration::from_secs(10), worked.recv()).await.unwrap().unwrap();
        room_id(&event).to_owned()
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_queued_comes_back_as_it_was() {
        let redis = Redis::start();
        let (app, queue, _still) = serve(&redis, 10);
        let bodies = [
            (
                r#"{"event":"room_create","room_id":"lobby","room_session_id":[1],"added":{"price":0.30000000000000000004}}"#,
                &["room_session_id"][..],
            ),
            (r#"{"event":"new","room_id":"lobby"}"#, &[]),
        ];
        let (_worker, mut worked) = worker(&queue, false);
        for (body, paths) in bodies {
            let request = signed("/zegocloud", body);
            let delivery =
                Zegocloud::new(SECRET).unwrap().verify(&request, SystemTime::now()).unwrap();
            assert_eq!(call(&app, &request).await.status(), 200);
            let event = timeout(Duration::from_secs(10), worked.recv()).await.unwrap().unwrap();
            assert_eq!((event.kind(), &event), (delivery.kind(), delivery.event()));
            assert_eq!(misfits(&event), paths);
            assert_eq!(event.misfits()[..], delivery.misfits()[..]);
            let stored = serde_json::to_string(&event).unwrap();
            assert!(!stored.contains("signature") && !stored.contains("nonce"), "{stored}");
            // Digits and all.
            assert!(
                !body.contains("price")
                    || stored.contains(r#""added":{"price":0.30000000000000000004}"#),
                "{stored}"
            );
        }
    }

    #[tokio::test(start_paused = true)]
    async fn full_is_503_and_the_same_signature_gets_in_later() {
        let redis = Redis::start();
        let (app, queue, _still) = serve(&redis, 1);
        let (first, second) = (room_create("first"), room_create("second"));
        assert_eq!(call(&app, &first).await.status(), 200);
        assert_eq!(call(&app, &second).await.status(), 503);

        let (_worker, mut worked) = worker(&queue, false);
        assert_eq!(next(&mut worked).await, "first");
        let start = SystemTime::now();
        // The worker says that it works before it makes room.
        while call(&app, &second).await.status() != 200 {
            assert!(start.elapsed().unwrap() < Duration::from_secs(60), "no room");
            tokio::task::yield_now().await;
        }
        assert_eq!(next(&mut worked).await, "second");
    }

    #[tokio::test(start_paused = true)]
    async fn a_dead_redis_is_503_and_forgets_nothing_that_it_has_accepted() {
        let mut redis = Redis::start();
        let (app, queue, _still) = serve(&redis, 10);
        let (first, second) = (room_create("first"), room_create("second"));
        assert_eq!(call(&app, &first).await.status(), 200);
        redis.kill();
        assert_eq!(call(&app, &second).await.status(), 503);
        redis.restart();
        let start = SystemTime::now();
        while call(&app, &second).await.status() != 200 {
            assert!(start.elapsed().unwrap() < Duration::from_secs(60), "Redis is not found again");
            tokio::task::yield_now().await;
        }

        let (_worker, mut worked) = worker(&queue, false);
        assert_eq!(next(&mut worked).await, "first");
        assert_eq!(next(&mut worked).await, "second");
        // What is still in the queue would come.
        while redis.command::<usize>(&["XLEN", "webhooks"]) > 0 {
            assert!(start.elapsed().unwrap() < Duration::from_secs(60), "the queue is not emptied");
            tokio::task::yield_now().await;
        }
        assert!(worked.try_recv().is_err(), "nothing came twice");
    }

    #[tokio::test(start_paused = true)]
    async fn what_a_dead_worker_did_not_finish_is_done_by_the_next() {
        let redis = Redis::start();
        let (app, queue, _still) = serve(&redis, 10);
        assert_eq!(call(&app, &room_create("first")).await.status(), 200);
        let (dies, mut worked) = worker(&queue, true);
        assert_eq!(next(&mut worked).await, "first");
        dies.abort();

        let (_worker, mut worked) = worker(&queue, false);
        assert_eq!(next(&mut worked).await, "first");
        assert_eq!(call(&app, &room_create("second")).await.status(), 200);
        assert_eq!(next(&mut worked).await, "second");
    }
}
