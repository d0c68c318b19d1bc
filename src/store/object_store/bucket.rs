//! A bucket, and the requests that are made to it.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use futures_util::future::ready;
use futures_util::stream::{self, BoxStream, StreamExt as _, TryStreamExt as _};
use object_store::list::{PaginatedListOptions, PaginatedListStore};
use object_store::path::Path;
use object_store::signer::Signer;
use object_store::{
    Error as StoreError, GetOptions, GetRange, GetResult, ObjectMeta, ObjectStore,
    ObjectStoreExt as _, PutMode, PutOptions,
};
use tokio::time::timeout;

use super::error::{Action, Fault, Meaning};
use super::mark::Mark;
use super::presign::SigningProtocol;

/// The time that the store has for an answer unless configured otherwise.
const PATIENCE: Duration = Duration::from_secs(10);

/// The slowest link that content is put over, in bytes a second: the time for a part follows from
/// it, also while others share the link.
const SLOWEST: u64 = 100 * 1024;

/// A bucket of a cloud object store, or a path in one: Amazon S3, Google Cloud Storage, Azure Blob
/// Storage, and whatever else is an [`ObjectStore`] with attributes.
///
/// The stores of the three clouds become one by [`From`]. Stores and signers are those of
/// `object_store` 0.14: the host depends on the same version.
///
/// # How the store's client is set up
///
/// Each request has a deadline here: 10 seconds for an answer's first byte, and a time by its
/// length for content on its way in. The client's own limit of 30 seconds on a whole request is
/// too short for large content on a slow link, and its ten retries in three minutes too many for
/// somebody who waits. So set the client's retries to two and its timeout to some minutes:
///
/// ```
/// use std::time::Duration;
/// use object_store::{ClientOptions, RetryConfig};
///
/// let retry = RetryConfig {
///     max_retries: 2,
///     retry_timeout: Duration::from_secs(10),
///     ..RetryConfig::default()
/// };
/// let options = ClientOptions::new()
///     .with_connect_timeout(Duration::from_secs(3))
///     .with_timeout(Duration::from_secs(15 * 60));
/// // AmazonS3Builder::from_env().with_retry(retry).with_client_options(options)
/// # let _ = (retry, options);
/// ```
///
/// # The rights it needs
///
/// To put, read, delete and list objects. On Amazon S3: `s3:PutObject`, `s3:GetObject`,
/// `s3:DeleteObject` and `s3:AbortMultipartUpload` on the objects, `s3:ListBucket` on the bucket.
/// On Google Cloud Storage: the role `roles/storage.objectUser`. On Azure: the role `Storage Blob
/// Data Contributor`. Without the right to list, S3 says of what is not there that it is
/// forbidden.
#[derive(Clone)]
pub struct Bucket {
    store: Arc<dyn ObjectStore>,
    pages: Option<Arc<dyn PaginatedListStore>>,
    signer: Option<(Arc<dyn Signer>, SigningProtocol)>,
    below: Path,
    patience: Duration,
}

impl Bucket {
    /// A bucket of any store. Those of the clouds know more of themselves: use [`From`] there.
    #[must_use]
    pub fn new(store: Arc<dyn ObjectStore>) -> Self {
        Self {
            store,
            pages: None,
            signer: None,
            below: Path::default(),
            patience: PATIENCE,
        }
    }

    /// Sets what lists a few objects of many: nearly always the same store once more. Without it,
    /// minting a URL takes the names of all versions of the Binary.
    ///
    /// The store must list in the order of names, as the clouds do, except for the directory
    /// buckets of S3 Express.
    #[must_use]
    pub fn with_pages(mut self, pages: Arc<dyn PaginatedListStore>) -> Self {
        self.pages = Some(pages);
        self
    }

    /// Sets what signs the store's own URLs: nearly always the same store once more.
    #[must_use]
    pub fn with_signer(mut self, signer: Arc<dyn Signer>, protocol: SigningProtocol) -> Self {
        self.signer = Some((signer, protocol));
        self
    }

    /// The part of the bucket below a path such as `binaries/test`. Default: all of it.
    #[must_use]
    pub fn below(mut self, path: &str) -> Self {
        self.below = Path::from(path);
        self
    }

