//! Each server answers the operation, takes an upload, gives it back, and has its own route.

use std::future::Future;
use std::io;
use std::path::Path;

use axum_server::tls_rustls::RustlsConfig;
use reqwest::header::{CONTENT_LENGTH, CONTENT_TYPE};
use reqwest::{Certificate, Client, StatusCode, Version};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tower_presign::{BinaryId, PresignLayer};

/// A server on a port of its own, and a client.
struct Host {
    origin: String,
    scan: BinaryId,
    client: Client,
    server: JoinHandle<io::Result<()>>,
}

impl Drop for Host {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Host {
    async fn start<F>(scheme: &str, serve: impl FnOnce(TcpListener, PresignLayer) -> F) -> Self
    where
        F: Future<Output = io::Result<()>> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let origin = format!("{scheme}://{}", listener.local_addr().unwrap());
        let (layer, scan) = crate::layer(&origin).unwrap();
        let server = tokio::spawn(serve(listener, layer));
        // For the tests alone, like its key beside it.
        let certificate = Certificate::from_pem(include_bytes!("certificate.pem")).unwrap();
        let client = Client::builder().tls_certs_only([certificate]);
        let client = client.build().unwrap();
        Self {
            origin,
            scan,
            client,
            server,
        }
    }

    async fn get(&self, path: &str) -> (StatusCode, String) {
        self.get_url(&format!("{}{path}", self.origin)).await
    }

    async fn get_url(&self, url: &str) -> (StatusCode, String) {
        let response = self.client.get(url).send().await.unwrap();
        (response.status(), response.text().await.unwrap())
    }

    /// A URL that the operation hands out, at this spelling of its path.
    async fn mint(&self, operation: &str) -> String {
        let path = format!("/fhir/R4/Binary/{}/{operation}", self.scan);
        let (status, parameters) = self.get(&path).await;
        assert_eq!(status, StatusCode::OK, "{parameters}");
        let (_, url) = parameters.split_once(r#""valueUri":""#).unwrap();
        url.split_once('"').unwrap().0.to_owned()
    }

    async fn put(&self, url: &str, content: Vec<u8>) -> (StatusCode, String) {
        let request = self.client.put(url).header(CONTENT_TYPE, "image/png");
        let response = request.body(content).send().await.unwrap();
        (response.status(), response.text().await.unwrap())
    }
}

async fn it_serves_presigned_urls_beside_its_own_routes(host: &Host) {
    let content = "content ".repeat(100_000);
    let write = host.mint("$presigned-url?upload=true").await;
    assert!(write.starts_with(&host.origin), "{write}");
    let (status, outcome) = host.put(&write, content.clone().into_bytes()).await;
    assert_eq!(status, StatusCode::OK, "{outcome}");
    let (status, outcome) = host.put(&write, b"other content".to_vec()).await;
    assert_eq!(status, StatusCode::PRECONDITION_FAILED, "{outcome}");

    for operation in ["$presigned-url", "%24presigned-url"] {
        let read = host.mint(operation).await;
        assert_eq!(host.get_url(&read).await, (StatusCode::OK, content.clone()));
        let head = host.client.head(&read).send().await.unwrap();
        assert_eq!(head.headers()[CONTENT_LENGTH], content.len().to_string());
        let (status, outcome) = host.get_url(&format!("{read}x")).await;
        assert_eq!(status, StatusCode::FORBIDDEN);
        assert!(outcome.contains("invalid-signature"), "{outcome}");
    }

    let patient = host.get("/fhir/R4/Patient/7").await;
    assert_eq!(patient, (StatusCode::OK, "a patient".to_owned()));
    let (status, _) = host.get("/fhir/R4/Observation/7").await;
    assert_eq!(status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn in_poem() {
    let host = Host::start("http", crate::poem::serve).await;
    it_serves_presigned_urls_beside_its_own_routes(&host).await;
}

#[tokio::test]
async fn in_salvo() {
    let host = Host::start("http", crate::salvo::serve).await;
    it_serves_presigned_urls_beside_its_own_routes(&host).await;
}

#[tokio::test]
async fn in_axum_over_tls_with_http_2() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/tests");
    let files = (folder.join("certificate.pem"), folder.join("key.pem"));
    let tls = RustlsConfig::from_pem_file(files.0, files.1).await.unwrap();
    let serve = |listener, layer| crate::axum_server::serve(listener, tls, layer);
    let host = Host::start("https", serve).await;
    it_serves_presigned_urls_beside_its_own_routes(&host).await;
    let response = host.client.get(&host.origin).send().await.unwrap();
    assert_eq!(response.version(), Version::HTTP_2);
}
