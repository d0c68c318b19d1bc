//! Clients that go away and repositories that fail: nothing half done is stored, nobody waits for
//! ever, nobody else is disturbed, and nothing is left running.
//!
//! Each test ends with [`Server::settle`]: once its clients are gone, the server has dropped each
//! connection, each future and stream of the repository, and each request's body.

mod failures;
mod repository;
mod server;

use std::io;

use axum::body::Body;
use bytes::Bytes;
use http::{Method, Request, StatusCode, Version};
use http_body_util::BodyExt as _;
use repository::PARTS;
use server::{Counts, Scan, Server};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use crate::support::random::Random;
use crate::support::{self, soon};

// Clients that go away during an upload

/// The ways in which a client goes away.
#[derive(Clone, Copy, Debug)]
enum Leaving {
    Closing,
    /// As an operating system does for a process that has crashed.
    Resetting,
}

const LEAVING: [Leaving; 2] = [Leaving::Closing, Leaving::Resetting];

impl Leaving {
    fn leave(self, stream: TcpStream) {
        if let Self::Resetting = self {
            stream.set_zero_linger().unwrap();
        }
        drop(stream);
    }
}

#[derive(Clone, Copy, Debug)]
enum Framing {
    Length,
    Chunks,
}

const FRAMINGS: [Framing; 2] = [Framing::Length, Framing::Chunks];

impl Framing {
    /// An upload as it goes over the wire.
    fn upload(self, target: &str, content: &[u8]) -> Vec<u8> {
        let framing = match self {
            Self::Length => format!("Content-Length: {}", content.len()),
            Self::Chunks => "Transfer-Encoding: chunked".to_owned(),
        };
        let head = format!("PUT {target} HTTP/1.1\r\nHost: x\r\nContent-Type: image/png\r\n");
        let mut bytes = format!("{head}{framing}\r\n\r\n").into_bytes();
        match self {
            Self::Length => bytes.extend_from_slice(content),
            Self::Chunks => {
                for chunk in content.chunks(content.len().div_ceil(3)) {
                    bytes.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
                    bytes.extend_from_slice(chunk);
                    bytes.extend_from_slice(b"\r\n");
                }
                bytes.extend_from_slice(b"0\r\n\r\n");
            }
        }
        bytes
    }
}

/// Sends this beginning of an upload, and goes away.
async fn break_off(server: &Server, beginning: &[u8], leaving: Leaving) {
    leaving.leave(begin(server, beginning).await);
    server.settle().await;
}

async fn begin(server: &Server, beginning: &[u8]) -> TcpStream {
    let mut stream = server.connect().await;
    soon(stream.write_all(beginning)).await.unwrap();
    stream
}

async fn assert_nothing_stored_wherever_it_ends(framing: Framing) {
    let server = Server::start().await;
    // Of a byte that is not in what goes around it.
    let content = [b'~'; 40];
    for leaving in LEAVING {
        let mut end = 0;
        loop {
            let scan = server.scan().await;
            let upload = framing.upload(&scan.write, &content);
            if end == upload.len() {
                break;
            }
            let beginning = &upload[..end];
            let sent = beginning
                .iter()
                .filter(|byte| content.contains(byte))
                .count();
            let expected = server.census.counts().received + sent;
            let stream = begin(&server, beginning).await;
            // A connection that is reset takes with it what the server has not read yet.
            server
                .census
                .until(|counts| counts.received == expected)
                .await;
            leaving.leave(stream);
            server.settle().await;
            server.assert_vacant(&scan).await;
            end += 1;
        }
    }
}

#[tokio::test]
async fn an_upload_of_known_length_that_ends_after_any_byte_leaves_nothing() {
    assert_nothing_stored_wherever_it_ends(Framing::Length).await;
}

#[tokio::test]
async fn an_upload_in_chunks_that_ends_after_any_byte_leaves_nothing() {
    assert_nothing_stored_wherever_it_ends(Framing::Chunks).await;
}

#[tokio::test]
async fn a_long_upload_that_ends_anywhere_leaves_nothing() {
    let server = Server::start().await;
    // The same places each time.
    let mut random = Random(2026);
    for length in [100_000, 1_000_000, 5_000_000] {
        let content = vec![0x5a; length];
        for (framing, leaving) in FRAMINGS.iter().flat_map(|f| LEAVING.map(|l| (*f, l))) {
            for _ in 0..4 {
                let scan = server.scan().await;
                let upload = framing.upload(&scan.write, &content);
                let end = random.below(upload.len());
                break_off(&server, &upload[..end], leaving).await;
                server.assert_vacant(&scan).await;
            }
        }
    }
}

