//! The promises of repositories about writing.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;

use futures_util::future::{self, join_all};
use futures_util::stream::{self, StreamExt as _};

use super::repository::{assert_content, assert_not_found, locate, write, write_to};
use super::support::{
    MUCH, Moment, Signal, assert_failed, chunks, failing_upload, ok, stalling_upload, until, upload,
};
use crate::id::BinaryId;
use crate::store::{BinaryRepository, Located, RepositoryError, Upload};
use crate::url::Access;

pub(super) async fn a_version_is_written_once<R: BinaryRepository>(repository: &R, id: BinaryId) {
    let Located {
        key, content_type, ..
    } = locate(repository, id, Access::Write).await;
    write_to(repository, &key, b"first").await;
    let is_polled = Arc::new(AtomicBool::new(false));
    let watch = Arc::clone(&is_polled);
    let second = stream::poll_fn(move |_| {
        watch.store(true, Ordering::Relaxed);
        Poll::Ready(None)
    });
    let second = Upload::new(content_type.clone(), second);
    let again = repository.write(&key, second).await;
    assert!(
        matches!(again, Err(RepositoryError::AlreadyWritten)),
        "a second write is AlreadyWritten, not {again:?}"
    );
    assert!(
        !is_polled.load(Ordering::Relaxed),
        "that a version has been written must be said before a client that waits is told to go on"
    );
    // A repeat of the same bytes is one for the layer to recognise.
    for bytes in ["other", "first"] {
        let third = upload(&content_type, bytes.as_bytes()).with_expects_continue(false);
        let again = repository.write(&key, third).await;
        assert!(
            matches!(again, Err(RepositoryError::AlreadyWritten)),
            "a write is AlreadyWritten also if its client does not wait, not {again:?}"
        );
    }
    assert_content(repository, &key, b"first").await;
}

pub(super) async fn an_upload_is_invisible_until_it_is_whole<R: BinaryRepository>(
    repository: &R,
    id: BinaryId,
) {
    let Located {
        key, content_type, ..
    } = locate(repository, id, Access::Write).await;
    let may_end = Arc::new(AtomicBool::new(false));
    let is_released = Arc::clone(&may_end);
    let end = stream::poll_fn(move |cx| {
        if is_released.load(Ordering::Relaxed) {
            return Poll::Ready(None);
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    });
    let content = chunks([vec![b'x'; 700_000], vec![b'x'; 1_400_000]]).chain(end);
    let writing = repository.write(&key, Upload::new(content_type, content));
    let looking = async {
        for _ in 0..100 {
            assert_not_found(repository, &key).await;
        }
        may_end.store(true, Ordering::Relaxed);
    };
    let (written, ()) = future::join(writing, looking).await;
    ok(written, "write");
    assert_content(repository, &key, &vec![b'x'; 2_100_000]).await;
}

pub(super) async fn a_failed_upload_leaves_nothing_and_may_be_repeated<R: BinaryRepository>(
    repository: &R,
    id: BinaryId,
) {
    for sent in [0, 1, MUCH] {
        let Located {
            key, content_type, ..
        } = locate(repository, id, Access::Write).await;
        let upload = failing_upload(&content_type, sent);
        assert_failed(&repository.write(&key, upload).await);
        assert_not_found(repository, &key).await;
    }
    let key = write(repository, id, b"whole").await;
    assert_content(repository, &key, b"whole").await;
}

pub(super) async fn a_write_dropped_before_its_content_has_ended_leaves_nothing<
    R: BinaryRepository,
>(
    repository: &R,
    id: BinaryId,
) {
    for sent in [0, 1, MUCH] {
        let Located {
            key, content_type, ..
        } = locate(repository, id, Access::Write).await;
        let has_stalled = Arc::new(Signal::default());
        let upload = stalling_upload(&content_type, sent, &has_stalled);
        // Until all that there is has been taken.
        let written = until(repository.write(&key, upload), &has_stalled).await;
        assert!(written.is_none(), "a write ended before its upload did");
        assert_not_found(repository, &key).await;
    }
    let key = write(repository, id, b"whole").await;
    assert_content(repository, &key, b"whole").await;
}

/// An upload that is dropped after the end of its content may be stored or not. If the storage is
/// elsewhere, it may be stored a little later. But a version that cannot be written any more can be
/// read, and is the current one.
pub(super) async fn a_write_dropped_at_any_moment_is_nothing_or_whole_and_findable<
    R: BinaryRepository,
>(
    repository: &R,
    id: BinaryId,
) {
    for moment in Moment::all() {
        let Located {
            key, content_type, ..
        } = locate(repository, id, Access::Write).await;
        let writing = repository.write(&key, upload(&content_type, b"dropped"));
        let is_done = match moment.drops(writing).await {
            Some(written) => {
                ok(written, "write");
                true
            }
            None => false,
        };
        let repeated = upload(&content_type, b"repeated");
        match repository.write(&key, repeated).await {
            Err(RepositoryError::AlreadyWritten) => {
                assert_content(repository, &key, b"dropped").await;
            }
            repeated => {
                assert!(!is_done, "a version is written once");
                ok(repeated, "write once more, after it was dropped");
                assert_content(repository, &key, b"repeated").await;
            }
        }
        let current = locate(repository, id, Access::Read).await.key;
        assert_eq!(current, key, "what has been written is current: {moment:?}");
        if is_done {
            return;
        }
    }
}

pub(super) async fn a_read_dropped_at_any_moment_harms_no_other<R: BinaryRepository>(
    repository: &R,
    id: BinaryId,
) {
    let bytes = vec![b'x'; MUCH];
    let key = write(repository, id, &bytes).await;
    for moment in Moment::all().take(20) {
        let reading = async {
            let mut content = ok(repository.read(&key, None).await, "read");
            while let Some(chunk) = content.next().await {
                ok(chunk, "reading");
            }
        };
        if moment.drops(reading).await.is_some() {
            break;
        }
    }
    assert_content(repository, &key, &bytes).await;
}

pub(super) async fn of_racing_uploads_one_wins<R: BinaryRepository>(repository: &R, id: BinaryId) {
    let Located {
        key, content_type, ..
    } = locate(repository, id, Access::Write).await;
    let contents: Vec<String> = (0..8).map(|i| format!("{i}").repeat(100_000 + i)).collect();
    let writes = contents.iter().map(|content| {
        let halves = [content[..50_000].to_owned(), content[50_000..].to_owned()];
        let upload = Upload::new(content_type.clone(), chunks(halves));
        repository.write(&key, upload)
    });
    let written = join_all(writes).await;
    let winners: Vec<usize> = (0..8).filter(|i| written[*i].is_ok()).collect();
    assert_eq!(winners.len(), 1, "exactly one of racing uploads succeeds");
    for lost in written.iter().filter(|written| written.is_err()) {
        assert!(
            matches!(lost, Err(RepositoryError::AlreadyWritten)),
            "a lost race is AlreadyWritten, not {lost:?}"
        );
    }
    assert_content(repository, &key, contents[winners[0]].as_bytes()).await;
}
