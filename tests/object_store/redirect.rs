//! Redirection: our URL is verified here, and its content comes from the store or goes there.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::engines::S3Server;
use super::offload::curl;
use super::proxy::front::Trouble;
use super::*;
use axum::Router;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use sha2::{Digest as _, Sha256};
use tokio::net::TcpListener;
use tower_presign::Target;
use tower_presign::{
    Access, AccessPolicy, Denial, MintRequest, RedeemRequest, SigningKey, Terms, UrlSigner,
};

/// Lets everyone read and write, until it is told otherwise.
#[derive(Clone, Default)]
struct Revocable(Arc<AtomicBool>);

impl AccessPolicy for Revocable {
    async fn mint(&self, _: MintRequest) -> Result<Terms, Denial> {
        Ok(Terms::new())
    }

    async fn redeem(&self, _: RedeemRequest<'_>) -> Result<(), Denial> {
        if self.0.load(Ordering::Relaxed) {
            Err(Denial::forbidden())
        } else {
            Ok(())
        }
    }
}

/// A server that redirects, and one Binary of the type `text/plain` without content.
struct Redirecting {
    store: S3Server,
    layer: PresignLayer,
    id: BinaryId,
    policy: Revocable,
}

impl Redirecting {
    async fn start() -> Self {
        let store = S3Server::start().await;
        let repository = store.repository().await;
        let id = BinaryId::random();
        let text = ContentType::new("text/plain").unwrap();
        repository.create(id, text).await.unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}/storage", listener.local_addr().unwrap());
        let signer = UrlSigner::new(SigningKey::new("test", SECRET).unwrap(), base).unwrap();
        let repository = repository.offload_reads(true).offload_writes(true);
        let policy = Revocable::default();
        let layer = PresignLayer::new(signer, repository, policy.clone()).redirect_to_storage(true);
        let router = Router::new().layer(layer.clone());
        tokio::spawn(axum::serve(listener, router).into_future());
        Self {
            store,
            layer,
            id,
            policy,
        }
    }

    async fn url(&self, access: Access) -> String {
        let url = self
            .layer
            .presigner()
            .presign(Target::new(self.id, access), Terms::new())
            .await;
        url.unwrap().as_str().to_owned()
    }

    /// Uploads without a redirection.
    async fn upload(&self, content: &'static str) {
        let url = self.url(Access::Write).await;
        let text = [("content-type", "text/plain")];
        let stored = call(
            &self.layer,
            request(http::Method::PUT, &url, &text, content),
        )
        .await;
        assert_eq!(stored.status, StatusCode::OK, "{stored:?}");
    }
}

#[tokio::test]
async fn a_download_is_redirected_to_the_store() {
    let server = Redirecting::start().await;
    server.upload("from the store").await;
    let url = server.url(Access::Read).await;
    assert!(
        !url.starts_with(&server.store.endpoint),
        "our own URL: {url}"
    );

    let redirection = get(&server.layer, &url).await;
    assert_eq!(redirection.status, StatusCode::TEMPORARY_REDIRECT);
    assert_eq!(redirection.header("cache-control"), Some("no-store"));
    let location = redirection.header("location").unwrap();
    assert!(location.starts_with(&server.store.endpoint), "{location}");
    // A minute, and ten for clocks that differ.
    assert!(location.contains("X-Amz-Expires=660&"), "{location}");

    let (status, answer) = curl(&["--location", &url]).await;
    assert_eq!(status, 200, "{answer}");
    assert!(answer.ends_with("\r\n\r\nfrom the store"), "{answer}");
    let (status, answer) = curl(&["--location", "--range", "5-7", &url]).await;
    assert_eq!(
        (status, answer.ends_with("\r\n\r\nthe")),
        (206, true),
        "{answer}"
    );
}

#[tokio::test]
async fn a_redirection_works_though_the_clocks_differ() {
    let server = Redirecting::start().await;
    server.upload("whatever the time").await;
    let url = server.url(Access::Read).await;
    for minutes in [-10, 10] {
        server.store.trouble(Trouble::Clock(minutes));
        let (status, answer) = curl(&["--location", &url]).await;
        assert_eq!(status, 200, "{minutes} minutes ahead: {answer}");
    }
    server.store.trouble(Trouble::Clock(12));
    assert_eq!(curl(&["--location", &url]).await.0, 403);
}

