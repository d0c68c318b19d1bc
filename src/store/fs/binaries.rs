//! The folders of Binaries: their creation and deletion.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::sync::PoisonError;

use super::error::{At as _, FileError};
use super::folder::{create_folder, remove};
use super::paths::FileName;
use super::repository::{Binary, FsRepository, binary_file, exists};
use crate::content_type::ContentType;
use crate::id::BinaryId;
use crate::key::BinaryKey;
use crate::store::{RepositoryError, Target, numbered};
use crate::url::Access;

/// The folders of Binaries that are being deleted.
pub(super) const GRAVES: &str = "deleting";

/// The own files of deleted Binaries.
pub(super) const TOMBSTONES: &str = "deleted";

impl FsRepository {
    pub(super) fn create_blocking(
        &self,
        id: BinaryId,
        content_type: &ContentType,
    ) -> Result<BinaryKey, RepositoryError> {
        let binary = serde_json::to_vec(&Binary {
            content_type: content_type.as_str().to_owned(),
        })
        .map_err(io::Error::from)?;
        let staged = self.folder.staged();
        create_folder(&staged)?;
        let file = binary_file(&staged);
        let created = write_file(&file, &binary, self.folder.fsync)
            .and_then(|()| self.folder.sync_parent(&file))
            .map_err(RepositoryError::from)
            .and_then(|()| self.add_folder(id, &staged));
        if created.is_err() {
            // A folder that cannot be removed now is removed when the repository is opened again.
            drop(remove(&staged));
        }
        created?;
        let first = numbered::locate(&Target::new(id, Access::Write), 0)?;
        Ok(BinaryKey::new(id, first))
    }

    fn add_folder(&self, id: BinaryId, staged: &Path) -> Result<(), RepositoryError> {
        let folder = self.binary_folder(id);
        let is_new = {
            let _folders = self.folders.write().unwrap_or_else(PoisonError::into_inner);
            if exists(&self.grave(id))? || exists(&self.tombstone(id))? {
                return Err(RepositoryError::Deleted);
            }
            let is_new = !exists(&folder)?;
            if is_new {
                fs::rename(staged, &folder).at("create", &folder)?;
            }
            is_new
        };
        // Done for an existing folder too: the call that created it may not have come as far as
        // this.
        self.folder.sync_parent(&folder)?;
        if is_new {
            Ok(())
        } else {
            Err(RepositoryError::AlreadyWritten)
        }
    }

    /// The Binary is gone with its folder, at one moment. One of the files becomes a tombstone, and
    /// the rest is removed.
    pub(super) fn delete_blocking(&self, id: BinaryId) -> Result<(), RepositoryError> {
        let (folder, grave) = (self.binary_folder(id), self.grave(id));
        let moved = {
            let _folders = self.folders.write().unwrap_or_else(PoisonError::into_inner);
            fs::rename(&folder, &grave)
        };
        // Done even after an error: another call may have moved the folder meanwhile.
        self.forget(id);
        match moved {
            // An earlier call came as far as this, or another one does now.
            Err(error) if error.kind() == ErrorKind::NotFound && self.is_deleted(id) => {}
            moved => moved
                .at("move", &folder)
                .map_err(|error| self.failed(id, error))?,
        }
        self.folder.sync_parent(&folder)?;
        self.folder.sync_parent(&grave)?;
        Ok(self.bury(&grave, &self.tombstone(id))?)
    }

    /// Finishes the deletions that were cut short.
    pub(super) fn bury_all(&self) -> Result<(), FileError> {
        let graves = self.folder.path(GRAVES);
        for grave in fs::read_dir(&graves).at("list", &graves)? {
            let grave = grave.at("list", &graves)?;
            let tombstone = self.folder.path(TOMBSTONES).join(grave.file_name());
            self.bury(&grave.path(), &tombstone)?;
        }
        Ok(())
    }

    /// The Binary's own file becomes the tombstone: on a disk that is full there may be no other.
    fn bury(&self, grave: &Path, tombstone: &Path) -> Result<(), FileError> {
        match fs::rename(binary_file(grave), tombstone) {
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            moved => moved.at("create", tombstone)?,
        }
        self.folder.sync_parent(tombstone)?;
        match fs::remove_dir_all(grave) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            removed => removed.at("remove", grave),
        }
    }

    /// For a Binary whose folder is not there. A deleted one is in its grave first, and then has a
    /// tombstone: in this order neither is missed.
    pub(super) fn is_deleted(&self, id: BinaryId) -> bool {
        self.grave(id).exists() || self.tombstone(id).exists()
    }

    fn grave(&self, id: BinaryId) -> PathBuf {
        self.folder
            .path(GRAVES)
            .join(FileName(id.as_str()).to_string())
    }

    fn tombstone(&self, id: BinaryId) -> PathBuf {
        self.folder
            .path(TOMBSTONES)
            .join(FileName(id.as_str()).to_string())
    }
}

fn write_file(path: &Path, bytes: &[u8], fsync: bool) -> Result<(), FileError> {
    let write = || {
        let mut file = File::create(path)?;
        file.write_all(bytes)?;
        if fsync { file.sync_all() } else { Ok(()) }
    };
    write().at("write", path)
}
