//! Resumable uploads: one state machine, in two protocols ([`plan`](super::plan) has their heads).
//!
//! A write URL begins one, and its answer names the upload's own URL, which goes on with it:
//!
//! | request to its own URL | effect |
//! |---|---|
//! | `HEAD`, `GET` | reports the progress of the upload |
//! | `PATCH` | appends a part; the last part stores the upload, like an upload in one request |
//! | `DELETE` | removes the upload |
//!
//! Each takes its [turn](crate::turns): a newer request ends the part that is arriving.
//!
//! The store keeps the bytes and a [note](note) about them, and nobody keeps anything else: any
//! server that has the keys and the store can go on.

mod answer;
mod begin;
mod complete;
mod interim;
mod note;
mod part;

use std::sync::Arc;

use http::{HeaderMap, Method, Response};
use http_body_util::BodyExt as _;

pub(super) use self::answer::announce;
pub(crate) use self::answer::finish_tus;
use self::answer::{Facts, Limits};
pub(super) use self::begin::begin;
use self::complete::complete;
pub(super) use self::interim::Announcement;
use self::note::Note;
use self::part::{GoneOn, PartStream};
use super::Genuine;
use super::digest::Digests;
use super::plan::{Append, Dialect, offset_mismatch};
use super::upload_stream::UploadStream;
use super::usage::rejection;
use super::write::too_many;
use crate::events::{RequestEvent, Step};
use crate::fhir::Refusal;
use crate::refusal::RefusalCode;
use crate::request_body::classify;
use crate::response_body::OwnBody;
use crate::store::{BoxRepository, Part, Progress, RepositoryError, Resumable as _, UploadError};
use crate::turns::Turn;
use crate::url::ResumeTerms;

/// A request about a resumable upload.
struct Resuming<'a> {
    request: Genuine<'a>,
    terms: &'a ResumeTerms,
}

/// Answers a request to the URL of a resumable upload.
pub(super) async fn go_on(
    request: Genuine<'_>,
    terms: &ResumeTerms,
    method: Method,
    event: &mut RequestEvent,
) -> Result<Response<OwnBody>, Refusal> {
    let resuming = Resuming { request, terms };
    let Genuine { serving, body, .. } = request;
    let headers = resuming.headers();
    let append = match method {
        Method::PATCH => Some(Append::of(headers, body.remaining())?),
        _ => None,
    };
    body.begin_part();
    if let Some(append) = append {
        let turn = resuming.turn_for_part().await?;
        return resuming.append(append, &turn, event).await;
    }
    let _turn = serving.turns.take(terms.upload).await;
    match method {
        Method::DELETE => {
            event.step(terms.upload, Step::Abandoned);
            serving.repository.progress(&terms.upload).await?;
            serving.repository.abandon(&terms.upload).await?;
            Ok(answer::abandoned())
        }
        _ => resuming.progress(event).await,
    }
}

