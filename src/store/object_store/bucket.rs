//! A bucket, and the clients that make its requests.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use object_store::list::PaginatedListStore;
use object_store::multipart::MultipartStore;
use object_store::path::Path;
use object_store::signer::Signer;
use object_store::{BackoffConfig, Error as StoreError, ObjectStore, RetryConfig};
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
use tokio::time::Instant;

use super::error::{Fault, Meaning};
use super::patience::Pulse;
use super::presign::SigningProtocol;

/// The time that the store has for an answer unless configured otherwise.
const PATIENCE: Duration = Duration::from_secs(10);

/// The most content that may be on its way to the store at once, in mebibytes.
const ROOM: usize = 80;

/// The least time between two renewals of the client. No renewal brings a right that is missing.
const RENEWAL: Duration = Duration::from_secs(30);

/// A bucket of a cloud object store, or a path in one: Amazon S3, Google Cloud Storage, Azure Blob
/// Storage, or any other [`ObjectStore`] with attributes.
///
/// The stores of the three clouds become one by [`From`]. Stores and signers are those of
/// `object_store` 0.14: the host depends on the same version.
///
/// # Setting up the store's client
///
/// By itself, the client gives a request 30 seconds in all, which cuts large content on a slow
/// link. It tries ten times in three minutes, which is too long for somebody who waits. So give it
/// a [`Connector`](struct.Connector.html) and [`Bucket::retry_config`]. If the credentials of the store
/// change, make the bucket [`renewable`](Self::renewable):
///
#[cfg_attr(feature = "object-store-aws", doc = "```no_run")]
#[cfg_attr(not(feature = "object-store-aws"), doc = "```ignore")]
/// use object_store::aws::{AmazonS3Builder, Checksum};
/// use tower_presign::store::{Bucket, Connector};
///
/// let bucket = Bucket::renewable(|| {
///     let store = AmazonS3Builder::from_env()
///         .with_bucket_name("binaries")
///         .with_http_connector(Connector::new())
///         .with_retry(Bucket::retry_config())
///         // S3 compares it with what arrives; other stores may not know it.
///         .with_checksum_algorithm(Checksum::SHA256)
///         .build()?;
///     Ok(store.into())
/// })?;
/// # Ok::<(), object_store::Error>(())
/// ```
///
/// Every request is then given up after ten seconds without an answer, and is tried three times at
/// most. Content that arrives or leaves slowly takes as long as it takes. A download that the store
/// breaks off is continued with the rest of the very same object. An upload is given up when the
/// store, asked in between, no longer answers anything.
///
/// # The rights it needs
///
/// The rights to put, read, delete and list objects, and to abort an upload in parts. `open` of a
/// repository tries each and names the one that is missing. Without the right to list, S3
/// answers that a missing object is forbidden.
///
/// **Amazon S3**, as a policy of the server's role:
///
/// ```json
/// {
///   "Version": "2012-10-17",
///   "Statement": [
///     {
///       "Effect": "Allow",
///       "Action": ["s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload"],
///       "Resource": "arn:aws:s3:::binaries/*"
///     },
///     {
///       "Effect": "Allow",
///       "Action": "s3:ListBucket",
///       "Resource": "arn:aws:s3:::binaries"
///     }
///   ]
/// }
/// ```
///
/// **Google Cloud Storage**: a role of the server's own, or `roles/storage.objectUser`.
///
/// ```text
/// gcloud iam roles create binaries --project=PROJECT --permissions=\
/// storage.objects.create,storage.objects.get,storage.objects.delete,storage.objects.list,\
/// storage.multipartUploads.create,storage.multipartUploads.abort
/// gcloud storage buckets add-iam-policy-binding gs://binaries \
///   --member=serviceAccount:SERVER --role=projects/PROJECT/roles/binaries
/// ```
///
/// **Azure**: the role `Storage Blob Data Contributor`, of the container alone.
///
/// ```text
/// az role assignment create --role "Storage Blob Data Contributor" --assignee SERVER --scope \
/// /subscriptions/S/resourceGroups/G/providers/Microsoft.Storage/storageAccounts/A/blobServices/default/containers/binaries
/// ```
#[derive(Clone)]
pub struct Bucket {
    client: Arc<Client>,
    renewal: Option<Arc<Renewal>>,
    below: Path,
    patience: Duration,
    pulse: Arc<Pulse>,
    /// The mebibytes that may be on their way.
    traffic: Arc<Semaphore>,
}

