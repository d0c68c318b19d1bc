//! The remains of a deletion, once no URL from before can be alive.

use super::engines::S3Server;
use super::*;
use object_store::{Attribute, ObjectStore as _, ObjectStoreExt as _, PutOptions};
use std::time::{Duration, SystemTime};
use tower_presign::store::{Day, Upload};
use tower_presign::{BinaryKey, BinaryRepository as _};

/// Sets back the time at which each object was put.
fn age(server: &S3Server, by: Duration) {
    let mut folders = vec![server.folder.path().join(super::engines::BUCKET)];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let file = std::fs::File::options().write(true).open(path).unwrap();
            file.set_modified(SystemTime::now() - by).unwrap();
        }
    }
}

async fn count(server: &S3Server) -> usize {
    let objects: Vec<_> = server.store().list(None).try_collect().await.unwrap();
    objects.len()
}

fn upload(content: Bytes) -> Upload {
    let png = ContentType::new("image/png").unwrap();
    Upload::new(png, stream::iter([Ok(content)]))
}

#[tokio::test]
async fn of_old_versions_no_stone_is_left_and_after_a_while_the_binary_alone() {
    let day = Duration::from_secs(24 * 60 * 60);
    let server = S3Server::start().await;
    let repository = server.repository().await;
    let id = BinaryId::random();
    let png = ContentType::new("image/png").unwrap();
    repository.create(id, png.clone()).await.unwrap();
    let key = |version: u64| BinaryKey::new(id, version.into());
    for (version, length) in [(1, 10), (2, LARGE), (3, 10)] {
        let content = upload(bytes(length, 1));
        repository.write(&key(version), content).await.unwrap();
    }
    age(&server, 9 * day);
    repository
        .write(&key(4), upload(bytes(10, 1)))
        .await
        .unwrap();
    repository.delete(id).await.unwrap();
    // The Binary, the newest version, and the one that a write URL may name.
    assert_eq!(count(&server).await, 3);

    age(&server, 9 * day);
    repository.delete(id).await.unwrap();
    repository.delete(id).await.unwrap();
    assert_eq!(count(&server).await, 1);
    for version in 1..=5 {
        let head = repository.head(&key(version)).await;
        assert!(matches!(head, Err(RepositoryError::Deleted)), "{head:?}");
    }
    let created = repository.create(id, png).await;
    assert!(
        matches!(
            created,
            Err(RepositoryError::AlreadyWritten | RepositoryError::Deleted)
        ),
        "{created:?}"
    );
}

/// Puts the object that a server leaves which ends between the last two requests of a large upload.
async fn leave(server: &S3Server, day: Day, owner: &BinaryKey) -> Path {
    let name = format!("{day}/AAAAAAAAAAAAAAAAAAAAAA");
    // As the slot of version 1 is named.
    let slot = format!("binary/{}/1fffffffffffffffe", owner.id());
    let attributes = [
        ("presign", format!("content:{name}")),
        ("presignowner", slot),
    ];
    let attributes = attributes
        .into_iter()
        .map(|(name, value)| (Attribute::Metadata(name.into()), value));
    let options = PutOptions {
        attributes: attributes.collect(),
        ..PutOptions::default()
    };
    let path = Path::from(name);
    let store = server.store();
    let put = store.put_opts(&path, "orphan".into(), options).await;
    put.unwrap();
    path
}

#[tokio::test]
async fn the_sweep_removes_what_has_no_owner_and_is_not_new() {
    let server = S3Server::start().await;
    let repository = server.repository().await;
    let id = BinaryId::random();
    let png = ContentType::new("image/png").unwrap();
    let key = repository.create(id, png).await.unwrap();
    let written = repository.write(&key, upload(bytes(LARGE, 1))).await;
    written.unwrap();
    let before = count(&server).await;
    let day = Duration::from_secs(24 * 60 * 60);
    let today = SystemTime::now();
    let (new, old) = (Day::of(today), Day::of(today - 3 * day));
    let new = leave(&server, new, &key).await;
    let old = leave(&server, old, &key).await;
    assert_eq!(count(&server).await, before + 2);

    let since = Day::of(today - 10 * day);
    assert_eq!(repository.sweep(since).await.unwrap(), 1);
    assert!(server.store().head(&new).await.is_ok());
    assert!(server.store().head(&old).await.is_err());
    assert_eq!(repository.sweep(since).await.unwrap(), 0);
    assert_eq!(count(&server).await, before + 1);
    assert_eq!(repository.head(&key).await.unwrap().length, LARGE as u64);
}
