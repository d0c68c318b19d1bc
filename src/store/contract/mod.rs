//! Test suites for the traits that a host implements: a [`BinaryRepository`], a [`Catalog`], a
//! [`ContentStore`], a [`Resumable`].
//!
//! Each checks what its trait promises, one test a promise, and makes the tests with a macro. The
//! attribute that makes an `async fn` a test is the host's own, so the suite is tied to no runtime:
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
//! `make` is an expression of type `impl AsyncFn()`, which each test evaluates for itself. It may
//! return the same repository each time, with another Binary. A closure can capture all that must
//! live as long as the repository, such as a temporary folder:
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
//! [`BinaryRepository`]: super::BinaryRepository
//! [`Catalog`]: super::Catalog
//! [`ContentStore`]: super::ContentStore
//! [`Resumable`]: super::Resumable

#[doc(hidden)]
pub mod catalog;
mod cataloguing;
mod completing;
#[doc(hidden)]
pub mod content_store;
mod deletion;
mod reading;
#[doc(hidden)]
pub mod repository;
#[doc(hidden)]
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

/// Makes tests of a list of promises. Each is the name of a hidden function in one of the modules.
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
