//! The promises of a [`ContentStore`].

use std::collections::BTreeSet;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use futures_util::Stream as _;
use futures_util::future::join_all;

use super::support::{
    MUCH, Moment, Signal, assert_failed, assert_whole, collect, failing_upload, large_content, ok,
    sha256_of, stalling_upload, until, upload,
};
use crate::content_type::ContentType;
use crate::id::{BinaryId, VersionId};
use crate::key::BinaryKey;
use crate::place::Place;
use crate::store::{ByteRange, ContentStore, Day, RepositoryError, Stored};
use crate::url::{Expires, Grant, ReadTerms, WriteTerms};

pub(super) async fn what_was_put_is_read_back<S: ContentStore>(store: &S) {
    let bytes = b"every byte, as it came";
    for text in ["text/plain; charset=utf-8", "image/png"] {
        let content_type = content_type(text);
        let upload = upload(&content_type, bytes).with_length(bytes.len() as u64);
        let stored = ok(store.put(upload).await, "put");
        assert_eq!(stored.content_type, content_type, "content type of put");
        assert_eq!(stored.length, bytes.len() as u64, "length of put");
        assert_eq!(stored.sha256, sha256_of(bytes), "SHA-256 of put");
        let content = ok(store.get(&stored.place, None).await, "get");
        assert_whole(content, &content_type, bytes, "what is read").await;
    }
}

pub(super) async fn ranges_select_what_rfc_9110_says<S: ContentStore>(store: &S) {
    use ByteRange::{From, FromTo, Last};
    let place = put(store, b"0123456789").await.place;
    for (range, start, expected) in [
        (FromTo(0, 0), 0, "0"),
        (FromTo(2, 4), 2, "234"),
        (FromTo(8, 100), 8, "89"),
        (FromTo(0, u64::MAX), 0, "0123456789"),
        (From(7), 7, "789"),
        (Last(1), 9, "9"),
        (Last(11), 0, "0123456789"),
        (Last(u64::MAX), 0, "0123456789"),
    ] {
        let content = ok(store.get(&place, Some(range)).await, "get");
        assert_eq!(content.metadata().length, 10, "whole length, for {range:?}");
        let selected = start..start + expected.len() as u64;
        assert_eq!(
            content.range(),
            selected,
            "the range announced for {range:?}"
        );
        let bytes = collect(content).await;
        assert_eq!(bytes, expected.as_bytes(), "bytes of {range:?}");
    }
    for range in [FromTo(10, 10), From(10), From(u64::MAX), Last(0)] {
        let read = store.get(&place, Some(range)).await;
        assert!(
            matches!(
                read,
                Err(RepositoryError::RangeNotSatisfiable { length: 10 })
            ),
            "{range:?} selects nothing, which must be said with the length, not {read:?}"
        );
    }
}

pub(super) async fn large_content_is_read_back_whole_and_in_part<S: ContentStore>(store: &S) {
    let bytes = large_content();
    let place = put(store, &bytes).await.place;
    assert_content(store, &place, &bytes).await;
    for (first, last) in [(0, 0), (65_000, 3_000_000), (4_999_000, 5_000_010)] {
        let range = ByteRange::FromTo(first as u64, last as u64);
        let content = ok(store.get(&place, Some(range)).await, "get");
        assert!(
            collect(content).await == bytes[first..=last],
            "bytes {first} to {last} of large content"
        );
    }
}

pub(super) async fn empty_content_is_content<S: ContentStore>(store: &S) {
    let place = put(store, b"").await.place;
    assert_content(store, &place, b"").await;
    let suffix = store.get(&place, Some(ByteRange::Last(5))).await;
    assert_eq!(
        ok(suffix, "get of a suffix").range(),
        0..0,
        "a suffix of empty content is all of it"
    );
}

pub(super) async fn each_upload_has_a_place_of_its_own_that_begins_with_its_day<S: ContentStore>(
    store: &S,
) {
    let mut places = BTreeSet::new();
    for _ in 0..20 {
        let before = Day::of(SystemTime::now());
        let place = put(store, b"the same").await.place;
        let days = [before, Day::of(SystemTime::now())];
        assert!(
            days.iter().any(|day| begins_with(&place, *day)),
            "{} does not begin with the day on which it was made",
            place.as_str()
        );
        assert!(places.insert(place), "a place was used twice");
    }
}

pub(super) async fn a_day_lists_its_places_and_no_others<S: ContentStore>(store: &S) {
    let today = Day::of(SystemTime::now());
    let mut places = BTreeSet::new();
    for _ in 0..20 {
        places.insert(put(store, b"content").await.place);
    }
    let mut listed = BTreeSet::new();
    for day in [today, today.next()] {
        for place in list(store, day).await {
            assert!(begins_with(&place, day), "a place of another day is listed");
            assert!(listed.insert(place), "a place is listed twice");
        }
    }
    assert!(listed.is_superset(&places), "a place is not listed");
    let long_ago = Day::of(SystemTime::UNIX_EPOCH);
    assert_eq!(
        list(store, long_ago).await,
        [],
        "a day on which nothing was put"
    );
}

pub(super) async fn uploads_at_once_do_not_mix<S: ContentStore>(store: &S) {
    let contents: Vec<String> = (0..8)
        .map(|i| format!("{i}").repeat(MUCH / 4 + i))
        .collect();
    let puts = contents
        .iter()
        .map(|content| put(store, content.as_bytes()));
    let stored = join_all(puts).await;
    for (stored, content) in stored.iter().zip(&contents) {
        assert_content(store, &stored.place, content.as_bytes()).await;
    }
}

