//! `FsRepository`: what it promises beyond the contract of all repositories.

use std::path::PathBuf;

use tempfile::TempDir;
use tower_presign::store::{ByteRange, RepositoryError};
use tower_presign::{
    Access, BinaryId, BinaryKey, BinaryRepository as _, FsRepository, MemoryRepository, Target,
    VersionId,
};

use super::{assert_says, png, upload};

async fn open() -> (TempDir, FsRepository) {
    let folder = tempfile::tempdir().unwrap();
    let repository = FsRepository::open(folder.path()).await.unwrap();
    (folder, repository.fsync(false))
}

#[tokio::test]
async fn a_file_that_was_cut_short_is_an_error_that_names_it() {
    let (folder, repository) = open().await;
    let id = BinaryId::new("scan").unwrap();
    let key = repository.create(id, png()).await.unwrap();
    repository.write(&key, upload("content")).await.unwrap();
    let path = folder.path().canonicalize().unwrap();
    let path: PathBuf = path.join("binaries/scan/v1");
    let file = std::fs::File::options().write(true).open(&path).unwrap();
    file.set_len(file.metadata().unwrap().len() - 1).unwrap();
    let errors = [
        repository.head(&key).await.unwrap_err(),
        repository.read(&key, None).await.unwrap_err(),
        repository
            .read(&key, Some(ByteRange::From(0)))
            .await
            .unwrap_err(),
    ];
    for error in errors {
        assert!(matches!(error, RepositoryError::Internal(_)), "{error:?}");
        assert_says(&error, path.to_str().unwrap());
        assert_says(&error, "it has 6 bytes of content, not 7");
    }
}

/// By which the newest version is found without looking at all of them.
#[tokio::test]
async fn versions_are_written_one_after_the_other() {
    let memory = MemoryRepository::new();
    let (_folder, fs) = open().await;
    let id = BinaryId::random();
    memory.create(id, png()).unwrap();
    fs.create(id, png()).await.unwrap();
    let key = |version: &str| BinaryKey::new(id, VersionId::new(version).unwrap());
    for number in 1..=9 {
        for skipped in ["0", "01", "one", &(number + 1).to_string()] {
            for written in [
                memory.write(&key(skipped), upload("x")).await,
                fs.write(&key(skipped), upload("x")).await,
            ] {
                assert!(
                    matches!(written, Err(RepositoryError::NotFound)),
                    "{skipped} after {number}: {written:?}"
                );
            }
        }
        let next = key(&number.to_string());
        memory.write(&next, upload("x")).await.unwrap();
        fs.write(&next, upload("x")).await.unwrap();
        let target = Target::new(id, Access::Read);
        assert_eq!(memory.locate(&target).await.unwrap().key, next);
        assert_eq!(fs.locate(&target).await.unwrap().key, next);
    }
}
