//! Deadlines: a store that does not answer is given up, and one that is only slow is waited for.

use std::future::Future;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::{Either, select};
use object_store::{Error as StoreError, GetOptions};
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::bucket::Bucket;
use super::error::{Action, Fault};

/// The time at which the store last showed that it is there.
#[derive(Debug)]
pub(super) struct Pulse {
    heard: Mutex<Instant>,
    is_asked: AtomicBool,
}

impl Pulse {
    pub(super) fn new() -> Self {
        Self {
            heard: Mutex::new(Instant::now()),
            is_asked: AtomicBool::new(false),
        }
    }

    fn hear(&self) {
        *self.heard.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    fn heard(&self) -> Instant {
        *self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One caller at a time asks the store; this is its turn.
struct Turn<'a>(&'a AtomicBool);

impl<'a> Turn<'a> {
    fn take(is_taken: &'a AtomicBool) -> Option<Self> {
        (!is_taken.swap(true, Ordering::AcqRel)).then(|| Self(is_taken))
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}

impl Bucket {
    /// Gives up a call that the store does not answer in time.
    pub(super) async fn within<T>(
        &self,
        limit: Duration,
        action: Action,
        call: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, Fault> {
        let answer = match timeout(limit, call).await {
            Ok(answer) => answer.map_err(|error| Fault::new(action, error)),
            Err(_) => Err(Fault::Late { action, limit }),
        };
        if answer.as_ref().err().is_none_or(Fault::is_of_the_store) {
            self.pulse().hear();
        }
        answer
    }

    /// Gives up a call that may well take long, such as content on a slow link, as soon as the
    /// store shows no other sign of life either. The progress of content that is being sent cannot
    /// be seen.
    pub(super) async fn while_alive<T>(
        &self,
        action: Action,
        call: impl Future<Output = Result<T, Fault>>,
    ) -> Result<T, Fault> {
        let pause = self.patience() / 2;
        let start = Instant::now();
        let mut call = pin!(call);
        loop {
            let due = self.pulse().heard().max(start) + pause;
            let checking = pin!(async {
                sleep_until(due).await;
                self.is_alive(pause).await
            });
            match select(call, checking).await {
                Either::Left((answer, _)) => return answer,
                Either::Right((false, _)) => {
                    return Err(Fault::Late {
                        action,
                        limit: self.patience(),
                    });
                }
                Either::Right((true, unfinished)) => call = unfinished,
            }
        }
    }

    async fn is_alive(&self, limit: Duration) -> bool {
        let is_recent = || self.pulse().heard().elapsed() < limit;
        if is_recent() {
            return true;
        }
        match Turn::take(&self.pulse().is_asked) {
            Some(_turn) => {
                let options = GetOptions {
                    head: true,
                    ..GetOptions::default()
                };
                // Nothing is there, and the answer says so.
                let (client, path) = (self.client(), self.path("alive"));
                let asking = client.store.get_opts(&path, options);
                drop(self.within(limit, Action::Look, asking).await);
            }
            None => sleep(limit).await,
        }
        is_recent()
    }
}
