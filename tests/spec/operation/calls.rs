//! Calls of the operation, and its answers.

use std::future::ready;

use axum::body::Body;
use http::{Method, StatusCode};
use tower_presign::store::RepositoryError;
use tower_presign::{Access, Denial, MintRequest, PresignLayer, Target, Terms};

use crate::support::repository::Failing;
use crate::support::*;

const OPERATION: &str = "/fhir/R4/Binary/scan/$presigned-url";

// The answer

#[tokio::test]
async fn the_answer_is_a_parameters_resource_with_the_url_and_nothing_else() {
    let answer = get(&layer(scan("image/png")), OPERATION).await;
    let expected = format!(
        r#"{{"resourceType":"Parameters","parameter":[{{"name":"url","valueUri":"{}"}}]}}"#,
        read_url()
    );
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.body, expected);
    let length = expected.len().to_string();
    assert_eq!(
        answer.sorted_headers(),
        [
            ("cache-control", "no-store"),
            ("content-length", &*length),
            ("content-type", "application/fhir+json"),
            ("x-content-type-options", "nosniff"),
        ]
    );
}

// Methods

#[tokio::test]
async fn get_and_post_answer_alike_and_head_without_the_body() {
    let layer = layer(scan("image/png"));
    let expected = get(&layer, OPERATION).await;
    let post = request(Method::POST, OPERATION, &[], Body::empty());
    assert_eq!(call(&layer, post).await, expected);
    let head = head_with(&layer, OPERATION, &[]).await;
    assert_eq!(head.status, expected.status);
    assert_eq!(head.headers, expected.headers);
    assert!(head.body.is_empty());
}

#[tokio::test]
async fn other_methods_are_refused_with_a_list_of_those_allowed() {
    let layer = layer(scan("image/png"));
    for method in ["PUT", "DELETE", "PATCH", "TRACE", "get", "PROPFIND"] {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let answer = call(&layer, request(method, OPERATION, &[], "content")).await;
        answer.assert_refused(405, "method-not-allowed");
        assert_eq!(answer.header("allow"), Some("GET, HEAD, POST, OPTIONS"));
    }
}

#[tokio::test]
async fn options_goes_to_the_inner_service_which_may_know_about_cors() {
    let layer = layer(scan("image/png"));
    let answer = call(&layer, request(Method::OPTIONS, OPERATION, &[], "")).await;
    assert_eq!(answer.status, INNER);
}

// Versions

#[tokio::test]
async fn a_past_version_can_be_read_but_not_written() {
    let layer = layer(scan("image/png"));
    for content in ["first", "second"] {
        let url = mint_upload(&layer, "scan").await;
        assert_eq!(put(&layer, &url, content).await.status, StatusCode::OK);
    }
    let version = |number: u32| format!("/Binary/scan/_history/{number}/$presigned-url");
    let first = get(&layer, &version(1)).await.url();
    assert_eq!(get(&layer, &first).await.body, "first");
    let second = get(&layer, &version(2)).await.url();
    assert_eq!(get(&layer, &second).await.body, "second");
    assert_eq!(mint(&layer, "scan").await, second);
    let third = get(&layer, &version(3)).await;
    third.assert_refused(404, "not-found");

    let write = format!("{}?upload=true", version(1));
    let answer = get(&layer, &write).await;
    answer.assert_refused(400, "invalid-parameter");
    let upload =
        r#"{"resourceType":"Parameters","parameter":[{"name":"upload","valueBoolean":true}]}"#;
    let answer = call(&layer, request(Method::POST, &version(1), &[], upload)).await;
    answer.assert_refused(400, "invalid-parameter");
    let read = format!("{}?upload=false", version(1));
    assert_eq!(get(&layer, &read).await.url(), first);
}

#[tokio::test]
async fn a_read_url_for_a_binary_without_content_works_once_there_is_some() {
    let layer = layer(scan("image/png"));
    let read = mint(&layer, "scan").await;
    let write = mint_upload(&layer, "scan").await;
    get(&layer, &read).await.assert_refused(404, "not-found");
    assert_eq!(put(&layer, &write, "content").await.status, StatusCode::OK);
    assert_eq!(get(&layer, &read).await.body, "content");
}

// Order

#[tokio::test]
async fn a_denied_caller_cannot_tell_whether_a_binary_exists() {
    let nobody_looks = Failing(|| panic!("it was looked up"));
    for denial in [Denial::login_required(), Denial::forbidden()] {
        let policy = move |_: MintRequest| ready(Err(denial.clone()));
        let layer = PresignLayer::new(signer(), nobody_looks, policy);
        let existing = get(&layer, OPERATION).await;
        let missing = get(&layer, "/fhir/R4/Binary/missing/$presigned-url").await;
        assert!(existing.status.is_client_error());
        assert_eq!(existing, missing);
    }
}

#[tokio::test]
async fn the_policy_is_asked_after_the_request_was_understood() {
    let policy = async |_: MintRequest| panic!("the policy was asked");
    let layer = PresignLayer::new(signer(), scan("image/png"), policy);
    let answer = get(&layer, "/Binary/scan/$presigned-url?upload=maybe").await;
    answer.assert_refused(400, "invalid-parameter");
    let answer = get(&layer, "/Binary/scan/$presigned-url?_format=xml").await;
    answer.assert_refused(406, "not-acceptable");
}

// Without HTTP

#[tokio::test]
async fn a_host_can_mint_without_http_and_without_its_policy() {
    let policy = async |_: MintRequest| panic!("the policy was asked");
    let layer = PresignLayer::new(signer(), scan("image/png"), policy).clock(|| at(NOW));
    let presigner = layer.presigner();
    let read = Target::new(id("scan"), Access::Read);
    let read = presigner.presign(read, Terms::new()).await;
    assert_eq!(read.unwrap().as_str(), read_url());

    let terms = Terms::new().max_length(7);
    let write = Target::new(id("scan"), Access::Write);
    let write = presigner.presign(write, terms).await;
    let write = write.unwrap();
    assert_eq!(write.method(), "PUT");
    assert_eq!(write.expires().unix_seconds(), NOW + 3600);
    let answer = put(&layer, write.as_str(), "content").await;
    assert_eq!(answer.status, StatusCode::OK);

    let missing = Target::new(id("missing"), Access::Read);
    let missing = presigner.presign(missing, Terms::new());
    assert!(matches!(missing.await, Err(RepositoryError::NotFound)));
}
