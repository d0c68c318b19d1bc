//! The operation as FHIR describes it, for servers that publish their capabilities.
//!
//! The resources are as FHIR R4, R4B and R5 have them. They are JSON objects, to which a host can
//! add what it knows better (`publisher`, `date`, `version`).
//!
//! ```
//! use serde_json::json;
//! use tower_presign::fhir;
//!
//! let url = "https://health.example.com/fhir/OperationDefinition/Binary-presigned-url";
//!
//! // GET [base]/OperationDefinition/Binary-presigned-url
//! let mut definition = fhir::operation_definition(url);
//! definition["publisher"] = json!("Example Hospital");
//!
//! // GET [base]/metadata
//! let statement = json!({
//!     "resourceType": "CapabilityStatement",
//!     "status": "active",
//!     "date": "2026-11-24",
//!     "kind": "instance",
//!     "implementation": { "description": "The FHIR server of Example Hospital" },
//!     "fhirVersion": "4.0.1",
//!     "format": ["json"],
//!     "rest": [{
//!         "mode": "server",
//!         "resource": [{ "type": "Binary", "operation": [fhir::supported_operation(url)] }],
//!     }],
//! });
//! # assert_eq!(definition["url"], statement["rest"][0]["resource"][0]["operation"][0]["definition"]);
//! ```

mod operation_definition;
mod operation_outcome;
mod parameters;

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderValue, Response, StatusCode};
use serde::Serialize;

pub use operation_definition::{operation_definition, supported_operation};
pub(crate) use operation_outcome::Refusal;
pub(crate) use parameters::{describe_url, plain_url, upload_values};

/// The media type of all resources that the layer itself sends.
const FHIR_JSON: HeaderValue = HeaderValue::from_static("application/fhir+json");
pub(crate) const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");
pub(crate) const NOSNIFF: HeaderValue = HeaderValue::from_static("nosniff");

/// A FHIR resource as a response that no cache keeps.
pub(crate) fn json_response(status: StatusCode, resource: &impl Serialize) -> Response<Bytes> {
    // Serializing structs of strings to memory cannot fail.
    let json = Bytes::from(serde_json::to_vec(resource).unwrap_or_default());
    let length = HeaderValue::from(json.len());
    let mut response = Response::new(json);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, FHIR_JSON);
    headers.insert(CONTENT_LENGTH, length);
    headers.insert(CACHE_CONTROL, NO_STORE);
    headers.insert(X_CONTENT_TYPE_OPTIONS, NOSNIFF);
    response
}
