//! The requests of those who do not wait.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::Body;
use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, RANGE};
use http::{Method, Request, StatusCode};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::sleep;
use tower_presign::BinaryId;

use crate::figures::Figures;
use crate::support::Answer;
use crate::support::client::Client;
use crate::support::random::Random;
use crate::support::server::URL_ORIGIN;
use crate::wire::{Api, HOUR, MAX_LENGTH, Scan, now, read, target, write, write_up_to};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Mint,
    Get,
    GetRange,
    Head,
    Put,
    PutAgain,
    InParts,
    Abandoned,
    // Refused
    NoToken,
    ReaderWrites,
    NotFound,
    Forged,
    Expired,
    WrongMethod,
    WrongType,
    TooLarge,
    // Broken off by the client
    HalfUpload,
    HalfDownload,
}

/// The choices of a worker: a kind that is there more often is done more often.
const MIX: [Kind; 26] = [
    Kind::Mint,
    Kind::Get,
    Kind::Get,
    Kind::Get,
    Kind::Get,
    Kind::Get,
    Kind::GetRange,
    Kind::GetRange,
    Kind::GetRange,
    Kind::Head,
    Kind::Head,
    Kind::Put,
    Kind::Put,
    Kind::PutAgain,
    Kind::InParts,
    Kind::Abandoned,
    Kind::NoToken,
    Kind::ReaderWrites,
    Kind::NotFound,
    Kind::Forged,
    Kind::Expired,
    Kind::WrongMethod,
    Kind::WrongType,
    Kind::TooLarge,
    Kind::HalfUpload,
    Kind::HalfDownload,
];

/// The longest wait of a worker between requests, in milliseconds: the content of ten minutes must
/// find room.
const PAUSE: u64 = 400;

pub struct Worker {
    api: Arc<Api>,
    client: Client,
    random: Random,
    figures: Figures,
}

impl Worker {
    pub fn new(api: Arc<Api>, random: Random) -> Self {
        Self {
            api,
            random,
            client: Client::http1(),
            figures: Figures::default(),
        }
    }

    pub async fn work(mut self, ended: watch::Receiver<bool>) -> Figures {
        while !*ended.borrow() {
            let kind = *self.random.choose(&MIX);
            self.make(kind).await;
            sleep(Duration::from_millis(self.random.next() % PAUSE)).await;
        }
        self.figures
    }

    async fn make(&mut self, kind: Kind) {
        let scan = self.api.any_scan(&mut self.random);
        let target = self.api.sign(read(scan.id), HOUR);
        match kind {
            Kind::Mint => {
                self.mint(scan.id, "").await;
            }
            Kind::Get => self.get(&scan).await,
            Kind::GetRange => self.get_range(&scan).await,
            Kind::Head => {
                let mut request = self.api.get(&target);
                *request.method_mut() = Method::HEAD;
                let answer = self.send(kind, request, 0).await;
                assert_eq!(answer.status, StatusCode::OK);
                assert_eq!(
                    answer.headers[CONTENT_LENGTH],
                    scan.content.len().to_string()
                );
            }
            Kind::Put => self.put().await,
            Kind::PutAgain => {
                let target = self.api.sign(write(scan.id), HOUR);
                let other = Bytes::from(vec![!scan.content[0]]);
                let request = self.api.put(&target, other);
                let answer = self.send(kind, request, 0).await;
                // Two others may be at it.
                if answer.status == StatusCode::TOO_MANY_REQUESTS {
                    answer.refusal();
                } else {
                    answer.assert_refused(412, "already-written");
                }
            }
            Kind::InParts => self.in_parts().await,
            Kind::Abandoned => self.abandoned().await,
            Kind::NoToken => {
                let request = self.api.mint(scan.id, "", "unknown");
                self.refused(kind, request, 401, "login-required").await;
            }
            Kind::ReaderWrites => {
                let request = self.api.mint(scan.id, "?upload=true", "reader");
                self.refused(kind, request, 403, "forbidden").await;
            }
            Kind::NotFound => {
                let target = self.api.sign(read(BinaryId::random()), HOUR);
                let request = self.api.get(&target);
                self.refused(kind, request, 404, "not-found").await;
            }
            Kind::Forged => {
                let forged = target.replacen("Expires=", "Expires=1", 1);
                let request = self.api.get(&forged);
                self.refused(kind, request, 403, "invalid-signature").await;
            }
            Kind::Expired => {
                let request = self.api.get(&self.api.sign_until(read(scan.id), now()));
                self.refused(kind, request, 403, "expired").await;
            }
            Kind::WrongMethod => {
                let request = self.api.put(&target, scan.content);
                self.refused(kind, request, 405, "method-not-allowed").await;
            }
            Kind::WrongType => {
                let target = self.api.sign(write(BinaryId::random()), HOUR);
                let mut request = self.api.put(&target, scan.content);
                let text = "text/plain".parse().unwrap();
                request.headers_mut().insert(CONTENT_TYPE, text);
                self.refused(kind, request, 415, "content-type-mismatch")
                    .await;
            }
            Kind::TooLarge => {
                let limit = scan.content.len() as u64 - 1;
                let grant = write_up_to(BinaryId::random(), limit);
                let request = self.api.put(&self.api.sign(grant, HOUR), scan.content);
                self.refused(kind, request, 413, "too-large").await;
            }
            Kind::HalfUpload => self.half_upload().await,
            Kind::HalfDownload => self.half_download(&scan, &target).await,
        }
    }

