//! A host's table and a store of content as one repository.

use tempfile::TempDir;
use tower_presign::store::{ByteRange, Catalog as _, Composed, FsStore, Metadata, RepositoryError};
use tower_presign::url::{Expires, ReadTerms, WriteTerms};
use tower_presign::{Access, BinaryId, BinaryKey, BinaryRepository as _, Grant, Target};

use super::table::{Failure, Table};
use super::watched::Watched;
use super::{assert_says, collect, open_store, png, upload};

struct Host {
    table: Table,
    store: Watched<FsStore>,
    repository: Composed<Table, Watched<FsStore>>,
    id: BinaryId,
    _folder: TempDir,
}

impl Host {
    async fn new(gives_places: bool) -> Self {
        let (folder, store) = open_store().await;
        let (mut table, store) = (Table::default(), Watched::new(store));
        table.gives_places = gives_places;
        let id = BinaryId::random();
        table.create(id, png());
        Self {
            repository: Composed::new(table.clone(), store.clone()),
            table,
            store,
            id,
            _folder: folder,
        }
    }

    async fn key(&self, access: Access) -> BinaryKey {
        let located = self.repository.locate(&Target::new(self.id, access)).await;
        let located = located.unwrap();
        match located.place {
            Some(place) => located.key.with_place(place),
            None => located.key,
        }
    }

    /// Uploads content, and returns its key as a read URL has it.
    async fn write(&self, content: &'static str) -> BinaryKey {
        let key = self.key(Access::Write).await;
        self.repository.write(&key, upload(content)).await.unwrap();
        let key = self.key(Access::Read).await;
        self.assert_asked(None, None);
        key
    }

    async fn read(&self, key: &BinaryKey) -> Result<Vec<u8>, RepositoryError> {
        collect(self.repository.read(key, None).await?).await
    }

    /// The questions to the table and the store since this was last called.
    fn assert_asked<'a>(
        &self,
        table: impl Into<Option<&'a [&'a str]>>,
        store: impl Into<Option<&'a [&'a str]>>,
    ) {
        let asked = (self.table.asked(), self.store.asked());
        if let Some(table) = table.into() {
            assert_eq!(asked.0, table, "of the table");
        }
        if let Some(store) = store.into() {
            assert_eq!(asked.1, store, "of the store");
        }
    }
}

// Questions

#[tokio::test]
async fn a_mint_asks_the_catalog_once_and_the_store_only_where_the_place_is_known() {
    let expires = Expires::at_unix_seconds(u64::MAX);
    for gives_places in [false, true] {
        let host = Host::new(gives_places).await;
        host.write("content").await;

        let key = host.key(Access::Read).await;
        let grant = Grant::new(key, ReadTerms::new(), expires);
        let presigned = host.repository.presign(&grant).await;
        assert_eq!(presigned.unwrap().is_some(), gives_places);
        let presign = if gives_places { &["presign"][..] } else { &[] };
        host.assert_asked(&["locate"][..], presign);

        let key = host.key(Access::Write).await;
        let grant = Grant::new(key, WriteTerms::new(png()), expires);
        assert_eq!(host.repository.presign(&grant).await.unwrap(), None);
        host.assert_asked(&["locate"][..], &[][..]);
    }
}

#[tokio::test]
async fn an_upload_asks_twice_only_if_its_client_waits() {
    let host = Host::new(false).await;
    for (expects_continue, asked) in [(true, &["find", "publish"][..]), (false, &["publish"])] {
        let key = host.key(Access::Write).await;
        host.assert_asked(None, None);
        let upload = upload("content").with_expects_continue(expects_continue);
        host.repository.write(&key, upload).await.unwrap();
        host.assert_asked(asked, &["put"][..]);
    }
}

#[tokio::test]
async fn a_download_with_a_place_asks_the_store_alone() {
    for gives_places in [false, true] {
        let host = Host::new(gives_places).await;
        let key = host.write("content").await;
        assert_eq!(host.read(&key).await.unwrap(), b"content");
        let find = if gives_places { &[][..] } else { &["find"] };
        host.assert_asked(find, &["get"][..]);
    }
}

#[tokio::test]
async fn a_place_where_nothing_is_any_more_is_looked_up_again() {
    let host = Host::new(true).await;
    let key = host.write("content").await;
    let moved = host.write("content, moved").await;
    let place = host.table.find(&moved).await.unwrap().place;
    let old = key.place().unwrap().clone();
    host.table.change(&key, |entry| {
        entry.place = place;
        entry.metadata.length = 14;
        entry.metadata.sha256 = None;
    });
    host.repository.discard(&old).await.unwrap();
    assert_eq!(host.read(&key).await.unwrap(), b"content, moved");

    let places = host.table.delete(host.id);
    for place in places {
        host.repository.discard(&place).await.unwrap();
    }
    let read = host.read(&key).await;
    assert!(matches!(read, Err(RepositoryError::Deleted)), "{read:?}");
}

