//! A presigned URL and what its user must know.

use std::fmt;

use http::{HeaderName, HeaderValue, Method};

/// A URL that grants access to whoever holds it, with what a client needs to use it.
///
/// Treat it as a secret: its `Debug` form leaves out the query, where the signature is, and it has
/// no `Display` form.
#[derive(Clone, PartialEq, Eq)]
pub struct PresignedUrl {
    url: String,
    method: Method,
    expires: u64,
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl PresignedUrl {
    /// Describes a URL to be used with `method` until `expires` (Unix seconds), as a repository
    /// does whose storage can presign.
    #[must_use]
    pub fn new(url: impl Into<String>, method: Method, expires: u64) -> Self {
        Self {
            url: url.into(),
            method,
            expires,
            headers: Vec::new(),
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

    /// The method to use it with: `GET` or `PUT`.
    #[must_use]
    pub fn method(&self) -> &Method {
        &self.method
    }

    /// When it stops working, in Unix seconds.
    #[must_use]
    pub fn expires(&self) -> u64 {
        self.expires
    }

    /// The request headers that the client must send.
    #[must_use]
    pub fn headers(&self) -> &[(HeaderName, HeaderValue)] {
        &self.headers
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
