//! An upload to a version that has its content.
//!
//! Clients, proxies and phones repeat a request whose answer was lost. The same bytes once more are
//! no failure, and nothing is written.

use http::Response;
use http::header::ETAG;
use sha2::{Digest as _, Sha256};

use super::plan::entity_tag;
use super::write::stored;
use crate::config::Serving;
use crate::fhir::Refusal;
use crate::key::BinaryKey;
use crate::refusal::RefusalCode;
use crate::response_body::OwnBody;
use crate::store::{BinaryRepository as _, Metadata, RepositoryError, UploadContent};

/// The answer to an upload of the content that is there, or of other content.
pub(super) fn answer(key: &BinaryKey, is_same: bool) -> Result<Response<OwnBody>, Refusal> {
    if is_same {
        return Ok(stored(key));
    }
    let refusal = Refusal::from(RefusalCode::AlreadyWritten);
    Err(refusal.with_header(ETAG, entity_tag(&key.version())))
}

/// Compares the rest of an upload, of which the repository may have taken some. `announced` is its
/// length in bytes, if that is known.
pub(super) async fn compare(
    serving: &Serving,
    key: &BinaryKey,
    mut content: UploadContent,
    announced: Option<u64>,
) -> Result<Response<OwnBody>, Refusal> {
    let stored = match serving.repository.head(key).await {
        Ok(stored) => stored,
        // It was there a moment ago.
        Err(RepositoryError::NotFound) => return answer(key, false),
        Err(error) => return Err(error.into()),
    };
    let is_longer = |length| length > stored.length;
    if announced.is_some_and(|announced| announced != stored.length) {
        return answer(key, false);
    }
    while !is_longer(content.received())
        && let Some(chunk) = content.next().await
    {
        chunk?;
    }
    let is_same = match content.sha256() {
        Some(sha256) => is_same(serving, key, &stored, content.received(), sha256).await?,
        None => false,
    };
    answer(key, is_same)
}

/// True if the version's content has this length, in bytes, and this SHA-256.
pub(super) async fn is_same(
    serving: &Serving,
    key: &BinaryKey,
    stored: &Metadata,
    length: u64,
    sha256: [u8; 32],
) -> Result<bool, Refusal> {
    Ok(stored.length == length && digest(serving, key, stored).await? == sha256)
}

/// The SHA-256 of the version's content. A repository of the host's need not know it.
async fn digest(
    serving: &Serving,
    key: &BinaryKey,
    stored: &Metadata,
) -> Result<[u8; 32], Refusal> {
    if let Some(sha256) = stored.sha256 {
        return Ok(sha256);
    }
    let mut content = serving.repository.read(key, None).await?;
    let mut sha256 = Sha256::new();
    while let Some(chunk) = content.next().await {
        sha256.update(chunk?);
    }
    Ok(sha256.finalize().into())
}
