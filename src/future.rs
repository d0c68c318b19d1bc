//! The future of a response: the inner service's untouched, or one of our own.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};
use std::thread;

use http::Response;
use pin_project_lite::pin_project;

use crate::request_body::RequestBody;
use crate::response_body::{OwnBody, ResponseBody};

type BoxFuture = Pin<Box<dyn Future<Output = Response<OwnBody>> + Send>>;

/// The layer's own answer.
///
/// An upload is completed once its last byte has arrived, whether its client is still there or
/// not: when the server drops this future, an upload that has begun goes on with what has arrived.
/// If that is not all, it fails, and nothing is stored.
pub(crate) struct OwnFuture {
    /// `None` once it is ready.
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
        let Some(answer) = &mut self.answer else {
            return Poll::Pending;
        };
        let response = ready!(answer.as_mut().poll(cx));
        self.answer = None;
        Poll::Ready(response)
    }
}

impl Drop for OwnFuture {
    fn drop(&mut self) {
        if let Some(answer) = self.answer.take()
            && self.body.client_leaves()
            && !thread::panicking()
        {
            detach(answer);
        }
    }
}

/// Polls what is mostly about to end, and has the runtime do the rest.
fn detach(mut answer: BoxFuture) {
    let mut context = Context::from_waker(Waker::noop());
    if answer.as_mut().poll(&mut context).is_pending() {
        #[cfg(feature = "tokio")]
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(answer);
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
