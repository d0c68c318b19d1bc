//! The rules of RFC 9110, as calls and assertions.

use std::time::{Duration, SystemTime};

use http::header::HeaderName;
use http::{HeaderMap, HeaderValue, Method};

use super::{Decision, Opening, ReadRequest, Validators, WriteRequest};
use crate::id::VersionId;
use crate::store::ByteRange::{From, FromTo, Last};

const LENGTH: u64 = 1000;
const WRITTEN: &str = "Fri, 15 Jan 2027 08:00:00 GMT";
const BEFORE: &str = "Fri, 15 Jan 2027 07:59:59 GMT";
const AFTER: &str = "Fri, 15 Jan 2027 08:00:01 GMT";

/// Version 7, written at [`WRITTEN`].
fn current() -> Validators {
    let written = SystemTime::UNIX_EPOCH + Duration::from_millis(1_800_000_000_999);
    let now = written + Duration::from_secs(60);
    Validators::new(&VersionId::from(7), written, now)
}

fn headers(lines: &[(&str, &str)]) -> HeaderMap {
    let line = |(name, value): &(&str, &str)| {
        let name: HeaderName = name.parse().unwrap();
        (name, HeaderValue::from_str(value).unwrap())
    };
    let mut headers = HeaderMap::new();
    for (name, value) in lines.iter().map(line) {
        headers.append(name, value);
    }
    headers
}

fn get(lines: &[(&str, &str)]) -> Decision {
    ReadRequest::new(&Method::GET, &headers(lines)).decide(&current(), LENGTH)
}

fn head(lines: &[(&str, &str)]) -> Decision {
    ReadRequest::new(&Method::HEAD, &headers(lines)).decide(&current(), LENGTH)
}

fn put(lines: &[(&str, &str)], current: Option<&Validators>) -> bool {
    WriteRequest::new(&headers(lines), None).preconditions_hold(current)
}

fn opening(method: &Method, lines: &[(&str, &str)]) -> Opening {
    ReadRequest::new(method, &headers(lines)).opening(&VersionId::from(7))
}

const WHOLE: Decision = Decision::Content(None);

#[test]
fn the_validators_are_the_version_and_whole_seconds_up_to_now() {
    let written = current();
    assert_eq!(written.entity_tag, "\"7\"");
    assert_eq!(httpdate::fmt_http_date(written.last_modified), WRITTEN);
    // A clock that has been put back (RFC 9110 §8.8.2.1).
    let earlier = written.last_modified - Duration::from_secs(1);
    let validators = Validators::new(&VersionId::from(7), written.last_modified, earlier);
    assert_eq!(validators.last_modified, earlier);
}

#[test]
fn one_question_is_enough_unless_the_answer_depends_on_what_is_there() {
    let get = |lines: &[_]| opening(&Method::GET, lines);
    assert_eq!(get(&[]), Opening::Content(None));
    assert_eq!(
        get(&[("range", "bytes=0-9")]),
        Opening::Content(Some(FromTo(0, 9)))
    );
    assert_eq!(
        get(&[("range", "bytes=-9")]),
        Opening::Content(Some(Last(9)))
    );
    assert_eq!(get(&[("if-range", "\"7\"")]), Opening::Content(None));
    // The URL names the version, and so the tag.
    let of_tag = |tag| get(&[("range", "bytes=0-9"), ("if-range", tag)]);
    assert_eq!(of_tag("\"7\""), Opening::Content(Some(FromTo(0, 9))));
    assert_eq!(of_tag("\"6\""), Opening::Content(None));
    assert_eq!(of_tag("W/\"7\""), Opening::Content(None));
    assert_eq!(of_tag(WRITTEN), Opening::Metadata);
    assert_eq!(get(&[("range", "bytes=0-1,5-6")]), Opening::Metadata);
    for condition in [
        "if-match",
        "if-none-match",
        "if-modified-since",
        "if-unmodified-since",
    ] {
        assert_eq!(get(&[(condition, "*")]), Opening::Metadata, "{condition}");
    }
    assert_eq!(opening(&Method::HEAD, &[]), Opening::Metadata);
}

#[test]
fn head_is_get_without_content_and_knows_no_ranges() {
    assert_eq!(head(&[]), Decision::Head);
    assert_eq!(head(&[("range", "bytes=5000-")]), Decision::Head);
    assert_eq!(head(&[("if-none-match", "\"7\"")]), Decision::NotModified);
    assert_eq!(head(&[("if-match", "\"6\"")]), Decision::PreconditionFailed);
}

#[test]
fn if_match_compares_strongly() {
    assert_eq!(get(&[("if-match", "\"7\"")]), WHOLE);
    assert_eq!(get(&[("if-match", "*")]), WHOLE);
    assert_eq!(get(&[("if-match", "\"6\", \"7\"")]), WHOLE);
    assert_eq!(get(&[("if-match", "\"6\""), ("if-match", "\"7\"")]), WHOLE);
    for other in ["\"6\"", "W/\"7\"", "7", "", "\"77\"", "\"7,\"", "\"*\""] {
        assert_eq!(
            get(&[("if-match", other)]),
            Decision::PreconditionFailed,
            "{other}"
        );
    }
}

