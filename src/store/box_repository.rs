//! [`BoxRepository`]: any repository, chosen at run time.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::SystemTime;

use super::{
    Begun, BinaryRepository, ByteRange, Content, Located, Metadata, Part, Progress,
    RepositoryError, Resumable, Target, Upload,
};
use crate::id::UploadId;
use crate::key::BinaryKey;
use crate::url::{Grant, PresignedUrl};

/// Any repository, without a type parameter: for hosts that choose one at run time, and for their
/// handlers and state.
///
/// Clones are the same repository.
///
/// ```
/// use tower_presign::MemoryRepository;
/// use tower_presign::store::BoxRepository;
///
/// #[derive(Clone)]
/// struct AppState {
///     repository: BoxRepository,
/// }
///
/// # async fn example(folder: Option<std::path::PathBuf>) -> std::io::Result<AppState> {
/// let repository = match folder {
///     # #[cfg(feature = "fs")]
///     Some(folder) => BoxRepository::new(tower_presign::FsRepository::open(folder).await?),
///     # #[cfg(not(feature = "fs"))]
///     # Some(_) => unreachable!(),
///     None => BoxRepository::new(MemoryRepository::new()),
/// };
/// Ok(AppState { repository })
/// # }
/// ```
#[derive(Clone)]
pub struct BoxRepository(Arc<dyn Erased>);

impl BoxRepository {
    /// Wraps a repository, whose type is then forgotten.
    pub fn new(repository: impl BinaryRepository) -> Self {
        Self(Arc::new(repository))
    }
}

impl BinaryRepository for BoxRepository {
    async fn locate(&self, target: &Target) -> Result<Located, RepositoryError> {
        self.0.locate(target).await
    }

    fn located(&self, key: &BinaryKey) -> Option<Located> {
        self.0.located(key)
    }

    async fn head(&self, key: &BinaryKey) -> Result<Metadata, RepositoryError> {
        self.0.head(key).await
    }

    async fn read(
        &self,
        key: &BinaryKey,
        range: Option<ByteRange>,
    ) -> Result<Content, RepositoryError> {
        self.0.read(key, range).await
    }

    async fn write(&self, key: &BinaryKey, upload: Upload) -> Result<Metadata, RepositoryError> {
        self.0.write(key, upload).await
    }

    async fn presign(&self, grant: &Grant) -> Result<Option<PresignedUrl>, RepositoryError> {
        self.0.presign(grant).await
    }

    fn resumable(&self) -> Option<&impl Resumable> {
        self.0.resumable().is_some().then_some(self)
    }
}

/// The capability of the wrapped repository. Every method fails if that
/// [cannot](BinaryRepository::resumable) keep such uploads.
impl Resumable for BoxRepository {
    async fn begin(&self, upload: &UploadId, begun: Begun) -> Result<(), RepositoryError> {
        self.capability()?.begin(upload, begun).await
    }

    async fn progress(&self, upload: &UploadId) -> Result<Progress, RepositoryError> {
        self.capability()?.progress(upload).await
    }

    async fn append(&self, upload: &UploadId, part: Part) -> Result<Progress, RepositoryError> {
        self.capability()?.append(upload, part).await
    }

    async fn abandon(&self, upload: &UploadId) -> Result<(), RepositoryError> {
        self.capability()?.abandon(upload).await
    }

    async fn remove_expired(&self, now: SystemTime) -> Result<Vec<UploadId>, RepositoryError> {
        self.capability()?.remove_expired(now).await
    }
}

#[derive(Debug, thiserror::Error)]
#[error("the repository keeps no uploads that come in parts")]
struct NotResumable;

impl BoxRepository {
    fn capability(&self) -> Result<&dyn ErasedResumable, RepositoryError> {
        let capability = self.0.resumable();
        capability.ok_or_else(|| RepositoryError::internal(NotResumable))
    }
}

impl fmt::Debug for BoxRepository {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BoxRepository").finish_non_exhaustive()
    }
}

type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, RepositoryError>> + Send + 'a>>;

/// [`BinaryRepository`] in the form that can be a trait object.
trait Erased: Send + Sync {
    fn locate<'a>(&'a self, target: &'a Target) -> BoxFuture<'a, Located>;
    fn located(&self, key: &BinaryKey) -> Option<Located>;
    fn head<'a>(&'a self, key: &'a BinaryKey) -> BoxFuture<'a, Metadata>;
    fn read<'a>(&'a self, key: &'a BinaryKey, range: Option<ByteRange>) -> BoxFuture<'a, Content>;
    fn write<'a>(&'a self, key: &'a BinaryKey, upload: Upload) -> BoxFuture<'a, Metadata>;
    fn presign<'a>(&'a self, grant: &'a Grant) -> BoxFuture<'a, Option<PresignedUrl>>;
    fn resumable(&self) -> Option<&dyn ErasedResumable>;
}

impl<R: BinaryRepository> Erased for R {
    fn locate<'a>(&'a self, target: &'a Target) -> BoxFuture<'a, Located> {
        Box::pin(BinaryRepository::locate(self, target))
    }

    fn located(&self, key: &BinaryKey) -> Option<Located> {
        BinaryRepository::located(self, key)
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

    fn resumable(&self) -> Option<&dyn ErasedResumable> {
        BinaryRepository::resumable(self).map(|capability| capability as _)
    }
}

/// [`Resumable`] in the form that can be a trait object.
trait ErasedResumable: Send + Sync {
    fn begin<'a>(&'a self, upload: &'a UploadId, begun: Begun) -> BoxFuture<'a, ()>;
    fn progress<'a>(&'a self, upload: &'a UploadId) -> BoxFuture<'a, Progress>;
    fn append<'a>(&'a self, upload: &'a UploadId, part: Part) -> BoxFuture<'a, Progress>;
    fn abandon<'a>(&'a self, upload: &'a UploadId) -> BoxFuture<'a, ()>;
    fn remove_expired(&self, now: SystemTime) -> BoxFuture<'_, Vec<UploadId>>;
}

impl<R: Resumable> ErasedResumable for R {
    fn begin<'a>(&'a self, upload: &'a UploadId, begun: Begun) -> BoxFuture<'a, ()> {
        Box::pin(Resumable::begin(self, upload, begun))
    }

    fn progress<'a>(&'a self, upload: &'a UploadId) -> BoxFuture<'a, Progress> {
        Box::pin(Resumable::progress(self, upload))
    }

    fn append<'a>(&'a self, upload: &'a UploadId, part: Part) -> BoxFuture<'a, Progress> {
        Box::pin(Resumable::append(self, upload, part))
    }

    fn abandon<'a>(&'a self, upload: &'a UploadId) -> BoxFuture<'a, ()> {
        Box::pin(Resumable::abandon(self, upload))
    }

    fn remove_expired(&self, now: SystemTime) -> BoxFuture<'_, Vec<UploadId>> {
        Box::pin(Resumable::remove_expired(self, now))
    }
}