#[tokio::test]
async fn the_policy_is_asked_at_each_use() {
    let server = Redirecting::start().await;
    server.upload("revoked").await;
    let url = server.url(Access::Read).await;
    assert_eq!(curl(&["--location", &url]).await.0, 200);
    server.policy.0.store(true, Ordering::Relaxed);
    get(&server.layer, &url)
        .await
        .assert_refused(403, "forbidden");
}

#[tokio::test]
async fn a_request_that_depends_on_the_content_is_answered_here() {
    let server = Redirecting::start().await;
    let url = server.url(Access::Read).await;
    get(&server.layer, &url)
        .await
        .assert_refused(404, "not-found");
    server.upload("here").await;
    let head = head_with(&server.layer, &url, &[]).await;
    assert_eq!(
        (head.status, head.header("content-length")),
        (StatusCode::OK, Some("4"))
    );
    let known = get_with(&server.layer, &url, &[("if-none-match", "\"1\"")]).await;
    assert_eq!(known.status, StatusCode::NOT_MODIFIED);
    let continued = [("range", "bytes=2-"), ("if-range", "\"1\"")];
    let continued = get_with(&server.layer, &url, &continued).await;
    assert_eq!(
        (continued.status, &*continued.body),
        (StatusCode::PARTIAL_CONTENT, &b"re"[..])
    );
}

#[tokio::test]
async fn an_upload_that_the_store_can_check_is_redirected_to_it() {
    let server = Redirecting::start().await;
    let url = server.url(Access::Write).await;
    let put = ["--location", "-X", "PUT", "--data-binary", "to the store"];
    let headers = [
        ["-H", "content-type: text/plain"],
        ["-H", "if-none-match: *"],
        ["-H", "expect: 100-continue"],
    ];
    let headers = headers.concat();
    let (status, answer) = curl(&[&put[..], &headers, &[&url]].concat()).await;
    assert_eq!(status, 200, "{answer}");
    assert!(
        !answer.contains("etag: \"1\""),
        "answered by the store: {answer}"
    );
    let (status, answer) = curl(&[&put[..], &headers, &[&url]].concat()).await;
    assert_eq!(status, 412, "{answer}");
    let (_, answer) = curl(&["--location", &server.url(Access::Read).await]).await;
    assert!(answer.ends_with("\r\n\r\nto the store"), "{answer}");
}

#[tokio::test]
async fn any_other_upload_is_taken_here() {
    let digest = &format!("sha-256=:{}:", BASE64.encode(Sha256::digest("taken here")));
    for (why, name, value) in [
        (
            "the store wants a header that is not sent",
            "if-none-match",
            "",
        ),
        ("the content is on its way", "expect", ""),
        (
            "another spelling",
            "content-type",
            "Text/Plain; charset=utf-8",
        ),
        (
            "a digest that the store would not check",
            "content-digest",
            digest,
        ),
    ] {
        let server = Redirecting::start().await;
        let headers = [
            ("if-none-match", "*"),
            ("content-type", "text/plain"),
            ("content-length", "10"),
            ("expect", "100-continue"),
        ];
        let url = server.url(Access::Write).await;
        let mut upload = request(http::Method::PUT, &url, &headers, "taken here");
        match value {
            "" => drop(upload.headers_mut().remove(name)),
            value => drop(upload.headers_mut().insert(name, value.parse().unwrap())),
        }
        let answer = call(&server.layer, upload).await;
        assert_eq!(answer.status, StatusCode::OK, "{why}: {answer:?}");
    }
}

#[tokio::test]
async fn a_request_that_can_be_refused_is_refused_before_a_redirection() {
    let server = Redirecting::start().await;
    let url = server.url(Access::Write).await;
    let layer = server.layer.clone().max_upload(10);
    let headers = [("if-none-match", "*"), ("content-type", "text/plain")];
    let long = request(http::Method::PUT, &url, &headers, "longer than ten bytes");
    call(&layer, long).await.assert_refused(413, "too-large");
    let html = [("if-none-match", "*"), ("content-type", "text/html")];
    let html = request(http::Method::PUT, &url, &html, "<p>");
    call(&layer, html)
        .await
        .assert_refused(415, "content-type-mismatch");
}
