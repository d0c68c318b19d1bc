//! The contract, kept by all that is ours and by a host's table with a store.

use std::panic::AssertUnwindSafe;
use std::path::PathBuf;

use futures_util::FutureExt as _;
use tempfile::TempDir;
use tower_presign::store::{
    BoxRepository, ByteRange, Composed, Content, FsStore, Located, Metadata, RepositoryError,
    Target, Upload, contract,
};
use tower_presign::{
    Access, BinaryId, BinaryKey, BinaryRepository, FsRepository, MemoryRepository,
};

use super::table::Table;
use super::{open_store, png};

mod memory {
    use super::*;

    contract::repository_tests! {
        #[tokio::test]
        make = make, delete = delete
    }

    pub(super) async fn make() -> (MemoryRepository, BinaryId) {
        let (repository, id) = (MemoryRepository::new(), BinaryId::random());
        repository.create(id, png()).unwrap();
        (repository, id)
    }

    async fn delete(repository: &MemoryRepository, id: BinaryId) {
        repository.delete(id).unwrap();
    }

    mod resumable {
        use super::*;

        contract::resumable_tests! {
            #[tokio::test]
            make = make
        }
    }
}

/// Not knowing what it is takes nothing from a repository.
mod in_a_box {
    use super::*;

    contract::repository_tests! {
        #[tokio::test]
        make = async || {
            let (repository, id) = memory::make().await;
            (BoxRepository::new(repository), id)
        }
    }

    mod resumable {
        use super::*;

        contract::resumable_tests! {
            #[tokio::test]
            make = async || {
                let (repository, id) = memory::make().await;
                (BoxRepository::new(repository), id)
            }
        }
    }
}

mod fs {
    use super::*;

    contract::repository_tests! {
        #[tokio::test]
        make = in_a_folder(true), delete = delete
    }

    pub(super) fn in_a_folder(fsync: bool) -> impl AsyncFn() -> (FsRepository, BinaryId) {
        let folder = tempfile::tempdir().unwrap();
        async move || {
            let repository = FsRepository::open(folder.path()).await.unwrap();
            let id = BinaryId::random();
            repository.create(id, png()).await.unwrap();
            (repository.fsync(fsync), id)
        }
    }

    pub(super) async fn delete(repository: &FsRepository, id: BinaryId) {
        repository.delete(id).await.unwrap();
    }
}

mod fs_resumable {
    use super::*;

    contract::resumable_tests! {
        #[tokio::test]
        make = make, reopen = async |repository| {
            drop(repository);
            open().await
        }
    }

    async fn make() -> (FsRepository, BinaryId) {
        let (repository, id) = (open().await, BinaryId::random());
        repository.create(id, png()).await.unwrap();
        (repository, id)
    }

    async fn open() -> FsRepository {
        let folder = folder_of_the_test();
        FsRepository::open(folder).await.unwrap().fsync(false)
    }
}

mod composed_resumable {
    use super::*;

    contract::resumable_tests! {
        #[tokio::test]
        make = make, reopen = async |repository: Composed<Table, FsStore>| {
            let table = repository.catalog().clone();
            drop(repository);
            Composed::new(table, open().await)
        }
    }

    async fn make() -> (Composed<Table, FsStore>, BinaryId) {
        let (table, id) = table::make(true)().await;
        (Composed::new(table, open().await), id)
    }

    async fn open() -> FsStore {
        let folder = folder_of_the_test();
        FsStore::open(folder).await.unwrap().fsync(false)
    }
}

/// One for each thread, and so for each test.
fn folder_of_the_test() -> PathBuf {
    thread_local! {
        static FOLDER: TempDir = tempfile::tempdir().unwrap();
    }
    FOLDER.with(|folder| folder.path().to_owned())
}

mod fs_without_fsync_on_several_threads {
    use super::*;

    contract::repository_tests! {
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        make = fs::in_a_folder(false), delete = fs::delete
    }
}

mod fs_store {
    use super::*;

    contract::content_store_tests! {
        #[tokio::test]
        make = in_a_folder(true)
    }

    pub(super) fn in_a_folder(fsync: bool) -> impl AsyncFn() -> FsStore {
        let folder = tempfile::tempdir().unwrap();
        async move || FsStore::open(folder.path()).await.unwrap().fsync(fsync)
    }
}

mod fs_store_without_fsync_on_several_threads {
    use super::*;

