//! The layer's events: one a request, with what an operator and an auditor need, and nothing that
//! lets anyone in.

mod attachments;
mod downloads;
mod mints;
mod recorder;
mod refusals;
mod resumable;
mod uploads;
mod url_ids;

use axum::body::Body;
use http::header::AUTHORIZATION;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Collected, Empty};
use recorder::{Message, Recorder};
use tower::util::service_fn;
use tower::{BoxError, Layer as _, ServiceExt as _};
use tower_http::trace::TraceLayer;
use tower_presign::events::make_span;
use tower_presign::{
    Access, AccessPolicy, BinaryRepository, Denial, MintRequest, PresignLayer, RedeemRequest, Terms,
};
use tracing::Level;

use crate::support::*;

const OPERATION: &str = "/fhir/R4/Binary/scan/$presigned-url";

/// Texts that no log may hold: the signing secret, and those that [`Doctors`] and [`Host::send`] put
/// around the content.
const SECRETS: [&str; 6] = [
    SECRET,
    "bearer-token",
    "Erika Mustermann",
    "RXJpa2EgTXVzdGVybWFubi5wbmc", // the file name, as the URL has it
    "ward-7",
    "d2FyZC03", // the context, as the URL has it
];

/// Lets the doctor read and write, and others read if they say who they are.
struct Doctors;

impl AccessPolicy for Doctors {
    async fn mint(&self, request: MintRequest) -> Result<Terms, Denial> {
        let credentials = request.headers().get(AUTHORIZATION);
        let credentials = credentials.ok_or_else(Denial::login_required)?;
        if request.access() == Access::Write && credentials != "Bearer bearer-token" {
            return Err(Denial::forbidden());
        }
        Ok(Terms::new()
            .filename("Erika Mustermann.png")
            .context("ward-7"))
    }

    async fn redeem(&self, request: RedeemRequest<'_>) -> Result<(), Denial> {
        if request.headers().contains_key("x-revoked") {
            return Err(Denial::forbidden());
        }
        Ok(())
    }
}

/// A host with a `TraceLayer` in front of the layer, and what it logs.
struct Host {
    layer: PresignLayer,
    recorder: Recorder,
}

impl Host {
    fn new(repository: impl BinaryRepository) -> Self {
        Self::with(PresignLayer::new(signer(), repository, Doctors).clock(|| at(NOW)))
    }

    fn with(layer: PresignLayer) -> Self {
        let recorder = Recorder::start();
        Self { layer, recorder }
    }

    /// The response, its body not yet read. All that the request reveals is known to the client.
    async fn send(&self, mut request: Request<Body>) -> Response<impl http_body::Body> {
        let token = "Bearer bearer-token".parse().unwrap();
        request.headers_mut().entry(AUTHORIZATION).or_insert(token);
        let inner = service_fn(async |_| {
            let mut response = Response::new(Empty::new());
            *response.status_mut() = INNER;
            Ok::<_, BoxError>(response)
        });
        let trace = TraceLayer::new_for_http().make_span_with(make_span);
        let service = trace.layer(self.layer.layer(inner));
        service.oneshot(request).await.unwrap()
    }

    /// The events of one request, and its answer.
    async fn tell(&self, request: Request<Body>) -> (Message, Answer) {
        let response = self.send(request).await;
        let (parts, body) = response.into_parts();
        let body = body.collect().await;
        let answer = Answer {
            status: parts.status,
            headers: parts.headers,
            body: body.map(Collected::to_bytes).unwrap_or_default(),
        };
        (self.told(), answer)
    }

    async fn get(&self, url: &str, headers: &[(&str, &str)]) -> Message {
        let request = request(Method::GET, url, headers, Body::empty());
        self.tell(request).await.0
    }

    /// Uploads `body` as `image/png`.
    async fn put(&self, url: &str, headers: &[(&str, &str)], body: impl Into<Body>) -> Message {
        self.tell(upload(url, headers, body)).await.0
    }

    /// A URL by the operation.
    async fn mint(&self, operation: &str) -> String {
        let request = request(Method::GET, operation, &[], Body::empty());
        self.tell(request).await.1.url()
    }

    /// The one event since the last.
    fn told(&self) -> Message {
        self.assert_discreet();
        let mut told = self.recorder.take();
        assert_eq!(told.len(), 1, "{told:#?}");
        told.remove(0)
    }

    fn assert_silent(&self) {
        self.assert_discreet();
        let told = self.recorder.take();
        assert!(told.is_empty(), "{told:#?}");
    }

    /// Nothing of what has been logged so far, whoever did it, is a secret or a signature.
    fn assert_discreet(&self) {
        let log = self.recorder.everything();
        for secret in SECRETS {
            assert!(!log.contains(secret), "{secret} in {log}");
        }
        for (at, name) in log.match_indices("Signature") {
            let value = &log[at + name.len()..];
            assert!(value.starts_with("=***"), "{log}");
        }
    }
}

fn upload(url: &str, headers: &[(&str, &str)], body: impl Into<Body>) -> Request<Body> {
    let mut request = request(Method::PUT, url, headers, body);
    let png = "image/png".parse().unwrap();
    request.headers_mut().insert("content-type", png);
    request
}

impl Message {
    /// Its fields are these and its duration, which is a number of seconds, and it is at INFO.
    #[track_caller]
    fn assert(&self, name: &str, fields: &[(&str, &str)]) {
        self.assert_at(Level::INFO, name, fields);
    }

    #[track_caller]
    fn assert_at(&self, level: Level, name: &str, fields: &[(&str, &str)]) {
        let mut told = self.fields.clone();
        let duration = told.remove("duration").unwrap();
        assert!(duration.parse::<f64>().unwrap() >= 0.0, "{duration}");
        assert_eq!(told.remove("message").as_deref(), Some(name), "{self:?}");
        let told: Vec<_> = told.iter().map(|(&name, value)| (name, &**value)).collect();
        let mut fields = fields.to_vec();
        fields.sort_unstable();
        assert_eq!(told, fields, "{self:?}");
        assert_eq!(self.target, format!("tower_presign::{name}"));
        assert_eq!(self.level, level, "{self:?}");
    }
}

#[tokio::test]
async fn a_request_of_the_inner_service_is_not_told() {
    let host = Host::new(scan("image/png"));
    let request = request(Method::GET, "/fhir/R4/Patient/1", &[], Body::empty());
    assert_eq!(host.send(request).await.status(), INNER);
    host.assert_silent();
}

#[tokio::test]
async fn a_preflight_is_not_told() {
    let host = Host::new(scan("image/png"));
    let url = format!("{BASE}/scan/1");
    let request = request(Method::OPTIONS, &url, &[], Body::empty());
    assert_eq!(host.send(request).await.status(), StatusCode::NO_CONTENT);
    host.assert_silent();
}

#[tokio::test]
async fn the_span_has_the_method_the_version_and_the_uri_without_its_secrets() {
    let host = Host::new(scan("image/png"));
    let url = host.mint(OPERATION).await;
    host.get(&url, &[]).await;
    let log = host.recorder.everything();
    let expected = r#"request {"method": "GET", "uri": "/binary/scan/1?Context=***&Expires="#;
    assert!(log.contains(expected), "{log}");
    assert!(
        log.contains(r#"Signature=***", "version": "HTTP/1.1"}"#),
        "{log}"
    );
}
