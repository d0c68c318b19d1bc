//! The same in the hands of the host: values, texts, files, and no caller.

use std::time::Duration;

use axum::body::Bytes;
use futures_util::stream;
use http_body_util::{BodyExt as _, Full};
use tower_presign::{Caller, Presigner};

use super::*;

fn presigner() -> Presigner {
    cabinet().presigner()
}

#[tokio::test]
async fn the_urls_of_a_value_are_those_that_the_layer_sends() {
    let caller = read("/export").into_parts().0;
    for resource in [
        patient("Binary/face"),
        patient("Binary/face/_history/3"),
        patient("Binary/secret"),
        patient("Binary/missing"),
        patient("https://health.example.com/fhir/Binary/face"),
        patient("https://example.com/face.png"),
        json!({ "resourceType": "Patient", "extension": [{ "url": "Binary/face", "valueAttachment": { "url": "Binary/face" } }] }),
        json!({ "resourceType": "Bundle", "link": [{ "url": "Binary/face" }], "entry": [
            { "request": { "url": "Binary/face" }, "resource": patient("Binary/face") },
            { "resource": { "resourceType": "Binary", "a": { "url": "Binary/face" } } },
        ] }),
        json!([[{ "url": "Binary/face" }]]),
    ] {
        let sent = answer(&cabinet(), fhir(resource.to_string())).await.json();
        let changed = count_urls(&sent);
        let mut value = resource.clone();
        assert_eq!(
            presigner().presign_attachments(&caller, &mut value).await,
            changed
        );
        assert_eq!(value, sent);
        let text = presigner()
            .presign_attachments_json(&caller, resource.to_string())
            .await;
        assert_eq!(serde_json::from_slice::<Value>(&text).unwrap(), sent);
    }
}

fn count_urls(value: &Value) -> usize {
    value.to_string().matches(BASE).count()
}

#[tokio::test]
async fn urls_that_were_put_in_can_be_taken_out() {
    let mut value = patient("Binary/face");
    presigner()
        .presign_attachments(Terms::new(), &mut value)
        .await;
    assert_eq!(presigner().restore_references(&mut value), 1);
    assert_eq!(value, patient("Binary/face/_history/7"));
    assert_eq!(presigner().restore_references(&mut value), 0);
}

/// An export or a subscription has no request: the host itself gives the terms.
#[tokio::test]
async fn without_a_caller_no_policy_is_asked() {
    let policy = NoSecrets::default();
    let presigner = Presigner::new(signer(), Cabinet::default(), policy.clone()).clock(|| at(NOW));
    let mut value = patient("Binary/secret");
    let terms = Terms::new().lifetime(Duration::from_secs(60));
    presigner.presign_attachments(terms, &mut value).await;
    let url = value["photo"][0]["url"].as_str().unwrap();
    assert_eq!(grant(url).expires.unix_seconds(), NOW + 60);
    assert_eq!(policy.asked(), 0);
}

#[tokio::test]
async fn a_file_of_ndjson_is_read_as_it_is_sent() {
    let lines = |count: usize, url: &dyn Fn(usize) -> String| -> String {
        (0..count)
            .map(|number| patient(&url(number)).to_string() + "\n")
            .collect()
    };
    let file = lines(10_000, &|number| format!("Binary/face-{number}"));
    let expected = lines(10_000, &|number| url_of(&format!("face-{number}"), 7));
    let chunks: Vec<_> = file
        .as_bytes()
        .chunks(8192)
        .map(|chunk| Ok::<_, Infallible>(http_body::Frame::data(Bytes::copy_from_slice(chunk))))
        .collect();
    let file = http_body_util::StreamBody::new(stream::iter(chunks));
    let mut body = presigner().presign_attachments_ndjson(Terms::new(), file);
    let mut sent = Vec::new();
    while let Some(frame) = body.frame().await {
        sent.extend_from_slice(&frame.unwrap().into_data().unwrap());
    }
    assert!(sent == expected.as_bytes());
    assert_eq!((body.urls(), body.left()), (10_000, 0));
}

/// More than are remembered: those of long ago are asked for again, and none is lost.
#[tokio::test]
async fn an_export_may_have_any_number_of_urls() {
    let numbers = || (0..12_000).chain([0, 11_999]);
    let file: String = numbers()
        .map(|number| patient(&format!("Binary/face-{number}")).to_string() + "\n")
        .collect();
    let body = presigner().presign_attachments_ndjson(Terms::new(), Full::new(Bytes::from(file)));
    let sent = body.collect().await.unwrap().to_bytes();
    let sent = std::str::from_utf8(&sent).unwrap();
    for (line, number) in sent.lines().zip(numbers()) {
        assert_eq!(
            line,
            patient(&url_of(&format!("face-{number}"), 7)).to_string()
        );
    }
}

#[test]
fn a_caller_shows_no_credentials() {
    let request = Request::get("/").header("authorization", "Bearer secret");
    let caller = Caller::from(&request.body(()).unwrap().into_parts().0);
    assert_eq!(format!("{caller:?}"), "Request(..)");
}
