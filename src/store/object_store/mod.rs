//! Content in a cloud object store.

mod bucket;
mod error;
mod layout;
mod presign;
mod upload;

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::TryStreamExt as _;
use object_store::signer::Signer;
use object_store::{GetResult, ObjectStore};
use tokio::sync::oneshot;

use super::{
    BinaryRepository, ByteRange, Content, Located, Metadata, Place, RepositoryError, Target,
    Upload, numbered,
};
use crate::content_type::ContentType;
use crate::id::BinaryId;
use crate::key::BinaryKey;
use crate::url::{Access, Grant, PresignedUrl};
use bucket::Bucket;
use layout::Marker;
pub use presign::SigningProtocol;

/// Content in a cloud object store: Amazon S3, Google Cloud Storage, Azure Blob Storage, and
/// whatever else is an [`ObjectStore`] with conditional puts and attributes.
///
/// Any number of servers can share a bucket; they need nothing else in common. Versions are
/// numbered as by [`FsRepository`](crate::FsRepository): `1`, `2`, `3`. A write URL names the
/// version after the current one, and of two the second to be used is refused. Old versions stay
/// readable. Retries are those of the store's client.
///
/// # What is stored where
///
/// | object | |
/// |---|---|
/// | `binaries/{id}` | nothing; its content type is the Binary's |
/// | `content/{id}/{version}` | a version's content; of a large one, where that is |
/// | `large/{id}/{version}/{…}` | content of more than 5 MiB, uploaded in parts |
///
/// A version becomes visible when the object under `content/` is put, which fails if there is one:
/// of several uploads exactly one wins, whichever server they reach. Deleting replaces these
/// objects by tombstones, and puts one in the place of the next version, so that no write URL
/// still in somebody's hands can bring content back.
///
/// An upload that breaks off is aborted, so nothing of it remains (on Azure, for a week). If the
/// server itself ends in the middle, the store keeps what it has: add a lifecycle rule that aborts
/// incomplete multipart uploads after a day. If it ends between the last two requests of a large
/// upload, an object stays under `large/` that nothing refers to, until its Binary is deleted. In a
/// bucket with versioning or soft delete, deleted content stays as long as that keeps it. An upload
/// may have 48 GiB. The stores' clients give up a request after 30 seconds, which can be short
/// for the one that completes a very large upload: set `ClientOptions::with_timeout` to minutes if
/// there are such. To put everything below a path of the bucket, wrap the store into an
/// [`object_store::prefix::PrefixStore`].
///
/// Stores and signers are those of `object_store` 0.14: the host depends on the same version.
///
/// # Offload
///
/// With [`with_signer`](Self::with_signer), [`offload_reads`](Self::offload_reads) and
/// [`offload_writes`](Self::offload_writes) the operation hands out the store's own presigned
/// URLs, and bytes never pass this server. What the store can sign decides what is offloaded:
///
/// | | Amazon S3 | Google Cloud Storage | Azure Blob Storage |
/// |---|---|---|---|
/// | read: content type, disposition, file name | bound | bound | no: served here |
/// | read: no caching | bound | **no** | |
/// | write: content type | bound | bound | no: served here |
/// | write: once | bound | bound | |
/// | write: longest upload | **no** | bound | |
///
/// An offloaded URL is outside of this server's control:
/// [`AccessPolicy::redeem`](crate::AccessPolicy::redeem) is not asked, so that it can be neither
/// revoked nor audited here, rotating the signing key does not end it, and the security headers
/// of downloads are missing. An offloaded write, in addition, has no check of a digest, may be
/// empty, and on S3 may have up to 5 GiB, whatever was granted. Offload writes only to a store
/// that refuses headers of its own protocol (`x-amz-copy-source`) which are not signed, as Amazon
/// does: elsewhere, the holder of a write URL may copy other objects with the server's rights.
/// Content that was written this way, or before [`offload_reads`](Self::offload_reads) was turned
/// on, is replaced by the word `deleted` when it is deleted, which its offloaded URLs then read.
///
/// A middle way that keeps control is
/// [`PresignLayer::redirect_to_storage`](crate::PresignLayer::redirect_to_storage).
///
/// A store's own URL lives no longer than the credentials that signed it: with those of a role,
/// often an hour.
///
/// # Example
///
#[cfg_attr(feature = "object-store-aws", doc = "```no_run")]
#[cfg_attr(not(feature = "object-store-aws"), doc = "```ignore")]
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// use std::sync::Arc;
/// use object_store::aws::AmazonS3Builder;
/// use tower_presign::store::{ObjectStoreRepository, SigningProtocol};
///
/// let bucket = Arc::new(AmazonS3Builder::from_env().with_bucket_name("binaries").build()?);
/// let repository = ObjectStoreRepository::open(bucket.clone())
///     .await?
///     .with_signer(bucket, SigningProtocol::S3)
///     .offload_reads(true);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct ObjectStoreRepository {
    bucket: Bucket,
    signer: Option<(Arc<dyn Signer>, SigningProtocol)>,
    offloads_writes: bool,
}

