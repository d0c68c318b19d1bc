//! A page to try it all in a browser.

use axum::Router;
use axum::response::IntoResponse;
use axum::routing::get;
use http::HeaderValue;
use http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};

/// The storage may have another origin than the page, hence `http: https:`.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src http: https:; \
     img-src http: https: data:; media-src http: https:; frame-src http: https:; \
     base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
);

pub(crate) fn routes() -> Router {
    let html = || file("text/html; charset=utf-8", include_str!("page/index.html"));
    let css = || file("text/css; charset=utf-8", include_str!("page/page.css"));
    let js = || {
        file(
            "text/javascript; charset=utf-8",
            include_str!("page/page.js"),
        )
    };
    Router::new()
        .route("/", get(async move || html()))
        .route("/page.css", get(async move || css()))
        .route("/page.js", get(async move || js()))
}

fn file(content_type: &'static str, content: &'static str) -> impl IntoResponse {
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static(content_type)),
        (CONTENT_SECURITY_POLICY, POLICY),
        (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    ];
    (headers, content)
}
