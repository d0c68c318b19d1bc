//! `FsRepository` on a disk that fails: the client is told so, the old version is served as before,
//! nothing of the new one stays, and once the disk is well again the same URL works.
//!
//! `strace` makes the system calls fail. Where it cannot, the tests say so and end; with
//! `PRESIGN_REQUIRE_ALL` they fail.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use axum::body::Body;
use bytes::Bytes;
use http::{Method, StatusCode};
use http_body_util::BodyExt as _;
use tempfile::TempDir;
use tokio::sync::{MutexGuard, mpsc};
use tokio::task::yield_now;
use tokio_stream::wrappers::ReceiverStream;
use tower_presign::store::RepositoryError;
use tower_presign::{
    BinaryId, BinaryKey, BinaryRepository as _, ContentType, FsRepository, PresignLayer, VersionId,
};

use super::TURN;
use super::injection::{Failures, Injection};
use crate::support::body::content;
use crate::support::*;

/// More than `FsRepository` gathers before it writes, and than it reads at once.
const LARGE: usize = 3 * 1024 * 1024;

struct Storage {
    folder: TempDir,
    repository: FsRepository,
    layer: PresignLayer,
    turn: MutexGuard<'static, ()>,
}

impl Storage {
    async fn open() -> Self {
        let turn = TURN.lock().await;
        Self::open_in(tempfile::tempdir().unwrap(), turn).await
    }

    async fn open_in(folder: TempDir, turn: MutexGuard<'static, ()>) -> Self {
        let repository = FsRepository::open(folder.path()).await.unwrap();
        Self {
            layer: layer(repository.clone()),
            folder,
            repository,
            turn,
        }
    }

    async fn reopen(self) -> Self {
        drop((self.layer, self.repository));
        Self::open_in(self.folder, self.turn).await
    }

    /// A Binary with a first version.
    async fn scan(&self) -> Scan {
        let id = BinaryId::random();
        self.repository.create(id, png()).await.unwrap();
        let old = content(LARGE, 1);
        let write = mint_upload(&self.layer, id.as_str()).await;
        let answer = put(&self.layer, &write, old.clone()).await;
        assert_eq!(answer.status, StatusCode::OK);
        Scan {
            read: mint(&self.layer, id.as_str()).await,
            write: mint_upload(&self.layer, id.as_str()).await,
            id,
            old,
        }
    }

    async fn assert_content(&self, url: &str, content: &[u8]) {
        let answer = get(&self.layer, url).await;
        assert_eq!(answer.status, StatusCode::OK);
        // Not `assert_eq`, which would print both.
        assert!(answer.body == content, "it is not what was sent");
    }

    /// The first version is as it was and there is no second, which can be written now.
    async fn assert_nothing_changed(&self, scan: &Scan) {
        self.assert_content(&scan.read, &scan.old).await;
        let second = BinaryKey::new(scan.id, VersionId::new("2").unwrap());
        let head = self.repository.head(&second).await;
        assert!(matches!(head, Err(RepositoryError::NotFound)), "{head:?}");
        assert_eq!(mint(&self.layer, scan.id.as_str()).await, scan.read);
        assert_eq!(self.staged().len(), 0);

        let new = content(LARGE, 2);
        let answer = put(&self.layer, &scan.write, new.clone()).await;
        assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
        let read = mint(&self.layer, scan.id.as_str()).await;
        self.assert_content(&read, &new).await;
        self.assert_content(&scan.read, &scan.old).await;
    }

    fn staged(&self) -> Vec<PathBuf> {
        let staging = std::fs::read_dir(self.folder.path().join("staging")).unwrap();
        staging.map(|entry| entry.unwrap().path()).collect()
    }

    fn binary(&self, id: BinaryId) -> PathBuf {
        let root = self.folder.path().canonicalize().unwrap();
        root.join("binaries").join(id.as_str())
    }
}

struct Scan {
    id: BinaryId,
    old: Bytes,
    read: String,
    write: String,
}

fn png() -> ContentType {
    ContentType::new("image/png").unwrap()
}

// Uploads

const FULL: (u16, &str) = (507, "storage-full");
const UNAVAILABLE: (u16, &str) = (503, "unavailable");

