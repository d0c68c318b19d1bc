//! Content files that are kept open, since what is read twice is often read again.
//!
//! A version is written once, so a file that is open stays right until its Binary is deleted.

use std::fmt;
use std::num::NonZero;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use lru::LruCache;

use super::content_file::ContentFile;
use crate::id::{BinaryId, VersionId};
use crate::key::BinaryKey;

/// The most files that are kept open: few beside the connections of a server that needs them.
const MAX_OPEN: NonZero<usize> = NonZero::new(128).unwrap();

pub(super) struct OpenFiles(Mutex<State>);

struct State {
    /// Of each Binary the version that was read last.
    files: LruCache<BinaryId, (VersionId, Arc<ContentFile>)>,
    deletions: u64,
}

/// That a file was not open, and when: it may be opened and kept unless something has been deleted
/// since, for that may have been its Binary.
pub(super) struct NotOpen {
    deletions: u64,
}

impl OpenFiles {
    pub(super) fn get(&self, key: &BinaryKey) -> Result<Arc<ContentFile>, NotOpen> {
        let mut state = self.lock();
        match state.files.get(&key.id()) {
            Some((version, file)) if *version == key.version() => Ok(Arc::clone(file)),
            _ => Err(NotOpen {
                deletions: state.deletions,
            }),
        }
    }

    /// Keeps a file that was opened after it had been found not to be open.
    pub(super) fn keep(&self, key: &BinaryKey, file: Arc<ContentFile>, not_open: &NotOpen) {
        let mut state = self.lock();
        if state.deletions != not_open.deletions {
            return;
        }
        let removed = state.files.push(key.id(), (key.version(), file));
        // Closing may take long: others should not wait for the lock meanwhile.
        drop(state);
        drop(removed);
    }

    /// To be called once a Binary's files cannot be opened any more.
    pub(super) fn forget(&self, id: BinaryId) {
        let mut state = self.lock();
        state.deletions += 1;
        let deleted = state.files.pop(&id);
        drop(state);
        drop(deleted);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for OpenFiles {
    fn default() -> Self {
        Self(Mutex::new(State {
            files: LruCache::new(MAX_OPEN),
            deletions: 0,
        }))
    }
}

impl fmt::Debug for OpenFiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenFiles").finish_non_exhaustive()
    }
}
