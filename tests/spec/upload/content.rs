//! Content that is stored, or is not, and how often it can be.

use std::future::ready;
use std::io;

use axum::body::Body;
use bytes::Bytes;
use futures_util::stream;
use http::{HeaderMap, StatusCode};
use http_body::Frame;
use http_body_util::{Limited, StreamBody};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tower_presign::{MintRequest, PresignLayer, Terms};

use crate::support::body::{broken, chunks};
use crate::support::*;

/// A layer over an empty `scan`, a URL to write it and one to read what was written.
async fn setup() -> (PresignLayer, String, String) {
    let layer = layer(scan("image/png"));
    let write = mint_upload(&layer, "scan").await;
    let read = mint(&layer, "scan").await;
    (layer, write, read)
}

/// A layer whose URLs grant this many bytes.
fn granting(bytes: u64) -> PresignLayer {
    let policy = move |_: MintRequest| ready(Ok(Terms::new().max_length(bytes)));
    PresignLayer::new(signer(), scan("image/png"), policy).clock(|| at(NOW))
}

/// A body that is fed through the channel.
fn fed() -> (mpsc::Sender<io::Result<&'static str>>, Body) {
    let (sender, receiver) = mpsc::channel(1);
    (sender, Body::from_stream(ReceiverStream::new(receiver)))
}

/// Feeds two chunks, after which the first has been taken: the channel has room for one.
async fn feed(sender: &mpsc::Sender<io::Result<&'static str>>) {
    sender.send(Ok("con")).await.unwrap();
    sender.send(Ok("tent")).await.unwrap();
}

// Success

#[tokio::test]
async fn an_upload_is_stored_and_answered_with_its_entity_tag() {
    let (layer, write, read) = setup().await;
    let answer = put(&layer, &write, "content").await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.body, "");
    assert_eq!(
        answer.sorted_headers(),
        [
            ("cache-control", "no-store"),
            ("content-length", "0"),
            ("etag", "\"1\""),
            ("x-content-type-options", "nosniff"),
        ]
    );
    let stored = get(&layer, &read).await;
    assert_eq!(stored.body, "content");
    assert_eq!(stored.header("etag"), answer.header("etag"));
}

#[tokio::test]
async fn an_upload_may_come_in_chunks_and_with_trailers() {
    let (layer, write, read) = setup().await;
    let body = chunks(&["con", "", "tent"]);
    assert_eq!(put(&layer, &write, body).await.status, StatusCode::OK);
    assert_eq!(get(&layer, &read).await.body, "content");

    let write = mint_upload(&layer, "scan").await;
    let mut trailers = HeaderMap::new();
    trailers.insert("x-checksum", "1".parse().unwrap());
    let frames = [
        Frame::data(Bytes::from("second")),
        Frame::trailers(trailers),
    ];
    let frames = stream::iter(frames.map(Ok::<_, io::Error>));
    let body = Body::new(StreamBody::new(frames));
    assert_eq!(put(&layer, &write, body).await.status, StatusCode::OK);
    let read = mint(&layer, "scan").await;
    assert_eq!(get(&layer, &read).await.body, "second");
}

// Limits

#[tokio::test]
async fn a_limit_allows_just_what_it_says_with_and_without_a_length() {
    for layer in [
        granting(7),
        granting(7).max_upload(100),
        granting(100).max_upload(7),
        layer(scan("image/png")).max_upload(7),
    ] {
        let write = mint_upload(&layer, "scan").await;
        let read = mint(&layer, "scan").await;
        for too_long in [
            Body::from("contents"),
            chunks(&["contents"]),
            chunks(&["content", "s"]),
        ] {
            let answer = put(&layer, &write, too_long).await;
            answer.assert_refused(413, "too-large");
            let diagnostics = answer.json()["issue"][0]["diagnostics"].to_string();
            assert!(diagnostics.contains("7 bytes"), "{diagnostics}");
            get(&layer, &read).await.assert_refused(404, "not-found");
        }
        let answer = put(&layer, &write, chunks(&["con", "tent"])).await;
        assert_eq!(answer.status, StatusCode::OK);
        let write = mint_upload(&layer, "scan").await;
        assert_eq!(put(&layer, &write, "content").await.status, StatusCode::OK);
    }
}

#[tokio::test]
async fn the_servers_limit_holds_for_urls_that_were_minted_under_a_higher_one() {
    let (layer, write, _) = setup().await;
    let stricter = layer.max_upload(6);
    for too_long in [Body::from("content"), chunks(&["con", "tent"])] {
        let answer = put(&stricter, &write, too_long).await;
        answer.assert_refused(413, "too-large");
    }
    assert_eq!(
        put(&stricter, &write, "conten").await.status,
        StatusCode::OK
    );
}

