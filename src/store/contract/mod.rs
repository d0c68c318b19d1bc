//! Test suites for the traits that a host implements: a [`BinaryRepository`], a [`Catalog`], a
//! [`ContentStore`], a [`Resumable`].
//!
//! It is there with the feature `test-util`, for a host in its dev-dependencies:
//!
//! ```toml
//! [dev-dependencies]
//! tempfile = "3"
//! tokio = { version = "1", features = ["macros", "rt-multi-thread"] }
//! tower-presign = { version = "0.1", features = ["test-util"] }
//! ```
//!
//! Each suite checks what its trait promises, one test a promise, and makes the tests with a macro.
//! The modules [`catalog`], [`content_store`], [`repository`] and [`resumable`] have the promises by
//! name. The attribute that makes an `async fn` a test is the host's own, so the suite is tied to no
//! runtime:
//!
//! ```
//! # // `cargo test` compiles no tests of a documentation test: here they are compiled alone.
//! mod my_repository {
//!     use tower_presign::store::contract;
//!     use tower_presign::{BinaryId, ContentType, MemoryRepository};
//!
//!     contract::repository_tests! {
//!         #[tokio::test]
//!         make = make, delete = delete
//!     }
//!
//!     /// A repository, and a Binary in it that has no content yet.
//!     async fn make() -> (MemoryRepository, BinaryId) {
//!         let repository = MemoryRepository::new();
//!         let id = BinaryId::random();
//!         let content_type = ContentType::new("text/plain; charset=utf-8").unwrap();
//!         repository.create(id, content_type).unwrap();
//!         (repository, id)
//!     }
//!
//!     async fn delete(repository: &MemoryRepository, id: BinaryId) {
//!         repository.delete(id).unwrap();
//!     }
//! }
//! ```
//!
//! `make` is an expression of type `impl AsyncFn()`, which each test evaluates for itself, and may
//! call more than once. A call may return the same repository, with another Binary. It may as well
//! open a folder or a database of its own, and most do. A closure can capture all that must live as
//! long as the repository, such as a temporary folder:
//!
//! ```
//! # #[cfg(feature = "fs")] {
//! use tower_presign::store::{FsStore, contract};
//!
//! contract::content_store_tests! {
//!     #[tokio::test]
//!     make = in_a_folder()
//! }
//!
//! fn in_a_folder() -> impl AsyncFn() -> FsStore {
//!     let folder = tempfile::tempdir().unwrap();
//!     async move || FsStore::open(folder.path()).await.unwrap()
//! }
//! # }
//! ```
//!
//! # A table and a store
//!
//! A host with a [`Catalog`] of its own tests that, and then the [`Composed`] of it and its store.
//! `BinaryTable` is the host's; the stores of this crate have passed their own tests.
//!
//! ```
//! # #[cfg(feature = "fs")]
//! # mod tests {
//! # #[derive(Clone)] pub struct BinaryTable;
//! # impl BinaryTable {
//! #     async fn in_memory() -> Self { Self }
//! #     async fn create(&self, _: BinaryId, _: &str) {}
//! #     async fn delete(&self, _: BinaryId) {}
//! # }
//! # mod catalog_of {
//! #     use tower_presign::store::{Entry, Located, Metadata, RepositoryError, Stored};
//! #     use tower_presign::{BinaryKey, Place, Target};
//! #     impl tower_presign::Catalog for super::BinaryTable {
//! #         async fn locate(&self, _: &Target) -> Result<Located, RepositoryError> { unimplemented!() }
//! #         async fn find(&self, _: &BinaryKey) -> Result<Entry, RepositoryError> { unimplemented!() }
//! #         async fn publish(&self, _: &BinaryKey, _: &Stored) -> Result<Metadata, RepositoryError> { unimplemented!() }
//! #         async fn unreferenced(&self, _: &[Place]) -> Result<Vec<Place>, RepositoryError> { unimplemented!() }
//! #     }
//! # }
//! use tower_presign::store::{FsStore, contract};
//! use tower_presign::{BinaryId, Composed};
//!
//! mod catalog {
//!     use super::*;
//!
//!     contract::catalog_tests! {
//!         #[tokio::test]
//!         make = table, delete = async |table: &BinaryTable, id| table.delete(id).await
//!     }
//! }
//!
//! mod composed {
//!     use super::*;
//!
//!     contract::repository_tests! {
//!         #[tokio::test]
//!         make = with_a_folder(),
//!         delete = async |composed: &Composed<BinaryTable, FsStore>, id| {
//!             composed.catalog().delete(id).await
//!         }
//!     }
//! }
//!
//! /// A table, and a Binary in it that has no content yet.
//! async fn table() -> (BinaryTable, BinaryId) {
//!     let (table, id) = (BinaryTable::in_memory().await, BinaryId::random());
//!     table.create(id, "text/plain; charset=utf-8").await;
//!     (table, id)
//! }
//!
//! fn with_a_folder() -> impl AsyncFn() -> (Composed<BinaryTable, FsStore>, BinaryId) {
//!     let folder = tempfile::tempdir().unwrap();
//!     async move || {
//!         let (table, id) = table().await;
//!         let folder = folder.path().join(id.to_string()); // one folder for each store
//!         (Composed::new(table, FsStore::open(folder).await.unwrap()), id)
//!     }
//! }
//! # }
//! ```
//!
//! [`BinaryRepository`]: super::BinaryRepository
//! [`Catalog`]: super::Catalog
//! [`Composed`]: super::Composed
//! [`ContentStore`]: super::ContentStore
//! [`Resumable`]: super::Resumable

