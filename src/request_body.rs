//! Request bodies of the requests that the layer answers itself.

use std::collections::VecDeque;
use std::error::Error;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use bytes::{Buf, Bytes};
use http::HeaderMap;
use http::header::{CONTENT_LENGTH, EXPECT};
use http::request::Parts;
use http_body::{Body, Frame, SizeHint};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, LengthLimitError};
use pin_project_lite::pin_project;

use crate::config::IsTimeout;
use crate::response_body::BoxError;
use crate::store::UploadError;

/// The bounds within which a body that is not needed is read and thrown away: its length and time.
#[derive(Clone, Copy)]
struct Bounds {
    /// In bytes.
    length: u64,
    #[cfg_attr(
        not(feature = "tokio"),
        expect(dead_code, reason = "nobody else has timers")
    )]
    time: Duration,
}

impl Bounds {
    /// Left as it is, for a moment.
    const UNREAD: Self = Self {
        length: 0,
        time: Duration::from_secs(1),
    };
}

/// The bounds for a client that has shown neither a signature nor credentials.
const STRANGERS: Bounds = Bounds {
    length: 1024 * 1024,
    time: Duration::from_secs(10),
};

/// The bounds for the holder of a genuine URL, who may be a browser that reads a refusal only after
/// it has sent its file.
const HOLDERS: Bounds = Bounds {
    length: 256 * 1024 * 1024,
    time: Duration::from_secs(120),
};

/// The most that is taken of an upload whose client has left, in bytes: more than servers keep of
/// bytes that have arrived and were not yet read.
const MAX_REST: usize = 16 * 1024 * 1024;

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
    /// The client has shown a genuine URL.
    is_holders: bool,
    /// It is an upload's, which is completed if it is whole.
    is_upload: bool,
    /// It is a part of a resumable upload: every byte that has come is kept.
    is_part: bool,
    /// Nobody waits for an answer any more.
    has_client_left: bool,
    /// Frames that have been taken from the body, and were not yet read.
    rest: VecDeque<Frame<Bytes>>,
    has_ended: bool,
}

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
                is_holders: false,
                is_upload: false,
                is_part: false,
                has_client_left: false,
                rest: VecDeque::new(),
                has_ended: false,
            }))
        });
        Self { shared }
    }

    /// Only a body of the host's can panic while the lock is held. That body is then of no use.
    fn lock(&self) -> Option<MutexGuard<'_, Shared>> {
        let shared = self.shared.as_ref()?;
        Some(shared.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// True if the client waits for an answer before it sends anything.
    pub(crate) fn expects_continue(&self) -> bool {
        self.lock().is_some_and(|shared| shared.expects_continue)
    }

    /// The number of bytes still to come, if it is known.
    pub(crate) fn remaining(&self) -> Option<u64> {
        self.lock().map_or(Some(0), |shared| shared.remaining())
    }

    /// Marks the body as an upload's: see [`client_leaves`](Self::client_leaves).
    pub(crate) fn begin_upload(&self) {
        if let Some(mut shared) = self.lock() {
            shared.is_upload = true;
        }
    }

    /// Marks the body as a part of a resumable upload: see [`client_leaves`](Self::client_leaves).
    pub(crate) fn begin_part(&self) {
        if let Some(mut shared) = self.lock() {
            shared.is_part = true;
        }
    }

    /// Marks the body as that of a client with a genuine URL.
    pub(crate) fn belongs_to_holder(&self) {
        if let Some(mut shared) = self.lock() {
            shared.is_holders = true;
        }
    }

    /// Ends the body with the bytes that have arrived so far. True if they are of use: a whole
    /// upload, or a part as far as it has come.
    pub(crate) fn client_leaves(&self) -> bool {
        self.lock().is_some_and(|mut shared| {
            shared.has_client_left = true;
            let is_whole = shared.receive_rest();
            shared.is_part || (shared.is_upload && is_whole)
        })
    }

    /// Reads on after an answer that needs no more of the body, so that the answer reaches the
    /// client. True if the connection can be used again.
    ///
    /// If a server answers and closes while the client is still sending, the client's kernel
    /// discards the answer, or the client never looks for it (RFC 9112 §9.6). Clients of HTTP/2
    /// lose it likewise when their stream is reset after the answer. But nobody waits for the end
    /// of the body: a client that listens has its answer by then. The reading is bounded. Nothing
    /// is read from a client that waits for leave to go on.
    ///
    /// Outside of a runtime of tokio, the body is read before the answer, whatever time that takes.
    pub(crate) async fn discard(mut self) -> bool {
        let (bounds, remaining) = match self.lock() {
            Some(shared) if shared.is_over() => return true,
            // Reading from it would make the client go on.
            Some(shared) if shared.expects_continue => (Bounds::UNREAD, None),
            Some(mut shared) => {
                if shared.has_no_more() {
                    return true;
                }
                (shared.bounds(), shared.remaining())
            }
            None => return true,
        };
        let is_read = remaining.is_some_and(|remaining| remaining <= bounds.length);
        #[cfg(feature = "tokio")]
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move {
                let rest = async {
                    if bounds.length == 0 || !self.read_up_to(bounds.length).await {
                        // A later close leaves more time to read the answer: proxies in front may
                        // still be sending.
                        tokio::time::sleep(STRANGERS.time).await;
                    }
                };
                drop(tokio::time::timeout(bounds.time, rest).await);
            });
            return is_read;
        }
        bounds.length > 0 && self.read_up_to(bounds.length).await && is_read
    }

    /// True if there was no more.
    async fn read_up_to(&mut self, limit: u64) -> bool {
        let mut length = 0;
        while let Some(Ok(frame)) = self.frame().await {
            length += frame.data_ref().map_or(0, |data| data.len() as u64);
            if length > limit {
                return false;
            }
        }
        true
    }
}

