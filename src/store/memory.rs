//! Content in memory.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use bytes::{Bytes, BytesMut};

use super::resumable::MAX_OF_GROUP;
use super::{
    Begun, BinaryRepository, ByteRange, Content, Located, Metadata, Part, Progress,
    RepositoryError, Resumable, Target, Upload, numbered,
};
use crate::content_type::ContentType;
use crate::id::{BinaryId, UploadId};
use crate::key::BinaryKey;
use crate::url::Access;

/// Content in memory: for tests, demonstrations, and content that need not survive the process.
///
/// Clones share their content. A key's context and its place are not looked at.
#[derive(Clone, Default)]
pub struct MemoryRepository {
    binaries: Arc<Mutex<HashMap<BinaryId, Binary>>>,
    uploads: Arc<Mutex<HashMap<UploadId, Unfinished>>>,
}

/// A resumable upload.
struct Unfinished {
    bytes: BytesMut,
    /// The bytes have become a version.
    is_finished: bool,
    progress: Progress,
    expires: SystemTime,
    /// The last time it was touched, counted in touches of any upload.
    touched: u64,
}

enum Binary {
    Existing {
        content_type: ContentType,
        /// The first has number 1.
        versions: Vec<(Metadata, Bytes)>,
    },
    Deleted,
}

impl MemoryRepository {
    /// An empty repository.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a Binary without content, and returns the key of the version that its first upload
    /// will create.
    ///
    /// # Errors
    ///
    /// [`AlreadyWritten`](RepositoryError::AlreadyWritten) when there is a Binary of this id, and
    /// [`Deleted`](RepositoryError::Deleted) when there was.
    pub fn create(
        &self,
        id: BinaryId,
        content_type: ContentType,
    ) -> Result<BinaryKey, RepositoryError> {
        let mut binaries = self.lock();
        match binaries.get(&id) {
            Some(Binary::Existing { .. }) => return Err(RepositoryError::AlreadyWritten),
            Some(Binary::Deleted) => return Err(RepositoryError::Deleted),
            None => {}
        }
        let binary = Binary::Existing {
            content_type,
            versions: Vec::new(),
        };
        binaries.insert(id, binary);
        let first = numbered::locate(&Target::new(id, Access::Write), 0)?;
        Ok(BinaryKey::new(id, first))
    }

    /// Deletes a Binary with all its content, for good: its id is not used again.
    ///
    /// # Errors
    ///
    /// [`NotFound`](RepositoryError::NotFound) when there never was such a Binary.
    pub fn delete(&self, id: BinaryId) -> Result<(), RepositoryError> {
        match self.lock().get_mut(&id) {
            Some(binary) => *binary = Binary::Deleted,
            None => return Err(RepositoryError::NotFound),
        }
        Ok(())
    }

    fn get(&self, key: &BinaryKey) -> Result<(Metadata, Bytes), RepositoryError> {
        match self.lock().get(&key.id()) {
            Some(Binary::Existing { versions, .. }) => index(key)
                .and_then(|index| versions.get(index).cloned())
                .ok_or(RepositoryError::NotFound),
            Some(Binary::Deleted) => Err(RepositoryError::Deleted),
            None => Err(RepositoryError::NotFound),
        }
    }

    /// Takes the bytes if they become a version.
    fn publish(
        &self,
        key: &BinaryKey,
        upload: &Upload,
        bytes: &mut BytesMut,
    ) -> Result<Metadata, RepositoryError> {
        let mut binaries = self.lock();
        // Checked once more, since another upload may have been faster.
        let versions = next_version(&mut binaries, key)?;
        let bytes = bytes.split().freeze();
        let metadata = Metadata {
            sha256: upload.sha256(),
            ..Metadata::new(
                upload.content_type().as_str(),
                bytes.len() as u64,
                SystemTime::now(),
            )
        };
        versions.push((metadata.clone(), bytes));
        Ok(metadata)
    }

