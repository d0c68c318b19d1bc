//! Which members become URLs.

use futures_util::stream;

use super::*;

#[tokio::test]
async fn a_reference_becomes_a_url_that_the_operation_would_give() {
    let layer = cabinet();
    let answer = answer(&layer, fhir(patient("Binary/face").to_string())).await;
    let url = answer.json()["photo"][0]["url"]
        .as_str()
        .unwrap()
        .to_owned();
    assert_eq!(url, mint_of(&layer, "face").await);
    assert_eq!(url, url_of("face", 7));
}

async fn mint_of(layer: &PresignLayer, id: &str) -> String {
    let operation = format!("/fhir/Binary/{id}/$presigned-url");
    crate::support::get(layer, &operation).await.url()
}

#[tokio::test]
async fn a_reference_with_a_version_becomes_a_url_of_that_version() {
    let sent = sent(patient("Binary/face/_history/3").to_string()).await;
    assert_eq!(sent, patient(&url_of("face", 3)).to_string());
}

#[tokio::test]
async fn references_below_the_fhir_base_are_references() {
    for base in ["", "/fhir/", "https://health.example.com/fhir/"] {
        let sent = sent(patient(&format!("{base}Binary/face")).to_string()).await;
        assert_eq!(sent, patient(&url_of("face", 7)).to_string(), "{base}");
    }
}

#[tokio::test]
async fn a_url_that_is_no_reference_to_a_binary_here_stays() {
    for url in [
        "https://elsewhere.example.com/fhir/Binary/face",
        "http://health.example.com/fhir/Binary/face",
        "https://health.example.com/fhir2/Binary/face",
        "/fhir2/Binary/face",
        "binary/face",
        "Binary",
        "Binary/",
        "Binary/..",
        "Binary/face/",
        "Binary/face/_history",
        "Binary/face/_history/",
        "Binary/face/_history/1/2",
        "Binary/face?x=1",
        "Binary/face#x",
        " Binary/face",
        "Binary/a%62c",
        "DocumentReference/face",
        "urn:uuid:0c3151bd-1cbf-4d64-b04d-cd9187a4c6e0",
        "data:image/png;base64,Binary/face",
        "https://storage.example.com/binary/face/7?Expires=1&Key-Pair-Id=k&Signature=x",
    ] {
        let json = patient(url).to_string();
        assert_eq!(sent(json.clone()).await, json);
    }
}

/// Each of these has a URL of another meaning in a member `url`, or is another member.
#[tokio::test]
async fn urls_that_are_not_an_attachments_stay() {
    let reference = "Binary/face";
    for resource in [
        json!({ "resourceType": "Bundle", "entry": [{ "fullUrl": reference }] }),
        json!({ "resourceType": "Bundle", "entry": [{ "request": { "method": "GET", "url": reference } }] }),
        json!({ "resourceType": "Bundle", "link": [{ "relation": "self", "url": reference }] }),
        json!({ "resourceType": "Bundle", "entry": [{ "link": [{ "url": reference }] }] }),
        json!({ "resourceType": "Patient", "extension": [{ "url": reference }] }),
        json!({ "resourceType": "Patient", "modifierExtension": [{ "url": reference }] }),
        json!({ "resourceType": "Patient", "extension": [{ "extension": [{ "url": reference }] }] }),
        json!({ "resourceType": "Binary", "extension": [{ "valueAttachment": { "url": reference } }] }),
        json!({ "resourceType": "Binary", "url": reference }),
        json!({ "resourceType": "Patient", "photo": [{ "title": reference }] }),
        json!({ "resourceType": "Parameters", "parameter": [{ "valueUrl": reference }] }),
        json!({ "resourceType": "Patient", "photo": [{ "url": [reference] }] }),
        json!({ "resourceType": "Patient", "photo": [{ "_url": { "id": reference } }] }),
    ] {
        let json = resource.to_string();
        assert_eq!(sent(json.clone()).await, json);
    }
}

#[tokio::test]
async fn every_attachment_is_found_wherever_it_stands() {
    let attachment = |url: &str| json!({ "contentType": "image/png", "url": url, "title": "x" });
    let resource = |url: &str| {
        json!({
            "resourceType": "Bundle",
            "entry": [
                { "resource": { "resourceType": "Patient", "photo": [attachment(url)] } },
                { "resource": { "resourceType": "DocumentReference", "content": [{ "attachment": attachment(url) }] } },
                { "resource": { "resourceType": "Media", "content": attachment(url) } },
                { "resource": { "resourceType": "DiagnosticReport", "presentedForm": [attachment(url)] } },
                { "resource": {
                    "resourceType": "Observation",
                    "contained": [{ "resourceType": "Patient", "photo": [attachment(url)] }],
                    "extension": [{ "url": "http://example.com/scan", "valueAttachment": attachment(url) }],
                } },
                { "resource": {
                    "resourceType": "QuestionnaireResponse",
                    "item": [{ "item": [{ "answer": [{ "valueAttachment": attachment(url) }] }] }],
                } },
                { "resource": {
                    "resourceType": "Bundle",
                    "entry": [{ "resource": { "resourceType": "Patient", "photo": [attachment(url)] } }],
                } },
                { "resource": { "resourceType": "Binary", "contentType": "image/png" } },
                { "resource": { "resourceType": "Parameters", "parameter": [{ "valueAttachment": attachment(url) }] } },
            ],
        })
        .to_string()
    };
    assert_eq!(
        sent(resource("Binary/face")).await,
        resource(&url_of("face", 7))
    );
}

