//! [`Settled`]: the end of a request that used a URL.

use std::fmt;
use std::time::Duration;

use http::request::Parts;

use crate::ending::Ending;
use crate::url::Grant;

/// A request that used a presigned URL, and has ended in one way or another.
///
/// Its `Debug` form leaves out the URI, where the signature is, and the headers.
#[derive(Clone, Copy)]
pub struct Settled<'a> {
    parts: &'a Parts,
    grant: &'a Grant,
    ending: Ending,
    bytes: u64,
    duration: Duration,
    has_stored: bool,
}

impl<'a> Settled<'a> {
    /// An end as the layer makes it: to test a policy with. `bytes` are those of the content.
    #[must_use]
    pub fn new(
        parts: &'a Parts,
        grant: &'a Grant,
        ending: Ending,
        bytes: u64,
        duration: Duration,
    ) -> Self {
        Self {
            parts,
            grant,
            ending,
            bytes,
            duration,
            has_stored: false,
        }
    }

    /// The same end of a request that [has stored](Self::has_stored) its version.
    #[must_use]
    pub fn with_has_stored(mut self, has_stored: bool) -> Self {
        self.has_stored = has_stored;
        self
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

    /// The way in which the request ended.
    ///
    /// An upload of the bytes that the version has already, as of a client whose answer was lost, ends
    /// as [`Complete`](Ending::Complete) too, and so does each part of an upload in parts: see
    /// [`has_stored`](Self::has_stored).
    #[must_use]
    pub fn ending(&self) -> Ending {
        self.ending
    }

    /// True if this request has stored the content of its version. False for a repeat, for a part
    /// that is not the last, and for a download.
    ///
    /// It is a fact of this request, and no count of versions: after a crash, or when the repository
    /// has stored the content and its answer was lost, no request says it.
    #[must_use]
    pub fn has_stored(&self) -> bool {
        self.has_stored
    }

    /// The bytes of content that were handed to the server, or that arrived.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The time from the request's head to its end.
    #[must_use]
    pub fn duration(&self) -> Duration {
        self.duration
    }
}

impl fmt::Debug for Settled<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settled")
            .field("grant", &self.grant)
            .field("ending", &self.ending)
            .field("has_stored", &self.has_stored)
            .field("bytes", &self.bytes)
            .field("duration", &self.duration)
            .finish_non_exhaustive()
    }
}
