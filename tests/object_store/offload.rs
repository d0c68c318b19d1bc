//! Offload: the URLs that the operation hands out are the store's own. Clients are `curl`, which
//! knows nothing of any of this.

use std::process::Output;

use super::engines::{Engine, S3Server};
use super::*;
use serde_json::Value;
use tokio::process::Command;
use tower_presign::Target;
use tower_presign::{Access, PresignedUrl, Terms};

/// Runs curl, and returns the status with headers and body, as text.
pub async fn curl(arguments: &[&str]) -> (u16, String) {
    let mut command = Command::new("curl");
    command.args(["--silent", "--show-error", "--include", "--max-time", "60"]);
    let Output {
        stdout,
        stderr,
        status,
    } = command.args(arguments).output().await.unwrap();
    assert!(status.success(), "{}", String::from_utf8_lossy(&stderr));
    let answer = String::from_utf8_lossy(&stdout).into_owned();
    // Of several answers, as after `100 Continue` or a redirection, the last.
    let last = answer.rfind("HTTP/1.1 ").unwrap();
    let status = answer[last..].split(' ').nth(1).unwrap().parse().unwrap();
    (status, answer[last..].to_owned())
}

/// An S3 server, and a layer whose clock is right, since S3 goes by its own.
async fn server(reads: bool, writes: bool) -> (S3Server, PresignLayer, BinaryId) {
    let server = S3Server::start().await;
    let repository = server.repository().await;
    let id = BinaryId::random();
    let content_type = ContentType::new("text/plain").unwrap();
    repository.create(id, content_type).await.unwrap();
    let repository = repository.offload_reads(reads).offload_writes(writes);
    let layer = layer(repository).clock(std::time::SystemTime::now);
    (server, layer, id)
}

async fn presign(layer: &PresignLayer, id: BinaryId, access: Access) -> PresignedUrl {
    layer
        .presigner()
        .presign(Target::new(id, access), Terms::new())
        .await
        .unwrap()
}

/// Uploads through the layer.
async fn upload(layer: &PresignLayer, id: BinaryId, content: impl Into<Body>) {
    let url = layer
        .presigner()
        .presign(Target::new(id, Access::Write), Terms::new())
        .await
        .unwrap();
    let text = [("content-type", "text/plain")];
    let stored = call(
        layer,
        request(http::Method::PUT, url.as_str(), &text, content),
    )
    .await;
    assert_eq!(stored.status, StatusCode::OK, "{stored:?}");
}

#[tokio::test]
async fn a_read_url_is_the_stores_own_and_says_how_to_show_the_content() {
    let (server, layer, id) = server(true, false).await;
    upload(&layer, id, "offloaded").await;
    let terms = Terms::new().filename("Befund März.txt");
    let url = layer
        .presigner()
        .presign(Target::new(id, Access::Read), terms)
        .await
        .unwrap();
    let url = url.as_str();
    assert!(url.starts_with(&server.endpoint), "{url}");

    let (status, answer) = curl(&[url]).await;
    assert_eq!(status, 200, "{answer}");
    assert!(answer.ends_with("\r\n\r\noffloaded"), "{answer}");
    let headers = answer.to_lowercase();
    assert!(
        headers.contains("\r\ncontent-type: text/plain\r\n"),
        "{answer}"
    );
    assert!(
        headers.contains("\r\ncache-control: private, no-store\r\n"),
        "{answer}"
    );
    let disposition = "content-disposition: inline; filename=\"befund m_rz.txt\"; \
                       filename*=utf-8''befund%20m%c3%a4rz.txt";
    assert!(headers.contains(disposition), "{answer}");

    let (status, answer) = curl(&["--range", "3-5", url]).await;
    assert_eq!(
        (status, answer.ends_with("\r\n\r\nloa")),
        (206, true),
        "{answer}"
    );
    let altered = url.replace("inline", "attach");
    assert_ne!(altered, url);
    assert_eq!(curl(&[&altered]).await.0, 403);
    assert_eq!(
        curl(&["--request", "PUT", "--data", "other", url]).await.0,
        403
    );
}

#[tokio::test]
async fn a_read_url_leads_to_a_large_content_too() {
    let (_server, layer, id) = server(true, false).await;
    upload(&layer, id, bytes(LARGE, 1)).await;
    let url = presign(&layer, id, Access::Read).await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("content");
    let output = Command::new("curl")
        .args([
            "--silent",
            "--fail",
            "--output",
            file.to_str().unwrap(),
            url.as_str(),
        ])
        .output()
        .await;
    assert!(output.unwrap().status.success());
    assert!(std::fs::read(file).unwrap() == bytes(LARGE, 1));
}

#[tokio::test]
async fn deleted_content_is_not_there_for_those_who_have_a_url() {
    for length in [100, LARGE] {
        let server = S3Server::start().await;
        let repository = server.repository().await.offload_reads(true);
        let id = BinaryId::random();
        let text = ContentType::new("text/plain").unwrap();
        repository.create(id, text).await.unwrap();
        let layer = layer(repository.clone()).clock(std::time::SystemTime::now);
        upload(&layer, id, bytes(length, 1)).await;
        let url = presign(&layer, id, Access::Read).await;
        assert_eq!(
            curl(&["--head", "--request", "GET", url.as_str()]).await.0,
            200
        );
        repository.delete(id).await.unwrap();
        assert_eq!(curl(&[url.as_str()]).await.0, 404);
    }
}

