//! A folder of ours: locked, with files of content, and a place for files that are not whole yet.

use std::fs::{self, File, TryLockError};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;

use super::budget::Budget;
use super::content_file::{self, Beginning, ContentFile, Disk};
use super::entries::{FolderEntries, flush_path};
use super::error::{At as _, FileError};
use super::kept_files::{KeptFiles, Name, NotKept};
use super::staged_file::StagedFile;
use super::{blocking, cached, drop_elsewhere, paths};
use crate::content_type::ContentType;
use crate::store::{ByteRange, Content, Metadata, RepositoryError, Upload, UploadError};

/// The bytes of an upload that are gathered in memory and then written at once.
pub(super) const GATHER: usize = 256 * 1024;

/// The folder of files that are not whole yet, or any more.
const STAGING: &str = "staging";

/// The folder of uploads that come in parts.
pub(super) const RESUMABLE: &str = "resumable";

/// The entry that a file system may have in an empty folder.
const LOST_AND_FOUND: &str = "lost+found";

/// The entries of a folder of ours, beside the staging folder.
pub(super) struct Layout {
    /// The file by which such a folder is recognised, and which is locked while it is open.
    pub(super) lock: &'static str,
    /// The folder in which content is.
    pub(super) content: &'static str,
    pub(super) others: &'static [&'static str],
    pub(super) refusal: &'static str,
}

/// A folder, open. Clones are the same one.
#[derive(Debug, Clone)]
pub(super) struct Folder {
    root: Arc<Path>,
    lock_path: Arc<Path>,
    pub(super) fsync: bool,
    pub(super) budget: Budget,
    disk: Disk,
    entries: Arc<FolderEntries>,
    pub(super) kept: Arc<KeptFiles>,
    /// Locked as long as any clone is alive.
    _lock: Arc<File>,
}

/// An upload that has arrived.
pub(super) struct Received {
    pub(super) content_type: ContentType,
    /// In bytes.
    pub(super) length: u64,
    pub(super) sha256: [u8; 32],
    pub(super) last_modified: SystemTime,
}

impl Folder {
    /// Opens a folder, which is created if need be, and removes the remains of interrupted uploads.
    /// Nothing is touched in a folder that is not ours.
    pub(super) fn open(root: &Path, layout: &Layout) -> Result<Self, FileError> {
        create_folder(root)?;
        let root: Arc<Path> = root.canonicalize().at("find", root)?.into();
        let lock_path: Arc<Path> = root.join(layout.lock).into();
        if !lock_path.try_exists().at("look for", &lock_path)? {
            if !is_empty(&root)? {
                let refusal = io::Error::new(ErrorKind::DirectoryNotEmpty, layout.refusal);
                return Err(FileError::new("use", &root, refusal));
            }
            // The next process to open it relies on that.
            flush_path(&root)?;
        }
        let lock = lock(&lock_path)?;
        let entries = Arc::new(FolderEntries::default());
        // Done first: by this file the folder is recognised as ours after a power failure.
        entries.flush(&lock_path)?;
        for folder in [layout.content, STAGING, RESUMABLE]
            .iter()
            .chain(layout.others)
        {
            create_folder(&root.join(folder))?;
        }
        entries.flush(&lock_path)?;
        let folder = Self {
            disk: if cached::is_local(&root.join(layout.content)) {
                Disk::Local
            } else {
                Disk::Unknown
            },
            root,
            lock_path,
            fsync: true,
            budget: Budget::default(),
            entries,
            kept: Arc::default(),
            _lock: Arc::new(lock),
        };
        folder.remove_leftovers()?;
        folder.tidy_uploads()?;
        folder.try_out()?;
        Ok(folder)
    }

    fn remove_leftovers(&self) -> Result<(), FileError> {
        let staging = self.path(STAGING);
        for leftover in fs::read_dir(&staging).at("list", &staging)? {
            let leftover = leftover.at("list", &staging)?;
            if !paths::is_unique_name(&leftover.file_name()) {
                continue;
            }
            let path = leftover.path();
            match remove(&path) {
                // An upload that was aborted before the last closing may just be ending.
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                removed => removed.at("remove", &path)?,
            }
        }
        Ok(())
    }

