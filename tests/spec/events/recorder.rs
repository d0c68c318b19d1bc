//! A `tracing` subscriber that keeps all that it is told, at every level.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt::{Debug, Write as _};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::{DefaultGuard, NoSubscriber};
use tracing::{Dispatch, Event, Level, Metadata, Subscriber};

/// The events on this thread since it was made.
pub struct Recorder {
    told: Arc<Mutex<Told>>,
    _guard: DefaultGuard,
}

#[derive(Default)]
struct Told {
    ours: Vec<Message>,
    /// Everything, of whatever origin: what a log file would hold.
    everything: String,
    spans: u64,
    /// Spans that have been entered and not left.
    depth: usize,
}

/// An event of the layer.
#[derive(Debug)]
pub struct Message {
    pub target: &'static str,
    pub level: Level,
    pub is_in_span: bool,
    /// By name, the message among them.
    pub fields: BTreeMap<&'static str, String>,
}

/// While there is one subscriber alone, `tracing` asks only that of the thread which first comes to
/// an event, and keeps the answer for all threads: with a second one it asks both.
static SECOND: LazyLock<Dispatch> = LazyLock::new(|| Dispatch::new(NoSubscriber::new()));

impl Recorder {
    pub fn start() -> Self {
        LazyLock::force(&SECOND);
        let told = Arc::default();
        let subscriber = Keeper(Arc::clone(&told));
        Self {
            told,
            _guard: tracing::subscriber::set_default(subscriber),
        }
    }

    /// The layer's events since this was last asked.
    pub fn take(&self) -> Vec<Message> {
        std::mem::take(&mut self.told.lock().unwrap().ours)
    }

    /// All text of all spans and events.
    pub fn everything(&self) -> String {
        self.told.lock().unwrap().everything.clone()
    }
}

struct Keeper(Arc<Mutex<Told>>);

impl Keeper {
    fn told(&self) -> MutexGuard<'_, Told> {
        self.0.lock().unwrap()
    }
}

impl Subscriber for Keeper {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        let mut fields = Fields::default();
        span.record(&mut fields);
        let mut told = self.told();
        writeln!(told.everything, "{} {:?}", span.metadata().name(), fields.0).unwrap();
        told.spans += 1;
        Id::from_u64(told.spans)
    }

    fn record(&self, _: &Id, values: &Record<'_>) {
        let mut fields = Fields::default();
        values.record(&mut fields);
        writeln!(self.told().everything, "{:?}", fields.0).unwrap();
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let metadata = event.metadata();
        let mut told = self.told();
        writeln!(told.everything, "{} {:?}", metadata.target(), fields.0).unwrap();
        if metadata.target().starts_with("tower_presign") {
            let is_in_span = told.depth > 0;
            told.ours.push(Message {
                target: metadata.target(),
                level: *metadata.level(),
                is_in_span,
                fields: fields.0,
            });
        }
    }

    fn enter(&self, _: &Id) {
        self.told().depth += 1;
    }

    fn exit(&self, _: &Id) {
        self.told().depth -= 1;
    }
}

#[derive(Default)]
struct Fields(BTreeMap<&'static str, String>);

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.0.insert(field.name(), format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name(), value.to_owned());
    }

    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        self.0.insert(field.name(), value.to_string());
    }
}
