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
//! and gets a FHIR `Parameters` resource with a URL. Until it expires, whoever holds that URL can
//! `GET` the content, or `PUT` new content with the `Content-Type` that `Binary.contentType`
//! names, with no access token.
//!
//! # A server
//!
//! ```no_run
//! use axum::{Router, routing::get};
//! use tower_presign::{
//!     Access, Denial, FsRepository, MintRequest, PresignLayer, SigningKey, Terms, UrlSigner,
//! };
//!
//! #[derive(Clone)]
//! struct User { may_write: bool } // what your authentication puts into a request's extensions
//!
//! async fn authorize(request: MintRequest) -> Result<Terms, Denial> {
//!     let user = request.extensions().get::<User>().ok_or_else(Denial::login_required)?;
//!     if request.access() == Access::Write && !user.may_write {
//!         return Err(Denial::forbidden());
//!     }
//!     Ok(Terms::new())
//! }
//!
//! # #[cfg(feature = "fs")]
//! #[tokio::main]
//! async fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let secret = std::fs::read("/etc/presign.key")?; // 32 random bytes or more
//!     let key = SigningKey::new("2026-11", secret)?;
//!     let signer = UrlSigner::new(key, "https://health.example.com/storage")?;
//!     let repository = FsRepository::open("/var/lib/binaries").await?;
//!
//!     let app = Router::new()
//!         .route("/fhir/R4/Patient/{id}", get(async || "a patient"))
//!         .layer(PresignLayer::new(signer, repository, authorize));
//!     let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
//!     axum::serve(listener, app).await?;
//!     Ok(())
//! }
//! # #[cfg(not(feature = "fs"))]
//! # fn main() {}
//! ```
//!
//! # How a request flows
//!
//! | request | way |
//! |---|---|
//! | `[base]/Binary/[id]/$presigned-url` | **mint**: [`AccessPolicy::mint`], [`BinaryRepository::locate`], [`UrlSigner::sign`], FHIR `Parameters` |
//! | the storage path: the path of the storage base URL, and everything below it | **serve**: [`UrlSigner::verify`], [`AccessPolicy::redeem`], [`BinaryRepository::read`] or [`write`](BinaryRepository::write) |
//! | anything else | the inner service, untouched |
//!
//! 1. Nothing below the storage path reaches the inner service.
//! 2. Nothing is read, written or looked up before a signature has been verified, and nothing is
//!    taken from a URL but the bytes that were signed.
//! 3. No header of a request decides where a URL points, and neither `Authorization` nor `Cookie`
//!    grants anything on the storage path.
//! 4. The policy is asked before the repository: a caller without rights learns nothing about what
//!    exists.
//! 5. A URL names one version of one Binary. It serves that version or nothing, and writes it
//!    once.
//! 6. Every refusal is a FHIR `OperationOutcome` with a stable code in
//!    `issue[0].details.coding[0].code`.
//!
//! # What the host supplies
//!
//! A [`BinaryRepository`], which keeps the bytes: [`FsRepository`] and [`MemoryRepository`] are
//! here, and the [`repository`] module shows how to write another. And an [`AccessPolicy`], which
//! decides who may have a URL: an `async fn` is enough. For the host's `CapabilityStatement`, the
//! operation is described in [`fhir`].
//!
//! # What a presigned URL is
//!
//! A secret that works for whoever holds it, in full view in address bars and logs. Hence:
//!
//! - Keep lifetimes short ([`Terms::lifetime`]), and query strings out of logs ([`RedactedUri`]).
//! - To take back a single URL, refuse it in [`AccessPolicy::redeem`]; to take back all, drop the
//!   key from the ring ([`UrlSigner::set_keyring`]).
//! - A read URL shows strangers' content on your origin. Downloads carry headers that keep
//!   browsers from running any of it; an origin of its own for the storage base URL is the second
//!   line of defence.
//! - Content is neither encrypted nor scanned.
//!
//! # Deployment
//!
//! - Clients use the storage base URL as it is signed. A proxy may change host and scheme behind
//!   it, and also the path, if [`PresignLayer::storage_path`] says so; it must leave the query
//!   alone.
//! - In axum, use `Router::layer` (not `route_layer`, which sees the router's own routes alone); a
//!   nested router needs a fallback of its own.
//! - Put CORS in front of the layer, so that refusals carry its headers too.
//! - Put a limit of time on request bodies in front of it (tower-http's `RequestBodyTimeoutLayer`,
//!   with [`PresignLayer::timeout_error`]): the layer has no timers of its own. Over HTTP/1, a
//!   refusal waits until the client has sent its body, since most clients do not look for an answer
//!   before; not if the client waits for `100 Continue`, or announces more than 256 MiB.
//! - Replicas need the same keys and base URL, and a repository that they share.
//!
//! # Features
//!
//! - `fs` (default): [`FsRepository`]. Brings tokio.
//! - `test-util`: `repository::contract`, a test suite for implementations of
//!   [`BinaryRepository`].
//! - `tracing`: `events`, one for each mint, refusal, download and upload, for logs and audit
//!   trails.
//!
//! [tower]: https://docs.rs/tower

#![forbid(unsafe_code)]
// Not in Cargo.toml: tests, benches and examples may.
#![warn(clippy::expect_used, clippy::unwrap_used, unreachable_pub)]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod binary;
mod body;
mod config;
mod content_disposition;
mod content_type;
#[cfg(feature = "tracing")]
pub mod events;
pub mod fhir;
mod filename;
mod future;
mod layer;
mod operation;
mod outcome;
mod policy;
mod record;
mod redacted_uri;
pub mod repository;
mod request_body;
mod route;
mod service;
mod storage;
pub mod url;

/// The README's examples, compiled with the others.
#[cfg(all(doctest, feature = "fs"))]
#[doc = include_str!("../README.md")]
struct Readme;

pub use binary::{BinaryId, BinaryKey, InvalidId, VersionId};
pub use body::ResponseBody;
pub use content_type::{ContentType, InvalidContentType};
pub use filename::Filename;
pub use future::ResponseFuture;
pub use layer::PresignLayer;
pub use policy::{AccessPolicy, AllowAll, Denial, MintRequest, RedeemRequest, Terms};
pub use redacted_uri::RedactedUri;
#[cfg(feature = "fs")]
pub use repository::FsRepository;
#[cfg(feature = "object-store")]
pub use repository::ObjectStoreRepository;
pub use repository::{BinaryRepository, MemoryRepository, Target};
pub use service::Presign;
pub use url::{Access, Grant, Keyring, Permission, PresignedUrl, SigningKey, UrlSigner};
