//! The remains of uploads and deletions that were cut short, and their removal.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use futures_util::TryStreamExt as _;
use tempfile::TempDir;
use tower_presign::store::{Composed, ContentStore as _, Day, FsStore, Place, Swept};
use tower_presign::{Access, BinaryId, BinaryRepository as _, Target};

use super::table::{Failure, Table};
use super::watched::Watched;
use super::{open_store, png, upload};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

struct Host {
    table: Table,
    store: Watched<FsStore>,
    repository: Composed<Table, Watched<FsStore>>,
    /// The seconds by which the repository's clock is ahead of the system's.
    later: Arc<AtomicU64>,
    id: BinaryId,
    _folder: TempDir,
}

impl Host {
    async fn new() -> Self {
        let (folder, store) = open_store().await;
        let (table, store) = (Table::default(), Watched::new(store));
        let id = BinaryId::random();
        table.create(id, png());
        let later = Arc::new(AtomicU64::new(0));
        let seconds = Arc::clone(&later);
        let clock =
            move || SystemTime::now() + Duration::from_secs(seconds.load(Ordering::Relaxed));
        Self {
            repository: Composed::new(table.clone(), store.clone()).clock(clock),
            table,
            store,
            later,
            id,
            _folder: folder,
        }
    }

    async fn write(&self) -> Result<(), ()> {
        let target = Target::new(self.id, Access::Write);
        let key = self.repository.locate(&target).await.unwrap().key;
        let written = self.repository.write(&key, upload("content")).await;
        written.map(drop).map_err(drop)
    }

    async fn sweep_after(&self, later: Duration) -> Swept {
        self.later.store(later.as_secs(), Ordering::Relaxed);
        self.table.asked();
        self.store.asked();
        let since = SystemTime::now() - DAY;
        self.repository.sweep(since).await.unwrap()
    }

    /// The places of today, or of yesterday if that has just ended.
    async fn stored(&self) -> BTreeSet<Place> {
        let mut places = BTreeSet::new();
        for moment in [SystemTime::now() - DAY, SystemTime::now()] {
            let day = self.repository.store().list(Day::of(moment));
            places.extend(day.try_collect::<Vec<_>>().await.unwrap());
        }
        self.store.asked();
        places
    }
}

/// Of three uploads the record of one is lost, and the answer about another's.
async fn three_uploads() -> Host {
    let host = Host::new().await;
    host.write().await.unwrap();
    for failure in [Failure::Before, Failure::After] {
        host.table.fail(failure);
        host.write().await.unwrap_err();
    }
    assert_eq!(host.stored().await.len(), 3);
    host
}

#[tokio::test]
async fn content_that_no_record_refers_to_is_removed_after_a_day_and_nothing_else() {
    let host = three_uploads().await;
    let swept = host.sweep_after(2 * DAY).await;
    assert_eq!((swept.listed, swept.deleted), (3, 1));
    assert_eq!(host.stored().await.len(), 2);
    assert_eq!(host.sweep_after(2 * DAY).await.deleted, 0);

    for number in 1..=2_u64 {
        let version = tower_presign::VersionId::from(number);
        let key = tower_presign::BinaryKey::new(host.id, version);
        host.repository.read(&key, None).await.unwrap();
    }
}

/// It may be about to be published.
#[tokio::test]
async fn content_younger_than_a_day_is_left_alone() {
    let host = three_uploads().await;
    for later in [Duration::ZERO, DAY / 2, DAY * 23 / 24] {
        assert_eq!(host.sweep_after(later).await, Swept::default());
    }
    assert_eq!(host.stored().await.len(), 3);
}

#[tokio::test]
async fn a_sweep_asks_about_the_days_since_and_not_about_what_is_stored() {
    let host = Host::new().await;
    host.write().await.unwrap();
    let now = SystemTime::now();
    // Up to the day before yesterday.
    for (since, days) in [
        (now - 10 * DAY, 9),
        (now - 2 * DAY, 1),
        (now - DAY, 0),
        (now, 0),
    ] {
        host.table.asked();
        host.store.asked();
        host.repository.sweep(since).await.unwrap();
        // Midnight may just have passed.
        let listed = host.store.asked().len();
        assert!(
            (days..=days + 1).contains(&listed),
            "{listed} days, not {days}"
        );
        assert_eq!(host.table.asked(), [""; 0]);
    }
}

#[tokio::test]
async fn a_sweep_asks_the_catalog_about_a_thousand_places_at_once() {
    let host = Host::new().await;
    for _ in 0..1001 {
        let store = host.repository.store();
        store.put(upload("content")).await.unwrap();
    }
    let swept = host.sweep_after(2 * DAY).await;
    assert_eq!((swept.listed, swept.deleted), (1001, 1001));
    let asked = host.table.asked();
    // A third time if midnight came in between.
    assert!((2..=3).contains(&asked.len()), "{asked:?}");
    assert_eq!(host.stored().await.len(), 0);
}

#[tokio::test]
async fn discarded_content_takes_no_room_any_more() {
    let host = Host::new().await;
    host.write().await.unwrap();
    for place in host.table.delete(host.id) {
        host.repository.discard(&place).await.unwrap();
        host.repository
            .discard(&place)
            .await
            .expect("twice is as good as once");
    }
    assert_eq!(host.stored().await.len(), 0);
}
