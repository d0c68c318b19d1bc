//! Content in a cloud object store.

mod error;
mod layout;
mod presign;
mod staging;

use std::fmt;
use std::pin::pin;
use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;
use futures_util::TryStreamExt as _;
use futures_util::future::try_join;
use object_store::path::Path;
use object_store::signer::Signer;
use object_store::{
    Error as StoreError, GetOptions, GetRange, GetResult, ObjectStore, ObjectStoreExt as _,
    PutMode, PutOptions, WriteMultipart,
};
use tokio::sync::oneshot;

use super::{
    BinaryRepository, ByteRange, Content, Located, Metadata, RepositoryError, Target, Upload,
    UploadError, numbered,
};
use crate::binary::{BinaryId, BinaryKey};
use crate::content_type::ContentType;
use crate::url::{Access, Grant, PresignedUrl};
use layout::Marker;
pub use presign::SigningProtocol;
use staging::Staged;

/// How many objects are worked on at once where there are many.
const CONCURRENCY: usize = 16;

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
/// An upload that breaks off is aborted, so nothing of it remains. If the server itself ends in
/// the middle, the store keeps what it has: add a lifecycle rule that aborts incomplete multipart
/// uploads after a day. The stores' clients give up a request after 30 seconds, which can be short
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
/// | read: content type, disposition, file name, no caching | bound | bound | no: served here |
/// | write: content type | bound | bound | no: served here |
/// | write: once | bound | bound | |
/// | write: longest upload | **no** | bound | |
///
/// An offloaded URL is outside of this server's control:
/// [`AccessPolicy::redeem`](crate::AccessPolicy::redeem) is not asked, so that it can be neither
/// revoked nor audited here, rotating the signing key does not end it, and the security headers
/// of downloads are missing. An offloaded write, in addition, has no check of a digest, may be
/// empty, and on S3 may have up to 5 GiB, whatever was granted. A middle way that keeps control
/// is [`PresignLayer::redirect_to_storage`](crate::PresignLayer::redirect_to_storage).
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
/// use tower_presign::repository::{ObjectStoreRepository, SigningProtocol};
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
    store: Arc<dyn ObjectStore>,
    is_write_once: bool,
    signer: Option<(Arc<dyn Signer>, SigningProtocol)>,
    offloads_reads: bool,
    offloads_writes: bool,
}

