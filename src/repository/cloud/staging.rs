//! What has arrived of an upload, before anybody can see it.

use std::sync::Arc;

use bytes::BytesMut;
use object_store::{ObjectStore, PutMultipartOptions, WriteMultipart};

use super::error::from_store;
use super::layout::{self, Marker};
use crate::binary::BinaryKey;
use crate::repository::{RepositoryError, Upload};

/// The size of a part, in bytes: the smallest that S3 allows. It allows 10,000 of them, so that an
/// upload may have 48 GiB.
const PART: usize = 5 * 1024 * 1024;

/// How many parts of an upload are in memory at once, beside the one that is being gathered.
const PARTS_IN_FLIGHT: usize = 1;

pub(super) enum Staged {
    /// All of a small content, in memory.
    Whole(BytesMut),
    /// A large content, partly in the store.
    Parts {
        upload: WriteMultipart,
        /// Of the large object.
        name: String,
    },
}

impl Staged {
    pub(super) fn new(upload: &Upload) -> Self {
        let length = upload.length().unwrap_or_default();
        let capacity = usize::try_from(length).unwrap_or(PART).min(PART);
        Self::Whole(BytesMut::with_capacity(capacity))
    }

    /// Takes in all of the upload, and returns its length in bytes.
    pub(super) async fn receive(
        &mut self,
        store: &Arc<dyn ObjectStore>,
        key: &BinaryKey,
        content: &mut Upload,
    ) -> Result<u64, RepositoryError> {
        let mut length = 0;
        while let Some(chunk) = content.next().await {
            let chunk = chunk?;
            length += chunk.len() as u64;
            if let Self::Whole(start) = self
                && start.len() + chunk.len() > PART
            {
                let content_type = content.content_type().as_str();
                *self = start_parts(store, key, content_type, std::mem::take(start)).await?;
            }
            match self {
                Self::Whole(bytes) => bytes.extend_from_slice(&chunk),
                Self::Parts { upload, .. } => {
                    upload
                        .wait_for_capacity(PARTS_IN_FLIGHT)
                        .await
                        .map_err(from_store)?;
                    upload.write(&chunk);
                }
            }
        }
        Ok(length)
    }

    /// Removes what is in the store.
    pub(super) async fn abort(self) {
        if let Self::Parts { upload, .. } = self {
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
    let mut upload = WriteMultipart::new_with_chunk_size(parts.map_err(from_store)?, PART);
    upload.put(start.freeze());
    Ok(Staged::Parts { upload, name })
}
