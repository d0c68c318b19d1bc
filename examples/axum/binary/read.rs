//! `GET /Binary/{id}` and `GET /Binary/{id}/_history/{version}`, in both forms.

use std::future::ready;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use futures_util::stream::{self, Stream, StreamExt as _};
use http::header::{
    ACCEPT, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_SECURITY_POLICY,
    CONTENT_TYPE, ETAG, VARY, X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderMap, HeaderValue, StatusCode};
use tower_presign::store::{Content, RepositoryError};
use tower_presign::{Access, BinaryId, Target, VersionId};

use super::{Binaries, Repository, entity_tag, essence, json};
use crate::access::Caller;
use crate::fhir::{self, Outcome};

/// `GET /Binary/{id}`
pub(crate) async fn read<R: Repository>(
    State(binaries): State<Binaries<R>>,
    _: Caller,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Outcome> {
    let id = BinaryId::new(id).map_err(|_| Outcome::not_found())?;
    let target = Target::new(id, Access::Read);
    binaries.read(&target, accepts_resource(&headers)).await
}

/// `GET /Binary/{id}/_history/{version}`
pub(crate) async fn vread<R: Repository>(
    State(binaries): State<Binaries<R>>,
    _: Caller,
    Path((id, version)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<Response, Outcome> {
    let id = BinaryId::new(id).map_err(|_| Outcome::not_found())?;
    let version = VersionId::new(version).map_err(|_| Outcome::not_found())?;
    let target = Target::version_of(id, version);
    binaries.read(&target, accepts_resource(&headers)).await
}

impl<R: Repository> Binaries<R> {
    async fn read(&self, target: &Target, as_resource: bool) -> Result<Response, Outcome> {
        let located = self.repository.locate(target).await?;
        let key = &located.key;
        let mut response = match self.repository.read(key, None).await {
            Ok(content) if as_resource => {
                let json = json(key, &content.metadata().content_type);
                fhir::resource(StatusCode::OK, with_data(json, content))
            }
            Ok(content) => raw(content),
            // It has been created, and nothing uploaded to it yet.
            Err(RepositoryError::NotFound) if as_resource => {
                let json = json(key, located.content_type.as_str());
                fhir::resource(StatusCode::OK, json)
            }
            Err(error) => return Err(error.into()),
        };
        let headers = response.headers_mut();
        headers.insert(ETAG, entity_tag(key)?);
        headers.insert(VARY, HeaderValue::from_static("Accept, Authorization"));
        Ok(response)
    }
}

/// The content itself. It comes from strangers, so browsers must neither guess its type, nor run
/// what is in it, nor show it as a page of this server.
fn raw(content: Content) -> Response {
    let content_type = content.metadata().content_type.as_str();
    // An SVG image is a document with scripts.
    let is_image = content_type.starts_with("image/") && !content_type.starts_with("image/svg");
    let headers = [
        (
            CONTENT_TYPE,
            HeaderValue::try_from(content_type)
                .unwrap_or(HeaderValue::from_static("application/octet-stream")),
        ),
        (CONTENT_LENGTH, content.metadata().length.into()),
        (
            CONTENT_DISPOSITION,
            HeaderValue::from_static(if is_image { "inline" } else { "attachment" }),
        ),
        (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        (
            CONTENT_SECURITY_POLICY,
            HeaderValue::from_static("default-src 'none'; sandbox"),
        ),
        (CACHE_CONTROL, HeaderValue::from_static("private, no-store")),
    ];
    (headers, Body::from_stream(chunks(content))).into_response()
}

fn chunks(content: Content) -> impl Stream<Item = Result<Bytes, RepositoryError>> {
    stream::unfold(content, async |mut content| {
        let chunk = content.next().await?;
        Some((chunk, content))
    })
}

/// A resource with its content in it, which is encoded on the way, for it may be large.
fn with_data(mut json: String, content: Content) -> Body {
    json.pop(); // The closing brace.
    json.push_str(",\"data\":\"");
    let start = stream::once(ready(Ok(json)));
    let end = stream::once(ready(Ok("\"}".to_owned())));
    Body::from_stream(start.chain(base64_of(content)).chain(end))
}

/// Three bytes make four characters; what remains waits for the next chunk.
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

/// Whether the client wants the resource. If not, it gets the content.
fn accepts_resource(headers: &HeaderMap) -> bool {
    let accept = headers.get_all(ACCEPT).iter();
    accept
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|range| essence(range) == "application/fhir+json")
}
