//! Connections that break, and clients that come back on another.

use std::pin::pin;

use axum::body::Body;
use bytes::Bytes;
use futures_util::{FutureExt as _, StreamExt as _, stream};
use http::Method;

use super::*;

/// A body that breaks off after these bytes.
fn cut(bytes: &'static str) -> Body {
    let chunks = [Ok(Bytes::from(bytes)), Err(std::io::Error::other("reset"))];
    Body::from_stream(stream::iter(chunks))
}

/// A body that hangs after these bytes.
fn hanging(bytes: &'static str) -> Body {
    let chunks = stream::iter([Ok::<_, std::io::Error>(Bytes::from(bytes))]);
    Body::from_stream(chunks.chain(stream::pending()))
}

#[tokio::test]
async fn bytes_that_came_before_the_connection_broke_are_kept() {
    let (layer, write) = in_memory().await;
    let url = begin_tus(&layer, &write, CONTENT.len()).await;
    let part = append_tus(&layer, &url, 0, cut("the whole")).await;
    part.assert_refused(400, "incomplete-body");
    assert_eq!(offset(&layer, &url).await, "9");
    assert_eq!(append_tus(&layer, &url, 9, &CONTENT[9..]).await.status, 204);
    assert_eq!(stored(&layer).await.as_deref(), Some(CONTENT));
}

#[tokio::test]
async fn bytes_that_came_before_the_server_dropped_the_request_are_kept() {
    let (layer, write) = in_memory().await;
    let url = begin_tus(&layer, &write, CONTENT.len()).await;
    {
        let mut part = pin!(append_tus(&layer, &url, 0, hanging("the whole")));
        assert!(part.as_mut().now_or_never().is_none());
        // The client leaves.
    }
    assert_eq!(offset(&layer, &url).await, "9");
}

#[tokio::test]
async fn a_newer_part_ends_an_older_one_that_hangs() {
    let (layer, write) = in_memory().await;
    let url = begin_tus(&layer, &write, CONTENT.len()).await;
    let mut older = pin!(append_tus(&layer, &url, 0, hanging("the whole")));
    assert!(older.as_mut().now_or_never().is_none());
    let (older, newer) = soon(async { tokio::join!(older, offset(&layer, &url)) }).await;
    assert_eq!(newer, "9", "it has what the older one had got");
    // Clients of tus give up at any other refusal, and the older one may be of a client that lives.
    older.assert_refused(409, "offset-mismatch");
    assert_eq!(append_tus(&layer, &url, 9, &CONTENT[9..]).await.status, 204);
    assert_eq!(stored(&layer).await.as_deref(), Some(CONTENT));
}

/// Makes a request that waits for the end of a part, while a part arrives that was sent before, on
/// another connection.
async fn overtaken(layer: &PresignLayer, method: Method, url: &str) -> Answer {
    let mut older = pin!(append_tus(layer, url, 0, hanging("the whole")));
    assert!(older.as_mut().now_or_never().is_none());
    let mut overtaken = pin!(send(layer, method, url, &[TUS], ""));
    assert!(overtaken.as_mut().now_or_never().is_none(), "it waits");
    let mut late = pin!(append_tus(layer, url, 0, "the"));
    assert!(late.as_mut().now_or_never().is_none());
    let answers = async { tokio::join!(older, overtaken, late) };
    let (older, overtaken, late) = soon(answers).await;
    older.assert_refused(409, "offset-mismatch");
    // A disk may have taken nothing of the older one when the late one comes.
    assert!([204, 404, 409].contains(&late.status.as_u16()), "{late:?}");
    overtaken
}

#[tokio::test]
async fn progress_is_reported_though_a_part_arrives_late() {
    let (layer, write) = in_memory().await;
    let url = begin_tus(&layer, &write, CONTENT.len()).await;
    let progress = overtaken(&layer, Method::HEAD, &url).await;
    assert_eq!(progress.status, 200, "{progress:?}");
    assert_eq!(progress.header("upload-offset"), Some("9"));
}

#[tokio::test]
async fn an_upload_is_removed_though_a_part_arrives_late() {
    let folder = tempfile::tempdir().unwrap();
    let on_disk = resumable(open_folder(folder.path()).await).await;
    for (layer, write) in [in_memory().await, on_disk] {
        let url = begin_tus(&layer, &write, CONTENT.len()).await;
        let removed = overtaken(&layer, Method::DELETE, &url).await;
        assert_eq!(removed.status, 204, "{removed:?}");
        let progress = send(&layer, Method::HEAD, &url, &[TUS], "").await;
        assert_eq!(progress.status, 404, "{progress:?}");
    }
}

#[tokio::test]
async fn a_part_with_a_digest_that_breaks_off_is_thrown_away() {
    let (layer, write) = in_memory().await;
    let url = begin_tus(&layer, &write, CONTENT.len()).await;
    let headers = [
        TUS,
        TUS_PART,
        ("upload-offset", "0"),
        ("upload-checksum", "sha1 UTrv74r4GCZXH/n3gfkZSz3vqTo="),
    ];
    let part = send(&layer, Method::PATCH, &url, &headers, cut("the who")).await;
    part.assert_refused(400, "incomplete-body");
    assert_eq!(offset(&layer, &url).await, "0");
}
