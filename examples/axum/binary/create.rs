//! `POST /Binary`, in both forms.

use std::error::Error;
use std::future::ready;
use std::iter;
use std::pin::Pin;

use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::{Bytes, BytesMut};
use futures_util::stream::{self, Stream, StreamExt as _, TryStreamExt as _};
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, ETAG, LOCATION};
use http::{HeaderMap, StatusCode};
use serde::Deserialize;
use tower_http::timeout::TimeoutError;
use tower_presign::store::{Upload, UploadError};
use tower_presign::{BinaryId, ContentType};

use super::{Binaries, Repository, entity_tag, essence, header_value, json};
use crate::access::Caller;
use crate::fhir::{self, Outcome};

/// The longest JSON resource, in bytes: it has to be in memory, which content itself never is.
const MAX_JSON: usize = 32 * 1024 * 1024;

type ContentStream = Pin<Box<dyn Stream<Item = Result<Bytes, UploadError>> + Send>>;

/// A resource as clients send it.
#[derive(Deserialize)]
#[serde(tag = "resourceType")]
enum Received {
    #[serde(rename_all = "camelCase")]
    Binary {
        content_type: Option<String>,
        data: Option<String>,
    },
}

/// `POST /Binary`
pub(crate) async fn create<R: Repository>(
    State(binaries): State<Binaries<R>>,
    caller: Caller,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Outcome> {
    if caller == Caller::Reader {
        return Err(Outcome::forbidden());
    }
    let content_type = headers
        .get(CONTENT_TYPE)
        .and_then(|value| ContentType::new(value.to_str().ok()?).ok())
        .ok_or_else(|| Outcome::unsupported_type("Send the content with its Content-Type."))?;
    let length = headers.get(CONTENT_LENGTH);
    let length = length.and_then(|value| value.to_str().ok()?.parse::<u64>().ok());

    let mut content: ContentStream = Box::pin(body.into_data_stream().map_err(upload_error));
    match essence(content_type.as_str()).as_str() {
        "application/fhir+xml" => {
            return Err(Outcome::unsupported_type("Send the resource as JSON."));
        }
        "application/fhir+json" => {
            return match read_json(&mut content).await? {
                Ok(json) => match serde_json::from_slice(&json) {
                    Ok(received) => binaries.create_from(received).await,
                    Err(_) => Err(Outcome::invalid("This is no Binary resource in JSON.")),
                },
                Err(_) => Err(Outcome::too_large()),
            };
        }
        // Of this type are resources and other content alike.
        "application/json" => match read_json(&mut content).await? {
            Ok(json) => match serde_json::from_slice(&json) {
                Ok(received) => return binaries.create_from(received).await,
                Err(_) => content = whole(json),
            },
            Err(start) => content = Box::pin(whole(start).chain(content)),
        },
        // Before a client that waits for `100 Continue` sends it all.
        _ if length > Some(binaries.max_upload) => return Err(Outcome::too_large()),
        _ => {}
    }
    binaries.create(content_type, Some(content)).await
}

impl<R: Repository> Binaries<R> {
    async fn create_from(&self, received: Received) -> Result<Response, Outcome> {
        let Received::Binary { content_type, data } = received;
        let content_type = content_type
            .and_then(|content_type| ContentType::new(content_type).ok())
            .ok_or_else(|| Outcome::invalid("Binary.contentType must be a media type."))?;
        let content = match data {
            Some(mut base64) => {
                // FHIR allows white space in base64.
                base64.retain(|c| !c.is_ascii_whitespace());
                let content = STANDARD
                    .decode(base64)
                    .map_err(|_| Outcome::invalid("Binary.data must be base64."))?;
                Some(whole(content.into()))
            }
            None => None,
        };
        self.create(content_type, content).await
    }

    async fn create(
        &self,
        content_type: ContentType,
        content: Option<ContentStream>,
    ) -> Result<Response, Outcome> {
        let id = BinaryId::random();
        let key = self.repository.create(id, content_type.clone()).await?;
        if let Some(content) = content {
            let content = checked(content, self.max_upload);
            let upload = Upload::new(content_type.clone(), content);
            if let Err(error) = self.repository.write(&key, upload).await {
                self.repository.delete(id).await?;
                return Err(error.into());
            }
        }
        let json = json(&key, content_type.as_str());
        let mut response = fhir::resource(StatusCode::CREATED, json);
        let headers = response.headers_mut();
        headers.insert(ETAG, entity_tag(&key)?);
        let location = format!("/fhir/R4/Binary/{id}/_history/{}", key.version());
        headers.insert(LOCATION, header_value(location)?);
        Ok(response)
    }
}

/// The whole content as one buffer, or as an error its start if it is longer than [`MAX_JSON`].
async fn read_json(content: &mut ContentStream) -> Result<Result<Bytes, Bytes>, UploadError> {
    let mut json = BytesMut::new();
    while let Some(chunk) = content.try_next().await? {
        json.extend_from_slice(&chunk);
        if json.len() > MAX_JSON {
            return Ok(Err(json.freeze()));
        }
    }
    Ok(Ok(json.freeze()))
}

fn whole(content: Bytes) -> ContentStream {
    Box::pin(stream::once(ready(Ok(content))))
}

/// Fails when there is nothing, which is nearly always a client's mistake, or too much.
fn checked(
    content: ContentStream,
    limit: u64,
) -> impl Stream<Item = Result<Bytes, UploadError>> + Send {
    stream::try_unfold((content, 0), move |(mut content, received)| async move {
        let Some(chunk) = content.try_next().await? else {
            return if received == 0 {
                Err(UploadError::Empty)
            } else {
                Ok(None)
            };
        };
        let received = received + chunk.len() as u64;
        if received > limit {
            return Err(UploadError::too_large(Some(limit)));
        }
        Ok(Some((chunk, (content, received))))
    })
}

fn upload_error(error: axum::Error) -> UploadError {
    let first: &(dyn Error + 'static) = &error;
    let mut causes = iter::successors(Some(first), |&cause| cause.source());
    if causes.any(<dyn Error>::is::<TimeoutError>) {
        UploadError::Timeout(error.into())
    } else {
        UploadError::Incomplete(Some(error.into()))
    }
}
