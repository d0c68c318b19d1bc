//! Content in a folder of the local disk.

mod cached;
mod content_file;
mod open_files;
mod paths;
mod staged_file;

use std::fs::{self, File, TryLockError};
use std::io::{self, ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::SystemTime;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use tokio::runtime::Handle;
use tokio::task::spawn_blocking;

use super::{
    BinaryRepository, ByteRange, Content, Located, Metadata, RepositoryError, Target, Upload,
    UploadError, numbered,
};
use crate::content_type::ContentType;
use crate::id::{BinaryId, VersionId};
use crate::key::BinaryKey;
use crate::url::Access;
use content_file::{Beginning, ContentFile};
use open_files::OpenFiles;
use paths::Paths;
use staged_file::{AbortOnDrop, Permit, StagedFile, sync_parent};

/// How much of an upload is gathered in memory and then written at once, in bytes.
const GATHER: usize = 1024 * 1024;

/// Content in a folder of the local disk, which one process at a time may use.
///
/// A version's content and metadata are one file, which is written elsewhere and then moved into
/// its place: whenever the process is killed, or the machine, a version is there as a whole or not
/// at all. Several uploads of one version cannot both be moved there.
///
/// (One exception remains: if the version is there but the disk refuses to confirm it, the upload
/// is reported as failed, and a repeat of it as already written.)
///
/// Versions are numbered: `1`, `2`, `3`. A write URL names the version after the current one, so
/// of two that were minted at the same time the second to be used is refused, and nobody
/// overwrites what they have not seen. Old versions stay readable.
///
/// On Linux the files of up to 128 Binaries that have been read stay open, to be read again
/// sooner. Nothing but this repository may therefore change what is in the folder, while it is open
/// there. A Binary that it deletes is gone at once, and its place on the disk as soon as nobody
/// downloads it any more.
///
/// A key's context is not looked at. The file system must be able to move a file without replacing
/// another (as Linux can), or have hard links. Needs a tokio runtime, on whose blocking threads it
/// works; what the page cache has it reads at once.
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
    paths: Paths,
    fsync: bool,
    /// Held for reading while a version appears in a Binary's folder, and for writing while such a
    /// folder itself appears or goes.
    folders: Arc<RwLock<()>>,
    open_files: Arc<OpenFiles>,
    /// Locked as long as any clone is alive.
    _lock: Arc<File>,
}

/// The contents of a Binary's own file.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Binary {
    content_type: String,
}

impl FsRepository {
    /// Opens the folder, creates it if need be (for its owner alone, where there are such modes),
    /// and removes what interrupted uploads have left.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::WouldBlock`] when the folder is open already, in this process or another, and
    /// what the file system reports, also if it can neither move a file without replacing another
    /// nor make hard links.
    pub async fn open(root: impl Into<PathBuf>) -> io::Result<Self> {
        let root = root.into();
        blocking(move || {
            let is_new = !root.try_exists()?;
            create_folder(&root)?;
            let paths = Paths::new(root.canonicalize()?);
            // The folder above may be one that we may not read; then it has been there before.
            sync_parent(&paths.root(), is_new)?;
            for folder in [paths.binaries(), paths.deleted(), paths.staging()] {
                create_folder(&folder)?;
                sync_parent(&folder, true)?;
            }

            let lock = File::create(paths.lock())?;
            lock.try_lock().map_err(|error| match error {
                TryLockError::WouldBlock => {
                    io::Error::new(ErrorKind::WouldBlock, "another process uses the folder")
                }
                TryLockError::Error(error) => error,
            })?;
            // Find out now, and not at the first upload, whether that can be done here.
            StagedFile::create(paths.staged())?.publish(&paths.staged())?;
            for leftover in fs::read_dir(paths.staging())? {
                match remove(&leftover?.path()) {
                    // An upload that was aborted before the last closing may just be ending.
                    Err(error) if error.kind() == ErrorKind::NotFound => {}
                    removed => removed?,
                }
            }
            Ok(Self {
                paths,
                fsync: true,
                folders: Arc::default(),
                open_files: Arc::default(),
                _lock: Arc::new(lock),
            })
        })
        .await
    }

