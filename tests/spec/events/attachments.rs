//! The events of URLs in resources.

use std::convert::Infallible;
use std::future::ready;

use http::header::CONTENT_TYPE;

use super::*;

async fn read_with(layer: &tower_presign::AttachmentsLayer, ids: &[&str]) -> Vec<Message> {
    let recorder = Recorder::start();
    let photos: Vec<String> = ids
        .iter()
        .map(|id| format!(r#"{{"url":"Binary/{id}"}}"#))
        .collect();
    let photos = photos.join(",");
    let json = format!(r#"{{"resourceType":"Patient","photo":[{photos}]}}"#);
    let host = service_fn(move |_: Request<_>| {
        let response = Response::builder().header(CONTENT_TYPE, "application/fhir+json");
        ready(Ok::<_, Infallible>(
            response.body(Body::from(json.clone())).unwrap(),
        ))
    });
    let request = Request::get("/Patient/1").header(AUTHORIZATION, "Bearer bearer-token");
    let request = request.body(Body::empty()).unwrap();
    let answer = layer.layer(host).oneshot(request).await.unwrap();
    answer.into_body().collect().await.unwrap();
    for secret in SECRETS {
        assert!(!recorder.everything().contains(secret), "{secret}");
    }
    recorder.take()
}

#[tokio::test]
async fn each_url_in_an_answer_is_a_mint() {
    let layer = PresignLayer::new(signer(), scan("image/png"), Doctors).clock(|| at(NOW));
    let messages = read_with(&layer.attachments(), &["scan", "missing", "scan"]).await;
    let [mint, refusal] = &messages[..] else {
        panic!("{messages:?}");
    };
    assert_eq!(mint.target, "tower_presign::mint");
    assert_eq!((&*mint.fields["id"], &*mint.fields["code"]), ("scan", "ok"));
    assert_eq!(refusal.target, "tower_presign::refusal");
    assert_eq!(refusal.fields["code"], "not-found");
}

#[tokio::test]
async fn references_that_are_too_many_are_counted() {
    let layer = PresignLayer::new(signer(), scan("image/png"), Doctors).clock(|| at(NOW));
    let attachments = layer.attachments().max_urls(1);
    let messages = read_with(&attachments, &["scan", "two", "three"]).await;
    let [mint, left] = &messages[..] else {
        panic!("{messages:?}");
    };
    assert_eq!(mint.target, "tower_presign::mint");
    assert_eq!(left.target, "tower_presign::attachments");
    assert_eq!(left.level, Level::WARN);
    let fields = (&*left.fields["left"], &*left.fields["max_urls"]);
    assert_eq!(fields, ("2", "1"));
}
