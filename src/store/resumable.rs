//! [`Resumable`]: uploads that go on where they were cut.

use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::SystemTime;

use bytes::Bytes;
use futures_core::Stream;

#[cfg(any(feature = "fs", feature = "object-store"))]
use super::Upload;
use super::{RepositoryError, UploadError};
#[cfg(any(feature = "fs", feature = "object-store"))]
use crate::content_type::ContentType;
use crate::id::UploadId;

/// Uploads that come in parts, over days if need be: a capability that a
/// [`BinaryRepository`](super::BinaryRepository) or a [`ContentStore`](super::ContentStore) shows
/// by its method `resumable`.
///
/// An upload begins, gets its parts one after the other, and is then handed to `write` or `put` as
/// an [`Upload`](super::Upload) whose bytes are here already ([`Upload::take_resumed`]): from there
/// on it is an upload like any other.
///
/// # Promises of an implementation
///
/// The suite of the module `contract` (feature `test-util`) has a test for each.
///
/// 1. An offset that [`append`](Self::append) or [`progress`](Self::progress) has returned is
///    durable, with its note: it never goes back, also over a crash.
/// 2. The bytes up to the offset are those that were appended, and the note is the one of exactly
///    these bytes.
/// 3. The bytes before an error of a part's stream are kept, unless the part is [whole or
///    nothing](Part::is_whole_or_nothing).
/// 4. A part that does not begin at the offset changes nothing. Of two parts that begin at the same
///    offset, through whatever servers, at most one is kept.
/// 5. `write` or `put` of an upload whose bytes are here may fail, and be repeated, until it has
///    succeeded or the upload is abandoned. The upload's progress stays known after it.
/// 6. Of the uploads whose ids begin with the same [`UploadId::group`], the two that were touched
///    last stay, so that one write URL does not fill the disk.
///
/// [`Upload::take_resumed`]: super::Upload::take_resumed
pub trait Resumable: Send + Sync + 'static {
    /// Begins an upload, without any bytes.
    ///
    /// # Errors
    ///
    /// Any error that the store reports.
    fn begin(
        &self,
        upload: &UploadId,
        begun: Begun,
    ) -> impl Future<Output = Result<(), RepositoryError>> + Send;

    /// The progress of an upload.
    ///
    /// # Errors
    ///
    /// [`NotFound`](RepositoryError::NotFound) if there is none, or none any more, and any other
    /// error that the store reports.
    fn progress(
        &self,
        upload: &UploadId,
    ) -> impl Future<Output = Result<Progress, RepositoryError>> + Send;

    /// Appends a part, durably, and returns the progress of the upload with it.
    ///
    /// When the future is dropped, the bytes that have come may be kept or not.
    ///
    /// # Errors
    ///
    /// [`NotFound`](RepositoryError::NotFound), [`OffsetMismatch`](RepositoryError::OffsetMismatch)
    /// if the part begins elsewhere, [`Upload`](RepositoryError::Upload) with the error of the
    /// part's stream, [`StorageFull`](RepositoryError::StorageFull), and any other error that the
    /// store reports.
    fn append(
        &self,
        upload: &UploadId,
        part: Part,
    ) -> impl Future<Output = Result<Progress, RepositoryError>> + Send;

    /// Removes all there is of an upload. An upload that is not there is no error.
    ///
    /// # Errors
    ///
    /// Any error that the store reports.
    fn abandon(
        &self,
        upload: &UploadId,
    ) -> impl Future<Output = Result<(), RepositoryError>> + Send;

    /// Removes the uploads whose time is over, and returns the ids of those that were not finished.
    ///
    /// # Errors
    ///
    /// Any error that the store reports.
    fn remove_expired(
        &self,
        now: SystemTime,
    ) -> impl Future<Output = Result<Vec<UploadId>, RepositoryError>> + Send;
}

/// The number of unfinished uploads of a [group](UploadId::group) that are kept: the second is the
/// retry of a client that has lost the URL of its first.
pub(super) const MAX_OF_GROUP: usize = 2;

/// The facts of an upload as it begins.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Begun {
    /// The moment at which it may be removed.
    pub expires: SystemTime,
    /// To be kept with it, and given back: see [`Progress::note`].
    pub note: Bytes,
}

impl Begun {
    /// An upload that may be removed at `expires`.
    #[must_use]
    pub fn new(expires: SystemTime, note: impl Into<Bytes>) -> Self {
        Self {
            expires,
            note: note.into(),
        }
    }
}

