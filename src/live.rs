//! Rules that are found for each request, or replaced while requests run.

use crate::{Delivery, Provider, Rejection, RejectionKind};
use bytes::Bytes;
use http::{HeaderName, Method, request::Parts};
use std::{
    any::type_name,
    fmt,
    marker::PhantomData,
    sync::{Arc, PoisonError, RwLock},
    time::SystemTime,
};

/// Rules that an outer middleware finds for each request, such as a tenant's keys.
///
/// The middleware is your own. It runs outside the webhook layer, may query a database, and puts an
/// `Arc<P>` into the request's extensions. For an unknown tenant it passes the request on without
/// rules: the layer answers 404, [`NoRules`](RejectionKind::NoRules).
///
/// ```
/// use axum::{
///     Router,
///     body::Body,
///     extract::{Path, Request, State},
///     middleware::{Next, from_fn_with_state},
/// };
/// use axum::{response::Response, routing::post};
/// use bytes::Bytes;
/// use std::{collections::HashMap, sync::Arc, time::SystemTime};
/// use tower::ServiceExt;
/// use tower_webhooks::{
///     PerRequest, Signer as _, Verified, WebhookLayer,
///     zegocloud::{Event, Signer, Zegocloud},
/// };
///
/// type Tenants = Arc<HashMap<String, Arc<Zegocloud>>>;
///
/// async fn find_tenant(
///     State(tenants): State<Tenants>,
///     Path(name): Path<String>,
///     mut request: Request,
///     next: Next,
/// ) -> Response {
///     if let Some(rules) = tenants.get(&name) {
///         request.extensions_mut().insert(Arc::clone(rules));
///     }
///     next.run(request).await
/// }
///
/// async fn on_event(Path(tenant): Path<String>, event: Verified<Event>) -> String {
///     format!("{} for {tenant}", event.kind())
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let acme = Arc::new(Zegocloud::new("the secret of acme")?);
/// let tenants: Tenants = Arc::new(HashMap::from([("acme".to_owned(), acme)]));
/// let route = post(on_event)
///     .route_layer(WebhookLayer::new(PerRequest::<Zegocloud>::new()))
///     .route_layer(from_fn_with_state(tenants, find_tenant));
/// let app: Router = Router::new().route("/hooks/{tenant}", route);
///
/// let tries = [
///     ("acme", "the secret of acme", 200),
///     ("acme", "another", 401),
///     ("nobody", "x", 404),
/// ];
/// for (tenant, secret, status) in tries {
///     let body = Bytes::from(r#"{"event":"room_create"}"#);
///     let request = http::Request::post(format!("/hooks/{tenant}")).body(body)?;
///     let request = Signer::new(secret)?.sign(request, SystemTime::now());
///     assert_eq!(app.clone().oneshot(request.map(Body::from)).await?.status(), status);
/// }
/// # Ok(()) }
/// ```
///
/// One layer serves all tenants. The replay guard keeps them apart, because a MAC differs with the
/// key. Vobiz voice is the exception: its claims are identified by URL and nonce, so give each
/// tenant a path of its own.
///
/// The lookup runs before verification, so anybody can trigger it: cache its results as `Arc<P>`.
/// If the lookup fails, answer 503 in the middleware; passed on, the request would get the 404 of
/// an unknown tenant. Note that 404 and 401 together reveal which tenants exist.
///
/// The example `tenants` in the repository reads the keys from a file that changes.
pub struct PerRequest<P> {
    rules: PhantomData<fn() -> P>,
}

impl<P: Provider> PerRequest<P> {
    /// Creates rules that are read from each request's extensions.
    pub const fn new() -> Self {
        Self { rules: PhantomData }
    }

    fn rules(&self, head: &Parts) -> Result<Arc<P>, Rejection> {
        let rules = head.extensions.get::<Arc<P>>().cloned();
        rules.ok_or_else(|| {
            Rejection::new(RejectionKind::NoRules).with_detail(type_name::<Arc<P>>())
        })
    }
}

