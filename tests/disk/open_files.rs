//! `FsRepository` keeps files open that have been read, and small contents in memory. Nobody can
//! see it, but from how few files are open: what is deleted is gone at once, and its place on the
//! disk with it.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use futures_util::future::join_all;
use http::StatusCode;
use tempfile::TempDir;
use tokio::sync::MutexGuard;
use tokio::task::yield_now;
use tower_presign::{BinaryId, ContentType, FsRepository, PresignLayer};

use super::TURN;
use crate::support::*;

const MAX_OPEN: usize = 128;

struct Storage {
    folder: TempDir,
    repository: FsRepository,
    layer: PresignLayer,
    _turn: MutexGuard<'static, ()>,
}

impl Storage {
    /// One that keeps nothing in memory.
    async fn open() -> Self {
        Self::with_content_cache(0).await
    }

    async fn with_content_cache(bytes: usize) -> Self {
        let turn = TURN.lock().await;
        let folder = tempfile::tempdir().unwrap();
        let repository = FsRepository::open(folder.path()).await.unwrap();
        let repository = repository.fsync(false).max_open_files(MAX_OPEN);
        let repository = repository.content_cache(bytes);
        Self {
            layer: layer(repository.clone()),
            folder,
            repository,
            _turn: turn,
        }
    }

    /// A Binary of one version, and the URL that reads it.
    async fn scan(&self, content: &str) -> (BinaryId, String) {
        let id = BinaryId::random();
        let png = ContentType::new("image/png").unwrap();
        self.repository.create(id, png).await.unwrap();
        (id, self.replace(id, content).await)
    }

    /// A further version, and the URL that reads it.
    async fn replace(&self, id: BinaryId, content: &str) -> String {
        let write = mint_upload(&self.layer, id.as_str()).await;
        let answer = put(&self.layer, &write, content.to_owned()).await;
        assert!(answer.status.is_success(), "{answer:?}");
        mint(&self.layer, id.as_str()).await
    }

    async fn assert_content(&self, url: &str, content: &str) {
        let answer = get(&self.layer, url).await;
        assert_eq!(answer.status, StatusCode::OK);
        assert_eq!(answer.body, content);
        let answer = get_with(&self.layer, url, &[("range", "bytes=1-3")]).await;
        assert_eq!(answer.body, content[1..=3]);
        let answer = head_with(&self.layer, url, &[]).await;
        let length = content.len().to_string();
        assert_eq!(answer.header("content-length"), Some(length.as_str()));
    }

    /// Reads until the file is kept open, and returns false if that does not come. The kernel may
    /// need several tries to open it without blocking while others move files, and on some file
    /// systems it never does; what is opened otherwise is not kept.
    #[must_use]
    async fn keeps_open(&self, url: &str, content: &str) -> bool {
        let before = self.open_files();
        let start = Instant::now();
        while self.open_files() == before {
            self.assert_content(url, content).await;
            if start.elapsed() > PATIENCE {
                skip::skip("no file can be opened here without blocking");
                return false;
            }
        }
        true
    }

    async fn assert_deleted(&self, url: &str) {
        let answer = get(&self.layer, url).await;
        answer.assert_refused(410, "deleted");
        let answer = get_with(&self.layer, url, &[("range", "bytes=1-3")]).await;
        answer.assert_refused(410, "deleted");
        assert_eq!(
            head_with(&self.layer, url, &[]).await.status,
            StatusCode::GONE
        );
    }

    /// The files of content that this process has open, by their descriptors.
    fn open_files(&self) -> BTreeMap<PathBuf, PathBuf> {
        let root = self.folder.path().canonicalize().unwrap();
        let is_content = |path: &PathBuf| {
            path.starts_with(&root) && *path != root.join("tower-presign.repository")
        };
        std::fs::read_dir("/proc/self/fd")
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter_map(|descriptor| Some((std::fs::read_link(&descriptor).ok()?, descriptor)))
            .filter(|(path, _)| is_content(path))
            .map(|(path, descriptor)| (descriptor, path))
            .collect()
    }
}

