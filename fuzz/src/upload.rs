//! Uploads: what is not stored as a whole is not stored, and only what was granted is.

mod body;

use arbitrary::Arbitrary;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, EXPECT};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Version};
use sha2::{Digest as _, Sha256, Sha512};

use self::body::{Body, Piece};
use crate::support;

const TYPES: [&str; 5] = [
    "image/png",
    "text/plain; charset=utf-8",
    "application/fhir+json",
    "application/x-a; b=\"c d;e\"",
    "application/dicom; transfer-syntax=1.2.840.10008.1.2.4.50",
];

#[derive(Arbitrary, Debug)]
struct Input<'a> {
    granted: u8,
    max_length: Option<u16>,
    server_limit: Option<u16>,
    allows_empty: bool,
    is_written: bool,
    is_http_2: bool,
    expects_continue: bool,
    content_range: bool,
    content_type: AnyType<'a>,
    content_length: AnyLength<'a>,
    content_encoding: Vec<AnyCoding<'a>>,
    digests: Vec<(bool, AnyDigest<'a>)>,
    knows_length: bool,
    pieces: Vec<Piece<'a>>,
}

#[derive(Arbitrary, Debug)]
enum AnyType<'a> {
    Granted,
    UpperCase,
    WithCharset,
    Other(u8),
    Twice,
    Missing,
    Raw(&'a [u8]),
}

#[derive(Arbitrary, Debug)]
enum AnyLength<'a> {
    Right,
    Missing,
    Wrong(u32),
    Raw(&'a [u8]),
}

#[derive(Arbitrary, Debug)]
enum AnyCoding<'a> {
    Identity,
    IdentityUpperCase,
    Gzip,
    Raw(&'a [u8]),
}

#[derive(Arbitrary, Debug)]
enum AnyDigest<'a> {
    Sha256,
    Sha512,
    OfOtherContent(bool),
    Malformed(bool),
    UnknownAlgorithm,
    Raw(&'a [u8]),
}

pub fn run(data: &[u8]) {
    let Some(input) = support::input::<Input>(data) else {
        return;
    };
    let granted = TYPES[usize::from(input.granted) % TYPES.len()];
    let content = body::content(&input.pieces);
    let Some(headers) = input.headers(granted, &content) else {
        return;
    };
    let (repository, key) = support::scan(granted);
    let layer = support::layer(repository).allow_empty_uploads(input.allows_empty);
    let layer = match input.server_limit {
        Some(bytes) => layer.max_upload(bytes.into()),
        None => layer,
    };
    let written = input.written(&content);
    if let Some(written) = &written {
        let layer = layer.clone().max_upload(DEFAULT_LIMIT);
        support::store(&layer, &key, granted, written);
    }
    let mut terms = support::write_terms(granted);
    terms.max_length = input.max_length.map(Into::into);
    let url = support::presigned(&key, terms);
    let body = Body::new(&input.pieces, input.knows_length);
    let mut request = Request::put(url).body(body).unwrap();
    *request.headers_mut() = headers.clone();
    if input.is_http_2 {
        *request.version_mut() = Version::HTTP_2;
    }
    let answer = support::call(&layer, request);

    let reasons = input.reasons(granted, &headers, &content);
    let is_stored = answer.status == 200;
    if is_stored {
        assert!(
            reasons.iter().all(|reason| !reason.is_certain),
            "{input:?} {reasons:?}"
        );
        assert_eq!(answer.header("etag"), Some("\"1\""));
        assert!(answer.body.is_empty());
    } else {
        let code = answer.refusal();
        let is_known = reasons.iter().any(|reason| reason.code == code);
        assert!(is_known, "{code}: {input:?} {reasons:?}");
    }

    let request = support::request(Method::GET, &support::read_url(&key)).unwrap();
    let read = support::call(&layer, request);
    if let Some(written) = written {
        assert_eq!(read.body, written);
    } else if is_stored {
        assert_eq!(read.body, content);
        assert_eq!(read.header("content-type"), Some(granted));
    } else {
        assert_eq!(read.refusal(), "not-found");
    }
}

/// The server's own limit unless it is set: 5 GiB, in bytes.
const DEFAULT_LIMIT: u64 = 5 * 1024 * 1024 * 1024;

/// The reason of a refused upload. Of several reasons, the answer may name any.
#[derive(Debug)]
struct Reason {
    code: &'static str,
    /// Otherwise, it may be one.
    is_certain: bool,
}

