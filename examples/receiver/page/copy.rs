//! Copies the beginning of a body while the layer reads it: the layer keeps nothing of refused
//! requests.

use super::redact::LONGEST_TEXT;
use axum::body::{Body, Bytes, HttpBody};
use hyper::body::{Frame, SizeHint};
use std::{
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
};

pub struct Copying {
    body: Body,
    copy: Shared<Copied>,
}

impl Copying {
    pub fn new(body: Body, copy: Shared<Copied>) -> Self {
        Self { body, copy }
    }
}

impl HttpBody for Copying {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let Self { body, copy } = self.get_mut();
        let frame = Pin::new(&mut *body).poll_frame(cx);
        let mut copy = copy.lock();
        copy.read = true;
        if let Poll::Ready(Some(Ok(frame))) = &frame {
            copy.add(frame.data_ref().map_or(&[], |data| data));
        }
        copy.ended |= matches!(frame, Poll::Ready(None)) || body.is_end_stream();
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// The copied bytes. They count against what all copies together may hold.
pub struct Copied {
    bytes: Vec<u8>,
    read: bool,
    ended: bool,
    lost: bool,
    held: Arc<AtomicUsize>,
}

impl Copied {
    pub fn new(held: Arc<AtomicUsize>) -> Self {
        Self { bytes: Vec::new(), read: false, ended: false, lost: false, held }
    }

    /// The beginning of the body, and whether that is all of it; `None` if the layer has not read
    /// any of it.
    pub fn seen(&self) -> Option<(&[u8], bool)> {
        self.read.then_some((&self.bytes, self.ended && !self.lost))
    }

    fn add(&mut self, data: &[u8]) {
        if self.lost {
            return;
        }
        let kept = data.get(..LONGEST_TEXT - self.bytes.len()).unwrap_or(data);
        let take = |held| Some(held + kept.len()).filter(|held| *held <= MOST_HELD);
        let room = self.held.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).is_ok();
        if room {
            self.bytes.extend_from_slice(kept);
        }
        self.lost = !room || kept.len() < data.len();
    }
}

impl Drop for Copied {
    fn drop(&mut self) {
        self.held.fetch_sub(self.bytes.len(), Ordering::Relaxed);
    }
}

/// A value that the middleware shares with what runs inside of it.
pub struct Shared<T>(Arc<Mutex<T>>);

impl<T> Shared<T> {
    pub fn new(value: T) -> Self {
        Self(Arc::new(Mutex::new(value)))
    }

    pub fn lock(&self) -> MutexGuard<'_, T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Clone for Shared<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

const MOST_HELD: usize = 1 << 20;
