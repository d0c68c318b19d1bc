//! The requests of each operation to the store, counted at the server.

use std::time::{Duration, SystemTime};

use super::engines::S3Server;
use super::*;
use tower_presign::store::{
    BucketStore, ByteRange, Content, ContentStore as _, ObjectStoreRepository, Target, Upload,
};
use tower_presign::url::{Expires, ReadTerms};
use tower_presign::{Access, AllowAll, BinaryKey, BinaryRepository as _, Grant, VersionId};

/// A server, and a Binary without content.
async fn repository() -> (S3Server, ObjectStoreRepository, BinaryId) {
    let server = S3Server::start().await;
    let repository = ObjectStoreRepository::new(server.bucket());
    let id = BinaryId::random();
    let png = ContentType::new("image/png").unwrap();
    repository.create(id, png).await.unwrap();
    assert_eq!(server.requests(), ["PUT", "PUT"], "creating");
    (server, repository, id)
}

/// Of a client that does not wait for the go-ahead, as most do.
fn upload(content: Bytes) -> Upload {
    let png = ContentType::new("image/png").unwrap();
    Upload::new(png, stream::iter([Ok(content)])).with_expects_continue(false)
}

/// The key that a URL minted now hands back.
async fn mint(repository: &ObjectStoreRepository, id: BinaryId, access: Access) -> BinaryKey {
    let located = repository.locate(&Target::new(id, access)).await.unwrap();
    match located.place {
        Some(place) => located.key.with_place(place),
        None => located.key,
    }
}

async fn write(repository: &ObjectStoreRepository, id: BinaryId, content: Bytes) {
    let key = mint(repository, id, Access::Write).await;
    repository.write(&key, upload(content)).await.unwrap();
}

async fn read(content: Content) -> Bytes {
    let chunks: Vec<Bytes> = content.try_collect().await.unwrap();
    chunks.concat().into()
}

#[tokio::test]
async fn minting_is_one_short_list_however_many_versions_there_are() {
    let (server, repository, id) = repository().await;
    for versions in 0..40 {
        for access in [Access::Read, Access::Write] {
            mint(&repository, id, access).await;
            assert_eq!(server.requests(), ["LIST"], "with {versions} versions");
        }
        let length = if versions == 20 { LARGE } else { 1000 };
        write(&repository, id, bytes(length, versions)).await;
        mint(&repository, id, Access::Read).await;
        server.requests();
    }
    let longest = server.longest_list();
    println!("the longest answer to a LIST had {longest} bytes");
    assert!(longest < 2048, "{longest} bytes");
    let current = mint(&repository, id, Access::Read).await;
    assert_eq!(current.version(), VersionId::from(40));
}

#[tokio::test]
async fn a_small_upload_is_one_put() {
    let (server, repository, id) = repository().await;
    let key = mint(&repository, id, Access::Write).await;
    server.requests();
    let stored = repository.write(&key, upload(bytes(1000, 1))).await;
    assert_eq!(stored.unwrap().length, 1000);
    assert_eq!(server.requests(), ["PUT"]);

    let again = repository.write(&key, upload(bytes(1000, 2))).await;
    assert!(
        matches!(again, Err(RepositoryError::AlreadyWritten)),
        "{again:?}"
    );
    assert_eq!(server.requests(), ["PUT", "HEAD"]);
}

#[tokio::test]
async fn a_large_upload_is_its_parts_and_five_more() {
    let (server, repository, id) = repository().await;
    let key = mint(&repository, id, Access::Write).await;
    server.requests();
    let stored = repository.write(&key, upload(bytes(LARGE, 1))).await;
    stored.unwrap();
    let requests = server.requests();
    // These go at once.
    let (mut first, rest) = (requests[..2].to_vec(), &requests[2..]);
    first.sort();
    assert_eq!(first, ["CREATE", "LIST"]);
    assert_eq!(rest, ["PART", "PART", "PART", "COMPLETE", "PUT", "PUT"]);
}

