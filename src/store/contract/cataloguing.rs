//! The promises of a [`Catalog`].

use futures_util::future::join_all;

use super::support::{Moment, assert_metadata, ok, sha256_of};
use crate::id::{BinaryId, VersionId};
use crate::key::BinaryKey;
use crate::place::Place;
use crate::store::{Catalog, Day, Located, RepositoryError, Stored, Target};
use crate::url::Access;

pub(super) async fn before_it_is_published_a_version_is_located_and_not_found<C: Catalog>(
    catalog: &C,
    id: BinaryId,
) {
    let to_write = locate(catalog, id, Access::Write).await;
    let to_read = locate(catalog, id, Access::Read).await;
    assert_eq!(to_write.key.id(), id, "the key is of another Binary");
    assert_eq!(
        to_write.key, to_read.key,
        "a read URL minted before the first upload must name what that upload creates"
    );
    assert_eq!(to_write.content_type, to_read.content_type, "content type");
    assert_not_found(catalog, &to_read.key).await;
}

pub(super) async fn what_was_published_is_found<C: Catalog>(catalog: &C, id: BinaryId) {
    let located = locate(catalog, id, Access::Write).await;
    let stored = stored(&located, b"content");
    let published = ok(catalog.publish(&located.key, &stored).await, "publish");
    let content_type = &located.content_type;
    assert_metadata(&published, content_type, b"content", "publish");
    let found = ok(catalog.find(&located.key).await, "find");
    assert_metadata(&found.metadata, content_type, b"content", "find");
    assert_eq!(found.place, stored.place, "place");
    let current = locate(catalog, id, Access::Read).await;
    assert_eq!(current.key, located.key, "what was published is current");
    if let Some(place) = current.place {
        assert_eq!(place, stored.place, "the place that a read URL carries");
    }
}

/// It is any text of printable ASCII, and of 512 bytes at most.
pub(super) async fn a_place_is_kept_as_it_is<C: Catalog>(catalog: &C, id: BinaryId) {
    let located = locate(catalog, id, Access::Write).await;
    let unique = stored(&located, b"content").place;
    let odd = format!("{} '\"\\%_$1?{{}};-- Aa ", unique.as_str());
    let long = format!("{odd}{}", "x".repeat(512 - odd.len()));
    for text in [odd, long] {
        let located = locate(catalog, id, Access::Write).await;
        let mut stored = stored(&located, b"content");
        stored.place = place(text);
        ok(catalog.publish(&located.key, &stored).await, "publish");
        let found = ok(catalog.find(&located.key).await, "find");
        assert_eq!(found.place.as_str(), stored.place.as_str(), "place");
        assert_free(catalog, &[&stored.place], &[]).await;
    }
}

/// The host wants it back when the URL is used. A catalog that gives contexts a meaning may refuse
/// this one.
pub(super) async fn the_context_of_a_target_is_in_its_key<C: Catalog>(catalog: &C, id: BinaryId) {
    for access in [Access::Read, Access::Write] {
        let target = Target::new(id, access).with_context(Some("the host's own".into()));
        match catalog.locate(&target).await {
            Err(RepositoryError::NotFound) => {}
            located => {
                let key = ok(located, "locate with a context").key;
                assert_eq!(key.context(), target.context(), "context of the key");
            }
        }
    }
}

pub(super) async fn a_version_is_published_once<C: Catalog>(catalog: &C, id: BinaryId) {
    let located = locate(catalog, id, Access::Write).await;
    let first = stored(&located, b"first");
    ok(catalog.publish(&located.key, &first).await, "publish");
    for bytes in ["other", "first"] {
        let again = stored(&located, bytes.as_bytes());
        let published = catalog.publish(&located.key, &again).await;
        assert!(
            matches!(published, Err(RepositoryError::AlreadyWritten)),
            "a second publication is AlreadyWritten, not {published:?}"
        );
        assert_free(catalog, &[&first.place, &again.place], &[&again.place]).await;
    }
    let found = ok(catalog.find(&located.key).await, "find");
    assert_eq!(found.place, first.place, "place");
}

