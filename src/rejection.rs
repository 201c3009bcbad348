//! Why a request was refused, for the response's extensions, logs and metrics.

use crate::Age;
use http::{HeaderValue, Method, Response, StatusCode, header};
use std::{error::Error, fmt, sync::Arc, time::Duration};

/// Why a request was refused.
///
/// The layer answers with its status and an empty body, and puts it into the response's extensions.
/// An outer layer can add a body in your API's format:
///
/// ```
/// use axum::{Router, body::Body, http::{HeaderValue, Response, header}, routing::post};
/// use tower::util::MapResponseLayer;
/// use tower_webhooks::{Rejection, WebhookLayer, zegocloud::Zegocloud};
///
/// fn in_json(mut response: Response<Body>) -> Response<Body> {
///     if let Some(rejection) = response.extensions().get::<Rejection>() {
///         let json = serde_json::json!({ "status": rejection.status().as_u16() }).to_string();
///         let content_type = HeaderValue::from_static("application/json");
///         response.headers_mut().insert(header::CONTENT_TYPE, content_type);
///         response.headers_mut().remove(header::CONTENT_LENGTH);
///         *response.body_mut() = Body::from(json);
///     }
///     response
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), tower_webhooks::ConfigError> {
/// let webhooks = WebhookLayer::new(Zegocloud::new("a callback secret")?);
/// let app = Router::new().route(
///     "/zegocloud",
///     post(async || "ok").layer((MapResponseLayer::new(in_json), webhooks)),
/// );
///
/// # use tower::ServiceExt;
/// let unsigned = http::Request::post("/zegocloud").body(Body::from("{}")).unwrap();
/// let response = app.oneshot(unsigned).await.unwrap();
/// assert_eq!(response.status(), 401);
/// let body = axum::body::to_bytes(response.into_body(), 1024).await.unwrap();
/// assert_eq!(body, r#"{"status":401}"#);
/// # Ok(()) }
/// ```
///
/// `Display` and `Debug` contain nothing from the request. [`source`](Error::source) may quote a
/// payload that did not parse: keep it out of logs.
#[derive(Clone)]
pub struct Rejection {
    kind: RejectionKind,
    detail: Option<&'static str>,
    provider: Option<&'static str>,
    age: Option<Age>,
    retry_after: Option<Duration>,
    source: Option<Arc<dyn Error + Send + Sync>>,
    is_news: bool,
}

impl Rejection {
    /// Creates a rejection of this kind.
    pub const fn new(kind: RejectionKind) -> Self {
        Self {
            kind,
            detail: None,
            provider: None,
            age: None,
            retry_after: None,
            source: None,
            is_news: true,
        }
    }

    /// Adds what exactly was wrong, without text from the request: `"nonce: not 20 digits"`.
    #[must_use]
    pub const fn with_detail(mut self, detail: &'static str) -> Self {
        self.detail = Some(detail);
        self
    }

    /// Adds the age of the signed time; [`Window::check`](crate::Window::check) already does.
    #[must_use]
    pub const fn with_age(mut self, age: Option<Age>) -> Self {
        self.age = age;
        self
    }

    /// Adds the underlying error, such as serde's.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.source = Some(source.into().into());
        self
    }

    /// Adds a `Retry-After` header, in whole seconds, rounded up.
    #[must_use]
    pub const fn with_retry_after(mut self, after: Duration) -> Self {
        self.retry_after = Some(after);
        self
    }

    /// Which check failed.
    pub const fn kind(&self) -> RejectionKind {
        self.kind
    }

    /// The status of the response.
    pub const fn status(&self) -> StatusCode {
        self.kind.status()
    }

    /// What exactly was wrong, if the check says more than its kind.
    pub const fn detail(&self) -> Option<&'static str> {
        self.detail
    }

    /// The provider's [`NAME`](crate::Provider::NAME), once a layer or
    /// [`Provider::verify`](crate::Provider::verify) has refused the request.
    pub const fn provider(&self) -> Option<&'static str> {
        self.provider
    }

    /// The age of a [`Stale`](RejectionKind::Stale) request's signed time, by the local clock.
    ///
    /// If all requests of a sender are refused with nearly the same age, a clock is wrong, most
    /// likely the local one.
    pub const fn age(&self) -> Option<Age> {
        self.age
    }

    pub(crate) fn of(mut self, provider: &'static str) -> Self {
        self.provider = Some(provider);
        self
    }

    /// Sets whether it is the first of its kind for a while; others are logged at `DEBUG`.
    pub(crate) fn with_news(mut self, is_news: bool) -> Self {
        self.is_news = is_news;
        self
    }

    #[cfg_attr(not(feature = "tracing"), allow(dead_code, reason = "only lines have a level"))]
    pub(crate) fn is_news(&self) -> bool {
        self.is_news
    }

    pub(crate) fn into_response<B: Default>(
        self,
        methods: &[Method],
        challenge: Option<&'static str>,
    ) -> Response<B> {
        let mut response = Response::new(B::default());
        *response.status_mut() = self.status();
        // On every kind of 401: a header on only some of them would tell them apart.
        if let (StatusCode::UNAUTHORIZED, Some(Ok(challenge))) =
            (self.status(), challenge.map(HeaderValue::from_str))
        {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
        }
        if self.kind == RejectionKind::MethodNotAllowed {
            let allow = methods.iter().map(Method::as_str).collect::<Vec<_>>().join(", ");
            if let Ok(allow) = HeaderValue::try_from(allow) {
                response.headers_mut().insert(header::ALLOW, allow);
            }
        }
        if let Some(after) = self.retry_after {
            let seconds = after.as_secs().saturating_add(u64::from(after.subsec_nanos() > 0));
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds.max(1)));
        }
        response.extensions_mut().insert(self);
        response
    }
}

