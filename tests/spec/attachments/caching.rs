//! Answers with URLs: their words to caches, and conditional reads.

use std::time::Duration;

use http::Method;
use http::header::{CACHE_CONTROL, CONTENT_LENGTH, VARY};

use super::*;

fn with_headers(json: &Value, headers: &[(&'static str, &str)]) -> Response<Body> {
    let mut response = fhir(json.to_string());
    for (name, value) in headers {
        response.headers_mut().append(*name, value.parse().unwrap());
    }
    response
}

#[tokio::test]
async fn an_answer_with_urls_is_not_kept() {
    let inner = [
        ("cache-control", "public, max-age=60"),
        ("etag", "W/\"3\""),
        ("last-modified", "Fri, 15 Jan 2027 07:00:00 GMT"),
        ("expires", "Fri, 15 Jan 2027 09:00:00 GMT"),
        ("vary", "accept"),
        ("content-md5", "x"),
        ("repr-digest", "sha-256=:x:"),
        ("accept-ranges", "bytes"),
    ];
    let sent = answer(&cabinet(), with_headers(&patient("Binary/face"), &inner)).await;
    assert_eq!(
        sent.sorted_headers(),
        [
            ("cache-control", "no-store"),
            ("content-length", &*sent.body.len().to_string()),
            ("content-type", FHIR_JSON),
            ("etag", "W/\"3\""),
            ("last-modified", "Fri, 15 Jan 2027 07:00:00 GMT"),
            ("vary", "accept"),
        ]
    );
}

#[tokio::test]
async fn an_answer_without_urls_is_as_it_came() {
    let inner = [
        ("cache-control", "public, max-age=60"),
        ("content-length", "66"),
        ("etag", "W/\"3\""),
        ("repr-digest", "sha-256=:x:"),
    ];
    for url in [
        "https://example.com/face.png",
        "Binary/secret",
        "Binary/missing",
    ] {
        let json = patient(url);
        let sent = answer(&cabinet(), with_headers(&json, &inner)).await;
        let mut expected = inner.to_vec();
        expected.insert(2, ("content-type", FHIR_JSON));
        assert_eq!(sent.sorted_headers(), expected);
        assert_eq!(sent.text(), json.to_string());
    }
}

/// URLs that stay the same for a while can be kept as long, by the browser of who asked.
#[tokio::test]
async fn with_a_granularity_an_answer_may_be_kept_up_to_its_first_expiry() {
    let policy = |request: MintRequest| {
        let is_short = request.id().as_str() == "short";
        let lifetime = Duration::from_secs(if is_short { 60 } else { 600 });
        ready(Ok(Terms::new().lifetime(lifetime)))
    };
    let layer = PresignLayer::new(signer(), Cabinet::default(), policy)
        .clock(|| at(NOW + 7))
        .expiry_granularity(Duration::from_secs(100));
    for (ids, inner, expected) in [
        (["long", "long"], None, "private, max-age=693"),
        (["long", "short"], None, "private, max-age=93"),
        (
            ["long", "short"],
            Some("public, max-age=30"),
            "private, max-age=30",
        ),
        (["long", "short"], Some("private"), "private, max-age=93"),
        (["long", "short"], Some("no-cache"), "no-store"),
        (["long", "short"], Some("private, no-store"), "no-store"),
    ] {
        let photos = ids.map(|id| json!({ "url": format!("Binary/{id}") }));
        let json = json!({ "resourceType": "Patient", "photo": photos });
        let headers = inner.map(|value| ("cache-control", value));
        let sent = answer(&layer, with_headers(&json, headers.as_slice())).await;
        assert_eq!(sent.header(CACHE_CONTROL), Some(expected));
        let may_be_kept = expected != "no-store";
        let vary = may_be_kept.then_some("Authorization, Cookie");
        assert_eq!(sent.header(VARY), vary);
    }
}

/// Its URLs could expire any moment, so that an answer that says it has not changed would be wrong.
#[tokio::test]
async fn a_conditional_read_is_answered_in_full() {
    let conditions = [
        ("if-none-match", "W/\"3\""),
        ("if-modified-since", "Fri, 15 Jan 2027 07:00:00 GMT"),
        ("range", "bytes=0-9"),
        ("if-range", "\"3\""),
    ];
    let others = [("if-match", "W/\"3\""), ("accept", FHIR_JSON)];
    let all = [&conditions[..], &others[..]].concat();
    let cases: &[(Method, &str, bool)] = &[
        (Method::GET, "/fhir/Patient/1", true),
        (Method::HEAD, "/fhir/Patient/1", true),
        (Method::PUT, "/fhir/Patient/1", false),
        (Method::GET, "/fhir/Binary/face", false),
        (Method::GET, "/style.css", false),
    ];
    for (method, path, is_full) in cases {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let host = {
            let seen = Arc::clone(&seen);
            service_fn(move |request: Request<_>| {
                let names = request.headers().keys().map(ToString::to_string);
                *seen.lock().unwrap() = names.collect();
                seen.lock().unwrap().sort();
                ready(Ok::<_, Infallible>(fhir(
                    patient("Binary/face").to_string(),
                )))
            })
        };
        let request = request(method.clone(), path, &all, "");
        let service = cabinet().attachments().layer(host);
        service.oneshot(request).await.unwrap();
        let expected = if *is_full { &others[..] } else { &all[..] };
        let mut expected: Vec<_> = expected.iter().map(|(name, _)| *name).collect();
        expected.sort_unstable();
        assert_eq!(*seen.lock().unwrap(), expected, "{method} {path}");
    }
}

#[tokio::test]
async fn an_answer_that_is_too_long_to_be_known_is_not_kept() {
    let layer = cabinet().expiry_granularity(Duration::from_secs(100));
    let narrative = "x".repeat(70_000);
    let chunks = [narrative, "y".to_owned()].map(|text| {
        let json = json!({ "resourceType": "Patient", "text": text }).to_string() + "\n";
        Ok::<_, Infallible>(json)
    });
    let response = Response::builder()
        .header(CONTENT_TYPE, FHIR_NDJSON)
        .header(CACHE_CONTROL, "max-age=60")
        .body(Body::from_stream(futures_util::stream::iter(chunks)));
    let sent = answer(&layer, response.unwrap()).await;
    assert_eq!(sent.header(CACHE_CONTROL), Some("no-store"));
    assert_eq!(sent.header(CONTENT_LENGTH), None);
}