/// The clients that make the requests.
#[derive(Clone)]
pub(super) struct Client {
    pub(super) store: Arc<dyn ObjectStore>,
    pub(super) pages: Option<Arc<dyn PaginatedListStore>>,
    pub(super) multipart: Option<Arc<dyn MultipartStore>>,
    pub(super) signer: Option<(Arc<dyn Signer>, SigningProtocol)>,
}

struct Renewal {
    open: Box<dyn Fn() -> Result<Bucket, StoreError> + Send + Sync>,
    newest: ArcSwapOption<Client>,
    last: Mutex<Option<Instant>>,
}

impl Bucket {
    /// The bytes of a permit of [`traffic`](Self::traffic).
    pub(super) const ROOM_UNIT: usize = 1024 * 1024;

    /// A bucket of any store. For that of a cloud use [`From`], which also sets pages and parts.
    #[must_use]
    pub fn new(store: Arc<dyn ObjectStore>) -> Self {
        Self {
            client: Arc::new(Client {
                store,
                pages: None,
                multipart: None,
                signer: None,
            }),
            renewal: None,
            below: Path::default(),
            patience: PATIENCE,
            pulse: Arc::new(Pulse::new()),
            traffic: Arc::new(Semaphore::new(ROOM)),
        }
    }

    /// A bucket that is opened again when the store refuses its credentials: they may have been
    /// replaced before their time. The request is then repeated, once. The bucket is opened every
    /// 30 seconds at most. `open` runs on a thread where it may wait for a disk.
    ///
    /// # Errors
    ///
    /// The error of `open`.
    pub fn renewable(
        open: impl Fn() -> Result<Self, StoreError> + Send + Sync + 'static,
    ) -> Result<Self, StoreError> {
        let first = open()?;
        Ok(Self {
            renewal: Some(Arc::new(Renewal {
                open: Box::new(open),
                newest: ArcSwapOption::empty(),
                last: Mutex::new(None),
            })),
            ..first
        })
    }

    /// The retries of a store's client: two, within ten seconds. Its `with_retry` takes them.
    #[must_use]
    pub fn retry_config() -> RetryConfig {
        RetryConfig {
            max_retries: 2,
            retry_timeout: PATIENCE,
            backoff: BackoffConfig {
                max_backoff: Duration::from_secs(1),
                ..BackoffConfig::default()
            },
        }
    }

    /// Sets the client that lists a few objects of many: nearly always the same store once more.
    /// Without it, minting a URL lists the names of all versions of the Binary.
    ///
    /// The store must list in the order of names, as the clouds do, except for the directory
    /// buckets of S3 Express.
    #[must_use]
    pub fn with_pages(mut self, pages: Arc<dyn PaginatedListStore>) -> Self {
        Arc::make_mut(&mut self.client).pages = Some(pages);
        self
    }

    /// Sets the client that keeps the parts of uploads that come over hours: nearly always the same
    /// store once more. Without it, the bucket keeps no [resumable](crate::store::Resumable)
    /// uploads.
    ///
    /// The store must replace an object only if it is still the same (`If-Match`), as the clouds do.
    #[must_use]
    pub fn with_multipart(mut self, multipart: Arc<dyn MultipartStore>) -> Self {
        Arc::make_mut(&mut self.client).multipart = Some(multipart);
        self
    }

    /// Sets the signer of the store's own URLs: nearly always the same store once more.
    #[must_use]
    pub fn with_signer(mut self, signer: Arc<dyn Signer>, protocol: SigningProtocol) -> Self {
        Arc::make_mut(&mut self.client).signer = Some((signer, protocol));
        self
    }

