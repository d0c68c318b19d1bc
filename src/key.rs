//! [`BinaryKey`]: the name of one version's content.

use std::hash::{Hash, Hasher};

use sha2::{Digest as _, Sha256};

use crate::id::{BinaryId, UploadId, VersionId};
use crate::place::Place;

/// The name of one version of one Binary's content. A presigned URL points to it.
///
/// Keys with the same id, version and context are equal, whatever place they carry.
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

    /// Adds a text that the host wants handed back when the URL is used, a tenant for instance.
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

    /// Adds the place where the repository has the content.
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

    /// The context that [`with_context`](Self::with_context) added.
    #[must_use]
    pub fn context(&self) -> Option<&str> {
        self.context.as_deref()
    }

    /// The place of the content, as the repository named it when the URL was minted
    /// ([`Located::with_place`](crate::store::Located::with_place)).
    #[must_use]
    pub fn place(&self) -> Option<&Place> {
        self.place.as_ref()
    }

    /// Takes out the place, which is for the repository alone.
    pub(crate) fn take_place(&mut self) -> Option<Place> {
        self.place.take()
    }

    /// A new id for an upload to this version. All of them share their [group](UploadId::group).
    pub(crate) fn new_upload(&self) -> UploadId {
        let (id, version, context) = self.name();
        // A slash keeps them apart, since no id has one.
        let name = [
            id.as_str(),
            "/",
            version.as_str(),
            "/",
            context.unwrap_or_default(),
        ];
        let digest: [u8; 32] = Sha256::digest(name.concat()).into();
        let group = digest.first_chunk().copied().unwrap_or_default();
        UploadId::in_group(u64::from_be_bytes(group))
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
