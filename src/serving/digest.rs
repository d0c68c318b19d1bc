//! The digests that an upload announces, in its headers or after its content, and those that a
//! download is asked for.

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use http::header::TRAILER;
use http::{HeaderMap, HeaderName, HeaderValue};
use serde::{Deserialize, Serialize};

use super::hashes::{Algorithm, Hashes};
use crate::fhir::Refusal;
use crate::refusal::RefusalCode;

pub(super) const REPR_DIGEST: HeaderName = HeaderName::from_static("repr-digest");
const CONTENT_DIGEST: HeaderName = HeaderName::from_static("content-digest");
const DIGEST: HeaderName = HeaderName::from_static("digest");
const CONTENT_MD5: HeaderName = HeaderName::from_static("content-md5");
const AMAZON_SHA256: HeaderName = HeaderName::from_static("x-amz-checksum-sha256");
const UPLOAD_CHECKSUM: HeaderName = HeaderName::from_static("upload-checksum");
const WANT_REPR_DIGEST: HeaderName = HeaderName::from_static("want-repr-digest");

/// A header with digests.
struct Field {
    name: HeaderName,
    form: Form,
    covers: Covers,
}

enum Form {
    /// RFC 9530: `sha-256=:base64:, sha-512=:base64:`.
    Structured,
    /// Its predecessor, RFC 3230: `SHA-256=base64`.
    Named,
    /// One digest in base64.
    Bare(Algorithm),
    /// tus: `sha1 base64`.
    Spaced,
}

/// The scope of a digest. Both scopes are the same for an upload in one request, which has no
/// content coding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Covers {
    /// All of the content.
    Whole,
    /// The body of the request.
    Body,
}

static FIELDS: [Field; 6] = [
    field(CONTENT_DIGEST, Form::Structured, Covers::Body),
    field(REPR_DIGEST, Form::Structured, Covers::Whole),
    field(DIGEST, Form::Named, Covers::Body),
    field(CONTENT_MD5, Form::Bare(Algorithm::Md5), Covers::Body),
    field(AMAZON_SHA256, Form::Bare(Algorithm::Sha256), Covers::Body),
    field(UPLOAD_CHECKSUM, Form::Spaced, Covers::Body),
];

const fn field(name: HeaderName, form: Form, covers: Covers) -> Field {
    Field { name, form, covers }
}

/// Base64 as structured fields have it: padded, though parsers need not insist
/// (RFC 9651 §4.2.7).
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// `None` for an algorithm that is not checked.
fn algorithm_named(name: &str) -> Option<Algorithm> {
    match name {
        "sha-256" | "sha256" => Some(Algorithm::Sha256),
        "sha-512" | "sha512" => Some(Algorithm::Sha512),
        "sha" | "sha1" => Some(Algorithm::Sha1),
        "md5" => Some(Algorithm::Md5),
        _ => None,
    }
}

/// The digests that a request announces, and those of the bytes that have arrived so far.
pub(super) struct Digests {
    hashes: Hashes,
    is_wanted: fn(Covers) -> bool,
    announced: Vec<(Algorithm, Vec<u8>)>,
    /// More may follow the content.
    expects_trailers: bool,
}

/// Digests as they are kept with a resumable upload.
#[derive(Serialize, Deserialize)]
pub(super) struct SavedDigests {
    states: Vec<(Algorithm, String)>,
    announced: Vec<(Algorithm, String)>,
}

impl Digests {
    /// Reads the headers of an upload in one request. Other algorithms than SHA-256, SHA-512, SHA-1
    /// and MD5 are not checked.
    pub(super) fn announced(headers: &HeaderMap) -> Result<Self, Refusal> {
        let mut digests = Self::of(headers, |_| true)?;
        // It is kept with the content.
        digests.hashes.begin(Algorithm::Sha256);
        Ok(digests)
    }

    /// Reads the digests of all of a resumable upload from the headers.
    pub(super) fn of_whole(headers: &HeaderMap) -> Result<Self, Refusal> {
        let mut digests = Self::of(headers, is_whole)?;
        digests.hashes.begin(Algorithm::Sha256);
        Ok(digests)
    }

    /// Reads the digests of one part of a resumable upload from the headers.
    pub(super) fn of_part(headers: &HeaderMap) -> Result<Self, Refusal> {
        Self::of(headers, |covers| covers == Covers::Body)
    }

    fn of(headers: &HeaderMap, is_wanted: fn(Covers) -> bool) -> Result<Self, Refusal> {
        let mut digests = Self {
            hashes: Hashes::default(),
            is_wanted,
            announced: digests(headers, is_wanted)?,
            expects_trailers: false,
        };
        digests.expects_trailers = headers.get_all(TRAILER).iter().any(|names| {
            let mut names = names.to_str().unwrap_or_default().split(',');
            names.any(|name| {
                let name = name.trim();
                FIELDS.iter().any(|field| {
                    is_wanted(field.covers) && name.eq_ignore_ascii_case(field.name.as_str())
                })
            })
        });
        for algorithm in [
            Algorithm::Sha256,
            Algorithm::Sha512,
            Algorithm::Sha1,
            Algorithm::Md5,
        ] {
            if digests.expects_trailers || digests.has(algorithm) {
                digests.hashes.begin(algorithm);
            }
        }
        Ok(digests)
    }

    /// Reads the digests that follow the content, or stand in the head of a later part. An
    /// algorithm that was not hashed from the beginning is not checked, since no `Trailer` header
    /// had announced it. The SHA-256 of the whole is always checked.
    pub(super) fn add(&mut self, headers: &HeaderMap) -> Result<(), Refusal> {
        self.announced
            .append(&mut digests(headers, self.is_wanted)?);
        Ok(())
    }