impl ObjectStoreRepository {
    /// Opens a bucket, after a trial with a small object under `trial/` that it keeps attributes
    /// and that it refuses to put an object twice. (Whether it does so at the very same moment the
    /// trial cannot tell: that is the store's promise.)
    ///
    /// # Errors
    ///
    /// [`Internal`](RepositoryError::Internal) when the store fails the trial (as Garage 2 does,
    /// which replaces the object), has no such bucket or does not accept the credentials, and
    /// whatever else it reports.
    pub async fn open(store: Arc<dyn ObjectStore>) -> Result<Self, RepositoryError> {
        let mut repository = Self::open_without_write_once(store);
        repository.bucket.is_write_once = true;
        repository.bucket.try_out().await?;
        Ok(repository)
    }

    /// Opens a bucket of a store that may fail the trial of [`open`](Self::open).
    ///
    /// A version that has content is still not written again, but of two uploads that end at the
    /// same moment both are told that they were stored, and the content of the later one stays.
    /// Likewise content can survive a deletion at the same moment. Writes are not offloaded.
    #[must_use]
    pub fn open_without_write_once(store: Arc<dyn ObjectStore>) -> Self {
        Self {
            bucket: Bucket {
                store,
                is_write_once: false,
                keeps_apart: false,
            },
            signer: None,
            offloads_writes: false,
        }
    }

    /// Sets what signs the store's own URLs: nearly always the same store once more.
    #[must_use]
    pub fn with_signer(mut self, signer: Arc<dyn Signer>, protocol: SigningProtocol) -> Self {
        self.signer = Some((signer, protocol));
        self
    }

    /// Whether clients read from the store itself. Needs a signer. Default: no.
    ///
    /// New content of any size then is an object of its own under `large/`, which is gone when it
    /// is deleted, so that URLs already handed out lead nowhere.
    #[must_use]
    pub fn offload_reads(mut self, offload: bool) -> Self {
        self.bucket.keeps_apart = offload;
        self
    }

    /// Whether clients write to the store itself. Needs a signer. Default: no.
    ///
    /// See [above](Self#offload) what is lost. The client must send the headers that
    /// [`PresignLayer::describe_urls`](crate::PresignLayer::describe_urls) tells it.
    #[must_use]
    pub fn offload_writes(mut self, offload: bool) -> Self {
        self.offloads_writes = offload;
        self
    }

    /// Adds a Binary without content, and returns the key of the version that its first upload
    /// will create.
    ///
    /// # Errors
    ///
    /// [`AlreadyWritten`](RepositoryError::AlreadyWritten) when there is a Binary of this id,
    /// [`Deleted`](RepositoryError::Deleted) when there was, and what the store reports.
    pub async fn create(
        &self,
        id: BinaryId,
        content_type: ContentType,
    ) -> Result<BinaryKey, RepositoryError> {
        let marker = Marker::content();
        self.bucket
            .put_new(
                &layout::binary(id),
                Bytes::new(),
                content_type.as_str(),
                &marker,
            )
            .await?;
        let first = numbered::locate(&Target::new(id, Access::Write), 0)?;
        Ok(BinaryKey::new(id, first))
    }

    /// Deletes a Binary with all its content, for good: its id is not used again. What remains is
    /// one small object for each version.
    ///
    /// If this fails, or is cut short by the end of the process, some versions may still be there:
    /// call it again.
    ///
    /// # Errors
    ///
    /// [`NotFound`](RepositoryError::NotFound) when there never was such a Binary, and what the
    /// store reports.
    pub async fn delete(&self, id: BinaryId) -> Result<(), RepositoryError> {
        self.bucket.delete(id).await
    }
}

