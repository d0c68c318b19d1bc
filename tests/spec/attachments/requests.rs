//! Requests: presigned URLs are never stored.

use http::header::CONTENT_LENGTH;
use http::{HeaderMap, Method};
use http_body_util::BodyExt as _;
use tower_presign::attachments::ReferencesBody;

use super::*;

/// A request, as the host gets it.
async fn received(request: Request<Body>) -> (HeaderMap, String) {
    let received = Arc::new(Mutex::new(None));
    let host = {
        let received = Arc::clone(&received);
        service_fn(move |request: Request<ReferencesBody<Body>>| {
            let received = Arc::clone(&received);
            async move {
                let (parts, body) = request.into_parts();
                let body = body.collect().await.unwrap().to_bytes();
                let text = String::from_utf8(body.to_vec()).unwrap();
                *received.lock().unwrap() = Some((parts.headers, text));
                Ok::<_, Infallible>(Response::new(Body::empty()))
            }
        })
    };
    let service = cabinet().attachments().layer(host);
    service.oneshot(request).await.unwrap();
    received.lock().unwrap().take().unwrap()
}

async fn stored_by(method: Method, content_type: &str, json: &str) -> String {
    let headers = [("content-type", content_type)];
    received(request(
        method,
        "/fhir/Patient/1",
        &headers,
        json.to_owned(),
    ))
    .await
    .1
}

async fn stored(json: &str) -> String {
    stored_by(Method::PUT, FHIR_JSON, json).await
}

const WRITE_URL: &str = "https://storage.example.com/binary/face/8?Content-Type=aW1hZ2UvcG5n&Expires=1&Key-Pair-Id=k&Method=PUT&Signature=x";

#[tokio::test]
async fn a_url_of_ours_becomes_the_reference_to_its_version() {
    for (url, reference) in [
        (&*url_of("face", 7), "Binary/face/_history/7"),
        (&url_of("a.b_c-d", 7), "Binary/a.b_c-d/_history/7"),
        // The one that it was uploaded with.
        (WRITE_URL, "Binary/face/_history/8"),
        (
            "https://storage.example.com/binary/face/7",
            "Binary/face/_history/7",
        ),
        (
            "https://storage.example.com/binary/face/7?Signature=x&Expires=1#page=2",
            "Binary/face/_history/7",
        ),
    ] {
        for method in [Method::POST, Method::PUT, Method::PATCH] {
            let json = patient(url).to_string();
            let stored = stored_by(method, FHIR_JSON, &json).await;
            assert_eq!(stored, patient(reference).to_string());
        }
    }
}

#[tokio::test]
async fn a_url_that_has_expired_is_still_one_of_ours() {
    let layer = cabinet().clock(|| at(NOW + 1_000_000));
    let url = url_of("face", 7);
    let expired = get(&layer, &url).await;
    expired.assert_refused(403, "expired");
    assert_eq!(
        stored(&patient(&url).to_string()).await,
        patient("Binary/face/_history/7").to_string()
    );
}

#[tokio::test]
async fn a_resource_that_was_read_can_be_stored_as_it_is() {
    let read = sent(patient("Binary/face").to_string()).await;
    assert_eq!(
        stored(&read).await,
        patient("Binary/face/_history/7").to_string()
    );
}

#[tokio::test]
async fn foreign_urls_are_never_touched() {
    for url in [
        "https://storage.example.com/binary2/face/7?Signature=x",
        "https://storage.example.com.evil.com/binary/face/7",
        "http://storage.example.com/binary/face/7",
        "https://storage.example.com/binary",
        "https://storage.example.com/binary/face",
        "https://storage.example.com/binary/face/7/8",
        "https://storage.example.com/binary/../face/7",
        "https://storage.example.com/binary//7",
        "https://cdn.example.com/?u=https://storage.example.com/binary/face/7",
        "Binary/face",
    ] {
        let json = patient(url).to_string();
        assert_eq!(stored(&json).await, json);
    }
}

#[tokio::test]
async fn only_an_attachments_url_is_replaced() {
    let url = url_of("face", 7);
    for resource in [
        json!({ "resourceType": "Bundle", "entry": [{ "fullUrl": url, "request": { "url": url }, "link": [{ "url": url }] }] }),
        json!({ "resourceType": "Patient", "extension": [{ "url": url }], "text": { "div": url } }),
        json!({ "resourceType": "Binary", "extension": [{ "valueAttachment": { "url": url } }] }),
        json!({ "resourceType": "Parameters", "parameter": [{ "valueUri": url }] }),
    ] {
        let json = resource.to_string();
        assert_eq!(stored_by(Method::POST, FHIR_JSON, &json).await, json);
    }
}

