//! Answers: which members become URLs, and of which requests.

use std::time::Duration;

use axum::Router;
use axum::routing::get;
use futures_util::{StreamExt as _, stream};
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH};
use http::{Method, StatusCode};
use tokio::sync::Semaphore;
use tower::ServiceBuilder;

use super::*;

// Which members

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
async fn what_is_no_reference_to_a_binary_here_stays() {
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

// Whom the policy denies

#[tokio::test]
async fn what_is_denied_or_missing_keeps_its_reference() {
    let resource = |url: &str| {
        json!({ "resourceType": "Patient", "photo": [
            { "url": "Binary/secret-1" }, { "url": url }, { "url": "Binary/missing-1" },
        ] })
        .to_string()
    };
    assert_eq!(
        sent(resource("Binary/face")).await,
        resource(&url_of("face", 7))
    );
}

#[tokio::test]
async fn the_policy_sees_the_caller_and_the_version() {
    let seen: &'static Mutex<Vec<(String, Option<VersionId>)>> = Box::leak(Box::default());
    let policy = move |request: MintRequest| {
        let caller = request.headers()["authorization"]
            .to_str()
            .unwrap()
            .to_owned();
        seen.lock()
            .unwrap()
            .push((caller, request.target().version()));
        ready(Ok(Terms::new()))
    };
    let layer = PresignLayer::new(signer(), Cabinet::default(), policy);
    let request = Request::get("/fhir/Patient/1").header("authorization", "Bearer nurse");
    let request = request.body(Body::empty()).unwrap();
    let json = patient("Binary/face/_history/3").to_string();
    exchange(&layer.attachments(), request, fhir(json)).await;
    let expected = ("Bearer nurse".to_owned(), Some(VersionId::from(3)));
    assert_eq!(*seen.lock().unwrap(), [expected]);
}

#[tokio::test]
async fn the_policy_is_asked_once_for_each_binary() {
    let policy = NoSecrets::default();
    let repository = Cabinet::default();
    let layer = PresignLayer::new(signer(), repository.clone(), policy.clone());
    let photos: Vec<_> = (0..300)
        .map(|number| json!({ "url": format!("Binary/face-{}", number % 3) }))
        .collect();
    let json = json!({ "resourceType": "Patient", "photo": photos }).to_string();
    let sent = answer(&layer, fhir(json)).await;
    assert_eq!((policy.asked(), repository.asked()), (3, 3));
    let photos = sent.json()["photo"].clone();
    assert_eq!(photos[0], photos[297]);
    assert!(photos[299]["url"].as_str().unwrap().starts_with(BASE));
}

/// A repository that knows a version by its name alone is not asked for it.
#[tokio::test]
async fn a_version_that_is_named_needs_no_look_at_the_records() {
    let repository = Cabinet {
        is_open: true,
        ..Cabinet::default()
    };
    let policy = NoSecrets::default();
    let layer = PresignLayer::new(signer(), repository.clone(), policy.clone()).clock(|| at(NOW));
    let json = patient("Binary/face/_history/3").to_string();
    let sent = answer(&layer, fhir(json)).await;
    assert_eq!(sent.json(), patient(&url_of("face", 3)));
    assert_eq!((policy.asked(), repository.asked()), (1, 0));

    let json = patient("Binary/face").to_string();
    answer(&layer, fhir(json)).await;
    assert_eq!((policy.asked(), repository.asked()), (2, 1));
}

#[tokio::test]
async fn the_policy_is_asked_for_sixteen_at_once() {
    struct Slow {
        running: AtomicUsize,
        most: AtomicUsize,
        all_there: Semaphore,
    }
    impl AccessPolicy for Slow {
        async fn mint(&self, _: MintRequest) -> Result<Terms, Denial> {
            let running = self.running.fetch_add(1, Ordering::Relaxed) + 1;
            self.most.fetch_max(running, Ordering::Relaxed);
            // None goes on before sixteen are there.
            if running == 16 {
                self.all_there.add_permits(1000);
            }
            self.all_there.acquire().await.unwrap().forget();
            self.running.fetch_sub(1, Ordering::Relaxed);
            Ok(Terms::new())
        }
    }
    let policy = Arc::new(Slow {
        running: AtomicUsize::new(0),
        most: AtomicUsize::new(0),
        all_there: Semaphore::new(0),
    });
    let layer = PresignLayer::new(signer(), Cabinet::default(), Arc::clone(&policy));
    let photos: Vec<_> = (0..100)
        .map(|number| json!({ "url": format!("Binary/face-{number}") }))
        .collect();
    let json = json!({ "resourceType": "Patient", "photo": photos }).to_string();
    let sent = soon(answer(&layer, fhir(json))).await;
    assert_eq!(policy.most.load(Ordering::Relaxed), 16);
    let photos = sent.json()["photo"].as_array().unwrap().clone();
    assert!(
        photos
            .iter()
            .all(|photo| photo["url"].as_str().unwrap().starts_with(BASE))
    );
}

#[tokio::test]
async fn beyond_the_limit_references_stay() {
    let layer = cabinet();
    let photos: Vec<_> = (0..5)
        .map(|number| json!({ "url": format!("Binary/face-{number}") }))
        .collect();
    let json = json!({ "resourceType": "Patient", "photo": photos }).to_string();
    let attachments = layer.attachments().max_urls(2);
    let sent = exchange(&attachments, read("/fhir/Patient/1"), fhir(json)).await;
    let is_url = |photo: &Value| photo["url"].as_str().unwrap().starts_with(BASE);
    let photos = sent.json()["photo"].as_array().unwrap().clone();
    let urls: Vec<_> = photos.iter().map(is_url).collect();
    assert_eq!(urls, [true, true, false, false, false]);
}

// Which answers

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

// Streams

#[tokio::test]
async fn a_short_answer_has_its_exact_length() {
    let json = patient("Binary/face").to_string();
    let mut response = fhir(json.clone());
    let length = json.len().into();
    response.headers_mut().insert(CONTENT_LENGTH, length);
    let sent = answer(&cabinet(), response).await;
    let length = sent.body.len();
    assert_eq!(sent.header(CONTENT_LENGTH), Some(&*length.to_string()));
    assert_ne!(length, json.len());
}

#[tokio::test]
async fn a_long_answer_streams_without_a_length() {
    let line = patient("Binary/face").to_string() + "\n";
    let after = patient(&url_of("face", 7)).to_string() + "\n";
    let lines = stream::iter((0..10_000).map(move |_| Ok::<_, Infallible>(line.clone())));
    let response = Response::builder()
        .header(CONTENT_TYPE, FHIR_NDJSON)
        .header(CONTENT_LENGTH, 1);
    let sent = answer(&cabinet(), response.body(Body::from_stream(lines)).unwrap()).await;
    assert_eq!(sent.header(CONTENT_LENGTH), None);
    assert_eq!(sent.header("cache-control"), Some("no-store"));
    assert_eq!(sent.text(), after.repeat(10_000));
}

/// What has been read and not yet sent stays small, whatever the length of the whole.
#[tokio::test]
async fn no_more_is_read_than_the_client_takes() {
    use http_body_util::BodyExt as _;
    let read = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&read);
    let lines = stream::iter(0..100_000).map(move |number| {
        count.fetch_add(1, Ordering::Relaxed);
        let line = patient(&format!("Binary/face-{number}")).to_string() + "\n";
        Ok::<_, Infallible>(line)
    });
    let response = Response::builder()
        .header(CONTENT_TYPE, FHIR_NDJSON)
        .body(Body::from_stream(lines))
        .unwrap();
    let service = cabinet().attachments().layer(host(response));
    let mut body = service
        .oneshot(super::read("/fhir/x"))
        .await
        .unwrap()
        .into_body();
    let mut taken = 0;
    while taken < 100_000 {
        let frame = soon(body.frame()).await.unwrap().unwrap();
        taken += frame.data_ref().unwrap().len();
    }
    assert!(read.load(Ordering::Relaxed) < 3_000, "{read:?}");
}

