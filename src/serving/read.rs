//! `GET` and `HEAD` on a read URL.

use std::time::SystemTime;

use http::header::CONTENT_LENGTH;
use http::request::Parts;
use http::{HeaderValue, Method, Response, StatusCode};

use super::conditional::{self, Validators, Verdict};
use super::redirect::redirect;
use super::{headers, range};
use crate::config::Config;
use crate::outcome::{Code, Refusal};
use crate::response_body::OwnBody;
use crate::store::{BinaryRepository as _, ByteRange};
use crate::url::Grant;

pub(super) async fn read(
    config: &Config,
    grant: &Grant,
    parts: &Parts,
    now: SystemTime,
) -> Result<Response<OwnBody>, Refusal> {
    let request = &parts.headers;
    let is_get = parts.method == Method::GET;
    // Ranges are defined for GET alone, and on HEAD must be ignored (RFC 9110 §14.2).
    let mut ranges = if is_get {
        range::requested(request)
    } else {
        Vec::new()
    };
    let repository = &config.repository;
    let version = grant.key.version();

    // One call of the repository is enough, unless the answer depends on what is there.
    let depends = !is_get
        || conditional::has_preconditions(request)
        || ranges.len() > 1
        || (!ranges.is_empty() && request.contains_key(http::header::IF_RANGE));
    let mut wanted = ranges.first().copied();
    if depends {
        let metadata = repository.head(&grant.key).await?;
        let validators = Validators::new(&version, metadata.last_modified, now);
        match conditional::evaluate(request, true, Some(&validators)) {
            Verdict::Proceed => {}
            Verdict::NotModified => {
                let mut response = Response::new(OwnBody::empty());
                *response.status_mut() = StatusCode::NOT_MODIFIED;
                headers::add(response.headers_mut(), config, grant, &metadata, now);
                headers::retain_for_not_modified(response.headers_mut());
                return Ok(response);
            }
            Verdict::Failed => {
                return Err(Refusal::from(Code::PreconditionFailed).with_entity_tag(&version));
            }
        }
        if !is_get {
            let mut response = Response::new(OwnBody::empty());
            headers::add(response.headers_mut(), config, grant, &metadata, now);
            let length = HeaderValue::from(metadata.length);
            response.headers_mut().insert(CONTENT_LENGTH, length);
            return Ok(response);
        }
        if !conditional::range_applies(request, &validators) {
            ranges.clear();
        }
        wanted = match ranges.as_slice() {
            [] => None,
            [one] => Some(*one),
            several => range::coalesce(several, metadata.length)?,
        };
    }
    if !depends && let Some(response) = redirect(config, grant, request).await? {
        return Ok(response);
    }
    content(config, grant, wanted, now).await
}

async fn content(
    config: &Config,
    grant: &Grant,
    wanted: Option<ByteRange>,
    now: SystemTime,
) -> Result<Response<OwnBody>, Refusal> {
    let content = config.repository.read(&grant.key, wanted).await?;
    let served = content.range();
    let mut response = Response::new(OwnBody::empty());
    let response_headers = response.headers_mut();
    headers::add(response_headers, config, grant, content.metadata(), now);
    let length = HeaderValue::from(served.end.saturating_sub(served.start));
    response_headers.insert(CONTENT_LENGTH, length);
    // Of empty content there is no part that `Content-Range` could name.
    if wanted.is_some() && !served.is_empty() {
        headers::add_content_range(response_headers, &served, content.metadata().length);
        *response.status_mut() = StatusCode::PARTIAL_CONTENT;
    }
    *response.body_mut() = OwnBody::content(content);
    Ok(response)
}
