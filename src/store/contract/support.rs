//! Helpers to check the promises.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::thread;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use futures_util::future;
use futures_util::stream::{self, Stream, StreamExt as _};
use futures_util::task::AtomicWaker;
use sha2::{Digest as _, Sha256};

use crate::content_type::ContentType;
use crate::store::{Content, Metadata, RepositoryError, Upload, UploadError};

/// More than any repository gathers before it stores some of it, in bytes.
pub(super) const MUCH: usize = 3 * 1024 * 1024;

/// Its name is printed if it is broken: the message of the panic may come from a helper.
pub(super) struct Promise(pub(super) &'static str);

impl Drop for Promise {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("this promise is broken: {}", self.0);
        }
    }
}

#[track_caller]
pub(super) fn ok<T>(result: Result<T, RepositoryError>, what: &str) -> T {
    match result {
        Ok(value) => value,
        Err(error) => panic!("{what} failed: {error}"),
    }
}

/// An upload that arrives in chunks of no great length.
pub(super) fn upload(content_type: &ContentType, bytes: &[u8]) -> Upload {
    let parts: Vec<_> = bytes.chunks(70_000).map(<[u8]>::to_vec).collect();
    Upload::new(content_type.clone(), chunks(parts))
}

/// An upload that fails after this many bytes.
pub(super) fn failing_upload(content_type: &ContentType, length: usize) -> Upload {
    let failing = stream::iter([
        Ok(Bytes::from(vec![b'x'; length])),
        Err(UploadError::DigestMismatch),
    ]);
    Upload::new(content_type.clone(), failing)
}

#[track_caller]
pub(super) fn assert_failed<T: std::fmt::Debug>(result: &Result<T, RepositoryError>) {
    assert!(
        matches!(
            result,
            Err(RepositoryError::Upload(UploadError::DigestMismatch))
        ),
        "the upload's error is passed on, not {result:?}"
    );
}

/// An upload's stream of whole chunks. Like those of a real one, they must be waited for, so that
/// uploads which happen at once do so even if the repository never waits for anything.
pub(super) fn chunks<I: IntoIterator<Item: Into<Bytes>>>(
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

/// Content that is longer than any buffer, of no round length, and without repetition.
pub(super) fn large_content() -> Vec<u8> {
    (0..5_000_011_u32)
        .map(|i| i.wrapping_mul(2_654_435_761).to_le_bytes()[3])
        .collect()
}

pub(super) async fn collect(mut content: Content) -> Vec<u8> {
    let mut bytes = Vec::new();
    while let Some(chunk) = content.next().await {
        bytes.extend_from_slice(&ok(chunk, "reading"));
    }
    bytes
}

/// Compares content that has just been read as a whole with the content that was stored.
pub(super) async fn assert_whole(
    content: Content,
    content_type: &ContentType,
    expected: &[u8],
    what: &str,
) {
    let length = expected.len() as u64;
    assert_eq!(content.range(), 0..length, "the range of {what}");
    assert_metadata(content.metadata(), content_type, expected, what);
    assert!(
        collect(content).await == expected,
        "{what} is not what was stored ({length} bytes)"
    );
}

#[track_caller]
pub(super) fn assert_metadata(
    metadata: &Metadata,
    content_type: &ContentType,
    expected: &[u8],
    what: &str,
) {
    assert_eq!(metadata.length, expected.len() as u64, "length of {what}");
    assert_eq!(
        metadata.content_type,
        content_type.as_str(),
        "content type of {what}"
    );
    if let Some(sha256) = metadata.sha256 {
        assert_eq!(sha256, sha256_of(expected), "SHA-256 of {what}");
    }
    let written = metadata.last_modified;
    let age = SystemTime::now().duration_since(written);
    let age = age.unwrap_or_default();
    // Clocks of two machines may differ a little.
    let soon = SystemTime::now() + Duration::from_secs(300);
    assert!(
        age < Duration::from_secs(3600) && written <= soon,
        "last_modified of {what} is the time of writing, not {written:?}"
    );
}

pub(super) fn sha256_of(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

/// Something that has happened in a stream, which may be polled by another task.
#[derive(Default)]
pub(super) struct Signal {
    is_set: AtomicBool,
    waker: AtomicWaker,
}

impl Signal {
    pub(super) fn set(&self) {
        self.is_set.store(true, Ordering::Release);
        self.waker.wake();
    }

    /// True if it has happened. If not, it wakes the task once it does.
    pub(super) fn is_set(&self, cx: &Context<'_>) -> bool {
        self.waker.register(cx.waker());
        self.is_set.load(Ordering::Acquire)
    }
}

/// An upload of which no more arrives after this many bytes, which it signals.
pub(super) fn stalling_upload(
    content_type: &ContentType,
    length: usize,
    has_stalled: &Arc<Signal>,
) -> Upload {
    let signal = Arc::clone(has_stalled);
    let stall = stream::poll_fn(move |_| {
        signal.set();
        Poll::Pending
    });
    let start = stream::iter([Ok(Bytes::from(vec![b'x'; length]))]);
    Upload::new(content_type.clone(), start.chain(stall))
}

/// Runs `work` until it is done or the signal is set, then drops it.
pub(super) async fn until<T>(work: impl Future<Output = T>, signal: &Signal) -> Option<T> {
    let mut work = pin!(work);
    future::poll_fn(|cx| match work.as_mut().poll(cx) {
        Poll::Ready(done) => Poll::Ready(Some(done)),
        Poll::Pending if signal.is_set(cx) => Poll::Ready(None),
        Poll::Pending => Poll::Pending,
    })
    .await
}

/// The moment at which something is dropped.
#[derive(Debug, Clone, Copy)]
pub(super) enum Moment {
    /// As soon as it has been polled this many times.
    Polled(usize),
    /// As soon as it could be polled once more after that.
    Woken(usize),
}

impl Moment {
    /// All moments of something that is polled at most so often.
    pub(super) fn all() -> impl Iterator<Item = Self> {
        (1..100).flat_map(|polls| [Self::Polled(polls), Self::Woken(polls)])
    }

    /// Runs `work`, and drops it at this moment unless it is done before.
    pub(super) async fn drops<T>(self, work: impl Future<Output = T>) -> Option<T> {
        let mut work = pin!(work);
        let mut polls = 0;
        future::poll_fn(|cx| {
            if matches!(self, Self::Woken(last) if polls == last) {
                return Poll::Ready(None);
            }
            polls += 1;
            match work.as_mut().poll(cx) {
                Poll::Ready(done) => Poll::Ready(Some(done)),
                Poll::Pending if matches!(self, Self::Polled(last) if polls == last) => {
                    Poll::Ready(None)
                }
                Poll::Pending => Poll::Pending,
            }
        })
        .await
    }
}
