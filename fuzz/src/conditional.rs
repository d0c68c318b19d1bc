//! Preconditions, against an oracle of RFC 9110 §13.2.2.

use std::time::SystemTime;

use arbitrary::Arbitrary;
use bytes::Bytes;
use http::header::{
    CONTENT_TYPE, HeaderName, HeaderValue, IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH,
    IF_UNMODIFIED_SINCE,
};
use http::{HeaderMap, Method, Request};
use http_body_util::Full;

use crate::common::at;
use crate::support::{self, NOW};

const TYPE: &str = "image/png";
const CONTENT: &[u8] = b"content";

/// The entity tag, without quotes, of the only version there is.
const VERSION: &str = "1";

#[derive(Arbitrary, Debug)]
struct Input<'a> {
    method: AnyMethod,
    exists: bool,
    if_match: Vec<Tags<'a>>,
    if_none_match: Vec<Tags<'a>>,
    if_modified_since: Vec<Date<'a>>,
    if_unmodified_since: Vec<Date<'a>>,
}

#[derive(Arbitrary, Debug, Clone, Copy, PartialEq)]
enum AnyMethod {
    Get,
    Head,
    Put,
}

#[derive(Arbitrary, Debug)]
enum Tags<'a> {
    Any,
    List(Vec<Tag<'a>>),
    Raw(&'a [u8]),
}

#[derive(Arbitrary, Debug)]
enum Tag<'a> {
    Own,
    Weak,
    Other(&'a [u8]),
    /// The own one in the middle of another.
    Around(&'a [u8]),
}

#[derive(Arbitrary, Debug)]
enum Date<'a> {
    Imf(i8),
    Rfc850(i8),
    Asctime(i8),
    Raw(&'a [u8]),
}

pub fn run(data: &[u8]) {
    let Some(input) = support::input::<Input>(data) else {
        return;
    };
    let Some(headers) = input.headers() else {
        return;
    };
    let (repository, key) = support::scan(TYPE);
    let layer = support::layer(repository);
    if input.exists {
        support::store(&layer, &key, TYPE, CONTENT);
    }
    let (method, url) = match input.method {
        AnyMethod::Get => (Method::GET, support::read_url(&key)),
        AnyMethod::Head => (Method::HEAD, support::read_url(&key)),
        AnyMethod::Put => (Method::PUT, support::write_url(&key, TYPE)),
    };
    let is_upload = input.method == AnyMethod::Put;
    let body = Full::new(Bytes::from_static(if is_upload { b"new" } else { b"" }));
    let mut request = Request::builder()
        .method(method)
        .uri(url)
        .body(body)
        .unwrap();
    *request.headers_mut() = headers.clone();
    request
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static(TYPE));

    let answer = support::call(&layer, request);
    let status = answer.status.as_u16();
    let Some(expected) = expected(&input, &headers) else {
        // Some list is no list of entity tags, of which HTTP says nothing.
        let possible: &[u16] = if is_upload {
            &[200, 412]
        } else {
            &[200, 304, 404, 412]
        };
        assert!(possible.contains(&status), "{headers:?}: {answer:?}");
        return;
    };
    assert_eq!(status, expected, "{input:?} {headers:?} {answer:?}");

    if status < 400 || (status == 412 && input.exists) {
        assert_eq!(answer.header("etag"), Some("\"1\""));
    }
    match status {
        304 => {
            assert!(answer.body.is_empty());
            let forbidden = ["content-type", "content-range", "content-disposition"];
            assert!(
                forbidden.iter().all(|name| answer.header(*name).is_none()),
                "{answer:?}"
            );
        }
        200 if input.method == AnyMethod::Get => assert_eq!(answer.body, CONTENT),
        200 => assert!(answer.body.is_empty()),
        _ if input.method == AnyMethod::Head => assert!(answer.body.is_empty()),
        _ => drop(answer.refusal()),
    }
    let request = support::request(Method::GET, &support::read_url(&key)).unwrap();
    let content = support::call(&layer, request);
    match (input.exists, is_upload && status == 200) {
        (true, _) => assert_eq!(content.body, CONTENT),
        (false, true) => assert_eq!(content.body, b"new"[..]),
        (false, false) => assert_eq!(content.status, 404),
    }
}

/// `None` if a list is malformed on which the answer depends.
fn expected(input: &Input, headers: &HeaderMap) -> Option<u16> {
    let is_upload = input.method == AnyMethod::Put;
    if !is_upload && !input.exists {
        return Some(404);
    }
    let otherwise = match (is_upload, input.exists) {
        (true, true) => 412,
        _ => 200,
    };
    // Step 1, or else 2.
    if headers.contains_key(IF_MATCH) {
        if !matches(headers, IF_MATCH, input.exists, false)? {
            return Some(412);
        }
    } else if let Some(date) = date(headers, IF_UNMODIFIED_SINCE)
        && input.exists
        && date < at(NOW)
    {
        return Some(412);
    }
    // Step 3, or else 4.
    if headers.contains_key(IF_NONE_MATCH) {
        if matches(headers, IF_NONE_MATCH, input.exists, true)? {
            return Some(if is_upload { 412 } else { 304 });
        }
    } else if let Some(date) = date(headers, IF_MODIFIED_SINCE)
        && !is_upload
        && date >= at(NOW)
    {
        return Some(304);
    }
    Some(otherwise)
}

/// True if the content's tag is listed; `None` if this is no list of tags.
fn matches(headers: &HeaderMap, name: HeaderName, exists: bool, is_weak: bool) -> Option<bool> {
    let lines: Vec<_> = headers
        .get_all(name)
        .iter()
        .map(HeaderValue::as_bytes)
        .collect();
    if lines.len() == 1 && lines[0].trim_ascii() == b"*" {
        return Some(exists);
    }
    let mut is_listed = false;
    let mut rest = &lines.join(&b", "[..])[..];
    loop {
        let start = rest.iter().position(|byte| !b", \t".contains(byte));
        let Some(start) = start else {
            return Some(exists && is_listed);
        };
        let (weak, quoted) = match rest[start..].strip_prefix(b"W/") {
            Some(quoted) => (true, quoted),
            None => (false, &rest[start..]),
        };
        let opaque = quoted.strip_prefix(b"\"")?;
        let end = opaque.iter().position(|byte| *byte == b'"')?;
        let is_tag_byte =
            |byte: &u8| *byte == 0x21 || (0x23..=0x7E).contains(byte) || *byte >= 0x80;
        let (opaque, after) = (&opaque[..end], &opaque[end + 1..]);
        if !opaque.iter().all(is_tag_byte) {
            return None;
        }
        is_listed |= opaque == VERSION.as_bytes() && (is_weak || !weak);
        let after = after.trim_ascii_start();
        if !after.is_empty() && !after.starts_with(b",") {
            return None;
        }
        rest = after;
    }
}

/// A list of dates, or what is not one, is ignored.
fn date(headers: &HeaderMap, name: HeaderName) -> Option<SystemTime> {
    let values: Vec<_> = headers.get_all(name).iter().collect();
    let [value] = values[..] else {
        return None;
    };
    httpdate::parse_http_date(value.to_str().ok()?).ok()
}

impl Input<'_> {
    /// `None` if a value cannot be one.
    fn headers(&self) -> Option<HeaderMap> {
        let mut headers = HeaderMap::new();
        let tags = [
            (IF_MATCH, &self.if_match),
            (IF_NONE_MATCH, &self.if_none_match),
        ];
        for (name, values) in tags {
            for value in values.iter().take(3) {
                headers.append(&name, HeaderValue::from_bytes(&value.build()).ok()?);
            }
        }
        let dates = [
            (IF_MODIFIED_SINCE, &self.if_modified_since),
            (IF_UNMODIFIED_SINCE, &self.if_unmodified_since),
        ];
        for (name, values) in dates {
            for value in values.iter().take(2) {
                headers.append(&name, HeaderValue::from_bytes(&value.build()).ok()?);
            }
        }
        Some(headers)
    }
}