    /// True if none is announced.
    pub(super) fn is_empty(&self) -> bool {
        self.announced.is_empty() && !self.expects_trailers
    }

    /// The SHA-256 that is announced.
    pub(super) fn announced_sha256(&self) -> Option<[u8; 32]> {
        let is_sha256 = |(algorithm, _): &&(Algorithm, _)| *algorithm == Algorithm::Sha256;
        let (_, value) = self.announced.iter().find(is_sha256)?;
        value.as_slice().try_into().ok()
    }

    fn has(&self, algorithm: Algorithm) -> bool {
        self.announced
            .iter()
            .any(|(announced, _)| *announced == algorithm)
    }

    pub(super) fn update(&mut self, bytes: &[u8]) {
        self.hashes.update(bytes);
    }

    /// The SHA-256 of the bytes that have arrived, of an upload as a whole.
    pub(super) fn sha256(&self) -> [u8; 32] {
        let sha256 = self.hashes.digest(Algorithm::Sha256);
        sha256
            .and_then(|sha256| sha256.try_into().ok())
            .unwrap_or_default()
    }

    /// True if the bytes that have arrived have the announced digests. A digest that was not hashed
    /// from the beginning counts as right.
    pub(super) fn hold(&self) -> bool {
        self.announced.iter().all(|(algorithm, announced)| {
            let digest = self.hashes.digest(*algorithm);
            digest.is_none_or(|digest| digest == *announced)
        })
    }

    pub(super) fn save(&self) -> SavedDigests {
        let encode = |(algorithm, bytes): (Algorithm, Vec<u8>)| (algorithm, BASE64.encode(bytes));
        SavedDigests {
            states: self.hashes.save().into_iter().map(encode).collect(),
            announced: self.announced.iter().cloned().map(encode).collect(),
        }
    }

    /// `None` if [`save`](Self::save) did not make them.
    pub(super) fn restore(saved: SavedDigests) -> Option<Self> {
        let decode = |saved: Vec<(Algorithm, String)>| {
            let decode = |(algorithm, text)| Some((algorithm, BASE64.decode(text).ok()?));
            saved.into_iter().map(decode).collect::<Option<Vec<_>>>()
        };
        Some(Self {
            hashes: Hashes::restore(&decode(saved.states)?)?,
            is_wanted: is_whole,
            announced: decode(saved.announced)?,
            expects_trailers: false,
        })
    }
}

fn is_whole(covers: Covers) -> bool {
    covers == Covers::Whole
}

/// The digests in headers or trailers that can be checked.
fn digests(
    headers: &HeaderMap,
    is_wanted: fn(Covers) -> bool,
) -> Result<Vec<(Algorithm, Vec<u8>)>, Refusal> {
    let mut digests = Vec::new();
    let wanted = FIELDS.iter().filter(|field| is_wanted(field.covers));
    for Field { name, form, .. } in wanted {
        for value in headers.get_all(name) {
            let value = value.to_str().unwrap_or_default();
            if let Form::Bare(algorithm) = *form {
                digests.push((algorithm, decode(value, algorithm)?));
                continue;
            }
            // No comma can be inside of a value.
            for member in value.split(',') {
                let separator = match form {
                    Form::Spaced => ' ',
                    _ => '=',
                };
                let (algorithm, value) = member.split_once(separator).unwrap_or((member, ""));
                let (algorithm, base64) = match form {
                    // Possibly with parameters, which mean nothing here.
                    Form::Structured => {
                        let value = value.split(';').next().unwrap_or_default().trim();
                        let value = value.strip_prefix(':').and_then(|v| v.strip_suffix(':'));
                        (algorithm.trim().to_owned(), value.unwrap_or_default())
                    }
                    _ => (algorithm.trim().to_ascii_lowercase(), value),
                };
                match algorithm_named(&algorithm) {
                    Some(algorithm) => digests.push((algorithm, decode(base64, algorithm)?)),
                    // tus requires a refusal.
                    None if matches!(form, Form::Spaced) => return Err(invalid_digest()),
                    None => {}
                }
            }
        }
    }
    Ok(digests)
}

fn decode(base64: &str, algorithm: Algorithm) -> Result<Vec<u8>, Refusal> {
    let decoded = BASE64.decode(base64.trim()).ok();
    decoded
        .filter(|digest| digest.len() == algorithm.length())
        .ok_or_else(invalid_digest)
}

fn invalid_digest() -> Refusal {
    Refusal::because(
        RefusalCode::InvalidParameter,
        "A digest must be in base64 and of its algorithm's length: Content-Digest as in \
         sha-256=:base64:, Content-MD5 and x-amz-checksum-sha256 as it is, Upload-Checksum as in \
         sha1 base64.",
    )
}

/// True if the client asks for the SHA-256 of a download (RFC 9530 §4):
/// `Want-Repr-Digest: sha-256=10`. A value of 0 stands for "not acceptable".
pub(super) fn is_sha256_wanted(headers: &HeaderMap) -> bool {
    headers.get_all(WANT_REPR_DIGEST).iter().any(|value| {
        let mut members = value.to_str().unwrap_or_default().split(',');
        members.any(|member| match member.trim().split_once('=') {
            Some(("sha-256", preference)) => matches!(preference.parse(), Ok(1_u8..=10)),
            _ => false,
        })
    })
}

/// The value of `Repr-Digest`.
pub(super) fn repr_digest(sha256: [u8; 32]) -> Option<HeaderValue> {
    HeaderValue::try_from(format!("sha-256=:{}:", BASE64.encode(sha256))).ok()
}