// Answers

#[tokio::test]
async fn content_that_the_catalog_has_recorded_is_served() {
    let host = Host::new(false).await;
    let key = host.write("content").await;
    let recorded = Metadata::new("text/plain", 7, std::time::SystemTime::UNIX_EPOCH);
    host.table
        .change(&key, |entry| entry.metadata = recorded.clone());
    let content = host.repository.read(&key, None).await.unwrap();
    assert_eq!(*content.metadata(), recorded);
    assert_eq!(host.repository.head(&key).await.unwrap(), recorded);
}

#[tokio::test]
async fn content_that_is_not_what_was_recorded_is_an_error_and_never_served() {
    type Change = fn(&mut Metadata);
    let host = Host::new(false).await;
    let changes: [(Change, &str); 3] = [
        (|metadata| metadata.length = 6, "has recorded 6 bytes at"),
        (|metadata| metadata.length = 8, "where the store has 7"),
        (
            |metadata| metadata.sha256 = Some([0; 32]),
            "has recorded another SHA-256 for",
        ),
    ];
    for (change, text) in changes {
        let key = host.write("content").await;
        host.table.change(&key, |entry| change(&mut entry.metadata));
        for range in [
            None,
            Some(ByteRange::FromTo(1, 2)),
            Some(ByteRange::Last(1)),
        ] {
            let error = host.repository.read(&key, range).await.unwrap_err();
            assert!(matches!(error, RepositoryError::Internal(_)), "{error:?}");
            assert_says(&error, text);
            let place = host.table.find(&key).await.unwrap().place;
            assert_says(&error, place.as_str());
        }
    }
}

#[tokio::test]
async fn a_range_is_held_against_the_recorded_length() {
    let host = Host::new(false).await;
    let key = host.write("content").await;
    host.table.change(&key, |entry| entry.metadata.length = 100);
    let range = |first| Some(ByteRange::From(first));
    let error = host.repository.read(&key, range(100)).await.unwrap_err();
    assert!(matches!(
        error,
        RepositoryError::RangeNotSatisfiable { length: 100, .. }
    ));
    // The store has no such byte, though it has been recorded.
    let error = host.repository.read(&key, range(50)).await.unwrap_err();
    assert!(matches!(error, RepositoryError::Internal(_)), "{error:?}");
}

/// To say that it never was would be wrong.
#[tokio::test]
async fn content_that_is_lost_is_an_error_and_not_an_absence() {
    for gives_places in [false, true] {
        let host = Host::new(gives_places).await;
        let key = host.write("content").await;
        let place = host.table.find(&key).await.unwrap().place;
        host.repository.discard(&place).await.unwrap();
        let error = host.repository.read(&key, None).await.unwrap_err();
        assert!(matches!(error, RepositoryError::Internal(_)), "{error:?}");
        assert_says(&error, place.as_str());
    }
}

#[tokio::test]
async fn content_deleted_between_its_record_and_its_bytes_is_deleted() {
    let host = Host::new(false).await;
    let key = host.write("content").await;
    let (table, id) = (host.table.clone(), host.id);
    let place = host.table.find(&key).await.unwrap().place;
    host.repository.discard(&place).await.unwrap();
    *host.store.before_get.lock().unwrap() = Some(Box::new(move || drop(table.delete(id))));
    let read = host.read(&key).await;
    assert!(matches!(read, Err(RepositoryError::Deleted)), "{read:?}");
}

// Remains

#[tokio::test]
async fn bytes_are_removed_at_once_where_it_is_certain_that_no_record_refers_to_them() {
    let host = Host::new(false).await;
    let key = host.write("first").await;
    let again = upload("second").with_expects_continue(false);
    let written = host.repository.write(&key, again).await;
    assert!(matches!(written, Err(RepositoryError::AlreadyWritten)));
    host.assert_asked(&["publish"][..], &["put", "delete"][..]);

    let next = host.key(Access::Write).await;
    host.table.delete(host.id);
    host.assert_asked(None, None);
    let late = upload("late").with_expects_continue(false);
    let written = host.repository.write(&next, late).await;
    assert!(matches!(written, Err(RepositoryError::Deleted)));
    host.assert_asked(&["publish"][..], &["put", "delete"][..]);
}

#[tokio::test]
async fn bytes_stay_where_a_record_may_refer_to_them() {
    for failure in [Failure::Before, Failure::After] {
        let host = Host::new(false).await;
        let key = host.key(Access::Write).await;
        host.table.fail(failure);
        let written = host.repository.write(&key, upload("content")).await;
        assert!(matches!(written, Err(RepositoryError::Unavailable(_))));
        assert_eq!(host.store.asked(), ["put"]);
        match (failure, host.read(&key).await) {
            (Failure::Before, Err(RepositoryError::NotFound)) => {}
            (Failure::After, Ok(content)) => assert_eq!(content, b"content"),
            (_, read) => panic!("{read:?}"),
        }
    }
}
