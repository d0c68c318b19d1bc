//! Every refusal: its code, its status, and the `OperationOutcome` that says so.

use std::borrow::Cow;
use std::error::Error;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{
    ALLOW, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, ETAG, RETRY_AFTER, WWW_AUTHENTICATE,
    X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderName, HeaderValue, Response, StatusCode};
use serde::Serialize;

use crate::binary::VersionId;

/// The media type of all that the layer itself has to say.
pub(crate) const FHIR_JSON: HeaderValue = HeaderValue::from_static("application/fhir+json");
pub(crate) const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");
pub(crate) const NOSNIFF: HeaderValue = HeaderValue::from_static("nosniff");

/// What a client is told to wait before it tries again, in seconds.
const RETRY_AFTER_SECONDS: HeaderValue = HeaderValue::from_static("5");

/// The reasons for a refusal. Clients may rely on [`Row::code`], which never changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Code {
    MissingSignature,
    InvalidSignature,
    Expired,
    LifetimeTooLong,
    MethodNotAllowed,
    LoginRequired,
    Forbidden,
    NotFound,
    Deleted,
    InvalidParameter,
    NotAcceptable,
    PreconditionFailed,
    AlreadyWritten,
    TooLarge,
    ContentTypeMismatch,
    RangeNotSatisfiable,
    EmptyBody,
    IncompleteBody,
    UploadTimeout,
    DigestMismatch,
    StorageFull,
    Unavailable,
    Internal,
}

/// One row of the table of refusals.
pub(crate) struct Row {
    /// `issue[0].details.coding[0].code`: stable.
    pub(crate) code: &'static str,
    pub(crate) status: StatusCode,
    /// `issue[0].code`: <https://hl7.org/fhir/R4/valueset-issue-type.html>
    pub(crate) issue_type: &'static str,
    /// `issue[0].details.text`: for people.
    pub(crate) text: &'static str,
    /// `issue[0].diagnostics`, unless the refusal knows better: for developers.
    pub(crate) diagnostics: &'static str,
}

impl Code {
    #[rustfmt::skip]
    pub(crate) const fn row(self) -> Row {
        use StatusCode as S;
        let (code, status, issue_type, text, diagnostics) = match self {
            Self::MissingSignature => ("missing-signature", S::FORBIDDEN, "security",
                "This link is incomplete.",
                "The URL has no Signature parameter. Use a presigned URL as it was issued, with its whole query."),
            Self::InvalidSignature => ("invalid-signature", S::FORBIDDEN, "security",
                "This link is not valid.",
                "The signature does not match. Use the presigned URL byte for byte as it was issued: nothing added, removed, re-ordered or re-encoded. If it is unchanged, its key is no longer in use; ask for a new URL."),
            Self::Expired => ("expired", S::FORBIDDEN, "expired",
                "This link has expired.",
                "The time that Expires names has passed. Ask for a new URL."),
            Self::LifetimeTooLong => ("lifetime-too-long", S::FORBIDDEN, "security",
                "This link is not accepted.",
                "Expires is further away than this server allows. Ask for a URL with a shorter lifetime."),
            Self::MethodNotAllowed => ("method-not-allowed", S::METHOD_NOT_ALLOWED, "not-supported",
                "This address does not support that action.",
                "Use one of the methods that the Allow header lists."),
            Self::LoginRequired => ("login-required", S::UNAUTHORIZED, "login",
                "Please log in.",
                "The request has no valid credentials. The WWW-Authenticate header says which are needed."),
            Self::Forbidden => ("forbidden", S::FORBIDDEN, "forbidden",
                "You may not do this.",
                "The server's access policy refuses it."),
            Self::NotFound => ("not-found", S::NOT_FOUND, "not-found",
                "There is nothing here.",
                "No such Binary or version exists, or nothing has been uploaded to it yet."),
            Self::Deleted => ("deleted", S::GONE, "deleted",
                "This content has been deleted.",
                "The Binary or this version of it has been deleted."),
            Self::InvalidParameter => ("invalid-parameter", S::BAD_REQUEST, "value",
                "The request is not valid.",
                "A parameter of the request has a value that it cannot have."),
            Self::NotAcceptable => ("not-acceptable", S::NOT_ACCEPTABLE, "not-supported",
                "The requested format is not supported.",
                "Only JSON is produced: ask for application/fhir+json in Accept or _format."),
            Self::PreconditionFailed => ("precondition-failed", S::PRECONDITION_FAILED, "conflict",
                "The content is not in the expected state.",
                "A conditional header of the request does not hold for the content."),
            Self::AlreadyWritten => ("already-written", S::PRECONDITION_FAILED, "conflict",
                "This link has already been used.",
                "A write URL writes once, and this version has its content. Ask for a new URL to write another."),
            Self::TooLarge => ("too-large", S::PAYLOAD_TOO_LARGE, "too-long",
                "The file is too large.",
                "The request body is longer than allowed."),
            Self::ContentTypeMismatch => ("content-type-mismatch", S::UNSUPPORTED_MEDIA_TYPE, "not-supported",
                "The file is not of the expected type.",
                "The Content-Type is not the one that the request must have."),
            Self::RangeNotSatisfiable => ("range-not-satisfiable", S::RANGE_NOT_SATISFIABLE, "value",
                "The requested part does not exist.",
                "The Range lies outside of the content, whose length the Content-Range header tells."),
            Self::EmptyBody => ("empty-body", S::BAD_REQUEST, "required",
                "The file is empty.",
                "The request has no content. A client has probably lost it."),
            Self::IncompleteBody => ("incomplete-body", S::BAD_REQUEST, "incomplete",
                "The upload was interrupted.",
                "The request body ended early or broke off. Nothing was stored; send it again."),
            Self::UploadTimeout => ("upload-timeout", S::REQUEST_TIMEOUT, "timeout",
                "The upload took too long.",
                "No more content arrived in time. Nothing was stored; send it again."),
            Self::DigestMismatch => ("digest-mismatch", S::BAD_REQUEST, "value",
                "The file was damaged on its way.",
                "The content does not have the digest that Content-Digest or Repr-Digest tells. Nothing was stored; send it again."),
            Self::StorageFull => ("storage-full", S::INSUFFICIENT_STORAGE, "no-store",
                "The server has no room left.",
                "The storage is full. Nothing was stored."),
            Self::Unavailable => ("unavailable", S::SERVICE_UNAVAILABLE, "transient",
                "The service is not available right now.",
                "A system that the server depends on does not answer. Try again later."),
            Self::Internal => ("internal", S::INTERNAL_SERVER_ERROR, "exception",
                "Something went wrong.",
                "The server failed; its operator finds the reason in its logs."),
        };
        Row { code, status, issue_type, text, diagnostics }
    }
}

