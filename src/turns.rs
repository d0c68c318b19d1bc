//! One request at a time for each resumable upload: a newer one ends the part that is arriving.
//!
//! A client whose connection hangs comes back on another one, while the server still waits for the
//! first. So the later request is right (draft-ietf-httpbis-resumable-upload, "Concurrency"). But a
//! part that was sent earlier may arrive later, on the connection that was given up: it ends other
//! parts, and nothing else.

use std::collections::HashMap;
use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use crate::id::UploadId;

/// The turns of all resumable uploads of a layer, and of its clones.
#[derive(Default)]
pub(crate) struct Turns(Mutex<HashMap<UploadId, Queue>>);

/// The request that has the turn, and those that want it.
#[derive(Default)]
struct Queue {
    /// The ticket of the last that came.
    newest: u64,
    /// True while a request has the turn.
    is_taken: bool,
    /// Of the one that has the turn, and of those that wait.
    wakers: Vec<Waker>,
    /// The number of requests that have a ticket.
    count: usize,
}

/// A turn, or the wait for one. It ends when this is dropped.
pub(crate) struct Turn {
    turns: Arc<Turns>,
    upload: UploadId,
    ticket: u64,
    is_taken: bool,
}

/// Somebody came later.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Superseded;

impl Queue {
    fn wake_later(&mut self, cx: &Context<'_>) {
        if !self.wakers.iter().any(|waker| waker.will_wake(cx.waker())) {
            self.wakers.push(cx.waker().clone());
        }
    }
}

impl Turns {
    /// Asks whoever has the turn to end it, and takes it after them.
    pub(crate) async fn take(self: &Arc<Self>, upload: UploadId) -> Turn {
        let mut turn = self.queue(upload);
        poll_fn(|cx| turn.poll_take(cx)).await;
        turn
    }

    /// As [`take`](Self::take), for as long as nobody comes later.
    pub(crate) async fn take_for_part(
        self: &Arc<Self>,
        upload: UploadId,
    ) -> Result<Turn, Superseded> {
        let mut turn = self.queue(upload);
        poll_fn(|cx| match turn.poll_superseded(cx) {
            Poll::Ready(superseded) => Poll::Ready(Err(superseded)),
            Poll::Pending => turn.poll_take(cx).map(Ok),
        })
        .await?;
        Ok(turn)
    }

    fn queue(self: &Arc<Self>, upload: UploadId) -> Turn {
        let ticket = {
            let mut queues = self.lock();
            let queue = queues.entry(upload).or_default();
            queue.newest += 1;
            queue.count += 1;
            queue.wakers.drain(..).for_each(Waker::wake);
            queue.newest
        };
        Turn {
            turns: Arc::clone(self),
            upload,
            ticket,
            is_taken: false,
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<UploadId, Queue>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Turn {
    fn poll_take(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let mut queues = self.turns.lock();
        let queue = queues.entry(self.upload).or_default();
        if queue.is_taken {
            queue.wake_later(cx);
            return Poll::Pending;
        }
        queue.is_taken = true;
        drop(queues);
        self.is_taken = true;
        Poll::Ready(())
    }

    /// Ready once somebody has come later, who waits for the end of this turn.
    pub(crate) fn poll_superseded(&self, cx: &mut Context<'_>) -> Poll<Superseded> {
        let mut queues = self.turns.lock();
        match queues.get_mut(&self.upload) {
            Some(queue) if queue.newest == self.ticket => {
                queue.wake_later(cx);
                Poll::Pending
            }
            _ => Poll::Ready(Superseded),
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut queues = self.turns.lock();
        let Some(queue) = queues.get_mut(&self.upload) else {
            return;
        };
        if self.is_taken {
            queue.is_taken = false;
        }
        queue.wakers.drain(..).for_each(Waker::wake);
        queue.count -= 1;
        if queue.count == 0 {
            queues.remove(&self.upload);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::sync::Arc;

    use futures_util::FutureExt as _;

    use crate::id::UploadId;
    use crate::turns::{Superseded, Turns};

    #[test]
    fn a_part_that_waits_is_ended_though_the_one_before_hangs() {
        let (turns, upload) = (Arc::new(Turns::default()), UploadId::random());
        let _hanging = turns.take(upload).now_or_never().unwrap();
        let mut part = pin!(turns.take_for_part(upload));
        assert!(part.as_mut().now_or_never().is_none());
        let mut later = pin!(turns.take(upload));
        assert!(later.as_mut().now_or_never().is_none());
        assert_eq!(part.now_or_never().map(Result::err), Some(Some(Superseded)));
    }
}
