//! [`Catalog`]: the host's records of its Binaries.

use std::future::Future;

use super::{Located, Metadata, Place, RepositoryError, Stored, Target};
use crate::key::BinaryKey;

/// Where a version's bytes are, and the facts known of them.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Entry {
    /// Where the store has the content.
    pub place: Place,
    /// The facts that the host recorded.
    pub metadata: Metadata,
}

impl Entry {
    /// The content at `place`, of which `metadata` is known.
    #[must_use]
    pub fn new(place: Place, metadata: Metadata) -> Self {
        Self { place, metadata }
    }
}

/// The host's records: its Binaries, and their versions. Four methods over a table of its own.
///
/// Together with a [`ContentStore`](super::ContentStore) it makes a repository:
/// [`Composed`](super::Composed).
pub trait Catalog: Send + Sync + 'static {
    /// The version that a URL minted now for `target` points to; as
    /// [`BinaryRepository::locate`](super::BinaryRepository::locate).
    ///
    /// # Errors
    ///
    /// [`NotFound`](RepositoryError::NotFound) and [`Deleted`](RepositoryError::Deleted), and
    /// whatever else the database reports.
    fn locate(
        &self,
        target: &Target,
    ) -> impl Future<Output = Result<Located, RepositoryError>> + Send;

    /// Where a version's bytes are, and the facts known of them.
    ///
    /// # Errors
    ///
    /// [`NotFound`](RepositoryError::NotFound) while there is no content,
    /// [`Deleted`](RepositoryError::Deleted), and whatever else the database reports.
    fn find(&self, key: &BinaryKey) -> impl Future<Output = Result<Entry, RepositoryError>> + Send;

    /// Makes a version visible, in one transaction: from now on [`find`](Self::find) returns it.
    ///
    /// The bytes are durable when this is called. It is called in a task that no client can end.
    ///
    /// # Errors
    ///
    /// [`AlreadyWritten`](RepositoryError::AlreadyWritten) when the version has content,
    /// [`NotFound`](RepositoryError::NotFound) or [`Deleted`](RepositoryError::Deleted) when its
    /// Binary is not there (any more), and whatever else the database reports. After any error the
    /// bytes are removed, at once or by the sweep, unless the catalog refers to them after all.
    fn publish(
        &self,
        key: &BinaryKey,
        stored: &Stored,
    ) -> impl Future<Output = Result<Metadata, RepositoryError>> + Send;

    /// Those of the places to which no version refers. Asked by
    /// [`Composed::sweep`](super::Composed::sweep), and by nothing else.
    ///
    /// # Errors
    ///
    /// Whatever the database reports.
    fn unreferenced(
        &self,
        places: &[Place],
    ) -> impl Future<Output = Result<Vec<Place>, RepositoryError>> + Send;
}