impl ObjectStoreRepository {
    /// Opens a bucket, after a trial with a small object under `trial/` that it keeps attributes
    /// and that it refuses to put an object twice.
    ///
    /// # Errors
    ///
    /// [`Internal`](RepositoryError::Internal) when the store fails the trial (as Garage 2 does,
    /// which replaces the object) or does not accept the credentials, and whatever else it
    /// reports.
    pub async fn open(store: Arc<dyn ObjectStore>) -> Result<Self, RepositoryError> {
        let repository = Self {
            is_write_once: true,
            ..Self::open_without_write_once(store)
        };
        repository.try_out().await?;
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
            store,
            is_write_once: false,
            signer: None,
            offloads_reads: false,
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
    #[must_use]
    pub fn offload_reads(mut self, offload: bool) -> Self {
        self.offloads_reads = offload;
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
        self.put_new(
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
        let binary = layout::binary(id);
        if self.stat(&binary).await?.is_none() {
            return Err(RepositoryError::NotFound);
        }
        self.bury(&binary).await?;
        let mut next = 1;
        let versions = self.store.list(Some(&layout::contents(id)));
        let mut versions = versions.map_ok(|object| object.location);
        while let Some(content) = versions.try_next().await.map_err(error::from_store)? {
            next = next.max(layout::number(&content).saturating_add(1));
            self.bury(&content).await?;
        }
        // A write URL names at most the next version: when that place is taken, all are.
        loop {
            let content = layout::content(id, &next.to_string());
            let tombstone = Marker::Deleted;
            let octets = mime::APPLICATION_OCTET_STREAM.as_ref();
            match self
                .put_new(&content, tombstone.stand_in(), octets, &tombstone)
                .await
            {
                Err(RepositoryError::AlreadyWritten) => self.bury(&content).await?,
                Ok(()) | Err(RepositoryError::Deleted) => break,
                Err(error) => return Err(error),
            }
            next += 1;
        }
        self.store
            .list(Some(&layout::larges(id)))
            .map_err(error::from_store)
            .try_for_each_concurrent(CONCURRENCY, |large| async move {
                match self.store.delete(&large.location).await {
                    Ok(()) | Err(StoreError::NotFound { .. }) => Ok(()),
                    Err(error) => Err(error::from_store(error)),
                }
            })
            .await
    }

    /// Replaces an object by a tombstone.
    async fn bury(&self, path: &Path) -> Result<(), RepositoryError> {
        let octets = mime::APPLICATION_OCTET_STREAM.as_ref();
        let options = PutOptions {
            attributes: Marker::Deleted.attributes(octets),
            ..PutOptions::default()
        };
        let content = Marker::Deleted.stand_in();
        let put = self.store.put_opts(path, content.into(), options);
        put.await.map_err(error::from_store)?;
        Ok(())
    }

    /// Puts an object where there is none.
    async fn put_new(
        &self,
        path: &Path,
        content: Bytes,
        content_type: &str,
        marker: &Marker,
    ) -> Result<(), RepositoryError> {
        let options = PutOptions {
            mode: if self.is_write_once {
                PutMode::Create
            } else {
                PutMode::Overwrite
            },
            attributes: marker.attributes(content_type),
            ..PutOptions::default()
        };
        if !self.is_write_once
            && let Some(found) = self.stat(path).await?
        {
            return Err(taken(&found));
        }
        match self.store.put_opts(path, content.into(), options).await {
            Ok(_) => Ok(()),
            Err(error @ StoreError::AlreadyExists { .. }) => match self.stat(path).await? {
                // The client repeats a request whose answer it has not seen.
                Some(found) if Marker::of(&found).as_ref() == Some(marker) => Ok(()),
                Some(found) => Err(taken(&found)),
                // S3 reports a conflict while another put is not yet done.
                None => Err(RepositoryError::unavailable(error)),
            },
            Err(error) => Err(error::from_store(error)),
        }
    }

    /// An object without its content; `None` if there is none.
    async fn stat(&self, path: &Path) -> Result<Option<GetResult>, RepositoryError> {
        let options = GetOptions {
            head: true,
            ..GetOptions::default()
        };
        found(self.store.get_opts(path, options).await)
    }

    /// An object with its content, or a part of it; `None` if there is none.
    async fn get(
        &self,
        path: &Path,
        range: Option<ByteRange>,
    ) -> Result<Option<GetResult>, RepositoryError> {
        let range_of_store = match range {
            None => None,
            // Some stores count with a sign.
            Some(ByteRange::FromTo(first, last)) if last < i64::MAX as u64 => {
                Some(GetRange::Bounded(first..last + 1))
            }
            Some(ByteRange::FromTo(first, _) | ByteRange::From(first)) => {
                Some(GetRange::Offset(first))
            }
            // Azure knows no suffix ranges, and others stumble when the content is shorter.
            Some(range @ ByteRange::Last(_)) => return self.get_resolved(path, range).await,
        };
        let options = GetOptions {
            range: range_of_store,
            ..GetOptions::default()
        };
        match (self.store.get_opts(path, options).await, range) {
            (Err(StoreError::NotFound { .. }), _) => Ok(None),
            // Stores tell in ways of their own that a range lies outside.
            (Err(_), Some(range)) => self.get_resolved(path, range).await,
            (Ok(object), Some(range)) if object.range.is_empty() && is_content(&object) => {
                range.resolve(object.meta.size)?;
                Ok(Some(object))
            }
            (result, _) => result.map(Some).map_err(error::from_store),
        }
    }

    async fn get_resolved(
        &self,
        path: &Path,
        range: ByteRange,
    ) -> Result<Option<GetResult>, RepositoryError> {
        let Some(object) = self.stat(path).await? else {
            return Ok(None);
        };
        if !is_content(&object) {
            return Ok(Some(object));
        }
        let range = range.resolve(object.meta.size)?;
        if range.is_empty() {
            return Ok(Some(object));
        }
        let options = GetOptions {
            range: Some(GetRange::Bounded(range)),
            ..GetOptions::default()
        };
        found(self.store.get_opts(path, options).await)
    }

    /// Where a version's bytes are, and what is known of them.
    async fn find(&self, key: &BinaryKey) -> Result<(Path, GetResult), RepositoryError> {
        let content = layout::content(key.id(), key.version().as_str());
        let Some(object) = self.stat(&content).await? else {
            return Err(self.absent(key.id()).await);
        };
        match Marker::of(&object) {
            Some(Marker::Deleted) => Err(RepositoryError::Deleted),
            Some(Marker::Large(name)) => {
                let large = layout::large(key, &name);
                match self.stat(&large).await? {
                    Some(object) => Ok((large, object)),
                    None => Err(self.absent(key.id()).await),
                }
            }
            Some(Marker::Content(_)) | None => Ok((content, object)),
        }
    }

    /// The number of the current version; 0 if there is none.
    async fn current(&self, id: BinaryId) -> Result<u64, RepositoryError> {
        self.store
            .list(Some(&layout::contents(id)))
            .map_err(error::from_store)
            .try_fold(0, async |max, object| {
                Ok(layout::number(&object.location).max(max))
            })
            .await
    }

    /// What it means that an object of the Binary is not there.
    async fn absent(&self, id: BinaryId) -> RepositoryError {
        match self.stat(&layout::binary(id)).await {
            Ok(Some(binary)) if Marker::of(&binary) == Some(Marker::Deleted) => {
                RepositoryError::Deleted
            }
            Ok(_) => RepositoryError::NotFound,
            Err(error) => error,
        }
    }

    /// Whether `key` may be written, as far as can be told before its content has arrived.
    async fn check_vacant(&self, key: &BinaryKey) -> Result<(), RepositoryError> {
        let (binary, content) = (
            layout::binary(key.id()),
            layout::content(key.id(), key.version().as_str()),
        );
        match try_join(self.stat(&binary), self.stat(&content)).await? {
            (None, _) => Err(RepositoryError::NotFound),
            (Some(binary), _) if Marker::of(&binary) == Some(Marker::Deleted) => {
                Err(RepositoryError::Deleted)
            }
            (Some(_), Some(content)) => Err(taken(&content)),
            (Some(_), None) => Ok(()),
        }
    }

    /// Finds out whether the store keeps attributes and refuses to put an object twice.
    async fn try_out(&self) -> Result<(), RepositoryError> {
        let path = layout::trial();
        let (first, second) = (Marker::content(), Marker::content());
        match self
            .put_new(&path, Bytes::new(), "text/plain", &first)
            .await
        {
            Err(RepositoryError::NotFound) => {
                return Err(RepositoryError::internal("there is no such bucket"));
            }
            put => put?,
        }
        let kept = self.stat(&path).await?;
        let again = self
            .put_new(&path, Bytes::new(), "text/plain", &second)
            .await;
        self.store.delete(&path).await.map_err(error::from_store)?;
        if !kept.is_some_and(|object| Marker::of(&object) == Some(first)) {
            return Err(RepositoryError::internal(
                "the object store does not keep attributes",
            ));
        }
        match again {
            Err(RepositoryError::AlreadyWritten) => Ok(()),
            Ok(()) => Err(RepositoryError::internal(
                "the object store replaces an object that must not be there (If-None-Match: *)",
            )),
            Err(error) => Err(error),
        }
    }
}

impl BinaryRepository for ObjectStoreRepository {
    async fn locate(&self, target: &Target) -> Result<Located, RepositoryError> {
        let binary = layout::binary(target.id());
        let (binary, current) = try_join(self.stat(&binary), self.current(target.id())).await?;
        let binary = binary.ok_or(RepositoryError::NotFound)?;
        if Marker::of(&binary) == Some(Marker::Deleted) {
            return Err(RepositoryError::Deleted);
        }
        let key = target.key(numbered::locate(target, current)?);
        Ok(Located {
            key: match (target.access(), target.context()) {
                (Access::Read, None) => self.with_place(key).await?,
                _ => key,
            },
            content_type: ContentType::new(layout::content_type(&binary))
                .map_err(RepositoryError::internal)?,
        })
    }

    async fn head(&self, key: &BinaryKey) -> Result<Metadata, RepositoryError> {
        Ok(metadata(&self.find(key).await?.1))
    }

    async fn read(
        &self,
        key: &BinaryKey,
        range: Option<ByteRange>,
    ) -> Result<Content, RepositoryError> {
        if let Some(name) = key.context().and_then(Marker::large_name)
            && let Some(object) = self.get(&layout::large(key, name), range).await?
        {
            return Ok(content(object));
        }
        let path = layout::content(key.id(), key.version().as_str());
        let Some(object) = self.get(&path, range).await? else {
            return Err(self.absent(key.id()).await);
        };
        match Marker::of(&object) {
            Some(Marker::Deleted) => Err(RepositoryError::Deleted),
            Some(Marker::Large(name)) => match self.get(&layout::large(key, &name), range).await? {
                Some(object) => Ok(content(object)),
                None => Err(self.absent(key.id()).await),
            },
            Some(Marker::Content(_)) | None => Ok(content(object)),
        }
    }

    async fn write(&self, key: &BinaryKey, upload: Upload) -> Result<Metadata, RepositoryError> {
        self.check_vacant(key).await?;
        // A task of its own can tidy up after the future has been dropped.
        let (answer, answered) = oneshot::channel();
        tokio::spawn(self.clone().store(key.clone(), upload, answer));
        answered.await.map_err(RepositoryError::internal)?
    }

    async fn presign(&self, grant: &Grant) -> Result<Option<PresignedUrl>, RepositoryError> {
        let offloads = match grant.access() {
            Access::Read => self.offloads_reads,
            Access::Write => self.offloads_writes && self.is_write_once,
        };
        match &self.signer {
            Some((signer, protocol)) if offloads => {
                presign::presign(self, signer.as_ref(), *protocol, grant).await
            }
            _ => Ok(None),
        }
    }
}

impl ObjectStoreRepository {
    /// Adds where a large content is, so that reading it takes one request.
    async fn with_place(&self, key: BinaryKey) -> Result<BinaryKey, RepositoryError> {
        let path = layout::content(key.id(), key.version().as_str());
        let object = self.stat(&path).await?;
        Ok(match object.as_ref().and_then(Marker::of) {
            Some(marker @ Marker::Large(_)) => key.with_context(marker.to_string()),
            _ => key,
        })
    }

    /// Stores an upload for as long as somebody waits for the answer.
    async fn store(
        self,
        key: BinaryKey,
        mut upload: Upload,
        mut answer: oneshot::Sender<Result<Metadata, RepositoryError>>,
    ) {
        let content_type = upload.content_type().as_str().to_owned();
        let mut staged = Staged::new(&upload);
        let received = staged
            .receive(&self.store, &key, &mut upload, pin!(answer.closed()))
            .await;
        drop(upload);
        let stored = match received {
            Ok(length) => self
                .commit(&key, length, &content_type, staged, || answer.is_closed())
                .await
                .map(|()| Metadata {
                    content_type,
                    length,
                    last_modified: SystemTime::now(),
                }),
            Err(error) => {
                staged.abort().await;
                Err(error)
            }
        };
        // Nobody waits any more: then the upload has been aborted, or has just been stored.
        drop(answer.send(stored));
    }

    /// Has the store put the parts of a large object together.
    async fn finish(
        &self,
        upload: WriteMultipart,
        large: &Path,
        length: u64,
    ) -> Result<(), RepositoryError> {
        let Err(error) = upload.finish().await else {
            return Ok(());
        };
        // The client repeats a request whose answer it has not seen, and is then told that there
        // is no such upload any more.
        match self.stat(large).await {
            Ok(Some(object)) if object.meta.size == length => Ok(()),
            _ => Err(match error::from_store(error) {
                RepositoryError::NotFound => RepositoryError::unavailable("the upload is gone"),
                error => error,
            }),
        }
    }

    /// Makes a version visible.
    async fn commit(
        &self,
        key: &BinaryKey,
        length: u64,
        content_type: &str,
        staged: Staged,
        is_abandoned: impl Fn() -> bool,
    ) -> Result<(), RepositoryError> {
        let abandoned = || RepositoryError::from(UploadError::Incomplete(None));
        if is_abandoned() {
            staged.abort().await;
            return Err(abandoned());
        }
        let path = layout::content(key.id(), key.version().as_str());
        let large = match staged {
            Staged::Whole(content) => {
                let marker = Marker::content();
                return self
                    .put_new(&path, content.freeze(), content_type, &marker)
                    .await;
            }
            Staged::Parts {
                mut upload,
                rest,
                name,
            } => {
                upload.put(rest.freeze());
                self.finish(upload, &layout::large(key, &name), length)
                    .await?;
                Marker::Large(name)
            }
        };
        let committed = if is_abandoned() {
            Err(abandoned())
        } else {
            self.put_new(&path, large.stand_in(), content_type, &large)
                .await
        };
        // After any other error the version may have become visible all the same.
        if let Err(
            RepositoryError::AlreadyWritten | RepositoryError::Deleted | RepositoryError::Upload(_),
        ) = &committed
            && let Marker::Large(name) = &large
        {
            drop(self.store.delete(&layout::large(key, name)).await);
        }
        committed
    }
}

/// Whether an object is content itself, and not what stands in its place.
fn is_content(object: &GetResult) -> bool {
    matches!(Marker::of(object), Some(Marker::Content(_)) | None)
}

/// Why there is no room for a version where `object` is.
fn taken(object: &GetResult) -> RepositoryError {
    match Marker::of(object) {
        Some(Marker::Deleted) => RepositoryError::Deleted,
        _ => RepositoryError::AlreadyWritten,
    }
}

fn found(result: Result<GetResult, StoreError>) -> Result<Option<GetResult>, RepositoryError> {
    match result {
        Ok(object) => Ok(Some(object)),
        Err(StoreError::NotFound { .. }) => Ok(None),
        Err(error) => Err(error::from_store(error)),
    }
}

fn metadata(object: &GetResult) -> Metadata {
    Metadata {
        content_type: layout::content_type(object).to_owned(),
        length: object.meta.size,
        last_modified: object.meta.last_modified.into(),
    }
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
            .field("store", &format_args!("{}", self.store))
            .field("is_write_once", &self.is_write_once)
            .field("signs", &signs)
            .field("offloads_reads", &self.offloads_reads)
            .field("offloads_writes", &self.offloads_writes)
            .finish()
    }
}
