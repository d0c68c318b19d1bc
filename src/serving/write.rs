//! `PUT` on a write URL.

use std::time::SystemTime;

use http::header::{CACHE_CONTROL, CONTENT_LENGTH, ETAG, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderValue, Response};

use super::Genuine;
use super::digest::Digests;
use super::plan::{Validators, WriteRequest, entity_tag};
use super::redirect::redirect;
use super::repeat;
use super::upload_stream::UploadStream;
use super::usage::rejection;
use crate::config::Serving;
use crate::events::RequestEvent;
use crate::fhir::{NO_STORE, NOSNIFF, Refusal};
use crate::key::BinaryKey;
use crate::refusal::RefusalCode;
use crate::response_body::OwnBody;
use crate::store::{BinaryRepository as _, Metadata, RepositoryError};
use crate::uploads::TooMany;
use crate::url::{Grant, WriteTerms};

/// Stores the body, if it is the content that was granted. As many refusals as possible come before
/// the body is polled: a client that sent `Expect: 100-continue` then need not send its content.
pub(super) async fn write(
    request: Genuine<'_>,
    terms: &WriteTerms,
    event: &mut RequestEvent,
) -> Result<Response<OwnBody>, Refusal> {
    let Genuine {
        serving,
        usage,
        grant,
        body,
        now,
    } = request;
    let (key, headers) = (&grant.key, &usage.parts.headers);
    let length = body.remaining();
    let limit = serving.max_length(terms);
    let request = WriteRequest::new(headers, length);
    request.check(&terms.content_type, limit, serving.allows_empty_uploads)?;
    let digests = Digests::announced(headers)?;
    let announced = digests.announced_sha256();
    if request.has_preconditions() || announced.is_some() {
        let current = current(serving, key).await?;
        check_preconditions(key, &request, current.as_ref(), now)?;
        let sha256 = current.and_then(|current| current.sha256);
        if let (Some(announced), Some(stored)) = (announced, sha256) {
            return repeat::answer(key, announced == stored);
        }
    }
    // Content that is on its way already is taken here. So is content with digests, which the
    // storage may be unable to check.
    if body.expects_continue() && length.is_some() && digests.is_empty() {
        let terms = terms.clone().with_max_length(limit);
        let grant = Grant::new(key.clone(), terms, grant.expires);
        if let Some(response) = redirect(serving, &grant, headers, now).await? {
            return Ok(response);
        }
    }

    let _running = serving
        .uploads
        .begin(key, serving.max_uploads_at_once)
        .map_err(too_many)?;
    let stream = UploadStream {
        body: body.clone(),
        received: 0,
        counter: event.counter(),
        announced: length,
        limit,
        allows_empty: serving.allows_empty_uploads,
        digests,
        of_part: None,
        is_timeout: serving.is_timeout.clone(),
    };
    let content_type = request.content_type(terms.content_type.clone());
    let upload = stream.into_upload(content_type);
    let upload = upload.with_acceptance(usage.acceptance());
    let content = upload.content();
    match serving.repository.write(key, upload).await {
        Ok(_) => {
            usage.stored();
            Ok(stored(key))
        }
        Err(RepositoryError::AlreadyWritten) => {
            repeat::compare(serving, key, content, length).await
        }
        Err(error) => Err(rejection(error)),
    }
}

pub(super) fn too_many(too_many: TooMany) -> Refusal {
    let diagnostics = match too_many {
        TooMany::ToThisVersion => "Two uploads to this version run already.",
        TooMany::InAll => "The server takes no more uploads at once.",
    };
    Refusal::because(RefusalCode::TooManyRequests, diagnostics)
}

/// The answer to an upload that is stored.
pub(super) fn stored(key: &BinaryKey) -> Response<OwnBody> {
    let mut response = Response::new(OwnBody::empty());
    let headers = response.headers_mut();
    headers.insert(ETAG, entity_tag(&key.version()));
    headers.insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
    headers.insert(CACHE_CONTROL, NO_STORE);
    headers.insert(X_CONTENT_TYPE_OPTIONS, NOSNIFF);
    response
}

/// The metadata of the version's content, if there is any.
pub(super) async fn current(
    serving: &Serving,
    key: &BinaryKey,
) -> Result<Option<Metadata>, Refusal> {
    match serving.repository.head(key).await {
        Ok(metadata) => Ok(Some(metadata)),
        Err(RepositoryError::NotFound) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn check_preconditions(
    key: &BinaryKey,
    request: &WriteRequest<'_>,
    current: Option<&Metadata>,
    now: SystemTime,
) -> Result<(), Refusal> {
    let version = key.version();
    let current = current.map(|current| Validators::new(&version, current.last_modified, now));
    if request.preconditions_hold(current.as_ref()) {
        return Ok(());
    }
    let refusal = Refusal::from(RefusalCode::PreconditionFailed);
    Err(match current {
        // RFC 9110 §15.5.13
        Some(_) => refusal.with_header(ETAG, entity_tag(&version)),
        None => refusal,
    })
}
