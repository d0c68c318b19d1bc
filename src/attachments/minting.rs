//! The URLs of one answer: each asked for once, several at a time.

use std::collections::{HashMap, VecDeque};
use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::mem;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;

use super::queue::Replacement;
use super::reference::Reference;
use crate::events;
use crate::mint::{Caller, Presigner};
use crate::url::{Expires, PresignedUrl};

/// The most questions that the policy is asked at once.
const MAX_RUNNING: usize = 16;

/// The number of Binaries in a generation: more than a queue holds. A Binary that does not come
/// again within the next generation is forgotten.
const GENERATION: usize = 5_000;

enum Slot {
    Asked,
    Url(Bytes),
    Stays,
}

pub(super) struct Minting {
    on_behalf: Arc<(Presigner, Caller)>,
    max_urls: usize,
    known: HashMap<Reference, Slot>,
    /// The generation before.
    older: HashMap<Reference, Slot>,
    wanted: VecDeque<Reference>,
    clerks: Vec<Clerk>,
    /// The number of Binaries that have been asked for.
    asked: usize,
    /// The number of those that have a URL.
    urls: usize,
    /// The number of references that were too many.
    left: usize,
    first_expiry: Option<Expires>,
}

impl Minting {
    pub(super) fn new(presigner: Presigner, caller: Caller, max_urls: usize) -> Self {
        Self {
            on_behalf: Arc::new((presigner, caller)),
            max_urls,
            known: HashMap::new(),
            older: HashMap::new(),
            wanted: VecDeque::new(),
            clerks: Vec::new(),
            asked: 0,
            urls: 0,
            left: 0,
            first_expiry: None,
        }
    }

    pub(super) fn urls(&self) -> usize {
        self.urls
    }

    pub(super) fn left(&self) -> usize {
        self.left
    }

    /// The moment at which the first of the URLs expires.
    pub(super) fn first_expiry(&self) -> Option<Expires> {
        self.first_expiry
    }

    /// The fate of a reference. Its URL is asked for, unless it is known already, or one too many.
    pub(super) fn want(&mut self, reference: &Reference, cx: &mut Context<'_>) -> Replacement {
        if let Some(slot) = self.known.get(reference) {
            return slot.replacement();
        }
        if !self.older.is_empty()
            && let Some(slot) = self.older.remove(reference)
        {
            let replacement = slot.replacement();
            self.insert(*reference, slot);
            return replacement;
        }
        if self.asked >= self.max_urls {
            self.left += 1;
            return Replacement::None;
        }
        self.asked += 1;
        let idle = self.clerks.iter().position(Clerk::is_idle);
        let answer = match idle {
            Some(at) => self.clerks[at].begin(*reference, cx),
            None if self.clerks.len() < MAX_RUNNING => {
                let clerk = Clerk::new(Arc::clone(&self.on_behalf));
                self.clerks.push(clerk);
                let newest = self.clerks.len() - 1;
                self.clerks[newest].begin(*reference, cx)
            }
            None => {
                self.wanted.push_back(*reference);
                Poll::Pending
            }
        };
        let slot = self.slot(answer.map(|(_, url)| url));
        let replacement = slot.replacement();
        self.insert(*reference, slot);
        replacement
    }

    fn insert(&mut self, reference: Reference, slot: Slot) {
        if self.known.len() >= GENERATION {
            self.older = std::mem::take(&mut self.known);
        }
        self.known.insert(reference, slot);
    }

    /// The fate, as far as it is known, of a reference that was [wanted](Self::want).
    pub(super) fn replacement(&self, reference: &Reference) -> Replacement {
        let slot = self.known.get(reference);
        let slot = slot.or_else(|| self.older.get(reference));
        slot.map_or(Replacement::None, Slot::replacement)
    }

