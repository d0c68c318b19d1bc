//! [`Composed`]: a host's records and a store's bytes as one repository.

use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use futures_core::Stream as _;

use super::upload::{Arrived, ReadStored};
use super::{
    BinaryRepository, ByteRange, Catalog, Content, ContentStore, Day, Entry, Located, Metadata,
    Place, RepositoryError, Resumable, Stored, Target, Upload,
};
use crate::key::BinaryKey;
use crate::url::{Access, Grant, PresignedUrl};

/// The age up to which the sweep leaves content alone: its upload may be between the bytes and the
/// record.
const GRACE: Duration = Duration::from_secs(24 * 60 * 60);

/// The longest time between the bytes of an upload and its record.
#[cfg(any(feature = "fs", feature = "object-store"))]
const PUBLISHED_WITHIN: Duration = Duration::from_secs(60 * 60);

/// True if content at a place, which begins with its day, may still get a record: the sweep does
/// not take it before that.
#[cfg(any(feature = "fs", feature = "object-store"))]
pub(super) fn may_be_published(place: &str) -> bool {
    let oldest = SystemTime::now().checked_sub(GRACE.saturating_sub(PUBLISHED_WITHIN));
    let oldest = Day::of(oldest.unwrap_or(SystemTime::UNIX_EPOCH)).to_string();
    place >= oldest.as_str()
}

/// The number of places about which the catalog is asked at once.
const BATCH: usize = 1000;

/// A [`Catalog`] and a [`ContentStore`] as one repository.
///
/// An `Arc<Composed<…>>` is a repository too: give one to the layer, and keep another for
/// [`discard`](Self::discard) and [`sweep`](Self::sweep).
///
/// # The steps
///
/// - **Mint**: one question to the catalog, [`locate`](Catalog::locate). If the place of the
///   content is in its answer ([`Located::with_place`]), the store is asked for a URL of its own.
/// - **Upload**: the bytes first, whole and durable, in a place that no other content ever had;
///   then the policy may look at them ([`AccessPolicy::accept`](crate::AccessPolicy::accept)); then
///   [`publish`](Catalog::publish) makes them visible. A client that
///   [waits](Upload::expects_continue) for permission to send is refused before that if the version
///   has content.
/// - **Download**: with a place in the URL, from the store at once, and the catalog is asked only
///   if nothing is there; otherwise [`find`](Catalog::find), then the store. The facts that the
///   catalog has recorded are served. A length or SHA-256 of the store's that differs from the
///   recorded one is an error.
/// - **Delete**: the host's own transaction, and then [`discard`](Self::discard).
///
/// # After a crash
///
/// The end of the process between the bytes and the record, or between the transaction that deletes
/// a record and `discard`, leaves bytes to which nothing refers. So does an error of `publish`
/// after which the record may be there all the same. After [`AlreadyWritten`], [`NotFound`],
/// [`Deleted`] and [`NotReady`] it is not there, and the bytes are removed at once. The
/// [`sweep`](Self::sweep) removes all bytes to which nothing refers. There never is a record
/// without bytes.
///
/// [`AlreadyWritten`]: RepositoryError::AlreadyWritten
/// [`NotFound`]: RepositoryError::NotFound
/// [`Deleted`]: RepositoryError::Deleted
/// [`NotReady`]: RepositoryError::NotReady
#[derive(Clone)]
pub struct Composed<C, S> {
    catalog: C,
    store: S,
    clock: Arc<dyn Fn() -> SystemTime + Send + Sync>,
}

/// The catalog and the store do not agree about some content.
#[derive(Debug, thiserror::Error)]
enum Disagreement {
    #[error(
        "the catalog refers to {place}, where the store has nothing: the content is lost, or was \
        discarded before its record"
    )]
    Lost { place: String },
    #[error(
        "the catalog has recorded {recorded} bytes at {place}, where the store has {stored}: the \
        record or the content is damaged"
    )]
    Length {
        place: String,
        recorded: u64,
        stored: u64,
    },
    #[error(
        "the catalog has recorded another SHA-256 for {place} than the store has: the record or \
        the content is damaged"
    )]
    Digest { place: String },
}

impl From<Disagreement> for RepositoryError {
    fn from(disagreement: Disagreement) -> Self {
        Self::internal(disagreement)
    }
}

/// The result of a [`sweep`](Composed::sweep).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Swept {
    /// The places that were looked at.
    pub listed: u64,
    /// Those to which nothing referred, and which are free now.
    pub deleted: u64,
}

impl<C: Catalog, S: ContentStore> Composed<C, S> {
    /// A repository of the host's records and the store's bytes.
    #[must_use]
    pub fn new(catalog: C, store: S) -> Self {
        Self {
            catalog,
            store,
            clock: Arc::new(SystemTime::now),
        }
    }

