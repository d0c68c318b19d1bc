//! One request at a time for each resumable upload: the newest, which ends the one before.
//!
//! A client whose connection hangs comes back on another one, while the server still waits for the
//! first. So the later request is right (draft-ietf-httpbis-resumable-upload, "Concurrency").

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

impl Turns {
    /// Asks whoever has the turn to end it, and takes it after them.
    pub(crate) async fn take(self: &Arc<Self>, upload: UploadId) -> Result<Turn, Superseded> {
        let ticket = {
            let mut queues = self.lock();
            let queue = queues.entry(upload).or_default();
            queue.newest += 1;
            queue.count += 1;
            queue.wakers.drain(..).for_each(Waker::wake);
            queue.newest
        };
        let mut turn = Turn {
            turns: Arc::clone(self),
            upload,
            ticket,
            is_taken: false,
        };
        poll_fn(|cx| turn.poll_take(cx)).await?;
        Ok(turn)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<UploadId, Queue>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Turn {
    fn poll_take(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Superseded>> {
        let mut queues = self.turns.lock();
        let Some(queue) = queues.get_mut(&self.upload) else {
            return Poll::Ready(Err(Superseded));
        };
        if queue.newest != self.ticket {
            return Poll::Ready(Err(Superseded));
        }
        if queue.is_taken {
            queue.wakers.push(cx.waker().clone());
            return Poll::Pending;
        }
        queue.is_taken = true;
        drop(queues);
        self.is_taken = true;
        Poll::Ready(Ok(()))
    }

    /// Ready once somebody has come later, who waits for the end of this turn.
    pub(crate) fn poll_superseded(&self, cx: &mut Context<'_>) -> Poll<Superseded> {
        let mut queues = self.turns.lock();
        match queues.get_mut(&self.upload) {
            Some(queue) if queue.newest == self.ticket => {
                if !queue.wakers.iter().any(|waker| waker.will_wake(cx.waker())) {
                    queue.wakers.push(cx.waker().clone());
                }
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