    /// The part of the bucket below a path such as `binaries/test`. Default: all of it.
    #[must_use]
    pub fn below(mut self, path: &str) -> Self {
        self.below = Path::from(path);
        self
    }

    /// The time that the store has for the first byte of an answer, and for a pause in the middle
    /// of one. When half of it has passed in such a pause, the rest is asked for anew. Content on
    /// its way in has a second more for each 100 KiB, as long as the store answers other requests
    /// in this time. After that the store is not available. Default: 10 seconds.
    #[must_use]
    pub fn with_patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    pub(super) fn patience(&self) -> Duration {
        self.patience
    }

    pub(super) fn pulse(&self) -> &Pulse {
        &self.pulse
    }

    pub(super) fn traffic(&self) -> &Arc<Semaphore> {
        &self.traffic
    }

    /// The clients that make the requests now.
    pub(super) fn client(&self) -> Arc<Client> {
        let newest = self.renewal.as_ref().and_then(|it| it.newest.load_full());
        newest.unwrap_or_else(|| Arc::clone(&self.client))
    }

    /// True if there is another client than the one whose credentials the store refused.
    pub(super) async fn is_renewed(&self, used: &Arc<Client>, fault: &Fault) -> bool {
        let (Some(renewal), Meaning::Denied(_)) = (&self.renewal, fault.meaning()) else {
            return false;
        };
        if !Arc::ptr_eq(used, &self.client()) {
            return true;
        }
        if !renewal.is_due() {
            return false;
        }
        let opening = Arc::clone(renewal);
        match spawn_blocking(move || (opening.open)()).await {
            Ok(Ok(bucket)) => {
                renewal.newest.store(Some(bucket.client));
                true
            }
            _ => false,
        }
    }

    /// Names are of characters that need no encoding.
    pub(super) fn path(&self, name: &str) -> Path {
        let parts = self.below.parts().map(|part| part.as_ref().to_owned());
        parts.chain(name.split('/').map(str::to_owned)).collect()
    }
}

impl Renewal {
    fn is_due(&self) -> bool {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let is_due = last.is_none_or(|last| last.elapsed() >= RENEWAL);
        if is_due {
            *last = Some(Instant::now());
        }
        is_due
    }
}

/// Names the store, without its configuration: credentials may be among that.
impl fmt::Debug for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bucket")
            .field("store", &format_args!("{}", self.client.store))
            .field("below", &self.below.as_ref())
            .field("pages", &self.client.pages.is_some())
            .field("multipart", &self.client.multipart.is_some())
            .field(
                "signer",
                &self.client.signer.as_ref().map(|(_, protocol)| protocol),
            )
            .field("patience", &self.patience)
            .finish_non_exhaustive()
    }
}

#[cfg(feature = "object-store-aws")]
impl From<object_store::aws::AmazonS3> for Bucket {
    fn from(store: object_store::aws::AmazonS3) -> Self {
        let store = Arc::new(store);
        Self::new(store.clone())
            .with_pages(store.clone())
            .with_multipart(store.clone())
            .with_signer(store, SigningProtocol::S3)
    }
}

#[cfg(feature = "object-store-gcp")]
impl From<object_store::gcp::GoogleCloudStorage> for Bucket {
    fn from(store: object_store::gcp::GoogleCloudStorage) -> Self {
        let store = Arc::new(store);
        Self::new(store.clone())
            .with_pages(store.clone())
            .with_multipart(store.clone())
            .with_signer(store, SigningProtocol::Gcs)
    }
}

/// Without a signer: see [`SigningProtocol`].
#[cfg(feature = "object-store-azure")]
impl From<object_store::azure::MicrosoftAzure> for Bucket {
    fn from(store: object_store::azure::MicrosoftAzure) -> Self {
        let store = Arc::new(store);
        Self::new(store.clone())
            .with_pages(store.clone())
            .with_multipart(store)
    }
}
