//! The digests that an upload announces, in its headers or after its content, and those that a
//! download is asked for.

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use http::header::TRAILER;
use http::{HeaderMap, HeaderName, HeaderValue};
use md5::Md5;
use sha2::{Digest as _, Sha256, Sha512};

use crate::fhir::Refusal;
use crate::refusal::RefusalCode;

pub(super) const REPR_DIGEST: HeaderName = HeaderName::from_static("repr-digest");
const CONTENT_DIGEST: HeaderName = HeaderName::from_static("content-digest");
const DIGEST: HeaderName = HeaderName::from_static("digest");
const CONTENT_MD5: HeaderName = HeaderName::from_static("content-md5");
const AMAZON_SHA256: HeaderName = HeaderName::from_static("x-amz-checksum-sha256");
const WANT_REPR_DIGEST: HeaderName = HeaderName::from_static("want-repr-digest");

/// A header with digests.
struct Field {
    name: HeaderName,
    form: Form,
}

enum Form {
    /// RFC 9530: `sha-256=:base64:, sha-512=:base64:`.
    Structured,
    /// Its predecessor, RFC 3230: `SHA-256=base64`.
    Named,
    /// One digest in base64.
    Bare(Algorithm),
}

/// An upload has no content coding, so all of them say the same.
const FIELDS: [Field; 5] = [
    Field {
        name: CONTENT_DIGEST,
        form: Form::Structured,
    },
    Field {
        name: REPR_DIGEST,
        form: Form::Structured,
    },
    Field {
        name: DIGEST,
        form: Form::Named,
    },
    Field {
        name: CONTENT_MD5,
        form: Form::Bare(Algorithm::Md5),
    },
    Field {
        name: AMAZON_SHA256,
        form: Form::Bare(Algorithm::Sha256),
    },
];

/// Base64 as structured fields have it: padded, though parsers need not insist
/// (RFC 9651 §4.2.7).
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Algorithm {
    Sha256,
    Sha512,
    Md5,
}

impl Algorithm {
    /// None is one that is not checked.
    fn named(name: &str) -> Option<Self> {
        match name {
            "sha-256" => Some(Self::Sha256),
            "sha-512" => Some(Self::Sha512),
            "md5" => Some(Self::Md5),
            _ => None,
        }
    }

    /// In bytes.
    fn length(self) -> usize {
        match self {
            Self::Sha256 => Sha256::output_size(),
            Self::Sha512 => Sha512::output_size(),
            Self::Md5 => Md5::output_size(),
        }
    }
}

/// The digests that a request announces, and those of what has arrived so far.
#[derive(Default)]
pub(super) struct Digests {
    /// Always, since it is kept with the content.
    sha256: Sha256,
    sha512: Option<Sha512>,
    md5: Option<Md5>,
    announced: Vec<(Algorithm, Vec<u8>)>,
    /// More may follow the content.
    expects_trailers: bool,
}

impl Digests {
    /// Reads the headers. Other algorithms than SHA-256, SHA-512 and MD5 are not checked.
    pub(super) fn announced(headers: &HeaderMap) -> Result<Self, Refusal> {
        let mut digests = Self {
            announced: digests(headers)?,
            ..Self::default()
        };
        digests.expects_trailers = headers.get_all(TRAILER).iter().any(|names| {
            let mut names = names.to_str().unwrap_or_default().split(',');
            names.any(|name| {
                let name = name.trim();
                FIELDS
                    .iter()
                    .any(|field| name.eq_ignore_ascii_case(field.name.as_str()))
            })
        });
        if digests.expects_trailers || digests.has(Algorithm::Sha512) {
            digests.sha512 = Some(Sha512::new());
        }
        if digests.expects_trailers || digests.has(Algorithm::Md5) {
            digests.md5 = Some(Md5::new());
        }
        Ok(digests)
    }

    /// Reads what has followed the content. What was not hashed from the beginning is not checked,
    /// since no `Trailer` header had announced it; SHA-256 always is.
    pub(super) fn add_trailers(&mut self, trailers: &HeaderMap) -> Result<(), Refusal> {
        self.announced.append(&mut digests(trailers)?);
        Ok(())
    }

    /// Whether none is announced.
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
        self.sha256.update(bytes);
        if let Some(sha512) = &mut self.sha512 {
            sha512.update(bytes);
        }
        if let Some(md5) = &mut self.md5 {
            md5.update(bytes);
        }
    }

    /// The SHA-256 of what has arrived.
    pub(super) fn sha256(&self) -> [u8; 32] {
        self.sha256.clone().finalize().into()
    }

    /// Whether what has arrived is what was announced.
    pub(super) fn hold(&self) -> bool {
        self.announced
            .iter()
            .all(|(algorithm, announced)| match algorithm {
                Algorithm::Sha256 => self.sha256()[..] == announced[..],
                Algorithm::Sha512 => is_digest(self.sha512.as_ref(), announced),
                Algorithm::Md5 => is_digest(self.md5.as_ref(), announced),
            })
    }
}

/// True as well if nothing was hashed.
fn is_digest<D: sha2::Digest + Clone>(hashed: Option<&D>, announced: &[u8]) -> bool {
    hashed.is_none_or(|hashed| hashed.clone().finalize()[..] == *announced)
}

/// The digests in headers or trailers that can be checked.
fn digests(headers: &HeaderMap) -> Result<Vec<(Algorithm, Vec<u8>)>, Refusal> {
    let mut digests = Vec::new();
    for Field { name, form } in &FIELDS {
        for value in headers.get_all(name) {
            let value = value.to_str().unwrap_or_default();
            if let Form::Bare(algorithm) = *form {
                digests.push((algorithm, decode(value, algorithm)?));
                continue;
            }
            // No comma can be inside of a value.
            for member in value.split(',') {
                let (algorithm, value) = member.split_once('=').unwrap_or((member, ""));
                let (algorithm, base64) = match form {
                    // Possibly with parameters, which mean nothing here.
                    Form::Structured => {
                        let value = value.split(';').next().unwrap_or_default().trim();
                        let value = value.strip_prefix(':').and_then(|v| v.strip_suffix(':'));
                        (algorithm.trim().to_owned(), value.unwrap_or_default())
                    }
                    _ => (algorithm.trim().to_ascii_lowercase(), value),
                };
                if let Some(algorithm) = Algorithm::named(&algorithm) {
                    digests.push((algorithm, decode(base64, algorithm)?));
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
        .ok_or_else(|| {
            Refusal::because(
                RefusalCode::InvalidParameter,
                "A digest must be in base64 and of its algorithm's length: Content-Digest as in \
             sha-256=:base64:, Content-MD5 and x-amz-checksum-sha256 as it is.",
            )
        })
}

/// Whether a download should say its SHA-256 (RFC 9530 §4): `Want-Repr-Digest: sha-256=10`, where
/// 0 stands for "not acceptable".
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
