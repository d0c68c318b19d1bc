//! Shared by the tests and the fuzz targets: a signer, requests to a layer, and the form of an
//! answer. Nothing here needs a runtime or a socket.

#![allow(dead_code, reason = "neither uses all of it")]

pub mod answer;
pub mod signature;

use std::future::{Ready, ready};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use tower::util::{ServiceExt as _, ServiceFn, service_fn};
use tower::{BoxError, Layer};
use tower_presign::{Presign, ResponseBody, SigningKey, UrlSigner};

pub use self::answer::Answer;

/// Where URLs point.
pub const BASE: &str = "https://storage.example.com/binary";

/// What `test` signs them with.
pub const SECRET: &str = "thirty-two bytes of test secret!";

/// The answer of the inner service, and never of the layer.
pub const INNER: StatusCode = StatusCode::IM_A_TEAPOT;

pub fn at(unix_seconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(unix_seconds)
}

pub fn key() -> SigningKey {
    SigningKey::new("test", SECRET).unwrap()
}

pub fn signer() -> UrlSigner {
    UrlSigner::new(key(), BASE).unwrap()
}

/// The service behind the layers of the tests.
pub type Inner<B> = ServiceFn<fn(Request<B>) -> Ready<Result<Response<Full<Bytes>>, BoxError>>>;

/// A `PresignLayer` or a `ServeLayer`.
pub trait AnyLayer<B>: Layer<Inner<B>, Service = Presign<Inner<B>>> {}

impl<B, L: Layer<Inner<B>, Service = Presign<Inner<B>>>> AnyLayer<B> for L {}

fn inner<B>(_: Request<B>) -> Ready<Result<Response<Full<Bytes>>, BoxError>> {
    let mut response = Response::new(Full::default());
    *response.status_mut() = INNER;
    ready(Ok(response))
}

/// The response as it comes, its body not yet read.
pub async fn respond<B>(
    layer: &impl AnyLayer<B>,
    request: Request<B>,
) -> Response<ResponseBody<Full<Bytes>>>
where
    B: http_body::Body + Send + 'static,
    B::Error: Into<BoxError>,
{
    let service = layer.layer(service_fn(inner as fn(_) -> _));
    service.oneshot(request).await.unwrap()
}

/// Sends a request, and reads the answer to its end.
pub async fn call<B>(layer: &impl AnyLayer<B>, request: Request<B>) -> Answer
where
    B: http_body::Body + Send + 'static,
    B::Error: Into<BoxError>,
{
    Answer::of(respond(layer, request).await).await.unwrap()
}
