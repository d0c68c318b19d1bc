//! The URLs of one answer: each asked for once, several at a time.

use std::collections::{HashMap, VecDeque};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;

use super::queue::Replacement;
use super::reference::Reference;
use crate::events;
use crate::mint::{Caller, Presigner};
use crate::url::{Expires, PresignedUrl};

/// How many questions the policy is asked at once.
const MAX_RUNNING: usize = 16;

/// After so many Binaries, those that did not come again since as many before are forgotten. It is
/// more than a queue holds.
const GENERATION: usize = 5_000;

type Mint = Pin<Box<dyn Future<Output = Option<PresignedUrl>> + Send>>;

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
    running: Vec<(Reference, Mint)>,
    /// How many Binaries have been asked for.
    asked: usize,
    /// How many there are URLs of.
    urls: usize,
    /// How many were one too many.
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
            running: Vec::new(),
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

    /// Has the URL made, unless it is known already, or one too many.
    pub(super) fn want(&mut self, reference: Reference) {
        if self.known.contains_key(&reference) {
            return;
        }
        if let Some(slot) = self.older.remove(&reference) {
            self.insert(reference, slot);
            return;
        }
        if self.asked >= self.max_urls {
            self.left += 1;
            return;
        }
        self.asked += 1;
        self.insert(reference, Slot::Asked);
        self.wanted.push_back(reference);
    }

    fn insert(&mut self, reference: Reference, slot: Slot) {
        if self.known.len() >= GENERATION {
            self.older = std::mem::take(&mut self.known);
        }
        self.known.insert(reference, slot);
    }

    /// What becomes of a reference that was [wanted](Self::want).
    pub(super) fn replacement(&self, reference: &Reference) -> Replacement {
        let known = self.known.get(reference);
        match known.or_else(|| self.older.get(reference)) {
            Some(Slot::Asked) => Replacement::Pending,
            Some(Slot::Url(url)) => Replacement::Text(url.clone()),
            Some(Slot::Stays) | None => Replacement::None,
        }
    }

    /// Goes on with what is wanted.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) {
        let mut next = 0;
        loop {
            while self.running.len() < MAX_RUNNING
                && let Some(reference) = self.wanted.pop_front()
            {
                let mint = mint(Arc::clone(&self.on_behalf), reference);
                self.running.push((reference, Box::pin(mint)));
            }
            let Some((reference, mint)) = self.running.get_mut(next) else {
                return;
            };
            match mint.as_mut().poll(cx) {
                Poll::Pending => next += 1,
                Poll::Ready(url) => {
                    let reference = *reference;
                    drop(self.running.swap_remove(next));
                    self.learn(reference, url);
                }
            }
        }
    }

    /// Goes on to the end.
    pub(super) fn poll_all(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.poll(cx);
        if self.running.is_empty() {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    }

    fn learn(&mut self, reference: Reference, url: Option<PresignedUrl>) {
        let slot = match url {
            None => Slot::Stays,
            Some(url) => {
                self.urls += 1;
                let expires = url.expires();
                let first = self.first_expiry.get_or_insert(expires);
                *first = expires.min(*first);
                Slot::Url(String::from(url).into())
            }
        };
        self.older.remove(&reference);
        self.insert(reference, slot);
    }
}

impl Drop for Minting {
    fn drop(&mut self) {
        if self.left > 0 {
            events::references_left(self.left, self.max_urls);
        }
    }
}

async fn mint(on_behalf: Arc<(Presigner, Caller)>, reference: Reference) -> Option<PresignedUrl> {
    let (presigner, caller) = &*on_behalf;
    let url = presigner.presign_in_resource(caller, reference.target());
    url.await.ok()
}