#[tokio::test]
async fn content_that_is_not_there_yet_is_read_from_here() {
    let (_server, layer, id) = server(true, false).await;
    let early = presign(&layer, id, Access::Read).await;
    assert!(early.as_str().starts_with(BASE), "{early:?}");
    upload(&layer, id, bytes(LARGE, 2)).await;
    assert!(get(&layer, early.as_str()).await.body == bytes(LARGE, 2));
}

#[tokio::test]
async fn a_write_url_is_the_stores_own_and_writes_what_was_granted_once() {
    let (server, layer, id) = server(false, true).await;
    let first = presign(&layer, id, Access::Write).await;
    assert!(first.as_str().starts_with(&server.endpoint), "{first:?}");
    let headers: Vec<_> = first
        .headers()
        .iter()
        .map(|(n, v)| (n.as_str(), v.to_str().unwrap()))
        .collect();
    assert_eq!(
        headers,
        [("content-type", "text/plain"), ("if-none-match", "*")]
    );
    let url = first.as_str();

    let put = ["--request", "PUT", "--data-binary", "offloaded"];
    let (text, once) = ("content-type: text/plain", "if-none-match: *");
    for (wrong, headers) in [
        (
            "another type",
            ["-H", "content-type: text/html", "-H", once],
        ),
        ("no condition", ["-H", text, "-H", "x-other: 1"]),
    ] {
        let (status, answer) = curl(&[&put[..], &headers, &[url]].concat()).await;
        assert_eq!(status, 403, "{wrong}: {answer}");
    }
    let arguments = [&put[..], &["-H", text, "-H", once, url]].concat();
    let (status, answer) = curl(&arguments).await;
    assert_eq!(status, 200, "{answer}");
    let (status, answer) = curl(&arguments).await;
    assert_eq!(status, 412, "{answer}");

    let read = get(&layer, presign(&layer, id, Access::Read).await.as_str()).await;
    assert_eq!(
        (read.status, &*read.body),
        (StatusCode::OK, &b"offloaded"[..])
    );
    assert_eq!(read.header("content-type"), Some("text/plain"));
    let next = presign(&layer, id, Access::Write).await;
    let path = |url: &PresignedUrl| url.as_str().split('?').next().unwrap().to_owned();
    assert_ne!(path(&next), path(&first), "the next version's turn");
}

#[tokio::test]
async fn the_operation_tells_the_headers_that_a_write_needs() {
    let (_server, layer, id) = server(false, true).await;
    let operation = format!("/Binary/{id}/$presigned-url?upload=true");
    let answer = get(&layer.describe_urls(true), &operation).await.json();
    let headers: Vec<&Value> = answer["parameter"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|parameter| parameter["name"] == "header")
        .collect();
    assert_eq!(headers.len(), 2, "{answer}");
    assert_eq!(headers[1]["part"][0]["valueString"], "if-none-match");
    assert_eq!(headers[1]["part"][1]["valueString"], "*");
}

#[tokio::test]
async fn an_offloaded_write_after_a_deletion_brings_nothing_back() {
    let server = S3Server::start().await;
    let repository = server.repository().await.offload_writes(true);
    let id = BinaryId::random();
    let text = ContentType::new("text/plain").unwrap();
    repository.create(id, text).await.unwrap();
    let layer = layer(repository.clone()).clock(std::time::SystemTime::now);
    let url = presign(&layer, id, Access::Write).await;
    repository.delete(id).await.unwrap();
    let headers = ["-H", "content-type: text/plain", "-H", "if-none-match: *"];
    let put = ["--request", "PUT", "--data-binary", "late", url.as_str()];
    assert_eq!(curl(&[&headers[..], &put].concat()).await.0, 412);
}

#[tokio::test]
async fn a_store_that_cannot_sign_is_not_offloaded_to() {
    for engine in [Engine::memory().await, Engine::azurite().await] {
        let Some(engine) = engine else { continue };
        let (_, id) = layer_with_png(&engine).await;
        let id = BinaryId::new(id).unwrap();
        let repository = engine.repository.offload_reads(true).offload_writes(true);
        let layer = layer(repository);
        for access in [Access::Read, Access::Write] {
            let url = presign(&layer, id, access).await;
            assert!(url.as_str().starts_with(BASE), "{url:?}");
        }
    }
}

#[tokio::test]
async fn a_store_that_may_write_twice_is_not_offloaded_to() {
    let server = S3Server::start().await;
    let repository = tower_presign::store::ObjectStoreRepository::new(server.bucket())
        .without_write_once()
        .offload_writes(true);
    let id = BinaryId::random();
    let text = ContentType::new("text/plain").unwrap();
    repository.create(id, text).await.unwrap();
    let url = presign(&layer(repository), id, Access::Write).await;
    assert!(url.as_str().starts_with(BASE), "{url:?}");
}
