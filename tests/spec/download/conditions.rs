//! Conditional requests (RFC 9110 §13) on a read URL. The content is version 7, an hour old.

use http::{Method, StatusCode};

use crate::support::repository::Shelf;
use crate::support::*;

/// The hour at which the content was last modified, and the two around it.
const BEFORE: &str = "Fri, 15 Jan 2027 06:00:00 GMT";
const THEN: &str = "Fri, 15 Jan 2027 07:00:00 GMT";
const AFTER: &str = "Fri, 15 Jan 2027 08:00:00 GMT";

const CONTENT: &[u8] = b"0123456789";

async fn status(method: Method, headers: &[(&str, &str)]) -> u16 {
    let layer = layer(Shelf::new(CONTENT));
    let url = mint(&layer, "scan").await;
    let answer = call(&layer, request(method, &url, headers, "")).await;
    answer.status.as_u16()
}

async fn assert_status(expected: u16, headers: &[(&str, &str)]) {
    for method in [Method::GET, Method::HEAD] {
        let status = status(method.clone(), headers).await;
        assert_eq!(status, expected, "{method} {headers:?}");
    }
}

#[tokio::test]
async fn if_match_compares_strongly() {
    for (if_match, status) in [
        ("\"7\"", 200),
        ("*", 200),
        ("\"6\", \"7\"", 200),
        ("\"6\",\"7\",\"8\"", 200),
        ("\"a,b\", \"7\"", 200),
        ("W/\"7\"", 412),
        ("\"6\"", 412),
        ("\"77\"", 412),
        ("\"6,7\"", 412),
        ("\"6,*,8\"", 412),
        ("7", 412),
        ("", 412),
    ] {
        assert_status(status, &[("if-match", if_match)]).await;
    }
    assert_status(200, &[("if-match", "\"6\""), ("if-match", "\"7\"")]).await;
}

#[tokio::test]
async fn if_none_match_compares_weakly() {
    for (if_none_match, status) in [
        ("\"7\"", 304),
        ("W/\"7\"", 304),
        ("*", 304),
        ("\"6\", W/\"7\"", 304),
        ("\"6\"", 200),
        ("w/\"7\"", 200),
        ("\"6,7\"", 200),
        ("7", 200),
        ("", 200),
    ] {
        assert_status(status, &[("if-none-match", if_none_match)]).await;
    }
    let lines = [("if-none-match", "\"6\""), ("if-none-match", "\"7\"")];
    assert_status(304, &lines).await;
}

#[tokio::test]
async fn dates_count_in_whole_seconds_and_in_every_form_of_http() {
    for (since, modified, unmodified) in [
        (BEFORE, 200, 412),
        ("Fri, 15 Jan 2027 06:59:59 GMT", 200, 412),
        (THEN, 304, 200),
        (AFTER, 304, 200),
        ("Friday, 15-Jan-27 07:00:00 GMT", 304, 200),
        ("Fri Jan 15 07:00:00 2027", 304, 200),
    ] {
        assert_status(modified, &[("if-modified-since", since)]).await;
        assert_status(unmodified, &[("if-unmodified-since", since)]).await;
    }
}

#[tokio::test]
async fn a_fraction_of_a_second_makes_no_difference() {
    let mut shelf = Shelf::new(CONTENT);
    shelf.last_modified += std::time::Duration::from_millis(999);
    let layer = layer(shelf);
    let url = mint(&layer, "scan").await;
    let answer = get(&layer, &url).await;
    assert_eq!(answer.header("last-modified"), Some(THEN));
    let answer = get_with(&layer, &url, &[("if-modified-since", THEN)]).await;
    assert_eq!(answer.status, StatusCode::NOT_MODIFIED);
    let answer = get_with(&layer, &url, &[("if-unmodified-since", THEN)]).await;
    assert_eq!(answer.status, StatusCode::OK);
}

#[tokio::test]
async fn a_date_that_is_none_is_ignored() {
    for date in [
        "",
        "yesterday",
        "0",
        "2027-01-15T07:00:00Z",
        "Fri, 32 Jan 2027 07:00:00 GMT",
    ] {
        assert_status(200, &[("if-modified-since", date)]).await;
        assert_status(200, &[("if-unmodified-since", date)]).await;
    }
}

/// RFC 9110 §13.1.3 and §13.1.4: "including when the field value appears to be a list of dates".
#[tokio::test]
async fn a_list_of_dates_is_ignored() {
    for name in ["if-modified-since", "if-unmodified-since"] {
        assert_status(200, &[(name, &format!("{BEFORE}, {AFTER}"))]).await;
        assert_status(200, &[(name, AFTER), (name, BEFORE)]).await;
        assert_status(200, &[(name, BEFORE), (name, AFTER)]).await;
    }
}

