//! `POST /Binary`, in both forms.

use std::error::Error;
use std::future::ready;
use std::{io, iter};

use axum::extract::{Request, State};
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::{Bytes, BytesMut};
use futures_util::stream;
use http::StatusCode;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, ETAG, LOCATION};
use http_body_util::BodyExt as _;
use serde::Deserialize;
use tower_http::timeout::TimeoutError;
use tower_presign::store::{RepositoryError, Upload, UploadError};
use tower_presign::{BinaryId, ContentType};

use super::{Binaries, Repository, entity_tag, essence, header_value, json};
use crate::access::Caller;
use crate::fhir::{self, Outcome};

/// The longest JSON resource, in bytes: it has to be in memory, which content itself never is.
const MAX_JSON: u64 = 32 * 1024 * 1024;

/// The most that is read and thrown away of a body that is too long, in bytes.
const DISCARDED: usize = 64 * 1024 * 1024;

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
    request: Request,
) -> Result<Response, Outcome> {
    if caller == Caller::Reader {
        return Err(Outcome::forbidden());
    }
    let (parts, body) = request.into_parts();
    let content_type = parts
        .headers
        .get(CONTENT_TYPE)
        .and_then(|value| ContentType::new(value.to_str().ok()?).ok())
        .ok_or_else(|| Outcome::unsupported_type("Send the content with its Content-Type."))?;
    let essence = essence(content_type.as_str());
    let announced = parts.headers.get(CONTENT_LENGTH);
    let announced = announced.and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    let is_longer = |limit| announced.is_some_and(|length| length > limit);
    let limit = match &*essence {
        "application/fhir+xml" => {
            return Err(Outcome::unsupported_type("Send the resource as JSON."));
        }
        // Too long for a resource, it is content.
        "application/json" if is_longer(MAX_JSON) => binaries.max_upload,
        "application/fhir+json" | "application/json" => MAX_JSON,
        _ => binaries.max_upload,
    };
    let mut body = body.map_err(io_error);
    if is_longer(limit) {
        // Some clients look for no answer before they have sent all.
        let mut read = 0;
        while read <= DISCARDED
            && let Some(Ok(frame)) = body.frame().await
        {
            read += frame.data_ref().map_or(0, Bytes::len);
        }
        return Err(RepositoryError::from(UploadError::too_large(Some(limit))).into());
    }
    let mut upload = Upload::from_body(&parts, body, content_type.clone(), limit)?;
    if limit == MAX_JSON {
        let mut json = BytesMut::new();
        while let Some(chunk) = upload.next().await {
            json.extend_from_slice(&chunk?);
        }
        match serde_json::from_slice(&json) {
            Ok(received) => return binaries.create_from(received).await,
            // Of this type are resources and other content alike.
            Err(_) if essence == "application/json" => {
                upload = whole(content_type.clone(), json.freeze());
            }
            Err(_) => return Err(Outcome::invalid("This is no Binary resource in JSON.")),
        }
    }
    binaries.create(content_type, Some(upload)).await
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
                if content.len() as u64 > self.max_upload {
                    let too_large = UploadError::too_large(Some(self.max_upload));
                    return Err(RepositoryError::from(too_large).into());
                }
                Some(whole(content_type.clone(), content.into()))
            }
            None => None,
        };
        self.create(content_type, content).await
    }

    async fn create(
        &self,
        content_type: ContentType,
        upload: Option<Upload>,
    ) -> Result<Response, Outcome> {
        let id = BinaryId::random();
        let key = self.repository.create(id, content_type.clone()).await?;
        if let Some(upload) = upload
            && let Err(error) = self.repository.write(&key, upload).await
        {
            self.repository.delete(id).await?;
            return Err(error.into());
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

/// Content that is in memory.
fn whole(content_type: ContentType, content: Bytes) -> Upload {
    let length = content.len() as u64;
    let content = if content.is_empty() {
        Err(UploadError::Empty)
    } else {
        Ok(content)
    };
    Upload::new(content_type, stream::once(ready(content))).with_length(length)
}

/// An upload that stalls is refused as one.
fn io_error(error: axum::Error) -> io::Error {
    let first: &(dyn Error + 'static) = &error;
    let mut causes = iter::successors(Some(first), |&cause| cause.source());
    if causes.any(<dyn Error>::is::<TimeoutError>) {
        io::Error::new(io::ErrorKind::TimedOut, error)
    } else {
        io::Error::other(error)
    }
}
