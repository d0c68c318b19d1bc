//! The questions that a policy is asked.

use std::fmt;
use std::sync::Arc;

use http::request::Parts;
use http::{Extensions, HeaderMap};

use crate::id::BinaryId;
use crate::store::Target;
use crate::url::{Access, Grant, PresignedUrl};

/// A request for a presigned URL. It is owned, so that an `async fn` can be a policy.
///
/// Its `Debug` form leaves out the headers, where credentials are.
pub struct MintRequest {
    parts: Arc<Parts>,
    target: Target,
}

impl MintRequest {
    /// A request as the layer makes it: to test a policy with.
    #[must_use]
    pub fn new(parts: impl Into<Arc<Parts>>, target: Target) -> Self {
        let parts = parts.into();
        Self { parts, target }
    }

    /// The target that the URL is asked for.
    #[must_use]
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// The Binary: short for `target().id()`.
    #[must_use]
    pub fn id(&self) -> BinaryId {
        self.target.id()
    }

    /// The access, to read or to write: short for `target().access()`.
    #[must_use]
    pub fn access(&self) -> Access {
        self.target.access()
    }

    /// The HTTP request without its body.
    #[must_use]
    pub fn parts(&self) -> &Parts {
        &self.parts
    }

    /// The request's headers.
    #[must_use]
    pub fn headers(&self) -> &HeaderMap {
        &self.parts.headers
    }

    /// The request's extensions, where layers in front leave what they found out about the caller.
    #[must_use]
    pub fn extensions(&self) -> &Extensions {
        &self.parts.extensions
    }
}

impl fmt::Debug for MintRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MintRequest")
            .field("target", &self.target)
            .finish_non_exhaustive()
    }
}

/// A URL that is made and not yet handed out.
///
/// Its `Debug` form leaves out the headers, where credentials are, and the URL's signature.
#[derive(Clone, Copy)]
pub struct Minted<'a> {
    parts: &'a Parts,
    grant: &'a Grant,
    url: &'a PresignedUrl,
}

impl<'a> Minted<'a> {
    /// A URL as the layer makes it: to test a policy with.
    #[must_use]
    pub fn new(parts: &'a Parts, grant: &'a Grant, url: &'a PresignedUrl) -> Self {
        Self { parts, grant, url }
    }

    /// The permission of the URL, with its expiry, and with its [`id`](Grant::id) if the terms gave
    /// it one.
    #[must_use]
    pub fn grant(&self) -> &'a Grant {
        self.grant
    }

    /// The URL. Everyone who has it can use it: keep it out of logs and records.
    #[must_use]
    pub fn url(&self) -> &'a PresignedUrl {
        self.url
    }

    /// The HTTP request of the caller who gets it, without its body.
    #[must_use]
    pub fn parts(&self) -> &'a Parts {
        self.parts
    }

    /// The request's headers.
    #[must_use]
    pub fn headers(&self) -> &'a HeaderMap {
        &self.parts.headers
    }

    /// The request's extensions, where layers in front leave what they found out about the caller.
    #[must_use]
    pub fn extensions(&self) -> &'a Extensions {
        &self.parts.extensions
    }
}

impl fmt::Debug for Minted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Minted")
            .field("grant", &self.grant)
            .field("url", &self.url)
            .finish_non_exhaustive()
    }
}

/// The use of a presigned URL that is genuine and has not expired.
///
/// Its `Debug` form leaves out the URI, where the signature is, and the headers.
#[derive(Clone, Copy)]
pub struct RedeemRequest<'a> {
    parts: &'a Parts,
    grant: &'a Grant,
}

impl<'a> RedeemRequest<'a> {
    /// A request as the layer makes it: to test a policy with.
    #[must_use]
    pub fn new(parts: &'a Parts, grant: &'a Grant) -> Self {
        Self { parts, grant }
    }

    /// The permission of the URL.
    #[must_use]
    pub fn grant(&self) -> &'a Grant {
        self.grant
    }

    /// The HTTP request without its body. Its URI holds the signature: keep it out of logs.
    #[must_use]
    pub fn parts(&self) -> &'a Parts {
        self.parts
    }

    /// The request's headers. Nobody has verified any of them: the URL is enough.
    #[must_use]
    pub fn headers(&self) -> &'a HeaderMap {
        &self.parts.headers
    }

    /// The request's extensions, where layers in front leave what they found out, the client's
    /// address for instance.
    #[must_use]
    pub fn extensions(&self) -> &'a Extensions {
        &self.parts.extensions
    }
}

impl fmt::Debug for RedeemRequest<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedeemRequest")
            .field("method", &self.parts.method)
            .field("grant", &self.grant)
            .finish_non_exhaustive()
    }
}