#[derive(Debug, thiserror::Error)]
#[error("the client has left")]
struct ClientLeft;

impl Shared {
    /// Takes the frames that have arrived and were not yet read. True if they make the body whole.
    fn receive_rest(&mut self) -> bool {
        let mut length = 0;
        while length <= MAX_REST
            && let Some(taken) = self.receive_frame()
        {
            length += taken;
        }
        self.has_ended
    }

    /// Takes a frame that has arrived, and returns its bytes.
    fn receive_frame(&mut self) -> Option<usize> {
        if self.has_ended {
            return None;
        }
        let mut context = Context::from_waker(Waker::noop());
        match Pin::new(&mut self.body).poll_frame(&mut context) {
            Poll::Ready(Some(Ok(frame))) => {
                let length = frame.data_ref().map_or(0, Bytes::len);
                self.rest.push_back(frame);
                Some(length)
            }
            Poll::Ready(None) => {
                self.has_ended = true;
                None
            }
            Poll::Ready(Some(Err(_))) | Poll::Pending => None,
        }
    }

    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        self.expects_continue = false;
        let frame = match self.rest.pop_front() {
            Some(frame) => Some(Ok(frame)),
            None if self.has_ended => None,
            None if self.has_client_left => Some(Err(ClientLeft.into())),
            None => ready!(Pin::new(&mut self.body).poll_frame(cx)),
        };
        match &frame {
            Some(Ok(frame)) => {
                self.received += frame.data_ref().map_or(0, |data| data.len() as u64);
            }
            Some(Err(_)) => {}
            None => self.has_ended = true,
        }
        Poll::Ready(frame)
    }

    /// The length that the server reads from the body's framing counts. The header counts where a
    /// layer in front has hidden that length.
    fn remaining(&self) -> Option<u64> {
        let rest: usize = self
            .rest
            .iter()
            .filter_map(Frame::data_ref)
            .map(Bytes::len)
            .sum();
        let announced = self
            .announced
            .map(|length| length.saturating_sub(self.received));
        let to_come = self.body.size_hint().exact();
        to_come.map(|length| length + rest as u64).or(announced)
    }

    /// True if nothing is left to read, or the client for whom it would be read has left.
    fn is_over(&self) -> bool {
        self.has_ended || self.has_client_left || self.body.is_end_stream()
    }

    /// True if nothing is left to read, which layers in front hide (tower-http's `TimeoutBody`).
    fn has_no_more(&mut self) -> bool {
        self.receive_frame();
        self.has_ended
    }

    fn bounds(&self) -> Bounds {
        if self.is_holders { HOLDERS } else { STRANGERS }
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        match self.lock() {
            Some(mut shared) => shared.poll_frame(cx),
            None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.lock()
            .is_none_or(|shared| shared.rest.is_empty() && shared.body.is_end_stream())
    }

    fn size_hint(&self) -> SizeHint {
        self.lock()
            .map_or(SizeHint::with_exact(0), |shared| shared.body.size_hint())
    }
}

fn announced_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// The next frame of any body, as one of [`Bytes`].
pub(crate) fn poll_bytes<B>(
    body: Pin<&mut B>,
    cx: &mut Context<'_>,
) -> Poll<Option<Result<Frame<Bytes>, BoxError>>>
where
    B: Body,
    B::Error: Into<BoxError>,
{
    let frame = ready!(body.poll_frame(cx));
    Poll::Ready(frame.map(|frame| {
        frame
            .map(|frame| frame.map_data(|mut data| data.copy_to_bytes(data.remaining())))
            .map_err(Into::into)
    }))
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
        poll_bytes(self.project().body, cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// The reason why a body broke. Layers in front that limit its size or its time break it too, with
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
