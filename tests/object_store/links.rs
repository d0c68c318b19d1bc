//! A store at the end of a link that is long, narrow, or fails.

use std::time::Duration;

use super::engines::S3Server;
use super::proxy::link::{Link, Way};
use super::*;
use futures_util::future::LocalBoxFuture;
use object_store::aws::AmazonS3Builder;
use object_store::{ClientOptions, ObjectStore as _, ObjectStoreExt as _, RetryConfig};
use tokio::time::timeout;
use tower_presign::store::{Bucket, Content, ObjectStoreRepository, Upload};
use tower_presign::{BinaryKey, BinaryRepository as _};

const MEBIBYTE: usize = 1024 * 1024;

/// A short time, in which a server in this process answers all the same.
const MOMENT: Duration = Duration::from_millis(400);

/// The longest wait of the tests: nobody waits for as long if all is well.
const DEADLINE: Duration = Duration::from_secs(60);

/// A server that has a content of this length, without the link, and the link to it.
async fn far(length: usize, way: Way) -> (S3Server, Link, BinaryKey) {
    let server = S3Server::start().await;
    let repository = server.repository().await;
    let id = BinaryId::random();
    let png = ContentType::new("image/png").unwrap();
    let key = repository.create(id, png.clone()).await.unwrap();
    if length > 0 {
        let upload = Upload::new(png, stream::iter([Ok(bytes(length, 1))]));
        repository.write(&key, upload).await.unwrap();
    }
    let link = Link::to(&server.endpoint, way).await;
    (server, link, key)
}

/// A client whose requests may take only a moment in all, as those of `object_store` may take 30
/// seconds.
fn impatient(server: &S3Server, link: &Link) -> AmazonS3Builder {
    let options = ClientOptions::new()
        .with_allow_http(true)
        .with_timeout(MOMENT);
    server
        .builder()
        .with_client_options(options)
        .with_endpoint(&link.origin)
        .with_retry(RetryConfig {
            max_retries: 1,
            ..RetryConfig::default()
        })
}

fn repository(builder: AmazonS3Builder) -> ObjectStoreRepository {
    let bucket = Bucket::from(builder.build().unwrap());
    ObjectStoreRepository::new(bucket.with_patience(Duration::from_secs(10)))
}

async fn rest(content: Content) -> Result<Bytes, RepositoryError> {
    let chunks: Vec<Bytes> = content.try_collect().await?;
    Ok(chunks.concat().into())
}

#[tokio::test]
async fn a_download_goes_on_for_as_long_as_bytes_flow() {
    let slow = Way {
        bandwidth: Some(8 * MEBIBYTE),
        ..Way::default()
    };
    let (server, link, key) = far(LARGE, slow).await;
    let repository = repository(impatient(&server, &link));
    server.requests();
    let read = repository.read(&key, None).await.unwrap();
    let whole = timeout(DEADLINE, rest(read)).await.unwrap().unwrap();
    assert!(whole == bytes(LARGE, 1));
    let requests = server.requests().len();
    assert!(
        requests > 2,
        "{requests} requests: more than the client makes by itself"
    );
}

#[tokio::test]
async fn a_download_goes_on_after_its_client_has_paused_for_longer_than_the_store_waits() {
    let slow = Way {
        bandwidth: Some(8 * MEBIBYTE),
        ..Way::default()
    };
    let (server, link, key) = far(LARGE, slow).await;
    let repository = repository(impatient(&server, &link));
    let mut read = repository.read(&key, None).await.unwrap();
    let first = read.next().await.unwrap().unwrap();
    // The store, or what is in between, closes the connection meanwhile.
    link.cut();
    let rest = timeout(DEADLINE, rest(read)).await.unwrap().unwrap();
    assert!([first, rest].concat() == bytes(LARGE, 1));
}