#[tokio::test]
async fn a_refused_upload_that_ends_while_its_rest_is_thrown_away_is_dropped() {
    let server = Server::start().await;
    let scan = server.scan().await;
    let forged = scan.write.replace("Method=PUT", "Method=PUt");
    for (framing, leaving) in FRAMINGS.iter().flat_map(|f| LEAVING.map(|l| (*f, l))) {
        let upload = framing.upload(&forged, &vec![0x5a; 1_000_000]);
        for end in [1_000, upload.len() / 2, upload.len() - 1] {
            break_off(&server, &upload[..end], leaving).await;
        }
    }
    server.assert_vacant(&scan).await;
}

/// A request to upload what is sent into the channel.
fn upload(scan: &Scan) -> (mpsc::Sender<io::Result<Bytes>>, Request<Body>) {
    let (sender, receiver) = mpsc::channel(1);
    let body = Body::from_stream(ReceiverStream::new(receiver));
    (sender, put(scan, body))
}

fn put(scan: &Scan, body: impl Into<Body>) -> Request<Body> {
    support::request(
        Method::PUT,
        &scan.write,
        &[("content-type", "image/png")],
        body,
    )
}

fn get(target: &str) -> Request<Body> {
    support::request(Method::GET, target, &[], Body::empty())
}

#[tokio::test]
async fn an_upload_that_is_reset_over_http_2_leaves_nothing_and_its_connection_goes_on() {
    const CHUNK: &[u8] = &[0x5a; 1000];
    let server = Server::start().await;
    let mut client = server.client(Version::HTTP_2).await;
    let lasting = server.scan().await;
    let (lasting_content, request) = upload(&lasting);
    let lasting_answer = tokio::spawn(client.send(request));
    lasting_content.send(Ok(CHUNK.into())).await.unwrap();
    let has_begun = |counts: &Counts| counts.received == CHUNK.len();
    server.census.until(has_begun).await;

    for by_error in [true, false] {
        for chunks in 0..5 {
            let before = server.census.counts();
            let scan = server.scan().await;
            let (content, request) = upload(&scan);
            let answer = tokio::spawn(client.send(request));
            for _ in 0..chunks {
                content.send(Ok(CHUNK.into())).await.unwrap();
            }
            let expected = before.received + chunks * CHUNK.len();
            let has_arrived =
                |counts: &Counts| counts.received >= expected && counts.alive > before.alive;
            server.census.until(has_arrived).await;
            if by_error {
                let error = io::Error::other("the file cannot be read");
                content.send(Err(error)).await.unwrap();
                assert!(answer.await.unwrap().is_err());
            } else {
                answer.abort();
            }
            let alive = before.alive;
            server.census.until(|counts| counts.alive == alive).await;
            server.assert_vacant(&scan).await;
        }
    }

    lasting_content.send(Ok(CHUNK.into())).await.unwrap();
    drop(lasting_content);
    assert_eq!(
        lasting_answer.await.unwrap().unwrap().status,
        StatusCode::OK
    );
    let stored = support::get(&server.layer, &lasting.read).await;
    assert_eq!(stored.body, [CHUNK, CHUNK].concat());
    drop(client);
    server.settle().await;
}

// Clients that go away during a download

#[tokio::test]
async fn a_download_whose_client_reads_slowly_stalls_and_leaves_is_dropped() {
    let server = Server::start().await;
    let scan = server.scan().await;
    // More than fits into what lies between a server and its client.
    let content = vec![0x5a; 64 * 1024 * 1024];
    support::put(&server.layer, &scan.write, content).await;
    for leaving in LEAVING {
        let before = server.census.counts();
        let mut stream = server.connect().await;
        let request = format!("GET {} HTTP/1.1\r\nHost: x\r\n\r\n", scan.read);
        stream.write_all(request.as_bytes()).await.unwrap();
        for _ in 0..1000 {
            soon(stream.read_exact(&mut [0; 100])).await.unwrap();
        }
        let counts = server.census.counts();
        assert_eq!(counts.streams, 1, "the client has not got it all");
        assert!(
            counts.sent - before.sent < PARTS,
            "what nobody reads is not asked for"
        );
        leaving.leave(stream);
        server.settle().await;
    }
}

#[tokio::test]
async fn a_download_that_is_reset_over_http_2_is_dropped_and_its_connection_goes_on() {
    let server = Server::start().await;
    let scan = server.scan().await;
    support::put(&server.layer, &scan.write, vec![0x5a; 32 * 1024 * 1024]).await;
    let mut client = server.client(Version::HTTP_2).await;
    for _ in 0..10 {
        let mut response = client.begin(get(&scan.read)).await.unwrap();
        soon(response.frame()).await.unwrap().unwrap();
        let streams = server.census.counts().streams;
        assert_eq!(streams, 1, "it is longer than a window");
        drop(response);
        server.census.until(|counts| counts.streams == 0).await;
    }
    let answer = client.send(get("/hello")).await.unwrap();
    assert_eq!(answer.body, "hello");
    drop(client);
    server.settle().await;
}
