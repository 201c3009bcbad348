//! Rules that come with a request, and rules that are replaced while requests run.
#![cfg(all(feature = "zegocloud", feature = "vobiz"))]

use crate::support::{
    call,
    letterbox::{ACCEPTED, Letterbox, Scripted, Step, outcome, paid, refused},
    signed,
};
use bytes::Bytes;
use http::{HeaderName, Request, Response};
use http_body_util::Full;
use std::{
    convert::Infallible,
    sync::{Arc, Mutex},
    time::SystemTime,
};
use tower::{Layer, ServiceExt, service_fn};
use tower_webhooks::{
    PerRequest, Provider, Rejection, RejectionKind, Reloadable, Verified, WebhookLayer,
    replay::{Duplicate, MemoryStore, ReplayCheck},
    vobiz::trunk::{self, Trunk},
    zegocloud::{Event, Signer, Zegocloud},
};

fn zego(secret: &str) -> Arc<Zegocloud> {
    Arc::new(Zegocloud::new(secret).unwrap())
}

fn room_create(secret: &str) -> Request<Bytes> {
    let body = r#"{"event":"room_create","room_id":"lobby"}"#;
    signed(&Signer::new(secret).unwrap(), "/hooks", body)
}

/// What a request of that tenant is answered.
async fn send<P: Provider<Event = Event>>(
    layer: &WebhookLayer<P>,
    rules: Option<&Arc<Zegocloud>>,
    request: &Request<Bytes>,
) -> Response<String> {
    let mut request = request.clone();
    if let Some(rules) = rules {
        request.extensions_mut().insert(Arc::clone(rules));
    }
    let service = layer.layer(service_fn(async |request: Request<Full<Bytes>>| {
        let event = request.extensions().get::<Verified<Event>>().unwrap();
        let metadata = event.metadata();
        assert_eq!((metadata.provider, metadata.checked), ("zegocloud", ReplayCheck::Local));
        Ok::<_, Infallible>(Response::new(format!(
            "{} {}",
            metadata.key_index,
            metadata.delivery_id.unwrap()
        )))
    }));
    call(&service, &request).await
}

#[tokio::test]
async fn the_rules_are_the_request_s_own() {
    let layer = WebhookLayer::new(PerRequest::<Zegocloud>::new());
    let (acme, other) = (zego("the secret of acme"), zego("the secret of another"));
    let request = room_create("the secret of acme");

    let missing = send(&layer, None, &request).await;
    assert_eq!(outcome(&missing), refused(RejectionKind::NoRules));
    let detail = missing.extensions().get::<Rejection>().unwrap().to_string();
    assert!(detail.contains("Arc<") && detail.contains("zegocloud::Zegocloud"), "{detail}");

    assert_eq!(
        outcome(&send(&layer, Some(&other), &request).await),
        refused(RejectionKind::CredentialWrong)
    );
    let delivered = send(&layer, Some(&acme), &request).await;
    assert!(delivered.body().starts_with("0 "), "{delivered:?}");
    // The same Arc or not: what was delivered stays delivered.
    let repeated = send(&layer, Some(&zego("the secret of acme")), &request).await;
    let id = repeated.extensions().get::<Duplicate>().unwrap().delivery_id.unwrap();
    assert_eq!(*delivered.body(), format!("0 {id}"));
}

