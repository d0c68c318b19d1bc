//! [`PresignLayer`]: what can be configured.

use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tower_layer::Layer;

use crate::binary::BinaryId;
use crate::config::{Config, Halves};
use crate::events::RequestEvent;
use crate::operation;
use crate::policy::{AccessPolicy, Terms};
use crate::service::Presign;
use crate::store::{BinaryRepository, BoxRepository, RepositoryError, Target};
use crate::url::{Access, PresignedUrl, UrlSigner};

/// The lifetime of a URL unless configured otherwise: 1 hour.
const DEFAULT_LIFETIME: Duration = Duration::from_secs(60 * 60);

/// The longest upload unless configured otherwise, in bytes: 5 GiB, as for a PUT to S3.
const DEFAULT_MAX_UPLOAD: u64 = 5 * 1024 * 1024 * 1024;

/// The layer that hands out presigned URLs, and serves them.
///
/// 1. `[base]/Binary/[id]/$presigned-url` is answered with a presigned URL, if the
///    [`AccessPolicy`] agrees.
/// 2. The storage path, which is the path of the signer's storage base URL and everything below
///    it, is served from the [`BinaryRepository`], if the URL's signature is right.
/// 3. Everything else goes to the inner service as it came.
///
/// It has no type parameters and is cheap to clone.
///
/// Put it **behind** the layers that find out who the caller is, so that the policy sees what they
/// found, but in front of those that refuse callers who are nobody: a presigned URL is used
/// without an account. CORS, body limits and timeouts go in front of it.
#[derive(Clone)]
#[must_use = "a layer does nothing until it is given a service"]
pub struct PresignLayer {
    config: Arc<Config>,
}

impl PresignLayer {
    /// A layer with defaults for everything else.
    ///
    /// There is no default policy: one that allows everything is
    /// [`AllowAll`](crate::AllowAll), to be asked for by name.
    pub fn new(
        signer: UrlSigner,
        repository: impl BinaryRepository,
        policy: impl AccessPolicy,
    ) -> Self {
        let storage_path = signer.base_path().to_owned();
        Self {
            config: Arc::new(Config {
                signer,
                repository: BoxRepository::new(repository),
                policy: Arc::new(policy),
                halves: Halves::Both,
                fhir_base: None,
                storage_path,
                default_lifetime: DEFAULT_LIFETIME,
                expiry_granularity: Duration::ZERO,
                max_upload: DEFAULT_MAX_UPLOAD,
                allows_empty_uploads: false,
                caches_downloads: false,
                describes_urls: false,
                redirects_to_storage: false,
                clock: Arc::new(SystemTime::now),
                is_timeout: Vec::new(),
            }),
        }
    }

    /// Mint only: the storage path goes to the inner service. For servers whose URLs another
    /// server serves, with the same keys and base URL.
    pub fn operation_only(self) -> Self {
        self.with(|config| config.halves = Halves::OperationOnly)
    }

    /// Serve only: the operation goes to the inner service.
    pub fn storage_only(self) -> Self {
        self.with(|config| config.halves = Halves::StorageOnly)
    }

    /// Answers the operation below this path alone (`/fhir/R4`). Default: below any.
    pub fn fhir_base(self, path: impl AsRef<str>) -> Self {
        let path = normal_path(path.as_ref());
        self.with(|config| config.fhir_base = Some(path))
    }

    /// The path under which requests for content arrive, where a proxy or a nested router has
    /// changed it. Default: the path of the storage base URL.
    ///
    /// A nested axum router needs a fallback of its own for the layer to see these requests.
    pub fn storage_path(self, path: impl AsRef<str>) -> Self {
        let path = normal_path(path.as_ref());
        self.with(|config| config.storage_path = path)
    }

    /// For how long a URL is valid whose [`Terms`] do not say, in whole seconds. Default: 1 hour.
    pub fn default_lifetime(self, lifetime: Duration) -> Self {
        self.with(|config| config.default_lifetime = lifetime)
    }

    /// Rounds expiries up to multiples of this many whole seconds, so that within each a URL
    /// minted twice is the same text, by which browsers can cache. Default: none.
    ///
    /// This lengthens every lifetime, also those that [`Terms`] set, by up to as much; never
    /// beyond the maximum lifetime.
    pub fn expiry_granularity(self, granularity: Duration) -> Self {
        self.with(|config| config.expiry_granularity = granularity)
    }