pub(super) async fn a_failed_upload_leaves_nothing<S: ContentStore>(store: &S) {
    let before = list_now(store).await;
    for sent in [0, 1, MUCH] {
        let upload = failing_upload(&content_type("image/png"), sent);
        assert_failed(&store.put(upload).await);
    }
    assert_eq!(list_now(store).await, before, "a failed upload stays");
}

pub(super) async fn a_put_dropped_before_its_content_has_ended_leaves_nothing<S: ContentStore>(
    store: &S,
) {
    let before = list_now(store).await;
    for sent in [0, 1, MUCH] {
        let has_stalled = Arc::new(Signal::default());
        let upload = stalling_upload(&content_type("image/png"), sent, &has_stalled);
        // Until all that there is has been taken.
        let stored = until(store.put(upload), &has_stalled).await;
        assert!(stored.is_none(), "a put ended before its upload did");
    }
    assert_eq!(list_now(store).await, before, "a dropped upload stays");
}

/// Or the sweep would not find it.
pub(super) async fn a_put_dropped_at_any_moment_leaves_nothing_or_what_is_listed<
    S: ContentStore,
>(
    store: &S,
) {
    let before = list_now(store).await;
    for moment in Moment::all() {
        let putting = store.put(upload(&content_type("image/png"), b"dropped"));
        if let Some(stored) = moment.drops(putting).await {
            ok(stored, "put");
            break;
        }
    }
    for place in list_now(store).await.difference(&before) {
        assert_content(store, place, b"dropped").await;
        ok(store.delete(place).await, "delete");
        assert_not_found(store, place).await;
    }
}

pub(super) async fn what_was_deleted_is_gone<S: ContentStore>(store: &S) {
    let large = vec![b'x'; MUCH];
    for bytes in [b"content".as_slice(), &large] {
        let place = put(store, bytes).await.place;
        let other = put(store, bytes).await.place;
        // Content that has been read may be kept at hand.
        assert_content(store, &place, bytes).await;
        for _ in 0..2 {
            ok(store.delete(&place).await, "delete");
            assert_not_found(store, &place).await;
        }
        let listed = list_now(store).await;
        assert!(!listed.contains(&place), "what was deleted is listed");
        assert_content(store, &other, bytes).await;
    }
}

pub(super) async fn where_nothing_was_put_nothing_is_found<S: ContentStore>(store: &S) {
    let there = put(store, b"content").await.place;
    let longer = format!("{}0", there.as_str());
    let shorter = there.as_str()[..there.as_str().len() - 1].to_owned();
    let nowhere = [
        "1999-12-31/00000000000000000000000000000000",
        "1999-12-31",
        "../../etc/passwd",
        "/etc/passwd",
        "1999-12-31/../..",
        "/",
        ".",
        "\\",
        "?",
        " ~ ",
        &"x".repeat(512),
        &longer,
        &shorter,
    ]
    .map(str::to_owned);
    for place in nowhere.into_iter().flat_map(Place::new) {
        assert_not_found(store, &place).await;
        ok(store.delete(&place).await, "delete of what is not there");
    }
    assert_content(store, &there, b"content").await;
}

/// Its error would refuse the layer's own URL.
pub(super) async fn a_store_is_asked_for_its_url_of_anything<S: ContentStore>(store: &S) {
    let key = BinaryKey::new(BinaryId::random(), VersionId::from(1));
    let expires = Expires::at_unix_seconds(u64::MAX);
    let grants = [
        Grant::new(key.clone(), ReadTerms::new(), expires),
        Grant::new(key, WriteTerms::new(content_type("image/png")), expires),
    ];
    let place = put(store, b"content").await.place;
    for grant in &grants {
        ok(store.presign(&place, grant).await, "presign");
    }
}

fn content_type(text: &str) -> ContentType {
    match ContentType::new(text) {
        Ok(content_type) => content_type,
        Err(error) => panic!("{error}"),
    }
}

async fn put<S: ContentStore>(store: &S, bytes: &[u8]) -> Stored {
    let upload = upload(&content_type("image/png"), bytes);
    ok(store.put(upload).await, "put")
}

async fn list<S: ContentStore>(store: &S, day: Day) -> Vec<Place> {
    let mut listing = pin!(store.list(day));
    let mut places = Vec::new();
    while let Some(place) = poll_fn(|cx| listing.as_mut().poll_next(cx)).await {
        places.push(ok(place, "list"));
    }
    places
}

/// The content that was put on this day, or on the one before, which may just have ended.
async fn list_now<S: ContentStore>(store: &S) -> BTreeSet<Place> {
    let now = SystemTime::now();
    let yesterday = Day::of(now - Duration::from_secs(24 * 60 * 60));
    let mut places = BTreeSet::new();
    for day in [yesterday, Day::of(now)] {
        places.extend(list(store, day).await);
    }
    places
}

fn begins_with(place: &Place, day: Day) -> bool {
    place.as_str().starts_with(&day.to_string())
}

async fn assert_content<S: ContentStore>(store: &S, place: &Place, expected: &[u8]) {
    let content = ok(store.get(place, None).await, "get");
    let image = content_type("image/png");
    assert_whole(content, &image, expected, "what is read").await;
}

async fn assert_not_found<S: ContentStore>(store: &S, place: &Place) {
    for range in [None, Some(ByteRange::From(0))] {
        let read = store.get(place, range).await;
        assert!(
            matches!(read, Err(RepositoryError::NotFound)),
            "get of what is not there is NotFound, not {read:?}"
        );
    }
}
