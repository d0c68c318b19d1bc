//! Response bodies: the inner service's untouched, or one of our own.

use std::error::Error;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_LENGTH, InvalidHeaderValue, LOCATION};
use http::{HeaderValue, Response, StatusCode};
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use crate::events::RequestEvent;
use crate::fhir::NO_STORE;
use crate::store::{Content, ContentStream, RepositoryError};
use crate::url::PresignedUrl;

pub(crate) type BoxError = Box<dyn Error + Send + Sync>;

pin_project! {
    /// The body of a response of [`Presign`](crate::Presign): the inner service's, or the layer's
    /// own.
    pub struct ResponseBody<B> {
        #[pin]
        kind: Kind<B>,
    }
}

pin_project! {
    #[project = KindProjection]
    enum Kind<B> {
        Inner { #[pin] body: B },
        Own { body: OwnBody },
    }
}

impl<B> ResponseBody<B> {
    pub(crate) fn inner(body: B) -> Self {
        Self {
            kind: Kind::Inner { body },
        }
    }

    pub(crate) fn own(body: OwnBody) -> Self {
        Self {
            kind: Kind::Own { body },
        }
    }
}

/// An empty body, which layers in front that answer themselves (CORS) need to make.
impl<B> Default for ResponseBody<B> {
    fn default() -> Self {
        Self::own(OwnBody::empty())
    }
}

impl<B> Body for ResponseBody<B>
where
    B: Body<Data = Bytes>,
    B::Error: Into<BoxError>,
{
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        match self.project().kind.project() {
            KindProjection::Inner { body } => body.poll_frame(cx).map_err(Into::into),
            KindProjection::Own { body } => Pin::new(body).poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.kind {
            Kind::Inner { body } => body.is_end_stream(),
            Kind::Own { body } => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.kind {
            Kind::Inner { body } => body.size_hint(),
            Kind::Own { body } => body.size_hint(),
        }
    }
}

impl<B> std::fmt::Debug for ResponseBody<B> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ResponseBody").finish_non_exhaustive()
    }
}

/// Redirects a client to a URL (307) in an answer that no cache keeps.
pub(crate) fn redirection<B>(
    url: &PresignedUrl,
    body: B,
) -> Result<Response<B>, InvalidHeaderValue> {
    let location = HeaderValue::from_str(url.as_str())?;
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::TEMPORARY_REDIRECT;
    let headers = response.headers_mut();
    headers.insert(LOCATION, location);
    headers.insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
    headers.insert(CACHE_CONTROL, NO_STORE);
    Ok(response)
}

/// The body of a [`Download`](crate::Download)'s response.
pub struct ContentBody(OwnBody);

impl ContentBody {
    pub(crate) fn new(body: OwnBody) -> Self {
        Self(body)
    }
}

/// A body that is in memory, as refusals have it.
impl From<Bytes> for ContentBody {
    fn from(bytes: Bytes) -> Self {
        Self(OwnBody::full(bytes))
    }
}

impl Body for ContentBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        Pin::new(&mut self.0).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.0.size_hint()
    }
}

impl std::fmt::Debug for ContentBody {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ContentBody").finish_non_exhaustive()
    }
}

/// The body of the layer's own answers.
pub(crate) enum OwnBody {
    Bytes(Option<Bytes>),
    /// `left` counts the bytes that the content's range has announced and `stream` has not
    /// delivered.
    Content {
        stream: ContentStream,
        left: u64,
        event: RequestEvent,
    },
}

/// The repository delivered more or fewer bytes than it announced.
#[derive(Debug, thiserror::Error)]
#[error("the content does not have the length that the repository announced")]
struct WrongLength;

fn wrong_length() -> RepositoryError {
    RepositoryError::internal(WrongLength)
}

impl OwnBody {
    pub(crate) fn empty() -> Self {
        Self::Bytes(None)
    }

    pub(crate) fn full(bytes: Bytes) -> Self {
        Self::Bytes(Some(bytes))
    }

    pub(crate) fn content(content: Content) -> Self {
        Self::Content {
            left: content.range.end.saturating_sub(content.range.start),
            stream: content.stream,
            event: RequestEvent::silent(),
        }
    }

    /// Has `event` follow the body to its end.
    pub(crate) fn recorded(self, mut event: RequestEvent) -> Self {
        match self {
            Self::Content { stream, left, .. } if left > 0 => Self::Content {
                stream,
                left,
                event,
            },
            body => {
                event.complete();
                body
            }
        }
    }
}

impl Body for OwnBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        match &mut *self {
            Self::Bytes(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            // The end is known from `left`: asking the stream once more could only cost time.
            Self::Content { left: 0, .. } => Poll::Ready(None),
            Self::Content {
                stream,
                left,
                event,
            } => stream.poll_next(cx).map(|next| {
                let chunk = next.unwrap_or_else(|| Err(wrong_length()));
                let chunk = chunk.and_then(|bytes| {
                    let sent = bytes.len();
                    *left = left.checked_sub(sent as u64).ok_or_else(wrong_length)?;
                    event.sent(sent);
                    Ok(bytes)
                });
                match &chunk {
                    Ok(_) if *left == 0 => event.complete(),
                    Ok(_) => {}
                    Err(error) => event.failed(error),
                }
                Some(chunk.map(Frame::data).map_err(Into::into))
            }),
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Self::Bytes(None) | Self::Content { left: 0, .. })
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(match self {
            Self::Bytes(bytes) => bytes.as_ref().map_or(0, Bytes::len) as u64,
            Self::Content { left, .. } => *left,
        })
    }
}
