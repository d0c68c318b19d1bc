//! The promises of a [`Resumable`](crate::store::Resumable) about uploads that are on their way.

use std::time::{Duration, Instant, SystemTime};

use futures_util::future::join_all;

use super::repository::{assert_content, assert_not_found, locate};
use super::resumable::{
    LONG, NEVER, append, assert_becomes, assert_failed, assert_gone, assert_metadata,
    assert_progress, begin, begin_until, content, part, progress_of, resumable, take_over,
};
use super::support::{MUCH, Moment, ok};
use crate::id::{BinaryId, UploadId};
use crate::store::{BinaryRepository, Part, RepositoryError, Resumable as _};
use crate::url::Access;

pub(super) async fn an_upload_begins_with_nothing_but_its_note<R: BinaryRepository>(
    repository: &R,
    _: BinaryId,
) {
    let upload = begin(repository, 1).await;
    assert_progress(repository, &upload, b"").await;
    let other = begin(repository, 2).await;
    append(repository, &other, b"", b"of the other").await;
    assert_progress(repository, &upload, b"").await;
}

pub(super) async fn what_never_began_is_not_found<R: BinaryRepository>(
    repository: &R,
    id: BinaryId,
) {
    let other = begin(repository, 1).await;
    // An id may be any, and lead nowhere else.
    let foreign = ["0123456789abcdefg", &"Z".repeat(64)].map(UploadId::new);
    let never = foreign.into_iter().flatten();
    for upload in never.chain([UploadId::in_group(1)]) {
        assert_gone(repository, &upload).await;
        ok(resumable(repository).abandon(&upload).await, "abandon");
        let located = locate(repository, id, Access::Write).await;
        let written = take_over(repository, &located, &upload, b"content").await;
        assert!(written.is_err(), "what never began was written");
        assert_not_found(repository, &located.key).await;
    }
    assert_progress(repository, &other, b"").await;
}

pub(super) async fn parts_become_one_content<R: BinaryRepository>(repository: &R, id: BinaryId) {
    let bytes = content(2 * LONG + MUCH);
    for ends in [
        vec![bytes.len()],
        vec![1, 2, 2, 70_001, MUCH],
        vec![LONG, 2 * LONG, 2 * LONG + 1, bytes.len()],
        vec![5 * 1024 * 1024, 10 * 1024 * 1024],
    ] {
        let upload = begin(repository, 1).await;
        let mut here = 0;
        for end in &ends {
            let sent = append(repository, &upload, &bytes[..here], &bytes[here..*end]);
            assert_eq!(sent.await, progress_of(&bytes[..*end]), "what append says");
            assert_progress(repository, &upload, &bytes[..*end]).await;
            here = *end;
        }
        let located = locate(repository, id, Access::Write).await;
        let written = take_over(repository, &located, &upload, &bytes[..here]).await;
        assert_metadata(&ok(written, "write"), &located.content_type, &bytes[..here]);
        let head = ok(repository.head(&located.key).await, "head");
        assert_metadata(&head, &located.content_type, &bytes[..here]);
        assert_content(repository, &located.key, &bytes[..here]).await;
        let to_read = locate(repository, id, Access::Read).await;
        assert_eq!(to_read.key, located.key, "it is the current version");
    }
}

pub(super) async fn an_upload_of_no_bytes_becomes_empty_content<R: BinaryRepository>(
    repository: &R,
    id: BinaryId,
) {
    for parts in 0..2 {
        let upload = begin(repository, 1).await;
        for _ in 0..parts {
            append(repository, &upload, b"", b"").await;
        }
        let located = locate(repository, id, Access::Write).await;
        let written = take_over(repository, &located, &upload, b"").await;
        assert_metadata(&ok(written, "write"), &located.content_type, b"");
        assert_content(repository, &located.key, b"").await;
        assert_progress(repository, &upload, b"").await;
    }
}

pub(super) async fn what_came_before_an_error_is_kept<R: BinaryRepository>(
    repository: &R,
    id: BinaryId,
) {
    let upload = begin(repository, 1).await;
    let bytes = content(LONG + MUCH + 3);
    let mut here = 0;
    for end in [0, 2, MUCH, MUCH + LONG] {
        let failing = part(&bytes[..here], &bytes[here..end]).fails();
        let appended = resumable(repository).append(&upload, failing.part()).await;
        assert_failed(&appended);
        assert_progress(repository, &upload, &bytes[..end]).await;
        here = end;
    }
    append(repository, &upload, &bytes[..here], &bytes[here..]).await;
    assert_becomes(repository, id, &upload, &bytes).await;
}

pub(super) async fn a_part_that_is_whole_or_nothing_is_nothing_after_an_error<
    R: BinaryRepository,