    fn uploads(&self) -> MutexGuard<'_, HashMap<UploadId, Unfinished>> {
        self.uploads.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// No code panics while it holds the lock, and none leaves the map half changed.
    fn lock(&self) -> MutexGuard<'_, HashMap<BinaryId, Binary>> {
        self.binaries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl BinaryRepository for MemoryRepository {
    async fn locate(&self, target: &Target) -> Result<Located, RepositoryError> {
        match self.lock().get(&target.id()) {
            Some(Binary::Existing {
                content_type,
                versions,
            }) => {
                let version = numbered::locate(target, versions.len() as u64)?;
                Ok(Located::new(target.key(version), content_type.clone()))
            }
            Some(Binary::Deleted) => Err(RepositoryError::Deleted),
            None => Err(RepositoryError::NotFound),
        }
    }

    async fn head(&self, key: &BinaryKey) -> Result<Metadata, RepositoryError> {
        Ok(self.get(key)?.0)
    }

    async fn read(
        &self,
        key: &BinaryKey,
        range: Option<ByteRange>,
    ) -> Result<Content, RepositoryError> {
        let (metadata, bytes) = self.get(key)?;
        let range = match range {
            Some(range) => range.resolve(metadata.length)?,
            None => 0..metadata.length,
        };
        // The length of bytes in memory fits.
        #[expect(clippy::cast_possible_truncation, reason = "at most bytes.len()")]
        let part = bytes.slice(range.start as usize..range.end as usize);
        Ok(Content::from_bytes(metadata, range, part))
    }

    async fn write(
        &self,
        key: &BinaryKey,
        mut upload: Upload,
    ) -> Result<Metadata, RepositoryError> {
        next_version(&mut self.lock(), key)?;
        let resumed = upload.take_resumed();
        let mut bytes = BytesMut::new();
        while let Some(chunk) = upload.next().await {
            bytes.extend_from_slice(&chunk?);
        }
        let Some(resumed) = resumed else {
            return self.publish(key, &upload, &mut bytes);
        };
        let mut uploads = self.uploads();
        let unfinished = uploads.get_mut(&resumed).ok_or(RepositoryError::NotFound)?;
        if unfinished.is_finished || Some(unfinished.progress.offset) != upload.length() {
            return Err(RepositoryError::NotFound);
        }
        let metadata = self.publish(key, &upload, &mut unfinished.bytes)?;
        unfinished.is_finished = true;
        Ok(metadata)
    }

    fn resumable(&self) -> Option<&impl Resumable> {
        Some(self)
    }
}

impl Resumable for MemoryRepository {
    async fn begin(&self, upload: &UploadId, begun: Begun) -> Result<(), RepositoryError> {
        let mut uploads = self.uploads();
        let touched = next_touch(&uploads);
        let mut of_group: Vec<(u64, UploadId)> = uploads
            .iter()
            .filter(|(id, of)| id.group() == upload.group() && !of.is_finished)
            .map(|(id, unfinished)| (unfinished.touched, *id))
            .collect();
        of_group.sort_unstable();
        let surplus = (of_group.len() + 1).saturating_sub(MAX_OF_GROUP);
        for (_, oldest) in of_group.into_iter().take(surplus) {
            uploads.remove(&oldest);
        }
        let unfinished = Unfinished {
            bytes: BytesMut::new(),
            is_finished: false,
            progress: Progress::new(0, begun.note),
            expires: begun.expires,
            touched,
        };
        uploads.insert(*upload, unfinished);
        Ok(())
    }

    async fn progress(&self, upload: &UploadId) -> Result<Progress, RepositoryError> {
        let uploads = self.uploads();
        let unfinished = uploads.get(upload).ok_or(RepositoryError::NotFound)?;
        Ok(unfinished.progress.clone())
    }

    async fn append(&self, upload: &UploadId, mut part: Part) -> Result<Progress, RepositoryError> {
        let mut bytes = BytesMut::new();
        let (mut ending, mut note) = (Ok(()), part.note());
        while let Some(chunk) = part.next().await {
            match chunk {
                Ok(chunk) => bytes.extend_from_slice(&chunk),
                Err(error) => {
                    ending = Err(error.into());
                    break;
                }
            }
            note = part.note();
        }
        if ending.is_ok() {
            note = part.note();
        } else if part.is_whole_or_nothing() {
            return ending.map(|()| Progress::new(part.offset(), note));
        }
        let mut uploads = self.uploads();
        let touched = next_touch(&uploads);
        let unfinished = uploads.get_mut(upload).ok_or(RepositoryError::NotFound)?;
        let offset = unfinished.progress.offset;
        if offset != part.offset() {
            return Err(RepositoryError::offset_mismatch(offset));
        }
        if unfinished.is_finished {
            return Err(RepositoryError::AlreadyWritten);
        }
        unfinished.progress = Progress::new(offset + bytes.len() as u64, note);
        unfinished.bytes.unsplit(bytes);
        unfinished.touched = touched;
        ending.map(|()| unfinished.progress.clone())
    }

    async fn abandon(&self, upload: &UploadId) -> Result<(), RepositoryError> {
        self.uploads().remove(upload);
        Ok(())
    }

    async fn remove_expired(&self, now: SystemTime) -> Result<Vec<UploadId>, RepositoryError> {
        let mut expired = Vec::new();
        self.uploads().retain(|id, unfinished| {
            let is_over = unfinished.expires <= now;
            if is_over && !unfinished.is_finished {
                expired.push(*id);
            }
            !is_over
        });
        Ok(expired)
    }
}

fn next_touch(uploads: &HashMap<UploadId, Unfinished>) -> u64 {
    let last = uploads.values().map(|unfinished| unfinished.touched).max();
    last.unwrap_or_default() + 1
}

/// The versions of a Binary, to which `key` can be added.
fn next_version<'a>(
    binaries: &'a mut HashMap<BinaryId, Binary>,
    key: &BinaryKey,
) -> Result<&'a mut Vec<(Metadata, Bytes)>, RepositoryError> {
    match binaries.get_mut(&key.id()) {
        Some(Binary::Existing { versions, .. }) => match index(key) {
            Some(index) if index < versions.len() => Err(RepositoryError::AlreadyWritten),
            Some(index) if index == versions.len() => Ok(versions),
            _ => Err(RepositoryError::NotFound),
        },
        Some(Binary::Deleted) => Err(RepositoryError::Deleted),
        None => Err(RepositoryError::NotFound),
    }
}

/// The position of a version among those of its Binary.
fn index(key: &BinaryKey) -> Option<usize> {
    let number = key.version().number()?;
    usize::try_from(number).ok()?.checked_sub(1)
}

impl fmt::Debug for MemoryRepository {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryRepository")
            .field("binaries", &self.lock().len())
            .finish_non_exhaustive()
    }
}