impl BinaryRepository for ObjectStoreRepository {
    async fn locate(&self, target: &Target) -> Result<Located, RepositoryError> {
        // In this order: if the Binary is there after it was counted, no tombstone was counted.
        let current = self.bucket.current(target.id()).await?;
        let binary = self.bucket.stat(&layout::binary(target.id())).await?;
        let binary = binary.ok_or(RepositoryError::NotFound)?;
        if Marker::of(&binary) == Some(Marker::Deleted) {
            return Err(RepositoryError::Deleted);
        }
        let key = target.key(numbered::locate(target, current)?);
        let place = match target.access() {
            Access::Read => self.place(&key).await?,
            Access::Write => None,
        };
        Ok(Located {
            key,
            content_type: ContentType::new(layout::content_type(&binary))
                .map_err(RepositoryError::internal)?,
            place,
        })
    }

    async fn head(&self, key: &BinaryKey) -> Result<Metadata, RepositoryError> {
        Ok(metadata(&self.bucket.find(key).await?.1))
    }

    async fn read(
        &self,
        key: &BinaryKey,
        range: Option<ByteRange>,
    ) -> Result<Content, RepositoryError> {
        let place = key.place().map(Place::as_str);
        if let Some(name) = place.and_then(Marker::large_name)
            && let Some(object) = self.bucket.get(&layout::large(key, name), range).await?
        {
            return Ok(content(object));
        }
        let path = layout::content(key.id(), key.version().as_str());
        let Some(object) = self.bucket.get(&path, range).await? else {
            return Err(self.bucket.absent(key.id()).await);
        };
        match Marker::of(&object) {
            Some(Marker::Deleted) => Err(RepositoryError::Deleted),
            Some(Marker::Large(name)) => {
                match self.bucket.get(&layout::large(key, &name), range).await? {
                    Some(object) => Ok(content(object)),
                    None => Err(self.bucket.absent(key.id()).await),
                }
            }
            Some(Marker::Content(_)) | None => Ok(content(object)),
        }
    }

    async fn write(&self, key: &BinaryKey, upload: Upload) -> Result<Metadata, RepositoryError> {
        self.bucket.check_vacant(key).await?;
        // A task of its own can tidy up after the future has been dropped.
        let (answer, answered) = oneshot::channel();
        tokio::spawn(self.bucket.clone().write(key.clone(), upload, answer));
        answered.await.map_err(RepositoryError::internal)?
    }

    async fn presign(&self, grant: &Grant) -> Result<Option<PresignedUrl>, RepositoryError> {
        let offloads = match grant.access() {
            Access::Read => self.bucket.keeps_apart,
            Access::Write => self.offloads_writes && self.bucket.is_write_once,
        };
        match &self.signer {
            Some((signer, protocol)) if offloads => {
                presign::presign(&self.bucket, signer.as_ref(), *protocol, grant).await
            }
            _ => Ok(None),
        }
    }
}

impl ObjectStoreRepository {
    /// Where a large content is, so that reading it takes one request.
    async fn place(&self, key: &BinaryKey) -> Result<Option<Place>, RepositoryError> {
        let path = layout::content(key.id(), key.version().as_str());
        let object = self.bucket.stat(&path).await?;
        match object.as_ref().and_then(Marker::of) {
            Some(marker @ Marker::Large(_)) => {
                let place = Place::new(marker.to_string());
                place.map(Some).map_err(RepositoryError::internal)
            }
            _ => Ok(None),
        }
    }
}

fn metadata(object: &GetResult) -> Metadata {
    Metadata::new(
        layout::content_type(object).to_owned(),
        object.meta.size,
        object.meta.last_modified.into(),
    )
}

fn content(object: GetResult) -> Content {
    let (metadata, range) = (metadata(&object), object.range.clone());
    Content::new(
        metadata,
        range,
        object.into_stream().map_err(error::from_store),
    )
}

/// Names the store, without what it is configured with: credentials may be among that.
impl fmt::Debug for ObjectStoreRepository {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let signs = self.signer.as_ref().map(|(_, protocol)| protocol);
        f.debug_struct("ObjectStoreRepository")
            .field("store", &format_args!("{}", self.bucket.store))
            .field("is_write_once", &self.bucket.is_write_once)
            .field("signs", &signs)
            .field("offloads_reads", &self.bucket.keeps_apart)
            .field("offloads_writes", &self.offloads_writes)
            .finish()
    }
}
