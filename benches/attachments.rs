//! What URLs in resources cost: a search of 100 documents in 164 kB, beside `serde_json` that
//! parses it, walks over it and writes it anew, and beside the minting of its URLs alone.

#[path = "support/search.rs"]
mod search;
mod support;

use std::collections::VecDeque;
use std::convert::Infallible;
use std::future::{Ready, ready};
use std::hint::black_box;
use std::pin::{Pin, pin};
use std::sync::LazyLock;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Request, Response};
use http_body::Frame;
use http_body_util::{BodyExt as _, Full};
use search::{All, parse_walk_write};
use serde_json::json;
use support::{Benches, Comparison};
use tower::{Layer as _, Service};
use tower_presign::store::Target;
use tower_presign::{
    Access, AllowAll, BinaryId, PresignLayer, Presigner, SigningKey, Terms, UrlSigner,
};

/// Answers every request with the same.
#[derive(Clone)]
struct Inner {
    json: Bytes,
    content_type: &'static str,
}

impl<B> Service<Request<B>> for Inner {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<B>) -> Self::Future {
        let mut response = Response::new(Full::new(self.json.clone()));
        let content_type = HeaderValue::from_static(self.content_type);
        response.headers_mut().insert(CONTENT_TYPE, content_type);
        ready(Ok(response))
    }
}

static PRESIGNER: LazyLock<Presigner> = LazyLock::new(|| LAYER.presigner());

static LAYER: LazyLock<PresignLayer> = LazyLock::new(|| {
    let key = SigningKey::new("2026-11", [7, 1, 8, 2].repeat(8)).unwrap();
    let signer = UrlSigner::new(key, "https://health.example.com/storage").unwrap();
    PresignLayer::new(signer, All, AllowAll)
});

fn main() {
    let (references, foreign) = (search::references(), search::foreign());
    let targets: Vec<_> = (0..100)
        .map(|number| format!("c138a343-02e1-40f0-801f-{number:012}"))
        .map(|id| Target::new(BinaryId::new(&id).unwrap(), Access::Read))
        .collect();
    let (caller, _) = request().into_parts();
    let mint = || {
        let urls = targets.iter().map(|target| {
            let url = PRESIGNER.presign_for(&caller, black_box(target.clone()));
            ready_now(url).unwrap()
        });
        urls.for_each(|url| drop(black_box(url)));
    };
    println!(
        "{} bytes with references, {} without",
        references.len(),
        foreign.len()
    );
    export();
    let mut ratios = Benches::of(Comparison::Ratio);
    for (name, json) in [
        ("100 attachments in 164 kB", &references),
        ("164 kB without any", &foreign),
    ] {
        let inner = Inner {
            json: json.clone(),
            content_type: "application/fhir+json",
        };
        let mut layered = LAYER.attachments().layer(inner);
        ratios.compare(
            &format!("{name}, over serde_json"),
            || parse_walk_write(json),
            || read(layered.call(black_box(request()))),
        );
    }
    let mut differences = Benches::of(Comparison::Difference);
    let inner = Inner {
        json: references.clone(),
        content_type: "application/fhir+json",
    };
    let mut layered = LAYER.attachments().layer(inner);
    differences.compare("100 attachments, over minting", mint, || {
        read(layered.call(black_box(request())))
    });
    for (name, json, content_type) in [
        (
            "100 attachments in 164 kB",
            &references,
            "application/fhir+json",
        ),
        ("164 kB without any", &foreign, "application/fhir+json"),
        ("what is not FHIR JSON", &references, "text/html"),
    ] {
        let inner = Inner {
            json: json.clone(),
            content_type,
        };
        let (mut bare, mut layered) = (inner.clone(), LAYER.attachments().layer(inner));
        differences.compare(
            name,
            || read(bare.call(black_box(request()))),
            || read(layered.call(black_box(request()))),
        );
    }
}

/// The memory that a file of 10,000 lines takes on its way, beside the file itself.
fn export() {
    let line = |number| {
        let url = format!("Binary/c138a343-02e1-40f0-801f-{number:012}");
        let patient = json!({ "resourceType": "Patient", "photo": [{ "url": url }] });
        Bytes::from(patient.to_string() + "\n")
    };
    let lines: VecDeque<Bytes> = (0..10_000).map(line).collect();
    let memory = allocation_counter::measure(|| {
        let file = Lines(lines);
        let mut body = PRESIGNER.presign_attachments_ndjson(Terms::new(), file);
        while let Some(Ok(frame)) = ready_now(body.frame()) {
            black_box(frame);
        }
    });
    println!(
        "an NDJSON export of 10,000 lines: {} bytes of memory at most",
        memory.bytes_max
    );
}

/// A body of a frame a line.
struct Lines(VecDeque<Bytes>);

impl http_body::Body for Lines {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.0.pop_front().map(|line| Ok(Frame::data(line))))
    }
}

fn request() -> Request<Full<Bytes>> {
    Request::new(Full::default())
}

/// Reads an answer frame by frame, as a server does.
fn read<B>(response: impl Future<Output = Result<Response<B>, Infallible>>) -> usize
where
    B: http_body::Body<Data = Bytes> + Unpin,
{
    let mut body = ready_now(response)
        .unwrap_or_else(|never| match never {})
        .into_body();
    let mut length = 0;
    while let Some(Ok(frame)) = ready_now(body.frame()) {
        length += frame.data_ref().map_or(0, Bytes::len);
        black_box(frame);
    }
    length
}

fn ready_now<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => unreachable!("nothing here waits"),
    }
}
