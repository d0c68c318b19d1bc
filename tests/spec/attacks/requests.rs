//! Attacks with what surrounds a URL: other prefixes, other hosts, headers, and no URL at all.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request};
use http_body_util::Full;

use super::spy::{BASE, CONTENT, NOW, ORIGIN, Server, read_grant};
use super::{MISSING, altered, assert_refused};
use crate::support::Answer;

/// Headers by which a request may speak of its host and the way it came.
const FOREIGN_HOSTS: [(&str, &str); 13] = [
    ("host", "evil.example"),
    ("host", "health.example.com:8443"),
    ("x-forwarded-host", "evil.example"),
    ("x-forwarded-proto", "http"),
    ("x-forwarded-port", "8080"),
    ("x-forwarded-prefix", "/evil"),
    ("x-forwarded-for", "127.0.0.1"),
    ("forwarded", "host=evil.example;proto=http"),
    ("x-original-url", "/storage/other/1"),
    ("x-rewrite-url", "/storage/other/1"),
    ("x-host", "evil.example"),
    ("origin", "https://evil.example"),
    ("referer", "https://evil.example/storage/other/1"),
];

/// Headers that might pass for a right to the content somewhere else.
const CREDENTIALS: [(&str, &str); 6] = [
    ("authorization", "Bearer demo"),
    ("authorization", "Basic YWRtaW46YWRtaW4="),
    ("proxy-authorization", "Basic YWRtaW46YWRtaW4="),
    ("cookie", "session=admin"),
    ("x-api-key", "demo"),
    ("x-forwarded-user", "admin"),
];

async fn send_with(
    server: &Server,
    method: Method,
    target: &str,
    (name, value): (&'static str, &'static str),
) -> Answer {
    let headers = HeaderMap::from_iter([(
        HeaderName::from_static(name),
        HeaderValue::from_static(value),
    )]);
    let mut request = Request::new(Full::<Bytes>::default());
    *request.method_mut() = method;
    *request.uri_mut() = target.parse().unwrap();
    *request.headers_mut() = headers;
    server.send_request(request).await
}

#[tokio::test]
async fn nothing_is_served_without_a_signature() {
    let server = Server::start().await;
    let expires = NOW + 600;
    for path in [
        "/storage",
        "/storage/",
        "/storage?",
        "/storage//",
        "/storage/scan",
        "/storage/scan/1",
        "/storage/scan/1/",
        "/storage/scan/1?",
        "/storage/scan/1?x=1",
        "/storage/scan/1?upload=true",
        &format!("/storage/scan/1?Expires={expires}&Key-Pair-Id=2026-11"),
        "/storage/missing/1",
        "/storage/Binary/scan",
        "/storage/../admin",
        "/storage/../../etc/passwd",
        "/storage/..%2Fadmin",
        "/storage/%00",
        "/storage/é",
    ] {
        for method in ["GET", "HEAD", "PUT", "POST", "DELETE", "PATCH", "TRACE"] {
            let method = Method::from_bytes(method.as_bytes()).unwrap();
            assert_refused(&server, "no signature", &method, path, MISSING).await;
        }
    }
}

#[tokio::test]
async fn a_path_that_only_looks_like_the_storage_path_goes_to_the_inner_service() {
    let server = Server::start().await;
    let genuine = server.read_target();
    for prefix in [
        "/storagex",
        "/storage2",
        "/storage.",
        "/storage%2F",
        "/storage%3F",
        "/storage;x",
        "/storag%65",
        "/%73torage",
        "/STORAGE",
        "/Storage",
        "//storage",
        "/./storage",
        "/x/../storage",
        "/x/storage",
        "/storag",
        "/storagé",
    ] {
        for method in [Method::GET, Method::PUT, Method::OPTIONS] {
            let target = altered(&genuine, "/storage", prefix);
            let answer = server.send(method, &target).await;
            assert_eq!(answer.body, "inner", "{prefix}");
            assert_eq!(server.journal(), ["inner"], "{prefix}");
        }
    }
}

#[tokio::test]
async fn options_tells_the_same_of_every_url_and_touches_nothing() {
    let server = Server::start().await;
    let first = server.send(Method::OPTIONS, &server.read_target()).await;
    assert_eq!(first.status, 204);
    assert_eq!(first.header("allow"), Some("GET, HEAD, PUT, OPTIONS"));
    assert!(first.body.is_empty());
    for target in [
        "/storage",
        "/storage/scan/1",
        "/storage/scan/1?Signature=x",
        "/storage/missing/1",
        "/storage/../x",
    ] {
        assert_eq!(
            server.send(Method::OPTIONS, target).await,
            first,
            "{target}"
        );
    }
    let write = server.write_target();
    assert_eq!(server.send(Method::OPTIONS, &write).await, first);
    assert_eq!(server.journal(), [""; 0]);
}

