//! `AccessPolicy::accept`: an upload that has arrived whole, and that nobody sees yet.

use std::io;
use std::pin::pin;
use std::sync::{Arc, Mutex};

use axum::body::Body;
use http::Method;
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;
use tokio::sync::Notify;
use tower_presign::store::{ByteRange, ContentStore as _, Day, FsStore, RepositoryError};
use tower_presign::{
    Accepting, AccessPolicy, BinaryKey, BinaryRepository, Composed, Denial, MemoryRepository,
    MintRequest, PresignLayer, RefusalCode, Terms, VersionId,
};

use crate::stores::table::Table;
use crate::stores::{open_store, png};
use crate::support::body::{broken, chunks};
use crate::support::*;

/// A scanner that finds the word `virus`, and tells the test what it was shown.
#[derive(Default)]
struct Scanner {
    shown: Mutex<Vec<Shown>>,
    is_asked: Notify,
    /// `None`: at once.
    may_answer: Option<Notify>,
}

#[derive(Debug, Clone, PartialEq)]
struct Shown {
    length: u64,
    sha256: [u8; 32],
    /// Or else the reason for which it cannot be read.
    content: Result<String, String>,
}

impl Scanner {
    fn slow() -> Arc<Self> {
        Arc::new(Self {
            may_answer: Some(Notify::new()),
            ..Self::default()
        })
    }

    fn shown(&self) -> Vec<Shown> {
        self.shown.lock().unwrap().clone()
    }
}

impl AccessPolicy for Scanner {
    async fn mint(&self, _: MintRequest) -> Result<Terms, Denial> {
        Ok(Terms::new())
    }

    async fn accept(&self, upload: Accepting<'_>) -> Result<(), Denial> {
        let content = read(&upload, None).await.map_err(|e| e.to_string());
        self.shown.lock().unwrap().push(Shown {
            length: upload.length(),
            sha256: upload.sha256(),
            content: content.clone(),
        });
        self.is_asked.notify_one();
        if let Some(may_answer) = &self.may_answer {
            may_answer.notified().await;
        }
        match content.as_deref() {
            Ok("virus") => Err(Denial::rejected().because("It has a virus.")),
            Ok("down") => Err(Denial::unavailable("the scanner does not answer")),
            Ok(_) => {
                let end = read(&upload, Some(ByteRange::Last(2))).await.unwrap();
                assert!(content.unwrap().ends_with(&end) && end.len() == 2);
                Ok(())
            }
            // By length alone.
            Err(_) if upload.length() == 5 => Err(Denial::rejected()),
            Err(_) => Ok(()),
        }
    }
}

async fn read(upload: &Accepting<'_>, range: Option<ByteRange>) -> Result<String, RepositoryError> {
    let content = upload.content(range).await?;
    let bytes = crate::stores::collect(content).await?;
    Ok(String::from_utf8(bytes).unwrap())
}

fn with_scanner(repository: impl BinaryRepository, scanner: &Arc<Scanner>) -> PresignLayer {
    PresignLayer::new(signer(), repository, Arc::clone(scanner)).clock(|| at(NOW))
}

/// A host's table over a folder.
struct Host {
    layer: PresignLayer,
    store: FsStore,
    write: String,
    read: String,
    _folder: TempDir,
}

async fn composed(scanner: &Arc<Scanner>) -> Host {
    let (folder, store) = open_store().await;
    let table = Table::default();
    table.create(id("scan"), png());
    let layer = with_scanner(Composed::new(table, store.clone()), scanner);
    Host {
        write: mint_upload(&layer, "scan").await,
        read: mint(&layer, "scan").await,
        layer,
        store,
        _folder: folder,
    }
}

impl Host {
    /// The number of contents in the store, published or not.
    async fn contents(&self) -> usize {
        use futures_util::StreamExt as _;
        let today = Day::of(std::time::SystemTime::now());
        self.store.list(today).count().await
    }
}

fn sha256(content: &str) -> [u8; 32] {
    Sha256::digest(content).into()
}

#[tokio::test]
async fn the_stored_bytes_can_be_read_before_anybody_else_sees_them() {
    let scanner = Scanner::slow();
    let host = composed(&scanner).await;
    let mut answer = pin!(put(&host.layer, &host.write, chunks(&["con", "tent"])));
    tokio::select! {
        _ = answer.as_mut() => panic!("answered before the scan"),
        () = scanner.is_asked.notified() => {}
    }
    let shown = Shown {
        length: 7,
        sha256: sha256("content"),
        content: Ok("content".into()),
    };
    assert_eq!(scanner.shown(), [shown]);
    get(&host.layer, &host.read)
        .await
        .assert_refused(404, "not-found");

    scanner.may_answer.as_ref().unwrap().notify_one();
    assert_eq!(soon(answer).await.status, 200);
    assert_eq!(get(&host.layer, &host.read).await.text(), "content");
}

