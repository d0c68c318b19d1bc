//! [`ObjectStoreRepository`].

use std::fmt;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use object_store::GetResult;

use super::bucket::Bucket;
use super::bucket_store::{BucketStore, facts};
use super::content_name::{ContentName, random};
use super::layout::{self, Apart, Whereabouts};
use super::mark::{self, Facts, Kind, Mark};
use super::parts::Inflow;
use super::slot::{number, whereabouts};
use super::{download, presign, trial};
use crate::content_type::ContentType;
use crate::id::{BinaryId, UploadId};
use crate::key::BinaryKey;
use crate::store::resumable::Whole;
use crate::store::{
    BinaryRepository, ByteRange, Content, Day, Located, Metadata, Place, RepositoryError,
    Resumable, Target, Upload, numbered,
};
use crate::url::{Access, Grant, PresignedUrl};

/// The longest life of a write URL unless configured otherwise: the default maximum of all URLs.
const MAX_LIFETIME: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// Binaries with their content in a [`Bucket`] of Amazon S3, Google Cloud Storage, Azure Blob
/// Storage, or any other store that has attributes and conditional puts, and lists objects by name.
///
/// Any number of servers can share a bucket; they need nothing else in common. Versions are
/// numbered as by [`FsRepository`](struct.FsRepository.html): `1`, `2`, `3`. A write URL names the
/// version after the current one. Of two such URLs, the second to be used is refused. Old versions
/// stay readable. A host with records of its own needs only a [`BucketStore`].
///
/// # The objects in the bucket
///
/// | object | |
/// |---|---|
/// | `binary/{id}/0` | the content type of a Binary; nothing once it is deleted |
/// | `binary/{id}/0-{…}` | nothing; the name has the content type, so that a listing shows it |
/// | `binary/{id}/1{…}` | a version's content; or, in an attribute, the place of a large one |
/// | `binary/{id}/1{…}-{…}` | nothing; the name has the place of a large content |
/// | `2026-11-29/{…}` | content of more than 5 MiB, uploaded in parts on that day |
/// | `resumable/{…}`, `joined/{…}` | uploads that come in parts, as [`BucketStore`] has them |
///
/// A higher version is listed before a lower one, so the first four objects of a Binary say all
/// that a URL must know. A version becomes visible when `binary/{id}/1{…}` is put, which fails if
/// it is there. Of several uploads exactly one wins, whichever server they reach.
///
/// # Requests to the store
///
/// | | |
/// |---|---|
/// | minting a URL | one LIST of four names, however many versions there are |
/// | uploading up to 5 MiB | one PUT; a LIST before if the client awaits the go-ahead |
/// | uploading more | a LIST, a request for each part and two more, two PUTs |
/// | reading, with or without a range | one GET |
/// | metadata | one HEAD |
/// | redirecting | none |
/// | creating a Binary | two PUTs |
///
/// If the content is large, an old version takes one request more. So does a URL that was minted
/// before there was content, and so do ranges. These figures need a [`Bucket`] with
/// [pages](Bucket::with_pages), which those of the clouds have. The package's `docs/performance.md`
/// has the times that clients wait.
///
/// # The remains of a deletion
///
/// One empty object, for good: an id is never used again. While a write URL may still be in
/// somebody's hands, more empty objects keep it from bringing content back. There is one in the
/// place of the next version, and of each that was written within the
/// [longest life](Self::max_lifetime) of a URL and a day before. Deleting again after that time
/// removes these too. In a bucket with versioning or soft delete, deleted content stays as long as
/// that keeps it.
///
/// An upload that breaks off is aborted, so nothing of it remains (on Azure, its parts remain for a
/// week). If the server itself ends in the middle, the store keeps the parts. So add a lifecycle
/// rule that aborts incomplete multipart uploads after a day. If uploads may come in parts, the
/// rule must wait for a day more than these may take. If the server ends between the last two
/// requests of a large upload, an object stays that nothing refers to, until the
/// [sweep](Self::sweep).
///
/// # Offload
///
/// With [`offload_reads`](Self::offload_reads) and [`offload_writes`](Self::offload_writes) the
/// operation hands out the store's own presigned URLs, and bytes never pass this server. The terms
/// that the store can sign decide which URLs are offloaded:
///
/// | | Amazon S3 | Google Cloud Storage | Azure Blob Storage |
/// |---|---|---|---|
/// | read: content type, disposition, file name | bound | bound | no: served here |
/// | read: no caching | bound | **no** | |
/// | write: content type | bound | bound | no: served here |
/// | write: once | bound | bound | |
/// | write: longest upload | **no** | bound | |
///
/// An offloaded URL is outside of this server's control.
/// [`AccessPolicy::redeem`](crate::AccessPolicy::redeem) is not asked, so that it can be neither
/// revoked nor audited here. Rotating the signing key does not end it. The security headers of
/// downloads are missing. An offloaded write, in addition, has no check of a digest, may be empty,
/// and on S3 may have up to 5 GiB, whatever was granted. Offload writes only to a store that
/// refuses unsigned headers of its own protocol (`x-amz-copy-source`), as Amazon does. Elsewhere,
/// the holder of a write URL may copy other objects with the server's rights. A deletion replaces
/// content by an empty object if it was written this way, or before
/// [`offload_reads`](Self::offload_reads) was turned on. Its offloaded URLs then read that object.
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
/// use object_store::aws::AmazonS3Builder;
/// use tower_presign::store::ObjectStoreRepository;
///
/// let bucket = AmazonS3Builder::from_env().with_bucket_name("binaries").build()?;
/// let repository = ObjectStoreRepository::open(bucket).await?.offload_reads(true);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct ObjectStoreRepository {
    pub(super) store: BucketStore,
    /// True if the store refuses to put an object twice.
    pub(super) is_write_once: bool,
    /// True if all content is kept where it can be deleted, not only large content, since reads are
    /// offloaded.
    keeps_apart: bool,
    pub(super) offloads_writes: bool,
    pub(super) max_lifetime: Duration,
}