    /// The time that the store has for the first byte of an answer; twice as long may it pause in
    /// the middle of content, and in addition to it, content on its way in has a second for each
    /// 100 KiB. After that the store is not available. Default: 10 seconds.
    #[must_use]
    pub fn with_patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    pub(super) fn patience(&self) -> Duration {
        self.patience
    }

    /// The time that content of this length may take on its way in.
    pub(super) fn time_for(&self, length: usize) -> Duration {
        self.patience + Duration::from_secs(length as u64 / SLOWEST)
    }

    pub(super) fn signer(&self) -> Option<(&dyn Signer, SigningProtocol)> {
        let (signer, protocol) = self.signer.as_ref()?;
        Some((signer.as_ref(), *protocol))
    }

    pub(super) fn store(&self) -> &dyn ObjectStore {
        self.store.as_ref()
    }

    /// Names are of characters that need no encoding.
    pub(super) fn path(&self, name: &str) -> Path {
        let parts = self.below.parts().map(|part| part.as_ref().to_owned());
        parts.chain(name.split('/').map(str::to_owned)).collect()
    }

    /// An object without its content; `None` if there seems to be none: see [`Action::Look`].
    pub(super) async fn look(&self, name: &str) -> Result<Option<GetResult>, Fault> {
        let options = GetOptions {
            head: true,
            ..GetOptions::default()
        };
        let path = self.path(name);
        let looking = self.store.get_opts(&path, options);
        found(within(self.patience, Action::Look, looking).await)
    }

    /// An object with its content, or a part of it; `None` if there is none.
    pub(super) async fn get(
        &self,
        name: &str,
        range: Option<GetRange>,
        if_match: Option<String>,
    ) -> Result<Option<GetResult>, Fault> {
        let options = GetOptions {
            range,
            if_match,
            ..GetOptions::default()
        };
        let path = self.path(name);
        let getting = self.store.get_opts(&path, options);
        found(within(self.patience, Action::Get, getting).await)
    }

    pub(super) async fn put(
        &self,
        name: &str,
        content: Bytes,
        content_type: &str,
        mark: &Mark,
        mode: PutMode,
    ) -> Result<(), Fault> {
        let options = PutOptions {
            mode,
            attributes: mark.attributes(content_type),
            ..PutOptions::default()
        };
        let limit = self.time_for(content.len());
        let path = self.path(name);
        let putting = self.store.put_opts(&path, content.into(), options);
        within(limit, Action::Put, putting).await.map(drop)
    }

    /// Removes an object. That it is not there is a success.
    pub(super) async fn delete(&self, name: &str) -> Result<(), Fault> {
        let path = self.path(name);
        match within(self.patience, Action::Delete, self.store.delete(&path)).await {
            Err(fault) if fault.meaning() != Meaning::Absent => Err(fault),
            _ => Ok(()),
        }
    }

    /// Removes objects, of which some may not be there, in as few requests as the store allows.
    pub(super) async fn delete_all(&self, names: Vec<String>) -> Result<(), Fault> {
        let paths: Vec<_> = names.iter().map(|name| Ok(self.path(name))).collect();
        let mut deleting = self.store.delete_stream(stream::iter(paths).boxed());
        loop {
            match timeout(self.patience, deleting.next()).await {
                Ok(None) => return Ok(()),
                Ok(Some(Ok(_) | Err(StoreError::NotFound { .. }))) => {}
                Ok(Some(Err(error))) => return Err(Fault::new(Action::Delete, error)),
                Err(_) => return Err(late(Action::Delete, self.patience)),
            }
        }
    }

    /// The first objects of a folder, in the order of their names.
    pub(super) async fn first(&self, folder: &str, count: usize) -> Result<Vec<Listed>, Fault> {
        let mut objects = if let Some(pages) = &self.pages {
            self.first_pages(pages.as_ref(), folder, count).await?
        } else {
            self.list(folder).try_collect().await?
        };
        objects.sort_unstable_by(|a: &Listed, b| a.name.cmp(&b.name));
        objects.truncate(count);
        Ok(objects)
    }

