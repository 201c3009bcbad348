//! The receiver's page: what it shows, to whom, and in a real browser.
#![cfg(all(
    feature = "geelark",
    feature = "stardust",
    feature = "vobiz",
    feature = "zegocloud",
    target_os = "linux"
))]

#[path = "../../examples/send/families.rs"]
mod families;
#[allow(dead_code, reason = "every test binary uses its own share")]
#[path = "../../examples/common/vars.rs"]
mod vars;
#[path = "../../examples/send/zegocloud_catalogue.rs"]
mod zegocloud_catalogue;

use crate::support::{
    browser::Browser,
    cpu::memory_of,
    processes::{Receiver, Sender},
    signed, with,
};
use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use bytes::Bytes;
use families::{FAMILIES, Family};
use fantoccini::{Locator, elements::Element, key::Key};
use http::{HeaderMap, Method, Request, StatusCode, header};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::{
    collections::HashSet,
    time::{Duration, Instant, SystemTime},
};
use tower_webhooks::{Provider, Signer as _, geelark, stardust, vobiz, zegocloud};
use vars::Vars;

const PAGE: &str = include_str!("../../examples/receiver/page/page.html");
const DEMO: &str = "demo-zegocloud-callback-secret";

/// A receiver with the demo's values, and what asks it.
struct Shown {
    receiver: Receiver,
    sender: Sender,
}

impl Shown {
    fn start() -> Self {
        Self::start_with(&[])
    }

    fn start_with(variables: &[(&str, &str)]) -> Self {
        Self { receiver: Receiver::start(variables), sender: Sender::new() }
    }

    async fn get(&self, path: &str, headers: &[(&str, &str)]) -> (StatusCode, HeaderMap, String) {
        let mut request = Request::get(path).body(Bytes::new()).unwrap();
        for (name, value) in headers {
            request = with(request, name, value);
        }
        let response = self.sender.answer(&self.receiver.addr, &request).await.unwrap();
        let (head, mut body) = response.into_parts();
        let mut text = String::new();
        // The stream of rows goes on: the totals come when everything that is kept was sent.
        while let Some(frame) = body.frame().await {
            text.push_str(std::str::from_utf8(frame.unwrap().data_ref().unwrap()).unwrap());
            if text.contains("event: totals\n") && text.ends_with("\n\n") {
                break;
            }
        }
        (head.status, head.headers, text)
    }

    /// The rows that a page would get now, oldest first, and the totals.
    async fn rows(&self) -> (Vec<(String, Value)>, Value) {
        let (status, _, text) = self.get("/events", &[]).await;
        assert_eq!(status, 200);
        let (mut rows, mut totals) = (Vec::new(), Value::Null);
        for message in text.split("\n\n") {
            let field =
                |name| message.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
            match (field("event"), field("id"), field("data")) {
                (None, Some(id), Some(data)) => {
                    rows.push((id.to_owned(), serde_json::from_str(data).unwrap()))
                }
                (Some("totals"), _, Some(data)) => totals = serde_json::from_str(data).unwrap(),
                _ => {}
            }
        }
        (rows, totals)
    }

    async fn detail(&self, id: &str) -> Option<Value> {
        let (_, number) = id.split_once('-').unwrap();
        let (status, _, text) = self.get(&format!("/events/{number}"), &[]).await;
        assert!(status == 200 || status == 404, "{status}");
        (status == 200).then(|| serde_json::from_str(&text).unwrap())
    }

    async fn send(&self, request: &Request<Bytes>) -> u16 {
        self.sender.send(&self.receiver.addr, request).await
    }

    async fn zegocloud(&self, secret: &str, json: impl Into<Bytes>) -> u16 {
        self.send(&event(secret, json)).await
    }
}

/// A ZEGOCLOUD event, signed now.
fn event(secret: &str, json: impl Into<Bytes>) -> Request<Bytes> {
    let request = signed(&zegocloud::Signer::new(secret).unwrap(), "/zegocloud", json);
    with(request, "content-type", "application/json")
}

