//! `GET` and `HEAD`: conditions, ranges, and the answers to them.

use http::header::IF_RANGE;
use http::{HeaderMap, HeaderValue, Method};

use super::conditions::{self, Validators, Verdict, entity_tag};
use super::ranges;
use crate::id::VersionId;
use crate::store::ByteRange;

/// The conditions and ranges of a `GET` or `HEAD`.
#[derive(Debug)]
pub struct ReadRequest<'a> {
    headers: &'a HeaderMap,
    is_get: bool,
    /// Empty for the whole content.
    ranges: Vec<ByteRange>,
}

/// The first question to the repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Opening {
    /// The content or a part of it: no more is needed, whatever is there.
    Content(Option<ByteRange>),
    /// The metadata, on which the answer depends: then [`ReadRequest::decide`].
    Metadata,
}

/// The answer to a request, given the content that is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// The content, or a part of it.
    Content(Option<ByteRange>),
    /// 200 without the content, to `HEAD`.
    Head,
    /// 304
    NotModified,
    /// 412
    PreconditionFailed,
    /// 416
    RangeNotSatisfiable,
}

impl<'a> ReadRequest<'a> {
    /// Reads a request.
    #[must_use]
    pub fn new(method: &Method, headers: &'a HeaderMap) -> Self {
        let is_get = method == Method::GET;
        // Ranges are defined for GET alone, and on HEAD must be ignored (RFC 9110 §14.2).
        let ranges = if is_get {
            ranges::requested(headers)
        } else {
            Vec::new()
        };
        Self {
            headers,
            is_get,
            ranges,
        }
    }

    pub(crate) fn is_head(&self) -> bool {
        !self.is_get
    }

    /// The first question to the repository, which may be the only one. `version` is the one that
    /// the URL names.
    #[must_use]
    pub fn opening(&self, version: &VersionId) -> Opening {
        if !self.is_get || conditions::has_preconditions(self.headers) {
            return Opening::Metadata;
        }
        let is_current = |tag: &HeaderValue| *tag == entity_tag(version);
        match (&*self.ranges, self.headers.get(IF_RANGE)) {
            ([], _) => Opening::Content(None),
            ([one], None) => Opening::Content(Some(*one)),
            ([one], Some(tag)) if is_current(tag) => Opening::Content(Some(*one)),
            // Several ranges may be one in the end, or too many.
            (_, Some(tag)) if is_current(tag) => Opening::Metadata,
            // Another tag. A value without quotes is a date.
            (_, Some(tag)) if tag.as_bytes().contains(&b'"') => Opening::Content(None),
            _ => Opening::Metadata,
        }
    }

    /// Decides, given that content of `length` bytes is there.
    #[must_use]
    pub fn decide(&self, current: &Validators, length: u64) -> Decision {
        match conditions::evaluate(self.headers, true, Some(current)) {
            Verdict::NotModified => return Decision::NotModified,
            Verdict::Failed => return Decision::PreconditionFailed,
            Verdict::Proceed if !self.is_get => return Decision::Head,
            Verdict::Proceed => {}
        }
        if !conditions::range_applies(self.headers, current) {
            return Decision::Content(None);
        }
        match *self.ranges {
            [] => Decision::Content(None),
            [one] => Decision::Content(Some(one)),
            ref several => match ranges::coalesce(several, length) {
                Ok(range) => Decision::Content(range),
                Err(()) => Decision::RangeNotSatisfiable,
            },
        }
    }
}