pub(super) async fn of_racing_publications_one_wins<C: Catalog>(catalog: &C, id: BinaryId) {
    let located = locate(catalog, id, Access::Write).await;
    let stored: Vec<_> = (0..8).map(|_| stored(&located, b"content")).collect();
    let publications = stored.iter().map(|one| catalog.publish(&located.key, one));
    let published = join_all(publications).await;
    let winners: Vec<usize> = (0..8).filter(|i| published[*i].is_ok()).collect();
    assert_eq!(winners.len(), 1, "exactly one of racing publications wins");
    for lost in published.iter().filter(|published| published.is_err()) {
        assert!(
            matches!(lost, Err(RepositoryError::AlreadyWritten)),
            "a lost race is AlreadyWritten, not {lost:?}"
        );
    }
    let found = ok(catalog.find(&located.key).await, "find");
    assert_eq!(found.place, stored[winners[0]].place, "place");
}

/// Its version is there or its place is free, and never both.
pub(super) async fn a_publication_dropped_at_any_moment_is_nothing_or_whole<C: Catalog>(
    catalog: &C,
    id: BinaryId,
) {
    for moment in Moment::all() {
        let located = locate(catalog, id, Access::Write).await;
        let (dropped, repeated) = (stored(&located, b"x"), stored(&located, b"y"));
        let publishing = catalog.publish(&located.key, &dropped);
        let is_done = match moment.drops(publishing).await {
            Some(published) => {
                ok(published, "publish");
                true
            }
            None => false,
        };
        let (there, free) = match catalog.publish(&located.key, &repeated).await {
            Err(RepositoryError::AlreadyWritten) => (dropped.place, repeated.place),
            published => {
                assert!(!is_done, "a version is published once");
                ok(published, "publish once more, after it was dropped");
                (repeated.place, dropped.place)
            }
        };
        let found = ok(catalog.find(&located.key).await, "find");
        assert_eq!(found.place, there, "place, dropped when {moment:?}");
        assert_free(catalog, &[&there, &free], &[&free]).await;
        let current = locate(catalog, id, Access::Read).await.key;
        assert_eq!(current, located.key, "what was published is current");
        if is_done {
            return;
        }
    }
}

pub(super) async fn a_second_publication_makes_a_new_version_and_keeps_the_old<C: Catalog>(
    catalog: &C,
    id: BinaryId,
) {
    let (first, old) = publish(catalog, id, b"first").await;
    let next = locate(catalog, id, Access::Write).await.key;
    assert_ne!(next, first, "a write URL names a version without content");
    let current = locate(catalog, id, Access::Read).await.key;
    assert_eq!(current, first, "a write URL alone changes nothing");

    let (second, new) = publish(catalog, id, b"second").await;
    assert_eq!(second, next, "nothing was written in between");
    let current = locate(catalog, id, Access::Read).await.key;
    assert_eq!(current, second, "the newest version is current");
    for (key, stored) in [(&first, &old), (&second, &new)] {
        let found = ok(catalog.find(key).await, "find");
        assert_eq!(found.place, stored.place, "place");
    }
    let named = Target::version_of(id, first.version());
    let named = ok(catalog.locate(&named).await, "locate of a past version");
    assert_eq!(named.key, first, "a past version is found by its id");
    if let Some(place) = named.place {
        assert_eq!(place, old.place, "the place of a past version");
    }
}

pub(super) async fn places_that_no_version_refers_to_are_reported_and_no_others<C: Catalog>(
    catalog: &C,
    id: BinaryId,
) {
    let (_, first) = publish(catalog, id, b"first").await;
    let (_, second) = publish(catalog, id, b"second").await;
    let located = locate(catalog, id, Access::Write).await;
    // As many as the sweep asks about at once.
    let free: Vec<_> = (0..998).map(|_| stored(&located, b"free").place).collect();
    let mut all: Vec<_> = free.iter().collect();
    all.insert(0, &first.place);
    all.insert(500, &second.place);
    assert_free(catalog, &all, &free.iter().collect::<Vec<_>>()).await;
    assert_free(catalog, &[], &[]).await;
}

pub(super) async fn a_version_that_never_was_is_not_found<C: Catalog>(catalog: &C, id: BinaryId) {
    publish(catalog, id, b"content").await;
    let version = VersionId::random();
    let located = catalog.locate(&Target::version_of(id, version)).await;
    // Or else the URL that names it leads nowhere.
    if !matches!(located, Err(RepositoryError::NotFound)) {
        let key = ok(located, "locate of an unknown version").key;
        assert_eq!(key.version(), version, "another version than the named one");
    }
    assert_not_found(catalog, &BinaryKey::new(id, version)).await;
}

