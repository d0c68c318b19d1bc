//! Where Binary content lives: the trait that a host implements, and the repositories that come
//! with the crate.
//!
//! # Writing one
//!
//! Four methods over two kinds of facts: which Binaries there are, and the content of their
//! versions. This one keeps a single version of each Binary, in a map:
//!
//! ```
//! use std::collections::HashMap;
//! use std::sync::Mutex;
//! use std::time::SystemTime;
//!
//! use bytes::{Bytes, BytesMut};
//! use tower_presign::store::{
//!     BinaryRepository, ByteRange, Content, Located, Metadata, RepositoryError, Target, Upload,
//! };
//! use tower_presign::{BinaryId, BinaryKey, ContentType, VersionId};
//!
//! struct Images(Mutex<HashMap<BinaryId, Option<(Metadata, Bytes)>>>);
//!
//! impl Images {
//!     fn get(&self, key: &BinaryKey) -> Result<(Metadata, Bytes), RepositoryError> {
//!         let images = self.0.lock().unwrap();
//!         let image = images.get(&key.id()).and_then(Option::as_ref);
//!         image.cloned().ok_or(RepositoryError::NotFound)
//!     }
//! }
//!
//! impl BinaryRepository for Images {
//!     async fn locate(&self, target: &Target) -> Result<Located, RepositoryError> {
//!         let content_type = ContentType::new("image/png").map_err(RepositoryError::internal)?;
//!         if !self.0.lock().unwrap().contains_key(&target.id()) {
//!             return Err(RepositoryError::NotFound);
//!         }
//!         Ok(Located::new(target.key(VersionId::from(1)), content_type))
//!     }
//!
//!     async fn head(&self, key: &BinaryKey) -> Result<Metadata, RepositoryError> {
//!         Ok(self.get(key)?.0)
//!     }
//!
//!     async fn read(
//!         &self,
//!         key: &BinaryKey,
//!         range: Option<ByteRange>,
//!     ) -> Result<Content, RepositoryError> {
//!         let (metadata, bytes) = self.get(key)?;
//!         let range = match range {
//!             Some(range) => range.resolve(metadata.length)?,
//!             None => 0..metadata.length,
//!         };
//!         let part = bytes.slice(range.start as usize..range.end as usize);
//!         Ok(Content::from_bytes(metadata, range, part))
//!     }
//!
//!     async fn write(
//!         &self,
//!         key: &BinaryKey,
//!         mut upload: Upload,
//!     ) -> Result<Metadata, RepositoryError> {
//!         if self.get(key).is_ok() {
//!             return Err(RepositoryError::AlreadyWritten); // before the first byte is asked for
//!         }
//!         let mut bytes = BytesMut::new();
//!         while let Some(chunk) = upload.next().await {
//!             bytes.extend_from_slice(&chunk?); // an error ends it: nothing is visible yet
//!         }
//!         let (content_type, length) = (upload.content_type().as_str(), bytes.len() as u64);
//!         let metadata = Metadata::new(content_type, length, SystemTime::now());
//!         match self.0.lock().unwrap().get_mut(&key.id()) {
//!             None => Err(RepositoryError::NotFound),
//!             Some(Some(_)) => Err(RepositoryError::AlreadyWritten), // another was faster
//!             Some(place) => {
//!                 *place = Some((metadata.clone(), bytes.freeze()));
//!                 Ok(metadata)
//!             }
//!         }
//!     }
//! }
//! ```
//!
//! [`database`] has one with all versions of each Binary, over a table. With the feature
//! `test-util`, the module `contract` is a test suite for yours.

mod catalog;
mod composed;
mod content;
mod content_store;
#[cfg(feature = "test-util")]
pub mod contract;
#[cfg(any(doc, doctest))]
pub mod database;
mod day;
mod error;
#[cfg(feature = "fs")]
mod fs;
mod memory;
mod numbered;
#[cfg(feature = "object-store")]
mod object_store;
mod target;
mod upload;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

#[cfg(feature = "object-store")]
pub use self::object_store::{Bucket, BucketStore, ObjectStoreRepository, SigningProtocol};
pub use catalog::{Catalog, Entry};
pub use composed::Composed;
pub(crate) use content::ContentStream;
pub use content::{ByteRange, Content, Metadata};
pub use content_store::{ContentStore, Stored};
pub use day::Day;
pub use error::{RepositoryError, UploadError};
#[cfg(feature = "fs")]
pub use fs::FsRepository;
pub use memory::MemoryRepository;
pub use target::{Located, Target};
pub use upload::Upload;

use crate::key::BinaryKey;
pub use crate::place::{InvalidPlace, Place};
use crate::url::{Grant, PresignedUrl};

