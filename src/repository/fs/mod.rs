//! Content in a folder of the local disk.

mod content_file;
mod paths;
mod staged_file;

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use serde::{Deserialize, Serialize};
use tokio::task::spawn_blocking;

use super::{
    BinaryRepository, ByteRange, Content, Located, Metadata, RepositoryError, Target, Upload,
    numbered,
};
use crate::binary::{BinaryId, BinaryKey};
use crate::content_type::ContentType;
use crate::url::Access;
use content_file::ContentFile;
use paths::Paths;
use staged_file::{StagedFile, sync_parent};

/// How much of an upload is gathered in memory and then written at once, in bytes.
const GATHER: usize = 1024 * 1024;

/// Content in a folder of the local disk, which one process at a time may use.
///
/// A version's content and metadata are one file, which is written elsewhere and then linked into
/// its place: whenever the process is killed, or the machine, a version is there as a whole or not
/// at all. Several uploads of one version cannot both be linked.
///
/// Versions are numbered: `1`, `2`, `3`. A write URL names the version after the current one, so
/// of two that were minted at the same time the second to be used is refused, and nobody
/// overwrites what they have not seen. Old versions stay readable.
///
/// A key's context is not looked at. The file system must have hard links. Needs a tokio runtime,
/// on whose blocking threads it works.
///
/// ```no_run
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// use tower_presign::{BinaryId, ContentType, FsRepository};
///
/// let repository = FsRepository::open("/var/lib/binaries").await?;
/// let scan = repository.create(BinaryId::unique(), ContentType::new("image/png")?).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct FsRepository {
    paths: Paths,
    fsync: bool,
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
    /// Opens the folder, creates it if need be, and removes what interrupted uploads have left.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::WouldBlock`] when another process has the folder open, and what the file
    /// system reports.
    pub async fn open(root: impl Into<PathBuf>) -> io::Result<Self> {
        let paths = Paths::new(root.into());
        blocking(move || {
            for folder in [paths.binaries(), paths.deleted(), paths.staging()] {
                fs::create_dir_all(folder)?;
            }
            let lock = File::create(paths.lock())?;
            lock.try_lock()?;
            for leftover in fs::read_dir(paths.staging())? {
                remove(&leftover?.path())?;
            }
            Ok(Self {
                paths,
                fsync: true,
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
    /// From the first moment nothing of it can be read. If this fails after that, or is cut short
    /// by the end of the process, content may still be on the disk: call it again.
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
        let folder = self.paths.binary_folder(id);
        if folder.exists() {
            return Err(RepositoryError::AlreadyWritten);
        }
        if self.paths.deleted_folder(id).exists() {
            return Err(RepositoryError::Deleted);
        }
        let binary = serde_json::to_vec(&Binary {
            content_type: content_type.as_str().to_owned(),
        })
        .map_err(io::Error::from)?;

        let staged = self.paths.staged();
        fs::create_dir(&staged)?;
        let file = paths::binary_file(&staged);
        let moved = write_file(&file, &binary, self.fsync)
            .and_then(|()| sync_parent(&file, self.fsync))
            .and_then(|()| fs::rename(&staged, &folder));
        if let Err(error) = moved {
            drop(remove(&staged));
            // A folder that is not empty cannot be replaced: another call was faster.
            return Err(if folder.exists() {
                RepositoryError::AlreadyWritten
            } else {
                error.into()
            });
        }
        sync_parent(&folder, self.fsync)?;
        Ok(BinaryKey::new(
            id,
            numbered::locate(&Target::new(id, Access::Write), 0)?,
        ))
    }

    fn delete_blocking(&self, id: BinaryId) -> Result<(), RepositoryError> {
        let (folder, tombstone) = (self.paths.binary_folder(id), self.paths.deleted_folder(id));
        match fs::rename(&folder, &tombstone) {
            Ok(()) => {
                sync_parent(&folder, self.fsync)?;
                sync_parent(&tombstone, self.fsync)?;
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(error.into()),
        }
        let files = fs::read_dir(&tombstone).map_err(not_found)?;
        for file in files {
            fs::remove_file(file?.path())?;
        }
        Ok(())
    }

    fn locate_blocking(&self, target: &Target) -> Result<Located, RepositoryError> {
        let folder = self.paths.binary_folder(target.id());
        let binary = fs::read(paths::binary_file(&folder))
            .map_err(|error| self.absent(target.id(), error))?;
        let binary: Binary = serde_json::from_slice(&binary).map_err(RepositoryError::internal)?;

        let mut current = 0;
        for file in fs::read_dir(&folder)? {
            let name = file?.file_name();
            let number = name
                .to_str()
                .and_then(paths::version_of)
                .and_then(numbered::number);
            current = current.max(number.unwrap_or(0));
        }
        Ok(Located {
            key: target.key(numbered::locate(target, current)?),
            content_type: ContentType::new(binary.content_type)
                .map_err(RepositoryError::internal)?,
        })
    }

    fn open_content(&self, key: &BinaryKey) -> Result<ContentFile, RepositoryError> {
        ContentFile::open(&self.paths.content(key)).map_err(|error| self.absent(key.id(), error))
    }

    /// Whether `key` may be written, as far as can be told before its content has arrived.
    fn check_vacant(&self, key: &BinaryKey) -> Result<(), RepositoryError> {
        if !self.paths.binary_folder(key.id()).try_exists()? {
            return Err(self.absent(key.id(), ErrorKind::NotFound.into()));
        }
        if self.paths.content(key).try_exists()? {
            return Err(RepositoryError::AlreadyWritten);
        }
        Ok(())
    }

    /// Makes a version visible, and returns when it was written.
    fn commit(&self, staged: StagedFile, key: &BinaryKey) -> Result<SystemTime, RepositoryError> {
        staged
            .commit(&self.paths.content(key), self.fsync)
            .map_err(|error| match error.kind() {
                ErrorKind::AlreadyExists => RepositoryError::AlreadyWritten,
                _ => self.absent(key.id(), error),
            })
    }

    /// What it means that a file of the Binary is not there; other errors are passed on.
    fn absent(&self, id: BinaryId, error: io::Error) -> RepositoryError {
        match not_found(error) {
            RepositoryError::NotFound if self.paths.deleted_folder(id).exists() => {
                RepositoryError::Deleted
            }
            error => error,
        }
    }
}

impl BinaryRepository for FsRepository {
    async fn locate(&self, target: &Target) -> Result<Located, RepositoryError> {
        let (repository, target) = (self.clone(), target.clone());
        blocking(move || repository.locate_blocking(&target)).await
    }

    async fn head(&self, key: &BinaryKey) -> Result<Metadata, RepositoryError> {
        let (repository, key) = (self.clone(), key.clone());
        blocking(move || Ok(repository.open_content(&key)?.metadata)).await
    }

    async fn read(
        &self,
        key: &BinaryKey,
        range: Option<ByteRange>,
    ) -> Result<Content, RepositoryError> {
        let (repository, key) = (self.clone(), key.clone());
        blocking(move || {
            let file = repository.open_content(&key)?;
            let metadata = file.metadata.clone();
            let (range, chunks) = file.read(range)?;
            Ok(Content::new(metadata, range, chunks))
        })
        .await
    }

    async fn write(
        &self,
        key: &BinaryKey,
        mut upload: Upload,
    ) -> Result<Metadata, RepositoryError> {
        let (repository, write_key) = (self.clone(), key.clone());
        blocking(move || repository.check_vacant(&write_key)).await?;

        let content_type = upload.content_type().as_str().to_owned();
        let mut buffer = content_file::header(&content_type)?;
        let mut staged = None;
        let mut length = 0;
        while let Some(chunk) = upload.next().await {
            let chunk = chunk?;
            length += chunk.len() as u64;
            buffer.extend_from_slice(&chunk);
            if buffer.len() >= GATHER {
                let path = self.paths.staged();
                (staged, buffer) = blocking(move || {
                    let staged = write_staged(staged, path, &buffer)?;
                    buffer.clear();
                    Ok::<_, RepositoryError>((Some(staged), buffer))
                })
                .await?;
            }
        }
        let (repository, key, path) = (self.clone(), key.clone(), self.paths.staged());
        blocking(move || {
            let staged = write_staged(staged, path, &buffer)?;
            let last_modified = repository.commit(staged, &key)?;
            Ok(Metadata {
                content_type,
                length,
                last_modified,
            })
        })
        .await
    }
}

/// Appends to a staged file, which is created if there is none yet.
fn write_staged(staged: Option<StagedFile>, path: PathBuf, bytes: &[u8]) -> io::Result<StagedFile> {
    let mut staged = match staged {
        Some(staged) => staged,
        None => StagedFile::create(path)?,
    };
    staged.write(bytes)?;
    Ok(staged)
}

fn write_file(path: &Path, bytes: &[u8], fsync: bool) -> io::Result<()> {
    fs::write(path, bytes)?;
    if fsync {
        File::open(path)?.sync_all()
    } else {
        Ok(())
    }
}

fn remove(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        fs::remove_dir_all(path)
    } else {
        fs::remove_file(path)
    }
}

fn not_found(error: io::Error) -> RepositoryError {
    match error.kind() {
        ErrorKind::NotFound => RepositoryError::NotFound,
        _ => error.into(),
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
