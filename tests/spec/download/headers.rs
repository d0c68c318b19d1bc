//! The headers of a download, which keep browsers from running what strangers have uploaded.

use std::future::ready;
use std::time::Duration;

use http::StatusCode;
use percent_encoding::percent_decode_str;
use tower_presign::{Filename, MintRequest, PresignLayer, Terms};

use crate::support::repository::Shelf;
use crate::support::*;

async fn download(content_type: &'static str, terms: Terms) -> Answer {
    let mut shelf = Shelf::new(b"content");
    shelf.content_type = content_type;
    let policy = move |_: MintRequest| ready(Ok(terms.clone()));
    let layer = PresignLayer::new(signer(), shelf, policy).clock(|| at(NOW));
    let url = mint(&layer, "scan").await;
    get(&layer, &url).await
}

async fn disposition(terms: Terms) -> String {
    let answer = download("image/png", terms).await;
    answer.header("content-disposition").unwrap().to_owned()
}

#[tokio::test]
async fn a_download_has_these_headers_and_no_others() {
    let answer = download("image/png", Terms::new()).await;
    assert_eq!(
        answer.sorted_headers(),
        [
            ("accept-ranges", "bytes"),
            ("cache-control", "private, no-store, no-transform"),
            ("content-disposition", "inline; filename=\"scan.png\""),
            ("content-length", "7"),
            (
                "content-security-policy",
                "default-src 'none'; style-src 'unsafe-inline'; sandbox"
            ),
            ("content-type", "image/png"),
            ("cross-origin-embedder-policy", "require-corp"),
            ("cross-origin-resource-policy", "cross-origin"),
            ("etag", "\"7\""),
            ("last-modified", "Fri, 15 Jan 2027 07:00:00 GMT"),
            ("referrer-policy", "no-referrer"),
            ("x-content-type-options", "nosniff"),
            ("x-robots-tag", "none"),
        ]
    );
}

#[tokio::test]
async fn content_that_cannot_do_harm_is_shown_inline() {
    for content_type in [
        "image/png",
        "image/jpeg",
        "image/gif",
        "image/webp",
        "image/avif",
        "IMAGE/PNG",
        "application/pdf",
        "application/pdf; version=1.7",
        "application/x-pdf",
        "image/jpg",
        "audio/mp3",
        "text/plain",
        "Text/Plain; Charset=UTF-8",
        "video/mp4",
        "video/mp4; codecs=\"avc1.640028\"",
        "video/webm;codecs=vp8,opus",
        "image/png; a",
        "image/png;=",
        "audio/mpeg",
        "audio/ogg",
    ] {
        let answer = download(content_type, Terms::new()).await;
        let disposition = answer.header("content-disposition").unwrap();
        assert!(disposition.starts_with("inline; "), "{content_type}");
    }
}

#[tokio::test]
async fn everything_else_is_to_be_saved() {
    for content_type in [
        "text/html",
        "text/html; charset=utf-8",
        "application/xhtml+xml",
        "image/png+xml",
        "video/mp4+xml",
        "image/svg+xml",
        "IMAGE/SVG+XML",
        "text/xml",
        "application/xml",
        "application/fhir+xml",
        "application/fhir+json",
        "application/json",
        "text/javascript",
        "application/javascript",
        "text/css",
        "text/csv",
        "application/zip",
        "application/dicom",
        "application/octet-stream",
        "multipart/x-mixed-replace; boundary=x",
        "message/rfc822",
        "x-shader/x-vertex",
    ] {
        let answer = download(content_type, Terms::new()).await;
        let disposition = answer.header("content-disposition").unwrap();
        assert!(disposition.starts_with("attachment; "), "{content_type}");
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
        let policy = answer.header("content-security-policy").unwrap();
        assert!(policy.ends_with("sandbox"), "{policy}");
    }
}

