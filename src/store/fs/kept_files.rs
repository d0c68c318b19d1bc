//! Contents that are kept at hand, since one that is read twice is often read again: small ones in
//! memory, the files of longer ones open.
//!
//! Content never changes, so what is kept stays right until it is deleted.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use lru::LruCache;

use super::content_file::ContentFile;

/// The memory for small contents, in bytes, unless the host says otherwise.
const DEFAULT_MEMORY: usize = 32 * 1024 * 1024;

/// The most files that stay open, unless the host says otherwise.
const DEFAULT_MAX_OPEN: usize = 4096;

/// The memory that keeping one content takes beside its bytes: two names, the path, the metadata,
/// and what the allocator and the table add.
const OVERHEAD: usize = 1024;

/// The names under which a content is kept. One member of each group is on a shelf, the one that
/// was read last: one version of a Binary.
#[derive(Debug, Clone, Copy)]
pub(super) struct Name<'a> {
    pub(super) group: &'a str,
    pub(super) member: &'a str,
}

pub(super) struct KeptFiles(Mutex<State>);

struct State {
    in_memory: Shelf,
    open: Shelf,
    deletions: u64,
}

/// Contents of one kind, by group: those that were read last.
struct Shelf {
    members: LruCache<Box<str>, Member>,
    /// The sum of what the members take.
    taken: usize,
    limit: usize,
}

struct Member {
    name: Box<str>,
    file: Arc<ContentFile>,
}

/// The moment at which a content was not kept. It may be, once it has been read, unless something
/// has been deleted since: that may have been its group.
pub(super) struct NotKept {
    deletions: u64,
    /// Small contents are kept in memory.
    pub(super) keeps_in_memory: bool,
}

impl KeptFiles {
    pub(super) fn get(&self, name: Name<'_>) -> Result<Arc<ContentFile>, NotKept> {
        let mut state = self.lock();
        let State {
            in_memory, open, ..
        } = &mut *state;
        if let Some(file) = in_memory.get(name).or_else(|| open.get(name)) {
            return Ok(file);
        }
        Err(NotKept {
            deletions: state.deletions,
            keeps_in_memory: state.in_memory.limit > 0,
        })
    }

    /// Keeps a content that was read after it had been found not to be kept.
    pub(super) fn keep(&self, name: Name<'_>, file: &Arc<ContentFile>, not_kept: &NotKept) {
        let mut state = self.lock();
        if state.deletions != not_kept.deletions {
            return;
        }
        let kind = if file.in_memory().is_some() {
            &mut state.in_memory
        } else {
            &mut state.open
        };
        let removed = kind.put(name, file);
        // Closing may take long: others should not wait for the lock meanwhile.
        drop(state);
        drop(removed);
    }

    /// To be called once a group's files cannot be opened any more.
    pub(super) fn forget(&self, group: &str) {
        let mut state = self.lock();
        state.deletions += 1;
        let deleted = (state.in_memory.remove(group), state.open.remove(group));
        drop(state);
        drop(deleted);
    }

    pub(super) fn limit_memory(&self, bytes: usize) {
        let removed = self.lock().in_memory.resize(bytes);
        drop(removed);
    }

    pub(super) fn limit_open_files(&self, files: usize) {
        let removed = self.lock().open.resize(files);
        drop(removed);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shelf {
    fn new(limit: usize) -> Self {
        Self {
            members: LruCache::unbounded(),
            taken: 0,
            limit,
        }
    }

    fn get(&mut self, name: Name<'_>) -> Option<Arc<ContentFile>> {
        let member = self.members.get(name.group)?;
        (*member.name == *name.member).then(|| Arc::clone(&member.file))
    }

    /// Returns the members that have to go for it.
    fn put(&mut self, name: Name<'_>, file: &Arc<ContentFile>) -> Vec<Member> {
        let mut removed = Vec::from_iter(self.remove(name.group));
        self.taken += size(file);
        let member = Member {
            name: name.member.into(),
            file: Arc::clone(file),
        };
        self.members.put(name.group.into(), member);
        removed.extend(self.resize(self.limit));
        removed
    }

    fn remove(&mut self, group: &str) -> Option<Member> {
        let removed = self.members.pop(group)?;
        self.taken -= size(&removed.file);
        Some(removed)
    }

    fn resize(&mut self, limit: usize) -> Vec<Member> {
        self.limit = limit;
        let mut removed = Vec::new();
        while self.taken > limit
            && let Some((_, member)) = self.members.pop_lru()
        {
            self.taken -= size(&member.file);
            removed.push(member);
        }
        removed
    }
}

/// The part of its shelf's limit that a content takes: bytes of memory, or one open file.
fn size(file: &ContentFile) -> usize {
    file.in_memory()
        .map_or(1, |content| content.len() + OVERHEAD)
}

/// A quarter of the files that the process may have open, as far as they are not too many.
#[cfg(target_os = "linux")]
fn max_open() -> usize {
    use rustix::process::{Resource, getrlimit};
    let allowed = getrlimit(Resource::Nofile).current;
    let quarter = allowed.and_then(|files| usize::try_from(files / 4).ok());
    quarter.map_or(DEFAULT_MAX_OPEN, |quarter| quarter.min(DEFAULT_MAX_OPEN))
}

/// None is opened in a way that is kept.
#[cfg(not(target_os = "linux"))]
fn max_open() -> usize {
    0
}

impl Default for KeptFiles {
    fn default() -> Self {
        Self(Mutex::new(State {
            in_memory: Shelf::new(DEFAULT_MEMORY),
            open: Shelf::new(max_open()),
            deletions: 0,
        }))
    }
}

impl fmt::Debug for KeptFiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeptFiles").finish_non_exhaustive()
    }
}
