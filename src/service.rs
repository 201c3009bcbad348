//! The service: it checks the head and leaves the rest to its future.

use crate::{
    Provider, Rejection, RejectionKind, Verified, future::ResponseFuture, provider::check_head,
    settings::Shared,
};
use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use http_body_util::Full;
use std::{
    error::Error,
    fmt,
    sync::Arc,
    task::{Context, Poll},
};
use tower_service::Service;

/// The service that a [`WebhookLayer`](crate::WebhookLayer) makes.
///
/// It is always ready: the inner service is made ready after a request was verified, so that
/// unauthenticated requests cannot hold its capacity. The inner service gets the request with the
/// whole body as [`Full<Bytes>`] and a [`Verified`] event in the extensions.
pub struct Webhook<S, P> {
    pub(crate) inner: S,
    pub(crate) shared: Arc<Shared<P>>,
}

impl<S, P, B, R> Service<Request<B>> for Webhook<S, P>
where
    S: Service<Request<Full<Bytes>>, Response = Response<R>> + Clone,
    P: Provider,
    B: Body,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
    R: Default,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = ResponseFuture<S, P, B>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let (head, body) = request.into_parts();
        let Shared { provider, settings } = &*self.shared;
        let now = settings.clock.now();
        // An inner layer with the same store would find the claim in flight and answer 409.
        if head.extensions.get::<Verified<P::Event>>().is_some() {
            return ResponseFuture::refuse(Rejection::new(RejectionKind::AppliedTwice));
        }
        let (declared, limit) = (body.size_hint().lower(), settings.bounds.limit);
        match check_head(&**provider, &head, declared, limit, now) {
            // `poll_ready` did not poll the inner service, so this clone may not be ready: the
            // future polls it once the request is verified.
            Ok(from_head) => {
                ResponseFuture::read(self.inner.clone(), &self.shared, head, body, from_head, now)
            }
            Err(rejection) => ResponseFuture::refuse(rejection),
        }
    }
}

impl<S: Clone, P> Clone for Webhook<S, P> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone(), shared: Arc::clone(&self.shared) }
    }
}

impl<S: fmt::Debug, P: Provider> fmt::Debug for Webhook<S, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Webhook")
            .field("provider", &P::NAME)
            .field("inner", &self.inner)
            .finish_non_exhaustive()
    }
}