impl ObjectStoreRepository {
    /// Binaries in this bucket. Asks the store nothing. So the bucket must be one that passes the
    /// trial of [`open`](Self::open), or be opened
    /// [`without_write_once`](Self::without_write_once).
    #[must_use]
    pub fn new(bucket: impl Into<Bucket>) -> Self {
        Self {
            store: BucketStore::new(bucket),
            is_write_once: true,
            keeps_apart: false,
            offloads_writes: false,
            max_lifetime: MAX_LIFETIME,
        }
    }

    /// As [`new`](Self::new), after a trial with two small objects below `trial/`. All rights must
    /// be there. The store must keep attributes, list by name, and refuse to put an object twice. If
    /// it [keeps parts](Bucket::with_multipart), it must not replace an object that has changed.
    /// (The trial cannot show that it also refuses at the very same moment: that is the store's
    /// promise.)
    ///
    /// # Errors
    ///
    /// [`Internal`](RepositoryError::Internal) when the store fails the trial (as Garage 2 does,
    /// which replaces the object), has no such bucket or does not accept the credentials. Its
    /// source names the right that is missing. Otherwise, any error that the store reports.
    pub async fn open(bucket: impl Into<Bucket>) -> Result<Self, RepositoryError> {
        let repository = Self::new(bucket);
        trial::try_out(repository.store.bucket(), true).await?;
        Ok(repository)
    }

    /// Accepts a store that may put an object twice.
    ///
    /// A version that has content is still not written again. But of two uploads that end at the
    /// same moment, both are reported as stored, and the content of the later one stays. Likewise
    /// content can survive a deletion at the same moment. Writes are not offloaded, and each upload
    /// takes a request more.
    #[must_use]
    pub fn without_write_once(mut self) -> Self {
        self.is_write_once = false;
        self
    }

    /// Lets clients read from the store itself. Needs a [signer](Bucket::with_signer). Default: no.
    ///
    /// New content of any size is then an object of its own. This object is gone when the content
    /// is deleted, so that URLs already handed out lead nowhere. An upload takes two requests more.
    #[must_use]
    pub fn offload_reads(mut self, offload: bool) -> Self {
        self.keeps_apart = offload;
        self
    }

    /// Lets clients write to the store itself. Needs a [signer](Bucket::with_signer). Default: no.
    ///
    /// The losses are listed [above](Self#offload). The client must send the headers that
    /// [`PresignLayer::describe_urls`](crate::PresignLayer::describe_urls) names. Leave it on for
    /// as long as there is content that was written this way: while it is off, an object that was
    /// not put here is an error.
    #[must_use]
    pub fn offload_writes(mut self, offload: bool) -> Self {
        self.offloads_writes = offload;
        self
    }

    /// The longest life of a write URL, as
    /// [`UrlSigner::with_max_lifetime`](crate::UrlSigner::with_max_lifetime) sets it. Default:
    /// 7 days. A deletion goes by it.
    #[must_use]
    pub fn max_lifetime(mut self, lifetime: Duration) -> Self {
        self.max_lifetime = lifetime;
        self
    }