#[tokio::test]
async fn an_upload_that_cannot_be_made_durable_or_visible_changes_nothing() {
    let cases: [(Failures, (u16, &str)); 9] = [
        (&["fsync:error=EIO"], UNAVAILABLE),
        (&["fsync:error=ENOSPC"], FULL),
        (&["fsync:error=EDQUOT"], FULL),
        (&["renameat2:error=EIO"], UNAVAILABLE),
        (&["renameat2:error=EROFS"], UNAVAILABLE),
        (&["renameat2:error=ENOSPC"], FULL),
        (&["renameat2:error=EDQUOT"], FULL),
        // A file system that cannot move without replacing, so that a link is made.
        (&["renameat2:error=EINVAL", "linkat:error=EIO"], UNAVAILABLE),
        (&["renameat2:error=EINVAL", "linkat:error=EDQUOT"], FULL),
    ];
    let storage = Storage::open().await;
    for (failures, (status, code)) in cases {
        let scan = storage.scan().await;
        {
            let Some(_failing) = Injection::start(failures) else {
                return;
            };
            // A failed try may be repeated, as often as it takes.
            for body in [content(LARGE, 2), content(1, 3)] {
                let answer = put(&storage.layer, &scan.write, body).await;
                let refused = (answer.status.as_u16(), answer.refusal());
                assert_eq!(refused, (status, code), "{failures:?}");
            }
            storage.assert_content(&scan.read, &scan.old).await;
            assert_eq!(storage.staged().len(), 0);
        }
        storage.assert_nothing_changed(&scan).await;
    }
}

#[tokio::test]
async fn an_upload_that_cannot_be_written_to_its_end_changes_nothing() {
    let cases: [(Failures, (u16, &str)); 4] = [
        (&["write:error=EIO"], UNAVAILABLE),
        (&["write:error=ENOSPC"], FULL),
        (&["write:error=EDQUOT"], FULL),
        // Longer than a file may be.
        (&["write:error=EFBIG"], (413, "too-large")),
    ];
    let storage = Storage::open().await;
    for (failures, (status, code)) in cases {
        let scan = storage.scan().await;
        let (sender, receiver) = mpsc::channel(1);
        let body = Body::from_stream(ReceiverStream::new(receiver));
        let (layer, write) = (storage.layer.clone(), scan.write.clone());
        let upload = tokio::spawn(async move { put(&layer, &write, body).await });
        let chunk = || Ok::<_, std::io::Error>(content(LARGE, 2));
        // When the channel takes the third chunk, the first has been written.
        for _ in 0..3 {
            sender.send(chunk()).await.unwrap();
        }
        let staged = storage.staged();
        assert_eq!(staged.len(), 1);
        {
            let Some(_failing) = Injection::start_for(failures, &staged[0]) else {
                return;
            };
            // It is refused, and the rest of its body thrown away.
            while sender.send(chunk()).await.is_ok() && !storage.staged().is_empty() {}
            drop(sender);
            let answer = upload.await.unwrap();
            let refused = (answer.status.as_u16(), answer.refusal());
            assert_eq!(refused, (status, code), "{failures:?}");
            storage.assert_content(&scan.read, &scan.old).await;
            assert_eq!(storage.staged().len(), 0);
        }
        storage.assert_nothing_changed(&scan).await;
    }
}

#[tokio::test]
async fn when_no_file_can_be_opened_uploads_are_refused_and_change_nothing() {
    let cases: [(Failures, (u16, &str)); 4] = [
        (&["openat:error=EMFILE"], UNAVAILABLE),
        (&["openat:error=EIO"], UNAVAILABLE),
        (&["openat:error=EROFS"], UNAVAILABLE),
        (&["openat:error=ENOSPC"], FULL),
    ];
    let storage = Storage::open().await;
    for (failures, (status, code)) in cases {
        let scan = storage.scan().await;
        {
            let Some(_failing) = Injection::start(failures) else {
                return;
            };
            let answer = put(&storage.layer, &scan.write, content(LARGE, 2)).await;
            let refused = (answer.status.as_u16(), answer.refusal());
            assert_eq!(refused, (status, code), "{failures:?}");
        }
        storage.assert_nothing_changed(&scan).await;
    }
}