#[tokio::test]
async fn reading_is_one_request() {
    for length in [1000, LARGE] {
        let (server, repository, id) = repository().await;
        write(&repository, id, bytes(length, 1)).await;
        let key = mint(&repository, id, Access::Read).await;
        server.requests();

        let metadata = repository.head(&key).await.unwrap();
        assert_eq!(metadata.length, length as u64);
        assert_eq!(
            metadata.sha256.map(|digest| digest.to_vec()),
            Some(<sha2::Sha256 as sha2::Digest>::digest(bytes(length, 1)).to_vec())
        );
        assert_eq!(server.requests(), ["HEAD"], "{length}");

        let whole = repository.read(&key, None).await.unwrap();
        assert_eq!(whole.metadata(), &metadata);
        assert!(read(whole).await == bytes(length, 1));
        assert_eq!(server.requests(), ["GET"], "{length}");

        for (range, expected) in [
            (ByteRange::FromTo(5, 9), 5..10),
            (ByteRange::From(990), 990..length),
            (ByteRange::Last(10), length - 10..length),
        ] {
            let part = repository.read(&key, Some(range)).await.unwrap();
            assert!(read(part).await == bytes(length, 1)[expected]);
            assert_eq!(server.requests(), ["GET"], "{range:?} of {length}");
        }
    }
}

#[tokio::test]
async fn each_request_of_a_client_is_one_request_or_none() {
    for length in [1000, LARGE] {
        let server = S3Server::start().await;
        let repository = ObjectStoreRepository::new(server.bucket());
        let id = BinaryId::random();
        let png = ContentType::new("image/png").unwrap();
        repository.create(id, png).await.unwrap();
        write(&repository, id, bytes(length, 1)).await;
        let layer = layer(repository.clone());
        server.requests();
        let url = super::mint(&layer, id.as_str()).await;
        assert_eq!(server.requests(), ["LIST"], "a mint");
        for (what, headers, expected) in [
            ("GET", vec![], "GET"),
            ("a range", vec![("range", "bytes=5-9")], "GET"),
            (
                "the rest of the same",
                vec![("range", "bytes=5-"), ("if-range", "\"1\"")],
                "GET",
            ),
            (
                "the rest of another",
                vec![("range", "bytes=5-"), ("if-range", "\"2\"")],
                "GET",
            ),
            ("what is known", vec![("if-none-match", "\"1\"")], "HEAD"),
        ] {
            let answer = get_with(&layer, &url, &headers).await;
            assert!(answer.status.as_u16() < 400, "{what}: {answer:?}");
            assert_eq!(server.requests(), [expected], "{what} of {length}");
        }
        head_with(&layer, &url, &[]).await;
        assert_eq!(server.requests(), ["HEAD"], "HEAD of {length}");

        let repository = repository.offload_reads(true);
        write(&repository, id, bytes(length, 1)).await;
        let layer = PresignLayer::new(signer(), repository, AllowAll)
            .clock(std::time::SystemTime::now)
            .redirect_to_storage(true);
        let url = super::mint(&layer, id.as_str()).await;
        server.requests();
        let redirected = get(&layer, &url).await;
        assert_eq!(redirected.status, StatusCode::TEMPORARY_REDIRECT);
        assert_eq!(server.requests(), [""; 0], "a redirection");
    }
}

#[tokio::test]
async fn a_url_that_was_minted_before_there_was_content_takes_one_more_where_that_is_large() {
    for length in [1000, LARGE] {
        let (server, repository, id) = repository().await;
        let early = mint(&repository, id, Access::Read).await;
        write(&repository, id, bytes(length, 1)).await;
        server.requests();
        let whole = repository.read(&early, None).await.unwrap();
        assert!(read(whole).await == bytes(length, 1));
        let expected: &[&str] = if length == LARGE {
            &["GET", "GET"]
        } else {
            &["GET"]
        };
        assert_eq!(server.requests(), expected);

        let range = Some(ByteRange::From(990));
        let part = repository.read(&early, range).await.unwrap();
        assert!(read(part).await == bytes(length, 1)[990..]);
        assert_eq!(server.requests(), ["HEAD", "GET"]);
    }
}

