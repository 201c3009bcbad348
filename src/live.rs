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

/// Rules that an outer middleware finds for each request, such as a tenant's keys: it puts an
/// `Arc<P>` into the request's extensions.
///
/// The middleware is the application's own. It may wait for a database, and it is outside of the
/// webhook layer. A request without rules is a 404, [`NoRules`](RejectionKind::NoRules): so the
/// middleware passes an unknown tenant on.
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
/// One layer serves all tenants. What a signature proves is a tenant's own: its keys are part of
/// what the replay guard remembers. Vobiz voice is the exception, whose claims are named by URL and
/// nonce: give each tenant a path of its own.
///
/// The lookup runs before anything is verified, and strangers can cause it: keep what it finds, the
/// made `Arc<P>` with it. A lookup that fails is answered by the middleware, with a 503: passed on,
/// an outage would be a 404, and some senders never send again. A 404 beside a 401 also tells which
/// tenants there are.
///
/// The example `tenants` in the repository reads the keys from a file that changes.
pub struct PerRequest<P> {
    rules: PhantomData<fn() -> P>,
}

impl<P: Provider> PerRequest<P> {
    /// Rules from each request's extensions.
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
/// Clones share the rules: one goes into the layer, another stays with whoever learns of new keys.
/// A request is checked to its end by the rules that were there when it came.
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
    /// Takes the first rules.
    pub fn new(rules: P) -> Self {
        Self { rules: Arc::new(RwLock::new(Arc::new(rules))) }
    }

    /// Checks by these rules from now on, in all clones.
    pub fn replace(&self, rules: P) {
        let rules = Arc::new(rules);
        // The old ones are dropped after the lock.
        let _before = std::mem::replace(
            &mut *self.rules.write().unwrap_or_else(PoisonError::into_inner),
            rules,
        );
    }

    /// The rules as they are now.
    pub fn current(&self) -> Arc<P> {
        Arc::clone(&self.rules.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn rules(&self, _: &Parts) -> Result<Arc<P>, Rejection> {
        Ok(self.current())
    }
}

/// The rules go from the head to the body: both are checked by the same, whatever happens in
/// between.
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
