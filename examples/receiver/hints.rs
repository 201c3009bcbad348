//! What to check first when requests are refused.

use tower_webhooks::{Rejection, RejectionKind};

pub fn first_look(rejection: &Rejection) -> String {
    let provider = rejection.provider().unwrap_or_default();
    let is_voice = provider == "vobiz.voice";
    let look_at = match rejection.kind() {
        RejectionKind::Stale => {
            return match rejection.age() {
                Some(age) if age.as_millis() < 0 => {
                    format!(
                        "the clock: it was signed {} ahead of this machine's",
                        age.to_string().trim_start_matches('-')
                    )
                }
                Some(age) => {
                    format!("the clock, or a retry under an old signature: it was signed {age} ago")
                }
                None => "the clock".to_owned(),
            };
        }
        RejectionKind::CredentialWrong if is_voice && cfg!(feature = "tracing") => {
            "the public URL (VOBIZ_PUBLIC_URL: RUST_LOG=tower_webhooks=debug shows the URL that \
             was signed here), then the auth token"
        }
        RejectionKind::CredentialWrong if is_voice => {
            "the public URL (VOBIZ_PUBLIC_URL: a receiver built with `--features tracing` shows \
             the URL that was signed here, with RUST_LOG=tower_webhooks=debug), then the auth token"
        }
        RejectionKind::CredentialWrong if provider.starts_with("vobiz.") => {
            "the secret, then the family: the same header means another key on another route"
        }
        RejectionKind::CredentialWrong => {
            "the secret: of this account, of this project, and newest?"
        }
        RejectionKind::CredentialMissing if is_voice => {
            "the callback's settings: Vobiz signs only if auth credentials are configured for its \
             URL"
        }
        RejectionKind::CredentialMissing
        | RejectionKind::CredentialMalformed
        | RejectionKind::Invalid => {
            "the family: is this route the one for what the sender sends, and is it the sender at \
             all?"
        }
        RejectionKind::MethodNotAllowed => "the method that is set at the provider",
        RejectionKind::UnsupportedContentEncoding => "a proxy that compresses",
        RejectionKind::BodyTooLarge => {
            "who sends it; a large group's `group_destroy` needs a higher `body_limit`"
        }
        RejectionKind::ReadTimeout | RejectionKind::BodyUnreadable => {
            "the network and the proxies on the way"
        }
        RejectionKind::ReadBudget => "who sends so much at once",
        RejectionKind::Conflict => {
            "who sends it: a replay with other content, or two honest events with one nonce"
        }
        RejectionKind::TooManyContents => {
            "who sends it: one signature came with 64 contents, most likely a captured one"
        }
        RejectionKind::InFlight => "how long the handler takes: the sender does not wait for it",
        RejectionKind::StoreFull => "how many deliveries are remembered, and for how long",
        RejectionKind::StoreUnavailable => "the replay store: REDIS_URL or POSTGRES_URL",
        _ => "the documentation of RejectionKind",
    };
    look_at.to_owned()
}
