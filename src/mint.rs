//! Minting, without HTTP.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::Response;
use http::request::Parts;

use crate::events::RequestEvent;
use crate::fhir::Refusal;
use crate::id::UrlId;
use crate::policy::{AccessPolicy, Denial, ErasedPolicy, MintRequest, Minted, Terms};
use crate::refusal::RefusalCode;
use crate::store::{BinaryRepository, BoxRepository, Located, RepositoryError, Target};
use crate::url::{
    Access, BaseUrl, Expires, Grant, InvalidBaseUrl, Permission, PresignedUrl, ReadTerms,
    UrlSigner, UrlVerifier, WriteTerms, unix_seconds,
};

/// The lifetime of a URL unless configured otherwise: 1 hour.
const DEFAULT_LIFETIME: Duration = Duration::from_secs(60 * 60);

/// The longest upload unless configured otherwise, in bytes: 5 GiB, as for a PUT to S3.
pub(crate) const DEFAULT_MAX_UPLOAD: u64 = 5 * 1024 * 1024 * 1024;

pub(crate) type Clock = Arc<dyn Fn() -> SystemTime + Send + Sync>;

/// Mints presigned URLs without a request to the operation: for batches, for RPCs, and for hosts
/// that put URLs into resources of their own.
///
/// It is cheap to clone. [`PresignLayer::presigner`](crate::PresignLayer::presigner) returns that
/// of a layer. A server without the operation makes [one](Self::new).
///
/// Its methods take `&self`, so many URLs can be minted at once, with `join_all` of the crate
/// `futures` for instance.
///
/// ```
/// use tower_presign::{
///     Access, AllowAll, BinaryId, ContentType, MemoryRepository, Presigner, SigningKey, Target,
///     Terms, UrlSigner,
/// };
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let repository = MemoryRepository::new();
/// # repository.create(BinaryId::new("scan-7")?, ContentType::new("image/png")?)?;
/// let key = SigningKey::new("2026-11", b"a secret of 32 bytes, better random")?;
/// let signer = UrlSigner::new(key, "https://storage.example.com/binary")?;
/// let presigner = Presigner::new(signer, repository, AllowAll);
///
/// let target = Target::new(BinaryId::new("scan-7")?, Access::Read);
/// let url = presigner.presign(target, Terms::new()).await?;
/// assert!(url.as_str().starts_with("https://storage.example.com/binary/scan-7/1?"));
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
#[must_use]
pub struct Presigner {
    signer: UrlSigner,
    repository: BoxRepository,
    policy: Arc<dyn ErasedPolicy>,
    default_lifetime: Duration,
    expiry_granularity: Duration,
    max_upload: u64,
    redirects_to_storage: bool,
    clock: Clock,
    reference_bases: Arc<[Box<str>]>,
}

/// The party on whose behalf URLs are made.
#[derive(Clone)]
#[non_exhaustive]
pub enum Caller {
    /// The caller whose request this is: the policy is asked for each URL.
    Request(Arc<Parts>),
    /// The host itself, without a request: no policy is asked, and each URL is given on these
    /// terms. For exports, and for notifications of a subscription.
    Trusted(Terms),
}

impl From<&Parts> for Caller {
    fn from(parts: &Parts) -> Self {
        Self::Request(Arc::new(parts.clone()))
    }
}

impl From<Arc<Parts>> for Caller {
    fn from(parts: Arc<Parts>) -> Self {
        Self::Request(parts)
    }
}

impl From<Terms> for Caller {
    fn from(terms: Terms) -> Self {
        Self::Trusted(terms)
    }
}

/// The form without headers, where credentials are.
impl fmt::Debug for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Request(_) => f.debug_tuple("Request").finish_non_exhaustive(),
            Self::Trusted(terms) => f.debug_tuple("Trusted").field(terms).finish(),
        }
    }
}

/// The signer of a URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    /// The repository's storage, if it can.
    Any,
    /// This crate.
    Own,
}

