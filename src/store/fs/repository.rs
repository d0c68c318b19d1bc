//! [`FsRepository`]: Binaries, with all their versions, in a folder.
//!
//! ```text
//! tower-presign.repository    locked while a process has the folder open
//! binaries/{id}/binary        a Binary: the media type of its content
//! binaries/{id}/v{number}     a version's content
//! deleting/{id}/              the folder of a Binary that is being deleted
//! deleted/{id}                a tombstone: a Binary that was deleted
//! staging/{random}            files that are not whole yet, or any more
//! resumable/{id}              an upload that comes in parts
//! ```

use std::fmt;
use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use serde::{Deserialize, Serialize};

use super::binaries::{GRAVES, TOMBSTONES};
use super::error::{At as _, FileError};
use super::folder::{Folder, Layout, Received};
use super::kept_files::Name;
use super::known_binaries::{KnownBinaries, KnownBinary};
use super::paths::FileName;
use super::staged_file::StagedFile;
use super::unfinished::Unfinished;
use super::{blocking, cached};
use crate::content_type::ContentType;
use crate::id::{BinaryId, VersionId};
use crate::key::BinaryKey;
use crate::store::resumable::Whole;
use crate::store::{
    BinaryRepository, ByteRange, Content, Located, Metadata, RepositoryError, Resumable, Target,
    Upload, numbered,
};

const LAYOUT: Layout = Layout {
    lock: "tower-presign.repository",
    content: "binaries",
    others: &[GRAVES, TOMBSTONES],
    refusal: "it is neither empty nor made by FsRepository: name a folder of its own",
};

/// Content in a folder of the local disk, which one process at a time may use.
///
/// A version's content and metadata are one file, which is written elsewhere and then moved into
/// its place. If the process or the machine is killed, at whatever moment, a version is there as a
/// whole or not at all. Several uploads of one version cannot both be moved there.
///
/// (One exception remains. If the version is there but the disk refuses to confirm it, the upload
/// is reported as failed. A repeat of it is reported as stored, once the disk confirms it.)
///
/// The length of content and its SHA-256 are kept beside it. Reading a file of another length is an
/// error, and never yields shorter content.
///
/// Versions are numbered without a gap: `1`, `2`, `3`. A write URL names the version after the
/// current one. Of two that were minted at the same time the second to be used is refused, so
/// nobody overwrites content that they have not seen. Old versions stay readable. The current one
/// is found with few looks, however many there are.
///
/// A Binary that is deleted leaves a tombstone, an empty entry in a folder, for as long as the
/// repository lives: that is the price of ids that are never used again, and of `410 Gone`. A host
/// that has records of its own needs none: [`Composed`](crate::store::Composed) with
/// [`FsStore`](super::FsStore) leaves nothing behind.
///
/// Content that has been read is kept at hand on Linux, if it is on a local file system: small
/// contents in memory ([`content_cache`](Self::content_cache)), the files of others open
/// ([`max_open_files`](Self::max_open_files)). So are the facts that a mint needs, of the 8,192
/// Binaries that were last asked for, in about 2 MB. Therefore nothing but this repository may
/// change the folder while it is open. A Binary that it deletes is gone at once, and its place on the disk as
/// soon as nobody downloads it any more.
///
/// A key's context and its place are not looked at. The file system must be able to move a file
/// without replacing another (as Linux can), or have hard links. Needs a tokio runtime, on whose
/// blocking threads it works. Content in the page cache of a local file system is read at once. No
/// thread of the runtime itself waits for a disk.
///
/// If the system limits the length of files (`RLIMIT_FSIZE`), writing beyond the limit ends a
/// process that does not ignore or catch SIGXFSZ. The example servers catch it; the upload is then
/// too large.
///
/// An upload whose future is dropped before its content has ended leaves nothing. After that it
/// takes its course: the version is there as a whole a little later, or not at all.
///
/// ```no_run
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// use tower_presign::{BinaryId, ContentType, FsRepository};
///
/// let repository = FsRepository::open("/var/lib/binaries").await?;
/// let scan = repository.create(BinaryId::random(), ContentType::new("image/png")?).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct FsRepository {
    pub(super) folder: Folder,
    /// Held for reading while a version appears in a Binary's folder, and for writing while such a
    /// folder itself appears or goes. Held only where blocking is allowed.
    pub(super) folders: Arc<RwLock<()>>,
    known: Arc<KnownBinaries>,
}

/// The contents of a Binary's own file.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Binary {
    pub(super) content_type: String,
}