    /// Adds a Binary without content, and returns the key of the version that its first upload
    /// will create.
    ///
    /// # Errors
    ///
    /// [`AlreadyWritten`](RepositoryError::AlreadyWritten) when there is a Binary of this id,
    /// [`Deleted`](RepositoryError::Deleted) when there was one, and any other error that the store
    /// reports.
    pub async fn create(
        &self,
        id: BinaryId,
        content_type: ContentType,
    ) -> Result<BinaryKey, RepositoryError> {
        let mark = Mark::new(Kind::Content(random()?), Facts::default());
        let text = Bytes::copy_from_slice(content_type.as_str().as_bytes());
        self.put_new(&layout::gate(id), text, "text/plain", &mark)
            .await?;
        if let Some(hint) = layout::type_hint(id, &content_type) {
            // Without it, minting takes a request more.
            drop(self.put_hint(&hint).await);
        }
        let first = numbered::locate(&Target::new(id, Access::Write), 0)?;
        Ok(BinaryKey::new(id, first))
    }

    /// Deletes a Binary with all its content, for good: its id is not used again. Some empty
    /// objects [remain](Self#the-remains-of-a-deletion).
    ///
    /// If this fails, or is cut short by the end of the process, some content may still be there:
    /// call it again.
    ///
    /// # Errors
    ///
    /// [`NotFound`](RepositoryError::NotFound) when there never was such a Binary, and any other
    /// error that the store reports.
    pub async fn delete(&self, id: BinaryId) -> Result<(), RepositoryError> {
        self.remove(id).await
    }

    /// Removes large content that was put on `since` or a later day and that nothing refers to,
    /// because a server ended before the version became visible. Returns the number of these
    /// objects. Content that is less than a day old is left alone. Takes two requests for each
    /// large content of these days.
    ///
    /// # Errors
    ///
    /// Any error that the store reports.
    pub async fn sweep(&self, since: Day) -> Result<u64, RepositoryError> {
        self.sweep_days(since).await
    }

    /// The object that is a version's content: its name, its head without the content, and its
    /// facts.
    async fn find(&self, key: &BinaryKey) -> Result<(String, GetResult, Facts), RepositoryError> {
        let bucket = self.store.bucket();
        if let Some(Whereabouts::Apart(Apart { name, facts })) = whereabouts(key)
            && let Some(object) = bucket.look(name.as_str()).await?
        {
            return Ok((name.as_str().to_owned(), object, facts));
        }
        let Some(version) = number(key) else {
            return Err(self.absent(key.id()).await);
        };
        let slot = layout::slot(key.id(), version);
        let Some(object) = bucket.look(&slot).await? else {
            return Err(self.absent(key.id()).await);
        };
        let mark = self.kind(&slot, &object)?;
        match mark.kind {
            Kind::Deleted => Err(RepositoryError::Deleted),
            Kind::Content(_) | Kind::Joined => Ok((slot, object, Facts::default())),
            Kind::Apart(name) => match bucket.look(name.as_str()).await? {
                Some(object) => Ok((name.as_str().to_owned(), object, mark.facts)),
                None => Err(self.absent(key.id()).await),
            },
        }
    }
}

impl ObjectStoreRepository {
    /// Stores an upload that has come in parts. Bytes that are not published stay the upload's,
    /// until that is abandoned.
    async fn write_resumed(
        &self,
        key: &BinaryKey,
        version: u64,
        upload_id: UploadId,
        upload: Upload,
    ) -> Result<Metadata, RepositoryError> {
        self.check_vacant(key.id(), version).await?;
        let whole = Whole::of(upload_id, upload).await?;
        let slot = layout::slot(key.id(), version);
        let content = Apart {
            name: self.store.join(&whole, Some(slot)).await?,
            facts: whole.facts(),
        };
        let content_type = whole.content_type.as_str();
        self.publish(key, version, &content, content_type).await?;
        let metadata = Metadata::new(content_type, whole.length, SystemTime::now());
        Ok(metadata.with_sha256(whole.sha256))
    }
}

impl BinaryRepository for ObjectStoreRepository {
    async fn locate(&self, target: &Target) -> Result<Located, RepositoryError> {
        let (survey, content_type) = self.survey(target.id()).await?;
        let version = numbered::locate(target, survey.current)?;
        let is_current = version == survey.current.into();
        let place = match survey.whereabouts(&content_type) {
            Some(place) if is_current && target.access() == Access::Read => {
                Some(Place::new(place.to_text()).map_err(RepositoryError::internal)?)
            }
            _ => None,
        };
        Ok(Located {
            place,
            ..Located::new(target.key(version), content_type)
        })
    }

    async fn head(&self, key: &BinaryKey) -> Result<Metadata, RepositoryError> {
        let (_, object, known) = self.find(key).await?;
        download::metadata(&object, known)
    }

