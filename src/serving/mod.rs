//! The storage path: a presigned URL in, content out or in.

mod digest;
mod download;
mod from_body;
mod headers;
pub(crate) mod page;
pub mod plan;
mod read;
mod redirect;
mod repeat;
mod upload_stream;
mod usage;
mod verify;
mod write;

use std::sync::Arc;

use http::header::ALLOW;
use http::request::Parts;
use http::{HeaderValue, Method, Response, StatusCode};

pub use self::download::Download;
use self::usage::{Settlement, Usage};
use crate::config::Serving;
use crate::events::RequestEvent;
use crate::fhir::Refusal;
use crate::policy::RedeemRequest;
use crate::request_body::RequestBody;
use crate::response_body::OwnBody;
use crate::url::{Authentic, Grant, Permission};

/// Answers a request to the storage path.
pub(crate) async fn serve(
    serving: &Serving,
    parts: Parts,
    body: &RequestBody,
    event: &mut RequestEvent,
) -> Result<Response<OwnBody>, Refusal> {
    if parts.method == Method::OPTIONS {
        return Ok(options());
    }
    let target = parts
        .uri
        .path_and_query()
        .map_or("", |target| target.as_str());
    // The route is the storage path's: it is there.
    let target = target
        .get(serving.path.as_str().len()..)
        .unwrap_or_default();
    let now = (serving.clock)();
    let mut sorted = String::new();
    let authentic = serving.verifier.authenticate(target, &mut sorted)?;
    let Authentic { mut grant, key_id } = authentic;
    event.granted(&grant, key_id);
    body.belongs_to_holder();
    verify::check_method(&grant, &parts.method)?;
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
    match &grant.permission {
        Permission::Read(terms) => read::read(serving, grant, terms, parts, now).await,
        Permission::Write(terms) => {
            write::write(serving, &usage, grant, terms, body, now, event).await
        }
        Permission::Resume(_) => Err(Refusal::method_not_allowed("OPTIONS")),
    }
}

/// What a URL allows depends on its signature, and a preflight need not have one: this is all
/// that any URL may allow.
fn options() -> Response<OwnBody> {
    let mut response = Response::new(OwnBody::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    let allow = HeaderValue::from_static("GET, HEAD, PUT, OPTIONS");
    response.headers_mut().insert(ALLOW, allow);
    response
}
