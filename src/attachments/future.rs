//! The future of an answer. The head waits until the scan has found URLs, or none.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use http::request::Parts;
use http::{Method, Request, Response, response};
use http_body::Body;
use pin_project_lite::pin_project;
use tower_service::Service;

use super::body::{ReferencesBody, UrlsBody};
use super::headers::{format_of_answer, with_urls};
use super::output::{Known, Output};
use super::redirect::Mint;
use super::service::Settings;
use crate::mint::Caller;
use crate::response_body::{BoxError, redirection};

/// The means by which an answer gets URLs.
pub(super) struct Job {
    pub(super) settings: Arc<Settings>,
    pub(super) caller: Parts,
}

pin_project! {
    /// The response future of [`Attachments`](super::Attachments).
    pub struct AttachmentsFuture<S, F, B, R> {
        #[pin]
        state: State<S, F, B, R>,
    }
}

pin_project! {
    #[project = StateProjection]
    enum State<S, F, B, R> {
        // It is a read of a Binary, which is the host's if there is no URL.
        Undecided { mint: Mint, host: Option<(S, Request<ReferencesBody<B>>)> },
        Inner { #[pin] future: F, job: Option<Job> },
        Scanning { head: Option<Box<Head<R>>> },
    }
}

/// An answer whose head waits.
struct Head<B> {
    parts: response::Parts,
    output: Box<Output<B>>,
    settings: Arc<Settings>,
}

impl<S, F, B, R> AttachmentsFuture<S, F, B, R> {
    pub(super) fn new(future: F, job: Option<Job>) -> Self {
        Self {
            state: State::Inner { future, job },
        }
    }

    /// `inner` is ready for the request.
    pub(super) fn undecided(mint: Mint, inner: S, request: Request<ReferencesBody<B>>) -> Self {
        Self {
            state: State::Undecided {
                mint,
                host: Some((inner, request)),
            },
        }
    }
}

impl<S, B, R> Future for AttachmentsFuture<S, S::Future, B, R>
where
    S: Service<Request<ReferencesBody<B>>, Response = Response<R>>,
    R: Body,
    R::Error: Into<BoxError>,
{
    type Output = Result<Response<UrlsBody<R>>, S::Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        loop {
            let mut this = self.as_mut().project();
            match this.state.as_mut().project() {
                StateProjection::Undecided { mint, host } => {
                    let url = ready!(mint.as_mut().poll(cx));
                    if let Ok(url) = url
                        && let Ok(response) = redirection(&url, UrlsBody::default())
                    {
                        return Poll::Ready(Ok(response));
                    }
                    let Some((mut inner, request)) = host.take() else {
                        return Poll::Pending;
                    };
                    let future = inner.call(request);
                    this.state.set(State::Inner { future, job: None });
                }
                StateProjection::Inner { future, job } => {
                    let response = ready!(future.poll(cx))?;
                    let Some(job) = job.take() else {
                        return Poll::Ready(Ok(response.map(UrlsBody::inner)));
                    };
                    match begin(job, response) {
                        Begun::Waiting(head) => {
                            this.state.set(State::Scanning { head: Some(head) });
                        }
                        Begun::Done(response) => return Poll::Ready(Ok(response)),
                    }
                }
                StateProjection::Scanning { head } => {
                    let Some(waiting) = head else {
                        return Poll::Pending;
                    };
                    let known = ready!(waiting.output.poll_known(cx));
                    return match head.take() {
                        Some(head) => Poll::Ready(Ok(head.finish(&known))),
                        None => Poll::Pending,
                    };
                }
            }
        }
    }
}

enum Begun<B> {
    Waiting(Box<Head<B>>),
    /// Nothing in it is to be replaced.
    Done(Response<UrlsBody<B>>),
}

fn begin<B>(job: Job, response: Response<B>) -> Begun<B>
where
    B: Body,
    B::Error: Into<BoxError>,
{
    let Job { settings, caller } = job;
    let Some(format) = format_of_answer(response.status(), response.headers()) else {
        return Begun::Done(response.map(UrlsBody::inner));
    };
    let (mut parts, body) = response.into_parts();
    if caller.method == Method::HEAD {
        // Without a body to scan nothing is known of URLs: the answer may not be kept.
        with_urls(&mut parts.headers, None, None, settings.presigner.now());
        return Begun::Done(Response::from_parts(parts, UrlsBody::inner(body)));
    }
    let presigner = settings.presigner.clone();
    let caller = Caller::Request(Arc::new(caller));
    let output = Output::new(body, format, presigner, caller, settings.max_urls);
    Begun::Waiting(Box::new(Head {
        parts,
        output: Box::new(output),
        settings,
    }))
}

impl<B> Head<B> {
    fn finish(mut self, known: &Known) -> Response<UrlsBody<B>> {
        let presigner = &self.settings.presigner;
        let headers = &mut self.parts.headers;
        let now = presigner.now();
        let length = match *known {
            Known::Whole {
                length,
                first_expiry: None,
            } => Some(length),
            Known::Whole {
                length,
                first_expiry,
            } => {
                let may_be_kept = presigner.rounds_expiries();
                let keep_until = first_expiry.filter(|_| may_be_kept);
                with_urls(headers, Some(length), keep_until, now);
                Some(length)
            }
            Known::Begun => {
                with_urls(headers, None, None, now);
                None
            }
        };
        let body = UrlsBody::output(self.output, length);
        Response::from_parts(self.parts, body)
    }
}

impl<S, F, B, R> fmt::Debug for AttachmentsFuture<S, F, B, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AttachmentsFuture").finish_non_exhaustive()
    }
}
