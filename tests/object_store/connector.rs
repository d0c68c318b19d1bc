//! The way to a store: its demands are heeded, and its redirections are not followed.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::engines::{ACCESS_KEY, NEXT_ACCESS_KEY, S3Server, patient};
use super::proxy::front::Trouble;
use super::*;
use futures_util::FutureExt as _;
use object_store::ClientOptions;
use object_store::aws::AmazonS3Builder;
use tokio::net::TcpListener;
use tower_presign::store::{Bucket, Connector, ObjectStoreRepository};

fn builder(server: &S3Server) -> AmazonS3Builder {
    server
        .builder()
        .with_client_options(ClientOptions::new().with_allow_http(true))
        .with_http_connector(Connector::new())
        .with_retry(Bucket::retry_config())
}

/// A layer whose Binary has content.
async fn layer_with_content(bucket: impl Into<Bucket>) -> (PresignLayer, String) {
    let repository = ObjectStoreRepository::new(patient(bucket.into()));
    let id = BinaryId::random();
    let png = ContentType::new("image/png").unwrap();
    repository.create(id, png).await.unwrap();
    let (layer, id) = (layer(repository), id.to_string());
    let stored = put(&layer, &mint_upload(&layer, &id).await, "content").await;
    assert_eq!(stored.status, StatusCode::OK, "{stored:?}");
    (layer, id)
}

#[tokio::test]
async fn a_store_that_asks_to_be_left_alone_is_left_alone() {
    let server = S3Server::start().await;
    let (layer, id) = layer_with_content(builder(&server).build().unwrap()).await;
    let url = mint(&layer, &id).await;
    server.requests();
    server.trouble(Trouble::RetryAfter("7"));
    for requests in [1, 0, 0] {
        let refused = get(&layer, &url).await;
        refused.assert_refused(503, "unavailable");
        let pause: u64 = refused.header("retry-after").unwrap().parse().unwrap();
        assert!((5..=7).contains(&pause), "{pause} seconds");
        assert_eq!(server.requests().len(), requests);
    }
}

#[tokio::test]
async fn a_store_that_fails_is_tried_three_times() {
    let server = S3Server::start().await;
    let (layer, id) = layer_with_content(builder(&server).build().unwrap()).await;
    let url = mint(&layer, &id).await;
    server.requests();
    server.trouble(Trouble::Status(StatusCode::SERVICE_UNAVAILABLE));
    get(&layer, &url).await.assert_refused(503, "unavailable");
    assert_eq!(server.requests(), ["GET"; 3]);
}

#[tokio::test]
async fn a_redirection_of_the_store_is_not_followed() {
    let server = S3Server::start().await;
    let (layer, id) = layer_with_content(builder(&server).build().unwrap()).await;
    let url = mint(&layer, &id).await;
    let elsewhere = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = elsewhere.local_addr().unwrap().port();
    server.trouble(Trouble::Redirect(port));
    get(&layer, &url).await.assert_refused(500, "internal");
    let came = elsewhere.accept().now_or_never();
    assert!(came.is_none(), "{came:?}");
}

#[tokio::test]
async fn credentials_that_were_replaced_are_fetched_anew() {
    let server = Arc::new(S3Server::start().await);
    let opened = Arc::new(AtomicUsize::new(0));
    let (at, count) = (Arc::clone(&server), Arc::clone(&opened));
    let bucket = Bucket::renewable(move || {
        let key = match count.fetch_add(1, Ordering::Relaxed) {
            0 => ACCESS_KEY,
            _ => NEXT_ACCESS_KEY,
        };
        Ok(builder(&at).with_access_key_id(key).build()?.into())
    });
    let (layer, id) = layer_with_content(bucket.unwrap()).await;
    let url = mint(&layer, &id).await;
    assert_eq!(opened.load(Ordering::Relaxed), 1);

    server.trouble(Trouble::Revoked(ACCESS_KEY));
    assert_eq!(get(&layer, &url).await.body, "content");
    assert_eq!(opened.load(Ordering::Relaxed), 2);
    put(&layer, &mint_upload(&layer, &id).await, "more").await;
    assert_eq!(opened.load(Ordering::Relaxed), 2);

    // A right that is missing is not to be had by opening again and again.
    server.trouble(Trouble::Code(403, "AccessDenied"));
    for _ in 0..5 {
        get(&layer, &url).await.assert_refused(500, "internal");
    }
    assert_eq!(opened.load(Ordering::Relaxed), 2);
}

#[tokio::test]
async fn plain_http_needs_leave() {
    let server = S3Server::start().await;
    let builder = builder(&server).with_client_options(ClientOptions::new());
    let repository = ObjectStoreRepository::new(builder.build().unwrap());
    let png = ContentType::new("image/png").unwrap();
    let created = repository.create(BinaryId::random(), png).await;
    assert!(created.is_err(), "{created:?}");
    assert_eq!(server.requests(), [""; 0]);
}
