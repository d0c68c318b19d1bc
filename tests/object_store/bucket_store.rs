//! `BucketStore`: bytes in places of its own making.

use std::time::SystemTime;

use super::engines::Engine;
use super::*;
use tower_presign::store::{BucketStore, ByteRange, ContentStore as _, Day, Place, Upload};

fn upload(content: Bytes) -> Upload {
    let pdf = ContentType::new("application/pdf").unwrap();
    Upload::new(pdf, stream::iter([Ok(content)]))
}

pub async fn a_store_keeps_bytes_in_places_of_its_own(engine: Engine) {
    let store = BucketStore::new(engine.bucket.clone());
    let today = Day::of(SystemTime::now());
    let mut places = Vec::new();
    for length in [0, 1000, PARTS, LARGE] {
        let stored = store.put(upload(bytes(length, 1))).await.unwrap();
        let digest = <sha2::Sha256 as sha2::Digest>::digest(bytes(length, 1));
        assert_eq!(stored.sha256[..], digest[..]);
        assert_eq!(stored.length, length as u64);
        assert!(stored.place.as_str().starts_with(&format!("{today}/")));
        let whole = store.get(&stored.place, None).await.unwrap();
        assert_eq!(whole.metadata().content_type, "application/pdf");
        let whole: Vec<Bytes> = whole.try_collect().await.unwrap();
        assert!(whole.concat() == bytes(length, 1));
        // The server in this process stumbles over ranges of nothing.
        let ranges = [
            (ByteRange::FromTo(5, 9), 5..10),
            (ByteRange::Last(10), length.max(10) - 10..length),
        ];
        for (range, expected) in ranges.into_iter().filter(|_| length > 0) {
            let part = store.get(&stored.place, Some(range)).await.unwrap();
            let part: Vec<Bytes> = part.try_collect().await.unwrap();
            assert!(part.concat() == bytes(length, 1)[expected], "{range:?}");
        }
        places.push(stored.place);
    }
    let mut listed: Vec<Place> = store.list(today).try_collect().await.unwrap();
    listed.sort();
    places.sort();
    assert_eq!(listed, places);
    let tomorrow: Vec<Place> = store.list(today.next()).try_collect().await.unwrap();
    assert_eq!(tomorrow, []);

    for place in &places {
        store.delete(place).await.unwrap();
        store.delete(place).await.unwrap();
        let gone = store.get(place, None).await;
        assert!(matches!(gone, Err(RepositoryError::NotFound)), "{gone:?}");
    }
    assert_eq!(objects(&engine, None).await, 0, "nothing is left behind");
}

pub async fn no_place_leads_to_anything_but_content(engine: Engine) {
    let id = BinaryId::random();
    let png = ContentType::new("image/png").unwrap();
    engine.repository.create(id, png).await.unwrap();
    let store = BucketStore::new(engine.bucket.clone());
    let before = objects(&engine, None).await;
    for text in [
        format!("binary/{id}/0"),
        format!("2026-11-29/../binary/{id}/0"),
        "2026-11-29".to_owned(),
        "slot".to_owned(),
    ] {
        let place = Place::new(text.clone()).unwrap();
        let read = store.get(&place, None).await;
        assert!(matches!(read, Err(RepositoryError::NotFound)), "{text}");
        store.delete(&place).await.unwrap();
    }
    assert_eq!(objects(&engine, None).await, before);
}