/// Rules that can be replaced while requests run: for keys that change without a restart.
///
/// Clones share the rules: give one to the layer and replace the rules through another. A request
/// is checked entirely by the rules that were current when it arrived.
///
/// ```
/// use bytes::Bytes;
/// use http::Request;
/// use std::time::SystemTime;
/// use tower_webhooks::{
///     Provider as _, Reloadable, Signer as _, WebhookLayer,
///     zegocloud::{Signer, Zegocloud},
/// };
///
/// let now = SystemTime::now();
/// let request =
///     Request::post("/zegocloud").body(Bytes::from(r#"{"event":"room_create"}"#))?;
/// let request = Signer::new("the new secret")?.sign(request, now);
///
/// let rules = Reloadable::new(Zegocloud::new("the old secret")?);
/// let layer = WebhookLayer::new(rules.clone());
/// assert!(rules.verify(&request, now).is_err());
///
/// rules.replace(Zegocloud::new("the new secret")?.also_accept("the old secret")?);
/// assert_eq!(rules.verify(&request, now)?.proof().key_index, 0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Reloadable<P> {
    rules: Arc<RwLock<Arc<P>>>,
}

impl<P: Provider> Reloadable<P> {
    /// Creates replaceable rules, starting with `rules`.
    pub fn new(rules: P) -> Self {
        Self { rules: Arc::new(RwLock::new(Arc::new(rules))) }
    }

    /// Replaces the rules of all clones, for requests that arrive from now on.
    pub fn replace(&self, rules: P) {
        let rules = Arc::new(rules);
        // Drops the old rules after the lock is released.
        let _before = std::mem::replace(
            &mut *self.rules.write().unwrap_or_else(PoisonError::into_inner),
            rules,
        );
    }

    fn rules(&self, _: &Parts) -> Result<Arc<P>, Rejection> {
        Ok(Arc::clone(&self.rules.read().unwrap_or_else(PoisonError::into_inner)))
    }
}

/// `FromHead` carries the rules, so that head and body are checked by the same ones.
macro_rules! provider {
    ($($name:ident)*) => {
        $(
            impl<P: Provider> Provider for $name<P> {
                const NAME: &'static str = P::NAME;
                const CREDENTIALS: &'static [&'static str] = P::CREDENTIALS;
                const CHALLENGE: Option<&'static str> = P::CHALLENGE;
                const BODY_LIMIT: usize = P::BODY_LIMIT;
                const METHODS: &'static [Method] = P::METHODS;
                type FromHead = (Arc<P>, P::FromHead);
                type Event = P::Event;

                fn is_credential(
                    &self,
                    (rules, from_head): &Self::FromHead,
                    name: &HeaderName,
                ) -> bool {
                    rules.is_credential(from_head, name)
                }

                fn check_head(
                    &self,
                    head: &Parts,
                    now: SystemTime,
                ) -> Result<Self::FromHead, Rejection> {
                    let rules = self.rules(head)?;
                    let from_head = rules.check_head(head, now)?;
                    Ok((rules, from_head))
                }

                fn check_body(
                    &self,
                    (rules, from_head): Self::FromHead,
                    head: &Parts,
                    body: &Bytes,
                    now: SystemTime,
                ) -> Result<Delivery<P::Event>, Rejection> {
                    rules.check_body(from_head, head, body, now)
                }
            }

            impl<P: Provider> fmt::Debug for $name<P> {
                fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                    let mut debug = f.debug_struct(stringify!($name));
                    debug.field("provider", &P::NAME).finish_non_exhaustive()
                }
            }
        )*
    };
}

provider! { PerRequest Reloadable }

impl<P> Clone for PerRequest<P> {
    fn clone(&self) -> Self {
        Self { rules: PhantomData }
    }
}

impl<P: Provider> Default for PerRequest<P> {
    fn default() -> Self {
        Self::new()
    }
}

impl<P> Clone for Reloadable<P> {
    fn clone(&self) -> Self {
        Self { rules: Arc::clone(&self.rules) }
    }
}
