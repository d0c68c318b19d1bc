//! [`BoxRepository`]: any repository, chosen at run time.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use super::{
    BinaryRepository, ByteRange, Content, Located, Metadata, RepositoryError, Target, Upload,
};
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
    /// Forgets which repository it is.
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
}
