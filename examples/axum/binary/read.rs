//! `GET /Binary/{id}` and `GET /Binary/{id}/_history/{version}`, in both forms.

use std::future::ready;

use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::stream::{self, Stream, StreamExt as _};
use http::header::{ACCEPT, ETAG, VARY};
use http::{HeaderMap, HeaderValue, StatusCode};
use tower_presign::store::{Content, RepositoryError};
use tower_presign::{Access, BinaryId, Download, Target, VersionId};

use super::{Binaries, Repository, entity_tag, essence, json};
use crate::access::Caller;
use crate::fhir::{self, Outcome};

/// `GET /Binary/{id}`
pub(crate) async fn read<R: Repository>(
    State(binaries): State<Binaries<R>>,
    _: Caller,
    Path(id): Path<String>,
    request: Request,
) -> Result<Response, Outcome> {
    let id = BinaryId::new(id).map_err(|_| Outcome::not_found())?;
    let target = Target::new(id, Access::Read);
    binaries.read(&target, request).await
}

/// `GET /Binary/{id}/_history/{version}`
pub(crate) async fn vread<R: Repository>(
    State(binaries): State<Binaries<R>>,
    _: Caller,
    Path((id, version)): Path<(String, String)>,
    request: Request,
) -> Result<Response, Outcome> {
    let id = BinaryId::new(id).map_err(|_| Outcome::not_found())?;
    let version = VersionId::new(version).map_err(|_| Outcome::not_found())?;
    let target = Target::version_of(id, version);
    binaries.read(&target, request).await
}

impl<R: Repository> Binaries<R> {
    async fn read(&self, target: &Target, request: Request) -> Result<Response, Outcome> {
        let located = self.repository.locate(target).await?;
        let key = &located.key;
        let (parts, _) = request.into_parts();
        let mut response = if accepts_resource(&parts.headers) {
            let json = match self.repository.read(key, None).await {
                Ok(content) => {
                    let json = json(key, &content.metadata().content_type);
                    with_data(json, content)
                }
                // It has been created, and nothing uploaded to it yet.
                Err(RepositoryError::NotFound) => json(key, located.content_type.as_str()).into(),
                Err(error) => return Err(error.into()),
            };
            let mut response = fhir::resource(StatusCode::OK, json);
            response.headers_mut().insert(ETAG, entity_tag(key)?);
            response
        } else {
            let download = Download::new(key.clone(), &parts);
            download.serve(&self.repository).await.into_response()
        };
        let vary = HeaderValue::from_static("Accept, Authorization");
        response.headers_mut().insert(VARY, vary);
        Ok(response)
    }
}

/// A resource with its content in it, which is encoded on the way, for it may be large.
fn with_data(mut json: String, content: Content) -> Body {
    json.pop(); // The closing brace.
    json.push_str(",\"data\":\"");
    let start = stream::once(ready(Ok(json)));
    let end = stream::once(ready(Ok("\"}".to_owned())));
    Body::from_stream(start.chain(base64_of(content)).chain(end))
}

/// Three bytes make four characters; the rest waits for the next chunk.
fn base64_of(content: Content) -> impl Stream<Item = Result<String, RepositoryError>> {
    stream::try_unfold(Some((content, Vec::new())), async |state| {
        let Some((mut content, mut bytes)) = state else {
            return Ok(None);
        };
        let Some(chunk) = content.next().await else {
            return Ok(Some((STANDARD.encode(bytes), None)));
        };
        bytes.extend_from_slice(&chunk?);
        let rest = bytes.split_off(bytes.len() / 3 * 3);
        Ok(Some((STANDARD.encode(bytes), Some((content, rest)))))
    })
}

/// True if the client wants the resource. If not, it gets the content.
fn accepts_resource(headers: &HeaderMap) -> bool {
    let accept = headers.get_all(ACCEPT).iter();
    accept
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|range| essence(range) == "application/fhir+json")
}
