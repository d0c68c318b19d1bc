//! Shared by the targets: a layer whose clock stands still, requests and answers.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use arbitrary::{Arbitrary, Unstructured};
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{Method, Request, StatusCode};
use http_body_util::Full;
use tower::BoxError;
use tower_presign::url::{Expires, ReadTerms, WriteTerms};
use tower_presign::{
    AllowAll, BinaryId, BinaryKey, ContentType, Grant, MemoryRepository, Permission, PresignLayer,
};

use crate::common::{Answer, at, signer};

/// The time of the layer's clock, in Unix seconds. `MemoryRepository` stamps content with the real
/// time, and no time after the clock's own is shown: this is every content's `Last-Modified`.
pub(crate) const NOW: u64 = 1_700_000_000;

pub(crate) fn layer(repository: MemoryRepository) -> PresignLayer {
    PresignLayer::new(signer(), repository, AllowAll).clock(|| at(NOW))
}

/// A repository with the Binary `scan`, of this type and without content, and the key of the
/// version that an upload will create.
pub(crate) fn scan(content_type: &str) -> (MemoryRepository, BinaryKey) {
    let repository = MemoryRepository::new();
    let content_type = ContentType::new(content_type).unwrap();
    let key = repository.create(BinaryId::new("scan").unwrap(), content_type);
    (repository, key.unwrap())
}

/// When the URLs expire, in Unix seconds.
const EXPIRES: u64 = NOW + 60;

/// A presigned URL, without its origin.
pub(crate) fn presigned(key: &BinaryKey, permission: impl Into<Permission>) -> String {
    let expires = Expires::at_unix_seconds(EXPIRES);
    let url = signer().sign(&Grant::new(key.clone(), permission, expires));
    let path = url.as_str().strip_prefix("https://storage.example.com");
    path.unwrap().to_owned()
}

pub(crate) fn read_url(key: &BinaryKey) -> String {
    presigned(key, ReadTerms::new())
}

pub(crate) fn write_terms(content_type: &str) -> WriteTerms {
    WriteTerms::new(ContentType::new(content_type).unwrap())
}

pub(crate) fn write_url(key: &BinaryKey, content_type: &str) -> String {
    presigned(key, write_terms(content_type))
}

/// Stores content by a presigned URL.
pub(crate) fn store(layer: &PresignLayer, key: &BinaryKey, content_type: &str, content: &[u8]) {
    let url = write_url(key, content_type);
    let request = Request::put(url)
        .header(CONTENT_TYPE, content_type)
        .body(Full::new(Bytes::copy_from_slice(content)));
    assert_eq!(call(layer, request.unwrap()).status, StatusCode::OK);
}

pub(crate) fn request(method: Method, target: &str) -> Option<Request<Full<Bytes>>> {
    let request = Request::builder().method(method).uri(target);
    request.body(Full::default()).ok()
}

/// Sends a request, and reads the answer to its end.
pub(crate) fn call<B>(layer: &PresignLayer, request: Request<B>) -> Answer
where
    B: http_body::Body + Send + 'static,
    B::Error: Into<BoxError>,
{
    block_on(crate::common::call(layer, request))
}

/// Nothing here waits for anything but bodies, which have themselves woken at once.
pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    for _ in 0..100_000 {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return output;
        }
    }
    panic!("a request never ends");
}

/// A target's input out of the fuzzer's bytes.
pub(crate) fn input<'a, T: Arbitrary<'a>>(data: &'a [u8]) -> Option<T> {
    T::arbitrary_take_rest(Unstructured::new(data)).ok()
}
