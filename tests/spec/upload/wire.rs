//! Uploads over real sockets: what clients see of a refusal, and what becomes of a broken upload.

use std::io::{Read as _, Write as _};
use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use http::{Request, StatusCode};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tower_http::timeout::{RequestBodyTimeoutLayer, TimeoutError};
use tower_presign::store::{
    ByteRange, Content, Located, Metadata, RepositoryError, Target, Upload,
};
use tower_presign::{BinaryKey, BinaryRepository, MemoryRepository, PresignLayer};

use crate::support;
use crate::support::*;

/// A repository that tells when a write begins and when it has ended, or was dropped.
struct Told {
    repository: MemoryRepository,
    events: mpsc::UnboundedSender<Event>,
}

#[derive(Debug, PartialEq)]
enum Event {
    Begun { awaits_go_ahead: bool },
    Ended,
}

/// An upload whose client does not wait for anything.
const BEGUN: Option<Event> = Some(Event::Begun {
    awaits_go_ahead: false,
});

struct Ending(mpsc::UnboundedSender<Event>);

impl Drop for Ending {
    fn drop(&mut self) {
        drop(self.0.send(Event::Ended));
    }
}

impl BinaryRepository for Told {
    async fn locate(&self, target: &Target) -> Result<Located, RepositoryError> {
        self.repository.locate(target).await
    }

    async fn head(&self, key: &BinaryKey) -> Result<Metadata, RepositoryError> {
        self.repository.head(key).await
    }

    async fn read(
        &self,
        key: &BinaryKey,
        range: Option<ByteRange>,
    ) -> Result<Content, RepositoryError> {
        self.repository.read(key, range).await
    }

    async fn write(&self, key: &BinaryKey, upload: Upload) -> Result<Metadata, RepositoryError> {
        let _ending = Ending(self.events.clone());
        let awaits_go_ahead = upload.expects_continue();
        self.events.send(Event::Begun { awaits_go_ahead }).unwrap();
        self.repository.write(key, upload).await
    }
}

/// A server with an empty `scan`, whose state can also be looked at from the inside.
struct Server {
    address: SocketAddr,
    layer: PresignLayer,
    events: mpsc::UnboundedReceiver<Event>,
    /// The targets of requests that write and read.
    write: String,
    read: String,
}

impl Server {
    async fn start() -> Self {
        Self::start_with(|router| router).await
    }

    async fn start_with(add_layers: impl FnOnce(Router) -> Router) -> Self {
        let (sender, events) = mpsc::unbounded_channel();
        let repository = Told {
            repository: scan("image/png"),
            events: sender,
        };
        let layer = layer(repository).timeout_error::<TimeoutError>();
        let router = Router::new()
            .route("/hello", get(async || "hello"))
            .layer(layer.clone());
        let router = add_layers(router);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, router).await });
        let target = |url: String| url.replace("https://storage.example.com", "");
        Self {
            address,
            events,
            write: target(mint_upload(&layer, "scan").await),
            read: target(mint(&layer, "scan").await),
            layer,
        }
    }

    fn forged(&self) -> String {
        self.write.replace("/scan/", "/other/")
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    async fn event(&mut self) -> Option<Event> {
        soon(self.events.recv()).await
    }

    /// Sends these bytes, and reads until the server closes the connection.
    async fn exchange(&self, bytes: &str) -> String {
        let mut stream = self.connect().await;
        stream.write_all(bytes.as_bytes()).await.unwrap();
        rest(stream).await
    }

    /// True if the upload that was sent has ended and left nothing, and can be made good.
    async fn assert_nothing_stored(mut self) {
        assert_eq!(self.event().await, Some(Event::Ended));
        let answer = support::get(&self.layer, &self.read).await;
        answer.assert_refused(404, "not-found");
        let answer = put(&self.layer, &self.write, "content").await;
        assert_eq!(answer.status, StatusCode::OK);
    }
}

