//! Routes of the host's own: content by `Download`, and uploads by `Upload::from_body`.

use std::io;

use axum::body::Body;
use http::request::Parts;
use http::{HeaderValue, Method, Request};
use http_body::Body as _;
use http_body_util::BodyExt as _;
use tower_presign::store::{Upload, UploadError};
use tower_presign::{BinaryKey, BinaryRepository, ContentType, Denial, Download, VersionId};

use crate::support::body::{broken, chunks, watched};
use crate::support::repository::{Failing, Shelf};
use crate::support::*;

fn key() -> BinaryKey {
    BinaryKey::new(id("scan"), VersionId::from(7))
}

fn parts(method: Method, headers: &[(&str, &str)]) -> Parts {
    request(method, "/fhir/R4/Binary/scan", headers, "")
        .into_parts()
        .0
}

async fn download(
    repository: &impl BinaryRepository,
    method: Method,
    headers: &[(&str, &str)],
) -> Answer {
    let parts = parts(method, headers);
    let response = Download::new(key(), &parts).serve(repository).await;
    Answer::of(response).await.unwrap()
}

/// So the two cannot drift apart.
#[tokio::test]
async fn a_download_is_that_of_a_presigned_url() {
    let mut shelf = Shelf::new(b"content");
    // Before now by any clock.
    shelf.last_modified = at(1_600_000_000);
    let layer = layer(shelf.clone());
    let url = mint(&layer, "scan").await;
    for headers in [
        &[][..],
        &[("range", "bytes=2-4")],
        &[("range", "bytes=-2")],
        &[("range", "bytes=9-")],
        &[("range", "bytes=2-4"), ("if-range", "\"7\"")],
        &[("range", "bytes=2-4"), ("if-range", "\"6\"")],
        &[("if-none-match", "\"7\"")],
        &[("if-match", "\"6\"")],
        &[("if-modified-since", "Sun, 13 Sep 2020 12:26:40 GMT")],
    ] {
        for method in [Method::GET, Method::HEAD] {
            let of_url = call(&layer, request(method.clone(), &url, headers, "")).await;
            let own = download(&shelf, method, headers).await;
            assert_eq!(own, of_url, "{headers:?}");
        }
    }
}

#[tokio::test]
async fn the_body_of_a_download_knows_how_much_is_left() {
    let (parts, shelf) = (parts(Method::GET, &[]), Shelf::new(b"content"));
    let response = Download::new(key(), &parts).serve(&shelf).await;
    let mut body = response.into_body();
    let left = body.size_hint().exact();
    assert_eq!((left, body.is_end_stream()), (Some(7), false));
    body.frame().await.unwrap().unwrap();
    let left = body.size_hint().exact();
    assert_eq!((left, body.is_end_stream()), (Some(0), true));
}

#[tokio::test]
async fn a_download_says_what_the_repository_refuses() {
    use tower_presign::store::RepositoryError;
    for (failure, status, code) in [
        (
            (|| RepositoryError::NotFound) as fn() -> RepositoryError,
            404,
            "not-found",
        ),
        (|| RepositoryError::Deleted, 410, "deleted"),
        (|| RepositoryError::NotReady, 503, "not-ready"),
        (|| RepositoryError::internal("db.internal"), 500, "internal"),
    ] {
        let refused = download(&Failing(failure), Method::GET, &[]).await;
        refused.assert_refused(status, code);
        assert!(!refused.text().contains("db.internal"));
    }
}

#[tokio::test]
async fn a_host_names_the_file_and_says_who_may_keep_it() {
    let parts = parts(Method::GET, &[]);
    let response = Download::new(key(), &parts)
        .filename("Röntgen.png")
        .attachment()
        .cache_control(HeaderValue::from_static("private, max-age=60"))
        .serve(&Shelf::new(b"content"))
        .await;
    let answer = Answer::of(response).await.unwrap();
    let disposition = answer.header("content-disposition").unwrap();
    assert!(disposition.starts_with("attachment"), "{disposition}");
    assert!(disposition.contains("R%C3%B6ntgen.png"), "{disposition}");
    assert_eq!(answer.header("cache-control"), Some("private, max-age=60"));
}

