//! What names a delivery: one for all attempts and repeats under a signature, another one for every
//! other.
#![cfg(all(feature = "geelark", feature = "stardust", feature = "vobiz", feature = "zegocloud"))]

use crate::support::{call, signed};
use bytes::Bytes;
use http::{Request, Response, StatusCode, request::Parts};
use http_body_util::Full;
use std::{
    convert::Infallible,
    sync::{Arc, Mutex},
    time::{Duration, SystemTime},
};
use tower::{Layer, service_fn};
use tower_webhooks::{
    Content, Covers, Delivery, DeliveryId, Identity, Proof, Provider, Rejection, Signer, Verified,
    WebhookLayer,
    geelark::{self, GeeLarkToken},
    replay::Duplicate,
    stardust::{self, Stardust},
    vobiz::{
        campaign::{self, Campaign},
        kyc::{self, Kyc},
    },
    zegocloud::{self, Zegocloud},
};

const SECRET: &str = "a secret of thirty-two characters";

type Seen = Arc<Mutex<Vec<Option<DeliveryId>>>>;

/// Sends the requests to one layer whose handler fails at first, and returns the ids that it saw,
/// then those of repeats.
async fn ids<P: Provider>(
    layer: WebhookLayer<P>,
    requests: &[&Request<Bytes>],
) -> Vec<Option<DeliveryId>> {
    let seen = Seen::default();
    let handler = {
        let seen = Arc::clone(&seen);
        service_fn(move |request: Request<Full<Bytes>>| {
            let metadata = request.extensions().get::<Verified<P::Event>>().unwrap().metadata();
            seen.lock().unwrap().push(metadata.delivery_id);
            let status = if metadata.attempt == 1 {
                StatusCode::INTERNAL_SERVER_ERROR
            } else {
                StatusCode::OK
            };
            async move {
                Ok::<_, Infallible>(Response::builder().status(status).body(String::new()).unwrap())
            }
        })
    };
    let service = layer.layer(handler);
    for request in requests {
        let response = call(&service, request).await;
        if let Some(Duplicate { delivery_id, .. }) = response.extensions().get() {
            seen.lock().unwrap().push(*delivery_id);
        }
    }
    Arc::try_unwrap(seen)
        .map_or_else(|seen| seen.lock().unwrap().clone(), |seen| seen.into_inner().unwrap())
}

fn post(body: &'static str) -> Request<Bytes> {
    Request::post("/").body(Bytes::from_static(body.as_bytes())).unwrap()
}

fn zegocloud() -> WebhookLayer<Zegocloud> {
    WebhookLayer::new(Zegocloud::new(SECRET).unwrap())
}

