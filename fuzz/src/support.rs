//! What the targets share: a layer whose clock stands still, requests, and what came back.

use std::future::{Future, Ready, ready};
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, SystemTime};

use arbitrary::{Arbitrary, Unstructured};
use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use serde_json::Value;
use tower::util::{ServiceExt as _, service_fn};
use tower::{BoxError, Layer as _};
use tower_presign::{
    AllowAll, BinaryId, BinaryKey, ContentType, Grant, MemoryRepository, PresignLayer, SigningKey,
    UrlSigner,
};

pub(crate) const BASE: &str = "https://storage.example.com/binary";
pub(crate) const SECRET: &[u8] = b"thirty-two bytes of test secret!";

/// What the layer's clock shows, in Unix seconds. `MemoryRepository` stamps content with the real
/// time, and no time after the clock's own is shown: this is every content's `Last-Modified`.
pub(crate) const NOW: u64 = 1_700_000_000;

/// What the inner service answers with, and the layer never does.
pub(crate) const INNER: StatusCode = StatusCode::IM_A_TEAPOT;

pub(crate) fn at(unix_seconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(unix_seconds)
}

pub(crate) fn signer() -> UrlSigner {
    UrlSigner::new(SigningKey::new("test", SECRET).unwrap(), BASE).unwrap()
}

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
pub(crate) const EXPIRES: u64 = NOW + 60;

/// A presigned URL, without its origin.
pub(crate) fn presigned(grant: &Grant) -> String {
    let url = signer().sign(grant);
    let path = url.as_str().strip_prefix("https://storage.example.com");
    path.unwrap().to_owned()
}

pub(crate) fn read_url(key: &BinaryKey) -> String {
    presigned(&Grant::read(key.clone(), EXPIRES))
}

pub(crate) fn write_url(key: &BinaryKey, content_type: &str) -> String {
    let content_type = ContentType::new(content_type).unwrap();
    presigned(&Grant::write(key.clone(), content_type, EXPIRES))
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
    fn inner<B>(_: Request<B>) -> Ready<Result<Response<Full<Bytes>>, BoxError>> {
        let mut response = Response::new(Full::default());
        *response.status_mut() = INNER;
        ready(Ok(response))
    }
    block_on(async {
        let response = layer.layer(service_fn(inner)).oneshot(request).await;
        let (parts, body) = response.unwrap().into_parts();
        Answer {
            status: parts.status,
            headers: parts.headers,
            body: body.collect().await.unwrap().to_bytes(),
        }
    })
}

/// Nothing here waits for anything but bodies, which have themselves woken at once.
fn block_on<T>(future: impl Future<Output = T>) -> T {
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

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.get_all(name).iter();
        let value = values.next().map(|value| value.to_str().unwrap());
        assert!(values.next().is_none(), "{name} twice: {self:?}");
        value
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The code of a refusal, which must be a whole one, and as the table has it.
    pub(crate) fn refusal(&self) -> String {
        let outcome = self.json();
        let issue = &outcome["issue"][0];
        let code = issue["details"]["coding"][0]["code"].as_str().unwrap();
        let row = (
            code,
            self.status.as_u16(),
            issue["code"].as_str().unwrap_or_default(),
        );
        assert!(REFUSALS.contains(&row), "{self:?}");
        assert_eq!(outcome["resourceType"], "OperationOutcome");
        assert_eq!(issue["severity"], "error");
        assert!(issue["details"]["text"].is_string() && issue["diagnostics"].is_string());
        self.assert_own_json();
        code.to_owned()
    }

    pub(crate) fn assert_own_json(&self) {
        assert_eq!(self.headers[CONTENT_TYPE], "application/fhir+json");
        assert_eq!(self.headers[CACHE_CONTROL], "no-store");
        assert_eq!(self.headers[X_CONTENT_TYPE_OPTIONS], "nosniff");
        let length = self.body.len().to_string();
        assert_eq!(self.header("content-length"), Some(&*length));
    }
}

/// Code, status and FHIR issue type of the refusals that need no failing repository.
const REFUSALS: [(&str, u16, &str); 18] = [
    ("missing-signature", 403, "security"),
    ("invalid-signature", 403, "security"),
    ("expired", 403, "expired"),
    ("lifetime-too-long", 403, "security"),
    ("method-not-allowed", 405, "not-supported"),
    ("not-found", 404, "not-found"),
    ("deleted", 410, "deleted"),
    ("invalid-parameter", 400, "value"),
    ("not-acceptable", 406, "not-supported"),
    ("precondition-failed", 412, "conflict"),
    ("already-written", 412, "conflict"),
    ("too-large", 413, "too-long"),
    ("content-type-mismatch", 415, "not-supported"),
    ("range-not-satisfiable", 416, "value"),
    ("empty-body", 400, "required"),
    ("incomplete-body", 400, "incomplete"),
    ("upload-timeout", 408, "timeout"),
    ("digest-mismatch", 400, "value"),
];
