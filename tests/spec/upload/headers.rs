//! The headers of an upload, which say something about its content.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use http::{Method, StatusCode};
use sha2::{Digest as _, Sha256, Sha512};
use tower_presign::PresignLayer;

use crate::support::body::chunks;
use crate::support::*;

// Content-Type

/// The outcome of an upload to a Binary of type `granted` with these `Content-Type` headers, and
/// the type that was stored.
async fn upload_as(granted: &str, sent: &[&str]) -> (Answer, Option<String>) {
    let layer = layer(scan(granted));
    let write = mint_upload(&layer, "scan").await;
    let headers: Vec<_> = sent.iter().map(|sent| ("content-type", *sent)).collect();
    let answer = call(&layer, request(Method::PUT, &write, &headers, "content")).await;
    let stored = get(&layer, &mint(&layer, "scan").await).await;
    let content_type = stored.header("content-type").unwrap().to_owned();
    let is_stored = stored.status == StatusCode::OK;
    (answer, is_stored.then_some(content_type))
}

async fn assert_accepted(granted: &str, sent: &str) {
    let (answer, stored) = upload_as(granted, &[sent]).await;
    assert_eq!(answer.status, StatusCode::OK, "{granted}: {sent}");
    assert_eq!(stored.as_deref(), Some(granted), "{sent}");
}

#[tokio::test]
async fn the_media_type_must_be_the_granted_one_which_is_also_what_is_stored() {
    for sent in [
        "image/png",
        "IMAGE/PNG",
        "Image/Png; charset=utf-8",
        "image/png;charset=UTF-8",
        "image/png; charset=\"utf-8\"; x=y",
        "image/png; x",
    ] {
        assert_accepted("image/png", sent).await;
    }
    for sent in [
        &[][..],
        &[""],
        &["png"],
        &["image"],
        &["image/"],
        &["image/*"],
        &["*/*"],
        &["image/jpeg"],
        &["image/png2"],
        &["image/png+xml"],
        &["ximage/png"],
        &["text/html; x=image/png"],
        &["image/png, image/png"],
        &["application/octet-stream"],
        &["application/x-www-form-urlencoded"],
        &["multipart/form-data; boundary=x"],
        &["image/png", "image/png"],
        &["image/png", "text/html"],
        &["text/html", "image/png"],
    ] {
        let (answer, stored) = upload_as("image/png", sent).await;
        assert_eq!(
            answer.status,
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "{sent:?}"
        );
        answer.assert_refused(415, "content-type-mismatch");
        let diagnostics = answer.json()["issue"][0]["diagnostics"].to_string();
        assert!(diagnostics.contains("image/png"), "{diagnostics}");
        assert_eq!(stored, None, "{sent:?}");
    }
}

#[tokio::test]
async fn each_granted_parameter_must_be_there_in_any_order_and_spelling() {
    let granted = "text/plain; charset=utf-8";
    for sent in [
        "text/plain; charset=utf-8",
        "text/plain;charset=UTF-8",
        "Text/Plain; Charset=Utf-8",
        "text/plain; charset=\"utf-8\"",
        "text/plain; charset=\"UTF-8\"; format=flowed",
        "text/plain; format=flowed; charset=utf-8",
    ] {
        assert_accepted(granted, sent).await;
    }
    for sent in [
        "text/plain",
        "text/plain; charset=us-ascii",
        "text/plain; charset=utf-16",
        "text/plain; charset=utf-8x",
        "text/plain; format=utf-8",
        "text/html; charset=utf-8",
    ] {
        let (answer, _) = upload_as(granted, &[sent]).await;
        answer.assert_refused(415, "content-type-mismatch");
    }

    let granted = "multipart/related; type=\"application/dicom\"; boundary=x";
    for sent in [
        granted,
        "multipart/related; boundary=x; type=\"application/dicom\"",
        "Multipart/Related; Boundary=\"X\"; TYPE=\"Application/DICOM\"; start=y",
    ] {
        assert_accepted(granted, sent).await;
    }
    for sent in [
        "multipart/related; type=\"application/dicom\"",
        "multipart/related; boundary=x",
        "multipart/related; boundary=x; type=\"application/dicom+json\"",
    ] {
        let (answer, _) = upload_as(granted, &[sent]).await;
        answer.assert_refused(415, "content-type-mismatch");
    }
}

