//! [`BucketStore`]: the bytes of a host's records in a bucket.

use std::time::SystemTime;

use bytes::Bytes;
use futures_util::future::{join, ready, try_join};
use futures_util::stream::{Stream, StreamExt as _};
use object_store::PutMode;

use super::bucket::Bucket;
use super::content_name::ContentName;
use super::mark::{self, Facts, Kind, Mark};
use super::parts::{Inflow, Parts};
use super::{download, presign, trial};
use crate::content_type::{ContentType, OCTET_STREAM};
use crate::store::resumable::Whole;
use crate::store::{
    ByteRange, Content, ContentStore, Day, Place, RepositoryError, Resumable, Stored, Upload,
};
use crate::url::{Access, Grant, PresignedUrl};

/// Bytes in a bucket, for a host with records of its own: a [`ContentStore`], which becomes a
/// repository in [`Composed`](crate::store::Composed).
///
/// Content is an object `2026-11-29/{random}.{type}`. Up to 5 MiB are put in one request. Longer
/// content goes in parts, several at a time. All uploads together have at most 80 MiB on their way
/// at once. Beside these, an upload has at most 5 MiB in memory. An upload may have 48 GiB.
///
/// Length and SHA-256 are kept with the object. Of longer content they are known only after its
/// last part. An empty object `facts/{random}` keeps them, and the content is
/// `2026-11-29/{random}p.{type}`. Storing, reading and removing it takes a request more. The
/// content that the store sends is compared with them. Another length is an error before the first
/// byte. Another digest of the whole is an error before the last byte. When the store breaks off,
/// the rest is asked for, as long as bytes flow.
///
/// If the server ends in the middle of an upload, the store keeps the parts. So add a lifecycle
/// rule to the bucket that aborts incomplete multipart uploads after a day. If uploads may come in
/// parts, the rule must wait for a day more than these may take.
///
/// # Uploads that come in parts
///
/// If the bucket [can keep parts](Bucket::with_multipart), as those of the clouds can, the store is
/// [`Resumable`]. Any number of servers can take the parts of one upload.
///
/// | object | |
/// |---|---|
/// | `resumable/{group}/{id}` | the offset, the note, the ids of the store's parts, and the tail that fills no part of 5 MiB yet |
/// | `joined/{random}` | the bytes, as one multipart upload, and at the end one object |
/// | `2026-11-29/{random}j.{type}` | made at the end: length and SHA-256, and no bytes |
///
/// A store sets type and facts of an object when its first part comes, or never. They are known
/// only when the last part has come. So they have an object of their own, on the day on which the
/// upload ended, and that is the place of the content. Reading it takes a HEAD more. An upload of
/// less than 5 MiB becomes an ordinary object.
///
/// The first of these objects is replaced only by a server that has read its newest version
/// (`If-Match`). Of two parts that begin at one offset, at whatever servers, one is kept. A server
/// that puts parts of 5 MiB has claimed the upload for as long as the
/// [patience](Bucket::with_patience) lasts, and claims it anew while it goes on. Nobody else puts
/// any parts at that time: the upload is [`busy`](RepositoryError::busy). A client notices this
/// only after a server has ended in the middle. Such an end costs 40 MiB at most, the last
/// eight parts.
///
/// | | requests |
/// |---|---|
/// | begin | a LIST, a PUT; a GET more for each upload there is to the same version, from two on |
/// | progress | a GET of 8 KiB |
/// | a part that fills no 5 MiB with the tail | a GET, a PUT |
/// | any other | a GET, two PUTs, one for each 5 MiB, one for each 40 MiB; at the first time one to create |
/// | the end | a GET, four PUTs, one to put the parts together |
/// | removing what has expired | a LIST, a GET for each upload; three for each that is removed |
///
/// The tail travels with each GET and PUT of a part: parts of a multiple of 5 MiB have none. It is
/// in memory twice while a part comes. An upload may have 48 GiB, as any other.
///
/// # Example
///
#[cfg_attr(feature = "object-store-aws", doc = "```no_run")]
#[cfg_attr(not(feature = "object-store-aws"), doc = "```ignore")]
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// use object_store::aws::AmazonS3Builder;
/// use tower_presign::store::{Bucket, BucketStore};
///
/// let bucket = AmazonS3Builder::from_env().with_bucket_name("binaries").build()?;
/// let store = BucketStore::open(Bucket::from(bucket).below("content")).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct BucketStore {
    bucket: Bucket,
    offloads_reads: bool,
}

impl BucketStore {
    /// Content in this bucket. Asks the store nothing.
    #[must_use]
    pub fn new(bucket: impl Into<Bucket>) -> Self {
        Self {
            bucket: bucket.into(),
            offloads_reads: false,
        }
    }