#[tokio::test]
async fn a_patch_has_its_urls_elsewhere() {
    let (url, reference) = (url_of("face", 7), "Binary/face/_history/7");
    let operations = |url: &str| {
        json!([
            { "op": "replace", "path": "/photo/0/url", "value": url },
            { "op": "add", "path": "/photo/-", "value": { "contentType": "image/png", "url": url } },
        ])
        .to_string()
    };
    let content_type = "application/json-patch+json";
    let stored = stored_by(Method::PATCH, content_type, &operations(&url)).await;
    assert_eq!(stored, operations(reference));
    let parameters = |url: &str| {
        json!({ "resourceType": "Parameters", "parameter": [{ "name": "operation", "part": [
            { "name": "path", "valueString": "Patient.photo[0].url" },
            { "name": "value", "valueUrl": url },
        ] }] })
        .to_string()
    };
    let stored = stored_by(Method::PATCH, FHIR_JSON, &parameters(&url)).await;
    assert_eq!(stored, parameters(reference));
}

#[tokio::test]
async fn requests_of_other_kinds_pass_as_they_are() {
    let json = patient(&url_of("face", 7)).to_string();
    let length = json.len().to_string();
    for (method, path, headers) in [
        (
            Method::PUT,
            "/fhir/Patient/1",
            &[("content-type", "application/fhir+xml")][..],
        ),
        (Method::PUT, "/fhir/Patient/1", &[]),
        (
            Method::PUT,
            "/fhir/Patient/1",
            &[("content-type", FHIR_JSON), ("content-encoding", "gzip")],
        ),
        (
            Method::GET,
            "/fhir/Patient/1",
            &[("content-type", FHIR_JSON)],
        ),
        (
            Method::PUT,
            "/fhir/Binary/face",
            &[("content-type", FHIR_JSON)],
        ),
        (
            Method::POST,
            "/fhir/Binary",
            &[("content-type", "application/json")],
        ),
        (Method::POST, "/other", &[("content-type", FHIR_JSON)]),
    ] {
        let mut request = request(method, path, headers, json.clone());
        request
            .headers_mut()
            .insert(CONTENT_LENGTH, length.parse().unwrap());
        let (headers, text) = received(request).await;
        assert_eq!(text, json);
        assert_eq!(headers[CONTENT_LENGTH], length);
    }
}

/// It would be wrong.
#[tokio::test]
async fn the_length_of_what_may_change_is_not_announced() {
    let json = patient(&url_of("face", 7)).to_string();
    let headers = [("content-type", FHIR_JSON), ("content-length", "9")];
    let (headers, _) = received(request(Method::PUT, "/fhir/Patient/1", &headers, json)).await;
    assert_eq!(headers.get(CONTENT_LENGTH), None);
}

#[tokio::test]
async fn a_chunk_may_end_anywhere() {
    let (url, reference) = (url_of("face", 7), "Binary/face/_history/7");
    let json = |url: &str| {
        json!({ "resourceType": "Patient", "photo": [{ "url": url }, { "url": "x" }] }).to_string()
    };
    let before = json(&url).replace('/', "\\/");
    for length in 1..before.len() {
        let chunks: Vec<_> = before
            .as_bytes()
            .chunks(length)
            .map(|chunk| Ok::<_, Infallible>(chunk.to_vec()))
            .collect();
        let body = Body::from_stream(futures_util::stream::iter(chunks));
        let request = request(
            Method::PUT,
            "/fhir/Patient/1",
            &[("content-type", FHIR_JSON)],
            body,
        );
        assert_eq!(received(request).await.1, json(reference));
    }
}

#[tokio::test]
async fn a_body_that_breaks_off_breaks_off() {
    let body = body::broken("{\"resourceType\":", "the client has gone");
    let failed = Arc::new(Mutex::new(String::new()));
    let host = {
        let failed = Arc::clone(&failed);
        service_fn(move |request: Request<ReferencesBody<Body>>| {
            let failed = Arc::clone(&failed);
            async move {
                let body = request.into_body();
                let error = body.collect().await.unwrap_err();
                *failed.lock().unwrap() = error.to_string();
                Ok::<_, Infallible>(Response::new(Body::empty()))
            }
        })
    };
    let request = request(
        Method::PUT,
        "/fhir/Patient/1",
        &[("content-type", FHIR_JSON)],
        body,
    );
    cabinet()
        .attachments()
        .layer(host)
        .oneshot(request)
        .await
        .unwrap();
    assert!(failed.lock().unwrap().contains("the client has gone"));
}
