//! The one service and its one future: check head, read, check body, make the inner service ready, call it.

use crate::{
    Provider, Rejection, RejectionKind, Verified,
    layer::Shared,
    provider::check_request,
    read::{Held, ReadBody},
};
use bytes::Bytes;
use http::{Request, Response, header::Entry, request::Parts};
use http_body::Body;
use http_body_util::Full;
use pin_project_lite::pin_project;
use std::{
    error::Error,
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};
use tower::Service;

/// A service behind a [`WebhookLayer`](crate::WebhookLayer).
///
/// It is always ready: the inner service is made ready after a request was verified, so that strangers cannot hold its
/// capacity. The inner service gets the request with the body in one piece and a [`Verified`] event in the extensions.
pub struct Webhook<S, P> {
    inner: S,
    shared: Arc<Shared<P>>,
}

impl<S, P> Webhook<S, P> {
    pub(crate) fn new(inner: S, shared: Arc<Shared<P>>) -> Self {
        Self { inner, shared }
    }
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
        let state = match self.check_head(&head, &body) {
            Err(rejection) => State::Refused { rejection },
            Ok(proof) => {
                let settings = &self.shared.settings;
                let budget = Arc::clone(&settings.budget);
                State::Reading {
                    read: ReadBody::new(body, settings.body_limit, settings.read_timeout, budget),
                    accepted: Accepted { inner: self.inner.clone(), shared: Arc::clone(&self.shared), head, proof },
                }
            }
        };
        ResponseFuture { state }
    }
}

impl<S, P: Provider> Webhook<S, P> {
    fn check_head<B: Body>(&self, head: &Parts, body: &B) -> Result<P::Head, Rejection> {
        if head.extensions.get::<Verified<P::Event>>().is_some() {
            #[cfg(feature = "tracing")]
            tracing::error!(provider = P::NAME, "the webhook layer is applied twice to one route: remove one of them");
            return Err(Rejection::new(RejectionKind::AppliedTwice));
        }
        let Shared { provider, settings } = &*self.shared;
        check_request(&**provider, head, body.size_hint().lower(), settings.body_limit, settings.clock.now())
    }
}

impl<S: Clone, P> Clone for Webhook<S, P> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone(), shared: Arc::clone(&self.shared) }
    }
}

impl<S: fmt::Debug, P: Provider> fmt::Debug for Webhook<S, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Webhook").field("provider", &P::NAME).field("inner", &self.inner).finish_non_exhaustive()
    }
}

struct Accepted<S, P: Provider> {
    inner: S,
    shared: Arc<Shared<P>>,
    head: Parts,
    proof: P::Head,
}

impl<S, P: Provider> Accepted<S, P> {
    fn check_body(self, body: Bytes, held: Held) -> Result<(S, Request<Full<Bytes>>), Rejection> {
        let Self { inner, shared, mut head, proof } = self;
        let now = shared.settings.clock.now();
        let delivery = shared.provider.check_body(proof, &head, &body, now)?;
        drop(held);
        for name in shared.provider.credentials() {
            if let Entry::Occupied(mut lines) = head.headers.entry(name) {
                lines.iter_mut().for_each(|value| value.set_sensitive(true));
            }
        }
        head.extensions.insert(Verified::new(P::NAME, delivery, body.clone()));
        Ok((inner, Request::from_parts(head, Full::new(body))))
    }
}

pin_project! {
    /// The future of [`Webhook`]: a refusal, or the inner service's response.
    pub struct ResponseFuture<S: Service<Request<Full<Bytes>>>, P: Provider, B> {
        #[pin]
        state: State<S, P, B, S::Future>,
    }
}

pin_project! {
    #[project = StateProj]
    #[project_replace = StateOwned]
    enum State<S, P: Provider, B, F> {
        Refused { rejection: Rejection },
        Reading { #[pin] read: ReadBody<B>, accepted: Accepted<S, P> },
        Readying { inner: S, request: Request<Full<Bytes>> },
        Calling { #[pin] future: F },
        Done,
    }
}

impl<S, P, B, R> Future for ResponseFuture<S, P, B>
where
    S: Service<Request<Full<Bytes>>, Response = Response<R>>,
    P: Provider,
    B: Body,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
    R: Default,
{
    type Output = Result<S::Response, S::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.project().state;
        loop {
            match state.as_mut().project() {
                StateProj::Refused { .. } => {
                    let StateOwned::Refused { rejection } = state.as_mut().project_replace(State::Done) else {
                        return Poll::Pending;
                    };
                    return Poll::Ready(Ok(rejection.into_response(P::METHODS)));
                }
                StateProj::Reading { read, .. } => {
                    let read = ready!(read.poll_read(cx));
                    let StateOwned::Reading { accepted, .. } = state.as_mut().project_replace(State::Done) else {
                        return Poll::Pending;
                    };
                    state.set(match read.and_then(|(body, held)| accepted.check_body(body, held)) {
                        Ok((inner, request)) => State::Readying { inner, request },
                        Err(rejection) => State::Refused { rejection },
                    });
                }
                StateProj::Readying { inner, .. } => {
                    ready!(inner.poll_ready(cx))?;
                    let StateOwned::Readying { mut inner, request } = state.as_mut().project_replace(State::Done)
                    else {
                        return Poll::Pending;
                    };
                    state.set(State::Calling { future: inner.call(request) });
                }
                StateProj::Calling { future } => return future.poll(cx),
                StateProj::Done => return Poll::Pending,
            }
        }
    }
}

impl<S: Service<Request<Full<Bytes>>>, P: Provider, B> fmt::Debug for ResponseFuture<S, P, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").field("provider", &P::NAME).finish_non_exhaustive()
    }
}
