//! The common parts of all FHIR answers, refusals above all.

use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderValue, StatusCode};
use serde_json::json;
use tower_presign::Denial;
use tower_presign::store::{RepositoryError, UploadError};

const FHIR_JSON: HeaderValue = HeaderValue::from_static("application/fhir+json");

/// A FHIR resource as an answer. `json` is a string, bytes, or a stream of them.
pub(crate) fn resource(status: StatusCode, json: impl IntoResponse) -> Response {
    let headers = [
        (CONTENT_TYPE, FHIR_JSON),
        (CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    ];
    (status, headers, json).into_response()
}

/// A refusal, which the client gets as an `OperationOutcome`. If the presign layer has the same
/// refusal, it is the layer's own.
#[derive(Debug)]
pub(crate) struct Outcome(Box<Response>);

impl Outcome {
    fn new(status: StatusCode, issue_type: &str, text: &str) -> Self {
        let outcome = json!({
            "resourceType": "OperationOutcome",
            "issue": [{
                "severity": "error",
                "code": issue_type,
                "details": { "text": text },
            }],
        });
        Self(Box::new(resource(status, outcome.to_string())))
    }

    pub(crate) fn login_required() -> Self {
        Denial::login_required().into()
    }

    pub(crate) fn forbidden() -> Self {
        Denial::forbidden()
            .because("This token may only read.")
            .into()
    }

    pub(crate) fn not_found() -> Self {
        RepositoryError::NotFound.into()
    }

    pub(crate) fn invalid(text: &str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid", text)
    }

    pub(crate) fn unsupported_type(text: &str) -> Self {
        Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "not-supported", text)
    }
}

impl IntoResponse for Outcome {
    fn into_response(self) -> Response {
        *self.0
    }
}

impl From<Denial> for Outcome {
    fn from(denial: Denial) -> Self {
        Self(Box::new(denial.into_response()))
    }
}

impl From<RepositoryError> for Outcome {
    fn from(error: RepositoryError) -> Self {
        if let RepositoryError::Unavailable(source) | RepositoryError::Internal(source) = &error {
            eprintln!("{error}: {source:?}");
        }
        Self(Box::new(error.into_response()))
    }
}

impl From<UploadError> for Outcome {
    fn from(error: UploadError) -> Self {
        RepositoryError::from(error).into()
    }
}

pub(crate) async fn not_found() -> Outcome {
    Outcome::not_found()
}

pub(crate) async fn method_not_allowed() -> Outcome {
    Outcome::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "not-supported",
        "This resource does not support that method.",
    )
}