#[tokio::test]
async fn a_version_that_is_read_often_is_opened_once() {
    let storage = Storage::open().await;
    let (_, url) = storage.scan("the first").await;
    if !storage.keeps_open(&url, "the first").await {
        return;
    }
    let open = storage.open_files();
    assert_eq!(open.len(), 1);
    // Opened anew, it would have another descriptor.
    for _ in 0..3 {
        storage.assert_content(&url, "the first").await;
        assert_eq!(storage.open_files(), open);
    }
}

#[tokio::test]
async fn each_url_reads_its_own_version_whichever_is_open() {
    let storage = Storage::open().await;
    let (id, first) = storage.scan("the first").await;
    if !storage.keeps_open(&first, "the first").await {
        return;
    }
    let second = storage.replace(id, "the second").await;
    for _ in 0..2 {
        storage.assert_content(&first, "the first").await;
        storage.assert_content(&second, "the second").await;
    }
    assert_eq!(storage.open_files().len(), 1, "one of each Binary");
}

#[tokio::test]
async fn deleted_content_is_closed_and_cannot_be_read_any_more() {
    let storage = Storage::open().await;
    let (deleted, deleted_url) = storage.scan("to be deleted").await;
    let (_, kept_url) = storage.scan("to be kept").await;
    for (url, content) in [(&deleted_url, "to be deleted"), (&kept_url, "to be kept")] {
        if !storage.keeps_open(url, content).await {
            return;
        }
    }
    assert_eq!(storage.open_files().len(), 2);

    storage.repository.delete(deleted).await.unwrap();
    storage.assert_deleted(&deleted_url).await;
    assert_eq!(storage.open_files().len(), 1);
    storage.assert_content(&kept_url, "to be kept").await;
}

/// Two deletions at once, while others read: whichever of them says first that the Binary is
/// gone, it is.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn content_deleted_while_it_is_opened_is_not_kept_open() {
    delete_while_it_is_read(0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn content_deleted_while_it_is_read_is_not_kept_in_memory() {
    delete_while_it_is_read(1024 * 1024).await;
}

async fn delete_while_it_is_read(content_cache: usize) {
    const READERS: usize = 4;
    let storage = Arc::new(Storage::with_content_cache(content_cache).await);
    for _ in 0..500 {
        let (id, url) = storage.scan("content").await;
        let is_deleted = Arc::new(AtomicBool::new(false));
        let readers = (0..READERS).map(|_| {
            let (storage, url) = (Arc::clone(&storage), url.clone());
            let is_deleted = Arc::clone(&is_deleted);
            tokio::spawn(async move {
                loop {
                    let was_deleted = is_deleted.load(Ordering::SeqCst);
                    let answer = get(&storage.layer, &url).await;
                    if answer.status != StatusCode::OK {
                        return answer.assert_refused(410, "deleted");
                    }
                    assert!(!was_deleted, "what is deleted stays so");
                    // Nothing else here waits for anything.
                    yield_now().await;
                }
            })
        });
        let readers: Vec<_> = readers.collect();
        let deletions = (0..2).map(|_| {
            let (storage, is_deleted) = (Arc::clone(&storage), Arc::clone(&is_deleted));
            tokio::spawn(async move {
                storage.repository.delete(id).await.unwrap();
                is_deleted.store(true, Ordering::SeqCst);
            })
        });
        for deletion in join_all(deletions.collect::<Vec<_>>()).await {
            deletion.unwrap();
        }
        for reader in readers {
            reader.await.unwrap();
        }
        assert!(storage.open_files().is_empty());
    }
}

#[tokio::test]
async fn few_files_are_kept_open_however_many_are_read() {
    let storage = Storage::open().await;
    let mut urls = Vec::new();
    for number in 0..MAX_OPEN {
        let content = format!("content {number}");
        let (_, url) = storage.scan(&content).await;
        if !storage.keeps_open(&url, &content).await {
            return;
        }
        urls.push((url, content));
    }
    for number in 0..20 {
        let content = format!("further content {number}");
        let (_, url) = storage.scan(&content).await;
        storage.assert_content(&url, &content).await;
        urls.push((url, content));
    }
    for (url, content) in urls {
        storage.assert_content(&url, &content).await;
        assert_eq!(storage.open_files().len(), MAX_OPEN);
    }
}
