//! Names that are safe on every file system, and those of our own making.

use std::ffi::OsStr;
use std::fmt;

use crate::id::BinaryId;

/// A name that nothing else has.
pub(super) fn unique_name() -> String {
    BinaryId::random().as_str().to_owned()
}

/// True if a name may be one that [`unique_name`] has made.
pub(super) fn is_unique_name(name: &OsStr) -> bool {
    let is_digit = |byte: &u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    let name = name.as_encoded_bytes();
    name.len() == 32 && name.iter().all(is_digit)
}

/// FHIR ids that differ in case alone differ, though not on every file system, so a capital
/// letter becomes `_` and its small form, and `_` is doubled.
pub(super) struct FileName<'a>(pub(super) &'a str);

impl fmt::Display for FileName<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for character in self.0.chars() {
            if character == '_' || character.is_ascii_uppercase() {
                f.write_str("_")?;
            }
            write!(f, "{}", character.to_ascii_lowercase())?;
        }
        Ok(())
    }
}
