//! Answers that stream: their length, their memory, their end.

use std::time::Duration;

use futures_util::{StreamExt as _, stream};
use http::header::CONTENT_LENGTH;

use super::*;

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

/// The part that has been read and not yet sent stays small, whatever the length of the whole.
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
