//! The facts of a request, gathered on its way. At its end they are emitted as one event (feature
//! `tracing`), and go to the request's observer, if it has one.

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use http::StatusCode;
#[cfg(feature = "tracing")]
use tracing::Level;

use crate::ending::Ending;
use crate::fhir::Refusal;
use crate::id::{BinaryId, UploadId, UrlId, VersionId};
#[cfg(feature = "tracing")]
use crate::refusal::RefusalCode;
use crate::store::RepositoryError;
use crate::url::{Access, Grant, PresignedUrl};

/// The event of a request. It ends once: when something ends the request, or else when it is
/// dropped, as that of a client that went away.
pub(crate) struct RequestEvent {
    /// `None` once it has ended.
    facts: Option<Box<Facts>>,
}

/// The facts of an event. None of them lets anyone in, or names a patient.
struct Facts {
    started: Instant,
    event: Option<Event>,
    id: Option<BinaryId>,
    version: Option<VersionId>,
    access: Option<Access>,
    key_id: Option<Box<str>>,
    url_id: Option<UrlId>,
    status: Option<StatusCode>,
    /// The bytes of a download.
    sent: u64,
    /// The bytes of an upload, once they are counted.
    received: Option<Counter>,
    /// Of a resumable upload.
    step: Option<(UploadId, Step)>,
    observer: Option<Arc<dyn Observer>>,
}

impl Facts {
    /// The bytes of the content that have been sent, or have arrived.
    fn bytes(&self) -> u64 {
        self.received.as_ref().map_or(self.sent, Counter::bytes)
    }
}

/// Learns of the end of a request.
pub(crate) trait Observer: Send + Sync {
    /// `bytes` are those of the content.
    fn ended(self: Arc<Self>, ending: Ending, bytes: u64, duration: Duration);
}

/// The steps of a resumable upload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    Begun,
    /// Somebody has asked how far it has come.
    Asked,
    Part,
    /// All of it is here, and is stored.
    Completed,
    Abandoned,
}

impl Step {
    #[cfg(feature = "tracing")]
    fn as_str(self) -> &'static str {
        match self {
            Self::Begun => "begun",
            Self::Asked => "asked",
            Self::Part => "part",
            Self::Completed => "completed",
            Self::Abandoned => "abandoned",
        }
    }
}

/// The kinds of events. A request without one is refused, or a preflight.
#[derive(Clone, Copy)]
enum Event {
    Mint,
    Refusal,
    Download,
    Upload,
}

impl RequestEvent {
    pub(crate) fn new() -> Self {
        Self {
            facts: Some(Box::new(Facts {
                started: Instant::now(),
                event: None,
                id: None,
                version: None,
                access: None,
                key_id: None,
                url_id: None,
                status: None,
                sent: 0,
                received: None,
                step: None,
                observer: None,
            })),
        }
    }

    /// One of many in a row. Where nobody can listen, it gathers nothing.
    pub(crate) fn for_subscribers() -> Self {
        if cfg!(feature = "tracing") {
            Self::new()
        } else {
            Self::silent()
        }
    }

    /// An event that is not emitted.
    pub(crate) fn silent() -> Self {
        Self { facts: None }
    }

    /// Has `observer` learn of the end.
    pub(crate) fn observe(&mut self, observer: Arc<dyn Observer>) {
        self.note(|facts| facts.observer = Some(observer));
    }

    /// The operation is called on this Binary, or on this version of it.
    pub(crate) fn subject(&mut self, id: BinaryId, version: Option<VersionId>) {
        self.note(|facts| {
            facts.id = Some(id);
            facts.version = version;
        });
    }

    /// The operation is asked for this access.
    pub(crate) fn access(&mut self, access: Access) {
        self.note(|facts| facts.access = Some(access));
    }

    pub(crate) fn minted(&mut self, grant: &Grant, presigned: &PresignedUrl) {
        self.note(|facts| {
            facts.event = Some(Event::Mint);
            facts.version = Some(grant.key.version());
            facts.key_id = presigned.key_id().map(Into::into);
            facts.url_id = grant.id;
        });
    }

    /// The URL is genuine, but may hold no longer.
    pub(crate) fn granted(&mut self, grant: &Grant, key_id: &str) {
        self.note(|facts| {
            facts.event = Some(match grant.access() {
                Access::Read => Event::Download,
                Access::Write => Event::Upload,
            });
            facts.id = Some(grant.key.id());
            facts.version = Some(grant.key.version());
            facts.access = Some(grant.access());
            facts.key_id = Some(key_id.into());
            facts.url_id = grant.id;
        });
    }

    /// The request is about this resumable upload.
    pub(crate) fn step(&mut self, upload: UploadId, step: Step) {
        self.note(|facts| facts.step = Some((upload, step)));
    }

