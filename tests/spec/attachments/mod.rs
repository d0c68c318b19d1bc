//! URLs in resources: out as presigned URLs, in as references.

mod answers;
mod batches;
mod caching;
mod json;
mod members;
mod policy;
mod redirects;
mod requests;
mod streams;
mod without_http;

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use axum::body::Body;
use http::header::CONTENT_TYPE;
use http::{Request, Response};
use serde_json::{Value, json};
use tower::{Layer as _, Service, ServiceExt as _, service_fn};
use tower_presign::attachments::ReferencesBody;
use tower_presign::store::{
    ByteRange, Content, Located, Metadata, RepositoryError, Target, Upload,
};
use tower_presign::{
    AccessPolicy, AttachmentsLayer, BinaryKey, BinaryRepository, ContentType, Denial, MintRequest,
    PresignLayer, Terms, VersionId,
};

use crate::support::*;

const FHIR_JSON: &str = "application/fhir+json";
const FHIR_NDJSON: &str = "application/fhir+ndjson";

/// Every Binary is there, at version 7, but those whose id begins with `missing`.
#[derive(Clone, Default)]
struct Cabinet {
    asked: Arc<AtomicUsize>,
    /// It need not be asked for a version that is named.
    is_open: bool,
}

impl Cabinet {
    /// The number of times that it was asked for a Binary.
    fn asked(&self) -> usize {
        self.asked.load(Ordering::Relaxed)
    }
}

impl BinaryRepository for Cabinet {
    async fn locate(&self, target: &Target) -> Result<Located, RepositoryError> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        if target.id().as_str().starts_with("missing") {
            return Err(RepositoryError::NotFound);
        }
        let version = target.version().unwrap_or(VersionId::from(7));
        let content_type = ContentType::new("image/png").unwrap();
        Ok(Located::new(target.key(version), content_type))
    }

    fn located(&self, key: &BinaryKey) -> Option<Located> {
        let content_type = ContentType::new("image/png").unwrap();
        self.is_open
            .then(|| Located::new(key.clone(), content_type))
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

/// Everything may be read but what is secret, and by everyone; each question is counted.
#[derive(Clone, Default)]
struct NoSecrets {
    asked: Arc<AtomicUsize>,
}

impl NoSecrets {
    fn asked(&self) -> usize {
        self.asked.load(Ordering::Relaxed)
    }
}

impl AccessPolicy for NoSecrets {
    async fn mint(&self, request: MintRequest) -> Result<Terms, Denial> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        if request.id().as_str().starts_with("secret") {
            return Err(Denial::forbidden());
        }
        Ok(Terms::new())
    }
}

fn cabinet() -> PresignLayer {
    PresignLayer::new(signer(), Cabinet::default(), NoSecrets::default())
        .clock(|| at(NOW))
        .fhir_base("/fhir")
        .unwrap()
        .fhir_base_url("https://health.example.com/fhir")
        .unwrap()
}

fn fhir(body: impl Into<Body>) -> Response<Body> {
    let response = Response::builder().header(CONTENT_TYPE, FHIR_JSON);
    response.body(body.into()).unwrap()
}

fn patient(url: &str) -> Value {
    json!({ "resourceType": "Patient", "photo": [{ "url": url }] })
}

/// A host that is asked once.
fn host(
    response: Response<Body>,
) -> impl Service<
    Request<ReferencesBody<Body>>,
    Response = Response<Body>,
    Error = Infallible,
    Future = Ready<Result<Response<Body>, Infallible>>,
> + Clone {
    let response = Arc::new(Mutex::new(Some(response)));
    service_fn(move |_| {
        let response = response.lock().unwrap().take();
        ready(Ok(response.expect("it is asked once")))
    })
}

/// The answer to a client's request, by a host that answers with `response`.
async fn exchange(
    layer: &AttachmentsLayer,
    request: Request<Body>,
    response: Response<Body>,
) -> Answer {
    let answer = layer.layer(host(response)).oneshot(request).await.unwrap();
    Answer::of(answer).await.unwrap()
}

fn read(path: &str) -> Request<Body> {
    Request::get(path).body(Body::empty()).unwrap()
}

/// The answer to a client that reads a resource.
async fn answer(layer: &PresignLayer, response: Response<Body>) -> Answer {
    exchange(&layer.attachments(), read("/fhir/Patient/1"), response).await
}

/// FHIR JSON, after its way out.
async fn sent(json: impl Into<Body>) -> String {
    let answer = answer(&cabinet(), fhir(json)).await;
    answer.text().to_owned()
}

/// The URL that reads a version of a Binary.
fn url_of(id: &str, version: u64) -> String {
    use tower_presign::url::{Expires, ReadTerms};
    use tower_presign::{BinaryKey, Grant};
    let key = BinaryKey::new(crate::support::id(id), VersionId::from(version));
    let grant = Grant::new(key, ReadTerms::new(), Expires::at_unix_seconds(NOW + 3600));
    signer().sign(&grant).into()
}
