//! Many at once, on several threads, over the layer: writers that race, readers of what is being
//! replaced and deleted, uploads that are given up at any moment, and keys that rotate.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::body::Body;
use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::future::join_all;
use futures_util::stream;
use tempfile::TempDir;
use tokio::sync::{Barrier, watch};
use tokio::task::yield_now;
use tower_presign::store::{RepositoryError, Target};
use tower_presign::{
    Access, AllowAll, BinaryId, BinaryRepository, ContentType, FsRepository, MemoryRepository,
    PresignLayer, UrlSigner,
};

use crate::support;
use crate::support::body::content;
use crate::support::*;

/// The use of a repository by a host, beside the layer.
trait Repository: BinaryRepository + Clone {
    fn add(&self, id: BinaryId) -> impl Future<Output = Result<(), RepositoryError>> + Send;
    fn remove(&self, id: BinaryId) -> impl Future<Output = Result<(), RepositoryError>> + Send;
}

impl Repository for MemoryRepository {
    async fn add(&self, id: BinaryId) -> Result<(), RepositoryError> {
        self.create(id, png()).map(drop)
    }

    async fn remove(&self, id: BinaryId) -> Result<(), RepositoryError> {
        self.delete(id)
    }
}

impl Repository for FsRepository {
    async fn add(&self, id: BinaryId) -> Result<(), RepositoryError> {
        self.create(id, png()).await.map(drop)
    }

    async fn remove(&self, id: BinaryId) -> Result<(), RepositoryError> {
        self.delete(id).await
    }
}

fn png() -> ContentType {
    ContentType::new("image/png").unwrap()
}

async fn fs() -> (TempDir, FsRepository) {
    let folder = tempfile::tempdir().unwrap();
    let repository = FsRepository::open(folder.path()).await.unwrap();
    // A disk that takes its time would keep them from meeting.
    (folder, repository.fsync(false))
}

/// In chunks, between which others have their turn.
fn body(content: &Bytes) -> Body {
    let chunks: Vec<_> = content.chunks(10_000).map(Bytes::copy_from_slice).collect();
    Body::from_stream(stream::iter(chunks).then(async |chunk| {
        yield_now().await;
        Ok::<_, std::io::Error>(chunk)
    }))
}

// Writers

const WRITERS: usize = 8;

