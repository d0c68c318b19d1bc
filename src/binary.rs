//! What names a Binary's content: its id, its version, and both together as a key.

use std::fmt;
use std::hash::{BuildHasher, Hash, Hasher, RandomState};
use std::str::FromStr;

use crate::place::Place;

/// The longest FHIR id, in bytes.
const MAX_LENGTH: usize = 64;

/// A FHIR id, kept inline so that verifying a URL allocates nothing.
///
/// Unused bytes stay zero, which makes the derived comparisons right.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct FhirId {
    bytes: [u8; MAX_LENGTH],
    length: u8,
}

impl FhirId {
    #[inline]
    fn parse(text: &str) -> Result<Self, InvalidId> {
        let is_allowed = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'.';
        // `.` and `..` are FHIR ids by the letter, but no path may contain them.
        // Without an early end the check of all bytes takes a few vector instructions.
        let are_allowed = text.bytes().fold(true, |all, b| all & is_allowed(b));
        if matches!(text, "" | "." | "..") || !are_allowed {
            return Err(InvalidId(()));
        }
        let mut bytes = [0; MAX_LENGTH];
        bytes
            .get_mut(..text.len())
            .ok_or(InvalidId(()))?
            .copy_from_slice(text.as_bytes());
        #[expect(clippy::cast_possible_truncation, reason = "at most MAX_LENGTH")]
        let length = text.len() as u8;
        Ok(Self { bytes, length })
    }

    fn as_str(&self) -> &str {
        // ASCII by construction: the default is never taken.
        std::str::from_utf8(&self.bytes[..usize::from(self.length)]).unwrap_or_default()
    }

    /// 128 bits that no other call on any machine is likely to return. Names need to be unique,
    /// not secret: what an id names is reached by a signature alone.
    fn unique() -> Self {
        let random = || RandomState::new().hash_one(());
        let text = format!("{:016x}{:016x}", random(), random());
        let mut bytes = [0; MAX_LENGTH];
        bytes[..32].copy_from_slice(text.as_bytes());
        Self { bytes, length: 32 }
    }
}

/// The text is not a FHIR id: 1 to 64 of `A-Z a-z 0-9 - .`, and neither `.` nor `..`.
///
/// Source: [FHIR R4, data type `id`](https://hl7.org/fhir/R4/datatypes.html#id).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a FHIR id: 1 to 64 of A-Z a-z 0-9 - . (and neither `.` nor `..`)")]
pub struct InvalidId(());

macro_rules! fhir_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(FhirId);

        impl $name {
            /// Parses a FHIR id.
            ///
            /// # Errors
            ///
            /// [`InvalidId`] when the text is not 1 to 64 of `A-Z a-z 0-9 - .`, or is `.` or `..`.
            #[inline]
            pub fn new(text: impl AsRef<str>) -> Result<Self, InvalidId> {
                FhirId::parse(text.as_ref()).map(Self)
            }

            /// Makes an id of 32 hexadecimal digits that is not in use anywhere.
            ///
            /// It is unique, not unpredictable: never use one as a secret.
            #[must_use]
            pub fn unique() -> Self {
                Self(FhirId::unique())
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

fhir_id! {
    /// The logical id of a FHIR Binary: `[id]` in `Binary/[id]`.
    BinaryId
}

fhir_id! {
    /// The version of a Binary's content: `Binary.meta.versionId`.
    ///
    /// A version is written once, so it also serves as the content's strong entity tag.
    VersionId
}

/// Versions that are counted: `1`, `2`, `3`.
impl From<u64> for VersionId {
    fn from(number: u64) -> Self {
        let text = number.to_string();
        let mut bytes = [0; MAX_LENGTH];
        bytes[..text.len()].copy_from_slice(text.as_bytes());
        #[expect(clippy::cast_possible_truncation, reason = "at most 20 digits")]
        let length = text.len() as u8;
        Self(FhirId { bytes, length })
    }
}

/// Names one version of one Binary's content: what a presigned URL points to.
///
/// Keys are equal if they name the same, whatever place they carry.
#[derive(Debug, Clone)]
pub struct BinaryKey {
    id: BinaryId,
    version: VersionId,
    context: Option<Box<str>>,
    place: Option<Place>,
}

impl BinaryKey {
    /// A key without a context.
    #[must_use]
    pub fn new(id: BinaryId, version: VersionId) -> Self {
        Self {
            id,
            version,
            context: None,
            place: None,
        }
    }

    /// Adds what the host wants handed back when the URL is used, a tenant for instance.
    ///
    /// The context is signed, but not encrypted: whoever holds the URL can read it. It is the
    /// host's alone: a repository that wants something handed back has [`with_place`].
    ///
    /// [`with_place`]: Self::with_place
    #[must_use]
    pub fn with_context(mut self, context: impl Into<Box<str>>) -> Self {
        self.context = Some(context.into());
        self
    }

    /// Adds where the repository has the content.
    #[must_use]
    pub fn with_place(mut self, place: Place) -> Self {
        self.place = Some(place);
        self
    }

    /// The Binary.
    #[must_use]
    pub fn id(&self) -> BinaryId {
        self.id
    }

    /// The version of its content.
    #[must_use]
    pub fn version(&self) -> VersionId {
        self.version
    }

    /// What [`with_context`](Self::with_context) added.
    #[must_use]
    pub fn context(&self) -> Option<&str> {
        self.context.as_deref()
    }

    /// Where the repository said, when the URL was minted, that the content is
    /// ([`Located::with_place`](crate::store::Located::with_place)).
    #[must_use]
    pub fn place(&self) -> Option<&Place> {
        self.place.as_ref()
    }

    fn name(&self) -> (BinaryId, VersionId, Option<&str>) {
        (self.id, self.version, self.context())
    }
}

impl PartialEq for BinaryKey {
    fn eq(&self, other: &Self) -> bool {
        self.name() == other.name()
    }
}

impl Eq for BinaryKey {}

impl Hash for BinaryKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name().hash(state);
    }
}