    async fn send(&mut self, kind: Kind, request: Request<Body>, sent: usize) -> Answer {
        let start = Instant::now();
        let answer = self.client.send(request).await;
        let bytes = sent + answer.body.len();
        self.figures.count(kind, bytes, start.elapsed());
        answer
    }

    async fn refused(&mut self, kind: Kind, request: Request<Body>, status: u16, code: &str) {
        let answer = self.send(kind, request, 0).await;
        answer.assert_refused(status, code);
    }

    /// The target of a new URL.
    async fn mint(&mut self, id: BinaryId, query: &str) -> String {
        let request = self.api.mint(id, query, "demo");
        let answer = self.send(Kind::Mint, request, 0).await;
        target(&answer)
    }

    async fn get(&mut self, scan: &Scan) {
        let target = self.mint(scan.id, "").await;
        let request = self.api.get(&target);
        let answer = self.send(Kind::Get, request, 0).await;
        assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
        assert_eq!(answer.headers[CONTENT_TYPE], "image/png");
        // Not `assert_eq`, which would print both.
        assert!(answer.body == scan.content, "it is not what was sent");
    }

    async fn get_range(&mut self, scan: &Scan) {
        let length = scan.content.len();
        let first = self.random.below(length);
        let last = first + self.random.below(length - first);
        let target = self.api.sign(read(scan.id), HOUR);
        let mut request = self.api.get(&target);
        let range = format!("bytes={first}-{last}").parse().unwrap();
        request.headers_mut().insert(RANGE, range);
        let answer = self.send(Kind::GetRange, request, 0).await;
        assert_eq!(answer.status, StatusCode::PARTIAL_CONTENT);
        let range = format!("bytes {first}-{last}/{length}");
        assert_eq!(answer.headers[CONTENT_RANGE], range);
        assert!(answer.body == scan.content[first..=last], "{range}");
    }

    /// New content, as another will read it.
    async fn put(&mut self) {
        let id = self.api.create(&self.client).await;
        let target = self.mint(id, "?upload=true").await;
        let content = self.content();
        self.put_to(&target, id, content).await;
    }

    async fn put_to(&mut self, target: &str, id: BinaryId, content: Bytes) {
        let request = self.api.put(target, content.clone());
        let answer = self.send(Kind::Put, request, content.len()).await;
        assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
        self.stored(Scan { id, content }).await;
    }

    /// It is there, for others to read.
    async fn stored(&mut self, scan: Scan) {
        self.get(&scan).await;
        self.api.remember(scan, &mut self.random);
    }

    /// Is cut off, and goes on where the server is.
    async fn in_parts(&mut self) {
        let id = self.api.create(&self.client).await;
        let content = self.content();
        let (upload, sent) = self.half_in_parts(Kind::InParts, id, &content).await;
        let offset = self.progress(&upload).await;
        assert!(offset <= sent, "{offset} bytes of {sent}");
        self.go_on(&upload, &content, offset).await;
        self.stored(Scan { id, content }).await;
    }

    /// Sends the rest. Of the part that was cut off some may still arrive meanwhile.
    async fn go_on(&mut self, upload: &str, content: &Bytes, mut offset: usize) {
        loop {
            let rest = content.slice(offset..);
            let length = rest.len();
            let part = self.api.tus(Method::PATCH, upload);
            let part = part.header("upload-offset", offset).body(rest.into());
            let answer = self.send(Kind::InParts, part.unwrap(), length).await;
            if answer.status != StatusCode::CONFLICT {
                assert_eq!(answer.status, StatusCode::NO_CONTENT, "{answer:?}");
                return;
            }
            let progress = self.progress(upload).await;
            assert!(progress >= offset, "{progress} bytes, and {offset} before");
            offset = progress;
        }
    }

