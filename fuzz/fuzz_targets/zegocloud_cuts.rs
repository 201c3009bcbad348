//! ZEGOCLOUD signs text without separators, so whoever splits it at other places finds another time
//! and another nonce for the same signature. None of these splits is a second identity while the
//! first one is remembered.

#![no_main]

use bytes::Bytes;
use http::request::Parts;
use libfuzzer_sys::fuzz_target;
use sha1::{Digest, Sha1};
use std::{
    fmt::Write as _,
    sync::LazyLock,
    time::{Duration, SystemTime},
};
use tower_webhooks::{
    Delivery, Identity, Provider, RejectionKind,
    zegocloud::{Event, Zegocloud},
};
use tower_webhooks_fuzz::Data;

fuzz_target!(|data: &[u8]| {
    let mut data = Data(data);
    let rules = &RULES[data.below(RULES.len())];
    let secret = data.of(rules.secrets);
    let base = data.of(STAMPS) + u64::from(data.byte());
    let timestamp = stamp(&mut data, base);
    let nonce = nonce(&mut data, base, secret);
    let text = hashed(secret, &timestamp, &nonce);
    let signature = sha1(&text);

    // The sender's own split, at any time at which it is fresh.
    let signed = if timestamp.len() == 10 { base * 1000 } else { base * 1000 + 7 };
    let first_at = at(signed.saturating_sub(60_000) + u64::from(data.byte()) * 1400);
    let Some(first) = verify(rules, &timestamp, &nonce, &signature, first_at) else { return };

    for other in rules.secrets {
        for stamp_len in [10, 13] {
            let Some(nonce_len) = text.len().checked_sub(other.len() + stamp_len) else { continue };
            for stamp_at in 0..=text.len() - stamp_len {
                let stamp = &text[stamp_at..stamp_at + stamp_len];
                // A cheap check first: most pieces are not digits.
                if !stamp.bytes().all(|byte| byte.is_ascii_digit()) {
                    continue;
                }
                let number: u64 = stamp.parse().unwrap();
                let fresh = if stamp_len == 10 { number * 1000 } else { number };
                for nonce_at in 0..=text.len() - nonce_len {
                    let nonce = &text[nonce_at..nonce_at + nonce_len];
                    if hashed(other, stamp, nonce) != text {
                        continue;
                    }
                    // Near both ends of this split's window, and as soon as the first claim is
                    // forgotten.
                    let forgotten = first.valid_until().unwrap();
                    for now in [
                        at(fresh.saturating_sub(59_000)),
                        at(fresh),
                        at(fresh + 299_999),
                        forgotten,
                    ] {
                        if now < first_at || now > first_at + FARTHEST {
                            continue;
                        }
                        if let Some(second) = verify(rules, stamp, nonce, &signature, now) {
                            assert!(now < forgotten, "{stamp} {nonce} of {text} is accepted again");
                            assert_eq!(
                                second.digest(),
                                first.digest(),
                                "{stamp} {nonce} of {text}"
                            );
                            assert_eq!(
                                second.content(),
                                first.content(),
                                "{stamp} {nonce} of {text}"
                            );
                        }
                    }
                }
            }
        }
    }
});

fn verify(
    rules: &Rules,
    timestamp: &str,
    nonce: &str,
    signature: &str,
    now: SystemTime,
) -> Option<Identity> {
    let mut body = String::with_capacity(160);
    write!(body, r#"{{"timestamp":"{timestamp}","nonce":"{nonce}","signature":"{signature}"}}"#)
        .unwrap();
    let delivery: Result<Delivery<Event>, _> =
        rules.provider.check_body((), &HEAD, &Bytes::from(body), now);
    match delivery {
        Ok(delivery) => delivery.proof().identity.clone(),
        Err(rejection) => {
            // A right signature is refused only for its age, or because the nonce is malformed.
            let kind = rejection.kind();
            let refused = matches!(kind, RejectionKind::Stale | RejectionKind::CredentialMalformed);
            assert!(refused, "{kind:?}: {timestamp} {nonce}");
            None
        }
    }
}

fn hashed(secret: &str, timestamp: &str, nonce: &str) -> String {
    let mut parts = [secret, timestamp, nonce];
    parts.sort_unstable();
    parts.concat()
}

fn sha1(text: &str) -> String {
    let mut hex = String::with_capacity(40);
    Sha1::digest(text).iter().for_each(|byte| write!(hex, "{byte:02x}").unwrap());
    hex
}

fn at(millis: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_millis(millis)
}

struct Rules {
    secrets: &'static [&'static str],
    provider: Zegocloud,
}

fn stamp(data: &mut Data<'_>, seconds: u64) -> String {
    if data.byte() % 2 == 0 { seconds.to_string() } else { format!("{seconds}007") }
}

/// A nonce made of pieces of nearby times, of the secret, and of digits.
fn nonce(data: &mut Data<'_>, base: u64, secret: &str) -> String {
    let mut nonce = String::new();
    for _ in 0..=data.byte() % 4 {
        let piece = match data.byte() % 5 {
            0 => (base + u64::from(data.byte()) * 7).to_string(),
            1 => (base + u64::from(data.byte()) * 20_000).to_string(),
            2 => format!("{}{:03}", base + u64::from(data.byte()), data.byte()),
            3 => secret.chars().filter(char::is_ascii_alphanumeric).collect(),
            _ => char::from(data.of(b"0123456789abzAZ_-")).to_string(),
        };
        let from = data.below(piece.len());
        let till = (from + 1 + data.below(14)).min(piece.len());
        nonce.push_str(&piece[from..till]);
    }
    nonce
}

static RULES: LazyLock<Vec<Rules>> = LazyLock::new(|| {
    let all: &[&[&str]] = &[
        &["a callback secret"],
        &["1700000000"],
        &["17"],
        &["1"],
        &["0a1b2c3d4e5f60718293a4b5c6d7e8f9"],
        &["1699999999", "1700000000"],
        &["1", "17", "170"],
        &["99"],
        &["secret", "secret1700000000"],
        &["0"],
    ];
    let rules = |secrets: &'static [&'static str], separate: bool| {
        let first = Zegocloud::new(secrets[0]).unwrap();
        let all =
            secrets[1..].iter().fold(first, |rules, secret| rules.also_accept(secret).unwrap());
        Rules { secrets, provider: if separate { all.separate_short_nonces() } else { all } }
    };
    all.iter().flat_map(|secrets| [rules(secrets, false), rules(secrets, true)]).collect()
});
static HEAD: LazyLock<Parts> = LazyLock::new(|| http::Request::new(()).into_parts().0);

const STAMPS: &[u64] =
    &[1_700_000_000, 1_711_111_000, 1_170_000_000, 1_699_999_900, 9_999_999_000, 1_000_000_000];
/// For so long no split is accepted again.
const FARTHEST: Duration = Duration::from_secs(30 * 24 * 60 * 60);
