//! The end of a resumable upload: it is stored like an upload in one request.

use http::{HeaderValue, Response};

use super::Resuming;
use super::note::Note;
use crate::fhir::Refusal;
use crate::refusal::RefusalCode;
use crate::response_body::OwnBody;
use crate::serving::plan::UPLOAD_COMPLETE;
use crate::serving::usage::rejection;
use crate::serving::write::{current, stored};
use crate::serving::{Genuine, repeat};
use crate::store::{BinaryRepository as _, RepositoryError, Resumable as _, Upload, UploadError};

/// Stores an upload whose bytes are all here, unless it is stored already: a request whose answer
/// was lost is repeated.
pub(super) async fn complete(
    resuming: &Resuming<'_>,
    note: &Note,
    length: u64,
) -> Result<Response<OwnBody>, Refusal> {
    let Genuine {
        serving,
        usage,
        grant,
        ..
    } = resuming.request;
    let (key, upload) = (&grant.key, &resuming.terms.upload);
    let completed = async {
        if length == 0 && !serving.allows_empty_uploads {
            return Err(RefusalCode::EmptyBody.into());
        }
        if !note.digests.hold() {
            return Err(RefusalCode::DigestMismatch.into());
        }
        if is_stored(resuming, note, length).await? {
            return Ok(());
        }
        let content_type = resuming.terms.write.content_type.clone();
        let content = Upload::resumed(content_type, *upload, length, note.digests.sha256())
            .with_expects_continue(false)
            .with_acceptance(usage.acceptance());
        match serving.repository.write(key, content).await {
            Ok(_) => {
                usage.stored();
                Ok(())
            }
            // Another upload has been faster, with the same bytes or with others.
            Err(RepositoryError::AlreadyWritten) if is_stored(resuming, note, length).await? => {
                Ok(())
            }
            Err(RepositoryError::Upload(error @ UploadError::Rejected(_))) => {
                Err(rejection(error.into()))
            }
            Err(error) => Err(error.into()),
        }
    };
    let Err(refusal) = completed.await else {
        return Ok(stored(key));
    };
    if is_final(refusal.code) {
        serving.repository.abandon(upload).await?;
    }
    Err(refusal)
}

/// True if the version has just this content. Other content is a refusal.
pub(super) async fn is_stored(
    resuming: &Resuming<'_>,
    note: &Note,
    length: u64,
) -> Result<bool, Refusal> {
    let Genuine { serving, grant, .. } = resuming.request;
    let Some(current) = current(serving, &grant.key).await? else {
        return Ok(false);
    };
    let sha256 = note.digests.sha256();
    let is_same = repeat::is_same(serving, &grant.key, &current, length, sha256).await?;
    repeat::answer(&grant.key, is_same).map(|_| true)
}

/// True if another try would be in vain.
fn is_final(code: RefusalCode) -> bool {
    !matches!(
        code,
        RefusalCode::Unavailable
            | RefusalCode::StorageFull
            | RefusalCode::Internal
            | RefusalCode::NotReady
            | RefusalCode::TooManyRequests
    )
}

/// Says that the refusal is about the content, and not about the upload of it
/// (draft-ietf-httpbis-resumable-upload, "Upload Append").
pub(super) fn final_refusal(refusal: Refusal) -> Refusal {
    if is_final(refusal.code) {
        refusal.with_header(UPLOAD_COMPLETE, HeaderValue::from_static("?1"))
    } else {
        refusal
    }
}