    /// The clock by which the [`sweep`](Self::sweep) keeps its grace. Default: the system's.
    #[must_use]
    pub fn clock(mut self, clock: impl Fn() -> SystemTime + Send + Sync + 'static) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// The host's records.
    #[must_use]
    pub fn catalog(&self) -> &C {
        &self.catalog
    }

    /// The store.
    #[must_use]
    pub fn store(&self) -> &S {
        &self.store
    }

    /// Removes content to which nothing refers any more: to be called once the transaction that
    /// deleted its record is done. A place without content is no error.
    ///
    /// # Errors
    ///
    /// Any error that the store reports. The content is then left to a [`sweep`](Self::sweep) that
    /// looks at the day on which the content was made.
    pub async fn discard(&self, place: &Place) -> Result<(), RepositoryError> {
        self.store.delete(place).await
    }

    /// Removes the content to which no version refers, of all days from the one of `since` up to
    /// the day before yesterday: content younger than a day may belong to an upload on its way.
    ///
    /// So its cost grows with the uploads since then, and not with all that is stored. A host runs
    /// it once a day, with the moment of the last run that succeeded less two days. Any number of
    /// servers may do so at once. The very first run is one since
    /// [`UNIX_EPOCH`](SystemTime::UNIX_EPOCH), which asks the store about each day since then: some
    /// 20,000 short questions. Only such a run finds older content whose [`discard`](Self::discard)
    /// failed, of a host that keeps no list of what it has deleted.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use std::time::{Duration, SystemTime};
    /// use tower_presign::{Catalog, Composed, ContentStore};
    /// # struct LastSweep; // a row in the host's database
    /// # impl LastSweep {
    /// #     async fn get(&self) -> Option<SystemTime> { None }
    /// #     async fn set(&self, _: SystemTime) {}
    /// # }
    ///
    /// const DAY: Duration = Duration::from_secs(24 * 60 * 60);
    ///
    /// async fn sweep_daily(repository: Arc<Composed<impl Catalog, impl ContentStore>>, last: LastSweep) {
    ///     loop {
    ///         let begun = SystemTime::now();
    ///         let since = last.get().await.map(|last| last - 2 * DAY);
    ///         match repository.sweep(since.unwrap_or(SystemTime::UNIX_EPOCH)).await {
    ///             Ok(_) => last.set(begun).await,
    ///             Err(error) => eprintln!("{error}"), // tomorrow's begins where this one did
    ///         }
    ///         tokio::time::sleep(DAY).await;
    ///     }
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// Any error that the catalog or the store reports; the sweep ends there, and can be repeated.
    pub async fn sweep(&self, since: SystemTime) -> Result<Swept, RepositoryError> {
        let mut swept = Swept::default();
        let spared = (self.clock)().checked_sub(GRACE);
        // The last moment of a day before this one is a whole grace ago.
        let spared = Day::of(spared.unwrap_or(SystemTime::UNIX_EPOCH));
        let mut day = Day::of(since);
        while day < spared {
            let mut places = pin!(self.store.list(day));
            let mut batch = Vec::new();
            while let Some(place) = poll_fn(|cx| places.as_mut().poll_next(cx)).await {
                batch.push(place?);
                if batch.len() == BATCH {
                    self.sweep_batch(&batch, &mut swept).await?;
                    batch.clear();
                }
            }
            if !batch.is_empty() {
                self.sweep_batch(&batch, &mut swept).await?;
            }
            day = day.next();
        }
        Ok(swept)
    }

    async fn sweep_batch(
        &self,
        places: &[Place],
        swept: &mut Swept,
    ) -> Result<(), RepositoryError> {
        swept.listed += places.len() as u64;
        for place in self.catalog.unreferenced(places).await? {
            self.store.delete(&place).await?;
            swept.deleted += 1;
        }
        Ok(())
    }

    async fn publish(
        &self,
        key: &BinaryKey,
        stored: &Stored,
        is_resumed: bool,
    ) -> Result<Metadata, RepositoryError> {
        let published = self.catalog.publish(key, stored).await;
        // The bytes of a resumable upload have one place, and it may have been published before.
        if let Err(RepositoryError::AlreadyWritten) = published
            && is_resumed
            && let Ok(entry) = self.catalog.find(key).await
            && entry.place == stored.place
        {
            return Ok(entry.metadata);
        }
        // After any other error the record may be there all the same.
        if let Err(
            RepositoryError::AlreadyWritten
            | RepositoryError::NotFound
            | RepositoryError::Deleted
            | RepositoryError::NotReady,
        ) = published
        {
            // Bytes that cannot be removed now are left to the sweep.
            drop(self.store.delete(&stored.place).await);
        }
        published
    }
}

impl<C: Catalog, S: ContentStore> BinaryRepository for Composed<C, S> {
    async fn locate(&self, target: &Target) -> Result<Located, RepositoryError> {
        self.catalog.locate(target).await
    }

