//! The storage path: a presigned URL in, content out or in.

mod digest;
mod download;
mod from_body;
mod hashes;
mod headers;
pub(crate) mod page;
pub mod plan;
mod read;
mod redirect;
mod repeat;
mod resume;
mod upload_stream;
mod usage;
mod verify;
mod write;

use std::sync::Arc;
use std::time::SystemTime;

use http::header::ALLOW;
use http::request::Parts;
use http::{HeaderValue, Method, Response, StatusCode};

pub use self::download::Download;
use self::plan::{Creation, Dialect};
pub(crate) use self::resume::finish_tus;
use self::usage::Usage;
use crate::config::Serving;
use crate::events::RequestEvent;
use crate::fhir::Refusal;
use crate::place::Place;
use crate::policy::RedeemRequest;
use crate::refusal::RefusalCode;
use crate::request_body::RequestBody;
use crate::response_body::OwnBody;
use crate::url::{Grant, Permission, VerifyError, WriteTerms};

/// A request with a URL that is genuine, and may be used.
#[derive(Clone, Copy)]
struct Genuine<'a> {
    serving: &'a Serving,
    usage: &'a Arc<Usage>,
    grant: &'a Grant,
    body: &'a RequestBody,
    now: SystemTime,
}

/// A request whose URL is genuine, and of the right method and time.
struct Verified {
    usage: Arc<Usage>,
    /// No policy sees it.
    place: Option<Place>,
    /// As [`plan::method`] has it.
    method: Method,
    now: SystemTime,
}

impl Verified {
    fn of(
        serving: &Serving,
        parts: Parts,
        body: &RequestBody,
        event: &mut RequestEvent,
    ) -> Result<Self, Refusal> {
        let target = parts
            .uri
            .path_and_query()
            .map_or("", |target| target.as_str());
        // The request was routed by the storage path, so its target begins with that path.
        let target = target
            .get(serving.path.as_str().len()..)
            .unwrap_or_default();
        let now = (serving.clock)();
        let mut sorted = String::new();
        let authentic = serving.verifier.authenticate(target, &mut sorted)?;
        let mut grant = authentic.grant().map_err(VerifyError::from)?;
        event.granted(&grant, authentic.key_id);
        body.belongs_to_holder();
        let is_resumable = serving.resumption.is_some();
        let method = if is_resumable {
            plan::method(&parts.method, &parts.headers)
        } else {
            parts.method.clone()
        };
        verify::check_method(&grant, &method, is_resumable)?;
        serving.verifier.check_time(&grant, now)?;
        let place = grant.key.take_place();
        let usage = Usage::new(serving, parts, grant);
        event.observe(Arc::<Usage>::clone(&usage));
        Ok(Self {
            usage,
            place,
            method,
            now,
        })
    }
}

/// Answers a request to the storage path.
///
/// The future of a download is small: what takes much room is verified before it begins, or has a
/// box of its own.
pub(crate) fn serve<'a>(
    serving: &'a Serving,
    parts: Parts,
    body: &'a RequestBody,
    event: &'a mut RequestEvent,
) -> impl Future<Output = Result<Response<OwnBody>, Refusal>> + Send + 'a {
    let verified =
        (parts.method != Method::OPTIONS).then(|| Verified::of(serving, parts, body, event));
    async move {
        let Some(verified) = verified else {
            return Ok(options(serving));
        };
        let Verified {
            usage,
            place,
            method,
            now,
        } = verified?;
        let Usage { parts, grant, .. } = &*usage;
        serving
            .policy
            .redeem(RedeemRequest::new(parts, grant))
            .await?;
        usage.reserve().await?;
        let with_place = place.map(|place| {
            Box::new(Grant {
                key: grant.key.clone().with_place(place),
                ..grant.clone()
            })
        });
        let grant = with_place.as_deref().unwrap_or(grant);
        let request = Genuine {
            serving,
            usage: &usage,
            grant,
            body,
            now,
        };
        match &grant.permission {
            Permission::Read(terms) => read::read(serving, grant, terms, parts, now).await,
            Permission::Write(terms) => Box::pin(upload(request, terms, &method, event)).await,
            Permission::Resume(terms) => {
                Dialect::check_version(&parts.headers)?;
                Box::pin(resume::go_on(request, terms, method, event)).await
            }
        }
    }
}

/// Answers a request to a write URL.
async fn upload(
    request: Genuine<'_>,
    terms: &WriteTerms,
    method: &Method,
    event: &mut RequestEvent,
) -> Result<Response<OwnBody>, Refusal> {
    let parts = &request.usage.parts;
    let creation = Creation::of(method, &parts.headers, request.body.remaining())?;
    match (creation, request.serving.resumption.as_deref()) {
        (Some(creation), Some(resumption))
            if !creation.is_complete || resume::Announcement::to(parts).is_some() =>
        {
            Dialect::check_version(&parts.headers)?;
            resume::begin(request, resumption, terms, creation, event).await
        }
        // A part must not be taken for the whole.
        (Some(creation), None) if !creation.is_complete => {
            Err(RefusalCode::UnsupportedCoding.into())
        }
        (None, _) if method == Method::POST => Err(Refusal::method_not_allowed("PUT, OPTIONS")),
        _ => write::write(request, terms, event).await,
    }
}

/// Names every method that any URL may allow. A preflight need not have the signature that would
/// show which of them its URL allows.
fn options(serving: &Serving) -> Response<OwnBody> {
    let mut response = Response::new(OwnBody::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    let allow = match &serving.resumption {
        Some(_) => {
            resume::announce(&mut response, serving.max_upload, serving.resume_lifetime());
            "GET, HEAD, PUT, POST, PATCH, DELETE, OPTIONS"
        }
        None => "GET, HEAD, PUT, OPTIONS",
    };
    let allow = HeaderValue::from_static(allow);
    response.headers_mut().insert(ALLOW, allow);
    response
}
