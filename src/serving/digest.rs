//! `Content-Digest` and `Repr-Digest` (RFC 9530) of an upload.

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use http::{HeaderMap, HeaderName};
use sha2::{Digest as _, Sha256, Sha512};

use crate::fhir::Refusal;
use crate::refusal::RefusalCode;

/// The two headers. An upload has no content coding, so they say the same.
const HEADERS: [HeaderName; 2] = [
    HeaderName::from_static("content-digest"),
    HeaderName::from_static("repr-digest"),
];

/// Base64 as structured fields have it: padded, though parsers need not insist
/// (RFC 9651 §4.2.7).
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The digests that a request announces, and those of what has arrived so far.
#[derive(Default)]
pub(super) struct Digests {
    sha256: Option<Sha256>,
    sha512: Option<Sha512>,
    announced: Vec<Announced>,
}

enum Announced {
    Sha256(Vec<u8>),
    Sha512(Vec<u8>),
}

impl Digests {
    /// Reads the headers. Other algorithms than sha-256 and sha-512 are not checked.
    pub(super) fn announced(headers: &HeaderMap) -> Result<Self, Refusal> {
        let mut digests = Self::default();
        for value in HEADERS.iter().flat_map(|name| headers.get_all(name)) {
            // A dictionary of byte sequences, in which no comma can be inside of a value.
            for member in value.to_str().unwrap_or_default().split(',') {
                let (algorithm, value) = member.split_once('=').unwrap_or((member, ""));
                match algorithm.trim() {
                    "sha-256" => {
                        digests.sha256.get_or_insert_default();
                        let value = byte_sequence(value, Sha256::output_size())?;
                        digests.announced.push(Announced::Sha256(value));
                    }
                    "sha-512" => {
                        digests.sha512.get_or_insert_default();
                        let value = byte_sequence(value, Sha512::output_size())?;
                        digests.announced.push(Announced::Sha512(value));
                    }
                    _ => {}
                }
            }
        }
        Ok(digests)
    }

    /// Whether none was announced.
    pub(super) fn is_empty(&self) -> bool {
        self.announced.is_empty()
    }

    pub(super) fn update(&mut self, bytes: &[u8]) {
        if let Some(sha256) = &mut self.sha256 {
            sha256.update(bytes);
        }
        if let Some(sha512) = &mut self.sha512 {
            sha512.update(bytes);
        }
    }

    /// Whether what has arrived is what was announced.
    pub(super) fn hold(&self) -> bool {
        let sha256 = self.sha256.clone().map(Sha256::finalize);
        let sha512 = self.sha512.clone().map(Sha512::finalize);
        self.announced.iter().all(|announced| match announced {
            Announced::Sha256(value) => sha256.as_deref() == Some(value.as_slice()),
            Announced::Sha512(value) => sha512.as_deref() == Some(value.as_slice()),
        })
    }
}

/// `:base64:`, possibly with parameters, which mean nothing here.
fn byte_sequence(value: &str, length: usize) -> Result<Vec<u8>, Refusal> {
    value
        .split(';')
        .next()
        .and_then(|value| value.trim().strip_prefix(':')?.strip_suffix(':'))
        .and_then(|base64| BASE64.decode(base64).ok())
        .filter(|digest| digest.len() == length)
        .ok_or_else(|| {
            Refusal::because(
                RefusalCode::InvalidParameter,
                "A digest must be written as in sha-256=:base64:, with the algorithm's length.",
            )
        })
}