    /// The client gets this status, in an answer that is no refusal.
    pub(crate) fn answered(&mut self, status: StatusCode) {
        self.note(|facts| facts.status = Some(status));
    }

    /// So much of a download has been handed to the server.
    pub(crate) fn sent(&mut self, bytes: usize) {
        self.note(|facts| facts.sent += bytes as u64);
    }

    /// Counts what arrives of an upload.
    pub(crate) fn counter(&mut self) -> Counter {
        let mut counter = Counter::default();
        self.note(|facts| counter = facts.received.get_or_insert_default().clone());
        counter
    }

    pub(crate) fn complete(&mut self) {
        self.end(Ending::Complete, None);
    }

    pub(crate) fn refused(&mut self, refusal: &Refusal) {
        self.note(|facts| {
            facts.status = Some(refusal.code.status());
            // An upload of which something had arrived has failed, rather than been refused.
            if facts.bytes() == 0 {
                facts.event = Some(Event::Refusal);
            }
        });
        self.end(Ending::Failed(refusal.code), refusal.source());
    }

    /// Something went wrong that no answer can report.
    pub(crate) fn failed(&mut self, error: &RepositoryError) {
        let source = match error {
            RepositoryError::Unavailable(source) | RepositoryError::Internal(source) => {
                Some(&**source as &(dyn Error + 'static))
            }
            _ => None,
        };
        self.end(Ending::Failed(error.code()), source);
    }

    fn note(&mut self, note: impl FnOnce(&mut Facts)) {
        if let Some(facts) = &mut self.facts {
            note(facts);
        }
    }

    #[cfg_attr(not(feature = "tracing"), expect(unused_variables))]
    fn end(&mut self, ending: Ending, error: Option<&(dyn Error + 'static)>) {
        let Some(facts) = self.facts.take() else {
            return;
        };
        #[cfg(feature = "tracing")]
        emit(&facts, ending, error);
        let bytes = facts.bytes();
        if let Some(observer) = facts.observer {
            observer.ended(ending, bytes, facts.started.elapsed());
        }
    }
}

impl Drop for RequestEvent {
    fn drop(&mut self) {
        self.end(Ending::Aborted, None);
    }
}

/// Counts bytes where the event itself cannot be: with the repository.
#[derive(Clone, Default)]
pub(crate) struct Counter(Arc<AtomicU64>);

impl Counter {
    pub(crate) fn add(&self, bytes: usize) {
        self.0.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

#[cfg(feature = "tracing")]
fn emit(facts: &Facts, ending: Ending, error: Option<&(dyn Error + 'static)>) {
    let code = ending.as_str();
    let level = match ending {
        Ending::Failed(code) => level(code),
        Ending::Complete | Ending::Aborted => Level::INFO,
    };
    let bytes = facts.bytes();
    macro_rules! event {
        ($level:ident, $name:literal, $bytes:expr) => {
            tracing::event!(
                target: concat!("tower_presign::", $name),
                Level::$level,
                id = facts.id.as_ref().map(tracing::field::display),
                version = facts.version.as_ref().map(tracing::field::display),
                access = facts.access.map(access),
                key_id = facts.key_id.as_deref(),
                url_id = facts.url_id.as_ref().map(tracing::field::display),
                code,
                status = facts.status.map(|status| status.as_u16()),
                bytes = $bytes,
                upload = facts.step.map(|(upload, _)| tracing::field::display(upload)),
                step = facts.step.map(|(_, step)| step.as_str()),
                duration = facts.started.elapsed().as_secs_f64(),
                error,
                $name
            )
        };
    }
    // An event's target and level are fixed where it is written.
    macro_rules! event_at_level {
        ($name:literal, $bytes:expr) => {
            match level {
                Level::ERROR => event!(ERROR, $name, $bytes),
                Level::WARN => event!(WARN, $name, $bytes),
                _ => event!(INFO, $name, $bytes),
            }
        };
    }
    match (facts.event, ending) {
        // A preflight.
        (None, Ending::Complete) => {}
        (None | Some(Event::Refusal), _) => event_at_level!("refusal", None::<u64>),
        (Some(Event::Mint), _) => event_at_level!("mint", None::<u64>),
        (Some(Event::Download), _) => event_at_level!("download", bytes),
        (Some(Event::Upload), _) => event_at_level!("upload", bytes),
    }
}

#[cfg(feature = "tracing")]
fn access(access: Access) -> &'static str {
    match access {
        Access::Read => "read",
        Access::Write => "write",
    }
}

#[cfg(feature = "tracing")]
fn level(code: RefusalCode) -> Level {
    match code {
        RefusalCode::Internal => Level::ERROR,
        RefusalCode::Unavailable | RefusalCode::StorageFull => Level::WARN,
        _ => Level::INFO,
    }
}
