//! The object that a version is put into, and its siblings. The first decides, the others inform.

use std::time::Duration;

use bytes::Bytes;
use object_store::{GetResult, PutMode};
use tokio::time::{Instant, sleep};

use super::ObjectStoreRepository;
use super::bucket_store::unmarked;
use super::error::{Fault, Meaning};
use super::layout::{self, Apart, Gate, SURVEYED, Survey, Whereabouts};
use super::mark::{Facts, Kind, Mark};
use crate::content_type::{ContentType, OCTET_STREAM};
use crate::id::BinaryId;
use crate::key::BinaryKey;
use crate::store::RepositoryError;

/// The number of tries for a put that the store refuses because of another put, if that one comes
/// to nothing.
const TRIES: u32 = 4;

impl ObjectStoreRepository {
    /// Puts an object where there is none.
    pub(super) async fn put_new(
        &self,
        name: &str,
        content: Bytes,
        content_type: &str,
        mark: &Mark,
    ) -> Result<(), RepositoryError> {
        let bucket = self.store.bucket();
        let mode = || {
            if self.is_write_once {
                PutMode::Create
            } else {
                PutMode::Overwrite
            }
        };
        let is_own = |found: &GetResult| Mark::of(found).as_ref() == Some(mark);
        let mut tries = 0;
        loop {
            tries += 1;
            let started = Instant::now();
            if !self.is_write_once
                && let Some(found) = bucket.look(name).await?
            {
                return Err(taken(&found));
            }
            let put = bucket.put(name, content.clone(), content_type, mark, mode());
            let Err(fault) = put.await else {
                return Ok(());
            };
            match (fault.meaning(), &fault) {
                (Meaning::Taken, _) => match bucket.look(name).await? {
                    // The client repeats a request whose answer it has not seen.
                    Some(found) if is_own(&found) => return Ok(()),
                    Some(found) => return Err(taken(&found)),
                    // S3 reports a conflict while another put is not yet done: it may fail.
                    None if tries < TRIES => sleep(Duration::from_millis(50) * tries).await,
                    None => return Err(RepositoryError::unavailable(fault)),
                },
                // The answer alone may be lost. Nobody waits for a store twice.
                (Meaning::Unavailable, Fault::Answer { .. })
                    if started.elapsed() < bucket.patience() / 2 =>
                {
                    return match bucket.look(name).await {
                        Ok(Some(found)) if is_own(&found) => Ok(()),
                        _ => Err(fault.into()),
                    };
                }
                _ => return Err(fault.into()),
            }
        }
    }

    /// Gives a version content that is apart, and makes it visible.
    pub(super) async fn publish(
        &self,
        key: &BinaryKey,
        version: u64,
        content: &Apart,
        content_type: &str,
    ) -> Result<(), RepositoryError> {
        let slot = layout::slot(key.id(), version);
        let mark = Mark::new(Kind::Apart(content.name.clone()), content.facts);
        self.put_new(&slot, Bytes::new(), content_type, &mark)
            .await?;
        // Without the hint, reading takes a request more.
        let hint = layout::place_hint(key.id(), version, content);
        drop(self.put_hint(&hint).await);
        Ok(())
    }

    /// Puts an object of which only the name counts.
    pub(super) async fn put_hint(&self, name: &str) -> Result<(), Fault> {
        let mark = Mark::new(Kind::Content(String::new()), Facts::default());
        let mode = PutMode::Overwrite;
        let bucket = self.store.bucket();
        bucket
            .put(name, Bytes::new(), OCTET_STREAM, &mark, mode)
            .await
            .map(drop)
    }

    /// The survey of a Binary, and its type. One request, however many versions there are.
    pub(super) async fn survey(
        &self,
        id: BinaryId,
    ) -> Result<(Survey, ContentType), RepositoryError> {
        let bucket = self.store.bucket();
        let objects = bucket.first(&layout::folder(id), SURVEYED).await?;
        let objects = objects.iter().map(|object| (&*object.name, object.size));
        let survey = Survey::of(objects);
        match (survey.gate, &survey.content_type) {
            (Gate::Missing, _) => Err(RepositoryError::NotFound),
            (Gate::Closed, _) => Err(RepositoryError::Deleted),
            (Gate::Open, Some(content_type)) => {
                let content_type = content_type.clone();
                Ok((survey, content_type))
            }
            // The type is too long for a name, or the server ended before it put the hint.
            (Gate::Open, None) => match self.gate(id).await? {
                Some(content_type) => Ok((survey, content_type)),
                None => Err(RepositoryError::Deleted),
            },
        }
    }

    /// The type of a Binary; `None` if it is deleted.
    pub(super) async fn gate(&self, id: BinaryId) -> Result<Option<ContentType>, RepositoryError> {
        let bucket = self.store.bucket();
        let Some(object) = bucket.get(&layout::gate(id), None, None).await? else {
            return Err(RepositoryError::NotFound);
        };
        if object.meta.size == 0 {
            return Ok(None);
        }
        let content_type = bucket.content(object).await?;
        let content_type = String::from_utf8_lossy(&content_type);
        let content_type = ContentType::new(content_type).map_err(RepositoryError::internal)?;
        Ok(Some(content_type))
    }

    /// The error for an object of the Binary that is not there. The gate is read and not only
    /// looked at, since the store then says what is missing: it may be the bucket.
    pub(super) async fn absent(&self, id: BinaryId) -> RepositoryError {
        match self.gate(id).await {
            Ok(None) => RepositoryError::Deleted,
            Ok(Some(_)) => RepositoryError::NotFound,
            Err(error) => error,
        }
    }

    /// An error if a version cannot be written, as far as is known before its content has arrived.
    pub(super) async fn check_vacant(
        &self,
        id: BinaryId,
        version: u64,
    ) -> Result<(), RepositoryError> {
        let (survey, _) = self.survey(id).await?;
        if version <= survey.current {
            return Err(RepositoryError::AlreadyWritten);
        }
        Ok(())
    }

    /// The mark of the object in a slot.
    pub(super) fn kind(&self, slot: &str, object: &GetResult) -> Result<Mark, RepositoryError> {
        match Mark::of(object) {
            Some(mark) => Ok(mark),
            // Put by a client with the store's own URL.
            None if self.offloads_writes => {
                Ok(Mark::new(Kind::Content(String::new()), Facts::default()))
            }
            None => Err(unmarked(slot)),
        }
    }
}

/// The slot of the version that a key names.
pub(super) fn number(key: &BinaryKey) -> Option<u64> {
    key.version().number()
}

/// The place of the content, if the URL has it.
pub(super) fn whereabouts(key: &BinaryKey) -> Option<Whereabouts> {
    Whereabouts::parse(key.place()?.as_str())
}

/// The error for a version whose place `object` has taken.
fn taken(object: &GetResult) -> RepositoryError {
    match Mark::of(object) {
        Some(mark) if mark.kind == Kind::Deleted => RepositoryError::Deleted,
        _ => RepositoryError::AlreadyWritten,
    }
}
