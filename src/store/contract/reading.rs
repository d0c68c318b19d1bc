//! The promises of repositories about reading.

use super::repository::{assert_content, assert_not_found, locate, write, write_to};
use super::support::{assert_metadata, chunks, collect, large_content, ok};
use crate::id::{BinaryId, VersionId};
use crate::key::BinaryKey;
use crate::store::{BinaryRepository, ByteRange, Located, RepositoryError, Target, Upload};
use crate::url::{Access, Expires, Grant, ReadTerms, WriteTerms};

pub(super) async fn before_the_first_upload_a_version_is_located_and_not_found<
    R: BinaryRepository,
>(
    repository: &R,
    id: BinaryId,
) {
    let to_write = locate(repository, id, Access::Write).await;
    let to_read = locate(repository, id, Access::Read).await;
    assert_eq!(to_write.key.id(), id, "the key is of another Binary");
    assert_eq!(
        to_write.key, to_read.key,
        "a read URL minted before the first upload must name what that upload creates"
    );
    assert_eq!(to_write.content_type, to_read.content_type, "content type");
    assert_not_found(repository, &to_read.key).await;
}

/// A URL is minted for content that is yet to come, and an error of `presign` would refuse it.
pub(super) async fn a_store_is_asked_for_its_url_before_there_is_content<R: BinaryRepository>(
    repository: &R,
    id: BinaryId,
) {
    let expires = Expires::at_unix_seconds(u64::MAX);
    for has_content in [false, true] {
        let to_read = locate(repository, id, Access::Read).await.key;
        let to_write = locate(repository, id, Access::Write).await;
        for grant in [
            Grant::new(to_read.clone(), ReadTerms::new(), expires),
            Grant::new(
                to_write.key,
                WriteTerms::new(to_write.content_type),
                expires,
            ),
        ] {
            let presigned = repository.presign(&grant).await;
            ok(presigned, "presign");
        }
        if !has_content {
            write(repository, id, b"content").await;
        }
    }
}

pub(super) async fn what_was_written_is_read_back<R: BinaryRepository>(
    repository: &R,
    id: BinaryId,
) {
    let Located {
        key, content_type, ..
    } = locate(repository, id, Access::Write).await;
    let parts = ["every ", "byte, ", "as it came"];
    let whole = parts.concat();
    let upload = Upload::new(content_type.clone(), chunks(parts)).with_length(whole.len() as u64);
    let written = ok(repository.write(&key, upload).await, "write");
    assert_metadata(&written, &content_type, whole.as_bytes(), "write");
    let head = ok(repository.head(&key).await, "head");
    assert_metadata(&head, &content_type, whole.as_bytes(), "head");
    assert_content(repository, &key, whole.as_bytes()).await;
}

pub(super) async fn ranges_select_what_rfc_9110_says<R: BinaryRepository>(
    repository: &R,
    id: BinaryId,
) {
    use ByteRange::{From, FromTo, Last};
    let key = write(repository, id, b"0123456789").await;
    for (range, expected) in [
        (FromTo(0, 0), "0"),
        (FromTo(2, 4), "234"),
        (FromTo(9, 9), "9"),
        (FromTo(8, 100), "89"),
        (FromTo(0, u64::MAX), "0123456789"),
        (From(0), "0123456789"),
        (From(7), "789"),
        (Last(1), "9"),
        (Last(10), "0123456789"),
        (Last(11), "0123456789"),
        (Last(u64::MAX), "0123456789"),
    ] {
        let content = ok(repository.read(&key, Some(range)).await, "read");
        assert_eq!(content.metadata().length, 10, "whole length, for {range:?}");
        let selected = content.range();
        let bytes = collect(content).await;
        assert_eq!(bytes, expected.as_bytes(), "bytes of {range:?}");
        let announced = &b"0123456789"[position(selected.start)..position(selected.end)];
        assert_eq!(bytes, announced, "the range announced for {range:?}");
    }
    for range in [FromTo(10, 10), From(10), From(u64::MAX), Last(0)] {
        let read = repository.read(&key, Some(range)).await;
        assert!(
            matches!(
                read,
                Err(RepositoryError::RangeNotSatisfiable { length: 10 })
            ),
            "{range:?} selects nothing, which must be said with the length, not {read:?}"
        );
    }
}

pub(super) async fn large_content_is_read_back_whole_and_in_part<R: BinaryRepository>(
    repository: &R,
    id: BinaryId,
) {
    let bytes = large_content();
    let key = write(repository, id, &bytes).await;
    assert_content(repository, &key, &bytes).await;
    for (first, last) in [(0, 0), (65_000, 3_000_000), (4_999_000, 5_000_010)] {
        let range = ByteRange::FromTo(first, last);
        let content = ok(repository.read(&key, Some(range)).await, "read");
        assert!(
            collect(content).await == bytes[position(first)..=position(last)],
            "bytes {first} to {last} of large content"
        );
    }
}

