//! Sending a client on to the repository's storage.

use std::time::{Duration, SystemTime};

use http::{HeaderMap, Response};

use crate::config::Serving;
use crate::fhir::Refusal;
use crate::response_body::{OwnBody, redirection};
use crate::store::{BinaryRepository as _, RepositoryError};
use crate::url::{Expires, Grant};

/// The lifetime of the storage's URL, which is used at once: one minute, and ten more in case the
/// storage's clock is ahead of ours. (Stores take a URL from up to fifteen minutes in their
/// future.)
const LIFETIME: Duration = Duration::from_secs(60 + 10 * 60);

/// The answer that sends a client to the storage, if that can answer a request with these headers.
pub(super) async fn redirect(
    serving: &Serving,
    grant: &Grant,
    headers: &HeaderMap,
    now: SystemTime,
) -> Result<Option<Response<OwnBody>>, Refusal> {
    if !serving.redirects_to_storage {
        return Ok(None);
    }
    let grant = Grant {
        expires: Expires::at(now + LIFETIME),
        ..grant.clone()
    };
    let Some(presigned) = serving.repository.presign(&grant).await? else {
        return Ok(None);
    };
    let is_sent = |(name, value)| headers.get(name) == Some(value);
    if !presigned.headers().iter().map(|(n, v)| (n, v)).all(is_sent) {
        return Ok(None);
    }
    let response = redirection(&presigned, OwnBody::empty());
    Ok(Some(response.map_err(RepositoryError::internal)?))
}
