//! `FsRepository` on a disk that is full: the client is told so, nothing half written stays or
//! takes room, and what fits is stored.
//!
//! The disk is a tmpfs of its own, which only root may mount. Where that cannot be done, the tests
//! say so and end.

use std::path::{Path, PathBuf};
use std::process::Command;

use axum::body::Body;
use bytes::Bytes;
use futures_util::stream::{self, Stream};
use http::StatusCode;
use tempfile::TempDir;
use tokio::sync::MutexGuard;
use tower_presign::store::{RepositoryError, Upload, UploadError};
use tower_presign::{BinaryId, BinaryRepository as _, ContentType, FsRepository};

use super::TURN;
use crate::support::*;

const DISK: &str = "size=4m";

const MEGABYTE: usize = 1024 * 1024;

/// More than the disk has.
const TOO_MUCH: usize = 8 * MEGABYTE;

#[tokio::test]
async fn an_upload_larger_than_the_disk_leaves_nothing_and_a_smaller_one_succeeds() {
    let Some(disk) = Disk::mount().await else {
        return;
    };
    let repository = FsRepository::open(disk.path()).await.unwrap();
    let key = repository.create(BinaryId::random(), png()).await.unwrap();
    // More often than it would take to fill the disk with what might be left.
    for _ in 0..10 {
        let written = repository.write(&key, upload(TOO_MUCH)).await;
        assert!(
            matches!(written, Err(RepositoryError::StorageFull)),
            "{written:?}"
        );
        let head = repository.head(&key).await;
        assert!(matches!(head, Err(RepositoryError::NotFound)), "{head:?}");
        assert_eq!(disk.staged(), 0);
    }
    repository.write(&key, upload(3 * MEGABYTE)).await.unwrap();
    assert_eq!(
        repository.head(&key).await.unwrap().length,
        3 * MEGABYTE as u64
    );
    assert_eq!(disk.staged(), 0);
}

#[tokio::test]
async fn a_disk_without_any_room_takes_neither_content_nor_binaries_until_there_is_room() {
    let Some(disk) = Disk::mount().await else {
        return;
    };
    let repository = FsRepository::open(disk.path()).await.unwrap();
    let key = repository.create(BinaryId::random(), png()).await.unwrap();
    repository.write(&key, upload(MEGABYTE)).await.unwrap();
    let other = repository.create(BinaryId::random(), png()).await.unwrap();
    let filler = disk.fill();

    let written = repository.write(&other, upload(1)).await;
    assert!(
        matches!(written, Err(RepositoryError::StorageFull)),
        "{written:?}"
    );
    let new = BinaryId::random();
    let created = repository.create(new, png()).await;
    assert!(
        matches!(created, Err(RepositoryError::StorageFull)),
        "{created:?}"
    );
    assert_eq!(disk.staged(), 0);
    let head = repository.head(&key).await.expect("what is stored stays");
    assert_eq!(head.length, MEGABYTE as u64);

    std::fs::remove_file(filler).unwrap();
    repository.write(&other, upload(1)).await.unwrap();
    repository.create(new, png()).await.unwrap();
}

#[tokio::test]
async fn room_can_be_made_on_a_full_disk_by_deleting() {
    let Some(disk) = Disk::mount().await else {
        return;
    };
    let repository = FsRepository::open(disk.path()).await.unwrap();
    let id = BinaryId::random();
    let key = repository.create(id, png()).await.unwrap();
    repository.write(&key, upload(3 * MEGABYTE)).await.unwrap();
    let other = repository.create(BinaryId::random(), png()).await.unwrap();
    disk.fill();

    repository.delete(id).await.unwrap();
    repository
        .write(&other, upload(2 * MEGABYTE))
        .await
        .unwrap();
}

