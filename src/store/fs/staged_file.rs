//! A file that nobody sees until it is whole.

use std::fs::{self, File};
use std::io::{self, Seek as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::budget::Share;
use super::error::{At as _, FileError};

/// A file in the staging folder. Unless it is published it is removed when dropped.
pub(super) struct StagedFile {
    file: File,
    path: PathBuf,
    pub(super) share: Share,
    is_published: bool,
    /// It was there before, and stays.
    is_adopted: bool,
}

impl StagedFile {
    pub(super) fn create(path: PathBuf, share: Share) -> Result<Self, FileError> {
        let file = File::create_new(&path).at("create", &path)?;
        Ok(Self {
            file,
            path,
            share,
            is_published: false,
            is_adopted: false,
        })
    }

    /// A file that is there, and that stays if it is not published.
    pub(super) fn adopt(path: &Path, share: Share) -> Result<Self, FileError> {
        let file = File::options().write(true).open(path).at("open", path)?;
        Ok(Self {
            file,
            path: path.to_owned(),
            share,
            is_published: false,
            is_adopted: true,
        })
    }

    /// In bytes.
    pub(super) fn length(&self) -> Result<u64, FileError> {
        Ok(self.file.metadata().at("look at", &self.path)?.len())
    }

    /// Writes at the end.
    pub(super) fn append(&mut self, bytes: &[u8]) -> Result<(), FileError> {
        self.file.write_all(bytes).at("write", &self.path)
    }

    /// Writes over the bytes at the beginning. Nothing can be appended after that.
    pub(super) fn overwrite_beginning(&mut self, bytes: &[u8]) -> Result<(), FileError> {
        self.file.rewind().at("write", &self.path)?;
        self.append(bytes)
    }

    /// Makes the written bytes survive a power failure, if `fsync` says so, and returns the time of
    /// the last write.
    pub(super) fn finish(&self, fsync: bool) -> Result<SystemTime, FileError> {
        if fsync {
            self.file.sync_all().at("flush", &self.path)?;
        }
        let attributes = self.file.metadata().at("look at", &self.path)?;
        attributes.modified().at("look at", &self.path)
    }

    /// Makes the file visible as `destination`, at one moment. Fails with
    /// [`AlreadyExists`](ErrorKind::AlreadyExists) if something is there.
    pub(super) fn publish(mut self, destination: &Path) -> Result<(), FileError> {
        move_without_replacing(&self.path, destination).at("create", destination)?;
        self.is_published = true;
        Ok(())
    }
}

impl Drop for StagedFile {
    fn drop(&mut self) {
        // A file that cannot be removed now is removed when the folder is opened again.
        if !self.is_published && !self.is_adopted {
            drop(fs::remove_file(&self.path));
        }
    }
}

/// Fails with [`AlreadyExists`](ErrorKind::AlreadyExists) if `to` is there.
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
    // An ordinary renaming would replace an existing file; a link does not.
    fs::hard_link(from, to)?;
    // A file that cannot be removed now is removed when the folder is opened again.
    drop(fs::remove_file(from));
    Ok(())
}
