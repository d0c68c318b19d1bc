//! The bodies of requests and answers that go through [`Attachments`](super::Attachments).

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use super::output::Output;
use super::queue::{Queue, Replacement};
use super::reference::{Reference, Sought};
use super::scan::{Format, Scanner};
use crate::request_body::poll_bytes;
use crate::response_body::BoxError;

pin_project! {
    /// The body of an answer: with presigned URLs in place of references, or as it was.
    pub struct UrlsBody<B> {
        #[pin]
        kind: Kind<B>,
    }
}

pin_project! {
    #[project = KindProjection]
    enum Kind<B> {
        Inner { #[pin] body: B },
        Output { output: Box<Output<B>>, left: Option<u64> },
        Empty,
    }
}

impl<B> UrlsBody<B> {
    pub(super) fn inner(body: B) -> Self {
        Self {
            kind: Kind::Inner { body },
        }
    }

    /// `length` is that of the whole body, in bytes, if it is known.
    pub(super) fn output(output: Box<Output<B>>, length: Option<u64>) -> Self {
        Self {
            kind: Kind::Output {
                output,
                left: length,
            },
        }
    }
}

/// An empty body, which layers in front that answer themselves (CORS) need to make.
impl<B> Default for UrlsBody<B> {
    fn default() -> Self {
        Self { kind: Kind::Empty }
    }
}

impl<B> UrlsBody<B>
where
    B: Body,
    B::Error: Into<BoxError>,
{
    /// The number of different URLs so far, in the bytes that were read of this body. It is 0 for a
    /// body that is not scanned.
    pub fn urls(&self) -> usize {
        match &self.kind {
            Kind::Output { output, .. } => output.counts().0,
            Kind::Inner { .. } | Kind::Empty => 0,
        }
    }

    /// The number of references that have stayed so far because there were too many.
    pub fn left(&self) -> usize {
        match &self.kind {
            Kind::Output { output, .. } => output.counts().1,
            Kind::Inner { .. } | Kind::Empty => 0,
        }
    }
}

impl<B> Body for UrlsBody<B>
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
        match self.project().kind.project() {
            KindProjection::Inner { body } => poll_bytes(body, cx),
            KindProjection::Output { output, left } => {
                let frame = ready!(output.poll_frame(cx));
                if let (Some(left), Some(Ok(frame))) = (left, &frame) {
                    let length = frame.data_ref().map_or(0, Bytes::len);
                    *left = left.saturating_sub(length as u64);
                }
                Poll::Ready(frame)
            }
            KindProjection::Empty => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.kind {
            Kind::Inner { body } => body.is_end_stream(),
            Kind::Output { output, .. } => output.is_end(),
            Kind::Empty => true,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.kind {
            Kind::Inner { body } => body.size_hint(),
            Kind::Output { left, .. } => left.map_or_else(SizeHint::default, SizeHint::with_exact),
            Kind::Empty => SizeHint::with_exact(0),
        }
    }
}

impl<B> fmt::Debug for UrlsBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UrlsBody").finish_non_exhaustive()
    }
}

pin_project! {
    /// The body of a request: with references in place of presigned URLs, or as it was.
    pub struct ReferencesBody<B> {
        #[pin]
        inner: B,
        input: Option<Box<Input>>,
    }
}

struct Input {
    scanner: Scanner,
    queue: Queue,
    has_ended: bool,
    /// The frame or error that follows the last byte.
    last: Option<Result<Frame<Bytes>, BoxError>>,
}

impl<B> ReferencesBody<B> {
    pub(super) fn inner(inner: B) -> Self {
        Self { inner, input: None }
    }

    pub(super) fn input(inner: B, format: Format, sought: Sought) -> Self {
        let input = Input {
            scanner: Scanner::new(sought, format),
            queue: Queue::default(),
            has_ended: false,
            last: None,
        };
        Self {
            inner,
            input: Some(Box::new(input)),
        }
    }
}

impl Input {
    /// Scans the bytes that are here, and takes those that can go on.
    fn next(&mut self) -> Option<Bytes> {
        while let Some(piece) = self.scanner.next() {
            let replace = |reference: &Reference| Replacement::Text(reference.text().into());
            self.queue.push(piece, replace);
        }
        self.queue.pop()
    }
}

impl<B> Body for ReferencesBody<B>
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
        let mut this = self.project();
        let Some(input) = this.input else {
            return poll_bytes(this.inner, cx);
        };
        loop {
            if let Some(bytes) = input.next() {
                if bytes.is_empty() {
                    continue;
                }
                return Poll::Ready(Some(Ok(Frame::data(bytes))));
            }
            if input.has_ended {
                return Poll::Ready(input.last.take());
            }
            match ready!(poll_bytes(this.inner.as_mut(), cx)) {
                Some(Ok(frame)) if frame.is_data() => {
                    input.scanner.feed(frame.into_data().unwrap_or_default());
                }
                last => {
                    input.has_ended = true;
                    input.last = last;
                    input.scanner.finish();
                }
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.input {
            None => self.inner.is_end_stream(),
            Some(input) => input.has_ended && input.queue.is_empty() && input.last.is_none(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self.input {
            None => self.inner.size_hint(),
            Some(_) => SizeHint::default(),
        }
    }
}

impl<B> fmt::Debug for ReferencesBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReferencesBody").finish_non_exhaustive()
    }
}