impl FsRepository {
    /// Opens the folder, creates it if need be (for its owner alone, on systems that have such
    /// modes), removes the remains of interrupted uploads, and finishes interrupted deletions.
    ///
    /// # Errors
    ///
    /// All of them name the path.
    ///
    /// - [`ErrorKind::WouldBlock`] when the folder is open already, in this process or another.
    /// - [`ErrorKind::DirectoryNotEmpty`] when something is in the folder, but `lost+found`, and it
    ///   was not made by this. Nothing is touched there.
    /// - Any error that the file system reports, also if it can neither move a file without
    ///   replacing another nor make hard links.
    pub async fn open(root: impl Into<PathBuf>) -> io::Result<Self> {
        let root = root.into();
        blocking(move || {
            let repository = Self {
                folder: Folder::open(&root, &LAYOUT)?,
                folders: Arc::default(),
                known: Arc::default(),
            };
            repository.bury_all()?;
            Ok(repository)
        })
        .await
    }

    /// Adds a Binary without content, and returns the key of the version that its first upload
    /// will create.
    ///
    /// # Errors
    ///
    /// [`AlreadyWritten`](RepositoryError::AlreadyWritten) when there is a Binary of this id,
    /// [`Deleted`](RepositoryError::Deleted) when there was, and any error that the file system
    /// reports.
    pub async fn create(
        &self,
        id: BinaryId,
        content_type: ContentType,
    ) -> Result<BinaryKey, RepositoryError> {
        let repository = self.clone();
        blocking(move || repository.create_blocking(id, &content_type)).await
    }

    /// Deletes a Binary with all its content, for good: its id is not used again.
    ///
    /// It is gone at one moment, and as a whole. If this fails, or is cut short by the end of the
    /// process, that moment may have come or not: call it again. It needs neither room nor an
    /// inode, so it can empty a disk that is full.
    ///
    /// # Errors
    ///
    /// [`NotFound`](RepositoryError::NotFound) when there never was such a Binary, and any error
    /// that the file system reports.
    pub async fn delete(&self, id: BinaryId) -> Result<(), RepositoryError> {
        let repository = self.clone();
        blocking(move || repository.delete_blocking(id)).await
    }

    fn find_blocking(&self, id: BinaryId) -> Result<KnownBinary, RepositoryError> {
        let path = binary_file(&self.binary_folder(id));
        let binary = fs::read(&path)
            .at("read", &path)
            .map_err(|error| self.failed(id, error))?;
        Ok(self.examine(id, &binary, exists)?)
    }

    /// Without blocking, if the kernel has all that is needed in memory.
    fn find_cached(&self, id: BinaryId) -> Option<KnownBinary> {
        if !self.folder.is_local() {
            return None;
        }
        let binary = cached::read(&binary_file(&self.binary_folder(id))).ok()?;
        let exists = |path: &Path| cached::exists(path).at("look for", path);
        self.examine(id, &binary, exists).ok()
    }

    /// `binary` is the Binary's own file, and `exists` is asked about its versions.
    fn examine(
        &self,
        id: BinaryId,
        binary: &[u8],
        exists: impl Fn(&Path) -> Result<bool, FileError>,
    ) -> Result<KnownBinary, FileError> {
        let content_type = || {
            let binary: Binary = serde_json::from_slice(binary)?;
            ContentType::new(binary.content_type).map_err(io::Error::other)
        };
        Ok(KnownBinary {
            content_type: content_type().at("read", &binary_file(&self.binary_folder(id)))?,
            newest: numbered::newest(|number| exists(&self.content(id, number)))?,
        })
    }

    /// To be called once a Binary has changed, and before that is reported to anybody.
    pub(super) fn forget(&self, id: BinaryId) {
        self.known.forget(id);
        self.folder.forget(id.as_str());
    }

    /// Fails if `key` may not be written, as far as that is known before its content is there.
    fn check_vacant(&self, key: &BinaryKey) -> Result<(), RepositoryError> {
        let id = key.id();
        if !exists(&self.binary_folder(id))? {
            return Err(self.absent(id));
        }
        let number = key.version().number();
        let number = number.filter(|number| *number > 0);
        let number = number.ok_or(RepositoryError::NotFound)?;
        let content = self.content(id, number);
        if exists(&content)? {
            return Err(self.already_written(&content));
        }
        // No URL names such a version, which would leave a gap.
        if number > 1 && !exists(&self.content(id, number - 1))? {
            return Err(RepositoryError::NotFound);
        }
        Ok(())
    }

    /// Makes a version visible.
    fn publish(&self, staged: StagedFile, key: &BinaryKey) -> Result<(), RepositoryError> {
        let id = key.id();
        let content = self.content_of(key);
        let published = {
            let _folders = self.folders.read().unwrap_or_else(PoisonError::into_inner);
            staged.publish(&content)
        };
        self.known.forget(id);
        published.map_err(|error| match error.kind() {
            ErrorKind::AlreadyExists => self.already_written(&content),
            _ => self.failed(id, error),
        })?;
        // If this fails the version stays: someone may have read it already.
        let synced = self.folder.sync_parent(&content);
        synced.map_err(|error| self.failed(id, error))
    }