/// Where Binary content lives.
///
/// Implement the methods as `async fn`; the [module's docs](self) have a whole example. An [`Arc`]
/// of a repository is one too, so that the host can keep a handle beside the layer.
///
/// # What an implementation promises
///
/// 1. A version's content never changes: it does not exist, then it is whole, and it may be
///    deleted. What is read under a key is what was written under it, or an error.
/// 2. [`write`](Self::write) is atomic. A version becomes visible as a whole, at one moment, with
///    its content type; after an error, or when the future is dropped, nothing is visible, unless
///    all content had arrived: then it may be, and as a whole. Of several writes of one version
///    exactly one succeeds.
/// 3. A key comes from [`locate`](Self::locate), through a signed URL, and may be a week old: what
///    it names may be gone by then.
pub trait BinaryRepository: Send + Sync + 'static {
    /// Which version a URL minted now for `target` points to.
    ///
    /// Reading: the current version, or the one that `target` names. If the Binary has no content
    /// yet, the version that its first upload will create. Writing: the version that the upload
    /// will create; the Binary must exist, its content need not.
    ///
    /// # Errors
    ///
    /// [`NotFound`](RepositoryError::NotFound) and [`Deleted`](RepositoryError::Deleted), and
    /// whatever else the storage reports.
    fn locate(
        &self,
        target: &Target,
    ) -> impl Future<Output = Result<Located, RepositoryError>> + Send;

    /// What is known of a version's content.
    ///
    /// # Errors
    ///
    /// [`NotFound`](RepositoryError::NotFound) while there is no content,
    /// [`Deleted`](RepositoryError::Deleted), and whatever else the storage reports.
    fn head(
        &self,
        key: &BinaryKey,
    ) -> impl Future<Output = Result<Metadata, RepositoryError>> + Send;

    /// A version's content, or a part of it; [`ByteRange::resolve`] says which.
    ///
    /// # Errors
    ///
    /// As [`head`](Self::head), and
    /// [`RangeNotSatisfiable`](RepositoryError::RangeNotSatisfiable).
    fn read(
        &self,
        key: &BinaryKey,
        range: Option<ByteRange>,
    ) -> impl Future<Output = Result<Content, RepositoryError>> + Send;

    /// Stores a version's content, once.
    ///
    /// An error that can be known before the content arrives must be returned before `upload` is
    /// polled, if its client [waits](Upload::expects_continue) to be told to go on: it is then spared
    /// sending it. Otherwise it should be returned before much has been taken.
    ///
    /// The future is dropped when the client goes away, though over HTTP/1 the server only notices
    /// while it reads: a write that may wait for long for something else needs a time limit.
    ///
    /// # Errors
    ///
    /// [`AlreadyWritten`](RepositoryError::AlreadyWritten) when the version has content;
    /// [`NotFound`](RepositoryError::NotFound) or [`Deleted`](RepositoryError::Deleted) when its
    /// Binary is not there (any more); [`Upload`](RepositoryError::Upload) with the error of the
    /// stream; [`StorageFull`](RepositoryError::StorageFull), and whatever else the storage
    /// reports.
    fn write(
        &self,
        key: &BinaryKey,
        upload: Upload,
    ) -> impl Future<Output = Result<Metadata, RepositoryError>> + Send;

    /// A URL of the storage's own for `grant`. `None`, the default: the layer makes one, and
    /// serves the bytes itself.
    ///
    /// # Errors
    ///
    /// Whatever the storage reports.
    fn presign(
        &self,
        grant: &Grant,
    ) -> impl Future<Output = Result<Option<PresignedUrl>, RepositoryError>> + Send {
        let _ = grant;
        async { Ok(None) }
    }
}

impl<R: BinaryRepository> BinaryRepository for Arc<R> {
    fn locate(
        &self,
        target: &Target,
    ) -> impl Future<Output = Result<Located, RepositoryError>> + Send {
        (**self).locate(target)
    }

    fn head(
        &self,
        key: &BinaryKey,
    ) -> impl Future<Output = Result<Metadata, RepositoryError>> + Send {
        (**self).head(key)
    }

    fn read(
        &self,
        key: &BinaryKey,
        range: Option<ByteRange>,
    ) -> impl Future<Output = Result<Content, RepositoryError>> + Send {
        (**self).read(key, range)
    }

    fn write(
        &self,
        key: &BinaryKey,
        upload: Upload,
    ) -> impl Future<Output = Result<Metadata, RepositoryError>> + Send {
        (**self).write(key, upload)
    }

    fn presign(
        &self,
        grant: &Grant,
    ) -> impl Future<Output = Result<Option<PresignedUrl>, RepositoryError>> + Send {
        (**self).presign(grant)
    }
}

type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, RepositoryError>> + Send + 'a>>;

/// [`BinaryRepository`] in the form that can be a trait object.
pub(crate) trait ErasedRepository: Send + Sync {
    fn locate<'a>(&'a self, target: &'a Target) -> BoxFuture<'a, Located>;
    fn head<'a>(&'a self, key: &'a BinaryKey) -> BoxFuture<'a, Metadata>;
    fn read<'a>(&'a self, key: &'a BinaryKey, range: Option<ByteRange>) -> BoxFuture<'a, Content>;
    fn write<'a>(&'a self, key: &'a BinaryKey, upload: Upload) -> BoxFuture<'a, Metadata>;
    fn presign<'a>(&'a self, grant: &'a Grant) -> BoxFuture<'a, Option<PresignedUrl>>;
}

impl<R: BinaryRepository> ErasedRepository for R {
    fn locate<'a>(&'a self, target: &'a Target) -> BoxFuture<'a, Located> {
        Box::pin(BinaryRepository::locate(self, target))
    }

    fn head<'a>(&'a self, key: &'a BinaryKey) -> BoxFuture<'a, Metadata> {
        Box::pin(BinaryRepository::head(self, key))
    }

    fn read<'a>(&'a self, key: &'a BinaryKey, range: Option<ByteRange>) -> BoxFuture<'a, Content> {
        Box::pin(BinaryRepository::read(self, key, range))
    }

    fn write<'a>(&'a self, key: &'a BinaryKey, upload: Upload) -> BoxFuture<'a, Metadata> {
        Box::pin(BinaryRepository::write(self, key, upload))
    }

    fn presign<'a>(&'a self, grant: &'a Grant) -> BoxFuture<'a, Option<PresignedUrl>> {
        Box::pin(BinaryRepository::presign(self, grant))
    }
}
