//! Uploads in parts, at one write URL.

mod authority;
mod completion;
mod creation;
mod cuts;
mod draft;
mod interim;
mod model;
mod stores;
mod tus;

use std::io::ErrorKind;
use std::path::Path;

use axum::body::Body;
use http::Method;
use tower_presign::store::RepositoryError;
use tower_presign::{BinaryRepository, ContentType, FsRepository, PresignLayer};

use crate::support::*;

/// The content that is uploaded, in parts.
const CONTENT: &str = "the whole content";

const TUS: (&str, &str) = ("tus-resumable", "1.0.0");
const TUS_PART: (&str, &str) = ("content-type", "application/offset+octet-stream");
const DRAFT_PART: (&str, &str) = ("content-type", "application/partial-upload");
const PNG: (&str, &str) = ("content-type", "image/png");

const LAST: (&str, &str) = ("upload-complete", "?1");
const NOT_LAST: (&str, &str) = ("upload-complete", "?0");

/// A layer whose uploads may come in parts, and a write URL for `scan`.
async fn resumable(repository: impl BinaryRepository) -> (PresignLayer, String) {
    let layer = layer(repository).resumable_uploads(true);
    let write = mint_upload(&layer, "scan").await;
    (layer, write)
}

/// A folder with the Binary `scan`.
async fn open_folder(folder: &Path) -> FsRepository {
    let repository = loop {
        match FsRepository::open(folder).await {
            Ok(repository) => break repository,
            // Work that goes on behind the last answer has it a moment longer.
            Err(error) if error.kind() == ErrorKind::WouldBlock => tokio::task::yield_now().await,
            Err(error) => panic!("{error}"),
        }
    };
    match repository
        .create(id("scan"), ContentType::new("image/png").unwrap())
        .await
    {
        Ok(_) | Err(RepositoryError::AlreadyWritten) => repository,
        Err(error) => panic!("{error}"),
    }
}

async fn in_memory() -> (PresignLayer, String) {
    resumable(scan("image/png")).await
}

async fn send(
    layer: &PresignLayer,
    method: Method,
    url: &str,
    headers: &[(&str, &str)],
    body: impl Into<Body>,
) -> Answer {
    call(layer, request(method, url, headers, body)).await
}

/// Begins an upload of a length as tus has it, and returns its URL.
async fn begin_tus(layer: &PresignLayer, write: &str, length: usize) -> String {
    let length = length.to_string();
    let headers = [TUS, ("upload-length", &*length)];
    let begun = send(layer, Method::POST, write, &headers, "").await;
    assert_eq!(begun.status, 201, "{begun:?}");
    begun.header("location").unwrap().to_owned()
}

/// Appends a part as tus has it.
async fn append_tus(
    layer: &PresignLayer,
    url: &str,
    offset: usize,
    part: impl Into<Body>,
) -> Answer {
    let offset = offset.to_string();
    let headers = [TUS, TUS_PART, ("upload-offset", &*offset)];
    send(layer, Method::PATCH, url, &headers, part).await
}

/// Begins an upload as the draft has it, and returns its URL.
async fn begin_draft(layer: &PresignLayer, write: &str) -> String {
    let begun = send(layer, Method::POST, write, &[NOT_LAST, PNG], "").await;
    assert_eq!(begun.status, 201, "{begun:?}");
    begun.header("location").unwrap().to_owned()
}

/// Appends a part as the draft has it.
async fn append_draft(
    layer: &PresignLayer,
    url: &str,
    offset: usize,
    last: (&str, &str),
    part: impl Into<Body>,
) -> Answer {
    let offset = offset.to_string();
    let headers = [DRAFT_PART, ("upload-offset", &*offset), last];
    send(layer, Method::PATCH, url, &headers, part).await
}

/// The offset of an upload.
async fn offset(layer: &PresignLayer, url: &str) -> String {
    let progress = send(layer, Method::HEAD, url, &[], "").await;
    assert_eq!(progress.status, 200, "{progress:?}");
    progress.header("upload-offset").unwrap().to_owned()
}

/// The content that is there, if any.
async fn stored(layer: &PresignLayer) -> Option<String> {
    let read = mint(layer, "scan").await;
    let answer = get(layer, &read).await;
    (answer.status == 200).then(|| answer.text().to_owned())
}

#[tokio::test]
async fn without_the_setting_no_upload_comes_in_parts() {
    let layer = layer(scan("image/png"));
    let write = mint_upload(&layer, "scan").await;
    let part = put_with(&layer, &write, &[NOT_LAST], "a part").await;
    part.assert_refused(501, "unsupported-coding");
    let begun = send(
        &layer,
        Method::POST,
        &write,
        &[TUS, ("upload-length", "9")],
        "",
    )
    .await;
    begun.assert_refused(405, "method-not-allowed");
    assert_eq!(stored(&layer).await, None);
    // Whoever sends all of it has it stored, whatever they say about parts.
    assert_eq!(put_with(&layer, &write, &[LAST], CONTENT).await.status, 200);
}

#[tokio::test]
#[should_panic(expected = "keeps no uploads that come in parts")]
async fn a_repository_that_cannot_keep_parts_is_found_out_at_once() {
    drop(layer(repository::Shelf::new(b"")).resumable_uploads(true));
}

#[tokio::test]
async fn an_upload_in_one_request_is_as_it_was() {
    let (layer, write) = in_memory().await;
    let stored_at_once = put(&layer, &write, CONTENT).await;
    assert_eq!(
        (
            stored_at_once.status.as_u16(),
            stored_at_once.header("etag")
        ),
        (200, Some("\"1\""))
    );
    assert_eq!(stored_at_once.header("upload-offset"), None);
    send(&layer, Method::POST, &write, &[PNG], CONTENT)
        .await
        .assert_refused(405, "method-not-allowed");
}

/// A digest of all of this content, as `Repr-Digest` has it.
fn sha256_header(content: &str) -> String {
    use base64::Engine as _;
    use sha2::Digest as _;
    let digest = sha2::Sha256::digest(content);
    format!(
        "sha-256=:{}:",
        base64::engine::general_purpose::STANDARD.encode(digest)
    )
}