fn upload(headers: &[(&str, &str)], body: Body) -> Result<Upload, Denial> {
    let png = ContentType::new("image/png").unwrap();
    let request: Request<Body> = request(Method::POST, "/fhir/R4/Binary", headers, body);
    let (mut parts, body) = request.into_parts();
    let sent = HeaderValue::from_static("image/png");
    parts.headers.entry("content-type").or_insert(sent);
    Upload::from_body(&parts, body, png, 10)
}

async fn collect(mut upload: Upload) -> Result<Vec<u8>, UploadError> {
    let mut content = Vec::new();
    while let Some(chunk) = upload.next().await {
        content.extend_from_slice(&chunk?);
    }
    Ok(content)
}

#[tokio::test]
async fn a_body_becomes_an_upload() {
    let content = collect(upload(&[], Body::from("content")).unwrap()).await;
    assert_eq!(content.unwrap(), b"content");

    let with_length = upload(&[], Body::from("content")).unwrap();
    assert_eq!(with_length.length(), Some(7));
    assert_eq!(with_length.content_type().as_str(), "image/png");
    assert!(!with_length.expects_continue());
    let in_chunks = upload(&[("expect", "100-continue")], chunks(&["con", "tent"])).unwrap();
    assert_eq!(in_chunks.length(), None);
    assert!(in_chunks.expects_continue());
    assert_eq!(collect(in_chunks).await.unwrap(), b"content");
}

/// To many a consumer of a stream, an empty chunk is its end.
#[tokio::test]
async fn a_frame_without_bytes_is_no_chunk_of_an_upload() {
    let mut upload = upload(&[], chunks(&["", "con", "", "tent", ""])).unwrap();
    for expected in ["con", "tent"] {
        assert_eq!(upload.next().await.unwrap().unwrap(), expected);
    }
    assert!(upload.next().await.is_none());
}

#[tokio::test]
async fn an_upload_that_is_known_to_be_wrong_is_refused_before_its_body_is_read() {
    for (headers, content, code) in [
        (
            &[("content-type", "text/plain")][..],
            "content",
            "content-type-mismatch",
        ),
        (
            &[("content-encoding", "gzip")],
            "content",
            "content-type-mismatch",
        ),
        (
            &[("content-range", "bytes 0-6/7")],
            "content",
            "invalid-parameter",
        ),
        (
            &[("repr-digest", "sha-256=:?:")],
            "content",
            "invalid-parameter",
        ),
        (&[], "longer than ten", "too-large"),
        (&[], "", "empty-body"),
    ] {
        let (body, watch) = watched(content);
        let denial = upload(headers, body).unwrap_err();
        assert_eq!(denial.code().as_str(), code, "{headers:?}");
        assert!(!watch.is_polled(), "{code}");
    }
}

#[tokio::test]
async fn an_upload_that_turns_out_wrong_fails() {
    let digest = format!("sha-256=:{}=:", "A".repeat(43));
    let stalled = io::Error::from(io::ErrorKind::TimedOut);
    let reset = io::Error::from(io::ErrorKind::ConnectionReset);
    for (headers, body, code) in [
        (&[][..], chunks(&["longer than", " ten"]), "too-large"),
        (&[], chunks(&[]), "empty-body"),
        (
            &[("content-length", "9")],
            chunks(&["content"]),
            "incomplete-body",
        ),
        (&[], broken("cont", reset), "incomplete-body"),
        (&[], broken("cont", stalled), "upload-timeout"),
        (
            &[("content-digest", &*digest)],
            Body::from("content"),
            "digest-mismatch",
        ),
    ] {
        let failed = collect(upload(headers, body).unwrap()).await.unwrap_err();
        assert_eq!(failed.code().as_str(), code);
    }
}
