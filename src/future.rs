//! The future of a request: read, authenticate, admit, call, finish.

use crate::{
    Age, Delivery, DeliveryId, Provider, Rejection, RejectionKind, Verified,
    budget::Held,
    read::ReadBody,
    replay::{
        Admission, ClaimGuard, Duplicate, Keys, Outcome, RETRY_AFTER, Recording, ReplayedResponse,
        Verdict, Waiting,
    },
    settings::Shared,
    trace::Trace,
    verified::Authentic,
};
use bytes::Bytes;
use http::{Request, Response, request::Parts};
use http_body::Body;
use http_body_util::Full;
use pin_project_lite::pin_project;
use std::{
    error::Error,
    fmt,
    future::Future,
    mem,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::SystemTime,
};
use tower_service::Service;

pin_project! {
    /// The response future of [`Webhook`](crate::Webhook).
    ///
    /// It resolves to a refusal, the answer to a repeat, or the inner service's response. If it is
    /// dropped before the inner service has answered, the claim is recorded as failed, or undone if
    /// it was not called: the sender's retry is delivered.
    pub struct ResponseFuture<S: Service<Request<Full<Bytes>>>, P: Provider, B> {
        #[pin]
        body: Option<ReadBody<B>>,
        #[pin]
        handler: Option<S::Future>,
        step: Step<S, P>,
    }
}

/// The state of a request. A step owns what later steps need, and is put back when it is pending.
/// A step is small, because it moves: what is large is boxed.
enum Step<S: Service<Request<Full<Bytes>>>, P: Provider> {
    /// Reads the body.
    Read(Box<Passage<S, P>>, P::FromHead),
    /// Claims in the shared store.
    Admit(Box<Passage<S, P>>, Authentic<P::Event>, Waiting),
    /// Waits until the inner service is ready.
    Call(Box<Passage<S, P>>, Bytes),
    /// Waits for the inner service's response.
    Handle(Attempt),
    /// Records the outcome in the shared store.
    Finish(Recording, Box<Result<S::Response, S::Error>>),
    /// Answers without a call.
    Respond(Box<S::Response>),
    Over,
}

/// A request before it reaches the inner service.
struct Passage<S, P> {
    inner: S,
    shared: Arc<Shared<P>>,
    head: Parts,
    /// When the head was checked; `None` once the body was pending.
    checked_at: Option<SystemTime>,
    attempt: Attempt,
}

/// What is kept until the inner service has answered.
struct Attempt {
    /// `None` before it is admitted, and if it is not guarded.
    claim: Option<Box<ClaimGuard>>,
    replayed_body_limit: usize,
    trace: Trace,
}

impl<S, P, B, R> ResponseFuture<S, P, B>
where
    S: Service<Request<Full<Bytes>>, Response = Response<R>>,
    P: Provider,
    B: Body,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
    R: Default,
{
    /// Answers a request whose head was refused.
    pub(crate) fn refuse(rejection: Rejection) -> Self {
        Self { body: None, handler: None, step: Step::refuse(Trace::start(P::NAME), rejection) }
    }

    /// Starts to read the body of a request whose head was accepted.
    pub(crate) fn read(
        inner: S,
        shared: &Arc<Shared<P>>,
        head: Parts,
        body: B,
        from_head: P::FromHead,
        now: SystemTime,
    ) -> Self {
        let replayed_body_limit = shared.settings.guard.replayed_body_limit;
        let trace = Trace::start(P::NAME);
        let passage = Box::new(Passage {
            inner,
            shared: Arc::clone(shared),
            head,
            checked_at: Some(now),
            attempt: Attempt { claim: None, replayed_body_limit, trace },
        });
        Self {
            body: Some(ReadBody::new(body)),
            handler: None,
            step: Step::Read(passage, from_head),
        }
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
        let mut this = self.project();
        let mut step = mem::replace(this.step, Step::Over);
        *this.step = loop {
            step = match step {
                Step::Read(mut passage, from_head) => {
                    let bounds = &passage.shared.settings.bounds;
                    match poll_slot(this.body.as_mut(), |body| body.poll_read(cx, bounds)) {
                        Poll::Ready(Ok((body, held))) => {
                            passage.authenticate(from_head, body, held)
                        }
                        Poll::Ready(Err(rejection)) => passage.refuse(rejection),
                        Poll::Pending => {
                            passage.checked_at = None;
                            break Step::Read(passage, from_head);
                        }
                    }
                }
                Step::Admit(passage, authentic, mut waiting) => {
                    match waiting.answer.as_mut().poll(cx) {
                        Poll::Ready(answer) => {
                            passage.admitted(authentic, waiting.answered(answer))
                        }
                        Poll::Pending => break Step::Admit(passage, authentic, waiting),
                    }
                }
                Step::Call(mut passage, body) => match passage.poll_ready(cx) {
                    Poll::Ready(Ok(true)) => {
                        passage.attempt.called();
                        let request = Request::from_parts(passage.head, Full::new(body));
                        let handler = passage.attempt.trace.within(|| passage.inner.call(request));
                        this.handler.set(Some(handler));
                        Step::Handle(passage.attempt)
                    }
                    Poll::Ready(Ok(false)) => passage.undo(),
                    // Counts as a failed attempt, like an error of the handler.
                    Poll::Ready(Err(error)) => match passage.attempt.finish(Outcome::Failed) {
                        Some(recording) => Step::Finish(recording, Box::new(Err(error))),
                        None => return Poll::Ready(Err(error)),
                    },
                    Poll::Pending => break Step::Call(passage, body),
                },
                Step::Handle(mut attempt) => {
                    let handler = this.handler.as_mut();
                    match attempt.trace.within(|| poll_slot(handler, |handler| handler.poll(cx))) {
                        Poll::Ready(response) => {
                            let limit = attempt.replayed_body_limit;
                            match attempt.finish(outcome(response.as_ref().ok(), limit)) {
                                Some(recording) => Step::Finish(recording, Box::new(response)),
                                None => return Poll::Ready(response),
                            }
                        }
                        Poll::Pending => {
                            attempt.hold(cx);
                            break Step::Handle(attempt);
                        }
                    }
                }
                Step::Finish(mut recording, response) => match recording.as_mut().poll(cx) {
                    Poll::Ready(()) => return Poll::Ready(*response),
                    Poll::Pending => break Step::Finish(recording, response),
                },
                Step::Respond(response) => return Poll::Ready(Ok(*response)),
                Step::Over => polled_after_completion(),
            };
        };
        Poll::Pending
    }
}

