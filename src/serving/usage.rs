//! The use of a URL from the policy's yes to its end.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use http::request::Parts;

use crate::config::Serving;
use crate::detached::detach;
use crate::ending::Ending;
use crate::events::Observer;
use crate::fhir::Refusal;
use crate::id::UrlId;
use crate::policy::{Accepting, Denial, ErasedLedger, ErasedPolicy, Settled};
use crate::refusal::RefusalCode;
use crate::store::{Acceptance, Arrived, RepositoryError, UploadError};
use crate::url::{Expires, Grant, Permission};

/// The use of a genuine URL. The policy learns of its end.
pub(super) struct Usage {
    pub(super) parts: Parts,
    /// Without the place of the content, which the policy never sees.
    pub(super) grant: Grant,
    policy: Arc<dyn ErasedPolicy>,
    ledger: Option<Arc<dyn ErasedLedger>>,
    is_reserved: AtomicBool,
    has_stored: AtomicBool,
}

/// A URL for one download came to a layer that cannot remember its use.
#[derive(Debug, thiserror::Error)]
#[error(
    "a URL for one download cannot be used, since this layer has no use ledger: give it one with \
    `use_ledger`"
)]
struct NoLedger;

impl Usage {
    pub(super) fn new(serving: &Serving, parts: Parts, grant: Grant) -> Arc<Self> {
        Arc::new(Self {
            parts,
            grant,
            policy: Arc::clone(&serving.policy),
            ledger: serving.use_ledger.clone(),
            is_reserved: AtomicBool::new(false),
            has_stored: AtomicBool::new(false),
        })
    }

    /// Reserves the use of a URL for one download, until its end is known.
    pub(super) async fn reserve(&self) -> Result<(), Refusal> {
        let Some(id) = self.single_use() else {
            return Ok(());
        };
        let ledger = self.ledger.as_deref();
        let ledger = ledger.ok_or_else(|| RepositoryError::internal(NoLedger))?;
        if ledger.reserve(id, moment(self.grant.expires)).await? {
            self.is_reserved.store(true, Ordering::Relaxed);
            Ok(())
        } else {
            Err(RefusalCode::Used.into())
        }
    }

    /// The content of the version is stored, by this request.
    pub(super) fn stored(&self) {
        self.has_stored.store(true, Ordering::Relaxed);
    }

    /// The id of a URL for one download.
    fn single_use(&self) -> Option<&UrlId> {
        match &self.grant.permission {
            Permission::Read(terms) if terms.once => self.grant.id.as_ref(),
            _ => None,
        }
    }

    /// Asks the policy whether an upload may become visible.
    pub(super) fn acceptance(self: &Arc<Self>) -> Acceptance {
        let usage = Arc::clone(self);
        Box::new(move |arrived: Arrived<'_>| {
            Box::pin(async move {
                let upload = Accepting::of(&usage.parts, &usage.grant, arrived);
                let accepted = usage.policy.accept(upload).await;
                accepted.map_err(|denial| UploadError::Rejected(denial.into()))
            })
        })
    }
}

/// The refusal that a client gets if the policy did not accept its upload.
pub(super) fn rejection(error: RepositoryError) -> Refusal {
    match error {
        RepositoryError::Upload(UploadError::Rejected(source)) => {
            match source.downcast::<Denial>() {
                Ok(denial) => (*denial).into(),
                Err(source) => Refusal::from(RefusalCode::Rejected).with_source(source),
            }
        }
        error => error.into(),
    }
}

/// Reports the end of a URL's use to the policy, and takes a reservation back that was not needed.
impl Observer for Usage {
    fn ended(self: Arc<Self>, ending: Ending, bytes: u64, duration: Duration) {
        let usage = self;
        detach(Box::pin(async move {
            // The first byte of content is out, and the URL is used up; or it is not.
            let is_reserved = usage.is_reserved.load(Ordering::Relaxed) && bytes == 0;
            if let (true, Some(ledger), Some(id)) = (is_reserved, &usage.ledger, usage.single_use())
            {
                ledger.release(id).await;
            }
            let (parts, grant) = (&usage.parts, &usage.grant);
            let settled = Settled::new(parts, grant, ending, bytes, duration)
                .with_has_stored(usage.has_stored.load(Ordering::Relaxed));
            usage.policy.settled(settled).await;
        }));
    }
}

fn moment(expires: Expires) -> SystemTime {
    let since_epoch = Duration::from_secs(expires.unix_seconds());
    // A time too far away for the addition has never been signed.
    SystemTime::UNIX_EPOCH
        .checked_add(since_epoch)
        .unwrap_or(SystemTime::UNIX_EPOCH)
}
