//! [`Download`]: content on a route of the host's own.

use std::time::SystemTime;

use http::header::CACHE_CONTROL;
use http::request::Parts;
use http::{HeaderValue, Method, Response};

use super::digest::is_sha256_wanted;
use super::headers::DownloadHeaders;
use super::plan::ReadRequest;
use super::read::answer;
use crate::filename::Filename;
use crate::key::BinaryKey;
use crate::response_body::{ContentBody, OwnBody};
use crate::store::BinaryRepository;
use crate::url::{Expires, Grant, ReadTerms};

/// Content as the answer of a route of the host's own, `GET [base]/Binary/[id]` for instance: with
/// the ranges, the conditions, the headers and the refusals of a presigned URL's download.
///
/// Nothing is verified here: the host must have found out who may read.
///
/// ```
/// use axum::extract::{Path, Request, State};
/// use axum::response::Response;
/// use http::StatusCode;
/// use tower_presign::{
///     Access, BinaryId, BinaryRepository as _, ContentBody, Download, FsRepository, Target,
/// };
///
/// async fn read(
///     State(repository): State<FsRepository>,
///     Path(id): Path<String>,
///     request: Request,
/// ) -> Result<http::Response<ContentBody>, StatusCode> {
///     let id = BinaryId::new(id).map_err(|_| StatusCode::NOT_FOUND)?;
///     let target = Target::new(id, Access::Read);
///     Ok(match repository.locate(&target).await {
///         Ok(located) => {
///             let (parts, _) = request.into_parts();
///             Download::new(located.key, &parts).serve(&repository).await
///         }
///         Err(error) => error.into_response(),
///     })
/// }
/// # let _: axum::Router<FsRepository> =
/// #     axum::Router::new().route("/Binary/{id}", axum::routing::get(read));
/// ```
#[derive(Debug)]
#[must_use = "it does nothing until it is served"]
pub struct Download<'a> {
    key: BinaryKey,
    parts: &'a Parts,
    terms: ReadTerms,
    cache_control: Option<HeaderValue>,
}

impl<'a> Download<'a> {
    /// Answers a request with a version's content, whatever the request's path says.
    pub fn new(key: BinaryKey, parts: &'a Parts) -> Self {
        Self {
            key,
            parts,
            terms: ReadTerms::new(),
            cache_control: None,
        }
    }

    /// The name under which browsers save the content, made safe by [`Filename::new`].
    pub fn filename(mut self, name: impl AsRef<str>) -> Self {
        self.terms.filename = Filename::new(name);
        self
    }

    /// Has browsers save the content, even if they could show it.
    pub fn attachment(mut self) -> Self {
        self.terms.attachment = true;
        self
    }

    /// Sets the `Cache-Control` of every answer but a refusal. Default:
    /// `private, no-store, no-transform`.
    pub fn cache_control(mut self, value: HeaderValue) -> Self {
        self.cache_control = Some(value);
        self
    }

    /// Reads the content, or the part of it that the request asks for. `HEAD` gets the headers
    /// alone. A refusal of the repository becomes an `OperationOutcome`, without the source of the
    /// error. No event is emitted.
    pub async fn serve<R: BinaryRepository>(self, repository: &R) -> Response<ContentBody> {
        let grant = Grant::new(self.key, self.terms.clone(), Expires::at_unix_seconds(0));
        let headers = DownloadHeaders {
            grant: &grant,
            terms: &self.terms,
            wants_digest: is_sha256_wanted(&self.parts.headers),
            is_cached: false,
            now: SystemTime::now(),
        };
        let request = ReadRequest::new(&self.parts.method, &self.parts.headers);
        let mut response = match answer(repository, &headers, &request).await {
            Ok(mut response) => {
                if let Some(cache_control) = self.cache_control {
                    response.headers_mut().insert(CACHE_CONTROL, cache_control);
                }
                response
            }
            Err(refusal) => refusal.into_response().map(OwnBody::full),
        };
        if self.parts.method == Method::HEAD {
            *response.body_mut() = OwnBody::empty();
        }
        response.map(ContentBody::new)
    }
}
