//! The answers about a resumable upload, in the protocol of the request.

use std::time::{Duration, SystemTime};

use http::header::{CACHE_CONTROL, CONTENT_LENGTH, LOCATION, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderName, HeaderValue, Response, StatusCode};

use crate::fhir::{NO_STORE, NOSNIFF};
use crate::refusal::RefusalCode;
use crate::response_body::OwnBody;
use crate::serving::plan::{
    Dialect, TUS, TUS_RESUMABLE, TUS_VERSION, UPLOAD_COMPLETE, UPLOAD_DEFER_LENGTH, UPLOAD_LENGTH,
    UPLOAD_OFFSET,
};
use crate::url::Expires;

const UPLOAD_EXPIRES: HeaderName = HeaderName::from_static("upload-expires");
pub(super) const UPLOAD_LIMIT: HeaderName = HeaderName::from_static("upload-limit");
const TUS_EXTENSION: HeaderName = HeaderName::from_static("tus-extension");
const TUS_MAX_SIZE: HeaderName = HeaderName::from_static("tus-max-size");
const TUS_CHECKSUM_ALGORITHM: HeaderName = HeaderName::from_static("tus-checksum-algorithm");

const EXTENSIONS: &str =
    "creation,creation-with-upload,creation-defer-length,expiration,checksum,termination";
const CHECKSUMS: &str = "sha1,sha256,sha512,md5";

/// tus's own status for a digest that is wrong.
const CHECKSUM_MISMATCH: u16 = 460;

/// The facts that the holder of a resumable upload's URL may know.
#[derive(Debug, Clone, Copy)]
pub(super) struct Facts {
    pub(super) dialect: Dialect,
    /// In bytes.
    pub(super) offset: u64,
    /// Of the whole, in bytes, if it is known.
    pub(super) length: Option<u64>,
    pub(super) is_complete: bool,
    pub(super) limits: Limits,
}

/// The bounds of a resumable upload.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// In bytes.
    pub(super) max_length: u64,
    pub(super) expires: Expires,
    pub(super) now: SystemTime,
}

impl Limits {
    /// `Upload-Limit`: `max-age` is in seconds from now.
    pub(super) fn text(&self) -> String {
        let now = Expires::at(self.now).unix_seconds();
        let max_age = self.expires.unix_seconds().saturating_sub(now);
        limits(self.max_length, max_age)
    }

    pub(super) fn value(&self) -> HeaderValue {
        text(self.text())
    }
}

/// The largest number that a structured field can have (RFC 9651 §3.3.1).
const MAX_INTEGER: u64 = 999_999_999_999_999;

fn limits(max_length: u64, max_age: u64) -> String {
    let max_length = max_length.min(MAX_INTEGER);
    format!("max-size={max_length}, max-age={max_age}")
}

/// 201: the upload has begun, and `location` is its URL.
pub(super) fn created(location: &str, facts: &Facts) -> Response<OwnBody> {
    let mut response = about(StatusCode::CREATED, facts);
    locate(&mut response, location);
    response
}

/// Adds the URL of an upload that was complete as soon as it had begun.
pub(super) fn locate<B>(response: &mut Response<B>, location: &str) {
    *response.status_mut() = StatusCode::CREATED;
    let headers = response.headers_mut();
    headers.insert(LOCATION, text(location.to_owned()));
    headers.insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
}

/// 204: a part has been appended, and more are to come.
pub(super) fn appended(facts: &Facts) -> Response<OwnBody> {
    about(StatusCode::NO_CONTENT, facts)
}

/// The progress of the upload.
pub(super) fn progress(facts: &Facts) -> Response<OwnBody> {
    let mut response = about(StatusCode::OK, facts);
    let headers = response.headers_mut();
    match facts.length {
        Some(length) => headers.insert(UPLOAD_LENGTH, length.into()),
        None if facts.dialect == Dialect::Tus => {
            headers.insert(UPLOAD_DEFER_LENGTH, HeaderValue::from_static("1"))
        }
        None => None,
    };
    headers.insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
    response
}

/// The answer to the last part: that of an upload in one request, and the upload's progress.
pub(super) fn completed(stored: Response<OwnBody>, facts: &Facts) -> Response<OwnBody> {
    let mut response = stored;
    if facts.dialect == Dialect::Tus {
        *response.status_mut() = StatusCode::NO_CONTENT;
        response.headers_mut().remove(CONTENT_LENGTH);
    }
    describe(&mut response, facts);
    response
}

/// 204: nothing is left of the upload.
pub(super) fn abandoned() -> Response<OwnBody> {
    let mut response = Response::new(OwnBody::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    response
}

fn about(status: StatusCode, facts: &Facts) -> Response<OwnBody> {
    let mut response = Response::new(OwnBody::empty());
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, NO_STORE);
    headers.insert(X_CONTENT_TYPE_OPTIONS, NOSNIFF);
    describe(&mut response, facts);
    response
}

fn describe<B>(response: &mut Response<B>, facts: &Facts) {
    let headers = response.headers_mut();
    headers.insert(UPLOAD_OFFSET, facts.offset.into());
    match facts.dialect {
        Dialect::Draft => {
            let is_complete = if facts.is_complete { "?1" } else { "?0" };
            headers.insert(UPLOAD_COMPLETE, HeaderValue::from_static(is_complete));
            headers.insert(UPLOAD_LIMIT, facts.limits.value());
        }
        Dialect::Tus if !facts.is_complete => {
            let seconds = Duration::from_secs(facts.limits.expires.unix_seconds());
            let expires = SystemTime::UNIX_EPOCH.checked_add(seconds);
            let expires = httpdate::fmt_http_date(expires.unwrap_or(SystemTime::UNIX_EPOCH));
            headers.insert(UPLOAD_EXPIRES, text(expires));
        }
        Dialect::Tus => {}
    }
}

/// Adds the server's capabilities to the answer to `OPTIONS`. `max_length` is in bytes.
pub(in crate::serving) fn announce<B>(
    response: &mut Response<B>,
    max_length: u64,
    lifetime: Duration,
) {
    let headers = response.headers_mut();
    headers.insert(TUS_VERSION, TUS);
    headers.insert(TUS_RESUMABLE, TUS);
    headers.insert(TUS_EXTENSION, HeaderValue::from_static(EXTENSIONS));
    headers.insert(TUS_CHECKSUM_ALGORITHM, HeaderValue::from_static(CHECKSUMS));
    headers.insert(TUS_MAX_SIZE, max_length.into());
    headers.insert(UPLOAD_LIMIT, text(limits(max_length, lifetime.as_secs())));
}

/// Completes any answer to a request of tus.
pub(crate) fn finish_tus<B>(response: &mut Response<B>) {
    response.headers_mut().insert(TUS_RESUMABLE, TUS);
    let is_mismatch = response.extensions().get() == Some(&RefusalCode::DigestMismatch);
    if is_mismatch && let Ok(status) = StatusCode::from_u16(CHECKSUM_MISMATCH) {
        *response.status_mut() = status;
    }
}

/// Every text that goes into a header here is ASCII.
fn text(text: String) -> HeaderValue {
    HeaderValue::try_from(text).unwrap_or_else(|_| HeaderValue::from_static(""))
}
