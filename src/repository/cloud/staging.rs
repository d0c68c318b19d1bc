//! What has arrived of an upload, before anybody can see it.

use std::pin::pin;
use std::sync::Arc;

use bytes::BytesMut;
use futures_util::future::{Either, select};
use object_store::{ObjectStore, PutMultipartOptions, WriteMultipart};

use super::error::from_store;
use super::layout::{self, Marker};
use crate::binary::BinaryKey;
use crate::repository::{RepositoryError, Upload, UploadError};

/// The size of a part, in bytes: the smallest that S3 allows. It allows 10,000 of them, so that an
/// upload may have 48 GiB.
const PART: usize = 5 * 1024 * 1024;

pub(super) enum Staged {
    /// All of a small content, in memory.
    Whole(BytesMut),
    /// A large content, partly in the store.
    Parts {
        upload: WriteMultipart,
        /// What is not yet in the store, at most a part.
        rest: BytesMut,
        /// Of the large object.
        name: String,
    },
}

impl Staged {
    pub(super) fn new(upload: &Upload) -> Self {
        let length = upload.length().map(usize::try_from);
        let capacity = length.and_then(Result::ok).unwrap_or(PART).min(PART);
        Self::Whole(BytesMut::with_capacity(capacity))
    }

    /// Takes in all of the upload, and returns its length in bytes; or gives up once `abandoned`
    /// is ready. Requests to the store are not cut short: what they have begun must be known, to
    /// be aborted.
    pub(super) async fn receive(
        &mut self,
        store: &Arc<dyn ObjectStore>,
        key: &BinaryKey,
        content: &mut Upload,
        mut abandoned: impl Future<Output = ()> + Unpin,
    ) -> Result<u64, RepositoryError> {
        let mut length = 0;
        loop {
            let chunk = match select(pin!(content.next()), &mut abandoned).await {
                Either::Left((Some(chunk), _)) => chunk?,
                Either::Left((None, _)) => return Ok(length),
                Either::Right(((), _)) => return Err(UploadError::Incomplete(None).into()),
            };
            length += chunk.len() as u64;
            if let Self::Whole(start) = self
                && start.len() + chunk.len() > PART
            {
                let content_type = content.content_type().as_str();
                *self = start_parts(store, key, content_type, std::mem::take(start)).await?;
            }
            match self {
                Self::Whole(bytes) => bytes.extend_from_slice(&chunk),
                Self::Parts { upload, rest, .. } => push(upload, rest, &chunk).await?,
            }
        }
    }

    /// Removes what is in the store.
    pub(super) async fn abort(self) {
        if let Self::Parts { mut upload, .. } = self {
            // A part that is still on its way would arrive after the abortion, and stay.
            drop(upload.wait_for_capacity(0).await);
            // What cannot be removed now is left to the bucket's lifecycle rule.
            drop(upload.abort().await);
        }
    }
}

async fn start_parts(
    store: &Arc<dyn ObjectStore>,
    key: &BinaryKey,
    content_type: &str,
    start: BytesMut,
) -> Result<Staged, RepositoryError> {
    let name = layout::unique_name();
    let options = PutMultipartOptions {
        attributes: Marker::Content(name.clone()).attributes(content_type),
        ..PutMultipartOptions::default()
    };
    let path = layout::large(key, &name);
    let parts = store.put_multipart_opts(&path, options).await;
    Ok(Staged::Parts {
        upload: WriteMultipart::new_with_chunk_size(parts.map_err(from_store)?, PART),
        rest: start,
        name,
    })
}

/// One part of an upload at a time is in memory: either it is being gathered, or on its way.
async fn push(
    upload: &mut WriteMultipart,
    rest: &mut BytesMut,
    mut chunk: &[u8],
) -> Result<(), RepositoryError> {
    while !chunk.is_empty() {
        let (fits, more) = chunk.split_at(chunk.len().min(PART - rest.len()));
        rest.extend_from_slice(fits);
        chunk = more;
        if rest.len() == PART {
            let part = std::mem::take(rest).freeze();
            upload.put(part.clone());
            upload.wait_for_capacity(1).await.map_err(from_store)?;
            // Large blocks that come and go leave holes in memory; this one stays.
            *rest = part.try_into_mut().unwrap_or_default();
            rest.clear();
            rest.reserve(PART);
        }
    }
    Ok(())
}
