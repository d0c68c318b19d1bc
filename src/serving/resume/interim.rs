//! 104 (Upload Resumption Supported): a client learns the URL of its upload before a byte of it can
//! fail.

use http::request::Parts;

/// The iteration of the draft, which client and server must have in common.
#[cfg(feature = "tokio")]
const INTEROP_VERSION: &str = "8";

/// The way to announce an upload before the answer.
#[cfg(feature = "tokio")]
pub(in crate::serving) struct Announcement(crate::interim::InterimResponses);

#[cfg(feature = "tokio")]
impl Announcement {
    /// `None` if the connection carries no interim responses, or the client would not understand
    /// them.
    pub(in crate::serving) fn to(parts: &Parts) -> Option<Self> {
        let interop = parts.headers.get("upload-draft-interop-version");
        let is_understood = interop.is_some_and(|version| version == INTEROP_VERSION);
        let responses = parts.extensions.get().cloned().map(Self);
        responses.filter(|_| is_understood && parts.version == http::Version::HTTP_11)
    }

    /// Names the upload's URL, and its limits.
    pub(super) fn send(&self, location: &str, limits: &str) {
        self.0.send(&format!(
            "HTTP/1.1 104 Upload Resumption Supported\r\n\
             location: {location}\r\n\
             upload-draft-interop-version: {INTEROP_VERSION}\r\n\
             upload-limit: {limits}\r\n\r\n"
        ));
    }
}

/// There is none without I/O.
#[cfg(not(feature = "tokio"))]
pub(in crate::serving) enum Announcement {}

#[cfg(not(feature = "tokio"))]
impl Announcement {
    pub(in crate::serving) fn to(_: &Parts) -> Option<Self> {
        None
    }

    pub(super) fn send(&self, _: &str, _: &str) {
        match *self {}
    }
}
