//! [`Presign`]: the service that sends each request one of three ways.

use std::sync::Arc;
use std::task::{Context, Poll};

use http::header::CONNECTION;
use http::request::Parts;
use http::{HeaderValue, Method, Request, Response, Version};
use http_body::Body;
use tower_service::Service;

use crate::config::{Config, Operation, Serving};
use crate::events::RequestEvent;
use crate::fhir::Refusal;
use crate::future::{OwnFuture, ResponseFuture};
use crate::id::InvalidId;
use crate::operation::{self, Subject};
use crate::request_body::RequestBody;
use crate::response_body::{BoxError, OwnBody, ResponseBody};
use crate::route::Route;
use crate::serving::plan::Dialect;
use crate::serving::{self, page};
use crate::store::RepositoryError;

/// The service that [`PresignLayer`](crate::PresignLayer) makes: it answers the operation and the
/// storage path itself, and leaves every other request to the inner service.
#[derive(Clone)]
pub struct Presign<S> {
    inner: S,
    config: Arc<Config>,
}

impl<S> Presign<S> {
    pub(crate) fn new(inner: S, config: Config) -> Self {
        let config = Arc::new(config);
        Self { inner, config }
    }

    /// The inner service.
    pub fn get_ref(&self) -> &S {
        &self.inner
    }

    /// The inner service.
    pub fn get_mut(&mut self) -> &mut S {
        &mut self.inner
    }

    /// The inner service, without what was around it.
    #[must_use]
    pub fn into_inner(self) -> S {
        self.inner
    }
}

impl<S, B, R> Service<Request<B>> for Presign<S>
where
    S: Service<Request<B>, Response = Response<R>>,
    B: Body + Send + 'static,
    B::Error: Into<BoxError>,
{
    type Response = Response<ResponseBody<R>>;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let Some(route) = Route::of(&self.config, request.method(), request.uri()) else {
            return ResponseFuture::inner(self.inner.call(request));
        };
        let (parts, body) = request.into_parts();
        let body = RequestBody::new(body, &parts);
        let answering = Answering::new(&route, &parts, body.clone());
        ResponseFuture::own(match route {
            Route::Operation(operation, subject) => {
                let caller = Arc::new(parts);
                OwnFuture::new(body, answering.mint(operation, subject, caller))
            }
            Route::Storage(serving) => {
                if parts.method == Method::PUT {
                    body.begin_upload();
                }
                OwnFuture::new(body, answering.serve(serving, parts))
            }
            Route::Stray => OwnFuture::new(body, answering.refuse_stray(parts)),
        })
    }
}

/// The configuration of the server is wrong, or that of a proxy in front of it.
#[derive(Debug, thiserror::Error)]
#[error(
    "a genuine presigned URL arrived at {path}, which is not below the storage path: if a nested \
    router or a proxy changes paths, name the path that arrives with `storage_path`"
)]
struct Stray {
    path: String,
}

/// A request on its way to an answer of the layer's own.
#[expect(
    clippy::struct_excessive_bools,
    reason = "facts that have nothing to do with each other"
)]
struct Answering {
    body: RequestBody,
    event: RequestEvent,
    is_head: bool,
    /// A person has opened a link.
    wants_page: bool,
    is_http_1: bool,
    /// The answer has to be one of tus.
    is_tus: bool,
}

impl Answering {
    fn new(route: &Route, parts: &Parts, body: RequestBody) -> Self {
        let serving = match route {
            Route::Storage(serving) => Some(serving),
            Route::Operation(..) | Route::Stray => None,
        };
        let is_head = parts.method == Method::HEAD;
        let is_download = is_head || parts.method == Method::GET;
        Self {
            body,
            event: RequestEvent::new(),
            is_head,
            wants_page: serving.is_some() && is_download && page::is_wanted(&parts.headers),
            is_http_1: parts.version < Version::HTTP_2,
            is_tus: serving.is_some_and(|serving| serving.resumption.is_some())
                && Dialect::of(&parts.headers) == Some(Dialect::Tus),
        }
    }

    async fn mint(
        mut self,
        operation: Arc<Operation>,
        subject: Result<Subject, InvalidId>,
        caller: Arc<Parts>,
    ) -> Response<OwnBody> {
        let (body, event) = (&mut self.body, &mut self.event);
        let answer = operation::answer(&operation, subject, caller, body, event).await;
        let answer = answer.map(|response| response.map(OwnBody::full));
        self.finish(answer).await
    }

    async fn serve(mut self, serving: Arc<Serving>, parts: Parts) -> Response<OwnBody> {
        let answer = serving::serve(&serving, parts, &self.body, &mut self.event).await;
        self.finish(answer).await
    }

    async fn refuse_stray(self, parts: Parts) -> Response<OwnBody> {
        let path = parts.uri.path().to_owned();
        let stray = RepositoryError::internal(Stray { path });
        self.finish(Err(stray.into())).await
    }

    async fn finish(self, answer: Result<Response<OwnBody>, Refusal>) -> Response<OwnBody> {
        let Self {
            body, mut event, ..
        } = self;
        let mut response = match answer {
            Ok(response) => {
                event.answered(response.status());
                response.map(|body| body.recorded(event))
            }
            Err(refusal) => {
                event.refused(&refusal);
                let response = if self.wants_page {
                    page::of(refusal)
                } else {
                    refusal.into_response()
                };
                response.map(OwnBody::full)
            }
        };
        if self.is_tus {
            serving::finish_tus(&mut response);
        }
        if !body.discard().await && self.is_http_1 {
            // RFC 9112 §9.6. Proxies in front would use the connection again (RFC 9110 §10.1.1).
            let close = HeaderValue::from_static("close");
            response.headers_mut().insert(CONNECTION, close);
        }
        // HEAD is GET without the content (RFC 9110 §9.3.2); `Content-Length` stays.
        if self.is_head {
            *response.body_mut() = OwnBody::empty();
        }
        response
    }
}

impl<S: std::fmt::Debug> std::fmt::Debug for Presign<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Presign")
            .field("inner", &self.inner)
            .finish_non_exhaustive()
    }
}
