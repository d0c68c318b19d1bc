//! A file that nobody sees until it is whole.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

/// A file in the staging folder. Unless it is published it is removed when dropped.
pub(super) struct StagedFile {
    file: File,
    path: PathBuf,
    is_published: bool,
}

impl StagedFile {
    pub(super) fn create(path: PathBuf) -> io::Result<Self> {
        let file = File::create_new(&path)?;
        Ok(Self {
            file,
            path,
            is_published: false,
        })
    }

    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)
    }

    /// Makes what was written survive a power failure, if `fsync` says so, and returns when that
    /// was.
    pub(super) fn finish(&self, fsync: bool) -> io::Result<SystemTime> {
        if fsync {
            self.file.sync_all()?;
        }
        self.file.metadata()?.modified()
    }

    /// Makes the file visible as `destination`, at one moment, unless something is there.
    pub(super) fn publish(&mut self, destination: &Path) -> io::Result<()> {
        move_without_replacing(&self.path, destination)?;
        self.is_published = true;
        Ok(())
    }
}

impl Drop for StagedFile {
    fn drop(&mut self) {
        // What cannot be removed now is removed when the folder is opened again.
        if !self.is_published {
            drop(fs::remove_file(&self.path));
        }
    }
}

/// Fails with [`AlreadyExists`](io::ErrorKind::AlreadyExists) if `to` is there.
fn move_without_replacing(from: &Path, to: &Path) -> io::Result<()> {
    #[cfg(target_os = "linux")]
    {
        use rustix::fs::{CWD, RenameFlags, renameat_with};
        use rustix::io::Errno;
        match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
            // Not every file system can.
            Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {}
            moved => return Ok(moved?),
        }
    }
    // An ordinary renaming would replace what is there; a link does not.
    fs::hard_link(from, to)?;
    // What cannot be removed now is removed when the folder is opened again.
    drop(fs::remove_file(from));
    Ok(())
}

/// What has not been published when this is dropped never will be.
#[derive(Default)]
pub(super) struct AbortOnDrop {
    is_aborted: Arc<Mutex<bool>>,
}

impl AbortOnDrop {
    pub(super) fn permit(&self) -> Permit {
        Permit {
            is_aborted: Arc::clone(&self.is_aborted),
        }
    }
}

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        // Waits for a publication that has begun.
        *lock(&self.is_aborted) = true;
    }
}

/// The permission to publish, as long as its [`AbortOnDrop`] is there.
pub(super) struct Permit {
    is_aborted: Arc<Mutex<bool>>,
}

impl Permit {
    /// Runs `publish`, or does nothing and returns `None` if the permission is gone.
    pub(super) fn use_for<T>(&self, publish: impl FnOnce() -> T) -> Option<T> {
        let is_aborted = lock(&self.is_aborted);
        (!*is_aborted).then(publish)
    }
}

fn lock(is_aborted: &Mutex<bool>) -> MutexGuard<'_, bool> {
    is_aborted.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Makes the entry of `path` in its folder survive a power failure.
pub(super) fn sync_parent(path: &Path, fsync: bool) -> io::Result<()> {
    match path.parent() {
        // Elsewhere folders cannot be opened, and their entries need no such care.
        Some(parent) if fsync && cfg!(unix) => File::open(parent)?.sync_all(),
        _ => Ok(()),
    }
}
