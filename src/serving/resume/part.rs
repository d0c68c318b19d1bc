//! A part of a resumable upload as a stream.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_core::Stream;

use super::note::Note;
use crate::serving::upload_stream::UploadStream;
use crate::store::{Noted, UploadError};
use crate::turns::Turn;

/// Ends with `None` when the request's body ends, and with an error if the body breaks off or
/// somebody else goes on with the upload.
pub(super) struct PartStream {
    pub(super) body: UploadStream,
    /// Of the whole, in bytes, if it is known.
    pub(super) length: Option<u64>,
    /// The length of the whole is known once this has ended.
    pub(super) is_last: bool,
    pub(super) turn: Arc<Turn>,
}

#[derive(Debug, thiserror::Error)]
#[error("another request goes on with the upload")]
pub(super) struct GoneOn;

impl Stream for PartStream {
    type Item = Result<Bytes, UploadError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.turn.poll_superseded(cx).is_ready() {
            let gone_on = UploadError::Incomplete(Some(GoneOn.into()));
            return Poll::Ready(Some(Err(gone_on)));
        }
        let polled = Pin::new(&mut self.body).poll_next(cx);
        if self.is_last && matches!(polled, Poll::Ready(None)) {
            self.length = Some(self.body.received);
        }
        polled
    }
}

impl Noted for PartStream {
    fn note(&self) -> Bytes {
        Note::write(self.length, &self.body.digests)
    }
}
