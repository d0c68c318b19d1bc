//! Real clients, and their view of the layer: `MediaRecorder` and file inputs of browsers, DICOM
//! clients, SDKs and phones that repeat a request, Amazon's SDKs, and tools that add digests.

use std::future::ready;
use std::io;

use axum::body::Body;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use futures_util::stream;
use http::{HeaderMap, Method, StatusCode};
use http_body::Frame;
use http_body_util::StreamBody;
use md5::Md5;
use sha2::{Digest as _, Sha256, Sha512};
use tower_presign::store::{
    ByteRange, Content, Located, Metadata, RepositoryError, Target, Upload,
};
use tower_presign::{
    BinaryKey, BinaryRepository, ContentType, FsRepository, MemoryRepository, MintRequest,
    PresignLayer, Terms,
};

use crate::support::body::{chunks, watched};
use crate::support::repository::Shelf;
use crate::support::*;

/// An upload of this type to a Binary of type `granted`, and the type that comes back.
async fn upload_as(granted: &str, sent: &str) -> (StatusCode, Option<String>) {
    let layer = layer(scan(granted));
    let write = mint_upload(&layer, "scan").await;
    let headers = [("content-type", sent)];
    let answer = call(&layer, request(Method::PUT, &write, &headers, "content")).await;
    let stored = get(&layer, &mint(&layer, "scan").await).await;
    let content_type = stored.header("content-type").map(str::to_owned);
    (answer.status, content_type)
}

async fn assert_taken(granted: &str, sent: &str, served: &str) {
    let (status, content_type) = upload_as(granted, sent).await;
    assert_eq!(status, StatusCode::OK, "{granted}: {sent}");
    assert_eq!(content_type.as_deref(), Some(served), "{granted}: {sent}");
}

// Media types