    /// Whether to wait until data has reached the disk before an upload is reported as stored.
    /// Default: yes. Without it, a power failure may lose or truncate recent uploads; the end of
    /// the process alone may not.
    #[must_use]
    pub fn fsync(mut self, fsync: bool) -> Self {
        self.fsync = fsync;
        self
    }

    /// Adds a Binary without content, and returns the key of the version that its first upload
    /// will create.
    ///
    /// # Errors
    ///
    /// [`AlreadyWritten`](RepositoryError::AlreadyWritten) when there is a Binary of this id,
    /// [`Deleted`](RepositoryError::Deleted) when there was, and what the file system reports.
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
    /// If this fails, or is cut short by the end of the process, the Binary may still be there, as
    /// a whole: call it again.
    ///
    /// # Errors
    ///
    /// [`NotFound`](RepositoryError::NotFound) when there never was such a Binary, and what the
    /// file system reports.
    pub async fn delete(&self, id: BinaryId) -> Result<(), RepositoryError> {
        let repository = self.clone();
        blocking(move || repository.delete_blocking(id)).await
    }

    fn create_blocking(
        &self,
        id: BinaryId,
        content_type: &ContentType,
    ) -> Result<BinaryKey, RepositoryError> {
        let binary = serde_json::to_vec(&Binary {
            content_type: content_type.as_str().to_owned(),
        })
        .map_err(io::Error::from)?;
        let staged = self.paths.staged();
        fs::create_dir(&staged)?;
        let file = paths::binary_file(&staged);
        let created = write_file(&file, &binary, self.fsync)
            .and_then(|()| sync_parent(&file, self.fsync))
            .map_err(RepositoryError::from)
            .and_then(|()| self.add_folder(id, &staged));
        if created.is_err() {
            // What cannot be removed now is removed when the folder is opened again.
            drop(remove(&staged));
        }
        created?;
        let first = numbered::locate(&Target::new(id, Access::Write), 0)?;
        Ok(BinaryKey::new(id, first))
    }

    fn add_folder(&self, id: BinaryId, staged: &Path) -> Result<(), RepositoryError> {
        let folder = self.paths.binary_folder(id);
        {
            let _folders = self.folders.write().unwrap_or_else(PoisonError::into_inner);
            if self.paths.tombstone(id).try_exists()? {
                return Err(RepositoryError::Deleted);
            }
            if folder.try_exists()? {
                return Err(RepositoryError::AlreadyWritten);
            }
            fs::rename(staged, &folder)?;
        }
        Ok(sync_parent(&folder, self.fsync)?)
    }

    fn delete_blocking(&self, id: BinaryId) -> Result<(), RepositoryError> {
        let moved = self.move_away(id);
        // Whatever became of it: another call may have moved the folder meanwhile.
        self.open_files.forget(id);
        let grave = moved?;
        // Also if there was nothing to move: an earlier call may not have come as far as this.
        sync_parent(&self.paths.binary_folder(id), self.fsync)?;
        if let Some(grave) = grave {
            fs::remove_dir_all(grave)?;
        }
        Ok(())
    }