/// `sandbox` blanks the PDF viewer of `WebKit`, and without a source of media the player that a
/// browser makes around a video finds nothing to play.
#[tokio::test]
async fn content_that_is_shown_may_show_itself_and_run_nothing() {
    const STILL: &str = "default-src 'none'; style-src 'unsafe-inline'; sandbox";
    const PDF: &str = "default-src 'none'; style-src 'unsafe-inline'";
    const MEDIA: &str = "default-src 'none'; media-src 'self'; style-src 'unsafe-inline'";
    for (content_type, expected) in [
        ("image/png", STILL),
        ("text/plain; charset=utf-8", STILL),
        ("application/pdf", PDF),
        ("Application/PDF; version=1.7", PDF),
        ("video/mp4", MEDIA),
        ("audio/mpeg", MEDIA),
        ("text/html", STILL),
        ("image/svg+xml", STILL),
        ("application/pdf+xml", STILL),
        ("video/mp4+xml", STILL),
        ("nonsense", STILL),
    ] {
        let answer = download(content_type, Terms::new()).await;
        let policy = answer.header("content-security-policy");
        assert_eq!(policy, Some(expected), "{content_type}");
        let embedder = answer.header("cross-origin-embedder-policy");
        assert_eq!(embedder, Some("require-corp"), "{content_type}");
    }
}

#[tokio::test]
async fn the_type_is_served_as_it_was_stored() {
    for content_type in [
        "image/png",
        "application/fhir+json",
        "text/plain; charset=utf-8",
        "text/plain;charset=utf-8",
        "video/mp4; codecs=\"avc1.640028\"",
        "video/webm;codecs=vp8,opus",
        "image/png; a",
        "image/png;=",
        "IMAGE/PNG",
        "Text/Plain; Charset=UTF-8",
    ] {
        let answer = download(content_type, Terms::new()).await;
        assert_eq!(answer.header("content-type"), Some(content_type));
    }
}

#[tokio::test]
async fn a_stored_type_that_is_none_becomes_octets() {
    for content_type in [
        "",
        "png",
        "image/",
        "/png",
        "image/*",
        "*/*",
        "image/png, text/html",
        "image//png",
        "image/png/",
        "ima ge/png",
        "text/html<script>",
        "image/png, text/html",
        "image/png;a=b,text/html",
        "application/pdf;a=b, text/html;c=d",
        "image/png\r\nX-Evil: 1",
        "text/html\u{0}",
        "bild/ü",
        "image png",
        ";image/png",
        " ; image/png",
        " image/png",
    ] {
        let answer = download(content_type, Terms::new()).await;
        assert_eq!(answer.status, StatusCode::OK);
        let served = answer.header("content-type");
        assert_eq!(served, Some("application/octet-stream"), "{content_type}");
        let disposition = answer.header("content-disposition");
        assert_eq!(disposition, Some("attachment; filename=\"scan.bin\""));
        assert!(answer.header("x-evil").is_none());
    }
}

/// RFC 9110 §8.8.2.1; and no date that a header cannot tell.
#[tokio::test]
async fn the_last_modification_is_not_before_1970_and_not_in_the_future() {
    for (last_modified, told) in [
        (
            at(0) - Duration::from_secs(86_400),
            "Thu, 01 Jan 1970 00:00:00 GMT",
        ),
        (at(NOW - 1), "Fri, 15 Jan 2027 07:59:59 GMT"),
        (at(NOW + 1), "Fri, 15 Jan 2027 08:00:00 GMT"),
        (at(400_000_000_000), "Fri, 15 Jan 2027 08:00:00 GMT"),
    ] {
        let mut shelf = Shelf::new(b"content");
        shelf.last_modified = last_modified;
        let layer = layer(shelf);
        let url = mint(&layer, "scan").await;
        let answer = get(&layer, &url).await;
        assert_eq!(answer.header("last-modified"), Some(told));
        let unchanged = get_with(&layer, &url, &[("if-modified-since", told)]).await;
        assert_eq!(unchanged.status, StatusCode::NOT_MODIFIED);
    }
}

#[tokio::test]
async fn parts_and_failures_are_guarded_as_well() {
    let layer = layer(Shelf::new(b"content"));
    let url = mint(&layer, "scan").await;
    let part = get_with(&layer, &url, &[("range", "bytes=0-1")]).await;
    assert_eq!(part.status, StatusCode::PARTIAL_CONTENT);
    let whole = get(&layer, &url).await;
    for (name, value) in &whole.headers {
        if name != "content-length" {
            assert_eq!(part.headers.get(name), Some(value), "{name}");
        }
    }
    let beyond = get_with(&layer, &url, &[("range", "bytes=7-")]).await;
    assert_eq!(beyond.header("x-content-type-options"), Some("nosniff"));
    assert_eq!(beyond.header("cache-control"), Some("no-store"));
}

