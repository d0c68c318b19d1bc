//! `Range` (RFC 9110 §14) on a read URL.

use http::StatusCode;

use crate::support::repository::Shelf;
use crate::support::*;

const CONTENT: &[u8] = b"0123456789";

/// The status, the `Content-Range` and the body that a `Range` header leads to.
async fn ranged(content: &'static [u8], range: &str) -> (u16, Option<String>, String) {
    let layer = layer(Shelf::new(content));
    let url = mint(&layer, "scan").await;
    let answer = get_with(&layer, &url, &[("range", range)]).await;
    let content_range = answer.header("content-range").map(str::to_owned);
    let body = String::from_utf8(answer.body.to_vec()).unwrap();
    if answer.status.is_success() {
        let length = body.len().to_string();
        assert_eq!(answer.header("content-length"), Some(&*length), "{range}");
        assert_eq!(answer.header("accept-ranges"), Some("bytes"));
        assert_eq!(answer.header("etag"), Some("\"7\""));
        assert_eq!(answer.header("content-type"), Some("image/png"));
    }
    (answer.status.as_u16(), content_range, body)
}

async fn assert_part(range: &str, content_range: &str, part: &str) {
    let expected = (206, Some(content_range.to_owned()), part.to_owned());
    assert_eq!(ranged(CONTENT, range).await, expected, "{range}");
}

async fn assert_whole(range: &str) {
    let expected = (200, None, "0123456789".to_owned());
    assert_eq!(ranged(CONTENT, range).await, expected, "{range}");
}

async fn assert_unsatisfiable(content: &'static [u8], range: &str) {
    let layer = layer(Shelf::new(content));
    let url = mint(&layer, "scan").await;
    let answer = get_with(&layer, &url, &[("range", range)]).await;
    answer.assert_refused(416, "range-not-satisfiable");
    let content_range = format!("bytes */{}", content.len());
    assert_eq!(answer.header("content-range"), Some(&*content_range));
}

#[tokio::test]
async fn one_range_of_any_form_is_served() {
    for (range, content_range, part) in [
        ("bytes=0-0", "bytes 0-0/10", "0"),
        ("bytes=9-9", "bytes 9-9/10", "9"),
        ("bytes=2-5", "bytes 2-5/10", "2345"),
        ("bytes=0-9", "bytes 0-9/10", "0123456789"),
        ("bytes=8-10", "bytes 8-9/10", "89"),
        ("bytes=8-18446744073709551615", "bytes 8-9/10", "89"),
        ("bytes=8-18446744073709551616", "bytes 8-9/10", "89"),
        ("bytes=0-", "bytes 0-9/10", "0123456789"),
        ("bytes=9-", "bytes 9-9/10", "9"),
        ("bytes=-1", "bytes 9-9/10", "9"),
        ("bytes=-10", "bytes 0-9/10", "0123456789"),
        ("bytes=-11", "bytes 0-9/10", "0123456789"),
        ("bytes=-18446744073709551615", "bytes 0-9/10", "0123456789"),
        ("BYTES=2-5", "bytes 2-5/10", "2345"),
        ("bytes=002-005", "bytes 2-5/10", "2345"),
    ] {
        assert_part(range, content_range, part).await;
    }
}

#[tokio::test]
async fn a_range_beyond_the_end_is_refused_with_the_length() {
    for range in [
        "bytes=10-",
        "bytes=10-10",
        "bytes=18446744073709551615-",
        "bytes=18446744073709551616-",
        "bytes=-0",
        "bytes=10-11, 20-30, -0",
    ] {
        assert_unsatisfiable(CONTENT, range).await;
    }
}

#[tokio::test]
async fn empty_content_satisfies_nothing_but_a_suffix() {
    for range in ["bytes=0-", "bytes=0-0", "bytes=-0", "bytes=0-,1-"] {
        assert_unsatisfiable(b"", range).await;
    }
    for range in ["bytes=-5", "bytes=-1", "bytes=-5,0-", "bytes=-5,-1"] {
        let expected = (200, None, String::new());
        assert_eq!(ranged(b"", range).await, expected, "{range}");
    }
}

#[tokio::test]
async fn ranges_that_touch_are_served_as_one() {
    for (range, content_range, part) in [
        ("bytes=0-4,5-9", "bytes 0-9/10", "0123456789"),
        ("bytes=5-9, 0-4", "bytes 0-9/10", "0123456789"),
        ("bytes=2-4,3-6", "bytes 2-6/10", "23456"),
        ("bytes=2-6,3-4", "bytes 2-6/10", "23456"),
        ("bytes=3-4,2-6", "bytes 2-6/10", "23456"),
        ("bytes=2-2,2-2,2-2", "bytes 2-2/10", "2"),
        ("bytes=4-4,2-2,3-3,5-5", "bytes 2-5/10", "2345"),
        ("bytes=-5,3-6", "bytes 3-9/10", "3456789"),
        ("bytes=-2, -4", "bytes 6-9/10", "6789"),
        ("bytes=7-, 5-6", "bytes 5-9/10", "56789"),
        ("bytes=1-2,,\t,3-4,", "bytes 1-4/10", "1234"),
        // A range beyond the end does not count beside one that is not.
        ("bytes=2-3,10-20", "bytes 2-3/10", "23"),
        ("bytes=10-,2-3,-0", "bytes 2-3/10", "23"),
    ] {
        assert_part(range, content_range, part).await;
    }
}

#[tokio::test]
async fn ranges_with_gaps_get_the_whole() {
    for range in ["bytes=0-0,2-2", "bytes=-1,0-0", "bytes=0-1,3-4,2-2,6-"] {
        assert_whole(range).await;
    }
}

#[tokio::test]
async fn a_header_that_is_no_range_of_bytes_is_ignored() {
    for range in [
        "",
        "bytes",
        "bytes=",
        "bytes=-",
        "bytes=,",
        "bytes=a-b",
        "bytes=5-2",
        "bytes=1",
        "bytes=1-2-3",
        "bytes=+1-2",
        "bytes=1-+2",
        "bytes=1.0-2",
        "bytes=0x1-2",
        "bytes=1-2,x",
        "bytes=2-1,0-0",
        "bytes 0-1/10",
        "bytes:0-1",
        "0-1",
        "items=0-1",
        "seconds=0-",
        "none",
    ] {
        assert_whole(range).await;
    }
}

#[tokio::test]
async fn more_than_a_hundred_ranges_are_ignored() {
    let ranges = |count: usize| format!("bytes={}", vec!["0-4"; count].join(","));
    assert_part(&ranges(100), "bytes 0-4/10", "01234").await;
    assert_whole(&ranges(101)).await;
    assert_whole(&ranges(10_000)).await;
}

#[tokio::test]
async fn repeated_headers_are_ignored() {
    let layer = layer(Shelf::new(CONTENT));
    let url = mint(&layer, "scan").await;
    let twice = [("range", "bytes=0-1"), ("range", "bytes=2-3")];
    let answer = get_with(&layer, &url, &twice).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.body, CONTENT);
}

/// RFC 9110 §14.2: ranges are defined for GET alone.
#[tokio::test]
async fn head_ignores_ranges() {
    let layer = layer(Shelf::new(CONTENT));
    let url = mint(&layer, "scan").await;
    let expected = get(&layer, &url).await;
    for range in ["bytes=0-1", "bytes=10-", "bytes=0-1,3-4"] {
        let answer = head_with(&layer, &url, &[("range", range)]).await;
        assert_eq!(answer.status, StatusCode::OK, "{range}");
        assert_eq!(answer.headers, expected.headers, "{range}");
    }
}
