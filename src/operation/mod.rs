//! The FHIR operation `$presigned-url`: a request in, a presigned URL out.

mod negotiation;
mod upload_parameter;

use std::sync::Arc;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::request::Parts;
use http::{Method, Response, StatusCode};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};

use crate::config::Operation;
use crate::events::RequestEvent;
use crate::fhir::{self, Refusal, json_response};
use crate::id::{BinaryId, InvalidId, VersionId};
use crate::mint::Source;
use crate::refusal::RefusalCode;
use crate::request_body::{RequestBody, classify};
use crate::store::Target;
use crate::url::Access;
use upload_parameter::UploadParameter;

/// The longest `Parameters` body, in bytes.
const MAX_PARAMETERS: usize = 64 * 1024;

/// The subject of a call of the operation: `Binary/[id]` or `Binary/[id]/_history/[vid]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Subject {
    pub(crate) id: BinaryId,
    pub(crate) version: Option<VersionId>,
}

/// Answers a call of the operation.
pub(crate) async fn answer(
    operation: &Operation,
    subject: Result<Subject, InvalidId>,
    caller: Arc<Parts>,
    body: &mut RequestBody,
    event: &mut RequestEvent,
) -> Result<Response<Bytes>, Refusal> {
    if let Ok(Subject { id, version }) = subject {
        event.subject(id, version);
    }
    let parts = &*caller;
    if !matches!(parts.method, Method::GET | Method::HEAD | Method::POST) {
        return Err(Refusal::method_not_allowed("GET, HEAD, POST, OPTIONS"));
    }
    let subject = subject.map_err(|_| RefusalCode::NotFound)?;
    let query = parts.uri.query().unwrap_or_default();
    negotiation::check(&parts.headers, query)?;

    let mut upload = UploadParameter::default();
    upload.read_query(query)?;
    if parts.method == Method::POST {
        Box::pin(read_parameters(operation, parts, body, &mut upload)).await?;
    }
    let target = target(subject, upload.is_requested())?;
    event.access(target.access());

    let mint = operation
        .presigner
        .mint(&caller, target, Source::Any, event);
    // Two small allocations are faster than one of more than a kilobyte.
    let presigned = Box::pin(mint).await?;
    let answer = if operation.describes_urls {
        fhir::describe_url(&presigned, operation.resumes_uploads)
    } else {
        fhir::plain_url(&presigned)
    };
    Ok(json_response(StatusCode::OK, &answer))
}

fn target(subject: Subject, is_upload: bool) -> Result<Target, Refusal> {
    match (subject.version, is_upload) {
        (None, false) => Ok(Target::new(subject.id, Access::Read)),
        (None, true) => Ok(Target::new(subject.id, Access::Write)),
        (Some(version), false) => Ok(Target::version_of(subject.id, version)),
        (Some(_), true) => Err(Refusal::because(
            RefusalCode::InvalidParameter,
            "A past version cannot be written: ask for upload=true on Binary/[id] itself.",
        )),
    }
}

async fn read_parameters(
    operation: &Operation,
    parts: &Parts,
    body: &mut RequestBody,
    upload: &mut UploadParameter,
) -> Result<(), Refusal> {
    let json = match Limited::new(body, MAX_PARAMETERS).collect().await {
        Ok(collected) => collected.to_bytes(),
        Err(error) if error.is::<LengthLimitError>() => {
            return Err(Refusal::too_large(Some(MAX_PARAMETERS as u64)));
        }
        Err(error) => return Err(classify(error, &operation.is_timeout).into()),
    };
    if json.is_empty() {
        return Ok(());
    }
    if let Some(content_type) = parts.headers.get(CONTENT_TYPE)
        && !negotiation::is_json(content_type.to_str().unwrap_or_default())
    {
        return Err(Refusal::because(
            RefusalCode::ContentTypeMismatch,
            "The Parameters resource must be JSON, with the Content-Type application/fhir+json.",
        ));
    }
    upload.read_parameters(&json)
}
