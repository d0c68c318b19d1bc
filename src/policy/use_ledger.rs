//! [`UseLedger`]: the record of URLs that are for one download.

use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use super::Denial;
use crate::id::UrlId;

/// The record of those URLs for one download ([`Terms::single_use`](crate::Terms::single_use)) that
/// have been used. All servers that serve the same URLs need the same one.
///
/// In SQL it is one statement each, over a table whose primary key is the id:
///
/// ```sql
/// INSERT INTO used_url (id, until) VALUES ($1, $2) ON CONFLICT DO NOTHING  -- 1 row: reserved
/// DELETE FROM used_url WHERE id = $1                                       -- release
/// DELETE FROM used_url WHERE until < now() - interval '5 minutes'          -- now and then
/// ```
///
/// In Redis, `SET used:{id} 1 NX EXAT {until}` and `DEL used:{id}`.
pub trait UseLedger: Send + Sync + 'static {
    /// Reserves the use of a URL. Of all requests until a [`release`](Self::release), only the
    /// first gets `true`. The record may be forgotten some minutes after `until`, when the URL has
    /// expired by every server's clock.
    ///
    /// # Errors
    ///
    /// The denial that the client gets: [`Denial::unavailable`] where the ledger cannot be reached.
    /// The URL is then not used.
    fn reserve(
        &self,
        id: &UrlId,
        until: SystemTime,
    ) -> impl Future<Output = Result<bool, Denial>> + Send;

    /// Takes back a reservation: the request for which it was made got no byte of the content.
    ///
    /// An error can be reported to nobody. The URL then stays used.
    fn release(&self, id: &UrlId) -> impl Future<Output = ()> + Send;
}

type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// [`UseLedger`] in the form that can be a trait object.
pub(crate) trait ErasedLedger: Send + Sync {
    fn reserve<'a>(
        &'a self,
        id: &'a UrlId,
        until: SystemTime,
    ) -> BoxFuture<'a, Result<bool, Denial>>;
    fn release<'a>(&'a self, id: &'a UrlId) -> BoxFuture<'a, ()>;
}

impl<L: UseLedger> ErasedLedger for L {
    fn reserve<'a>(
        &'a self,
        id: &'a UrlId,
        until: SystemTime,
    ) -> BoxFuture<'a, Result<bool, Denial>> {
        Box::pin(UseLedger::reserve(self, id, until))
    }

    fn release<'a>(&'a self, id: &'a UrlId) -> BoxFuture<'a, ()> {
        Box::pin(UseLedger::release(self, id))
    }
}

/// A ledger that the host keeps a handle of.
impl<L: UseLedger> UseLedger for Arc<L> {
    fn reserve(
        &self,
        id: &UrlId,
        until: SystemTime,
    ) -> impl Future<Output = Result<bool, Denial>> + Send {
        (**self).reserve(id, until)
    }

    fn release(&self, id: &UrlId) -> impl Future<Output = ()> + Send {
        (**self).release(id)
    }
}

/// The time for which a URL is remembered after it has expired: clocks differ.
const GRACE: Duration = Duration::from_secs(5 * 60);

/// A ledger in memory, for one server. It forgets all when the server restarts: URLs that have been
/// used and have not expired can then be used once more.
///
/// It is cheap to clone: the clones share their records. Its size follows the URLs that were used
/// and have not expired.
#[derive(Clone)]
pub struct MemoryUseLedger {
    uses: Arc<Mutex<Uses>>,
    clock: Arc<dyn Fn() -> SystemTime + Send + Sync>,
}

struct Uses {
    until: HashMap<UrlId, SystemTime>,
    /// The number of records at which the expired ones are looked for.
    full: usize,
}

impl MemoryUseLedger {
    /// A ledger without records.
    #[must_use]
    pub fn new() -> Self {
        let uses = Uses {
            until: HashMap::new(),
            full: 1024,
        };
        Self {
            uses: Arc::new(Mutex::new(uses)),
            clock: Arc::new(SystemTime::now),
        }
    }

    /// The clock by which records are forgotten. Default: [`SystemTime::now`].
    #[must_use]
    pub fn clock(mut self, clock: impl Fn() -> SystemTime + Send + Sync + 'static) -> Self {
        self.clock = Arc::new(clock);
        self
    }
}

impl Default for MemoryUseLedger {
    fn default() -> Self {
        Self::new()
    }
}

impl UseLedger for MemoryUseLedger {
    async fn reserve(&self, id: &UrlId, until: SystemTime) -> Result<bool, Denial> {
        let now = (self.clock)();
        let mut uses = self.uses.lock().unwrap_or_else(PoisonError::into_inner);
        if uses.until.len() >= uses.full {
            uses.until.retain(|_, until| *until + GRACE > now);
            uses.full = (2 * uses.until.len()).max(1024);
        }
        let is_first = !uses.until.contains_key(id);
        if is_first {
            uses.until.insert(*id, until);
        }
        Ok(is_first)
    }

    async fn release(&self, id: &UrlId) {
        let mut uses = self.uses.lock().unwrap_or_else(PoisonError::into_inner);
        uses.until.remove(id);
    }
}

impl fmt::Debug for MemoryUseLedger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryUseLedger").finish_non_exhaustive()
    }
}
