//! Interim responses over HTTP/1.1, which hyper cannot send by itself: 104 (Upload Resumption
//! Supported) names the URL of a resumable upload before its first byte can fail
//! (draft-ietf-httpbis-resumable-upload).

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker, ready};

use bytes::{Buf as _, BytesMut};
use pin_project_lite::pin_project;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

pin_project! {
    /// A connection on which interim responses can be sent between the server's own bytes.
    ///
    /// It goes around the stream from which the server reads HTTP: a TCP stream, or a TLS stream,
    /// but not the stream below that. Its handle, [`InterimResponses`], goes into the extensions of
    /// each request. Requests over HTTP/2 get no interim responses.
    ///
    /// ```no_run
    /// use hyper_util::rt::{TokioExecutor, TokioIo};
    /// use hyper_util::server::conn::auto;
    /// use hyper_util::service::TowerToHyperService;
    /// use tower::{ServiceBuilder, util::MapRequestLayer};
    /// use tower_presign::InterimIo;
    ///
    /// # async fn serve(stream: tokio::net::TcpStream, app: axum::Router) {
    /// let io = InterimIo::new(stream);
    /// let interim = io.responses();
    /// let with_interim = MapRequestLayer::new(move |mut request: http::Request<_>| {
    ///     request.extensions_mut().insert(interim.clone());
    ///     request
    /// });
    /// let service = ServiceBuilder::new().layer(with_interim).service(app);
    /// let connection = auto::Builder::new(TokioExecutor::new());
    /// let connection = connection
    ///     .serve_connection(TokioIo::new(io), TowerToHyperService::new(service))
    ///     .await;
    /// # drop(connection);
    /// # }
    /// ```
    #[derive(Debug)]
    pub struct InterimIo<T> {
        #[pin]
        io: T,
        responses: InterimResponses,
        // The server has written since it last flushed: an answer may be on its way.
        is_within_answer: bool,
    }
}

/// The interim responses of one connection. Clones are the same.
#[derive(Debug, Clone, Default)]
pub struct InterimResponses(Arc<Mutex<Queue>>);

#[derive(Debug, Default)]
struct Queue {
    bytes: BytesMut,
    /// Of the connection.
    waker: Option<Waker>,
}

impl<T> InterimIo<T> {
    /// A connection without interim responses so far.
    pub fn new(io: T) -> Self {
        Self {
            io,
            responses: InterimResponses::default(),
            is_within_answer: false,
        }
    }

    /// The handle that goes into the extensions of each request of the connection.
    #[must_use]
    pub fn responses(&self) -> InterimResponses {
        self.responses.clone()
    }
}

impl InterimResponses {
    /// Sends an interim response as soon as its turn comes. `head` is its head, as it stands on the
    /// wire.
    pub(crate) fn send(&self, head: &str) {
        let mut queue = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        queue.bytes.extend_from_slice(head.as_bytes());
        if let Some(waker) = queue.waker.take() {
            waker.wake();
        }
    }
}

impl<T: AsyncWrite> InterimIo<T> {
    /// Writes what is queued, unless an answer is on its way.
    fn poll_interim(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut this = self.project();
        if *this.is_within_answer {
            return Poll::Ready(Ok(()));
        }
        let responses = this.responses.clone();
        let mut queue = responses.0.lock().unwrap_or_else(PoisonError::into_inner);
        while !queue.bytes.is_empty() {
            let written = ready!(this.io.as_mut().poll_write(cx, &queue.bytes))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            queue.bytes.advance(written);
        }
        queue.waker = Some(cx.waker().clone());
        Poll::Ready(Ok(()))
    }
}

impl<T: AsyncRead + AsyncWrite> AsyncRead for InterimIo<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        // A client that does not read may still be sending.
        if let Poll::Ready(written) = self.as_mut().poll_interim(cx) {
            written?;
        }
        self.project().io.poll_read(cx, buffer)
    }
}

impl<T: AsyncWrite> AsyncWrite for InterimIo<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        ready!(self.as_mut().poll_interim(cx))?;
        let this = self.project();
        *this.is_within_answer = true;
        this.io.poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        ready!(self.as_mut().poll_interim(cx))?;
        let this = self.project();
        *this.is_within_answer = true;
        this.io.poll_write_vectored(cx, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // A server that flushes has written all there was.
        *self.as_mut().project().is_within_answer = false;
        ready!(self.as_mut().poll_interim(cx))?;
        self.project().io.poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.project().io.poll_shutdown(cx)
    }
}