    async fn progress(&mut self, upload: &str) -> usize {
        let ask = self.api.tus(Method::HEAD, upload).body(Body::empty());
        let progress = self.send(Kind::InParts, ask.unwrap(), 0).await;
        assert_eq!(progress.status, StatusCode::OK, "{progress:?}");
        progress.header("upload-offset").unwrap().parse().unwrap()
    }

    /// Is cut off, and given up.
    async fn abandoned(&mut self) {
        let id = self.api.create(&self.client).await;
        let content = self.content();
        let (upload, _) = self.half_in_parts(Kind::Abandoned, id, &content).await;
        let delete = self.api.tus(Method::DELETE, &upload).body(Body::empty());
        let answer = self.send(Kind::Abandoned, delete.unwrap(), 0).await;
        assert_eq!(answer.status, StatusCode::NO_CONTENT, "{answer:?}");
        let ask = self.api.get(&upload);
        self.refused(Kind::NotFound, ask, 404, "not-found").await;
    }

    /// Begins an upload in parts, and goes away in the midst of the first: returns its URL's target,
    /// and how much was sent.
    async fn half_in_parts(
        &mut self,
        kind: Kind,
        id: BinaryId,
        content: &Bytes,
    ) -> (String, usize) {
        let create = self.api.tus(Method::POST, &self.api.sign(write(id), HOUR));
        let create = create.header("upload-length", content.len());
        let create = create.body(Body::empty()).unwrap();
        let answer = self.send(kind, create, 0).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{answer:?}");
        let upload = answer.header("location").unwrap();
        let upload = upload.strip_prefix(URL_ORIGIN).unwrap().to_owned();

        let start = Instant::now();
        let sent = self.random.below(content.len());
        let mut stream = self.connect().await;
        let (length, address) = (content.len(), &self.api.address);
        let head = format!(
            "PATCH {upload} HTTP/1.1\r\nHost: {address}\r\n\
             Tus-Resumable: 1.0.0\r\nUpload-Offset: 0\r\n\
             Content-Type: application/offset+octet-stream\r\nContent-Length: {length}\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.write_all(&content[..sent]).await.unwrap();
        self.leave(stream);
        self.figures.count(kind, sent, start.elapsed());
        (upload, sent)
    }

    /// Goes away, and finds nothing stored; what was sent then is stored as a whole.
    async fn half_upload(&mut self) {
        let id = self.api.create(&self.client).await;
        let target = self.api.sign(write(id), HOUR);
        let content = self.content();
        let sent = self.random.below(content.len());
        let start = Instant::now();
        let mut stream = self.connect().await;
        let (length, address) = (content.len(), &self.api.address);
        let head = format!(
            "PUT {target} HTTP/1.1\r\nHost: {address}\r\n\
             Content-Type: image/png\r\nContent-Length: {length}\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.write_all(&content[..sent]).await.unwrap();
        self.leave(stream);
        self.figures.count(Kind::HalfUpload, sent, start.elapsed());

        let request = self.api.get(&self.api.sign(read(id), HOUR));
        self.refused(Kind::NotFound, request, 404, "not-found")
            .await;
        self.put_to(&target, id, content).await;
    }

    async fn half_download(&mut self, scan: &Scan, target: &str) {
        let start = Instant::now();
        let mut stream = self.connect().await;
        let address = &self.api.address;
        let request = format!("GET {target} HTTP/1.1\r\nHost: {address}\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut received = vec![0; 12 + self.random.below(scan.content.len())];
        stream.read_exact(&mut received).await.unwrap();
        assert!(received.starts_with(b"HTTP/1.1 200"));
        self.leave(stream);
        let took = start.elapsed();
        self.figures.count(Kind::HalfDownload, received.len(), took);
    }

    /// Most of it is short, so that what is stored does not become too much.
    fn content(&mut self) -> Bytes {
        let max_length = if self.random.below(50) == 0 {
            MAX_LENGTH
        } else {
            MAX_LENGTH / 32
        };
        self.random.part_of(&self.api.source, max_length)
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(&self.api.address).await.unwrap()
    }

    /// In one of the two ways in which connections end.
    fn leave(&mut self, stream: TcpStream) {
        if self.random.below(2) == 0 {
            stream.set_zero_linger().unwrap();
        }
        drop(stream);
    }
}
