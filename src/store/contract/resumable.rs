//! The tests of a repository that is [`Resumable`], and what they share.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant, SystemTime};
use std::vec;

use bytes::Bytes;
use futures_util::Stream;
use sha2::{Digest as _, Sha256};

use super::repository::{assert_content, locate};
use super::support::{ok, sha256_of};
use crate::content_type::ContentType;
use crate::id::{BinaryId, UploadId};
use crate::key::BinaryKey;
use crate::store::{
    Begun, BinaryRepository, Located, Metadata, Noted, Part, Progress, RepositoryError, Resumable,
    Upload, UploadError,
};
use crate::url::Access;

/// All promises are listed here, and here alone.
#[doc(hidden)]
#[macro_export]
macro_rules! __resumable_tests {
    (@promises $then:ident $($with:tt)*) => {
        $crate::__resumable_tests! { @$then [$($with)*]
            an_upload_begins_with_nothing_but_its_note
            what_never_began_is_not_found
            parts_become_one_content
            an_upload_of_no_bytes_becomes_empty_content
            what_came_before_an_error_is_kept
            a_part_that_is_whole_or_nothing_is_nothing_after_an_error
            a_part_that_begins_elsewhere_changes_nothing
            of_parts_at_one_offset_one_is_kept
            an_append_dropped_at_any_moment_leaves_what_its_offset_says
            it_is_invisible_until_it_is_written
            what_was_refused_at_the_end_may_be_written_again
            a_write_dropped_at_any_moment_may_be_repeated
            it_does_not_replace_a_version_and_can_be_one_elsewhere
            after_it_was_written_its_progress_stays_known_and_nothing_is_appended
            what_was_abandoned_is_gone
            what_has_expired_is_removed_and_reported
            of_a_group_two_that_are_not_finished_stay
        }
    };
    (@reopenings $then:ident $($with:tt)*) => {
        $crate::__resumable_tests! { @$then [$($with)*]
            offset_and_note_and_bytes_survive_the_end_of_the_process
        }
    };
    (@tests [$attributes:tt $arguments:tt] $($promise:ident)*) => {
        $crate::__contract_tests! { $attributes resumable $arguments $($promise)* }
    };
    (@functions [] $($promise:ident)*) => {
        $(#[doc = "Panics unless this is so."]
        pub async fn $promise<R: BinaryRepository>(make: &impl AsyncFn() -> (R, BinaryId)) {
            let (repository, id) = make().await;
            promises::$promise(&repository, id).await;
        })*
    };
    (@functions [reopen] $($promise:ident)*) => {
        $(#[doc = "Panics unless this is so."]
        pub async fn $promise<R: BinaryRepository>(
            make: &impl AsyncFn() -> (R, BinaryId),
            reopen: &impl AsyncFn(R) -> R,
        ) {
            let (repository, id) = make().await;
            promises::$promise(repository, id, reopen).await;
        })*
    };
    ($(#[$($attribute:tt)*])* make = $make:expr $(,)?) => {
        $crate::__resumable_tests! { @promises tests [$(#[$($attribute)*])*] [$make] }
    };
    ($(#[$($attribute:tt)*])* make = $make:expr, reopen = $reopen:expr $(,)?) => {
        $crate::__resumable_tests! { @promises tests [$(#[$($attribute)*])*] [$make] }
        $crate::__resumable_tests! { @reopenings tests [$(#[$($attribute)*])*] [$make, $reopen] }
    };
}

mod promises {
    pub(super) use super::super::completing::*;
    pub(super) use super::super::resuming::*;
}

crate::__resumable_tests! { @promises functions }
crate::__resumable_tests! { @reopenings functions reopen }

/// More than the smallest part that any store takes by itself, in bytes, and no round number.
pub(super) const LONG: usize = 6 * 1024 * 1024 + 7;

pub(super) const NEVER: Duration = Duration::from_secs(365 * 24 * 60 * 60);

pub(super) fn resumable<R: BinaryRepository>(repository: &R) -> &impl Resumable {
    let resumable = repository.resumable();
    resumable.unwrap_or_else(|| panic!("the repository says that it is not resumable"))
}

pub(super) async fn begin<R: BinaryRepository>(repository: &R, group: u64) -> UploadId {
    begin_until(repository, group, SystemTime::now() + NEVER).await
}

pub(super) async fn begin_until<R: BinaryRepository>(
    repository: &R,
    group: u64,
    expires: SystemTime,
) -> UploadId {
    elapse();
    let upload = UploadId::in_group(group);
    let begun = Begun::new(expires, note_of(b""));
    ok(resumable(repository).begin(&upload, begun).await, "begin");
    elapse();
    upload
}

/// The clock of files may have steps of some milliseconds.
fn elapse() {
    let start = Instant::now();
    while start.elapsed() < Duration::from_millis(12) {
        std::thread::yield_now();
    }
}

/// Appends `bytes` to what is there.
pub(super) async fn append<R: BinaryRepository>(
    repository: &R,
    upload: &UploadId,
    there: &[u8],
    bytes: &[u8],
) -> Progress {
    let part = part(there, bytes).part();
    let appended = resumable(repository).append(upload, part).await;
    elapse();
    ok(appended, "append")
}

pub(super) fn resumed(content_type: &ContentType, upload: &UploadId, bytes: &[u8]) -> Upload {
    let length = bytes.len() as u64;
    Upload::resumed(content_type.clone(), *upload, length, sha256_of(bytes))
        .with_expects_continue(false)
}

pub(super) async fn take_over<R: BinaryRepository>(
    repository: &R,
    located: &Located,
    upload: &UploadId,
    bytes: &[u8],
) -> Result<Metadata, RepositoryError> {
    let content = resumed(&located.content_type, upload, bytes);
    repository.write(&located.key, content).await
}

/// Writes an upload as the next version.
pub(super) async fn assert_becomes<R: BinaryRepository>(
    repository: &R,
    id: BinaryId,
    upload: &UploadId,
    bytes: &[u8],
) -> BinaryKey {
    assert_progress(repository, upload, bytes).await;
    let located = locate(repository, id, Access::Write).await;
    let written = take_over(repository, &located, upload, bytes).await;
    assert_metadata(&ok(written, "write"), &located.content_type, bytes);
    assert_content(repository, &located.key, bytes).await;
    located.key
}

pub(super) fn assert_metadata(metadata: &Metadata, content_type: &ContentType, bytes: &[u8]) {
    super::support::assert_metadata(metadata, content_type, bytes, "an upload in parts");
}

#[track_caller]
pub(super) fn assert_failed(appended: &Result<Progress, RepositoryError>) {
    assert!(
        matches!(
            appended,
            Err(RepositoryError::Upload(UploadError::Incomplete(None)))
        ),
        "the part's error is passed on, not {appended:?}"
    );
}

pub(super) async fn assert_progress<R: BinaryRepository>(
    repository: &R,
    upload: &UploadId,
    bytes: &[u8],
) {
    let progress = resumable(repository).progress(upload).await;
    assert_eq!(
        ok(progress, "progress"),
        progress_of(bytes),
        "the offset, and the note about exactly the bytes up to it"
    );
}

pub(super) async fn assert_gone<R: BinaryRepository>(repository: &R, upload: &UploadId) {
    let progress = resumable(repository).progress(upload).await;
    assert!(
        matches!(progress, Err(RepositoryError::NotFound)),
        "progress of what is not there is NotFound, not {progress:?}"
    );
    let appended = resumable(repository)
        .append(upload, part(b"", b"part").part())
        .await;
    assert!(
        matches!(appended, Err(RepositoryError::NotFound)),
        "append to what is not there is NotFound, not {appended:?}"
    );
}

pub(super) fn progress_of(bytes: &[u8]) -> Progress {
    Progress::new(bytes.len() as u64, note_of(bytes))
}

pub(super) fn note_of(bytes: &[u8]) -> Bytes {
    note(bytes.len(), &Sha256::new_with_prefix(bytes))
}

fn note(length: usize, digest: &Sha256) -> Bytes {
    format!("{length} bytes: {:?}", digest.clone().finalize()).into()
}

pub(super) fn content(length: usize) -> Vec<u8> {
    (0..length)
        .map(|i| (i.wrapping_mul(2_654_435_761) >> 24).to_le_bytes()[0])
        .collect()
}

/// A part that follows `there`. As a real one, it must be waited for.
pub(super) fn part(there: &[u8], bytes: &[u8]) -> Arriving {
    let chunks: Vec<_> = bytes.chunks(70_000).map(Bytes::copy_from_slice).collect();
    Arriving {
        offset: there.len(),
        length: there.len(),
        digest: Sha256::new_with_prefix(there),
        chunks: chunks.into_iter(),
        fails: false,
        has_waited: false,
    }
}

pub(super) struct Arriving {
    offset: usize,
    /// The length of all that there is so far.
    length: usize,
    digest: Sha256,
    chunks: vec::IntoIter<Bytes>,
    fails: bool,
    has_waited: bool,
}

impl Arriving {
    /// Has it end with an error.
    pub(super) fn fails(self) -> Self {
        Self {
            fails: true,
            ..self
        }
    }

    pub(super) fn part(self) -> Part {
        Part::new(self.offset as u64, self)
    }
}

impl Stream for Arriving {
    type Item = Result<Bytes, UploadError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.has_waited = !self.has_waited;
        if self.has_waited {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(match self.chunks.next() {
            Some(chunk) => {
                self.length += chunk.len();
                self.digest.update(&chunk);
                Some(Ok(chunk))
            }
            None => self.fails.then_some(Err(UploadError::Incomplete(None))),
        })
    }
}

impl Noted for Arriving {
    fn note(&self) -> Bytes {
        note(self.length, &self.digest)
    }
}
