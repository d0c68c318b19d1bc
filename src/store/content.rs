//! Content on its way out: metadata, the range served, and the bytes.

use std::fmt;
use std::ops::Range;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::SystemTime;

use bytes::Bytes;
use futures_core::Stream;

use super::RepositoryError;

/// The facts about a version's content.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Metadata {
    /// The media type, as stored. Text that is no media type is served as
    /// `application/octet-stream`.
    pub content_type: String,
    /// The whole content's length, in bytes.
    pub length: u64,
    /// The time at which the version was written. HTTP carries it in whole seconds.
    pub last_modified: SystemTime,
    /// The SHA-256 of the whole content, if it is known.
    pub sha256: Option<[u8; 32]>,
}

impl Metadata {
    /// `length` is in bytes.
    #[must_use]
    pub fn new(content_type: impl Into<String>, length: u64, last_modified: SystemTime) -> Self {
        Self {
            content_type: content_type.into(),
            length,
            last_modified,
            sha256: None,
        }
    }

    /// Adds the SHA-256 of the whole content.
    #[must_use]
    pub fn with_sha256(mut self, sha256: [u8; 32]) -> Self {
        self.sha256 = Some(sha256);
        self
    }
}

/// A part of some content, as a client asks for it (RFC 9110 §14.1.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ByteRange {
    /// From the first of these positions to the second, both included; the first is not greater.
    FromTo(u64, u64),
    /// From this position to the end.
    From(u64),
    /// As many bytes as this from the end.
    Last(u64),
}

impl ByteRange {
    /// The positions that the range selects of content of `length` bytes.
    ///
    /// # Errors
    ///
    /// [`RepositoryError::RangeNotSatisfiable`] when it selects none.
    pub fn resolve(self, length: u64) -> Result<Range<u64>, RepositoryError> {
        match self {
            Self::FromTo(first, last) if first < length => {
                Ok(first..last.saturating_add(1).min(length))
            }
            Self::From(first) if first < length => Ok(first..length),
            // The one range that empty content satisfies: all of it.
            Self::Last(count) if count > 0 => Ok(length.saturating_sub(count)..length),
            _ => Err(RepositoryError::range_not_satisfiable(length)),
        }
    }
}

/// Content to serve: the result of [`read`](super::BinaryRepository::read).
pub struct Content {
    pub(crate) metadata: Metadata,
    pub(crate) range: Range<u64>,
    pub(crate) stream: ContentStream,
}

impl Content {
    /// Content whose bytes in `range` come from `stream`, in chunks of any size.
    ///
    /// A stream that ends early ends the download as broken.
    pub fn new(
        metadata: Metadata,
        range: Range<u64>,
        stream: impl Stream<Item = Result<Bytes, RepositoryError>> + Send + 'static,
    ) -> Self {
        Self {
            metadata,
            range,
            stream: ContentStream::Stream(Box::pin(stream)),
        }
    }

    /// Content that is in memory as a whole. `bytes` are those in `range`.
    #[must_use]
    pub fn from_bytes(metadata: Metadata, range: Range<u64>, bytes: Bytes) -> Self {
        Self {
            metadata,
            range,
            stream: ContentStream::Bytes(Some(bytes)),
        }
    }

    /// The facts about the content.
    #[must_use]
    pub fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    /// The positions of this part in the content.
    #[must_use]
    pub fn range(&self) -> Range<u64> {
        self.range.clone()
    }

    /// The next chunk, or `None` at the end.
    ///
    /// # Errors
    ///
    /// Any error that the storage reports while reading.
    pub async fn next(&mut self) -> Option<Result<Bytes, RepositoryError>> {
        std::future::poll_fn(|cx| self.stream.poll_next(cx)).await
    }
}

impl Stream for Content {
    type Item = Result<Bytes, RepositoryError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.stream.poll_next(cx)
    }
}

impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Content")
            .field("metadata", &self.metadata)
            .field("range", &self.range)
            .finish_non_exhaustive()
    }
}

pub(crate) enum ContentStream {
    /// All that is left.
    Bytes(Option<Bytes>),
    Stream(Pin<Box<dyn Stream<Item = Result<Bytes, RepositoryError>> + Send>>),
}

impl ContentStream {
    pub(crate) fn poll_next(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, RepositoryError>>> {
        match self {
            Self::Bytes(bytes) => Poll::Ready(bytes.take().map(Ok)),
            Self::Stream(stream) => stream.as_mut().poll_next(cx),
        }
    }
}
