//! URLs in resources: `Attachment.url` out as a presigned URL, and in as a reference.
//!
//! FHIR resources name content by [`Attachment.url`]: `Binary/{id}`, `Binary/{id}/_history/{vid}`,
//! or the same below the FHIR base. [`AttachmentsLayer`] stands around the routes of a host, and
//! turns those into presigned URLs in the host's answers, and back into references in the requests
//! of clients.
//!
//! # Rules
//!
//! For answers (`application/fhir+json`, `application/fhir+ndjson`, and `application/json` whose
//! document has a `resourceType`; a status of success, other than 206; no `Content-Encoding`):
//!
//! 1. A member `url` whose text is a reference to a Binary becomes a read URL. A reference with a
//!    version yields a URL of that version.
//! 2. The policy is asked for the caller of the request, once for each Binary and version, at most
//!    16 at a time. A Binary that it denies, or that is not there, leaves its reference.
//! 3. Never `Extension.url`, `Bundle.link.url`, `Bundle.entry.fullUrl` and
//!    `Bundle.entry.request.url`, and never inside of a Binary: nothing at the paths of Binaries,
//!    below the storage path or beside the FHIR base is looked at.
//! 4. All other bytes leave as they came: the bytes are scanned, not parsed and written anew. A
//!    document that turns out to be no JSON, or deeper than 512 containers, passes as it is from
//!    there on.
//! 5. The answer streams, in memory that does not grow with it. References stay if the
//!    `resourceType` of their resource comes more than 1 MiB after them.
//! 6. An answer with URLs says `Cache-Control: no-store`. With an
//!    [`expiry_granularity`](crate::PresignLayer::expiry_granularity), an answer that is short
//!    enough to be known in advance says `private, max-age` up to the first expiry, unless it said
//!    something stricter. Its `ETag` stays the resource's, and digests of the resource go.
//!    `Content-Length` is exact, or not there.
//! 7. A conditional read is answered in full (`If-None-Match`, `If-Modified-Since` and `Range` do
//!    not reach the host), since a 304 would keep URLs alive that have expired.
//! 8. URLs are this crate's own, and never those of the repository's storage: those could not be
//!    recognised. [`redirect_to_storage`](crate::PresignLayer::redirect_to_storage) has their bytes
//!    come from there all the same.
//!
//! For requests (POST, PUT and PATCH, of the same media types, and JSON Patch):
//!
//! 9. In the places where an answer would have a URL, a URL below the storage base URL becomes
//!    `Binary/{id}/_history/{vid}`. Expired or not, for reading or for writing, presigned URLs are
//!    never stored. In a patch, `value`, `valueUri` and `valueUrl` count as well.
//! 10. The URLs of others are never touched.
//!
//! With [`redirect_reads`](AttachmentsLayer::redirect_reads), resources keep their references, and
//! reads of Binaries are redirected.
//!
//! # Where it goes
//!
//! Inside of the [`PresignLayer`](crate::PresignLayer), and of layers that compress or that
//! identify the caller:
//!
//! ```
//! use axum::Router;
//! use tower_presign::PresignLayer;
//!
//! fn with_presigned_urls(app: Router, presign: PresignLayer) -> Router {
//!     app.layer(presign.attachments()).layer(presign)
//! }
//! ```
//!
//! With [`fhir_base`](crate::PresignLayer::fhir_base), requests beside it cost nothing; with
//! [`fhir_base_url`](crate::PresignLayer::fhir_base_url), absolute references are known too.
//!
//! # Without the layer
//!
//! [`Presigner::presign_attachments`](crate::Presigner::presign_attachments) does the same to a
//! value, and [two](crate::Presigner::presign_attachments_json)
//! [more](crate::Presigner::presign_attachments_ndjson) to text and to files of NDJSON: for a
//! [`Caller`](crate::Caller), or on the host's own terms.
//!
//! [`Attachment.url`]: https://hl7.org/fhir/R4/datatypes.html#Attachment

mod body;
mod frames;
mod functions;
mod future;
mod headers;
mod layer;
mod minting;
mod output;
mod queue;
mod redirect;
mod reference;
mod scan;
mod service;

pub use body::{ReferencesBody, UrlsBody};
pub use future::AttachmentsFuture;
pub use layer::AttachmentsLayer;
pub use service::Attachments;