pub(super) async fn a_binary_that_never_was_is_not_found<C: Catalog>(catalog: &C, id: BinaryId) {
    let mut located = locate(catalog, id, Access::Write).await;
    let stranger = BinaryId::random();
    for access in [Access::Read, Access::Write] {
        let located = catalog.locate(&Target::new(stranger, access)).await;
        assert!(
            matches!(located, Err(RepositoryError::NotFound)),
            "locate of an unknown Binary is NotFound, not {located:?}"
        );
    }
    located.key = BinaryKey::new(stranger, VersionId::from(1));
    assert_not_found(catalog, &located.key).await;
    let stored = stored(&located, b"content");
    let published = catalog.publish(&located.key, &stored).await;
    assert!(
        matches!(published, Err(RepositoryError::NotFound)),
        "publication for an unknown Binary is NotFound, not {published:?}"
    );
    assert_free(catalog, &[&stored.place], &[&stored.place]).await;
}

pub(super) async fn what_was_deleted_is_gone_and_its_places_are_free<C: Catalog>(
    catalog: &C,
    id: BinaryId,
    delete: &impl AsyncFn(&C, BinaryId),
) {
    let (first, old) = publish(catalog, id, b"first").await;
    let (second, new) = publish(catalog, id, b"second").await;
    let located = locate(catalog, id, Access::Write).await;
    delete(catalog, id).await;
    for access in [Access::Read, Access::Write] {
        assert_is_gone(&catalog.locate(&Target::new(id, access)).await, "locate");
    }
    for key in [&first, &second, &located.key] {
        assert_is_gone(&catalog.find(key).await, "find");
        let stored = stored(&located, b"again");
        assert_is_gone(&catalog.publish(key, &stored).await, "publish");
        assert_is_gone(&catalog.find(key).await, "find");
    }
    let places = [&old.place, &new.place];
    assert_free(catalog, &places, &places).await;
}

#[track_caller]
fn assert_is_gone<T: std::fmt::Debug>(result: &Result<T, RepositoryError>, what: &str) {
    assert!(
        matches!(
            result,
            Err(RepositoryError::Deleted | RepositoryError::NotFound)
        ),
        "{what} of what was deleted is Deleted or NotFound, not {result:?}"
    );
}

async fn locate<C: Catalog>(catalog: &C, id: BinaryId, access: Access) -> Located {
    ok(catalog.locate(&Target::new(id, access)).await, "locate")
}

/// Publishes the next version of a Binary.
async fn publish<C: Catalog>(catalog: &C, id: BinaryId, bytes: &[u8]) -> (BinaryKey, Stored) {
    let located = locate(catalog, id, Access::Write).await;
    let stored = stored(&located, bytes);
    ok(catalog.publish(&located.key, &stored).await, "publish");
    (located.key, stored)
}

/// The answer of a store to a put, with a place of its own.
fn stored(located: &Located, bytes: &[u8]) -> Stored {
    let day = Day::of(std::time::SystemTime::now());
    let place = place(format!("{day}/{}", BinaryId::random()));
    let length = bytes.len() as u64;
    Stored::new(
        place,
        located.content_type.clone(),
        length,
        sha256_of(bytes),
    )
}

fn place(text: String) -> Place {
    match Place::new(text) {
        Ok(place) => place,
        Err(error) => panic!("{error}"),
    }
}

async fn assert_not_found<C: Catalog>(catalog: &C, key: &BinaryKey) {
    let found = catalog.find(key).await;
    assert!(
        matches!(found, Err(RepositoryError::NotFound)),
        "find of a version that was not published is NotFound, not {found:?}"
    );
}

/// Of these places those are free, in any order.
async fn assert_free<C: Catalog>(catalog: &C, places: &[&Place], free: &[&Place]) {
    let places: Vec<_> = places.iter().map(|place| (*place).clone()).collect();
    let mut found = ok(catalog.unreferenced(&places).await, "unreferenced");
    let mut free: Vec<_> = free.iter().map(|place| (*place).clone()).collect();
    found.sort();
    free.sort();
    assert!(
        found == free,
        "of {} places {} are free, and not {}, or others",
        places.len(),
        free.len(),
        found.len()
    );
}
