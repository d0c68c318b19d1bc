//! The note that a store keeps with a resumable upload.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::serving::digest::{Digests, SavedDigests};
use crate::store::RepositoryError;

/// Facts about a resumable upload as far as it has come.
pub(super) struct Note {
    /// Of all of it, in bytes, if that is known.
    pub(super) length: Option<u64>,
    pub(super) digests: Digests,
}

#[derive(Serialize, Deserialize)]
struct Saved {
    length: Option<u64>,
    digests: SavedDigests,
}

#[derive(Debug, thiserror::Error)]
#[error("the note of a resumable upload is not one of this server's")]
struct ForeignNote;

impl Note {
    pub(super) fn read(note: &[u8]) -> Result<Self, RepositoryError> {
        let foreign = || RepositoryError::internal(ForeignNote);
        let saved: Saved = serde_json::from_slice(note).map_err(|_| foreign())?;
        Ok(Self {
            length: saved.length,
            digests: Digests::restore(saved.digests).ok_or_else(foreign)?,
        })
    }

    pub(super) fn write(length: Option<u64>, digests: &Digests) -> Bytes {
        let saved = Saved {
            length,
            digests: digests.save(),
        };
        // Text and numbers are always JSON.
        serde_json::to_vec(&saved).unwrap_or_default().into()
    }
}
