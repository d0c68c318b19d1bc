//! Which way a request takes: to the operation, to the storage path, or to the inner service.

use axum::body::Body;
use http::{Method, Request, Response, StatusCode};
use http_body::Body as _;
use http_body_util::BodyExt as _;
use tower::util::service_fn;
use tower::{BoxError, Layer as _, ServiceExt as _};
use tower_presign::store::RepositoryError;
use tower_presign::{AllowAll, MintRequest, PresignLayer, UrlSigner};

use crate::support::repository::Failing;
use crate::support::*;

const OPERATION: &str = "/fhir/R4/Binary/scan/$presigned-url";

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

/// A guard in front that compares paths is not walked around: what it may take for another path is
/// left to the inner service.
#[tokio::test]
async fn a_path_that_can_be_spelled_otherwise_is_not_the_operations() {
    let any = layer(scan("image/png"));
    let configured = layer(scan("image/png")).fhir_base("/fhir").unwrap();
    for path in [
        "//fhir/Binary/scan/$presigned-url",
        "/fhir//Binary/scan/$presigned-url",
        "//Binary/scan/$presigned-url",
        "/fhi%72/Binary/scan/$presigned-url",
        "/fhi%7/Binary/scan/$presigned-url",
        "/x/../fhir/Binary/scan/$presigned-url",
        "/./fhir/Binary/scan/$presigned-url",
        "/%66hir/%42inary/scan/$presigned-url?upload=true",
    ] {
        assert_eq!(get(&any, path).await.status, INNER, "{path}");
        assert_eq!(get(&configured, path).await.status, INNER, "{path}");
    }
    let path = "/a%24b/Binary/scan/$presigned-url";
    assert_eq!(get(&any, path).await.url(), read_url());
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
async fn a_text_that_is_no_fhir_id_is_not_found_without_asking_anyone() {
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

// Configurations

#[test]
#[should_panic(expected = "as in https://storage.example.com/storage")]
fn a_bare_host_as_base_leaves_nothing_to_the_inner_service() {
    let signer = UrlSigner::new(key(), "https://storage.example.com").unwrap();
    let layer = PresignLayer::new(signer, scan("image/png"), AllowAll);
    drop(tower::Layer::layer(&layer, ()));
}

#[tokio::test]
async fn a_bare_host_is_a_base_for_a_server_that_only_serves() {
    let signer = UrlSigner::new(key(), "https://storage.example.com").unwrap();
    let layer = PresignLayer::new(signer, scan("image/png"), AllowAll);
    let url = mint_upload(&layer.clone().operation_only(), "scan").await;
    assert!(url.starts_with("https://storage.example.com/scan/1?"));
    let serving = layer.storage_only();
    assert_eq!(put(&serving, &url, "content").await.status, StatusCode::OK);
    let answer = get(&serving, "/anything/else").await;
    answer.assert_refused(403, "missing-signature");
}

/// It would look like content that is not there.
#[tokio::test]
async fn a_genuine_url_that_has_lost_the_beginning_of_its_path_is_an_error_of_the_server() {
    let base = "https://health.example.com/api/storage";
    let layer = PresignLayer::new(
        UrlSigner::new(key(), base).unwrap(),
        scan("image/png"),
        AllowAll,
    );
    let url = mint_upload(&layer, "scan").await;
    let target = url.strip_prefix(base).unwrap();
    let send = async |method: Method, path: &str, target: &str| {
        let url = format!("https://health.example.com{path}{target}");
        let headers = [("content-type", "image/png")];
        call(&layer, request(method, &url, &headers, "content")).await
    };
    for path in ["", "/storage"] {
        send(Method::PUT, path, target)
            .await
            .assert_refused(500, "internal");
        // A request that nobody signed is the inner service's, and so is a preflight.
        let forged = target.replace("Expires=1", "Expires=2");
        assert_eq!(send(Method::PUT, path, &forged).await.status, INNER);
        assert_eq!(send(Method::OPTIONS, path, target).await.status, INNER);
    }
    for path in ["/api", "/storages", "/other/storage"] {
        assert_eq!(send(Method::PUT, path, target).await.status, INNER);
    }
    assert_eq!(put(&layer, &url, "content").await.status, StatusCode::OK);
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

// Bodies

/// A server frames a response by these: without them each would be chunked.
#[tokio::test]
async fn the_size_and_the_end_of_a_body_are_known_before_it_is_read() {
    let layer = layer(scan("image/png"));
    let write = mint_upload(&layer, "scan").await;
    put(&layer, &write, "content").await;
    let read = mint(&layer, "scan").await;
    let refusal = read.replace("/scan/", "/other/");

    let service = layer.layer(service_fn(async |_: Request<Body>| {
        Ok::<_, BoxError>(Response::new(Body::from("of the inner service")))
    }));
    let answer = async |method, url: &str| {
        let request = request(method, url, &[], Body::empty());
        service.clone().oneshot(request).await.unwrap()
    };
    for (method, url, length) in [
        (Method::GET, "/elsewhere", Some(20)),
        (Method::GET, read.as_str(), Some(7)),
        (Method::HEAD, read.as_str(), Some(0)),
        (Method::OPTIONS, read.as_str(), Some(0)),
        (Method::GET, refusal.as_str(), None),
    ] {
        let mut body = answer(method.clone(), url).await.into_body();
        let size = body.size_hint().exact().unwrap();
        assert_eq!(size, length.unwrap_or(size), "{method} {url}");
        assert!(size > 0 || length == Some(0), "{method} {url}");
        assert_eq!(body.is_end_stream(), size == 0, "{method} {url}");
        let mut read = 0;
        while let Some(frame) = body.frame().await {
            read += frame.unwrap().into_data().unwrap().len() as u64;
            assert_eq!(
                body.size_hint().exact(),
                Some(size - read),
                "{method} {url}"
            );
        }
        assert_eq!(read, size, "{method} {url}");
        assert!(body.is_end_stream(), "{method} {url}");
    }
}