/// Neither a tombstone nor a trial may need one.
#[tokio::test]
async fn a_disk_without_a_free_inode_can_be_opened_and_emptied_by_deleting() {
    let Some(disk) = Disk::mount_with("size=4m,nr_inodes=40").await else {
        return;
    };
    let repository = FsRepository::open(disk.path()).await.unwrap();
    let mut keys = Vec::new();
    let full = loop {
        match repository.create(BinaryId::random(), png()).await {
            Ok(key) => keys.push(key),
            Err(error) => break error,
        }
    };
    assert!(matches!(full, RepositoryError::StorageFull), "{full:?}");
    let filler = (0..).map(|number| disk.path().join(format!("filler-{number}")));
    let filler: Vec<_> = filler
        .take_while(|path| std::fs::File::create(path).is_ok())
        .collect();
    drop(repository);

    let repository = FsRepository::open(disk.path()).await.unwrap();
    let (deleted, kept) = keys.split_at(2);
    for key in deleted {
        repository.delete(key.id()).await.unwrap();
        let head = repository.head(key).await;
        assert!(matches!(head, Err(RepositoryError::Deleted)), "{head:?}");
    }
    repository.write(&kept[0], upload(1)).await.unwrap();
    assert!(filler.iter().all(|path| path.exists()));
}

#[tokio::test]
async fn a_full_disk_can_be_opened() {
    let Some(disk) = Disk::mount().await else {
        return;
    };
    let repository = FsRepository::open(disk.path()).await.unwrap();
    let key = repository.create(BinaryId::random(), png()).await.unwrap();
    repository.write(&key, upload(MEGABYTE)).await.unwrap();
    drop(repository);
    disk.fill();

    let repository = FsRepository::open(disk.path()).await.unwrap();
    assert_eq!(repository.head(&key).await.unwrap().length, MEGABYTE as u64);
}

#[tokio::test]
async fn the_client_is_told_that_the_storage_is_full_and_may_try_again() {
    let Some(disk) = Disk::mount().await else {
        return;
    };
    let repository = FsRepository::open(disk.path()).await.unwrap();
    repository.create(id("scan"), png()).await.unwrap();
    let layer = layer(repository);
    let (read, write) = (
        mint(&layer, "scan").await,
        mint_upload(&layer, "scan").await,
    );

    let in_chunks = Body::from_stream(chunks(TOO_MUCH));
    for body in [Body::from(vec![0x5a; TOO_MUCH]), in_chunks] {
        put(&layer, &write, body)
            .await
            .assert_refused(507, "storage-full");
        get(&layer, &read).await.assert_refused(404, "not-found");
        assert_eq!(disk.staged(), 0);
    }
    let answer = put(&layer, &write, "content").await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(get(&layer, &read).await.body, "content");
}

fn png() -> ContentType {
    ContentType::new("image/png").unwrap()
}

/// So many bytes, in chunks of 64 KiB.
fn chunks(length: usize) -> impl Stream<Item = Result<Bytes, UploadError>> {
    const CHUNK: &[u8] = &[0x5a; 64 * 1024];
    let lengths = (0..length)
        .step_by(CHUNK.len())
        .map(move |start| length - start);
    stream::iter(lengths.map(|left| Ok(Bytes::from_static(&CHUNK[..left.min(CHUNK.len())]))))
}

fn upload(length: usize) -> Upload {
    Upload::new(png(), chunks(length))
}

/// A disk of its own, until it is dropped.
struct Disk {
    folder: TempDir,
    _turn: MutexGuard<'static, ()>,
}

impl Disk {
    /// `None` if it cannot be done here, which is printed.
    async fn mount() -> Option<Self> {
        Self::mount_with(DISK).await
    }

    async fn mount_with(options: &str) -> Option<Self> {
        let turn = TURN.lock().await;
        let folder = tempfile::tempdir().unwrap();
        let mount = Command::new("mount")
            .args(["--make-private", "-t", "tmpfs", "-o", options, "tmpfs"])
            .arg(folder.path())
            .output();
        let problem = match mount {
            Ok(mount) if mount.status.success() => {
                return Some(Self {
                    folder,
                    _turn: turn,
                });
            }
            Ok(mount) => String::from_utf8_lossy(&mount.stderr).into_owned(),
            Err(error) => error.to_string(),
        };
        let problem = problem.lines().next().unwrap_or_default();
        skip::skip(format_args!("no tmpfs can be mounted: {problem}"));
        None
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    /// The number of things in the staging folder.
    fn staged(&self) -> usize {
        std::fs::read_dir(self.path().join("staging"))
            .unwrap()
            .count()
    }

    /// Leaves no room, until the file that is returned is removed.
    fn fill(&self) -> PathBuf {
        let filler = self.path().join("filler");
        let error = std::fs::write(&filler, vec![0; TOO_MUCH]).unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::StorageFull);
        filler
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        crate::unmount(self.path());
    }
}
