//! An upload whose client leaves: once its last byte has arrived it is stored, and before that
//! nothing is.

use std::future::Future as _;
use std::io;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Waker};

use axum::Router;
use axum::body::Body;
use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use http::Method;
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tower_presign::store::{
    ByteRange, Content, Located, Metadata, RepositoryError, Target, Upload,
};
use tower_presign::{
    Access, AccessPolicy, BinaryKey, BinaryRepository, ContentType, Denial, FsRepository,
    MemoryRepository, MintRequest, PresignLayer, RedeemRequest, Terms, VersionId,
};

use crate::support::*;

/// The decorator that a host with a table writes first: the content, then the row.
struct WithTable {
    content: MemoryRepository,
    table: Arc<Table>,
}

#[derive(Default)]
struct Table {
    /// Reached once the content is stored and the row is not yet inserted.
    is_stored: Notify,
    may_insert: Notify,
    is_inserted: Notify,
    rows: Mutex<Vec<BinaryKey>>,
}

impl BinaryRepository for WithTable {
    async fn locate(&self, target: &Target) -> Result<Located, RepositoryError> {
        self.content.locate(target).await
    }

    async fn head(&self, key: &BinaryKey) -> Result<Metadata, RepositoryError> {
        self.content.head(key).await
    }

    async fn read(
        &self,
        key: &BinaryKey,
        range: Option<ByteRange>,
    ) -> Result<Content, RepositoryError> {
        self.content.read(key, range).await
    }

    async fn write(&self, key: &BinaryKey, upload: Upload) -> Result<Metadata, RepositoryError> {
        let metadata = self.content.write(key, upload).await?;
        self.table.is_stored.notify_one();
        self.table.may_insert.notified().await;
        self.table.rows.lock().unwrap().push(key.clone());
        self.table.is_inserted.notify_one();
        Ok(metadata)
    }
}

async fn with_table() -> (PresignLayer, Arc<Table>, String) {
    let table = Arc::<Table>::default();
    let layer = layer(WithTable {
        content: scan("image/png"),
        table: Arc::clone(&table),
    });
    let write = mint_upload(&layer, "scan").await;
    (layer, table, write)
}

fn upload(url: &str, body: Body) -> http::Request<Body> {
    request(Method::PUT, url, &[("content-type", "image/png")], body)
}

#[tokio::test]
async fn the_hosts_code_after_the_storing_is_not_cut_off_when_the_client_leaves() {
    let (layer, table, write) = with_table().await;
    {
        let mut answer = pin!(call(&layer, upload(&write, Body::from("content"))));
        let stored = table.is_stored.notified();
        tokio::select! {
            _ = answer.as_mut() => panic!("answered before the row was inserted"),
            () = stored => {}
        }
        // The client leaves.
    }
    assert_eq!(table.rows.lock().unwrap().len(), 0);
    table.may_insert.notify_one();
    soon(table.is_inserted.notified()).await;
    assert_eq!(table.rows.lock().unwrap().len(), 1);
}

/// A policy that takes its time at the use of a URL.
struct Slow(Arc<Table>);

impl AccessPolicy for Slow {
    async fn mint(&self, _: MintRequest) -> Result<Terms, Denial> {
        Ok(Terms::new())
    }

    async fn redeem(&self, _: RedeemRequest<'_>) -> Result<(), Denial> {
        self.0.is_stored.notify_one();
        self.0.may_insert.notified().await;
        Ok(())
    }
}

#[tokio::test]
async fn bytes_that_have_arrived_and_were_not_yet_read_count() {
    let repository = scan("image/png");
    let gate = Arc::<Table>::default();
    let policy = Slow(Arc::clone(&gate));
    let layer = PresignLayer::new(signer(), repository.clone(), policy).clock(|| at(NOW));
    let write = mint_upload(&layer, "scan").await;
    {
        let mut answer = pin!(call(&layer, upload(&write, Body::from("content"))));
        tokio::select! {
            _ = answer.as_mut() => panic!("answered before the policy agreed"),
            () = gate.is_stored.notified() => {}
        }
    }
    gate.may_insert.notify_one();
    let key = BinaryKey::new(id("scan"), VersionId::from(1));
    let stored = async {
        while repository.head(&key).await.is_err() {
            tokio::task::yield_now().await;
        }
    };
    soon(stored).await;
}

#[tokio::test]
async fn a_client_that_leaves_before_its_last_byte_leaves_nothing() {
    let layer = layer(scan("image/png"));
    let write = mint_upload(&layer, "scan").await;
    let start = stream::iter([Ok::<_, io::Error>(Bytes::from("cont"))]);
    let stalled = Body::from_stream(start.chain(stream::pending()));
    {
        let mut answer = pin!(call(&layer, upload(&write, stalled)));
        let mut context = Context::from_waker(Waker::noop());
        assert!(answer.as_mut().poll(&mut context).is_pending());
    }
    let read = mint(&layer, "scan").await;
    get(&layer, &read).await.assert_refused(404, "not-found");
    assert_eq!(put(&layer, &write, "content").await.status, 200);
}

#[tokio::test]
async fn a_client_that_closes_right_after_its_last_byte_has_its_upload_stored() {
    const ROUNDS: usize = 60;
    let folder = tempfile::tempdir().unwrap();
    let repository = FsRepository::open(folder.path())
        .await
        .unwrap()
        .fsync(false);
    let layer = layer(repository.clone());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let service = TowerToHyperService::new(Router::new().layer(layer.clone()));
    tokio::spawn(async move {
        // Or else hyper drops the request of a client that has closed its half of the connection,
        // before anybody has seen the request.
        let mut server = http1::Builder::new();
        server.half_close(true);
        while let Ok((socket, _)) = listener.accept().await {
            tokio::spawn(server.serve_connection(TokioIo::new(socket), service.clone()));
        }
    });

    let mut keys = Vec::new();
    for round in 0..ROUNDS {
        let scan = id(&format!("scan-{round}"));
        let png = ContentType::new("image/png").unwrap();
        keys.push(repository.create(scan, png).await.unwrap());
        let target = Target::new(scan, Access::Write);
        let url = layer
            .presigner()
            .presign(target, Terms::new())
            .await
            .unwrap();
        let target = url.as_str().replace("https://storage.example.com", "");
        let mut client = TcpStream::connect(address).await.unwrap();
        let head = format!(
            "PUT {target} HTTP/1.1\r\nHost: x\r\nContent-Type: image/png\r\n\
             Content-Length: 7\r\n\r\ncontent"
        );
        client.write_all(head.as_bytes()).await.unwrap();
        // Without waiting for the answer.
        drop(client);
    }
    let stored = async {
        for key in &keys {
            while repository.head(key).await.is_err() {
                tokio::task::yield_now().await;
            }
        }
    };
    soon(stored).await;
}
