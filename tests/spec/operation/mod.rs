//! `[base]/Binary/[id]/$presigned-url`: where it is, how it is called, and what it answers.

mod format;
mod parameters;
mod terms;

use std::future::ready;

use axum::body::Body;
use http::{Method, StatusCode};
use tower_presign::store::RepositoryError;
use tower_presign::url::{Expires, ReadTerms};
use tower_presign::{
    Access, AllowAll, BinaryKey, Denial, Grant, MintRequest, PresignLayer, Target, Terms,
    UrlSigner, VersionId,
};

use crate::support::repository::Failing;
use crate::support::*;

const OPERATION: &str = "/fhir/R4/Binary/scan/$presigned-url";

/// The URL that reads version 1 of `scan`, on the layer's own terms.
fn read_url() -> String {
    let key = BinaryKey::new(id("scan"), VersionId::from(1));
    let grant = Grant::new(key, ReadTerms::new(), Expires::at_unix_seconds(NOW + 3600));
    signer().sign(&grant).into()
}

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

#[tokio::test]
async fn no_header_decides_where_the_url_points() {
    let headers = [
        ("host", "evil.example.com"),
        ("x-forwarded-host", "evil.example.com"),
        ("x-forwarded-proto", "http"),
        ("x-forwarded-port", "1"),
        ("x-forwarded-prefix", "/evil"),
        ("forwarded", "host=evil.example.com;proto=http"),
        ("x-original-url", "/evil"),
    ];
    let layer = layer(scan("image/png"));
    let answer = get_with(&layer, OPERATION, &headers).await;
    assert_eq!(answer.url(), read_url());
    let absolute = format!("http://evil.example.com{OPERATION}");
    assert_eq!(get(&layer, &absolute).await.url(), read_url());
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

// Paths

#[tokio::test]
async fn any_base_will_do_and_the_dollar_may_be_encoded() {
    let layer = layer(scan("image/png"));
    for path in [
        "/Binary/scan/$presigned-url",
        "/fhir/Binary/scan/$presigned-url",
        "/tenant/7/fhir/R4/Binary/scan/$presigned-url",
        "/fhir/R4/Binary/scan/%24presigned-url",
        "/fhir/R4/Binary/scan/_history/1/$presigned-url",
        "/fhir/R4/Binary/scan/_history/1/%24presigned-url",
    ] {
        assert_eq!(get(&layer, path).await.url(), read_url(), "{path}");
    }
}

#[tokio::test]
async fn a_configured_base_is_the_only_one() {
    for base in ["/fhir/R4", "/fhir/R4/", "fhir/R4"] {
        let layer = layer(scan("image/png")).fhir_base(base).unwrap();
        assert_eq!(get(&layer, OPERATION).await.url(), read_url(), "{base}");
        for other in [
            "/Binary/scan/$presigned-url",
            "/fhir/R5/Binary/scan/$presigned-url",
            "/x/fhir/R4/Binary/scan/$presigned-url",
            "/fhir/R4/x/Binary/scan/$presigned-url",
        ] {
            assert_eq!(get(&layer, other).await.status, INNER, "{base}: {other}");
        }
    }
}

#[tokio::test]
async fn paths_that_merely_look_like_it_go_to_the_inner_service() {
    let layer = layer(scan("image/png"));
    for path in [
        "/",
        "/fhir/R4/Binary/scan",
        "/fhir/R4/Binary/$presigned-url",
        "/fhir/R4/Patient/scan/$presigned-url",
        "/fhir/R4/binary/scan/$presigned-url",
        "/fhir/R4/XBinary/scan/$presigned-url",
        "/fhir/R4/Binary/scan/presigned-url",
        "/fhir/R4/Binary/scan/x$presigned-url",
        "/fhir/R4/Binary/scan/$presigned-urls",
        "/fhir/R4/Binary/scan/$presigned-url/",
        "/fhir/R4/Binary/scan/$Presigned-Url",
        "/fhir/R4/Binary/scan/$presigned-url/x",
        "/fhir/R4/Binary/scan/x/$presigned-url",
        "/fhir/R4/Binary/scan/_history/$presigned-url",
        "/fhir/R4/Binary/scan/_history/1/2/$presigned-url",
        "/fhir/R4/Binary?x=/Binary/scan/$presigned-url",
    ] {
        assert_eq!(get(&layer, path).await.status, INNER, "{path}");
    }
}

#[tokio::test]
async fn what_is_no_fhir_id_is_not_found_without_asking_anyone() {
    let policy = async |_: MintRequest| panic!("the policy was asked");
    let layer = PresignLayer::new(signer(), Failing(|| panic!("it was looked up")), policy);
    let too_long = "a".repeat(65);
    for bad in ["", ".", "..", "a~b", "a%2Db", "%", "*", "a:b", &too_long] {
        for path in [
            format!("/Binary/{bad}/$presigned-url"),
            format!("/Binary/scan/_history/{bad}/$presigned-url"),
        ] {
            let answer = get(&layer, &path).await;
            answer.assert_refused(404, "not-found");
        }
    }
}

#[tokio::test]
async fn every_fhir_id_is_an_id() {
    let layer = layer(Failing(|| RepositoryError::Deleted));
    for good in ["1", "-", "...", "a.B-9", &"Z".repeat(64)] {
        let answer = get(&layer, &format!("/Binary/{good}/$presigned-url")).await;
        answer.assert_refused(410, "deleted");
    }
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

// Configurations

#[tokio::test]
async fn nothing_below_the_storage_path_reaches_the_inner_service() {
    let layer = layer(scan("image/png"));
    for path in ["/binary", "/binary/", "/binary/scan/1", "/binary/a/b/c?d=e"] {
        let answer = get(&layer, path).await;
        answer.assert_refused(403, "missing-signature");
    }
    for path in ["/binaries", "/binary.html", "/x/binary/scan/1", "/Binary"] {
        assert_eq!(get(&layer, path).await.status, INNER, "{path}");
    }
}

#[tokio::test]
async fn with_a_bare_host_as_base_the_operation_is_still_found() {
    let signer = UrlSigner::new(key(), "https://storage.example.com").unwrap();
    let layer = PresignLayer::new(signer, scan("image/png"), AllowAll);
    let url = mint_upload(&layer, "scan").await;
    assert!(url.starts_with("https://storage.example.com/scan/1?"));
    assert_eq!(put(&layer, &url, "content").await.status, StatusCode::OK);
    let answer = get(&layer, "/anything/else").await;
    answer.assert_refused(403, "missing-signature");
}

#[tokio::test]
async fn one_server_may_mint_and_another_serve() {
    let repository = scan("image/png");
    let minting = layer(repository.clone()).operation_only();
    let serving = layer(repository).storage_only();
    let url = mint_upload(&minting, "scan").await;
    assert_eq!(put(&minting, &url, "content").await.status, INNER);
    assert_eq!(get(&minting, "/binary").await.status, INNER);
    assert_eq!(get(&serving, OPERATION).await.status, INNER);
    assert_eq!(put(&serving, &url, "content").await.status, StatusCode::OK);
}

#[tokio::test]
async fn requests_may_arrive_at_another_path_than_they_were_sent_to() {
    for path in ["/internal/files", "/internal/files/", "internal/files"] {
        let layer = layer(scan("image/png")).storage_path(path).unwrap();
        let url = mint_upload(&layer, "scan").await;
        let rewritten = url.replace(BASE, "http://10.0.0.7/internal/files");
        let answer = put(&layer, &rewritten, "content").await;
        assert_eq!(answer.status, StatusCode::OK, "{path}");
        assert_eq!(get(&layer, &url).await.status, INNER, "{path}");
    }
}

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