    /// The error for a `path` that is taken. A client may take it as proof that its content is
    /// stored, so the file must stay: the call that put it there may not have flushed its entry.
    fn already_written(&self, path: &Path) -> RepositoryError {
        match self.folder.sync_parent(path) {
            Ok(()) => RepositoryError::AlreadyWritten,
            Err(error) => error.into(),
        }
    }

    /// Translates an error with a file of the Binary.
    pub(super) fn failed(&self, id: BinaryId, error: FileError) -> RepositoryError {
        match error.kind() {
            ErrorKind::NotFound => self.absent(id),
            _ => error.into(),
        }
    }

    /// The error of a missing file of the Binary.
    fn absent(&self, id: BinaryId) -> RepositoryError {
        if self.is_deleted(id) {
            RepositoryError::Deleted
        } else {
            self.folder.absent()
        }
    }

    pub(super) fn binary_folder(&self, id: BinaryId) -> PathBuf {
        let id = FileName(id.as_str());
        self.folder.path(format!("binaries/{id}"))
    }

    fn content(&self, id: BinaryId, version: impl fmt::Display) -> PathBuf {
        let id = FileName(id.as_str());
        self.folder.path(format!("binaries/{id}/v{version}"))
    }

    fn content_of(&self, key: &BinaryKey) -> PathBuf {
        self.content(key.id(), FileName(key.version().as_str()))
    }

    /// As [`failed`](Self::failed), to be called where blocking is allowed.
    fn on_failure(&self, id: BinaryId) -> impl FnOnce(FileError) -> RepositoryError + Send + use<> {
        let repository = self.clone();
        move |error| repository.failed(id, error)
    }
}

impl BinaryRepository for FsRepository {
    async fn locate(&self, target: &Target) -> Result<Located, RepositoryError> {
        let id = target.id();
        let binary = match self.known.get(id) {
            Ok(known) => known,
            Err(not_known) => {
                let binary = if let Some(binary) = self.find_cached(id) {
                    binary
                } else {
                    let repository = self.clone();
                    blocking(move || repository.find_blocking(id)).await?
                };
                if self.folder.is_local() {
                    self.known.add(id, &binary, &not_known);
                }
                binary
            }
        };
        let version = numbered::locate(target, binary.newest)?;
        Ok(Located::new(target.key(version), binary.content_type))
    }

    async fn head(&self, key: &BinaryKey) -> Result<Metadata, RepositoryError> {
        let (id, version) = (key.id(), key.version());
        let locate = || (self.content_of(key), self.on_failure(id));
        self.folder.head(name(&id, &version), locate).await
    }

    async fn read(
        &self,
        key: &BinaryKey,
        range: Option<ByteRange>,
    ) -> Result<Content, RepositoryError> {
        let (id, version) = (key.id(), key.version());
        let locate = || (self.content_of(key), self.on_failure(id));
        self.folder.read(name(&id, &version), range, locate).await
    }

    async fn write(
        &self,
        key: &BinaryKey,
        mut upload: Upload,
    ) -> Result<Metadata, RepositoryError> {
        let resumed = upload.take_resumed();
        let check = {
            let (repository, key) = (self.clone(), key.clone());
            move || repository.check_vacant(&key)
        };
        if upload.expects_continue() {
            blocking(check.clone()).await?;
        }
        let (repository, key) = (self.clone(), key.clone());
        let publish = move |staged, received: Received| {
            repository.publish(staged, &key)?;
            let content_type = received.content_type.as_str();
            let metadata = Metadata::new(content_type, received.length, received.last_modified);
            Ok(metadata.with_sha256(received.sha256))
        };
        let Some(id) = resumed else {
            return self.folder.receive(upload, check, publish).await;
        };
        let whole = Whole::of(id, upload).await?;
        let folder = self.folder.clone();
        blocking(move || {
            let unfinished = Unfinished::new(&folder, &whole.id)?;
            let _lock = unfinished.lock()?;
            // Not before: a write whose future was dropped may have been about to publish it.
            check()?;
            let (staged, received) = whole.stage(&folder, &unfinished)?;
            let size = staged.length()?;
            let metadata = publish(staged, received)?;
            folder.budget.give_back(size);
            Ok(metadata)
        })
        .await
    }

    fn resumable(&self) -> Option<&impl Resumable> {
        Some(&self.folder)
    }
}

fn name<'a>(id: &'a BinaryId, version: &'a VersionId) -> Name<'a> {
    Name {
        group: id.as_str(),
        member: version.as_str(),
    }
}

/// A Binary's own file in its folder.
pub(super) fn binary_file(folder: &Path) -> PathBuf {
    folder.join("binary")
}

pub(super) fn exists(path: &Path) -> Result<bool, FileError> {
    path.try_exists().at("look for", path)
}
