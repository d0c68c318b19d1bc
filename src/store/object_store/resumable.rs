//! [`Resumable`] for a bucket.

use std::collections::BTreeMap;
use std::mem;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use futures_util::future::{Either, select};
use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use object_store::PutMultipartOptions;
use object_store::multipart::PartId;
use std::pin::pin;
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use super::BucketStore;
use super::bucket::Bucket;
use super::content_name::ContentName;
use super::error::{Action, Fault};
use super::parts::{PART, reserve};
use super::unfinished::{self, Outline, Parts, Unfinished};
use crate::id::UploadId;
use crate::store::resumable::MAX_OF_GROUP;
use crate::store::{Begun, Part, Progress, RepositoryError, Resumable, UploadError};

/// The most parts that S3 takes.
const MOST_PARTS: usize = 10_000;

/// The number of parts that are put before they are recorded: the most that a crash can cost.
const RECORDED_AT_ONCE: usize = 8;

/// The number of uploads that are looked at together.
const CONCURRENCY: usize = 16;

/// Keeps uploads in parts: see [`BucketStore`]. Every method fails if the bucket has
/// [no client](Bucket::with_multipart) that keeps parts.
impl Resumable for BucketStore {
    async fn begin(&self, upload: &UploadId, begun: Begun) -> Result<(), RepositoryError> {
        self.make_room(upload).await?;
        Unfinished::begin(self.bucket(), upload, &begun).await
    }

    async fn progress(&self, upload: &UploadId) -> Result<Progress, RepositoryError> {
        Ok(Unfinished::look(self.bucket(), upload).await?.progress())
    }

    async fn append(&self, upload: &UploadId, part: Part) -> Result<Progress, RepositoryError> {
        let (bucket, upload) = (self.bucket().clone(), *upload);
        // In a task of its own: the bytes that have come are recorded even if the client has left.
        let (stays, left) = oneshot::channel();
        let appending = tokio::spawn(append(bucket, upload, part, left));
        let appended = appending.await.map_err(RepositoryError::internal)?;
        drop::<oneshot::Sender<()>>(stays);
        appended
    }

    async fn abandon(&self, upload: &UploadId) -> Result<(), RepositoryError> {
        match Unfinished::read(self.bucket(), upload).await {
            Ok(unfinished) => self.remove_upload(upload, &unfinished).await,
            Err(RepositoryError::NotFound) => Ok(()),
            Err(error) => Err(error),
        }
    }

    async fn remove_expired(&self, now: SystemTime) -> Result<Vec<UploadId>, RepositoryError> {
        let uploads = self.uploads(unfinished::FOLDER).await?;
        let mut over = pin!(self.outlines(uploads));
        let mut expired = Vec::new();
        while let Some((upload, outline)) = over.try_next().await? {
            if outline.is_over(now) {
                self.abandon(&upload).await?;
                if !outline.is_finished {
                    expired.push(upload);
                }
            }
        }
        Ok(expired)
    }
}

impl BucketStore {
    /// Removes the oldest uploads of a group, until there is room for one more.
    async fn make_room(&self, upload: &UploadId) -> Result<(), RepositoryError> {
        let uploads = self.uploads(&unfinished::folder(upload)).await?;
        if uploads.len() < MAX_OF_GROUP {
            return Ok(());
        }
        let outlines = self.outlines(uploads);
        let mut of_group: Vec<_> = outlines.try_collect().await?;
        of_group.retain(|(_, outline)| !outline.is_finished);
        of_group.sort_by_key(|(_, outline)| outline.touched);
        let surplus = (of_group.len() + 1).saturating_sub(MAX_OF_GROUP);
        for (oldest, _) in of_group.iter().take(surplus) {
            self.abandon(oldest).await?;
        }
        Ok(())
    }

    /// The uploads of a folder.
    async fn uploads(&self, folder: &str) -> Result<Vec<UploadId>, RepositoryError> {
        let objects: Vec<_> = self.bucket().list(folder).try_collect().await?;
        let ids = objects.iter().filter_map(|object| {
            let id = object.name.rsplit('/').next()?;
            UploadId::new(id).ok()
        });
        Ok(ids.collect())
    }

