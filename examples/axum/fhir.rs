//! What all FHIR answers have in common, refusals above all.

use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, CONTENT_TYPE, WWW_AUTHENTICATE, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderValue, StatusCode};
use serde_json::json;
use tower_presign::repository::{RepositoryError, UploadError};

pub(crate) const FHIR_JSON: HeaderValue = HeaderValue::from_static("application/fhir+json");

/// A FHIR resource as an answer. `json` is a string, bytes, or a stream of them.
pub(crate) fn resource(status: StatusCode, json: impl IntoResponse) -> Response {
    let headers = [
        (CONTENT_TYPE, FHIR_JSON),
        (CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    ];
    (status, headers, json).into_response()
}

/// A refusal, which the client gets as an `OperationOutcome`.
#[derive(Debug)]
pub(crate) struct Outcome {
    status: StatusCode,
    /// <https://hl7.org/fhir/R4/valueset-issue-type.html>
    issue_type: &'static str,
    text: &'static str,
}

impl Outcome {
    pub(crate) fn new(status: StatusCode, issue_type: &'static str, text: &'static str) -> Self {
        Self {
            status,
            issue_type,
            text,
        }
    }

    pub(crate) fn login_required() -> Self {
        Self::new(
            StatusCode::UNAUTHORIZED,
            "login",
            "Send a known token: Authorization: Bearer …",
        )
    }

    pub(crate) fn forbidden() -> Self {
        Self::new(
            StatusCode::FORBIDDEN,
            "forbidden",
            "This token may only read.",
        )
    }

    pub(crate) fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "not-found", "There is nothing here.")
    }

    pub(crate) fn invalid(text: &'static str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid", text)
    }

    pub(crate) fn unsupported_type(text: &'static str) -> Self {
        Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "not-supported", text)
    }

    pub(crate) fn too_large() -> Self {
        Self::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "too-long",
            "The content is longer than allowed.",
        )
    }
}

impl IntoResponse for Outcome {
    fn into_response(self) -> Response {
        let outcome = json!({
            "resourceType": "OperationOutcome",
            "issue": [{
                "severity": "error",
                "code": self.issue_type,
                "details": { "text": self.text },
            }],
        });
        let mut response = resource(self.status, outcome.to_string());
        if self.status == StatusCode::UNAUTHORIZED {
            let challenge = HeaderValue::from_static("Bearer");
            response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
        }
        response
    }
}

impl From<RepositoryError> for Outcome {
    fn from(error: RepositoryError) -> Self {
        match error {
            RepositoryError::NotFound => Self::not_found(),
            RepositoryError::Deleted => {
                Self::new(StatusCode::GONE, "deleted", "This Binary was deleted.")
            }
            RepositoryError::StorageFull => Self::new(
                StatusCode::INSUFFICIENT_STORAGE,
                "no-store",
                "The server has no room left.",
            ),
            RepositoryError::Upload(error) => error.into(),
            error => {
                eprintln!("{error}: {:?}", std::error::Error::source(&error));
                Self::new(
                    StatusCode::INTERNAL_SERVER_ERROR,
                    "exception",
                    "Something went wrong.",
                )
            }
        }
    }
}

impl From<UploadError> for Outcome {
    fn from(error: UploadError) -> Self {
        match error {
            UploadError::TooLarge { .. } => Self::too_large(),
            UploadError::Empty => Self::invalid("There is no content."),
            UploadError::Timeout(_) => Self::new(
                StatusCode::REQUEST_TIMEOUT,
                "timeout",
                "No more content arrived in time.",
            ),
            _ => Self::new(
                StatusCode::BAD_REQUEST,
                "incomplete",
                "The content is not whole.",
            ),
        }
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
