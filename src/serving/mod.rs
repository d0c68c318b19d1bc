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
use self::usage::{Settlement, Usage};
use crate::config::Serving;
use crate::events::RequestEvent;
use crate::fhir::Refusal;
use crate::policy::RedeemRequest;
use crate::refusal::RefusalCode;
use crate::request_body::RequestBody;
use crate::response_body::OwnBody;
use crate::url::{Authentic, Grant, Permission};

/// A request with a URL that is genuine, and may be used.
#[derive(Clone, Copy)]
struct Genuine<'a> {
    serving: &'a Serving,
    usage: &'a Arc<Usage>,
    grant: &'a Grant,
    body: &'a RequestBody,
    now: SystemTime,
}

/// Answers a request to the storage path.
pub(crate) async fn serve(
    serving: &Serving,
    parts: Parts,
    body: &RequestBody,
    event: &mut RequestEvent,
) -> Result<Response<OwnBody>, Refusal> {
    if parts.method == Method::OPTIONS {
        return Ok(options(serving));
    }
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
    let Authentic { mut grant, key_id } = authentic;
    event.granted(&grant, key_id);
    body.belongs_to_holder();
    let resumption = serving.resumption.as_deref();
    let method = match resumption {
        Some(_) => plan::method(&parts.method, &parts.headers),
        None => parts.method.clone(),
    };
    verify::check_method(&grant, &method, resumption.is_some())?;
    serving.verifier.check_time(&grant, now)?;
    let place = grant.key.take_place();
    let usage = Usage::new(serving, parts, grant);
    event.observe(Settlement(Arc::clone(&usage)));
    let Usage { parts, grant, .. } = &*usage;
    serving
        .policy
        .redeem(RedeemRequest::new(parts, grant))
        .await?;
    usage.reserve().await?;
    let with_place = place.map(|place| Grant {
        key: grant.key.clone().with_place(place),
        ..grant.clone()
    });
    let grant = with_place.as_ref().unwrap_or(grant);
    let request = Genuine {
        serving,
        usage: &usage,
        grant,
        body,
        now,
    };
    match &grant.permission {
        Permission::Read(terms) => read::read(serving, grant, terms, parts, now).await,
        Permission::Write(terms) => {
            let creation = Creation::of(&method, &parts.headers, body.remaining())?;
            match (creation, resumption) {
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
                (None, _) if method == Method::POST => {
                    Err(Refusal::method_not_allowed("PUT, OPTIONS"))
                }
                _ => write::write(request, terms, event).await,
            }
        }
        Permission::Resume(terms) => {
            Dialect::check_version(&parts.headers)?;
            resume::go_on(request, terms, method, event).await
        }
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