async fn rest(mut stream: TcpStream) -> String {
    let mut response = String::new();
    soon(stream.read_to_string(&mut response)).await.unwrap();
    response
}

/// The head of an upload as `image/png`, with further lines.
fn head(target: &str, lines: &[&str]) -> String {
    let lines: String = lines.iter().flat_map(|line| [line, "\r\n"]).collect();
    format!("PUT {target} HTTP/1.1\r\nHost: x\r\nContent-Type: image/png\r\n{lines}\r\n")
}

// Expect: 100-continue

#[tokio::test]
async fn a_refused_client_that_asks_first_gets_the_refusal_and_no_go_ahead() {
    let server = Server::start().await;
    let expect = ["Expect: 100-continue", "Content-Length: 7"];
    let forged = server.exchange(&head(&server.forged(), &expect)).await;
    assert!(forged.starts_with("HTTP/1.1 403 Forbidden\r\n"), "{forged}");
    assert!(forged.contains("invalid-signature"), "{forged}");

    let jpeg = head(&server.write, &expect).replace("png", "jpeg");
    let refused = server.exchange(&jpeg).await;
    assert!(refused.starts_with("HTTP/1.1 415 "), "{refused}");

    let chunked = ["Expect: 100-continue", "Transfer-Encoding: chunked"];
    let refused = server.exchange(&head(&server.forged(), &chunked)).await;
    assert!(refused.starts_with("HTTP/1.1 403 "), "{refused}");

    put(&server.layer, &server.write, "other content").await;
    let repeated = server.exchange(&head(&server.write, &expect)).await;
    assert!(repeated.starts_with("HTTP/1.1 412 "), "{repeated}");
    assert!(repeated.contains("already-written"), "{repeated}");
}

#[tokio::test]
async fn an_accepted_client_that_asks_first_is_told_to_go_on() {
    const GO_AHEAD: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";
    let mut server = Server::start().await;
    let lines = [
        "Expect: 100-continue",
        "Content-Length: 7",
        "Connection: close",
    ];
    let mut stream = server.connect().await;
    let head = head(&server.write, &lines);
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut interim = [0; GO_AHEAD.len()];
    soon(stream.read_exact(&mut interim)).await.unwrap();
    assert_eq!(interim, GO_AHEAD);
    let asked = Event::Begun {
        awaits_go_ahead: true,
    };
    assert_eq!(server.event().await, Some(asked));
    stream.write_all(b"content").await.unwrap();
    let response = rest(stream).await;
    assert!(response.starts_with("HTTP/1.1 200 OK\r\n"), "{response}");
    let stored = support::get(&server.layer, &server.read).await;
    assert_eq!(stored.body, "content");
}

// Clients that send first and listen later

const MEGABYTE: usize = 1_000_000;

/// Sends so many megabytes, and only then looks for an answer, as simple blocking clients do.
fn send_first(address: SocketAddr, head: &str, megabytes: usize, chunked: bool) -> String {
    let megabyte = vec![0x5a; MEGABYTE];
    let mut stream = std::net::TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(head.as_bytes()).unwrap();
    for _ in 0..megabytes {
        if chunked {
            write!(stream, "{MEGABYTE:x}\r\n").unwrap();
        }
        stream.write_all(&megabyte).unwrap();
        if chunked {
            stream.write_all(b"\r\n").unwrap();
        }
    }
    if chunked {
        stream.write_all(b"0\r\n\r\n").unwrap();
    }
    let mut response = String::new();
    stream.read_to_string(&mut response).unwrap();
    response
}

