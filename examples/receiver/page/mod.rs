//! The page that shows deliveries and refusals as they come.
//!
//! It shows payloads, so it is for this machine alone unless `RECEIVER_PAGE=1`: it is served only
//! if the receiver listens on a loopback address, and only to requests that name such an address
//! and have no header of a proxy.

pub use self::watch::Note;

use self::{journal::Journal, watch::Watch};
use crate::{output::say, vars::variable};
use axum::{
    Router,
    extract::{Path, Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri, header, uri::Authority},
    middleware::{self, Next},
    response::{Html, IntoResponse, Response, Sse, sse::KeepAlive},
    routing::get,
};
use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use sha2::{Digest, Sha256};
use std::{
    error::Error,
    net::{IpAddr, SocketAddr},
    sync::Arc,
};
use tower_webhooks::Provider;

mod copy;
mod journal;
mod redact;
mod watch;

/// The page; empty if it is not served, so that nothing is kept either.
pub struct Page {
    served: Option<Served>,
}

struct Served {
    journal: Arc<Journal>,
    watch: Watch,
    audience: Audience,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Audience {
    ThisMachine,
    Everybody,
}

impl Page {
    /// Decides from `RECEIVER_PAGE` and the address that the receiver listens on.
    pub fn from_env(addr: SocketAddr) -> Result<Self, Box<dyn Error>> {
        let audience = match variable("RECEIVER_PAGE")?.as_deref() {
            Some("1") => Some(Audience::Everybody),
            Some("0") => None,
            Some(_) => return Err("RECEIVER_PAGE: neither 0 nor 1".into()),
            None => addr.ip().is_loopback().then_some(Audience::ThisMachine),
        };
        if audience == Some(Audience::Everybody) && !addr.ip().is_loopback() {
            say(format_args!(
                "warning: RECEIVER_PAGE=1: whoever reaches {addr} can read the payloads"
            ));
        }
        Ok(Self {
            served: audience.map(|audience| {
                let journal = Arc::new(Journal::new());
                Served { watch: Watch::new(Arc::clone(&journal)), journal, audience }
            }),
        })
    }

    /// Strikes out this provider's credentials in the headers of all requests.
    pub fn strike_out<P: Provider>(&mut self) {
        if let Some(served) = &mut self.served {
            served.watch.strike_out::<P>();
        }
    }

    /// Shows the requests to this provider's route on the page.
    pub fn show<P: Provider>(&mut self, route: &str) {
        if let Some(served) = &mut self.served {
            served.watch.add::<P>(route);
        }
    }

    /// Adds the page to an application that has all its webhook routes.
    pub fn mount(&self, app: Router) -> Router {
        let Some(Served { journal, watch, audience }) = &self.served else { return app };
        let page = Router::new()
            .route("/", get(page))
            .route("/events", get(events))
            .route("/events/{id}", get(event))
            .route_layer(middleware::from_fn_with_state(*audience, guard))
            .with_state(Arc::clone(journal));
        app.layer(middleware::from_fn_with_state(Arc::new(watch.clone()), watch::watch)).merge(page)
    }

    /// Ends the event streams of open pages, which a shutdown would wait for.
    pub fn close(&self) {
        if let Some(served) = &self.served {
            served.journal.close();
        }
    }
}

async fn page() -> Response {
    let policy = format!(
        "default-src 'none'; script-src 'sha256-{}'; style-src 'sha256-{}'; connect-src 'self'; \
         base-uri 'none'; \
         form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; \
         trusted-types 'none'",
        hash_of("script"),
        hash_of("style"),
    );
    ([(header::CONTENT_SECURITY_POLICY, policy)], Html(PAGE)).into_response()
}

/// The hash of the page's `script` or `style`, which its policy allows.
fn hash_of(element: &str) -> String {
    let text = PAGE
        .split_once(&format!("<{element}>"))
        .and_then(|(_, rest)| rest.split_once(&format!("</{element}>")));
    BASE64.encode(Sha256::digest(text.map(|(text, _)| text).unwrap_or_default()))
}

async fn events(State(journal): State<Arc<Journal>>, headers: HeaderMap) -> Response {
    let last = headers.get("last-event-id").and_then(|id| id.to_str().ok());
    Sse::new(journal.follow(last)).keep_alive(KeepAlive::default()).into_response()
}

async fn event(State(journal): State<Arc<Journal>>, Path(id): Path<u64>) -> Response {
    match journal.detail(id) {
        Some(json) => ([(header::CONTENT_TYPE, "application/json")], json).into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

async fn guard(State(audience): State<Audience>, request: Request, next: Next) -> Response {
    if audience == Audience::ThisMachine && !is_of_this_machine(request.uri(), request.headers()) {
        return StatusCode::NOT_FOUND.into_response();
    }
    let mut response = next.run(request).await;
    for (name, value) in HEADERS {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

/// A loopback peer is not enough. Strangers who come through a tunnel or proxy on this machine have
/// one too, but the proxy adds a header or leaves its public name in `Host`. A foreign web page can
/// make its own name resolve to a loopback address, but then that name is in `Host`.
fn is_of_this_machine(uri: &Uri, headers: &HeaderMap) -> bool {
    if PASSED_ON.iter().any(|name| headers.contains_key(*name)) {
        return false;
    }
    // HTTP/2 has the authority in the URI.
    let named =
        headers.get_all(header::HOST).iter().map(|host| Authority::try_from(host.as_bytes()).ok());
    let mut named = named.chain(uri.authority().cloned().map(Some)).peekable();
    named.peek().is_some()
        && named.all(|authority| authority.is_some_and(|authority| is_loopback(authority.host())))
}

fn is_loopback(host: &str) -> bool {
    let address = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    host.eq_ignore_ascii_case("localhost")
        || address.parse().is_ok_and(|address: IpAddr| address.is_loopback())
}

const PAGE: &str = include_str!("page.html");

const HEADERS: [(HeaderName, &str); 4] = [
    (header::CACHE_CONTROL, "no-store"),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
];

const PASSED_ON: [&str; 6] =
    ["forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip"];