#[tokio::test]
async fn a_download_never_goes_on_with_other_content() {
    let slow = Way {
        bandwidth: Some(8 * MEBIBYTE),
        ..Way::default()
    };
    let (server, link, key) = far(LARGE, slow).await;
    let repository = repository(impatient(&server, &link));
    let mut read = repository.read(&key, None).await.unwrap();
    let first = read.next().await.unwrap().unwrap();
    assert!(first == bytes(LARGE, 1)[..first.len()]);
    let store = server.store();
    let objects: Vec<_> = store.list(None).try_collect().await.unwrap();
    let large = objects.iter().find(|object| object.size == LARGE as u64);
    let other = bytes(LARGE, 2).into();
    store.put(&large.unwrap().location, other).await.unwrap();
    link.cut();
    let mut rest = Vec::new();
    let ended = loop {
        match timeout(DEADLINE, read.next()).await.unwrap() {
            Some(Ok(bytes)) => rest.push(bytes),
            Some(Err(error)) => break error,
            None => panic!("it came to a good end"),
        }
    };
    assert!(matches!(ended, RepositoryError::Internal(_)), "{ended:?}");
    // Bytes that were on their way still came.
    let start = [&first[..], &rest.concat()].concat();
    assert!(start == bytes(LARGE, 1)[..start.len()]);
}

/// A layer whose store stalls from now on, with URLs from before.
struct Stalled {
    layer: PresignLayer,
    _server: S3Server,
    link: Link,
    id: String,
    read: String,
    write: String,
}

impl Stalled {
    async fn new(length: usize) -> Self {
        let (server, link, key) = far(length, Way::default()).await;
        let id = key.id().to_string();
        let calm = layer(ObjectStoreRepository::new(server.bucket()));
        let (read, write) = (mint(&calm, &id).await, mint_upload(&calm, &id).await);
        let builder = server.builder().with_endpoint(&link.origin);
        let bucket = Bucket::from(builder.build().unwrap()).with_patience(MOMENT);
        let layer = layer(ObjectStoreRepository::new(bucket));
        let stalled = Self {
            layer,
            _server: server,
            link,
            id,
            read,
            write,
        };
        stalled.link.set(Way {
            is_stalled: true,
            ..Way::default()
        });
        stalled
    }
}

#[tokio::test]
async fn a_store_that_stalls_is_given_up_by_every_request() {
    let Stalled {
        layer,
        id,
        read,
        write,
        link: _link,
        _server,
    } = Stalled::new(LARGE).await;
    let operation = format!("/Binary/{id}/$presigned-url");
    for answer in timeout(
        DEADLINE,
        join_all([
            Box::pin(get(&layer, &operation)) as LocalBoxFuture<Answer>,
            Box::pin(get(&layer, &read)),
            Box::pin(get_with(&layer, &read, &[("range", "bytes=5-9")])),
            Box::pin(get_with(&layer, &read, &[("if-none-match", "\"1\"")])),
            Box::pin(put(&layer, &write, "content")),
            Box::pin(put(&layer, &write, bytes(LARGE, 1))),
        ]),
    )
    .await
    .expect("each is given up")
    {
        answer.assert_refused(503, "unavailable");
        assert!(answer.header("retry-after").is_some());
    }
}

#[tokio::test]
async fn a_store_that_stalls_in_the_middle_of_an_upload_is_given_up() {
    let (server, link, key) = far(0, Way::default()).await;
    let builder = server.builder().with_endpoint(&link.origin);
    let bucket = Bucket::from(builder.build().unwrap()).with_patience(MOMENT);
    let repository = ObjectStoreRepository::new(bucket);
    let png = ContentType::new("image/png").unwrap();
    let link = Arc::new(link);
    let stalls = Arc::clone(&link);
    let chunks = (0..12).map(move |chunk| {
        if chunk == 7 {
            stalls.set(Way {
                is_stalled: true,
                ..Way::default()
            });
        }
        Ok(bytes(MEBIBYTE, chunk))
    });
    let upload = Upload::new(png, stream::iter(chunks)).with_expects_continue(false);
    let written = timeout(DEADLINE, repository.write(&key, upload)).await;
    let written = written.expect("it is given up");
    assert!(
        matches!(written, Err(RepositoryError::Unavailable(_))),
        "{written:?}"
    );
    let closed = timeout(DEADLINE, link.closed()).await;
    closed.expect("no connection is held");
}

#[tokio::test]
async fn no_connection_is_held_for_a_client_that_has_left() {
    let stalled = Stalled::new(LARGE).await;
    let (layer, read, write) = (&stalled.layer, &stalled.read, &stalled.write);
    let leave = Duration::from_millis(20);
    drop(timeout(leave, get(layer, read)).await);
    let body = stream::iter([Ok::<_, io::Error>(bytes(LARGE, 1))]).chain(stream::pending());
    drop(timeout(leave, put(layer, write, Body::from_stream(body))).await);
    let closed = timeout(DEADLINE, stalled.link.closed()).await;
    closed.expect("all are closed");
}
