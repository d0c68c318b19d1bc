//! Which answers get URLs, and what becomes of their heads.

use axum::Router;
use axum::routing::get;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH};
use http::{Method, StatusCode};
use tower::ServiceBuilder;

use super::*;

#[tokio::test]
async fn answers_of_other_kinds_pass_as_they_are() {
    let json = patient("Binary/face").to_string();
    let cases: &[(u16, &[(&str, &str)])] = &[
        (200, &[("content-type", "application/xml")]),
        (200, &[("content-type", "text/plain")]),
        (200, &[("content-type", "application/fhir+xml")]),
        (200, &[("content-type", "application/ndjson")]),
        (200, &[]),
        (206, &[("content-type", FHIR_JSON)]),
        (404, &[("content-type", FHIR_JSON)]),
        (
            200,
            &[("content-type", FHIR_JSON), ("content-encoding", "gzip")],
        ),
    ];
    for (status, headers) in cases {
        let mut response = Response::builder()
            .status(*status)
            .header("etag", "W/\"3\"");
        for (name, value) in *headers {
            response = response.header(*name, *value);
        }
        let length = json.len().to_string();
        let response = response.header(CONTENT_LENGTH, &length);
        let sent = answer(&cabinet(), response.body(json.clone().into()).unwrap()).await;
        assert_eq!(sent.text(), json);
        assert_eq!(sent.header(CONTENT_LENGTH), Some(&*length));
        assert_eq!(sent.header("cache-control"), None);
    }
}

#[tokio::test]
async fn answers_of_any_fhir_json_and_of_any_method_have_urls() {
    let url = url_of("face", 7);
    for content_type in [
        "application/fhir+json",
        "application/fhir+json; fhirVersion=4.0; charset=utf-8",
        "Application/FHIR+JSON;charset=UTF-8",
    ] {
        for method in [Method::GET, Method::POST, Method::PUT, Method::PATCH] {
            let request = request(method, "/fhir/Patient/1", &[], "");
            let response = Response::builder()
                .status(StatusCode::CREATED)
                .header(CONTENT_TYPE, content_type)
                .header(CONTENT_ENCODING, "identity")
                .body(patient("Binary/face").to_string().into());
            let layer = cabinet().attachments();
            let sent = exchange(&layer, request, response.unwrap()).await;
            assert_eq!(sent.json(), patient(&url));
            assert_eq!(sent.status, StatusCode::CREATED);
        }
    }
}

/// A Binary and its content are what they are, as is what stands outside of the FHIR base.
#[tokio::test]
async fn at_some_paths_no_byte_changes() {
    let json = patient("Binary/face").to_string();
    for path in [
        "/fhir/Binary/face",
        "/fhir/Binary/face/_history/3",
        "/fhir/Binary",
        "/binary/face/7?Signature=x",
        "/other/Patient/1",
        "/fhir2/Patient/1",
    ] {
        for method in [Method::GET, Method::POST] {
            let request = request(method, path, &[("content-type", FHIR_JSON)], "");
            let sent = exchange(&cabinet().attachments(), request, fhir(json.clone())).await;
            assert_eq!(sent.text(), json, "{path}");
        }
    }
}

#[tokio::test]
async fn head_has_neither_a_length_nor_leave_to_be_kept() {
    let request = request(Method::HEAD, "/fhir/Patient/1", &[], "");
    let response = Response::builder()
        .header(CONTENT_TYPE, FHIR_JSON)
        .header(CONTENT_LENGTH, 55)
        .header("etag", "W/\"3\"")
        .header("cache-control", "max-age=60");
    let response = response.body(Body::empty()).unwrap();
    let sent = exchange(&cabinet().attachments(), request, response).await;
    assert_eq!(
        sent.sorted_headers(),
        [
            ("cache-control", "no-store"),
            ("content-type", FHIR_JSON),
            ("etag", "W/\"3\""),
        ]
    );
}

#[tokio::test]
async fn it_stands_between_an_axum_router_and_the_presign_layer() {
    let patient = || async { fhir(patient("Binary/face").to_string()) };
    let layer = cabinet();
    let app = Router::new().route("/fhir/Patient/1", get(patient)).layer(
        ServiceBuilder::new()
            .layer(layer.clone())
            .layer(layer.attachments()),
    );
    let answer = app.oneshot(read("/fhir/Patient/1")).await.unwrap();
    let answer = Answer::of(answer).await.unwrap();
    assert_eq!(answer.json()["photo"][0]["url"], url_of("face", 7));
}
