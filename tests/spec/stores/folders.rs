//! The folders of `FsRepository` and `FsStore`: which are opened, and which are left alone.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use tower_presign::store::{ContentStore as _, FsStore, RepositoryError};
use tower_presign::{Access, BinaryId, BinaryRepository as _, FsRepository, Target};

use super::{assert_says, open_store, png, upload};

/// Opens and closes a folder as each of the two does.
async fn open_each(folder: &Path) -> [(&'static str, io::Result<()>); 2] {
    [
        ("FsRepository", FsRepository::open(folder).await.map(drop)),
        ("FsStore", FsStore::open(folder).await.map(drop)),
    ]
}

/// All that is in a folder, with its contents.
fn tree(folder: &Path) -> BTreeMap<PathBuf, Option<Vec<u8>>> {
    let mut tree = BTreeMap::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            tree.extend(self::tree(&path));
            tree.insert(path, None);
        } else {
            let content = std::fs::read(&path).unwrap();
            tree.insert(path, Some(content));
        }
    }
    tree
}

#[tokio::test]
async fn a_folder_of_someone_else_is_refused_and_left_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().canonicalize().unwrap();
    for folder in ["staging", "binaries", "content", "deleted"] {
        std::fs::create_dir(path.join(folder)).unwrap();
    }
    std::fs::write(path.join("staging/release.tar"), "precious").unwrap();
    std::fs::write(path.join("lock"), "4711").unwrap();
    let before = tree(&path);
    for (name, opened) in open_each(&path).await {
        let error = opened.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::DirectoryNotEmpty, "{error}");
        assert_says(&error, path.to_str().unwrap());
        assert_says(&error, &format!("neither empty nor made by {name}"));
    }
    assert_eq!(tree(&path), before);
}

#[tokio::test]
async fn a_repository_is_no_store_and_a_store_no_repository() {
    let folder = tempfile::tempdir().unwrap();
    FsStore::open(folder.path()).await.unwrap();
    let opened = FsRepository::open(folder.path()).await;
    assert_eq!(opened.unwrap_err().kind(), ErrorKind::DirectoryNotEmpty);
    FsStore::open(folder.path()).await.unwrap();
}

/// As a new file system has it.
#[tokio::test]
async fn a_folder_with_nothing_but_lost_and_found_is_empty() {
    for opens in [0, 1] {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("lost+found")).unwrap();
        if opens == 0 {
            FsRepository::open(folder.path()).await.unwrap();
        } else {
            FsStore::open(folder.path()).await.unwrap();
        }
        assert!(folder.path().join("lost+found").exists());
    }
}

#[tokio::test]
async fn leftovers_are_removed_and_what_is_not_ours_stays() {
    let (folder, store) = open_store().await;
    drop(store);
    let staging = folder.path().join("staging");
    std::fs::write(staging.join("0123456789abcdef0123456789abcdef"), "conte").unwrap();
    std::fs::write(staging.join("notes.txt"), "by an operator").unwrap();
    FsStore::open(folder.path()).await.unwrap();
    let left: Vec<_> = tree(&staging).into_keys().collect();
    assert_eq!(left, [staging.join("notes.txt")]);
}

#[tokio::test]
async fn a_folder_that_is_open_already_is_refused_with_its_path_and_what_to_do() {
    let (folder, _store) = open_store().await;
    let error = FsStore::open(folder.path()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::WouldBlock);
    assert_says(&error, folder.path().to_str().unwrap());
    assert_says(&error, "in another process or in this one");
    // The form in which a program ends whose `main` returns it.
    let debug = format!("{error:?}");
    assert!(debug.contains(&error.to_string()), "{debug}");
}

#[tokio::test]
async fn a_path_that_cannot_be_a_folder_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    for path in [file.clone(), file.join("below")] {
        for (_, opened) in open_each(&path).await {
            assert_says(&opened.unwrap_err(), path.to_str().unwrap());
        }
    }
}

/// A disk that is not mounted any more has no content, and neither had or has not had it.
#[tokio::test]
async fn without_its_folder_a_repository_is_unavailable_and_nothing_is_not_found() {
    let parent = tempfile::tempdir().unwrap();
    let path = parent.path().canonicalize().unwrap();
    let (binaries, contents) = (path.join("binaries"), path.join("contents"));
    let repository = FsRepository::open(&binaries).await.unwrap();
    let key = repository.create(BinaryId::random(), png()).await.unwrap();
    repository.write(&key, upload("content")).await.unwrap();
    let store = FsStore::open(&contents).await.unwrap();
    let stored = store.put(upload("content")).await.unwrap();
    for folder in [&binaries, &contents] {
        std::fs::rename(folder, folder.with_extension("unmounted")).unwrap();
    }

    let located = repository
        .locate(&Target::new(key.id(), Access::Read))
        .await;
    let errors = [
        (&binaries, located.unwrap_err()),
        (&binaries, repository.head(&key).await.unwrap_err()),
        (&binaries, repository.read(&key, None).await.unwrap_err()),
        (
            &binaries,
            repository.write(&key, upload("x")).await.unwrap_err(),
        ),
        (&binaries, repository.delete(key.id()).await.unwrap_err()),
        (&contents, store.get(&stored.place, None).await.unwrap_err()),
        (&contents, store.put(upload("x")).await.unwrap_err()),
    ];
    for (folder, error) in errors {
        assert!(
            matches!(error, RepositoryError::Unavailable(_)),
            "{error:?}"
        );
        assert_says(&error, folder.to_str().unwrap());
    }
}
