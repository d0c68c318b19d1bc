//! What a presigned URL allows.

use std::time::{Duration, SystemTime};

use crate::binary::BinaryKey;
use crate::content_type::ContentType;
use crate::filename::Filename;

/// Whether a URL is for reading or for writing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Access {
    /// `GET` and `HEAD` of content that exists, or will.
    Read,
    /// `PUT` of new content, once.
    Write,
}

/// What a presigned URL allows: one kind of access to one version of one Binary's content, until
/// a moment.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Grant {
    /// Which content.
    pub key: BinaryKey,
    /// What may be done with it.
    pub permission: Permission,
    /// When the permission ends, in Unix seconds: it holds while the time is before this.
    pub expires: u64,
}

/// What a [`Grant`]'s holder may do, and on which terms.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Permission {
    /// Read the content.
    #[non_exhaustive]
    Read {
        /// The name under which a browser should save it.
        filename: Option<Filename>,
        /// Save it in any case; otherwise a browser may show images, PDF and the like.
        attachment: bool,
    },
    /// Write the content.
    #[non_exhaustive]
    Write {
        /// What the upload's `Content-Type` must be.
        content_type: ContentType,
        /// The longest upload, in bytes. `None`: the server's own limit alone.
        max_length: Option<u64>,
    },
}

impl Grant {
    /// Lets its holder read, until `expires` (Unix seconds).
    #[must_use]
    pub fn read(key: BinaryKey, expires: u64) -> Self {
        let permission = Permission::Read {
            filename: None,
            attachment: false,
        };
        Self {
            key,
            permission,
            expires,
        }
    }

    /// Lets its holder write content of this type, once, until `expires` (Unix seconds).
    #[must_use]
    pub fn write(key: BinaryKey, content_type: ContentType, expires: u64) -> Self {
        let permission = Permission::Write {
            content_type,
            max_length: None,
        };
        Self {
            key,
            permission,
            expires,
        }
    }

    /// Sets the name under which a browser should save what it reads. Changes no grant to write.
    #[must_use]
    pub fn with_filename(mut self, name: Filename) -> Self {
        if let Permission::Read { filename, .. } = &mut self.permission {
            *filename = Some(name);
        }
        self
    }

    /// Has browsers save what they read in any case. Changes no grant to write.
    #[must_use]
    pub fn with_attachment(mut self) -> Self {
        if let Permission::Read { attachment, .. } = &mut self.permission {
            *attachment = true;
        }
        self
    }

    /// Sets the longest upload, in bytes. Changes no grant to read.
    #[must_use]
    pub fn with_max_length(mut self, bytes: u64) -> Self {
        if let Permission::Write { max_length, .. } = &mut self.permission {
            *max_length = Some(bytes);
        }
        self
    }

    /// The kind of access granted.
    #[must_use]
    pub fn access(&self) -> Access {
        match self.permission {
            Permission::Read { .. } => Access::Read,
            Permission::Write { .. } => Access::Write,
        }
    }

    /// For how long the grant holds from `now` on; zero once it has expired.
    #[must_use]
    pub fn remaining(&self, now: SystemTime) -> Duration {
        Duration::from_secs(self.expires.saturating_sub(unix_seconds(now)))
    }
}

/// Whole seconds since 1970; zero for times before.
pub(crate) fn unix_seconds(time: SystemTime) -> u64 {
    time.duration_since(SystemTime::UNIX_EPOCH)
        .map_or(0, |elapsed| elapsed.as_secs())
}
