//! `redirect_reads`: resources that keep stable URLs.

use http::header::{ACCEPT, CACHE_CONTROL, LOCATION};
use http::{Method, StatusCode};

use super::*;

fn redirecting() -> AttachmentsLayer {
    cabinet().attachments().redirect_reads(true)
}

/// The host's answer.
const HOST: StatusCode = StatusCode::IM_A_TEAPOT;

async fn sent_on(layer: &AttachmentsLayer, request: Request<Body>) -> Answer {
    let mut response = fhir(patient("Binary/face").to_string());
    *response.status_mut() = HOST;
    exchange(layer, request, response).await
}

async fn read_with(layer: &AttachmentsLayer, path: &str, accept: Option<&str>) -> Answer {
    let accept = accept.map(|accept| (ACCEPT.as_str(), accept));
    sent_on(layer, request(Method::GET, path, accept.as_slice(), "")).await
}

#[tokio::test]
async fn content_is_found_at_a_read_url() {
    let layer = redirecting();
    for (path, version) in [
        ("/fhir/Binary/face", 7),
        ("/fhir/Binary/face/_history/3", 3),
    ] {
        for accept in [
            None,
            Some("*/*"),
            Some("image/png"),
            Some("image/avif,image/webp,*/*;q=0.8"),
            Some("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"),
        ] {
            let answer = read_with(&layer, path, accept).await;
            assert_eq!(answer.status, 307, "{accept:?}");
            assert_eq!(answer.header(LOCATION), Some(&*url_of("face", version)));
            assert_eq!(answer.header(CACHE_CONTROL), Some("no-store"));
            assert_eq!(answer.body, "");
        }
        let head = request(Method::HEAD, path, &[], "");
        assert_eq!(sent_on(&layer, head).await.status, 307);
    }
}

#[tokio::test]
async fn the_resource_is_the_hosts() {
    let layer = redirecting();
    for accept in [
        "application/fhir+json",
        "application/fhir+xml;q=0.9, */*;q=0.1",
        "application/json",
        "application/*+json",
    ] {
        let answer = read_with(&layer, "/fhir/Binary/face", Some(accept)).await;
        assert_eq!(answer.status, HOST, "{accept}");
    }
    let answer = read_with(&layer, "/fhir/Binary/face?_format=json", None).await;
    assert_eq!(answer.status, HOST);
}

#[tokio::test]
async fn a_request_of_somebody_who_may_not_read_is_the_hosts_too() {
    let layer = redirecting();
    for path in ["/fhir/Binary/secret", "/fhir/Binary/missing"] {
        assert_eq!(read_with(&layer, path, None).await.status, HOST, "{path}");
    }
}

#[tokio::test]
async fn all_else_is_untouched() {
    let layer = redirecting();
    for path in [
        "/fhir/Binary",
        "/fhir/Binary/",
        "/fhir/Binary/face/",
        "/fhir/Binary/a%62c",
        "/fhir/Binary/face/_history",
        "/other/Binary/face",
        "/fhir/Patient/face",
    ] {
        assert_eq!(read_with(&layer, path, None).await.status, HOST, "{path}");
    }
    for method in [Method::PUT, Method::DELETE, Method::POST, Method::OPTIONS] {
        let request = request(method, "/fhir/Binary/face", &[], "");
        assert_eq!(sent_on(&layer, request).await.status, HOST);
    }
    let answer = read_with(&cabinet().attachments(), "/fhir/Binary/face", None).await;
    assert_eq!(answer.status, HOST, "it is off unless wanted");
}

#[tokio::test]
async fn resources_keep_their_references() {
    let json = patient("Binary/face").to_string();
    let sent = exchange(&redirecting(), read("/fhir/Patient/1"), fhir(json.clone())).await;
    assert_eq!(sent.text(), json);
    assert_eq!(sent.header(CACHE_CONTROL), None);
}
