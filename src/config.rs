//! What a [`PresignLayer`](crate::PresignLayer) is configured with.

use std::error::Error;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crate::policy::ErasedPolicy;
use crate::store::BoxRepository;
use crate::url::UrlSigner;

/// Which of the two halves a layer does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Halves {
    Both,
    OperationOnly,
    StorageOnly,
}

pub(crate) type IsTimeout = fn(&(dyn Error + 'static)) -> bool;
pub(crate) type Clock = Arc<dyn Fn() -> SystemTime + Send + Sync>;

#[derive(Clone)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "settings that have nothing to do with each other"
)]
pub(crate) struct Config {
    pub(crate) signer: UrlSigner,
    pub(crate) repository: BoxRepository,
    pub(crate) policy: Arc<dyn ErasedPolicy>,
    pub(crate) halves: Halves,
    /// Without a slash at its end. `None`: any.
    pub(crate) fhir_base: Option<String>,
    /// Without a slash at its end.
    pub(crate) storage_path: String,
    pub(crate) default_lifetime: Duration,
    pub(crate) expiry_granularity: Duration,
    pub(crate) max_upload: u64,
    pub(crate) allows_empty_uploads: bool,
    pub(crate) caches_downloads: bool,
    pub(crate) describes_urls: bool,
    pub(crate) redirects_to_storage: bool,
    pub(crate) clock: Clock,
    /// Which errors of a request body mean that it stalled.
    pub(crate) is_timeout: Vec<IsTimeout>,
}

impl Config {
    pub(crate) fn now(&self) -> SystemTime {
        (self.clock)()
    }
}
