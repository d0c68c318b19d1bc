//! URLs in resources, against an oracle that parses: the same members are replaced, and all other
//! bytes stay as they were, wherever chunks end.

mod documents;
mod oracle;

use std::pin::Pin;
use std::sync::LazyLock;
use std::task::{Context, Poll};

use arbitrary::Arbitrary;
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{Request, Response};
use http_body::{Body, Frame};
use http_body_util::BodyExt as _;
use tower::{Layer as _, ServiceExt as _, service_fn};
use tower_presign::store::{
    ByteRange, Content, Located, Metadata, RepositoryError, Target, Upload,
};
use tower_presign::{AllowAll, BinaryKey, BinaryRepository, ContentType, PresignLayer, VersionId};

use self::documents::{Document, Format};
use self::oracle::{expected, reference};
use crate::common::{BASE, at, signer};
use crate::support::{self, NOW, block_on};

/// Every Binary is there, at version 7, but those whose id begins with `no`.
struct Most;

impl BinaryRepository for Most {
    async fn locate(&self, target: &Target) -> Result<Located, RepositoryError> {
        if target.id().as_str().starts_with("no") {
            return Err(RepositoryError::NotFound);
        }
        let version = target.version().unwrap_or(VersionId::from(7));
        Ok(Located::new(
            target.key(version),
            ContentType::new("image/png").unwrap(),
        ))
    }

    async fn head(&self, _: &BinaryKey) -> Result<Metadata, RepositoryError> {
        Err(RepositoryError::NotFound)
    }

    async fn read(&self, _: &BinaryKey, _: Option<ByteRange>) -> Result<Content, RepositoryError> {
        Err(RepositoryError::NotFound)
    }

    async fn write(&self, _: &BinaryKey, _: Upload) -> Result<Metadata, RepositoryError> {
        Err(RepositoryError::NotFound)
    }
}

const FHIR_BASE: &str = "https://health.example.com/fhir";

static LAYER: LazyLock<PresignLayer> = LazyLock::new(|| {
    PresignLayer::new(signer(), Most, AllowAll)
        .clock(|| at(NOW))
        .fhir_base_url(FHIR_BASE)
        .unwrap()
});

#[derive(Arbitrary, Debug)]
struct Input<'a> {
    is_request: bool,
    format: Format,
    document: Document<'a>,
    /// The lengths of the chunks. The last is used for the rest.
    chunks: Vec<u8>,
}

pub fn run(data: &[u8]) {
    let Some(input) = support::input::<Input>(data) else {
        return;
    };
    let document = input.document.build(input.format);
    let expected = expected(&document, &input);
    let chunks = chunks(&document, &input.chunks);
    let actual = if input.is_request {
        request(input.format, chunks)
    } else {
        answer(input.format, chunks)
    };
    if let Some(expected) = expected {
        assert_eq!(
            String::from_utf8_lossy(&actual),
            String::from_utf8_lossy(&expected)
        );
    } else if !input.is_request {
        // It turned out to be no JSON. Members that were replaced before can be undone.
        let restored = restored(&actual);
        assert_eq!(
            restored,
            self::restored(&document),
            "{}",
            String::from_utf8_lossy(&actual)
        );
    }
}

/// The text without what differs between references and the URLs that stand for them.
fn restored(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text).replace("\\/", "/");
    let mut restored = String::new();
    let mut rest = &*text;
    while let Some(start) = rest.find(BASE) {
        let (before, url) = rest.split_at(start);
        restored.push_str(before);
        restored.push('@');
        let end = url.find('"').unwrap_or(url.len());
        rest = &url[end..];
    }
    restored.push_str(rest);
    // References, as they are.
    let mut out = String::new();
    let mut rest = restored.as_str();
    while let Some(start) = rest.find('"') {
        let (before, quoted) = rest.split_at(start + 1);
        out.push_str(before);
        let end = quoted.find('"').unwrap_or(quoted.len());
        let inside = &quoted[..end];
        let decoded = serde_json::from_str::<String>(&format!("\"{inside}\""));
        let is_reference = decoded.is_ok_and(|text| {
            reference(&text).is_some_and(|(id, _)| !id.as_str().starts_with("no"))
        });
        out.push_str(if is_reference { "@" } else { inside });
        rest = &quoted[end..];
    }
    out.push_str(rest);
    out
}

fn content_type(format: Format) -> &'static str {
    match format {
        Format::Resource => "application/fhir+json",
        Format::Json => "application/json",
        Format::Lines => "application/fhir+ndjson",
    }
}

/// An answer as its client gets it.
fn answer(format: Format, chunks: Chunks) -> Vec<u8> {
    let mut chunks = Some(chunks);
    let inner = service_fn(move |_: Request<_>| {
        let response = Response::builder().header(CONTENT_TYPE, content_type(format));
        let response = response.body(chunks.take().unwrap());
        std::future::ready(Ok::<_, std::convert::Infallible>(response.unwrap()))
    });
    let service = LAYER.attachments().layer(inner);
    let request = Request::get("/Patient/1").body(Chunks::default());
    block_on(async {
        let response = service.oneshot(request.unwrap()).await.unwrap();
        let announced = response.body().size_hint().exact();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        assert!(announced.is_none_or(|length| length == body.len() as u64));
        body.to_vec()
    })
}

/// A request as its host gets it.
fn request(format: Format, chunks: Chunks) -> Vec<u8> {
    let inner = service_fn(async move |request: Request<_>| {
        let body = Request::into_body(request);
        let body = http_body_util::BodyExt::collect(body).await.unwrap();
        let text = String::from_utf8_lossy(&body.to_bytes()).into_owned();
        Ok::<_, std::convert::Infallible>(Response::new(text))
    });
    let service = LAYER.attachments().layer(inner);
    let request = Request::post("/Patient").header(CONTENT_TYPE, content_type(format));
    block_on(async {
        let response = service
            .oneshot(request.body(chunks).unwrap())
            .await
            .unwrap();
        let body = response.into_body().collect().await.unwrap();
        body.to_bytes().to_vec()
    })
}

#[derive(Clone, Default)]
struct Chunks(std::collections::VecDeque<Bytes>);

impl Body for Chunks {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        Poll::Ready(self.0.pop_front().map(|chunk| Ok(Frame::data(chunk))))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_empty()
    }
}

fn chunks(document: &[u8], lengths: &[u8]) -> Chunks {
    let mut rest = Bytes::copy_from_slice(document);
    let mut chunks = Chunks::default();
    for length in lengths {
        let length = rest.len().min(usize::from(*length));
        chunks.0.push_back(rest.split_to(length));
    }
    chunks.0.push_back(rest);
    chunks
}
