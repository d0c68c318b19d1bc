//! Stored content comes back as it was, or as an error.

use super::engines::S3Server;
use super::proxy::front::Trouble;
use super::*;
use http_body_util::BodyExt as _;
use tower_presign::BinaryRepository as _;
use tower_presign::store::{BucketStore, ContentStore as _, ObjectStoreRepository, Target, Upload};
use tower_presign::{Access, BinaryKey};

/// A server that has a content of this length, and the key that a URL hands back.
async fn stored(length: usize) -> (S3Server, ObjectStoreRepository, BinaryKey) {
    let server = S3Server::start().await;
    let repository = server.repository().await;
    let id = BinaryId::random();
    let png = ContentType::new("image/png").unwrap();
    let key = repository.create(id, png.clone()).await.unwrap();
    let upload = Upload::new(png, stream::iter([Ok(bytes(length, 1))]));
    repository.write(&key, upload).await.unwrap();
    let located = repository.locate(&Target::new(id, Access::Read)).await;
    let located = located.unwrap();
    let key = located.key.with_place(located.place.unwrap());
    (server, repository, key)
}

#[tokio::test]
async fn another_length_is_an_error_before_the_first_byte() {
    for length in [1000, LARGE] {
        let (server, repository, key) = stored(length).await;
        server.trouble(Trouble::Half);
        let read = repository.read(&key, None).await;
        assert!(
            matches!(read, Err(RepositoryError::Internal(_))),
            "{read:?}"
        );
    }
}

#[tokio::test]
async fn another_byte_is_an_error_before_the_last() {
    for length in [1000, LARGE] {
        let (server, repository, key) = stored(length).await;
        server.trouble(Trouble::Flip);
        let read = repository.read(&key, None).await;
        if length == 1000 {
            // All of it has come before the head is sent.
            let is_internal = matches!(read, Err(RepositoryError::Internal(_)));
            assert!(is_internal, "{read:?}");
            continue;
        }
        let read = read.unwrap();
        let mut received = 0;
        let chunks: Vec<_> = read.collect().await;
        for chunk in &chunks[..chunks.len() - 1] {
            received += chunk.as_ref().unwrap().len();
        }
        let last = chunks.last().unwrap();
        assert!(
            matches!(last, Err(RepositoryError::Internal(_))),
            "{last:?}"
        );
        assert!(received < length);
    }
}

#[tokio::test]
async fn for_a_hosts_records_too_another_byte_is_an_error_before_the_last() {
    let server = S3Server::start().await;
    let store = BucketStore::new(server.bucket());
    let png = ContentType::new("image/png").unwrap();
    for length in [1000, LARGE] {
        let upload = Upload::new(png.clone(), stream::iter([Ok(bytes(length, 1))]));
        let stored = store.put(upload).await.unwrap();
        let whole = store.get(&stored.place, None).await.unwrap();
        assert_eq!(whole.metadata().sha256, Some(stored.sha256));
        server.trouble(Trouble::Flip);
        let read = match store.get(&stored.place, None).await {
            Ok(content) => content.try_for_each(|_| async { Ok(()) }).await,
            Err(error) => Err(error),
        };
        assert!(
            matches!(read, Err(RepositoryError::Internal(_))),
            "{length}: {read:?}"
        );
        server.trouble(Trouble::None);
    }
}

#[tokio::test]
async fn a_page_of_a_proxy_is_not_served() {
    for length in [1000, LARGE] {
        let (server, repository, key) = stored(length).await;
        server.trouble(Trouble::LoginPage);
        let read = repository.read(&key, None).await;
        assert!(
            matches!(
                read,
                Err(RepositoryError::Internal(_) | RepositoryError::Unavailable(_))
            ),
            "{read:?}"
        );
    }
}

#[tokio::test]
async fn a_download_goes_on_where_the_store_breaks_off() {
    // The store's client gives up after the second time, and we do not as long as bytes come.
    let (server, repository, key) = stored(LARGE).await;
    server.trouble(Trouble::Cut(LARGE / 9));
    server.requests();
    let read = repository.read(&key, None).await.unwrap();
    let whole: Vec<Bytes> = read.try_collect().await.unwrap();
    assert!(whole.concat() == bytes(LARGE, 1));
    let requests = server.requests().len();
    assert!((9..=14).contains(&requests), "{requests} requests");

    let layer = layer(repository);
    let url = mint(&layer, key.id().as_str()).await;
    let answer = respond(&layer, request(http::Method::GET, &url, &[], Body::empty()));
    let body = answer.await.into_body().collect().await.unwrap().to_bytes();
    assert!(body == bytes(LARGE, 1));
}