    /// As [`new`](Self::new), after a trial of all that serving needs, with an object below
    /// `trial/`.
    ///
    /// # Errors
    ///
    /// [`Internal`](RepositoryError::Internal) when a right is missing, when there is no such
    /// bucket or when the store does not keep attributes, or replaces an object that
    /// [must be another](Bucket::with_multipart), and any other error that the store reports.
    pub async fn open(bucket: impl Into<Bucket>) -> Result<Self, RepositoryError> {
        let store = Self::new(bucket);
        trial::try_out(&store.bucket, false).await?;
        Ok(store)
    }

    /// Lets clients read from the store itself. Needs a [signer](Bucket::with_signer). Default: no.
    #[must_use]
    pub fn offload_reads(mut self, offload: bool) -> Self {
        self.offloads_reads = offload;
        self
    }

    pub(super) fn bucket(&self) -> &Bucket {
        &self.bucket
    }

    /// Puts all of an upload: `start`, which has come, and the rest, if it `has_more`. None of the
    /// rest is sent before `check` has agreed.
    pub(super) async fn put_apart(
        &self,
        start: Bytes,
        has_more: bool,
        inflow: &mut Inflow,
        owner: Option<String>,
        check: impl Future<Output = Result<(), RepositoryError>>,
    ) -> Result<(ContentName, Facts), RepositoryError> {
        let content_type = inflow.upload().content_type().clone();
        let day = Day::of(SystemTime::now());
        // An owner keeps the facts itself.
        let name = if has_more && owner.is_none() {
            ContentName::parted(day, &content_type)?
        } else {
            ContentName::new(day, &content_type)?
        };
        let mut mark = Mark::new(
            Kind::Content(name.as_str().to_owned()),
            Facts {
                length: inflow.upload().length(),
                sha256: None,
            },
        );
        mark.owner = owner;
        if has_more {
            let parts = Parts::start(&self.bucket, &name, content_type.as_str(), &mark);
            // Both at once: the store is far away.
            let (parts, checked) = join(parts, check).await;
            let mut parts = parts?;
            let sent = match checked {
                Ok(()) => parts.send(start, inflow).await,
                refused => refused,
            };
            if let Err(error) = sent {
                // A store that does not answer would not answer this either, while somebody waits.
                if !matches!(error, RepositoryError::Unavailable(_)) {
                    parts.abort().await;
                }
                return Err(error);
            }
            self.put_facts(&name, facts(inflow)).await?;
        } else {
            mark.facts = facts(inflow);
            // No other object has the name: the request can be repeated.
            let mode = PutMode::Overwrite;
            let putting = self
                .bucket
                .put(name.as_str(), start, content_type.as_str(), &mark, mode);
            putting.await?;
        }
        Ok((name, facts(inflow)))
    }

    /// Puts the facts of content that is there, if it has not got them.
    async fn put_facts(&self, name: &ContentName, facts: Facts) -> Result<(), RepositoryError> {
        let Some(object) = name.facts() else {
            return Ok(());
        };
        let mark = Mark::new(Kind::Content(object.clone()), facts);
        let mode = PutMode::Overwrite;
        let putting = self
            .bucket
            .put(&object, Bytes::new(), OCTET_STREAM, &mark, mode);
        let put = putting.await.map_err(RepositoryError::from);
        // As above: a store that does not answer would not answer this either.
        if put
            .as_ref()
            .is_err_and(|error| !matches!(error, RepositoryError::Unavailable(_)))
        {
            drop(self.delete_apart(name).await);
        }
        put.map(drop)
    }

    /// The content of this name; `None` if there is none.
    pub(super) async fn get_apart(
        &self,
        name: &ContentName,
        known: Facts,
        range: Option<ByteRange>,
    ) -> Result<Option<Content>, RepositoryError> {
        if let Some(bytes) = name.bytes() {
            return self.get_joined(name, &bytes, known, range).await;
        }
        let opening = download::open(&self.bucket, name.as_str(), range);
        let (object, known) = match name.facts() {
            None => (opening.await?, known),
            Some(facts) => {
                let facts = async { Ok(self.bucket.look(&facts).await?) };
                match try_join(opening, facts).await? {
                    (object, Some(facts)) => {
                        let facts = Mark::of(&facts).ok_or_else(|| unmarked(name.as_str()))?;
                        (object, facts.facts)
                    }
                    // They are removed before the content is.
                    (_, None) => return Ok(None),
                }
            }
        };
        let Some(object) = object else {
            return Ok(None);
        };
        if !Mark::of(&object).is_some_and(|mark| matches!(mark.kind, Kind::Content(_))) {
            return Err(unmarked(name.as_str()));
        }
        let content = download::content(&self.bucket, name.as_str(), object, known);
        content.await.map(Some)
    }