    /// Goes on with the references that are wanted. True if anything new is known.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> bool {
        let mut is_news = false;
        for at in 0..self.clerks.len() {
            let mut answer = self.clerks[at].poll(cx);
            while let Poll::Ready((reference, url)) = answer {
                is_news = true;
                let slot = self.slot(Poll::Ready(url));
                self.older.remove(&reference);
                self.insert(reference, slot);
                let Some(next) = self.wanted.pop_front() else {
                    break;
                };
                answer = self.clerks[at].begin(next, cx);
            }
        }
        is_news
    }

    /// Goes on to the end.
    pub(super) fn poll_all(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.poll(cx);
        if self.clerks.iter().all(Clerk::is_idle) {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    }

    fn slot(&mut self, answer: Poll<Option<PresignedUrl>>) -> Slot {
        match answer {
            Poll::Pending => Slot::Asked,
            Poll::Ready(None) => Slot::Stays,
            Poll::Ready(Some(url)) => {
                self.urls += 1;
                let expires = url.expires();
                let first = self.first_expiry.get_or_insert(expires);
                *first = expires.min(*first);
                // As long as it is: the text has room for more.
                Slot::Url(Bytes::copy_from_slice(url.as_str().as_bytes()))
            }
        }
    }
}

impl Slot {
    fn replacement(&self) -> Replacement {
        match self {
            Self::Asked => Replacement::Pending,
            Self::Url(url) => Replacement::Text(url.clone()),
            Self::Stays => Replacement::None,
        }
    }
}

impl Drop for Minting {
    fn drop(&mut self) {
        if self.left > 0 {
            events::references_left(self.left, self.max_urls);
        }
    }
}

/// Asks for one URL after another, in memory that is allocated once, and not for each.
struct Clerk {
    desk: Arc<Mutex<Desk>>,
    work: Pin<Box<dyn Future<Output = Infallible> + Send>>,
}

enum Desk {
    Empty,
    Job(Reference),
    Busy,
    Answer(Answer),
}

type Answer = (Reference, Option<PresignedUrl>);

impl Clerk {
    fn new(on_behalf: Arc<(Presigner, Caller)>) -> Self {
        let desk = Arc::new(Mutex::new(Desk::Empty));
        Self {
            desk: Arc::clone(&desk),
            work: Box::pin(work(on_behalf, desk)),
        }
    }

    fn is_idle(&self) -> bool {
        matches!(*lock(&self.desk), Desk::Empty)
    }

    /// Begins with a reference, when it is idle.
    fn begin(&mut self, reference: Reference, cx: &mut Context<'_>) -> Poll<Answer> {
        *lock(&self.desk) = Desk::Job(reference);
        self.poll(cx)
    }

    /// The answer, after which it is idle.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Answer> {
        if self.is_idle() {
            return Poll::Pending;
        }
        let Poll::Pending = self.work.as_mut().poll(cx);
        let mut desk = lock(&self.desk);
        match mem::replace(&mut *desk, Desk::Empty) {
            Desk::Answer(answer) => Poll::Ready(answer),
            other => {
                *desk = other;
                Poll::Pending
            }
        }
    }
}

async fn work(on_behalf: Arc<(Presigner, Caller)>, desk: Arc<Mutex<Desk>>) -> Infallible {
    let (presigner, caller) = &*on_behalf;
    loop {
        // The code that brings the next job polls.
        let reference = poll_fn(|_| take_job(&desk)).await;
        let url = presigner.presign_in_resource(caller, reference.target());
        let url = url.await.ok();
        *lock(&desk) = Desk::Answer((reference, url));
    }
}

fn take_job(desk: &Mutex<Desk>) -> Poll<Reference> {
    let mut desk = lock(desk);
    let Desk::Job(reference) = *desk else {
        return Poll::Pending;
    };
    *desk = Desk::Busy;
    Poll::Ready(reference)
}

/// Nothing panics while it holds the lock.
fn lock(desk: &Mutex<Desk>) -> MutexGuard<'_, Desk> {
    desk.lock().unwrap_or_else(PoisonError::into_inner)
}
