//! A server, and a census of what it has not yet dropped.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use axum::Router;
use axum::body::Body;
use axum::routing::get;
use bytes::Bytes;
use futures_util::FutureExt as _;
use http::{Request, Response, StatusCode, Version};
use http_body::{Frame, SizeHint};
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tower::ServiceExt as _;
use tower_presign::{BinaryId, ContentType, MemoryRepository, PresignLayer};

use super::repository::{Faults, Faulty};
use crate::support::{self, Answer, PATIENCE, soon};

#[derive(Clone, Copy, Debug, Default)]
pub struct Counts {
    /// Connections that the server has accepted so far.
    pub accepted: usize,
    /// Connections that the server serves.
    pub connections: usize,
    /// The repository's futures, and the bodies of requests, which uploads are made of.
    pub alive: usize,
    /// The streams of downloads.
    pub streams: usize,
    /// Those of its futures and streams that never complete.
    pub stuck: usize,
    /// Parts of downloads that were asked for so far.
    pub sent: usize,
    /// Bytes of uploads that arrived so far.
    pub received: usize,
}

#[derive(Clone, Default)]
pub struct Census(Arc<watch::Sender<Counts>>);

/// Counts until it is dropped.
pub struct Counted(Census, Field);

type Field = fn(&mut Counts) -> &mut usize;

impl Census {
    pub fn enter(&self, field: Field) -> Counted {
        self.add(field, 1);
        Counted(self.clone(), field)
    }

    pub fn add(&self, field: Field, count: usize) {
        self.0.send_modify(|counts| *field(counts) += count);
    }

    pub fn counts(&self) -> Counts {
        *self.0.borrow()
    }

    /// Waits for the moment at which this holds.
    pub async fn until(&self, condition: impl Fn(&Counts) -> bool) {
        let mut counts = self.0.subscribe();
        let waiting = counts.wait_for(condition);
        let waited = timeout(PATIENCE, waiting).await;
        assert!(waited.is_ok(), "it never came to that: {:?}", self.counts());
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.0.send_modify(|counts| *(self.1)(counts) -= 1);
    }
}

pub struct Server {
    pub layer: PresignLayer,
    pub faults: Faults,
    pub census: Census,
    repository: MemoryRepository,
    address: String,
    /// The number of connections that were made.
    connected: AtomicUsize,
}

/// A Binary, and the targets of requests for its first version.
pub struct Scan {
    pub operation: String,
    pub write: String,
    pub read: String,
}

impl Server {
    pub async fn start() -> Self {
        Self::start_with(|router| router).await
    }

    pub async fn start_with(add_layers: impl FnOnce(Router) -> Router) -> Self {
        let (repository, census) = (MemoryRepository::new(), Census::default());
        let faults = Faults::new(census.clone());
        let layer = support::layer(Faulty {
            repository: repository.clone(),
            faults: faults.clone(),
            census: census.clone(),
        });
        let router = Router::new().route("/hello", get(async || "hello"));
        let body_census = census.clone();
        let count = move |request: Request<Incoming>| {
            let counted = body_census.enter(|counts| &mut counts.alive);
            request.map(|body| CountedBody {
                body,
                _counted: counted,
            })
        };
        let service = add_layers(router.layer(layer.clone())).map_request(count);
        let service = TowerToHyperService::new(service);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let server_census = census.clone();
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let connection = server_census.enter(|counts| &mut counts.connections);
                server_census.add(|counts| &mut counts.accepted, 1);
                let service = service.clone();
                tokio::spawn(async move {
                    let _connection = connection;
                    let builder = Builder::new(TokioExecutor::new());
                    let serving = builder.serve_connection(TokioIo::new(stream), service);
                    // Clients break off here: that is an error, and no mistake.
                    drop(serving.await);
                });
            }
        });
        Self {
            layer,
            faults,
            census,
            repository,
            address,
            connected: AtomicUsize::new(0),
        }
    }

    pub async fn scan(&self) -> Scan {
        let id = BinaryId::random();
        let png = ContentType::new("image/png").unwrap();
        self.repository.create(id, png).unwrap();
        let target = |url: String| url.replace("https://storage.example.com", "");
        Scan {
            operation: format!("/fhir/R4/Binary/{id}/$presigned-url"),
            write: target(support::mint_upload(&self.layer, id.as_str()).await),
            read: target(support::mint(&self.layer, id.as_str()).await),
        }
    }

    /// An upload that came to nothing has left nothing, and can be made good with the same URL.
    pub async fn assert_vacant(&self, scan: &Scan) {
        let answer = support::get(&self.layer, &scan.read).await;
        answer.assert_refused(404, "not-found");
        let answer = support::put(&self.layer, &scan.write, "content").await;
        assert_eq!(answer.status, StatusCode::OK);
        let answer = support::get(&self.layer, &scan.read).await;
        assert_eq!(answer.body, "content");
    }

    /// Waits until the server has noticed that all clients are gone. Nothing is left of them then.
    pub async fn settle(&self) {
        let connected = self.connected.load(Ordering::Relaxed);
        let is_settled = |counts: &Counts| {
            counts.accepted == connected && counts.connections + counts.alive + counts.streams == 0
        };
        self.census.until(is_settled).await;
    }

    pub async fn connect(&self) -> TcpStream {
        self.connected.fetch_add(1, Ordering::Relaxed);
        TcpStream::connect(&self.address).await.unwrap()
    }

    pub async fn client(&self, version: Version) -> Client {
        let stream = TokioIo::new(self.connect().await);
        let (sender, connection) = if version == Version::HTTP_2 {
            let executor = TokioExecutor::new();
            let (sender, connection) = http2::handshake(executor, stream).await.unwrap();
            (
                Sender::Http2(sender),
                tokio::spawn(async { drop(connection.await) }),
            )
        } else {
            let (sender, connection) = http1::handshake(stream).await.unwrap();
            (
                Sender::Http1(sender),
                tokio::spawn(async { drop(connection.await) }),
            )
        };
        Client {
            sender,
            connection,
            origin: format!("http://{}", self.address),
        }
    }
}

struct CountedBody {
    body: Incoming,
    _counted: Counted,
}

impl http_body::Body for CountedBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<hyper::Result<Frame<Bytes>>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A client with one connection, which is closed, whatever goes on, when the client is dropped.
pub struct Client {
    sender: Sender,
    connection: JoinHandle<()>,
    origin: String,
}

enum Sender {
    Http1(http1::SendRequest<Body>),
    Http2(http2::SendRequest<Body>),
}

impl Client {
    /// Sends a request, for whose response one may wait or not. Over HTTP/1, a client has but one.
    pub fn begin(
        &mut self,
        mut request: Request<Body>,
    ) -> impl Future<Output = hyper::Result<Response<Incoming>>> + Send + use<> {
        let response = match &mut self.sender {
            Sender::Http1(sender) => sender.send_request(request).boxed(),
            Sender::Http2(sender) => {
                let url = format!("{}{}", self.origin, request.uri());
                *request.uri_mut() = url.parse().unwrap();
                sender.send_request(request).boxed()
            }
        };
        soon(response)
    }

    /// Sends a request, and reads the response to its end.
    pub fn send(
        &mut self,
        request: Request<Body>,
    ) -> impl Future<Output = hyper::Result<Answer>> + Send + use<> {
        let response = self.begin(request);
        soon(async { Answer::of(response.await?).await })
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.connection.abort();
    }
}
