//! Errors of the file system, with the facts that an operator needs to act on them.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use crate::store::RepositoryError;

/// An error of the file system, and the file that it is about.
#[derive(thiserror::Error)]
#[error("cannot {action} {}: {source}", path.display())]
pub(super) struct FileError {
    action: &'static str,
    path: PathBuf,
    source: io::Error,
}

/// As for people: it is the form in which a program ends whose `main` returns the error.
impl fmt::Debug for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FileError {
    pub(super) fn new(action: &'static str, path: &Path, source: io::Error) -> Self {
        Self {
            action,
            path: path.to_owned(),
            source,
        }
    }

    pub(super) fn kind(&self) -> io::ErrorKind {
        self.source.kind()
    }
}

impl From<FileError> for io::Error {
    fn from(error: FileError) -> Self {
        Self::new(error.kind(), error)
    }
}

impl From<FileError> for RepositoryError {
    fn from(error: FileError) -> Self {
        Self::of_io(&error.source)(error.into())
    }
}

/// Adds to an error the operation that failed, and its file.
pub(super) trait At<T> {
    fn at(self, action: &'static str, path: &Path) -> Result<T, FileError>;
}

impl<T> At<T> for io::Result<T> {
    fn at(self, action: &'static str, path: &Path) -> Result<T, FileError> {
        self.map_err(|source| FileError::new(action, path, source))
    }
}
