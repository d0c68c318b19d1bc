//! [`ContentStore`]: bytes in places of its own making.

use std::future::Future;

use futures_core::Stream;

use super::resumable::{Never, Resumable};
use super::{ByteRange, Content, Day, Place, RepositoryError, Upload};
use crate::content_type::ContentType;
use crate::url::{Grant, PresignedUrl};

/// The facts about content that a store has just taken.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stored {
    /// The place of the content.
    pub place: Place,
    /// The media type that was granted.
    pub content_type: ContentType,
    /// In bytes.
    pub length: u64,
    /// The SHA-256 of the content.
    pub sha256: [u8; 32],
}

impl Stored {
    /// Content of `length` bytes.
    #[must_use]
    pub fn new(place: Place, content_type: ContentType, length: u64, sha256: [u8; 32]) -> Self {
        Self {
            place,
            content_type,
            length,
            sha256,
        }
    }
}

/// Bytes in places of its own making. A store knows no Binary, no version and no URL. A
/// [`Catalog`](super::Catalog) knows them, and [`Composed`](super::Composed) makes a repository of
/// both.
///
/// # Promises of an implementation
///
/// The suite of the module `contract` (feature `test-util`) has a test for each.
///
/// 1. Content never changes: reading at a place yields the bytes that were put there, with their
///    media type, or an error.
/// 2. [`put`](Self::put) is whole and durable, or nothing. If it fails or its future is dropped
///    before the upload has ended, nothing stays. After that, only content that
///    [`list`](Self::list) shows may stay.
/// 3. Each upload gets a place that no other ever had. The place begins with the [`Day`] on which
///    it was made, and is made less than an hour before `put` returns: to the sweep, a place that
///    is older than a day and has no record is an upload that was cut short.
/// 4. `list` shows each place of its day once, as soon as `put` has returned it, and none that has
///    been deleted.
/// 5. A text that is no place of this store's counts as a place without content.
pub trait ContentStore: Send + Sync + 'static {
    /// Stores an upload in a new place, durably.
    ///
    /// # Errors
    ///
    /// [`Upload`](RepositoryError::Upload) with the error of the stream,
    /// [`StorageFull`](RepositoryError::StorageFull), and any other error that the store reports.
    fn put(&self, upload: Upload) -> impl Future<Output = Result<Stored, RepositoryError>> + Send;

    /// The content at a place, or the part of it that [`ByteRange::resolve`] selects.
    ///
    /// # Errors
    ///
    /// [`NotFound`](RepositoryError::NotFound) when nothing is there,
    /// [`RangeNotSatisfiable`](RepositoryError::RangeNotSatisfiable), and any other error that the
    /// store reports.
    fn get(
        &self,
        place: &Place,
        range: Option<ByteRange>,
    ) -> impl Future<Output = Result<Content, RepositoryError>> + Send;

    /// Removes the content at a place. A place without content is no error.
    ///
    /// # Errors
    ///
    /// Any error that the store reports.
    fn delete(&self, place: &Place) -> impl Future<Output = Result<(), RepositoryError>> + Send;

    /// The places that were made on a day, in any order.
    ///
    /// An error is the last item.
    fn list(&self, day: Day) -> impl Stream<Item = Result<Place, RepositoryError>> + Send;

    /// A URL of the store's own for `grant`, whose content is at `place`. Default: `None`, and the
    /// layer makes one and serves the bytes itself.
    ///
    /// It is called at every mint of a read URL for which the catalog gave a place.
    ///
    /// # Errors
    ///
    /// Any error that the store reports; no URL is minted then.
    fn presign(
        &self,
        place: &Place,
        grant: &Grant,
    ) -> impl Future<Output = Result<Option<PresignedUrl>, RepositoryError>> + Send {
        let _ = (place, grant);
        async { Ok(None) }
    }

    /// The uploads that come in parts, if the store can keep them: see [`Resumable`]. Default:
    /// `None`, for a store that cannot.
    fn resumable(&self) -> Option<&impl Resumable> {
        None::<&Never>
    }
}
