//! An answer on its way out: scanned, its references asked for, and sent on in order.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Buf as _, Bytes};
use http::HeaderMap;
use http_body::{Body, Frame};

use super::minting::Minting;
use super::queue::{Queue, Replacement};
use super::reference::{Reference, Sought};
use super::scan::{Format, Piece, Scanner};
use crate::mint::{Caller, Presigner};
use crate::response_body::BoxError;
use crate::url::Expires;

/// No more is read of an answer while this much of it waits, in bytes.
const READ_AHEAD: usize = 64 * 1024;

/// No more is scanned of an answer while so many references wait.
const MAX_FOUND: usize = 1024;

pub(super) struct Output<B> {
    inner: Pin<Box<B>>,
    scanner: Scanner,
    queue: Queue,
    minting: Minting,
    has_ended: bool,
    /// They follow the last byte.
    trailers: Option<HeaderMap>,
    error: Option<BoxError>,
}

/// The facts that are known of an answer before any of it is sent.
pub(super) enum Known {
    /// All of it.
    Whole {
        length: u64,
        /// `None`: it has no URL.
        first_expiry: Option<Expires>,
    },
    /// There may be URLs in it.
    Begun,
}

impl<B> Output<B>
where
    B: Body,
    B::Error: Into<BoxError>,
{
    pub(super) fn new(
        inner: B,
        format: Format,
        presigner: Presigner,
        caller: Caller,
        max_urls: usize,
    ) -> Self {
        let sought = Sought::References(presigner.reference_bases().to_vec());
        Self {
            inner: Box::pin(inner),
            scanner: Scanner::new(sought, format),
            queue: Queue::default(),
            minting: Minting::new(presigner, caller, max_urls),
            has_ended: false,
            trailers: None,
            error: None,
        }
    }

    /// Reads on until all is known, or as much as may be kept.
    pub(super) fn poll_known(&mut self, cx: &mut Context<'_>) -> Poll<Known> {
        self.fill(cx);
        let is_ready = self.queue.is_ready();
        let is_scanned = self.has_ended && self.may_scan();
        if is_scanned && is_ready && self.error.is_none() {
            return Poll::Ready(Known::Whole {
                length: self.queue.bytes() as u64,
                first_expiry: self.minting.first_expiry(),
            });
        }
        // All that is read stays in memory until the head has gone: no more than this.
        let is_full = !self.may_read() || !self.may_scan();
        if is_full && (is_ready || !self.has_ended) {
            return Poll::Ready(Known::Begun);
        }
        Poll::Pending
    }

    pub(super) fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        loop {
            self.fill(cx);
            if let Some(bytes) = self.queue.pop() {
                if bytes.is_empty() {
                    continue;
                }
                return Poll::Ready(Some(Ok(Frame::data(bytes))));
            }
            if !self.queue.is_empty() || !self.has_ended {
                return Poll::Pending;
            }
            if let Some(error) = self.error.take() {
                return Poll::Ready(Some(Err(error)));
            }
            return Poll::Ready(
                self.trailers
                    .take()
                    .map(|trailers| Ok(Frame::trailers(trailers))),
            );
        }
    }

    /// The number of URLs so far, and the number of references that were too many.
    pub(super) fn counts(&self) -> (usize, usize) {
        (self.minting.urls(), self.minting.left())
    }

    pub(super) fn is_end(&self) -> bool {
        self.has_ended && self.queue.is_empty() && self.error.is_none() && self.trailers.is_none()
    }

    fn may_scan(&self) -> bool {
        self.queue.found() < MAX_FOUND || self.queue.is_stuck()
    }

    fn may_read(&self) -> bool {
        !self.has_ended && (self.queue.bytes() < READ_AHEAD || self.queue.is_stuck())
    }

    /// Scans, asks and reads on, as far as is possible now.
    fn fill(&mut self, cx: &mut Context<'_>) {
        loop {
            let mut is_scanned = false;
            while self.may_scan() {
                let Some(piece) = self.scanner.next() else {
                    is_scanned = true;
                    break;
                };
                let minting = &mut self.minting;
                let replace = |reference: &Reference| minting.want(reference, cx);
                self.queue.push(piece, replace);
            }
            if is_scanned && !self.has_ended && self.inner.is_end_stream() {
                self.end();
                continue;
            }
            if self.minting.poll(cx) {
                let minting = &self.minting;
                self.queue.resolve(|found| minting.replacement(found));
            }
            if !is_scanned || !self.may_read() {
                return;
            }
            match self.inner.as_mut().poll_frame(cx) {
                Poll::Pending => return,
                Poll::Ready(Some(Ok(frame))) => match frame.into_data() {
                    Ok(mut data) => {
                        let chunk = data.copy_to_bytes(data.remaining());
                        if self.inner.is_end_stream() && self.scanner.finds_nothing(&chunk) {
                            self.queue.push(Piece::Kept(chunk), |_| Replacement::None);
                            self.has_ended = true;
                        } else {
                            self.scanner.feed(chunk);
                        }
                    }
                    Err(frame) => self.trailers = frame.into_trailers().ok(),
                },
                Poll::Ready(Some(Err(error))) => {
                    self.error = Some(error.into());
                    self.end();
                }
                Poll::Ready(None) => self.end(),
            }
        }
    }

    fn end(&mut self) {
        self.has_ended = true;
        self.scanner.finish();
    }
}