    contract::content_store_tests! {
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        make = fs_store::in_a_folder(false)
    }
}

mod table {
    use super::*;

    contract::catalog_tests! {
        #[tokio::test]
        make = make(true), delete = delete
    }

    pub(super) fn make(gives_places: bool) -> impl AsyncFn() -> (Table, BinaryId) {
        async move || {
            let mut table = Table::default();
            table.gives_places = gives_places;
            let id = BinaryId::random();
            table.create(id, png());
            (table, id)
        }
    }

    async fn delete(table: &Table, id: BinaryId) {
        table.delete(id);
    }
}

mod composed {
    use super::*;

    contract::repository_tests! {
        #[tokio::test]
        make = of_a_table(false), delete = delete
    }

    pub(super) fn of_a_table(
        gives_places: bool,
    ) -> impl AsyncFn() -> (Composed<Table, FsStore>, BinaryId) {
        let (table, store) = (table::make(gives_places), fs_store::in_a_folder(false));
        async move || {
            let (table, id) = table().await;
            (Composed::new(table, store().await), id)
        }
    }

    pub(super) async fn delete(repository: &Composed<Table, FsStore>, id: BinaryId) {
        for place in repository.catalog().delete(id) {
            repository.discard(&place).await.unwrap();
        }
    }
}

mod composed_with_places_in_its_urls {
    use super::*;

    contract::repository_tests! {
        #[tokio::test]
        make = composed::of_a_table(true), delete = composed::delete
    }
}

/// The decorator that one writes first: the bytes are in one system, and the record in another.
struct Decorator {
    inner: MemoryRepository,
    table: Table,
}

impl BinaryRepository for Decorator {
    async fn locate(&self, target: &Target) -> Result<Located, RepositoryError> {
        use tower_presign::store::Catalog as _;
        self.table.locate(target).await
    }

    async fn head(&self, key: &BinaryKey) -> Result<Metadata, RepositoryError> {
        use tower_presign::store::Catalog as _;
        Ok(self.table.find(key).await?.metadata)
    }

    async fn read(
        &self,
        key: &BinaryKey,
        range: Option<ByteRange>,
    ) -> Result<Content, RepositoryError> {
        self.head(key).await?;
        self.inner.read(key, range).await
    }

    async fn write(&self, key: &BinaryKey, upload: Upload) -> Result<Metadata, RepositoryError> {
        use tower_presign::store::{Catalog as _, Place, Stored};
        let content_type = upload.content_type().clone();
        let metadata = self.inner.write(key, upload).await?;
        // INSERT …
        let place = Place::new(format!("{}/{}", key.id(), key.version())).unwrap();
        let sha256 = metadata.sha256.unwrap();
        let stored = Stored::new(place, content_type, metadata.length, sha256);
        self.table.publish(key, &stored).await
    }
}

/// A client that leaves between the two loses its upload for good.
#[tokio::test]
async fn the_suite_finds_out_the_decorator_whose_future_is_dropped_between_its_two_steps() {
    let make = async || {
        let (inner, id) = memory::make().await;
        let table = Table::default();
        table.create(id, png());
        (Decorator { inner, table }, id)
    };
    contract::repository::what_was_written_is_read_back(&make).await;
    let promise =
        contract::repository::a_write_dropped_at_any_moment_is_nothing_or_whole_and_findable(&make);
    let panic = AssertUnwindSafe(promise).catch_unwind().await.unwrap_err();
    let message = panic.downcast_ref::<String>().unwrap();
    assert!(
        message.contains("read failed: no such content"),
        "{message}"
    );
}

#[tokio::test]
async fn dropped_uploads_are_removed_from_the_staging_folder() {
    let (folder, store) = open_store().await;
    let make = async || store.clone();
    contract::content_store::a_put_dropped_before_its_content_has_ended_leaves_nothing(&make).await;
    let staging = folder.path().join("staging");
    let start = std::time::Instant::now();
    // On another thread.
    while std::fs::read_dir(&staging).unwrap().count() > 0 {
        assert!(start.elapsed().as_secs() < 10, "staging is not emptied");
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_box_can_be_shared_between_tasks() {
    let (repository, id) = memory::make().await;
    let shared = BoxRepository::new(repository);
    let task = tokio::spawn({
        let shared = shared.clone();
        async move { shared.locate(&Target::new(id, Access::Read)).await.unwrap() }
    });
    assert_eq!(task.await.unwrap().key.id(), id);
}
