//! The errors of a repository, and the answers that clients get.

use std::error::Error;
use std::io;
use std::time::Duration;

use crate::refusal::RefusalCode;

type BoxError = Box<dyn Error + Send + Sync>;

/// The reason why a repository did not do its task.
///
/// `Display` is for the operator: it names the source of [`Unavailable`](Self::Unavailable),
/// [`Upload`](Self::Upload) and [`Internal`](Self::Internal). Clients get the kind of error, and
/// neither that text nor the source.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RepositoryError {
    /// No such Binary, no such version of it, or no content yet. The client gets 404.
    #[error("no such content")]
    NotFound,
    /// There was such content, and it was deleted. The client gets 410.
    #[error("the content was deleted")]
    Deleted,
    /// There is such content, and it is not to be read yet, a scan for instance not being done.
    /// The client gets 503, and tries again later.
    #[error("the content is not ready")]
    NotReady,
    /// The version has its content. The client gets 412.
    #[error("the version has been written already")]
    AlreadyWritten,
    /// No byte of the requested range exists. The client gets 416. Made by
    /// [`range_not_satisfiable`](Self::range_not_satisfiable).
    #[error("the range lies outside of the content, which has {length} bytes")]
    #[non_exhaustive]
    RangeNotSatisfiable {
        /// The content's length, in bytes.
        length: u64,
    },
    /// A part of a resumable upload does not begin at the upload's offset. The client gets 409.
    /// Made by [`offset_mismatch`](Self::offset_mismatch).
    #[error("the part does not begin at the upload's offset, which is {offset}")]
    #[non_exhaustive]
    OffsetMismatch {
        /// The upload's offset, in bytes.
        offset: u64,
    },
    /// No room for the content. The client gets 507.
    #[error("the storage is full")]
    StorageFull,
    /// The storage does not answer, or asks to be left alone for a while. The client gets 503.
    #[error("the storage is not available: {0}")]
    Unavailable(#[source] BoxError),
    /// The upload's stream ended with this error, which decides the answer to the client.
    #[error("the upload failed: {0}")]
    Upload(#[from] UploadError),
    /// Anything else. The client gets 500.
    #[error("the storage failed: {0}")]
    Internal(#[source] BoxError),
}

impl RepositoryError {
    /// No byte of the requested range exists, the content having `length` bytes.
    /// [`ByteRange::resolve`](super::ByteRange::resolve) makes this error.
    #[must_use]
    pub fn range_not_satisfiable(length: u64) -> Self {
        Self::RangeNotSatisfiable { length }
    }

    /// A part does not begin at the offset of its upload, which is `offset` bytes.
    #[must_use]
    pub fn offset_mismatch(offset: u64) -> Self {
        Self::OffsetMismatch { offset }
    }

    /// Wraps an error as [`Unavailable`](Self::Unavailable).
    pub fn unavailable(source: impl Into<BoxError>) -> Self {
        Self::Unavailable(source.into())
    }

    /// As [`unavailable`](Self::unavailable), of storage that named a time to come back: clients
    /// get that time as `Retry-After`, in whole seconds.
    pub fn busy(pause: Duration, source: impl Into<BoxError>) -> Self {
        Self::unavailable(Busy {
            pause,
            source: source.into(),
        })
    }

    /// The time after which to come back, if the storage named one.
    pub(crate) fn pause(&self) -> Option<Duration> {
        let Self::Unavailable(source) = self else {
            return None;
        };
        Some(source.downcast_ref::<Busy>()?.pause)
    }

    /// Wraps an error as [`Internal`](Self::Internal).
    pub fn internal(source: impl Into<BoxError>) -> Self {
        Self::Internal(source.into())
    }

    /// The stable code that clients get, with which a host can say the same.
    #[must_use]
    pub fn code(&self) -> RefusalCode {
        match self {
            Self::NotFound => RefusalCode::NotFound,
            Self::Deleted => RefusalCode::Deleted,
            Self::AlreadyWritten => RefusalCode::AlreadyWritten,
            Self::NotReady => RefusalCode::NotReady,
            Self::RangeNotSatisfiable { .. } => RefusalCode::RangeNotSatisfiable,
            Self::OffsetMismatch { .. } => RefusalCode::OffsetMismatch,
            Self::StorageFull => RefusalCode::StorageFull,
            Self::Unavailable(_) => RefusalCode::Unavailable,
            Self::Upload(error) => error.code(),
            Self::Internal(_) => RefusalCode::Internal,
        }
    }
}

/// The storage is not available, for a time that it has named.
#[derive(Debug, thiserror::Error)]
#[error("{source}, for {} seconds", pause.as_secs())]
struct Busy {
    pause: Duration,
    source: BoxError,
}

impl RepositoryError {
    /// The kind of error that an error of the operating system becomes.
    pub(crate) fn of_io(error: &io::Error) -> fn(BoxError) -> Self {
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => |_| Self::StorageFull,
            io::ErrorKind::FileTooLarge => |_| UploadError::too_large(None).into(),
            _ if error.raw_os_error().is_some() => Self::Unavailable,
            _ => Self::Internal,
        }
    }
}

impl From<io::Error> for RepositoryError {
    /// A full disk or an exhausted quota is [`StorageFull`](Self::StorageFull). If the file system
    /// does not let a file grow any further, the upload is [`TooLarge`](UploadError::TooLarge). Any
    /// other error of the operating system, a failing disk or too many open files, is
    /// [`Unavailable`](Self::Unavailable). An error from anywhere else, such as a damaged file, is
    /// [`Internal`](Self::Internal). An error that means "not found" is for the repository to
    /// judge.
    fn from(error: io::Error) -> Self {
        Self::of_io(&error)(error.into())
    }
}

/// The reason why an upload ended without being whole. Nothing of it may become visible.
///
/// `Display` is for the operator: it names the source, if there is one.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum UploadError {
    /// It is longer than allowed. The client gets 413. Made by [`too_large`](Self::too_large).
    #[error("the upload is longer than allowed")]
    #[non_exhaustive]
    TooLarge {
        /// The limit, in bytes; `None` if another layer imposed it.
        limit: Option<u64>,
    },
    /// It has no content. The client gets 400.
    #[error("the upload is empty")]
    Empty,
    /// The connection broke, or the content is shorter than announced. The client gets 400.
    #[error("the upload is incomplete{}", cause(.0.as_deref()))]
    Incomplete(#[source] Option<BoxError>),
    /// No more content arrived in time. The client gets 408.
    #[error("the upload stalled: {0}")]
    Timeout(#[source] BoxError),
    /// The host's policy has seen the content, and does not want it. The source is its
    /// [`Denial`](crate::Denial), which is the answer to the client.
    #[error("the policy does not accept the upload: {0}")]
    Rejected(#[source] BoxError),
    /// The content is not what `Content-Digest` or `Repr-Digest` announced. The client gets 400.
    #[error("the upload does not have the digest that was announced")]
    DigestMismatch,
}

impl UploadError {
    /// The upload is longer than `limit` bytes, or than another layer's limit, which is not known.
    #[must_use]
    pub fn too_large(limit: Option<u64>) -> Self {
        Self::TooLarge { limit }
    }

    /// The stable code that clients get.
    #[must_use]
    pub fn code(&self) -> RefusalCode {
        match self {
            Self::TooLarge { .. } => RefusalCode::TooLarge,
            Self::Empty => RefusalCode::EmptyBody,
            Self::Incomplete(_) => RefusalCode::IncompleteBody,
            Self::Timeout(_) => RefusalCode::UploadTimeout,
            Self::Rejected(_) => RefusalCode::Rejected,
            Self::DigestMismatch => RefusalCode::DigestMismatch,
        }
    }
}

/// As it follows an error's own text.
fn cause(source: Option<&(dyn Error + Send + Sync)>) -> String {
    source
        .map(|source| format!(": {source}"))
        .unwrap_or_default()
}
