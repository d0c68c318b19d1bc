//! The examples `hyper` and `tonic`, each as its own process: content goes in and comes out by
//! presigned URLs.

use std::process::Stdio;
use std::time::Duration;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::uri::PathAndQuery;
use http::{Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::Child;
use tokio::time::timeout;
use tonic::transport::Endpoint;
use tonic_prost::ProstCodec;

use crate::support::example;

/// Far more than anything here takes.
const DEADLINE: Duration = Duration::from_secs(60);

#[tokio::test]
async fn hyper_serves_presigned_urls_over_http_1_and_2() {
    let server = Server::start("hyper").await;
    for http2 in [false, true] {
        let client = HttpClient { http2 };
        let content = Bytes::from(vec![0x5a + u8::from(http2); 3_000_000]);
        let url = server.mint(client, "?upload=true").await;
        assert_eq!(client.put(&url, content.clone()).await, StatusCode::OK);
        let url = server.mint(client, "").await;
        assert!(client.get(&url).await == (StatusCode::OK, content));
    }
}

#[tokio::test]
async fn hyper_gives_nobody_a_url_without_a_token_and_has_nothing_else() {
    let server = Server::start("hyper").await;
    let client = HttpClient { http2: false };
    let operation = format!("{}/fhir/R4/Binary/scan/$presigned-url", server.origin);
    let (status, _) = client.get(&operation).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
    let elsewhere = client.get(&format!("{}/", server.origin)).await;
    let nothing = Bytes::from("Nothing here.\n");
    assert_eq!(elsewhere, (StatusCode::NOT_FOUND, nothing));
}

#[tokio::test]
async fn tonic_hands_out_presigned_urls_by_grpc_and_serves_them_on_the_same_port() {
    let server = Server::start("tonic").await;
    for http2 in [false, true] {
        let client = HttpClient { http2 };
        let content = Bytes::from(vec![0x5a + u8::from(http2); 3_000_000]);
        let url = server.rpc("WriteUrl", "scan", "demo").await.unwrap();
        assert_eq!(client.put(&url, content.clone()).await, StatusCode::OK);
        let url = server.rpc("ReadUrl", "scan", "demo").await.unwrap();
        assert!(client.get(&url).await == (StatusCode::OK, content));
    }
}

#[tokio::test]
async fn tonic_gives_nobody_a_url_without_a_token_and_tells_what_is_wrong() {
    use tonic::Code;

    let server = Server::start("tonic").await;
    for (method, id, token, code) in [
        ("ReadUrl", "scan", "other", Code::Unauthenticated),
        ("WriteUrl", "scan", "other", Code::Unauthenticated),
        ("ReadUrl", "elsewhere", "demo", Code::NotFound),
        ("ReadUrl", "no id", "demo", Code::InvalidArgument),
        ("DeleteUrl", "scan", "demo", Code::Unimplemented),
    ] {
        let status = server.rpc(method, id, token).await.unwrap_err();
        assert_eq!(status.code(), code, "{method} {id} {token}: {status}");
    }
}

struct Server {
    /// Ends when this is dropped.
    _process: Child,
    origin: String,
}

impl Server {
    async fn start(name: &str) -> Self {
        let mut command = example::example_named(name);
        let mut process = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut output = BufReader::new(process.stdout.take().unwrap()).lines();
        let line = timeout(DEADLINE, output.next_line()).await.unwrap();
        let line = line.unwrap().expect("it says where it listens");
        let origin = line.strip_prefix("Listening on ").unwrap();
        Self {
            _process: process,
            origin: origin.to_owned(),
        }
    }

    async fn mint(&self, client: HttpClient, query: &str) -> String {
        let url = format!("{}/fhir/R4/Binary/scan/$presigned-url{query}", self.origin);
        let request = Request::get(url).header(AUTHORIZATION, "Bearer demo");
        let (status, body) = client.send(request.body(Full::default()).unwrap()).await;
        assert_eq!(status, StatusCode::OK, "{body:?}");
        let parameters: serde_json::Value = serde_json::from_slice(&body).unwrap();
        let url = &parameters["parameter"][0]["valueUri"];
        url.as_str().unwrap().to_owned()
    }

    /// Calls a method of the gRPC service.
    async fn rpc(&self, method: &str, id: &str, token: &str) -> Result<String, tonic::Status> {
        let endpoint = Endpoint::new(self.origin.clone()).unwrap();
        let mut client = tonic::client::Grpc::new(endpoint.connect().await.unwrap());
        client.ready().await.unwrap();
        let mut request = tonic::Request::new(id.to_owned());
        let token = format!("Bearer {token}").parse().unwrap();
        request.metadata_mut().insert("authorization", token);
        let path = PathAndQuery::try_from(format!("/presign.Binaries/{method}")).unwrap();
        let codec = ProstCodec::<String, String>::default();
        let response = timeout(DEADLINE, client.unary(request, path, codec)).await;
        Ok(response.unwrap()?.into_inner())
    }
}

#[derive(Clone, Copy)]
struct HttpClient {
    http2: bool,
}

impl HttpClient {
    async fn get(self, url: &str) -> (StatusCode, Bytes) {
        self.send(Request::get(url).body(Full::default()).unwrap())
            .await
    }

    async fn put(self, url: &str, content: Bytes) -> StatusCode {
        let put = Request::put(url).header(CONTENT_TYPE, "image/png");
        self.send(put.body(Full::new(content)).unwrap()).await.0
    }

    async fn send(self, request: Request<Full<Bytes>>) -> (StatusCode, Bytes) {
        let mut client = Client::builder(TokioExecutor::new());
        let client = client.http2_only(self.http2).build_http();
        let response = timeout(DEADLINE, client.request(request)).await;
        let (parts, body) = response.unwrap().unwrap().into_parts();
        (parts.status, body.collect().await.unwrap().to_bytes())
    }
}