#[tokio::test]
async fn a_refusal_reaches_a_client_that_sends_everything_before_it_listens() {
    let server = Server::start().await;
    // As much as is taken of somebody whom nobody knows, and of the holder of a genuine URL.
    for (target, content_type, megabytes, status) in [
        (server.forged(), "image/png", 1, "403 Forbidden"),
        (server.write.clone(), "image/jpeg", 100, "415 Unsupported"),
    ] {
        let length = megabytes * MEGABYTE;
        for (framing, chunked) in [
            (format!("Content-Length: {length}"), false),
            ("Transfer-Encoding: chunked".to_owned(), true),
        ] {
            let lines = [&*framing, "Connection: close"];
            let head = head(&target, &lines).replace("image/png", content_type);
            let address = server.address;
            let sending = move || send_first(address, &head, megabytes, chunked);
            let response = tokio::task::spawn_blocking(sending).await.unwrap();
            let expected = format!("HTTP/1.1 {status}");
            assert!(response.starts_with(&expected), "{framing}: {response}");
            assert!(response.contains("OperationOutcome"), "{response}");
        }
    }
}

#[tokio::test]
async fn a_refusal_is_there_before_the_body_is() {
    let server = Server::start().await;
    let jpeg = head(&server.write, &["Content-Length: 300000000"]).replace("png", "jpeg");
    let forged = head(&server.forged(), &["Transfer-Encoding: chunked"]);
    for (head, status) in [(jpeg, "HTTP/1.1 415"), (forged, "HTTP/1.1 403")] {
        let mut stream = server.connect().await;
        stream.write_all(head.as_bytes()).await.unwrap();
        // Its end as well: nothing more is sent until it is there.
        let mut answer = Vec::new();
        while !answer.ends_with(b"}]}") {
            answer.push(soon(stream.read_u8()).await.unwrap());
        }
        let answer = String::from_utf8(answer).unwrap();
        assert!(answer.starts_with(status), "{answer}");
        assert!(answer.contains("\r\nconnection: close\r\n"), "{answer}");
    }
}

#[tokio::test]
async fn over_http_2_a_refusal_reaches_a_client_that_is_still_sending() {
    const CHUNK: usize = 64 * 1024;
    let server = Server::start().await;
    let stream = TokioIo::new(server.connect().await);
    let (mut client, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), stream)
            .await
            .unwrap();
    tokio::spawn(connection);
    for (target, chunks, status) in [(server.forged(), 16, 403), (server.write.clone(), 640, 415)] {
        let (sender, receiver) = mpsc::channel(1);
        let body = axum::body::Body::from_stream(ReceiverStream::new(receiver));
        let request = Request::put(format!("http://{}{target}", server.address))
            .header("content-type", "image/gif");
        let response = client.send_request(request.body(body).unwrap());
        let answer = Answer::of(soon(response).await.unwrap()).await.unwrap();
        assert_eq!(answer.status, status);
        answer.refusal();
        // The stream is not reset: clients take that for a failure, whatever they have been told.
        for _ in 0..chunks {
            let chunk = Ok::<_, std::io::Error>(bytes::Bytes::from(vec![0; CHUNK]));
            soon(sender.send(chunk)).await.unwrap();
        }
    }
}

#[tokio::test]
async fn after_a_refusal_the_connection_can_be_used_again() {
    let server = Server::start().await;
    let refused = head(&server.forged(), &["Content-Length: 7"]);
    let read = &server.read;
    let next = format!("GET {read} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    let responses = server.exchange(&format!("{refused}content{next}")).await;
    assert!(responses.starts_with("HTTP/1.1 403 "), "{responses}");
    assert!(responses.contains("}HTTP/1.1 404 Not Found"), "{responses}");
}

// Framing

#[tokio::test]
async fn an_upload_in_chunks_that_are_none_leaves_nothing() {
    let mut server = Server::start().await;
    let mut stream = server.connect().await;
    let head = head(&server.write, &["Transfer-Encoding: chunked"]);
    let bytes = head + "3\r\ncon\r\nnonsense";
    stream.write_all(bytes.as_bytes()).await.unwrap();
    assert_eq!(server.event().await, BEGUN);
    drop(stream);
    server.assert_nothing_stored().await;
}

#[tokio::test]
async fn an_upload_that_is_whole_over_http_2_is_stored() {
    let server = Server::start().await;
    let stream = TokioIo::new(server.connect().await);
    let (mut client, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), stream)
            .await
            .unwrap();
    tokio::spawn(connection);
    let url = format!("http://{}{}", server.address, server.write);
    let request = Request::put(url).header("content-type", "image/png");
    let body = support::body::chunks(&["con", "tent"]);
    let response = client.send_request(request.body(body).unwrap()).await;
    assert_eq!(response.unwrap().status(), StatusCode::OK);
    let stored = support::get(&server.layer, &server.read).await;
    assert_eq!(stored.body, "content");
}

