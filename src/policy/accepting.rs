//! [`Accepting`]: an upload that the policy may still refuse.

use std::fmt;

use http::request::Parts;

use crate::store::{Arrived, ByteRange, Content, RepositoryError};
use crate::url::Grant;

/// An upload that has arrived whole, and that nobody sees yet.
///
/// Its `Debug` form leaves out the URI, where the signature is, and the headers.
#[derive(Clone, Copy)]
pub struct Accepting<'a> {
    parts: &'a Parts,
    grant: &'a Grant,
    arrived: Arrived<'a>,
}

/// The content is with a repository that publishes as it stores.
#[derive(Debug, thiserror::Error)]
#[error(
    "the repository stores and publishes in one step, so the policy cannot read what is not \
    published yet: a `Composed` repository can have it read"
)]
struct NotStoredApart;

impl<'a> Accepting<'a> {
    /// An upload as the layer makes it, of `length` bytes that cannot be read: to test a policy
    /// with.
    #[must_use]
    pub fn new(parts: &'a Parts, grant: &'a Grant, length: u64, sha256: [u8; 32]) -> Self {
        let arrived = Arrived {
            length,
            sha256,
            stored: None,
        };
        Self::of(parts, grant, arrived)
    }

    pub(crate) fn of(parts: &'a Parts, grant: &'a Grant, arrived: Arrived<'a>) -> Self {
        Self {
            parts,
            grant,
            arrived,
        }
    }

    /// The permission of the URL, with the type that the upload has.
    #[must_use]
    pub fn grant(&self) -> &'a Grant {
        self.grant
    }

    /// The HTTP request without its body. Its URI holds the signature: keep it out of logs.
    #[must_use]
    pub fn parts(&self) -> &'a Parts {
        self.parts
    }

    /// The length of the content, in bytes.
    #[must_use]
    pub fn length(&self) -> u64 {
        self.arrived.length
    }

    /// The SHA-256 of the content.
    #[must_use]
    pub fn sha256(&self) -> [u8; 32] {
        self.arrived.sha256
    }

    /// The content as it is stored, or a part of it.
    ///
    /// # Errors
    ///
    /// The store's error. [`RepositoryError::Internal`] where the repository stores and publishes
    /// in one step, as all do but [`Composed`](crate::Composed).
    pub async fn content(&self, range: Option<ByteRange>) -> Result<Content, RepositoryError> {
        match self.arrived.stored {
            Some(stored) => stored.read(range).await,
            None => Err(RepositoryError::internal(NotStoredApart)),
        }
    }
}

impl fmt::Debug for Accepting<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Accepting")
            .field("grant", &self.grant)
            .field("length", &self.arrived.length)
            .finish_non_exhaustive()
    }
}
