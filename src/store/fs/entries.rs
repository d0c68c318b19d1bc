//! Entries of folders that survive a power failure.

use std::fs::File;
use std::io::ErrorKind;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use super::error::{At as _, FileError};

/// Makes the entries of a folder of ours, and of those in it, survive a power failure.
#[derive(Debug, Default)]
pub(super) struct FolderEntries {
    /// The first entry that could not be flushed has been reported.
    is_reported: AtomicBool,
}

impl FolderEntries {
    /// Flushes the folder that has the entry of `path`.
    pub(super) fn flush(&self, path: &Path) -> Result<(), FileError> {
        match flush_parent(path) {
            // The file system keeps them by itself, or never will.
            Err(error) if is_unsupported(&error) => {
                if !self.is_reported.swap(true, Ordering::Relaxed) {
                    report(&error);
                }
                Ok(())
            }
            flushed => flushed,
        }
    }
}

/// Makes the path of a new folder survive a power failure, from the root on: any part of it may
/// have been created just now.
pub(super) fn flush_path(folder: &Path) -> Result<(), FileError> {
    for folder in folder.ancestors() {
        match flush_parent(folder) {
            Err(error) if is_unsupported(&error) => {}
            // One that we may not read has been there before.
            Err(error) if error.kind() == ErrorKind::PermissionDenied => {}
            flushed => flushed?,
        }
    }
    Ok(())
}

fn flush_parent(path: &Path) -> Result<(), FileError> {
    match path.parent() {
        // Elsewhere folders cannot be opened, and their entries need no such care.
        Some(parent) if cfg!(unix) => File::open(parent)
            .and_then(|folder| folder.sync_all())
            .at("flush the folder", parent),
        _ => Ok(()),
    }
}

fn is_unsupported(error: &FileError) -> bool {
    matches!(
        error.kind(),
        ErrorKind::InvalidInput | ErrorKind::Unsupported
    )
}

fn report(error: &FileError) {
    #[cfg(feature = "tracing")]
    tracing::event!(
        target: "tower_presign::store",
        tracing::Level::WARN,
        error = error as &(dyn std::error::Error + 'static),
        "unflushed"
    );
    #[cfg(not(feature = "tracing"))]
    let _ = error;
}
