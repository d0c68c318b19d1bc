//! Which object is what.

use std::fmt;

use bytes::Bytes;
use object_store::path::Path;
use object_store::{Attribute, Attributes, GetResult};

use crate::id::{BinaryId, VersionId};
use crate::key::BinaryKey;

/// The name of the attribute that holds a [`Marker`]: `x-amz-meta-presign` and the like. Azure
/// allows no punctuation in it.
const MARKER: &str = "presign";

const CONTENT: &str = "content:";
const LARGE: &str = "large:";
const DELETED: &str = "deleted";

pub(super) fn binary(id: BinaryId) -> Path {
    Path::from_iter(["binaries", id.as_str()])
}

/// The folder of a Binary's versions.
pub(super) fn contents(id: BinaryId) -> Path {
    Path::from_iter(["content", id.as_str()])
}

pub(super) fn content(id: BinaryId, version: &str) -> Path {
    Path::from_iter(["content", id.as_str(), version])
}

/// The folder of a Binary's large contents.
pub(super) fn larges(id: BinaryId) -> Path {
    Path::from_iter(["large", id.as_str()])
}

/// Below the version that it is for: whatever `name` is, it leads to no content of another.
pub(super) fn large(key: &BinaryKey, name: &str) -> Path {
    Path::from_iter(["large", key.id().as_str(), key.version().as_str(), name])
}

pub(super) fn trial() -> Path {
    Path::from_iter(["trial", VersionId::random().as_str()])
}

/// The number of the version whose content this object is; 0 if it is none.
pub(super) fn number(content: &Path) -> u64 {
    let version = content.filename().unwrap_or_default();
    VersionId::new(version)
        .ok()
        .and_then(|version| version.number())
        .unwrap_or(0)
}

/// What an object is. Those that clients have put into an offloaded URL have no marker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Marker {
    /// The content itself, put by the request that made up this name.
    Content(String),
    /// A stand-in; the content is the large object of this name.
    Large(String),
    /// A stand-in; there is no content any more.
    Deleted,
}

impl Marker {
    /// The marker of one put, by which its repetition is recognised.
    pub(super) fn content() -> Self {
        Self::Content(unique_name())
    }

    pub(super) fn of(object: &GetResult) -> Option<Self> {
        let marker = object.attributes.get(&Attribute::Metadata(MARKER.into()))?;
        if let Some(name) = marker.strip_prefix(CONTENT) {
            Some(Self::Content(name.to_owned()))
        } else if let Some(name) = Self::large_name(marker) {
            Some(Self::Large(name.to_owned()))
        } else {
            (marker.as_ref() == DELETED).then_some(Self::Deleted)
        }
    }

    /// The name in the text of a [`Marker::Large`].
    pub(super) fn large_name(text: &str) -> Option<&str> {
        text.strip_prefix(LARGE)
    }

    /// What is in an object that stands in for content. Not nothing: stores stumble over ranges of
    /// empty objects.
    pub(super) fn stand_in(&self) -> Bytes {
        Bytes::from(self.to_string())
    }

    pub(super) fn attributes(&self, content_type: &str) -> Attributes {
        Attributes::from_iter([
            (Attribute::ContentType, content_type.to_owned()),
            (Attribute::Metadata(MARKER.into()), self.to_string()),
        ])
    }
}

impl fmt::Display for Marker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Content(name) => write!(f, "{CONTENT}{name}"),
            Self::Large(name) => write!(f, "{LARGE}{name}"),
            Self::Deleted => f.write_str(DELETED),
        }
    }
}

pub(super) fn unique_name() -> String {
    VersionId::random().as_str().to_owned()
}

/// An object's content type. A store may have lost it.
pub(super) fn content_type(object: &GetResult) -> &str {
    match object.attributes.get(&Attribute::ContentType) {
        Some(content_type) => content_type,
        None => mime::APPLICATION_OCTET_STREAM.as_ref(),
    }
}