/// The family's first event, signed with the demo's values.
fn demo_request(family: &Family, now: SystemTime) -> Request<Bytes> {
    let vars = Vars::new(family.vars).unwrap();
    let values: Vec<_> = family.needs.iter().map(|(name, _)| vars.get(name).unwrap()).collect();
    let body = (family.events)()[0].1.replace("FRESH", &fastrand::u32(..).to_string());
    let request = Request::post(format!("http://{}{}", vars::RECEIVER_ADDR, family.route))
        .header(header::CONTENT_TYPE, family.content_type)
        .body(Bytes::from(body))
        .unwrap();
    (family.signer)(&values).unwrap().sign(request, now)
}

// What it shows.

#[tokio::test]
async fn a_delivery_its_repeat_a_refusal_and_a_failure_are_rows() {
    let shown = Shown::start_with(&[("RECEIVER_FAIL_FIRST", "1")]);
    let request = event(DEMO, r#"{"event":"room_close","room_id":"lobby","later":1}"#);
    for status in [500, 200, 200] {
        assert_eq!(shown.send(&request).await, status);
    }
    assert_eq!(shown.zegocloud("another secret", r#"{"event":"room_close"}"#).await, 401);

    let (rows, totals) = shown.rows().await;
    assert_eq!(
        totals,
        json!({ "delivered": 1, "failed": 1, "repeated": 1, "refused": 1, "dropped": 0 })
    );
    let columns = ["provider", "route", "kind", "outcome", "status", "why", "attempt"];
    let cells: Vec<Vec<&Value>> =
        rows.iter().map(|(_, row)| columns.iter().map(|column| &row[column]).collect()).collect();
    let room_close = |outcome: &str, status: u16, why: Option<&str>, attempt: u32| {
        json!(["zegocloud", "/zegocloud", "room_close", outcome, status, why, attempt])
    };
    assert_eq!(
        json!(cells),
        json!([
            room_close("failed", 500, Some("the handler answered 500"), 1),
            room_close("delivered", 200, None, 2),
            ["zegocloud", "/zegocloud", null, "repeated", 200, "it was acknowledged before", null],
            ["zegocloud", "/zegocloud", null, "refused", 401, "the credential is wrong", null],
        ])
    );
    let id = |row: usize| rows[row].1["delivery_id"].as_str().map(str::len);
    assert_eq!([id(0), id(1), id(2), id(3)], [Some(32), Some(32), Some(32), None]);
    assert!(
        rows[1].1["delivery_id"] == rows[0].1["delivery_id"]
            && rows[1].1["delivery_id"] == rows[2].1["delivery_id"]
    );
    let age = rows[1].1["age"].as_i64().unwrap();
    assert!((0..600_000).contains(&age), "{age}");

    let detail = shown.detail(&rows[1].0).await.unwrap();
    assert_eq!(detail["request"]["text"], "POST /zegocloud");
    assert!(
        detail["headers"]
            .as_array()
            .unwrap()
            .contains(&json!(["content-type", "application/json"]))
    );
    let delivery = &detail["delivery"];
    let event: Value = serde_json::from_str(delivery["event"]["text"].as_str().unwrap()).unwrap();
    assert_eq!(event["room_id"], "lobby");
    let body: Value = serde_json::from_str(detail["body"]["text"].as_str().unwrap()).unwrap();
    assert_eq!((&body["room_id"], &body["later"]), (&json!("lobby"), &json!(1)));
    assert_eq!((&delivery["covers"], &delivery["checked"]), (&json!("nothing"), &json!("local")));
    assert_eq!((&rows[1].1["misfits"], &rows[3].1["misfits"]), (&json!(0), &Value::Null));

    assert_eq!(shown.zegocloud(DEMO, r#"{"event":"room_close","close_reason":"<i>"}"#).await, 500);
    let (id, row) = shown.rows().await.0.pop().unwrap();
    assert_eq!(row["misfits"], 1);
    let misfits = &shown.detail(&id).await.unwrap()["delivery"]["misfits"];
    assert_eq!(misfits[0][0], "close_reason", "{misfits}");
}

#[tokio::test]
async fn a_stale_refusal_has_an_age() {
    let shown = Shown::start();
    let request =
        Request::post("/zegocloud").body(Bytes::from(r#"{"event":"room_close"}"#)).unwrap();
    let then = SystemTime::now() - Duration::from_secs(4_000);
    let request = zegocloud::Signer::new(DEMO).unwrap().sign(request, then);
    assert_eq!(shown.send(&request).await, 401);
    let (_, row) = shown.rows().await.0.pop().unwrap();
    let age = row["age"].as_i64().unwrap();
    assert!((4_000_000..4_600_000).contains(&age), "{age}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_client_that_goes_away_is_a_row() {
    let shown = Shown::start_with(&[("RECEIVER_DELAY_MS", "600000")]);
    let request = event(DEMO, r#"{"event":"room_close"}"#);
    let (sender, addr) = (shown.sender.clone(), shown.receiver.addr.clone());
    let sending = tokio::spawn(async move { sender.send(&addr, &request).await });
    // The handler prints the event first.
    shown.receiver.wait_for_a_line();
    assert!(!sending.is_finished(), "it is slow");
    sending.abort();
    let gone = Instant::now();
    let rows = loop {
        let (rows, _) = shown.rows().await;
        if !rows.is_empty() {
            break rows;
        }
        assert!(gone.elapsed() < Duration::from_secs(60), "no row");
        tokio::time::sleep(Duration::from_millis(10)).await;
    };
    assert_eq!((&rows[0].1["outcome"], &rows[0].1["status"]), (&json!("dropped"), &Value::Null));
}

#[tokio::test]
async fn a_page_that_comes_back_gets_what_is_new() {
    let shown = Shown::start();
    for _ in 0..3 {
        shown.zegocloud(DEMO, r#"{"event":"room_close"}"#).await;
    }
    let (rows, _) = shown.rows().await;
    let again = |id: String| {
        let shown = &shown;
        async move { shown.get("/events", &[("last-event-id", &id)]).await.2.matches("\nid: ").count() }
    };
    assert_eq!(again(rows[1].0.clone()).await, 1);
    assert_eq!(again("1-2".to_owned()).await, 3, "of another process");
    assert_eq!(again("nonsense".to_owned()).await, 3);
}

// What is kept is bounded.

#[tokio::test]
async fn attack_the_last_500_are_kept_and_no_more_than_3_mib() {
    let shown = Shown::start();
    let forged = Request::post("/zegocloud").body(Bytes::from("{}")).unwrap();
    for _ in 0..510 {
        assert_eq!(shown.send(&forged).await, 401);
    }
    let (rows, totals) = shown.rows().await;
    assert_eq!((rows.len(), &totals["refused"]), (500, &json!(510)));
    let (run, _) = rows[0].0.split_once('-').unwrap();
    assert!(rows[0].0.ends_with("-11") && rows[499].0.ends_with("-510"), "{rows:?}");
    assert!(shown.detail(&format!("{run}-10")).await.is_none());

    // A control character takes six bytes of JSON.
    for (text, times) in [("\u{1}", 20), ("x", 70)] {
        let large = Request::post("/zegocloud").body(Bytes::from(text.repeat(250_000))).unwrap();
        for _ in 0..times {
            assert!([400, 401].contains(&shown.send(&large).await));
        }
    }
    let (rows, _) = shown.rows().await;
    let mut bytes = 0;
    for (id, row) in &rows {
        let detail = shown.detail(id).await.unwrap();
        bytes += row.to_string().len() + detail.to_string().len();
        let body = &detail["body"];
        assert!(
            body["text"].as_str().unwrap().len() <= 128 << 10 && body["cut"] == json!(true),
            "{id}"
        );
    }
    println!("{} rows of large bodies, {bytes} bytes", rows.len());
    assert!(
        (20..70).contains(&rows.len()) && bytes <= 3 << 20,
        "{} rows, {bytes} bytes",
        rows.len()
    );
}

// Who sees it.

#[tokio::test]
async fn attack_the_page_is_for_this_machine_alone() {
    let shown = Shown::start();
    shown.zegocloud(DEMO, r#"{"event":"room_close"}"#).await;
    let paths = ["/", "/events", "/events/1"];
    for path in paths {
        for host in ["localhost", "LocalHost:3000", "127.0.0.1:1", "127.3.2.1", "[::1]:3000"] {
            assert_eq!(shown.get(path, &[("host", host)]).await.0, 200, "{host}");
        }
        // A name that a stranger has resolve to 127.0.0.1, or a tunnel's.
        for host in [
            "rebound.example",
            "localhost.example",
            "127.0.0.1.example",
            "localhost@a.example",
            "10.0.0.1",
            "",
        ] {
            let (status, headers, body) = shown.get(path, &[("host", host)]).await;
            assert_eq!((status.as_u16(), body.as_str()), (404, ""), "{host}");
            assert!(!headers.contains_key(header::CONTENT_SECURITY_POLICY));
        }
        for name in [
            "forwarded",
            "via",
            "x-forwarded-for",
            "x-forwarded-host",
            "x-forwarded-proto",
            "x-real-ip",
        ] {
            assert_eq!(
                shown.get(path, &[("host", "localhost"), (name, "x")]).await.0,
                404,
                "{name}"
            );
        }
    }
    for (variables, host, expected) in [
        (&[("RECEIVER_ADDR", "0.0.0.0:0")][..], "localhost", 404),
        (&[("RECEIVER_PAGE", "0")], "localhost", 404),
        (&[("RECEIVER_PAGE", "1")], "page.example", 200),
        (&[("RECEIVER_PAGE", "1"), ("RECEIVER_ADDR", "0.0.0.0:0")], "page.example", 200),
    ] {
        let shown = Shown::start_with(variables);
        assert_eq!(shown.zegocloud(DEMO, r#"{"event":"room_close"}"#).await, 200);
        for path in paths {
            assert_eq!(shown.get(path, &[("host", host)]).await.0, expected, "{variables:?}");
        }
    }
}

#[tokio::test]
async fn attack_the_policy_allows_nothing_but_the_pages_own_code() {
    let shown = Shown::start();
    let (status, headers, page) = shown.get("/", &[]).await;
    assert_eq!((status.as_u16(), page.as_str()), (200, PAGE));
    let policy = headers[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
    let mut directives: Vec<_> = policy.split("; ").collect();
    for element in ["script", "style"] {
        let (_, rest) = page.split_once(&format!("<{element}>")).unwrap();
        let (text, rest) = rest.split_once(&format!("</{element}>")).unwrap();
        assert!(!rest.contains(&format!("<{element}")), "only one");
        let directive = format!("{element}-src 'sha256-{}'", BASE64.encode(Sha256::digest(text)));
        let place = directives.iter().position(|found| *found == directive).expect(&directive);
        directives.remove(place);
    }
    let rest = "default-src 'none'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
                require-trusted-types-for 'script'; trusted-types 'none'";
    assert_eq!(directives.join("; "), rest);
    for (_, headers, _) in [shown.get("/events", &[]).await, shown.get("/", &[]).await] {
        assert_eq!(headers["cache-control"], "no-store");
        assert_eq!(headers["x-content-type-options"], "nosniff");
        assert_eq!(headers["cross-origin-resource-policy"], "same-origin");
    }
    for other in [
        "http:",
        "https:",
        "src=",
        "@import",
        "url(",
        "innerHTML",
        "insertAdjacent",
        "document.write",
        "eval(",
    ] {
        assert!(!page.contains(other), "{other}");
    }
}

#[tokio::test]
async fn attack_no_credential_is_on_the_page() {
    let names: HashSet<&str> = [
        geelark::GeeLark::CREDENTIALS,
        geelark::GeeLarkToken::CREDENTIALS,
        stardust::Stardust::CREDENTIALS,
        stardust::StardustKeyOnly::CREDENTIALS,
        vobiz::voice::Voice::CREDENTIALS,
        vobiz::kyc::Kyc::CREDENTIALS,
        vobiz::whatsapp::Whatsapp::CREDENTIALS,
    ]
    .concat()
    .into_iter()
    .collect();
    let shown = Shown::start();
    let now = SystemTime::now();
    let mut secrets = HashSet::new();
    let mut refused = 0;
    for family in FAMILIES {
        let request = demo_request(family, now);
        for (name, value) in request.headers() {
            // Times, and names that an event may hold too, are no secrets; neither is a nonce that
            // is a part of an id.
            if names.contains(name.as_str())
                && !["ts", "x-ts", "appid", "nonce"].contains(&name.as_str())
            {
                secrets.insert(value.to_str().unwrap().to_owned());
            }
        }
        if let Ok(body) = serde_json::from_slice::<Value>(request.body()) {
            secrets.extend(
                ["nonce", "signature"]
                    .iter()
                    .filter_map(|name| body[name].as_str())
                    .map(str::to_owned),
            );
        }
        // On every other family's route first, then on its own: twice, and once with other content.
        for other in FAMILIES.iter().filter(|other| other.route != family.route) {
            let mut misdirected = request.clone();
            *misdirected.uri_mut() = other.route.parse().unwrap();
            refused += u32::from(shown.send(&misdirected).await != 200);
        }
        assert_eq!(shown.send(&request).await, 200, "{}", family.name);
        shown.send(&request).await;
        let mut tampered = request.clone();
        *tampered.body_mut() = Bytes::from([&request.body()[..], b" "].concat());
        shown.send(&tampered).await;
        *tampered.method_mut() = Method::PUT;
        assert_eq!(shown.send(&tampered).await, 405, "{}", family.name);
    }
    assert!(secrets.len() > FAMILIES.len() && refused > 50, "{secrets:?}, {refused}");
    // Forms in which a signature may be in a body, refused and delivered.
    let json = event(DEMO, r#"{"event":"room_close","room_id":"of three forms"}"#).into_body();
    let members: Value = serde_json::from_slice(&json).unwrap();
    secrets.extend(["nonce", "signature"].map(|name| members[name].as_str().unwrap().to_owned()));
    // An authentic event of one provider that holds another one's signature.
    let token = geelark::TokenSigner::new("demo-geelark-token").unwrap();
    assert_eq!(shown.send(&signed(&token, "/geelark/token", json.clone())).await, 200);
    let encoded: String = json.iter().map(|byte| format!("%{byte:02X}")).collect();
    let form = form_urlencoded::Serializer::new(String::new())
        .extend_pairs(members.as_object().unwrap().iter().map(|(name, value)| {
            (
                name.replace('s', "S"),
                value.as_str().map_or_else(|| value.to_string(), str::to_owned),
            )
        }))
        .finish();
    let list = format!("[{}]", String::from_utf8_lossy(&json));
    for body in
        [encoded.as_str(), &form, &list, &list.replace('"', "%22"), &encoded[..encoded.len() - 3]]
    {
        for route in ["/zegocloud", "/vobiz/kyc"] {
            shown
                .send(&Request::post(route).body(Bytes::copy_from_slice(body.as_bytes())).unwrap())
                .await;
        }
    }

    let (rows, _) = shown.rows().await;
    let (mut struck, mut hidden) = (0, 0);
    for (id, row) in &rows {
        let detail = shown.detail(id).await.unwrap();
        let all = format!("{row}{detail}");
        for secret in &secrets {
            assert!(!all.contains(secret.as_str()), "{secret} in {all}");
        }
        struck += detail["headers"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|header| header[1].is_null())
            .count();
        hidden += usize::from(
            detail["body"]["because"].as_str().is_some_and(|why| why.contains("signature")),
        );
    }
    assert!(struck > rows.len() && hidden >= 3, "{struck} of {} rows, {hidden} bodies", rows.len());
}

#[tokio::test]
async fn attack_credentials_of_a_provider_without_a_route_are_struck_out() {
    let whatsapp = vobiz::whatsapp::Signer::new("a WhatsApp secret").unwrap();
    let stardust = stardust::Signer::new("an access key", "a secret key").unwrap();
    let signers: [(_, &dyn tower_webhooks::Signer, &[&str]); 2] = [
        (("VOBIZ_AUTH_TOKEN", "a token"), &whatsapp, &["x-webhook-signature"]),
        (("STARDUST_SECRET_KEY", "a secret key"), &stardust, &["x-stardust-key", "x-sign"]),
    ];
    for (variable, signer, names) in signers {
        let shown = Shown::start_with(&[variable]);
        let request = Request::post("/zegocloud").body(Bytes::from("{}")).unwrap();
        assert_eq!(shown.send(&signer.sign(request, SystemTime::now())).await, 401);
        let (id, _) = shown.rows().await.0.pop().unwrap();
        let detail = shown.detail(&id).await.unwrap();
        let headers = detail["headers"].as_array().unwrap();
        for name in names {
            assert!(headers.contains(&json!([name, null])), "{name}: {headers:?}");
        }
    }
}

#[tokio::test]
async fn attack_a_body_that_is_cut_between_nonce_and_signature_shows_neither() {
    let shown = Shown::start();
    let pad = "x".repeat(150_000);
    let member = |name: &str, value: &str| format!(r#""{name}":"{value}""#);
    let room = member("room_id", "lobby");
    let (nonce, signature, pad) = (
        member("nonce", "a secret nonce"),
        member("signature", "a secret signature"),
        member("pad", &pad),
    );
    let nested = format!(r#""of":{{{nonce},{pad}}}"#);
    let join = |members: &[&str]| members.join(",");
    for (members, room_is_shown) in [
        (join(&[&room, &nonce, &pad, &signature]), true),
        (join(&[&room, &signature, &pad, &nonce]), true),
        (join(&[&room, &nested, &signature]), true),
        (join(&[&room, &pad, &nonce, &signature]), true),
        // No object, so nothing can be told from the rest.
        (format!(r#"[{{{}}}]"#, join(&[&room, &nonce, &pad, &signature])), false),
    ] {
        let body = if members.starts_with('[') { members } else { format!("{{{members}}}") };
        let encoded: String = body.replace('"', "%22").replace('{', "%7B");
        for body in [body, encoded] {
            // Refused, and delivered as an event that GeeLark does not know.
            let refused = Request::post("/zegocloud").body(Bytes::from(body.clone())).unwrap();
            assert!([400, 401].contains(&shown.send(&refused).await));
            let token = geelark::TokenSigner::new("demo-geelark-token").unwrap();
            assert_eq!(shown.send(&signed(&token, "/geelark/token", body.clone())).await, 200);
            let (rows, _) = shown.rows().await;
            for (id, row) in &rows[rows.len() - 2..] {
                let detail = shown.detail(id).await.unwrap();
                assert!(!detail.to_string().contains("a secret"), "{row} {detail}");
                let text = detail["body"]["text"].as_str();
                assert_eq!(text.is_some_and(|text| text.contains("lobby")), room_is_shown, "{row}");
                assert!(text.is_none() || detail["body"]["cut"] == json!(true), "{row}");
            }
        }
    }
}

#[tokio::test]
async fn attack_a_large_body_is_read_for_the_page_no_further_than_it_is_shown() {
    let signer = stardust::Signer::new("demo-stardust-access-key", "demo-stardust-secret-key");
    let signer = signer.unwrap();
    let (mut most, mut last) = (Vec::new(), None);
    for page in ["0", "1"] {
        let shown = Shown::start_with(&[("RECEIVER_PAGE", page)]);
        let small = signed(&signer, "/stardust/signed", "a&a");
        assert_eq!(shown.send(&small).await, 200);
        let large = signed(&signer, "/stardust/signed", "a&".repeat(8 << 20));
        assert_eq!(shown.send(&large).await, 200);
        most.push(memory_of(shown.receiver.id(), "VmHWM") >> 20);
        last = Some(shown);
    }
    println!("16 MiB: {} MiB at most without the page, {} with it", most[0], most[1]);
    assert!(most[1] <= most[0] + 24, "{most:?}");

    let shown = last.unwrap();
    let (id, _) = shown.rows().await.0.pop().unwrap();
    let detail = shown.detail(&id).await.unwrap();
    for text in [&detail["body"], &detail["delivery"]["event"]] {
        assert_eq!(text["cut"], json!(true));
        assert_eq!(text["text"].as_str().unwrap().len(), 128 << 10);
    }
}

// In a browser.

#[tokio::test]
async fn events_come_without_a_reload_and_filters_choose_among_them() {
    let Some(browser) = Browser::start(&[]).await else { return };
    let shown = Shown::start();
    browser.open(&shown.receiver.addr).await;
    browser.wait_until("return document.querySelector('#state.live') !== null").await;
    assert!(browser.rows().await.is_empty());
    browser.client.execute("window.sameDocument = true", vec![]).await.unwrap();

    for family in FAMILIES {
        assert_eq!(
            shown.send(&demo_request(family, SystemTime::now())).await,
            200,
            "{}",
            family.name
        );
    }
    shown.zegocloud("another secret", r#"{"event":"room_close"}"#).await;
    browser
        .wait_until(&format!(
            "return document.querySelectorAll('tr.row').length === {}",
            FAMILIES.len() + 1
        ))
        .await;
    let rows = browser.rows().await;
    let cells: Vec<&str> = rows[0].iter().map(String::as_str).collect();
    assert_eq!(
        cells[1..6],
        ["zegocloud", "–", "refused 401", "the credential is wrong", "–"],
        "newest first"
    );
    assert_eq!(rows.last().unwrap()[2], (FAMILIES[0].events)()[0].0, "oldest last");
    assert_eq!(browser.run("return window.sameDocument").await, json!(true), "not reloaded");
    // The totals come after the rows.
    let totals = format!("{}delivered", FAMILIES.len());
    browser
        .wait_until(&format!(
            "return document.getElementById('totals').textContent.includes('{totals}')"
        ))
        .await;

    browser.choose("provider", "zegocloud").await;
    assert_eq!(browser.rows().await.len(), 2);
    browser.choose("outcome", "refused").await;
    assert_eq!(browser.rows().await.len(), 1);
    // What comes while a filter is on is held to it.
    shown.zegocloud(DEMO, r#"{"event":"room_close"}"#).await;
    shown.zegocloud("another secret", r#"{"event":"room_close"}"#).await;
    browser.wait_until("return document.getElementById('shown').value.startsWith('2 of ')").await;
    assert!(
        browser.rows().await.iter().all(|row| row[1] == "zegocloud" && row[3] == "refused 401")
    );
    browser.choose("provider", "").await;
    browser.choose("outcome", "").await;
    assert_eq!(browser.rows().await.len(), FAMILIES.len() + 3);
    let loaded = browser
        .run("return performance.getEntriesByType('resource').map(({ name }) => name)")
        .await;
    let own = format!("http://{}/events", shown.receiver.addr);
    assert!(
        loaded.as_array().unwrap().iter().all(|name| name.as_str().unwrap().starts_with(&own)),
        "{loaded}"
    );
}

#[tokio::test]
async fn attack_what_strangers_send_stays_text() {
    let Some(browser) = Browser::start(&[]).await else { return };
    let shown = Shown::start();
    browser.open(&shown.receiver.addr).await;
    browser.wait_until("return document.querySelector('#state.live') !== null").await;
    let markup =
        "<script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">";
    let odd = "\u{202e}back\u{7}\u{85}";
    let long = markup.repeat(100_000 / markup.len() + 1);
    let json = json!({ "event": "room_close", "room_id": format!("{odd}{long}") }).to_string();
    let request = with(event(DEMO, json), "x-forged", markup);
    assert_eq!(shown.send(&request).await, 200);
    let refused = Request::post("/zegocloud")
        .header("x-forged", markup)
        .body(Bytes::from(long.clone()))
        .unwrap();
    assert_eq!(shown.send(&refused).await, 401);
    browser.wait_until("return document.querySelectorAll('tr.row').length === 2").await;

    for (place, kind) in [(0, "refused"), (1, "delivered")] {
        let button = browser.buttons().await.remove(place);
        button.click().await.unwrap();
        browser
            .wait_until(&format!(
                "return document.querySelectorAll('tr.detail:not([hidden]) pre').length > {place}"
            ))
            .await;
        let detail = format!("document.querySelectorAll('tr.detail')[{place}]");
        let blocks = browser
            .run(&format!(
                "return [...{detail}.querySelectorAll('pre')].map((pre) => pre.textContent)"
            ))
            .await;
        let blocks: Vec<&str> =
            blocks.as_array().unwrap().iter().map(|block| block.as_str().unwrap()).collect();
        assert_eq!(blocks.len(), if kind == "delivered" { 2 } else { 1 });
        let escaped = long.replace('"', "\\\"");
        for block in &blocks {
            let expected = if kind == "delivered" { &escaped } else { &long };
            assert!(block.contains(expected.as_str()), "all {} characters of {kind}", long.len());
            assert!(
                !block.contains('\u{202e}')
                    && !block.contains('\u{7}')
                    && !block.contains('\u{85}')
            );
        }
        if kind == "delivered" {
            assert!(blocks[0].contains("\\u{202e}back"), "{}", &blocks[0][..200]);
        }
        let headers =
            browser.run(&format!("return {detail}.querySelectorAll('dl')[1].textContent")).await;
        assert!(headers.as_str().unwrap().contains(markup), "{headers}");
    }
    assert_eq!(
        browser.run("return document.querySelectorAll('script, img').length").await,
        1,
        "the page's own"
    );
    assert_eq!(browser.client.title().await.unwrap(), "Webhook receiver");
    // And if a text did become markup, the policy would stop it.
    let refused =
        "try { document.body.innerHTML = '<b>x</b>'; return 'allowed' } catch { return 'refused' }";
    assert_eq!(browser.run(refused).await, "refused");
}

#[tokio::test]
async fn the_keyboard_is_enough() {
    let Some(browser) = Browser::start(&[]).await else { return };
    let shown = Shown::start();
    for room in ["first", "second", "third"] {
        shown.zegocloud(DEMO, format!(r#"{{"event":"room_close","room_id":"{room}"}}"#)).await;
    }
    browser.open(&shown.receiver.addr).await;
    browser.wait_until("return document.querySelectorAll('tr.row').length === 3").await;
    let press = async |key: Key| {
        let focused: Element = browser.client.active_element().await.unwrap();
        focused.send_keys(&char::from(key).to_string()).await.unwrap();
    };
    // Two filters, then the rows.
    for _ in 0..3 {
        press(Key::Tab).await;
    }
    press(Key::Down).await;
    press(Key::Enter).await;
    browser
        .wait_until("return document.querySelectorAll('tr.detail:not([hidden]) pre').length === 2")
        .await;
    let opened = browser
        .client
        .find(Locator::Css("tr.detail:not([hidden])"))
        .await
        .unwrap()
        .text()
        .await
        .unwrap();
    assert!(opened.contains("second") && !opened.contains("third"), "{opened}");
    let expanded = "return document.activeElement.getAttribute('aria-expanded')";
    assert_eq!(browser.run(expanded).await, "true");
    // The text can be scrolled without a mouse.
    press(Key::Tab).await;
    assert_eq!(
        browser.run("return document.activeElement.getAttribute('aria-label')").await,
        "Event"
    );
    browser.buttons().await[1].send_keys(&char::from(Key::Escape).to_string()).await.unwrap();
    assert_eq!(
        browser.run("return document.querySelectorAll('tr.detail:not([hidden])').length").await,
        0
    );
}

/// Also how the README's picture is made: `RECEIVER_PAGE_PICTURES=docs` keeps what this test sees.
#[tokio::test]
async fn light_and_dark() {
    let folder = std::env::var_os("RECEIVER_PAGE_PICTURES").map(std::path::PathBuf::from);
    let mut backgrounds = HashSet::new();
    for (name, arguments, dark) in [
        ("receiver-page.png", &[][..], false),
        ("receiver-page-dark.png", &["--force-dark-mode"], true),
    ] {
        let Some(browser) = Browser::start(arguments).await else { return };
        let shown = Shown::start();
        for family in FAMILIES {
            shown.send(&demo_request(family, SystemTime::now())).await;
        }
        let request = event(DEMO, r#"{"event":"room_close","room_id":"lobby","close_reason":2}"#);
        shown.send(&request).await;
        shown.send(&request).await;
        let late = demo_request(&FAMILIES[1], SystemTime::now() - Duration::from_secs(900));
        assert_eq!(shown.send(&late).await, 401);
        shown.zegocloud("another secret", r#"{"event":"room_close"}"#).await;
        shown.send(&demo_request(&FAMILIES[4], SystemTime::now())).await;
        browser.open(&shown.receiver.addr).await;
        let rows = FAMILIES.len() + 5;
        browser
            .wait_until(&format!("return document.querySelectorAll('tr.row').length === {rows}"))
            .await;
        assert_eq!(
            browser.run("return matchMedia('(prefers-color-scheme: dark)').matches").await,
            json!(dark)
        );
        backgrounds.insert(
            browser.run("return getComputedStyle(document.body).backgroundColor").await.to_string(),
        );
        browser.buttons().await[4].click().await.unwrap();
        browser
            .wait_until(
                "return document.querySelectorAll('tr.detail:not([hidden]) pre').length === 2",
            )
            .await;
        browser.client.execute("document.activeElement.blur()", vec![]).await.unwrap();
        if let Some(folder) = &folder {
            std::fs::write(folder.join(name), browser.client.screenshot().await.unwrap()).unwrap();
        }
    }
    assert_eq!(backgrounds.len(), 2, "{backgrounds:?}");
}
