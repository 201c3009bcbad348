//! What the largest bodies of Vobiz cost in memory: a binary of its own, as it counts every
//! allocation.
#![cfg(feature = "vobiz")]

use bytes::Bytes;
use http::Request;
use peak_alloc::PeakAlloc;
use std::time::SystemTime;
use tower_webhooks::{
    Delivery, Provider, Signer, WebhookEvent,
    vobiz::{
        ndnc::{self, Ndnc},
        voice::{self, Voice},
        whatsapp::{self, Whatsapp},
    },
};

#[global_allocator]
static ALLOCATOR: PeakAlloc = PeakAlloc;

/// The delivery, and the most bytes that were held at once beyond the body.
fn verify<P: Provider>(
    provider: P,
    signer: impl Signer,
    body: impl Into<Bytes>,
) -> (Delivery<P::Event>, usize) {
    let request = signer.sign(Request::post("/cb").body(body.into()).unwrap(), SystemTime::now());
    let before = ALLOCATOR.current_usage();
    ALLOCATOR.reset_peak_usage();
    let delivery = provider.verify(&request, SystemTime::now()).unwrap();
    (delivery, ALLOCATOR.peak_usage().saturating_sub(before))
}

/// As many units as fit into the largest body.
fn full(head: &str, unit: &str, tail: &str) -> String {
    let count = (Ndnc::BODY_LIMIT - head.len() - tail.len()) / unit.len();
    [head, unit.repeat(count).strip_suffix(',').unwrap_or(&unit.repeat(count)), tail].concat()
}

// Rows 21 and 30, after authentication. One test: what another one allocates would be counted.
#[test]
fn attack_the_largest_body_costs_a_few_times_itself() {
    const KEY: &str = "0123456789abcdef0123456789abcdef";
    let ndnc = |body| {
        let (delivery, held) =
            verify(Ndnc::new(KEY).unwrap(), ndnc::Signer::new(KEY).unwrap(), body);
        (delivery.event().misfits().len(), held)
    };
    let whatsapp = |members: &str, unit: &str| {
        let head = r#"{"event_type":"message.inbound","payload":{"entry":[{"changes":[{"value":{"#;
        let (head, tail) = (format!(r#"{head}"{members}":["#), "]}}]}]}}");
        let body = full(&head, unit, tail);
        let (delivery, held) =
            verify(Whatsapp::new(KEY).unwrap(), whatsapp::Signer::new(KEY).unwrap(), body);
        (delivery.event().misfits().len(), held)
    };
    let voice = |body: Vec<u8>| {
        let (provider, signer) =
            (Voice::new(KEY, "https://h"), voice::Signer::new(KEY, "https://h"));
        let (delivery, held) = verify(provider.unwrap(), signer.unwrap(), body);
        (delivery.event().misfits().len(), held)
    };
    let entries = r#"{"changes":[{"value":{"messages":[{},{},{},{},{},{}]}}]},"#;
    let head = r#"{"event_type":"message.inbound","payload":{"entry":["#;
    let nested = full(head, entries, "]}}");
    for (what, (misfits, held)) in [
        ("complaints", ndnc(full(r#"{"accountName":"a","complaints":["#, "{},", "]}"))),
        (
            "complaints that are none",
            ndnc(full(r#"{"accountName":"a","complaints":["#, "1,", "]}")),
        ),
        (
            "members of complaints",
            ndnc(full(r#"{"accountName":"a","complaints":["#, r#"{"a":0,"b":0},"#, "]}")),
        ),
        ("messages", whatsapp("messages", "{},")),
        ("statuses", whatsapp("statuses", r#"{"id":0},"#)),
        ("messages in changes in entries", {
            let (delivery, held) =
                verify(Whatsapp::new(KEY).unwrap(), whatsapp::Signer::new(KEY).unwrap(), nested);
            (delivery.event().misfits().len(), held)
        }),
        ("fields of one name", voice(full("Event=Ring&x=", "&x=", "1").into())),
        ("a field of control characters", voice(full("Event=Ring&x=", "%01", "").into())),
        (
            "a field that is no UTF-8",
            voice([&b"Event=Ring&CallerName="[..], &[0xe9; 1_000_000]].concat()),
        ),
    ] {
        println!("{what}: {misfits} misfits, {:.1} MiB", held as f64 / f64::from(1 << 20));
        assert!(held < 12 << 20, "{what}: {held} bytes");
    }
}