impl Resuming<'_> {
    fn headers(&self) -> &HeaderMap {
        &self.request.usage.parts.headers
    }

    fn repository(&self) -> &BoxRepository {
        &self.request.serving.repository
    }

    async fn turn_for_part(&self) -> Result<Arc<Turn>, Refusal> {
        let turns = &self.request.serving.turns;
        let turn = turns.take_for_part(self.terms.upload).await;
        turn.map(Arc::new).map_err(|_| superseded())
    }

    fn limits(&self) -> Limits {
        Limits {
            max_length: self.max_length(),
            expires: self.request.grant.expires,
            now: self.request.now,
        }
    }

    /// In bytes.
    fn max_length(&self) -> u64 {
        self.request.serving.max_length(&self.terms.write)
    }

    fn facts(&self, dialect: Dialect, progress: &Progress, length: Option<u64>) -> Facts {
        Facts {
            dialect,
            offset: progress.offset,
            length,
            is_complete: false,
            limits: self.limits(),
        }
    }

    async fn progress(&self, event: &mut RequestEvent) -> Result<Response<OwnBody>, Refusal> {
        event.step(self.terms.upload, Step::Asked);
        let headers = self.headers();
        let dialect = Dialect::of(headers).unwrap_or(Dialect::Draft);
        let progress = self.repository().progress(&self.terms.upload).await?;
        let note = Note::read(&progress.note)?;
        let mut facts = self.facts(dialect, &progress, note.length);
        if note.length == Some(progress.offset) {
            // A client of tus takes it for complete, so it must be stored before the answer.
            facts.is_complete = match dialect {
                Dialect::Tus => complete(self, &note, progress.offset).await.map(|_| true)?,
                Dialect::Draft => complete::is_stored(self, &note, progress.offset).await?,
            };
        }
        Ok(answer::progress(&facts))
    }

    async fn append(
        &self,
        append: Append,
        turn: &Arc<Turn>,
        event: &mut RequestEvent,
    ) -> Result<Response<OwnBody>, Refusal> {
        event.step(self.terms.upload, Step::Part);
        let progress = self.repository().progress(&self.terms.upload).await?;
        let mut note = Note::read(&progress.note)?;
        let known = note.length;
        note.length = append.agreed_length(known)?;
        if append.offset != progress.offset {
            let refusal = offset_mismatch(progress.offset, append.offset);
            return Err(for_dialect(refusal, append.dialect));
        }
        note.digests.add(self.headers())?;
        let is_last = append.is_last || append.dialect == Dialect::Tus;
        let is_whole = note.length == Some(progress.offset);
        let (progress, note) = if is_whole && (append.is_last || note.length == known) {
            // The bytes may have become a version, and the answer may be all that is lost.
            self.expect_nothing(progress.offset).await?;
            (progress, note)
        } else {
            self.receive(note, append.offset, append.is_last, turn, event)
                .await?
        };
        self.acknowledge(append.dialect, is_last, &progress, &note, event)
            .await
    }

    /// Reads a body that is to have no content, at the end of an upload of so many bytes.
    async fn expect_nothing(&self, length: u64) -> Result<(), Refusal> {
        let mut body = self.request.body.clone();
        while let Some(frame) = body.frame().await {
            let is_timeout = &self.request.serving.is_timeout;
            let frame = frame.map_err(|error| Refusal::from(classify(error, is_timeout)))?;
            if frame.data_ref().is_some_and(|data| !data.is_empty()) {
                return Err(self.too_large(length));
            }
        }
        Ok(())
    }

    /// Takes the body of a request as the part that begins at `offset`.
    async fn receive(
        &self,
        note: Note,
        offset: u64,
        is_last: bool,
        turn: &Arc<Turn>,
        event: &mut RequestEvent,
    ) -> Result<(Progress, Note), Refusal> {
        let Genuine { serving, body, .. } = self.request;
        let upload = &self.terms.upload;
        let limit = note.length.unwrap_or(u64::MAX).min(self.max_length());
        let remaining = body.remaining();
        let end = remaining.and_then(|remaining| offset.checked_add(remaining));
        if end.is_some_and(|end| end > limit) {
            return Err(self.too_large(limit));
        }
        let of_part = Digests::of_part(self.headers())?;
        let _running = serving
            .uploads
            .begin(&self.request.grant.key, serving.max_uploads_at_once)
            .map_err(too_many)?;
        let is_whole_or_nothing = !of_part.is_empty();
        let stream = PartStream {
            length: note.length,
            is_last,
            turn: Arc::clone(turn),
            body: UploadStream {
                body: body.clone(),
                received: offset,
                counter: event.counter(),
                announced: end,
                limit,
                allows_empty: true,
                digests: note.digests,
                of_part: Some(of_part),
                is_timeout: serving.is_timeout.clone(),
            },
        };
        let part = Part::new(offset, stream).whole_or_nothing(is_whole_or_nothing);
        let appended = self.repository().append(upload, part).await;
        let progress = match appended {
            Ok(progress) => progress,
            Err(RepositoryError::OffsetMismatch { offset: actual }) => {
                return Err(offset_mismatch(actual, offset));
            }
            Err(RepositoryError::Upload(UploadError::Incomplete(Some(source))))
                if source.is::<GoneOn>() =>
            {
                return Err(superseded());
            }
            Err(RepositoryError::Upload(UploadError::TooLarge { .. })) => {
                // The upload can never become the content that was announced.
                self.repository().abandon(upload).await?;
                return Err(self.too_large(limit));
            }
            Err(error) => return Err(rejection(error)),
        };
        let note = Note::read(&progress.note)?;
        Ok((progress, note))
    }

    /// Stores the upload if nothing is missing.
    async fn acknowledge(
        &self,
        dialect: Dialect,
        is_last: bool,
        progress: &Progress,
        note: &Note,
        event: &mut RequestEvent,
    ) -> Result<Response<OwnBody>, Refusal> {
        let mut facts = self.facts(dialect, progress, note.length);
        if is_last && note.length == Some(progress.offset) {
            event.step(self.terms.upload, Step::Completed);
            let stored = complete(self, note, progress.offset).await;
            let stored = stored.map_err(|refusal| match dialect {
                Dialect::Draft => complete::final_refusal(refusal),
                Dialect::Tus => refusal,
            })?;
            facts.is_complete = true;
            return Ok(answer::completed(stored, &facts));
        }
        Ok(answer::appended(&facts))
    }

    fn too_large(&self, limit: u64) -> Refusal {
        let refusal = Refusal::too_large(Some(limit));
        refusal.with_header(answer::UPLOAD_LIMIT, self.limits().value())
    }
}

/// The refusal is a conflict: on any other a client of tus gives up.
fn superseded() -> Refusal {
    Refusal::because(
        RefusalCode::OffsetMismatch,
        "A later request goes on with the upload. Ask how far it has come.",
    )
}

/// A client of tus gets an `OperationOutcome`, since it looks at the headers alone.
fn for_dialect(refusal: Refusal, dialect: Dialect) -> Refusal {
    match dialect {
        Dialect::Tus => refusal.without_problem(),
        Dialect::Draft => refusal,
    }
}
