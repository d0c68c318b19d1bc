//! The operation: any request is answered, as the table of refusals has it, and what an oracle
//! makes of path and `upload` is what comes.

use std::sync::LazyLock;

use arbitrary::Arbitrary;
use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE, HeaderValue};
use http::{Method, Request};
use http_body_util::Full;
use tower_presign::{Access, BinaryId, ContentType, MemoryRepository, PresignLayer};

use crate::common::{Answer, BASE, INNER, at, signer};
use crate::support::{self, NOW};

#[derive(Arbitrary, Debug)]
struct Input<'a> {
    method: AnyMethod<'a>,
    path: Vec<Segment<'a>>,
    operation: OperationName,
    query: Vec<Parameter<'a>>,
    raw_query: &'a str,
    accept: Vec<Accept<'a>>,
    content_type: Option<Accept<'a>>,
    body: Body,
    describes: bool,
}

#[derive(Arbitrary, Debug)]
enum AnyMethod<'a> {
    Get,
    Head,
    Post,
    Put,
    Options,
    Any(&'a [u8]),
}

#[derive(Arbitrary, Debug)]
enum Segment<'a> {
    Base,
    Binary,
    History,
    Storage,
    /// `scan` has content, `new` has none, `gone` is deleted.
    Id(u8),
    Version(u8),
    Any(&'a str),
}

#[derive(Arbitrary, Debug)]
enum OperationName {
    Plain,
    Encoded,
    UnderBinary(bool),
    None,
}

