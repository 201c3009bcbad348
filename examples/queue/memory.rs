//! A queue that is lost with its process.

use super::{NotAccepted, Queue};
use tokio::sync::mpsc;
use tower_webhooks::{Verified, zegocloud::Event};

#[derive(Clone)]
pub struct MemoryQueue(mpsc::Sender<Verified<Event>>);

impl MemoryQueue {
    /// A queue for at most `capacity` events, and its receiving end.
    pub fn new(capacity: usize) -> (Self, mpsc::Receiver<Verified<Event>>) {
        let (sender, receiver) = mpsc::channel(capacity);
        (Self(sender), receiver)
    }
}

impl Queue for MemoryQueue {
    async fn put(&self, event: Verified<Event>) -> Result<(), NotAccepted> {
        // Not `send`: it waits for room, and the sender would have to wait with it.
        self.0.try_send(event).map_err(|error| NotAccepted(error.to_string().into()))
    }
}
