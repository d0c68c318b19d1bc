//! Content in a folder of the local disk.

mod binaries;
mod budget;
mod cached;
mod chunk;
mod content_file;
mod entries;
mod error;
mod folder;
mod kept_files;
mod known_binaries;
mod paths;
mod repository;
mod resumable;
mod settings;
mod staged_file;
mod store;
mod unfinished;

use std::io;

use tokio::runtime::Handle;
use tokio::task::spawn_blocking;

pub use repository::FsRepository;
pub use store::FsStore;

/// Runs `work` where blocking is allowed.
async fn blocking<T, E>(work: impl FnOnce() -> Result<T, E> + Send + 'static) -> Result<T, E>
where
    T: Send + 'static,
    E: From<io::Error> + Send + 'static,
{
    match spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => Err(io::Error::other(error).into()),
    }
}

/// Drops a value that takes long to drop, where blocking is allowed. Outside of a runtime that is
/// everywhere.
fn drop_elsewhere<T: Send + 'static>(value: T) {
    if let Ok(runtime) = Handle::try_current() {
        runtime.spawn_blocking(move || drop(value));
    }
}