pub(super) async fn empty_content_is_content<R: BinaryRepository>(repository: &R, id: BinaryId) {
    let key = write(repository, id, b"").await;
    assert_eq!(ok(repository.head(&key).await, "head").length, 0, "length");
    assert_content(repository, &key, b"").await;
    let suffix = repository.read(&key, Some(ByteRange::Last(5))).await;
    assert_eq!(
        ok(suffix, "read of a suffix").range(),
        0..0,
        "a suffix of empty content is all of it"
    );
}

/// The host wants it back when the URL is used. A repository that gives contexts a meaning may
/// refuse this one.
pub(super) async fn the_context_of_a_target_is_in_its_key<R: BinaryRepository>(
    repository: &R,
    id: BinaryId,
) {
    let located = async |access| {
        let target = Target::new(id, access).with_context(Some("the host's own".into()));
        match repository.locate(&target).await {
            Err(RepositoryError::NotFound) => None,
            located => {
                let key = ok(located, "locate with a context").key;
                assert_eq!(key.context(), target.context(), "context of the key");
                Some(key)
            }
        }
    };
    if let Some(to_write) = located(Access::Write).await {
        write_to(repository, &to_write, b"content").await;
        let to_read = located(Access::Read).await;
        assert_eq!(
            to_read.as_ref(),
            Some(&to_write),
            "what was written is current"
        );
        assert_content(repository, &to_write, b"content").await;
    }
}

/// It may lead nowhere by the time that the URL is used.
pub(super) async fn a_place_is_a_short_cut_alone<R: BinaryRepository>(
    repository: &R,
    id: BinaryId,
) {
    let key = write(repository, id, b"content").await;
    let located = locate(repository, id, Access::Read).await;
    let stale = [
        "1999-12-31/00000000000000000000000000000000",
        "../binary",
        "?",
    ];
    let stale = stale.into_iter().flat_map(crate::place::Place::new);
    for place in located.place.into_iter().chain(stale) {
        let key = key.clone().with_place(place);
        assert_content(repository, &key, b"content").await;
        ok(repository.head(&key).await, "head");
        // A version that has no content is still not found.
        let next = locate(repository, id, Access::Write).await.key;
        assert_not_found(repository, &next).await;
    }
}

pub(super) async fn a_second_upload_makes_a_new_version_and_keeps_the_old<R: BinaryRepository>(
    repository: &R,
    id: BinaryId,
) {
    let first = write(repository, id, b"first").await;
    let current = locate(repository, id, Access::Read).await.key;
    assert_eq!(current, first, "what was written is current");
    let next = locate(repository, id, Access::Write).await.key;
    assert_ne!(next, first, "a write URL names a version without content");
    let current = locate(repository, id, Access::Read).await.key;
    assert_eq!(current, first, "a write URL alone changes nothing");

    write_to(repository, &next, b"second").await;
    let current = locate(repository, id, Access::Read).await.key;
    assert_eq!(current, next, "the newest version is current");
    assert_content(repository, &next, b"second").await;
    assert_content(repository, &first, b"first").await;
    let named = Target::version_of(id, first.version());
    let named = ok(repository.locate(&named).await, "locate of a past version");
    assert_eq!(named.key, first, "a past version is found by its id");
}

pub(super) async fn a_version_that_never_was_is_not_found<R: BinaryRepository>(
    repository: &R,
    id: BinaryId,
) {
    write(repository, id, b"content").await;
    let version = VersionId::random();
    let located = repository.locate(&Target::version_of(id, version)).await;
    // Or else the URL that names it leads nowhere.
    if !matches!(located, Err(RepositoryError::NotFound)) {
        let key = ok(located, "locate of an unknown version").key;
        assert_eq!(key.version(), version, "another version than the named one");
        assert_not_found(repository, &key).await;
    }
}

pub(super) async fn a_binary_that_never_was_is_not_found<R: BinaryRepository>(
    repository: &R,
    id: BinaryId,
) {
    let content_type = locate(repository, id, Access::Write).await.content_type;
    let stranger = BinaryId::random();
    for access in [Access::Read, Access::Write] {
        let located = repository.locate(&Target::new(stranger, access)).await;
        assert!(
            matches!(located, Err(RepositoryError::NotFound)),
            "locate of an unknown Binary is NotFound, not {located:?}"
        );
    }
    let key = BinaryKey::new(stranger, VersionId::from(1));
    assert_not_found(repository, &key).await;
    let upload = Upload::new(content_type, chunks(["content"]));
    let written = repository.write(&key, upload).await;
    assert!(
        matches!(written, Err(RepositoryError::NotFound)),
        "a write to an unknown Binary is NotFound, not {written:?}"
    );
}

fn position(position: u64) -> usize {
    usize::try_from(position).unwrap_or(usize::MAX)
}
