//! Presigned URLs for FHIR `Binary` content, as a [tower] layer for axum, tonic, hyper and every
//! other server that speaks tower.
//!
//! Health servers keep images, PDFs and other files as `Binary` resources. Someone without an
//! account must sometimes read or write one. So an authorised caller asks
//!
//! ```text
//! GET [base]/Binary/[id]/$presigned-url              for a URL that reads
//! GET [base]/Binary/[id]/$presigned-url?upload=true  for a URL that writes
//! ```
//!
//! and gets a FHIR `Parameters` resource with a URL such as
//!
//! ```text
//! https://health.example.com/storage/scan-7/1?Expires=1893456000&Key-Pair-Id=2026-11&Signature=…
//! ```
//!
//! Until it expires, whoever holds it can `GET` the content, or `PUT` new content with the
//! `Content-Type` that `Binary.contentType` names (parameters such as `charset` may be added), with
//! no access token.
//!
//! # A server
//!
//! ```bash
//! cargo add axum tower-presign && cargo add tokio --features full
//! ```
//!
//! This is a whole server. It makes a Binary and prints three commands, to be pasted into bash: the
//! first uploads content, and prints nothing if it succeeds; the second asks for a URL that reads it;
//! the third reads it.
//!
//! ```no_run
//! use axum::{Router, routing::get};
//! use tower_presign::{
//!     Access, BinaryId, ContentType, Denial, FsRepository, MintRequest, PresignLayer, SigningKey,
//!     Target, Terms, UrlSigner,
//! };
//!
//! # #[cfg(feature = "fs")]
//! #[tokio::main]
//! async fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
//!     // 32 random bytes or more, which all your servers share and nobody else knows.
//!     let key = SigningKey::new("2026-11", b"a secret of 32 bytes, better random")?;
//!     let signer = UrlSigner::new(key, "http://127.0.0.1:3000/storage")?;
//!     let repository = FsRepository::open("binaries").await?;
//!     let (note, text) = (BinaryId::random(), ContentType::new("text/plain")?);
//!     repository.create(note, text).await?;
//!
//!     let layer = PresignLayer::new(signer, repository, authorize).fhir_base("/fhir/R4")?;
//!     let write = Target::new(note, Access::Write);
//!     let write: String = layer.presigner().presign(write, Terms::new()).await?.into();
//!     println!("echo Hello | curl -sSf -T - -H 'Content-Type: text/plain' '{write}'");
//!     let ask = format!("http://127.0.0.1:3000/fhir/R4/Binary/{note}/$presigned-url");
//!     let ask = format!("curl -sSf -H 'Authorization: Bearer demo' '{ask}'");
//!     println!(r#"url=$({ask} | sed 's/.*"valueUri":"\([^"]*\)".*/\1/')"#);
//!     println!(r#"curl -sSf "$url""#);
//!
//!     let app = Router::new().route("/fhir/R4/Patient/7", get("a patient"));
//!     Ok(axum::serve(listener, app.layer(layer)).await?)
//! }
//!
//! /// Decides who may have a URL: your own rights check.
//! async fn authorize(request: MintRequest) -> Result<Terms, Denial> {
//!     match request.headers().get("authorization") {
//!         Some(token) if token == "Bearer demo" => Ok(Terms::new()),
//!         _ => Err(Denial::login_required()),
//!     }
//! }
//! # #[cfg(not(feature = "fs"))]
//! # fn main() {}
//! ```
//!
//! # Three rules
//!
//! 1. The layer itself answers the operation, and every request below the storage path, which is the
//!    path of the base URL (`/storage` here). All other requests reach the inner service untouched.
//! 2. Nothing is read, written or looked up before a signature has been verified, and nothing is
//!    taken from a URL but the bytes that were signed. No header decides where a URL points, or
//!    grants anything there.
//! 3. A URL names one version of one Binary. It serves that version or nothing, and writes it once.
//!
//! Every refusal is a FHIR `OperationOutcome` with a stable code: [`RefusalCode`] has the table.
//!
//! # Further reading
//!
//! | you want to | read |
//! |---|---|
//! | decide who may have a URL, and take it back | [`AccessPolicy`], [`guide::who_may_have_a_url`] |
//! | find out why a URL is refused | [`RefusalCode`], and [Why is my URL refused?](guide::layers_nests_and_gateways#why-is-my-url-refused) |
//! | keep the content in a folder, a bucket, or beside a table of your own | [`store`], [`guide::your_table_our_bytes`] |
//! | know that an upload is complete | [`guide::your_table_our_bytes`](guide::your_table_our_bytes#an-upload-is-complete) |
//! | take uploads in parts, by tus or the IETF's draft | [`guide::resumable_uploads`] |
//! | put URLs into resources, or mint them without a request | [`guide::urls_in_resources`], [`Presigner`] |
//! | serve on another server, or on routes of your own | [`ServeLayer`], [`Download`] |
//! | know what a URL gives away | [`guide::security`], [`url`] for the format to the byte |
//! | use it in poem, salvo, loco or a nest, or behind a gateway | [`guide::layers_nests_and_gateways`] |
//! | put it in production | [`guide::deployment`], [`guide::audit`] |
//! | compare | [`comparison`]: S3, CloudFront, Medplum, Rails, nginx and tusd |
//!
//! The repository has whole servers, to be run and copied from: `examples/minimal.rs`; `axum` with
//! authentication, CORS, time limits and a page to try it; `hosts` over PostgreSQL; `cloud.rs` with a
//! bucket; `hyper.rs` without a framework; `frameworks` in poem and salvo; `lambda`; and `tonic.rs`,
//! where an RPC hands out the URLs.
//!
//! # Features
//!
//! | feature | default | |
//! |---|---|---|
//! | `fs` | yes | [`FsRepository`](store/struct.FsRepository.html) and [`FsStore`](store/struct.FsStore.html); brings tokio |
//! | `object-store` | no | [`ObjectStoreRepository`](store/struct.ObjectStoreRepository.html), for every store of the crate `object_store`; brings that and tokio |
//! | `object-store-aws`, `-azure`, `-gcp` | no | the same, with the client of Amazon S3, Azure Blob Storage, Google Cloud Storage |
//! | `object-store-http` | with these three | [`Connector`](store/struct.Connector.html): the way in which those clients make their requests |
//! | `tokio` | with `fs` and `object-store` | uploads are completed also where their client has left |
//! | `tracing` | no | [`events`](events/index.html), one for each mint, refusal, download and upload, for logs and audit trails |
//! | `test-util` | no | [`store::contract`](store/contract/index.html), the tests that every repository should pass |
//!
//! [tower]: https://docs.rs/tower