>(
    repository: &R,
    id: BinaryId,
) {
    let upload = begin(repository, 1).await;
    let bytes = content(3 * LONG);
    let mut here = 0;
    for end in [2, MUCH, LONG, 3 * LONG] {
        let wrong = vec![b'x'; end - here];
        let failing = part(&bytes[..here], &wrong).fails();
        let failing = failing.part().whole_or_nothing(true);
        assert_failed(&resumable(repository).append(&upload, failing).await);
        assert_progress(repository, &upload, &bytes[..here]).await;
        let whole = part(&bytes[..here], &bytes[here..end]).part();
        let whole = whole.whole_or_nothing(true);
        ok(resumable(repository).append(&upload, whole).await, "append");
        here = end;
    }
    assert_becomes(repository, id, &upload, &bytes).await;
}

pub(super) async fn a_part_that_begins_elsewhere_changes_nothing<R: BinaryRepository>(
    repository: &R,
    id: BinaryId,
) {
    let upload = begin(repository, 1).await;
    let bytes = b"0123456789";
    append(repository, &upload, b"", &bytes[..5]).await;
    for offset in [0, 4, 6, 1000] {
        for is_whole_or_nothing in [false, true] {
            let elsewhere = Part::new(offset, part(b"", &[b'x'; 10]));
            let elsewhere = elsewhere.whole_or_nothing(is_whole_or_nothing);
            let appended = resumable(repository).append(&upload, elsewhere).await;
            assert!(
                matches!(appended, Err(RepositoryError::OffsetMismatch { offset: 5 })),
                "a part that begins at {offset} and not at 5 is refused with that, not {appended:?}"
            );
            assert_progress(repository, &upload, &bytes[..5]).await;
        }
    }
    append(repository, &upload, &bytes[..5], &bytes[5..]).await;
    assert_becomes(repository, id, &upload, bytes).await;
}

pub(super) async fn of_parts_at_one_offset_one_is_kept<R: BinaryRepository>(
    repository: &R,
    id: BinaryId,
) {
    for length in [10, MUCH, LONG] {
        let upload = begin(repository, 1).await;
        let begun = content(3);
        append(repository, &upload, b"", &begun).await;
        let contents: Vec<Vec<u8>> = (0..4)
            .map(|i| [begun.clone(), vec![b'0' + i; length + usize::from(i)]].concat())
            .collect();
        let appends = contents.iter().map(|content| {
            let part = part(&begun, &content[3..]).part();
            resumable(repository).append(&upload, part)
        });
        let appended = join_all(appends).await;
        let kept = ok(resumable(repository).progress(&upload).await, "progress");
        let kept = contents
            .iter()
            .position(|content| progress_of(content) == kept)
            .unwrap_or_else(|| panic!("none of the parts is kept: {appended:?}"));
        for (i, appended) in appended.iter().enumerate() {
            assert!(
                i == kept || appended.is_err(),
                "two parts that begin at one offset are both kept, {i} and {kept}"
            );
        }
        assert_becomes(repository, id, &upload, &contents[kept]).await;
    }
}

pub(super) async fn an_append_dropped_at_any_moment_leaves_what_its_offset_says<
    R: BinaryRepository,
>(
    repository: &R,
    id: BinaryId,
) {
    let upload = begin(repository, 1).await;
    let mut here = Vec::new();
    for moment in Moment::all().take(40) {
        let whole = [&here[..], &vec![b'a'; 100_000]].concat();
        let appending = part(&here, &whole[here.len()..]).part();
        let appending = resumable(repository).append(&upload, appending);
        let is_done = moment.drops(appending).await.is_some();
        // The part may still be on its way. Bytes that are reported now count, and so do any that
        // follow.
        let kept = settle(repository, &upload, &whole).await;
        assert!(kept >= here.len(), "the offset goes back");
        here = whole[..kept].to_vec();
        if is_done {
            break;
        }
    }
    let whole = [&here[..], b"the end"].concat();
    append(repository, &upload, &here, b"the end").await;
    assert_becomes(repository, id, &upload, &whole).await;
}

pub(super) async fn what_was_abandoned_is_gone<R: BinaryRepository>(repository: &R, id: BinaryId) {
    for length in [0, 10, LONG] {
        let bytes = content(length);
        let (upload, other) = (begin(repository, 1).await, begin(repository, 1).await);
        for upload in [&upload, &other] {
            append(repository, upload, b"", &bytes).await;
        }
        for _ in 0..2 {
            ok(resumable(repository).abandon(&upload).await, "abandon");
            assert_gone(repository, &upload).await;
        }
        let located = locate(repository, id, Access::Write).await;
        let written = take_over(repository, &located, &upload, &bytes).await;
        assert!(written.is_err(), "what was abandoned was written");
        assert_becomes(repository, id, &other, &bytes).await;
    }
}

