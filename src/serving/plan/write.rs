//! `PUT`: the promises of an upload's headers.

use http::header::{CONTENT_ENCODING, CONTENT_RANGE, CONTENT_TYPE, TRANSFER_ENCODING};
use http::{HeaderMap, HeaderValue};

use super::conditions::{self, Validators, Verdict};
use crate::content_type::ContentType;
use crate::fhir::Refusal;
use crate::refusal::RefusalCode;

/// The announcements of a `PUT`.
#[derive(Debug)]
pub struct WriteRequest<'a> {
    headers: &'a HeaderMap,
    /// In bytes, if it is known.
    length: Option<u64>,
}

impl<'a> WriteRequest<'a> {
    /// Reads a request whose content has `length` bytes, if that is known.
    #[must_use]
    pub fn new(headers: &'a HeaderMap, length: Option<u64>) -> Self {
        Self { headers, length }
    }

    /// Refuses an upload whose head shows that it is not the granted one. `limit` is in bytes.
    pub(crate) fn check(
        &self,
        granted: &ContentType,
        limit: u64,
        allows_empty: bool,
    ) -> Result<(), Refusal> {
        self.check_transfer_coding()?;
        self.check_content_headers(granted)?;
        match self.length {
            Some(length) if length > limit => Err(Refusal::too_large(Some(limit))),
            Some(0) if !allows_empty => Err(RefusalCode::EmptyBody.into()),
            _ => Ok(()),
        }
    }

    /// The type to store: the granted one, and the charset that only the client knows.
    pub(crate) fn content_type(&self, granted: ContentType) -> ContentType {
        let sent = self.headers.get(CONTENT_TYPE);
        match sent.and_then(|sent| sent.to_str().ok()) {
            Some(sent) => granted.with_charset_of(sent),
            None => granted,
        }
    }

    /// True if the preconditions depend on the content that is there.
    #[must_use]
    pub fn has_preconditions(&self) -> bool {
        conditions::has_preconditions(self.headers)
    }

    /// True if the preconditions hold, given the content that is there, if any.
    #[must_use]
    pub fn preconditions_hold(&self, current: Option<&Validators>) -> bool {
        conditions::evaluate(self.headers, false, current) != Verdict::Failed
    }

    /// Refuses any coding but `chunked`: a server leaves it on the bytes that it takes for the
    /// content.
    fn check_transfer_coding(&self) -> Result<(), Refusal> {
        let mut codings = self.headers.get_all(TRANSFER_ENCODING).iter();
        let is_chunked = |codings: &HeaderValue| {
            let codings = codings.to_str().unwrap_or_default();
            codings
                .split(',')
                .all(|coding| coding.trim().eq_ignore_ascii_case("chunked"))
        };
        if codings.all(is_chunked) {
            Ok(())
        } else {
            Err(RefusalCode::UnsupportedCoding.into())
        }
    }

    fn check_content_headers(&self, granted: &ContentType) -> Result<(), Refusal> {
        // A part of some content must not be stored as the whole (RFC 9110 §14.5).
        if self.headers.contains_key(CONTENT_RANGE) {
            return Err(Refusal::because(
                RefusalCode::InvalidParameter,
                "Content-Range is not supported: send the whole content in one request.",
            ));
        }
        let is_identity =
            |coding: &HeaderValue| coding.as_bytes().eq_ignore_ascii_case(b"identity");
        if !self
            .headers
            .get_all(CONTENT_ENCODING)
            .iter()
            .all(is_identity)
        {
            return Err(Refusal::because(
                RefusalCode::ContentTypeMismatch,
                "Content-Encoding is not supported: send the content as it is.",
            ));
        }
        let mut content_types = self.headers.get_all(CONTENT_TYPE).iter();
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
                RefusalCode::ContentTypeMismatch,
                format!(
                    "Send the request with the Content-Type {granted}; parameters such as charset \
                     may be added."
                ),
            ))
        }
    }
}
