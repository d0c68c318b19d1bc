//! A page to try it all in a browser.

use axum::Router;
use axum::response::IntoResponse;
use axum::routing::get;
use http::HeaderValue;
use http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};

/// The server and its storage may have another origin than the page, hence `http: https:`.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src http: https:; \
     img-src http: https: data:; media-src http: https:; frame-src http: https:; \
     base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
);

macro_rules! files {
    ($($path:literal: $name:literal),+ $(,)?) => {
        [$(($path, include_str!(concat!("page/", $name)))),+]
    };
}

/// The paths, and the files there.
const FILES: &[(&str, &str)] = &files! {
    "/": "index.html",
    "/page/page.css": "page.css",
    "/page/announcements.js": "announcements.js",
    "/page/card.js": "card.js",
    "/page/clipboard.js": "clipboard.js",
    "/page/content.js": "content.js",
    "/page/documents.js": "documents.js",
    "/page/expiry.js": "expiry.js",
    "/page/fhir.js": "fhir.js",
    "/page/format.js": "format.js",
    "/page/page.js": "page.js",
    "/page/problem.js": "problem.js",
    "/page/resumable.js": "resumable.js",
    "/page/storage.js": "storage.js",
    "/page/transfer.js": "transfer.js",
    "/page/unfinished.js": "unfinished.js",
    "/page/writing.js": "writing.js",
};

pub(crate) fn routes() -> Router {
    FILES.iter().fold(Router::new(), |router, &(path, text)| {
        router.route(path, get(async move || file(path, text)))
    })
}

fn file(path: &str, text: &'static str) -> impl IntoResponse {
    let content_type = match path.rsplit_once('.') {
        Some((_, "css")) => "text/css; charset=utf-8",
        Some((_, "js")) => "text/javascript; charset=utf-8",
        _ => "text/html; charset=utf-8",
    };
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static(content_type)),
        // They belong together, and change with the server.
        (CACHE_CONTROL, HeaderValue::from_static("no-cache")),
        (CONTENT_SECURITY_POLICY, POLICY),
        (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    ];
    (headers, text)
}
