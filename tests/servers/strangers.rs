//! Strangers, and clients that stall, against the example server: nobody else is taken down.

use std::time::{Duration, Instant};

use axum::body::Body;
use bytes::Bytes;
use futures_util::future::join_all;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{Request, Response, StatusCode};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustix::process::{Pid, Resource, Rlimit, prlimit};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::sleep;

use crate::support::body::content;
use crate::support::client::Client;
use crate::support::server::{Server, URL_ORIGIN};
use crate::support::soon;
use crate::support::usage::{Usage, raise_descriptor_limit};

const MB: u64 = 1_000_000;

/// Far more than a kernel keeps for a client that does not read.
const LARGE: usize = 20_000_000;

/// The example server, and a client that may do everything.
struct Victim {
    server: Server,
    address: String,
    client: Client,
}

impl Victim {
    async fn start(settings: &[(&str, &str)]) -> Self {
        let server = Server::start_with(tempfile::tempdir().unwrap(), settings).await;
        Self {
            address: server.origin.strip_prefix("http://").unwrap().to_owned(),
            client: Client::http1(),
            server,
        }
    }

    fn url(&self, target: &str) -> String {
        format!("{}{target}", self.server.origin)
    }

    async fn create(&self, content_type: &str, body: impl Into<Body>) -> String {
        let post = Request::post(self.url("/fhir/R4/Binary"))
            .header(AUTHORIZATION, "Bearer demo")
            .header(CONTENT_TYPE, content_type);
        let answer = self.client.send(post.body(body.into()).unwrap()).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{answer:?}");
        answer.json()["id"].as_str().unwrap().to_owned()
    }

    /// The target of a URL that reads content of this length.
    async fn large(&self) -> String {
        let content: Bytes = content(1_000_000, 0).repeat(LARGE / 1_000_000).into();
        let id = self.create("image/png", content).await;
        self.mint(&id, "").await
    }

    /// The target of a URL that writes.
    async fn vacant(&self) -> String {
        let resource = r#"{"resourceType":"Binary","contentType":"image/png"}"#;
        let id = self.create("application/fhir+json", resource).await;
        self.mint(&id, "?upload=true").await
    }

    async fn mint(&self, id: &str, query: &str) -> String {
        let url = self.url(&format!("/fhir/R4/Binary/{id}/$presigned-url{query}"));
        let request = Request::get(url).header(AUTHORIZATION, "Bearer demo");
        let answer = self.client.send(request.body(Body::empty()).unwrap()).await;
        answer.url().strip_prefix(URL_ORIGIN).unwrap().to_owned()
    }

    fn usage(&self) -> Usage {
        Usage::of(self.server.pid())
    }

    /// A connection whose kernel keeps little of what is not read.
    async fn connect(&self) -> TcpStream {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(4096).unwrap();
        soon(socket.connect(self.address.parse().unwrap()))
            .await
            .unwrap()
    }
}

// Memory

#[tokio::test]
async fn a_thousand_downloads_that_stall_over_http_2_hold_little_memory() {
    const CONNECTIONS: usize = 10;
    const STREAMS: usize = 100;
    let victim = Victim::start(&[]).await;
    let target = victim.large().await;
    let idle = victim.usage().settled().await;

    let connect = async || {
        let stream = TcpStream::connect(&victim.address).await.unwrap();
        let mut client = http2::Builder::new(TokioExecutor::new());
        // One byte of each is let through.
        client.initial_stream_window_size(1);
        let (sender, connection) = client.handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        sender
    };
    let stall = async |mut sender: http2::SendRequest<Body>| {
        sender.ready().await.unwrap();
        let request = Request::get(victim.url(&target)).body(Body::empty());
        let mut response: Response<Incoming> = sender.send_request(request.unwrap()).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        let first = response.body_mut().frame().await.unwrap().unwrap();
        assert_eq!(first.data_ref().map(Bytes::len), Some(1));
        response
    };
    let senders = join_all((0..CONNECTIONS).map(|_| connect())).await;
    let stalled = senders
        .iter()
        .flat_map(|sender| (0..STREAMS).map(|_| stall(sender.clone())));
    let stalled = soon(join_all(stalled)).await;

    let held = victim.usage().settled().await - idle;
    println!("{} MB for {} streams", held / MB, stalled.len());
    assert!(held < 200 * MB, "{} MB", held / MB);
}