pub(super) async fn what_has_expired_is_removed_and_reported<R: BinaryRepository>(
    repository: &R,
    id: BinaryId,
) {
    let now = SystemTime::now();
    let soon = now + Duration::from_secs(100);
    let bytes = content(LONG);
    let (empty, short, long, finished, later) = (
        begin_until(repository, 1, soon).await,
        begin_until(repository, 2, soon).await,
        begin_until(repository, 3, soon).await,
        begin_until(repository, 4, soon).await,
        begin_until(repository, 5, soon + NEVER).await,
    );
    append(repository, &short, b"", b"short").await;
    append(repository, &later, b"", b"later").await;
    append(repository, &long, b"", &bytes).await;
    append(repository, &finished, b"", &bytes).await;
    let key = assert_becomes(repository, id, &finished, &bytes).await;

    let of_now = resumable(repository).remove_expired(now).await;
    let mine = [&empty, &short, &long, &finished, &later];
    let of_now = ok(of_now, "remove_expired");
    assert!(
        !of_now.iter().any(|expired| mine.contains(&expired)),
        "an upload is removed before its time"
    );
    assert_progress(repository, &long, &bytes).await;

    let over = soon + Duration::from_secs(1);
    let expired = resumable(repository).remove_expired(over).await;
    let expired = ok(expired, "remove_expired");
    for upload in [&empty, &short, &long] {
        assert!(expired.contains(upload), "what has expired is reported");
        assert_gone(repository, upload).await;
    }
    assert!(
        !expired.contains(&finished),
        "what has become a version is no upload that has expired"
    );
    assert!(!expired.contains(&later), "what has time left is reported");
    assert_content(repository, &key, &bytes).await;
    append(repository, &later, b"later", b" on").await;
    let again = ok(
        resumable(repository).remove_expired(over).await,
        "remove_expired",
    );
    assert!(!again.contains(&long), "it is reported once");
}

pub(super) async fn of_a_group_two_that_are_not_finished_stay<R: BinaryRepository>(
    repository: &R,
    id: BinaryId,
) {
    let foreign = begin(repository, 2).await;
    let finished = begin(repository, 1).await;
    append(repository, &finished, b"", b"finished").await;
    assert_becomes(repository, id, &finished, b"finished").await;

    let (first, second) = (begin(repository, 1).await, begin(repository, 1).await);
    append(repository, &second, b"", b"2").await;
    append(repository, &first, b"", b"1").await;
    let third = begin(repository, 1).await;
    assert_gone(repository, &second).await;
    assert_progress(repository, &first, b"1").await;
    append(repository, &first, b"1", b"1").await;
    assert_progress(repository, &third, b"").await;

    append(repository, &third, b"", b"3").await;
    begin(repository, 1).await;
    assert_gone(repository, &first).await;
    assert_progress(repository, &third, b"3").await;
    assert_progress(repository, &foreign, b"").await;
    assert_progress(repository, &finished, b"finished").await;
}

pub(super) async fn offset_and_note_and_bytes_survive_the_end_of_the_process<
    R: BinaryRepository,
>(
    mut repository: R,
    id: BinaryId,
    reopen: &impl AsyncFn(R) -> R,
) {
    let upload = begin(&repository, 1).await;
    let bytes = content(2 * LONG);
    let mut here = 0;
    for end in [0, 3, LONG, LONG + 1, 2 * LONG] {
        append(&repository, &upload, &bytes[..here], &bytes[here..end]).await;
        repository = reopen(repository).await;
        assert_progress(&repository, &upload, &bytes[..end]).await;
        here = end;
    }
    let key = assert_becomes(&repository, id, &upload, &bytes).await;
    repository = reopen(repository).await;
    assert_progress(&repository, &upload, &bytes).await;
    assert_content(&repository, &key, &bytes).await;
}

/// The length of the part of `whole` that is there, once nothing more happens to it.
async fn settle<R: BinaryRepository>(repository: &R, upload: &UploadId, whole: &[u8]) -> usize {
    let start = Instant::now();
    loop {
        let progress = ok(resumable(repository).progress(upload).await, "progress");
        let length = whole
            .len()
            .min(usize::try_from(progress.offset).unwrap_or(usize::MAX));
        assert_eq!(
            progress,
            progress_of(&whole[..length]),
            "the note is of other bytes"
        );
        // An empty part is one as any other: anything that was on its way has ended by then.
        let nothing = part(&whole[..length], b"").part();
        match resumable(repository).append(upload, nothing).await {
            Ok(_) => return length,
            Err(error) => assert!(
                start.elapsed() < Duration::from_secs(60),
                "a part that was dropped stays in the way: {error}"
            ),
        }
    }
}
