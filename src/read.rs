//! Reads a body into one `Bytes`, within a limit, a deadline and a budget.

use crate::{ReadBudget, Rejection, RejectionKind, budget::Held};
use bytes::{Buf, BufMut, Bytes};
use http_body::Body;
use http_body_util::LengthLimitError;
use pin_project_lite::pin_project;
use std::{
    error::Error,
    future::Future,
    io, mem,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};
use tokio::time::{Instant, Sleep, sleep};

/// The limits of reading a body.
#[derive(Clone)]
pub(crate) struct Bounds {
    /// In bytes.
    pub(crate) limit: usize,
    pub(crate) timeout: Duration,
    pub(crate) budget: ReadBudget,
}

pin_project! {
    /// Reads one body.
    pub(crate) struct ReadBody<B> {
        #[pin]
        body: B,
        arrived: Arrived,
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
    pub(crate) fn new(body: B) -> Self {
        Self { body, arrived: Arrived::default(), waiting_since: None, deadline: None }
    }

    /// Charges the budget when the body is pending. Until then it only checks for room: a thread
    /// that does not wait reads one body at a time.
    pub(crate) fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bounds: &Bounds,
    ) -> Poll<Result<(Bytes, Held), Rejection>> {
        let mut this = self.project();
        for _ in 0..FRAMES_PER_POLL {
            if this.body.is_end_stream() {
                return Poll::Ready(Ok(this.arrived.take()));
            }
            match this.body.as_mut().poll_frame(cx) {
                Poll::Ready(Some(Ok(frame))) => {
                    if let Ok(data) = frame.into_data() {
                        this.arrived.push(data, bounds)?;
                    }
                }
                Poll::Ready(Some(Err(error))) => return Poll::Ready(Err(unreadable(error.into()))),
                Poll::Ready(None) => return Poll::Ready(Ok(this.arrived.take())),
                Poll::Pending => {
                    this.arrived.charge(&bounds.budget)?;
                    if this.deadline.is_none() {
                        let left = bounds.timeout.saturating_sub(waited(this.waiting_since));
                        this.deadline.set(Some(sleep(left)));
                    }
                    if let Some(deadline) = this.deadline.as_pin_mut() {
                        ready!(deadline.poll(cx));
                    }
                    return Poll::Ready(Err(Rejection::new(RejectionKind::ReadTimeout)));
                }
            }
        }
        // A body that is always ready must neither starve other tasks nor escape the deadline.
        // Reading the clock is enough for that, and unlike a timer it needs no runtime.
        if waited(this.waiting_since) >= bounds.timeout {
            return Poll::Ready(Err(Rejection::new(RejectionKind::ReadTimeout)));
        }
        this.arrived.charge(&bounds.budget)?;
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

/// What has arrived of a body.
///
/// A body of one frame needs no buffer. From the second frame on all frames are copied into one
/// growing buffer: a frame is a slice of a read buffer, and a hundred small frames would keep a
/// hundred read buffers alive.
#[derive(Default)]
struct Arrived {
    first: Bytes,
    buffer: Vec<u8>,
    held: Held,
}

impl Arrived {
    fn push(&mut self, mut data: impl Buf, bounds: &Bounds) -> Result<(), Rejection> {
        let arrived = data.remaining();
        if arrived == 0 {
            return Ok(());
        }
        let before = self.first.len().saturating_add(self.buffer.len());
        let total = before.saturating_add(arrived);
        if total > bounds.limit {
            return Err(Rejection::new(RejectionKind::BodyTooLarge));
        }
        if before == 0 {
            if arrived > bounds.budget.spared() {
                self.held.check(&bounds.budget, arrived)?;
            }
            self.first = data.copy_to_bytes(arrived);
            return Ok(());
        }
        if total > self.buffer.capacity() {
            // Doubling alone must neither turn a small body into a large one nor exceed a budget
            // that has room for the body.
            let most = bounds.limit.min(bounds.budget.share_for(total));
            let capacity = self.buffer.capacity().saturating_mul(2).max(MIN_BUFFER);
            let capacity = capacity.min(most).max(total);
            self.held.check(&bounds.budget, capacity)?;
            self.buffer.reserve_exact(capacity.saturating_sub(self.buffer.len()));
        }
        self.buffer.put(mem::take(&mut self.first));
        self.buffer.put(data);
        Ok(())
    }

    fn charge(&mut self, budget: &ReadBudget) -> Result<(), Rejection> {
        self.held.grow_to(budget, self.first.len().max(self.buffer.capacity()))
    }

    fn take(&mut self) -> (Bytes, Held) {
        let body = if !self.buffer.is_empty() {
            mem::take(&mut self.buffer).into()
        } else if self.first.len() <= COPIED_OUT && !self.first.is_unique() {
            // It is a slice of a larger buffer, most likely a read buffer, and would keep it alive.
            Bytes::copy_from_slice(&self.first)
        } else {
            mem::take(&mut self.first)
        };
        (body, mem::take(&mut self.held))
    }
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
        // `io::Error::source` skips the error inside and returns that error's source.
        let inside = layer.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        cause = inside.map(|inside| inside as _).or_else(|| layer.source());
    }
    Rejection::new(RejectionKind::BodyUnreadable).with_source(error)
}

const FRAMES_PER_POLL: usize = 256;
const MIN_BUFFER: usize = 1024;
/// The largest body that is copied out of a larger buffer, in bytes. hyper's read buffers begin at
/// 8 KiB: copying half of one is cheaper than keeping all of it.
const COPIED_OUT: usize = 4 << 10;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::budget::SMALL_BODY;
    use futures_util::{StreamExt, stream};
    use http_body::Frame;
    use http_body_util::StreamBody;
    use std::convert::Infallible;
    use tokio_test::task;

    fn frames(
        sizes: &'static [usize],
    ) -> impl stream::Stream<Item = Result<Frame<Bytes>, Infallible>> {
        stream::iter(sizes).map(|size| Ok(Frame::data(Bytes::from(vec![b'a'; *size]))))
    }

    #[tokio::test]
    async fn the_budget_is_charged_for_the_buffer_as_it_grows() {
        for (sizes, charged) in [
            (&[][..], 0),
            (&[700], 700),
            (&[0, 700, 0], 700),
            (&[1, 1], MIN_BUFFER),
            (&[1, 1, 1022], MIN_BUFFER),
            (&[1000, 1000], 2000),
            (&[1000, 1000, 1], 4000),
            (&[1000, 1000, 2500], 4500),
            (&[2000, 600, 600], 5000),
            (&[1; 1025], 2 * MIN_BUFFER),
            (&[2500, 2500], 5000),
        ] {
            let bounds = bounds();
            let body = StreamBody::new(frames(sizes).chain(stream::pending()));
            let mut read = Box::pin(ReadBody::new(body));
            let mut poll =
                task::spawn(std::future::poll_fn(|cx| read.as_mut().poll_read(cx, &bounds)));
            assert!(poll.poll().is_pending());
            while poll.is_woken() {
                assert!(poll.poll().is_pending());
            }
            assert_eq!(bounds.budget.held(), charged, "{sizes:?}");
            drop(poll);
            let buffer = &read.as_mut().project().arrived.buffer;
            assert!(
                buffer.capacity() <= charged.max(buffer.len()),
                "{sizes:?}: {} bytes",
                buffer.capacity()
            );
            drop(read);
            assert_eq!(bounds.budget.held(), 0, "{sizes:?}");
        }
    }

    #[tokio::test]
    async fn doubling_makes_no_small_body_large_and_exceeds_no_budget() {
        for (budget, sizes, charged) in [
            // Twice the first two frames would be a large body's buffer.
            (1 << 20, &[20_000, 20_000, 10_000], SMALL_BODY),
            (1 << 20, &[20_000, 20_000, SMALL_BODY - 40_000], SMALL_BODY),
            (1 << 20, &[20_000, 20_000, SMALL_BODY - 39_999], 80_000),
            // The body has room, twice its size has none.
            (120_000, &[60_000, 10_000, 10_000], 90_000),
            (120_000, &[60_000, 10_000, 20_000], 90_000),
            (60_000, &[20_000, 20_000, 20_000], 60_000),
        ] {
            let bounds = Bounds { limit: 100_000, budget: ReadBudget::new(budget), ..bounds() };
            let body = StreamBody::new(frames(sizes).chain(stream::pending()));
            let mut read = Box::pin(ReadBody::new(body));
            let mut poll =
                task::spawn(std::future::poll_fn(|cx| read.as_mut().poll_read(cx, &bounds)));
            assert!(poll.poll().is_pending());
            assert_eq!(bounds.budget.held(), charged, "{sizes:?}");
        }
    }

    #[tokio::test]
    async fn the_charge_goes_with_the_body() {
        let bounds = bounds();
        let later = stream::once(tokio::task::yield_now()).flat_map(|()| frames(&[1000]));
        let mut read = Box::pin(ReadBody::new(StreamBody::new(frames(&[1000]).chain(later))));
        let mut poll = task::spawn(std::future::poll_fn(|cx| read.as_mut().poll_read(cx, &bounds)));
        assert!(poll.poll().is_pending());
        let Poll::Ready(Ok((body, held))) = poll.poll() else { panic!() };
        drop(poll);
        drop(read);
        assert_eq!((body.len(), bounds.budget.held()), (2000, 1000));
        drop(held);
        assert_eq!(bounds.budget.held(), 0);
    }

    #[test]
    fn a_body_that_is_not_waited_for_needs_room_and_takes_none() {
        let bounds = bounds();
        let read = |sizes| {
            let mut read = Box::pin(ReadBody::new(StreamBody::new(frames(sizes))));
            let mut poll =
                task::spawn(std::future::poll_fn(|cx| read.as_mut().poll_read(cx, &bounds)));
            match poll.poll() {
                Poll::Ready(read) => read.map(|(body, _held)| (body.len(), bounds.budget.held())),
                Poll::Pending => panic!(),
            }
        };
        let mut others = Held::default();
        others.grow_to(&bounds.budget, 8000).unwrap();
        assert_eq!(read(&[2000]).unwrap(), (2000, 8000));
        assert_eq!(read(&[1000, 1000]).unwrap(), (2000, 8000));
        for sizes in [&[2001][..], &[1000, 1001], &[1000, 1000, 1]] {
            assert_eq!(read(sizes).unwrap_err().kind(), RejectionKind::ReadBudget, "{sizes:?}");
        }
    }

    #[tokio::test]
    async fn attack_a_full_budget_does_not_shut_out_a_small_body_in_one_piece() {
        let budget = ReadBudget::new(64 << 20);
        let bounds = Bounds { budget: budget.clone(), ..bounds() };
        let mut strangers: Vec<_> = (0..1024).map(|_| Held::default()).collect();
        strangers.iter_mut().for_each(|one| one.grow_to(&budget, SMALL_BODY).unwrap());
        assert_eq!(budget.held(), budget.capacity());
        let read = |sizes, wait| {
            let end =
                if wait { stream::pending().left_stream() } else { stream::empty().right_stream() };
            let mut read = Box::pin(ReadBody::new(StreamBody::new(frames(sizes).chain(end))));
            let mut poll =
                task::spawn(std::future::poll_fn(|cx| read.as_mut().poll_read(cx, &bounds)));
            match poll.poll() {
                Poll::Ready(Ok((body, _held))) => Ok(body.len()),
                Poll::Ready(Err(rejection)) => Err(rejection.kind()),
                Poll::Pending => panic!(),
            }
        };
        assert_eq!(read(&[4096], false), Ok(4096));
        for sizes in [&[4097][..], &[1, 1], &[4096, 1]] {
            assert_eq!(read(sizes, false), Err(RejectionKind::ReadBudget), "{sizes:?}");
        }
        assert_eq!(read(&[1], true), Err(RejectionKind::ReadBudget), "what is waited for is held");
    }

    fn bounds() -> Bounds {
        Bounds { limit: 5000, timeout: Duration::from_secs(10), budget: ReadBudget::new(10_000) }
    }
}