#[derive(Arbitrary, Debug)]
enum Parameter<'a> {
    Upload(UploadValue<'a>),
    Format(&'a str),
    FormatJson(u8),
    Pretty,
    Any(&'a str, &'a str),
}

#[derive(Arbitrary, Debug)]
enum UploadValue<'a> {
    True,
    False,
    Escaped,
    Neither(u8),
    Any(&'a str),
}

#[derive(Arbitrary, Debug)]
enum Accept<'a> {
    Known(u8),
    Any(&'a [u8]),
}

#[derive(Arbitrary, Debug)]
enum Body {
    None,
    Uploads(Vec<bool>),
    NoJson,
}

const MEDIA_TYPES: [&str; 10] = [
    "application/fhir+json",
    "application/json",
    "*/*",
    "application/fhir+xml",
    "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
    "application/*;q=0",
    "application/fhir+json;q=0, */*",
    "application/fhir+json; fhirVersion=4.0; charset=utf-8",
    "text/json",
    "image/png",
];

static LAYER: LazyLock<PresignLayer> = LazyLock::new(|| {
    let repository = MemoryRepository::new();
    let png = || ContentType::new("image/png").unwrap();
    let id = |text| BinaryId::new(text).unwrap();
    let scan = repository.create(id("scan"), png()).unwrap();
    repository.create(id("new"), png()).unwrap();
    repository.create(id("gone"), png()).unwrap();
    repository.delete(id("gone")).unwrap();
    let layer = support::layer(repository);
    support::store(&layer, &scan, "image/png", b"content");
    layer
});

const PAGE: &str = "text/html; charset=utf-8";

pub fn run(data: &[u8]) {
    let Some(input) = support::input::<Input>(data) else {
        return;
    };
    let Some(request) = input.request() else {
        return;
    };
    let (method, uri) = (request.method().clone(), request.uri().clone());
    let layer = LAYER.clone().describe_urls(input.describes);
    let answer = support::call(&layer, request);
    assert_ne!(answer.status, 500, "{answer:?}");

    let query = uri.query().unwrap_or_default();
    match input.expected(&method, uri.path(), query) {
        Expected::Inner => assert_eq!(answer.status, INNER, "{uri}"),
        Expected::Storage if method == Method::OPTIONS => assert_eq!(answer.status, 204),
        _ if method == Method::HEAD => {
            assert!(answer.body.is_empty());
            // As GET, but for the content.
            let get = support::call(&layer, input.request_with(Method::GET).unwrap());
            assert_eq!(
                (answer.status, answer.headers),
                (get.status, get.headers),
                "{uri}"
            );
        }
        // The page for people.
        Expected::Storage if answer.header(CONTENT_TYPE) == Some(PAGE) => {
            assert_eq!(answer.status, 403);
            assert!(answer.text().contains("-signature"), "{uri}");
        }
        Expected::Storage => {
            let code = answer.refusal();
            assert!(
                code == "missing-signature" || code == "invalid-signature",
                "{uri}: {code}"
            );
        }
        Expected::Refusal(code) => input.check_refusal(&answer, query, code),
        Expected::Url(access) => {
            if answer.status == 200 {
                check_url(&answer, access, input.describes);
            } else {
                input.check_refusal(&answer, query, "");
            }
        }
    }
}

/// True if a guard that compares paths may take this segment for another one.
fn has_other_spelling(segment: &str) -> bool {
    let escapes = segment
        .match_indices('%')
        .map(|(start, _)| &segment[start + 1..]);
    let is_letter = |rest: &str| match rest.as_bytes() {
        [high, low, ..] => {
            let digit = |byte: u8| char::from(byte).to_digit(16);
            let (Some(high), Some(low)) = (digit(*high), digit(*low)) else {
                return true;
            };
            char::from_u32(high * 16 + low).is_some_and(|c| c.is_ascii_alphanumeric())
        }
        _ => true,
    };
    ["", ".", ".."].contains(&segment) || escapes.into_iter().any(is_letter)
}

enum Expected {
    Inner,
    Storage,
    Refusal(&'static str),
    Url(Access),
}

/// `{"resourceType":"Parameters","parameter":[{"name":"url","valueUri":"https://…"}]}`, and a URL
/// that works.
fn check_url(answer: &Answer, access: Access, describes: bool) {
    answer.assert_own_json();
    let url = answer.url();
    if !describes {
        let whole = format!(
            r#"{{"resourceType":"Parameters","parameter":[{{"name":"url","valueUri":"{url}"}}]}}"#
        );
        assert_eq!(answer.body, whole);
    }
    let target = url.strip_prefix(BASE).unwrap();
    let grant = signer().verifier().verify(target, at(NOW)).unwrap();
    assert_eq!(grant.access(), access, "{url}");
}

impl Input<'_> {
    fn check_refusal(&self, answer: &Answer, query: &str, expected: &str) {
        let code = answer.refusal();
        // Only who asks for a format can be told that there is no such.
        let asks = !self.accept.is_empty() || decoded(query).any(|(name, _)| name == b"_format");
        let is_negotiated = code == "not-acceptable" && asks;
        let is_mistyped = code == "content-type-mismatch"
            && self.content_type.is_some()
            && !matches!(self.body, Body::None);
        assert!(
            code == expected || is_negotiated || is_mistyped,
            "{expected}: {answer:?}"
        );
    }

    fn expected(&self, method: &Method, path: &str, query: &str) -> Expected {
        let segments: Vec<_> = path.split('/').skip(1).collect();
        if segments[0] == "binary" {
            return Expected::Storage;
        }
        let (base, id, version) = match segments[..] {
            [
                ref base @ ..,
                "Binary",
                id,
                "_history",
                version,
                "$presigned-url" | "%24presigned-url",
            ] => (base, id, Some(version)),
            [
                ref base @ ..,
                "Binary",
                id,
                "$presigned-url" | "%24presigned-url",
            ] => (base, id, None),
            _ => return Expected::Inner,
        };
        if *method == Method::OPTIONS || base.iter().any(|segment| has_other_spelling(segment)) {
            return Expected::Inner;
        }
        if ![Method::GET, Method::HEAD, Method::POST].contains(method) {
            return Expected::Refusal("method-not-allowed");
        }
        let is_fhir_id = |id: &str| BinaryId::new(id).is_ok();
        if !is_fhir_id(id) || version.is_some_and(|version| !is_fhir_id(version)) {
            return Expected::Refusal("not-found");
        }
        let Some(is_upload) = self.is_upload(query, *method == Method::POST) else {
            return Expected::Refusal("invalid-parameter");
        };
        match (id, version, is_upload) {
            (_, Some(_), true) => Expected::Refusal("invalid-parameter"),
            ("gone", _, _) => Expected::Refusal("deleted"),
            ("scan" | "new", None, true) => Expected::Url(Access::Write),
            ("scan" | "new", None | Some("1"), false) => Expected::Url(Access::Read),
            _ => Expected::Refusal("not-found"),
        }
    }

    /// `None` if it is neither.
    fn is_upload(&self, query: &str, has_body: bool) -> Option<bool> {
        let mut values = Vec::new();
        for (_, value) in decoded(query).filter(|(name, _)| name == b"upload") {
            values.push(match &*value {
                b"true" => true,
                b"false" => false,
                _ => return None,
            });
        }
        match &self.body {
            Body::Uploads(uploads) if has_body => values.extend(uploads),
            Body::NoJson if has_body => return None,
            _ => {}
        }
        match values[..] {
            [] => Some(false),
            [value] => Some(value),
            _ => None,
        }
    }

    fn request(&self) -> Option<Request<Full<Bytes>>> {
        self.request_with(match self.method {
            AnyMethod::Get => Method::GET,
            AnyMethod::Head => Method::HEAD,
            AnyMethod::Post => Method::POST,
            AnyMethod::Put => Method::PUT,
            AnyMethod::Options => Method::OPTIONS,
            AnyMethod::Any(name) => Method::from_bytes(name).ok()?,
        })
    }

    fn request_with(&self, method: Method) -> Option<Request<Full<Bytes>>> {
        let mut target = String::new();
        for segment in self.path.iter().take(12) {
            target.push('/');
            match segment {
                Segment::Base => target.push_str("fhir/R4"),
                Segment::Binary => target.push_str("Binary"),
                Segment::History => target.push_str("_history"),
                Segment::Storage => target.push_str("binary"),
                Segment::Id(id) => {
                    target.push_str(["scan", "new", "gone", "none"][usize::from(id % 4)])
                }
                Segment::Version(version) => target.push_str(&version.to_string()),
                Segment::Any(text) => target.push_str(text),
            }
        }
        target.push_str(match self.operation {
            OperationName::Plain => "/$presigned-url",
            OperationName::Encoded => "/%24presigned-url",
            OperationName::UnderBinary(false) => "/Binary/scan/$presigned-url",
            OperationName::UnderBinary(true) => "/Binary/scan/_history/1/$presigned-url",
            OperationName::None => "/",
        });
        target.push('?');
        for parameter in self.query.iter().take(6) {
            target.push_str(&parameter.build());
            target.push('&');
        }
        target.push_str(self.raw_query);

        let json = |upload: &bool| format!(r#"{{"name":"upload","valueBoolean":{upload}}}"#);
        let body = match &self.body {
            Body::None => String::new(),
            Body::NoJson => "upload=true".to_owned(),
            Body::Uploads(uploads) => {
                let uploads: Vec<_> = uploads.iter().map(json).collect();
                let uploads = uploads.join(",");
                format!(r#"{{"resourceType":"Parameters","parameter":[{uploads}]}}"#)
            }
        };
        let mut request = Request::builder().method(method).uri(target);
        for accept in self.accept.iter().take(3) {
            request = request.header(ACCEPT, accept.build()?);
        }
        if let Some(content_type) = &self.content_type {
            request = request.header(CONTENT_TYPE, content_type.build()?);
        }
        request.body(Full::from(body)).ok()
    }
}

impl Parameter<'_> {
    fn build(&self) -> String {
        match self {
            Self::Upload(UploadValue::True) => "upload=true".to_owned(),
            Self::Upload(UploadValue::False) => "upload=false".to_owned(),
            Self::Upload(UploadValue::Escaped) => "%75pload=tru%65".to_owned(),
            Self::Upload(UploadValue::Neither(which)) => {
                let values = ["", "1", "0", "TRUE", "yes", "true+", "tru%C3%A9"];
                format!("upload={}", values[usize::from(*which) % values.len()])
            }
            Self::Upload(UploadValue::Any(value)) => format!("upload={value}"),
            Self::Format(format) => format!("_format={format}"),
            Self::FormatJson(which) => {
                let known = MEDIA_TYPES[usize::from(*which) % MEDIA_TYPES.len()];
                format!("_format={}", known.replace([' ', ';'], "+"))
            }
            Self::Pretty => "_pretty=true".to_owned(),
            Self::Any(name, value) => format!("{name}={value}"),
        }
    }
}

impl Accept<'_> {
    fn build(&self) -> Option<HeaderValue> {
        match self {
            Self::Known(which) => {
                let known = MEDIA_TYPES[usize::from(*which) % MEDIA_TYPES.len()];
                Some(HeaderValue::from_static(known))
            }
            Self::Any(bytes) => HeaderValue::from_bytes(bytes).ok(),
        }
    }
}

fn decoded(query: &str) -> impl Iterator<Item = (Vec<u8>, Vec<u8>)> {
    query.split('&').map(|parameter| {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        (decode(name), decode(value))
    })
}

/// `application/x-www-form-urlencoded`: of `%` only with two hexadecimal digits is something made.
fn decode(text: &str) -> Vec<u8> {
    let mut decoded = Vec::new();
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        let hex = after
            .get(..2)
            .filter(|hex| hex.iter().all(u8::is_ascii_hexdigit));
        let hex = hex.and_then(|hex| str::from_utf8(hex).ok());
        match (first, hex) {
            (b'%', Some(hex)) => {
                decoded.extend(u8::from_str_radix(hex, 16));
                rest = &after[2..];
                continue;
            }
            (b'+', _) => decoded.push(b' '),
            _ => decoded.push(*first),
        }
        rest = after;
    }
    decoded
}
