//! Who may have a presigned URL, on which terms, and whether it may still be used.

use std::borrow::Cow;
use std::error::Error;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use http::request::Parts;
use http::{Extensions, HeaderMap, HeaderValue, Response};

use crate::binary::BinaryId;
use crate::filename::Filename;
use crate::outcome::{Code, Refusal};
use crate::store::Target;
use crate::url::{Access, Grant};

/// The host's rights check.
///
/// An `async fn(MintRequest) -> Result<Terms, Denial>` is a policy, and so is a closure that
/// returns such a future. Implement the trait itself to also decide, each time a URL is used,
/// whether it may still be.
///
/// ```
/// use tower_presign::{Access, Denial, MintRequest, Terms};
///
/// #[derive(Clone)]
/// struct User { may_write: bool } // what the host's authentication adds to a request
///
/// async fn authorize(request: MintRequest) -> Result<Terms, Denial> {
///     match request.extensions().get::<User>() {
///         None => Err(Denial::login_required()),
///         Some(user) if request.access() == Access::Write && !user.may_write => {
///             Err(Denial::forbidden())
///         }
///         Some(_) => Ok(Terms::new()),
///     }
/// }
/// # fn assert_policy(_: impl tower_presign::AccessPolicy) {}
/// # assert_policy(authorize);
/// ```
///
/// An `async` closure that captures nothing is a policy too. One that captures something must
/// return an `async` block that owns what it needs: an `async` closure lends its captures to its
/// futures, and these outlive the call.
///
/// ```
/// # use std::sync::Arc;
/// # use tower_presign::{AccessPolicy, Denial, MintRequest, Terms};
/// # fn assert_policy(_: impl AccessPolicy) {}
/// assert_policy(async |_: MintRequest| Ok(Terms::new()));
///
/// let allowed = Arc::new(["scan-7".to_owned()]);
/// assert_policy(move |request: MintRequest| {
///     let allowed = Arc::clone(&allowed);
///     async move {
///         let is_allowed = allowed.iter().any(|id| id == request.id().as_str());
///         is_allowed.then(Terms::new).ok_or(Denial::forbidden())
///     }
/// });
/// ```
pub trait AccessPolicy: Send + Sync + 'static {
    /// Whether the caller may have the URL, and on which terms.
    ///
    /// Runs before anything is looked up, so a denial tells nothing about what exists.
    fn mint(&self, request: MintRequest) -> impl Future<Output = Result<Terms, Denial>> + Send;

    /// Whether a genuine, unexpired URL may be used now. Runs before any content is touched.
    ///
    /// The place for revocation and audit. Default: yes.
    fn redeem(
        &self,
        request: RedeemRequest<'_>,
    ) -> impl Future<Output = Result<(), Denial>> + Send {
        let _ = request;
        async { Ok(()) }
    }
}

impl<F, Fut> AccessPolicy for F
where
    F: Fn(MintRequest) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<Terms, Denial>> + Send,
{
    fn mint(&self, request: MintRequest) -> impl Future<Output = Result<Terms, Denial>> + Send {
        self(request)
    }
}

/// **Gives everyone a URL to read and to write everything.** For tests and demonstrations, or
/// behind a layer that lets nobody unauthorised through to the operation.
#[derive(Debug, Clone, Copy, Default)]
pub struct AllowAll;

impl AccessPolicy for AllowAll {
    async fn mint(&self, _: MintRequest) -> Result<Terms, Denial> {
        Ok(Terms::new())
    }
}

/// A request for a presigned URL. It is owned, so that an `async fn` can be a policy.
///
/// Its `Debug` form leaves out the headers, where credentials are.
pub struct MintRequest {
    parts: Parts,
    target: Target,
}

impl MintRequest {
    /// A request as the layer makes it: to test a policy with.
    #[must_use]
    pub fn new(parts: Parts, target: Target) -> Self {
        Self { parts, target }
    }

    /// What the URL is asked for.
    #[must_use]
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// The Binary: short for `target().id()`.
    #[must_use]
    pub fn id(&self) -> BinaryId {
        self.target.id()
    }

    /// Whether to read or to write: short for `target().access()`.
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

