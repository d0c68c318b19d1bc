//! The repositories of this crate: what each promises beyond the contract.

use bytes::Bytes;
use futures_util::stream;
use tower_presign::store::{ByteRange, Content, RepositoryError, Upload};
use tower_presign::{
    Access, BinaryId, BinaryKey, BinaryRepository, ContentType, MemoryRepository, Target,
};

fn text_plain() -> ContentType {
    ContentType::new("text/plain; charset=utf-8").unwrap()
}

fn upload(content: &'static str) -> Upload {
    Upload::new(text_plain(), stream::iter([Ok(Bytes::from(content))]))
}

/// A deleted Binary is gone in every respect, which is told apart from never having been.
async fn assert_deleted(repository: &impl BinaryRepository, key: &BinaryKey) {
    for access in [Access::Read, Access::Write] {
        let located = repository.locate(&Target::new(key.id(), access)).await;
        assert!(matches!(located, Err(RepositoryError::Deleted)));
    }
    let head = repository.head(key).await;
    assert!(matches!(head, Err(RepositoryError::Deleted)));
    let read = repository.read(key, None).await;
    assert!(matches!(read, Err(RepositoryError::Deleted)));
    let written = repository.write(key, upload("again")).await;
    assert!(matches!(written, Err(RepositoryError::Deleted)));
}

#[tokio::test]
async fn memory_deletes_for_good() {
    let repository = MemoryRepository::new();
    let id = BinaryId::random();
    let key = repository.create(id, text_plain()).unwrap();
    repository.write(&key, upload("content")).await.unwrap();
    let again = repository.create(id, text_plain());
    assert!(matches!(again, Err(RepositoryError::AlreadyWritten)));

    repository.delete(id).unwrap();
    assert_deleted(&repository, &key).await;
    let again = repository.create(id, text_plain());
    assert!(matches!(again, Err(RepositoryError::Deleted)));
    let never_was = repository.delete(BinaryId::random());
    assert!(matches!(never_was, Err(RepositoryError::NotFound)));
}

mod fs {
    use std::io::ErrorKind;
    use std::path::Path;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use tempfile::TempDir;
    use tower_presign::FsRepository;

    async fn open() -> (TempDir, FsRepository) {
        let folder = tempfile::tempdir().unwrap();
        let repository = FsRepository::open(folder.path()).await.unwrap();
        (folder, repository)
    }

    fn entries(folder: &Path) -> usize {
        std::fs::read_dir(folder).unwrap().count()
    }

    async fn read(repository: &FsRepository, key: &BinaryKey) -> Vec<u8> {
        collect(repository.read(key, None).await.unwrap()).await
    }

    async fn collect(mut content: Content) -> Vec<u8> {
        let mut bytes = Vec::new();
        while let Some(chunk) = content.next().await {
            bytes.extend_from_slice(&chunk.unwrap());
        }
        bytes
    }

    #[tokio::test]
    async fn fs_deletes_for_good() {
        let (folder, repository) = open().await;
        let id = BinaryId::random();
        let key = repository.create(id, text_plain()).await.unwrap();
        repository.write(&key, upload("content")).await.unwrap();
        let again = repository.create(id, text_plain()).await;
        assert!(matches!(again, Err(RepositoryError::AlreadyWritten)));

        repository.delete(id).await.unwrap();
        assert_deleted(&repository, &key).await;
        let again = repository.create(id, text_plain()).await;
        assert!(matches!(again, Err(RepositoryError::Deleted)));
        for place in ["binaries", "deleting", "staging"] {
            assert_eq!(
                entries(&folder.path().join(place)),
                0,
                "no content may be left"
            );
        }

        repository
            .delete(id)
            .await
            .expect("twice is as good as once");
        let never_was = repository.delete(BinaryId::random()).await;
        assert!(matches!(never_was, Err(RepositoryError::NotFound)));
    }

