//! Measures whether the time of a refusal tells how much of a forged credential is right.
//!
//! For each comparison of a secret, requests of two classes come in random order: the credential is
//! wrong from its first character on, or only in its last one. Welch's t over the two classes
//! compares how long the refusals took, once for each of several shares of the fastest samples
//! (other load on the machine only makes calls slower). Below |t| = 4.5 these samples show no
//! difference. A comparison that stops at the first difference is the control: it shows that the
//! measurement would find one.
//!
//! `scripts/timing` runs it; an argument is the number of samples in thousands.

use bytes::Bytes;
use http::{HeaderValue, Request, header, request::Parts};
use std::{
    hint::black_box,
    process::ExitCode,
    time::{Instant, SystemTime},
};
use tower_webhooks::{
    Content, Covers, Delivery, Identity, Proof, Provider, Rejection, RejectionKind, Signer,
    exactly_one,
    geelark::{self, GeeLark, GeeLarkToken},
    stardust::{self, Stardust, StardustKeyOnly},
    vobiz::{
        campaign::{self, Campaign},
        kyc::{self, Kyc},
        ndnc::{self, Ndnc},
        trunk::{self, Trunk},
        voice::{self, Voice},
        whatsapp::{self, Whatsapp},
    },
    zegocloud::{self, Zegocloud},
};

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    // `cargo test --benches` runs this file too.
    if !std::env::args().any(|argument| argument == "--bench") {
        return ExitCode::SUCCESS;
    }
    let thousands = arguments.find_map(|argument| argument.parse().ok()).unwrap_or(1000);
    let now = SystemTime::now();
    println!("| comparison | samples | largest absolute t | |\n| --- | --: | --: | --- |");
    let mut is_right = true;
    for case in cases(now) {
        // A program that happens to run beside one class more than beside the other looks like a
        // difference, but not in most tries. The median is what a real difference would be.
        let mut tries = [(); TRIES].map(|()| case.t(thousands));
        tries.sort_by(f64::total_cmp);
        let t = tries[TRIES / 2];
        let is_expected = if case.stops_early { t > FLAGGED } else { t < BOUND };
        is_right &= is_expected;
        let verdict = if is_expected { "" } else { "**not as it must be**" };
        println!("| {} | {} | {t:.1} | {verdict} |", case.name, thousands * 1000);
    }
    if is_right { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn cases(now: SystemTime) -> Vec<Case> {
    let header = |name: &'static str, skip: usize| {
        move |request: &Request<Bytes>, from_end: bool| {
            let mut request = request.clone();
            let mut value = request.headers()[name].as_bytes().to_vec();
            // The last characters of base64 are padding and carry only some bits.
            let at = if from_end {
                value.len() - skip
            } else {
                value
                    .iter()
                    .rposition(|byte| b" =".contains(byte) && skip == 1)
                    .map_or(0, |at| at + 1)
            };
            value[at] = another(value[at]);
            request.headers_mut().insert(name, HeaderValue::from_bytes(&value).unwrap());
            request
        }
    };
    let signature = |request: &Request<Bytes>, from_end: bool| {
        let mut body = request.body().to_vec();
        let text = String::from_utf8(body.clone()).unwrap();
        let start = text.find(r#""signature":""#).unwrap() + r#""signature":""#.len();
        let at = if from_end { start + 39 } else { start };
        body[at] = another(body[at]);
        request.clone().map(|_| body.into())
    };
    vec![
        Case::new(
            "stops at the first difference (control)",
            true,
            now,
            Early,
            &Early,
            &header("x-token", 1),
        ),
        Case::new(
            "GeeLark's sign",
            false,
            now,
            GeeLark::new("app", KEY).unwrap(),
            &geelark::Signer::new("app", KEY).unwrap(),
            &header("sign", 1),
        ),
        Case::new(
            "GeeLark's sign, two keys",
            false,
            now,
            GeeLark::new("app", OTHER_KEY).unwrap().also_accept("app", KEY).unwrap(),
            &geelark::Signer::new("app", KEY).unwrap(),
            &header("sign", 1),
        ),
        Case::new(
            "GeeLark's token",
            false,
            now,
            GeeLarkToken::new(KEY).unwrap(),
            &geelark::TokenSigner::new(KEY).unwrap(),
            &header("authorization", 1),
        ),
        Case::new(
            "Stardust's X-Sign",
            false,
            now,
            Stardust::new("key", KEY).unwrap(),
            &stardust::Signer::new("key", KEY).unwrap(),
            &header("x-sign", 1),
        ),
        Case::new(
            "Stardust's AccessKey ID",
            false,
            now,
            StardustKeyOnly::new(KEY).unwrap(),
            &stardust::KeyOnlySigner::new(KEY).unwrap(),
            &header("x-stardust-key", 1),
        ),
        Case::new(
            "Vobiz voice's signature",
            false,
            now,
            Voice::new(KEY, ORIGIN).unwrap(),
            &voice::Signer::new(KEY, ORIGIN).unwrap(),
            &header("x-vobiz-signature-v3", 3),
        ),
        Case::new(
            "Vobiz kyc's signature",
            false,
            now,
            Kyc::new(KEY).unwrap(),
            &kyc::Signer::new(KEY).unwrap(),
            &header("x-vobiz-signature", 1),
        ),
        Case::new(
            "Vobiz kyc's signature, two keys",
            false,
            now,
            Kyc::new(OTHER_KEY).unwrap().also_accept(KEY).unwrap(),
            &kyc::Signer::new(KEY).unwrap(),
            &header("x-vobiz-signature", 1),
        ),
        Case::new(
            "Vobiz campaign's signature",
            false,
            now,
            Campaign::new(KEY).unwrap(),
            &campaign::Signer::new(KEY).unwrap(),
            &header("x-vobiz-signature", 1),
        ),
        Case::new(
            "Vobiz ndnc's signature",
            false,
            now,
            Ndnc::new(KEY).unwrap(),
            &ndnc::Signer::new(KEY).unwrap(),
            &header("x-vobiz-signature", 1),
        ),
        Case::new(
            "Vobiz trunk's signature",
            false,
            now,
            Trunk::new(KEY).unwrap(),
            &trunk::Signer::new(KEY).unwrap(),
            &header("x-vobiz-signature", 1),
        ),
        Case::new(
            "Vobiz WhatsApp's signature",
            false,
            now,
            Whatsapp::new(KEY).unwrap(),
            &whatsapp::Signer::new(KEY).unwrap(),
            &header("x-webhook-signature", 1),
        ),
        Case::new(
            "ZEGOCLOUD's signature",
            false,
            now,
            Zegocloud::new(KEY).unwrap(),
            &zegocloud::Signer::new(KEY).unwrap(),
            &signature,
        ),
        Case::new(
            "ZEGOCLOUD's signature, two secrets",
            false,
            now,
            Zegocloud::new(OTHER_KEY).unwrap().also_accept(KEY).unwrap(),
            &zegocloud::Signer::new(KEY).unwrap(),
            &signature,
        ),
    ]
}

/// Another digit, valid in hex and in base64. The case of a hex digit is no difference.
fn another(digit: u8) -> u8 {
    if digit.eq_ignore_ascii_case(&b'b') { b'c' } else { b'b' }
}

type Refuse = Box<dyn Fn(&Request<Bytes>) -> bool>;

struct Case {
    name: &'static str,
    stops_early: bool,
    /// One wrong from the first character on, one wrong only in the last.
    requests: [Request<Bytes>; 2],
    refuse: Refuse,
}

impl Case {
    fn new<P: Provider>(
        name: &'static str,
        stops_early: bool,
        now: SystemTime,
        provider: P,
        signer: &dyn Signer,
        spoil: &dyn Fn(&Request<Bytes>, bool) -> Request<Bytes>,
    ) -> Self {
        let genuine = Request::post("/hook").header(header::CONTENT_TYPE, "application/json");
        let genuine = signer.sign(
            genuine.body(Bytes::from_static(br#"{"event":"an event","type":6}"#)).unwrap(),
            now,
        );
        assert!(provider.verify(&genuine, now).is_ok(), "{name}");
        let requests = [false, true].map(|from_end| spoil(&genuine, from_end));
        for request in &requests {
            let refused = provider.verify(request, now).err().map(|rejection| rejection.kind());
            assert_eq!(refused, Some(RejectionKind::CredentialWrong), "{name}: {request:?}");
        }
        Self {
            name,
            stops_early,
            requests,
            refuse: Box::new(move |request| provider.verify(request, now).is_err()),
        }
    }

    /// The largest t of all shares.
    fn t(&self, thousands: usize) -> f64 {
        let mut samples: Vec<(u32, bool)> = Vec::with_capacity(thousands * 1000);
        for _ in 0..thousands {
            // Copies, so that neither class stays at one place in memory.
            let batch: Vec<_> = (0..1000)
                .map(|_| {
                    let class = fastrand::bool();
                    (copied(&self.requests[usize::from(class)]), class)
                })
                .collect();
            for (request, class) in &batch {
                let started = Instant::now();
                black_box((self.refuse)(black_box(request)));
                samples.push((started.elapsed().as_nanos().try_into().unwrap_or(u32::MAX), *class));
            }
        }
        samples.sort_unstable();
        let fastest = |percent: usize| {
            let (bound, _) = samples[samples.len() * percent / 100];
            // Samples equal to the bound are left out: the sort order would decide which of them
            // are in.
            &samples[..samples.partition_point(|(took, _)| *took < bound)]
        };
        let shares = [50, 75, 90, 99].map(fastest);
        shares.into_iter().chain([&samples[..]]).map(|share| welch(share).abs()).fold(0.0, f64::max)
    }
}

/// A clone shares the headers' values, so each class would read its own place in memory.
fn copied(request: &Request<Bytes>) -> Request<Bytes> {
    let mut copied = request.clone().map(|body| Bytes::copy_from_slice(&body));
    for value in copied.headers_mut().values_mut() {
        *value = HeaderValue::from_bytes(value.as_bytes()).unwrap();
    }
    copied
}

fn welch(samples: &[(u32, bool)]) -> f64 {
    let [a, b] = [false, true].map(|class| {
        let of_class = || {
            samples.iter().filter(move |sample| sample.1 == class).map(|sample| f64::from(sample.0))
        };
        let count = of_class().count() as f64;
        let mean = of_class().sum::<f64>() / count;
        let variance = of_class().map(|time| (time - mean).powi(2)).sum::<f64>() / (count - 1.0);
        (mean, variance / count)
    });
    (a.0 - b.0) / (a.1 + b.1).sqrt()
}

/// Compares a token as no code should: it stops at the first difference.
struct Early;

impl Provider for Early {
    const NAME: &'static str = "early";
    const CREDENTIALS: &'static [&'static str] = &["x-token"];
    type FromHead = ();
    type Event = ();

    fn check_head(&self, head: &Parts, _now: SystemTime) -> Result<(), Rejection> {
        let token = exactly_one(&head.headers, "x-token")?;
        for (presented, right) in token.bytes().zip(KEY.bytes()) {
            if black_box(presented) != right {
                return Err(Rejection::new(RejectionKind::CredentialWrong));
            }
        }
        Ok(())
    }

    fn check_body(
        &self,
        (): (),
        _: &Parts,
        _: &Bytes,
        _: SystemTime,
    ) -> Result<Delivery<()>, Rejection> {
        let identity = Some(Identity::new(&[], Content::Bound));
        Ok(Delivery::new(
            (),
            "event",
            Proof { covers: Covers::Nothing, key_index: 0, signed_at: None, identity },
        ))
    }
}

impl Signer for Early {
    fn sign(&self, mut request: Request<Bytes>, _now: SystemTime) -> Request<Bytes> {
        request.headers_mut().insert("x-token", HeaderValue::from_static(KEY));
        request
    }
}

const KEY: &str = "5f4dcc3b5aa765d61d8327deb882cf99";
const OTHER_KEY: &str = "0cc175b9c0f1b6a831c399e269772661";
const ORIGIN: &str = "https://hooks.example.com";
const BOUND: f64 = 4.5;
const FLAGGED: f64 = 50.0;
const TRIES: usize = 3;
