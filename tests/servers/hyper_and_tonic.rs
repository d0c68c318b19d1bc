//! The examples `hyper` and `tonic`, each as its own process: content goes in and comes out by
//! presigned URLs.

use std::process::Stdio;

use axum::body::Body;
use http::header::AUTHORIZATION;
use http::uri::PathAndQuery;
use http::{Request, StatusCode};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::Child;
use tonic::transport::Endpoint;
use tonic_prost::ProstCodec;

use crate::support::body::content;
use crate::support::client::Client;
use crate::support::{example, soon};

#[tokio::test]
async fn hyper_serves_presigned_urls_over_http_1_and_2() {
    let server = Server::start("hyper").await;
    for (number, client) in [Client::http1(), Client::http2()].iter().enumerate() {
        let content = content(3_000_000, number);
        let url = server.mint(client, "?upload=true").await;
        let stored = client.put(&url, content.clone()).await;
        assert_eq!(stored.status, StatusCode::OK);
        let url = server.mint(client, "").await;
        let read = client.get(&url).await;
        assert_eq!(read.status, StatusCode::OK);
        assert!(read.body == content);
    }
}

#[tokio::test]
async fn hyper_gives_nobody_a_url_without_a_token_and_has_nothing_else() {
    let server = Server::start("hyper").await;
    let client = Client::http1();
    let operation = format!("{}/fhir/R4/Binary/scan/$presigned-url", server.origin);
    let refused = client.get(&operation).await;
    refused.assert_refused(401, "login-required");
    let elsewhere = client.get(&format!("{}/", server.origin)).await;
    assert_eq!(elsewhere.status, StatusCode::NOT_FOUND);
    assert_eq!(elsewhere.text(), "Nothing here.\n");
}

#[tokio::test]
async fn tonic_hands_out_presigned_urls_by_grpc_and_serves_them_on_the_same_port() {
    let server = Server::start("tonic").await;
    for (number, client) in [Client::http1(), Client::http2()].iter().enumerate() {
        let content = content(3_000_000, number);
        let url = server.rpc("WriteUrl", "scan", "demo").await.unwrap();
        let stored = client.put(&url, content.clone()).await;
        assert_eq!(stored.status, StatusCode::OK);
        let url = server.rpc("ReadUrl", "scan", "demo").await.unwrap();
        let read = client.get(&url).await;
        assert_eq!(read.status, StatusCode::OK);
        assert!(read.body == content);
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
        let line = soon(output.next_line()).await.unwrap();
        let line = line.expect("it says where it listens");
        let origin = line.strip_prefix("Listening on ").unwrap();
        Self {
            _process: process,
            origin: origin.to_owned(),
        }
    }

    async fn mint(&self, client: &Client, query: &str) -> String {
        let url = format!("{}/fhir/R4/Binary/scan/$presigned-url{query}", self.origin);
        let request = Request::get(url).header(AUTHORIZATION, "Bearer demo");
        client
            .send(request.body(Body::empty()).unwrap())
            .await
            .url()
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
        let response = soon(client.unary(request, path, codec)).await;
        Ok(response?.into_inner())
    }
}