impl fmt::Debug for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Without the source, which may quote the payload.
        f.debug_struct("Rejection")
            .field("kind", &self.kind)
            .field("detail", &self.detail)
            .finish_non_exhaustive()
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind.describe())?;
        match self.detail {
            Some(detail) => write!(f, ": {detail}"),
            None => Ok(()),
        }
    }
}

impl Error for Rejection {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

macro_rules! kinds {
    ($($(#[$meta:meta])* $name:ident = $status:ident, $label:literal, $sentence:literal;)*) => {
        /// Which check refused the request.
        ///
        /// To the sender all authentication failures are the same 401; the kind is for the
        /// receiver only.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum RejectionKind {
            $($(#[$meta])* $name,)*
        }

        impl RejectionKind {
            /// Every kind, in the order of the checks.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// The status with which the layer answers.
            pub const fn status(self) -> StatusCode {
                match self { $(Self::$name => StatusCode::$status,)* }
            }

            /// A fixed name in snake_case, for logs and metric labels.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $label,)* }
            }

            const fn describe(self) -> &'static str {
                match self { $(Self::$name => $sentence,)* }
            }
        }
    };
}

kinds! {
    /// 500: a layer for the same event type has already accepted this request.
    AppliedTwice = INTERNAL_SERVER_ERROR, "applied_twice", "the webhook layer is applied twice to this route";
    /// 405, with `Allow`.
    MethodNotAllowed = METHOD_NOT_ALLOWED, "method_not_allowed", "the method is not one that the provider uses";
    /// 404: the request's extensions hold no rules: see [`PerRequest`](crate::PerRequest).
    NoRules = NOT_FOUND, "no_rules", "the request's extensions do not hold the rules";
    /// 401: a credential is absent.
    CredentialMissing = UNAUTHORIZED, "credential_missing", "a credential is missing";
    /// 401: a credential is not of the documented form, or occurs more than once.
    CredentialMalformed = UNAUTHORIZED, "credential_malformed", "a credential is malformed";
    /// 401: a credential is well formed, but no configured key matches.
    CredentialWrong = UNAUTHORIZED, "credential_wrong", "the credential is wrong";
    /// 401: correctly signed, but outside the [`Window`](crate::Window).
    Stale = UNAUTHORIZED, "stale", "the signed timestamp is outside the window";
    /// 415: the body is compressed.
    UnsupportedContentEncoding = UNSUPPORTED_MEDIA_TYPE, "unsupported_content_encoding", "the body is compressed";
    /// 413: the declared or actual length is above the limit.
    BodyTooLarge = PAYLOAD_TOO_LARGE, "body_too_large", "the body is larger than the limit";
    /// 408: the body did not arrive in time.
    ReadTimeout = REQUEST_TIMEOUT, "read_timeout", "the body did not arrive in time";
    /// 503, with `Retry-After`: too many bytes of unverified bodies are held already.
    ReadBudget = SERVICE_UNAVAILABLE, "read_budget", "too many bytes are being read";
    /// 400: reading the body failed.
    BodyUnreadable = BAD_REQUEST, "body_unreadable", "the body could not be read";
    /// 400: the body holds the credentials and cannot be parsed. An authentic request is delivered
    /// whatever its shape: a provider of your own needs an event for what it cannot parse.
    Invalid = BAD_REQUEST, "invalid", "the body could not be parsed";
    /// 409: the signature was used before, with other content.
    Conflict = CONFLICT, "conflict", "the signature belongs to other content";
    /// 409, with `Retry-After`: the same delivery is being handled.
    InFlight = CONFLICT, "in_flight", "the same delivery is being handled";
    /// 503, with `Retry-After`: too many contents share the signature. Other signatures are not
    /// affected.
    TooManyContents = SERVICE_UNAVAILABLE, "too_many_contents", "too many contents share the signature";
    /// 503, with `Retry-After`: the replay store is full of claims that have not expired.
    StoreFull = SERVICE_UNAVAILABLE, "store_full", "the replay store is full";
    /// 503, with `Retry-After`: the shared replay store is unavailable, or has no turn for the
    /// claim.
    StoreUnavailable = SERVICE_UNAVAILABLE, "store_unavailable", "the replay store is unavailable";
}

impl fmt::Display for RejectionKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl From<serde_json::Error> for Rejection {
    /// [`RejectionKind::Invalid`], with serde's message, line and column as the source.
    fn from(error: serde_json::Error) -> Self {
        Self::new(RejectionKind::Invalid).with_source(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attack_every_authentication_failure_looks_the_same() {
        for challenge in [None, Some("Bearer")] {
            let unauthorized = RejectionKind::ALL.iter().filter(|kind| kind.status() == 401);
            let answers: Vec<_> = unauthorized
                .map(|kind| {
                    let rejection = Rejection::new(*kind).with_detail("x");
                    let response: Response<String> =
                        rejection.into_response(&[Method::POST], challenge);
                    (response.status(), response.headers().clone(), response.into_body())
                })
                .collect();
            assert!(answers.len() >= 4);
            assert!(answers.windows(2).all(|pair| pair[0] == pair[1]));
            let (_, headers, body) = &answers[0];
            assert_eq!(
                headers.get(header::WWW_AUTHENTICATE).map(HeaderValue::as_bytes),
                challenge.map(str::as_bytes)
            );
            assert!(headers.len() == usize::from(challenge.is_some()) && body.is_empty());
        }
    }

    #[test]
    fn attack_neither_form_of_it_quotes_the_payload() {
        let error = serde_json::from_str::<u64>("\"a customer's name\"").unwrap_err();
        let rejection = Rejection::from(error).with_detail("not a number");
        assert!(rejection.source().unwrap().to_string().contains("customer"));
        let shown = format!("{rejection} {rejection:?} {rejection:#?}");
        assert!(shown.contains("not a number") && !shown.contains("customer"), "{shown}");
    }

    #[test]
    fn headers_of_refusals() {
        let response: Response<String> = Rejection::new(RejectionKind::MethodNotAllowed)
            .into_response(&[Method::GET, Method::POST], Some("Bearer"));
        assert_eq!(response.headers()[header::ALLOW], "GET, POST");
        assert!(!response.headers().contains_key(header::WWW_AUTHENTICATE));
        let rejection =
            Rejection::new(RejectionKind::ReadBudget).with_retry_after(Duration::from_millis(1200));
        let response: Response<String> = rejection.into_response(&[], None);
        assert_eq!(response.headers()[header::RETRY_AFTER], "2");
        assert_eq!(
            response.extensions().get::<Rejection>().unwrap().kind(),
            RejectionKind::ReadBudget
        );
    }
}
