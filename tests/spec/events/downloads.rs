//! `download`: a read URL's response has been sent, or has broken off.

use axum::body::Body;
use bytes::Bytes;
use http::Method;
use http_body_util::BodyExt as _;
use tower_presign::store::RepositoryError;
use tracing::Level;

use super::{Host, Message, OPERATION};
use crate::support::repository::Shelf;
use crate::support::request;

/// The fields that the events of `scan`'s downloads share, and those that the case adds.
fn fields<'a>(of_case: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let common = [
        ("id", "scan"),
        ("version", "7"),
        ("access", "read"),
        ("key_id", "test"),
    ];
    [&common, of_case].concat()
}

#[tokio::test]
async fn whole_content_a_part_of_it_and_none_are_told_with_the_bytes_sent() {
    let host = Host::new(Shelf::new(b"content"));
    let url = host.mint(OPERATION).await;
    for (header, status, bytes) in [
        (("accept", "*/*"), "200", "7"),
        (("range", "bytes=2-4"), "206", "3"),
        (("if-none-match", "\"7\""), "304", "0"),
    ] {
        let message = host.get(&url, &[header]).await;
        message.assert(
            "download",
            &fields(&[("code", "ok"), ("status", status), ("bytes", bytes)]),
        );
    }
}

#[tokio::test]
async fn a_head_request_is_told_as_a_download_of_nothing() {
    let host = Host::new(Shelf::new(b"content"));
    let url = host.mint(OPERATION).await;
    let head = request(Method::HEAD, &url, &[], Body::empty());
    let (message, _) = host.tell(head).await;
    message.assert(
        "download",
        &fields(&[("code", "ok"), ("status", "200"), ("bytes", "0")]),
    );
}

#[tokio::test]
async fn empty_content_is_a_download_that_is_whole() {
    let host = Host::new(Shelf::new(b""));
    let url = host.mint(OPERATION).await;
    let message = host.get(&url, &[]).await;
    message.assert(
        "download",
        &fields(&[("code", "ok"), ("status", "200"), ("bytes", "0")]),
    );
}

#[tokio::test]
async fn a_download_is_told_when_its_last_byte_has_left() {
    let host = Host::new(in_two_chunks());
    let url = host.mint(OPERATION).await;
    let get = request(Method::GET, &url, &[], Body::empty());
    let mut body = Box::pin(host.send(get).await.into_body());
    host.assert_silent();
    assert!(body.frame().await.is_some());
    host.assert_silent();
    assert!(body.frame().await.is_some());
    let message = host.told();
    message.assert(
        "download",
        &fields(&[("code", "ok"), ("status", "200"), ("bytes", "7")]),
    );
    assert!(message.is_in_span);
    drop(body);
    host.assert_silent();
}

#[tokio::test]
async fn a_download_that_the_client_breaks_off_is_told_with_the_bytes_that_left() {
    let host = Host::new(in_two_chunks());
    let url = host.mint(OPERATION).await;
    for (chunks, bytes) in [(0, "0"), (1, "4")] {
        let get = request(Method::GET, &url, &[], Body::empty());
        let mut body = Box::pin(host.send(get).await.into_body());
        for _ in 0..chunks {
            assert!(body.frame().await.is_some());
        }
        drop(body);
        host.told().assert(
            "download",
            &fields(&[("code", "aborted"), ("status", "200"), ("bytes", bytes)]),
        );
    }
}

#[tokio::test]
async fn a_download_that_the_repository_breaks_off_is_told_with_its_error() {
    let broken = || vec![Ok(CONT), Err(RepositoryError::internal("disk 3 is gone"))];
    let message = download_of(broken).await;
    message.assert_at(
        Level::ERROR,
        "download",
        &fields(&[
            ("code", "internal"),
            ("status", "200"),
            ("bytes", "4"),
            ("error", "disk 3 is gone"),
        ]),
    );
}

#[tokio::test]
async fn content_of_another_length_than_announced_is_told_as_the_repositorys_failure() {
    let short = || vec![Ok(CONT)];
    let long = || vec![Ok(CONT), Ok(CONT)];
    for chunks in [short as fn() -> _, long] {
        let message = download_of(chunks).await;
        message.assert_at(
            Level::ERROR,
            "download",
            &fields(&[
                ("code", "internal"),
                ("status", "200"),
                ("bytes", "4"),
                (
                    "error",
                    "the content does not have the length that the repository announced",
                ),
            ]),
        );
    }
}

type Chunk = Result<Bytes, RepositoryError>;

const CONT: Bytes = Bytes::from_static(b"cont");
const ENT: Bytes = Bytes::from_static(b"ent");

fn in_two_chunks() -> Shelf {
    Shelf {
        stream: Some(|| vec![Ok(CONT), Ok(ENT)]),
        ..Shelf::new(b"content")
    }
}

/// The events of a download of 7 bytes that arrive like this.
async fn download_of(chunks: fn() -> Vec<Chunk>) -> Message {
    let host = Host::new(Shelf {
        stream: Some(chunks),
        ..Shelf::new(b"content")
    });
    let url = host.mint(OPERATION).await;
    host.get(&url, &[]).await
}