#[tokio::test]
async fn a_thousand_downloads_that_stall_over_http_1_hold_little_memory() {
    const CLIENTS: usize = 1000;
    raise_descriptor_limit();
    let victim = Victim::start(&[]).await;
    let target = victim.large().await;
    let idle = victim.usage().settled().await;

    let stall = async || {
        let mut stream = victim.connect().await;
        let request = format!("GET {target} HTTP/1.1\r\nHost: x\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut status = [0; 15];
        stream.read_exact(&mut status).await.unwrap();
        assert_eq!(&status, b"HTTP/1.1 200 OK");
        stream
    };
    let stalled = soon(join_all((0..CLIENTS).map(|_| stall()))).await;

    let held = victim.usage().settled().await - idle;
    println!("{} MB for {} clients", held / MB, stalled.len());
    assert!(held < 200 * MB, "{} MB", held / MB);
}

#[tokio::test]
async fn uploads_that_stall_hold_little_memory() {
    const CLIENTS: usize = 256;
    let victim = Victim::start(&[]).await;
    let idle = victim.usage().settled().await;

    let stall = async || {
        let target = victim.vacant().await;
        let mut stream = victim.connect().await;
        let head = format!(
            "PUT {target} HTTP/1.1\r\nHost: x\r\nContent-Type: image/png\r\n\
             Content-Length: 2000000\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.write_all(&content(1_000_000, 0)).await.unwrap();
        stream
    };
    let stalled = soon(join_all((0..CLIENTS).map(|_| stall()))).await;

    let held = victim.usage().settled().await - idle;
    println!("{} MB for {} uploads", held / MB, stalled.len());
    assert!(held < 180 * MB, "{} MB", held / MB);
}

// The end

#[tokio::test]
async fn a_server_that_is_told_to_stop_ends_whatever_strangers_do() {
    const GRACE: Duration = Duration::from_secs(2);
    let mut victim = Victim::start(&[("PRESIGN_SHUTDOWN", "2")]).await;
    let (large, vacant) = (victim.large().await, victim.vacant().await);

    let mut silent = victim.connect().await;
    silent
        .write_all(b"GET / HTTP/1.1\r\nHost: x\r\n")
        .await
        .unwrap();

    let mut trickling = victim.connect().await;
    let head = "PUT /storage/x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n";
    trickling.write_all(head.as_bytes()).await.unwrap();
    let mut refused = [0; 12];
    soon(trickling.read_exact(&mut refused)).await.unwrap();
    assert_eq!(&refused, b"HTTP/1.1 403");

    let mut stalled = victim.connect().await;
    let head = format!("GET {large} HTTP/1.1\r\nHost: x\r\n\r\n");
    stalled.write_all(head.as_bytes()).await.unwrap();
    let mut begun = [0; 12];
    soon(stalled.read_exact(&mut begun)).await.unwrap();
    assert_eq!(&begun, b"HTTP/1.1 200");

    let mut upload = TcpStream::connect(&victim.address).await.unwrap();
    let head = format!(
        "PUT {vacant} HTTP/1.1\r\nHost: x\r\nContent-Type: image/png\r\n\
         Content-Length: 7\r\nExpect: 100-continue\r\n\r\n"
    );
    upload.write_all(head.as_bytes()).await.unwrap();
    let mut go_ahead = [0; 25];
    soon(upload.read_exact(&mut go_ahead)).await.unwrap();

    victim.server.tell_to_stop().await;
    let told = Instant::now();
    while TcpStream::connect(&victim.address).await.is_ok() {
        sleep(Duration::from_millis(10)).await;
    }
    // All that can be finished is.
    upload.write_all(b"content").await.unwrap();
    let mut answer = String::new();
    soon(upload.read_to_string(&mut answer)).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");

    victim.server.end().await;
    let took = told.elapsed();
    println!("It took {took:?}.");
    // It had something to wait for, and a slow machine has more time.
    assert!(took >= GRACE && took < 5 * GRACE, "{took:?}");
    // Its folder is free.
    Server::start(victim.server.folder).await;
}

// The disk

#[tokio::test]
async fn a_limit_on_the_length_of_files_refuses_an_upload_and_ends_no_server() {
    const LIMIT: u64 = 1_000_000;
    let victim = Victim::start(&[]).await;
    let (long, short) = (victim.vacant().await, victim.vacant().await);
    let limited = Rlimit {
        current: Some(LIMIT),
        maximum: Some(LIMIT),
    };
    let server = i32::try_from(victim.server.pid()).unwrap();
    prlimit(Pid::from_raw(server), Resource::Fsize, limited).unwrap();

    let (long, short) = (victim.url(&long), victim.url(&short));
    let refused = victim.client.put(&long, content(2_000_000, 0)).await;
    refused.assert_refused(413, "too-large");
    let stored = victim.client.put(&short, content(500_000, 0)).await;
    assert_eq!(stored.status, StatusCode::OK);
    assert_eq!(victim.server.staged(), 0);
}
