//! An upload, from its first byte to the moment when anybody can see it.

use std::pin::pin;
use std::sync::Arc;
use std::time::SystemTime;

use bytes::BytesMut;
use futures_util::future::{Either, select};
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt as _, PutMultipartOptions, WriteMultipart};
use tokio::sync::oneshot;

use super::bucket::Bucket;
use super::error::from_store;
use super::layout::{self, Marker};
use crate::key::BinaryKey;
use crate::store::{Metadata, RepositoryError, Upload, UploadError};

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

impl Bucket {
    /// Stores an upload for as long as somebody waits for the answer.
    pub(super) async fn write(
        self,
        key: BinaryKey,
        mut upload: Upload,
        mut answer: oneshot::Sender<Result<Metadata, RepositoryError>>,
    ) {
        let content_type = upload.content_type().as_str().to_owned();
        let mut staged = Staged::new(&upload);
        let received = staged
            .receive(&self.store, &key, &mut upload, pin!(answer.closed()))
            .await;
        drop(upload);
        let stored = match received {
            Ok(length) => self
                .commit(&key, length, &content_type, staged, || answer.is_closed())
                .await
                .map(|()| Metadata::new(content_type, length, SystemTime::now())),
            Err(error) => {
                staged.abort().await;
                Err(error)
            }
        };
        // Nobody waits any more: then the upload has been aborted, or has just been stored.
        drop(answer.send(stored));
    }

    /// Has the store put the parts of a large object together.
    async fn finish(
        &self,
        upload: WriteMultipart,
        large: &Path,
        length: u64,
    ) -> Result<(), RepositoryError> {
        let Err(error) = upload.finish().await else {
            return Ok(());
        };
        // The client repeats a request whose answer it has not seen, and is then told that there
        // is no such upload any more.
        match self.stat(large).await {
            Ok(Some(object)) if object.meta.size == length => Ok(()),
            _ => Err(match from_store(error) {
                RepositoryError::NotFound => RepositoryError::unavailable("the upload is gone"),
                error => error,
            }),
        }
    }

    /// Makes a version visible.
    async fn commit(
        &self,
        key: &BinaryKey,
        length: u64,
        content_type: &str,
        staged: Staged,
        is_abandoned: impl Fn() -> bool,
    ) -> Result<(), RepositoryError> {
        let abandoned = || RepositoryError::from(UploadError::Incomplete(None));
        if is_abandoned() {
            staged.abort().await;
            return Err(abandoned());
        }
        let path = layout::content(key.id(), key.version().as_str());
        let large = match staged {
            Staged::Whole(content) if !self.keeps_apart => {
                let marker = Marker::content();
                return self
                    .put_new(&path, content.freeze(), content_type, &marker)
                    .await;
            }
            Staged::Whole(content) => {
                let name = layout::unique_name();
                let (large, marker) = (layout::large(key, &name), Marker::Content(name.clone()));
                self.put_new(&large, content.freeze(), content_type, &marker)
                    .await?;
                Marker::Large(name)
            }
            Staged::Parts {
                mut upload,
                rest,
                name,
            } => {
                upload.put(rest.freeze());
                self.finish(upload, &layout::large(key, &name), length)
                    .await?;
                Marker::Large(name)
            }
        };
        let committed = if is_abandoned() {
            Err(abandoned())
        } else {
            self.put_new(&path, large.stand_in(), content_type, &large)
                .await
        };
        // After any other error the version may have become visible all the same.
        if let Err(
            RepositoryError::AlreadyWritten | RepositoryError::Deleted | RepositoryError::Upload(_),
        ) = &committed
            && let Marker::Large(name) = &large
        {
            drop(self.store.delete(&layout::large(key, name)).await);
        }
        committed
    }
}