#[tokio::test]
async fn a_put_with_neither_length_nor_chunks_is_an_empty_upload() {
    let server = Server::start().await;
    let response = server
        .exchange(&head(&server.write, &["Connection: close"]))
        .await;
    assert!(
        response.starts_with("HTTP/1.1 400 Bad Request\r\n"),
        "{response}"
    );
    assert!(response.contains("empty-body"), "{response}");
    let answer = support::get(&server.layer, &server.read).await;
    answer.assert_refused(404, "not-found");
}

// Time

fn impatient(router: Router) -> Router {
    router.layer(RequestBodyTimeoutLayer::new(Duration::from_millis(50)))
}

#[tokio::test]
async fn a_stalled_upload_is_timed_out_by_the_layer_in_front() {
    for (framing, start) in [
        ("Content-Length: 7", "conte"),
        ("Content-Length: 7", ""),
        ("Transfer-Encoding: chunked", "3\r\ncon\r\n"),
    ] {
        let mut server = Server::start_with(impatient).await;
        let request = head(&server.write, &[framing, "Connection: close"]) + start;
        let response = server.exchange(&request).await;
        let status = "HTTP/1.1 408 Request Timeout\r\n";
        assert!(response.starts_with(status), "{framing}: {response}");
        assert!(response.contains("upload-timeout"), "{response}");
        assert_eq!(server.event().await, BEGUN);
        server.assert_nothing_stored().await;
    }
}

#[tokio::test]
async fn a_refusal_does_not_wait_for_a_body_that_never_comes() {
    let server = Server::start_with(impatient).await;
    let lines = ["Content-Length: 7", "Connection: close"];
    let response = server.exchange(&head(&server.forged(), &lines)).await;
    assert!(response.starts_with("HTTP/1.1 403 "), "{response}");
}

// Connections that are kept

#[tokio::test]
async fn no_header_of_an_upload_comes_back_with_the_download() {
    let server = Server::start().await;
    let lines = [
        "Content-Length: 7",
        "Cache-Control: public, max-age=31536000",
        "Content-Disposition: inline; filename=evil.html",
        "Content-Language: de",
        "Content-Security-Policy: default-src *",
        "Content-Location: /evil",
        "Set-Cookie: session=1",
        "Last-Modified: Fri, 15 Jan 1999 07:00:00 GMT",
        "ETag: \"evil\"",
        "X-Amz-Meta-Patient: 7",
        "X-Content-Type-Options: sniff",
        "Connection: close",
    ];
    let upload = head(&server.write, &lines).replace("image/png", "image/png; a=b");
    let response = server.exchange(&format!("{upload}content")).await;
    assert!(response.starts_with("HTTP/1.1 200 OK\r\n"), "{response}");

    let plain = layer(scan("image/png"));
    put(&plain, &mint_upload(&plain, "scan").await, "content").await;
    let mut expected = support::get(&plain, &mint(&plain, "scan").await).await;
    let mut stored = support::get(&server.layer, &server.read).await;
    assert_ne!(
        stored.header("last-modified"),
        Some("Fri, 15 Jan 1999 07:00:00 GMT")
    );
    for answer in [&mut expected, &mut stored] {
        answer.headers.remove("last-modified");
    }
    assert_eq!(stored, expected);
}
