//! Conditional requests (RFC 9110 §13).

use std::time::{Duration, SystemTime};

use http::header::{IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, IF_UNMODIFIED_SINCE};
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::id::VersionId;
use crate::url::unix_seconds;

/// The facts by which content is compared.
#[derive(Debug, Clone)]
pub struct Validators {
    /// The version, as a strong validator.
    pub entity_tag: HeaderValue,
    /// In whole seconds, not before 1970, and not after now (RFC 9110 §8.8.2.1).
    pub last_modified: SystemTime,
}

/// A version is written once, so its id is a strong validator of its content
/// (RFC 9110 §8.8.1) and, being a FHIR id, needs no escaping.
pub(crate) fn entity_tag(version: &VersionId) -> HeaderValue {
    // Each download has one: `concat` is faster than a formatter.
    HeaderValue::try_from(["\"", version.as_str(), "\""].concat())
        .unwrap_or_else(|_| HeaderValue::from_static("\"\""))
}

/// The verdict of a request's preconditions.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Proceed,
    /// 304, for GET and HEAD alone.
    NotModified,
    /// 412
    Failed,
}

impl Validators {
    /// The validators of a version that was written at `last_modified`, sent at `now`.
    #[must_use]
    pub fn new(version: &VersionId, last_modified: SystemTime, now: SystemTime) -> Self {
        let seconds = unix_seconds(last_modified.min(now));
        Self {
            entity_tag: entity_tag(version),
            last_modified: SystemTime::UNIX_EPOCH + Duration::from_secs(seconds),
        }
    }

    /// True if `header` lists this content's entity tag, or is `*`.
    ///
    /// The tag is a FHIR id in quotes. Neither a comma nor a quote can be inside of it, so no
    /// piece of another tag can be taken for it, however the list is split.
    fn are_listed(&self, headers: &HeaderMap, header: HeaderName, comparison: Comparison) -> bool {
        let is_own = |tag: &[u8]| {
            let tag = tag.trim_ascii();
            let opaque = match comparison {
                Comparison::Weak => tag.strip_prefix(b"W/").unwrap_or(tag),
                Comparison::Strong => tag,
            };
            opaque == self.entity_tag.as_bytes()
        };
        headers.get_all(header).iter().any(|value| {
            let value = value.as_bytes();
            value.trim_ascii() == b"*" || value.split(|byte| *byte == b',').any(is_own)
        })
    }
}

/// RFC 9110 §8.8.3.2. The content's own tag is always strong.
#[derive(Clone, Copy)]
enum Comparison {
    Strong,
    Weak,
}

/// True if the request's outcome depends on the content's state, other than by `If-Range`.
pub(super) fn has_preconditions(headers: &HeaderMap) -> bool {
    [
        IF_MATCH,
        IF_NONE_MATCH,
        IF_MODIFIED_SINCE,
        IF_UNMODIFIED_SINCE,
    ]
    .iter()
    .any(|name| headers.contains_key(name))
}

/// Evaluates the preconditions in the order of RFC 9110 §13.2.2, steps 1 to 4.
///
/// `current` is the content that is there, if any; `is_read` says that the method is GET or HEAD.
pub(super) fn evaluate(
    headers: &HeaderMap,
    is_read: bool,
    current: Option<&Validators>,
) -> Verdict {
    if headers.contains_key(IF_MATCH) {
        if !current.is_some_and(|current| current.are_listed(headers, IF_MATCH, Comparison::Strong))
        {
            return Verdict::Failed;
        }
    } else if let (Some(since), Some(current)) = (date(headers, IF_UNMODIFIED_SINCE), current)
        && current.last_modified > since
    {
        return Verdict::Failed;
    }

    if headers.contains_key(IF_NONE_MATCH) {
        if current
            .is_some_and(|current| current.are_listed(headers, IF_NONE_MATCH, Comparison::Weak))
        {
            return if is_read {
                Verdict::NotModified
            } else {
                Verdict::Failed
            };
        }
    } else if let (true, Some(since), Some(current)) =
        (is_read, date(headers, IF_MODIFIED_SINCE), current)
        && current.last_modified <= since
    {
        return Verdict::NotModified;
    }
    Verdict::Proceed
}

/// Step 5: true unless `If-Range` has `Range` ignored (RFC 9110 §13.1.5).
///
/// A date must be the very one that was sent. It is a strong validator here, since a version never
/// changes.
pub(super) fn range_applies(headers: &HeaderMap, current: &Validators) -> bool {
    let Some(value) = headers.get(IF_RANGE) else {
        return true;
    };
    *value == current.entity_tag || date(headers, IF_RANGE) == Some(current.last_modified)
}

/// A value that is not one date is ignored (RFC 9110 §13.1.3).
fn date(headers: &HeaderMap, name: HeaderName) -> Option<SystemTime> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (Some(value), None) => httpdate::parse_http_date(value.to_str().ok()?).ok(),
        _ => None,
    }
}
