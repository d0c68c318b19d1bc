//! A disk whose folders cannot be flushed, as some network file systems have it: it is used as it
//! is, and the operator learns of it once.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tower_presign::{BinaryId, FsRepository};
use tracing::subscriber::set_global_default;
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};
use tracing_subscriber::registry;

use super::recorder::Recorder;
use crate::support::*;

/// Counts what is reported of stores.
struct Reports(Arc<AtomicUsize>);

impl<S: Subscriber> Layer<S> for Reports {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        if event.metadata().target() == "tower_presign::store" {
            assert_eq!(*event.metadata().level(), Level::WARN);
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
}

#[tokio::test]
async fn that_folders_cannot_be_flushed_is_reported_once_when_one_is_opened() {
    let Some(disk) = Recorder::mount(&["unflushable"]).await else {
        return;
    };
    let reported = Arc::new(AtomicUsize::new(0));
    // Of this whole process: the work is done on other threads.
    set_global_default(registry().with(Reports(Arc::clone(&reported)))).unwrap();
    for folder in ["one", "two"] {
        reported.store(0, Ordering::Relaxed);
        let repository = FsRepository::open(disk.path().join(folder)).await.unwrap();
        assert_eq!(reported.load(Ordering::Relaxed), 1, "{folder}");
        let layer = layer(repository.clone());
        for _ in 0..3 {
            let id = BinaryId::random();
            let png = "image/png".parse().unwrap();
            repository.create(id, png).await.unwrap();
            let write = mint_upload(&layer, id.as_str()).await;
            put(&layer, &write, "content").await;
            let read = mint(&layer, id.as_str()).await;
            assert_eq!(get(&layer, &read).await.body, "content");
            repository.delete(id).await.unwrap();
        }
        assert_eq!(reported.load(Ordering::Relaxed), 1, "{folder}");
    }
}
