//! The facts about Binaries that the last mints have read, so that the next asks the disk nothing.
//!
//! Nobody but this process changes the folder, and each change is reported here: until then the
//! facts stay right.

use std::fmt;
use std::num::NonZeroUsize;
use std::sync::{Mutex, MutexGuard, PoisonError};

use lru::LruCache;

use crate::content_type::ContentType;
use crate::id::BinaryId;

/// The number of Binaries that are known, those that were asked for last: about 2 MB.
const CAPACITY: NonZeroUsize = NonZeroUsize::new(8192).unwrap();

pub(super) struct KnownBinaries(Mutex<State>);

struct State {
    binaries: LruCache<BinaryId, KnownBinary>,
    changes: u64,
}

#[derive(Clone)]
pub(super) struct KnownBinary {
    pub(super) content_type: ContentType,
    /// The number of the newest version; 0 if there is none.
    pub(super) newest: u64,
}

/// The moment at which a Binary was not known. It may be known once it has been read, unless
/// something has changed since: that may have been this Binary.
pub(super) struct NotKnown {
    changes: u64,
}

impl KnownBinaries {
    pub(super) fn get(&self, id: BinaryId) -> Result<KnownBinary, NotKnown> {
        let mut state = self.lock();
        let known = state.binaries.get(&id).cloned();
        known.ok_or(NotKnown {
            changes: state.changes,
        })
    }

    pub(super) fn add(&self, id: BinaryId, binary: &KnownBinary, not_known: &NotKnown) {
        let mut state = self.lock();
        if state.changes == not_known.changes {
            state.binaries.put(id, binary.clone());
        }
    }

    /// To be called once a Binary has changed, and before that is reported to anybody.
    pub(super) fn forget(&self, id: BinaryId) {
        let mut state = self.lock();
        state.changes += 1;
        state.binaries.pop(&id);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for KnownBinaries {
    fn default() -> Self {
        Self(Mutex::new(State {
            binaries: LruCache::new(CAPACITY),
            changes: 0,
        }))
    }
}

impl fmt::Debug for KnownBinaries {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KnownBinaries").finish_non_exhaustive()
    }
}
