//! The headers of a download.

use std::ops::Range;
use std::time::SystemTime;

use http::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_RANGE, CONTENT_SECURITY_POLICY,
    CONTENT_TYPE, ETAG, LAST_MODIFIED, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderMap, HeaderName, HeaderValue};

use super::digest::{REPR_DIGEST, repr_digest};
use super::plan::Validators;
use crate::content_disposition::content_disposition;
use crate::fhir::NOSNIFF;
use crate::served_type::ServedType;
use crate::store::Metadata;
use crate::url::{Grant, ReadTerms};

pub(super) const CROSS_ORIGIN_EMBEDDER_POLICY: HeaderName =
    HeaderName::from_static("cross-origin-embedder-policy");
pub(super) const CROSS_ORIGIN_RESOURCE_POLICY: HeaderName =
    HeaderName::from_static("cross-origin-resource-policy");
pub(super) const X_ROBOTS_TAG: HeaderName = HeaderName::from_static("x-robots-tag");

/// The facts that decide the headers of a download, besides the content's metadata.
pub(super) struct DownloadHeaders<'a> {
    pub(super) grant: &'a Grant,
    pub(super) terms: &'a ReadTerms,
    /// The client asks for the SHA-256.
    pub(super) wants_digest: bool,
    /// Browsers may keep the download.
    pub(super) is_cached: bool,
    pub(super) now: SystemTime,
}

impl DownloadHeaders<'_> {
    /// Adds the headers that hold for the content, whichever part of it is sent.
    pub(super) fn add(&self, headers: &mut HeaderMap, metadata: &Metadata) {
        headers.reserve(16);
        let version = self.grant.key.version();
        let validators = Validators::new(&version, metadata.last_modified, self.now);
        let served = ServedType::of(&metadata.content_type);
        let served = served.unwrap_or_else(ServedType::unknown);
        if let Ok(text) = HeaderValue::from_str(&served.text) {
            headers.insert(CONTENT_TYPE, text);
        }
        headers.insert(
            CONTENT_DISPOSITION,
            content_disposition(
                &served,
                self.terms.filename.as_ref(),
                self.terms.attachment,
                self.grant.key.id(),
            ),
        );
        if self.wants_digest
            && let Some(value) = metadata.sha256.and_then(repr_digest)
        {
            headers.insert(REPR_DIGEST, value);
        }
        if let Ok(date) = HeaderValue::try_from(httpdate::fmt_http_date(validators.last_modified)) {
            headers.insert(LAST_MODIFIED, date);
        }
        headers.insert(ETAG, validators.entity_tag);
        headers.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
        headers.insert(CACHE_CONTROL, self.cache_control());
        headers.insert(X_CONTENT_TYPE_OPTIONS, NOSNIFF);
        headers.insert(
            CONTENT_SECURITY_POLICY,
            served.kind.content_security_policy(),
        );
        // Without it, a page that is isolated from others cannot have the content in a frame.
        headers.insert(
            CROSS_ORIGIN_EMBEDDER_POLICY,
            HeaderValue::from_static("require-corp"),
        );
        headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
        headers.insert(
            CROSS_ORIGIN_RESOURCE_POLICY,
            HeaderValue::from_static("cross-origin"),
        );
        headers.insert(X_ROBOTS_TAG, HeaderValue::from_static("none"));
    }

    /// Leaves out the headers that a 304 should not repeat (RFC 9110 §15.4.5).
    pub(super) fn add_for_not_modified(&self, headers: &mut HeaderMap, metadata: &Metadata) {
        self.add(headers, metadata);
        for name in [CONTENT_TYPE, CONTENT_DISPOSITION] {
            headers.remove(name);
        }
    }

    /// A browser may keep the content as long as the URL is good, and no longer. Nobody may change
    /// its bytes on the way: its entity tag is strong.
    fn cache_control(&self) -> HeaderValue {
        let seconds = self.grant.expires.remaining(self.now).as_secs();
        self.is_cached
            .then(|| {
                HeaderValue::try_from(format!("private, max-age={seconds}, no-transform")).ok()
            })
            .flatten()
            .unwrap_or(HeaderValue::from_static("private, no-store, no-transform"))
    }
}

/// `range` is not empty.
pub(super) fn add_content_range(headers: &mut HeaderMap, range: &Range<u64>, length: u64) {
    let value = format!("bytes {}-{}/{length}", range.start, range.end - 1);
    if let Ok(value) = HeaderValue::try_from(value) {
        headers.insert(CONTENT_RANGE, value);
    }
}
