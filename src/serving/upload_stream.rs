//! The body of an upload, held to everything that was promised about it.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures_core::Stream;
use http_body::Body as _;

use super::digest::Digests;
use crate::config::IsTimeout;
use crate::events::Counter;
use crate::request_body::{RequestBody, classify};
use crate::store::UploadError;

/// Ends with `None` if the content is whole and within all limits, else with an error.
pub(super) struct UploadStream {
    /// `None` once the stream has failed.
    pub(super) body: Option<RequestBody>,
    /// Where the rest of the body goes if the upload does not need it.
    pub(super) leftover: Arc<Mutex<RequestBody>>,
    /// Bytes so far.
    pub(super) received: u64,
    pub(super) counter: Counter,
    pub(super) announced: Option<u64>,
    pub(super) limit: u64,
    pub(super) allows_empty: bool,
    pub(super) digests: Digests,
    pub(super) is_timeout: Vec<IsTimeout>,
}

impl UploadStream {
    fn accept(&mut self, chunk: Bytes) -> Result<Bytes, UploadError> {
        self.received += chunk.len() as u64;
        if self.received > self.limit {
            return Err(UploadError::TooLarge {
                limit: Some(self.limit),
            });
        }
        self.counter.add(chunk.len());
        self.digests.update(&chunk);
        Ok(chunk)
    }

    fn end(&self) -> Option<UploadError> {
        if self
            .announced
            .is_some_and(|announced| announced != self.received)
        {
            Some(UploadError::Incomplete(None))
        } else if self.received == 0 && !self.allows_empty {
            Some(UploadError::Empty)
        } else if !self.digests.hold() {
            Some(UploadError::DigestMismatch)
        } else {
            None
        }
    }

    fn give_back(&mut self) {
        if let Some(body) = self.body.take() {
            *self.leftover.lock().unwrap_or_else(PoisonError::into_inner) = body;
        }
    }
}

impl Stream for UploadStream {
    type Item = Result<Bytes, UploadError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            let Some(body) = &mut self.body else {
                // Not `None`: whoever overlooked the error must not take the end for a success.
                return Poll::Ready(Some(Err(UploadError::Incomplete(None))));
            };
            let outcome = match ready!(Pin::new(body).poll_frame(cx)) {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(chunk) if !chunk.is_empty() => self.accept(chunk).map(Some),
                    // Trailers, or nothing.
                    _ => continue,
                },
                Some(Err(error)) => Err(classify(error, &self.is_timeout)),
                None => self.end().map_or(Ok(None), Err),
            };
            return Poll::Ready(match outcome {
                Ok(Some(chunk)) => Some(Ok(chunk)),
                Ok(None) => None,
                Err(error) => {
                    self.give_back();
                    Some(Err(error))
                }
            });
        }
    }
}

impl Drop for UploadStream {
    fn drop(&mut self) {
        self.give_back();
    }
}
