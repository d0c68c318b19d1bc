//! The attributes that are written on an object, beside its content.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use object_store::{Attribute, Attributes, GetResult};

use super::content_name::ContentName;
use crate::content_type::OCTET_STREAM;
use crate::store::RepositoryError;

/// The names of the attributes: `x-amz-meta-presign` and the like. Azure allows no punctuation.
const KIND: &str = "presign";
const LENGTH: &str = "presignlength";
const SHA256: &str = "presignsha256";
const OWNER: &str = "presignowner";

const CONTENT: &str = "content:";
const APART: &str = "apart:";
const DELETED: &str = "deleted";
const JOINED: &str = "joined";

/// The facts of some content, as far as they are known.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Facts {
    pub(super) length: Option<u64>,
    pub(super) sha256: Option<[u8; 32]>,
}

/// The kinds of objects. Those that clients have put with an offloaded URL have no mark.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    /// The content itself, put by the request that made up this name.
    Content(String),
    /// Nothing; the content is in the object of this name.
    Apart(ContentName),
    /// Nothing; the content is [elsewhere](ContentName::bytes), since it came in parts.
    Joined,
    /// Nothing; there is no content any more.
    Deleted,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mark {
    pub(super) kind: Kind,
    pub(super) facts: Facts,
    /// The object that refers to this one, if that is known.
    pub(super) owner: Option<String>,
}

impl Mark {
    pub(super) fn new(kind: Kind, facts: Facts) -> Self {
        Self {
            kind,
            facts,
            owner: None,
        }
    }

    pub(super) fn deleted() -> Self {
        Self::new(Kind::Deleted, Facts::default())
    }

    pub(super) fn of(object: &GetResult) -> Option<Self> {
        let text = |name: &'static str| {
            let value = object.attributes.get(&Attribute::Metadata(name.into()));
            value.map(AsRef::as_ref)
        };
        let kind = text(KIND)?;
        let kind = if let Some(name) = kind.strip_prefix(CONTENT) {
            Kind::Content(name.to_owned())
        } else if let Some(name) = kind.strip_prefix(APART) {
            Kind::Apart(ContentName::parse(name)?)
        } else if kind == JOINED {
            Kind::Joined
        } else if kind == DELETED {
            Kind::Deleted
        } else {
            return None;
        };
        Some(Self {
            kind,
            facts: Facts {
                length: text(LENGTH).and_then(|length| length.parse().ok()),
                sha256: text(SHA256).and_then(decode),
            },
            owner: text(OWNER).map(str::to_owned),
        })
    }

    pub(super) fn attributes(&self, content_type: &str) -> Attributes {
        let kind = match &self.kind {
            Kind::Content(name) => format!("{CONTENT}{name}"),
            Kind::Apart(name) => format!("{APART}{}", name.as_str()),
            Kind::Joined => JOINED.to_owned(),
            Kind::Deleted => DELETED.to_owned(),
        };
        let mut attributes = Attributes::from_iter([
            (Attribute::ContentType, content_type.to_owned()),
            (Attribute::Metadata(KIND.into()), kind),
        ]);
        let further = [
            (LENGTH, self.facts.length.map(|length| length.to_string())),
            (SHA256, self.facts.sha256.map(encode)),
            (OWNER, self.owner.clone()),
        ];
        for (name, value) in further {
            if let Some(value) = value {
                attributes.insert(Attribute::Metadata(name.into()), value.into());
            }
        }
        attributes
    }
}

/// The facts of an object that is content. It is an error if its length is no longer the same.
pub(super) fn checked(object: &GetResult, known: Facts) -> Result<Facts, RepositoryError> {
    let marked = Mark::of(object).map(|mark| mark.facts).unwrap_or_default();
    let size = object.meta.size;
    for length in [known.length, marked.length].into_iter().flatten() {
        if length != size {
            return Err(RepositoryError::internal(format!(
                "{} has {size} bytes, and was put with {length}",
                object.meta.location
            )));
        }
    }
    Ok(Facts {
        length: Some(size),
        sha256: known.sha256.or(marked.sha256),
    })
}

pub(super) fn encode(sha256: [u8; 32]) -> String {
    URL_SAFE_NO_PAD.encode(sha256)
}

pub(super) fn decode(text: &str) -> Option<[u8; 32]> {
    URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()
}

/// An object's content type. A store may have lost it.
pub(super) fn content_type(object: &GetResult) -> &str {
    match object.attributes.get(&Attribute::ContentType) {
        Some(content_type) => content_type,
        None => OCTET_STREAM,
    }
}
