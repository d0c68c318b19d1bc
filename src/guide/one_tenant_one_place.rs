//! One tenant, one place: tenants that have nothing in common, neither records nor bytes nor URLs.
//!
//! # A layer for each
//!
//! If tenants are known when the server starts, each gets a layer, below a path of its own:
//!
//! ```
//! # #[cfg(feature = "fs")] {
//! use axum::Router;
//! use tower_presign::store::FsStore;
//! use tower_presign::{Catalog, Composed, PresignLayer, SigningKey, UrlSigner};
//! # use tower_presign::{AccessPolicy, Denial, MintRequest, Terms};
//! # async fn example<Table: Catalog, Policy: AccessPolicy>(
//! #     tenants: &[&str], key: SigningKey, table_of: fn(&str) -> Table, policy_of: fn(&str) -> Policy,
//! #     routes_of: fn(&str) -> Router,
//! # ) -> Result<(), Box<dyn std::error::Error>> {
//!
//! let mut app = Router::new();
//! for tenant in tenants {
//!     let base = format!("https://health.example.com/{tenant}/storage");
//!     let store = FsStore::open(format!("/var/lib/content/{tenant}")).await?;
//!     let repository = Composed::new(table_of(tenant), store);
//!     let layer = PresignLayer::new(UrlSigner::new(key.clone(), base)?, repository, policy_of(tenant))
//!         .fhir_base("/fhir")?
//!         .storage_path("/storage")?; // what `nest` leaves of the path
//!     // The routes need a fallback, or the layer does not see what they do not have.
//!     app = app.nest(&format!("/{tenant}"), routes_of(tenant).layer(layer));
//! }
//! # Ok(())
//! # }
//! # }
//! ```
//!
//! - **URLs**: the signature covers the base URL, so a URL of one tenant has an invalid signature
//!   for all others, though they share the key. With a key each, one tenant's can be dropped alone.
//! - **Records**: the catalog knows its tenant, and no statement of it is without
//!   `WHERE tenant = $1`. A primary key `(tenant, id)` lets ids be what they are.
//! - **Bytes**: a folder each, or a prefix of one bucket
//!   (`Bucket::below`), which a bucket policy can keep apart, bill, encrypt with another key, and
//!   empty.
//! - **Rights**: a caller's token is looked up among the tenant's own.
//! - **The sweep** runs for each, and sees one tenant's places alone.
//!
//! # One layer for all
//!
//! If tenants come and go while the server runs, the policy names the caller's tenant in the URL
//! ([`Terms::context`]). That name is signed, and handed back with each use. A repository that
//! chooses by it is five short methods:
//!
//! ```
//! use std::collections::HashMap;
//! use std::sync::{Arc, RwLock};
//!
//! use tower_presign::store::{
//!     ByteRange, Content, Located, Metadata, RepositoryError, Target, Upload,
//! };
//! use tower_presign::{BinaryKey, BinaryRepository, BoxRepository, Grant, PresignedUrl};
//!
//! #[derive(Clone)]
//! struct Tenants(Arc<RwLock<HashMap<String, BoxRepository>>>);
//!
//! impl Tenants {
//!     fn of(&self, context: Option<&str>) -> Result<BoxRepository, RepositoryError> {
//!         let tenants = self.0.read().map_err(|error| RepositoryError::internal(error.to_string()))?;
//!         tenants.get(context.unwrap_or_default()).cloned().ok_or(RepositoryError::NotFound)
//!     }
//! }
//!
//! impl BinaryRepository for Tenants {
//!     async fn locate(&self, target: &Target) -> Result<Located, RepositoryError> {
//!         self.of(target.context())?.locate(target).await
//!     }
//!     async fn head(&self, key: &BinaryKey) -> Result<Metadata, RepositoryError> {
//!         self.of(key.context())?.head(key).await
//!     }
//!     async fn read(&self, key: &BinaryKey, range: Option<ByteRange>) -> Result<Content, RepositoryError> {
//!         self.of(key.context())?.read(key, range).await
//!     }
//!     async fn write(&self, key: &BinaryKey, upload: Upload) -> Result<Metadata, RepositoryError> {
//!         self.of(key.context())?.write(key, upload).await
//!     }
//!     async fn presign(&self, grant: &Grant) -> Result<Option<PresignedUrl>, RepositoryError> {
//!         self.of(grant.key.context())?.presign(grant).await
//!     }
//! }
//! # fn assert_repository(_: impl BinaryRepository) {}
//! # assert_repository(Tenants(Arc::default()));
//! ```
//!
//! The context stands readably in the URL: use a name that anybody may know. It comes from the policy
//! alone, never from a header or a path of the request, or a caller could choose it.
//!
//! [`Terms::context`]: crate::Terms::context
