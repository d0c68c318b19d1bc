//! Reads of a Binary's content, sent on to a presigned URL.

use std::future::Future;
use std::pin::Pin;

use http::request::Parts;
use http::{HeaderMap, Method};

use super::reference::Reference;
use super::service::Settings;
use crate::content_type::{accepted, essence};
use crate::mint::{MintError, Presigner};
use crate::url::PresignedUrl;

/// The formats in which FHIR has resources, by all names that are in use. Browsers take
/// `application/xml` too, and mean no resource by it.
const FHIR: [&str; 8] = [
    "application/fhir+json",
    "application/fhir+xml",
    "application/fhir+turtle",
    "application/json",
    "application/json+fhir",
    "application/xml+fhir",
    "application/*+json",
    "text/json",
];

pub(super) type Mint = Pin<Box<dyn Future<Output = Result<PresignedUrl, MintError>> + Send>>;

/// The URL that a request may be sent on to, unless the policy denies it; `None` if the request is
/// no read of a Binary's content.
pub(super) fn mint(settings: &Settings, parts: &Parts) -> Option<Mint> {
    let is_read = settings.redirects_reads && matches!(parts.method, Method::GET | Method::HEAD);
    let path = settings.below_the_base(parts.uri.path())?;
    let path = path.strip_prefix('/').filter(|_| is_read)?;
    // Below any base, if none is configured.
    let path = match settings.fhir_base {
        Some(_) => path,
        None => &path[path.rfind("Binary/")?..],
    };
    let reference = Reference::relative(path)?;
    if names_fhir(&parts.headers, parts.uri.query().unwrap_or_default()) {
        return None;
    }
    let (presigner, caller) = (settings.presigner.clone(), parts.clone());
    Some(Box::pin(presign(presigner, caller, reference)))
}

async fn presign(
    presigner: Presigner,
    caller: Parts,
    reference: Reference,
) -> Result<PresignedUrl, MintError> {
    presigner.presign_for(&caller, reference.target()).await
}

/// True if a read of a Binary asks for the resource, and not for its content
/// (<https://hl7.org/fhir/R4/binary.html#rest>).
fn names_fhir(headers: &HeaderMap, query: &str) -> bool {
    let mut parameters = form_urlencoded::parse(query.as_bytes());
    let has_format = parameters.any(|(name, value)| name == "_format" && !value.is_empty());
    has_format || accepted(headers).any(|range| FHIR.contains(&&*essence(&range)))
}