#[tokio::test]
async fn attack_a_tenant_s_signature_is_no_other_tenant_s_delivery() {
    let store = MemoryStore::new();
    let layer = WebhookLayer::new(PerRequest::<Trunk>::new()).local_store(store.clone());
    let mut ids = Vec::new();
    for secret in ["the secret of acme", "the secret of another"] {
        let signer = trunk::Signer::new(secret).unwrap();
        let mut request = signed(&signer, "/hooks", r#"{"Event":"Hangup"}"#);
        request.extensions_mut().insert(Arc::new(Trunk::new(secret).unwrap()));
        let service = layer.layer(service_fn(async |request: Request<Full<Bytes>>| {
            let event = request.extensions().get::<Verified<trunk::Event>>().unwrap();
            Ok::<_, Infallible>(Response::new(event.metadata().delivery_id.unwrap().to_string()))
        }));
        ids.push(call(&service, &request).await.into_body());
    }
    assert_ne!(ids[0], ids[1]);
    assert_eq!(store.len(), 2);
}

#[tokio::test]
async fn the_layer_serves_requests_while_keys_are_replaced() {
    let rules = Reloadable::new(Zegocloud::new("the old secret").unwrap());
    let layer = WebhookLayer::new(rules.clone());
    let (old, new) = (room_create("the old secret"), room_create("the new secret"));

    assert!(send(&layer, None, &old).await.body().starts_with("0 "));
    assert_eq!(outcome(&send(&layer, None, &new).await), refused(RejectionKind::CredentialWrong));

    rules.replace(Zegocloud::new("the new secret").unwrap().also_accept("the old secret").unwrap());
    assert!(send(&layer, None, &new).await.body().starts_with("0 "));
    assert!(send(&layer, None, &room_create("the old secret")).await.body().starts_with("1 "));
    // What was delivered under the rules before is not delivered again.
    assert!(send(&layer, None, &old).await.extensions().get::<Duplicate>().is_some());

    rules.replace(Zegocloud::new("the new secret").unwrap());
    assert_eq!(
        outcome(&send(&layer, None, &room_create("the old secret")).await),
        refused(RejectionKind::CredentialWrong)
    );
}

/// Keys are replaced while the body is on its way: the rules that saw the head see the body too.
#[tokio::test]
async fn a_request_has_the_same_rules_from_head_to_body() {
    let header = HeaderName::from_static("x-trunk-signature");
    let signer = trunk::Signer::new("the old secret").unwrap().header(header.clone());
    let (head, body) = signed(&signer, "/hooks", r#"{"Event":"Hangup"}"#).into_parts();

    let rules = Reloadable::new(Trunk::new("the old secret").unwrap().header(header.clone()));
    let marked = Arc::new(Mutex::new(None));
    let (seen, name) = (Arc::clone(&marked), header.clone());
    let service =
        WebhookLayer::new(rules.clone()).layer(service_fn(move |request: Request<Full<Bytes>>| {
            *seen.lock().unwrap() = Some(request.headers()[&name].is_sensitive());
            async { Ok::<_, Infallible>(Response::new(String::new())) }
        }));
    let (body, _) = Scripted::new([Step::Pending, Step::Data(body)]);
    let mut response = tokio_test::task::spawn(service.oneshot(Request::from_parts(head, body)));
    assert!(response.poll().is_pending());

    rules.replace(Trunk::new("the new secret").unwrap());
    assert_eq!(outcome(&response.await.unwrap()), ACCEPTED);
    assert_eq!(*marked.lock().unwrap(), Some(true));
}

/// What a provider says of itself is the same of its rules that are found or replaced.
fn stays<P: Provider>() {
    fn all<P: Provider>()
    -> (&'static str, &'static [&'static str], Option<&'static str>, usize, &'static [http::Method])
    {
        (P::NAME, P::CREDENTIALS, P::CHALLENGE, P::BODY_LIMIT, P::METHODS)
    }
    assert_eq!(all::<PerRequest<P>>(), all::<P>());
    assert_eq!(all::<Reloadable<P>>(), all::<P>());
    assert_eq!(all::<Reloadable<PerRequest<P>>>(), all::<P>());
}

#[test]
fn what_the_rules_say_of_themselves_stays() {
    stays::<Letterbox>();
    stays::<Zegocloud>();
    #[cfg(feature = "stardust")]
    stays::<tower_webhooks::stardust::Stardust>();
    #[cfg(feature = "geelark")]
    stays::<tower_webhooks::geelark::GeeLarkToken>();
    let rules = PerRequest::<Letterbox>::new();
    let mut request = paid().body(Bytes::new()).unwrap();
    assert_eq!(
        rules.verify(&request, SystemTime::now()).unwrap_err().kind(),
        RejectionKind::NoRules
    );
    request.extensions_mut().insert(Arc::new(Letterbox));
    assert!(rules.verify(&request, SystemTime::now()).is_ok());
    *request.method_mut() = http::Method::GET;
    assert_eq!(
        rules.verify(&request, SystemTime::now()).unwrap_err().kind(),
        RejectionKind::MethodNotAllowed
    );
    assert_eq!(format!("{rules:?}"), r#"PerRequest { provider: "letterbox", .. }"#);
}
