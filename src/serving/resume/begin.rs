//! The beginning of a resumable upload, at a write URL.

use std::time::{Duration, SystemTime};

use http::Response;

use super::note::Note;
use super::{Announcement, Resuming, answer};
use crate::config::{Resumption, Serving};
use crate::detached::detach;
use crate::events::{self, RequestEvent, Step};
use crate::fhir::Refusal;
use crate::refusal::RefusalCode;
use crate::response_body::OwnBody;
use crate::serving::digest::Digests;
use crate::serving::plan::{Creation, Dialect, WriteRequest, tus_content_type};
use crate::serving::write::current;
use crate::serving::{Genuine, repeat};
use crate::store::{Begun, Progress, Resumable as _};
use crate::url::{Expires, Grant, ResumeTerms, WriteTerms};

/// Begins an upload, and takes the body of the request as its first part.
pub(in crate::serving) async fn begin(
    request: Genuine<'_>,
    resumption: &Resumption,
    terms: &WriteTerms,
    creation: Creation,
    event: &mut RequestEvent,
) -> Result<Response<OwnBody>, Refusal> {
    let Genuine {
        serving,
        usage,
        grant,
        body,
        now,
    } = request;
    let headers = &usage.parts.headers;
    let write = check(request, terms, creation)?;
    let digests = Digests::of_whole(headers)?;
    if let Some(current) = current(serving, &grant.key).await? {
        let announced = digests.announced_sha256();
        let is_same = announced.is_some() && announced == current.sha256;
        // Content that comes along may be a repeat, whose answer was lost: its end decides.
        let may_be_same = announced.is_none()
            && body.remaining() != Some(0)
            && creation
                .length
                .is_none_or(|length| length == current.length);
        if !may_be_same {
            return repeat::answer(&grant.key, is_same);
        }
    }

    let upload = grant.key.new_upload();
    event.step(upload, Step::Begun);
    let expires = now.checked_add(serving.resume_lifetime()).unwrap_or(now);
    let terms = ResumeTerms::new(upload, write);
    let own = Grant {
        permission: terms.clone().into(),
        expires: Expires::at(expires),
        ..grant.clone()
    };
    let mut progress = Progress::new(0, Note::write(creation.length, &digests));
    let begun = Begun::new(expires, progress.note.clone());
    serving.repository.begin(&upload, begun).await?;
    remove_expired(serving, resumption, now);
    let location = resumption.signer.sign(&own);

    let request = Genuine {
        grant: &own,
        ..request
    };
    let resuming = Resuming {
        request,
        terms: &terms,
    };
    let turn = resuming.turn_for_part().await?;
    let mut note = Note {
        length: creation.length,
        digests,
    };
    let is_last = creation.is_complete || creation.dialect == Dialect::Tus;
    if body.remaining() != Some(0) {
        body.begin_part();
        if creation.dialect == Dialect::Draft
            && let Some(announcement) = Announcement::to(&usage.parts)
        {
            announcement.send(location.as_str(), &resuming.limits().text());
        }
        let received = resuming.receive(note, 0, creation.is_complete, &turn, event);
        (progress, note) = received.await?;
    }
    if is_last && note.length == Some(progress.offset) {
        let completed = resuming.acknowledge(creation.dialect, true, &progress, &note, event);
        let mut response = completed.await?;
        if creation.dialect == Dialect::Tus {
            answer::locate(&mut response, location.as_str());
        }
        return Ok(response);
    }
    let facts = resuming.facts(creation.dialect, &progress, note.length);
    Ok(answer::created(location.as_str(), &facts))
}

/// Refuses an upload that is known not to be the granted one. Returns the terms of any other.
fn check(
    request: Genuine<'_>,
    terms: &WriteTerms,
    creation: Creation,
) -> Result<WriteTerms, Refusal> {
    let Genuine {
        serving,
        usage,
        body,
        ..
    } = request;
    let headers = &usage.parts.headers;
    let limit = serving.max_length(terms);
    let length = creation.length.or(body.remaining());
    let content_type = match creation.dialect {
        Dialect::Draft => {
            let head = WriteRequest::new(headers, creation.length);
            head.check(&terms.content_type, limit, serving.allows_empty_uploads)?;
            head.content_type(terms.content_type.clone())
        }
        Dialect::Tus => {
            let sent = tus_content_type(headers);
            if let Some(sent) = sent.filter(|sent| !terms.content_type.accepts(sent)) {
                let granted = &terms.content_type;
                return Err(Refusal::because(
                    RefusalCode::ContentTypeMismatch,
                    format!("The upload is to be of the type {granted}, and not {sent}."),
                ));
            }
            terms.content_type.clone()
        }
    };
    if length.is_some_and(|length| length > limit) {
        return Err(Refusal::too_large(Some(limit)));
    }
    if creation.length == Some(0) && !serving.allows_empty_uploads {
        return Err(RefusalCode::EmptyBody.into());
    }
    Ok(WriteTerms {
        content_type,
        ..terms.clone()
    })
}

/// The shortest time between two searches for expired uploads.
const SWEEP_INTERVAL: Duration = Duration::from_secs(60);

/// Removes the uploads that nobody goes on with, in the background.
fn remove_expired(serving: &Serving, resumption: &Resumption, now: SystemTime) {
    if !resumption.is_sweep_due(now, SWEEP_INTERVAL) {
        return;
    }
    let repository = serving.repository.clone();
    detach(Box::pin(async move {
        match repository.remove_expired(now).await {
            Ok(expired) => expired.iter().for_each(events::upload_expired),
            Err(error) => events::sweep_failed(&error),
        }
    }));
}
