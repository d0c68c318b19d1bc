//! Versions as the repositories of this crate count them: `1`, `2`, `3` and so on.
//!
//! A write URL names the version after the current one. Of two such URLs, the second to be used
//! is refused: nobody overwrites content that they have not seen.

use super::{RepositoryError, Target};
use crate::id::VersionId;
use crate::url::Access;

/// The version that a URL for `target` points to, when `current` versions have been written.
pub(super) fn locate(target: &Target, current: u64) -> Result<VersionId, RepositoryError> {
    // Before the first upload, a read URL is for the version that this upload will create.
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

/// The number of the newest version; 0 if there is none. Versions are numbered without a gap.
///
/// `exists` is asked about versions, at most twice as often as the number has binary digits, and
/// twice in all if it is 1.
#[cfg(feature = "fs")]
pub(super) fn newest<E>(mut exists: impl FnMut(u64) -> Result<bool, E>) -> Result<u64, E> {
    let (mut newest, mut absent) = (0, 1);
    while exists(absent)? {
        newest = absent;
        match absent.checked_mul(2) {
            Some(next) => absent = next,
            None => return Ok(newest),
        }
    }
    while absent - newest > 1 {
        let middle = newest + (absent - newest) / 2;
        if exists(middle)? {
            newest = middle;
        } else {
            absent = middle;
        }
    }
    Ok(newest)
}

#[cfg(all(test, feature = "fs"))]
mod tests {
    use std::convert::Infallible;

    #[test]
    fn the_newest_of_many_versions_is_found_with_few_questions() {
        for (newest, most) in [(0, 1), (1, 2), (2, 4), (3, 4), (100, 14), (100_000, 34)] {
            let mut questions = 0;
            let found = super::newest(|number| {
                questions += 1;
                Ok::<_, Infallible>(number <= newest)
            });
            assert_eq!(found, Ok(newest));
            assert!(questions <= most, "{questions} for {newest}");
        }
    }
}
