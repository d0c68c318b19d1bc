//! The room on the disk that uploads may take before they are whole.

use bytes::Bytes;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tower_presign::store::{ContentStore as _, RepositoryError, Upload};
use tower_presign::{BinaryId, BinaryRepository as _, FsRepository};

use super::{assert_says, open_store, png, upload};

const MB: usize = 1_000_000;

fn megabytes(count: usize) -> Bytes {
    vec![0; count * MB].into()
}

/// An upload whose first three megabytes are on the disk, and the rest of which never comes.
fn stalled() -> (mpsc::Sender<Bytes>, Upload) {
    use futures_util::StreamExt as _;
    let (sender, receiver) = mpsc::channel(1);
    let upload = Upload::new(png(), ReceiverStream::new(receiver).map(Ok));
    (sender, upload)
}

async fn feed(sender: &mpsc::Sender<Bytes>) {
    // When the second is in the channel, the first has been written.
    for chunk in [megabytes(3), Bytes::new(), Bytes::new()] {
        sender.send(chunk).await.unwrap();
    }
}

#[tokio::test]
async fn uploads_that_do_not_end_take_no_more_of_the_disk_than_their_budget() {
    let folder = tempfile::tempdir().unwrap();
    let repository = FsRepository::open(folder.path()).await.unwrap();
    let repository = repository.fsync(false).staging_budget(5 * MB as u64);
    let mut keys = Vec::new();
    for _ in 0..2 {
        keys.push(repository.create(BinaryId::random(), png()).await.unwrap());
    }
    let (sender, slow) = stalled();
    let running = tokio::spawn({
        let (repository, key) = (repository.clone(), keys[0].clone());
        async move { repository.write(&key, slow).await }
    });
    feed(&sender).await;

    let refused = repository.write(&keys[1], upload(megabytes(3))).await;
    let error = refused.unwrap_err();
    assert!(matches!(error, RepositoryError::Unavailable(_)), "{error}");
    assert_says(&error, "the staging budget of 5000000 bytes");
    repository
        .write(&keys[1], upload(megabytes(1)))
        .await
        .unwrap();

    // An upload that has ended, one way or the other, gives its part back.
    drop(sender);
    running.await.unwrap().unwrap();
    let key = repository.create(BinaryId::random(), png()).await.unwrap();
    repository.write(&key, upload(megabytes(4))).await.unwrap();
}

#[tokio::test]
async fn a_store_has_such_a_budget_too() {
    let (_folder, store) = open_store().await;
    let store = store.staging_budget(5 * MB as u64);
    let refused = store.put(upload(megabytes(6))).await;
    assert!(matches!(refused, Err(RepositoryError::Unavailable(_))));
    store.put(upload(megabytes(4))).await.unwrap();
    store.put(upload(megabytes(4))).await.unwrap();
}
