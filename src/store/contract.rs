//! A test suite for any [`BinaryRepository`].
//!
//! It checks what the trait promises: that uploads are visible whole or not at all, that a version
//! is written once, that ranges and metadata are right, and that all of this holds when several
//! uploads happen at once.
//!
//! ```
//! use tower_presign::store::contract;
//! use tower_presign::{BinaryId, ContentType, MemoryRepository};
//!
//! // In a test: `#[tokio::test] async fn my_repository_keeps_the_contract()`
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! contract::check(|| async {
//!     let repository = MemoryRepository::new();
//!     let id = BinaryId::random();
//!     let content_type = ContentType::new("text/plain; charset=utf-8").unwrap();
//!     repository.create(id, content_type).unwrap();
//!     (repository, id)
//! })
//! .await;
//! # }
//! ```

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;
use std::thread;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use futures_util::future::{self, join_all};
use futures_util::stream::{self, Stream, StreamExt as _};
use futures_util::task::AtomicWaker;

use super::{BinaryRepository, ByteRange, Located, RepositoryError, Target, Upload, UploadError};
use crate::id::{BinaryId, VersionId};
use crate::key::BinaryKey;
use crate::url::Access;

/// Runs the suite.
///
/// `make` returns a repository, and the id of a Binary in it that has no content yet. It is called
/// once for each test, and may return the same repository with another Binary each time.
///
/// # Panics
///
/// When the repository breaks a promise. The test's output then names it.
pub async fn check<R, F>(make: impl Fn() -> F)
where
    R: BinaryRepository,
    F: Future<Output = (R, BinaryId)>,
{
    macro_rules! check {
        ($($promise:ident)*) => {
            $({
                let (repository, id) = make().await;
                let _named = Promise(stringify!($promise));
                $promise(&repository, id).await;
            })*
        };
    }
    check! {
        before_the_first_upload_there_is_a_place_but_no_content
        what_was_written_is_read_back
        ranges_select_what_rfc_9110_says
        large_content_is_read_back_whole_and_in_part
        empty_content_is_content
        a_version_is_written_once
        an_upload_is_invisible_until_it_is_whole
        a_failed_upload_leaves_nothing_and_may_be_repeated
        a_dropped_upload_leaves_nothing_and_may_be_repeated
        a_whole_upload_that_is_dropped_counts_as_a_whole_or_not_at_all
        of_racing_uploads_one_wins
        a_second_upload_makes_a_new_version_and_keeps_the_old
        a_version_that_never_was_is_not_found
        a_binary_that_never_was_is_not_found
    }
}

/// Tells its name if it is broken: the message of the panic may come from a helper.
struct Promise(&'static str);

impl Drop for Promise {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("the repository breaks this promise: {}", self.0);
        }
    }
}

async fn before_the_first_upload_there_is_a_place_but_no_content<R: BinaryRepository>(
    repository: &R,
    id: BinaryId,
) {
    let to_write = locate(repository, id, Access::Write).await;
    let to_read = locate(repository, id, Access::Read).await;
    assert_eq!(to_write.key.id(), id, "the key is of another Binary");
    assert_eq!(
        to_write, to_read,
        "a read URL minted before the first upload must name what that upload creates"
    );
    assert_not_found(repository, &to_read.key).await;
}

async fn what_was_written_is_read_back<R: BinaryRepository>(repository: &R, id: BinaryId) {
    let Located {
        key, content_type, ..
    } = locate(repository, id, Access::Write).await;
    let parts = ["every ", "byte, ", "as it came"];
    let whole = parts.concat();
    let upload = Upload::new(content_type.clone(), chunks(parts)).with_length(whole.len() as u64);
    let written = ok(repository.write(&key, upload).await, "write");
    let read = ok(repository.head(&key).await, "head");
    assert_eq!(written.length, read.length, "lengths of write and head");
    assert_eq!(read.length, whole.len() as u64, "length");
    assert_eq!(read.content_type, content_type.as_str(), "content type");
    let age = SystemTime::now()
        .duration_since(read.last_modified)
        .unwrap_or_default();
    assert!(
        age < Duration::from_secs(3600) && read.last_modified <= soon(),
        "last_modified is the time of writing, not {:?}",
        read.last_modified
    );
    assert_content(repository, &key, whole.as_bytes()).await;
}

async fn ranges_select_what_rfc_9110_says<R: BinaryRepository>(repository: &R, id: BinaryId) {
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

async fn large_content_is_read_back_whole_and_in_part<R: BinaryRepository>(
    repository: &R,
    id: BinaryId,
) {
    // Longer than any buffer, of no round length, and nowhere like itself.
    let bytes: Vec<u8> = (0..5_000_011_u32)
        .map(|i| i.wrapping_mul(2_654_435_761).to_le_bytes()[3])
        .collect();
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

async fn empty_content_is_content<R: BinaryRepository>(repository: &R, id: BinaryId) {
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

async fn a_version_is_written_once<R: BinaryRepository>(repository: &R, id: BinaryId) {
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
        "that a version has been written must be said before the content is asked for"
    );
    let third = Upload::new(content_type, chunks([vec![b'x'; 10]])).with_expects_continue(false);
    let again = repository.write(&key, third).await;
    assert!(
        matches!(again, Err(RepositoryError::AlreadyWritten)),
        "a write is AlreadyWritten also if its client does not wait, not {again:?}"
    );
    assert_content(repository, &key, b"first").await;
}

async fn an_upload_is_invisible_until_it_is_whole<R: BinaryRepository>(
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

async fn a_failed_upload_leaves_nothing_and_may_be_repeated<R: BinaryRepository>(
    repository: &R,
    id: BinaryId,
) {
    for sent in [0, 1, 3 * 1024 * 1024] {
        let Located {
            key, content_type, ..
        } = locate(repository, id, Access::Write).await;
        let broken = stream::iter([
            Ok(Bytes::from(vec![b'x'; sent])),
            Err(UploadError::DigestMismatch),
        ]);
        let written = repository
            .write(&key, Upload::new(content_type, broken))
            .await;
        assert!(
            matches!(
                written,
                Err(RepositoryError::Upload(UploadError::DigestMismatch))
            ),
            "the upload's error is passed on, not {written:?}"
        );
        assert_not_found(repository, &key).await;
    }
    let key = write(repository, id, b"whole").await;
    assert_content(repository, &key, b"whole").await;
}

async fn a_dropped_upload_leaves_nothing_and_may_be_repeated<R: BinaryRepository>(
    repository: &R,
    id: BinaryId,
) {
    for sent in [0, 1, 3 * 1024 * 1024] {
        let Located {
            key, content_type, ..
        } = locate(repository, id, Access::Write).await;
        let has_stalled = Arc::new(Signal::default());
        let signal = Arc::clone(&has_stalled);
        let stalls =
            stream::iter([Ok(Bytes::from(vec![b'x'; sent]))]).chain(stream::poll_fn(move |_| {
                signal.set();
                Poll::Pending
            }));
        let writing = repository.write(&key, Upload::new(content_type, stalls));
        // Until all that there is has been taken.
        let written = until(writing, &has_stalled).await;
        assert!(written.is_none(), "a write ended before its upload did");
        assert_not_found(repository, &key).await;
    }
    let key = write(repository, id, b"whole").await;
    assert_content(repository, &key, b"whole").await;
}

/// Once its content has ended, an upload that is dropped may be stored or not, and if the storage
/// is elsewhere, a little later.
async fn a_whole_upload_that_is_dropped_counts_as_a_whole_or_not_at_all<R: BinaryRepository>(
    repository: &R,
    id: BinaryId,
) {
    for _ in 0..20 {
        let Located {
            key, content_type, ..
        } = locate(repository, id, Access::Write).await;
        let has_ended = Arc::new(Signal::default());
        let signal = Arc::clone(&has_ended);
        let end = stream::poll_fn(move |_| {
            signal.set();
            Poll::Ready(None)
        });
        let upload = Upload::new(content_type.clone(), chunks(["dropped"]).chain(end));
        until(repository.write(&key, upload), &has_ended).await;

        let upload = Upload::new(content_type, chunks(["repeated"]));
        match repository.write(&key, upload).await {
            Err(RepositoryError::AlreadyWritten) => {
                assert_content(repository, &key, b"dropped").await;
            }
            repeated => {
                ok(repeated, "write");
                assert_content(repository, &key, b"repeated").await;
            }
        }
    }
}

async fn of_racing_uploads_one_wins<R: BinaryRepository>(repository: &R, id: BinaryId) {
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

async fn a_second_upload_makes_a_new_version_and_keeps_the_old<R: BinaryRepository>(
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

async fn a_version_that_never_was_is_not_found<R: BinaryRepository>(repository: &R, id: BinaryId) {
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

async fn a_binary_that_never_was_is_not_found<R: BinaryRepository>(repository: &R, id: BinaryId) {
    let content_type = locate(repository, id, Access::Write).await.content_type;
    let stranger = BinaryId::random();
    for access in [Access::Read, Access::Write] {
        let located = repository.locate(&Target::new(stranger, access)).await;
        assert!(
            matches!(located, Err(RepositoryError::NotFound)),
            "locate of an unknown Binary is NotFound, not {located:?}"
        );
    }
    let key = BinaryKey::new(stranger, VersionId::random());
    assert_not_found(repository, &key).await;
    let upload = Upload::new(content_type, chunks(["content"]));
    let written = repository.write(&key, upload).await;
    assert!(
        matches!(written, Err(RepositoryError::NotFound)),
        "a write to an unknown Binary is NotFound, not {written:?}"
    );
}

fn ok<T>(result: Result<T, RepositoryError>, what: &str) -> T {
    match result {
        Ok(value) => value,
        Err(error) => panic!("{what} failed: {error:?}"),
    }
}

async fn locate<R: BinaryRepository>(repository: &R, id: BinaryId, access: Access) -> Located {
    ok(repository.locate(&Target::new(id, access)).await, "locate")
}

/// Writes the next version of a Binary.
async fn write<R: BinaryRepository>(repository: &R, id: BinaryId, bytes: &[u8]) -> BinaryKey {
    let key = locate(repository, id, Access::Write).await.key;
    write_to(repository, &key, bytes).await;
    key
}

async fn write_to<R: BinaryRepository>(repository: &R, key: &BinaryKey, bytes: &[u8]) {
    let content_type = locate(repository, key.id(), Access::Write)
        .await
        .content_type;
    let parts: Vec<_> = bytes.chunks(70_000).map(<[u8]>::to_vec).collect();
    let upload = Upload::new(content_type, chunks(parts));
    ok(repository.write(key, upload).await, "write");
}

/// An upload's stream of whole chunks. Like those of a real one, they must be waited for, so that
/// uploads which happen at once do so even if the repository never waits for anything.
fn chunks<I: IntoIterator<Item: Into<Bytes>>>(
    chunks: I,
) -> impl Stream<Item = Result<Bytes, UploadError>> {
    let mut chunks = chunks
        .into_iter()
        .map(Into::into)
        .collect::<Vec<Bytes>>()
        .into_iter();
    let mut has_waited = false;
    stream::poll_fn(move |cx| {
        has_waited = !has_waited;
        if has_waited {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(chunks.next().map(Ok))
    })
}

async fn collect(mut content: super::Content) -> Vec<u8> {
    let mut bytes = Vec::new();
    while let Some(chunk) = content.next().await {
        bytes.extend_from_slice(&ok(chunk, "reading"));
    }
    bytes
}

async fn assert_content<R: BinaryRepository>(repository: &R, key: &BinaryKey, expected: &[u8]) {
    let content = ok(repository.read(key, None).await, "read");
    let length = expected.len() as u64;
    assert_eq!(content.range(), 0..length, "the range of a whole read");
    assert_eq!(
        content.metadata().length,
        length,
        "the length of a whole read"
    );
    assert!(
        collect(content).await == expected,
        "what is read is not what was written ({length} bytes)"
    );
}

async fn assert_not_found<R: BinaryRepository>(repository: &R, key: &BinaryKey) {
    let head = repository.head(key).await;
    assert!(
        matches!(head, Err(RepositoryError::NotFound)),
        "head of a version without content is NotFound, not {head:?}"
    );
    let read = repository.read(key, None).await;
    assert!(
        matches!(read, Err(RepositoryError::NotFound)),
        "read of a version without content is NotFound, not {read:?}"
    );
}

fn position(position: u64) -> usize {
    usize::try_from(position).unwrap_or(usize::MAX)
}

/// Clocks of two machines may differ a little.
fn soon() -> SystemTime {
    SystemTime::now() + Duration::from_secs(300)
}

/// Something that has happened in a stream, which may be polled by another task.
#[derive(Default)]
struct Signal {
    is_set: AtomicBool,
    waker: AtomicWaker,
}

impl Signal {
    fn set(&self) {
        self.is_set.store(true, Ordering::Release);
        self.waker.wake();
    }
}

/// Runs `work` until it is done or the signal is set, then drops it.
async fn until<T>(work: impl Future<Output = T>, signal: &Signal) -> Option<T> {
    let mut work = pin!(work);
    future::poll_fn(|cx| {
        signal.waker.register(cx.waker());
        match work.as_mut().poll(cx) {
            Poll::Ready(done) => Poll::Ready(Some(done)),
            Poll::Pending if signal.is_set.load(Ordering::Acquire) => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}