/// Not even the operation's `OPTIONS`, which elsewhere belongs to it.
#[tokio::test]
async fn nothing_below_the_storage_path_reaches_the_inner_service() {
    let server = Server::start().await;
    for method in [Method::GET, Method::PUT, Method::POST, Method::OPTIONS] {
        for path in [
            "/storage/$presigned-url",
            "/storage/scan/$presigned-url",
            "/storage/Binary/scan/$presigned-url",
            "/storage/../Binary/scan/%24presigned-url",
        ] {
            server.send(method.clone(), path).await;
            let journal = server.journal();
            assert!(!journal.contains(&"inner"), "{method} {path}: {journal:?}");
        }
    }
}

#[tokio::test]
async fn other_credentials_grant_nothing() {
    let server = Server::start().await;
    let unsigned = "/storage/scan/1".to_owned();
    let wrong = altered(&server.read_target(), "/scan/1", "/other/1");
    for target in [unsigned, wrong] {
        for method in [Method::GET, Method::HEAD, Method::PUT] {
            let without = server.send(method.clone(), &target).await;
            assert_eq!(without.status, 403);
            for credential in CREDENTIALS {
                let with = send_with(&server, method.clone(), &target, credential).await;
                assert_eq!(with, without, "{credential:?}");
            }
        }
    }
    assert_eq!(server.journal(), [""; 0]);
}

#[tokio::test]
async fn other_credentials_do_no_harm_either() {
    let server = Server::start().await;
    let genuine = server.read_target();
    let without = server.send(Method::GET, &genuine).await;
    assert_eq!(without.body, CONTENT);
    for credential in CREDENTIALS {
        let with = send_with(&server, Method::GET, &genuine, credential).await;
        assert_eq!(with, without, "{credential:?}");
    }
}

#[tokio::test]
async fn no_header_changes_what_a_url_serves() {
    let server = Server::start().await;
    let genuine = server.read_target();
    let plain = server.send(Method::GET, &genuine).await;
    assert_eq!(plain.body, CONTENT);
    for header in FOREIGN_HOSTS {
        let answer = send_with(&server, Method::GET, &genuine, header).await;
        assert_eq!(answer, plain, "{header:?}");
    }
}

#[tokio::test]
async fn the_authority_of_an_absolute_target_does_not_count() {
    let server = Server::start().await;
    let genuine = server.read_target();
    let plain = server.send(Method::GET, &genuine).await;
    assert_eq!(plain.body, CONTENT);
    let refused = server.send(Method::GET, "/storage/scan/1").await;
    for origin in [
        ORIGIN,
        "http://evil.example",
        "https://health.example.com:8443",
    ] {
        let answer = server
            .send(Method::GET, &format!("{origin}{genuine}"))
            .await;
        assert_eq!(answer, plain, "{origin}");
        let unsigned = format!("{origin}/storage/scan/1");
        assert_eq!(
            server.send(Method::GET, &unsigned).await,
            refused,
            "{origin}"
        );
    }
    // An authority that looks like a path: what is asked for is `/scan/1`.
    server.journal();
    let answer = server.send(Method::GET, "http://storage/scan/1").await;
    assert_eq!(answer.body, "inner");
}

#[tokio::test]
async fn a_minted_url_starts_with_the_configured_base_whatever_a_request_says() {
    let server = Server::start().await;
    let path = "/fhir/Binary/scan/$presigned-url";
    let plain = server.send(Method::GET, path).await;
    let url = plain.url();
    assert!(url.starts_with(&format!("{BASE}/scan/1?")), "{url}");

    for header in FOREIGN_HOSTS {
        let answer = send_with(&server, Method::GET, path, header).await;
        assert_eq!(answer, plain, "{header:?}");
    }
    let absolute = format!("http://evil.example{path}");
    assert_eq!(server.send(Method::GET, &absolute).await, plain);
}

#[tokio::test]
async fn without_a_genuine_signature_existing_and_missing_content_are_alike() {
    let server = Server::start().await;
    let targets = |id: &str, version: &str| {
        let genuine = server.sign(&read_grant(id, version));
        let (path, _) = genuine.split_once('?').unwrap();
        let signature = genuine.split_once("&Signature=").unwrap().1;
        [
            path.to_owned(),
            format!("{path}?Signature={signature}"),
            format!("{path}?Expires=1&Key-Pair-Id=2026-11&Signature={signature}"),
            altered(&genuine, "Expires=1", "Expires=2"),
            altered(&genuine, "Key-Pair-Id=2026", "Key-Pair-Id=2025"),
            altered(&genuine, "&Signature=", "&Signature=A"),
            format!("{genuine}&x"),
        ]
    };
    let existing = targets("scan", "1");
    for (id, version) in [("missing", "1"), ("scan", "2"), ("scan", "99")] {
        for (existing, missing) in existing.iter().zip(targets(id, version)) {
            for method in ["GET", "HEAD", "PUT", "POST", "DELETE", "OPTIONS"] {
                let method = Method::from_bytes(method.as_bytes()).unwrap();
                let there = server.send(method.clone(), existing).await;
                let absent = server.send(method.clone(), &missing).await;
                assert_eq!(there, absent, "{method} {missing}");
            }
        }
    }
    assert_eq!(server.journal(), [""; 0]);
    // To the holder of a genuine URL they are not.
    let missing = server.sign(&read_grant("missing", "1"));
    let answer = server.send(Method::GET, &missing).await;
    answer.assert_refused(404, "not-found");
}