#[tokio::test]
async fn an_error_in_the_middle_arrives_after_what_came_before_it() {
    use http_body_util::BodyExt as _;
    let start = r#"{"resourceType":"Patient","photo":[{"url":"Binary/face"},"#;
    let response = fhir(body::broken(start, "the database has gone"));
    let service = cabinet().attachments().layer(host(response));
    let answer = service.oneshot(read("/fhir/Patient/1")).await.unwrap();
    assert_eq!(answer.headers()["cache-control"], "no-store");
    let mut body = answer.into_body();
    let mut sent = Vec::new();
    let error = loop {
        match soon(body.frame()).await.unwrap() {
            Ok(frame) => sent.extend_from_slice(&frame.into_data().unwrap()),
            Err(error) => break error,
        }
    };
    let expected = start.replace("Binary/face", &url_of("face", 7));
    assert_eq!(String::from_utf8(sent).unwrap(), expected);
    assert!(error.to_string().contains("the database has gone"));
}

#[tokio::test]
async fn trailers_follow() {
    use http_body_util::{BodyExt as _, Full};
    let json = patient("Binary/face").to_string();
    let trailers = http::HeaderMap::from_iter([("x-took".parse().unwrap(), "3".parse().unwrap())]);
    let expected = trailers.clone();
    let body = Full::new(json.into()).with_trailers(async { Some(Ok(trailers)) });
    let response = fhir(Body::new(body));
    let service = cabinet().attachments().layer(host(response));
    let answer = service.oneshot(read("/fhir/Patient/1")).await.unwrap();
    let body = answer.into_body().collect().await.unwrap();
    assert_eq!(body.trailers(), Some(&expected));
}

#[tokio::test(start_paused = true)]
async fn a_slow_host_is_waited_for() {
    let chunks = stream::unfold(0, |at| async move {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let parts = [
            r#"{"resourceType":"Patient","#,
            r#""photo":[{"url":"Binary"#,
            r#"/face"}]}"#,
        ];
        parts
            .get(at)
            .map(|part| (Ok::<_, Infallible>(*part), at + 1))
    });
    let sent = sent(Body::from_stream(chunks)).await;
    assert_eq!(sent, patient_text(&url_of("face", 7)));
}

fn patient_text(url: &str) -> String {
    format!(r#"{{"resourceType":"Patient","photo":[{{"url":"{url}"}}]}}"#)
}

// In a server

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