/// The reason why no URL was minted for a caller.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MintError {
    /// The policy refuses.
    #[error("the policy refuses the URL")]
    Denied(#[from] Denial),
    /// The repository knows no such content, or fails.
    #[error("the repository cannot say what the URL is to point to")]
    Repository(#[from] RepositoryError),
}

impl Presigner {
    /// Mints with defaults for everything else.
    pub fn new(
        signer: UrlSigner,
        repository: impl BinaryRepository,
        policy: impl AccessPolicy,
    ) -> Self {
        Self {
            signer,
            repository: BoxRepository::new(repository),
            policy: Arc::new(policy),
            default_lifetime: DEFAULT_LIFETIME,
            expiry_granularity: Duration::ZERO,
            max_upload: DEFAULT_MAX_UPLOAD,
            redirects_to_storage: false,
            clock: Arc::new(SystemTime::now),
            reference_bases: Arc::new([]),
        }
    }

    /// The lifetime of a URL whose [`Terms`] set none, in whole seconds. Default: 1 hour.
    pub fn default_lifetime(mut self, lifetime: Duration) -> Self {
        self.default_lifetime = lifetime;
        self
    }

    /// Rounds expiries up to multiples of this many whole seconds; as
    /// [`PresignLayer::expiry_granularity`](crate::PresignLayer::expiry_granularity).
    pub fn expiry_granularity(mut self, granularity: Duration) -> Self {
        self.expiry_granularity = granularity;
        self
    }

    /// The longest upload that a URL grants, in bytes. Default: 5 GiB.
    pub fn max_upload(mut self, bytes: u64) -> Self {
        self.max_upload = bytes;
        self
    }

    /// The source of the time. Default: [`SystemTime::now`].
    pub fn clock(mut self, clock: impl Fn() -> SystemTime + Send + Sync + 'static) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// The FHIR base as clients know it (`https://health.example.com/fhir/R4`). When
    /// [attachments](crate::attachments) get URLs, references below it are to Binaries of this
    /// server, as relative references are. Default: relative references alone.
    ///
    /// It can be called again, for a server that has several.
    ///
    /// # Errors
    ///
    /// [`InvalidBaseUrl`] when the URL is not in the form that a storage base URL has.
    pub fn fhir_base_url(mut self, url: impl AsRef<str>) -> Result<Self, InvalidBaseUrl> {
        let url = BaseUrl::parse(url.as_ref())?;
        self.add_reference_base(url.as_str());
        Ok(self)
    }

    /// Also takes URLs below this base for references.
    pub(crate) fn add_reference_base(&mut self, base: &str) {
        let bases = self.reference_bases.iter().cloned();
        self.reference_bases = bases.chain([format!("{base}/").into()]).collect();
    }

    /// The beginnings of references that are not relative; each ends with a slash.
    pub(crate) fn reference_bases(&self) -> &[Box<str>] {
        &self.reference_bases
    }

    pub(crate) fn verifier(&self) -> &UrlVerifier {
        self.signer.verifier()
    }

    pub(crate) fn now(&self) -> SystemTime {
        (self.clock)()
    }

    /// True if a URL stays the same for a while.
    pub(crate) fn rounds_expiries(&self) -> bool {
        !self.expiry_granularity.is_zero()
    }

    /// Takes over the settings that minting shares with serving.
    pub(crate) fn share(&mut self, max_upload: u64, redirects_to_storage: bool, clock: &Clock) {
        self.max_upload = max_upload;
        self.redirects_to_storage = redirects_to_storage;
        self.clock = Arc::clone(clock);
    }

    pub(crate) fn parts(&self) -> (BoxRepository, Arc<dyn ErasedPolicy>) {
        (self.repository.clone(), Arc::clone(&self.policy))
    }

    /// Mints a URL without asking the policy.
    ///
    /// # Errors
    ///
    /// The repository's error, [`RepositoryError::NotFound`] for instance.
    pub async fn presign(
        &self,
        target: Target,
        terms: Terms,
    ) -> Result<PresignedUrl, RepositoryError> {
        let mut event = event_of(&target);
        match self.issue(target, terms, Source::Any).await {
            Ok((grant, presigned)) => {
                event.minted(&grant, &presigned);
                event.complete();
                Ok(presigned)
            }
            Err(error) => {
                event.failed(&error);
                Err(error)
            }
        }
    }

    /// Mints a URL for the caller of a request, if the policy agrees.
    ///
    /// The policy gets a copy of the request's parts, as if the caller had asked for the URL.
    ///
    /// # Errors
    ///
    /// [`MintError`], with the policy's denial or the repository's error.
    pub async fn presign_for(
        &self,
        caller: &Parts,
        target: Target,
    ) -> Result<PresignedUrl, MintError> {
        let mut event = event_of(&target);
        let caller = Arc::new(caller.clone());
        let presigned = self.mint(&caller, target, Source::Any, &mut event).await;
        conclude(event, &presigned);
        presigned
    }

    /// Mints a URL that stands in a resource. It is one of ours in any case, or it could not be
    /// recognised when the resource comes back.
    pub(crate) async fn presign_in_resource(
        &self,
        caller: &Caller,
        target: Target,
    ) -> Result<PresignedUrl, MintError> {
        let mut event = event_of(&target);
        let presigned = match caller {
            Caller::Request(parts) => self.mint(parts, target, Source::Own, &mut event).await,
            Caller::Trusted(terms) => self
                .issue(target, terms.clone(), Source::Own)
                .await
                .map(|(grant, presigned)| {
                    event.minted(&grant, &presigned);
                    presigned
                })
                .map_err(Into::into),
        };
        conclude(event, &presigned);
        presigned
    }

    /// Mints a URL if the policy agrees.
    #[expect(
        clippy::manual_async_fn,
        reason = "an `async fn` keeps its arguments twice, and each mint allocates them"
    )]
    pub(crate) fn mint<'a>(
        &'a self,
        caller: &'a Arc<Parts>,
        target: Target,
        source: Source,
        event: &'a mut RequestEvent,
    ) -> impl Future<Output = Result<PresignedUrl, MintError>> + Send + 'a {
        async move {
            let request = MintRequest::new(Arc::clone(caller), target.clone());
            let terms = self.policy.mint(request).await?;
            let (grant, presigned) = self.issue(target, terms, source).await?;
            let minted = Minted::new(caller, &grant, &presigned);
            self.policy.minted(minted).await?;
            event.minted(&grant, &presigned);
            Ok(presigned)
        }
    }

    /// Makes the URL for a caller who may have it.
    fn issue(
        &self,
        target: Target,
        mut terms: Terms,
        source: Source,
    ) -> impl Future<Output = Result<(Grant, PresignedUrl), RepositoryError>> + Send {
        let target = target.with_context(terms.context.take());
        async move {
            // Only a target to read has a version.
            let of_key = target.version().map(|version| target.key(version));
            let located = match of_key.and_then(|key| self.repository.located(&key)) {
                Some(located) => located,
                None => self.repository.locate(&target).await?,
            };
            let mut grant = self.grant(target.access(), located, terms);
            let is_once = matches!(&grant.permission, Permission::Read(terms) if terms.once);
            // A URL that is redirected at each use, or is for one use, is one of ours in any case.
            let is_own = self.redirects_to_storage || is_once || source == Source::Own;
            let offloaded = if is_own {
                None
            } else {
                self.repository.presign(&grant).await?
            };
            let presigned = offloaded.unwrap_or_else(|| self.signer.sign(&grant));
            // For the repository alone.
            grant.key.take_place();
            Ok((grant, presigned))
        }
    }

    fn grant(&self, access: Access, located: Located, terms: Terms) -> Grant {
        let is_once = terms.single_use && access == Access::Read;
        let permission: Permission = match access {
            Access::Read => ReadTerms {
                filename: terms.filename,
                attachment: terms.attachment,
                once: is_once,
            }
            .into(),
            Access::Write => WriteTerms::new(located.content_type)
                .with_max_length(terms.max_length.unwrap_or(u64::MAX).min(self.max_upload))
                .into(),
        };
        let key = match located.place {
            Some(place) => located.key.with_place(place),
            None => located.key,
        };
        let mut grant = Grant::new(key, permission, self.expiry(terms.lifetime));
        grant.id = terms.id.or_else(|| is_once.then(UrlId::random));
        grant
    }

    fn expiry(&self, lifetime: Option<Duration>) -> Expires {
        let now = unix_seconds((self.clock)());
        let lifetime = lifetime.unwrap_or(self.default_lifetime).as_secs().max(1);
        let latest = now.saturating_add(self.signer.max_lifetime().as_secs());
        let expires = now.saturating_add(lifetime);
        // Never beyond the time that a verifier accepts, even if that is no multiple.
        let rounded = expires
            .checked_next_multiple_of(self.expiry_granularity.as_secs().max(1))
            .unwrap_or(expires);
        Expires::at_unix_seconds(rounded.min(latest))
    }
}

