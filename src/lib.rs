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
//! use axum::{Extension, Router, extract::State, http::StatusCode, routing::post};
//! use tower_presign::{
//!     Access, BinaryId, ContentType, Denial, FsRepository, MintRequest, PresignLayer, SigningKey,
//!     Terms, UrlSigner,
//! };
//!
//! #[derive(Clone)]
//! struct User { may_write: bool } // what your authentication puts into a request's extensions
//!
//! // The Binary is empty: its content comes by the URL.
//! async fn create(
//!     State(repository): State<FsRepository>,
//!     user: Option<Extension<User>>,
//! ) -> Result<String, StatusCode> {
//!     if !user.is_some_and(|Extension(user)| user.may_write) {
//!         return Err(StatusCode::FORBIDDEN);
//!     }
//!     let png = ContentType::new("image/png").map_err(|_| StatusCode::BAD_REQUEST)?;
//!     match repository.create(BinaryId::random(), png).await {
//!         Ok(key) => Ok(key.id().to_string()),
//!         Err(error) => Err(error.code().status()),
//!     }
//! }
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
//!     let layer = PresignLayer::new(signer, repository.clone(), authorize).fhir_base("/fhir/R4")?;
//!
//!     let app = Router::new()
//!         .route("/fhir/R4/Binary", post(create))
//!         .with_state(repository)
//!         .layer(layer);
//!     let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
//!     axum::serve(listener, app).await?;
//!     Ok(())
//! }
//! # #[cfg(not(feature = "fs"))]
//! # fn main() {}
//! ```
//!
//! A Binary must exist before a URL for it can, so the host's own `POST /Binary` creates one. The
//! repository has whole servers, to be run and copied from: `examples/axum` with authentication,
//! CORS, time limits and a page to try it, `examples/hosts` over PostgreSQL with tenants, an audit
//! trail and a virus scanner, `cloud.rs` with a bucket, `hyper.rs` without a framework, and
//! `tonic.rs`, where an RPC hands out the URLs.
//!
//! # How a request flows
//!
//! | request | way |
//! |---|---|
//! | `[base]/Binary/[id]/$presigned-url` | **mint**: [`AccessPolicy::mint`], [`BinaryRepository::locate`], [`UrlSigner::sign`], FHIR `Parameters` |
//! | the storage path: the path of the storage base URL, and everything below it | **serve**: [`UrlVerifier::verify`], [`AccessPolicy::redeem`], [`BinaryRepository::read`] or [`write`](BinaryRepository::write) |
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
//! 6. Every refusal is a FHIR `OperationOutcome` with a stable [`RefusalCode`] in
//!    `issue[0].details.coding[0].code`.
//!
//! [`Presigner`] makes a URL without a request, for batches, for RPCs, and for resources that
//! contain URLs. [`ServeLayer`] serves what another server has minted. [`Download`] and
//! [`Upload::from_body`](store::Upload::from_body) lend the layer's headers and checks to routes of
//! the host's own. [`fhir`] describes the operation for a `CapabilityStatement`.
//!
//! # Who may have a URL
//!
//! Your [`AccessPolicy`] decides, and an `async fn` is one. It does not find out who is calling, and
//! presigned URLs are used by strangers. So the layer goes **behind** what identifies callers, or
//! the policy has nothing to decide by, and **in front of** what turns strangers away, or nobody
//! without an account can use a URL:
//!
//! ```
//! use axum::extract::Request;
//! use axum::middleware::{Next, from_fn};
//! use axum::response::{IntoResponse, Response};
//! use axum::{Router, http::StatusCode, routing::get};
//! use tower_presign::{Denial, MintRequest, PresignLayer, Terms};
//!
//! #[derive(Clone)]
//! struct User;
//!
//! async fn identify(mut request: Request, next: Next) -> Response {
//!     if request.headers().get("authorization").is_some_and(|token| token == "Bearer demo") {
//!         request.extensions_mut().insert(User);
//!     }
//!     next.run(request).await
//! }
//!
//! async fn refuse_strangers(request: Request, next: Next) -> Response {
//!     match request.extensions().get::<User>() {
//!         Some(User) => next.run(request).await,
//!         None => StatusCode::UNAUTHORIZED.into_response(),
//!     }
//! }
//!
//! async fn authorize(request: MintRequest) -> Result<Terms, Denial> {
//!     let user = request.extensions().get::<User>();
//!     user.map(|User| Terms::new()).ok_or_else(Denial::login_required)
//! }
//!
//! # use tower::util::ServiceExt as _;
//! # use tower_presign::{MemoryRepository, SigningKey, UrlSigner};
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let key = SigningKey::new("2026-11", b"a secret of 32 bytes, better random")?;
//! # let signer = UrlSigner::new(key, "https://health.example.com/storage")?;
//! # let repository = MemoryRepository::new();
//! # let scan = tower_presign::BinaryId::new("scan")?;
//! # repository.create(scan, tower_presign::ContentType::new("image/png")?)?;
//! let app = Router::new()
//!     .route("/fhir/R4/Patient/{id}", get(async || "a patient"))
//!     .layer(from_fn(refuse_strangers)) // for what the layer leaves to the routes
//!     .layer(PresignLayer::new(signer, repository, authorize))
//!     .layer(from_fn(identify)); // axum's last layer is the first that sees a request
//! # let status = async |path: &str, token: &str| {
//! #     let request = Request::get(path).header("authorization", token);
//! #     let request = request.body(axum::body::Body::empty()).unwrap();
//! #     app.clone().oneshot(request).await.unwrap().status().as_u16()
//! # };
//! # assert_eq!(status("/fhir/R4/Patient/1", "").await, 401);
//! # assert_eq!(status("/fhir/R4/Patient/1", "Bearer demo").await, 200);
//! # assert_eq!(status("/fhir/R4/Binary/scan/$presigned-url", "").await, 401);
//! # assert_eq!(status("/fhir/R4/Binary/scan/$presigned-url", "Bearer demo").await, 200);
//! # assert_eq!(status("/storage/scan/1", "").await, 403); // no signature
//! # Ok(())
//! # }
//! ```
//!
//! Where one layer both identifies and refuses, put the [`PresignLayer`] in front of it, and let the
//! policy look at [`MintRequest::headers`] by the same means. Implement the trait itself to be asked
//! again at each use, and to take URLs back:
//!
//! ```
//! use std::{collections::HashSet, sync::{Arc, Mutex}, time::Duration};
//! use tower_presign::{AccessPolicy, Denial, MintRequest, RedeemRequest, Terms};
//! # use tower_presign::{Access, BinaryId};
//! # struct User { session: String }
//! # impl User { fn may(&self, _: Access, _: BinaryId) -> bool { true } }
//! # struct Sessions;
//! # impl Sessions { async fn user(&self, _: &http::HeaderMap) -> Option<User> { None } }
//!
//! struct Policy { sessions: Sessions, ended: Arc<Mutex<HashSet<String>>> }
//!
//! impl AccessPolicy for Policy {
//!     async fn mint(&self, request: MintRequest) -> Result<Terms, Denial> {
//!         let user = self.sessions.user(request.headers()).await;
//!         let user = user.ok_or_else(Denial::login_required)?;
//!         if !user.may(request.access(), request.id()) {
//!             return Err(Denial::forbidden());
//!         }
//!         // The URL carries the session's public name, signed.
//!         Ok(Terms::new().lifetime(Duration::from_secs(300)).context(user.session))
//!     }
//!
//!     async fn redeem(&self, request: RedeemRequest<'_>) -> Result<(), Denial> {
//!         let session = request.grant().key.context().ok_or_else(Denial::forbidden)?;
//!         match self.ended.lock().map(|ended| ended.contains(session)) {
//!             Ok(false) => Ok(()),
//!             Ok(true) => Err(Denial::forbidden().because("The session has ended.")),
//!             Err(error) => Err(Denial::unavailable(error.to_string())),
//!         }
//!     }
//! }
//! # fn assert_policy(_: impl AccessPolicy) {}
//! # assert_policy(Policy { sessions: Sessions, ended: Arc::default() });
//! ```
//!
//! # Where content lives
//!
//! In a [`BinaryRepository`]: [`FsRepository`] keeps it in a folder, whole or not at all even if the
//! machine is switched off; [`ObjectStoreRepository`](store/struct.ObjectStoreRepository.html)
//! in a bucket that any number of servers share; [`MemoryRepository`] is for tests.
//!
//! A host with a table of Binaries of its own implements [`Catalog`], four methods
//! over that table, and keeps the bytes in a folder or a bucket:
//! [`Composed`] makes a repository of both. [`guide::your_table_our_bytes`] has the SQL, the order of
//! things, and what a crash leaves; [`guide::audit`] the trail of URLs and uses beside it, and
//! [`guide::one_tenant_one_place`] what keeps tenants apart. To serve content that lives elsewhere altogether, implement
//! [`BinaryRepository`]: the [`store`] module has a whole one, and [`store::database`] one over a
//! table.
//!
//! # Security
//!
//! A presigned URL is a password that stands in address bars. It grants `GET` and `HEAD` of one
//! version of one Binary, or one successful `PUT` of content of one type, up to a length; until it
//! expires; to whoever has it, from anywhere.
//!
//! - **What leaks it**: the logs of proxies and servers (ours do not: [`RedactedUri`],
//!   [`events`](events/index.html)), a browser's history, a message that is passed on, and the
//!   `Referer` of links in the content, which downloads forbid (`Referrer-Policy: no-referrer`). So
//!   keep lifetimes short ([`Terms::lifetime`]).
//! - **What stands in it readably**: id, version, file name and context are signed, not encrypted. A
//!   file name with a patient's name is readable in every log that has the URL.
//! - **How it is taken back**: one at a time in [`AccessPolicy::redeem`], as above; all of one
//!   Binary by deleting that; all at once by dropping their key ([`UrlSigner::set_keyring`]). A
//!   transfer that has begun is not cut short, neither by that nor by its expiry.
//! - **What strangers upload** is shown from your origin. Downloads carry `nosniff`, a
//!   `Content-Security-Policy` that runs and loads nothing, and `Content-Disposition: attachment` for
//!   all but raster images, audio, video, PDF and plain text. An origin of its own for the storage
//!   base URL, on another domain than your cookies, is the second line of defence.
//! - **What is not protected**: content is not encrypted, and its bytes are not compared with its
//!   type. A policy can scan an upload before anybody sees it ([`AccessPolicy::accept`]). A read URL
//!   works any number of times and from anywhere, unless it is for one download
//!   ([`Terms::single_use`]) or a policy refuses in `redeem`. URLs that a cloud store signs itself are outside of all this, as
//!   [`ObjectStoreRepository`](store/struct.ObjectStoreRepository.html#offload) tells.
//!
//! # Deployment
//!
//! ```
//! # use std::time::Duration;
//! # use axum::Router;
//! use tower::ServiceBuilder;
//! use tower_http::cors::CorsLayer;
//! use tower_http::timeout::{RequestBodyTimeoutLayer, TimeoutError};
//! # use tower_presign::PresignLayer;
//!
//! # fn with_presigned_urls(app: Router, presign: PresignLayer) -> Router {
//! app.layer(
//!     ServiceBuilder::new()
//!         .layer(CorsLayer::permissive()) // in front, so that refusals carry its headers too
//!         .layer(RequestBodyTimeoutLayer::new(Duration::from_secs(30)))
//!         .layer(presign.timeout_error::<TimeoutError>()), // a stalled upload is answered 408
//! )
//! # }
//! ```
//!
//! - **Proxies.** Clients use the storage base URL as it is signed. A proxy may change host and
//!   scheme behind it, and also the path, if [`PresignLayer::storage_path`] says so; it must leave
//!   the query alone, its order and encoding included, and let through large bodies unbuffered.
//! - **CDN.** Downloads are `private, no-store`, or with [`PresignLayer::cache_downloads`] for
//!   browsers alone: no shared cache keeps what it would then serve without a signature.
//! - **TLS** is the server's or the proxy's. Over plain HTTP everyone on the way can read the URL.
//! - **axum.** Use `Router::layer` (not `route_layer`, which sees the router's own routes alone); a
//!   nested router needs a fallback of its own.
//! - **Time limits.** An upload may take as long as it likes: put the limit of time on request bodies
//!   in front, as above. A refusal does not wait for the body. What comes of it after that is thrown
//!   away, so that clients which look for no answer before they have sent all get it: up to 1 MiB and
//!   for 10 seconds, or 256 MiB and 2 minutes if the URL is genuine. Then the connection is closed.
//! - **Slow readers.** A download holds up to 128 KiB of content, however slowly it is read, and
//!   hyper keeps more: over HTTP/1 400 kB of each, unless the server sets
//!   `http1::Builder::max_buf_size`, and as much of each stream over HTTP/2
//!   (`http2::Builder::max_send_buf_size`), as the example servers do; `axum::serve` has no such
//!   settings.
//! - **Clients that leave.** An upload is completed once its last byte has arrived, also if its client
//!   does not wait for the answer. hyper drops the request of a client that has closed its half of
//!   the connection before anybody has seen it, unless the server sets
//!   `http1::Builder::half_close(true)`, as the example servers do; `axum::serve` has no such setting.
//! - **Size limits.** Uploads are streamed, and end at [`PresignLayer::max_upload`] or
//!   [`Terms::max_length`], whichever is less. A `RequestBodyLimitLayer` in front counts too.
//! - **Key rotation.** [`Keyring`] tells the three steps; [`UrlSigner::set_keyring`] takes each while
//!   serving, so keep a clone of the signer.
//! - **Replicas** need the same keys and base URL, and a repository that they share; clocks within
//!   seconds of each other: one that mints may be a minute ahead of one that verifies.
//! - **A folder** belongs to one process: a second one's [`FsRepository::open`] fails with
//!   `WouldBlock`. The lock ends with the process, however it ends, so a crash leaves nothing to
//!   clean up; but stop the old server before the new one starts.
//!
//! # The URL
//!
//! ```text
//! https://health.example.com/storage/scan-7/1?Expires=1893456000&Key-Pair-Id=2026-11&Signature=…
//! ```
//!
//! The [`url`] module has the format to the byte, and a verifier in Python.
//!
//! # Features
//!
//! | feature | default | |
//! |---|---|---|
//! | `fs` | yes | [`FsRepository`] and [`FsStore`](store/struct.FsStore.html); brings tokio |
//! | `object-store` | no | [`ObjectStoreRepository`](store/struct.ObjectStoreRepository.html), for every store of the crate `object_store`; brings that and tokio |
//! | `object-store-aws`, `-azure`, `-gcp` | no | the same, with the client of Amazon S3, Azure Blob Storage, Google Cloud Storage |
//! | `tokio` | with `fs` and `object-store` | uploads are completed also where their client has left |
//! | `tracing` | no | [`events`](events/index.html), one for each mint, refusal, download and upload, for logs and audit trails |
//! | `test-util` | no | [`store::contract`](store/contract/index.html), the tests that every repository should pass |
//!
//! # Other ways
//!
//! [`comparison`] sets the layer beside the presigned URLs of S3, CloudFront, Medplum, Rails and
//! nginx, and says when each is the better choice.
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
#[cfg(not(feature = "tracing"))]
mod events;
#[cfg(feature = "tracing")]
pub mod events;
mod extension;
pub mod fhir;
mod filename;
mod future;
mod id;
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
mod service;
mod serving;
pub mod store;
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

pub use attachments::{Attachments, AttachmentsLayer};
pub use config::InvalidPath;
pub use content_type::{ContentType, InvalidContentType};
pub use events::Ending;
pub use filename::Filename;
pub use future::ResponseFuture;
pub use id::{BinaryId, InvalidId, UploadId, UrlId, VersionId};
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