pub mod catalog;
mod cataloguing;
mod completing;
pub mod content_store;
mod deletion;
mod reading;
pub mod repository;
pub mod resumable;
mod resuming;
mod storing;
mod support;
mod writing;

use crate::id::BinaryId;
use crate::store::BinaryRepository;

/// Makes the tests of a [`BinaryRepository`](super::BinaryRepository): see the
/// [module's docs](self).
///
/// After the attribute come `make`, an `impl AsyncFn() -> (R, BinaryId)` that returns a repository
/// and the id of a Binary in it that has no content yet, and optionally `delete`, an
/// `impl AsyncFn(&R, BinaryId)` by which the host deletes one.
#[doc(inline)]
pub use crate::__repository_tests as repository_tests;

/// Makes the tests of a [`Catalog`](super::Catalog): see the [module's docs](self).
///
/// After the attribute come `make`, an `impl AsyncFn() -> (C, BinaryId)` that returns a catalog and
/// the id of a Binary in it that has no content yet, and optionally `delete`, an
/// `impl AsyncFn(&C, BinaryId)` by which the host deletes one.
#[doc(inline)]
pub use crate::__catalog_tests as catalog_tests;

/// Makes the tests of a [`ContentStore`](super::ContentStore): see the [module's docs](self).
///
/// After the attribute comes `make`, an `impl AsyncFn() -> S`.
#[doc(inline)]
pub use crate::__content_store_tests as content_store_tests;

/// Makes the tests of a repository's [`Resumable`](super::Resumable): see the
/// [module's docs](self). A content store that is resumable is tested as part of a
/// [`Composed`](super::Composed).
///
/// After the attribute come `make`, an `impl AsyncFn() -> (R, BinaryId)` that returns a repository
/// and the id of a Binary in it that has no content yet, and optionally `reopen`, an
/// `impl AsyncFn(R) -> R` that closes a repository and opens it again, as another process would.
#[doc(inline)]
pub use crate::__resumable_tests as resumable_tests;

/// Makes tests of a list of promises. Each is the name of a function in one of the modules.
#[doc(hidden)]
#[macro_export]
macro_rules! __contract_tests {
    ($attributes:tt $module:ident $arguments:tt $($promise:ident)*) => {
        $($crate::__contract_tests! { @one $attributes $module $arguments $promise })*
    };
    (@one [$($attribute:tt)*] $module:ident [$($argument:expr),*] $promise:ident) => {
        $($attribute)*
        async fn $promise() {
            $crate::store::contract::$module::$promise($(&$argument),*).await;
        }
    };
}

/// Runs all tests of a repository but those of deletion, one after the other. It is for places
/// where each cannot be a test of its own, such as the documentation of a repository.
///
/// # Panics
///
/// If the repository breaks a promise. The text that is printed then names it.
pub async fn check<R: BinaryRepository>(make: impl AsyncFn() -> (R, BinaryId)) {
    repository::check(&make).await;
}
