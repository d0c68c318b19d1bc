//! The headers of a download.

use std::ops::Range;
use std::time::SystemTime;

use http::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_RANGE,
    CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, LAST_MODIFIED, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderMap, HeaderName, HeaderValue};
use mime::Mime;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::conditional::Validators;
use crate::config::Config;
use crate::content_type::parse_media_type;
use crate::filename::Filename;
use crate::outcome::NOSNIFF;
use crate::repository::Metadata;
use crate::url::{Grant, Permission};

/// Content comes from strangers and is served from a trusted origin: whatever it is, it may show
/// itself, and neither run nor load anything.
const CONTENT_POLICY: HeaderValue =
    HeaderValue::from_static("default-src 'none'; style-src 'unsafe-inline'; sandbox");

const CROSS_ORIGIN_RESOURCE_POLICY: HeaderName =
    HeaderName::from_static("cross-origin-resource-policy");
const X_ROBOTS_TAG: HeaderName = HeaderName::from_static("x-robots-tag");

/// The raster formats that browsers show. Not SVG, which is a document with scripts.
const RASTER_IMAGES: [&str; 10] = [
    "apng", "avif", "bmp", "gif", "jpeg", "jxl", "png", "tiff", "webp", "x-icon",
];

/// Characters that RFC 8187 §3.2.1 does not allow unencoded in `filename*`.
const EXTENDED_VALUE: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'!')
    .remove(b'#')
    .remove(b'$')
    .remove(b'&')
    .remove(b'+')
    .remove(b'-')
    .remove(b'.')
    .remove(b'^')
    .remove(b'_')
    .remove(b'`')
    .remove(b'|')
    .remove(b'~');

/// Adds all that is true of the content, whichever part of it is sent.
pub(super) fn add(
    headers: &mut HeaderMap,
    config: &Config,
    grant: &Grant,
    metadata: &Metadata,
    now: SystemTime,
) {
    headers.reserve(16);
    let validators = Validators::new(&grant.key.version(), metadata.last_modified, now);
    // What is not a media type, or not a complete one, could be taken for anything.
    let content_type = parse_media_type(&metadata.content_type)
        .filter(|mime| mime.type_() != mime::STAR && mime.subtype() != mime::STAR);
    let text = match &content_type {
        Some(_) => &metadata.content_type,
        None => mime::APPLICATION_OCTET_STREAM.as_ref(),
    };
    if let Ok(text) = HeaderValue::from_str(text) {
        headers.insert(CONTENT_TYPE, text);
    }
    headers.insert(
        CONTENT_DISPOSITION,
        disposition(&grant.permission, content_type.as_ref()),
    );
    if let Ok(date) = HeaderValue::try_from(httpdate::fmt_http_date(validators.last_modified)) {
        headers.insert(LAST_MODIFIED, date);
    }
    headers.insert(ETAG, validators.entity_tag);
    headers.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    headers.insert(CACHE_CONTROL, cache_control(config, grant, now));
    headers.insert(X_CONTENT_TYPE_OPTIONS, NOSNIFF);
    headers.insert(CONTENT_SECURITY_POLICY, CONTENT_POLICY);
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(
        CROSS_ORIGIN_RESOURCE_POLICY,
        HeaderValue::from_static("cross-origin"),
    );
    headers.insert(X_ROBOTS_TAG, HeaderValue::from_static("none"));
}

/// Leaves out what a 304 should not repeat (RFC 9110 §15.4.5).
pub(super) fn retain_for_not_modified(headers: &mut HeaderMap) {
    for name in [CONTENT_TYPE, CONTENT_LENGTH, CONTENT_DISPOSITION] {
        headers.remove(name);
    }
}

/// `range` is not empty.
pub(super) fn add_content_range(headers: &mut HeaderMap, range: &Range<u64>, length: u64) {
    let value = format!("bytes {}-{}/{length}", range.start, range.end - 1);
    if let Ok(value) = HeaderValue::try_from(value) {
        headers.insert(CONTENT_RANGE, value);
    }
}

/// How long a browser may keep the content: no longer than the URL itself is good for.
fn cache_control(config: &Config, grant: &Grant, now: SystemTime) -> HeaderValue {
    let seconds = grant.remaining(now).as_secs();
    config
        .caches_downloads
        .then(|| HeaderValue::try_from(format!("private, max-age={seconds}")).ok())
        .flatten()
        .unwrap_or(HeaderValue::from_static("private, no-store"))
}

/// `Content-Disposition` (RFC 6266): both forms of the file name, for old clients and new.
fn disposition(permission: &Permission, content_type: Option<&Mime>) -> HeaderValue {
    let (filename, attachment) = match permission {
        Permission::Read {
            filename,
            attachment,
        } => (filename.as_ref(), *attachment),
        Permission::Write { .. } => (None, true),
    };
    let kind = if !attachment && content_type.is_some_and(is_shown_inline) {
        "inline"
    } else {
        "attachment"
    };
    filename
        .and_then(|filename| {
            let plain = plain_filename(filename);
            let extended = utf8_percent_encode(filename.as_str(), EXTENDED_VALUE);
            let value = format!("{kind}; filename=\"{plain}\"; filename*=UTF-8''{extended}");
            HeaderValue::try_from(value).ok()
        })
        .unwrap_or(HeaderValue::from_static(kind))
}

/// What cannot do harm as a page of our origin: raster images, audio, video, PDF and plain text.
fn is_shown_inline(content_type: &Mime) -> bool {
    // `image/png+xml`, if there were such a thing, would be XML.
    if content_type.suffix().is_some() {
        return false;
    }
    let subtype = content_type.subtype();
    match content_type.type_() {
        mime::AUDIO | mime::VIDEO => true,
        mime::IMAGE => RASTER_IMAGES.iter().any(|raster| subtype == *raster),
        _ => matches!(content_type.essence_str(), "application/pdf" | "text/plain"),
    }
}

/// A name in ASCII, without what must be escaped in quotes, and without `%`, which some browsers
/// decode (RFC 6266, appendix D).
fn plain_filename(filename: &Filename) -> String {
    filename
        .as_str()
        .chars()
        .map(|c| match c {
            '"' | '\\' | '%' => '_',
            ' '..='~' => c,
            _ => '_',
        })
        .collect()
}
