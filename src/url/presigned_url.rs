//! A presigned URL and the facts that its user must know.

use std::fmt;
use std::sync::Arc;

use http::{HeaderName, HeaderValue};

use super::claims::Kind;
use super::expires::Expires;
use super::grant::{Access, Grant};

/// A URL that grants access to whoever holds it, with the facts that a client needs to use it.
///
/// Treat it as a secret: its `Debug` form leaves out the query, where the signature is, and it has
/// no `Display` form.
#[derive(Clone, PartialEq, Eq)]
pub struct PresignedUrl {
    url: String,
    method: &'static str,
    expires: Expires,
    headers: Vec<(HeaderName, HeaderValue)>,
    key_id: Option<Arc<str>>,
}

impl PresignedUrl {
    /// Describes a URL that a repository's storage has signed, to be used until `expires`.
    #[must_use]
    pub fn new(url: impl Into<String>, access: Access, expires: Expires) -> Self {
        Self {
            url: url.into(),
            method: match access {
                Access::Read => "GET",
                Access::Write => "PUT",
            },
            expires,
            headers: Vec::new(),
            key_id: None,
        }
    }

    pub(super) fn signed(url: String, grant: &Grant, key_id: Arc<str>) -> Self {
        Self {
            method: Kind::of(&grant.permission).method().unwrap_or("GET"),
            key_id: Some(key_id),
            ..Self::new(url, grant.access(), grant.expires)
        }
    }

    /// Adds a request header that the client must send.
    #[must_use]
    pub fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    /// The URL itself.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.url
    }

    /// The HTTP method to use it with: `GET`, `PUT`, or `PATCH` for a resumable upload.
    #[must_use]
    pub fn method(&self) -> &'static str {
        self.method
    }

    /// The moment at which it stops working.
    #[must_use]
    pub fn expires(&self) -> Expires {
        self.expires
    }

    /// The request headers that the client must send.
    #[must_use]
    pub fn headers(&self) -> &[(HeaderName, HeaderValue)] {
        &self.headers
    }

    /// The id of the key that signed it; `None` for a URL of the repository's storage.
    #[must_use]
    pub fn key_id(&self) -> Option<&str> {
        self.key_id.as_deref()
    }
}

impl From<PresignedUrl> for String {
    fn from(presigned: PresignedUrl) -> Self {
        presigned.url
    }
}

impl fmt::Debug for PresignedUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let without_query = self.url.split('?').next().unwrap_or_default();
        f.debug_struct("PresignedUrl")
            .field("url", &format_args!("{without_query}?…"))
            .field("method", &self.method)
            .field("expires", &self.expires)
            .finish_non_exhaustive()
    }
}
