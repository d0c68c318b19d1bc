//! [`Presign`]: the service that sends each request one of three ways.

use std::sync::Arc;
use std::task::{Context, Poll};

use http::header::CONNECTION;
use http::request::Parts;
use http::{HeaderValue, Method, Request, Response, Version};
use http_body::Body;
use tower_service::Service;

use crate::config::Config;
use crate::events::RequestEvent;
use crate::future::{OwnFuture, ResponseFuture};
use crate::operation;
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
        if parts.method == Method::PUT && matches!(route, Route::Storage(_)) {
            body.begin_upload();
        }
        ResponseFuture::own(OwnFuture::new(body.clone(), answer(route, parts, body)))
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

/// True if the answer has to be one of tus.
fn is_tus(route: &Route, parts: &Parts) -> bool {
    let are_resumable = matches!(route, Route::Storage(serving) if serving.resumption.is_some());
    are_resumable && Dialect::of(&parts.headers) == Some(Dialect::Tus)
}

async fn answer(route: Route, parts: Parts, mut body: RequestBody) -> Response<OwnBody> {
    let is_head = parts.method == Method::HEAD;
    // A person has opened a link.
    let wants_page = matches!(route, Route::Storage(_))
        && (is_head || parts.method == Method::GET)
        && page::is_wanted(&parts.headers);
    let is_http_1 = parts.version < Version::HTTP_2;
    let is_tus = is_tus(&route, &parts);
    let mut event = RequestEvent::new();
    let answer = match route {
        Route::Operation(operation, subject) => {
            operation::answer(&operation, subject, parts, &mut body, &mut event)
                .await
                .map(|response| response.map(OwnBody::full))
        }
        Route::Storage(serving) => serving::serve(&serving, parts, &body, &mut event).await,
        Route::Stray => {
            let path = parts.uri.path().to_owned();
            Err(RepositoryError::internal(Stray { path }).into())
        }
    };
    let mut response = match answer {
        Ok(response) => {
            event.answered(response.status());
            response.map(|body| body.recorded(event))
        }
        Err(refusal) => {
            event.refused(&refusal);
            let response = if wants_page {
                page::of(refusal)
            } else {
                refusal.into_response()
            };
            response.map(OwnBody::full)
        }
    };
    if is_tus {
        serving::finish_tus(&mut response);
    }
    if !body.discard().await && is_http_1 {
        // RFC 9112 §9.6. Proxies in front would use the connection again (RFC 9110 §10.1.1).
        let close = HeaderValue::from_static("close");
        response.headers_mut().insert(CONNECTION, close);
    }
    // HEAD is GET without the content (RFC 9110 §9.3.2); `Content-Length` stays.
    if is_head {
        *response.body_mut() = OwnBody::empty();
    }
    response
}

impl<S: std::fmt::Debug> std::fmt::Debug for Presign<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Presign")
            .field("inner", &self.inner)
            .finish_non_exhaustive()
    }
}