#![forbid(unsafe_code)]
// Not in Cargo.toml: tests, benches and examples may.
#![cfg_attr(not(test), warn(clippy::expect_used, clippy::unwrap_used))]
#![warn(unreachable_pub)]
#![cfg_attr(docsrs, feature(doc_cfg))]

pub mod attachments;
mod batch;
mod config;
mod content_disposition;
mod content_kind;
mod content_type;
mod detached;
mod ending;
#[cfg(not(feature = "tracing"))]
mod events;
#[cfg(feature = "tracing")]
pub mod events;
mod extension;
pub mod fhir;
mod filename;
mod future;
mod id;
#[cfg(feature = "tokio")]
mod interim;
mod key;
mod layer;
mod mint;
mod operation;
mod place;
mod policy;
mod refusal;
mod request_body;
mod response_body;
mod route;
mod served_type;
mod service;
mod serving;
pub mod store;
mod turns;
mod uploads;
pub mod url;

#[cfg(feature = "test-util")]
#[doc(hidden)]
pub use serving::plan;

#[cfg(any(doc, doctest))]
pub mod guide;

#[cfg(any(doc, doctest))]
#[doc = include_str!("../docs/comparison.md")]
pub mod comparison {}

/// The README's examples, compiled with the others.
#[cfg(all(doctest, feature = "fs"))]
#[doc = include_str!("../README.md")]
struct Readme;

/// The crate whose stores [`Bucket`](store::Bucket) takes, in the version that it takes.
#[cfg(feature = "object-store")]
pub use ::object_store;
pub use attachments::{Attachments, AttachmentsLayer};
pub use config::InvalidPath;
pub use content_type::{ContentType, InvalidContentType};
pub use ending::Ending;
pub use filename::Filename;
pub use future::ResponseFuture;
pub use id::{BinaryId, InvalidId, UploadId, UrlId, VersionId};
#[cfg(feature = "tokio")]
pub use interim::{InterimIo, InterimResponses};
pub use key::BinaryKey;
pub use layer::{PresignLayer, ServeLayer};
pub use mint::{Caller, MintError, Presigner};
pub use policy::{
    Accepting, AccessPolicy, AllowAll, Denial, MemoryUseLedger, MintRequest, Minted, RedeemRequest,
    Settled, Terms, UseLedger, policy_fn,
};
pub use refusal::RefusalCode;
pub use response_body::{ContentBody, ResponseBody};
pub use service::Presign;
pub use serving::Download;
pub use store::{
    BinaryRepository, BoxRepository, Catalog, Composed, ContentStore, MemoryRepository, Place,
    Target,
};
#[cfg(feature = "object-store")]
pub use store::{BucketStore, ObjectStoreRepository};
#[cfg(feature = "fs")]
pub use store::{FsRepository, FsStore};
pub use url::{
    Access, Grant, Keyring, Permission, PresignedUrl, RedactedUri, SigningKey, UrlSigner,
    UrlVerifier,
};
