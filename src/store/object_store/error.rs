//! The meaning of a store's errors.

use std::error::Error;
use std::fmt;
use std::iter;
use std::time::Duration;

use http::StatusCode;
use object_store::Error as StoreError;

use crate::store::RepositoryError;

/// The client's first words about an answer that is no success. The type of that error is not
/// public, and has the status nowhere else. A test compares them with a server's answers.
const STATUS: &str = "Server returned non-2xx status code: ";

/// The client's words for a bucket that is elsewhere: this happens if its region is wrong.
const REDIRECTION: &str = "Received redirect without LOCATION";

/// The words of the stores in this process for a range that lies outside. That type is not public
/// either.
const OUTSIDE: &str = "Wanted range starting at ";

/// The kinds of requests to a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Action {
    /// To look at an object without its content: the answer to a failure has no text then.
    Look,
    Get,
    Put,
    Delete,
    /// To abort an upload in parts.
    Abort,
    List,
    Sign,
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Look => "look at an object",
            Self::Get => "read an object",
            Self::Put => "put an object",
            Self::Delete => "delete an object",
            Self::Abort => "abort an upload in parts",
            Self::List => "list objects",
            Self::Sign => "sign a URL",
        })
    }
}

impl Action {
    /// The right that it needs, as Amazon names it.
    fn right(self) -> &'static str {
        match self {
            Self::Look | Self::Get => "s3:GetObject",
            Self::Put => "s3:PutObject",
            Self::Delete => "s3:DeleteObject",
            Self::Abort => "s3:AbortMultipartUpload",
            Self::List => "s3:ListBucket",
            Self::Sign => "to sign",
        }
    }
}

/// The reason why a call to the store failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum Fault {
    #[error("the store was asked to {action}, and did not answer in {} seconds", limit.as_secs())]
    Late { action: Action, limit: Duration },
    #[error("the store was asked to {action}: {meaning}")]
    Answer {
        action: Action,
        meaning: Meaning,
        #[source]
        source: StoreError,
    },
    #[error("the store broke off in the middle of an object")]
    Short,
    #[error("the object is gone, or another, before all of it was read")]
    Gone,
}

/// The store asked to be left alone, and is, for this long.
#[derive(Debug, thiserror::Error)]
#[error("the store asks to be left alone, still for {} seconds", .0.as_secs())]
pub(super) struct Closed(pub(super) Duration);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meaning {
    /// There is no such object, and it is certain.
    Absent,
    /// There is such an object already.
    Taken,
    /// The object is no longer the one that was asked for.
    Changed,
    /// The content has no such range.
    OutsideRange,
    NotSupported,
    NoBucket,
    /// The parts of an upload have gone.
    NoUpload,
    /// A 404 that does not say what is missing, as of a proxy.
    Unclear,
    Denied(&'static str),
    Full,
    Refused,
    /// Not reached, overloaded, or broken off.
    Unavailable,
}

impl fmt::Display for Meaning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Absent => "there is no such object",
            Self::Taken => "there is such an object already",
            Self::Changed => "it is not the object that it was",
            Self::OutsideRange => "it has no such range",
            Self::NotSupported => "it cannot",
            Self::NoBucket => "there is no such bucket",
            Self::NoUpload => "the parts of the upload are gone",
            Self::Unclear => "it answered 404 and did not say what is missing",
            Self::Denied(right) => {
                return write!(
                    f,
                    "it refused; the credentials are wrong, or lack a right ({right})"
                );
            }
            Self::Full => "it is full",
            Self::Refused => "it refused",
            Self::Unavailable => "it is not available",
        })
    }
}

impl Fault {
    pub(super) fn new(action: Action, source: StoreError) -> Self {
        Self::Answer {
            action,
            meaning: meaning(action, &source),
            source,
        }
    }

    pub(super) fn late(action: Action, limit: Duration) -> Self {
        Self::Late { action, limit }
    }

    /// True if it shows that the store is there.
    pub(super) fn is_of_the_store(&self) -> bool {
        match self {
            Self::Answer {
                meaning, source, ..
            } => *meaning != Meaning::Unavailable || Answer::of(source).is_some(),
            Self::Late { .. } | Self::Short | Self::Gone => false,
        }
    }

    /// True if it says that there is no object, or no upload, to work on.
    pub(super) fn is_of_nothing(&self) -> bool {
        matches!(self.meaning(), Meaning::Absent | Meaning::NoUpload)
    }

    /// The time for which the store is to be left alone.
    fn pause(&self) -> Option<Duration> {
        let Self::Answer { source, .. } = self else {
            return None;
        };
        causes(source).find_map(|cause| Some(cause.downcast_ref::<Closed>()?.0))
    }