impl Tags<'_> {
    fn build(&self) -> Vec<u8> {
        match self {
            Self::Any => b"*".to_vec(),
            Self::List(tags) => {
                let tags: Vec<_> = tags.iter().map(Tag::build).collect();
                tags.join(&b", "[..])
            }
            Self::Raw(raw) => raw.to_vec(),
        }
    }
}

impl Tag<'_> {
    fn build(&self) -> Vec<u8> {
        match self {
            Self::Own => b"\"1\"".to_vec(),
            Self::Weak => b"W/\"1\"".to_vec(),
            Self::Other(opaque) => [b"\"", *opaque, b"\""].concat(),
            Self::Around(before) => [b"\"", *before, b",1,\""].concat(),
        }
    }
}

impl Date<'_> {
    fn build(&self) -> Vec<u8> {
        let imf = |seconds: &i8| {
            let time = at(NOW.saturating_add_signed((seconds / 8).into()));
            httpdate::fmt_http_date(time)
        };
        // RFC 9110 §5.6.7
        let text = match self {
            Self::Imf(seconds) => imf(seconds),
            Self::Rfc850(seconds) => {
                let imf = imf(seconds);
                // All lie within a minute or so of a Tuesday evening.
                format!(
                    "Tuesday, {}-{}-{}{}",
                    &imf[5..7],
                    &imf[8..11],
                    &imf[14..16],
                    &imf[16..]
                )
            }
            Self::Asctime(seconds) => {
                let imf = imf(seconds);
                let (day, month, year, time) =
                    (&imf[5..7], &imf[8..11], &imf[12..16], &imf[17..25]);
                format!("Tue {month} {day} {time} {year}")
            }
            Self::Raw(raw) => return raw.to_vec(),
        };
        text.into_bytes()
    }
}
