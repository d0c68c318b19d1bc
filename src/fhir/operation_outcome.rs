//! A refusal on its way to the client, which gets it as an `OperationOutcome`
//! (<https://hl7.org/fhir/R4/operationoutcome.html>).

use std::borrow::Cow;
use std::error::Error;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{ALLOW, CONTENT_RANGE, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderName, HeaderValue, Response};
use serde::Serialize;
use serde_json::Value;

use super::json_response;
use crate::refusal::RefusalCode;
use crate::store::{RepositoryError, UploadError};

/// The time after which a client should try again, in seconds.
const RETRY_AFTER_SECONDS: HeaderValue = HeaderValue::from_static("5");

#[derive(Debug, Clone)]
pub(crate) struct Refusal {
    pub(crate) code: RefusalCode,
    diagnostics: Option<Cow<'static, str>>,
    /// Those that some statuses need.
    headers: Vec<(HeaderName, HeaderValue)>,
    /// In place of the outcome, for clients that know no FHIR (RFC 9457).
    problem: Option<Value>,
    /// For the operator, never for the client.
    source: Option<Arc<dyn Error + Send + Sync>>,
}

impl Refusal {
    /// With a sentence that says more than the table does. It must reveal nothing: no secret, no
    /// path, no error of another system.
    pub(crate) fn because(code: RefusalCode, diagnostics: impl Into<Cow<'static, str>>) -> Self {
        Self {
            diagnostics: Some(diagnostics.into()),
            ..code.into()
        }
    }

    pub(crate) fn with_diagnostics(mut self, diagnostics: impl Into<Cow<'static, str>>) -> Self {
        self.diagnostics = Some(diagnostics.into());
        self
    }

    pub(crate) fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    pub(crate) fn with_problem(mut self, problem: Value) -> Self {
        self.problem = Some(problem);
        self
    }

    /// Has the client get an outcome in any case.
    pub(crate) fn without_problem(mut self) -> Self {
        self.problem = None;
        self
    }

    pub(crate) fn with_source(mut self, source: Box<dyn Error + Send + Sync>) -> Self {
        self.source = Some(source.into());
        self
    }

    pub(crate) fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }

    pub(crate) fn method_not_allowed(allow: &'static str) -> Self {
        let allow = HeaderValue::from_static(allow);
        Self::from(RefusalCode::MethodNotAllowed).with_header(ALLOW, allow)
    }

    pub(crate) fn login_required(challenge: HeaderValue) -> Self {
        Self::from(RefusalCode::LoginRequired).with_header(WWW_AUTHENTICATE, challenge)
    }

    /// `limit` is in bytes, if it is known.
    pub(crate) fn too_large(limit: Option<u64>) -> Self {
        match limit {
            Some(limit) => Self::because(
                RefusalCode::TooLarge,
                format!("The request body is longer than the {limit} bytes allowed."),
            ),
            None => RefusalCode::TooLarge.into(),
        }
    }

    /// `length` is the content's, in bytes (RFC 9110 §15.5.17).
    pub(crate) fn range_not_satisfiable(length: u64) -> Self {
        let complete_length = HeaderValue::try_from(format!("bytes */{length}"))
            .unwrap_or_else(|_| HeaderValue::from_static("bytes */0"));
        Self::from(RefusalCode::RangeNotSatisfiable).with_header(CONTENT_RANGE, complete_length)
    }

    /// For developers.
    pub(crate) fn diagnostics(&self) -> &str {
        let of_code = self.code.diagnostics();
        self.diagnostics.as_deref().unwrap_or(of_code)
    }

    pub(crate) fn into_response<B: From<Bytes>>(self) -> Response<B> {
        let code = self.code;
        let outcome = OperationOutcome {
            resource_type: "OperationOutcome",
            issue: [Issue {
                severity: "error",
                code: code.issue_type(),
                details: Details {
                    coding: [Coding {
                        system: RefusalCode::SYSTEM,
                        code: code.as_str(),
                    }],
                    text: code.text(),
                },
                diagnostics: self.diagnostics(),
            }],
        };
        let mut response = match &self.problem {
            None => json_response(code.status(), &outcome),
            Some(problem) => {
                let mut response = json_response(code.status(), problem);
                let problem = HeaderValue::from_static("application/problem+json");
                response.headers_mut().insert(CONTENT_TYPE, problem);
                response
            }
        };
        response.extensions_mut().insert(code);
        for (name, value) in self.headers {
            response.headers_mut().insert(name, value);
        }
        response.map(B::from)
    }
}

impl From<RefusalCode> for Refusal {
    fn from(code: RefusalCode) -> Self {
        let is_transient = matches!(
            code,
            RefusalCode::Unavailable | RefusalCode::NotReady | RefusalCode::TooManyRequests
        );
        Self {
            code,
            diagnostics: None,
            headers: if is_transient {
                vec![(RETRY_AFTER, RETRY_AFTER_SECONDS)]
            } else {
                Vec::new()
            },
            problem: None,
            source: None,
        }
    }
}

impl From<RepositoryError> for Refusal {
    fn from(error: RepositoryError) -> Self {
        let (code, pause) = (error.code(), error.pause());
        let refusal = match error {
            RepositoryError::RangeNotSatisfiable { length } => Self::range_not_satisfiable(length),
            RepositoryError::OffsetMismatch { offset } => {
                let name = HeaderName::from_static("upload-offset");
                Self::from(code).with_header(name, offset.into())
            }
            RepositoryError::Unavailable(source) | RepositoryError::Internal(source) => {
                Self::from(code).with_source(source)
            }
            RepositoryError::Upload(error) => error.into(),
            _ => code.into(),
        };
        match pause {
            Some(pause) => {
                let seconds = pause.as_millis().div_ceil(1000).max(1);
                let seconds = u64::try_from(seconds).unwrap_or(u64::MAX);
                refusal.with_header(RETRY_AFTER, seconds.into())
            }
            None => refusal,
        }
    }
}

impl From<UploadError> for Refusal {
    fn from(error: UploadError) -> Self {
        match error {
            UploadError::TooLarge { limit } => Self::too_large(limit),
            error => error.code().into(),
        }
    }
}

impl RepositoryError {
    /// The `OperationOutcome` that the layer itself would answer with, for a host that uses the
    /// repository in handlers of its own.
    ///
    /// It has the status, the stable code and the headers of the layer's refusals. It does not have
    /// the source: log it before. The body is of any type that bytes can become, axum's `Body` and
    /// http-body-util's `Full` among them.
    ///
    /// ```
    /// use axum::body::Body;
    /// use tower_presign::store::RepositoryError;
    ///
    /// let response: http::Response<Body> = RepositoryError::NotFound.into_response();
    /// assert_eq!(response.status(), 404);
    /// assert_eq!(response.headers()["content-type"], "application/fhir+json");
    /// ```
    #[must_use]
    pub fn into_response<B: From<Bytes>>(self) -> Response<B> {
        Refusal::from(self).into_response()
    }
}

#[derive(Serialize)]
struct OperationOutcome<'a> {
    #[serde(rename = "resourceType")]
    resource_type: &'static str,
    issue: [Issue<'a>; 1],
}

#[derive(Serialize)]
struct Issue<'a> {
    severity: &'static str,
    code: &'static str,
    details: Details,
    diagnostics: &'a str,
}

#[derive(Serialize)]
struct Details {
    coding: [Coding; 1],
    text: &'static str,
}

#[derive(Serialize)]
struct Coding {
    system: &'static str,
    code: &'static str,
}
