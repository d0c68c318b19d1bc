//! Ids: of a Binary, of a version, of a URL, of an upload.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;

/// The longest id, in bytes, of every kind.
const MAX_LENGTH: usize = 64;

/// An id of any kind, kept inline so that verifying a URL allocates nothing.
///
/// Unused bytes stay zero, which makes the derived comparisons right.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Inline {
    bytes: [u8; MAX_LENGTH],
    length: u8,
}

/// Leaves out the unused bytes, which are the most.
impl Hash for Inline {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.bytes[..usize::from(self.length)].hash(state);
    }
}

/// The characters and the length of an id. It is a type, so that the check of the bytes is compiled
/// for each.
trait Grammar {
    const CHARACTERS: &'static str;
    const MIN_LENGTH: usize;

    fn is_allowed(byte: u8) -> bool;
}

/// FHIR's ids (<https://hl7.org/fhir/R4/datatypes.html#id>), and `_`, which real servers use.
struct FhirId;

impl Grammar for FhirId {
    const CHARACTERS: &'static str = "A-Z a-z 0-9 - . _";
    const MIN_LENGTH: usize = 1;

    fn is_allowed(byte: u8) -> bool {
        byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_')
    }
}

struct RandomId;

impl Grammar for RandomId {
    const CHARACTERS: &'static str = "A-Z a-z 0-9";
    const MIN_LENGTH: usize = 16;

    fn is_allowed(byte: u8) -> bool {
        byte.is_ascii_alphanumeric()
    }
}

/// The reason why a text is no id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidId {
    /// It is too short or too long.
    #[error("an id of this kind has {min} to 64 characters, not {length}")]
    #[non_exhaustive]
    Length {
        /// The length of the text, in bytes.
        length: usize,
        /// The fewest characters that an id of this kind has.
        min: usize,
    },
    /// It has a character that no id of this kind has.
    #[error("an id of this kind consists of {allowed}, without {character:?}")]
    #[non_exhaustive]
    Character {
        /// The first such character.
        character: char,
        /// The characters that ids of this kind have.
        allowed: &'static str,
    },
    /// It is `.` or `..`, which no path may contain.
    #[error("neither `.` nor `..` is an id, since no path may contain them")]
    DotSegment,
}

impl Inline {
    #[inline]
    fn parse<G: Grammar>(text: &str) -> Result<Self, InvalidId> {
        // Without an early end the check of all bytes takes a few vector instructions.
        let are_allowed = text.bytes().fold(true, |all, b| all & G::is_allowed(b));
        let is_length = (G::MIN_LENGTH..=MAX_LENGTH).contains(&text.len());
        if !are_allowed || !is_length || matches!(text, "." | "..") {
            return Err(broken_rule::<G>(text));
        }
        let mut bytes = [0; MAX_LENGTH];
        bytes[..text.len()].copy_from_slice(text.as_bytes());
        #[expect(clippy::cast_possible_truncation, reason = "at most MAX_LENGTH")]
        let length = text.len() as u8;
        Ok(Self { bytes, length })
    }

    fn as_str(&self) -> &str {
        // ASCII by construction: the default is never taken.
        std::str::from_utf8(&self.bytes[..usize::from(self.length)]).unwrap_or_default()
    }

    fn number(number: u64) -> Self {
        let text = number.to_string();
        let mut bytes = [0; MAX_LENGTH];
        bytes[..text.len()].copy_from_slice(text.as_bytes());
        #[expect(clippy::cast_possible_truncation, reason = "at most 20 digits")]
        let length = text.len() as u8;
        Self { bytes, length }
    }

