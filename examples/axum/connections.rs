//! Connections, and the measures against slow, broken and hostile ones.

use std::convert::Infallible;
use std::io;
use std::time::Duration;

use axum::Router;
use axum::response::Response;
use http::Request;
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{sleep, timeout};
use tower::Service;
use tower::util::MapRequest;
use tower_presign::{InterimIo, InterimResponses};

/// The time that a client has for the head of a request.
const HEAD_LIMIT: Duration = Duration::from_secs(30);

/// The pause after a connection could not be accepted: with too many open files, some will be
/// closed soon.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// The requests that a client may have on one HTTP/2 connection at once.
const MAX_STREAMS: u32 = 128;

/// The most that hyper may keep of a download that its client does not read, in bytes, beside the
/// chunk that it was given last. Its default is six times as much.
const MAX_BUFFER: usize = 64 * 1024;

/// Serves until `stop` is done. Requests that run then may go on for `grace`, and are cut after it.
pub(crate) async fn serve(
    listener: TcpListener,
    app: Router,
    stop: impl Future<Output = ()>,
    grace: Duration,
) {
    let mut server = Builder::new(TokioExecutor::new());
    server
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_LIMIT)
        // A client that closes right after its last byte has its upload stored, and one that
        // closes its half of the connection gets its answer.
        .half_close(true)
        .max_buf_size(MAX_BUFFER);
    server
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(MAX_STREAMS)
        .max_send_buf_size(MAX_BUFFER);
    let connections = GracefulShutdown::new();

    let mut stop = std::pin::pin!(stop);
    loop {
        let socket = tokio::select! {
            socket = accept(&listener) => socket,
            () = &mut stop => break,
        };
        match socket {
            Ok(socket) => {
                let socket = InterimIo::new(socket);
                let service = with_interim(app.clone(), socket.responses());
                let connection = server.serve_connection(TokioIo::new(socket), service);
                let connection = connections.watch(connection.into_owned());
                // A client that goes away is no fault of the server.
                tokio::spawn(async move { drop(connection.await) });
            }
            Err(error) => {
                eprintln!("A connection was not accepted: {error}");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop(listener);
    if timeout(grace, connections.shutdown()).await.is_err() {
        eprintln!("Requests that still ran after {grace:?} were cut.");
    }
}

/// Lets the client of an upload learn from an interim response how to go on with it.
fn with_interim(
    app: Router,
    interim: InterimResponses,
) -> TowerToHyperService<
    impl Service<Request<Incoming>, Response = Response, Error = Infallible, Future: Send + 'static>
    + Clone
    + Send,
> {
    TowerToHyperService::new(MapRequest::new(
        app,
        move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(interim.clone());
            request
        },
    ))
}

async fn accept(listener: &TcpListener) -> io::Result<TcpStream> {
    let (socket, _) = listener.accept().await?;
    // Or else the end of a small answer waits until its head has been acknowledged: 40 ms.
    socket.set_nodelay(true)?;
    Ok(socket)
}
