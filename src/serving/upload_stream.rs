//! The body of an upload, held to everything that was promised about it.

use std::iter;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures_core::Stream;
use http_body::{Body as _, Frame};

use super::digest::Digests;
use crate::config::IsTimeout;
use crate::content_type::ContentType;
use crate::events::Counter;
use crate::request_body::{RequestBody, classify};
use crate::store::{Hashed, Upload, UploadError};

/// Ends with `None` if the content is whole and within all limits, else with an error, after which
/// [`Upload`](crate::store::Upload) does not ask again.
pub(super) struct UploadStream {
    pub(super) body: RequestBody,
    /// Bytes so far, with those of earlier parts.
    pub(super) received: u64,
    pub(super) counter: Counter,
    /// The announced value of `received` at the end, if there is one.
    pub(super) announced: Option<u64>,
    pub(super) limit: u64,
    pub(super) allows_empty: bool,
    /// Of all of the content.
    pub(super) digests: Digests,
    /// Of this body, if it is a part. Then the whole is not judged at its end.
    pub(super) of_part: Option<Digests>,
    pub(super) is_timeout: Vec<IsTimeout>,
}

impl UploadStream {
    /// The upload of this content, with all that is known of it in advance.
    pub(super) fn into_upload(self, content_type: ContentType) -> Upload {
        let (length, expects_continue) = (self.announced, self.body.expects_continue());
        let upload = Upload::hashed(content_type, self).with_expects_continue(expects_continue);
        match length {
            Some(length) => upload.with_length(length),
            None => upload,
        }
    }

    fn accept(&mut self, chunk: Bytes) -> Result<Bytes, UploadError> {
        self.received += chunk.len() as u64;
        if self.received > self.limit {
            return Err(UploadError::TooLarge {
                limit: Some(self.limit),
            });
        }
        self.counter.add(chunk.len());
        self.digests.update(&chunk);
        if let Some(of_part) = &mut self.of_part {
            of_part.update(&chunk);
        }
        Ok(chunk)
    }

    /// Digests in trailers count as if they had been in the headers.
    fn end_with(&mut self, frame: Frame<Bytes>) -> Result<(), UploadError> {
        let Ok(trailers) = frame.into_trailers() else {
            return Ok(());
        };
        for digests in iter::once(&mut self.digests).chain(&mut self.of_part) {
            let added = digests.add(&trailers);
            added.map_err(|_| UploadError::DigestMismatch)?;
        }
        Ok(())
    }

    fn end(&self) -> Option<UploadError> {
        if self
            .announced
            .is_some_and(|announced| announced != self.received)
        {
            Some(UploadError::Incomplete(None))
        } else if self.received == 0 && !self.allows_empty {
            Some(UploadError::Empty)
        } else if !self.of_part.as_ref().unwrap_or(&self.digests).hold() {
            Some(UploadError::DigestMismatch)
        } else {
            None
        }
    }
}

impl Stream for UploadStream {
    type Item = Result<Bytes, UploadError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            let outcome = match ready!(Pin::new(&mut self.body).poll_frame(cx)) {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(chunk) if !chunk.is_empty() => self.accept(chunk).map(Some),
                    Ok(_) => continue,
                    Err(frame) => match self.end_with(frame) {
                        Ok(()) => continue,
                        Err(error) => Err(error),
                    },
                },
                Some(Err(error)) => Err(classify(error, &self.is_timeout)),
                None => self.end().map_or(Ok(None), Err),
            };
            return Poll::Ready(outcome.transpose());
        }
    }
}

impl Hashed for UploadStream {
    fn sha256(&self) -> [u8; 32] {
        self.digests.sha256()
    }
}