    /// 128 bits of the operating system's randomness, in hexadecimal digits.
    ///
    /// # Panics
    ///
    /// When the operating system has no randomness to give: no id made without it could be trusted.
    fn random() -> Self {
        let mut random = [0; 16];
        #[expect(clippy::expect_used, reason = "without randomness no id is unique")]
        getrandom::fill(&mut random).expect("the operating system gives randomness");
        let digit = |nibble: u8| char::from_digit(u32::from(nibble), 16).unwrap_or('0') as u8;
        let mut bytes = [0; MAX_LENGTH];
        for (position, byte) in random.into_iter().enumerate() {
            bytes[2 * position] = digit(byte >> 4);
            bytes[2 * position + 1] = digit(byte & 15);
        }
        Self { bytes, length: 32 }
    }
}

#[cold]
fn broken_rule<G: Grammar>(text: &str) -> InvalidId {
    let is_foreign = |c: &char| !u8::try_from(*c).is_ok_and(G::is_allowed);
    if let Some(character) = text.chars().find(is_foreign) {
        let allowed = G::CHARACTERS;
        return InvalidId::Character { character, allowed };
    }
    let (length, min) = (text.len(), G::MIN_LENGTH);
    if (min..=MAX_LENGTH).contains(&length) {
        InvalidId::DotSegment
    } else {
        InvalidId::Length { length, min }
    }
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident: $grammar:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(Inline);

        impl $name {
            /// Parses an id.
            ///
            /// # Errors
            ///
            /// [`InvalidId`], which names the broken rule, and what breaks it.
            #[inline]
            pub fn new(text: impl AsRef<str>) -> Result<Self, InvalidId> {
                Inline::parse::<$grammar>(text.as_ref()).map(Self)
            }

            /// Makes an id of 32 hexadecimal digits out of 128 random bits, which the operating
            /// system gives: it is in use nowhere else.
            ///
            /// # Panics
            ///
            /// When the operating system has no randomness to give.
            #[must_use]
            pub fn random() -> Self {
                Self(Inline::random())
            }

            /// The id as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                self.0.as_str()
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(self.as_str(), f)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                self.as_str()
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, InvalidId> {
                Self::new(text)
            }
        }
    };
}

id! {
    /// The logical id of a FHIR Binary: `[id]` in `Binary/[id]`.
    ///
    /// It is 1 to 64 of `A-Z a-z 0-9 - . _`, and neither `.` nor `..`.
    BinaryId: FhirId
}

id! {
    /// The version of a Binary's content: `Binary.meta.versionId`.
    ///
    /// It is 1 to 64 of `A-Z a-z 0-9 - . _`, and neither `.` nor `..`. A version is written once,
    /// so it also serves as the content's strong entity tag.
    VersionId: FhirId
}

id! {
    /// The id of one particular URL, in an audit trail and for a single use.
    ///
    /// It is 16 to 64 of `A-Z a-z 0-9`.
    UrlId: RandomId
}

id! {
    /// The id of one resumable upload.
    ///
    /// It is 16 to 64 of `A-Z a-z 0-9`.
    UploadId: RandomId
}

impl UploadId {
    /// The number of characters that the ids of uploads to one version share.
    const GROUP: usize = 16;

    /// A random id in the group of these 64 bits.
    pub(crate) fn in_group(group: u64) -> Self {
        let random = Inline::random();
        let id = format!("{group:016x}{}", random.as_str());
        // 48 hexadecimal digits are an id.
        Self(Inline::parse::<RandomId>(&id).unwrap_or(random))
    }

    /// The beginning of the id, which uploads to one version share.
    #[must_use]
    pub fn group(&self) -> &str {
        self.as_str().get(..Self::GROUP).unwrap_or_default()
    }
}

/// Versions that are counted: `1`, `2`, `3`.
impl From<u64> for VersionId {
    fn from(number: u64) -> Self {
        Self(Inline::number(number))
    }
}

impl VersionId {
    /// The number of a version that is counted; `None` for an id of another kind, such as `01`.
    #[must_use]
    pub fn number(&self) -> Option<u64> {
        let number = self.as_str().parse::<u64>().ok()?;
        (Self::from(number) == *self).then_some(number)
    }
}
