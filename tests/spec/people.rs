//! The page that a person sees who opens a link in a browser, and it does not work.

use http::{Method, StatusCode};
use tower_presign::store::RepositoryError;
use tower_presign::{PresignLayer, RefusalCode};

use crate::support::*;

/// As Chromium, Firefox and `WebKit` send it when a link is opened.
const BROWSERS: [&str; 3] = [
    "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8",
    "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
    "text/html, */*;q=0.5",
];

async fn late(accept: &str) -> Answer {
    let layer = layer(scan("image/png"));
    let read = mint(&layer, "scan").await;
    let layer = layer.clock(|| at(NOW + 3600));
    get_with(&layer, &read, &[("accept", accept)]).await
}

#[tokio::test]
async fn a_person_reads_that_a_link_has_expired() {
    for accept in BROWSERS {
        let answer = late(accept).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN);
        assert_eq!(
            answer.header("content-type"),
            Some("text/html; charset=utf-8")
        );
        let page = str::from_utf8(&answer.body).unwrap();
        assert!(page.contains("<h1>This link has expired.</h1>"), "{page}");
        assert!(page.contains("<html lang=\"en\">"), "{page}");
    }
}

#[tokio::test]
async fn a_program_gets_an_outcome() {
    for accept in [
        "*/*",
        "application/fhir+json",
        "application/json, text/html;q=0.9",
        "text/html, application/json",
        "text/html;q=0, */*",
        "text/html;q=0.5, application/*",
        "text/html;q=0.5, */*;q=0.6",
        "image/avif,image/webp,*/*;q=0.8",
        "text/*",
        "",
    ] {
        late(accept).await.assert_refused(403, "expired");
    }
    let layer = layer(scan("image/png"));
    let operation = "/fhir/R4/Binary/other/$presigned-url";
    let answer = get_with(
        &layer,
        operation,
        &[("accept", "text/html,application/json")],
    )
    .await;
    answer.assert_refused(404, "not-found");
    let html = [("accept", BROWSERS[1]), ("content-type", "text/html")];
    let write = mint_upload(&layer, "scan").await;
    let answer = call(&layer, request(Method::PUT, &write, &html, "x")).await;
    answer.assert_refused(415, "content-type-mismatch");
}

#[tokio::test]
async fn the_page_has_the_status_and_the_headers_of_the_outcome_and_says_no_more() {
    let layer = layer(scan("image/png"));
    let read = mint(&layer, "scan").await;
    let write = mint_upload(&layer, "scan").await;
    for (url, code) in [
        (read.as_str(), RefusalCode::NotFound),
        (&write, RefusalCode::MethodNotAllowed),
        (
            &read.replace("/scan/", "/other/"),
            RefusalCode::InvalidSignature,
        ),
        (BASE, RefusalCode::MissingSignature),
    ] {
        let outcome = get(&layer, url).await;
        let answer = get_with(&layer, url, &[("accept", BROWSERS[0])]).await;
        assert_eq!(answer.status, code.status());
        for (name, value) in &outcome.headers {
            if !matches!(name.as_str(), "content-type" | "content-length") {
                assert_eq!(answer.headers.get(name), Some(value), "{name}");
            }
        }
        let page = str::from_utf8(&answer.body).unwrap();
        let text = outcome.json()["issue"][0]["details"]["text"].clone();
        assert!(page.contains(text.as_str().unwrap()), "{page}");
        assert!(page.contains(&format!("Code: {}", code.as_str())), "{page}");
        assert!(
            !page.contains("scan") && !page.contains("Signature"),
            "{page}"
        );
        let head = head_with(&layer, url, &[("accept", BROWSERS[0])]).await;
        assert_eq!(head.headers, answer.headers);
        assert!(head.body.is_empty());
    }
}

#[tokio::test]
async fn the_page_says_what_to_do_next() {
    let layer = layer(scan("image/png"));
    let read = mint(&layer, "scan").await;
    let write = mint_upload(&layer, "scan").await;
    let altered = read.replace("/scan/", "/other/");
    let html = [("accept", BROWSERS[0])];
    let busy = failing(|| RepositoryError::unavailable("down"));
    for (layer, url, advice) in [
        (&layer, BASE, "Open the link exactly as you received it"),
        (&layer, &altered, "Open the link exactly as you received it"),
        (&layer, &write, "It is for a program"),
        (&layer, &read, "ask where you received the link"),
        (&busy, &read, "Try again in a little while"),
    ] {
        let answer = get_with(layer, url, &html).await;
        assert!(answer.text().contains(advice), "{advice}: {answer:?}");
    }
    let expired = late(BROWSERS[0]).await;
    assert!(
        expired
            .text()
            .contains("Ask for a new one where you received it.")
    );
}

fn failing(failure: repository::Failure) -> PresignLayer {
    layer(repository::Failing(failure))
}

#[tokio::test]
async fn the_page_runs_nothing_and_fetches_nothing() {
    let answer = late(BROWSERS[0]).await;
    assert_eq!(
        answer.sorted_headers(),
        [
            ("cache-control", "no-store"),
            ("content-length", answer.body.len().to_string().as_str()),
            (
                "content-security-policy",
                "default-src 'none'; style-src 'unsafe-inline'; sandbox"
            ),
            ("content-type", "text/html; charset=utf-8"),
            ("cross-origin-embedder-policy", "require-corp"),
            ("cross-origin-resource-policy", "cross-origin"),
            ("referrer-policy", "no-referrer"),
            ("vary", "Accept"),
            ("x-content-type-options", "nosniff"),
            ("x-robots-tag", "none"),
        ]
    );
    let page = str::from_utf8(&answer.body).unwrap();
    for foreign in ["<script", "src=", "href=", "url(", "@import", "http"] {
        assert!(!page.contains(foreign), "{foreign}");
    }
}
