//! The policy: its place among your layers, and URLs that are taken back.
//!
//! Your [`AccessPolicy`](crate::AccessPolicy) decides, and an `async fn` is one. Two things fix the
//! place of the layer:
//!
//! - The policy needs to know the caller: the layer goes **behind** the authentication that identifies
//!   callers.
//! - Strangers use presigned URLs: the layer goes **in front of** the authentication that refuses
//!   strangers.
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
//! Implement the trait itself to be asked again at each use. This policy ends all URLs of a session,
//! by their context:
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
//! This one takes back a single URL, by the [`id`](crate::Terms::id) that stands in it as `Id=`. The
//! layer and a route of yours share the policy:
//!
//! ```
//! # use std::{collections::HashSet, sync::{Arc, Mutex}};
//! # use axum::{Router, extract::{Path, State}, http::StatusCode, routing::post};
//! # use tower_presign::{AccessPolicy, BinaryRepository, Denial, MintRequest, PresignLayer};
//! # use tower_presign::{RedeemRequest, Terms, UrlId, UrlSigner};
//! #[derive(Default)]
//! struct Policy { revoked: Mutex<HashSet<UrlId>> } // of all servers: a table, as in `guide::audit`
//!
//! impl AccessPolicy for Policy {
//!     async fn mint(&self, _: MintRequest) -> Result<Terms, Denial> {
//!         Ok(Terms::new().id(UrlId::random())) // after your rights check
//!     }
//!
//!     async fn redeem(&self, request: RedeemRequest<'_>) -> Result<(), Denial> {
//!         let id = request.grant().id.ok_or_else(Denial::forbidden)?;
//!         match self.revoked.lock().map(|revoked| revoked.contains(&id)) {
//!             Ok(false) => Ok(()),
//!             Ok(true) => Err(Denial::forbidden().because("This URL has been revoked.")),
//!             Err(error) => Err(Denial::unavailable(error.to_string())),
//!         }
//!     }
//! }
//!
//! async fn revoke(State(policy): State<Arc<Policy>>, Path(id): Path<String>) -> StatusCode {
//!     match (id.parse(), policy.revoked.lock()) {
//!         (Ok(id), Ok(mut revoked)) => { revoked.insert(id); StatusCode::NO_CONTENT }
//!         (Err(_), _) => StatusCode::NOT_FOUND,
//!         (_, Err(_)) => StatusCode::INTERNAL_SERVER_ERROR,
//!     }
//! }
//!
//! fn app(signer: UrlSigner, repository: impl BinaryRepository) -> Router {
//!     let policy = Arc::new(Policy::default());
//!     let layer = PresignLayer::new(signer, repository, Arc::clone(&policy));
//!     Router::new()
//!         .route("/revoke/{id}", post(revoke)) // behind the layer that refuses strangers
//!         .with_state(policy)
//!         .layer(layer)
//! }
//! # use axum::extract::Request;
//! # use tower::util::ServiceExt as _;
//! # use tower_presign::{BinaryId, ContentType, MemoryRepository, SigningKey};
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let key = SigningKey::new("2026-11", b"a secret of 32 bytes, better random")?;
//! # let signer = UrlSigner::new(key, "https://health.example.com/storage")?;
//! # let repository = MemoryRepository::new();
//! # repository.create(BinaryId::new("scan")?, ContentType::new("image/png")?)?;
//! # let app = app(signer, repository);
//! # let send = async |method: &str, path: &str| {
//! #     let request = Request::builder().method(method).uri(path);
//! #     let request = request.body(axum::body::Body::empty()).unwrap();
//! #     let response = app.clone().oneshot(request).await.unwrap();
//! #     let status = response.status().as_u16();
//! #     let body = axum::body::to_bytes(response.into_body(), 9999).await.unwrap();
//! #     (status, String::from_utf8(body.to_vec()).unwrap())
//! # };
//! # let (_, answer) = send("GET", "/Binary/scan/$presigned-url").await;
//! # let url = answer.split('"').find(|text| text.starts_with("https://health")).unwrap();
//! # let (_, id) = url.split_once("&Id=").unwrap();
//! # let (id, _) = id.split_once('&').unwrap();
//! # assert_eq!(send("GET", url).await.0, 404); // nothing has been uploaded
//! # assert_eq!(send("POST", &format!("/revoke/{id}")).await.0, 204);
//! # assert_eq!(send("GET", url).await.0, 403);
//! # assert_eq!(send("POST", "/revoke/nothing").await.0, 404);
//! # Ok(())
//! # }
//! ```
