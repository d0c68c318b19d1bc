//! The end of an upload whose parts have come over hours: it becomes content, or nothing.

use std::time::SystemTime;

use bytes::Bytes;
use object_store::PutMode;

use super::BucketStore;
use super::bucket::Bucket;
use super::content_name::ContentName;
use super::error::{Action, Fault};
use super::mark::{Facts, Kind, Mark};
use super::parts::ASSEMBLY;
use super::resumable::{abort, part_ids, path, put_part};
use super::unfinished::{Unfinished, name};
use crate::id::UploadId;
use crate::store::composed::may_be_published;
use crate::store::resumable::Whole;
use crate::store::{Day, RepositoryError, UploadError};

impl Whole {
    pub(super) fn facts(&self) -> Facts {
        Facts {
            length: Some(self.length),
            sha256: Some(self.sha256),
        }
    }
}

impl BucketStore {
    /// Makes content of an upload, in a place that is recorded before. So it can be repeated if it
    /// is cut short.
    pub(super) async fn join(
        &self,
        whole: &Whole,
        owner: Option<String>,
    ) -> Result<ContentName, RepositoryError> {
        let bucket = self.bucket();
        let mut unfinished = Unfinished::read(bucket, &whole.id).await?;
        if unfinished.outline.offset != whole.length {
            return Err(UploadError::Incomplete(None).into());
        }
        let recorded = match unfinished.outline.content() {
            Some(recorded)
                if !may_be_published(recorded.as_str()) || unfinished.outline.is_finished =>
            {
                let is_there = bucket.look(recorded.as_str()).await?.is_some();
                match (is_there, may_be_published(recorded.as_str())) {
                    (true, true) => return Ok(recorded),
                    (false, false) if !unfinished.outline.is_finished => None,
                    _ => return Err(RepositoryError::NotFound),
                }
            }
            recorded => recorded,
        };
        let content = match recorded {
            Some(content) => content,
            None => self.record_name(&mut unfinished, whole).await?,
        };
        let mut mark = Mark::new(Kind::Content(content.as_str().to_owned()), whole.facts());
        mark.owner = owner;
        let mut bytes = unfinished.tail.clone();
        if let Some(upload) = &unfinished.parts.upload {
            assemble(bucket, &unfinished, upload, whole.length).await?;
            mark.kind = Kind::Joined;
            bytes = Bytes::new();
        }
        // Nothing else has the name: the request can be repeated.
        let mode = PutMode::Overwrite;
        let content_type = whole.content_type.as_str();
        let put = bucket.put(content.as_str(), bytes, content_type, &mark, mode);
        put.await?;
        let (mut outline, ..) = unfinished.parts_of();
        outline.is_finished = true;
        let finished = (outline, unfinished.parts.clone(), Bytes::new());
        unfinished.write(bucket, &whole.id, finished).await?;
        Ok(content)
    }

    async fn record_name(
        &self,
        unfinished: &mut Unfinished,
        whole: &Whole,
    ) -> Result<ContentName, RepositoryError> {
        let (mut outline, parts, tail) = unfinished.parts_of();
        let day = Day::of(SystemTime::now());
        let content = if parts.upload.is_some() {
            ContentName::joined(day, &outline.random, &whole.content_type)
        } else {
            ContentName::of(day, &outline.random, &whole.content_type)
        };
        outline.name = Some(content.as_str().to_owned());
        let state = (outline, parts, tail);
        unfinished.write(self.bucket(), &whole.id, state).await?;
        Ok(content)
    }

    /// Removes all of an upload that is not content.
    pub(super) async fn remove_upload(
        &self,
        upload: &UploadId,
        unfinished: &Unfinished,
    ) -> Result<(), RepositoryError> {
        let bucket = self.bucket();
        let outline = &unfinished.outline;
        let is_content = match outline.content() {
            Some(content) if outline.is_finished => !self.is_refused(&content).await?,
            _ => false,
        };
        if !is_content {
            if let Some(id) = &unfinished.parts.upload {
                if !outline.is_finished {
                    abort(bucket, &path(bucket, unfinished), id).await?;
                }
                bucket
                    .delete(&ContentName::unplaced(&outline.random))
                    .await?;
            }
            if let Some(content) = outline.content() {
                bucket.delete(content.as_str()).await?;
            }
        }
        Ok(bucket.delete(&name(upload)).await?)
    }

    /// True if content was put for a slot that does not refer to it.
    pub(super) async fn is_refused(&self, name: &ContentName) -> Result<bool, RepositoryError> {
        let content = self.bucket().look(name.as_str()).await?;
        let Some(slot) = content
            .as_ref()
            .and_then(Mark::of)
            .and_then(|mark| mark.owner)
        else {
            return Ok(false);
        };
        let found = self.bucket().look(&slot).await?;
        let kind = found.as_ref().and_then(Mark::of).map(|mark| mark.kind);
        Ok(kind != Some(Kind::Apart(name.clone())))
    }

    /// Removes content.
    pub(super) async fn delete_apart(&self, name: &ContentName) -> Result<(), Fault> {
        // In this order: a deletion that is cut short finds these again.
        if let Some(elsewhere) = name.bytes().or_else(|| name.facts()) {
            self.bucket().delete(&elsewhere).await?;
        }
        self.bucket().delete(name.as_str()).await
    }
}

/// Has the store put the parts together, with the tail as the last.
async fn assemble(
    bucket: &Bucket,
    unfinished: &Unfinished,
    upload: &str,
    length: u64,
) -> Result<(), RepositoryError> {
    let path = path(bucket, unfinished);
    let name = ContentName::unplaced(&unfinished.outline.random);
    let is_there = async || match bucket.look(&name).await {
        Ok(Some(object)) => object.meta.size == length,
        _ => false,
    };
    let mut ids = part_ids(&unfinished.parts);
    let assembled = async {
        if !unfinished.tail.is_empty() {
            let (index, tail) = (ids.len(), unfinished.tail.clone());
            ids.push(put_part(bucket, &path, upload, index, tail).await?);
        }
        let assembling = bucket.multipart(Action::Put, ASSEMBLY, |store| {
            let (path, id, ids) = (path.clone(), upload.to_owned(), ids.clone());
            async move { store.complete_multipart(&path, &id, ids).await }
        });
        assembling.await
    };
    match assembled.await {
        Ok(_) => Ok(()),
        // It may have been done before, or the answer alone may be lost.
        Err(fault) if !matches!(fault, Fault::Late { .. }) && is_there().await => Ok(()),
        Err(fault) => Err(fault.into()),
    }
}