#[test]
fn if_none_match_compares_weakly() {
    for own in ["\"7\"", "W/\"7\"", "*", "\"6\", W/\"7\""] {
        assert_eq!(
            get(&[("if-none-match", own)]),
            Decision::NotModified,
            "{own}"
        );
    }
    for other in ["\"6\"", "7", "w/\"7\"", ""] {
        assert_eq!(get(&[("if-none-match", other)]), WHOLE, "{other}");
    }
}

#[test]
fn dates_are_compared_in_whole_seconds() {
    assert_eq!(
        get(&[("if-modified-since", WRITTEN)]),
        Decision::NotModified
    );
    assert_eq!(get(&[("if-modified-since", AFTER)]), Decision::NotModified);
    assert_eq!(get(&[("if-modified-since", BEFORE)]), WHOLE);
    assert_eq!(get(&[("if-unmodified-since", WRITTEN)]), WHOLE);
    assert_eq!(get(&[("if-unmodified-since", AFTER)]), WHOLE);
    assert_eq!(
        get(&[("if-unmodified-since", BEFORE)]),
        Decision::PreconditionFailed
    );
}

#[test]
fn a_header_that_is_not_one_date_is_as_if_it_were_not_there() {
    assert_eq!(get(&[("if-modified-since", "yesterday")]), WHOLE);
    assert_eq!(get(&[("if-unmodified-since", "")]), WHOLE);
    assert_eq!(
        get(&[("if-modified-since", AFTER), ("if-modified-since", AFTER)]),
        WHOLE
    );
}

#[test]
fn entity_tags_outweigh_dates() {
    // RFC 9110 §13.2.2, steps 1 and 3
    assert_eq!(
        get(&[("if-match", "\"7\""), ("if-unmodified-since", BEFORE)]),
        WHOLE
    );
    assert_eq!(
        get(&[("if-none-match", "\"6\""), ("if-modified-since", AFTER)]),
        WHOLE
    );
    // Step 1 comes before step 3.
    let both = [("if-match", "\"6\""), ("if-none-match", "\"7\"")];
    assert_eq!(get(&both), Decision::PreconditionFailed);
}

#[test]
fn a_range_is_served_if_the_client_has_this_very_content() {
    let range = ("range", "bytes=500-");
    let part = Decision::Content(Some(From(500)));
    assert_eq!(get(&[range]), part);
    assert_eq!(get(&[range, ("if-range", "\"7\"")]), part);
    assert_eq!(get(&[range, ("if-range", WRITTEN)]), part);
    // RFC 9110 §13.1.5: a strong comparison, or the very date.
    for other in ["\"6\"", "W/\"7\"", BEFORE, AFTER, "nonsense"] {
        assert_eq!(get(&[range, ("if-range", other)]), WHOLE, "{other}");
    }
    assert_eq!(
        get(&[("range", "bytes=5000-"), ("if-range", "\"6\"")]),
        WHOLE
    );
}

#[test]
fn several_ranges_are_one_or_the_whole() {
    let ranges = |value| get(&[("range", value)]);
    assert_eq!(
        ranges("bytes=0-9,10-19"),
        Decision::Content(Some(FromTo(0, 19)))
    );
    assert_eq!(
        ranges("bytes=10-19,0-9"),
        Decision::Content(Some(FromTo(0, 19)))
    );
    assert_eq!(
        ranges("bytes=0-9,5-7"),
        Decision::Content(Some(FromTo(0, 9)))
    );
    assert_eq!(
        ranges("bytes=0-9,5000-"),
        Decision::Content(Some(FromTo(0, 9)))
    );
    assert_eq!(
        ranges("bytes=-10,980-995"),
        Decision::Content(Some(FromTo(980, 999)))
    );
    assert_eq!(ranges("bytes=0-9,11-19"), WHOLE);
    assert_eq!(ranges("bytes=5000-,6000-"), Decision::RangeNotSatisfiable);
}

#[test]
fn a_header_that_is_no_range_of_bytes_asks_for_the_whole() {
    for value in [
        "lines=0-9",
        "bytes",
        "bytes=",
        "bytes=9-0",
        "bytes=x-y",
        "bytes=0-9;",
    ] {
        assert_eq!(get(&[("range", value)]), WHOLE, "{value}");
    }
    assert_eq!(
        get(&[("range", "bytes=0-9"), ("range", "bytes=0-9")]),
        WHOLE
    );
}

#[test]
fn a_304_and_a_412_come_before_a_range() {
    let range = ("range", "bytes=5000-");
    assert_eq!(
        get(&[range, ("if-none-match", "\"7\"")]),
        Decision::NotModified
    );
    assert_eq!(
        get(&[range, ("if-match", "\"6\"")]),
        Decision::PreconditionFailed
    );
}

#[test]
fn an_upload_is_held_to_the_content_that_is_there() {
    let written = current();
    assert!(put(&[], None));
    assert!(put(&[("if-none-match", "*")], None));
    assert!(!put(&[("if-none-match", "*")], Some(&written)));
    assert!(!put(&[("if-none-match", "\"7\"")], Some(&written)));
    assert!(put(&[("if-none-match", "\"6\"")], Some(&written)));
    assert!(put(&[("if-match", "\"7\"")], Some(&written)));
    assert!(!put(&[("if-match", "*")], None));
    assert!(!put(&[("if-unmodified-since", BEFORE)], Some(&written)));
    // It is for GET and HEAD alone (RFC 9110 §13.1.3).
    assert!(put(&[("if-modified-since", AFTER)], Some(&written)));
}
