//! Content that is put in parts.

use std::time::Duration;

use bytes::Bytes;
use object_store::MultipartUpload;
use tokio::runtime::Handle;
use tokio::task::{JoinError, JoinSet};
use tokio::time::timeout;

use super::bucket::Bucket;
use super::content_name::ContentName;
use super::error::{Action, Fault};
use super::mark::Mark;
use crate::store::{RepositoryError, Upload};

/// The size of a part, in bytes: the smallest that S3 allows. It allows 10,000 of them, so that an
/// upload may have 48 GiB.
pub(super) const PART: usize = 5 * 1024 * 1024;

/// The room for the start of an upload. Each later room is four times as large, up to a part.
const START: usize = PART / 64;

/// The time that the store has to put the parts together. S3 may take minutes.
pub(super) const ASSEMBLY: Duration = Duration::from_secs(10 * 60);

/// An upload as it comes, and its length so far.
pub(super) struct Inflow {
    upload: Upload,
    /// The bytes that have come and are in no part yet.
    pending: Bytes,
    length: u64,
}

impl Inflow {
    pub(super) fn new(upload: Upload) -> Self {
        Self {
            upload,
            pending: Bytes::new(),
            length: 0,
        }
    }

    pub(super) fn upload(&self) -> &Upload {
        &self.upload
    }

    /// The next part: as much as comes, up to [`PART`] bytes; and true if more has come.
    pub(super) async fn part(&mut self) -> Result<(Bytes, bool), RepositoryError> {
        let mut part = Vec::new();
        loop {
            let fits = self
                .pending
                .split_to(self.pending.len().min(PART - part.len()));
            reserve(&mut part, fits.len());
            part.extend_from_slice(&fits);
            if !self.pending.is_empty() {
                return Ok((part.into(), true));
            }
            let Some(chunk) = self.upload.next().await else {
                return Ok((part.into(), false));
            };
            self.pending = chunk?;
            self.length += self.pending.len() as u64;
        }
    }

    pub(super) fn length(&self) -> u64 {
        self.length
    }

    /// The digest of the whole, once it has come.
    pub(super) fn sha256(&self) -> Option<[u8; 32]> {
        self.upload.sha256()
    }
}

/// Makes room for the bytes that have come, and for some more. So memory follows the bytes that a
/// client sends, not the length that it announces.
pub(super) fn reserve(part: &mut Vec<u8>, additional: usize) {
    let needed = part.len() + additional;
    let mut capacity = part.capacity().max(START);
    while capacity < needed {
        capacity = (capacity * 4).min(PART);
    }
    part.reserve_exact(capacity - part.len());
}

/// The parts of one upload. Dropped before they are put together, they are removed.
pub(super) struct Parts {
    bucket: Bucket,
    name: ContentName,
    state: Option<State>,
}

struct State {
    upload: Box<dyn MultipartUpload>,
    on_their_way: JoinSet<Result<(), Fault>>,
    /// True if they may have been put together.
    is_finishing: bool,
}

impl Parts {
    pub(super) async fn start(
        bucket: &Bucket,
        name: &ContentName,
        content_type: &str,
        mark: &Mark,
    ) -> Result<Self, RepositoryError> {
        let (bucket, name) = (bucket.clone(), name.clone());
        let (content_type, mark) = (content_type.to_owned(), mark.clone());
        // In a task of its own, so that an upload whose client leaves meanwhile is known, and
        // removed.
        let starting = tokio::spawn(async move {
            let starting = bucket.put_in_parts(name.as_str(), &content_type, &mark);
            let state = State {
                upload: starting.await?,
                on_their_way: JoinSet::new(),
                is_finishing: false,
            };
            Ok(Self {
                bucket,
                name,
                state: Some(state),
            })
        });
        starting.await.map_err(RepositoryError::internal)?
    }

    /// Sends all of an upload, which begins with `part` and has more.
    pub(super) async fn send(
        &mut self,
        mut part: Bytes,
        inflow: &mut Inflow,
    ) -> Result<(), RepositoryError> {
        let mut has_more = true;
        loop {
            self.put(part).await?;
            if !has_more {
                return self.finish(inflow.length()).await;
            }
            (part, has_more) = inflow.part().await?;
        }
    }

    /// Sends a part as soon as there is room for it.
    async fn put(&mut self, part: Bytes) -> Result<(), RepositoryError> {
        let Some(state) = &mut self.state else {
            return Err(RepositoryError::internal("the parts are put together"));
        };
        while let Some(put) = state.on_their_way.try_join_next() {
            done(put)?;
        }
        // The client is read on only once there is room: memory follows the store.
        let room = self.bucket.room(part.len());
        let room = self
            .bucket
            .while_alive(Action::Put, async { Ok(room.await) });
        let room = room.await?;
        let bucket = self.bucket.clone();
        let limit = bucket.time_for(part.len());
        let putting = state.upload.put_part(part.into());
        state.on_their_way.spawn(async move {
            let putting = bucket.within(limit, Action::Put, putting);
            let put = bucket.while_alive(Action::Put, putting).await;
            drop(room);
            put
        });
        Ok(())
    }

    /// Has the store put the parts together.
    async fn finish(&mut self, length: u64) -> Result<(), RepositoryError> {
        let Some(state) = &mut self.state else {
            return Ok(());
        };
        while let Some(put) = state.on_their_way.join_next().await {
            done(put)?;
        }
        state.is_finishing = true;
        let bucket = &self.bucket;
        let assembling = bucket.within(ASSEMBLY, Action::Put, state.upload.complete());
        let assembled = bucket.while_alive(Action::Put, assembling).await;
        if let Err(fault) = assembled {
            if matches!(fault, Fault::Late { .. }) {
                return Err(fault.into());
            }
            // The client repeats a request whose answer it has not seen. It then learns that there
            // is no such upload any more.
            match self.bucket.look(self.name.as_str()).await {
                Ok(Some(object)) if object.meta.size == length => {}
                _ => return Err(fault.into()),
            }
        }
        self.state = None;
        Ok(())
    }

    /// Removes the parts from the store.
    pub(super) async fn abort(mut self) {
        if let Some(state) = self.state.take() {
            state.abort(&self.bucket, &self.name).await;
        }
    }
}

impl State {
    async fn abort(mut self, bucket: &Bucket, name: &ContentName) {
        // A part that is still on its way would arrive after the abortion, and stay. One that
        // takes long is cut: the connection of a client that has left is not held for ever.
        let limit = bucket.patience() / 2;
        let arriving = async { while self.on_their_way.join_next().await.is_some() {} };
        if timeout(limit, arriving).await.is_err() {
            self.on_their_way.shutdown().await;
        }
        // The bucket's lifecycle rule removes any parts that cannot be removed now.
        drop(
            bucket
                .within(limit, Action::Abort, self.upload.abort())
                .await,
        );
        if self.is_finishing {
            drop(bucket.delete(name.as_str()).await);
        }
    }
}

impl Drop for Parts {
    fn drop(&mut self) {
        if let Some(state) = self.state.take()
            && let Ok(runtime) = Handle::try_current()
        {
            let (bucket, name) = (self.bucket.clone(), self.name.clone());
            runtime.spawn(async move { state.abort(&bucket, &name).await });
        }
    }
}

fn done(put: Result<Result<(), Fault>, JoinError>) -> Result<(), RepositoryError> {
    Ok(put.map_err(RepositoryError::internal)??)
}
