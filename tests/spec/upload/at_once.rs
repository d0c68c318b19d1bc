//! Uploads that run at once: two to a version, and no more than the layer takes.

use std::io;

use axum::body::Body;
use http::StatusCode;
use http::header::RETRY_AFTER;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_stream::wrappers::ReceiverStream;
use tower_presign::{Access, BinaryId, ContentType, MemoryRepository, PresignLayer, Target, Terms};

use crate::support::body::watched;
use crate::support::*;

/// An upload that has begun, and has not ended.
struct Stalled {
    sender: mpsc::Sender<io::Result<&'static str>>,
    answer: JoinHandle<Answer>,
}

impl Stalled {
    async fn begin(layer: &PresignLayer, url: &str) -> Self {
        let (sender, receiver) = mpsc::channel(1);
        let (layer, url) = (layer.clone(), url.to_owned());
        let body = Body::from_stream(ReceiverStream::new(receiver));
        let answer = tokio::spawn(async move { put(&layer, &url, body).await });
        // After the second the first has been taken: the channel has room for one.
        sender.send(Ok("con")).await.unwrap();
        sender.send(Ok("tent")).await.unwrap();
        Self { sender, answer }
    }

    async fn end(self) -> Answer {
        drop(self.sender);
        self.answer.await.unwrap()
    }

    /// As if the client had gone.
    async fn leave(self) {
        self.answer.abort();
        drop(self.answer.await);
    }
}

#[track_caller]
fn assert_too_many(answer: &Answer, expected: &str) {
    answer.assert_refused(429, "too-many-requests");
    assert_eq!(answer.header(RETRY_AFTER), Some("5"));
    assert!(answer.text().contains(expected), "{answer:?}");
}

#[tokio::test]
async fn two_uploads_to_one_version_run_at_once_and_no_third() {
    let layer = layer(scan("image/png"));
    let write = mint_upload(&layer, "scan").await;
    // Of different URLs as well.
    let other = layer
        .clone()
        .default_lifetime(std::time::Duration::from_secs(60));
    let other = mint_upload(&other, "scan").await;
    assert_ne!(write, other);

    let first = Stalled::begin(&layer, &write).await;
    let second = Stalled::begin(&layer, &other).await;
    for url in [&write, &other] {
        let (body, watch) = watched("content");
        let headers = [("expect", "100-continue")];
        let third = put_with(&layer, url, &headers, body).await;
        assert_too_many(&third, "Two uploads to this version run already.");
        assert!(!watch.is_polled());
    }
    first.leave().await;
    let third = Stalled::begin(&layer, &write).await;
    assert_eq!(second.end().await.status, StatusCode::OK);
    // The same bytes: no failure.
    assert_eq!(third.end().await.status, StatusCode::OK);
    let next = mint_upload(&layer, "scan").await;
    assert_eq!(put(&layer, &next, "content").await.status, StatusCode::OK);
}

#[tokio::test]
async fn so_many_uploads_run_at_once_in_all_as_the_layer_takes() {
    const MOST: usize = 3;
    let repository = MemoryRepository::new();
    let layer = layer(repository.clone()).max_uploads_at_once(MOST);
    let mut urls = Vec::new();
    for number in 0..=MOST {
        let id = BinaryId::new(format!("scan-{number}")).unwrap();
        let png = ContentType::new("image/png").unwrap();
        repository.create(id, png).unwrap();
        let presigner = layer.presigner();
        let target = Target::new(id, Access::Write);
        let url = presigner.presign(target, Terms::new()).await.unwrap();
        urls.push(String::from(url));
    }
    let mut stalled = Vec::new();
    for url in &urls[..MOST] {
        // Clones of a layer count together: a router has one for each route.
        stalled.push(Stalled::begin(&layer.clone(), url).await);
    }
    let refused = put(&layer, &urls[MOST], "content").await;
    assert_too_many(&refused, "The server takes no more uploads at once.");
    // Requests that are no uploads go on.
    assert_eq!(mint(&layer, "scan-0").await.get(..8), Some("https://"));
    let ended = stalled.pop().unwrap().end().await;
    assert_eq!(ended.status, StatusCode::OK);
    let repeated = put(&layer, &urls[MOST], "content").await;
    assert_eq!(repeated.status, StatusCode::OK);
}

#[tokio::test]
async fn without_a_setting_256_uploads_run_at_once() {
    let repository = MemoryRepository::new();
    let layer = layer(repository.clone());
    let mut stalled = Vec::new();
    for number in 0..=256 {
        let id = BinaryId::new(format!("scan-{number}")).unwrap();
        let png = ContentType::new("image/png").unwrap();
        repository.create(id, png).unwrap();
        let url = mint_upload(&layer, id.as_str()).await;
        if number == 256 {
            let refused = put(&layer, &url, "content").await;
            assert_too_many(&refused, "The server takes no more uploads at once.");
        } else {
            stalled.push(Stalled::begin(&layer, &url).await);
        }
    }
}