    fn located(&self, key: &BinaryKey) -> Option<Located> {
        self.catalog.located(key)
    }

    async fn head(&self, key: &BinaryKey) -> Result<Metadata, RepositoryError> {
        Ok(self.catalog.find(key).await?.metadata)
    }

    async fn read(
        &self,
        key: &BinaryKey,
        range: Option<ByteRange>,
    ) -> Result<Content, RepositoryError> {
        if let Some(place) = key.place() {
            match self.store.get(place, range).await {
                Err(RepositoryError::NotFound) => {}
                read => return read,
            }
        }
        let mut entry = self.catalog.find(key).await?;
        loop {
            // The catalog's length decides what a range selects.
            if let Some(range) = range {
                range.resolve(entry.metadata.length)?;
            }
            match self.store.get(&entry.place, range).await {
                Err(RepositoryError::NotFound) => {
                    // Deleted meanwhile, or moved: the catalog knows.
                    let now = self.catalog.find(key).await?;
                    if now.place == entry.place {
                        let place = entry.place.as_str().to_owned();
                        return Err(Disagreement::Lost { place }.into());
                    }
                    entry = now;
                }
                read => return as_recorded(entry, read),
            }
        }
    }

    async fn write(
        &self,
        key: &BinaryKey,
        mut upload: Upload,
    ) -> Result<Metadata, RepositoryError> {
        if upload.expects_continue() {
            match self.catalog.find(key).await {
                Ok(_) | Err(RepositoryError::NotReady) => {
                    return Err(RepositoryError::AlreadyWritten);
                }
                Err(RepositoryError::NotFound) => {}
                Err(error) => return Err(error),
            }
        }
        let is_resumed = upload.is_resumed();
        let acceptance = upload.take_acceptance();
        let stored = self.store.put(upload).await?;
        if let Some(acceptance) = acceptance {
            let unpublished = Unpublished {
                store: &self.store,
                place: &stored.place,
            };
            let arrived = Arrived {
                length: stored.length,
                sha256: stored.sha256,
                stored: Some(&unpublished),
            };
            if let Err(error) = acceptance(arrived).await {
                // Parts are not sent a second time, so the policy may be asked again about these
                // bytes. If the policy never accepts them, or if they cannot be removed now, the
                // sweep removes them.
                if !is_resumed {
                    drop(self.store.delete(&stored.place).await);
                }
                return Err(error.into());
            }
        }
        self.publish(key, &stored, is_resumed).await
    }

    async fn presign(&self, grant: &Grant) -> Result<Option<PresignedUrl>, RepositoryError> {
        // Without a place the catalog would be asked a second time, and a URL of the store's own to
        // write could not publish.
        match (grant.access(), grant.key.place()) {
            (Access::Read, Some(place)) => self.store.presign(place, grant).await,
            _ => Ok(None),
        }
    }

    fn resumable(&self) -> Option<&impl Resumable> {
        self.store.resumable()
    }
}

/// Content of an upload that may still be refused.
struct Unpublished<'a, S> {
    store: &'a S,
    place: &'a Place,
}

impl<S: ContentStore> ReadStored for Unpublished<'_, S> {
    fn read(
        &self,
        range: Option<ByteRange>,
    ) -> Pin<Box<dyn Future<Output = Result<Content, RepositoryError>> + Send + '_>> {
        Box::pin(self.store.get(self.place, range))
    }
}

/// The content in the store, with the facts that the catalog has recorded.
fn as_recorded(
    entry: Entry,
    read: Result<Content, RepositoryError>,
) -> Result<Content, RepositoryError> {
    let Entry { place, metadata } = entry;
    let (place, recorded) = (|| place.as_str().to_owned(), metadata.length);
    let other_length = |stored| Disagreement::Length {
        place: place(),
        recorded,
        stored,
    };
    let mut content = match read {
        Err(RepositoryError::RangeNotSatisfiable { length }) => {
            return Err(other_length(length).into());
        }
        read => read?,
    };
    let stored = &content.metadata;
    if stored.length != recorded {
        return Err(other_length(stored.length).into());
    }
    if let (Some(stored), Some(recorded)) = (stored.sha256, metadata.sha256)
        && stored != recorded
    {
        return Err(Disagreement::Digest { place: place() }.into());
    }
    content.metadata = metadata;
    Ok(content)
}

impl<C: fmt::Debug, S: fmt::Debug> fmt::Debug for Composed<C, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Composed")
            .field("catalog", &self.catalog)
            .field("store", &self.store)
            .finish_non_exhaustive()
    }
}
