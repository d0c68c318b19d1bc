//! The whole content, and what can come between.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::body::Body;
use bytes::Bytes;
use futures_util::stream;
use http::{Method, StatusCode};
use http_body_util::BodyExt as _;
use tower_presign::store::{RepositoryError, Upload};
use tower_presign::{
    AccessPolicy, BinaryId, BinaryRepository, ContentType, Denial, MemoryRepository, MintRequest,
    PresignLayer, RedeemRequest, Terms,
};

use crate::support::repository::{Failing, Failure, Shelf};
use crate::support::*;

/// `scan` with this content, as PNG.
async fn stored(content: &'static str) -> MemoryRepository {
    let repository = MemoryRepository::new();
    let png = ContentType::new("image/png").unwrap();
    let key = repository.create(id("scan"), png.clone()).unwrap();
    let content = stream::iter([Ok(Bytes::from(content))]);
    repository
        .write(&key, Upload::new(png, content))
        .await
        .unwrap();
    repository
}

// The content

#[tokio::test]
async fn a_read_url_serves_the_whole_content() {
    let layer = layer(stored("content").await);
    let url = mint(&layer, "scan").await;
    let answer = get(&layer, &url).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.body, "content");
    assert_eq!(answer.header("content-length"), Some("7"));
    assert_eq!(answer.header("content-type"), Some("image/png"));
    assert_eq!(answer.header("etag"), Some("\"1\""));
    assert!(answer.header("content-range").is_none());
    assert_eq!(get(&layer, &url).await, answer, "a URL may be used again");
}

#[tokio::test]
async fn head_answers_as_get_without_the_content() {
    let layer = layer(Shelf::new(b"content"));
    let url = mint(&layer, "scan").await;
    let expected = get(&layer, &url).await;
    let answer = head_with(&layer, &url, &[]).await;
    assert_eq!(answer.status, expected.status);
    assert_eq!(answer.headers, expected.headers);
    assert!(answer.body.is_empty());

    let missing = layer_of_empty_scan();
    let answer = head_with(&missing, &url, &[]).await;
    assert_eq!(answer.status, StatusCode::NOT_FOUND);
    assert_eq!(answer.headers, get(&missing, &url).await.headers);
    assert!(answer.body.is_empty());
}

fn layer_of_empty_scan() -> PresignLayer {
    layer(scan("image/png"))
}

#[tokio::test]
async fn empty_content_is_content() {
    let layer = layer(Shelf::new(b""));
    let url = mint(&layer, "scan").await;
    let answer = get(&layer, &url).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.header("content-length"), Some("0"));
    assert_eq!(answer.header("etag"), Some("\"7\""));
    assert!(answer.body.is_empty());
}

#[tokio::test]
async fn the_entity_tag_is_the_version_in_quotes() {
    let layer = layer(Shelf::new(b"content"));
    let url = mint(&layer, "scan").await;
    assert!(url.starts_with(&format!("{BASE}/scan/7?")));
    assert_eq!(get(&layer, &url).await.header("etag"), Some("\"7\""));
}

#[tokio::test]
async fn a_url_never_serves_another_version_than_its_own() {
    let repository = stored("first").await;
    let layer = layer(repository.clone());
    let first = mint(&layer, "scan").await;
    let write = mint_upload(&layer, "scan").await;
    assert_eq!(put(&layer, &write, "second").await.status, StatusCode::OK);
    assert_eq!(get(&layer, &first).await.body, "first");
    let second = mint(&layer, "scan").await;
    assert_eq!(get(&layer, &second).await.body, "second");
    assert_eq!(get(&layer, &second).await.header("etag"), Some("\"2\""));
}

// Rights and methods

struct Revoking {
    asked: Arc<AtomicUsize>,
    revoked: BinaryId,
}

impl AccessPolicy for Revoking {
    async fn mint(&self, _: MintRequest) -> Result<Terms, Denial> {
        Ok(Terms::new())
    }

    async fn redeem(&self, request: RedeemRequest<'_>) -> Result<(), Denial> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        assert_eq!(request.parts().headers["x-ward"], "7");
        if request.grant().key.id() == self.revoked {
            return Err(Denial::forbidden());
        }
        Ok(())
    }
}

