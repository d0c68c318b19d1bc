//! Presigned URLs in a server of hyper alone: no framework, HTTP/1 and HTTP/2 on one port. Copy it
//! where hyper is the server.
//!
//! ```text
//! cargo run --example hyper
//!
//! operation='http://127.0.0.1:3000/fhir/R4/Binary/scan/$presigned-url'
//! url() {
//!   curl -sSf -H 'Authorization: Bearer demo' "$operation$1" \
//!     | sed 's/.*"valueUri":"\([^"]*\)".*/\1/'
//! }
//! curl -sSf -T picture.png -H 'Content-Type: image/png' "$(url '?upload=true')"
//! curl -sSf --http2-prior-knowledge -o copy.png "$(url)"
//! ```
//!
//! It has one Binary, `scan`, of the type `image/png`, and keeps it in memory. `PRESIGN_LISTEN` is
//! the address (default `127.0.0.1:3000`). SIGINT finishes what runs.

use std::convert::Infallible;
use std::env;
use std::error::Error;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http::header::AUTHORIZATION;
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::time::timeout;
use tower::ServiceBuilder;
use tower_presign::{
    BinaryId, ContentType, Denial, MemoryRepository, MintRequest, PresignLayer, SigningKey, Terms,
    UrlSigner,
};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let listen = env::var("PRESIGN_LISTEN");
    let listener = TcpListener::bind(listen.as_deref().unwrap_or("127.0.0.1:3000")).await?;
    let address = listener.local_addr()?;
    // A service of tower is one of hyper, wrapped.
    let service = ServiceBuilder::new()
        .layer(presign(address)?)
        .service_fn(everything_else);
    println!("Listening on http://{address}");

    let mut server = auto::Builder::new(TokioExecutor::new());
    server
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(Duration::from_secs(30))
        // Or else the upload of a client that closes right after its last byte may be lost.
        .half_close(true);
    let connections = GracefulShutdown::new();
    loop {
        let stream = tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    // Or else the end of a small answer waits 40 ms.
                    stream.set_nodelay(true)?;
                    stream
                }
                Err(error) => {
                    // Too many open files, for instance: some will be closed soon.
                    eprintln!("{error}");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    continue;
                }
            },
            _ = tokio::signal::ctrl_c() => break,
        };
        let service = TowerToHyperService::new(service.clone());
        let connection = server.serve_connection(TokioIo::new(stream), service);
        let connection = connections.watch(connection.into_owned());
        tokio::spawn(async move {
            // A client that goes away is no fault of the server.
            let _ = connection.await;
        });
    }
    // Requests that still run then are cut.
    drop(timeout(Duration::from_secs(30), connections.shutdown()).await);
    Ok(())
}

fn presign(address: SocketAddr) -> Result<PresignLayer, Box<dyn Error>> {
    // URLs end with this process, as its content does: a server that keeps its content keeps its
    // secret too.
    let mut secret = [0; 32];
    getrandom::fill(&mut secret)?;
    let key = SigningKey::new("example", secret)?;
    let signer = UrlSigner::new(key, format!("http://{address}/storage"))?;

    let repository = MemoryRepository::new();
    repository.create(BinaryId::new("scan")?, ContentType::new("image/png")?)?;
    Ok(PresignLayer::new(signer, repository, authorize).resumable_uploads(true))
}

/// Without a framework there is no authentication in front: the policy looks at the headers itself.
async fn authorize(request: MintRequest) -> Result<Terms, Denial> {
    match request.headers().get(AUTHORIZATION) {
        Some(token) if token == "Bearer demo" => Ok(Terms::new()),
        _ => Err(Denial::login_required()),
    }
}

/// The service behind the layer, which sees neither the operation nor presigned URLs.
async fn everything_else(_: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let mut response = Response::new(Full::from("Nothing here.\n"));
    *response.status_mut() = StatusCode::NOT_FOUND;
    Ok(response)
}
