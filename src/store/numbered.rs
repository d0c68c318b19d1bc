//! Versions as the repositories of this crate count them: `1`, `2`, `3` and so on.
//!
//! A write URL names the version after the current one. Of two such URLs, the second to be used
//! is refused: nobody overwrites what they have not seen.

use super::{RepositoryError, Target};
use crate::id::VersionId;
use crate::url::Access;

/// The version that a URL for `target` points to, when `current` versions have been written.
pub(super) fn locate(target: &Target, current: u64) -> Result<VersionId, RepositoryError> {
    // Before the first upload, reading means what that upload will bring.
    let readable = current.max(1);
    match (target.access(), target.version()) {
        (Access::Write, _) => {
            let next = current.checked_add(1).ok_or(RepositoryError::NotFound)?;
            Ok(next.into())
        }
        (Access::Read, None) => Ok(readable.into()),
        (Access::Read, Some(named)) => match named.number() {
            Some(number) if (1..=readable).contains(&number) => Ok(named),
            _ => Err(RepositoryError::NotFound),
        },
    }
}
