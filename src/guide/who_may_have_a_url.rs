//! The policy: its place among your layers, and URLs that are taken back.
//!
//! Your [`AccessPolicy`](crate::AccessPolicy) decides, and an `async fn` is one. It does not identify
//! callers, and presigned URLs are used by strangers. So the layer goes **behind** the authentication
//! that identifies callers, or the policy has nothing to decide by. It goes **in front of** the one
//! that turns strangers away, or nobody without an account can use a URL:
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
//! If one layer both identifies and refuses, put the [`PresignLayer`](crate::PresignLayer) in front
//! of it, and let the policy look at [`MintRequest::headers`](crate::MintRequest::headers) by the
//! same means.
//!
//! # Taking URLs back
//!
//! Implement the trait itself to be asked again at each use:
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