fn conclude(mut event: RequestEvent, presigned: &Result<PresignedUrl, MintError>) {
    match presigned {
        Ok(_) => event.complete(),
        Err(MintError::Denied(denial)) => event.refused(&denial.clone().into()),
        Err(MintError::Repository(error)) => event.failed(error),
    }
}

fn event_of(target: &Target) -> RequestEvent {
    let mut event = RequestEvent::for_subscribers();
    event.subject(target.id(), target.version());
    event.access(target.access());
    event
}

impl MintError {
    /// The stable code that the caller of the operation would get.
    #[must_use]
    pub fn code(&self) -> RefusalCode {
        match self {
            Self::Denied(denial) => denial.code(),
            Self::Repository(error) => error.code(),
        }
    }

    /// The `OperationOutcome` that the operation would answer with; as
    /// [`RepositoryError::into_response`].
    #[must_use]
    pub fn into_response<B: From<Bytes>>(self) -> Response<B> {
        Refusal::from(self).into_response()
    }
}

impl From<MintError> for Refusal {
    fn from(error: MintError) -> Self {
        match error {
            MintError::Denied(denial) => denial.into(),
            MintError::Repository(error) => error.into(),
        }
    }
}

impl fmt::Debug for Presigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Presigner")
            .field("signer", &self.signer)
            .finish_non_exhaustive()
    }
}
