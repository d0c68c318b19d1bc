//! Resumable uploads: reads requests in either of two protocols, and checks that they fit the
//! upload as it is.
//!
//! The protocols are [tus 1.0](https://tus.io/protocols/resumable-upload), whose requests carry
//! `Tus-Resumable`, and the IETF's draft-ietf-httpbis-resumable-upload, interop version 8, whose
//! requests carry `Upload-Complete`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName, HeaderValue, Method};

use crate::fhir::Refusal;
use crate::refusal::RefusalCode;

pub(crate) const TUS_RESUMABLE: HeaderName = HeaderName::from_static("tus-resumable");
pub(crate) const TUS_VERSION: HeaderName = HeaderName::from_static("tus-version");
pub(crate) const UPLOAD_COMPLETE: HeaderName = HeaderName::from_static("upload-complete");
pub(crate) const UPLOAD_DEFER_LENGTH: HeaderName = HeaderName::from_static("upload-defer-length");
pub(crate) const UPLOAD_LENGTH: HeaderName = HeaderName::from_static("upload-length");
pub(crate) const UPLOAD_METADATA: HeaderName = HeaderName::from_static("upload-metadata");
pub(crate) const UPLOAD_OFFSET: HeaderName = HeaderName::from_static("upload-offset");
const UPLOAD_CONCAT: HeaderName = HeaderName::from_static("upload-concat");
const METHOD_OVERRIDE: HeaderName = HeaderName::from_static("x-http-method-override");

/// The one version of tus that there is.
pub(crate) const TUS: HeaderValue = HeaderValue::from_static("1.0.0");

const TUS_PART: &str = "application/offset+octet-stream";
const DRAFT_PART: &str = "application/partial-upload";

/// The protocol of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// tus 1.0.
    Tus,
    /// The IETF's draft.
    Draft,
}

impl Dialect {
    /// The protocol that a request speaks, if it speaks either.
    #[must_use]
    pub fn of(headers: &HeaderMap) -> Option<Self> {
        if headers.contains_key(TUS_RESUMABLE) {
            Some(Self::Tus)
        } else {
            headers.contains_key(UPLOAD_COMPLETE).then_some(Self::Draft)
        }
    }

    /// Refuses any version of tus but the one there is.
    pub(crate) fn check_version(headers: &HeaderMap) -> Result<(), Refusal> {
        match headers.get(TUS_RESUMABLE) {
            Some(version) if version != TUS => {
                let refusal = Refusal::because(
                    RefusalCode::PreconditionFailed,
                    "The only version of tus that is spoken is 1.0.0.",
                );
                Err(refusal.with_header(TUS_VERSION, TUS))
            }
            _ => Ok(()),
        }
    }
}

/// The method that counts: tus lets clients name in a header the method that their environment
/// cannot send.
pub(crate) fn method(method: &Method, headers: &HeaderMap) -> Method {
    let named = headers.get(METHOD_OVERRIDE).map(HeaderValue::as_bytes);
    match named {
        Some(named) if *method == Method::POST && Dialect::of(headers) == Some(Dialect::Tus) => {
            Method::from_bytes(named).unwrap_or(Method::POST)
        }
        _ => method.clone(),
    }
}

/// A request to a write URL that begins a resumable upload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Creation {
    /// The protocol.
    pub dialect: Dialect,
    /// In bytes, if it is known.
    pub length: Option<u64>,
    /// All of the content comes with this request.
    pub is_complete: bool,
}

impl Creation {
    /// Reads the head of a request whose body has `remaining` bytes, if that is known. `None` if it
    /// is about an upload in one request.
    pub(crate) fn of(
        method: &Method,
        headers: &HeaderMap,
        remaining: Option<u64>,
    ) -> Result<Option<Self>, Refusal> {
        let announced = length(headers)?;
        let creation = match Dialect::of(headers) {
            Some(Dialect::Tus) if *method == Method::POST => {
                check_tus_creation(headers, announced)?;
                Self {
                    dialect: Dialect::Tus,
                    length: announced,
                    is_complete: false,
                }
            }
            None | Some(Dialect::Tus) => return Ok(None),
            Some(Dialect::Draft) => {
                // With any other value the header is ignored (RFC 9651 §3.3.6).
                let Some(is_complete) = boolean(headers, &UPLOAD_COMPLETE) else {
                    return Ok(None);
                };
                let of_body = remaining.filter(|_| is_complete);
                Self {
                    dialect: Dialect::Draft,
                    length: agreed(announced, of_body)?,
                    is_complete,
                }
            }
        };
        Ok(Some(creation))
    }
}

/// A request to the URL of a resumable upload that brings a part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Append {
    /// The protocol.
    pub dialect: Dialect,
    /// The position at which the part begins, in bytes.
    pub offset: u64,
    /// The length of the whole, in bytes, if the request says it.
    pub length: Option<u64>,
    /// Nothing comes after this part. In tus the length alone shows it.
    pub is_last: bool,
}

