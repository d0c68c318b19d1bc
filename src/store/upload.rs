//! Content on its way in.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_core::Stream;

use super::UploadError;
use crate::content_type::ContentType;

/// Content to store: what [`write`](super::BinaryRepository::write) is given.
///
/// It is a stream that ends with `None` only when the content is whole: within all limits, as
/// long as announced, and of the announced digest. An error, or being dropped, means abort.
pub struct Upload {
    content_type: ContentType,
    length: Option<u64>,
    awaits_go_ahead: bool,
    stream: Pin<Box<dyn Stream<Item = Result<Bytes, UploadError>> + Send>>,
}

impl Upload {
    /// An upload of a length that is not known in advance.
    pub fn new(
        content_type: ContentType,
        stream: impl Stream<Item = Result<Bytes, UploadError>> + Send + 'static,
    ) -> Self {
        Self {
            content_type,
            length: None,
            awaits_go_ahead: true,
            stream: Box::pin(stream),
        }
    }

    /// Tells that the content is on its way already: see [`awaits_go_ahead`](Self::awaits_go_ahead).
    #[must_use]
    pub fn without_go_ahead(mut self) -> Self {
        self.awaits_go_ahead = false;
        self
    }

    /// Tells the length in advance, in bytes.
    #[must_use]
    pub fn with_length(mut self, length: u64) -> Self {
        self.length = Some(length);
        self
    }

    /// The media type to store: the one that was granted.
    #[must_use]
    pub fn content_type(&self) -> &ContentType {
        &self.content_type
    }

    /// The length that the client announced, in bytes. The stream fails if it does not hold.
    #[must_use]
    pub fn length(&self) -> Option<u64> {
        self.length
    }

    /// Whether the client may be waiting to be told to go on, which [`next`](Self::next) does
    /// (`Expect: 100-continue`, RFC 9110 §10.1.1). If not, its content is on its way, and whether
    /// it can be stored may be found out when the first of it is. Default: yes.
    #[must_use]
    pub fn awaits_go_ahead(&self) -> bool {
        self.awaits_go_ahead
    }

    /// The next chunk, or `None` once the content is whole.
    ///
    /// # Errors
    ///
    /// Why it never will be; pass it on as [`RepositoryError::Upload`](super::RepositoryError),
    /// which `?` does.
    pub async fn next(&mut self) -> Option<Result<Bytes, UploadError>> {
        std::future::poll_fn(|cx| self.stream.as_mut().poll_next(cx)).await
    }
}

impl Stream for Upload {
    type Item = Result<Bytes, UploadError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.stream.as_mut().poll_next(cx)
    }
}

impl fmt::Debug for Upload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upload")
            .field("content_type", &self.content_type)
            .field("length", &self.length)
            .field("awaits_go_ahead", &self.awaits_go_ahead)
            .finish_non_exhaustive()
    }
}
