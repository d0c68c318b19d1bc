//! Contents and facts that are kept at hand once they have been read: small contents in memory, the
//! files of longer ones open, and the facts that a mint needs.
//!
//! Each test takes a file away, which nobody but the store may do. Content that can still be read has
//! been kept.

#![cfg(target_os = "linux")]

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tower_presign::store::{ByteRange, ContentStore as _, FsStore, Place, RepositoryError, Target};
use tower_presign::url::Access;
use tower_presign::{BinaryId, BinaryKey, BinaryRepository as _, FsRepository, VersionId};

use super::{collect, open_store, png, upload};

const SMALL: usize = 16 * 1024;

async fn put(store: &FsStore, length: usize) -> Place {
    store.put(upload(vec![b'x'; length])).await.unwrap().place
}

/// Content that is not in the page cache is not kept, and a page cache promises nothing.
async fn read(store: &FsStore, place: &Place) {
    for _ in 0..3 {
        collect(store.get(place, None).await.unwrap())
            .await
            .unwrap();
    }
}

fn take_away(folder: &Path, place: &Place) {
    std::fs::remove_file(folder.join("content").join(place.as_str())).unwrap();
}

/// Contents of these lengths, which have been read one after the other, and then taken away.
async fn read_and_taken_away(store: &FsStore, folder: &Path, lengths: &[usize]) -> Vec<Place> {
    let mut places = Vec::new();
    for length in lengths {
        places.push(put(store, *length).await);
    }
    for place in &places {
        read(store, place).await;
    }
    for place in &places {
        take_away(folder, place);
    }
    places
}

async fn length(store: &FsStore, place: &Place) -> Option<usize> {
    match store.get(place, None).await {
        Ok(content) => Some(collect(content).await.unwrap().len()),
        Err(RepositoryError::NotFound) => None,
        Err(error) => panic!("{error:?}"),
    }
}

#[tokio::test]
async fn content_that_has_been_read_is_kept_at_hand() {
    let (folder, store) = open_store().await;
    for size in [0, 7, SMALL, SMALL + 1, 1_000_000] {
        let place = put(&store, size).await;
        read(&store, &place).await;
        take_away(folder.path(), &place);
        assert_eq!(length(&store, &place).await, Some(size));
        let range = Some(ByteRange::Last(3));
        let part = store.get(&place, range).await.unwrap();
        assert_eq!(part.range(), size.saturating_sub(3) as u64..size as u64);
        assert_eq!(collect(part).await.unwrap().len(), size.min(3));
    }
}

#[tokio::test]
async fn content_that_has_not_been_read_is_not() {
    let (folder, store) = open_store().await;
    let place = put(&store, 7).await;
    take_away(folder.path(), &place);
    assert_eq!(length(&store, &place).await, None);
}

#[tokio::test]
async fn small_contents_take_no_more_memory_than_they_may() {
    let (folder, store) = open_store().await;
    // Room for three of them, and not for a fourth.
    let store = store.content_cache(4 * SMALL).max_open_files(0);
    let places = read_and_taken_away(&store, folder.path(), &[SMALL; 4]).await;
    assert_eq!(length(&store, &places[0]).await, None);
    for place in &places[1..] {
        assert_eq!(length(&store, place).await, Some(SMALL));
    }
}

#[tokio::test]
async fn no_more_files_stay_open_than_may() {
    let (folder, store) = open_store().await;
    let store = store.content_cache(0).max_open_files(2);
    let places = read_and_taken_away(&store, folder.path(), &[7, SMALL, 100_000]).await;
    assert_eq!(length(&store, &places[0]).await, None);
    assert_eq!(length(&store, &places[1]).await, Some(SMALL));
    assert_eq!(length(&store, &places[2]).await, Some(100_000));
}

#[tokio::test]
async fn nothing_is_kept_where_nothing_may_be() {
    let (folder, store) = open_store().await;
    let store = store.content_cache(0).max_open_files(0);
    for size in [7, 100_000] {
        let place = put(&store, size).await;
        read(&store, &place).await;
        take_away(folder.path(), &place);
        assert_eq!(length(&store, &place).await, None);
    }
}

#[tokio::test]
async fn content_that_is_deleted_is_gone_at_once() {
    let (_folder, store) = open_store().await;
    for size in [7, 100_000] {
        let place = put(&store, size).await;
        read(&store, &place).await;
        store.delete(&place).await.unwrap();
        assert_eq!(length(&store, &place).await, None);
    }
}

#[tokio::test]
async fn small_content_is_kept_though_it_had_to_be_waited_for() {
    // Reading without waiting is not possible there.
    let Ok(folder) = tempfile::tempdir_in("/dev/shm") else {
        return;
    };
    let store = FsStore::open(folder.path()).await.unwrap().fsync(false);
    let place = put(&store, SMALL).await;
    assert_eq!(length(&store, &place).await, Some(SMALL));
    take_away(folder.path(), &place);
    assert_eq!(length(&store, &place).await, Some(SMALL));
}

/// The version that a URL would be minted for.
async fn located(
    repository: &FsRepository,
    id: BinaryId,
    access: Access,
) -> Result<VersionId, RepositoryError> {
    let located = repository.locate(&Target::new(id, access)).await?;
    assert_eq!(located.content_type, png());
    Ok(located.key.version())
}

#[tokio::test]
async fn a_binary_that_a_url_was_minted_for_is_known_until_it_changes() {
    let folder = tempfile::tempdir().unwrap();
    let repository = FsRepository::open(folder.path()).await.unwrap();
    let id = BinaryId::random();
    let first = repository.create(id, png()).await.unwrap();
    let version = async |access| located(&repository, id, access).await.unwrap();
    assert_eq!(version(Access::Write).await, 1.into());
    repository.write(&first, upload("first")).await.unwrap();
    assert_eq!(version(Access::Write).await, 2.into(), "it was forgotten");

    let file = folder.path().join(format!("binaries/{id}/v1"));
    std::fs::rename(&file, folder.path().join("elsewhere")).unwrap();
    assert_eq!(version(Access::Write).await, 2.into(), "it was kept");
    assert_eq!(version(Access::Read).await, 1.into());

    repository.delete(id).await.unwrap();
    let deleted = located(&repository, id, Access::Read).await;
    assert!(matches!(deleted, Err(RepositoryError::Deleted)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_mint_knows_every_upload_that_has_been_acknowledged() {
    const VERSIONS: u64 = 300;
    let folder = tempfile::tempdir().unwrap();
    let repository = FsRepository::open(folder.path()).await.unwrap();
    let repository = repository.fsync(false);
    let id = BinaryId::random();
    repository.create(id, png()).await.unwrap();
    let acknowledged = Arc::new(AtomicU64::new(0));
    let minting: Vec<_> = (0..4)
        .map(|_| {
            let (repository, acknowledged) = (repository.clone(), Arc::clone(&acknowledged));
            tokio::spawn(async move {
                loop {
                    let before = acknowledged.load(Ordering::SeqCst);
                    let next = located(&repository, id, Access::Write).await.unwrap();
                    assert!(next.number() > Some(before), "{next} after {before}");
                    if before == VERSIONS {
                        return;
                    }
                    tokio::task::yield_now().await;
                }
            })
        })
        .collect();
    for version in 1..=VERSIONS {
        let key = BinaryKey::new(id, version.into());
        repository.write(&key, upload("content")).await.unwrap();
        acknowledged.store(version, Ordering::SeqCst);
    }
    for minting in minting {
        minting.await.unwrap();
    }
}
