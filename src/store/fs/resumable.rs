//! [`Resumable`] for both of the repositories and stores that have a [`Folder`].

use std::time::SystemTime;

use tokio::task::{JoinHandle, spawn_blocking};

use super::blocking;
use super::content_file;
use super::error::FileError;
use super::folder::{Folder, GATHER, Received};
use super::staged_file::StagedFile;
use super::unfinished::{HEADER, PartFile, Unfinished};
use crate::id::UploadId;
use crate::place::Place;
use crate::store::resumable::Whole;
use crate::store::{Begun, Part, Progress, RepositoryError, Resumable, Stored, UploadError};

/// The bytes of a part that are written before they are recorded: a crash can cost as many.
const RECORDED_AT_ONCE: u64 = 16 * 1024 * 1024;

/// The bytes of a part that are written before the disk is to take them. It does so while more
/// arrives, and little is left to wait for at the end.
const FLUSHED_AT_ONCE: u64 = 4 * 1024 * 1024;

impl Resumable for Folder {
    async fn begin(&self, upload: &UploadId, begun: Begun) -> Result<(), RepositoryError> {
        let (folder, upload) = (self.clone(), *upload);
        blocking(move || folder.begin_upload(&upload, &begun)).await
    }

    async fn progress(&self, upload: &UploadId) -> Result<Progress, RepositoryError> {
        let unfinished = Unfinished::new(self, upload)?;
        blocking(move || Ok::<_, RepositoryError>(unfinished.read_durable()?.progress())).await
    }

    async fn append(&self, upload: &UploadId, mut part: Part) -> Result<Progress, RepositoryError> {
        let (folder, id, offset) = (self.clone(), *upload, part.offset());
        let mut file = blocking(move || PartFile::open(&folder, &id, offset)).await?;
        let mut buffer = Vec::new();
        let mut flushing = Flushing::default();
        let ending = loop {
            match part.next().await {
                Some(Ok(chunk)) => buffer.extend_from_slice(&chunk),
                Some(Err(error)) => break Err(error),
                None => break Ok(()),
            }
            if buffer.len() < GATHER {
                continue;
            }
            let is_due = file.unrecorded() + buffer.len() as u64 >= RECORDED_AT_ONCE;
            let note = (is_due && !part.is_whole_or_nothing()).then(|| part.note());
            if note.is_some() {
                flushing.end().await?;
                flushing.begun = 0;
            }
            (file, buffer) = blocking(move || {
                file.append(&buffer)?;
                buffer.clear();
                if let Some(note) = note {
                    file.record(&note)?;
                }
                Ok::<_, RepositoryError>((file, buffer))
            })
            .await?;
            if self.fsync && file.unrecorded() >= flushing.begun + FLUSHED_AT_ONCE {
                flushing.begin(&file).await?;
            }
        };
        flushing.end().await?;
        let is_kept = ending.is_ok() || !part.is_whole_or_nothing();
        let note = part.note();
        let recorded = blocking(move || {
            if is_kept {
                file.append(&buffer)?;
                file.record(&note)
            } else {
                file.take_back()?;
                Ok(Progress::new(offset, note))
            }
        });
        let progress = recorded.await?;
        ending?;
        Ok(progress)
    }

    async fn abandon(&self, upload: &UploadId) -> Result<(), RepositoryError> {
        let Ok(unfinished) = Unfinished::new(self, upload) else {
            return Ok(());
        };
        let folder = self.clone();
        blocking(move || Ok(unfinished.remove(&folder)?)).await
    }

    async fn remove_expired(&self, now: SystemTime) -> Result<Vec<UploadId>, RepositoryError> {
        let folder = self.clone();
        blocking(move || folder.remove_expired_uploads(now)).await
    }
}

/// The disk takes the bytes that have been written, while more arrive.
#[derive(Default)]
struct Flushing {
    /// Of the bytes that are not recorded.
    begun: u64,
    running: Option<JoinHandle<Result<(), FileError>>>,
}

impl Flushing {
    /// Has the disk take the bytes written by now, unless it still takes earlier ones.
    async fn begin(&mut self, file: &PartFile) -> Result<(), RepositoryError> {
        if self.running.as_ref().is_none_or(JoinHandle::is_finished) {
            self.end().await?;
            self.begun = file.unrecorded();
            self.running = Some(spawn_blocking(file.flush()?));
        }
        Ok(())
    }

    /// Waits for it.
    async fn end(&mut self) -> Result<(), RepositoryError> {
        match self.running.take() {
            Some(running) => Ok(running.await.map_err(RepositoryError::internal)??),
            None => Ok(()),
        }
    }
}

impl Whole {
    /// Makes a content file of it, which stays in its place unless it is published.
    pub(super) fn stage(
        &self,
        folder: &Folder,
        unfinished: &Unfinished,
    ) -> Result<(StagedFile, Received), RepositoryError> {
        let (length, sha256) = (self.length, self.sha256);
        let content_type = self.content_type.clone();
        let header = content_file::header(content_type.as_str(), length, &sha256, HEADER)?;
        let mut staged = StagedFile::adopt(&unfinished.content, folder.budget.share())?;
        if staged.length()? != HEADER as u64 + length || header.len() != HEADER {
            return Err(UploadError::Incomplete(None).into());
        }
        staged.overwrite_beginning(&header)?;
        let last_modified = staged.finish(folder.fsync)?;
        let received = Received {
            content_type,
            length,
            sha256,
            last_modified,
        };
        Ok((staged, received))
    }

    /// The facts about it in its place.
    pub(super) fn stored(&self, place: Place) -> Stored {
        Stored::new(place, self.content_type.clone(), self.length, self.sha256)
    }
}
