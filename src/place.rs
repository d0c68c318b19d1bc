//! The place of content in a store.

use std::fmt;
use std::str::FromStr;

/// The longest place, in bytes.
const MAX_LENGTH: usize = 512;

/// The place of content in a [`ContentStore`](crate::store::ContentStore): a text of the store's
/// own making, of 1 to 512 printable ASCII characters.
///
/// A host keeps it in its records ([`as_str`](Self::as_str), [`new`](Self::new)) and makes nothing
/// of it. It is no secret, but no client's business either: `Debug` leaves it out.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Place(Box<str>);

/// The reason why a text is no place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidPlace {
    /// It is empty, or too long.
    #[error("a place has 1 to 512 characters, not {length}")]
    #[non_exhaustive]
    Length {
        /// The length of the text, in bytes.
        length: usize,
    },
    /// It has a character outside of printable ASCII, which is space to `~`.
    #[error("a place consists of printable ASCII characters")]
    Character,
}

impl Place {
    /// A place that a store has made.
    ///
    /// # Errors
    ///
    /// [`InvalidPlace`] when the text is not 1 to 512 characters of printable ASCII.
    pub fn new(text: impl Into<Box<str>>) -> Result<Self, InvalidPlace> {
        let text = text.into();
        let length = text.len();
        if !(1..=MAX_LENGTH).contains(&length) {
            Err(InvalidPlace::Length { length })
        } else if !text.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
            Err(InvalidPlace::Character)
        } else {
            Ok(Self(text))
        }
    }

    /// The place as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Place").finish_non_exhaustive()
    }
}

impl AsRef<str> for Place {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}

impl FromStr for Place {
    type Err = InvalidPlace;

    fn from_str(text: &str) -> Result<Self, InvalidPlace> {
        Self::new(text)
    }
}