async fn race_for_one_url(repository: impl Repository) {
    let layer = layer(repository.clone());
    for round in 0..50 {
        let id = BinaryId::random();
        repository.add(id).await.unwrap();
        let url = mint_upload(&layer, id.as_str()).await;
        let start = Arc::new(Barrier::new(WRITERS));
        let writing = (0..WRITERS).map(|writer| {
            // Of its own, since each takes no more than two uploads to a version.
            let layer = support::layer(repository.clone());
            let (url, start) = (url.clone(), Arc::clone(&start));
            tokio::spawn(async move {
                let content = content(1 + round * 1000, writer);
                start.wait().await;
                (put(&layer, &url, body(&content)).await, content)
            })
        });
        let mut winners = Vec::new();
        for written in join_all(writing).await {
            let (answer, content) = written.unwrap();
            assert_eq!(answer.header("etag"), Some("\"1\""));
            if answer.status.is_success() {
                winners.push(content);
            } else {
                answer.assert_refused(412, "already-written");
            }
        }
        assert_eq!(winners.len(), 1);
        let url = mint(&layer, id.as_str()).await;
        assert!(get(&layer, &url).await.body == winners[0]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_writers_that_race_for_one_url_exactly_one_wins() {
    let (_folder, fs) = fs().await;
    race_for_one_url(MemoryRepository::new()).await;
    race_for_one_url(fs).await;
}

async fn race_for_versions(repository: impl Repository) {
    const EACH: usize = 10;
    let layer = layer(repository.clone());
    let id = BinaryId::random();
    repository.add(id).await.unwrap();
    let writing = (0..WRITERS).map(|writer| {
        let layer = support::layer(repository.clone());
        tokio::spawn(async move {
            let mut written = Vec::new();
            for number in 0..EACH {
                let content = content(20_000, writer * EACH + number);
                // Whoever is told that another was faster starts from what is there now.
                loop {
                    let url = mint_upload(&layer, id.as_str()).await;
                    let answer = put(&layer, &url, body(&content)).await;
                    if answer.status.is_success() {
                        let version = answer.header("etag").unwrap().trim_matches('"');
                        written.push((version.parse::<usize>().unwrap(), content));
                        break;
                    }
                    answer.assert_refused(412, "already-written");
                }
            }
            written
        })
    });
    let mut written = Vec::new();
    for writer in join_all(writing).await {
        written.extend(writer.unwrap());
    }
    written.sort_by_key(|(version, _)| *version);
    let versions = written.iter().map(|(version, _)| *version);
    assert!(
        versions.eq(1..=WRITERS * EACH),
        "each version is written once"
    );
    for (version, content) in written {
        let operation = format!("/Binary/{id}/_history/{version}/$presigned-url");
        let url = get(&layer, &operation).await.url();
        assert!(get(&layer, &url).await.body == content, "version {version}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn writers_of_successive_versions_lose_none() {
    let (_folder, fs) = fs().await;
    race_for_versions(MemoryRepository::new()).await;
    race_for_versions(fs).await;
}

async fn race_to_create(repository: impl Repository) {
    for _ in 0..200 {
        let id = BinaryId::random();
        let start = Arc::new(Barrier::new(WRITERS));
        let creating = (0..WRITERS).map(|_| {
            let (repository, start) = (repository.clone(), Arc::clone(&start));
            tokio::spawn(async move {
                start.wait().await;
                repository.add(id).await
            })
        });
        let created = join_all(creating).await.into_iter().map(Result::unwrap);
        let lost: Vec<_> = created.filter_map(Result::err).collect();
        assert_eq!(lost.len(), WRITERS - 1);
        for error in lost {
            assert!(matches!(error, RepositoryError::AlreadyWritten), "{error}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_those_who_create_a_binary_under_one_id_exactly_one_wins() {
    let (_folder, fs) = fs().await;
    race_to_create(MemoryRepository::new()).await;
    race_to_create(fs).await;
}

/// An upload that is given up when it is whole takes its course: it is found now, or a little
/// later, or never.
async fn give_up(repository: impl Repository) {
    let layer = layer(repository.clone());
    let (mut stored, mut absent) = (0, 0);
    let mut patience = 0;
    while stored < 30 || absent < 30 {
        let id = BinaryId::random();
        repository.add(id).await.unwrap();
        let (read, write) = (
            mint(&layer, id.as_str()).await,
            mint_upload(&layer, id.as_str()).await,
        );
        let given_up = content(20_000, 1);
        let upload = tokio::spawn({
            let (layer, write, body) = (layer.clone(), write.clone(), body(&given_up));
            async move { put(&layer, &write, body).await }
        });
        for _ in 0..patience {
            yield_now().await;
        }
        upload.abort();
        // It has been dropped when this returns.
        let answer = upload.await;
        let found = get(&layer, &read).await;
        if found.status.is_success() {
            assert!(found.body == given_up, "it is whole");
            put(&layer, &write, "again")
                .await
                .assert_refused(412, "already-written");
            stored += 1;
            patience /= 2;
        } else {
            assert!(answer.is_err(), "what was acknowledged is there");
            found.assert_refused(404, "not-found");
            let answer = put(&layer, &write, "again").await;
            let found = get(&layer, &read).await;
            if answer.status.is_success() {
                assert_eq!(found.body, "again");
            } else {
                answer.assert_refused(412, "already-written");
                assert!(found.body == given_up, "it is whole");
            }
            absent += 1;
            patience += 1;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_upload_that_is_given_up_at_any_moment_is_there_as_a_whole_or_may_be_repeated() {
    let (folder, fs) = fs().await;
    give_up(MemoryRepository::new()).await;
    give_up(fs).await;
    // Content that was given up is removed on another thread.
    let staging = folder.path().join("staging");
    let is_emptied = async {
        while std::fs::read_dir(&staging).unwrap().count() > 0 {
            yield_now().await;
        }
    };
    soon(is_emptied).await;
}

// Readers

async fn read_what_changes(repository: impl Repository) {
    const VERSIONS: usize = 40;
    const READERS: usize = 6;
    let version_content = |version: usize| content(60_000 - version * 1000, version);
    let layer = layer(repository.clone());
    let id = BinaryId::random();
    repository.add(id).await.unwrap();
    let is_deleted = Arc::new(AtomicBool::new(false));
    let (done, reading) = watch::channel(0);
    let readers: Vec<_> = (0..READERS)
        .map(|_| {
            let (layer, is_deleted) = (layer.clone(), Arc::clone(&is_deleted));
            let done = done.clone();
            tokio::spawn(async move {
                let operation = format!("/Binary/{id}/$presigned-url");
                let mut newest = 1;
                loop {
                    let was_deleted = is_deleted.load(Ordering::SeqCst);
                    let minted = get(&layer, &operation).await;
                    if !minted.status.is_success() {
                        minted.assert_refused(410, "deleted");
                        return newest;
                    }
                    let answer = get(&layer, &minted.url()).await;
                    match answer.status.as_u16() {
                        200 => {
                            assert!(!was_deleted, "what is deleted stays so");
                            let version = answer.header("etag").unwrap().trim_matches('"');
                            let version = version.parse().unwrap();
                            assert!(version >= newest, "the current version only grows");
                            newest = version;
                            assert!(
                                answer.body == version_content(version),
                                "version {version} as a whole"
                            );
                            done.send_modify(|reads| *reads += 1);
                        }
                        404 => assert_eq!(newest, 1, "only what is not yet there is not found"),
                        _ => answer.assert_refused(410, "deleted"),
                    }
                }
            })
        })
        .collect();
    for version in 1..=VERSIONS {
        let url = mint_upload(&layer, id.as_str()).await;
        let answer = put(&layer, &url, body(&version_content(version))).await;
        assert!(answer.status.is_success(), "{answer:?}");
        // Somebody has read meanwhile.
        let reads = *reading.borrow();
        reading.clone().wait_for(|now| *now > reads).await.unwrap();
    }
    repository.remove(id).await.unwrap();
    is_deleted.store(true, Ordering::SeqCst);
    for reader in readers {
        reader.await.unwrap();
    }
    let target = Target::new(id, Access::Read);
    let located = repository.locate(&target).await;
    assert!(matches!(located, Err(RepositoryError::Deleted)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn readers_of_what_is_replaced_and_deleted_get_one_version_as_a_whole() {
    let (_folder, fs) = fs().await;
    read_what_changes(MemoryRepository::new()).await;
    read_what_changes(fs).await;
}

// Keys

async fn rotate(repository: impl Repository) {
    const CLIENTS: usize = 6;
    repository.add(id("scan")).await.unwrap();
    let signer = UrlSigner::new(ring("old", "new"), BASE).unwrap();
    let layer = PresignLayer::new(signer.clone(), repository, AllowAll).clock(|| at(NOW));
    let url = mint_upload(&layer, "scan").await;
    put(&layer, &url, "content").await;
    let is_over = Arc::new(AtomicBool::new(false));
    let clients: Vec<_> = (0..CLIENTS)
        .map(|_| {
            let (layer, is_over) = (layer.clone(), Arc::clone(&is_over));
            tokio::spawn(async move {
                let (mut by_old, mut by_new) = (String::new(), String::new());
                while !is_over.load(Ordering::Relaxed) || by_old.is_empty() || by_new.is_empty() {
                    let url = mint(&layer, "scan").await;
                    let answer = get(&layer, &url).await;
                    assert_eq!(answer.body, "content", "{answer:?}");
                    let forged = url.replace("Key-Pair-Id=old", "Key-Pair-Id=NEW");
                    let forged = forged.replace("Key-Pair-Id=new", "Key-Pair-Id=old");
                    get(&layer, &forged)
                        .await
                        .assert_refused(403, "invalid-signature");
                    if url.contains("Key-Pair-Id=old") {
                        by_old = url;
                    } else {
                        by_new = url;
                    }
                }
                [by_old, by_new]
            })
        })
        .collect();
    for _ in 0..500 {
        signer.set_keyring(ring("new", "old"));
        yield_now().await;
        signer.set_keyring(ring("old", "new"));
        yield_now().await;
    }
    is_over.store(true, Ordering::Relaxed);
    // So that each client comes to see both.
    let mut urls = Vec::new();
    let mut clients = join_all(clients);
    loop {
        signer.set_keyring(ring("new", "old"));
        yield_now().await;
        signer.set_keyring(ring("old", "new"));
        tokio::select! {
            ended = &mut clients => {
                urls.extend(ended.into_iter().map(Result::unwrap));
                break;
            }
            () = yield_now() => {}
        }
    }

    signer.set_keyring(key_with_id("new"));
    for [by_old, by_new] in urls {
        let answer = get(&layer, &by_old).await;
        answer.assert_refused(403, "invalid-signature");
        assert_eq!(get(&layer, &by_new).await.body, "content");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn keys_that_rotate_under_load_refuse_nobody_until_one_is_removed() {
    let (_folder, fs) = fs().await;
    rotate(MemoryRepository::new()).await;
    rotate(fs).await;
}
