//! What the tests share: a layer with a clock that stands still, repositories, requests, and what
//! came back.

#![allow(dead_code, reason = "each test target uses a part of it")]

pub mod body;
pub mod example;
pub mod random;
pub mod repository;
pub mod server;
pub mod setting;
pub mod skip;

use std::future::{Ready, ready};
use std::time::{Duration, SystemTime};

use axum::body::Body;
use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use serde_json::Value;
use tower::util::{ServiceExt as _, ServiceFn, service_fn};
use tower::{BoxError, Layer};
use tower_presign::{
    Access, AccessPolicy, AllowAll, BinaryId, BinaryRepository, ContentType, Denial, Grant,
    MemoryRepository, MintRequest, Presign, PresignLayer, ResponseBody, SigningKey, Terms,
    UrlSigner,
};

/// Where the tests' URLs point.
pub const BASE: &str = "https://storage.example.com/binary";

/// What the tests' clock shows, in Unix seconds: 2027-01-15T08:00:00Z.
pub const NOW: u64 = 1_800_000_000;

/// What the inner service answers with, and the layer never does.
pub const INNER: StatusCode = StatusCode::IM_A_TEAPOT;

pub fn at(unix_seconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(unix_seconds)
}

pub const SECRET: &str = "thirty-two bytes of test secret!";

pub fn key() -> SigningKey {
    SigningKey::new("test", SECRET).unwrap()
}

pub fn signer() -> UrlSigner {
    UrlSigner::new(key(), BASE).unwrap()
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

fn inner(_: Request<Body>) -> Ready<Result<Response<Full<Bytes>>, BoxError>> {
    let mut response = Response::new(Full::default());
    *response.status_mut() = INNER;
    ready(Ok(response))
}

/// The service behind the layers of the tests.
pub type Inner = ServiceFn<fn(Request<Body>) -> Ready<Result<Response<Full<Bytes>>, BoxError>>>;

/// A `PresignLayer` or a `ServeLayer`.
pub trait AnyLayer: Layer<Inner, Service = Presign<Inner>> {}

impl<L: Layer<Inner, Service = Presign<Inner>>> AnyLayer for L {}

/// The response as it comes, its body not yet read.
pub async fn respond(
    layer: &impl AnyLayer,
    request: Request<Body>,
) -> Response<ResponseBody<Full<Bytes>>> {
    let service = layer.layer(service_fn(inner as fn(_) -> _));
    service.oneshot(request).await.unwrap()
}

pub async fn call(layer: &impl AnyLayer, request: Request<Body>) -> Answer {
    let (parts, body) = respond(layer, request).await.into_parts();
    Answer {
        status: parts.status,
        headers: parts.headers,
        body: body.collect().await.unwrap().to_bytes(),
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

pub async fn get(layer: &impl AnyLayer, url: &str) -> Answer {
    get_with(layer, url, &[]).await
}

pub async fn get_with(layer: &impl AnyLayer, url: &str, headers: &[(&str, &str)]) -> Answer {
    call(layer, request(Method::GET, url, headers, Body::empty())).await
}

pub async fn head_with(layer: &impl AnyLayer, url: &str, headers: &[(&str, &str)]) -> Answer {
    call(layer, request(Method::HEAD, url, headers, Body::empty())).await
}

/// Uploads as `image/png`.
pub async fn put(layer: &impl AnyLayer, url: &str, body: impl Into<Body>) -> Answer {
    put_with(layer, url, &[], body).await
}

/// Uploads as `image/png`, with further headers.
pub async fn put_with(
    layer: &impl AnyLayer,
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
pub async fn mint(layer: &impl AnyLayer, id: &str) -> String {
    let operation = format!("/fhir/R4/Binary/{id}/$presigned-url");
    get(layer, &operation).await.url()
}

/// A URL that writes the next version of `id`.
pub async fn mint_upload(layer: &impl AnyLayer, id: &str) -> String {
    let operation = format!("/fhir/R4/Binary/{id}/$presigned-url?upload=true");
    get(layer, &operation).await.url()
}

/// What a URL says, if its signature is right.
pub fn grant(url: &str) -> Grant {
    let target = url.strip_prefix(BASE).unwrap();
    signer().verifier().verify(target, at(NOW)).unwrap()
}

/// A response, its body read to the end.
#[derive(Debug, PartialEq)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    /// All headers, by name.
    pub fn sorted_headers(&self) -> Vec<(&str, &str)> {
        let names = self.headers.keys().map(http::HeaderName::as_str);
        let mut headers: Vec<_> = names
            .map(|name| (name, self.header(name).unwrap()))
            .collect();
        headers.sort_unstable();
        headers
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// The URL that the operation answered with.
    pub fn url(&self) -> String {
        assert_eq!(self.status, StatusCode::OK, "{self:?}");
        let url = &self.json()["parameter"][0]["valueUri"];
        url.as_str().unwrap().to_owned()
    }

    /// The status, and the code of the `OperationOutcome`, which is empty if there is none.
    pub fn outcome(&self) -> (u16, String) {
        let code = &self.json()["issue"][0]["details"]["coding"][0]["code"];
        let code = code.as_str().unwrap_or_default().to_owned();
        (self.status.as_u16(), code)
    }

    #[track_caller]
    pub fn assert_refused(&self, status: u16, code: &str) {
        assert_eq!(self.outcome(), (status, code.to_owned()), "{self:?}");
    }
}