    /// Fails now, and not at the first upload, if files cannot be published here.
    fn try_out(&self) -> Result<(), FileError> {
        let published = self.staged();
        match StagedFile::create(self.staged(), self.budget.share()) {
            Ok(staged) => staged.publish(&published)?,
            // Existing content can still be read, and deleted.
            Err(error) if error.kind() == ErrorKind::StorageFull => return Ok(()),
            Err(error) => return Err(error),
        }
        fs::remove_file(&published).at("remove", &published)
    }

    /// True if only reading can block here.
    pub(super) fn is_local(&self) -> bool {
        self.disk == Disk::Local
    }

    /// The path of something in the folder.
    pub(super) fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.root.join(name)
    }

    /// A path in the staging folder under a name that nothing else has.
    pub(super) fn staged(&self) -> PathBuf {
        self.path(STAGING).join(paths::unique_name())
    }

    /// Makes the entry of `path` in its folder survive a power failure, if uploads are to.
    pub(super) fn sync_parent(&self, path: &Path) -> Result<(), FileError> {
        if self.fsync {
            self.entries.flush(path)?;
        }
        Ok(())
    }

    /// The error of a missing file. If the whole folder has gone, nothing is known of its files.
    pub(super) fn absent(&self) -> RepositoryError {
        match self.lock_path.try_exists() {
            Ok(true) => RepositoryError::NotFound,
            Ok(false) => {
                let gone = io::Error::other("it has gone: is its disk mounted?");
                RepositoryError::unavailable(FileError::new("use", &self.root, gone))
            }
            Err(error) => FileError::new("look for", &self.lock_path, error).into(),
        }
    }

    /// To be called once the files of a group cannot be opened any more.
    pub(super) fn forget(&self, group: &str) {
        self.kept.forget(group);
    }

    /// The metadata of a file. If the file is not kept, `locate` gives its path, and what
    /// translates an error.
    pub(super) async fn head<F>(
        &self,
        name: Name<'_>,
        locate: impl FnOnce() -> (PathBuf, F),
    ) -> Result<Metadata, RepositoryError>
    where
        F: FnOnce(FileError) -> RepositoryError + Send + 'static,
    {
        let file = match self.kept.get(name) {
            Ok(file) => file,
            Err(not_kept) => {
                let (path, failed) = locate();
                self.open_file(name, path, Beginning::Header, failed, &not_kept)
                    .await?
                    .0
            }
        };
        Ok(file.metadata.clone())
    }

    /// The content of a file, which is found as by [`head`](Self::head).
    pub(super) async fn read<F>(
        &self,
        name: Name<'_>,
        range: Option<ByteRange>,
        locate: impl FnOnce() -> (PathBuf, F),
    ) -> Result<Content, RepositoryError>
    where
        F: FnOnce(FileError) -> RepositoryError + Send + 'static,
    {
        let (file, beginning) = match self.kept.get(name) {
            Ok(file) => (file, Bytes::new()),
            Err(not_kept) => {
                let (path, failed) = locate();
                let beginning = match range {
                    Some(_) => Beginning::Header,
                    None => Beginning::Content,
                };
                self.open_file(name, path, beginning, failed, &not_kept)
                    .await?
            }
        };
        file.read(&beginning, range).await
    }

    async fn open_file(
        &self,
        name: Name<'_>,
        path: PathBuf,
        beginning: Beginning,
        failed: impl FnOnce(FileError) -> RepositoryError + Send + 'static,
        not_kept: &NotKept,
    ) -> Result<(Arc<ContentFile>, Bytes), RepositoryError> {
        let disk = self.disk;
        let cached = ContentFile::open_cached(&path, beginning, disk);
        let is_cached = cached.is_some();
        let (mut file, beginning) = match cached {
            Some(opened) => opened,
            None => {
                blocking(move || ContentFile::open(&path, beginning, disk).map_err(failed)).await?
            }
        };
        if self.is_local() && not_kept.keeps_in_memory {
            file.stay_in_memory(&beginning);
        }
        let file = Arc::new(file);
        // A file that had to be waited for is not kept open. It may never be read again, and on
        // systems other than Linux an open file can be in the way of moving its folder.
        if is_cached || file.in_memory().is_some() {
            self.kept.keep(name, &file, not_kept);
        }
        Ok((file, beginning))
    }

    /// Takes in an upload, and hands it to `publish` as a whole file, which survives a power
    /// failure if uploads are to. `check` is asked before the first byte is written.
    ///
    /// When this is dropped before the upload has ended, nothing of it stays; after that, it takes
    /// its course.
    pub(super) async fn receive<T: Send + 'static>(
        &self,
        mut upload: Upload,
        check: impl Fn() -> Result<(), RepositoryError> + Clone + Send + 'static,
        publish: impl FnOnce(StagedFile, Received) -> Result<T, RepositoryError> + Send + 'static,
    ) -> Result<T, RepositoryError> {
        let content_type = upload.content_type().clone();
        let mut buffer = content_file::placeholder(content_type.as_str())?;
        let header_size = buffer.len();
        let mut staged = Unfinished(None);
        let mut length = 0;
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
                let (folder, check, begun) = (self.clone(), check.clone(), staged.0.take());
                (staged.0, buffer) = blocking(move || {
                    let staged = folder.append(begun, check, &buffer)?;
                    buffer.clear();
                    Ok::<_, RepositoryError>((Some(staged), buffer))
                })
                .await?;
            }
        }
        let sha256 = upload.sha256().ok_or(UploadError::Incomplete(None))?;
        let (folder, begun) = (self.clone(), staged.0.take());
        blocking(move || {
            let header = content_file::header(content_type.as_str(), length, &sha256, header_size)?;
            let staged = if begun.is_some() {
                let mut staged = folder.append(begun, check, &buffer)?;
                staged.overwrite_beginning(&header)?;
                staged
            } else {
                buffer[..header_size].copy_from_slice(&header);
                folder.append(None, check, &buffer)?
            };
            let last_modified = staged.finish(folder.fsync)?;
            let received = Received {
                content_type,
                length,
                sha256,
                last_modified,
            };
            publish(staged, received)
        })
        .await
    }

    /// Appends to a staged file, which is created if there is none yet and `check` agrees.
    fn append(
        &self,
        staged: Option<StagedFile>,
        check: impl FnOnce() -> Result<(), RepositoryError>,
        bytes: &[u8],
    ) -> Result<StagedFile, RepositoryError> {
        let mut staged = if let Some(staged) = staged {
            staged
        } else {
            check()?;
            StagedFile::create(self.staged(), self.budget.share())?
        };
        staged.share.take(bytes.len() as u64)?;
        staged.append(bytes)?;
        Ok(staged)
    }
}

