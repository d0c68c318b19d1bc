//! `FsStore`: content in a folder.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use tower_presign::store::{ByteRange, ContentStore as _, Day, FsStore, Place, RepositoryError};

use super::{assert_says, collect, open_store, upload};

fn file(folder: &Path, place: &Place) -> PathBuf {
    let folder = folder.canonicalize().unwrap();
    folder.join("content").join(place.as_str())
}

#[tokio::test]
async fn content_survives_the_process() {
    let (folder, store) = open_store().await;
    let stored = store.put(upload("content")).await.unwrap();
    let before = store.get(&stored.place, None).await.unwrap();
    let before = before.metadata().clone();
    drop(store);
    let store = FsStore::open(folder.path()).await.unwrap();
    let content = store.get(&stored.place, None).await.unwrap();
    assert_eq!(*content.metadata(), before);
    assert_eq!(before.sha256, Some(stored.sha256));
    assert_eq!(collect(content).await.unwrap(), b"content");
}

#[tokio::test]
async fn a_place_is_a_day_and_a_random_name() {
    let (_folder, store) = open_store().await;
    let day = Day::of(SystemTime::now());
    let place = store.put(upload("content")).await.unwrap().place;
    let (place_day, name) = place.as_str().split_once('/').unwrap();
    let days = [day.to_string(), Day::of(SystemTime::now()).to_string()];
    assert!(days.contains(&place_day.to_owned()));
    assert_eq!(name.len(), 32);
    assert!(name.bytes().all(|byte| byte.is_ascii_hexdigit()));
}

/// Never is it shorter content than was stored.
#[tokio::test]
async fn a_file_that_was_cut_short_or_grew_is_an_error_that_names_it() {
    const LARGE: usize = 3 * 1024 * 1024;
    for content in [vec![b'x'; 7], vec![b'x'; LARGE]] {
        for fewer in [1, content.len() as u64, content.len() as u64 + 10] {
            let (folder, store) = open_store().await;
            let stored = store.put(upload(content.clone())).await.unwrap();
            let path = file(folder.path(), &stored.place);
            let file = std::fs::File::options().write(true).open(&path).unwrap();
            let length = file.metadata().unwrap().len();
            file.set_len(length - fewer).unwrap();
            for range in [None, Some(ByteRange::From(0)), Some(ByteRange::Last(1))] {
                let error = store.get(&stored.place, range).await.unwrap_err();
                assert!(matches!(error, RepositoryError::Internal(_)), "{error:?}");
                assert_says(&error, path.to_str().unwrap());
            }
            file.set_len(length + 1).unwrap();
            let error = store.get(&stored.place, None).await.unwrap_err();
            assert!(matches!(error, RepositoryError::Internal(_)), "{error:?}");
        }
    }
}

/// Between the start and the end of a download, the announced length has gone out.
#[tokio::test]
async fn a_file_that_is_cut_short_during_a_download_breaks_it_off() {
    let (folder, store) = open_store().await;
    let stored = store.put(upload(vec![b'x'; 1024 * 1024])).await.unwrap();
    let mut content = store.get(&stored.place, None).await.unwrap();
    content.next().await.unwrap().unwrap();
    let path = file(folder.path(), &stored.place);
    let file = std::fs::File::options().write(true).open(&path).unwrap();
    file.set_len(200 * 1024).unwrap();
    let error = collect(content).await.unwrap_err();
    assert!(matches!(error, RepositoryError::Internal(_)), "{error:?}");
    assert_says(&error, path.to_str().unwrap());
}

#[tokio::test]
async fn a_file_whose_first_line_is_not_ours_is_an_error_that_names_it() {
    let (folder, store) = open_store().await;
    let stored = store.put(upload("content")).await.unwrap();
    let path = file(folder.path(), &stored.place);
    let whole = std::fs::read_to_string(&path).unwrap();
    let sha256 = whole.split('"').nth_back(1).unwrap();
    for damaged in [
        whole.replace("tower-presign/1", "tower-presign/0"),
        whole.replace(sha256, &sha256[4..]),
        whole.replace('\n', " "),
        String::new(),
    ] {
        std::fs::write(&path, damaged).unwrap();
        let error = store.get(&stored.place, None).await.unwrap_err();
        assert!(matches!(error, RepositoryError::Internal(_)), "{error:?}");
        assert_says(&error, path.to_str().unwrap());
    }
}

/// Of any length: what is announced in it has as many digits as there are bytes.
#[tokio::test]
async fn content_of_every_length_has_room_for_its_first_line() {
    const MEGABYTE: usize = 1024 * 1024;
    let (_folder, store) = open_store().await;
    for length in [
        0,
        1,
        9,
        10,
        99_999,
        100_000,
        MEGABYTE - 300,
        MEGABYTE,
        2 * MEGABYTE + 1,
    ] {
        let stored = store.put(upload(vec![b'x'; length])).await.unwrap();
        assert_eq!(stored.length, length as u64);
        let content = store.get(&stored.place, None).await.unwrap();
        assert!(collect(content).await.unwrap() == vec![b'x'; length]);
    }
}