#[tokio::test]
async fn every_attempt_and_every_repeat_has_the_same() {
    let sign = |body, age| {
        let at = SystemTime::now() - Duration::from_secs(age);
        zegocloud::Signer::new(SECRET).unwrap().sign(post(body), at)
    };
    let first = sign(r#"{"event":"room_create","room_id":"a"}"#, 0);
    let anew = sign(r#"{"event":"room_create","room_id":"a"}"#, 1);
    let guarded = ids(zegocloud(), &[&first, &first, &first, &anew]).await;
    assert_eq!(guarded.len(), 4, "two attempts, a repeat, and another delivery");
    assert!(guarded[0].is_some());
    assert_eq!(guarded[0], guarded[1]);
    assert_eq!(guarded[0], guarded[2], "on the repeat's answer as well");
    assert_ne!(guarded[0], guarded[3], "what is signed anew is another delivery");

    let unguarded = ids(zegocloud().dangerous_without_replay_guard(), &[&first, &anew]).await;
    assert_eq!(unguarded, [guarded[0], guarded[3]], "the guard makes no difference");
}

#[tokio::test]
async fn contents_that_may_share_a_signature_do_not_share_it() {
    let at = SystemTime::now();
    let sign = |body| stardust::Signer::new("an access key", SECRET).unwrap().sign(post(body), at);
    let layer = || WebhookLayer::new(Stardust::new("an access key", SECRET).unwrap());
    let (a, b) = (
        sign(r#"{"taskId":"a","status":"completed"}"#),
        sign(r#"{"taskId":"b","status":"completed"}"#),
    );
    let guarded = ids(layer(), &[&a, &b, &a]).await;
    assert!(guarded.iter().all(Option::is_some));
    assert_ne!(guarded[0], guarded[1]);
    assert_eq!(guarded[0], guarded[2]);
    assert_eq!(ids(layer().dangerous_without_replay_guard(), &[&a, &b]).await, guarded[..2]);
}

/// Accepts everything under one signature that many deliveries share, as the name in a header.
struct Shared;

impl Provider for Shared {
    const NAME: &'static str = "shared";
    const CREDENTIALS: &'static [&'static str] = &[];
    type FromHead = ();
    type Event = ();

    fn check_head(&self, _head: &Parts, _now: SystemTime) -> Result<(), Rejection> {
        Ok(())
    }

    fn check_body(
        &self,
        (): (),
        head: &Parts,
        _body: &Bytes,
        _now: SystemTime,
    ) -> Result<Delivery<()>, Rejection> {
        let identity =
            Identity::new(&[b"a MAC"], Content::Part).with_unsigned(&head.headers["x-name"]);
        let proof = Proof {
            covers: Covers::Nothing,
            key_index: 0,
            signed_at: None,
            identity: Some(identity),
        };
        Ok(Delivery::new((), "shared", proof))
    }
}

#[tokio::test]
async fn what_nobody_signs_tells_deliveries_of_one_signature_apart() {
    let named = |name| Request::post("/").header("x-name", name).body(Bytes::new()).unwrap();
    let (a, b) = (named("a"), named("b"));
    let guarded = ids(WebhookLayer::new(Shared), &[&a, &b, &a]).await;
    assert_ne!(guarded[0], guarded[1]);
    assert_eq!(guarded[0], guarded[2]);
    let unguarded = WebhookLayer::new(Shared).dangerous_without_replay_guard();
    assert_eq!(ids(unguarded, &[&a, &b]).await, guarded[..2]);
}

#[tokio::test]
async fn providers_and_keys_keep_apart() {
    let body = r#"{"event":"campaign.started","account_id":"MA_TEST"}"#;
    let signer = |secret| campaign::Signer::new(secret).unwrap();
    let campaign = |secret| WebhookLayer::new(Campaign::new(secret).unwrap());
    let one = ids(campaign(SECRET), &[&signed(&signer(SECRET), "/", body)]).await;
    let other = ids(campaign("another"), &[&signed(&signer("another"), "/", body)]).await;
    assert_ne!(one, other);
    // The same signature in another family's header is not the same delivery.
    let layer = WebhookLayer::new(Kyc::new(SECRET).unwrap());
    let kyc = ids(layer, &[&signed(&kyc::Signer::new(SECRET).unwrap(), "/", body)]).await;
    assert!(kyc[0].is_some());
    assert_ne!(one, kyc);
}

#[tokio::test]
async fn a_bearer_token_names_nothing() {
    let signer = geelark::TokenSigner::new("a token").unwrap();
    let request = signed(&signer, "/", r#"{"callbackType":1}"#);
    let layer = WebhookLayer::new(GeeLarkToken::new("a token").unwrap());
    assert_eq!(ids(layer, &[&request]).await, [None]);
}

#[tokio::test]
async fn it_is_written_in_hexadecimal_digits() {
    let request = signed(&zegocloud::Signer::new(SECRET).unwrap(), "/", r#"{"event":"x"}"#);
    let id = ids(zegocloud(), &[&request]).await[0].unwrap();
    let digits = id.to_string();
    assert_eq!(digits, hex::encode(id));
    assert_eq!(serde_json::to_value(id).unwrap(), digits);
    assert_eq!(format!("{id:?}"), format!("DeliveryId({digits})"));
    assert_eq!(id.as_ref().len(), 16);
}
