//! `PUT` on a write URL.

use std::mem;
use std::sync::{Arc, Mutex, PoisonError};

use http::header::{
    CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG,
    X_CONTENT_TYPE_OPTIONS,
};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Response};
use http_body::Body as _;

use super::conditional::{self, Validators, Verdict};
use super::digest::Digests;
use super::redirect::redirect;
use super::upload_stream::UploadStream;
use crate::binary::BinaryKey;
use crate::config::Config;
use crate::content_type::ContentType;
use crate::events::RequestEvent;
use crate::outcome::{Code, NO_STORE, NOSNIFF, Refusal, entity_tag};
use crate::request_body::RequestBody;
use crate::response_body::OwnBody;
use crate::store::{BinaryRepository as _, RepositoryError, Upload};
use crate::url::Grant;

/// Stores the body, if it is what was granted. What can be refused is refused before the body is
/// polled: a client that sent `Expect: 100-continue` is then not told to go on.
pub(super) async fn write(
    config: &Config,
    grant: &Grant,
    content_type: &ContentType,
    limit: u64,
    parts: &Parts,
    body: &mut RequestBody,
    event: &mut RequestEvent,
) -> Result<Response<OwnBody>, Refusal> {
    let (key, headers) = (&grant.key, &parts.headers);
    check_content_headers(headers, content_type)?;
    let digests = Digests::announced(headers)?;
    let length = body.remaining();
    if length.is_some_and(|length| length > limit) {
        return Err(Refusal::too_large(Some(limit)));
    }
    if !config.allows_empty_uploads && (length == Some(0) || body.is_end_stream()) {
        return Err(Code::EmptyBody.into());
    }
    if conditional::has_preconditions(headers) {
        check_preconditions(config, key, headers).await?;
    }
    // Content that is on its way is taken, and what the storage cannot check is not left to it.
    if body.awaits_go_ahead()
        && length.is_some()
        && digests.is_empty()
        && let Some(response) =
            redirect(config, &grant.clone().with_max_length(limit), headers).await?
    {
        return Ok(response);
    }

    let expects_continue = body.awaits_go_ahead();
    let leftover = Arc::new(Mutex::new(RequestBody::default()));
    let stream = UploadStream {
        body: Some(mem::take(body)),
        leftover: Arc::clone(&leftover),
        received: 0,
        counter: event.counter(),
        announced: length,
        limit,
        allows_empty: config.allows_empty_uploads,
        digests,
        is_timeout: config.is_timeout.clone(),
    };
    let mut upload =
        Upload::new(content_type.clone(), stream).with_expects_continue(expects_continue);
    if let Some(length) = length {
        upload = upload.with_length(length);
    }
    if let Err(error) = config.repository.write(key, upload).await {
        *body = mem::take(&mut *leftover.lock().unwrap_or_else(PoisonError::into_inner));
        return Err(match error {
            RepositoryError::AlreadyWritten => Refusal::from(error).with_entity_tag(&key.version()),
            error => error.into(),
        });
    }
    Ok(stored(key))
}

fn stored(key: &BinaryKey) -> Response<OwnBody> {
    let mut response = Response::new(OwnBody::empty());
    let headers = response.headers_mut();
    headers.insert(ETAG, entity_tag(&key.version()));
    headers.insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
    headers.insert(CACHE_CONTROL, NO_STORE);
    headers.insert(X_CONTENT_TYPE_OPTIONS, NOSNIFF);
    response
}

fn check_content_headers(headers: &HeaderMap, granted: &ContentType) -> Result<(), Refusal> {
    // A part of some content must not be stored as the whole (RFC 9110 §14.5).
    if headers.contains_key(CONTENT_RANGE) {
        return Err(Refusal::because(
            Code::InvalidParameter,
            "Content-Range is not supported: send the whole content in one request.",
        ));
    }
    let is_identity = |coding: &HeaderValue| coding.as_bytes().eq_ignore_ascii_case(b"identity");
    if !headers.get_all(CONTENT_ENCODING).iter().all(is_identity) {
        return Err(Refusal::because(
            Code::ContentTypeMismatch,
            "Content-Encoding is not supported: send the content as it is.",
        ));
    }
    let mut content_types = headers.get_all(CONTENT_TYPE).iter();
    let is_granted = match (content_types.next(), content_types.next()) {
        (Some(content_type), None) => content_type
            .to_str()
            .is_ok_and(|content_type| granted.accepts(content_type)),
        _ => false,
    };
    if is_granted {
        Ok(())
    } else {
        Err(Refusal::because(
            Code::ContentTypeMismatch,
            format!("Send the request with the Content-Type {granted}."),
        ))
    }
}

async fn check_preconditions(
    config: &Config,
    key: &BinaryKey,
    headers: &HeaderMap,
) -> Result<(), Refusal> {
    let current = match config.repository.head(key).await {
        Ok(metadata) => Some(Validators::new(
            &key.version(),
            metadata.last_modified,
            config.now(),
        )),
        Err(RepositoryError::NotFound) => None,
        Err(error) => return Err(error.into()),
    };
    match conditional::evaluate(headers, false, current.as_ref()) {
        Verdict::Failed => {
            let refusal = Refusal::from(Code::PreconditionFailed);
            Err(match current {
                Some(_) => refusal.with_entity_tag(&key.version()),
                None => refusal,
            })
        }
        Verdict::Proceed | Verdict::NotModified => Ok(()),
    }
}