/// The progress of an upload.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Progress {
    /// The bytes that are here, durably.
    pub offset: u64,
    /// The layer's own note about exactly these bytes, among other things their digest: up to 2 KiB
    /// that mean nothing to the store.
    pub note: Bytes,
}

impl Progress {
    /// `offset` bytes, and the note about them.
    #[must_use]
    pub fn new(offset: u64, note: impl Into<Bytes>) -> Self {
        Self {
            offset,
            note: note.into(),
        }
    }
}

/// An upload whose bytes are all here, and that may become visible.
#[cfg(any(feature = "fs", feature = "object-store"))]
pub(super) struct Whole {
    pub(super) id: UploadId,
    pub(super) content_type: ContentType,
    /// In bytes.
    pub(super) length: u64,
    pub(super) sha256: [u8; 32],
}

#[cfg(any(feature = "fs", feature = "object-store"))]
impl Whole {
    /// Waits until it may become visible.
    pub(super) async fn of(id: UploadId, mut upload: Upload) -> Result<Self, RepositoryError> {
        let incomplete = || UploadError::Incomplete(None);
        match upload.next().await {
            None => {}
            Some(Err(error)) => return Err(error.into()),
            Some(Ok(_)) => return Err(incomplete().into()),
        }
        Ok(Self {
            id,
            content_type: upload.content_type().clone(),
            length: upload.length().ok_or_else(incomplete)?,
            sha256: upload.sha256().ok_or_else(incomplete)?,
        })
    }
}

/// A part of a resumable upload, on its way in: a stream of bytes, and a note that changes with
/// each of them.
///
/// After an error the stream is not to be asked again.
pub struct Part {
    offset: u64,
    is_whole_or_nothing: bool,
    content: Pin<Box<dyn Noted>>,
}

/// A stream that has a note about the bytes that it has yielded so far, and all bytes before them.
pub trait Noted: Stream<Item = Result<Bytes, UploadError>> + Send {
    /// The note to keep beside the bytes that have been yielded.
    fn note(&self) -> Bytes;
}

impl Part {
    /// A part that begins at `offset`.
    pub fn new(offset: u64, content: impl Noted + 'static) -> Self {
        Self {
            offset,
            is_whole_or_nothing: false,
            content: Box::pin(content),
        }
    }

    /// Keeps nothing of the part unless all of it comes: a digest of it is to be checked.
    #[must_use]
    pub fn whole_or_nothing(mut self, is_whole_or_nothing: bool) -> Self {
        self.is_whole_or_nothing = is_whole_or_nothing;
        self
    }

    /// The offset in the upload at which the part begins, in bytes.
    #[must_use]
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// True if nothing of the part may be kept unless its stream ends with `None`.
    #[must_use]
    pub fn is_whole_or_nothing(&self) -> bool {
        self.is_whole_or_nothing
    }

    /// The next chunk, or `None` at the end.
    ///
    /// # Errors
    ///
    /// The reason why the part has no more bytes; pass it on, once the bytes before are kept.
    pub async fn next(&mut self) -> Option<Result<Bytes, UploadError>> {
        poll_fn(|cx| Pin::new(&mut *self).poll_next(cx)).await
    }

    /// The note to keep beside the bytes that have been yielded so far.
    #[must_use]
    pub fn note(&self) -> Bytes {
        self.content.note()
    }
}

impl Stream for Part {
    type Item = Result<Bytes, UploadError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.content.as_mut().poll_next(cx)
    }
}

impl fmt::Debug for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Part")
            .field("offset", &self.offset)
            .field("is_whole_or_nothing", &self.is_whole_or_nothing)
            .finish_non_exhaustive()
    }
}

/// The type of a capability that is missing: it has no value.
#[derive(Debug, Clone, Copy)]
pub(super) enum Never {}

impl Resumable for Never {
    async fn begin(&self, _: &UploadId, _: Begun) -> Result<(), RepositoryError> {
        match *self {}
    }

    async fn progress(&self, _: &UploadId) -> Result<Progress, RepositoryError> {
        match *self {}
    }

    async fn append(&self, _: &UploadId, _: Part) -> Result<Progress, RepositoryError> {
        match *self {}
    }

    async fn abandon(&self, _: &UploadId) -> Result<(), RepositoryError> {
        match *self {}
    }

    async fn remove_expired(&self, _: SystemTime) -> Result<Vec<UploadId>, RepositoryError> {
        match *self {}
    }
}
