//! [`Ending`]: the way in which a request ended.

use crate::refusal::RefusalCode;

/// The way in which a request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Ending {
    /// All of the answer was handed to the server, or the upload was stored.
    Complete,
    /// The client left before that.
    Aborted,
    /// The client was refused, or the repository failed while the content was on its way.
    Failed(RefusalCode),
}

impl Ending {
    /// `ok`, `aborted`, or the refusal's code: as the events have it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Complete => "ok",
            Self::Aborted => "aborted",
            Self::Failed(code) => code.as_str(),
        }
    }
}
