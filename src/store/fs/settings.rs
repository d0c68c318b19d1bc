//! The settings that a repository and a store in a folder share.

use super::repository::FsRepository;
use super::store::FsStore;

macro_rules! settings {
    ($($owner:ident)*) => {$(
        impl $owner {
            /// Waits until data has reached the disk before an upload is reported as stored.
            /// Default: yes. Without it, a power failure may lose recent uploads, or damage them,
            /// unnoticed if the length stays. The end of the process alone does neither.
            #[must_use]
            pub fn fsync(mut self, fsync: bool) -> Self {
                self.folder.fsync = fsync;
                self
            }

            /// The bytes on the disk that uploads may take, all together, before they are whole.
            /// Default: no limit.
            ///
            /// An upload that would take more ends as
            /// [`Unavailable`](crate::store::RepositoryError::Unavailable), which clients are to
            /// repeat. So holders of write URLs cannot fill more of the disk with uploads that they
            /// never end. All uploads that run at once must find room: set it to several times the
            /// longest upload.
            #[must_use]
            pub fn staging_budget(mut self, bytes: u64) -> Self {
                self.folder.budget.limit = bytes;
                self
            }

            /// The memory in which contents of up to 16 KiB are kept once they have been read, in
            /// bytes, with about 1 KiB for each of them beside its own. Default: 32 MiB; 0 keeps
            /// none. Reading one of them again asks the system nothing.
            #[must_use]
            pub fn content_cache(self, bytes: usize) -> Self {
                self.folder.kept.limit_memory(bytes);
                self
            }

            /// The most files that stay open once they have been read. Default: a quarter of those
            /// that the process may have open when this is (`ulimit -n`), and at most 4,096; 0
            /// keeps none. Each takes about 1 KiB of memory. Only on Linux are any kept.
            #[must_use]
            pub fn max_open_files(self, files: usize) -> Self {
                self.folder.kept.limit_open_files(files);
                self
            }
        }
    )*};
}

settings!(FsRepository FsStore);