impl<S, P, R> Passage<S, P>
where
    S: Service<Request<Full<Bytes>>, Response = Response<R>>,
    P: Provider,
    R: Default,
{
    /// Checks the complete request.
    fn authenticate(
        mut self: Box<Self>,
        from_head: P::FromHead,
        body: Bytes,
        held: Held,
    ) -> Step<S, P> {
        self.attempt.trace.body_read(body.len());
        let Shared { provider, settings } = &*self.shared;
        let now = self.checked_at.unwrap_or_else(|| settings.clock.now());
        // `from_head` knows the rules that checked the head. Rules that replaced them may name
        // other headers.
        let headers = self.head.headers.iter_mut();
        for (_, value) in headers.filter(|(name, _)| provider.is_credential(&from_head, name)) {
            value.set_sensitive(true);
        }
        let checked = provider.check_body(from_head, &self.head, &body, now);
        // The charge lasts until the request is authenticated, because that can hold memory too.
        drop(held);
        match checked {
            // The head was fresh when it arrived, but the signature may have expired since.
            Ok(delivery) if delivery.proof.is_over(now) => {
                let age = delivery.proof.signed_at.map(|signed_at| Age::between(signed_at, now));
                self.refuse(Rejection::new(RejectionKind::Stale).with_age(age))
            }
            Ok(delivery) => self.admit(body, delivery, now),
            Err(rejection) => self.refuse(rejection),
        }
    }

    fn admit(
        mut self: Box<Self>,
        body: Bytes,
        delivery: Delivery<P::Event>,
        now: SystemTime,
    ) -> Step<S, P> {
        let guard = &self.shared.settings.guard;
        // Also if it is not guarded: they make the id.
        let identity = delivery.proof.identity.as_ref();
        let keys = identity.map(|it| Keys::new(P::NAME, it, &self.head, &body, guard.on));
        let delivery_id = keys.map(|keys| DeliveryId(keys.key));
        self.attempt.trace.authentic(&delivery, delivery_id, now);
        let admission = guard.enter(P::NAME, &delivery.proof, keys, now);
        self.admitted(Authentic::new(P::NAME, delivery, body, delivery_id), admission)
    }

    fn admitted(
        self: Box<Self>,
        authentic: Authentic<P::Event>,
        admission: Admission,
    ) -> Step<S, P> {
        match admission {
            Admission::Admitted { claim, attempt, checked } => self.call(
                authentic.admitted(attempt, checked, claim.as_deref().map(ClaimGuard::claim)),
                claim,
            ),
            Admission::Waiting(waiting) => Step::Admit(self, authentic, waiting),
            Admission::Refused(rejection) => self.refuse(rejection),
            Admission::Repeated(answer) => {
                self.attempt.trace.repeated();
                Step::Respond(Box::new(repeated(authentic.metadata().delivery_id, answer)))
            }
        }
    }

    fn call(
        mut self: Box<Self>,
        event: Verified<P::Event>,
        claim: Option<Box<ClaimGuard>>,
    ) -> Step<S, P> {
        self.attempt.trace.admitted(event.metadata());
        self.attempt.claim = claim;
        let body = event.body().clone();
        self.head.extensions.insert(event);
        Step::Call(self, body)
    }

    /// Waits until the inner service is ready; `false` if another attempt may have the claim by
    /// then.
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<bool, S::Error>> {
        let Self { inner, attempt, .. } = self;
        let ready = attempt.trace.within(|| inner.poll_ready(cx))?;
        if ready.is_pending() {
            attempt.hold(cx);
        }
        if attempt.is_lost(cx) {
            return Poll::Ready(Ok(false));
        }
        ready.map(|()| Ok(true))
    }

    /// Answers without a call; the claim is undone.
    fn undo(self) -> Step<S, P> {
        self.refuse(Rejection::new(RejectionKind::InFlight).with_retry_after(RETRY_AFTER))
    }

    fn refuse(self, rejection: Rejection) -> Step<S, P> {
        Step::refuse(self.attempt.trace, rejection)
    }
}

