//! Uploads that come in parts over hours, by whatever servers.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, SystemTime};

use super::engines::{Engine, S3Server, in_memory};
use super::proxy::front::Trouble;
use super::*;
use futures_util::Stream;
use http::Method;
use object_store::memory::InMemory;
use tower_presign::store::{
    Begun, Bucket, BucketStore, Noted, ObjectStoreRepository, Part, Resumable, UploadError,
};
use tower_presign::{BinaryRepository, UploadId};

/// As long as what goes to the store at once.
const PART: usize = 5 * 1024 * 1024;

fn upload_id() -> UploadId {
    UploadId::new("0123456789abcdef0123456789abcdef").unwrap()
}

async fn begin(store: &impl Resumable) {
    let expires = SystemTime::now() + Duration::from_secs(100);
    let begun = Begun::new(expires, "a note");
    store.begin(&upload_id(), begun).await.unwrap();
}

/// A part that arrives, and then ends or not.
struct Arriving(Option<Bytes>, bool);

impl Stream for Arriving {
    type Item = Result<Bytes, UploadError>;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        match (self.0.take(), self.1) {
            (None, false) => Poll::Pending,
            (chunk, _) => Poll::Ready(chunk.map(Ok)),
        }
    }
}

impl Noted for Arriving {
    fn note(&self) -> Bytes {
        "a note".into()
    }
}

fn part(offset: usize, length: usize) -> Part {
    Part::new(offset as u64, Arriving(Some(bytes(length, offset)), true))
}

async fn offset(store: &impl Resumable) -> u64 {
    store.progress(&upload_id()).await.unwrap().offset
}

/// Uploads by tus. Layers of one bucket are as several servers.
fn resumable(repository: ObjectStoreRepository) -> PresignLayer {
    layer(repository).resumable_uploads(true)
}

async fn begin_tus(layer: &PresignLayer, write: &str, length: usize) -> String {
    let length = length.to_string();
    let headers = [("tus-resumable", "1.0.0"), ("upload-length", &*length)];
    let begun = call(layer, request(Method::POST, write, &headers, "")).await;
    assert_eq!(begun.status, StatusCode::CREATED, "{begun:?}");
    begun.header("location").unwrap().to_owned()
}

async fn append_tus(layer: &PresignLayer, url: &str, offset: usize, part: Bytes) -> StatusCode {
    let offset = offset.to_string();
    let headers = [
        ("tus-resumable", "1.0.0"),
        ("upload-offset", &*offset),
        ("content-type", "application/offset+octet-stream"),
    ];
    let appended = call(layer, request(Method::PATCH, url, &headers, part)).await;
    appended.status
}

pub async fn an_upload_in_parts_goes_on_at_any_server(engine: Engine) {
    if !engine.is_write_once {
        eprintln!("skipped: this store does not say which of two writers was first");
        return;
    }
    let id = BinaryId::random();
    let png = ContentType::new("image/png").unwrap();
    engine.repository.create(id, png).await.unwrap();
    let servers = [
        resumable(engine.repository.clone()),
        resumable(ObjectStoreRepository::new(engine.bucket.clone())),
    ];
    let id = id.to_string();
    for (version, ends) in [
        vec![10, 1000],
        vec![3, PART + 3, PART + 3 + 100, LARGE],
        vec![PART, 2 * PART],
    ]
    .into_iter()
    .enumerate()
    {
        let length = *ends.last().unwrap();
        let content = bytes(length, version);
        let write = mint_upload(&servers[0], &id).await;
        let url = begin_tus(&servers[0], &write, length).await;
        let mut here = 0;
        for (i, end) in ends.into_iter().enumerate() {
            let server = &servers[(i + 1) % 2];
            let appended = append_tus(server, &url, here, content.slice(here..end)).await;
            assert_eq!(appended, StatusCode::NO_CONTENT, "{here} to {end}");
            here = end;
        }
        let read = mint(&servers[0], &id).await;
        for server in &servers {
            let whole = get(server, &read).await;
            assert_eq!(whole.status, StatusCode::OK, "{whole:?}");
            assert_eq!(whole.header("content-type"), Some("image/png"));
            assert!(whole.body == content, "the content of version {version}");
        }
        let head = head_with(&servers[0], &read, &[]).await;
        assert_eq!(head.header("content-length"), Some(&*length.to_string()));
        let part = get_with(&servers[0], &read, &[("range", "bytes=5-9")]).await;
        assert!(part.body == content.slice(5..10));
    }
    engine
        .repository
        .delete(BinaryId::new(&id).unwrap())
        .await
        .unwrap();
    assert_eq!(objects(&engine, Some("joined")).await, 0, "bytes are left");
}

