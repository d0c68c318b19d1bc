//! [`Denial`]: a policy's no.

use std::borrow::Cow;
use std::error::Error;
use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use http::header::RETRY_AFTER;
use http::{HeaderValue, Response};

use crate::fhir::Refusal;
use crate::refusal::RefusalCode;
use crate::store::RepositoryError;

/// The reason why a URL is not given, or may not be used, or why an upload is not taken.
#[derive(Debug, Clone)]
pub struct Denial(Refusal);

impl Denial {
    /// The caller is not known: 401 `login-required`, with `WWW-Authenticate: Bearer`.
    #[must_use]
    pub fn login_required() -> Self {
        Self::login_required_by(HeaderValue::from_static("Bearer"))
    }

    /// As [`login_required`](Self::login_required), with another `WWW-Authenticate` value
    /// (RFC 9110 §11.6.1).
    #[must_use]
    pub fn login_required_by(challenge: HeaderValue) -> Self {
        Self(Refusal::login_required(challenge))
    }

    /// The caller is known, and may not: 403 `forbidden`. For a URL that has been revoked too, in
    /// [`redeem`](crate::AccessPolicy::redeem), as
    /// `Denial::forbidden().because("This URL has been revoked.")`.
    #[must_use]
    pub fn forbidden() -> Self {
        Self(RefusalCode::Forbidden.into())
    }

    /// There is no such Binary: 404 `not-found`, for callers who may not know that there is one.
    #[must_use]
    pub fn not_found() -> Self {
        Self(RefusalCode::NotFound.into())
    }

    /// There was such a Binary, and it is no more: 410 `deleted`.
    #[must_use]
    pub fn gone() -> Self {
        Self(RefusalCode::Deleted.into())
    }

    /// The upload is not wanted: 422 `rejected`, for [`accept`](crate::AccessPolicy::accept).
    #[must_use]
    pub fn rejected() -> Self {
        Self(RefusalCode::Rejected.into())
    }

    /// The caller asks too often: 429 `too-many-requests`, with `Retry-After` in whole seconds,
    /// at least 1 (RFC 6585 §4).
    #[must_use]
    pub fn too_many_requests(retry_after: Duration) -> Self {
        let seconds = HeaderValue::from(retry_after.as_secs().max(1));
        Self(Refusal::from(RefusalCode::TooManyRequests).with_header(RETRY_AFTER, seconds))
    }

    /// The rights cannot be checked right now: 503 `unavailable`. The `source` is for the operator
    /// alone: it is the `error` of an event (feature `tracing`), and clients never see it.
    ///
    /// ```
    /// use std::io;
    /// use tower_presign::Denial;
    ///
    /// fn check_rights() -> Result<(), Denial> {
    ///     ask_the_rights_service().map_err(Denial::unavailable)
    /// }
    /// # fn ask_the_rights_service() -> io::Result<()> { Err(io::ErrorKind::ConnectionRefused.into()) }
    /// # assert!(std::error::Error::source(&check_rights().unwrap_err()).is_some());
    /// ```
    #[must_use]
    pub fn unavailable(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self(Refusal::from(RefusalCode::Unavailable).with_source(source.into()))
    }

    /// Adds a sentence for the caller's developers, as the `diagnostics` of the `OperationOutcome`.
    /// It is sent as it is: it should not reveal what exists. The page that a person in a browser
    /// gets instead of the outcome does not show it.
    #[must_use]
    pub fn because(self, reason: impl Into<Cow<'static, str>>) -> Self {
        Self(self.0.with_diagnostics(reason))
    }

    /// The stable code that the caller gets.
    #[must_use]
    pub fn code(&self) -> RefusalCode {
        self.0.code
    }

    /// The `OperationOutcome` that the layer itself would answer with, for handlers of the host
    /// that deny something too. As with
    /// [`RepositoryError::into_response`](crate::store::RepositoryError::into_response), the
    /// body is of any type that bytes can become, and the source is not in it.
    #[must_use]
    pub fn into_response<B: From<Bytes>>(self) -> Response<B> {
        self.0.into_response()
    }
}

/// The stable code, and the sentence for developers.
impl fmt::Display for Denial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.0.code.as_str(), self.0.diagnostics())
    }
}

impl Error for Denial {
    /// The source that [`unavailable`](Self::unavailable) was given.
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.source()
    }
}

/// As the layer itself would answer it: for a policy over the host's own records.
///
/// In [`mint`](crate::AccessPolicy::mint), `?` hands it to callers whose rights are not checked yet.
/// [`Deleted`](RepositoryError::Deleted) against [`NotFound`](RepositoryError::NotFound) then shows
/// strangers that there was such a Binary. So look its patient up among deleted rows too, and give
/// [`not_found`](Denial::not_found) for both until the rights are known.
impl From<RepositoryError> for Denial {
    fn from(error: RepositoryError) -> Self {
        Self(error.into())
    }
}

impl From<Refusal> for Denial {
    fn from(refusal: Refusal) -> Self {
        Self(refusal)
    }
}

impl From<Denial> for Refusal {
    fn from(denial: Denial) -> Self {
        denial.0
    }
}
