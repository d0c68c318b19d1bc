//! A server whose repository, policy and inner service write down every call.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::stream;
use http::{Method, Request, Response};
use http_body_util::Full;
use tower::{Layer as _, Service, ServiceExt as _};
use tower_presign::UrlId;
use tower_presign::store::Place;
use tower_presign::store::{
    ByteRange, Content, Located, Metadata, RepositoryError, Target, Upload,
};
use tower_presign::url::{Expires, ReadTerms, WriteTerms};
use tower_presign::{
    AccessPolicy, BinaryId, BinaryKey, BinaryRepository, ContentType, Denial, Filename, Grant,
    Keyring, MemoryRepository, MintRequest, Presign, PresignLayer, PresignedUrl, RedeemRequest,
    SigningKey, Terms, UrlSigner, VersionId,
};

pub(crate) use crate::support::{Answer, NOW, at};

pub(crate) const ORIGIN: &str = "https://health.example.com";
pub(crate) const BASE: &str = "https://health.example.com/storage";

pub(crate) const KEY_ID: &str = "2026-11";
pub(crate) const SECRET: &[u8] = crate::support::SECRET.as_bytes();
/// A key that only verifies.
pub(crate) const OLD_KEY_ID: &str = "2026-05";
pub(crate) const OLD_SECRET: &[u8] = b"the secret of the half-year past";

/// Version 1 of Binary `scan`.
pub(crate) const CONTENT: &str = "the content of the scan";

type Journal = Arc<Mutex<Vec<&'static str>>>;

pub(crate) struct Server {
    service: Presign<Inner>,
    pub(crate) signer: UrlSigner,
    journal: Journal,
}

impl Server {
    /// Has a Binary `scan` with the [`CONTENT`] as its version 1, and a Binary `other`, alike.
    pub(crate) async fn start() -> Self {
        let journal = Journal::default();
        let content = MemoryRepository::new();
        for id in ["scan", "other"] {
            let content_type = ContentType::new("image/png").unwrap();
            let id = BinaryId::new(id).unwrap();
            let key = content.create(id, content_type.clone()).unwrap();
            let chunks = stream::iter([Ok(Bytes::from(CONTENT))]);
            let upload = Upload::new(content_type, chunks);
            content.write(&key, upload).await.unwrap();
        }
        let signer = UrlSigner::new(keyring(), BASE).unwrap();
        let repository = Spy {
            content,
            journal: Arc::clone(&journal),
        };
        let policy = SpyingPolicy {
            journal: Arc::clone(&journal),
        };
        let layer = PresignLayer::new(signer.clone(), repository, policy).clock(|| at(NOW));
        let inner = Inner {
            journal: Arc::clone(&journal),
        };
        Self {
            service: layer.layer(inner),
            signer,
            journal,
        }
    }

    pub(crate) async fn send(&self, method: Method, target: &str) -> Answer {
        let request = Request::builder().method(method).uri(target);
        self.send_request(request.body(Full::default()).unwrap())
            .await
    }

    pub(crate) async fn send_request(&self, request: Request<Full<Bytes>>) -> Answer {
        let response = self.service.clone().oneshot(request).await.unwrap();
        Answer::of(response).await.unwrap()
    }

    /// The calls since the last look, in order.
    pub(crate) fn journal(&self) -> Vec<&'static str> {
        std::mem::take(&mut self.journal.lock().unwrap())
    }

    /// The target of a URL for `GET` that carries every claim it can.
    pub(crate) fn read_target(&self) -> String {
        self.sign(&read_grant("scan", "1"))
    }

    /// The target of a URL for `PUT` that carries every claim it can.
    pub(crate) fn write_target(&self) -> String {
        let content_type = ContentType::new("image/png").unwrap();
        let terms = WriteTerms::new(content_type).with_max_length(1000);
        let grant = Grant::new(key("scan", "2"), terms, expires(NOW + 600));
        self.sign(&grant.with_id(UrlId::new("0123456789abcdef").unwrap()))
    }

    /// The path and query of the URL for `grant`.
    pub(crate) fn sign(&self, grant: &Grant) -> String {
        let url = self.signer.sign(grant);
        url.as_str().strip_prefix(ORIGIN).unwrap().to_owned()
    }
}

pub(crate) fn keyring() -> Keyring {
    let old = SigningKey::new(OLD_KEY_ID, OLD_SECRET).unwrap();
    Keyring::new(SigningKey::new(KEY_ID, SECRET).unwrap())
        .with_verify_only(old)
        .unwrap()
}

pub(crate) fn read_grant(id: &str, version: &str) -> Grant {
    let terms = ReadTerms::new()
        .with_filename(Filename::new("scan of Zoë.png").unwrap())
        .with_attachment();
    let key = key(id, version).with_place(Place::new("2027-01-15/7").unwrap());
    Grant::new(key, terms, expires(NOW + 600)).with_id(UrlId::new("0123456789abcdef").unwrap())
}

pub(crate) fn expires(unix_seconds: u64) -> Expires {
    Expires::at_unix_seconds(unix_seconds)
}

fn key(id: &str, version: &str) -> BinaryKey {
    BinaryKey::new(BinaryId::new(id).unwrap(), VersionId::new(version).unwrap())
        .with_context("tenant-7")
}

struct Spy {
    content: MemoryRepository,
    journal: Journal,
}

impl Spy {
    fn note(&self, call: &'static str) {
        self.journal.lock().unwrap().push(call);
    }
}

impl BinaryRepository for Spy {
    async fn locate(&self, target: &Target) -> Result<Located, RepositoryError> {
        self.note("locate");
        self.content.locate(target).await
    }

    async fn head(&self, key: &BinaryKey) -> Result<Metadata, RepositoryError> {
        self.note("head");
        self.content.head(key).await
    }

    async fn read(
        &self,
        key: &BinaryKey,
        range: Option<ByteRange>,
    ) -> Result<Content, RepositoryError> {
        self.note("read");
        self.content.read(key, range).await
    }

    async fn write(&self, key: &BinaryKey, upload: Upload) -> Result<Metadata, RepositoryError> {
        self.note("write");
        self.content.write(key, upload).await
    }

    async fn presign(&self, _: &Grant) -> Result<Option<PresignedUrl>, RepositoryError> {
        self.note("presign");
        Ok(None)
    }
}

struct SpyingPolicy {
    journal: Journal,
}

impl AccessPolicy for SpyingPolicy {
    async fn mint(&self, _: MintRequest) -> Result<Terms, Denial> {
        self.journal.lock().unwrap().push("mint");
        Ok(Terms::new())
    }

    async fn redeem(&self, _: RedeemRequest<'_>) -> Result<(), Denial> {
        self.journal.lock().unwrap().push("redeem");
        Ok(())
    }
}

#[derive(Clone)]
pub(crate) struct Inner {
    journal: Journal,
}

impl<B> Service<Request<B>> for Inner {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<B>) -> Self::Future {
        self.journal.lock().unwrap().push("inner");
        ready(Ok(Response::new(Full::from("inner"))))
    }
}
