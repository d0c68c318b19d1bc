//! Sending a client on to the repository's storage.

use http::header::{CACHE_CONTROL, CONTENT_LENGTH, LOCATION};
use http::{HeaderMap, HeaderValue, Response, StatusCode};

use crate::config::Config;
use crate::outcome::{NO_STORE, Refusal};
use crate::response_body::OwnBody;
use crate::store::{BinaryRepository as _, RepositoryError};
use crate::url::{Grant, unix_seconds};

/// For how long the storage's URL is valid, in seconds: it is used at once.
const LIFETIME: u64 = 60;

/// The answer that sends a client to the storage, if that can answer a request with these headers.
pub(super) async fn redirect(
    config: &Config,
    grant: &Grant,
    headers: &HeaderMap,
) -> Result<Option<Response<OwnBody>>, Refusal> {
    if !config.redirects_to_storage {
        return Ok(None);
    }
    let grant = Grant {
        expires: unix_seconds(config.now()).saturating_add(LIFETIME),
        ..grant.clone()
    };
    let Some(presigned) = config.repository.presign(&grant).await? else {
        return Ok(None);
    };
    let is_sent = |(name, value)| headers.get(name) == Some(value);
    if !presigned.headers().iter().map(|(n, v)| (n, v)).all(is_sent) {
        return Ok(None);
    }
    let location = HeaderValue::from_str(presigned.as_str()).map_err(RepositoryError::internal)?;
    let mut response = Response::new(OwnBody::empty());
    *response.status_mut() = StatusCode::TEMPORARY_REDIRECT;
    let headers = response.headers_mut();
    headers.insert(LOCATION, location);
    headers.insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
    headers.insert(CACHE_CONTROL, NO_STORE);
    Ok(Some(response))
}
