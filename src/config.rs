//! The settings of [`Presign`](crate::Presign), in two halves.

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use crate::mint::{Clock, DEFAULT_MAX_UPLOAD, Presigner};
use crate::policy::{ErasedLedger, ErasedPolicy};
use crate::store::BoxRepository;
use crate::turns::Turns;
use crate::uploads::Uploads;
use crate::url::{UrlSigner, UrlVerifier, WriteTerms, unix_seconds};

const DEFAULT_MAX_UPLOADS_AT_ONCE: usize = 256;

/// A day.
const DEFAULT_RESUME_LIFETIME: Duration = Duration::from_secs(24 * 60 * 60);

pub(crate) type IsTimeout = fn(&(dyn Error + 'static)) -> bool;

pub(crate) struct Config {
    /// `None`: the operation goes to the inner service.
    pub(crate) operation: Option<Arc<Operation>>,
    /// `None`: the storage path goes to the inner service.
    pub(crate) serving: Option<Arc<Serving>>,
}

/// The settings of the operation.
#[derive(Clone)]
pub(crate) struct Operation {
    pub(crate) presigner: Presigner,
    /// `None`: any.
    pub(crate) fhir_base: Option<BasePath>,
    pub(crate) describes_urls: bool,
    /// An upload at a write URL of our own may come in parts.
    pub(crate) resumes_uploads: bool,
    pub(crate) is_timeout: Vec<IsTimeout>,
}

/// The settings of serving.
#[derive(Clone)]
pub(crate) struct Serving {
    pub(crate) verifier: UrlVerifier,
    pub(crate) repository: BoxRepository,
    pub(crate) policy: Arc<dyn ErasedPolicy>,
    /// `None`: URLs for one download cannot be used.
    pub(crate) use_ledger: Option<Arc<dyn ErasedLedger>>,
    pub(crate) path: BasePath,
    pub(crate) max_upload: u64,
    pub(crate) uploads: Arc<Uploads>,
    pub(crate) max_uploads_at_once: usize,
    /// `None`: uploads do not come in parts.
    pub(crate) resumption: Option<Arc<Resumption>>,
    pub(crate) resume_lifetime: Duration,
    pub(crate) turns: Arc<Turns>,
    pub(crate) allows_empty_uploads: bool,
    pub(crate) caches_downloads: bool,
    pub(crate) redirects_to_storage: bool,
    pub(crate) clock: Clock,
    /// Each recognises an error that means that a request body stalled.
    pub(crate) is_timeout: Vec<IsTimeout>,
}

impl Serving {
    /// With defaults for everything else.
    pub(crate) fn new(
        verifier: UrlVerifier,
        repository: BoxRepository,
        policy: Arc<dyn ErasedPolicy>,
    ) -> Self {
        Self {
            path: BasePath::of(&verifier),
            verifier,
            repository,
            policy,
            use_ledger: None,
            max_upload: DEFAULT_MAX_UPLOAD,
            uploads: Arc::default(),
            max_uploads_at_once: DEFAULT_MAX_UPLOADS_AT_ONCE,
            resumption: None,
            resume_lifetime: DEFAULT_RESUME_LIFETIME,
            turns: Arc::default(),
            allows_empty_uploads: false,
            caches_downloads: false,
            redirects_to_storage: false,
            clock: Arc::new(SystemTime::now),
            is_timeout: Vec::new(),
        }
    }
}

/// The parts that only resumable uploads need.
pub(crate) struct Resumption {
    /// Signs the uploads' own URLs.
    pub(crate) signer: UrlSigner,
    /// In Unix seconds.
    last_sweep: AtomicU64,
}

impl Resumption {
    pub(crate) fn new(signer: UrlSigner) -> Self {
        Self {
            signer,
            last_sweep: AtomicU64::new(0),
        }
    }

    /// True if the last sweep was at least `interval` ago. A sweep is then taken to begin now.
    pub(crate) fn is_sweep_due(&self, now: SystemTime, interval: Duration) -> bool {
        let now = unix_seconds(now);
        let taken = self
            .last_sweep
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |last| {
                (now >= last.saturating_add(interval.as_secs())).then_some(now)
            });
        taken.is_ok()
    }
}

impl Serving {
    /// The longest upload on these terms, in bytes.
    pub(crate) fn max_length(&self, terms: &WriteTerms) -> u64 {
        terms.max_length.unwrap_or(u64::MAX).min(self.max_upload)
    }

    /// The lifetime of a resumable upload.
    pub(crate) fn resume_lifetime(&self) -> Duration {
        self.resume_lifetime.min(self.verifier.max_lifetime())
    }
}

/// A path that has others below it. It has a slash at its beginning, and none at its end. It is
/// empty for the root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BasePath(Box<str>);

/// A path that no request can be under.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "no request can be under {path:?}: its segment {segment:?} is empty, `.` or `..`, or has a \
    character that a path cannot have; write it as requests have it, as in /fhir/R4"
)]
#[non_exhaustive]
pub struct InvalidPath {
    /// The path.
    pub path: Box<str>,
    /// The first segment that is wrong.
    pub segment: Box<str>,
}

impl BasePath {
    /// Slashes at either end do not count.
    pub(crate) fn new(path: &str) -> Result<Self, InvalidPath> {
        let inner = path.trim_matches('/');
        if inner.is_empty() {
            return Ok(Self("".into()));
        }
        match inner.split('/').find(|segment| !is_segment(segment)) {
            None => Ok(Self(format!("/{inner}").into())),
            Some(segment) => Err(InvalidPath {
                path: path.into(),
                segment: segment.into(),
            }),
        }
    }

    /// The path of a storage base URL.
    pub(crate) fn of(verifier: &UrlVerifier) -> Self {
        Self(verifier.base_path().into())
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

/// True if a path is a base path, or below it.
///
/// Byte by byte, since most paths differ in one of the first: a call of `memcmp` takes longer.
#[inline]
pub(crate) fn is_below(path: &str, folder: &str) -> bool {
    let mut path = path.bytes();
    folder.bytes().all(|byte| path.next() == Some(byte)) && matches!(path.next(), None | Some(b'/'))
}

/// `pchar` of RFC 3986 §3.3, which includes percent-encoded characters.
fn is_segment(segment: &str) -> bool {
    let is_allowed = |b: u8| b.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@%".contains(&b);
    !matches!(segment, "" | "." | "..") && segment.bytes().all(is_allowed)
}
