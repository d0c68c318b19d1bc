//! 104: the URL of an upload, before a byte of it can fail.

use std::future::IntoFuture as _;
use std::io;
use std::net::SocketAddr;

use axum::Router;
use axum::extract::Request;
use axum::extract::connect_info::{ConnectInfo, Connected};
use axum::middleware::{Next, from_fn};
use axum::serve::{IncomingStream, Listener};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tower::Layer as _;
use tower::util::MapRequestLayer;
use tower_presign::store::Resumable as _;
use tower_presign::url::Permission;
use tower_presign::{
    AllowAll, InterimIo, InterimResponses, MemoryRepository, SigningKey, UrlSigner, UrlVerifier,
};

use super::*;

const INTEROP: &str = "upload-draft-interop-version: 8\r\n";

struct Server {
    address: SocketAddr,
    layer: PresignLayer,
    /// The target of a write URL.
    write: String,
    repository: MemoryRepository,
}

async fn at_address(address: SocketAddr) -> Server {
    let repository = scan("image/png");
    let base = format!("http://{address}/storage");
    let signer = UrlSigner::new(SigningKey::new("test", SECRET).unwrap(), &base).unwrap();
    let layer = PresignLayer::new(signer, repository.clone(), AllowAll)
        .clock(|| at(NOW))
        .resumable_uploads(true);
    let write = mint_upload(&layer, "scan").await;
    let target = write.strip_prefix(&format!("http://{address}")).unwrap();
    Server {
        address,
        layer,
        write: target.to_owned(),
        repository,
    }
}

/// Over hyper-util.
async fn hyper_util_server() -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = at_address(address).await;
    let app = Router::new().layer(server.layer.clone());
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let io = InterimIo::new(stream);
            let interim = io.responses();
            let with_interim = MapRequestLayer::new(move |mut request: http::Request<_>| {
                request.extensions_mut().insert(interim.clone());
                request
            });
            let service = TowerToHyperService::new(with_interim.layer(app.clone()));
            tokio::spawn(async move {
                let builder = auto::Builder::new(TokioExecutor::new());
                drop(builder.serve_connection(TokioIo::new(io), service).await);
            });
        }
    });
    server
}

/// A listener for `axum::serve`.
struct WithInterim(TcpListener);

impl Listener for WithInterim {
    type Io = InterimIo<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, SocketAddr) {
        let (stream, address) = Listener::accept(&mut self.0).await;
        (InterimIo::new(stream), address)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }
}

#[derive(Clone)]
struct OfConnection(InterimResponses);

impl Connected<IncomingStream<'_, WithInterim>> for OfConnection {
    fn connect_info(stream: IncomingStream<'_, WithInterim>) -> Self {
        Self(stream.io().responses())
    }
}

async fn into_extensions(
    ConnectInfo(OfConnection(interim)): ConnectInfo<OfConnection>,
    mut request: Request,
    next: Next,
) -> axum::response::Response {
    request.extensions_mut().insert(interim);
    next.run(request).await
}

async fn axum_server() -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = at_address(address).await;
    let app = Router::new()
        .layer(server.layer.clone())
        .layer(from_fn(into_extensions));
    let service = app.into_make_service_with_connect_info::<OfConnection>();
    tokio::spawn(axum::serve(WithInterim(listener), service).into_future());
    server
}

fn head(target: &str, headers: &str, length: usize) -> String {
    format!(
        "PUT {target} HTTP/1.1\r\nhost: localhost\r\ncontent-type: image/png\r\n\
         content-length: {length}\r\n{headers}\r\n"
    )
}

/// All that comes up to the end of a head.
async fn read_head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(soon(stream.read_u8()).await.unwrap());
    }
    String::from_utf8(head).unwrap()
}

fn value(head: &str, name: &str) -> Option<String> {
    let lines = head.lines().filter_map(|line| line.split_once(": "));
    let mut values = lines.filter(|(is, _)| is.eq_ignore_ascii_case(name));
    values.next().map(|(_, value)| value.to_owned())
}

