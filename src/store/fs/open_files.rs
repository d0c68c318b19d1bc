//! Content files that are kept open, since a file that is read twice is often read again.
//!
//! Content never changes, so a file that is open stays right until it is deleted.

use std::fmt;
use std::num::NonZero;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use lru::LruCache;

use super::content_file::ContentFile;

/// The most files that are kept open: few beside the connections of a server that needs them.
const MAX_OPEN: NonZero<usize> = NonZero::new(128).unwrap();

/// The names under which a file is kept open. One member of each group is, the one that was read
/// last: one version of a Binary.
#[derive(Debug, Clone, Copy)]
pub(super) struct Name<'a> {
    pub(super) group: &'a str,
    pub(super) member: &'a str,
}

pub(super) struct OpenFiles(Mutex<State>);

struct State {
    /// By group.
    files: LruCache<Box<str>, Member>,
    deletions: u64,
}

struct Member {
    name: Box<str>,
    file: Arc<ContentFile>,
}

/// The moment at which a file was not open. It may be opened and kept unless something has been
/// deleted since: that may have been its group.
pub(super) struct NotOpen {
    deletions: u64,
}

impl OpenFiles {
    pub(super) fn get(&self, name: Name<'_>) -> Result<Arc<ContentFile>, NotOpen> {
        let mut state = self.lock();
        match state.files.get(name.group) {
            Some(member) if *member.name == *name.member => Ok(Arc::clone(&member.file)),
            _ => Err(NotOpen {
                deletions: state.deletions,
            }),
        }
    }

    /// Keeps a file that was opened after it had been found not to be open.
    pub(super) fn keep(&self, name: Name<'_>, file: Arc<ContentFile>, not_open: &NotOpen) {
        let mut state = self.lock();
        if state.deletions != not_open.deletions {
            return;
        }
        let member = Member {
            name: name.member.into(),
            file,
        };
        let removed = state.files.push(name.group.into(), member);
        // Closing may take long: others should not wait for the lock meanwhile.
        drop(state);
        drop(removed);
    }

    /// To be called once a group's files cannot be opened any more.
    pub(super) fn forget(&self, group: &str) {
        let mut state = self.lock();
        state.deletions += 1;
        let deleted = state.files.pop(group);
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