#[tokio::test]
async fn a_link_publishes_a_file_that_cannot_be_moved_without_replacing_another() {
    let storage = Storage::open().await;
    let scan = storage.scan().await;
    let Some(_failing) = Injection::start(&["renameat2:error=EINVAL"]) else {
        return;
    };
    storage.assert_nothing_changed(&scan).await;
    assert_eq!(storage.staged().len(), 0);
    let answer = put(&storage.layer, &scan.write, "again").await;
    answer.assert_refused(412, "already-written");
}

/// The one exception that `FsRepository` documents.
#[tokio::test]
async fn a_version_whose_visibility_cannot_be_made_durable_is_there_and_reported_as_failed() {
    let storage = Storage::open().await;
    let scan = storage.scan().await;
    let new = content(LARGE, 2);
    {
        let folder = storage.binary(scan.id);
        let Some(_failing) = Injection::start_for(&["fsync:error=EIO"], &folder) else {
            return;
        };
        let answer = put(&storage.layer, &scan.write, new.clone()).await;
        answer.assert_refused(503, "unavailable");
    }
    let read = mint(&storage.layer, scan.id.as_str()).await;
    storage.assert_content(&read, &new).await;
    storage.assert_content(&scan.read, &scan.old).await;
    assert_eq!(storage.staged().len(), 0);
    // So the client repeats it, and learns that it is there.
    let repeated = put(&storage.layer, &scan.write, new).await;
    assert_eq!(
        (repeated.status, repeated.header("etag")),
        (StatusCode::OK, Some("\"2\""))
    );
    let other = put(&storage.layer, &scan.write, content(LARGE, 3)).await;
    other.assert_refused(412, "already-written");
}

#[tokio::test]
async fn leftovers_of_a_failure_that_cannot_be_removed_are_removed_when_the_folder_is_opened_again()
{
    let storage = Storage::open().await;
    let scan = storage.scan().await;
    {
        let failures = &["fsync:error=EIO", "unlink:error=EIO", "unlinkat:error=EIO"];
        let Some(_failing) = Injection::start(failures) else {
            return;
        };
        let answer = put(&storage.layer, &scan.write, content(LARGE, 2)).await;
        answer.assert_refused(503, "unavailable");
        assert_eq!(storage.staged().len(), 1);
    }
    let storage = storage.reopen().await;
    storage.assert_nothing_changed(&scan).await;
}

// Downloads

/// The second to fail is what is done when the first has found nothing in the page cache.
const UNREADABLE: Failures = &["preadv2:error=EAGAIN", "pread64:error=EIO"];

#[tokio::test]
async fn content_that_cannot_be_read_is_refused_and_can_be_read_later() {
    let storage = Storage::open().await;
    let scan = storage.scan().await;
    // The second time its file has been kept open.
    for _ in 0..2 {
        {
            let file = storage.binary(scan.id).join("v1");
            let Some(_failing) = Injection::start_for(UNREADABLE, &file) else {
                return;
            };
            for range in [None, Some(("range", "bytes=1000000-1000009"))] {
                let answer = get_with(&storage.layer, &scan.read, range.as_slice()).await;
                answer.assert_refused(503, "unavailable");
            }
        }
        storage.assert_content(&scan.read, &scan.old).await;
    }
}

#[tokio::test]
async fn a_download_that_cannot_be_read_to_its_end_is_broken_off_and_never_looks_whole() {
    let storage = Storage::open().await;
    let scan = storage.scan().await;
    let request = request(Method::GET, &scan.read, &[], Body::empty());
    let response = respond(&storage.layer, request).await;
    assert_eq!(response.status(), StatusCode::OK);
    let mut body = response.into_body();
    let mut received = Vec::new();
    received.extend(body.frame().await.unwrap().unwrap().into_data().unwrap());
    {
        let file = storage.binary(scan.id).join("v1");
        let Some(_failing) = Injection::start_for(UNREADABLE, &file) else {
            return;
        };
        assert!(body.collect().await.is_err());
    }
    assert!(received.len() < LARGE && scan.old.starts_with(&received));
    storage.assert_content(&scan.read, &scan.old).await;
}

// Creating and deleting Binaries

