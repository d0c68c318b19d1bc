//! The cost of the layer for a request that is not its own.

mod support;

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::hint::black_box;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use support::{Benches, Comparison};
use tower::{Layer as _, Service};
use tower_presign::{AllowAll, MemoryRepository, PresignLayer, SigningKey, UrlSigner};

#[derive(Clone)]
struct Inner;

impl Service<Request<Full<Bytes>>> for Inner {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Full<Bytes>>) -> Self::Future {
        ready(Ok(Response::new(request.into_body())))
    }
}

fn main() {
    let key = SigningKey::new("2026-11", [7, 1, 8, 2].repeat(8)).unwrap();
    let signer = UrlSigner::new(key, "https://health.example.com/storage").unwrap();
    let layer = PresignLayer::new(signer, MemoryRepository::new(), AllowAll);
    let mut benches = Benches::of(Comparison::Difference);
    for path in ["/fhir/R4/Patient/c138a343-02e1-40f0-801f-e3d7f5317d4e", "/"] {
        let (mut inner, mut layered) = (Inner, layer.layer(Inner));
        let uri = http::Uri::from_static(path);
        let request = || {
            let mut request = Request::new(Full::default());
            *request.uri_mut() = uri.clone();
            request
        };
        benches.compare(
            &format!("a request to {path}"),
            || answer(inner.call(black_box(request()))),
            || answer(layered.call(black_box(request()))),
        );
    }
}

fn answer<T>(response: impl Future<Output = Result<T, Infallible>>) -> T {
    match pin!(response).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(Ok(response)) => response,
        Poll::Pending => unreachable!("the inner service is ready"),
    }
}