impl Attempt {
    /// Renews the claim's lease while the inner service is pending.
    fn hold(&mut self, cx: &mut Context<'_>) {
        if let Some(claim) = &mut self.claim {
            claim.hold(cx);
        }
    }

    fn is_lost(&mut self, cx: &mut Context<'_>) -> bool {
        self.claim.as_mut().is_some_and(|claim| {
            // A renewal may have been answered in time.
            claim.is_lost() && {
                claim.hold(cx);
                claim.is_lost()
            }
        })
    }

    /// From here on a drop is a failed attempt.
    fn called(&mut self) {
        self.trace.called();
        if let Some(claim) = &mut self.claim {
            claim.called();
        }
    }

    /// Records the outcome before the response is sent: after a 2xx the delivery must not run
    /// again.
    fn finish(mut self, outcome: Outcome) -> Option<Recording> {
        self.trace.ended(matches!(outcome, Outcome::Done { .. }));
        self.claim.and_then(|claim| claim.finish(outcome))
    }
}

impl<S, P, R> Step<S, P>
where
    S: Service<Request<Full<Bytes>>, Response = Response<R>>,
    P: Provider,
    R: Default,
{
    fn refuse(trace: Trace, rejection: Rejection) -> Self {
        let rejection = rejection.of(P::NAME);
        trace.refused(&rejection);
        Self::Respond(Box::new(rejection.into_response(P::METHODS, P::CHALLENGE)))
    }
}

/// What the response says of the delivery: that it is done, with the answer to keep, or has failed.
fn outcome<R>(response: Option<&Response<R>>, replayed_body_limit: usize) -> Outcome {
    let Some(response) = response.filter(|response| is_done(response)) else {
        return Outcome::Failed;
    };
    let answer = response.extensions().get::<ReplayedResponse>();
    let answer = answer.filter(|answer| answer.body.len() <= replayed_body_limit);
    Outcome::Done { answer: answer.map(|answer| answer.clone().with_status(response.status())) }
}

fn is_done<R>(response: &Response<R>) -> bool {
    match response.extensions().get() {
        Some(Verdict::Done) => true,
        Some(Verdict::Failed) => false,
        None => response.status().is_success(),
    }
}

fn repeated<R: Default>(
    delivery_id: Option<DeliveryId>,
    answer: Option<ReplayedResponse>,
) -> Response<R> {
    let mut response = Response::new(R::default());
    response.extensions_mut().insert(Duplicate { delivery_id });
    if let Some(answer) = answer {
        *response.status_mut() = answer.status;
        response.extensions_mut().insert(answer);
    }
    response
}

/// Polls the slot's content, and drops it as soon as it is ready.
fn poll_slot<T, O>(
    mut slot: Pin<&mut Option<T>>,
    poll: impl FnOnce(Pin<&mut T>) -> Poll<O>,
) -> Poll<O> {
    let Some(held) = slot.as_mut().as_pin_mut() else { polled_after_completion() };
    let output = ready!(poll(held));
    slot.set(None);
    Poll::Ready(output)
}

#[allow(clippy::panic, reason = "as every other future does: to wait instead would hang for ever")]
fn polled_after_completion() -> ! {
    panic!("`ResponseFuture` polled after completion")
}

impl<S: Service<Request<Full<Bytes>>>, P: Provider, B> fmt::Debug for ResponseFuture<S, P, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").field("provider", &P::NAME).finish_non_exhaustive()
    }
}
