//! The FHIR operation `$presigned-url`: a request in, a presigned URL out.

mod negotiation;
mod parameters;

use std::time::Duration;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::request::Parts;
use http::{Method, Response, StatusCode};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};

use crate::binary::InvalidId;
use crate::config::Config;
use crate::events::RequestEvent;
use crate::outcome::{Code, Refusal, json_response};
use crate::policy::{MintRequest, Terms};
use crate::request_body::{RequestBody, classify};
use crate::route::Subject;
use crate::store::{BinaryRepository as _, RepositoryError, Target};
use crate::url::{Access, Grant, Permission, PresignedUrl, unix_seconds};
use parameters::UploadParameter;

/// The longest `Parameters` body, in bytes.
const MAX_PARAMETERS: usize = 64 * 1024;

/// Answers a call of the operation.
pub(crate) async fn mint(
    config: &Config,
    subject: Result<Subject, InvalidId>,
    parts: Parts,
    body: &mut RequestBody,
    event: &mut RequestEvent,
) -> Result<Response<Bytes>, Refusal> {
    if let Ok(Subject { id, version }) = subject {
        event.subject(id, version);
    }
    if !matches!(parts.method, Method::GET | Method::HEAD | Method::POST) {
        return Err(Refusal::method_not_allowed("GET, HEAD, POST, OPTIONS"));
    }
    let subject = subject.map_err(|_| Code::NotFound)?;
    let query = parts.uri.query().unwrap_or_default();
    negotiation::check(&parts.headers, query)?;

    let mut upload = UploadParameter::default();
    upload.read_query(query)?;
    if parts.method == Method::POST {
        read_parameters(config, &parts, body, &mut upload).await?;
    }
    let target = target(subject, upload.is_requested())?;
    event.access(target.access());

    let request = MintRequest::new(parts, target.clone());
    let terms = config.policy.mint(request).await?;
    let presigned = issue(config, target, terms, event).await?;
    let answer = parameters::answer(&presigned, config.describes_urls);
    Ok(json_response(StatusCode::OK, &answer))
}

/// Makes the URL, when it is settled that the caller may have it.
pub(crate) async fn issue(
    config: &Config,
    target: Target,
    terms: Terms,
    event: &mut RequestEvent,
) -> Result<PresignedUrl, RepositoryError> {
    let target = target.with_context(terms.context.clone());
    let located = config.repository.locate(&target).await?;
    let permission = match target.access() {
        Access::Read => Permission::Read {
            filename: terms.filename.clone(),
            attachment: terms.attachment,
        },
        Access::Write => Permission::Write {
            content_type: located.content_type,
            max_length: Some(terms.max_length.unwrap_or(u64::MAX).min(config.max_upload)),
        },
    };
    let grant = Grant {
        key: located.key,
        permission,
        expires: expiry(config, terms.lifetime),
    };
    // Redirected at each use, the URL is one of ours in any case.
    let offloaded = if config.redirects_to_storage {
        None
    } else {
        config.repository.presign(&grant).await?
    };
    let presigned = offloaded.unwrap_or_else(|| config.signer.sign(&grant));
    event.minted(&grant, &presigned);
    Ok(presigned)
}

fn expiry(config: &Config, lifetime: Option<Duration>) -> u64 {
    let now = unix_seconds(config.now());
    let lifetime = lifetime.unwrap_or(config.default_lifetime).as_secs().max(1);
    let latest = now.saturating_add(config.signer.max_lifetime().as_secs());
    let expires = now.saturating_add(lifetime);
    // Never beyond what a verifier accepts, even if that is no multiple.
    expires
        .checked_next_multiple_of(config.expiry_granularity.as_secs().max(1))
        .unwrap_or(expires)
        .min(latest)
}

fn target(subject: Subject, is_upload: bool) -> Result<Target, Refusal> {
    match (subject.version, is_upload) {
        (None, false) => Ok(Target::new(subject.id, Access::Read)),
        (None, true) => Ok(Target::new(subject.id, Access::Write)),
        (Some(version), false) => Ok(Target::version_of(subject.id, version)),
        (Some(_), true) => Err(Refusal::because(
            Code::InvalidParameter,
            "A past version cannot be written: ask for upload=true on Binary/[id] itself.",
        )),
    }
}

async fn read_parameters(
    config: &Config,
    parts: &Parts,
    body: &mut RequestBody,
    upload: &mut UploadParameter,
) -> Result<(), Refusal> {
    let json = match Limited::new(body, MAX_PARAMETERS).collect().await {
        Ok(collected) => collected.to_bytes(),
        Err(error) if error.is::<LengthLimitError>() => {
            return Err(Refusal::too_large(Some(MAX_PARAMETERS as u64)));
        }
        Err(error) => return Err(classify(error, &config.is_timeout).into()),
    };
    if json.is_empty() {
        return Ok(());
    }
    if let Some(content_type) = parts.headers.get(CONTENT_TYPE)
        && !negotiation::is_json(content_type.to_str().unwrap_or_default())
    {
        return Err(Refusal::because(
            Code::ContentTypeMismatch,
            "The Parameters resource must be JSON, with the Content-Type application/fhir+json.",
        ));
    }
    upload.read_parameters(&json)
}
