//! [`AttachmentsLayer`]: its settings.

use std::fmt;
use std::sync::Arc;

use tower_layer::Layer;

use super::service::{Attachments, Settings};
use crate::config::BasePath;
use crate::mint::Presigner;

/// The most URLs in an answer unless configured otherwise. Further references stay.
const DEFAULT_MAX_URLS: usize = 10_000;

/// The layer that puts presigned URLs into a host's resources; the [module's docs](super) have its
/// rules.
///
/// [`PresignLayer::attachments`](crate::PresignLayer::attachments) makes one. It is cheap to clone.
#[derive(Clone)]
#[must_use = "a layer does nothing until it is given a service"]
pub struct AttachmentsLayer {
    settings: Arc<Settings>,
}

impl AttachmentsLayer {
    pub(crate) fn new(presigner: Presigner, fhir_base: Option<BasePath>) -> Self {
        let settings = Arc::new(Settings {
            presigner,
            fhir_base,
            max_urls: DEFAULT_MAX_URLS,
            redirects_reads: false,
        });
        Self { settings }
    }

    /// The most Binaries that the policy is asked for in one answer. References to more stay as
    /// they are, and an event of the level WARN has their number. Default: 10,000.
    pub fn max_urls(mut self, urls: usize) -> Self {
        Arc::make_mut(&mut self.settings).max_urls = urls;
        self
    }

    /// Leaves resources their references, which are stable. Instead, reads of the Binaries are
    /// redirected (307) to a read URL: `GET` and `HEAD` of `[base]/Binary/[id]`, and of a version
    /// of it, whose `Accept` names no format of FHIR. Default: no.
    ///
    /// The policy is asked as for the operation. If it denies the URL, or nothing is there, the
    /// request goes to the host, as one for the resource does. Requests get references in place of
    /// URLs as ever.
    ///
    /// A browser's `<img>` sends no token: its pictures need URLs in the resource, or a session.
    pub fn redirect_reads(mut self, redirect: bool) -> Self {
        Arc::make_mut(&mut self.settings).redirects_reads = redirect;
        self
    }
}

impl<S> Layer<S> for AttachmentsLayer {
    type Service = Attachments<S>;

    fn layer(&self, inner: S) -> Attachments<S> {
        Attachments::new(inner, Arc::clone(&self.settings))
    }
}

impl fmt::Debug for AttachmentsLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AttachmentsLayer")
            .field("presigner", &self.settings.presigner)
            .field("fhir_base", &self.settings.fhir_base)
            .field("max_urls", &self.settings.max_urls)
            .finish_non_exhaustive()
    }
}