#[tokio::test]
async fn of_an_upload_that_is_not_wanted_nothing_stays_and_another_may_follow() {
    let scanner = Arc::<Scanner>::default();
    let host = composed(&scanner).await;
    let refused = put(&host.layer, &host.write, "virus").await;
    refused.assert_refused(422, "rejected");
    let diagnostics = &refused.json()["issue"][0]["diagnostics"];
    assert_eq!(diagnostics, "It has a virus.");
    assert_eq!(host.contents().await, 0);
    get(&host.layer, &host.read)
        .await
        .assert_refused(404, "not-found");

    assert_eq!(put(&host.layer, &host.write, "clean").await.status, 200);
    assert_eq!(get(&host.layer, &host.read).await.text(), "clean");
    assert_eq!(host.contents().await, 1);
}

#[tokio::test]
async fn the_client_gets_what_the_policy_says() {
    let scanner = Arc::<Scanner>::default();
    let host = composed(&scanner).await;
    let refused = put(&host.layer, &host.write, "down").await;
    refused.assert_refused(503, "unavailable");
    assert!(refused.header("retry-after").is_some());
    assert!(!refused.text().contains("scanner"));
    assert_eq!(host.contents().await, 0);
}

#[tokio::test]
async fn a_client_that_leaves_meanwhile_changes_nothing() {
    let scanner = Scanner::slow();
    let host = composed(&scanner).await;
    {
        let mut answer = pin!(put(&host.layer, &host.write, "content"));
        tokio::select! {
            _ = answer.as_mut() => panic!("answered before the scan"),
            () = scanner.is_asked.notified() => {}
        }
    }
    scanner.may_answer.as_ref().unwrap().notify_one();
    while get(&host.layer, &host.read).await.status != 200 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_repository_of_one_step_waits_for_the_policy_at_the_end_of_the_stream() {
    let scanner = Scanner::slow();
    let repository = scan("image/png");
    let layer = with_scanner(repository.clone(), &scanner);
    let write = mint_upload(&layer, "scan").await;
    let mut answer = pin!(put(&layer, &write, chunks(&["con", "tent"])));
    tokio::select! {
        _ = answer.as_mut() => panic!("answered before the scan"),
        () = scanner.is_asked.notified() => {}
    }
    let [shown] = &scanner.shown()[..] else {
        panic!("asked once");
    };
    assert_eq!((shown.length, shown.sha256), (7, sha256("content")));
    let reason = shown.content.as_ref().unwrap_err();
    assert!(reason.contains("Composed"), "{reason}");
    assert_is_empty(&repository).await;

    scanner.may_answer.as_ref().unwrap().notify_one();
    assert_eq!(soon(answer).await.status, 200);
    assert_eq!(get(&layer, &read_url()).await.text(), "content");
}

#[tokio::test]
async fn a_repository_of_one_step_keeps_nothing_that_is_not_wanted() {
    let scanner = Arc::<Scanner>::default();
    let repository = scan("image/png");
    let layer = with_scanner(repository.clone(), &scanner);
    let write = mint_upload(&layer, "scan").await;
    put(&layer, &write, "virus")
        .await
        .assert_refused(422, "rejected");
    assert_is_empty(&repository).await;
    assert_eq!(put(&layer, &write, "content").await.status, 200);
}

async fn assert_is_empty(repository: &MemoryRepository) {
    let key = BinaryKey::new(id("scan"), VersionId::from(1));
    let head = repository.head(&key).await;
    assert!(matches!(head, Err(RepositoryError::NotFound)), "{head:?}");
}

#[tokio::test]
async fn nobody_is_asked_about_an_upload_that_is_not_whole_or_too_late() {
    let scanner = Arc::<Scanner>::default();
    let host = composed(&scanner).await;
    let reset = io::Error::from(io::ErrorKind::ConnectionReset);
    let digest = format!("sha-256=:{}=:", "A".repeat(43));
    for (headers, body, code) in [
        (vec![], broken("conte", reset), "incomplete-body"),
        (
            vec![("content-digest", &*digest)],
            Body::from("content"),
            "digest-mismatch",
        ),
        (vec![], Body::from(""), "empty-body"),
    ] {
        let refused = put_with(&host.layer, &host.write, &headers, body).await;
        refused.assert_refused(400, code);
    }
    let headers = [("content-type", "text/plain")];
    let other = request(Method::PUT, &host.write, &headers, "content");
    call(&host.layer, other)
        .await
        .assert_refused(415, "content-type-mismatch");
    assert_eq!(scanner.shown(), []);
}

#[test]
fn an_upload_can_be_made_to_test_a_policy_with() {
    let grant = grant(&read_url());
    let (parts, ()) = http::Request::new(()).into_parts();
    let upload = Accepting::new(&parts, &grant, 7, sha256("content"));
    assert_eq!((upload.length(), upload.grant()), (7, &grant));
    assert_eq!(upload.parts().method, Method::GET);
    assert_eq!(Denial::rejected().code(), RefusalCode::Rejected);
}
