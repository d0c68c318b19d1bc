//! [`Catalog`]: the host's records of its Binaries.

use std::future::Future;

use super::{Located, Metadata, Place, RepositoryError, Stored, Target};
use crate::key::BinaryKey;

/// The place of a version's content, and the facts known of it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Entry {
    /// The place of the content in the store.
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
/// [`Composed`](super::Composed), whose docs have the order of the steps.
///
/// # Promises of an implementation
///
/// The suite of the module `contract` (feature `test-util`) has a test for each.
///
/// 1. [`publish`](Self::publish) is one transaction. Of several for one version exactly one
///    succeeds, whose place [`find`](Self::find) returns from then on. A unique index on Binary and
///    version is enough.
/// 2. Its future may be dropped at any moment. The version is then there as a whole, or it can be
///    published again.
/// 3. A published version becomes the current one, and stays under its own id. A place is kept to
///    the letter, all 512 bytes of it.
/// 4. [`unreferenced`](Self::unreferenced) returns exactly those places to which no version refers.
///    A deleted version refers to none.
/// 5. A deleted Binary stays gone: a URL that is still in somebody's hands brings nothing back.
///    Its row may stay with a mark, or go: with the mark clients get 410 `deleted`, after a plain
///    `DELETE` 404 `not-found`.
pub trait Catalog: Send + Sync + 'static {
    /// The version that a URL minted now for `target` points to; as
    /// [`BinaryRepository::locate`](super::BinaryRepository::locate). It is the one question of a
    /// mint.
    ///
    /// For a named version that never was, answer [`NotFound`](RepositoryError::NotFound): then
    /// nobody gets a URL that leads nowhere, and a reference to it in a resource stays. Before the
    /// first upload, the version that it will create may be named.
    ///
    /// With the place of the content in the answer ([`Located::with_place`]) the store may hand out
    /// a URL of its own, and a read asks the catalog no more: the URL reads until the content is
    /// [discarded](super::Composed::discard). Leave the place out if the catalog is to be asked at
    /// each read, for instance while a scan is not done.
    ///
    /// # Errors
    ///
    /// [`NotFound`](RepositoryError::NotFound) and [`Deleted`](RepositoryError::Deleted), and
    /// any other error that the database reports.
    fn locate(
        &self,
        target: &Target,
    ) -> impl Future<Output = Result<Located, RepositoryError>> + Send;

    /// The answer of [`locate`](Self::locate) for reading the version of `key`, if the key alone is
    /// enough for it. Default: `None`, and `locate` is asked.
    ///
    /// With it, a hundred references to versions in one answer get their URLs without a look at the
    /// records. A version that is not there is then noticed only when its URL is used.
    fn located(&self, key: &BinaryKey) -> Option<Located> {
        let _ = key;
        None
    }

    /// The place of a version's content, and the facts known of it.
    ///
    /// # Errors
    ///
    /// [`NotFound`](RepositoryError::NotFound) while there is no content,
    /// [`Deleted`](RepositoryError::Deleted), [`NotReady`](RepositoryError::NotReady) while the
    /// content is not to be read yet, and any other error that the database reports.
    fn find(&self, key: &BinaryKey) -> impl Future<Output = Result<Entry, RepositoryError>> + Send;

    /// Makes a version visible, in one transaction: from now on [`find`](Self::find) returns it.
    ///
    /// The bytes are durable when this is called.
    ///
    /// # Errors
    ///
    /// [`AlreadyWritten`](RepositoryError::AlreadyWritten) when the version has content,
    /// [`NotFound`](RepositoryError::NotFound) or [`Deleted`](RepositoryError::Deleted) when its
    /// Binary is not there (any more). After these nothing was recorded, and the bytes are removed
    /// at once. After any other error that the database reports, the transaction may be done all
    /// the same: the bytes stay until the sweep has found that nothing refers to them.
    fn publish(
        &self,
        key: &BinaryKey,
        stored: &Stored,
    ) -> impl Future<Output = Result<Metadata, RepositoryError>> + Send;

    /// Those of the places to which no version refers, in any order. Only
    /// [`Composed::sweep`](super::Composed::sweep) asks, about at most 1,000 at once.
    ///
    /// The bytes at the places that it returns are removed.
    ///
    /// # Errors
    ///
    /// Any error that the database reports.
    fn unreferenced(
        &self,
        places: &[Place],
    ) -> impl Future<Output = Result<Vec<Place>, RepositoryError>> + Send;
}
