//! Where a store has some content.

use std::fmt;
use std::str::FromStr;

/// The longest place, in bytes.
const MAX_LENGTH: usize = 512;

/// Where a [`ContentStore`](crate::store::ContentStore) has some content: a text of the store's own
/// making, of 1 to 512 bytes.
///
/// A host keeps it in its records ([`as_str`](Self::as_str), [`new`](Self::new)) and makes nothing
/// of it. It is no secret, but no client's business either: `Debug` leaves it out.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Place(Box<str>);

/// The text is empty, or longer than 512 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a place has 1 to 512 bytes, not {length}")]
#[non_exhaustive]
pub struct InvalidPlace {
    /// The length of the text, in bytes.
    pub length: usize,
}

impl Place {
    /// A place that a store has made.
    ///
    /// # Errors
    ///
    /// [`InvalidPlace`] when the text is empty or longer than 512 bytes.
    pub fn new(text: impl Into<Box<str>>) -> Result<Self, InvalidPlace> {
        let text = text.into();
        match text.len() {
            1..=MAX_LENGTH => Ok(Self(text)),
            length => Err(InvalidPlace { length }),
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
