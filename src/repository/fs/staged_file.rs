//! A file that nobody sees until it is whole.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// A file in the staging folder. Unless it is committed it is removed when dropped.
pub(super) struct StagedFile {
    file: File,
    path: PathBuf,
}

impl StagedFile {
    pub(super) fn create(path: PathBuf) -> io::Result<Self> {
        let file = File::create_new(&path)?;
        Ok(Self { file, path })
    }

    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)
    }

    /// Makes the file visible as `destination`, at one moment, unless something is there. Returns
    /// its last modification. After an error, it is not visible.
    ///
    /// A second link rather than a renaming: that would replace what is there.
    pub(super) fn commit(self, destination: &Path, fsync: bool) -> io::Result<SystemTime> {
        let modified = self.file.metadata()?.modified()?;
        if fsync {
            self.file.sync_all()?;
        }
        fs::hard_link(&self.path, destination)?;
        if let Err(error) = sync_parent(destination, fsync) {
            fs::remove_file(destination)?;
            return Err(error);
        }
        Ok(modified)
    }
}

impl Drop for StagedFile {
    fn drop(&mut self) {
        // What cannot be removed now is removed when the folder is opened again.
        drop(fs::remove_file(&self.path));
    }
}

/// Makes the entry of `path` in its folder survive a power failure.
pub(super) fn sync_parent(path: &Path, fsync: bool) -> io::Result<()> {
    match path.parent() {
        // Elsewhere folders cannot be opened, and their entries need no such care.
        Some(parent) if fsync && cfg!(unix) => File::open(parent)?.sync_all(),
        _ => Ok(()),
    }
}