    /// Makes a Binary's folder a leftover, and returns where that is; `None` if the Binary has
    /// been deleted before.
    fn move_away(&self, id: BinaryId) -> Result<Option<PathBuf>, RepositoryError> {
        let (folder, tombstone) = (self.paths.binary_folder(id), self.paths.tombstone(id));
        if !folder.try_exists()? {
            return if tombstone.try_exists()? {
                Ok(None)
            } else {
                Err(RepositoryError::NotFound)
            };
        }
        write_file(&tombstone, b"", self.fsync)?;
        sync_parent(&tombstone, self.fsync)?;
        let grave = self.paths.staged();
        let _folders = self.folders.write().unwrap_or_else(PoisonError::into_inner);
        match fs::rename(&folder, &grave) {
            Ok(()) => Ok(Some(grave)),
            // Another call was faster.
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    fn locate_blocking(&self, target: &Target) -> Result<Located, RepositoryError> {
        let folder = self.paths.binary_folder(target.id());
        let binary = fs::read(paths::binary_file(&folder))
            .map_err(|error| self.absent(target.id(), error))?;
        let binary: Binary = serde_json::from_slice(&binary).map_err(RepositoryError::internal)?;

        let mut current = 0;
        let files = fs::read_dir(&folder).map_err(|error| self.absent(target.id(), error))?;
        for file in files {
            let name = file?.file_name();
            let number = name
                .to_str()
                .and_then(paths::version_of)
                .and_then(|version| VersionId::new(version).ok()?.number());
            current = current.max(number.unwrap_or(0));
        }
        Ok(Located::new(
            target.key(numbered::locate(target, current)?),
            ContentType::new(binary.content_type).map_err(RepositoryError::internal)?,
        ))
    }

    async fn open_content(
        &self,
        key: &BinaryKey,
        beginning: Beginning,
    ) -> Result<(Arc<ContentFile>, Bytes), RepositoryError> {
        let not_open = match self.open_files.get(key) {
            Ok(file) => return Ok((file, Bytes::new())),
            Err(not_open) => not_open,
        };
        let path = self.paths.content(key);
        if let Some((file, beginning)) = ContentFile::open_cached(&path, beginning) {
            // What has to be waited for is not kept: it may never be read again, and elsewhere
            // than on Linux an open file can be in the way of moving its folder.
            self.open_files.keep(key, Arc::clone(&file), &not_open);
            return Ok((file, beginning));
        }
        let (repository, id) = (self.clone(), key.id());
        blocking(move || {
            ContentFile::open(&path, beginning).map_err(|error| repository.absent(id, error))
        })
        .await
    }

    /// Whether `key` may be written, as far as can be told before its content is there.
    fn check_vacant(&self, key: &BinaryKey) -> Result<(), RepositoryError> {
        if !self.paths.binary_folder(key.id()).try_exists()? {
            return Err(self.absent(key.id(), ErrorKind::NotFound.into()));
        }
        if self.paths.content(key).try_exists()? {
            return Err(RepositoryError::AlreadyWritten);
        }
        Ok(())
    }

    /// Appends to a staged file, which is created if there is none yet and `key` may be written.
    fn stage(
        &self,
        staged: Option<StagedFile>,
        key: &BinaryKey,
        bytes: &[u8],
    ) -> Result<StagedFile, RepositoryError> {
        let mut staged = if let Some(staged) = staged {
            staged
        } else {
            self.check_vacant(key)?;
            StagedFile::create(self.paths.staged())?
        };
        staged.write(bytes)?;
        Ok(staged)
    }

    /// Makes a version visible, if `permit` still allows it, and returns when it was written.
    fn commit(
        &self,
        mut staged: StagedFile,
        key: &BinaryKey,
        permit: &Permit,
    ) -> Result<SystemTime, RepositoryError> {
        let last_modified = staged.finish(self.fsync)?;
        let content = self.paths.content(key);
        permit
            .use_for(|| {
                let _folders = self.folders.read().unwrap_or_else(PoisonError::into_inner);
                staged.publish(&content)
            })
            .ok_or(UploadError::Incomplete(None))?
            .map_err(|error| match error.kind() {
                ErrorKind::AlreadyExists => RepositoryError::AlreadyWritten,
                _ => self.absent(key.id(), error),
            })?;
        // If this fails the version stays: someone may have read it already.
        sync_parent(&content, self.fsync).map_err(|error| self.absent(key.id(), error))?;
        Ok(last_modified)
    }

    /// What it means that a file of the Binary is not there; other errors are passed on.
    fn absent(&self, id: BinaryId, error: io::Error) -> RepositoryError {
        if error.kind() != ErrorKind::NotFound {
            return error.into();
        }
        // With both, deleting was cut short.
        if self.paths.tombstone(id).exists() && !self.paths.binary_folder(id).exists() {
            RepositoryError::Deleted
        } else {
            RepositoryError::NotFound
        }
    }
}

impl BinaryRepository for FsRepository {
    async fn locate(&self, target: &Target) -> Result<Located, RepositoryError> {
        let (repository, target) = (self.clone(), target.clone());
        blocking(move || repository.locate_blocking(&target)).await
    }

    async fn head(&self, key: &BinaryKey) -> Result<Metadata, RepositoryError> {
        let (file, _) = self.open_content(key, Beginning::Header).await?;
        Ok(file.metadata.clone())
    }

    async fn read(
        &self,
        key: &BinaryKey,
        range: Option<ByteRange>,
    ) -> Result<Content, RepositoryError> {
        let beginning = match range {
            Some(_) => Beginning::Header,
            None => Beginning::Content,
        };
        let (file, beginning) = self.open_content(key, beginning).await?;
        let metadata = file.metadata.clone();
        let (range, chunks) = file.read(&beginning, range).await?;
        Ok(Content::new(metadata, range, chunks))
    }

    async fn write(
        &self,
        key: &BinaryKey,
        mut upload: Upload,
    ) -> Result<Metadata, RepositoryError> {
        if upload.expects_continue() {
            let (repository, key) = (self.clone(), key.clone());
            blocking(move || repository.check_vacant(&key)).await?;
        }

        let content_type = upload.content_type().as_str().to_owned();
        let mut buffer = content_file::header(&content_type)?;
        let mut staged = Discarded(None);
        let mut length = 0;
        let abort = AbortOnDrop::default();
        while let Some(chunk) = upload.next().await {
            let chunk = match chunk {
                Ok(chunk) => chunk,
                Err(error) => {
                    let staged = staged.0.take();
                    blocking(move || {
                        drop(staged);
                        io::Result::Ok(())
                    })
                    .await?;
                    return Err(error.into());
                }
            };
            length += chunk.len() as u64;
            buffer.extend_from_slice(&chunk);
            if buffer.len() >= GATHER {
                let (repository, key, begun) = (self.clone(), key.clone(), staged.0.take());
                (staged.0, buffer) = blocking(move || {
                    let staged = repository.stage(begun, &key, &buffer)?;
                    buffer.clear();
                    Ok::<_, RepositoryError>((Some(staged), buffer))
                })
                .await?;
            }
        }
        let (repository, key) = (self.clone(), key.clone());
        let (permit, begun) = (abort.permit(), staged.0.take());
        blocking(move || {
            let staged = repository.stage(begun, &key, &buffer)?;
            let last_modified = repository.commit(staged, &key, &permit)?;
            Ok(Metadata::new(content_type, length, last_modified))
        })
        .await
    }
}

/// A staged file that is dropped where blocking is allowed: to remove a large one takes long.
struct Discarded(Option<StagedFile>);

impl Drop for Discarded {
    fn drop(&mut self) {
        if let (Some(staged), Ok(runtime)) = (self.0.take(), Handle::try_current()) {
            runtime.spawn_blocking(move || drop(staged));
        }
    }
}

fn create_folder(path: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.recursive(true).create(path)
}

fn write_file(path: &Path, bytes: &[u8], fsync: bool) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(bytes)?;
    if fsync {
        file.sync_all()?;
    }
    Ok(())
}

fn remove(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        fs::remove_dir_all(path)
    } else {
        fs::remove_file(path)
    }
}

/// Runs `work` where blocking is allowed.
async fn blocking<T, E>(work: impl FnOnce() -> Result<T, E> + Send + 'static) -> Result<T, E>
where
    T: Send + 'static,
    E: From<io::Error> + Send + 'static,
{
    match spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => Err(io::Error::other(error).into()),
    }
}