impl Append {
    /// Reads the head of a request whose body has `remaining` bytes, if that is known.
    pub(crate) fn of(headers: &HeaderMap, remaining: Option<u64>) -> Result<Self, Refusal> {
        let dialect = Dialect::of(headers).unwrap_or(Dialect::Draft);
        let expected = match dialect {
            Dialect::Tus => TUS_PART,
            Dialect::Draft => DRAFT_PART,
        };
        let content_type = headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes);
        if !content_type.is_some_and(|is| is.eq_ignore_ascii_case(expected.as_bytes())) {
            return Err(Refusal::because(
                RefusalCode::ContentTypeMismatch,
                format!("Send the part with the Content-Type {expected}."),
            ));
        }
        let offset = integer(headers, &UPLOAD_OFFSET)
            .ok_or_else(|| invalid("A part needs an Upload-Offset: where it begins, in bytes."))?;
        let is_last = match dialect {
            Dialect::Tus => false,
            Dialect::Draft => boolean(headers, &UPLOAD_COMPLETE)
                .ok_or_else(|| invalid("A part needs an Upload-Complete: ?1 if it is the last."))?,
        };
        let end = remaining.filter(|_| is_last);
        let end = end.and_then(|remaining| offset.checked_add(remaining));
        Ok(Self {
            dialect,
            offset,
            length: agreed(length(headers)?, end)?,
            is_last,
        })
    }

    /// The length of the whole, given the one that was known before, if any.
    pub(crate) fn agreed_length(&self, known: Option<u64>) -> Result<Option<u64>, Refusal> {
        agreed(known, self.length)
    }
}

/// The media type that a tus client names, if any: in base64, under one of the names that clients
/// use.
pub(crate) fn tus_content_type(headers: &HeaderMap) -> Option<String> {
    let metadata = headers.get(UPLOAD_METADATA)?.to_str().ok()?;
    let pairs = metadata
        .split(',')
        .filter_map(|pair| pair.trim().split_once(' '));
    let mut types = pairs.filter(|(name, _)| matches!(*name, "filetype" | "contentType" | "type"));
    let (_, value) = types.next()?;
    let value = STANDARD.decode(value.trim()).ok()?;
    String::from_utf8(value)
        .ok()
        .filter(|text| !text.is_empty())
}

fn check_tus_creation(headers: &HeaderMap, length: Option<u64>) -> Result<(), Refusal> {
    // The extension is not announced, and clients use it nevertheless.
    if headers.contains_key(UPLOAD_CONCAT) {
        return Err(invalid(
            "Uploads are not put together from others: send the content as one upload.",
        ));
    }
    match headers.get(UPLOAD_DEFER_LENGTH) {
        None if length.is_none() => Err(invalid(
            "An upload begins with an Upload-Length, or with Upload-Defer-Length: 1.",
        )),
        Some(deferred) if deferred != "1" => Err(invalid("Upload-Defer-Length has one value: 1.")),
        Some(_) if length.is_some() => Err(invalid(
            "Upload-Length and Upload-Defer-Length exclude each other.",
        )),
        _ => Ok(()),
    }
}

fn length(headers: &HeaderMap) -> Result<Option<u64>, Refusal> {
    let length = integer(headers, &UPLOAD_LENGTH);
    if length.is_none() && headers.contains_key(UPLOAD_LENGTH) {
        return Err(invalid("Upload-Length is a number of bytes."));
    }
    Ok(length)
}

/// Two lengths that must be the same, where both are known.
fn agreed(one: Option<u64>, other: Option<u64>) -> Result<Option<u64>, Refusal> {
    match (one, other) {
        (Some(one), Some(other)) if one != other => Err(inconsistent_length()),
        (one, other) => Ok(one.or(other)),
    }
}

fn inconsistent_length() -> Refusal {
    invalid("The lengths that the upload was said to have are not the same.").with_problem(
        serde_json::json!({
            "type": "https://iana.org/assignments/http-problem-types#inconsistent-upload-length",
            "title": "inconsistent length values for upload",
        }),
    )
}

/// The refusal of a part that begins at `provided`, while the upload is at `expected`.
pub(crate) fn offset_mismatch(expected: u64, provided: u64) -> Refusal {
    Refusal::from(RefusalCode::OffsetMismatch)
        .with_header(UPLOAD_OFFSET, expected.into())
        .with_header(UPLOAD_COMPLETE, HeaderValue::from_static("?0"))
        .with_problem(serde_json::json!({
            "type": "https://iana.org/assignments/http-problem-types#mismatching-upload-offset",
            "title": "offset from request does not match offset of resource",
            "expected-offset": expected,
            "provided-offset": provided,
        }))
}

fn invalid(diagnostics: &'static str) -> Refusal {
    Refusal::because(RefusalCode::InvalidParameter, diagnostics)
}

/// A header's Integer that is not negative (RFC 9651 §3.3.1).
fn integer(headers: &HeaderMap, name: &HeaderName) -> Option<u64> {
    let text = item(headers, name)?;
    let is_integer = (1..=15).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    text.parse().ok().filter(|_| is_integer)
}

/// A header's Boolean (RFC 9651 §3.3.6).
fn boolean(headers: &HeaderMap, name: &HeaderName) -> Option<bool> {
    match item(headers, name)? {
        "?1" => Some(true),
        "?0" => Some(false),
        _ => None,
    }
}

/// A header's Item, without parameters (RFC 9651 §3.3).
fn item<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return None;
    };
    let text = value.to_str().ok()?;
    Some(text.split(';').next().unwrap_or_default().trim())
}