#[tokio::test]
async fn a_recording_of_a_browser_is_taken() {
    let recorded = "video/webm;codecs=vp8,opus";
    assert_taken("video/webm", recorded, "video/webm").await;
    assert_taken(recorded, recorded, recorded).await;
    let quoted = "video/webm; codecs=\"vp8,opus\"";
    assert_taken(quoted, recorded, quoted).await;
    let (status, _) = upload_as(recorded, "video/webm;codecs=vp9,opus").await;
    assert_eq!(status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    let (status, _) = upload_as(recorded, "video/webm").await;
    assert_eq!(status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
}

#[tokio::test]
async fn a_dicom_client_does_not_quote_the_type_of_its_parts() {
    let unquoted = "multipart/related; type=application/dicom; boundary=x";
    let quoted = "multipart/related; type=\"application/dicom\"; boundary=x";
    assert_taken("multipart/related", unquoted, "multipart/related").await;
    assert_taken(quoted, unquoted, quoted).await;
    assert_taken(unquoted, quoted, unquoted).await;
}

#[tokio::test]
async fn another_name_of_a_type_is_that_type_and_is_shown() {
    for (granted, sent, served) in [
        ("image/jpeg", "image/jpg", "image/jpeg"),
        ("image/jpeg", "IMAGE/PJPEG", "image/jpeg"),
        ("image/jpg", "image/jpeg", "image/jpeg"),
        ("audio/mpeg", "audio/mp3", "audio/mpeg"),
        ("audio/wav", "audio/x-wav", "audio/wav"),
        (
            "audio/x-wav; codecs=1",
            "audio/wav;codecs=1",
            "audio/wav; codecs=1",
        ),
        ("application/pdf", "application/x-pdf", "application/pdf"),
        ("application/x-pdf", "application/pdf", "application/pdf"),
        (
            "application/zip",
            "application/x-zip-compressed",
            "application/zip",
        ),
    ] {
        assert_taken(granted, sent, served).await;
    }
    let (status, _) = upload_as("image/jpeg", "image/png").await;
    assert_eq!(status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
}

/// A browser takes the last type of several (Fetch, "extract a MIME type").
#[tokio::test]
async fn no_page_is_hidden_behind_the_comma_of_a_picture() {
    for hidden in [
        "image/png;x=y,text/html",
        "image/png;x=y, text/html;charset=utf-8",
        "application/pdf;a,b,text/html",
        "image/png;x=\"\\\"\",text/html",
    ] {
        assert!(ContentType::new(hidden).is_err(), "{hidden}");
        let (status, _) = upload_as("image/png", hidden).await;
        assert_eq!(status, StatusCode::UNSUPPORTED_MEDIA_TYPE, "{hidden}");
    }
    // Inside of quotes it is none.
    assert!(ContentType::new("image/png;x=\"y,text/html\"").is_ok());
}

#[tokio::test]
async fn text_is_shown_in_the_charset_that_it_was_sent_in() {
    for (granted, sent, served) in [
        (
            "text/plain",
            "text/plain;charset=UTF-8",
            "text/plain;charset=UTF-8",
        ),
        (
            "text/csv",
            "text/csv; charset=\"iso-8859-1\"",
            "text/csv;charset=iso-8859-1",
        ),
        (
            "text/plain;",
            "text/plain;charset=UTF-8",
            "text/plain;charset=UTF-8",
        ),
        (
            "text/plain; format=flowed",
            "text/plain; charset=utf-8; format=flowed",
            "text/plain; format=flowed;charset=utf-8",
        ),
        // The grant names one, the client none, or one that is none; and other content has none.
        (
            "text/plain; charset=utf-8",
            "text/plain;charset=UTF-8",
            "text/plain; charset=utf-8",
        ),
        ("text/plain", "text/plain", "text/plain"),
        (
            "text/plain",
            "text/plain;charset=\"utf-8;x=y\"",
            "text/plain",
        ),
        ("text/plain", "text/plain;charset=\"\"", "text/plain"),
        (
            "application/dicom",
            "application/dicom;charset=UTF-8",
            "application/dicom",
        ),
    ] {
        assert_taken(granted, sent, served).await;
    }
}

#[tokio::test]
async fn a_download_is_saved_under_a_name_with_an_extension() {
    for (content_type, name) in [
        ("application/dicom", "scan.dcm"),
        ("application/pdf", "scan.pdf"),
        ("image/jpg", "scan.jpg"),
        ("text/plain; charset=utf-8", "scan.txt"),
        ("video/webm;codecs=vp8,opus", "scan.webm"),
        ("application/fhir+json", "scan.json"),
        ("application/hl7-cda+xml", "scan.xml"),
        ("image/svg+xml", "scan.svg"),
        ("application/vnd.unknown", "scan.bin"),
        ("application/x-msdownload", "scan.bin"),
        ("nonsense", "scan.bin"),
    ] {
        let mut shelf = Shelf::new(b"content");
        shelf.content_type = content_type;
        let layer = layer(shelf);
        let answer = get(&layer, &mint(&layer, "scan").await).await;
        let disposition = answer.header("content-disposition").unwrap();
        let saved = disposition.split("filename=").nth(1);
        assert_eq!(saved, Some(&*format!("\"{name}\"")), "{content_type}");
    }
    let policy = |_: MintRequest| ready(Ok(Terms::new().filename("Report.pdf")));
    let layer = PresignLayer::new(signer(), Shelf::new(b"content"), policy).clock(|| at(NOW));
    let answer = get(&layer, &mint(&layer, "scan").await).await;
    let disposition = answer.header("content-disposition").unwrap();
    assert!(disposition.contains("Report.pdf") && !disposition.contains("scan"));
}

#[tokio::test]
async fn an_id_that_ends_like_its_type_is_a_name_as_it_is() {
    let repository = MemoryRepository::new();
    let png = ContentType::new("image/png").unwrap();
    repository.create(id("x-ray.png"), png).unwrap();
    let layer = layer(repository);
    let write = mint_upload(&layer, "x-ray.png").await;
    put(&layer, &write, "content").await;
    let answer = get(&layer, &mint(&layer, "x-ray.png").await).await;
    let disposition = answer.header("content-disposition");
    assert_eq!(disposition, Some("inline; filename=\"x-ray.png\""));
}

// A repeat is no failure

/// A layer, a URL to write with, and a URL to read what has been written: `content`.
async fn written(repository: impl BinaryRepository) -> (PresignLayer, String, String) {
    let layer = layer(repository);
    let write = mint_upload(&layer, "scan").await;
    let read = mint(&layer, "scan").await;
    let answer = put(&layer, &write, "content").await;
    assert_eq!(answer.status, StatusCode::OK);
    (layer, write, read)
}

async fn repeats_are_compared(repository: impl BinaryRepository) {
    let (layer, write, read) = written(repository).await;
    let modified = get(&layer, &read)
        .await
        .header("last-modified")
        .map(str::to_owned);
    for body in ["content".into(), chunks(&["con", "tent"])] {
        let answer = put(&layer, &write, body).await;
        assert_eq!(answer.status, StatusCode::OK);
        assert_eq!(answer.header("etag"), Some("\"1\""));
        assert!(answer.body.is_empty());
    }
    let asking = [("expect", "100-continue")];
    let answer = put_with(&layer, &write, &asking, "content").await;
    assert_eq!(answer.status, StatusCode::OK);
    for body in [
        "another".into(),
        "other content".into(),
        "con".into(),
        chunks(&["con", "tents"]),
        chunks(&["con", "sent"]),
        chunks(&["con"]),
    ] {
        let answer = put(&layer, &write, body).await;
        answer.assert_refused(412, "already-written");
        assert_eq!(answer.header("etag"), Some("\"1\""));
    }
    let whole = get(&layer, &read).await;
    assert_eq!(whole.body, "content");
    assert_eq!(whole.header("last-modified"), modified.as_deref());
    assert_eq!(whole.header("etag"), Some("\"1\""));
}

#[tokio::test]
async fn an_upload_that_is_repeated_because_its_answer_was_lost_is_no_failure() {
    repeats_are_compared(scan("image/png")).await;
    let folder = tempfile::tempdir().unwrap();
    let fs = FsRepository::open(folder.path()).await.unwrap();
    let png = ContentType::new("image/png").unwrap();
    fs.create(id("scan"), png).await.unwrap();
    repeats_are_compared(fs).await;
}

/// A repository of a host's that keeps no digests.
struct Undigested(MemoryRepository);

impl BinaryRepository for Undigested {
    async fn locate(&self, target: &Target) -> Result<Located, RepositoryError> {
        self.0.locate(target).await
    }

    async fn head(&self, key: &BinaryKey) -> Result<Metadata, RepositoryError> {
        let mut metadata = self.0.head(key).await?;
        metadata.sha256 = None;
        Ok(metadata)
    }

    async fn read(
        &self,
        key: &BinaryKey,
        range: Option<ByteRange>,
    ) -> Result<Content, RepositoryError> {
        self.0.read(key, range).await
    }

    async fn write(&self, key: &BinaryKey, upload: Upload) -> Result<Metadata, RepositoryError> {
        self.0.write(key, upload).await
    }
}

#[tokio::test]
async fn content_is_read_if_its_repository_keeps_no_digest() {
    repeats_are_compared(Undigested(scan("image/png"))).await;
}

fn sha256(content: &str) -> String {
    format!("sha-256=:{}:", STANDARD.encode(Sha256::digest(content)))
}

#[tokio::test]
async fn with_a_digest_a_repeat_is_answered_before_its_body_is_read() {
    let (layer, write, _) = written(scan("image/png")).await;
    let bare = STANDARD.encode(Sha256::digest("content"));
    for (name, value) in [
        ("repr-digest", &sha256("content")),
        ("content-digest", &sha256("content")),
        ("x-amz-checksum-sha256", &bare),
    ] {
        let (body, watch) = watched("content");
        let headers = [(name, &**value), ("expect", "100-continue")];
        let answer = put_with(&layer, &write, &headers, body).await;
        assert_eq!(answer.status, StatusCode::OK, "{name}");
        assert_eq!(answer.header("etag"), Some("\"1\""));
        assert!(!watch.is_polled(), "{name}");
    }
    let (body, watch) = watched("another");
    let other = sha256("another");
    let headers = [("repr-digest", &*other), ("expect", "100-continue")];
    let answer = put_with(&layer, &write, &headers, body).await;
    answer.assert_refused(412, "already-written");
    assert!(!watch.is_polled());
}

/// Content that is longer than the stored one need not be read to its end.
#[tokio::test]
async fn a_repeat_of_another_length_is_refused_as_soon_as_that_is_known() {
    let (layer, write, _) = written(scan("image/png")).await;
    let (body, watch) = watched("other content");
    let asking = [("expect", "100-continue")];
    let answer = put_with(&layer, &write, &asking, body).await;
    answer.assert_refused(412, "already-written");
    assert!(!watch.is_polled());
}

#[tokio::test]
async fn a_repeat_that_breaks_off_is_told_so_and_may_be_repeated_again() {
    let (layer, write, _) = written(scan("image/png")).await;
    let broken = crate::support::body::broken("conte", io::Error::other("gone"));
    put(&layer, &write, broken)
        .await
        .assert_refused(400, "incomplete-body");
    let wrong = [("content-md5", &*STANDARD.encode(Md5::digest("another")))];
    let answer = put_with(&layer, &write, &wrong, "content").await;
    answer.assert_refused(400, "digest-mismatch");
    assert_eq!(put(&layer, &write, "content").await.status, StatusCode::OK);
}

// Digests

/// The value of a header for some content.
type Digest<'a> = &'a dyn Fn(&str) -> String;

#[tokio::test]
async fn a_client_that_asks_for_a_digest_gets_it_with_the_content_or_a_part_of_it() {
    let (layer, _, read) = written(scan("image/png")).await;
    let whole = sha256("content");
    for wanted in ["sha-256=10", "sha-512=3, sha-256=1", "sha-256=5,md5=1"] {
        let wanted = ("want-repr-digest", wanted);
        let answer = get_with(&layer, &read, &[wanted]).await;
        assert_eq!(answer.header("repr-digest"), Some(&*whole), "{wanted:?}");
        let part = get_with(&layer, &read, &[wanted, ("range", "bytes=0-1")]).await;
        assert_eq!(part.status, StatusCode::PARTIAL_CONTENT);
        assert_eq!(part.header("repr-digest"), Some(&*whole));
        let head = head_with(&layer, &read, &[wanted]).await;
        assert_eq!(head.header("repr-digest"), Some(&*whole));
    }
    for unwanted in ["sha-256=0", "sha-512=10", "sha-256", "", "sha-256=99"] {
        let answer = get_with(&layer, &read, &[("want-repr-digest", unwanted)]).await;
        assert_eq!(answer.status, StatusCode::OK);
        assert_eq!(answer.header("repr-digest"), None, "{unwanted}");
    }
}

#[tokio::test]
async fn each_digest_that_can_be_checked_is() {
    let md5 = |content: &str| STANDARD.encode(Md5::digest(content));
    let sha256 = |content: &str| STANDARD.encode(Sha256::digest(content));
    let sha512 = |content: &str| STANDARD.encode(Sha512::digest(content));
    let cases: [(&str, Digest<'_>); 6] = [
        ("content-md5", &md5),
        ("x-amz-checksum-sha256", &sha256),
        ("digest", &|content| format!("SHA-256={}", sha256(content))),
        ("digest", &|content| {
            format!("md5={},sha-512={}", md5(content), sha512(content))
        }),
        ("content-digest", &|content| {
            format!("md5=:{}:", md5(content))
        }),
        ("repr-digest", &|content| {
            format!("sha-512=:{}:", sha512(content))
        }),
    ];
    for (name, digest) in cases {
        let layer = layer(scan("image/png"));
        let write = mint_upload(&layer, "scan").await;
        let wrong = [(name, &*digest("another"))];
        let answer = put_with(&layer, &write, &wrong, "content").await;
        answer.assert_refused(400, "digest-mismatch");
        let answer = put_with(&layer, &write, &[(name, "x=AAAA,sha-256=AAAA")], "content").await;
        answer.assert_refused(400, "invalid-parameter");
        let right = [(name, &*digest("content"))];
        let answer = put_with(&layer, &write, &right, "content").await;
        assert_eq!(answer.status, StatusCode::OK, "{name}");
    }
}

/// A body, and what follows it.
fn with_trailers(content: &'static str, trailers: &[(&'static str, String)]) -> Body {
    let mut map = HeaderMap::new();
    for (name, value) in trailers {
        map.insert(*name, value.parse().unwrap());
    }
    let frames = [
        Ok::<_, io::Error>(Frame::data(Bytes::from(content))),
        Ok(Frame::trailers(map)),
    ];
    Body::new(StreamBody::new(stream::iter(frames)))
}

#[tokio::test]
async fn a_digest_after_the_content_counts_as_one_before_it() {
    let md5 = |content: &str| STANDARD.encode(Md5::digest(content));
    let sha512 = |content: &str| format!("sha-512=:{}:", STANDARD.encode(Sha512::digest(content)));
    let bare = |content: &str| STANDARD.encode(Sha256::digest(content));
    let cases: [(&str, Digest<'_>); 5] = [
        ("content-digest", &sha256),
        ("repr-digest", &sha512),
        ("content-md5", &md5),
        ("x-amz-checksum-sha256", &bare),
        ("digest", &|content| format!("SHA-256={}", bare(content))),
    ];
    for (name, digest) in cases {
        let layer = layer(scan("image/png"));
        let (write, read) = (
            mint_upload(&layer, "scan").await,
            mint(&layer, "scan").await,
        );
        let announced = [("trailer", name)];
        for wrong in [digest("another"), "sha-256=AAAA".to_owned()] {
            let body = with_trailers("content", &[(name, wrong)]);
            let answer = put_with(&layer, &write, &announced, body).await;
            answer.assert_refused(400, "digest-mismatch");
            get(&layer, &read).await.assert_refused(404, "not-found");
        }
        let body = with_trailers("content", &[(name, digest("content"))]);
        let answer = put_with(&layer, &write, &announced, body).await;
        assert_eq!(answer.status, StatusCode::OK, "{name}");
    }
    // A SHA-256 need not even be announced.
    let layer = layer(scan("image/png"));
    let write = mint_upload(&layer, "scan").await;
    let body = with_trailers("content", &[("content-digest", sha256("another"))]);
    put(&layer, &write, body)
        .await
        .assert_refused(400, "digest-mismatch");
}

#[tokio::test]
async fn content_compressed_for_the_way_is_not_stored_compressed() {
    let layer = layer(scan("image/png"));
    let write = mint_upload(&layer, "scan").await;
    for coding in ["gzip, chunked", "gzip", "deflate,chunked", "chunked, gzip"] {
        let headers = [("transfer-encoding", coding)];
        let answer = put_with(&layer, &write, &headers, chunks(&["content"])).await;
        answer.assert_refused(501, "unsupported-coding");
    }
    for coding in ["chunked", "Chunked"] {
        let headers = [("transfer-encoding", coding)];
        let answer = put_with(&layer, &write, &headers, chunks(&["content"])).await;
        assert_eq!(answer.status, StatusCode::OK);
    }
}

// Facts about content that is not sent

#[tokio::test]
async fn a_head_request_is_never_told_that_unchanged_content_is_empty() {
    let (layer, _, read) = written(scan("image/png")).await;
    let own = [("if-none-match", "\"1\"")];
    let head = head_with(&layer, &read, &own).await;
    assert_eq!(head.status, StatusCode::NOT_MODIFIED);
    assert_eq!(head.header("content-length"), Some("7"));
    let got = get_with(&layer, &read, &own).await;
    assert_eq!(got.status, StatusCode::NOT_MODIFIED);
    assert_eq!(got.header("content-length"), None);
}

#[tokio::test]
async fn the_body_of_an_operation_is_not_called_a_file() {
    let layer = layer(scan("image/png"));
    let xml = [("content-type", "application/xml")];
    let operation = "/fhir/R4/Binary/scan/$presigned-url";
    let answer = call(
        &layer,
        request(Method::POST, operation, &xml, "<Parameters/>"),
    )
    .await;
    answer.assert_refused(415, "content-type-mismatch");
    let text = answer.json()["issue"][0]["details"]["text"].to_string();
    assert!(!text.contains("file"), "{text}");
}

// Damaged content

#[tokio::test]
async fn content_that_was_cut_short_on_the_disk_is_never_shorter_content() {
    let folder = tempfile::tempdir().unwrap();
    let png = ContentType::new("image/png").unwrap();
    let content = "content ".repeat(100_000);
    let fs = FsRepository::open(folder.path()).await.unwrap();
    fs.create(id("scan"), png).await.unwrap();
    let written = layer(fs);
    let write = mint_upload(&written, "scan").await;
    assert_eq!(
        put(&written, &write, content.clone()).await.status,
        StatusCode::OK
    );
    drop(written);

    let file = folder.path().join("binaries/scan/v1");
    let whole = std::fs::metadata(&file).unwrap().len();
    for cut in [1, 1000, whole - 100, whole - 1, whole] {
        let bytes = std::fs::read(&file).unwrap();
        std::fs::write(&file, &bytes[..bytes.len() - usize::try_from(cut).unwrap()]).unwrap();
        let layer = layer(FsRepository::open(folder.path()).await.unwrap());
        let read = mint(&layer, "scan").await;
        get(&layer, &read).await.assert_refused(500, "internal");
        let part = get_with(&layer, &read, &[("range", "bytes=0-9")]).await;
        part.assert_refused(500, "internal");
        let head = head_with(&layer, &read, &[]).await;
        assert_eq!(head.status, StatusCode::INTERNAL_SERVER_ERROR);
        drop(layer);
        std::fs::write(&file, bytes).unwrap();
    }
}
