//! Shared by the tests: a layer with a clock that stands still, repositories, requests and answers.

#![allow(dead_code, reason = "each test target uses a part of it")]

pub mod body;
pub mod client;
mod common;
pub mod example;
pub mod random;
pub mod repository;
pub mod server;
pub mod setting;
pub mod skip;
#[cfg(target_os = "linux")]
pub mod usage;

use std::time::Duration;

use axum::body::Body;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{Method, Request};
use tokio::time::timeout;
use tower_presign::url::{Expires, ReadTerms};
use tower_presign::{
    Access, AccessPolicy, AllowAll, BinaryId, BinaryKey, BinaryRepository, ContentType, Denial,
    Grant, Keyring, MemoryRepository, MintRequest, PresignLayer, SigningKey, Terms, VersionId,
};

pub use self::common::*;

/// The time of the tests' clock, in Unix seconds: 2027-01-15T08:00:00Z.
pub const NOW: u64 = 1_800_000_000;

/// For what takes no time at all on a machine that is not overloaded.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// So that what never comes fails a test, rather than hanging it.
pub async fn soon<F: Future>(future: F) -> F::Output {
    timeout(PATIENCE, future).await.expect("it takes too long")
}

/// A key whose secret no key of another id has.
pub fn key_with_id(id: &str) -> SigningKey {
    SigningKey::new(id, format!("{id}: {SECRET}")).unwrap()
}

pub fn ring(signing: &str, verify_only: &str) -> Keyring {
    Keyring::new(key_with_id(signing))
        .with_verify_only(key_with_id(verify_only))
        .unwrap()
}

pub fn id(text: &str) -> BinaryId {
    BinaryId::new(text).unwrap()
}

/// A repository with the Binary `scan`, of this type and without content.
pub fn scan(content_type: &str) -> MemoryRepository {
    let repository = MemoryRepository::new();
    let content_type = ContentType::new(content_type).unwrap();
    repository.create(id("scan"), content_type).unwrap();
    repository
}

pub fn layer(repository: impl BinaryRepository) -> PresignLayer {
    PresignLayer::new(signer(), repository, AllowAll).clock(|| at(NOW))
}

/// A policy: the doctor may read and write, the nurse may read.
pub struct Tokens;

impl AccessPolicy for Tokens {
    async fn mint(&self, request: MintRequest) -> Result<Terms, Denial> {
        let token = request.headers().get(AUTHORIZATION);
        match token.and_then(|token| token.to_str().ok()) {
            Some("Bearer doctor") => Ok(Terms::new()),
            Some("Bearer nurse") if request.access() == Access::Read => Ok(Terms::new()),
            Some("Bearer nurse") => Err(Denial::forbidden()),
            _ => Err(Denial::login_required()),
        }
    }
}

pub fn request(
    method: Method,
    url: &str,
    headers: &[(&str, &str)],
    body: impl Into<Body>,
) -> Request<Body> {
    let mut request = Request::builder().method(method).uri(url);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(body.into()).unwrap()
}

pub async fn get(layer: &impl AnyLayer<Body>, url: &str) -> Answer {
    get_with(layer, url, &[]).await
}

pub async fn get_with(layer: &impl AnyLayer<Body>, url: &str, headers: &[(&str, &str)]) -> Answer {
    call(layer, request(Method::GET, url, headers, Body::empty())).await
}

pub async fn head_with(layer: &impl AnyLayer<Body>, url: &str, headers: &[(&str, &str)]) -> Answer {
    call(layer, request(Method::HEAD, url, headers, Body::empty())).await
}

/// Uploads as `image/png`.
pub async fn put(layer: &impl AnyLayer<Body>, url: &str, body: impl Into<Body>) -> Answer {
    put_with(layer, url, &[], body).await
}

/// Uploads as `image/png`, with further headers.
pub async fn put_with(
    layer: &impl AnyLayer<Body>,
    url: &str,
    headers: &[(&str, &str)],
    body: impl Into<Body>,
) -> Answer {
    let mut request = request(Method::PUT, url, headers, body);
    let png = "image/png".parse().unwrap();
    request.headers_mut().insert(CONTENT_TYPE, png);
    call(layer, request).await
}

/// A URL that reads the current version of `id`.
pub async fn mint(layer: &impl AnyLayer<Body>, id: &str) -> String {
    let operation = format!("/fhir/R4/Binary/{id}/$presigned-url");
    get(layer, &operation).await.url()
}

/// A URL that writes the next version of `id`.
pub async fn mint_upload(layer: &impl AnyLayer<Body>, id: &str) -> String {
    let operation = format!("/fhir/R4/Binary/{id}/$presigned-url?upload=true");
    get(layer, &operation).await.url()
}

/// The URL that reads version 1 of `scan`, on the layer's own terms.
pub fn read_url() -> String {
    let key = BinaryKey::new(id("scan"), VersionId::from(1));
    let grant = Grant::new(key, ReadTerms::new(), Expires::at_unix_seconds(NOW + 3600));
    signer().sign(&grant).into()
}

/// The grant of a URL, if its signature is right.
pub fn grant(url: &str) -> Grant {
    let target = url.strip_prefix(BASE).unwrap();
    signer().verifier().verify(target, at(NOW)).unwrap()
}
