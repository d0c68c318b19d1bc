//! `upload`, the operation's one parameter: in the query, and in a `Parameters` resource.

use std::io::ErrorKind;

use axum::body::Body;
use http::Method;
use tower_presign::{Access, PresignLayer};

use crate::support::body::{broken, chunks};
use crate::support::*;

const OPERATION: &str = "/fhir/R4/Binary/scan/$presigned-url";
const LIMIT: usize = 64 * 1024;

async fn post_as(
    layer: &PresignLayer,
    content_type: &str,
    query: &str,
    body: impl Into<Body>,
) -> Answer {
    let url = format!("{OPERATION}{query}");
    let headers = [("content-type", content_type)];
    call(layer, request(Method::POST, &url, &headers, body)).await
}

async fn post(layer: &PresignLayer, body: impl Into<Body>) -> Answer {
    post_as(layer, "application/fhir+json", "", body).await
}

fn upload(value: &str) -> String {
    format!(r#"{{"resourceType":"Parameters","parameter":[{{"name":"upload",{value}}}]}}"#)
}

/// A resource of exactly this many bytes.
fn padded(length: usize) -> String {
    let mut json = upload(r#""valueBoolean":true"#);
    json.extend(std::iter::repeat_n(' ', length - json.len()));
    json
}

#[track_caller]
fn assert_access(answer: &Answer, access: Access) {
    assert_eq!(grant(&answer.url()).access(), access);
}

// In the query

#[tokio::test]
async fn upload_is_true_or_false_and_absent_means_false() {
    let layer = layer(scan("image/png"));
    for (query, access) in [
        ("", Access::Read),
        ("?", Access::Read),
        ("?upload=false", Access::Read),
        ("?upload=true", Access::Write),
        ("?%75pload=tru%65", Access::Write),
    ] {
        for method in [Method::GET, Method::POST] {
            let url = format!("{OPERATION}{query}");
            let answer = call(&layer, request(method, &url, &[], Body::empty())).await;
            assert_access(&answer, access);
        }
    }
}

#[tokio::test]
async fn upload_is_nothing_else() {
    let layer = layer(scan("image/png"));
    for query in [
        "upload",
        "upload=",
        "upload=TRUE",
        "upload=True",
        "upload=1",
        "upload=0",
        "upload=yes",
        "upload=true+",
        "upload=true%00",
        "upload=true,false",
        "upload=true&upload=true",
        "upload=false&upload=false",
        "upload=true&x=y&upload=false",
        "upload=true&%75pload=true",
    ] {
        for method in [Method::GET, Method::HEAD, Method::POST] {
            let url = format!("{OPERATION}?{query}");
            let answer = call(&layer, request(method.clone(), &url, &[], Body::empty())).await;
            assert_eq!(answer.status, 400, "{method} {query}");
            if method != Method::HEAD {
                answer.assert_refused(400, "invalid-parameter");
            }
        }
    }
}

#[tokio::test]
async fn other_parameters_do_not_matter() {
    let layer = layer(scan("image/png"));
    for query in [
        "_pretty=true&upload=true&_format=json",
        "upload=true&uploads=false&Upload=false&UPLOAD=maybe",
        "a=b&a=c&&=&upload=true&d",
        "upload=true&_summary=count&_elements=id",
    ] {
        let answer = get(&layer, &format!("{OPERATION}?{query}")).await;
        assert_access(&answer, Access::Write);
    }
}

// In a Parameters resource

#[tokio::test]
async fn with_post_upload_may_come_in_a_parameters_resource() {
    let layer = layer(scan("image/png"));
    let other = r#"{"resourceType":"Parameters","id":"x","meta":{"tag":[]},"parameter":[
        {"name":"note","valueString":"é"},{"name":"list","part":[{"name":"upload","valueCode":"x"}]},
        {"name":"upload","valueBoolean":true}]}"#;
    for (json, access) in [
        ("", Access::Read),
        (r#"{"resourceType":"Parameters"}"#, Access::Read),
        (
            r#"{"resourceType":"Parameters","parameter":[]}"#,
            Access::Read,
        ),
        (&*upload(r#""valueBoolean":false"#), Access::Read),
        (&*upload(r#""valueBoolean":true"#), Access::Write),
        (
            &*format!("\n {}\n", upload(r#""valueBoolean" : true"#)),
            Access::Write,
        ),
        (other, Access::Write),
    ] {
        assert_access(&post(&layer, json.to_owned()).await, access);
        if !json.is_empty() {
            // As some clients begin a text.
            let marked = format!("\u{feff}{json}");
            assert_access(&post(&layer, marked).await, access);
        }
    }
    let in_pieces = chunks(&[
        r#"{"resourceType":"Parameters","parameter":"#,
        r#"[{"name":"upload","valueBoolean":true}]}"#,
    ]);
    assert_access(&post(&layer, in_pieces).await, Access::Write);
}

#[tokio::test]
async fn query_and_resource_may_not_both_have_it() {
    let layer = layer(scan("image/png"));
    for query in ["?upload=true", "?upload=false"] {
        let json = upload(r#""valueBoolean":true"#);
        let answer = post_as(&layer, "application/fhir+json", query, json).await;
        answer.assert_refused(400, "invalid-parameter");
        let empty = r#"{"resourceType":"Parameters"}"#;
        let answer = post_as(&layer, "application/fhir+json", query, empty).await;
        let is_upload = query == "?upload=true";
        let access = if is_upload {
            Access::Write
        } else {
            Access::Read
        };
        assert_access(&answer, access);
    }
}

#[tokio::test]
async fn anything_but_one_boolean_in_one_parameters_resource_is_refused() {
    let layer = layer(scan("image/png"));
    let twice = r#"{"resourceType":"Parameters","parameter":[
        {"name":"upload","valueBoolean":true},{"name":"upload","valueBoolean":true}]}"#;
    for json in [
        &*upload(r#""valueString":"true""#),
        &*upload(r#""valueCode":"true""#),
        &*upload(r#""valueBoolean":"true""#),
        &*upload(r#""valueBoolean":1"#),
        &*upload(r#""valueBoolean":null"#),
        &*upload(r#""x":0"#),
        twice,
        r#"{"resourceType":"Bundle","parameter":[{"name":"upload","valueBoolean":true}]}"#,
        r#"{"resourceType":"parameters"}"#,
        r#"{"parameter":[{"name":"upload","valueBoolean":true}]}"#,
        r#"{"resourceType":"Parameters","parameter":{"name":"upload","valueBoolean":true}}"#,
        r#"["Parameters"]"#,
        r#"["Parameters",[["upload",true]]]"#,
        r#"{"resourceType":"Parameters","parameter":[["upload",true]]}"#,
        "{}",
        "[]",
        "true",
        "upload=true",
        "{",
        " ",
        "\u{0}",
    ] {
        let answer = post(&layer, json.to_owned()).await;
        answer.assert_refused(400, "invalid-parameter");
    }
}

#[tokio::test]
async fn deep_nesting_is_refused_and_harms_nobody() {
    let deep = format!(
        r#"{{"resourceType":"Parameters","x":{}"#,
        "[".repeat(60_000)
    );
    let answer = post(&layer(scan("image/png")), deep).await;
    answer.assert_refused(400, "invalid-parameter");
}

#[tokio::test]
async fn a_resource_may_have_64_kibibytes_and_no_more() {
    let layer = layer(scan("image/png"));
    assert_access(&post(&layer, padded(LIMIT)).await, Access::Write);
    let answer = post(&layer, padded(LIMIT + 1)).await;
    answer.assert_refused(413, "too-large");
    let diagnostics = &answer.json()["issue"][0]["diagnostics"];
    assert!(
        diagnostics.as_str().unwrap().contains("65536"),
        "{diagnostics}"
    );
    let long: &'static str = padded(LIMIT + 1).leak();
    let (start, end) = long.split_at(LIMIT / 2);
    let answer = post(&layer, chunks(&[start, end])).await;
    answer.assert_refused(413, "too-large");
}

#[tokio::test]
async fn a_resource_must_be_json_by_its_content_type() {
    let layer = layer(scan("image/png"));
    let json = upload(r#""valueBoolean":true"#);
    for content_type in [
        "application/fhir+json",
        "application/fhir+json; charset=utf-8; fhirVersion=4.0",
        "application/json",
        "Application/FHIR+JSON",
    ] {
        let answer = post_as(&layer, content_type, "", json.clone()).await;
        assert_access(&answer, Access::Write);
    }
    for content_type in [
        "application/fhir+xml",
        "application/xml",
        "text/xml",
        "text/turtle",
        "application/x-www-form-urlencoded",
        "application/jsonp",
        "json",
        "",
    ] {
        let answer = post_as(&layer, content_type, "", json.clone()).await;
        answer.assert_refused(415, "content-type-mismatch");
        // Without content there is nothing that could be of the wrong type.
        let answer = post_as(&layer, content_type, "?upload=true", "").await;
        assert_access(&answer, Access::Write);
    }
}

#[tokio::test]
async fn a_resource_that_breaks_off_is_told_as_such() {
    let layer = layer(scan("image/png"));
    for (kind, status, code) in [
        (ErrorKind::ConnectionReset, 400, "incomplete-body"),
        (ErrorKind::TimedOut, 408, "upload-timeout"),
    ] {
        let body = broken(r#"{"resourceType":"#, std::io::Error::from(kind));
        post(&layer, body).await.assert_refused(status, code);
    }
}

#[tokio::test]
async fn a_body_is_not_read_unless_it_is_posted() {
    let layer = layer(scan("image/png"));
    let json = upload(r#""valueBoolean":true"#);
    let answer = call(&layer, request(Method::GET, OPERATION, &[], json)).await;
    assert_access(&answer, Access::Read);
}