    /// Content that has come in parts. The store knows nothing of its bytes but their number.
    async fn get_joined(
        &self,
        name: &ContentName,
        bytes: &str,
        known: Facts,
        range: Option<ByteRange>,
    ) -> Result<Option<Content>, RepositoryError> {
        let (facts, content_type) = match name.content_type() {
            Some(content_type) if known.length.is_some() => {
                (known, content_type.as_str().to_owned())
            }
            _ => {
                let Some(object) = self.bucket.look(name.as_str()).await? else {
                    return Ok(None);
                };
                let mark = Mark::of(&object).ok_or_else(|| unmarked(name.as_str()))?;
                (mark.facts, mark::content_type(&object).to_owned())
            }
        };
        let Some(object) = download::open(&self.bucket, bytes, range).await? else {
            return Ok(None);
        };
        let mut content = download::content(&self.bucket, bytes, object, facts).await?;
        content.metadata.content_type = content_type;
        Ok(Some(content))
    }

    /// True if uploads that come in parts can be kept.
    pub(super) fn keeps_parts(&self) -> bool {
        self.bucket.client().multipart.is_some()
    }

    /// The store's own URL for content of this name.
    pub(super) async fn presign_apart(
        &self,
        name: &ContentName,
        grant: &Grant,
    ) -> Result<Option<PresignedUrl>, RepositoryError> {
        let content_type = match name.content_type() {
            Some(content_type) => content_type,
            None => match self.bucket.look(name.as_str()).await? {
                Some(object) => match ContentType::new(mark::content_type(&object)) {
                    Ok(content_type) => content_type,
                    Err(_) => return Ok(None),
                },
                None => return Ok(None),
            },
        };
        let bytes = name.bytes().unwrap_or_else(|| name.as_str().to_owned());
        presign::read(&self.bucket, &bytes, content_type.as_str(), grant).await
    }
}

pub(super) fn facts(inflow: &Inflow) -> Facts {
    Facts {
        length: Some(inflow.length()),
        sha256: inflow.sha256(),
    }
}

/// The error for an object that was not put here: of a proxy, or of a store that loses attributes.
pub(super) fn unmarked(name: &str) -> RepositoryError {
    RepositoryError::internal(format!("what the store has at {name} was not put here"))
}

fn name(place: &Place) -> Result<ContentName, RepositoryError> {
    ContentName::parse(place.as_str()).ok_or(RepositoryError::NotFound)
}

fn place(name: &ContentName) -> Result<Place, RepositoryError> {
    Place::new(name.as_str()).map_err(RepositoryError::internal)
}

impl ContentStore for BucketStore {
    async fn put(&self, mut upload: Upload) -> Result<Stored, RepositoryError> {
        if let Some(id) = upload.take_resumed() {
            let whole = Whole::of(id, upload).await?;
            let place = place(&self.join(&whole, None).await?)?;
            let (length, sha256) = (whole.length, whole.sha256);
            return Ok(Stored::new(place, whole.content_type, length, sha256));
        }
        let content_type = upload.content_type().clone();
        let mut inflow = Inflow::new(upload);
        let (start, has_more) = inflow.part().await?;
        let check = ready(Ok(()));
        let putting = self.put_apart(start, has_more, &mut inflow, None, check);
        let (name, _) = putting.await?;
        let sha256 = inflow.sha256();
        let sha256 = sha256.ok_or_else(|| RepositoryError::internal("the upload has not ended"))?;
        Ok(Stored::new(
            place(&name)?,
            content_type,
            inflow.length(),
            sha256,
        ))
    }

    async fn get(
        &self,
        place: &Place,
        range: Option<ByteRange>,
    ) -> Result<Content, RepositoryError> {
        let name = name(place)?;
        let content = self.get_apart(&name, Facts::default(), range).await?;
        content.ok_or(RepositoryError::NotFound)
    }

    async fn delete(&self, place: &Place) -> Result<(), RepositoryError> {
        match ContentName::parse(place.as_str()) {
            Some(name) => Ok(self.delete_apart(&name).await?),
            None => Ok(()),
        }
    }

    fn resumable(&self) -> Option<&impl Resumable> {
        Some(self).filter(|store| store.keeps_parts())
    }

    fn list(&self, day: Day) -> impl Stream<Item = Result<Place, RepositoryError>> + Send {
        let listing = self.bucket.list(&day.to_string());
        listing.filter_map(move |object| async move {
            match object {
                Ok(object) => {
                    let name = ContentName::parse(&format!("{day}/{}", object.name))?;
                    Some(place(&name))
                }
                Err(fault) => Some(Err(fault.into())),
            }
        })
    }

    async fn presign(
        &self,
        place: &Place,
        grant: &Grant,
    ) -> Result<Option<PresignedUrl>, RepositoryError> {
        match ContentName::parse(place.as_str()) {
            Some(name) if self.offloads_reads && grant.access() == Access::Read => {
                self.presign_apart(&name, grant).await
            }
            _ => Ok(None),
        }
    }
}
