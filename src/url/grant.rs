//! The grants of presigned URLs.

use super::expires::Expires;
use crate::content_type::ContentType;
use crate::filename::Filename;
use crate::id::{UploadId, UrlId};
use crate::key::BinaryKey;

/// The kind of access that a URL gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Access {
    /// `GET` and `HEAD` of content that exists, or will.
    Read,
    /// `PUT` of new content, once.
    Write,
}

/// The grant of a presigned URL: one kind of access to one version of one Binary's content, until a
/// moment.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Grant {
    /// The content.
    pub key: BinaryKey,
    /// The access to it, and its terms.
    pub permission: Permission,
    /// The end of the permission.
    pub expires: Expires,
    /// The id of this very URL, if it has one.
    pub id: Option<UrlId>,
}

/// The access that a [`Grant`] gives, and its terms.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Permission {
    /// Read the content.
    Read(ReadTerms),
    /// Write the content, in one request.
    Write(WriteTerms),
    /// Go on with a resumable upload of the content. In a box, since it is much larger than the
    /// others, and every verification moves a permission.
    Resume(Box<ResumeTerms>),
}

/// The terms of reading.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ReadTerms {
    /// The name under which a browser should save the content.
    pub filename: Option<Filename>,
    /// Save it in any case; otherwise a browser may show images, PDF and the like.
    pub attachment: bool,
    /// One download alone. Needs [`Grant::id`].
    pub once: bool,
}

/// The terms of writing.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct WriteTerms {
    /// The `Content-Type` that the upload must have.
    pub content_type: ContentType,
    /// The longest upload, in bytes. `None`: the server's own limit alone.
    pub max_length: Option<u64>,
}

/// The terms of going on with a resumable upload.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ResumeTerms {
    /// The upload.
    pub upload: UploadId,
    /// The terms of the write URL with which it was begun.
    pub write: WriteTerms,
}

impl Grant {
    /// Gives its holder a permission by its terms: [`ReadTerms`], [`WriteTerms`] or
    /// [`ResumeTerms`].
    #[must_use]
    pub fn new(key: BinaryKey, permission: impl Into<Permission>, expires: Expires) -> Self {
        Self {
            key,
            permission: permission.into(),
            expires,
            id: None,
        }
    }

    /// Adds the id of this very URL.
    #[must_use]
    pub fn with_id(mut self, id: UrlId) -> Self {
        self.id = Some(id);
        self
    }

    /// The kind of access granted.
    #[must_use]
    pub fn access(&self) -> Access {
        match self.permission {
            Permission::Read(_) => Access::Read,
            Permission::Write(_) | Permission::Resume(_) => Access::Write,
        }
    }
}

impl ReadTerms {
    /// A browser may show the content, under no particular name.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the name under which a browser should save the content.
    #[must_use]
    pub fn with_filename(mut self, filename: Filename) -> Self {
        self.filename = Some(filename);
        self
    }

    /// Has browsers save the content in any case.
    #[must_use]
    pub fn with_attachment(mut self) -> Self {
        self.attachment = true;
        self
    }

    /// Allows one download alone. The grant needs an [`id`](Grant::with_id), by which the server
    /// remembers that the URL has been used.
    #[must_use]
    pub fn with_once(mut self) -> Self {
        self.once = true;
        self
    }
}

impl WriteTerms {
    /// An upload of this type, of any length that the server allows.
    #[must_use]
    pub fn new(content_type: ContentType) -> Self {
        Self {
            content_type,
            max_length: None,
        }
    }

    /// Sets the longest upload, in bytes.
    #[must_use]
    pub fn with_max_length(mut self, bytes: u64) -> Self {
        self.max_length = Some(bytes);
        self
    }
}

impl ResumeTerms {
    /// The upload that was begun on the terms of `write`.
    #[must_use]
    pub fn new(upload: UploadId, write: WriteTerms) -> Self {
        Self { upload, write }
    }
}

impl From<ReadTerms> for Permission {
    fn from(terms: ReadTerms) -> Self {
        Self::Read(terms)
    }
}

impl From<WriteTerms> for Permission {
    fn from(terms: WriteTerms) -> Self {
        Self::Write(terms)
    }
}

impl From<ResumeTerms> for Permission {
    fn from(terms: ResumeTerms) -> Self {
        Self::Resume(Box::new(terms))
    }
}