#[tokio::test]
async fn the_type_of_a_resource_may_come_after_its_attachments() {
    let url = url_of("face", 7);
    for (before, after) in [
        (
            r#"{"photo":[{"url":"Binary/face"}],"resourceType":"Patient"}"#,
            format!(r#"{{"photo":[{{"url":"{url}"}}],"resourceType":"Patient"}}"#),
        ),
        (
            r#"{"extension":[{"valueAttachment":{"url":"Binary/face"}}],"resourceType":"Binary"}"#,
            r#"{"extension":[{"valueAttachment":{"url":"Binary/face"}}],"resourceType":"Binary"}"#
                .to_owned(),
        ),
        (
            r#"{"entry":[{"resource":{"photo":[{"url":"Binary/face"}],"resourceType":"Patient"}},{"resource":{"a":{"url":"Binary/face"},"resourceType":"Binary"}}],"resourceType":"Bundle"}"#,
            format!(
                r#"{{"entry":[{{"resource":{{"photo":[{{"url":"{url}"}}],"resourceType":"Patient"}}}},{{"resource":{{"a":{{"url":"Binary/face"}},"resourceType":"Binary"}}}}],"resourceType":"Bundle"}}"#
            ),
        ),
    ] {
        assert_eq!(sent(before).await, after);
    }
}

/// `application/json` is not of FHIR alone.
#[tokio::test]
async fn plain_json_is_a_resource_if_it_has_a_type() {
    let plain = |json: String| {
        let response = Response::builder().header(CONTENT_TYPE, "application/json; charset=utf-8");
        response.body(json.into()).unwrap()
    };
    let layer = cabinet();
    let url = url_of("face", 7);
    for (before, after) in [
        (patient("Binary/face"), patient(&url)),
        (
            json!({ "photo": [{ "url": "Binary/face" }], "z": 1, "resourceType": "Patient" }),
            json!({ "photo": [{ "url": url }], "z": 1, "resourceType": "Patient" }),
        ),
        (
            json!({ "url": "Binary/face" }),
            json!({ "url": "Binary/face" }),
        ),
        (
            json!({ "data": { "resource": patient("Binary/face") } }),
            json!({ "data": { "resource": patient("Binary/face") } }),
        ),
        (
            json!([patient("Binary/face")]),
            json!([patient("Binary/face")]),
        ),
    ] {
        let sent = answer(&layer, plain(before.to_string())).await;
        assert_eq!(sent.json(), after);
    }
}

#[tokio::test]
async fn each_line_of_ndjson_is_a_resource() {
    let lines = |url: &str| {
        let patient = patient(url).to_string();
        let binary = r#"{"resourceType":"Binary","url":"Binary/face"}"#;
        format!(
            "{patient}\n\nnot JSON \"url\":\"Binary/face\"\n{binary}\n{patient}\r\n{{\"url\":\"Binary/face\n{patient}"
        )
    };
    let response = Response::builder().header(CONTENT_TYPE, FHIR_NDJSON);
    let response = response.body(Body::from(lines("Binary/face"))).unwrap();
    let sent = answer(&cabinet(), response).await;
    assert_eq!(sent.text(), lines(&url_of("face", 7)));
}

#[tokio::test]
async fn a_chunk_may_end_anywhere() {
    let before = r#"{"resourceType":"Patient","photo":[{"url" : "Binary\/face"},{"\u0075rl":"Binary/face/_history/3"}],"x":"\\\"","extension":[{"url":"Binary/face"}]}"#;
    let after = before
        .replacen(r"Binary\/face", &url_of("face", 7), 1)
        .replacen("Binary/face/_history/3", &url_of("face", 3), 1);
    for end in 0..=before.len() {
        let (first, second) = before.split_at(end);
        let chunks = [first.to_owned(), second.to_owned()].map(Ok::<_, Infallible>);
        assert_eq!(
            sent(Body::from_stream(stream::iter(chunks))).await,
            after,
            "{end}"
        );
    }
    let bytes: Vec<_> = before
        .chars()
        .map(|c| Ok::<_, Infallible>(c.to_string()))
        .collect();
    assert_eq!(sent(Body::from_stream(stream::iter(bytes))).await, after);
}