// Content-Disposition

#[tokio::test]
async fn a_file_name_comes_in_both_forms_and_does_not_make_an_attachment() {
    let terms = Terms::new().filename("scan 7.png");
    let expected = "filename=\"scan 7.png\"; filename*=UTF-8''scan%207.png";
    let inline = disposition(terms.clone()).await;
    assert_eq!(inline, format!("inline; {expected}"));
    let attached = disposition(terms.attachment()).await;
    assert_eq!(attached, format!("attachment; {expected}"));
    let unnamed = disposition(Terms::new().attachment()).await;
    assert_eq!(unnamed, "attachment; filename=\"scan.png\"");
}

/// Reads a `Content-Disposition` as RFC 6266 has it: the values of `filename` and `filename*`.
fn parse(disposition: &str) -> (String, String) {
    let rest = disposition.strip_prefix("inline; filename=\"").unwrap();
    let (plain, rest) = rest.split_once('"').unwrap();
    let extended = rest.strip_prefix("; filename*=UTF-8''").unwrap();
    let is_attr_char = |c: char| c.is_ascii_alphanumeric() || "!#$&+-.^_`|~%".contains(c);
    assert!(extended.chars().all(is_attr_char), "{extended}");
    let decoded = percent_decode_str(extended).decode_utf8().unwrap();
    (plain.to_owned(), decoded.into_owned())
}

#[tokio::test]
async fn whatever_a_file_name_is_made_of_the_header_is_safe() {
    let long = format!("{}.png", "x".repeat(5_000));
    let long_emoji = "🫀".repeat(1_250);
    for (name, plain, extended) in [
        ("a\"b.png", "a_b.png", "a\"b.png"),
        ("a\\\"b.png", "a__b.png", "a_\"b.png"),
        (
            "\"; filename=\"x.exe",
            "_; filename=_x.exe",
            "\"; filename=\"x.exe",
        ),
        (
            "a\r\nSet-Cookie: b=c",
            "aSet-Cookie: b=c",
            "aSet-Cookie: b=c",
        ),
        ("a\0b\x7fc\u{85}d", "abcd", "abcd"),
        ("../../etc/passwd", ".._.._etc_passwd", ".._.._etc_passwd"),
        ("C:\\scan.png", "C:_scan.png", "C:_scan.png"),
        ("a%2Fb%00.png", "a_2Fb_00.png", "a%2Fb%00.png"),
        ("\u{202e}gpj.exe", "gpj.exe", "gpj.exe"),
        ("a\u{2066}b\u{2069}c\u{200f}d\u{feff}", "abcd", "abcd"),
        ("a\u{2028}b\u{2029}c", "abc", "abc"),
        ("Röntgen.png", "R_ntgen.png", "Röntgen.png"),
        ("🫀.png", "_.png", "🫀.png"),
        ("👩\u{200d}⚕️.png", "____.png", "👩\u{200d}⚕️.png"),
        ("  a b . ", "a b", "a b"),
        ("UTF-8''x", "UTF-8''x", "UTF-8''x"),
        (&long, &long[4_749..], &long[4_749..]),
        (&long_emoji, &"_".repeat(63), &"🫀".repeat(63)),
    ] {
        let disposition = disposition(Terms::new().filename(name)).await;
        let (actual_plain, actual_extended) = parse(&disposition);
        assert_eq!(actual_plain, plain, "{name:?}");
        assert_eq!(actual_extended, extended, "{name:?}");
        let sanitised = Filename::new(name).unwrap();
        assert_eq!(actual_extended, sanitised.as_str(), "{name:?}");
        let is_printable = |byte: u8| (b' '..=b'~').contains(&byte);
        assert!(disposition.bytes().all(is_printable), "{disposition}");
    }
}

#[tokio::test]
async fn a_file_name_of_which_nothing_remains_is_left_out() {
    for name in ["", " ", "...", ". .", "\r\n", "\u{202e}", "\u{feff}\0"] {
        let disposition = disposition(Terms::new().filename(name)).await;
        assert_eq!(disposition, "inline; filename=\"scan.png\"", "{name:?}");
    }
}