#[tokio::test]
async fn each_step_makes_these_requests_to_the_store() {
    let server = S3Server::start().await;
    let store = BucketStore::new(server.bucket());
    begin(&store).await;
    assert_eq!(server.requests(), ["LIST", "PUT"], "begin");
    assert_eq!(offset(&store).await, 0);
    assert_eq!(server.requests(), ["GET"], "progress");
    store.append(&upload_id(), part(0, 100)).await.unwrap();
    assert_eq!(server.requests(), ["GET", "PUT"], "a small part");
    store.append(&upload_id(), part(100, LARGE)).await.unwrap();
    let expected = ["GET", "CREATE", "PUT", "PART", "PART", "PUT"];
    assert_eq!(server.requests(), expected, "the first large part");
    let here = LARGE + 100;
    store.append(&upload_id(), part(here, PART)).await.unwrap();
    assert_eq!(server.requests(), ["GET", "PUT", "PART", "PUT"], "the next");
    let elsewhere = store.append(&upload_id(), part(1, PART)).await;
    assert!(matches!(
        elsewhere,
        Err(RepositoryError::OffsetMismatch { .. })
    ));
    assert_eq!(server.requests(), ["GET"], "a part that begins elsewhere");
}

#[tokio::test]
async fn the_parts_of_an_expired_upload_are_aborted() {
    let server = S3Server::start().await;
    let store = BucketStore::new(server.bucket());
    begin(&store).await;
    store.append(&upload_id(), part(0, LARGE)).await.unwrap();
    server.requests();
    let over = SystemTime::now() + Duration::from_secs(200);
    assert_eq!(store.remove_expired(over).await.unwrap(), [upload_id()]);
    let requests = server.requests();
    assert!(requests.contains(&"ABORT".to_owned()), "{requests:?}");
    let left = server.store();
    let left: Vec<_> = object_store::ObjectStore::list(&left, None)
        .try_collect()
        .await
        .unwrap();
    assert!(left.is_empty(), "{left:?}");
}

#[tokio::test]
async fn an_end_whose_answer_is_lost_is_an_end() {
    let server = S3Server::start().await;
    let repository = server.repository().await;
    let id = BinaryId::random();
    let png = ContentType::new("image/png").unwrap();
    repository.create(id, png).await.unwrap();
    let layer = resumable(repository);
    let id = id.to_string();
    let write = mint_upload(&layer, &id).await;
    let url = begin_tus(&layer, &write, LARGE).await;
    server.trouble(Trouble::LoseCompletion);
    let appended = append_tus(&layer, &url, 0, bytes(LARGE, 1)).await;
    assert_eq!(appended, StatusCode::NO_CONTENT);
    let read = get(&layer, &mint(&layer, &id).await).await;
    assert!(read.body == bytes(LARGE, 1));
}

/// The server ends without a word, in the middle of a part.
#[test]
fn records_of_a_server_outlive_it_and_others_wait_until_it_cannot_put_any_more() {
    let store = Arc::new(InMemory::new());
    let start = || {
        let runtime = tokio::runtime::Builder::new_multi_thread();
        { runtime }.enable_all().build().unwrap()
    };
    let first = start();
    let bucket = in_memory(&store).with_patience(Duration::from_millis(500));
    let dying = BucketStore::new(bucket);
    first.block_on(begin(&dying));
    let stalled = Part::new(0, Arriving(Some(bytes(9 * PART + 1, 0)), false));
    first.spawn({
        let dying = dying.clone();
        async move { drop(dying.append(&upload_id(), stalled).await) }
    });
    let second = start();
    let other = BucketStore::new(in_memory(&store));
    let recorded = second.block_on(async {
        loop {
            match offset(&other).await {
                0 => tokio::task::yield_now().await,
                recorded => return recorded,
            }
        }
    });
    assert_eq!(recorded, 9 * PART as u64 + 1);
    first.shutdown_background();

    let here = 9 * PART + 1;
    second.block_on(async {
        let refused = other.append(&upload_id(), part(here, PART)).await;
        if let Err(error) = refused {
            assert!(matches!(error, RepositoryError::Unavailable(_)), "{error}");
            while let Err(error) = other.append(&upload_id(), part(here, PART)).await {
                assert!(matches!(error, RepositoryError::Unavailable(_)), "{error}");
            }
        }
        assert_eq!(offset(&other).await, (here + PART) as u64);
    });
}

#[tokio::test]
async fn a_bucket_that_cannot_keep_parts_says_so() {
    let bucket = Bucket::new(Arc::new(InMemory::new()));
    let repository = ObjectStoreRepository::new(bucket.clone());
    assert!(repository.resumable().is_none());
    let store = BucketStore::new(bucket);
    assert!(tower_presign::store::ContentStore::resumable(&store).is_none());
    let server = S3Server::start().await;
    let repository = ObjectStoreRepository::new(server.bucket());
    assert!(repository.resumable().is_some());
    assert!(repository.without_write_once().resumable().is_none());
}