    async fn first_pages(
        &self,
        pages: &dyn PaginatedListStore,
        folder: &str,
        count: usize,
    ) -> Result<Vec<Listed>, Fault> {
        let path = self.path(folder);
        let prefix = format!("{path}/");
        let mut objects = Vec::new();
        let mut page_token = None;
        // A page may have fewer objects than were asked for, though there are more.
        while objects.len() < count {
            let options = PaginatedListOptions {
                max_keys: Some(count - objects.len()),
                page_token,
                ..PaginatedListOptions::default()
            };
            let listing = pages.list_paginated(Some(&prefix), options);
            let page = within(self.patience, Action::List, listing).await?;
            let listed = page.result.objects.iter();
            objects.extend(listed.filter_map(|object| Listed::new(&path, object)));
            page_token = page.page_token;
            if page_token.is_none() {
                break;
            }
        }
        Ok(objects)
    }

    /// All objects of a folder.
    pub(super) fn list(&self, folder: &str) -> BoxStream<'static, Result<Listed, Fault>> {
        let path = self.path(folder);
        let listing = self.store.list(Some(&path));
        let patience = self.patience;
        let objects = stream::unfold(Some(listing), move |listing| async move {
            let mut listing = listing?;
            match timeout(patience, listing.next()).await {
                Ok(None) => None,
                Ok(Some(Ok(object))) => Some((Ok(object), Some(listing))),
                Ok(Some(Err(error))) => Some((Err(Fault::new(Action::List, error)), None)),
                Err(_) => Some((Err(late(Action::List, patience)), None)),
            }
        });
        objects
            .try_filter_map(move |object| ready(Ok(Listed::new(&path, &object))))
            .boxed()
    }
}

/// An object of a folder.
#[derive(Debug)]
pub(super) struct Listed {
    /// Without the folder.
    pub(super) name: String,
    pub(super) size: u64,
    pub(super) modified: SystemTime,
}

impl Listed {
    fn new(folder: &Path, object: &ObjectMeta) -> Option<Self> {
        let name = object.location.as_ref().strip_prefix(folder.as_ref())?;
        Some(Self {
            name: name.strip_prefix('/')?.to_owned(),
            size: object.size,
            modified: object.last_modified.into(),
        })
    }
}

fn found(result: Result<GetResult, Fault>) -> Result<Option<GetResult>, Fault> {
    match result {
        Ok(object) => Ok(Some(object)),
        Err(fault) if fault.meaning() == Meaning::Absent => Ok(None),
        Err(fault) => Err(fault),
    }
}

fn late(action: Action, limit: Duration) -> Fault {
    Fault::Late { action, limit }
}

/// Gives up a call that takes too long.
pub(super) async fn within<T>(
    limit: Duration,
    action: Action,
    call: impl Future<Output = Result<T, StoreError>>,
) -> Result<T, Fault> {
    match timeout(limit, call).await {
        Ok(result) => result.map_err(|error| Fault::new(action, error)),
        Err(_) => Err(late(action, limit)),
    }
}

/// Names the store, without what it is configured with: credentials may be among that.
impl fmt::Debug for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bucket")
            .field("store", &format_args!("{}", self.store))
            .field("below", &self.below.as_ref())
            .field("pages", &self.pages.is_some())
            .field(
                "signer",
                &self.signer.as_ref().map(|(_, protocol)| protocol),
            )
            .field("patience", &self.patience)
            .finish()
    }
}

#[cfg(feature = "object-store-aws")]
impl From<object_store::aws::AmazonS3> for Bucket {
    fn from(store: object_store::aws::AmazonS3) -> Self {
        let store = Arc::new(store);
        Self::new(store.clone())
            .with_pages(store.clone())
            .with_signer(store, SigningProtocol::S3)
    }
}

#[cfg(feature = "object-store-gcp")]
impl From<object_store::gcp::GoogleCloudStorage> for Bucket {
    fn from(store: object_store::gcp::GoogleCloudStorage) -> Self {
        let store = Arc::new(store);
        Self::new(store.clone())
            .with_pages(store.clone())
            .with_signer(store, SigningProtocol::Gcs)
    }
}

/// Without a signer: see [`SigningProtocol`].
#[cfg(feature = "object-store-azure")]
impl From<object_store::azure::MicrosoftAzure> for Bucket {
    fn from(store: object_store::azure::MicrosoftAzure) -> Self {
        let store = Arc::new(store);
        Self::new(store.clone()).with_pages(store)
    }
}