    fn outlines(
        &self,
        uploads: Vec<UploadId>,
    ) -> impl futures_util::Stream<Item = Result<(UploadId, Outline), RepositoryError>> + Send + use<'_>
    {
        stream::iter(uploads)
            .map(move |upload| async move {
                match Unfinished::look(self.bucket(), &upload).await {
                    Ok(outline) => Ok(Some((upload, outline))),
                    Err(RepositoryError::NotFound) => Ok(None),
                    Err(error) => Err(error),
                }
            })
            .buffer_unordered(CONCURRENCY)
            .try_filter_map(|found| async move { Ok(found) })
    }
}

async fn append(
    bucket: Bucket,
    upload: UploadId,
    mut part: Part,
    mut left: oneshot::Receiver<()>,
) -> Result<Progress, RepositoryError> {
    let unfinished = Unfinished::read(&bucket, &upload).await?;
    unfinished.outline.check(part.offset())?;
    let mut writer = Writer {
        pending: unfinished.tail.to_vec(),
        ids: unfinished.parts.ids.clone(),
        bucket,
        upload,
        recorded: unfinished,
        on_their_way: JoinSet::new(),
        arrived: BTreeMap::new(),
        sent: 0,
    };
    let appended = writer.take_all(&mut part, &mut left).await;
    if appended.is_err() {
        // A claim that cannot be released now ends by itself after a while.
        writer.on_their_way.shutdown().await;
        drop(writer.release().await);
    }
    let ending = appended?;
    if ending.is_ok() || !part.is_whole_or_nothing() {
        writer.record(&part.note()).await?;
    } else {
        writer.settle().await?;
        writer.release().await?;
    }
    ending?;
    Ok(writer.recorded.outline.progress())
}

/// Puts what arrives into parts.
struct Writer {
    bucket: Bucket,
    upload: UploadId,
    /// The upload as it is in the store.
    recorded: Unfinished,
    /// The bytes that are in no part yet: less than one.
    pending: Vec<u8>,
    /// The ids of the parts that have arrived, without a gap.
    ids: Vec<String>,
    on_their_way: JoinSet<Result<(usize, PartId), Fault>>,
    arrived: BTreeMap<usize, String>,
    /// The number of parts that were put since the last record.
    sent: usize,
}

impl Writer {
    /// Takes a part up to its end, which may be an error of its own.
    async fn take_all(
        &mut self,
        part: &mut Part,
        left: &mut oneshot::Receiver<()>,
    ) -> Result<Result<(), UploadError>, RepositoryError> {
        loop {
            let next = match select(pin!(part.next()), &mut *left).await {
                Either::Left((next, _)) => next,
                Either::Right(_) => return Ok(Err(UploadError::Incomplete(None))),
            };
            let mut chunk = match next {
                None => return Ok(Ok(())),
                Some(Err(error)) => return Ok(Err(error)),
                Some(Ok(chunk)) => chunk,
            };
            while !chunk.is_empty() {
                let room = PART.saturating_sub(self.pending.len());
                let fits = chunk.split_to(chunk.len().min(room));
                reserve(&mut self.pending, fits.len());
                self.pending.extend_from_slice(&fits);
                if self.pending.len() >= PART {
                    let full = mem::take(&mut self.pending);
                    self.put(full.into()).await?;
                }
            }
            if self.sent >= RECORDED_AT_ONCE && !part.is_whole_or_nothing() {
                self.claim(Some(&part.note())).await?;
            }
        }
    }

    async fn put(&mut self, part: Bytes) -> Result<(), RepositoryError> {
        let index = self.ids.len() + self.arrived.len() + self.on_their_way.len();
        if index >= MOST_PARTS {
            let limit = MOST_PARTS as u64 * PART as u64;
            return Err(UploadError::too_large(Some(limit)).into());
        }
        if !self.recorded.outline.is_claimed() {
            self.claim(None).await?;
        }
        let id = self.recorded.parts.upload.clone().unwrap_or_default();
        let room = self.bucket.room(part.len());
        let room = self
            .bucket
            .while_alive(Action::Put, async { Ok(room.await) })
            .await?;
        while let Some(put) = self.on_their_way.try_join_next() {
            self.arrive(put)?;
        }
        let (bucket, path) = (self.bucket.clone(), path(&self.bucket, &self.recorded));
        self.on_their_way.spawn(async move {
            let id = put_part(&bucket, &path, &id, index, part).await?;
            drop(room);
            Ok((index, id))
        });
        self.sent += 1;
        Ok(())
    }

    fn arrive(
        &mut self,
        put: Result<Result<(usize, PartId), Fault>, tokio::task::JoinError>,
    ) -> Result<(), RepositoryError> {
        let (index, id) = put.map_err(RepositoryError::internal)??;
        self.arrived.insert(index, id.content_id);
        Ok(())
    }

