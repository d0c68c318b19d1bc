//! `GET` and `HEAD` on a read URL.

use std::time::SystemTime;

use http::header::{CONTENT_LENGTH, ETAG, IF_RANGE};
use http::request::Parts;
use http::{HeaderValue, Response, StatusCode};

use super::digest::is_sha256_wanted;
use super::headers::DownloadHeaders;
use super::plan::{Decision, Opening, ReadRequest, Validators, entity_tag};
use super::redirect::redirect;
use crate::config::Serving;
use crate::fhir::Refusal;
use crate::refusal::RefusalCode;
use crate::response_body::OwnBody;
use crate::store::{BinaryRepository, ByteRange, Metadata};
use crate::url::{Grant, ReadTerms};

pub(super) async fn read(
    serving: &Serving,
    grant: &Grant,
    terms: &ReadTerms,
    parts: &Parts,
    now: SystemTime,
) -> Result<Response<OwnBody>, Refusal> {
    let headers = DownloadHeaders {
        grant,
        terms,
        wants_digest: is_sha256_wanted(&parts.headers),
        is_cached: serving.caches_downloads && !terms.once,
        now,
    };
    let request = ReadRequest::new(&parts.method, &parts.headers);
    // Only the layer itself knows its own entity tags, and the URLs for one download that have been
    // used.
    if serving.redirects_to_storage
        && !terms.once
        && !parts.headers.contains_key(IF_RANGE)
        && matches!(request.opening(&grant.key.version()), Opening::Content(_))
        && let Some(response) = Box::pin(redirect(serving, grant, &parts.headers, now)).await?
    {
        return Ok(response);
    }
    answer(&serving.repository, &headers, &request).await
}

/// Answers from the repository, as the request's conditions and range decide.
pub(super) async fn answer<R: BinaryRepository>(
    repository: &R,
    headers: &DownloadHeaders<'_>,
    request: &ReadRequest<'_>,
) -> Result<Response<OwnBody>, Refusal> {
    let key = &headers.grant.key;
    let version = key.version();
    let range = match request.opening(&version) {
        Opening::Content(range) => range,
        Opening::Metadata => {
            let metadata = repository.head(key).await?;
            let current = Validators::new(&version, metadata.last_modified, headers.now);
            match request.decide(&current, metadata.length) {
                Decision::Content(range) => range,
                Decision::Head => return Ok(head(headers, &metadata)),
                Decision::NotModified => return Ok(not_modified(headers, request, &metadata)),
                Decision::PreconditionFailed => {
                    let refusal = Refusal::from(RefusalCode::PreconditionFailed);
                    return Err(refusal.with_header(ETAG, entity_tag(&version)));
                }
                Decision::RangeNotSatisfiable => {
                    return Err(Refusal::range_not_satisfiable(metadata.length));
                }
            }
        }
    };
    content(repository, headers, range).await
}

fn head(headers: &DownloadHeaders<'_>, metadata: &Metadata) -> Response<OwnBody> {
    let mut response = Response::new(OwnBody::empty());
    headers.add(response.headers_mut(), metadata);
    let length = HeaderValue::from(metadata.length);
    response.headers_mut().insert(CONTENT_LENGTH, length);
    response
}

fn not_modified(
    headers: &DownloadHeaders<'_>,
    request: &ReadRequest<'_>,
    metadata: &Metadata,
) -> Response<OwnBody> {
    let mut response = Response::new(OwnBody::empty());
    *response.status_mut() = StatusCode::NOT_MODIFIED;
    headers.add_for_not_modified(response.headers_mut(), metadata);
    // Without it, a server answers HEAD as if the content were empty (RFC 9110 §8.6).
    if request.is_head() {
        let length = HeaderValue::from(metadata.length);
        response.headers_mut().insert(CONTENT_LENGTH, length);
    }
    response
}

async fn content<R: BinaryRepository>(
    repository: &R,
    headers: &DownloadHeaders<'_>,
    range: Option<ByteRange>,
) -> Result<Response<OwnBody>, Refusal> {
    let content = repository.read(&headers.grant.key, range).await?;
    let served = content.range();
    let mut response = Response::new(OwnBody::empty());
    headers.add(response.headers_mut(), content.metadata());
    let length = HeaderValue::from(served.end.saturating_sub(served.start));
    response.headers_mut().insert(CONTENT_LENGTH, length);
    // Of empty content there is no part that `Content-Range` could name.
    if range.is_some() && !served.is_empty() {
        let length = content.metadata().length;
        super::headers::add_content_range(response.headers_mut(), &served, length);
        *response.status_mut() = StatusCode::PARTIAL_CONTENT;
    }
    *response.body_mut() = OwnBody::content(content);
    Ok(response)
}
