//! Content that is kept at hand once it has been read: small ones in memory, the files of longer
//! ones open.
//!
//! Each test takes a file away under the store, which nobody else may do: a content that can still
//! be read has been kept.

#![cfg(target_os = "linux")]

use std::path::Path;

use tower_presign::store::{ByteRange, ContentStore as _, FsStore, Place, RepositoryError};

use super::{collect, open_store, upload};

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