    /// Waits for all parts.
    async fn settle(&mut self) -> Result<(), RepositoryError> {
        while let Some(put) = self.on_their_way.join_next().await {
            self.arrive(put)?;
        }
        let arrived = mem::take(&mut self.arrived);
        self.ids.extend(arrived.into_values());
        Ok(())
    }

    /// Keeps others from putting parts, for as long as the store has for an answer: two writers
    /// would replace each other's parts. If there is a note, records the bytes that have come.
    async fn claim(&mut self, note: Option<&Bytes>) -> Result<(), RepositoryError> {
        let mut started = None;
        if self.recorded.parts.upload.is_none() {
            let path = path(&self.bucket, &self.recorded);
            started = Some(create(&self.bucket, &path).await?);
        }
        let claimed = self.write(note, Some(self.bucket.patience()), started.clone());
        let claimed = claimed.await;
        if claimed.is_err()
            && let Some(id) = started
        {
            let path = path(&self.bucket, &self.recorded);
            drop(abort(&self.bucket, &path, &id).await);
        }
        claimed
    }

    /// Records all that has come.
    async fn record(&mut self, note: &Bytes) -> Result<(), RepositoryError> {
        // It is replaced, and takes memory meanwhile.
        self.recorded.tail = Bytes::new();
        self.write(Some(note), None, None).await
    }

    /// Lets others go on from the last record.
    async fn release(&mut self) -> Result<(), RepositoryError> {
        if self.recorded.outline.is_claimed() {
            self.write(None, None, None).await?;
        }
        Ok(())
    }

    async fn write(
        &mut self,
        note: Option<&Bytes>,
        claim: Option<Duration>,
        started: Option<String>,
    ) -> Result<(), RepositoryError> {
        let (mut outline, mut parts, mut tail) = self.recorded.parts_of();
        if started.is_some() {
            parts.upload = started;
        }
        if let Some(note) = note {
            self.settle().await?;
            parts.ids = self.ids.clone();
            tail = match claim {
                Some(_) => Bytes::copy_from_slice(&self.pending),
                // The last record: no copy is needed.
                None => mem::take(&mut self.pending).into(),
            };
            let offset = parts.ids.len() * PART + tail.len();
            outline.advance(offset as u64, note);
            self.sent = 0;
        }
        outline.claim(claim);
        let state = (outline, parts, tail);
        self.recorded.write(&self.bucket, &self.upload, state).await
    }
}

type Path = object_store::path::Path;

/// The place of an upload's bytes.
pub(super) fn path(bucket: &Bucket, unfinished: &Unfinished) -> Path {
    bucket.path(&ContentName::unplaced(&unfinished.outline.random))
}

async fn create(bucket: &Bucket, path: &Path) -> Result<String, Fault> {
    let limit = bucket.patience();
    let creating = bucket.multipart(Action::Put, limit, |store| {
        let path = path.clone();
        async move {
            let options = PutMultipartOptions::default();
            store.create_multipart_opts(&path, options).await
        }
    });
    creating.await
}

pub(super) async fn put_part(
    bucket: &Bucket,
    path: &Path,
    id: &str,
    index: usize,
    part: Bytes,
) -> Result<PartId, Fault> {
    let limit = bucket.time_for(part.len());
    let putting = bucket.multipart(Action::Put, limit, |store| {
        let (path, id, part) = (path.clone(), id.to_owned(), part.clone());
        async move { store.put_part(&path, &id, index, part.into()).await }
    });
    putting.await
}

/// Removes the parts of an upload. Missing parts are no error.
pub(super) async fn abort(bucket: &Bucket, path: &Path, id: &str) -> Result<(), Fault> {
    let limit = bucket.patience();
    let aborting = bucket.multipart(Action::Abort, limit, |store| {
        let (path, id) = (path.clone(), id.to_owned());
        async move { store.abort_multipart(&path, &id).await }
    });
    match aborting.await {
        Err(fault) if fault.is_of_nothing() => Ok(()),
        aborted => aborted,
    }
}

/// The parts and the tail, as the store is to put them together.
pub(super) fn part_ids(parts: &Parts) -> Vec<PartId> {
    let ids = parts.ids.iter();
    ids.map(|id| PartId {
        content_id: id.clone(),
    })
    .collect()
}
