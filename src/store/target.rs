//! The target of a URL, and the version found for it.

use super::Place;
use crate::content_type::ContentType;
use crate::id::{BinaryId, VersionId};
use crate::key::BinaryKey;
use crate::url::Access;

/// The target of a URL: the Binary, one of its versions or the current one, and the access.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    id: BinaryId,
    version: Option<VersionId>,
    access: Access,
    context: Option<Box<str>>,
}

impl Target {
    /// The current version of a Binary's content, or with [`Access::Write`] its next one.
    #[must_use]
    pub fn new(id: BinaryId, access: Access) -> Self {
        Self {
            id,
            version: None,
            access,
            context: None,
        }
    }

    /// Reading a version that is not necessarily the current one.
    #[must_use]
    pub fn version_of(id: BinaryId, version: VersionId) -> Self {
        Self {
            version: Some(version),
            ..Self::new(id, Access::Read)
        }
    }

    pub(crate) fn with_context(mut self, context: Option<Box<str>>) -> Self {
        self.context = context;
        self
    }

    /// The Binary.
    #[must_use]
    pub fn id(&self) -> BinaryId {
        self.id
    }

    /// The version asked for. `None`: the current one; always `None` for writes.
    #[must_use]
    pub fn version(&self) -> Option<VersionId> {
        self.version
    }

    /// The access that the URL is to give: reading or writing.
    #[must_use]
    pub fn access(&self) -> Access {
        self.access
    }

    /// The key of a version of this Binary, with the context that the policy gave.
    #[must_use]
    pub fn key(&self, version: VersionId) -> BinaryKey {
        let key = BinaryKey::new(self.id, version);
        match &self.context {
            Some(context) => key.with_context(context.clone()),
            None => key,
        }
    }

    /// The policy's message to the repository, from [`Terms::context`](crate::Terms::context).
    #[must_use]
    pub fn context(&self) -> Option<&str> {
        self.context.as_deref()
    }
}

/// The answer of [`locate`](super::BinaryRepository::locate).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Located {
    /// The version that the URL will point to.
    pub key: BinaryKey,
    /// The media type in `Binary.contentType`: uploads are held to it.
    pub content_type: ContentType,
    /// The place of the content to read: handed back as [`BinaryKey::place`] when the URL is used.
    pub place: Option<Place>,
}

impl Located {
    /// Uploads to `key` are held to `content_type`.
    #[must_use]
    pub fn new(key: BinaryKey, content_type: ContentType) -> Self {
        Self {
            key,
            content_type,
            place: None,
        }
    }

    /// Puts the place of the content to read into the URL, so that it need not be looked up when
    /// the URL is used. It is signed and not encrypted, and no policy and no log sees it.
    ///
    /// A place is a short cut alone: a repository that finds nothing there looks the key up.
    #[must_use]
    pub fn with_place(mut self, place: Place) -> Self {
        self.place = Some(place);
        self
    }
}
