//! The layer in the servers it is made for, over real sockets: axum, hyper, and tonic, whose gRPC
//! calls share the port with presigned URLs.

use axum::Router;
use axum::routing::get;
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpListener;
use tower::{Layer as _, ServiceBuilder};
use tower_presign::{
    AllowAll, BinaryId, ContentType, MemoryRepository, PresignLayer, SigningKey, UrlSigner,
};

const SECRET: &[u8] = b"thirty-two bytes of test secret!";

/// A layer with an empty Binary `scan`, whose URLs point to `address` and `path`.
fn layer(address: impl std::fmt::Display, path: &str) -> PresignLayer {
    let repository = MemoryRepository::new();
    let content_type = ContentType::new("image/png").unwrap();
    repository
        .create(BinaryId::new("scan").unwrap(), content_type)
        .unwrap();
    let key = SigningKey::new("test", SECRET).unwrap();
    let signer = UrlSigner::new(key, format!("http://{address}{path}")).unwrap();
    PresignLayer::new(signer, repository, AllowAll)
}

async fn listen() -> (TcpListener, std::net::SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

async fn send(request: Request<Full<Bytes>>, http2: bool) -> (StatusCode, Bytes) {
    let mut client = Client::builder(TokioExecutor::new());
    let client = client.http2_only(http2).build_http();
    let response = client.request(request).await.unwrap();
    let status = response.status();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, body)
}

async fn fetch(url: impl AsRef<str>, http2: bool) -> (StatusCode, Bytes) {
    let request = Request::get(url.as_ref());
    send(request.body(Full::default()).unwrap(), http2).await
}

/// Mints, uploads, mints and downloads at the server whose operation is below `base`.
async fn upload_and_download(base: &str, http2: bool) {
    let mint = async |query| {
        let url = format!("{base}/Binary/scan/$presigned-url{query}");
        let (status, body) = fetch(url, http2).await;
        assert_eq!(status, StatusCode::OK, "{body:?}");
        let parameters: serde_json::Value = serde_json::from_slice(&body).unwrap();
        let url = &parameters["parameter"][0]["valueUri"];
        url.as_str().unwrap().to_owned()
    };
    let content = Bytes::from(vec![0x5a; 3 * 1024 * 1024]);
    let put = Request::put(mint("?upload=true").await)
        .header(CONTENT_TYPE, "image/png")
        .body(Full::new(content.clone()))
        .unwrap();
    let (status, body) = send(put, http2).await;
    assert_eq!(status, StatusCode::OK, "{body:?}");

    let (status, body) = fetch(mint("").await, http2).await;
    assert_eq!(status, StatusCode::OK);
    assert!(body == content);
}

#[tokio::test]
async fn in_axum_the_layer_serves_and_routes_stay_as_they_are() {
    let (listener, address) = listen().await;
    let app = Router::new()
        .route("/hello", get(async || "hello"))
        .layer(layer(address, "/storage"));
    tokio::spawn(async move { axum::serve(listener, app).await });

    let hello = fetch(format!("http://{address}/hello"), false).await;
    assert_eq!(hello, (StatusCode::OK, Bytes::from("hello")));
    upload_and_download(&format!("http://{address}/fhir/R4"), false).await;
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

    upload_and_download(&format!("http://{address}/api/fhir"), false).await;
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

    upload_and_download(&format!("http://{address}"), false).await;
}

#[tokio::test]
async fn in_hyper_the_layer_serves_http_1_and_2() {
    use hyper::body::Incoming;
    use hyper_util::server::conn::auto;
    use hyper_util::service::TowerToHyperService;

    let (listener, address) = listen().await;
    let inner = tower::service_fn(async |_: Request<Incoming>| {
        Ok::<_, std::convert::Infallible>(Response::new(Full::from("hello")))
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

    let hello = fetch(format!("http://{address}/"), true).await;
    assert_eq!(hello, (StatusCode::OK, Bytes::from("hello")));
    upload_and_download(&format!("http://{address}"), true).await;
    let again = fetch(format!("http://{address}/storage/scan/1"), false).await;
    assert_eq!(again.0, StatusCode::FORBIDDEN);
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

    for http2 in [false, true] {
        let (status, _) = fetch(format!("http://{address}/storage/scan/1"), http2).await;
        assert_eq!(status, StatusCode::FORBIDDEN);
    }
    upload_and_download(&format!("http://{address}"), false).await;
}
