//! The parts of a repository: uploads, errors, a host's catalog, and a store of content.

mod budget;
mod composed;
mod contracts;
mod errors;
mod folders;
mod fs_repository;
mod fs_store;
mod kept;
mod sweep;
pub mod table;
mod uploads;
mod watched;

use bytes::Bytes;
use futures_util::stream;
use tempfile::TempDir;
use tower_presign::ContentType;
use tower_presign::store::{Content, FsStore, RepositoryError, Upload};

pub fn png() -> ContentType {
    ContentType::new("image/png").unwrap()
}

fn upload(content: impl Into<Bytes>) -> Upload {
    Upload::new(png(), stream::iter([Ok(content.into())]))
}

pub async fn collect(mut content: Content) -> Result<Vec<u8>, RepositoryError> {
    let mut bytes = Vec::new();
    while let Some(chunk) = content.next().await {
        bytes.extend_from_slice(&chunk?);
    }
    Ok(bytes)
}

pub async fn open_store() -> (TempDir, FsStore) {
    let folder = tempfile::tempdir().unwrap();
    let store = FsStore::open(folder.path()).await.unwrap().fsync(false);
    (folder, store)
}

/// That an operator reads of this.
fn assert_says(error: &impl std::fmt::Display, expected: &str) {
    let text = error.to_string();
    assert!(
        text.contains(expected),
        "{text:?} does not say {expected:?}"
    );
}