#[tokio::test]
async fn a_limit_of_a_layer_in_front_is_told_as_such() {
    let (layer, write, read) = setup().await;
    let limited = Body::new(Limited::new(chunks(&["con", "tent"]), 6));
    let answer = put(&layer, &write, limited).await;
    answer.assert_refused(413, "too-large");
    get(&layer, &read).await.assert_refused(404, "not-found");
}

// Empty, incomplete, stalled

fn empty_bodies() -> [(Option<&'static str>, Body); 5] {
    [
        (None, Body::empty()),
        (Some("0"), Body::empty()),
        (Some("0"), chunks(&[])),
        (None, chunks(&[])),
        (None, chunks(&["", ""])),
    ]
}

#[tokio::test]
async fn an_empty_upload_is_taken_for_a_mistake() {
    let (layer, write, read) = setup().await;
    for (length, body) in empty_bodies() {
        let headers: Vec<_> = length
            .map(|length| ("content-length", length))
            .into_iter()
            .collect();
        let answer = put_with(&layer, &write, &headers, body).await;
        answer.assert_refused(400, "empty-body");
    }
    get(&layer, &read).await.assert_refused(404, "not-found");
}

#[tokio::test]
async fn an_empty_upload_is_stored_where_that_is_allowed() {
    for (length, body) in empty_bodies() {
        let (layer, write, read) = setup().await;
        let layer = layer.allow_empty_uploads(true);
        let headers: Vec<_> = length
            .map(|length| ("content-length", length))
            .into_iter()
            .collect();
        let answer = put_with(&layer, &write, &headers, body).await;
        assert_eq!(answer.status, StatusCode::OK);
        let stored = get(&layer, &read).await;
        assert_eq!(stored.status, StatusCode::OK);
        assert_eq!(stored.body, "");
    }
}

#[tokio::test]
async fn a_body_that_is_not_as_long_as_declared_is_incomplete() {
    let (layer, write, read) = setup().await;
    for length in ["8", "6", "1"] {
        let headers = [("content-length", length)];
        let answer = put_with(&layer, &write, &headers, chunks(&["con", "tent"])).await;
        answer.assert_refused(400, "incomplete-body");
        get(&layer, &read).await.assert_refused(404, "not-found");
    }
    let headers = [("content-length", "7")];
    let answer = put_with(&layer, &write, &headers, chunks(&["con", "tent"])).await;
    assert_eq!(answer.status, StatusCode::OK);
}

#[tokio::test]
async fn a_body_that_breaks_off_leaves_nothing_and_may_be_sent_again() {
    let (layer, write, read) = setup().await;
    for kind in [
        io::ErrorKind::ConnectionReset,
        io::ErrorKind::UnexpectedEof,
        io::ErrorKind::Other,
    ] {
        let body = broken("conte", io::Error::from(kind));
        let answer = put(&layer, &write, body).await;
        answer.assert_refused(400, "incomplete-body");
        get(&layer, &read).await.assert_refused(404, "not-found");
    }
    assert_eq!(put(&layer, &write, "content").await.status, StatusCode::OK);
    assert_eq!(get(&layer, &read).await.body, "content");
}

#[tokio::test]
async fn an_upload_whose_request_is_dropped_leaves_nothing_and_may_be_sent_again() {
    let (layer, write, read) = setup().await;
    let (sender, body) = fed();
    let uploading = tokio::spawn({
        let (layer, write) = (layer.clone(), write.clone());
        async move { put(&layer, &write, body).await }
    });
    feed(&sender).await;
    uploading.abort();
    assert!(uploading.await.unwrap_err().is_cancelled());
    get(&layer, &read).await.assert_refused(404, "not-found");
    assert_eq!(put(&layer, &write, "content").await.status, StatusCode::OK);
}

#[derive(Debug, thiserror::Error)]
#[error("stalled")]
struct Stalled;

#[derive(Debug, thiserror::Error)]
#[error("wrapped")]
struct Wrapped<E: std::error::Error + 'static>(#[source] E);

#[tokio::test]
async fn a_body_that_times_out_is_told_as_such() {
    let (layer, write, read) = setup().await;
    let timed_out = || io::Error::from(io::ErrorKind::TimedOut);
    for body in [
        broken("conte", timed_out()),
        broken("conte", Wrapped(timed_out())),
        broken("", Wrapped(Wrapped(timed_out()))),
    ] {
        let answer = put(&layer, &write, body).await;
        answer.assert_refused(408, "upload-timeout");
        get(&layer, &read).await.assert_refused(404, "not-found");
    }
}

#[tokio::test]
async fn a_layer_in_front_may_have_a_timeout_error_of_its_own() {
    let (layer, write, _) = setup().await;
    let answer = put(&layer, &write, broken("conte", Stalled)).await;
    answer.assert_refused(400, "incomplete-body");
    let layer = layer
        .timeout_error::<Stalled>()
        .timeout_error::<std::fmt::Error>();
    for body in [
        broken("conte", Stalled),
        broken("conte", Wrapped(Stalled)),
        broken("conte", std::fmt::Error),
    ] {
        let answer = put(&layer, &write, body).await;
        answer.assert_refused(408, "upload-timeout");
    }
    assert_eq!(put(&layer, &write, "content").await.status, StatusCode::OK);
}

// Once

#[tokio::test]
async fn a_write_url_writes_once() {
    let (layer, write, read) = setup().await;
    assert_eq!(put(&layer, &write, "content").await.status, StatusCode::OK);
    for other in ["other", "another", "content and more"] {
        let answer = put(&layer, &write, other).await;
        answer.assert_refused(412, "already-written");
        assert_eq!(answer.header("etag"), Some("\"1\""));
    }
    assert_eq!(get(&layer, &read).await.body, "content");
}

#[tokio::test]
async fn of_two_racing_uploads_the_one_that_is_whole_first_wins() {
    for winner in [0, 1] {
        let (layer, write, read) = setup().await;
        let mut uploads = [fed(), fed()].map(|(sender, body)| {
            let (layer, write) = (layer.clone(), write.clone());
            let answer = tokio::spawn(async move { put(&layer, &write, body).await });
            (sender, answer)
        });
        for (sender, _) in &uploads {
            feed(sender).await;
        }
        uploads.rotate_left(winner);
        let [(first, won), (second, lost)] = uploads;
        first.send(Ok(", first")).await.unwrap();
        drop(first);
        assert_eq!(won.await.unwrap().status, StatusCode::OK);
        second.send(Ok(", second")).await.unwrap();
        drop(second);
        let lost = lost.await.unwrap();
        lost.assert_refused(412, "already-written");
        assert_eq!(lost.header("etag"), Some("\"1\""));
        assert_eq!(get(&layer, &read).await.body, "content, first");
    }
}

#[tokio::test]
async fn of_two_urls_for_the_same_version_the_second_to_be_used_is_refused() {
    let (layer, first, read) = setup().await;
    let second = mint_upload(&layer, "scan").await;
    assert_eq!(put(&layer, &second, "second").await.status, StatusCode::OK);
    let answer = put(&layer, &first, "first").await;
    answer.assert_refused(412, "already-written");
    assert_eq!(get(&layer, &read).await.body, "second");
}

#[tokio::test]
async fn preconditions_are_held_against_the_version_that_the_url_writes() {
    let long_ago = "Fri, 15 Jan 1999 07:00:00 GMT";
    let (layer, write, _) = setup().await;
    for header in [("if-match", "*"), ("if-match", "\"1\"")] {
        let answer = put_with(&layer, &write, &[header], "content").await;
        answer.assert_refused(412, "precondition-failed");
        assert_eq!(answer.header("etag"), None);
    }
    for header in [
        ("if-none-match", "*"),
        ("if-none-match", "\"1\""),
        ("if-unmodified-since", long_ago),
        ("if-modified-since", long_ago),
    ] {
        let (layer, write, _) = setup().await;
        let answer = put_with(&layer, &write, &[header], "content").await;
        assert_eq!(answer.status, StatusCode::OK, "{header:?}");
    }

    assert_eq!(put(&layer, &write, "content").await.status, StatusCode::OK);
    for (header, code) in [
        (("if-none-match", "*"), "precondition-failed"),
        (("if-none-match", "\"1\""), "precondition-failed"),
        (("if-match", "\"0\""), "precondition-failed"),
        (("if-unmodified-since", long_ago), "precondition-failed"),
        // These hold, but the version is not written a second time.
        (("if-match", "*"), "already-written"),
        (("if-match", "\"1\""), "already-written"),
        (("if-none-match", "\"0\""), "already-written"),
        (("if-modified-since", long_ago), "already-written"),
    ] {
        let answer = put_with(&layer, &write, &[header], "other").await;
        answer.assert_refused(412, code);
        assert_eq!(answer.header("etag"), Some("\"1\""), "{header:?}");
    }
}

// The repository

#[tokio::test]
async fn a_deleted_binary_takes_no_uploads() {
    let repository = scan("image/png");
    let layer = layer(repository.clone());
    let write = mint_upload(&layer, "scan").await;
    repository.delete(id("scan")).unwrap();
    let answer = put(&layer, &write, "content").await;
    answer.assert_refused(410, "deleted");
    let none = [("if-none-match", "*")];
    let answer = put_with(&layer, &write, &none, "content").await;
    answer.assert_refused(410, "deleted");
}