#[tokio::test]
async fn a_policy_can_take_a_url_back() {
    let asked = Arc::new(AtomicUsize::new(0));
    let policy = |revoked| Revoking {
        asked: Arc::clone(&asked),
        revoked: id(revoked),
    };
    let repository = stored("content").await;
    let layer = PresignLayer::new(signer(), repository, policy("other")).clock(|| at(NOW));
    let url = mint(&layer, "scan").await;
    let ward = [("x-ward", "7")];
    assert_eq!(get_with(&layer, &url, &ward).await.body, "content");

    let nobody_looks = Failing(|| panic!("it was looked up"));
    let layer = PresignLayer::new(signer(), nobody_looks, policy("scan")).clock(|| at(NOW));
    let answer = get_with(&layer, &url, &ward).await;
    answer.assert_refused(403, "forbidden");
    assert_eq!(asked.load(Ordering::Relaxed), 2);

    // Whoever cannot show a genuine, current URL does not get as far as the policy.
    let forged = url.replace("/scan/", "/other/");
    let answer = get_with(&layer, &forged, &ward).await;
    answer.assert_refused(403, "invalid-signature");
    assert_eq!(asked.load(Ordering::Relaxed), 2);
}

// Caches

#[tokio::test]
async fn downloads_are_not_kept_unless_that_is_configured() {
    let layer = layer(Shelf::new(b"content"));
    let url = mint(&layer, "scan").await;
    let cache_control = async |layer: &PresignLayer| {
        let answer = get(layer, &url).await;
        answer.header("cache-control").unwrap().to_owned()
    };
    assert_eq!(
        cache_control(&layer).await,
        "private, no-store, no-transform"
    );
    let caching = layer.cache_downloads(true);
    assert_eq!(
        cache_control(&caching).await,
        "private, max-age=3600, no-transform"
    );
    let near_end = caching.clone().clock(|| at(NOW + 3500));
    assert_eq!(
        cache_control(&near_end).await,
        "private, max-age=100, no-transform"
    );
    let too_late = caching.clock(|| at(NOW + 3600));
    assert_eq!(cache_control(&too_late).await, "no-store");
}

// Failures

#[tokio::test]
async fn deleted_content_is_gone() {
    let repository = stored("content").await;
    let layer = layer(repository.clone());
    let url = mint(&layer, "scan").await;
    repository.delete(id("scan")).unwrap();
    get(&layer, &url).await.assert_refused(410, "deleted");
    let answer = get_with(&layer, &url, &[("if-none-match", "\"1\"")]).await;
    answer.assert_refused(410, "deleted");
}

#[tokio::test]
async fn an_error_of_the_repository_is_told_by_its_kind() {
    let url = mint(&layer(stored("content").await), "scan").await;
    let errors: [(Failure, u16, &str); 4] = [
        (|| RepositoryError::NotFound, 404, "not-found"),
        (|| RepositoryError::Deleted, 410, "deleted"),
        (|| RepositoryError::unavailable("down"), 503, "unavailable"),
        (|| RepositoryError::internal("broken"), 500, "internal"),
    ];
    for (error, status, code) in errors {
        let layer = layer(Failing(error));
        for headers in [&[][..], &[("range", "bytes=0-")], &[("if-match", "*")]] {
            let answer = get_with(&layer, &url, headers).await;
            answer.assert_refused(status, code);
        }
    }
}

/// Reads as far as it goes: the bytes, and whether an error ended them.
async fn read(shelf: Shelf) -> (Vec<u8>, bool) {
    let layer = layer(shelf);
    let url = mint(&layer, "scan").await;
    let response = respond(&layer, request(Method::GET, &url, &[], Body::empty())).await;
    assert_eq!(response.status(), StatusCode::OK);
    let mut body = response.into_body();
    let mut bytes = Vec::new();
    while let Some(frame) = body.frame().await {
        match frame {
            Ok(frame) => bytes.extend_from_slice(&frame.into_data().unwrap()),
            Err(_) => return (bytes, true),
        }
    }
    (bytes, false)
}

#[tokio::test]
async fn a_repository_that_fails_on_the_way_breaks_the_download_off() {
    let mut shelf = Shelf::new(b"content");
    shelf.stream = Some(|| vec![Ok("con".into()), Err(RepositoryError::internal("broken"))]);
    assert_eq!(read(shelf).await, (b"con".to_vec(), true));
}

#[tokio::test]
async fn a_repository_that_delivers_too_little_or_too_much_breaks_the_download_off() {
    let mut shelf = Shelf::new(b"content");
    shelf.stream = Some(|| vec![Ok("con".into()), Ok("ten".into())]);
    assert_eq!(read(shelf.clone()).await, (b"conten".to_vec(), true));
    shelf.stream = Some(|| vec![Ok("con".into()), Ok("tents".into())]);
    assert_eq!(read(shelf.clone()).await, (b"con".to_vec(), true));
    shelf.stream = Some(Vec::new);
    assert_eq!(read(shelf.clone()).await, (Vec::new(), true));
    shelf.stream = Some(|| vec![Ok("con".into()), Ok("".into()), Ok("tent".into())]);
    assert_eq!(read(shelf).await, (b"content".to_vec(), false));
}