#[tokio::test]
async fn a_redirection_is_none() {
    for length in [1000, LARGE] {
        let (server, repository, id) = repository().await;
        let repository = repository.offload_reads(true);
        write(&repository, id, bytes(length, 1)).await;
        let key = mint(&repository, id, Access::Read).await;
        server.requests();
        let expires = Expires::at(SystemTime::now() + Duration::from_secs(60));
        let grant = Grant::new(key, ReadTerms::new(), expires);
        let url = repository.presign(&grant).await.unwrap().unwrap();
        assert_eq!(server.requests(), [""; 0]);
        let arguments = ["--head", "--request", "GET", url.as_str()];
        assert_eq!(offload::curl(&arguments).await.0, 200);
    }
}

#[tokio::test]
async fn deleting_many_versions_takes_few_requests() {
    let (server, repository, id) = repository().await;
    for version in 0..20 {
        write(&repository, id, bytes(10, version)).await;
    }
    server.requests();
    repository.delete(id).await.unwrap();
    let requests = server.requests();
    let count = |operation: &str| requests.iter().filter(|r| *r == operation).count();
    // The gate, the guard, and a stone for each version whose write URL may be alive.
    assert_eq!(count("PUT"), 22, "{requests:?}");
    assert_eq!(requests.len() - count("PUT"), 3, "{requests:?}");
}

#[tokio::test]
async fn opening_asks_nothing_or_tries_once() {
    let server = S3Server::start().await;
    drop(ObjectStoreRepository::new(server.bucket()));
    assert_eq!(server.requests(), [""; 0]);
    ObjectStoreRepository::open(server.bucket()).await.unwrap();
    let trial = [
        "PUT", "PUT", "PUT", "PUT", "GET", "CREATE", "ABORT", "LIST", "DELETE",
    ];
    assert_eq!(server.requests(), trial);
}

#[tokio::test]
async fn the_bytes_of_a_hosts_records_are_one_request_each() {
    let server = S3Server::start().await;
    let store = BucketStore::new(server.bucket());
    let stored = store.put(upload(bytes(1000, 1))).await.unwrap();
    assert_eq!(server.requests(), ["PUT"]);
    let whole = store.get(&stored.place, None).await.unwrap();
    assert!(read(whole).await == bytes(1000, 1));
    let part = store.get(&stored.place, Some(ByteRange::Last(10))).await;
    assert!(read(part.unwrap()).await == bytes(1000, 1)[990..]);
    assert_eq!(server.requests(), ["GET", "GET"]);
    store.delete(&stored.place).await.unwrap();
    assert_eq!(server.requests(), ["DELETE"]);
    let left = objects_of(&server).await;
    assert_eq!(left, 0, "nothing is left behind");
    store.delete(&stored.place).await.unwrap();
}

#[tokio::test]
async fn of_large_content_one_more_for_its_length_and_digest() {
    let server = S3Server::start().await;
    let store = BucketStore::new(server.bucket());
    let stored = store.put(upload(bytes(LARGE, 1))).await.unwrap();
    let requests = ["CREATE", "PART", "PART", "PART", "COMPLETE", "PUT"];
    assert_eq!(server.requests(), requests);
    let whole = store.get(&stored.place, None).await.unwrap();
    assert!(read(whole).await == bytes(LARGE, 1));
    let mut requests = server.requests();
    requests.sort();
    assert_eq!(requests, ["GET", "HEAD"]);
    store.delete(&stored.place).await.unwrap();
    assert_eq!(server.requests(), ["DELETE", "DELETE"]);
    assert_eq!(objects_of(&server).await, 0, "nothing is left behind");
}

async fn objects_of(server: &S3Server) -> usize {
    use object_store::ObjectStore as _;
    let objects: Vec<_> = server.store().list(None).try_collect().await.unwrap();
    objects.len()
}
