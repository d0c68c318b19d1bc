//! 104 (Upload Resumption Supported): a client learns the URL of its upload before a byte of it can
//! fail.

use http::request::Parts;

/// The iteration of the draft, which client and server must have in common.
#[cfg(feature = "tokio")]
const INTEROP_VERSION: &str = "8";

/// The way to tell the client of a request, if there is one.
pub(in crate::serving) struct Announcement(
    #[cfg(feature = "tokio")] crate::interim::InterimResponses,
);

impl Announcement {
    /// `None` if the connection carries no interim responses, or the client would not understand
    /// them.
    pub(in crate::serving) fn to(parts: &Parts) -> Option<Self> {
        #[cfg(feature = "tokio")]
        {
            let interop = parts.headers.get("upload-draft-interop-version");
            let is_understood = interop.is_some_and(|version| version == INTEROP_VERSION);
            if is_understood && parts.version == http::Version::HTTP_11 {
                return parts.extensions.get().cloned().map(Self);
            }
        }
        let _ = parts;
        None
    }

    /// Names the upload's URL, and its limits.
    pub(super) fn send(&self, location: &str, limits: &str) {
        #[cfg(feature = "tokio")]
        self.0.send(&format!(
            "HTTP/1.1 104 Upload Resumption Supported\r\n\
             location: {location}\r\n\
             upload-draft-interop-version: {INTEROP_VERSION}\r\n\
             upload-limit: {limits}\r\n\r\n"
        ));
        let _ = (location, limits);
    }
}