    /// What the URL allows.
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

/// On which terms a URL is given. What is not set is as the layer is configured.
#[derive(Debug, Clone, Default)]
pub struct Terms {
    pub(crate) lifetime: Option<Duration>,
    pub(crate) max_length: Option<u64>,
    pub(crate) filename: Option<Filename>,
    pub(crate) attachment: bool,
    pub(crate) context: Option<Box<str>>,
}

impl Terms {
    /// The layer's defaults.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// For how long the URL is valid, in whole seconds: at least 1, and at most the signer's
    /// maximum lifetime, to which longer ones are cut. The layer's
    /// [`expiry_granularity`](crate::PresignLayer::expiry_granularity), if it has one, adds to it.
    #[must_use]
    pub fn lifetime(mut self, lifetime: Duration) -> Self {
        self.lifetime = Some(lifetime);
        self
    }

    /// The longest upload, in bytes. The layer's own limit holds in any case.
    #[must_use]
    pub fn max_length(mut self, bytes: u64) -> Self {
        self.max_length = Some(bytes);
        self
    }

    /// The name under which browsers save a download, made safe as [`Filename::new`] tells; none
    /// when nothing remains.
    #[must_use]
    pub fn filename(mut self, name: impl AsRef<str>) -> Self {
        self.filename = Filename::new(name);
        self
    }

    /// Have browsers save the download, even if they could show it.
    #[must_use]
    pub fn attachment(mut self) -> Self {
        self.attachment = true;
        self
    }

    /// Tells the repository more about the caller than the Binary's id, a tenant for instance:
    /// it arrives as [`Target::context`](crate::store::Target::context) in
    /// [`locate`](crate::store::BinaryRepository::locate).
    #[must_use]
    pub fn context(mut self, context: impl Into<Box<str>>) -> Self {
        self.context = Some(context.into());
        self
    }
}

/// Why a URL is not given, or may not be used.
#[derive(Debug, Clone)]
pub struct Denial(Refusal);

impl Denial {
    /// The caller is not known: 401 `login-required`, with `WWW-Authenticate: Bearer` unless
    /// [`with_challenge`](Self::with_challenge) says otherwise.
    #[must_use]
    pub fn login_required() -> Self {
        Self::with_challenge(HeaderValue::from_static("Bearer"))
    }

    /// As [`login_required`](Self::login_required), with another `WWW-Authenticate` value
    /// (RFC 9110 §11.6.1).
    #[must_use]
    pub fn with_challenge(challenge: HeaderValue) -> Self {
        Self(Refusal::login_required(challenge))
    }

    /// The caller is known, and may not: 403 `forbidden`.
    #[must_use]
    pub fn forbidden() -> Self {
        Self(Code::Forbidden.into())
    }

    /// As [`forbidden`](Self::forbidden), with a sentence for the caller's developers. It is sent
    /// as it is: it should not say what exists.
    #[must_use]
    pub fn forbidden_because(reason: impl Into<Cow<'static, str>>) -> Self {
        Self(Refusal::because(Code::Forbidden, reason))
    }

    /// The rights cannot be checked right now: 503 `unavailable`. The `source` is for the operator
    /// alone: it is the `error` of an event (feature `tracing`), and clients are never told.
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
        Self(Refusal::from(Code::Unavailable).with_source(source.into()))
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
        write!(f, "{}: {}", self.0.code.row().code, self.0.diagnostics())
    }
}

impl Error for Denial {
    /// What [`unavailable`](Self::unavailable) was given.
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.source()
    }
}

impl From<Denial> for Refusal {
    fn from(denial: Denial) -> Self {
        denial.0
    }
}

type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// [`AccessPolicy`] in the form that can be a trait object.
pub(crate) trait ErasedPolicy: Send + Sync {
    fn mint(&self, request: MintRequest) -> BoxFuture<'_, Result<Terms, Denial>>;
    fn redeem<'a>(&'a self, request: RedeemRequest<'a>) -> BoxFuture<'a, Result<(), Denial>>;
}

impl<P: AccessPolicy> ErasedPolicy for P {
    fn mint(&self, request: MintRequest) -> BoxFuture<'_, Result<Terms, Denial>> {
        Box::pin(AccessPolicy::mint(self, request))
    }

    fn redeem<'a>(&'a self, request: RedeemRequest<'a>) -> BoxFuture<'a, Result<(), Denial>> {
        Box::pin(AccessPolicy::redeem(self, request))
    }
}
