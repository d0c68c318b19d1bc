//! Request bodies of the requests that the layer answers itself.

use std::error::Error;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use http::header::{CONTENT_LENGTH, EXPECT};
use http::request::Parts;
use http::{HeaderMap, Version};
use http_body::{Body, Frame, SizeHint};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, LengthLimitError};
use pin_project_lite::pin_project;

use crate::config::IsTimeout;
use crate::response_body::BoxError;
use crate::store::UploadError;

/// How much of a refused request's body is read and thrown away, in bytes.
const DRAIN_LIMIT: u64 = 256 * 1024 * 1024;

/// A request body of any type. Its clones are handles of the one body: an upload's stream reads
/// from one, while the service keeps another, to read on after a refusal.
#[derive(Clone)]
pub(crate) struct RequestBody {
    /// `None`: there is none.
    shared: Option<Arc<Mutex<Shared>>>,
}

#[expect(
    clippy::struct_excessive_bools,
    reason = "facts that have nothing to do with each other"
)]
struct Shared {
    body: UnsyncBoxBody<Bytes, BoxError>,
    /// From the header, in bytes.
    announced: Option<u64>,
    /// In bytes.
    received: u64,
    /// The client sends nothing until the body is polled.
    expects_continue: bool,
    is_http_1: bool,
    /// It is an upload's, which is completed if it is whole.
    is_upload: bool,
    /// Nobody waits for an answer any more.
    has_client_left: bool,
}

/// The client left before its upload was whole.
#[derive(Debug, thiserror::Error)]
#[error("the client left before its upload was whole")]
struct ClientLeft;

impl RequestBody {
    pub(crate) fn new<B>(body: B, request: &Parts) -> Self
    where
        B: Body + Send + 'static,
        B::Error: Into<BoxError>,
    {
        let shared = (!body.is_end_stream()).then(|| {
            Arc::new(Mutex::new(Shared {
                body: UnsyncBoxBody::new(Erased { body }),
                announced: announced_length(&request.headers),
                received: 0,
                expects_continue: request.headers.contains_key(EXPECT),
                is_http_1: request.version < Version::HTTP_2,
                is_upload: false,
                has_client_left: false,
            }))
        });
        Self { shared }
    }

    /// Nothing panics while it holds the lock but a body of the host's, which is then of no use.
    fn lock(&self) -> Option<MutexGuard<'_, Shared>> {
        let shared = self.shared.as_ref()?;
        Some(shared.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Whether the client waits for an answer before it sends anything.
    pub(crate) fn expects_continue(&self) -> bool {
        self.lock().is_some_and(|shared| shared.expects_continue)
    }

    /// How many bytes are still to come, if that is known.
    pub(crate) fn remaining(&self) -> Option<u64> {
        self.lock().map_or(Some(0), |shared| shared.remaining())
    }

    /// Marks the body as an upload's: see [`client_leaves`](Self::client_leaves).
    pub(crate) fn begin_upload(&self) {
        if let Some(mut shared) = self.lock() {
            shared.is_upload = true;
        }
    }

    /// Ends the body with what has arrived so far, and returns whether an upload reads it.
    pub(crate) fn client_leaves(&self) -> bool {
        self.lock().is_some_and(|mut shared| {
            shared.has_client_left = true;
            shared.is_upload
        })
    }

    pub(crate) fn has_client_left(&self) -> bool {
        self.lock().is_some_and(|shared| shared.has_client_left)
    }

    /// Reads on after a refusal, so that it reaches the client.
    ///
    /// Over HTTP/1, a server that answers and closes while the client is still sending makes the
    /// client's kernel discard the answer, or the client never look for it (RFC 9112 §9.6).
    /// The amount is bounded, and nothing is read where nothing would be gained: when the client
    /// has announced that more than that is to come, when it waits to be told to go on, and over
    /// HTTP/2, which can end one direction of a stream.
    pub(crate) async fn drain(mut self) {
        let Some(limit) = self.lock().and_then(|shared| shared.drain_limit()) else {
            return;
        };
        while let Some(Ok(_)) = self.frame().await {
            if self.lock().is_none_or(|shared| shared.received > limit) {
                return;
            }
        }
    }
}

impl Shared {
    /// What the server makes of the body's framing counts, and the header where a layer in front
    /// has hidden that.
    fn remaining(&self) -> Option<u64> {
        let announced = self
            .announced
            .map(|length| length.saturating_sub(self.received));
        self.body.size_hint().exact().or(announced)
    }

    /// The length up to which the body is read and thrown away; `None` if it is not.
    fn drain_limit(&self) -> Option<u64> {
        let is_too_long = self
            .remaining()
            .is_some_and(|remaining| remaining > DRAIN_LIMIT);
        let is_awaited = !self.expects_continue && !self.has_client_left;
        let is_read = self.is_http_1 && is_awaited && !is_too_long;
        is_read.then(|| self.received.saturating_add(DRAIN_LIMIT))
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let Some(mut shared) = self.lock() else {
            return Poll::Ready(None);
        };
        shared.expects_continue = false;
        let Poll::Ready(frame) = Pin::new(&mut shared.body).poll_frame(cx) else {
            if shared.has_client_left {
                return Poll::Ready(Some(Err(ClientLeft.into())));
            }
            return Poll::Pending;
        };
        if let Some(Ok(frame)) = &frame {
            shared.received += frame.data_ref().map_or(0, |data| data.len() as u64);
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.lock().is_none_or(|shared| shared.body.is_end_stream())
    }

    fn size_hint(&self) -> SizeHint {
        self.lock()
            .map_or(SizeHint::with_exact(0), |shared| shared.body.size_hint())
    }
}

fn announced_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

pin_project! {
    /// Any body as one of [`Bytes`]. (`BodyExt::map_frame` would forget the size hint.)
    struct Erased<B> {
        #[pin]
        body: B,
    }
}

impl<B> Body for Erased<B>
where
    B: Body,
    B::Error: Into<BoxError>,
{
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let frame = ready!(self.project().body.poll_frame(cx));
        Poll::Ready(frame.map(|frame| {
            frame
                .map(|frame| frame.map_data(|mut data| data.copy_to_bytes(data.remaining())))
                .map_err(Into::into)
        }))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// What a broken body means. Layers in front that limit its size or its time break it too, with
/// errors of their own somewhere in the chain of sources.
pub(crate) fn classify(error: BoxError, is_timeout: &[IsTimeout]) -> UploadError {
    let mut next: Option<&(dyn Error + 'static)> = Some(&*error);
    while let Some(cause) = next {
        let is_io_timeout = cause
            .downcast_ref::<io::Error>()
            .is_some_and(|error| error.kind() == io::ErrorKind::TimedOut);
        if is_io_timeout || is_timeout.iter().any(|is_timeout| is_timeout(cause)) {
            return UploadError::Timeout(error);
        }
        if cause.is::<LengthLimitError>() {
            return UploadError::TooLarge { limit: None };
        }
        next = cause.source();
    }
    UploadError::Incomplete(Some(error))
}
