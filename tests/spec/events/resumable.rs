//! `upload` with a `step`: uploads in parts, from their beginning to their end.

use http::Method;

use super::Host;
use crate::support::*;

const TUS: (&str, &str) = ("tus-resumable", "1.0.0");
const PART: (&str, &str) = ("content-type", "application/offset+octet-stream");

/// The step and the code of the one event of a request, and its answer.
async fn step(
    host: &Host,
    method: Method,
    url: &str,
    headers: &[(&str, &str)],
    part: &'static str,
) -> (String, String, Answer) {
    let request = request(method, url, headers, part);
    let (message, answer) = host.tell(request).await;
    let field = |name| message.fields.get(name).cloned().unwrap_or_default();
    // A part of which nothing is taken is a refusal, as ever.
    let is_refused = answer.status.is_client_error();
    assert_eq!(
        field("message"),
        if is_refused { "refusal" } else { "upload" }
    );
    assert_eq!(field("id"), "scan");
    assert_eq!(field("upload").len(), 48, "{message:?}");
    (field("step"), field("code"), answer)
}

#[tokio::test]
async fn each_step_of_an_upload_in_parts_is_told_and_none_with_a_signature() {
    let mut host = Host::new(scan("image/png"));
    host.layer = host.layer.resumable_uploads(true);
    let operation = format!("{}?upload=true", super::OPERATION);
    let write = host.mint(&operation).await;
    let creation = [TUS, ("upload-length", "7")];

    let (begun, code, answer) = step(&host, Method::POST, &write, &creation, "").await;
    assert_eq!((&*begun, &*code), ("begun", "ok"));
    let url = answer.header("location").unwrap().to_owned();
    let first = [TUS, PART, ("upload-offset", "0")];
    let (part, code, _) = step(&host, Method::PATCH, &url, &first, "cont").await;
    assert_eq!((&*part, &*code), ("part", "ok"));
    let (part, code, _) = step(&host, Method::PATCH, &url, &first, "cont").await;
    assert_eq!((&*part, &*code), ("part", "offset-mismatch"));
    let (asked, ..) = step(&host, Method::HEAD, &url, &[TUS], "").await;
    assert_eq!(asked, "asked");
    let last = [TUS, PART, ("upload-offset", "4")];
    let (completed, code, _) = step(&host, Method::PATCH, &url, &last, "ent").await;
    assert_eq!((&*completed, &*code), ("completed", "ok"));

    let write = host.mint(&operation).await;
    let (.., answer) = step(&host, Method::POST, &write, &creation, "").await;
    let url = answer.header("location").unwrap().to_owned();
    let (abandoned, ..) = step(&host, Method::DELETE, &url, &[TUS], "").await;
    assert_eq!(abandoned, "abandoned");
    step(&host, Method::POST, &write, &creation, "").await;

    // A day later the first of the next uploads finds it.
    host.layer = host.layer.clock(|| at(NOW + 24 * 3600));
    let write = host.mint(&operation).await;
    host.send(request(Method::POST, &write, &creation, ""))
        .await;
    host.assert_discreet();
    let told = host.recorder.take();
    let steps: Vec<_> = told
        .iter()
        .filter_map(|told| told.fields.get("step"))
        .collect();
    assert!(steps.iter().any(|step| *step == "expired"), "{told:#?}");
}

/// Its client has learnt no URL with which it could go on.
#[tokio::test]
async fn content_that_is_said_to_be_whole_is_an_upload_in_one_request() {
    let mut host = Host::new(scan("image/png"));
    host.layer = host.layer.resumable_uploads(true);
    let operation = format!("{}?upload=true", super::OPERATION);
    let write = host.mint(&operation).await;
    let message = host
        .put(&write, &[("upload-complete", "?1")], "content")
        .await;
    assert_eq!(
        (&*message.fields["message"], &*message.fields["code"]),
        ("upload", "ok")
    );
    assert_eq!(message.fields.get("step"), None);
}