/// A refusal on its way to the client.
#[derive(Debug, Clone)]
pub(crate) struct Refusal {
    pub(crate) code: Code,
    diagnostics: Option<Cow<'static, str>>,
    /// The one header that some statuses need.
    header: Option<(HeaderName, HeaderValue)>,
    /// What went wrong inside: for the operator, never for the client.
    source: Option<Arc<dyn Error + Send + Sync>>,
}

impl Refusal {
    /// With a sentence that says more than the table does. It must reveal nothing: no secret, no
    /// path, no error of another system.
    pub(crate) fn because(code: Code, diagnostics: impl Into<Cow<'static, str>>) -> Self {
        Self {
            diagnostics: Some(diagnostics.into()),
            ..code.into()
        }
    }

    pub(crate) fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.header = Some((name, value));
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
        Self::from(Code::MethodNotAllowed).with_header(ALLOW, HeaderValue::from_static(allow))
    }

    pub(crate) fn login_required(challenge: HeaderValue) -> Self {
        Self::from(Code::LoginRequired).with_header(WWW_AUTHENTICATE, challenge)
    }

    /// `limit` is in bytes, if it is known.
    pub(crate) fn too_large(limit: Option<u64>) -> Self {
        match limit {
            Some(limit) => Self::because(
                Code::TooLarge,
                format!("The request body is longer than the {limit} bytes allowed."),
            ),
            None => Code::TooLarge.into(),
        }
    }

    /// 412, with the entity tag of the content that is there (RFC 9110 §15.5.13).
    pub(crate) fn with_entity_tag(self, version: &VersionId) -> Self {
        self.with_header(ETAG, entity_tag(version))
    }

    /// What is wrong, for developers.
    pub(crate) fn diagnostics(&self) -> &str {
        let of_code = self.code.row().diagnostics;
        self.diagnostics.as_deref().unwrap_or(of_code)
    }

    pub(crate) fn into_response<B: From<Bytes>>(self) -> Response<B> {
        let Row {
            code,
            status,
            issue_type,
            text,
            ..
        } = self.code.row();
        let outcome = OperationOutcome {
            resource_type: "OperationOutcome",
            issue: [Issue {
                severity: "error",
                code: issue_type,
                details: Details {
                    coding: [Coding { code }],
                    text,
                },
                diagnostics: self.diagnostics(),
            }],
        };
        let mut response = json_response(status, &outcome);
        if let Some((name, value)) = self.header {
            response.headers_mut().insert(name, value);
        }
        response.map(B::from)
    }
}

impl From<Code> for Refusal {
    fn from(code: Code) -> Self {
        Self {
            code,
            diagnostics: None,
            header: (code == Code::Unavailable).then_some((RETRY_AFTER, RETRY_AFTER_SECONDS)),
            source: None,
        }
    }
}

/// A version is written once, so its id is a strong validator of its content
/// (RFC 9110 §8.8.1) and, being a FHIR id, needs no escaping.
pub(crate) fn entity_tag(version: &VersionId) -> HeaderValue {
    HeaderValue::try_from(format!("\"{version}\""))
        .unwrap_or_else(|_| HeaderValue::from_static("\"\""))
}

/// A FHIR resource as a response that no cache keeps.
pub(crate) fn json_response(status: StatusCode, resource: &impl Serialize) -> Response<Bytes> {
    // Serializing structs of strings to memory cannot fail.
    let json = Bytes::from(serde_json::to_vec(resource).unwrap_or_default());
    let length = HeaderValue::from(json.len());
    let mut response = Response::new(json);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, FHIR_JSON);
    headers.insert(CONTENT_LENGTH, length);
    headers.insert(CACHE_CONTROL, NO_STORE);
    headers.insert(X_CONTENT_TYPE_OPTIONS, NOSNIFF);
    response
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
    code: &'static str,
}
