//! Layers and gateways between the client and the layer: what they do to bytes and queries.

use axum::Router;
use axum::body::Body;
use axum::routing::get as route;
use http::header::CACHE_CONTROL;
use http::{Extensions, HeaderMap, Method, StatusCode, Version};
use tower::ServiceExt as _;
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::{DefaultPredicate, Predicate as _};

use crate::support::repository::Shelf;
use crate::support::*;

/// Long enough to be worth compressing, and of a type that is.
const TEXT: &[u8] = &[b'a'; 4096];

fn text() -> Shelf {
    let mut shelf = Shelf::new(TEXT);
    shelf.content_type = "text/plain";
    shelf
}

async fn send(app: &Router, url: &str, headers: &[(&str, &str)]) -> Answer {
    let request = request(Method::GET, url, headers, Body::empty());
    Answer::of(app.clone().oneshot(request).await.unwrap())
        .await
        .unwrap()
}

fn routes() -> Router {
    Router::new().route("/text", route(async || vec![b'a'; 4096]))
}

/// A client that resumes would otherwise join coded bytes and plain ones.
async fn assert_a_resumed_download_is_whole(app: Router, url: &str) {
    let coded = [("accept-encoding", "gzip")];
    let own = send(&app, "/text", &coded).await;
    assert_eq!(own.header("content-encoding"), Some("gzip"));

    let first = send(&app, url, &coded).await;
    assert_eq!(first.status, StatusCode::OK);
    assert_eq!(first.header("content-encoding"), None);
    assert_eq!(first.body, TEXT);
    let rest = [
        ("accept-encoding", "gzip"),
        ("range", "bytes=100-"),
        ("if-range", first.header("etag").unwrap()),
    ];
    let rest = send(&app, url, &rest).await;
    assert_eq!(rest.status, StatusCode::PARTIAL_CONTENT);
    assert_eq!([&first.body[..100], &rest.body].concat(), TEXT);
}

#[tokio::test]
async fn behind_the_layer_a_compression_leaves_downloads_as_they_are() {
    let layer = layer(text());
    let url = mint(&layer, "scan").await;
    let app = routes().layer(CompressionLayer::new()).layer(layer);
    assert_a_resumed_download_is_whole(app, &url).await;
}

#[tokio::test]
async fn in_front_of_it_a_compression_that_heeds_no_transform_does_too() {
    fn may_transform(_: StatusCode, _: Version, headers: &HeaderMap, _: &Extensions) -> bool {
        let values = headers.get_all(CACHE_CONTROL).into_iter();
        let mut values = values.filter_map(|value| value.to_str().ok());
        !values.any(|value| value.contains("no-transform"))
    }

    let layer = layer(text());
    let url = mint(&layer, "scan").await;
    let compression =
        CompressionLayer::new().compress_when(DefaultPredicate::new().and(may_transform));
    let app = routes().layer(layer).layer(compression);
    assert_a_resumed_download_is_whole(app, &url).await;
}

#[tokio::test]
async fn a_nest_that_was_told_no_path_says_so_at_the_first_use() {
    let layer = layer(text());
    let url = mint(&layer, "scan").await;
    let nested = Router::new()
        .fallback(async || StatusCode::NOT_FOUND)
        .layer(layer.clone());
    let app = Router::new().nest("/binary", nested);
    // The nest sees /scan/7.
    send(&app, &url, &[]).await.assert_refused(500, "internal");

    let told = layer.storage_path("/").unwrap();
    let nested = Router::new()
        .fallback(async || StatusCode::NOT_FOUND)
        .layer(told);
    let app = Router::new().nest("/binary", nested);
    assert_eq!(send(&app, &url, &[]).await.body, TEXT);
}
