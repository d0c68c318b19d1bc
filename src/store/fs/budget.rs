//! The room for uploads that are not whole yet.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::store::RepositoryError;

/// The bytes that uploads may take, all together, before they have ended. Clones share one count.
#[derive(Debug, Clone)]
pub(super) struct Budget {
    pub(super) limit: u64,
    taken: Arc<AtomicU64>,
}

/// The part of one upload, which is given back when this is dropped.
pub(super) struct Share {
    budget: Budget,
    bytes: u64,
}

#[derive(Debug, thiserror::Error)]
#[error("the uploads that run have taken all of the staging budget of {limit} bytes")]
struct OverBudget {
    limit: u64,
}

impl Budget {
    /// Counts bytes that are on the disk already.
    pub(super) fn count(&self, bytes: u64) {
        self.taken.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Takes back bytes that are not on the disk any more. An upload that is removed while a part
    /// of it arrives may give them back twice: the count must not wrap around.
    pub(super) fn give_back(&self, bytes: u64) {
        let less = |taken: u64| Some(taken.saturating_sub(bytes));
        let order = Ordering::Relaxed;
        // It always has a new value.
        let _ = self.taken.fetch_update(order, order, less);
    }

    pub(super) fn share(&self) -> Share {
        Share {
            budget: self.clone(),
            bytes: 0,
        }
    }
}

/// No limit.
impl Default for Budget {
    fn default() -> Self {
        Self {
            limit: u64::MAX,
            taken: Arc::default(),
        }
    }
}

impl Share {
    pub(super) fn take(&mut self, bytes: u64) -> Result<(), RepositoryError> {
        let Budget { limit, taken } = &self.budget;
        let before = taken.fetch_add(bytes, Ordering::Relaxed);
        self.bytes += bytes;
        if before.saturating_add(bytes) > *limit {
            return Err(RepositoryError::unavailable(OverBudget { limit: *limit }));
        }
        Ok(())
    }

    /// Keeps `bytes` taken when this is dropped.
    pub(super) fn keep(&mut self, bytes: u64) {
        self.budget.count(bytes);
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.budget.give_back(self.bytes);
    }
}
