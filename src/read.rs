//! Any body into one `Bytes`, within a limit, a deadline and a budget.

use crate::{Rejection, RejectionKind};
use bytes::{Buf, BufMut, Bytes};
use http_body::Body;
use http_body_util::LengthLimitError;
use pin_project_lite::pin_project;
use std::{
    error::Error,
    future::Future,
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};
use tokio::time::{Instant, Sleep, sleep};

pin_project! {
    /// Reads one body.
    ///
    /// A body of one frame is handed on as it is. From the second frame on everything is copied into one buffer, which
    /// grows with what arrived: frames are slices of read buffers, and keeping a hundred small ones keeps a hundred
    /// read buffers alive.
    pub(crate) struct ReadBody<B> {
        #[pin]
        body: B,
        first: Bytes,
        buffer: Vec<u8>,
        limit: usize,
        held: Held,
        timeout: Duration,
        waiting_since: Option<Instant>,
        #[pin]
        deadline: Option<Sleep>,
    }
}

impl<B> ReadBody<B>
where
    B: Body,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    pub(crate) fn new(body: B, limit: usize, timeout: Duration, budget: Arc<Budget>) -> Self {
        Self {
            body,
            first: Bytes::new(),
            buffer: Vec::new(),
            limit,
            held: Held { budget, bytes: 0 },
            timeout,
            waiting_since: None,
            deadline: None,
        }
    }

    pub(crate) fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(Bytes, Held), Rejection>> {
        let mut this = self.project();
        for _ in 0..FRAMES_A_POLL {
            if this.body.is_end_stream() {
                return Poll::Ready(Ok(take(this.first, this.buffer, this.held)));
            }
            let frame = match this.body.as_mut().poll_frame(cx) {
                Poll::Ready(Some(Ok(frame))) => frame,
                Poll::Ready(Some(Err(error))) => return Poll::Ready(Err(unreadable(error.into()))),
                Poll::Ready(None) => return Poll::Ready(Ok(take(this.first, this.buffer, this.held))),
                Poll::Pending => {
                    if this.deadline.is_none() {
                        let left = this.timeout.saturating_sub(waited(this.waiting_since));
                        this.deadline.set(Some(sleep(left)));
                    }
                    if let Some(deadline) = this.deadline.as_pin_mut() {
                        ready!(deadline.poll(cx));
                    }
                    return Poll::Ready(Err(Rejection::new(RejectionKind::ReadTimeout)));
                }
            };
            let Ok(mut data) = frame.into_data() else { continue };
            let arrived = data.remaining();
            if arrived == 0 {
                continue;
            }
            let before = this.first.len().saturating_add(this.buffer.len());
            let total = before.saturating_add(arrived);
            if total > *this.limit {
                return Poll::Ready(Err(Rejection::new(RejectionKind::BodyTooLarge)));
            }
            if before == 0 {
                this.held.grow_to(arrived)?;
                *this.first = data.copy_to_bytes(arrived);
                continue;
            }
            if total > this.buffer.capacity() {
                let capacity = total.max(this.buffer.capacity().saturating_mul(2)).max(MIN_BUFFER).min(*this.limit);
                this.held.grow_to(capacity)?;
                this.buffer.reserve_exact(capacity.saturating_sub(this.buffer.len()));
            }
            this.buffer.put(std::mem::take(this.first));
            this.buffer.put(data);
        }
        // A body that is always ready must neither starve its neighbours nor outrun the deadline. Looking at the clock
        // is enough for that, and unlike a timer needs no runtime.
        if waited(this.waiting_since) >= *this.timeout {
            return Poll::Ready(Err(Rejection::new(RejectionKind::ReadTimeout)));
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

fn take(first: &mut Bytes, buffer: &mut Vec<u8>, held: &mut Held) -> (Bytes, Held) {
    let body = if buffer.is_empty() { std::mem::take(first) } else { std::mem::take(buffer).into() };
    let held = Held { budget: Arc::clone(&held.budget), bytes: std::mem::take(&mut held.bytes) };
    (body, held)
}

fn waited(since: &mut Option<Instant>) -> Duration {
    since.get_or_insert_with(Instant::now).elapsed()
}

fn unreadable(error: Box<dyn Error + Send + Sync>) -> Rejection {
    let mut cause: Option<&(dyn Error + 'static)> = Some(&*error);
    while let Some(layer) = cause {
        if layer.is::<LengthLimitError>() {
            return Rejection::new(RejectionKind::BodyTooLarge).with_source(error);
        }
        // The source of an `io::Error` is the source of the error in it: that one itself would be skipped.
        let inside = layer.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        cause = inside.map(|inside| inside as _).or_else(|| layer.source());
    }
    Rejection::new(RejectionKind::BodyUnreadable).with_source(error)
}

/// How many bytes of bodies that nobody has verified yet one layer may hold.
pub(crate) struct Budget {
    capacity: usize,
    held: AtomicUsize,
}

impl Budget {
    pub(crate) fn new(capacity: usize) -> Self {
        Self { capacity, held: AtomicUsize::new(0) }
    }
}

/// A share of the budget, given back when dropped.
pub(crate) struct Held {
    budget: Arc<Budget>,
    bytes: usize,
}

impl Held {
    fn grow_to(&mut self, bytes: usize) -> Result<(), Rejection> {
        let more = bytes.saturating_sub(self.bytes);
        let granted = self.budget.held.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |held| {
            held.checked_add(more).filter(|sum| *sum <= self.budget.capacity)
        });
        if granted.is_err() {
            return Err(Rejection::new(RejectionKind::ReadBudget).with_retry_after(Duration::from_secs(1)));
        }
        self.bytes = self.bytes.saturating_add(more);
        Ok(())
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.budget.held.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

const FRAMES_A_POLL: usize = 256;
const MIN_BUFFER: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::{StreamExt, stream};
    use http_body::Frame;
    use http_body_util::StreamBody;
    use std::convert::Infallible;
    use tokio_test::task;

    fn frames(sizes: &'static [usize]) -> impl stream::Stream<Item = Result<Frame<Bytes>, Infallible>> {
        stream::iter(sizes).map(|size| Ok(Frame::data(Bytes::from(vec![b'a'; *size]))))
    }

    #[tokio::test]
    async fn the_budget_is_charged_for_the_buffer_as_it_grows() {
        for (sizes, charged) in [
            (&[][..], 0),
            (&[700], 700),
            (&[0, 700, 0], 700),
            (&[1, 1], MIN_BUFFER),
            (&[1000, 1000], 2000),
            (&[1000, 1000, 1], 4000),
            (&[1000, 1000, 2500], 4500),
            (&[2000, 600, 600], 5000),
            (&[1; 1025], 2 * MIN_BUFFER),
            (&[2500, 2500], 5000),
        ] {
            let budget = Arc::new(Budget::new(10_000));
            let body = StreamBody::new(frames(sizes).chain(stream::pending()));
            let mut read = Box::pin(ReadBody::new(body, 5000, Duration::from_secs(10), Arc::clone(&budget)));
            let mut poll = task::spawn(std::future::poll_fn(|cx| read.as_mut().poll_read(cx)));
            assert!(poll.poll().is_pending());
            while poll.is_woken() {
                assert!(poll.poll().is_pending());
            }
            assert_eq!(budget.held.load(Ordering::Relaxed), charged, "{sizes:?}");
            drop(poll);
            let buffer = read.as_mut().project().buffer;
            assert!(buffer.capacity() <= charged.max(buffer.len()), "{sizes:?}: {} bytes", buffer.capacity());
            drop(read);
            assert_eq!(budget.held.load(Ordering::Relaxed), 0, "{sizes:?}");
        }
    }

    #[test]
    fn the_charge_goes_with_the_body() {
        let budget = Arc::new(Budget::new(10_000));
        let body = StreamBody::new(frames(&[1000, 1000]));
        let mut read = Box::pin(ReadBody::new(body, 5000, Duration::from_secs(10), Arc::clone(&budget)));
        let mut poll = task::spawn(std::future::poll_fn(|cx| read.as_mut().poll_read(cx)));
        let Poll::Ready(Ok((body, held))) = poll.poll() else { panic!() };
        drop(poll);
        drop(read);
        assert_eq!((body.len(), budget.held.load(Ordering::Relaxed)), (2000, 2000));
        drop(held);
        assert_eq!(budget.held.load(Ordering::Relaxed), 0);
    }
}
