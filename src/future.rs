//! The future of a response: the inner service's untouched, or one of our own.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::thread;

use http::Response;
use pin_project_lite::pin_project;

use crate::detached::detach;
use crate::request_body::RequestBody;
use crate::response_body::{OwnBody, ResponseBody};

type BoxFuture = Pin<Box<dyn Future<Output = Response<OwnBody>> + Send>>;

/// The layer's own answer.
///
/// An upload is completed once its last byte has arrived, even if its client has left: when the
/// server drops this future and the upload is whole, the work goes on.
pub(crate) struct OwnFuture {
    /// `None` once it is ready, or has panicked.
    answer: Option<BoxFuture>,
    body: RequestBody,
}

impl OwnFuture {
    pub(crate) fn new(
        body: RequestBody,
        answer: impl Future<Output = Response<OwnBody>> + Send + 'static,
    ) -> Self {
        let answer: BoxFuture = Box::pin(answer);
        Self {
            answer: Some(answer),
            body,
        }
    }
}

impl Future for OwnFuture {
    type Output = Response<OwnBody>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        // Out of its place while it is polled: one that panics must not be polled again.
        let Some(mut answer) = self.answer.take() else {
            return Poll::Pending;
        };
        let polled = answer.as_mut().poll(cx);
        if polled.is_pending() {
            self.answer = Some(answer);
        }
        polled
    }
}

impl Drop for OwnFuture {
    fn drop(&mut self) {
        if let Some(answer) = self.answer.take()
            && !thread::panicking()
            && self.body.client_leaves()
        {
            detach(Box::pin(async move {
                answer.await;
            }));
        }
    }
}

pin_project! {
    /// The response future of [`Presign`](crate::Presign).
    pub struct ResponseFuture<F> {
        #[pin]
        kind: Kind<F>,
    }
}

pin_project! {
    #[project = KindProjection]
    enum Kind<F> {
        Inner { #[pin] future: F },
        Own { #[pin] future: OwnFuture },
    }
}

impl<F> ResponseFuture<F> {
    pub(crate) fn inner(future: F) -> Self {
        Self {
            kind: Kind::Inner { future },
        }
    }

    pub(crate) fn own(future: OwnFuture) -> Self {
        Self {
            kind: Kind::Own { future },
        }
    }
}

impl<F, B, E> Future for ResponseFuture<F>
where
    F: Future<Output = Result<Response<B>, E>>,
{
    type Output = Result<Response<ResponseBody<B>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project().kind.project() {
            KindProjection::Inner { future } => future
                .poll(cx)
                .map_ok(|response| response.map(ResponseBody::inner)),
            KindProjection::Own { future } => future
                .poll(cx)
                .map(|response| Ok(response.map(ResponseBody::own))),
        }
    }
}

impl<F> std::fmt::Debug for ResponseFuture<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}