    async fn read(
        &self,
        key: &BinaryKey,
        range: Option<ByteRange>,
    ) -> Result<Content, RepositoryError> {
        let bucket = self.store.bucket();
        let whereabouts = whereabouts(key);
        if let Some(Whereabouts::Apart(Apart { name, facts })) = &whereabouts
            && let Some(content) = self.store.get_apart(name, *facts, range).await?
        {
            return Ok(content);
        }
        let Some(version) = number(key) else {
            return Err(self.absent(key.id()).await);
        };
        let slot = layout::slot(key.id(), version);
        let object = match range {
            // A slot that only names the place of the content has no bytes to take a range of.
            Some(range) if whereabouts.is_none() => download::resolve(bucket, &slot, range).await?,
            range => download::open(bucket, &slot, range).await?,
        };
        let Some(object) = object else {
            return Err(self.absent(key.id()).await);
        };
        let mark = self.kind(&slot, &object)?;
        match mark.kind {
            Kind::Deleted => Err(RepositoryError::Deleted),
            Kind::Content(_) | Kind::Joined => {
                download::content(bucket, &slot, object, Facts::default()).await
            }
            Kind::Apart(name) => match self.store.get_apart(&name, mark.facts, range).await? {
                Some(content) => Ok(content),
                None => Err(self.absent(key.id()).await),
            },
        }
    }

    async fn write(
        &self,
        key: &BinaryKey,
        mut upload: Upload,
    ) -> Result<Metadata, RepositoryError> {
        let Some(version) = number(key) else {
            return Err(self.absent(key.id()).await);
        };
        if let Some(id) = upload.take_resumed() {
            return self.write_resumed(key, version, id, upload).await;
        }
        // A look does not help an upload that is on its way already: the put decides.
        let is_checked = upload.expects_continue();
        if is_checked {
            self.check_vacant(key.id(), version).await?;
        }
        let content_type = upload.content_type().clone();
        let content_type = content_type.as_str();
        let slot = layout::slot(key.id(), version);
        let mut inflow = Inflow::new(upload);
        let (start, has_more) = inflow.part().await?;
        if has_more || self.keeps_apart {
            let check = async {
                if is_checked {
                    return Ok(());
                }
                self.check_vacant(key.id(), version).await
            };
            let owner = Some(slot);
            let putting = self
                .store
                .put_apart(start, has_more, &mut inflow, owner, check);
            let (name, facts) = putting.await?;
            let content = Apart { name, facts };
            let published = self.publish(key, version, &content, content_type).await;
            // If the store was not available, the version may be visible all the same. The sweep
            // finds content that has no owner.
            if published
                .as_ref()
                .is_err_and(|error| !matches!(error, RepositoryError::Unavailable(_)))
            {
                drop(self.store.delete_apart(&content.name).await);
            }
            published?;
        } else {
            let mark = Mark::new(Kind::Content(random()?), facts(&inflow));
            self.put_new(&slot, start, content_type, &mark).await?;
        }
        let metadata = Metadata::new(content_type, inflow.length(), SystemTime::now());
        Ok(match inflow.sha256() {
            Some(sha256) => metadata.with_sha256(sha256),
            None => metadata,
        })
    }

    async fn presign(&self, grant: &Grant) -> Result<Option<PresignedUrl>, RepositoryError> {
        let bucket = self.store.bucket();
        if bucket.client().signer.is_none() {
            return Ok(None);
        }
        match grant.access() {
            Access::Read if self.keeps_apart => {
                if let Some(Whereabouts::Apart(Apart { name, .. })) = whereabouts(&grant.key) {
                    return self.store.presign_apart(&name, grant).await;
                }
                match self.find(&grant.key).await {
                    Ok((name, object, _)) => {
                        let bytes = ContentName::parse(&name).and_then(|name| name.bytes());
                        let name = bytes.unwrap_or(name);
                        presign::read(bucket, &name, mark::content_type(&object), grant).await
                    }
                    // The place of the content is not known before it is there.
                    Err(RepositoryError::NotFound) => Ok(None),
                    Err(error) => Err(error),
                }
            }
            Access::Write if self.offloads_writes && self.is_write_once => {
                match number(&grant.key) {
                    Some(version) => {
                        let slot = layout::slot(grant.key.id(), version);
                        presign::write(bucket, &slot, grant).await
                    }
                    None => Ok(None),
                }
            }
            _ => Ok(None),
        }
    }

    fn resumable(&self) -> Option<&impl Resumable> {
        let store = Some(&self.store).filter(|_| self.is_write_once);
        store.filter(|store| store.keeps_parts())
    }
}

/// Names the store, without its configuration: credentials may be among that.
impl fmt::Debug for ObjectStoreRepository {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ObjectStoreRepository")
            .field("bucket", self.store.bucket())
            .field("is_write_once", &self.is_write_once)
            .field("offloads_reads", &self.keeps_apart)
            .field("offloads_writes", &self.offloads_writes)
            .field("max_lifetime", &self.max_lifetime)
            .finish()
    }
}