    pub(super) fn meaning(&self) -> Meaning {
        match self {
            Self::Answer { meaning, .. } => *meaning,
            Self::Late { .. } | Self::Short => Meaning::Unavailable,
            Self::Gone => Meaning::Changed,
        }
    }
}

impl From<Fault> for RepositoryError {
    fn from(fault: Fault) -> Self {
        match fault.meaning() {
            Meaning::Absent => Self::NotFound,
            Meaning::Taken => Self::AlreadyWritten,
            Meaning::Full => Self::StorageFull,
            Meaning::Unavailable | Meaning::NoUpload => match fault.pause() {
                Some(pause) => Self::busy(pause, fault),
                None => Self::unavailable(fault),
            },
            // Refused credentials are among them, which are for the operator to mend.
            _ => Self::internal(fault),
        }
    }
}

fn meaning(action: Action, error: &StoreError) -> Meaning {
    let answer = Answer::of(error);
    match error {
        StoreError::NotFound { .. } => match &answer {
            // A store in this process.
            None => Meaning::Absent,
            Some(answer) => match answer.code() {
                Some("NoSuchKey" | "BlobNotFound") => Meaning::Absent,
                Some("NoSuchBucket" | "ContainerNotFound") => Meaning::NoBucket,
                Some("NoSuchUpload") => Meaning::NoUpload,
                // It may be the bucket that is missing. A caller that concludes that something
                // never was asks once more, for content.
                None if action == Action::Look => Meaning::Absent,
                _ => Meaning::Unclear,
            },
        },
        StoreError::AlreadyExists { .. } => Meaning::Taken,
        StoreError::Precondition { .. } => Meaning::Changed,
        StoreError::NotSupported { .. } | StoreError::NotImplemented { .. } => {
            Meaning::NotSupported
        }
        StoreError::PermissionDenied { .. } | StoreError::Unauthenticated { .. } => {
            Meaning::Denied(action.right())
        }
        StoreError::Generic { .. } if chain(error).any(|text| text.starts_with(OUTSIDE)) => {
            Meaning::OutsideRange
        }
        StoreError::Generic { .. } => match answer {
            None if chain(error).any(|text| text.contains("(code: AccessDenied)")) => {
                Meaning::Denied(action.right())
            }
            None if chain(error).any(|text| text.starts_with(REDIRECTION)) => Meaning::Refused,
            None => Meaning::Unavailable,
            Some(answer) => answer.meaning(action),
        },
        _ => Meaning::Refused,
    }
}

/// An answer of the store that is no success.
struct Answer {
    status: StatusCode,
    body: String,
}

impl Answer {
    fn of(error: &StoreError) -> Option<Self> {
        chain(error).find_map(|text| {
            let answer = text.strip_prefix(STATUS)?;
            Some(Self {
                status: answer.get(..3)?.parse().ok()?,
                body: answer.to_owned(),
            })
        })
    }

    /// The store's own code of the error, which S3, Azure and Google all send in an XML element.
    fn code(&self) -> Option<&str> {
        let (_, code) = self.body.split_once("<Code>")?;
        Some(code.split_once("</Code>")?.0)
    }

    /// S3 refuses these as a bad request.
    fn is_of_old_credentials(&self) -> bool {
        let codes = ["ExpiredToken", "InvalidToken", "TokenRefreshRequired"];
        self.code().is_some_and(|code| codes.contains(&code))
    }

    fn meaning(&self, action: Action) -> Meaning {
        match self.status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Meaning::Denied(action.right()),
            StatusCode::BAD_REQUEST if self.is_of_old_credentials() => {
                Meaning::Denied(action.right())
            }
            StatusCode::RANGE_NOT_SATISFIABLE => Meaning::OutsideRange,
            StatusCode::INSUFFICIENT_STORAGE => Meaning::Full,
            StatusCode::NOT_IMPLEMENTED => Meaning::NotSupported,
            StatusCode::NOT_FOUND if self.code() == Some("NoSuchBucket") => Meaning::NoBucket,
            StatusCode::NOT_FOUND if self.code() == Some("ContainerNotFound") => Meaning::NoBucket,
            StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS => Meaning::Unavailable,
            status if status.is_client_error() || status.is_redirection() => Meaning::Refused,
            _ => Meaning::Unavailable,
        }
    }
}

fn chain(error: &StoreError) -> impl Iterator<Item = String> {
    causes(error).map(ToString::to_string)
}

fn causes(error: &StoreError) -> impl Iterator<Item = &(dyn Error + 'static)> {
    let first: &(dyn Error + 'static) = error;
    iter::successors(Some(first), |&cause| cause.source())
}
