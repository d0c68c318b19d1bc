//! References to Binaries, as texts in resources: `Binary/{id}`, `Binary/{id}/_history/{vid}`, and
//! the presigned URLs that stand for them outside.

use std::borrow::Cow;

use crate::id::{BinaryId, VersionId};
use crate::store::Target;
use crate::url::Access;

/// A Binary, or a version of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Reference {
    pub(crate) id: BinaryId,
    pub(crate) version: Option<VersionId>,
}

impl Reference {
    /// Reads the text behind a base: `Binary/{id}` or `Binary/{id}/_history/{vid}`.
    pub(crate) fn relative(text: &str) -> Option<Self> {
        let rest = text.strip_prefix("Binary/")?;
        let (id, version) = match rest.split_once('/') {
            None => (rest, None),
            Some((id, rest)) => (id, Some(rest.strip_prefix("_history/")?)),
        };
        Some(Self {
            id: BinaryId::new(id).ok()?,
            version: version.map(VersionId::new).transpose().ok()?,
        })
    }

    /// The target that a read URL is asked for.
    pub(crate) fn target(&self) -> Target {
        match self.version {
            Some(version) => Target::version_of(self.id, version),
            None => Target::new(self.id, Access::Read),
        }
    }

    /// The text, relative to the FHIR base. It needs no escapes in JSON.
    pub(crate) fn text(&self) -> String {
        let id = self.id;
        match self.version {
            Some(version) => format!("Binary/{id}/_history/{version}"),
            None => format!("Binary/{id}"),
        }
    }
}

/// The texts that are looked for.
#[derive(Debug, Clone)]
pub(crate) enum Sought {
    /// References, relative or below one of these bases, which end with a slash.
    References(Vec<Box<str>>),
    /// Presigned URLs below this storage base URL, which has no slash at its end.
    Urls(Box<str>),
}

impl Sought {
    /// The Binary that the text of a JSON string names, if it is one that is looked for.
    pub(super) fn find(&self, raw: &[u8]) -> Option<Reference> {
        let text = decode(raw)?;
        self.find_in(&text)
    }

    pub(super) fn find_in(&self, text: &str) -> Option<Reference> {
        match self {
            Self::References(bases) => Reference::relative(text).or_else(|| {
                let mut rests = bases.iter().filter_map(|base| text.strip_prefix(&**base));
                rests.find_map(Reference::relative)
            }),
            Self::Urls(base) => {
                let rest = text.strip_prefix(&**base)?.strip_prefix('/')?;
                // Neither signature nor expiry is checked: below the storage base URL there is
                // nothing but presigned URLs, and none of them is to be kept.
                let path = rest.split(['?', '#']).next().unwrap_or_default();
                let (id, version) = path.split_once('/')?;
                Some(Reference {
                    id: BinaryId::new(id).ok()?,
                    version: Some(VersionId::new(version).ok()?),
                })
            }
        }
    }
}

/// The text that the inside of a JSON string stands for; `None` if it stands for none, as half a
/// surrogate does.
pub(super) fn decode(raw: &[u8]) -> Option<Cow<'_, str>> {
    if !raw.contains(&b'\\') {
        return std::str::from_utf8(raw).ok().map(Cow::Borrowed);
    }
    let quoted = [b"\"", raw, b"\""].concat();
    serde_json::from_slice(&quoted).ok().map(Cow::Owned)
}