    /// Content that is on its way is taken until it is first stored, and not all of it.
    #[tokio::test]
    async fn content_that_cannot_be_stored_is_refused_before_much_of_it_has_been_taken() {
        const MEGABYTE: usize = 1024 * 1024;
        let (folder, repository) = open().await;
        let id = BinaryId::random();
        let key = repository.create(id, text_plain()).await.unwrap();
        repository.write(&key, upload("content")).await.unwrap();
        let taken = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&taken);
        let endless = stream::repeat_with(move || {
            counter.fetch_add(MEGABYTE / 16, Ordering::Relaxed);
            Ok(Bytes::from(vec![0; MEGABYTE / 16]))
        });
        let endless = Upload::new(text_plain(), endless).with_expects_continue(false);
        let written = repository.write(&key, endless).await;
        assert!(matches!(written, Err(RepositoryError::AlreadyWritten)));
        assert_eq!(taken.load(Ordering::Relaxed), MEGABYTE / 4);
        assert_eq!(entries(&folder.path().join("staging")), 0);
        assert_eq!(read(&repository, &key).await, b"content");
    }

    /// As after the end of the process between the steps of deleting.
    #[tokio::test]
    async fn a_deletion_that_was_cut_short_is_finished() {
        for has_tombstone in [false, true] {
            let (folder, repository) = open().await;
            let id = BinaryId::new("Scan").unwrap();
            let key = repository.create(id, text_plain()).await.unwrap();
            repository.write(&key, upload("content")).await.unwrap();
            let path = |name: &str| folder.path().join(name);
            std::fs::rename(path("binaries/_scan"), path("deleting/_scan")).unwrap();
            if has_tombstone {
                std::fs::rename(path("deleting/_scan/binary"), path("deleted/_scan")).unwrap();
            }
            assert_deleted(&repository, &key).await;
            let again = repository.create(id, text_plain()).await;
            assert!(matches!(again, Err(RepositoryError::Deleted)));

            let repository = if has_tombstone {
                repository.delete(id).await.unwrap();
                repository
            } else {
                drop(repository);
                FsRepository::open(folder.path()).await.unwrap()
            };
            assert_deleted(&repository, &key).await;
            assert_eq!(entries(&path("deleting")), 0, "no content may be left");
            assert_eq!(entries(&path("deleted")), 1);
        }
    }

    #[tokio::test]
    async fn content_survives_the_process_and_leftovers_do_not() {
        let (folder, repository) = open().await;
        let key = repository.create(BinaryId::random(), text_plain());
        let key = key.await.unwrap();
        repository.write(&key, upload("content")).await.unwrap();
        let written = repository.head(&key).await.unwrap();
        drop(repository);
        let staging = folder.path().join("staging");
        std::fs::write(staging.join("0123456789abcdef0123456789abcdef"), "conte").unwrap();
        std::fs::create_dir(staging.join("fedcba9876543210fedcba9876543210")).unwrap();

        let repository = FsRepository::open(folder.path()).await.unwrap();
        assert_eq!(repository.head(&key).await.unwrap(), written);
        assert_eq!(read(&repository, &key).await, b"content");
        assert_eq!(entries(&staging), 0);
    }

    #[tokio::test]
    async fn two_processes_cannot_share_a_folder() {
        let (folder, repository) = open().await;
        let second = FsRepository::open(folder.path()).await;
        assert_eq!(second.unwrap_err().kind(), ErrorKind::WouldBlock);
        drop(repository);
        FsRepository::open(folder.path()).await.unwrap();
    }

    #[tokio::test]
    async fn ids_that_differ_in_case_alone_have_names_that_differ_in_more() {
        let (folder, repository) = open().await;
        for id in ["scan", "Scan", "sCAN"] {
            let id = BinaryId::new(id).unwrap();
            repository.create(id, text_plain()).await.unwrap();
        }
        let mut names: Vec<String> = std::fs::read_dir(folder.path().join("binaries"))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        assert_eq!(names, ["_scan", "s_c_a_n", "scan"]);
    }

    #[tokio::test]
    async fn a_file_that_is_damaged_is_an_error_and_not_content() {
        let (folder, repository) = open().await;
        let id = BinaryId::new("scan").unwrap();
        let key = repository.create(id, text_plain()).await.unwrap();
        let path = folder.path().join("binaries/scan/v1");
        for damaged in [
            "",
            "{}",
            "{}\ncontent",
            "{\"format\":\"other\",\"contentType\":\"a/b\"}\n",
        ] {
            std::fs::write(&path, damaged).unwrap();
            let read = repository.read(&key, None).await;
            assert!(
                matches!(read, Err(RepositoryError::Internal(_))),
                "{damaged:?}"
            );
        }
    }

    #[tokio::test]
    async fn a_binary_deleted_during_an_upload_stays_deleted() {
        let (folder, repository) = open().await;
        let id = BinaryId::random();
        let key = repository.create(id, text_plain()).await.unwrap();
        let deleting = repository.clone();
        let content = stream::once(async move {
            deleting.delete(id).await.unwrap();
            Ok(Bytes::from("content"))
        });
        let written = repository
            .write(&key, Upload::new(text_plain(), content))
            .await;
        assert!(matches!(written, Err(RepositoryError::Deleted)));
        assert_deleted(&repository, &key).await;
        assert_eq!(entries(&folder.path().join("staging")), 0);
    }

    /// Deleting while others upload, look up and delete: nothing is left but the tombstone, and
    /// nobody is told of an error of the file system.
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn deleting_is_whole_whatever_else_happens() {
        let (folder, repository) = open().await;
        let repository = repository.fsync(false);
        for _ in 0..200 {
            let id = BinaryId::random();
            let key = repository.create(id, text_plain()).await.unwrap();
            let spawn = |repository: FsRepository, key: BinaryKey| {
                let target = Target::new(id, Access::Read);
                let (uploader, looker) = (repository.clone(), repository.clone());
                (
                    tokio::spawn(async move { uploader.write(&key, upload("x")).await.err() }),
                    tokio::spawn(async move { looker.locate(&target).await.err() }),
                    tokio::spawn(async move { repository.delete(id).await.err() }),
                )
            };
            let (write, locate, delete) = spawn(repository.clone(), key.clone());
            let (write_2, locate_2, delete_2) = spawn(repository.clone(), key);
            for task in [write, locate, write_2, locate_2] {
                let error = task.await.unwrap();
                let is_expected = match &error {
                    None => true,
                    Some(error) => matches!(
                        error,
                        RepositoryError::Deleted | RepositoryError::AlreadyWritten
                    ),
                };
                assert!(is_expected, "{error:?}");
            }
            for delete in [delete, delete_2] {
                assert!(delete.await.unwrap().is_none());
            }
        }
        for place in ["binaries", "deleting", "staging"] {
            assert_eq!(entries(&folder.path().join(place)), 0, "{place}");
        }
        assert_eq!(entries(&folder.path().join("deleted")), 200);
    }

    /// Content that the page cache has is read without another thread, all other content with one.
    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn content_that_is_not_cached_is_read_as_well() {
        use rustix::fs::{Advice, fadvise};
        let (folder, repository) = open().await;
        let id = BinaryId::new("scan").unwrap();
        let key = repository.create(id, text_plain()).await.unwrap();
        let content: Vec<u8> = (0..1_000_003_u32).map(|i| i.to_le_bytes()[1]).collect();
        let chunks = stream::iter([Ok(Bytes::from(content.clone()))]);
        let upload = Upload::new(text_plain(), chunks);
        repository.write(&key, upload).await.unwrap();

        let path = folder.path().join("binaries/scan/v1");
        let evict = |from| {
            let file = std::fs::File::open(&path).unwrap();
            fadvise(&file, from, None, Advice::DontNeed).unwrap();
        };
        // All of it, then all but its beginning.
        for from in [0, 256 * 1024] {
            evict(from);
            assert!(read(&repository, &key).await == content);
            evict(from);
            let range = Some(ByteRange::Last(300_000));
            let bytes = collect(repository.read(&key, range).await.unwrap()).await;
            assert!(bytes == content[content.len() - 300_000..]);
        }
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn the_folder_is_for_its_owner_alone() {
        use std::os::unix::fs::PermissionsExt as _;
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("binaries");
        FsRepository::open(&folder).await.unwrap();
        let mode = std::fs::metadata(&folder).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn an_error_of_the_operating_system_is_told_by_its_kind() {
        use tower_presign::store::UploadError;
        let told = |code| RepositoryError::from(std::io::Error::from_raw_os_error(code));
        // ENOSPC and EDQUOT
        for full in [28, 122] {
            assert!(matches!(told(full), RepositoryError::StorageFull));
        }
        // EFBIG
        assert!(matches!(
            told(27),
            RepositoryError::Upload(UploadError::TooLarge { limit: None, .. })
        ));
        // EIO, EMFILE and EROFS
        for unavailable in [5, 24, 30] {
            assert!(matches!(told(unavailable), RepositoryError::Unavailable(_)));
        }
        let of_ours = std::io::Error::from(ErrorKind::InvalidData);
        assert!(matches!(of_ours.into(), RepositoryError::Internal(_)));
    }
}