    /// The longest upload, in bytes, whatever a URL grants. Default: 5 GiB.
    pub fn max_upload(self, bytes: u64) -> Self {
        self.with(|config| config.max_upload = bytes)
    }

    /// Whether content may be empty. Default: no, since an empty upload is nearly always the
    /// mistake of a client that lost its content.
    pub fn allow_empty_uploads(self, allow: bool) -> Self {
        self.with(|config| config.allows_empty_uploads = allow)
    }

    /// Whether browsers may keep downloads, privately and for as long as the URL is valid.
    /// Default: no.
    pub fn cache_downloads(self, cache: bool) -> Self {
        self.with(|config| config.caches_downloads = cache)
    }

    /// Whether the operation tells more than the `url`: the `method` (`valueCode`), when it
    /// `expires` (`valueInstant`), and each `header` to send (parts `name` and `value`).
    /// Default: no.
    pub fn describe_urls(self, describe: bool) -> Self {
        self.with(|config| config.describes_urls = describe)
    }

    /// Whether a request that may be served is redirected (307) to a URL of the repository's
    /// storage that is valid for a minute, if the repository offers one
    /// ([`BinaryRepository::presign`]). URLs that are handed out then point here in any case, so
    /// that the policy is asked at each use. Default: no, and the repository's URLs are handed
    /// out themselves.
    ///
    /// Content is still served from here if the answer depends on what is there: to `HEAD`, and
    /// to a request with a condition. The two sources have entity tags of their own, so a client
    /// that resumes a redirected download gets it from the beginning; and what is redirected has
    /// the storage's headers and errors, not this layer's.
    ///
    /// An upload is redirected only if its client waits for an answer (`Expect: 100-continue`),
    /// says its length, has no digest, and sends the headers that the storage wants: with the
    /// repository for object stores, `If-None-Match: *` on S3. What the storage cannot bind it
    /// does not hold: on S3, who has been redirected may send up to 5 GiB in that minute.
    ///
    /// A page of another origin comes to the storage with the origin `null`: the storage's CORS
    /// rules must allow any.
    pub fn redirect_to_storage(self, redirect: bool) -> Self {
        self.with(|config| config.redirects_to_storage = redirect)
    }

    /// Where the time comes from. Default: [`SystemTime::now`].
    pub fn clock(self, clock: impl Fn() -> SystemTime + Send + Sync + 'static) -> Self {
        self.with(|config| config.clock = Arc::new(clock))
    }

    /// Tells that an error of this type in a request body means that the client stalled, so that
    /// the answer is 408 rather than 400. I/O errors of the kind `TimedOut` do so in any case.
    ///
    /// With tower-http's `RequestBodyTimeoutLayer` in front, the type is
    /// `tower_http::timeout::TimeoutError`.
    pub fn timeout_error<E: Error + 'static>(self) -> Self {
        self.with(|config| config.is_timeout.push(<dyn Error>::is::<E>))
    }

    /// Mints a URL without HTTP and without asking the policy: for batches, and for hosts that
    /// put URLs into resources of their own.
    ///
    /// # Errors
    ///
    /// What the repository says, [`RepositoryError::NotFound`] for instance.
    pub async fn presign(
        &self,
        id: BinaryId,
        access: Access,
        terms: Terms,
    ) -> Result<PresignedUrl, RepositoryError> {
        let mut event = RequestEvent::new();
        event.subject(id, None);
        event.access(access);
        let target = Target::new(id, access);
        match operation::issue(&self.config, target, terms, &mut event).await {
            Ok(presigned) => {
                event.complete();
                Ok(presigned)
            }
            Err(error) => {
                event.failed(&error);
                Err(error)
            }
        }
    }

    fn with(mut self, change: impl FnOnce(&mut Config)) -> Self {
        change(Arc::make_mut(&mut self.config));
        self
    }
}

impl<S> Layer<S> for PresignLayer {
    type Service = Presign<S>;

    fn layer(&self, inner: S) -> Presign<S> {
        Presign::new(inner, Arc::clone(&self.config))
    }
}

impl fmt::Debug for PresignLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PresignLayer")
            .field("signer", &self.config.signer)
            .field("storage_path", &self.config.storage_path)
            .field("fhir_base", &self.config.fhir_base)
            .finish_non_exhaustive()
    }
}

/// With a slash at its beginning, and none at its end.
fn normal_path(path: &str) -> String {
    match path.trim_matches('/') {
        "" => String::new(),
        path => format!("/{path}"),
    }
}
