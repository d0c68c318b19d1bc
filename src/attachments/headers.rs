//! The headers of requests and answers: they decide on the scan, and change with URLs.

use std::time::SystemTime;

use http::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, EXPIRES,
    HeaderName, VARY,
};
use http::{HeaderMap, HeaderValue, Method, StatusCode};

use super::scan::Format;
use crate::fhir::NO_STORE;
use crate::url::{Expires, unix_seconds};

/// The headers with a digest of the resource, which is wrong for one with URLs in it.
const DIGESTS: [HeaderName; 4] = [
    HeaderName::from_static("content-digest"),
    HeaderName::from_static("repr-digest"),
    HeaderName::from_static("digest"),
    HeaderName::from_static("content-md5"),
];

/// The format in which an answer is scanned; `None` if it is not.
pub(super) fn format_of_answer(status: StatusCode, headers: &HeaderMap) -> Option<Format> {
    let has_all = status.is_success() && status != StatusCode::PARTIAL_CONTENT;
    let format = has_all.then(|| format(headers))??;
    (format != Format::Patch).then_some(format)
}

/// The format in which a request's body is scanned; `None` if it is not.
pub(super) fn format_of_request(method: &Method, headers: &HeaderMap) -> Option<Format> {
    if !matches!(*method, Method::POST | Method::PUT | Method::PATCH) {
        return None;
    }
    match format(headers)? {
        Format::Patch if *method != Method::PATCH => None,
        // A patch as `Parameters` (<https://hl7.org/fhir/R4/fhirpatch.html>).
        Format::Resource if *method == Method::PATCH => Some(Format::Patch),
        format => Some(format),
    }
}

fn format(headers: &HeaderMap) -> Option<Format> {
    let essence = headers.get(CONTENT_TYPE)?.as_bytes();
    let essence = essence.split(|byte| *byte == b';').next()?.trim_ascii();
    let is = |name: &str| essence.eq_ignore_ascii_case(name.as_bytes());
    let format = if is("application/fhir+json") {
        Format::Resource
    } else if is("application/json") {
        Format::Json
    } else if is("application/fhir+ndjson") {
        Format::Lines
    } else if is("application/json-patch+json") {
        Format::Patch
    } else {
        return None;
    };
    let codings = headers.get_all(CONTENT_ENCODING);
    let mut codings = codings.iter();
    let is_plain = codings.all(|coding| coding.as_bytes().eq_ignore_ascii_case(b"identity"));
    is_plain.then_some(format)
}

/// Changes the head of an answer in which there are URLs, or may be.
///
/// The answer may be kept up to `keep_until`, and not at all if that is `None`. Its `ETag` is the
/// resource's, and stays.
pub(super) fn with_urls(
    headers: &mut HeaderMap,
    length: Option<u64>,
    keep_until: Option<Expires>,
    now: SystemTime,
) {
    match length {
        Some(length) => headers.insert(CONTENT_LENGTH, HeaderValue::from(length)),
        None => headers.remove(CONTENT_LENGTH),
    };
    headers.remove(ACCEPT_RANGES);
    headers.remove(EXPIRES);
    for digest in &DIGESTS {
        headers.remove(digest);
    }
    let seconds = keep_until.and_then(|until| max_age(headers, until, now));
    let Some(seconds) = seconds else {
        headers.insert(CACHE_CONTROL, NO_STORE);
        return;
    };
    let value = HeaderValue::try_from(format!("private, max-age={seconds}"));
    headers.insert(CACHE_CONTROL, value.unwrap_or(NO_STORE));
    // The next to ask in the same browser may be somebody else.
    headers.append(VARY, HeaderValue::from_static("Authorization, Cookie"));
}

/// The seconds for which the answer may be kept: `None` if its own headers forbid it.
fn max_age(headers: &HeaderMap, until: Expires, now: SystemTime) -> Option<u64> {
    let mut left = until.unix_seconds().checked_sub(unix_seconds(now))?;
    for value in headers.get_all(CACHE_CONTROL) {
        for directive in value.to_str().ok()?.split(',') {
            let directive = directive.trim().to_ascii_lowercase();
            match directive.split_once('=') {
                Some(("max-age", seconds)) => {
                    left = left.min(seconds.trim_matches('"').parse().ok()?);
                }
                Some(("no-cache", _)) => return None,
                _ if matches!(&*directive, "no-store" | "no-cache") => return None,
                _ => {}
            }
        }
    }
    Some(left)
}
