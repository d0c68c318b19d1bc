//! [`Attachments`]: URLs out, references in.

use std::fmt;
use std::mem;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::header::{CONTENT_LENGTH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, RANGE};
use http::request::Parts;
use http::{Method, Request, Response};
use http_body::Body;
use tower_service::Service;

use super::body::{ReferencesBody, UrlsBody};
use super::future::{AttachmentsFuture, Job};
use super::headers::format_of_request;
use super::redirect;
use super::reference::{Reference, Sought};
use crate::config::{BasePath, is_below};
use crate::mint::Presigner;
use crate::response_body::BoxError;

#[derive(Clone)]
pub(super) struct Settings {
    pub(super) presigner: Presigner,
    /// `None`: any.
    pub(super) fhir_base: Option<BasePath>,
    pub(super) max_urls: usize,
    /// Answers keep their references.
    pub(super) redirects_reads: bool,
}

impl Settings {
    /// The rest of a path below the FHIR base.
    pub(super) fn below_the_base<'a>(&self, path: &'a str) -> Option<&'a str> {
        let base = self.fhir_base.as_ref().map_or("", BasePath::as_str);
        let storage = self.presigner.verifier().base_path();
        // A bare host is that of another server.
        let is_storage = !storage.is_empty() && is_below(path, storage);
        let rest = path.strip_prefix(base).filter(|_| is_below(path, base));
        rest.filter(|_| !is_storage)
    }

    /// True if there may be resources with attachments at this path.
    fn is_of_resources(&self, path: &str) -> bool {
        self.below_the_base(path).is_some() && !is_of_binaries(path)
    }
}

/// True if a Binary, or its content, is read or written here: no byte of either is changed.
fn is_of_binaries(path: &str) -> bool {
    let binary = path.rfind("/Binary/");
    path.ends_with("/Binary")
        || binary.is_some_and(|at| Reference::relative(&path[at + 1..]).is_some())
}

/// The service that [`AttachmentsLayer`](super::AttachmentsLayer) makes.
#[derive(Clone)]
pub struct Attachments<S> {
    inner: S,
    settings: Arc<Settings>,
}

impl<S> Attachments<S> {
    pub(super) fn new(inner: S, settings: Arc<Settings>) -> Self {
        Self { inner, settings }
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

impl<S, B, R> Service<Request<B>> for Attachments<S>
where
    S: Service<Request<ReferencesBody<B>>, Response = Response<R>> + Clone,
    B: Body,
    B::Error: Into<BoxError>,
    R: Body,
    R::Error: Into<BoxError>,
{
    type Response = Response<UrlsBody<R>>;
    type Error = S::Error;
    type Future = AttachmentsFuture<S, S::Future, B, R>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let is_theirs = !self.settings.is_of_resources(request.uri().path());
        let (mut parts, body) = request.into_parts();
        if is_theirs || parts.method == Method::OPTIONS {
            let mint = redirect::mint(&self.settings, &parts);
            let request = Request::from_parts(parts, ReferencesBody::inner(body));
            let Some(mint) = mint else {
                return AttachmentsFuture::new(self.inner.call(request), None);
            };
            // The one that is ready goes along.
            let clone = self.inner.clone();
            let inner = mem::replace(&mut self.inner, clone);
            return AttachmentsFuture::undecided(mint, inner, request);
        }
        if self.settings.redirects_reads && parts.method.is_safe() {
            let request = Request::from_parts(parts, ReferencesBody::inner(body));
            return AttachmentsFuture::new(self.inner.call(request), None);
        }
        let job = (!self.settings.redirects_reads).then(|| Job {
            settings: Arc::clone(&self.settings),
            caller: parts.clone(),
        });
        if matches!(parts.method, Method::GET | Method::HEAD) {
            unconditional(&mut parts);
        }
        let body = match format_of_request(&parts.method, &parts.headers) {
            None => ReferencesBody::inner(body),
            Some(format) => {
                parts.headers.remove(CONTENT_LENGTH);
                let base = self.settings.presigner.verifier().base_url();
                ReferencesBody::input(body, format, Sought::Urls(base.into()))
            }
        };
        let request = Request::from_parts(parts, body);
        AttachmentsFuture::new(self.inner.call(request), job)
    }
}

/// Has a read answered in full. After a 304, a client would keep URLs that have expired. A range of
/// the resource would be another range of the answer.
fn unconditional(parts: &mut Parts) {
    for name in [IF_NONE_MATCH, IF_MODIFIED_SINCE, IF_RANGE, RANGE] {
        parts.headers.remove(name);
    }
}

impl<S: fmt::Debug> fmt::Debug for Attachments<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Attachments")
            .field("inner", &self.inner)
            .finish_non_exhaustive()
    }
}