impl Input<'_> {
    /// The content that is there already: the same, or other content.
    fn written(&self, content: &[u8]) -> Option<Vec<u8>> {
        let is_same = self.granted >= 0x80 && !content.is_empty();
        self.is_written.then(|| match is_same {
            true => content.to_vec(),
            false => b"what was there".to_vec(),
        })
    }

    fn reasons(&self, granted: &str, headers: &HeaderMap, content: &[u8]) -> Vec<Reason> {
        let mut reasons = Vec::new();
        let written = self.written(content);
        let is_repeat = written.as_deref() == Some(content);
        let mut add = |code, is_certain| reasons.push(Reason { code, is_certain });
        let has = |name| headers.contains_key(name);
        if written.is_some() {
            // Of the same content a part may have come.
            add("already-written", !is_repeat);
        }
        if has(CONTENT_RANGE) {
            add("invalid-parameter", true);
        }
        for coding in headers.get_all(CONTENT_ENCODING) {
            if !coding.as_bytes().eq_ignore_ascii_case(b"identity") {
                add("content-type-mismatch", true);
            }
        }
        match self.content_type {
            AnyType::Granted | AnyType::UpperCase | AnyType::WithCharset => {}
            AnyType::Other(other) if TYPES[usize::from(other) % TYPES.len()] == granted => {}
            AnyType::Raw(_) => add("content-type-mismatch", false),
            _ => add("content-type-mismatch", true),
        }
        for (_, digest) in self.digests.iter().take(4) {
            match digest {
                AnyDigest::OfOtherContent(_) => add("digest-mismatch", true),
                AnyDigest::Malformed(_) => add("invalid-parameter", true),
                AnyDigest::Raw(_) => {
                    add("digest-mismatch", false);
                    add("invalid-parameter", false);
                }
                _ => {}
            }
        }

        let announced = if self.knows_length || self.pieces.is_empty() {
            Some(content.len() as u64)
        } else {
            let header = headers
                .get(CONTENT_LENGTH)
                .and_then(|value| value.to_str().ok());
            header.and_then(|value| value.parse().ok())
        };
        let server_limit = self.server_limit.map_or(DEFAULT_LIMIT, u64::from);
        let limit = self
            .max_length
            .map_or(server_limit, |granted| u64::from(granted).min(server_limit));
        if announced.unwrap_or(0).max(content.len() as u64) > limit {
            add("too-large", true);
        }
        if (announced == Some(0) || content.is_empty()) && !self.allows_empty {
            add("empty-body", true);
        }
        if announced.is_some_and(|announced| announced != content.len() as u64) {
            add("incomplete-body", true);
        }
        match self.pieces.iter().find(|piece| piece.is_error()) {
            Some(Piece::Stall) => add("upload-timeout", true),
            Some(_) => add("incomplete-body", true),
            None => {}
        }
        if is_repeat {
            // With its digest, it is known before its body.
            for reason in &mut reasons {
                reason.is_certain &= reason.code == "content-type-mismatch";
            }
        }
        reasons
    }

    /// `None` if a value cannot be one.
    fn headers(&self, granted: &str, content: &[u8]) -> Option<HeaderMap> {
        let mut headers = HeaderMap::new();
        let mut add = |name: HeaderName, value: &[u8]| {
            headers.append(name, HeaderValue::from_bytes(value).ok()?);
            Some(())
        };
        match self.content_type {
            AnyType::Granted => add(CONTENT_TYPE, granted.as_bytes())?,
            AnyType::UpperCase => add(CONTENT_TYPE, granted.to_ascii_uppercase().as_bytes())?,
            AnyType::WithCharset => {
                add(
                    CONTENT_TYPE,
                    format!("{granted}; charset=utf-8; a=b").as_bytes(),
                )?;
            }
            AnyType::Other(other) => {
                add(
                    CONTENT_TYPE,
                    TYPES[usize::from(other) % TYPES.len()].as_bytes(),
                )?;
            }
            AnyType::Twice => {
                add(CONTENT_TYPE, granted.as_bytes())?;
                add(CONTENT_TYPE, granted.as_bytes())?;
            }
            AnyType::Missing => {}
            AnyType::Raw(raw) => add(CONTENT_TYPE, raw)?,
        }
        match self.content_length {
            AnyLength::Right => add(CONTENT_LENGTH, content.len().to_string().as_bytes())?,
            AnyLength::Missing => {}
            AnyLength::Wrong(length) => add(CONTENT_LENGTH, length.to_string().as_bytes())?,
            AnyLength::Raw(raw) => add(CONTENT_LENGTH, raw)?,
        }
        for coding in self.content_encoding.iter().take(2) {
            let value = match coding {
                AnyCoding::Identity => b"identity",
                AnyCoding::IdentityUpperCase => b"Identity",
                AnyCoding::Gzip => &b"gzip"[..],
                AnyCoding::Raw(raw) => raw,
            };
            add(CONTENT_ENCODING, value)?;
        }
        for (is_repr, digest) in self.digests.iter().take(4) {
            let name = if *is_repr {
                "repr-digest"
            } else {
                "content-digest"
            };
            add(HeaderName::from_static(name), &digest.build(content))?;
        }
        if self.content_range {
            add(CONTENT_RANGE, b"bytes 0-1/2")?;
        }
        if self.expects_continue {
            add(EXPECT, b"100-continue")?;
        }
        Some(headers)
    }
}

impl AnyDigest<'_> {
    fn build(&self, content: &[u8]) -> Vec<u8> {
        let sha256 = |bytes| format!("sha-256=:{}:", STANDARD.encode(Sha256::digest(bytes)));
        let sha512 = |bytes| format!("sha-512=:{}:", STANDARD.encode(Sha512::digest(bytes)));
        let other = [content, b"."].concat();
        let text = match self {
            Self::Sha256 => sha256(content),
            Self::Sha512 => format!("crc32=:AAAA:, {}", sha512(content)),
            Self::OfOtherContent(true) => sha256(&other),
            Self::OfOtherContent(false) => sha512(&other),
            Self::Malformed(true) => sha256(content).replace(':', ""),
            Self::Malformed(false) => sha512(content).replace("-512", "-256"),
            Self::UnknownAlgorithm => "unixsum=:AAAA:".to_owned(),
            Self::Raw(raw) => return raw.to_vec(),
        };
        text.into_bytes()
    }
}