#[tokio::test]
async fn a_binary_that_cannot_be_created_is_not_there_and_can_be_created_later() {
    let storage = Storage::open().await;
    for (failures, is_full) in [
        (&["mkdir:error=EIO"] as Failures, false),
        (&["fsync:error=EIO"], false),
        (&["fsync:error=EDQUOT"], true),
        (&["rename:error=EIO"], false),
        (&["rename:error=ENOSPC"], true),
    ] {
        let id = BinaryId::random();
        {
            let Some(_failing) = Injection::start(failures) else {
                return;
            };
            let error = storage.repository.create(id, png()).await.unwrap_err();
            assert_fails_as(&error, is_full);
            assert_eq!(storage.staged().len(), 0, "{failures:?}");
        }
        let operation = format!("/fhir/R4/Binary/{id}/$presigned-url");
        let answer = get(&storage.layer, &operation).await;
        answer.assert_refused(404, "not-found");
        storage.repository.create(id, png()).await.unwrap();
    }
}

#[tokio::test]
async fn a_binary_that_cannot_be_deleted_is_there_as_a_whole_and_can_be_deleted_later() {
    let storage = Storage::open().await;
    for (failures, is_full) in [
        (&["rename:error=EIO"] as Failures, false),
        (&["rename:error=ENOSPC"], true),
    ] {
        let scan = storage.scan().await;
        {
            let Some(_failing) = Injection::start(failures) else {
                return;
            };
            let error = storage.repository.delete(scan.id).await.unwrap_err();
            assert_fails_as(&error, is_full);
        }
        storage.assert_nothing_changed(&scan).await;
        storage.repository.delete(scan.id).await.unwrap();
        get(&storage.layer, &scan.read)
            .await
            .assert_refused(410, "deleted");
    }
}

/// It is gone, and would be back after a power failure: the host deletes it again.
#[tokio::test]
async fn a_binary_whose_deletion_cannot_be_made_durable_is_gone_and_reported_as_failed() {
    let storage = Storage::open().await;
    let scan = storage.scan().await;
    {
        let Some(_failing) = Injection::start(&["fsync:error=EIO"]) else {
            return;
        };
        let error = storage.repository.delete(scan.id).await.unwrap_err();
        assert_fails_as(&error, false);
        let answer = get(&storage.layer, &scan.read).await;
        answer.assert_refused(410, "deleted");
    }
    storage.repository.delete(scan.id).await.unwrap();
    let answer = get(&storage.layer, &scan.read).await;
    answer.assert_refused(410, "deleted");
}

/// Neither a worker of the runtime nor a lock that one needs: a client that leaves while a disk
/// takes its time is nobody else's business.
#[tokio::test]
async fn while_a_disk_takes_its_time_uploads_can_be_given_up_and_all_else_goes_on() {
    const SLOW: Duration = Duration::from_secs(10);
    let storage = Storage::open().await;
    let (scan, other) = (storage.scan().await, storage.scan().await);
    // From the first file to be published on.
    let Some(_slow) = Injection::start(&["renameat2:delay_enter=10000000"]) else {
        return;
    };
    let start = Instant::now();
    let mut given_up = Vec::new();
    for write in [&scan.write, &other.write] {
        let (layer, write) = (storage.layer.clone(), write.clone());
        given_up.push(tokio::spawn(async move {
            put(&layer, &write, content(LARGE, 2)).await;
        }));
    }
    // Until both are about to be published.
    let is_whole = |path: &PathBuf| path.metadata().is_ok_and(|file| file.len() > LARGE as u64);
    while storage
        .staged()
        .iter()
        .filter(|path| is_whole(path))
        .count()
        < 2
    {
        yield_now().await;
    }
    for _ in 0..20 {
        storage.assert_content(&other.read, &other.old).await;
    }
    for upload in &given_up {
        upload.abort();
    }
    for upload in given_up {
        assert!(upload.await.unwrap_err().is_cancelled());
    }
    storage.assert_content(&other.read, &other.old).await;
    assert!(start.elapsed() < SLOW, "{:?}", start.elapsed());
}

fn assert_fails_as(error: &RepositoryError, is_full: bool) {
    let is_as_expected = match error {
        RepositoryError::StorageFull => is_full,
        RepositoryError::Unavailable(_) => !is_full,
        _ => false,
    };
    assert!(is_as_expected, "{error:?}");
}
