//! Request bodies of the requests that the layer answers itself.

use std::error::Error;
use std::io;
use std::pin::Pin;
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

/// A request body of any type. The default is an empty one, which is what whoever takes the body
/// leaves behind.
#[derive(Default)]
pub(crate) struct RequestBody {
    body: UnsyncBoxBody<Bytes, BoxError>,
    /// From the header, in bytes.
    announced: Option<u64>,
    /// In bytes.
    received: u64,
    /// Whether the client sends nothing until the body is polled.
    awaits_go_ahead: bool,
    is_http_1: bool,
}

impl RequestBody {
    pub(crate) fn new<B>(body: B, request: &Parts) -> Self
    where
        B: Body + Send + 'static,
        B::Error: Into<BoxError>,
    {
        if body.is_end_stream() {
            return Self::default();
        }
        Self {
            body: UnsyncBoxBody::new(Erased { body }),
            announced: announced_length(&request.headers),
            received: 0,
            awaits_go_ahead: request.headers.contains_key(EXPECT),
            is_http_1: request.version < Version::HTTP_2,
        }
    }

    /// Whether the client waits for an answer before it sends anything.
    pub(crate) fn awaits_go_ahead(&self) -> bool {
        self.awaits_go_ahead
    }

    /// How many bytes are still to come, if that is known. What the server makes of the body's
    /// framing counts, and the header where a layer in front has hidden that.
    pub(crate) fn remaining(&self) -> Option<u64> {
        let announced = self
            .announced
            .map(|length| length.saturating_sub(self.received));
        self.size_hint().exact().or(announced)
    }

    /// Reads on after a refusal, so that it reaches the client.
    ///
    /// Over HTTP/1, a server that answers and closes while the client is still sending makes the
    /// client's kernel discard the answer, or the client never look for it (RFC 9112 §9.6).
    /// The amount is bounded, and nothing is read where nothing would be gained: when the client
    /// has announced that more than that is to come, when it waits to be told to go on, and over
    /// HTTP/2, which can end one direction of a stream.
    pub(crate) async fn drain(mut self) {
        let is_too_long = self
            .remaining()
            .is_some_and(|remaining| remaining > DRAIN_LIMIT);
        if self.awaits_go_ahead || !self.is_http_1 || is_too_long {
            return;
        }
        let limit = self.received.saturating_add(DRAIN_LIMIT);
        while let Some(Ok(_)) = self.frame().await {
            if self.received > limit {
                return;
            }
        }
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        self.awaits_go_ahead = false;
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        if let Some(Ok(frame)) = &frame {
            self.received += frame.data_ref().map_or(0, |data| data.len() as u64);
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
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