/// The file of an upload that has not ended. Removing a large one takes long.
struct Unfinished(Option<StagedFile>);

impl Drop for Unfinished {
    fn drop(&mut self) {
        if let Some(staged) = self.0.take() {
            drop_elsewhere(staged);
        }
    }
}

fn lock(path: &Path) -> Result<File, FileError> {
    let mut options = File::options();
    let file = options.write(true).create(true).truncate(false).open(path);
    let file = file.at("create", path)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::Error(error)) => Err(FileError::new("lock", path, error)),
        Err(TryLockError::WouldBlock) => {
            let in_use = io::Error::new(
                ErrorKind::WouldBlock,
                "its folder is open already, in another process or in this one: end the other \
                 process first, and within one process share what is open by cloning it",
            );
            Err(FileError::new("lock", path, in_use))
        }
    }
}

/// True if a folder is as a file system makes it.
fn is_empty(path: &Path) -> Result<bool, FileError> {
    for entry in fs::read_dir(path).at("list", path)? {
        if entry.at("list", path)?.file_name() != LOST_AND_FOUND {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Creates a folder for its owner alone, on systems that have such modes.
pub(super) fn create_folder(path: &Path) -> Result<(), FileError> {
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    let created = builder.recursive(true).create(path);
    created.at("create the folder", path)
}

pub(super) fn remove(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        fs::remove_dir_all(path)
    } else {
        fs::remove_file(path)
    }
}
