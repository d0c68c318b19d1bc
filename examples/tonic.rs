//! A gRPC service and presigned URLs on one port: the service hands out the URLs, and clients move
//! the content over plain HTTP, which suits large files better than messages do. Copy it where
//! clients speak gRPC.
//!
//! ```text
//! cargo run --example tonic
//! ```
//!
//! The service, as a `.proto` file would have it. It is written by hand here, so that the example
//! builds without `protoc`; the code that tonic generates does the same.
//!
//! ```text
//! syntax = "proto3";
//! package presign;
//! import "google/protobuf/wrappers.proto";
//!
//! service Binaries {
//!   // Both take the id of a Binary, and answer with a URL.
//!   rpc ReadUrl(google.protobuf.StringValue) returns (google.protobuf.StringValue);
//!   rpc WriteUrl(google.protobuf.StringValue) returns (google.protobuf.StringValue);
//! }
//! ```
//!
//! Callers need the metadata `authorization: Bearer demo`. There is one Binary, `scan`, of the type
//! `image/png`, in memory. `PRESIGN_LISTEN` is the address (default `127.0.0.1:3000`).

use std::convert::Infallible;
use std::env;
use std::error::Error;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use http::header::AUTHORIZATION;
use http::request::Parts;
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::server::NamedService;
use tonic::transport::Server;
use tonic::{Request, Response, Status};
use tonic_prost::ProstCodec;
use tower::{Service, service_fn};
use tower_presign::{
    Access, BinaryId, ContentType, Denial, MemoryRepository, MintRequest, PresignLayer, Presigner,
    RefusalCode, SigningKey, Target, Terms, UrlSigner,
};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let listen = env::var("PRESIGN_LISTEN");
    let listener = TcpListener::bind(listen.as_deref().unwrap_or("127.0.0.1:3000")).await?;
    let address = listener.local_addr()?;
    let layer = presign(address)?;
    println!("Listening on http://{address}");

    Server::builder()
        // Browsers and curl use presigned URLs over HTTP/1.
        .accept_http1(true)
        // The RPC takes the place of the FHIR operation.
        .layer(layer.clone().storage_only())
        .add_service(Binaries {
            presigner: layer.presigner(),
        })
        .serve_with_incoming(TcpListenerStream::new(listener))
        .await?;
    Ok(())
}

fn presign(address: SocketAddr) -> Result<PresignLayer, Box<dyn Error>> {
    let mut secret = [0; 32];
    getrandom::fill(&mut secret)?;
    let key = SigningKey::new("example", secret)?;
    let signer = UrlSigner::new(key, format!("http://{address}/storage"))?;

    let repository = MemoryRepository::new();
    repository.create(BinaryId::new("scan")?, ContentType::new("image/png")?)?;
    Ok(PresignLayer::new(signer, repository, authorize).resumable_uploads(true))
}

/// The policy: it sees the RPC's headers, as it would see those of a call of the operation.
async fn authorize(request: MintRequest) -> Result<Terms, Denial> {
    match request.headers().get(AUTHORIZATION) {
        Some(token) if token == "Bearer demo" => Ok(Terms::new()),
        _ => Err(Denial::login_required()),
    }
}

/// Mints the URL of either RPC.
async fn url(
    presigner: Presigner,
    access: Access,
    caller: Parts,
    request: Request<String>,
) -> Result<Response<String>, Status> {
    let id = BinaryId::new(request.get_ref())
        .map_err(|error| Status::invalid_argument(error.to_string()))?;
    let url = presigner
        .presign_for(&caller, Target::new(id, access))
        .await;
    let url = url.map_err(|error| match error.code() {
        RefusalCode::LoginRequired => Status::unauthenticated("a token is needed"),
        RefusalCode::Forbidden => Status::permission_denied("the token is for other things"),
        RefusalCode::NotFound | RefusalCode::Deleted => Status::not_found("no such Binary"),
        RefusalCode::Unavailable => Status::unavailable("try again later"),
        _ => Status::internal("the storage failed"),
    })?;
    Ok(Response::new(url.as_str().to_owned()))
}

/// The service, as tonic would generate it.
#[derive(Clone)]
struct Binaries {
    presigner: Presigner,
}

impl NamedService for Binaries {
    const NAME: &'static str = "presign.Binaries";
}

impl Service<http::Request<tonic::body::Body>> for Binaries {
    type Response = http::Response<tonic::body::Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<tonic::body::Body>) -> Self::Future {
        let access = match request.uri().path() {
            "/presign.Binaries/ReadUrl" => Access::Read,
            "/presign.Binaries/WriteUrl" => Access::Write,
            _ => return Box::pin(async { Ok(Status::unimplemented("").into_http()) }),
        };
        let (caller, body) = request.into_parts();
        let request = http::Request::from_parts(caller.clone(), body);
        let presigner = self.presigner.clone();
        let method =
            service_fn(move |request| url(presigner.clone(), access, caller.clone(), request));
        Box::pin(async move {
            // `String` is `StringValue` to prost.
            let mut grpc = tonic::server::Grpc::new(ProstCodec::<String, String>::default());
            Ok(grpc.unary(method, request).await)
        })
    }
}
