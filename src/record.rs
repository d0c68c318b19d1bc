//! What is learnt of a request on its way, to be told as one event at its end. Without the feature
//! `tracing` nothing is kept and nothing told.

use std::error::Error;
#[cfg(feature = "tracing")]
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};
use std::time::Instant;

use http::StatusCode;

use crate::binary::{BinaryId, VersionId};
use crate::outcome::{Code, Refusal};
use crate::repository::RepositoryError;
use crate::url::{Access, Grant, PresignedUrl, key_id};

/// One request's record. It is told once: when something ends the request, or else, as that of
/// a client who went away, when it is dropped. The default is one that has been told.
#[derive(Default)]
pub(crate) struct Record {
    #[cfg(feature = "tracing")]
    untold: Option<Box<Facts>>,
}

/// What there is to tell. None of it lets anyone in, or names a patient.
#[cfg_attr(not(feature = "tracing"), expect(dead_code))]
pub(crate) struct Facts {
    pub(crate) started: Instant,
    pub(crate) event: Option<Event>,
    pub(crate) id: Option<BinaryId>,
    pub(crate) version: Option<VersionId>,
    pub(crate) access: Option<Access>,
    pub(crate) key_id: Option<Box<str>>,
    pub(crate) status: Option<StatusCode>,
    pub(crate) content: Counter,
}

/// What happens in a request. That nothing does is a refusal, or a preflight.
#[derive(Clone, Copy)]
pub(crate) enum Event {
    Mint,
    Refusal,
    Download,
    Upload,
}

/// How a request ends.
#[derive(Clone, Copy)]
#[cfg_attr(not(feature = "tracing"), expect(dead_code))]
pub(crate) enum End<'a> {
    Complete,
    Aborted,
    Failed(Code, Option<&'a (dyn Error + 'static)>),
}

impl Record {
    pub(crate) fn new() -> Self {
        Self {
            #[cfg(feature = "tracing")]
            untold: Some(Box::new(Facts {
                started: Instant::now(),
                event: None,
                id: None,
                version: None,
                access: None,
                key_id: None,
                status: None,
                content: Counter::default(),
            })),
        }
    }

    /// What the operation is called on.
    pub(crate) fn subject(&mut self, id: BinaryId, version: Option<VersionId>) {
        self.note(|facts| {
            facts.id = Some(id);
            facts.version = version;
        });
    }

    /// What the operation is asked for.
    pub(crate) fn access(&mut self, access: Access) {
        self.note(|facts| facts.access = Some(access));
    }

    pub(crate) fn minted(&mut self, grant: &Grant, presigned: &PresignedUrl) {
        self.note(|facts| {
            facts.event = Some(Event::Mint);
            facts.version = Some(grant.key.version());
            facts.key_id = key_id(presigned.as_str()).map(Into::into);
        });
    }

    /// What a genuine URL is for, whether it still holds or not.
    pub(crate) fn granted(&mut self, grant: &Grant, url: &str) {
        self.note(|facts| {
            facts.event = Some(match grant.access() {
                Access::Read => Event::Download,
                Access::Write => Event::Upload,
            });
            facts.id = Some(grant.key.id());
            facts.version = Some(grant.key.version());
            facts.access = Some(grant.access());
            facts.key_id = key_id(url).map(Into::into);
        });
    }

    /// The client gets this status. What it gets is not a refusal.
    pub(crate) fn answered(&mut self, status: StatusCode) {
        self.note(|facts| facts.status = Some(status));
    }

    /// So much of a download has been handed to the server.
    pub(crate) fn sent(&mut self, bytes: usize) {
        self.note(|facts| facts.content.add(bytes));
    }

    /// Counts what arrives of an upload.
    pub(crate) fn counter(&mut self) -> Counter {
        let mut counter = Counter::default();
        self.note(|facts| counter = facts.content.clone());
        counter
    }

    pub(crate) fn complete(&mut self) {
        self.tell(End::Complete);
    }

    pub(crate) fn refused(&mut self, refusal: &Refusal) {
        self.note(|facts| {
            facts.status = Some(refusal.code.row().status);
            // An upload of which something had arrived has failed, rather than been refused.
            if facts.content.bytes() == 0 {
                facts.event = Some(Event::Refusal);
            }
        });
        self.tell(End::Failed(refusal.code, refusal.source()));
    }

    /// Something went wrong that no answer can tell of.
    pub(crate) fn failed(&mut self, error: &RepositoryError) {
        let source = match error {
            RepositoryError::Unavailable(source) | RepositoryError::Internal(source) => {
                Some(&**source as &(dyn Error + 'static))
            }
            _ => None,
        };
        self.tell(End::Failed(error.into(), source));
    }
}

#[cfg(feature = "tracing")]
impl Record {
    fn note(&mut self, note: impl FnOnce(&mut Facts)) {
        if let Some(facts) = &mut self.untold {
            note(facts);
        }
    }

    fn tell(&mut self, end: End<'_>) {
        if let Some(facts) = self.untold.take() {
            crate::events::tell(&facts, end);
        }
    }
}

#[cfg(not(feature = "tracing"))]
#[expect(clippy::unused_self, reason = "there is nothing to note it in")]
impl Record {
    fn note(&mut self, _: impl FnOnce(&mut Facts)) {}

    fn tell(&mut self, _: End<'_>) {}
}

impl Drop for Record {
    fn drop(&mut self) {
        self.tell(End::Aborted);
    }
}

/// Counts bytes where the record itself cannot be: with the repository.
#[derive(Clone, Default)]
pub(crate) struct Counter {
    #[cfg(feature = "tracing")]
    bytes: Arc<AtomicU64>,
}

#[cfg(feature = "tracing")]
impl Counter {
    pub(crate) fn add(&self, bytes: usize) {
        self.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }
}

#[cfg(not(feature = "tracing"))]
#[expect(clippy::unused_self, reason = "nobody asks")]
impl Counter {
    pub(crate) fn add(&self, _: usize) {}

    pub(crate) fn bytes(&self) -> u64 {
        0
    }
}