/// RFC 9110 §5.6.6: `*( OWS ";" OWS [ parameter ] )`.
#[tokio::test]
async fn white_space_may_stand_around_a_semicolon() {
    for sent in [
        "image/png ; charset=utf-8",
        "image/png ;charset=utf-8",
        "image/png;\tcharset=utf-8",
        "image/png; charset=utf-8 ; x=y",
        "image/png; charset=\"utf-8\" ; x=y",
        "image/png ; charset=\"utf-8\"",
    ] {
        assert_accepted("image/png", sent).await;
    }
}

/// RFC 9110 §5.6.6, once more.
#[tokio::test]
async fn text_after_a_semicolon_that_is_no_parameter_is_skipped() {
    for sent in [
        "image/png;",
        "image/png; ",
        "image/png; charset=utf-8;",
        "image/png;; charset=utf-8",
        "image/png; charset=utf-8;; x=y",
    ] {
        assert_accepted("image/png", sent).await;
    }
}

// Content-Encoding and Content-Range

#[tokio::test]
async fn content_must_not_be_encoded() {
    let layer = layer(scan("image/png"));
    let write = mint_upload(&layer, "scan").await;
    for encoding in [
        "gzip",
        "br",
        "x-gzip",
        "identity, gzip",
        "aws-chunked",
        "zip",
    ] {
        let headers = [("content-encoding", encoding)];
        let answer = put_with(&layer, &write, &headers, "content").await;
        answer.assert_refused(415, "content-type-mismatch");
    }
    let lines = [
        ("content-encoding", "identity"),
        ("content-encoding", "gzip"),
    ];
    let answer = put_with(&layer, &write, &lines, "content").await;
    answer.assert_refused(415, "content-type-mismatch");
    for encoding in ["identity", "Identity"] {
        let write = mint_upload(&layer, "scan").await;
        let headers = [("content-encoding", encoding)];
        let answer = put_with(&layer, &write, &headers, "content").await;
        assert_eq!(answer.status, StatusCode::OK, "{encoding}");
    }
}

#[tokio::test]
async fn a_part_is_not_taken_for_the_whole() {
    let layer = layer(scan("image/png"));
    let write = mint_upload(&layer, "scan").await;
    for range in ["bytes 0-6/7", "bytes 0-6/100", "bytes */7", "", "nonsense"] {
        let headers = [("content-range", range)];
        let answer = put_with(&layer, &write, &headers, "content").await;
        answer.assert_refused(400, "invalid-parameter");
    }
}

// Content-Digest and Repr-Digest

fn sha256(content: &str) -> String {
    format!("sha-256=:{}:", STANDARD.encode(Sha256::digest(content)))
}

fn sha512(content: &str) -> String {
    format!("sha-512=:{}:", STANDARD.encode(Sha512::digest(content)))
}

async fn upload_with(headers: &[(&str, &str)]) -> Answer {
    let layer = layer(scan("image/png"));
    let write = mint_upload(&layer, "scan").await;
    put_with(&layer, &write, headers, chunks(&["con", "tent"])).await
}

