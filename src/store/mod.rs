//! The home of Binary content: the trait that a host implements, and the repositories that come
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
//! [`database`] has one with all versions of each Binary, over a table. A host whose table is to
//! have the records alone, and not the bytes, implements a [`Catalog`]: together with a
//! [`ContentStore`], such as a folder or a bucket, it is a repository, [`Composed`]. With the
//! feature `test-util`, the module `contract` has a test suite for each of the three.

mod box_repository;
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
mod resumable;
mod target;
mod upload;

use std::future::Future;
use std::sync::Arc;

#[cfg(feature = "object-store-http")]
pub use self::object_store::Connector;
#[cfg(feature = "object-store")]
pub use self::object_store::{Bucket, BucketStore, ObjectStoreRepository, SigningProtocol};
pub use box_repository::BoxRepository;
pub use catalog::{Catalog, Entry};
pub use composed::{Composed, Swept};
pub(crate) use content::ContentStream;
pub use content::{ByteRange, Content, Metadata};
pub use content_store::{ContentStore, Stored};
pub use day::Day;
pub use error::{RepositoryError, UploadError};
#[cfg(feature = "fs")]
pub use fs::{FsRepository, FsStore};
pub use memory::MemoryRepository;
pub use resumable::{Begun, Noted, Part, Progress, Resumable};
pub use target::{Located, Target};
pub use upload::Upload;
pub(crate) use upload::{Acceptance, Arrived, Hashed, UploadContent};

use crate::key::BinaryKey;
pub use crate::place::{InvalidPlace, Place};
use crate::url::{Grant, PresignedUrl};

/// The home of Binary content.
///
/// Implement the methods as `async fn`; the [module's docs](self) have a whole example. An [`Arc`]
/// of a repository is one too, so that the host can keep a handle beside the layer. A host that has
/// records of its Binaries implements a [`Catalog`] instead, and leaves the bytes to a
/// [`ContentStore`].
///
/// # Promises of an implementation
///
/// The suite of the module `contract` (feature `test-util`) has a test for each.
///
/// 1. A version's content never changes: it does not exist, then it is whole, and it may be
///    deleted. Reading under a key yields the bytes that were written under it, or an error.
/// 2. [`write`](Self::write) is atomic. A version becomes visible as a whole, at one moment, with
///    its content type. Of several writes of one version exactly one succeeds.
/// 3. After an error of the upload's stream nothing is visible, and nothing stays in the way of a
///    repeat. After another error the version may be there all the same, as a whole.
/// 4. A future of `write` may be dropped at any moment. Before the upload has ended that leaves
///    nothing. After that the version is there as a whole, now or a little later, or it can be
///    written again: a version that cannot be written any more can be read, and is located.
/// 5. A key comes from [`locate`](Self::locate), through a signed URL, and may be a week old: its
///    content may be gone by then. Deleted content stays gone for every key.
/// 6. [`NotFound`](RepositoryError::NotFound) and [`Deleted`](RepositoryError::Deleted) are
///    returned only if they are true. Storage that cannot be asked is
///    [`Unavailable`](RepositoryError::Unavailable).
pub trait BinaryRepository: Send + Sync + 'static {
    /// The version that a URL minted now for `target` points to, and the media type that an upload
    /// must have.
    ///
    /// Reading: the current version, or the one that `target` names. If the Binary has no content
    /// yet, the version that its first upload will create. Writing: the version that the upload
    /// will create; the Binary must exist, its content need not. A named version that never was is
    /// best [`NotFound`](RepositoryError::NotFound): then nobody gets a URL that leads nowhere.
    ///
    /// [`Target::key`] makes the key, with the context that the host gave. The place of the content
    /// can go along, as [`Located::place`]: it comes back as [`BinaryKey::place`].
    ///
    /// # Errors
    ///
    /// [`NotFound`](RepositoryError::NotFound) and [`Deleted`](RepositoryError::Deleted), and
    /// any other error that the storage reports.
    fn locate(
        &self,
        target: &Target,
    ) -> impl Future<Output = Result<Located, RepositoryError>> + Send;

    /// The answer of [`locate`](Self::locate) for reading the version of `key`, if the key alone is
    /// enough for it. Default: `None`, and `locate` is asked.
    ///
    /// With it, a hundred references to versions in one answer get their URLs without a look at the
    /// records. A version that is not there is then noticed only when its URL is used.
    fn located(&self, key: &BinaryKey) -> Option<Located> {
        let _ = key;
        None
    }

    /// The facts about a version's content. A [SHA-256](Metadata::sha256), if there is one, is that
    /// of the whole content.
    ///
    /// # Errors
    ///
    /// [`NotFound`](RepositoryError::NotFound) while there is no content,
    /// [`Deleted`](RepositoryError::Deleted), [`NotReady`](RepositoryError::NotReady) while it is
    /// not to be read yet, and any other error that the storage reports.
    fn head(
        &self,
        key: &BinaryKey,
    ) -> impl Future<Output = Result<Metadata, RepositoryError>> + Send;

    /// A version's content, or the part of it that [`ByteRange::resolve`] selects.
    ///
    /// The place in the key is a short cut alone: if nothing is there any more, the key is looked
    /// up.
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
    /// If the version has content, this must fail before `upload` is polled for a client that
    /// [waits](Upload::expects_continue): it is then spared sending its content. For any other
    /// client it should fail before much has been taken.
    ///
    /// If the client goes away, the layer drops the future, but only before the content has ended.
    /// After that the future runs to its end.
    ///
    /// # Errors
    ///
    /// [`AlreadyWritten`](RepositoryError::AlreadyWritten) when the version has content, be it the
    /// same; [`NotFound`](RepositoryError::NotFound) or [`Deleted`](RepositoryError::Deleted) when
    /// its Binary is not there (any more); [`Upload`](RepositoryError::Upload) with the error of
    /// the stream; [`StorageFull`](RepositoryError::StorageFull), and any other error that the
    /// storage reports.
    fn write(
        &self,
        key: &BinaryKey,
        upload: Upload,
    ) -> impl Future<Output = Result<Metadata, RepositoryError>> + Send;

    /// A URL of the storage's own for `grant`. Default: `None`, and the layer makes one and serves
    /// the bytes itself.
    ///
    /// It is called at every mint, for reads and writes, also of content that is not there yet.
    ///
    /// # Errors
    ///
    /// Any error that the storage reports; no URL is minted then. Missing content is no error.
    fn presign(
        &self,
        grant: &Grant,
    ) -> impl Future<Output = Result<Option<PresignedUrl>, RepositoryError>> + Send {
        let _ = grant;
        async { Ok(None) }
    }

    /// The uploads that come in parts, if the repository can keep them: see [`Resumable`]. Default:
    /// `None`, for a repository that cannot.
    fn resumable(&self) -> Option<&impl Resumable> {
        None::<&resumable::Never>
    }
}

impl<R: BinaryRepository> BinaryRepository for Arc<R> {
    fn locate(
        &self,
        target: &Target,
    ) -> impl Future<Output = Result<Located, RepositoryError>> + Send {
        (**self).locate(target)
    }

    fn located(&self, key: &BinaryKey) -> Option<Located> {
        (**self).located(key)
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

    fn resumable(&self) -> Option<&impl Resumable> {
        (**self).resumable()
    }
}