/// RFC 9110 §13.2.2, steps 1 to 4: a header that is heeded, and what it takes precedence over.
#[tokio::test]
async fn the_order_of_preconditions_is_that_of_the_rfc() {
    let (this, other) = ("\"7\"", "\"6\"");
    for (headers, status) in [
        // 1 before 2: with If-Match, If-Unmodified-Since does not count.
        (
            &[("if-match", this), ("if-unmodified-since", BEFORE)][..],
            200,
        ),
        (&[("if-match", other), ("if-unmodified-since", AFTER)], 412),
        // 3 before 4: with If-None-Match, If-Modified-Since does not count.
        (
            &[("if-none-match", other), ("if-modified-since", AFTER)],
            200,
        ),
        (
            &[("if-none-match", this), ("if-modified-since", BEFORE)],
            304,
        ),
        // 1 and 2 before 3 and 4: 412 outweighs 304.
        (&[("if-match", other), ("if-none-match", this)], 412),
        (&[("if-match", other), ("if-modified-since", AFTER)], 412),
        (
            &[("if-unmodified-since", BEFORE), ("if-none-match", this)],
            412,
        ),
        (
            &[
                ("if-unmodified-since", BEFORE),
                ("if-modified-since", AFTER),
            ],
            412,
        ),
        // A condition that holds leads to the next step.
        (&[("if-match", this), ("if-none-match", this)], 304),
        (&[("if-match", this), ("if-none-match", other)], 200),
        (&[("if-match", "*"), ("if-modified-since", THEN)], 304),
        (
            &[("if-unmodified-since", THEN), ("if-modified-since", THEN)],
            304,
        ),
        (
            &[("if-unmodified-since", AFTER), ("if-none-match", other)],
            200,
        ),
    ] {
        assert_status(status, headers).await;
    }
}

#[tokio::test]
async fn not_modified_has_the_headers_that_update_a_cache_and_no_content() {
    let layer = layer(Shelf::new(CONTENT)).cache_downloads(true);
    let url = mint(&layer, "scan").await;
    let whole = get(&layer, &url).await;
    for method in [Method::GET, Method::HEAD] {
        let headers = [("if-none-match", "\"7\""), ("range", "bytes=0-1")];
        let length = (method == Method::HEAD).then_some("10");
        let answer = call(&layer, request(method, &url, &headers, "")).await;
        assert_eq!(answer.status, StatusCode::NOT_MODIFIED);
        // Of GET, a server leaves it out; of HEAD, it would make it 0.
        assert_eq!(answer.header("content-length"), length);
        assert!(answer.body.is_empty());
        for name in ["etag", "cache-control", "last-modified"] {
            assert_eq!(answer.header(name), whole.header(name), "{name}");
        }
        for name in ["content-type", "content-range"] {
            assert_eq!(answer.header(name), None, "{name}");
        }
    }
}

#[tokio::test]
async fn a_failed_precondition_is_an_outcome_with_the_entity_tag() {
    let layer = layer(Shelf::new(CONTENT));
    let url = mint(&layer, "scan").await;
    let answer = get_with(&layer, &url, &[("if-match", "\"6\"")]).await;
    answer.assert_refused(412, "precondition-failed");
    assert_eq!(answer.header("etag"), Some("\"7\""));
}

#[tokio::test]
async fn preconditions_come_before_ranges() {
    for range in ["bytes=0-1", "bytes=10-"] {
        let with = |name, value| [("range", range), (name, value)];
        for (headers, expected) in [
            (with("if-match", "\"6\""), 412),
            (with("if-none-match", "\"7\""), 304),
            (with("if-modified-since", THEN), 304),
            (with("if-unmodified-since", BEFORE), 412),
        ] {
            assert_eq!(status(Method::GET, &headers).await, expected, "{headers:?}");
        }
    }
    let held = [("range", "bytes=0-1"), ("if-match", "\"7\"")];
    assert_eq!(status(Method::GET, &held).await, 206);
}

/// RFC 9110 §13.1.5: strong comparison, or the very date; if it fails, the whole is sent.
#[tokio::test]
async fn if_range_decides_whether_a_range_is_heeded() {
    for (if_range, status_of_part) in [
        ("\"7\"", 206),
        ("\"6\"", 200),
        ("W/\"7\"", 200),
        ("*", 200),
        ("\"6\", \"7\"", 200),
        (THEN, 206),
        (BEFORE, 200),
        (AFTER, 200),
        ("nonsense", 200),
        ("", 200),
    ] {
        for range in ["bytes=0-1", "bytes=0-1,2-3"] {
            let headers = [("range", range), ("if-range", if_range)];
            let status = status(Method::GET, &headers).await;
            assert_eq!(status, status_of_part, "{headers:?}");
        }
    }
    // A range that is not heeded cannot be unsatisfiable.
    let beyond = [("range", "bytes=10-"), ("if-range", "\"6\"")];
    assert_eq!(status(Method::GET, &beyond).await, 200);
    let beyond = [("range", "bytes=10-"), ("if-range", "\"7\"")];
    assert_eq!(status(Method::GET, &beyond).await, 416);
}

#[tokio::test]
async fn if_range_without_a_range_does_not_matter() {
    for if_range in ["\"7\"", "\"6\"", AFTER] {
        assert_status(200, &[("if-range", if_range)]).await;
    }
}

#[tokio::test]
async fn preconditions_do_not_tell_what_a_signature_would() {
    let layer = layer(Shelf::new(CONTENT));
    let forged = mint(&layer, "scan").await.replace("/scan/", "/other/");
    for header in [("if-match", "\"6\""), ("if-none-match", "*")] {
        let answer = get_with(&layer, &forged, &[header]).await;
        answer.assert_refused(403, "invalid-signature");
    }
}
