//! The layer in the servers it is made for, over real sockets: axum, hyper, and tonic, whose gRPC
//! calls share the port with presigned URLs.

use std::fmt::Display;

use axum::Router;
use axum::routing::get;
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpListener;
use tower::{Layer as _, ServiceBuilder};
use tower_presign::{AllowAll, PresignLayer, UrlSigner};

use crate::support::body::content;
use crate::support::client::Client;
use crate::support::{key, scan};

/// A layer with an empty Binary `scan`, whose URLs point to `address` and `path`.
fn layer(address: impl Display, path: &str) -> PresignLayer {
    let signer = UrlSigner::new(key(), format!("http://{address}{path}")).unwrap();
    PresignLayer::new(signer, scan("image/png"), AllowAll)
}

async fn listen() -> (TcpListener, std::net::SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

/// Mints, uploads, mints and downloads at the server whose operation is below `base`.
async fn upload_and_download(base: &str, client: &Client) {
    let mint = async |query| {
        let url = format!("{base}/Binary/scan/$presigned-url{query}");
        client.get(&url).await.url()
    };
    let content = content(3 * 1024 * 1024, 0);
    let write = mint("?upload=true").await;
    let stored = client.put(&write, content.clone()).await;
    assert_eq!(stored.status, StatusCode::OK);

    let read = client.get(&mint("").await).await;
    assert_eq!(read.status, StatusCode::OK);
    assert!(read.body == content);
}

#[tokio::test]
async fn in_axum_the_layer_serves_and_routes_stay_as_they_are() {
    let (listener, address) = listen().await;
    let app = Router::new()
        .route("/hello", get(async || "hello"))
        .layer(layer(address, "/storage"));
    tokio::spawn(async move { axum::serve(listener, app).await });

    let client = Client::http1();
    let hello = client.get(&format!("http://{address}/hello")).await;
    assert_eq!((hello.status, hello.text()), (StatusCode::OK, "hello"));
    upload_and_download(&format!("http://{address}/fhir/R4"), &client).await;
}

#[tokio::test]
async fn in_axum_the_layer_works_in_a_nested_router_that_has_a_fallback() {
    // A nested router sees paths without its own prefix.
    let (listener, address) = listen().await;
    let nested = Router::new()
        .fallback(async || StatusCode::NOT_FOUND)
        .layer(
            layer(address, "/api/storage")
                .storage_path("/storage")
                .unwrap(),
        );
    let app = Router::new().nest("/api", nested);
    tokio::spawn(async move { axum::serve(listener, app).await });

    upload_and_download(&format!("http://{address}/api/fhir"), &Client::http1()).await;
}

#[tokio::test]
async fn in_axum_the_layer_works_in_a_service_builder() {
    let (listener, address) = listen().await;
    let stack = ServiceBuilder::new()
        .layer(tower_http::cors::CorsLayer::permissive())
        .layer(layer(address, "/storage"));
    let app = Router::new()
        .route("/hello", get(async || "hello"))
        .layer(stack);
    tokio::spawn(async move { axum::serve(listener, app).await });

    upload_and_download(&format!("http://{address}"), &Client::http1()).await;
}

#[tokio::test]
async fn in_hyper_the_layer_serves_http_1_and_2() {
    use hyper::body::Incoming;
    use hyper_util::server::conn::auto;
    use hyper_util::service::TowerToHyperService;

    let (listener, address) = listen().await;
    let inner = tower::service_fn(async |_: Request<Incoming>| {
        Ok::<_, std::convert::Infallible>(Response::new(Full::<bytes::Bytes>::from("hello")))
    });
    let service = layer(address, "/storage").layer(inner);
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let service = TowerToHyperService::new(service.clone());
            tokio::spawn(async move {
                let builder = auto::Builder::new(TokioExecutor::new());
                builder
                    .serve_connection(TokioIo::new(stream), service)
                    .await
            });
        }
    });

    let client = Client::http2();
    let hello = client.get(&format!("http://{address}/")).await;
    assert_eq!((hello.status, hello.text()), (StatusCode::OK, "hello"));
    upload_and_download(&format!("http://{address}"), &client).await;
    let unsigned = format!("http://{address}/storage/scan/1");
    let refused = Client::http1().get(&unsigned).await;
    refused.assert_refused(403, "missing-signature");
}

#[tokio::test]
async fn in_tonic_grpc_calls_pass_unharmed_beside_presigned_urls() {
    use tokio_stream::wrappers::TcpListenerStream;
    use tonic_health::ServingStatus;
    use tonic_health::pb::HealthCheckRequest;
    use tonic_health::pb::health_client::HealthClient;

    let (listener, address) = listen().await;
    let (reporter, health) = tonic_health::server::health_reporter();
    let server = tonic::transport::Server::builder()
        .accept_http1(true)
        .layer(layer(address, "/storage"))
        .add_service(health)
        .serve_with_incoming(TcpListenerStream::new(listener));
    tokio::spawn(server);

    let endpoint = tonic::transport::Endpoint::new(format!("http://{address}")).unwrap();
    let mut client = HealthClient::new(endpoint.connect().await.unwrap());
    let request = |service: &str| HealthCheckRequest {
        service: service.to_owned(),
    };
    // Unary, with its status in the trailers.
    let answer = client.check(request("")).await.unwrap();
    assert!(answer.metadata().get("content-type").is_some());
    assert_eq!(answer.into_inner().status, 1);
    let unknown = client.check(request("unknown")).await.unwrap_err();
    assert_eq!(unknown.code(), tonic::Code::NotFound);
    // Streaming: the second message comes while the call is open.
    let mut updates = client.watch(request("")).await.unwrap().into_inner();
    assert_eq!(updates.message().await.unwrap().unwrap().status, 1);
    let status = ServingStatus::NotServing;
    reporter.set_service_status("", status).await;
    assert_eq!(updates.message().await.unwrap().unwrap().status, 2);

    for client in [Client::http1(), Client::http2()] {
        let refused = client
            .get(&format!("http://{address}/storage/scan/1"))
            .await;
        refused.assert_refused(403, "missing-signature");
    }
    upload_and_download(&format!("http://{address}"), &Client::http1()).await;
}