/// Waits until something of an upload is kept.
async fn kept(repository: &MemoryRepository, url: &str) {
    let target = url.split_once("/storage").unwrap().1;
    let base = url.split_once("/storage").unwrap().0.to_owned() + "/storage";
    let verifier = UrlVerifier::new(SigningKey::new("test", SECRET).unwrap(), base).unwrap();
    let Permission::Resume(terms) = verifier.verify(target, at(NOW)).unwrap().permission else {
        panic!("{url}");
    };
    while repository.progress(&terms.upload).await.unwrap().offset == 0 {
        tokio::task::yield_now().await;
    }
}

async fn is_gone_on_with(server: Server) {
    let Server {
        address,
        layer,
        write,
        repository,
    } = server;
    let mut stream = TcpStream::connect(address).await.unwrap();
    let headers = format!("upload-complete: ?1\r\n{INTEROP}");
    let head = head(&write, &headers, CONTENT.len());
    stream.write_all(head.as_bytes()).await.unwrap();
    let interim = read_head(&mut stream).await;
    assert!(interim.starts_with("HTTP/1.1 104 "), "{interim}");
    assert_eq!(
        value(&interim, "upload-draft-interop-version").as_deref(),
        Some("8")
    );
    assert_eq!(
        value(&interim, "upload-limit").as_deref(),
        Some("max-size=5368709120, max-age=86400")
    );
    let url = value(&interim, "location").unwrap();

    stream.write_all(&CONTENT.as_bytes()[..9]).await.unwrap();
    drop(stream);
    // Whoever asked for the URL's offset before the bytes have come would end the upload.
    soon(kept(&repository, &url)).await;
    assert_eq!(offset(&layer, &url).await, "9");
    let last = append_draft(&layer, &url, 9, LAST, &CONTENT[9..]).await;
    assert_eq!(last.status, 200);
    assert_eq!(stored(&layer).await.as_deref(), Some(CONTENT));
}

#[tokio::test]
async fn over_hyper_util_an_upload_in_one_request_can_be_gone_on_with() {
    is_gone_on_with(hyper_util_server().await).await;
}

#[tokio::test]
async fn over_axum_serve_an_upload_in_one_request_can_be_gone_on_with() {
    is_gone_on_with(axum_server().await).await;
}

#[tokio::test]
async fn the_final_answer_follows_the_interim_one_on_a_connection_that_stays() {
    let server = hyper_util_server().await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    // A refusal first, on the same connection.
    let refused = head("/storage/x", "", 1) + "x";
    stream.write_all(refused.as_bytes()).await.unwrap();
    let answer = read_head(&mut stream).await;
    assert!(answer.starts_with("HTTP/1.1 403 "), "{answer}");
    let mut body = vec![0; value(&answer, "content-length").unwrap().parse().unwrap()];
    stream.read_exact(&mut body).await.unwrap();

    let headers = format!("upload-complete: ?1\r\n{INTEROP}");
    let whole = head(&server.write, &headers, CONTENT.len()) + CONTENT;
    stream.write_all(whole.as_bytes()).await.unwrap();
    let interim = read_head(&mut stream).await;
    assert!(interim.starts_with("HTTP/1.1 104 "), "{interim}");
    let answer = read_head(&mut stream).await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert_eq!(value(&answer, "upload-complete").as_deref(), Some("?1"));
    assert_eq!(stored(&server.layer).await.as_deref(), Some(CONTENT));
}

#[tokio::test]
async fn a_client_of_another_iteration_gets_none() {
    for headers in ["", "upload-draft-interop-version: 7\r\n"] {
        let server = hyper_util_server().await;
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        let headers = format!("upload-complete: ?1\r\n{headers}");
        let whole = head(&server.write, &headers, CONTENT.len()) + CONTENT;
        stream.write_all(whole.as_bytes()).await.unwrap();
        let answer = read_head(&mut stream).await;
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
        assert_eq!(stored(&server.layer).await.as_deref(), Some(CONTENT));
    }
}
