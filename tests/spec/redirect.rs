//! Redirection to the repository's storage: what is sent on, for how long, and what never is.

use std::sync::{Arc, Mutex};

use axum::body::Body;
use http::StatusCode;
use http::header::{HeaderName, HeaderValue};
use tower_presign::store::{
    ByteRange, Content, Located, Metadata, RepositoryError, Target, Upload,
};
use tower_presign::url::PresignedUrl;
use tower_presign::{
    BinaryKey, BinaryRepository, Grant, MemoryUseLedger, MintRequest, PresignLayer, Terms,
};

use crate::support::body::chunks;
use crate::support::repository::Shelf;
use crate::support::*;

/// A repository whose storage has URLs of its own, some of which need a header.
#[derive(Clone)]
struct Elsewhere {
    shelf: Shelf,
    needs: Option<(HeaderName, HeaderValue)>,
    grants: Arc<Mutex<Vec<Grant>>>,
}

impl Elsewhere {
    fn new() -> Self {
        Self {
            shelf: Shelf::new(b"content"),
            needs: None,
            grants: Arc::default(),
        }
    }

    fn layer(&self) -> PresignLayer {
        layer(self.clone()).redirect_to_storage(true)
    }

    /// The grants that the storage has been asked for.
    fn grants(&self) -> Vec<Grant> {
        std::mem::take(&mut self.grants.lock().unwrap())
    }
}

impl BinaryRepository for Elsewhere {
    async fn locate(&self, target: &Target) -> Result<Located, RepositoryError> {
        self.shelf.locate(target).await
    }

    async fn head(&self, key: &BinaryKey) -> Result<Metadata, RepositoryError> {
        self.shelf.head(key).await
    }

    async fn read(
        &self,
        key: &BinaryKey,
        range: Option<ByteRange>,
    ) -> Result<Content, RepositoryError> {
        self.shelf.read(key, range).await
    }

    async fn write(&self, key: &BinaryKey, upload: Upload) -> Result<Metadata, RepositoryError> {
        self.shelf.write(key, upload).await
    }

    async fn presign(&self, grant: &Grant) -> Result<Option<PresignedUrl>, RepositoryError> {
        self.grants.lock().unwrap().push(grant.clone());
        let url = format!("https://bucket.example.com/{}", grant.key.id());
        let presigned = PresignedUrl::new(url, grant.access(), grant.expires);
        Ok(Some(match self.needs.clone() {
            Some((name, value)) => presigned.with_header(name, value),
            None => presigned,
        }))
    }
}

const LOCATION: Option<&str> = Some("https://bucket.example.com/scan");

#[tokio::test]
async fn a_download_is_sent_on_for_a_minute_and_a_clock_that_is_ahead() {
    let storage = Elsewhere::new();
    let layer = storage.layer();
    let read = mint(&layer, "scan").await;
    assert!(read.starts_with(BASE), "the policy is asked at each use");
    assert_eq!(storage.grants(), []);
    for headers in [&[][..], &[("range", "bytes=1-2")]] {
        let answer = get_with(&layer, &read, headers).await;
        assert_eq!(answer.status, StatusCode::TEMPORARY_REDIRECT);
        assert_eq!(answer.header("location"), LOCATION);
        let expires = storage.grants().remove(0).expires;
        assert_eq!(expires.unix_seconds(), NOW + 11 * 60);
    }
}

#[tokio::test]
async fn without_the_setting_nothing_is_sent_on() {
    let storage = Elsewhere::new();
    let layer = storage.layer().redirect_to_storage(false);
    assert_eq!(get(&layer, &read_url()).await.text(), "content");
    let write = mint_upload(&storage.layer(), "scan").await;
    storage.grants();
    let waiting = [("expect", "100-continue"), ("content-length", "7")];
    put_with(&layer, &write, &waiting, "content").await;
    assert_eq!(storage.grants(), []);
}

#[tokio::test]
async fn an_answer_that_depends_on_what_is_there_comes_from_here() {
    let storage = Elsewhere::new();
    let layer = storage.layer();
    let read = mint(&layer, "scan").await;
    for headers in [
        ("if-none-match", "\"8\""),
        ("if-modified-since", "Fri, 15 Jan 2027 06:00:00 GMT"),
        ("if-range", "\"7\""),
    ] {
        let answer = get_with(&layer, &read, &[headers]).await;
        assert_eq!(answer.text(), "content", "{headers:?}");
    }
    assert_eq!(head_with(&layer, &read, &[]).await.status, StatusCode::OK);
    assert_eq!(storage.grants(), []);
}

#[tokio::test]
async fn a_url_for_one_download_is_not_sent_on() {
    let storage = Elsewhere::new();
    let once = async |_: MintRequest| Ok(Terms::new().single_use());
    let layer = PresignLayer::new(signer(), storage.clone(), once)
        .clock(|| at(NOW))
        .redirect_to_storage(true)
        .use_ledger(MemoryUseLedger::new());
    let read = mint(&layer, "scan").await;
    assert_eq!(get(&layer, &read).await.text(), "content");
    assert_eq!(storage.grants(), []);
}

#[tokio::test]
async fn an_upload_is_sent_on_if_its_client_waits_and_the_storage_can_take_it() {
    let mut storage = Elsewhere::new();
    storage.needs = Some((
        HeaderName::from_static("x-ms-blob-type"),
        HeaderValue::from_static("BlockBlob"),
    ));
    let layer = storage.layer();
    let write = mint_upload(&layer, "scan").await;
    let upload =
        async |headers: &[(&str, &str)], body: Body| put_with(&layer, &write, headers, body).await;
    let content = || Body::from("content");
    let (waits, wanted) = (("expect", "100-continue"), ("x-ms-blob-type", "BlockBlob"));
    let (no_digest, a_digest) = (("trailer", "server-timing"), ("trailer", "content-digest"));
    let digest = (
        "content-digest",
        "sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:",
    );
    for headers in [&[waits, wanted][..], &[waits, wanted, no_digest]] {
        let answer = upload(headers, content()).await;
        assert_eq!(answer.status, StatusCode::TEMPORARY_REDIRECT, "{headers:?}");
        assert_eq!(answer.header("location"), LOCATION);
    }
    for (headers, body) in [
        (&[waits][..], content()),
        (&[wanted], content()),
        (&[waits, wanted, digest], content()),
        (&[waits, wanted, a_digest], content()),
        // The storage must know the length beforehand.
        (&[waits, wanted], chunks(&["content"])),
    ] {
        let answer = upload(headers, body).await;
        assert_ne!(answer.status, StatusCode::TEMPORARY_REDIRECT, "{headers:?}");
    }
}
