//! The storage path: a presigned URL in, content out or in.

mod conditional;
mod digest;
mod headers;
mod range;
mod read;
mod redirect;
mod upload_stream;
mod write;

use http::header::ALLOW;
use http::request::Parts;
use http::{HeaderValue, Method, Response, StatusCode};

use crate::config::Config;
use crate::events::RequestEvent;
use crate::outcome::{Code, Refusal};
use crate::policy::RedeemRequest;
use crate::request_body::RequestBody;
use crate::response_body::OwnBody;
use crate::url::{Access, Permission, VerifyError};

/// Answers a request to the storage path.
pub(crate) async fn serve(
    config: &Config,
    parts: &Parts,
    body: &mut RequestBody,
    event: &mut RequestEvent,
) -> Result<Response<OwnBody>, Refusal> {
    if parts.method == Method::OPTIONS {
        return Ok(options());
    }
    let target = parts
        .uri
        .path_and_query()
        .and_then(|target| target.as_str().strip_prefix(&*config.storage_path))
        .unwrap_or_default();
    let now = config.now();
    let grant = config.signer.authenticate(target)?;
    event.granted(&grant, target);
    config.signer.check(&grant, &parts.method, now)?;
    config
        .policy
        .redeem(RedeemRequest::new(parts, &grant))
        .await?;
    match &grant.permission {
        Permission::Read { .. } => read::read(config, &grant, parts, now).await,
        Permission::Write {
            content_type,
            max_length,
        } => {
            let limit = max_length.unwrap_or(u64::MAX).min(config.max_upload);
            write::write(config, &grant, content_type, limit, parts, body, event).await
        }
    }
}

/// What a URL allows depends on its signature, and a preflight need not have one: this is all
/// that any URL may allow.
fn options() -> Response<OwnBody> {
    let mut response = Response::new(OwnBody::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    let allow = HeaderValue::from_static("GET, HEAD, PUT, OPTIONS");
    response.headers_mut().insert(ALLOW, allow);
    response
}

impl From<VerifyError> for Refusal {
    fn from(error: VerifyError) -> Self {
        match error {
            VerifyError::MissingSignature => Code::MissingSignature.into(),
            VerifyError::InvalidSignature => Code::InvalidSignature.into(),
            VerifyError::Expired => Code::Expired.into(),
            VerifyError::LifetimeTooLong => Code::LifetimeTooLong.into(),
            VerifyError::MethodNotAllowed { granted } => Self::method_not_allowed(match granted {
                Access::Read => "GET, HEAD, OPTIONS",
                Access::Write => "PUT, OPTIONS",
            }),
        }
    }
}
