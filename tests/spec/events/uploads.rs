//! `upload`: content has been stored, or its upload has broken off.

use std::future::Future as _;
use std::io;
use std::pin::pin;
use std::task::{Context, Waker};

use axum::body::Body;
use futures_util::{StreamExt as _, stream};

use super::{Host, OPERATION, upload};
use crate::support::body::broken;
use crate::support::scan;

/// The fields that the events of `scan`'s uploads share, and those that the case adds.
fn fields<'a>(of_case: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let common = [
        ("id", "scan"),
        ("version", "1"),
        ("access", "write"),
        ("key_id", "test"),
    ];
    [&common, of_case].concat()
}

/// A host of an empty `scan`, and a URL that writes it.
async fn host() -> (Host, String) {
    let host = Host::new(scan("image/png"));
    let url = host.mint(&format!("{OPERATION}?upload=true")).await;
    (host, url)
}

#[tokio::test]
async fn content_that_is_stored_is_told_with_its_length() {
    let (host, url) = host().await;
    let message = host.put(&url, &[], "content").await;
    message.assert(
        "upload",
        &fields(&[("code", "ok"), ("status", "200"), ("bytes", "7")]),
    );
    assert!(message.is_in_span);
}

#[tokio::test]
async fn content_that_is_not_whole_is_told_with_what_arrived() {
    let (host, url) = host().await;
    let interrupted = broken("cont", io::Error::from(io::ErrorKind::ConnectionReset));
    let message = host.put(&url, &[], interrupted).await;
    message.assert(
        "upload",
        &fields(&[
            ("code", "incomplete-body"),
            ("status", "400"),
            ("bytes", "4"),
        ]),
    );

    let digest = "sha-256=:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=:";
    let message = host
        .put(&url, &[("content-digest", digest)], "content")
        .await;
    message.assert(
        "upload",
        &fields(&[
            ("code", "digest-mismatch"),
            ("status", "400"),
            ("bytes", "7"),
        ]),
    );
}

#[tokio::test]
async fn an_upload_whose_client_goes_away_is_told_without_a_status() {
    let (host, url) = host().await;
    let start = stream::iter([Ok::<_, io::Error>("cont")]);
    let stalled = Body::from_stream(start.chain(stream::pending()));
    {
        let mut answer = pin!(host.send(upload(&url, &[], stalled)));
        let mut context = Context::from_waker(Waker::noop());
        assert!(answer.as_mut().poll(&mut context).is_pending());
        host.assert_silent();
    }
    host.told()
        .assert("upload", &fields(&[("code", "aborted"), ("bytes", "4")]));
}

#[tokio::test]
async fn an_upload_refused_before_any_content_arrives_is_a_refusal() {
    let (host, url) = host().await;
    let message = host.put(&url, &[], "").await;
    message.assert(
        "refusal",
        &fields(&[("code", "empty-body"), ("status", "400")]),
    );
    host.put(&url, &[], "content").await;
    let message = host.put(&url, &[], "other content").await;
    message.assert(
        "refusal",
        &fields(&[("code", "already-written"), ("status", "412")]),
    );
}
