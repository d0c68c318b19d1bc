//! The promises of a [`Resumable`](crate::store::Resumable) about uploads that are whole.

use super::repository::{assert_content, assert_not_found, locate, write};
use super::resumable::{
    LONG, append, assert_becomes, assert_progress, begin, content, part, resumable, resumed,
    take_over,
};
use super::support::{Moment, ok};
use crate::id::{BinaryId, UploadId};
use crate::store::{BinaryRepository, RepositoryError, Resumable as _, UploadError};
use crate::url::Access;

/// An upload with all of its bytes, of this length.
async fn whole<R: BinaryRepository>(repository: &R, length: usize) -> (UploadId, Vec<u8>) {
    let bytes = content(length);
    let upload = begin(repository, 1).await;
    append(repository, &upload, b"", &bytes).await;
    (upload, bytes)
}

pub(super) async fn it_is_invisible_until_it_is_written<R: BinaryRepository>(
    repository: &R,
    id: BinaryId,
) {
    let located = locate(repository, id, Access::Write).await;
    let upload = begin(repository, 1).await;
    let bytes = content(LONG);
    assert_not_found(repository, &located.key).await;
    append(repository, &upload, b"", &bytes).await;
    assert_not_found(repository, &located.key).await;
    let still = locate(repository, id, Access::Write).await;
    assert_eq!(still.key, located.key, "parts make no version");
    assert_becomes(repository, id, &upload, &bytes).await;
}

pub(super) async fn what_was_refused_at_the_end_may_be_written_again<R: BinaryRepository>(
    repository: &R,
    id: BinaryId,
) {
    for length in [10, LONG] {
        let (upload, bytes) = whole(repository, length).await;
        let located = locate(repository, id, Access::Write).await;
        for _ in 0..2 {
            let refused = resumed(&located.content_type, &upload, &bytes)
                .with_acceptance(Box::new(|_| Box::pin(async { Err(UploadError::Empty) })));
            let refused = repository.write(&located.key, refused).await;
            assert!(
                matches!(refused, Err(RepositoryError::Upload(UploadError::Empty))),
                "the upload's error is passed on, not {refused:?}"
            );
            assert_not_found(repository, &located.key).await;
            assert_progress(repository, &upload, &bytes).await;
        }
        assert_becomes(repository, id, &upload, &bytes).await;
    }
}

/// The repeat may report that the version has content, or that its own content is there.
pub(super) async fn a_write_dropped_at_any_moment_may_be_repeated<R: BinaryRepository>(
    repository: &R,
    id: BinaryId,
) {
    for moment in Moment::all() {
        let (upload, bytes) = whole(repository, 1000).await;
        let located = locate(repository, id, Access::Write).await;
        let writing = take_over(repository, &located, &upload, &bytes);
        let is_done = moment.drops(writing).await.is_some();
        match take_over(repository, &located, &upload, &bytes).await {
            Err(RepositoryError::AlreadyWritten) => {}
            repeated => drop(ok(repeated, "write once more, after it was dropped")),
        }
        assert_content(repository, &located.key, &bytes).await;
        assert_progress(repository, &upload, &bytes).await;
        if is_done {
            return;
        }
    }
}

pub(super) async fn it_does_not_replace_a_version_and_can_be_one_elsewhere<R: BinaryRepository>(
    repository: &R,
    id: BinaryId,
) {
    for length in [10, LONG] {
        let (upload, bytes) = whole(repository, length).await;
        let located = locate(repository, id, Access::Write).await;
        let faster = write(repository, id, b"faster").await;
        assert_eq!(faster, located.key, "both are uploads of one version");
        let lost = take_over(repository, &located, &upload, &bytes).await;
        assert!(
            matches!(lost, Err(RepositoryError::AlreadyWritten)),
            "a lost race is AlreadyWritten, not {lost:?}"
        );
        assert_content(repository, &located.key, b"faster").await;
        ok(resumable(repository).abandon(&upload).await, "abandon");
        assert_content(repository, &located.key, b"faster").await;
    }
}

pub(super) async fn after_it_was_written_its_progress_stays_known_and_nothing_is_appended<
    R: BinaryRepository,
>(
    repository: &R,
    id: BinaryId,
) {
    for length in [10, LONG] {
        let (upload, bytes) = whole(repository, length).await;
        let key = assert_becomes(repository, id, &upload, &bytes).await;
        assert_progress(repository, &upload, &bytes).await;
        let more = part(&bytes, b"more").part();
        let appended = resumable(repository).append(&upload, more).await;
        assert!(appended.is_err(), "a part was appended to a version");
        assert_progress(repository, &upload, &bytes).await;
        assert_content(repository, &key, &bytes).await;
        ok(resumable(repository).abandon(&upload).await, "abandon");
        assert_content(repository, &key, &bytes).await;
    }
}
