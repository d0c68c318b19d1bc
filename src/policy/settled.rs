//! [`Settled`]: the end of a URL's use.

use std::fmt;
use std::time::Duration;

use http::request::Parts;

use crate::events::Ending;
use crate::url::Grant;

/// The use of a presigned URL that has ended, in one way or another.
///
/// Its `Debug` form leaves out the URI, where the signature is, and the headers.
#[derive(Clone, Copy)]
pub struct Settled<'a> {
    parts: &'a Parts,
    grant: &'a Grant,
    ending: Ending,
    bytes: u64,
    duration: Duration,
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
        }
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

    /// The way in which the use ended.
    #[must_use]
    pub fn ending(&self) -> Ending {
        self.ending
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
            .field("bytes", &self.bytes)
            .field("duration", &self.duration)
            .finish_non_exhaustive()
    }
}
