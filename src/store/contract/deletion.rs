//! The promises of repositories about deletions by the host.

use std::sync::Arc;
use std::task::Poll;

use futures_util::future;
use futures_util::stream::{self, StreamExt as _};

use super::repository::{locate, write};
use super::support::{MUCH, Signal, chunks, until, upload};
use crate::content_type::ContentType;
use crate::id::BinaryId;
use crate::key::BinaryKey;
use crate::store::{BinaryRepository, Located, RepositoryError, Target, Upload};
use crate::url::Access;

pub(super) async fn what_was_deleted_is_gone_for_every_key<R: BinaryRepository>(
    repository: &R,
    id: BinaryId,
    delete: &impl AsyncFn(&R, BinaryId),
) {
    let first = write(repository, id, b"first").await;
    let second = write(repository, id, &vec![b'x'; MUCH]).await;
    let located = locate(repository, id, Access::Read).await;
    let with_place = located.place.map(|place| second.clone().with_place(place));
    let Located {
        key, content_type, ..
    } = locate(repository, id, Access::Write).await;
    // Content that has been read may be kept at hand.
    for key in [&first, &second] {
        drop(repository.read(key, None).await);
    }
    delete(repository, id).await;
    for key in [first, second, key].into_iter().chain(with_place) {
        assert_gone(repository, &key, &content_type).await;
    }
}

pub(super) async fn a_binary_without_content_is_gone_when_deleted<R: BinaryRepository>(
    repository: &R,
    id: BinaryId,
    delete: &impl AsyncFn(&R, BinaryId),
) {
    let Located {
        key, content_type, ..
    } = locate(repository, id, Access::Write).await;
    delete(repository, id).await;
    assert_gone(repository, &key, &content_type).await;
}

pub(super) async fn an_upload_does_not_outlive_its_binary<R: BinaryRepository>(
    repository: &R,
    id: BinaryId,
    delete: &impl AsyncFn(&R, BinaryId),
) {
    let Located {
        key, content_type, ..
    } = locate(repository, id, Access::Write).await;
    let (has_begun, is_deleted) = (Arc::new(Signal::default()), Arc::new(Signal::default()));
    let (begun, deleted) = (Arc::clone(&has_begun), Arc::clone(&is_deleted));
    let pause = stream::poll_fn(move |cx| {
        begun.set();
        if deleted.is_set(cx) {
            Poll::Ready(None)
        } else {
            Poll::Pending
        }
    });
    let content = chunks([vec![b'x'; MUCH]]).chain(pause);
    let writing = repository.write(&key, Upload::new(content_type.clone(), content));
    let deleting = async {
        until(future::pending::<()>(), &has_begun).await;
        delete(repository, id).await;
        is_deleted.set();
    };
    let (written, ()) = future::join(writing, deleting).await;
    assert_is_gone(&written, "a write that was under way");
    assert_gone(repository, &key, &content_type).await;
}

async fn assert_gone<R: BinaryRepository>(
    repository: &R,
    key: &BinaryKey,
    content_type: &ContentType,
) {
    for access in [Access::Read, Access::Write] {
        let located = repository.locate(&Target::new(key.id(), access)).await;
        assert_is_gone(&located, "locate");
    }
    assert_is_gone(&repository.head(key).await, "head");
    assert_is_gone(&repository.read(key, None).await, "read");
    for expects_continue in [true, false] {
        let upload = upload(content_type, b"again").with_expects_continue(expects_continue);
        assert_is_gone(&repository.write(key, upload).await, "write");
    }
    assert_is_gone(&repository.head(key).await, "head after a write");
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
