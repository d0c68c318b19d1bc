//! A store in trouble: what clients are told, and what is left behind.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use super::engines::S3Server;
use super::proxy::front::Trouble;
use super::*;
use object_store::aws::{AmazonS3Builder, S3ConditionalPut};
use tokio::net::TcpListener;
use tokio::time::timeout;
use tower_presign::BinaryRepository as _;
use tower_presign::store::{Bucket, BucketStore, ObjectStoreRepository, Upload};

const DEADLINE: Duration = Duration::from_secs(60);

async fn server() -> (S3Server, PresignLayer, String) {
    let server = S3Server::start().await;
    let repository = server.repository().await;
    let id = BinaryId::random();
    let png = ContentType::new("image/png").unwrap();
    repository.create(id, png).await.unwrap();
    let layer = layer(repository);
    (server, layer, id.to_string())
}

/// The parts of unfinished uploads that the server keeps.
fn leftovers(server: &S3Server) -> Vec<PathBuf> {
    let files = fs::read_dir(server.folder.path()).unwrap();
    let files = files.map(|file| file.unwrap().path());
    files
        .filter(|file| file.to_string_lossy().contains("upload"))
        .collect()
}

#[tokio::test]
async fn the_stores_answers_become_ours() {
    let (server, layer, id) = server().await;
    let (read, write) = (mint(&layer, &id).await, mint_upload(&layer, &id).await);
    for (theirs, status, code) in [
        (503, 503, "unavailable"),
        (500, 503, "unavailable"),
        (429, 503, "unavailable"),
        (507, 507, "storage-full"),
        // These mean that the operator has something to mend.
        (400, 500, "internal"),
        (401, 500, "internal"),
        (403, 500, "internal"),
    ] {
        server.trouble(Trouble::Status(StatusCode::from_u16(theirs).unwrap()));
        get(&layer, &read).await.assert_refused(status, code);
        put(&layer, &write, "content")
            .await
            .assert_refused(status, code);
        let operation = format!("/Binary/{id}/$presigned-url");
        get(&layer, &operation).await.assert_refused(status, code);
    }
    server.trouble(Trouble::None);
    get(&layer, &read).await.assert_refused(404, "not-found");
    assert_eq!(put(&layer, &write, "content").await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_store_that_is_not_there_is_unavailable() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let server = S3Server::start().await;
    let builder = server.builder().with_endpoint(endpoint);
    let opened = ObjectStoreRepository::open(builder.build().unwrap()).await;
    assert!(
        matches!(opened, Err(RepositoryError::Unavailable(_))),
        "{opened:?}"
    );
}

#[tokio::test]
async fn a_bucket_that_is_not_there_is_found_out_at_once() {
    let server = S3Server::start().await;
    // This server would make it; others answer like this.
    server.trouble(Trouble::Status(StatusCode::NOT_FOUND));
    let opened = ObjectStoreRepository::open(server.bucket()).await;
    assert!(
        matches!(opened, Err(RepositoryError::Internal(_))),
        "{opened:?}"
    );
}

#[tokio::test]
async fn a_wrong_secret_is_found_out_at_once() {
    let server = S3Server::start().await;
    let builder: AmazonS3Builder = server.builder().with_secret_access_key("another");
    let opened = ObjectStoreRepository::open(builder.build().unwrap()).await;
    assert!(
        matches!(opened, Err(RepositoryError::Internal(_))),
        "{opened:?}"
    );
}

#[tokio::test]
async fn a_put_whose_answer_is_lost_has_succeeded() {
    for (length, trouble) in [
        (1000, Trouble::LoseAnswer),
        (LARGE, Trouble::LoseAnswer),
        (LARGE, Trouble::LoseCompletion),
    ] {
        let (server, layer, id) = server().await;
        let url = mint_upload(&layer, &id).await;
        let server = Arc::new(server);
        let front = Arc::clone(&server);
        let lose = stream::once(async move { Ok::<_, io::Error>(bytes(length, 1)) });
        let body = Body::from_stream(lose.inspect_ok(move |_| front.trouble(trouble)));
        let stored = put(&layer, &url, body).await;
        assert_eq!(stored.status, StatusCode::OK, "{stored:?}");
        let read = get(&layer, &mint(&layer, &id).await).await;
        assert!(read.body == bytes(length, 1));
    }
}

#[tokio::test]
async fn a_store_that_replaces_objects_is_not_opened_by_mistake() {
    let server = S3Server::start().await;
    server.trouble(Trouble::ClaimsSuccess);
    let opened = ObjectStoreRepository::open(server.bucket()).await;
    assert!(
        matches!(opened, Err(RepositoryError::Internal(_))),
        "{opened:?}"
    );
    // The condition counts for uploads in parts alone.
    let opened = BucketStore::open(server.bucket()).await;
    assert!(
        matches!(opened, Err(RepositoryError::Internal(_))),
        "{opened:?}"
    );
    let without_parts = Bucket::new(Arc::new(server.store()));
    BucketStore::open(without_parts).await.unwrap();
    server.trouble(Trouble::None);

    let builder = server
        .builder()
        .with_conditional_put(S3ConditionalPut::Disabled);
    let bucket = builder.build().unwrap();
    let opened = ObjectStoreRepository::open(bucket.clone()).await;
    assert!(
        matches!(opened, Err(RepositoryError::Internal(_))),
        "{opened:?}"
    );

    let repository = ObjectStoreRepository::new(bucket).without_write_once();
    let id = BinaryId::random();
    let png = ContentType::new("image/png").unwrap();
    repository.create(id, png.clone()).await.unwrap();
    let again = repository.create(id, png).await;
    assert!(
        matches!(again, Err(RepositoryError::AlreadyWritten)),
        "{again:?}"
    );
    let layer = layer(repository);
    let url = mint_upload(&layer, id.as_str()).await;
    assert_eq!(put(&layer, &url, "first").await.status, StatusCode::OK);
    put(&layer, &url, "second")
        .await
        .assert_refused(412, "already-written");
}

#[tokio::test]
async fn an_aborted_upload_leaves_no_parts_in_the_store() {
    let (server, layer, id) = server().await;
    let url = mint_upload(&layer, &id).await;
    let cut = [Ok(bytes(LARGE, 1)), Err(io::ErrorKind::ConnectionReset)];
    let body = Body::from_stream(stream::iter(cut.map(|part| part.map_err(io::Error::from))));
    put(&layer, &url, body)
        .await
        .assert_refused(400, "incomplete-body");
    assert!(leftovers(&server).is_empty());
}

#[tokio::test]
async fn a_dropped_upload_leaves_no_parts_in_the_store() {
    let server = S3Server::start().await;
    let repository = server.repository().await;
    let id = BinaryId::random();
    let png = ContentType::new("image/png").unwrap();
    let key = repository.create(id, png.clone()).await.unwrap();
    let stalls = stream::iter([Ok(bytes(LARGE, 1))]).chain(stream::pending());
    let mut writing = Box::pin(repository.write(&key, Upload::new(png, stalls)));
    let moment = Duration::from_millis(10);
    timeout(DEADLINE, async {
        while leftovers(&server).is_empty() {
            let ended = timeout(moment, &mut writing).await;
            assert!(ended.is_err(), "{ended:?}");
        }
        drop(writing);
        while !leftovers(&server).is_empty() {
            tokio::time::sleep(moment).await;
        }
    })
    .await
    .expect("the parts are gone");
    let head = repository.head(&key).await;
    assert!(matches!(head, Err(RepositoryError::NotFound)), "{head:?}");
}

#[tokio::test]
async fn only_what_is_certainly_not_there_is_not_found() {
    let (server, layer, id) = server().await;
    let (read, write) = (mint(&layer, &id).await, mint_upload(&layer, &id).await);
    for (status, code) in [
        (404, "NoSuchBucket"),
        (404, "SomethingElse"),
        (403, "AccessDenied"),
    ] {
        server.trouble(Trouble::Code(status, code));
        let internal = (500, "internal");
        for answer in [
            get(&layer, &read).await,
            get_with(&layer, &read, &[("range", "bytes=5-9")]).await,
            put(&layer, &write, "content").await,
            get(&layer, &format!("/Binary/{id}/$presigned-url")).await,
        ] {
            answer.assert_refused(internal.0, internal.1);
        }
        let head = head_with(&layer, &read, &[]).await;
        assert_eq!(head.status, StatusCode::INTERNAL_SERVER_ERROR, "{code}");
    }
    server.trouble(Trouble::None);
    get(&layer, &read).await.assert_refused(404, "not-found");
}

#[tokio::test]
async fn the_operator_is_told_which_right_is_missing() {
    let server = S3Server::start().await;
    server.trouble(Trouble::Code(403, "AccessDenied"));
    let error = ObjectStoreRepository::open(server.bucket()).await;
    let source = std::error::Error::source(&error.unwrap_err())
        .unwrap()
        .to_string();
    assert!(source.contains("s3:PutObject"), "{source}");
    server.trouble(Trouble::Code(404, "NoSuchBucket"));
    let error = ObjectStoreRepository::open(server.bucket()).await;
    let source = std::error::Error::source(&error.unwrap_err())
        .unwrap()
        .to_string();
    assert!(source.contains("no such bucket"), "{source}");
}

#[tokio::test]
async fn each_right_that_is_missing_is_named_at_once() {
    let server = S3Server::start().await;
    for (operation, right) in [
        ("PUT", "s3:PutObject"),
        ("CREATE", "s3:PutObject"),
        ("GET", "s3:GetObject"),
        ("LIST", "s3:ListBucket"),
        ("ABORT", "s3:AbortMultipartUpload"),
        ("DELETE", "s3:DeleteObject"),
    ] {
        server.trouble(Trouble::Forbid(operation));
        let opened = ObjectStoreRepository::open(server.bucket()).await;
        let error = opened.expect_err(operation).to_string();
        assert!(error.contains(right), "{operation}: {error}");
    }
}

#[tokio::test]
async fn a_put_that_the_store_refuses_for_the_sake_of_another_is_repeated() {
    for length in [1000, LARGE] {
        let (server, layer, id) = server().await;
        let url = mint_upload(&layer, &id).await;
        server.trouble(Trouble::NextConditional(409, "ConditionalRequestConflict"));
        let stored = put(&layer, &url, bytes(length, 1)).await;
        assert_eq!(stored.status, StatusCode::OK, "{stored:?}");
        let read = get(&layer, &mint(&layer, &id).await).await;
        assert!(read.body == bytes(length, 1));
    }
}

#[tokio::test]
async fn a_large_content_without_an_owner_is_removed() {
    for (status, code) in [(400, "InvalidRequest"), (403, "AccessDenied")] {
        let (server, layer, id) = server().await;
        let url = mint_upload(&layer, &id).await;
        server.trouble(Trouble::Conditional(status, code));
        let refused = put(&layer, &url, bytes(LARGE, 1)).await;
        refused.assert_refused(500, "internal");
        server.trouble(Trouble::None);
        let left: Vec<_> = object_store::ObjectStore::list(&server.store(), None)
            .try_collect()
            .await
            .unwrap();
        // The Binary alone.
        assert_eq!(left.len(), 2, "{left:?}");
    }
}

#[tokio::test]
async fn a_ranged_read_that_fails_is_not_tried_as_another() {
    let (server, layer, id) = server().await;
    let url = mint_upload(&layer, &id).await;
    put(&layer, &url, bytes(1000, 1)).await;
    let url = mint(&layer, &id).await;
    server.requests();
    server.trouble(Trouble::Code(503, "SlowDown"));
    let part = get_with(&layer, &url, &[("range", "bytes=5-9")]).await;
    part.assert_refused(503, "unavailable");
    // Once, and repeated by the store's client.
    assert_eq!(server.requests().len(), 2);
}

#[tokio::test]
async fn the_parts_of_an_upload_go_at_once() {
    let (server, layer, id) = server().await;
    let url = mint_upload(&layer, &id).await;
    server.trouble(Trouble::WithThreeParts);
    let storing = timeout(DEADLINE, put(&layer, &url, bytes(LARGE, 1)));
    let stored = storing.await.expect("no part waits for another");
    assert_eq!(stored.status, StatusCode::OK, "{stored:?}");
}