#[tokio::test]
async fn a_right_digest_is_accepted() {
    let (short, long) = (sha256("content"), sha512("content"));
    for digest in [
        short.clone(),
        long.clone(),
        format!("{short}, {long}"),
        format!("{long},{short}"),
        format!("{short};x=1"),
        format!(
            "sha-256=:{}:",
            STANDARD_NO_PAD.encode(Sha256::digest("content"))
        ),
    ] {
        for name in ["content-digest", "repr-digest"] {
            let answer = upload_with(&[(name, &digest)]).await;
            assert_eq!(answer.status, StatusCode::OK, "{name}: {digest}");
        }
    }
    let both = [("content-digest", &*short), ("repr-digest", &*long)];
    assert_eq!(upload_with(&both).await.status, StatusCode::OK);
    let lines = [("content-digest", &*short), ("content-digest", &*long)];
    assert_eq!(upload_with(&lines).await.status, StatusCode::OK);
}

#[tokio::test]
async fn one_wrong_digest_is_enough_to_refuse_and_a_retry_may_be_right() {
    let (right, wrong) = (sha256("content"), sha256("other"));
    let layer = layer(scan("image/png"));
    let write = mint_upload(&layer, "scan").await;
    let read = mint(&layer, "scan").await;
    for headers in [
        &[("content-digest", &*wrong)][..],
        &[("repr-digest", &wrong)],
        &[("content-digest", &sha512("other"))],
        &[("content-digest", &format!("{right}, {}", sha512("other")))],
        &[("content-digest", &right), ("repr-digest", &wrong)],
        &[("content-digest", &wrong), ("repr-digest", &right)],
        &[
            ("content-digest", &wrong),
            ("content-digest", &sha512("content")),
        ],
        &[("content-digest", &sha256(""))],
    ] {
        for body in ["content".into(), chunks(&["con", "tent"])] {
            let answer = put_with(&layer, &write, headers, body).await;
            answer.assert_refused(400, "digest-mismatch");
            get(&layer, &read).await.assert_refused(404, "not-found");
        }
    }
    let right = [("content-digest", &*right)];
    let answer = put_with(&layer, &write, &right, "content").await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(get(&layer, &read).await.body, "content");
}

#[tokio::test]
async fn a_digest_that_is_none_is_refused() {
    for digest in [
        "sha-256".to_owned(),
        "sha-256=".to_owned(),
        "sha-256=::".to_owned(),
        "sha-256=:AAAA:".to_owned(),
        "sha-256=:not base64:".to_owned(),
        sha256("content").replace(':', ""),
        sha256("content").replace(':', "\""),
        sha512("content").replace("sha-512", "sha-256"),
        sha256("content").replace("sha-256", "sha-512"),
        format!("{}, sha-512=?1", sha256("content")),
        format!("md5=:AAAA:, {}x", sha256("content")),
    ] {
        for name in ["content-digest", "repr-digest"] {
            let answer = upload_with(&[(name, &digest)]).await;
            answer.assert_refused(400, "invalid-parameter");
        }
    }
}

#[tokio::test]
async fn other_algorithms_are_not_checked() {
    for digest in [
        "unixsum=30637",
        "crc32c=:AAAAAA==:, adler=:x:",
        "unixsum=::",
        "SHA-256-NOT=:AAAA:",
        &format!("crc32=:AAAA:, {}", sha256("content")),
        "",
    ] {
        let answer = upload_with(&[("content-digest", digest)]).await;
        assert_eq!(answer.status, StatusCode::OK, "{digest}");
    }
    let others = ("x-amz-checksum-crc32", "AAAA");
    assert_eq!(upload_with(&[others]).await.status, StatusCode::OK);
}

#[tokio::test]
async fn empty_content_has_a_digest_too() {
    let layer: PresignLayer = layer(scan("image/png")).allow_empty_uploads(true);
    let write = mint_upload(&layer, "scan").await;
    let wrong = [("content-digest", &*sha256("content"))];
    let answer = put_with(&layer, &write, &wrong, "").await;
    answer.assert_refused(400, "digest-mismatch");
    let right = [("content-digest", &*sha256(""))];
    let answer = put_with(&layer, &write, &right, "").await;
    assert_eq!(answer.status, StatusCode::OK);
}
