//! Request bodies.

use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};
use std::task::{Context, Poll};

use axum::body::Body;
use bytes::Bytes;
use futures_util::stream;
use http_body::{Frame, SizeHint};

use super::random::Random;

/// So many bytes. Contents of different numbers differ, and none is like itself anywhere.
///
/// # Panics
///
/// If it would take more than there is, which is 4 MB.
pub fn content(length: usize, number: usize) -> Bytes {
    static SOURCE: LazyLock<Bytes> = LazyLock::new(|| Random(0).bytes(4_000_000));
    SOURCE.slice(number..number + length)
}

/// A body in chunks, whose length cannot be known in advance.
pub fn chunks(chunks: &[&'static str]) -> Body {
    let chunks: Vec<_> = chunks.iter().copied().map(Ok::<_, io::Error>).collect();
    Body::from_stream(stream::iter(chunks))
}

/// A body that breaks off with `error`.
pub fn broken<E>(start: &'static str, error: E) -> Body
where
    E: Into<axum::BoxError> + Send + 'static,
{
    Body::from_stream(stream::iter([Ok(start), Err(error)]))
}

/// A body that announces this many bytes, and breaks off when it is asked for them.
pub fn announced(bytes: u64) -> Body {
    Body::new(Announced(bytes))
}

struct Announced(u64);

impl http_body::Body for Announced {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        Poll::Ready(Some(Err(io::ErrorKind::ConnectionReset.into())))
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.0)
    }
}

/// A body, and what becomes of it.
pub fn watched(body: impl Into<Body>) -> (Body, Watch) {
    let watch = Watch::default();
    let body = Watched {
        body: body.into(),
        watch: watch.clone(),
    };
    (Body::new(body), watch)
}

/// The fate of a body.
#[derive(Clone, Default)]
pub struct Watch(Arc<Counts>);

#[derive(Default)]
struct Counts {
    is_polled: AtomicBool,
    is_dropped: AtomicBool,
    bytes: AtomicU64,
}

impl Watch {
    /// Waits until this much has been read of it.
    pub async fn until(&self, bytes: u64) {
        while self.bytes() < bytes {
            tokio::task::yield_now().await;
        }
    }

    pub fn is_polled(&self) -> bool {
        self.0.is_polled.load(Ordering::Relaxed)
    }

    pub fn is_dropped(&self) -> bool {
        self.0.is_dropped.load(Ordering::Relaxed)
    }

    /// The bytes that were read of it.
    pub fn bytes(&self) -> u64 {
        self.0.bytes.load(Ordering::Relaxed)
    }
}

struct Watched {
    body: Body,
    watch: Watch,
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.watch.0.is_dropped.store(true, Ordering::Relaxed);
    }
}

impl http_body::Body for Watched {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let counts = Arc::clone(&self.watch.0);
        counts.is_polled.store(true, Ordering::Relaxed);
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        if let Poll::Ready(Some(Ok(frame))) = &polled {
            let length = frame.data_ref().map_or(0, Bytes::len) as u64;
            counts.bytes.fetch_add(length, Ordering::Relaxed);
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
