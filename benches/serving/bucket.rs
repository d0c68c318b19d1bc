//! Downloads from a bucket, beside the same from its store.

use std::path::Path;
use std::time::{Duration, SystemTime};

use axum::Router;
use bytes::Bytes;
use futures_util::stream;
use tokio::runtime::Runtime;
use tower_presign::store::{ObjectStoreRepository, Upload};
use tower_presign::url::{Expires, ReadTerms};
use tower_presign::{Access, BinaryId, BinaryKey, BinaryRepository as _, Grant, Target};

use crate::load::Requests;
use crate::row::Table;
use crate::s3;
use crate::servers::Servers;
use crate::site::{Site, png};

pub(crate) fn measure(table: &Table, servers: &mut Servers<'_>) {
    let many = "GET 1k from a bucket, 16 connections : the store";
    let one = "GET 1k from a bucket, one connection";
    if !table.wants(many) && !table.wants(one) {
        return;
    }
    // The store has the core of the load, whoever asks it: it takes nothing from our server.
    let store = servers.start_on(1, "store").address;
    let server = servers.start(&format!("bucket {store}")).address;
    let runtime = Runtime::new().expect("a runtime");
    let (target, theirs) = runtime.block_on(upload(&store));
    let ours = format!("{server}{target}");
    let requests = |url| Requests::of(url, 16);
    table.ratio(many, Some(0.7), "requests/s", || {
        (requests(&ours).rate(), requests(&theirs).rate())
    });
    table.at_most(one, 1.0, "ms", || {
        let requests = Requests::of(&ours, 1);
        requests.rate();
        1000.0 / requests.rate()
    });
}

/// Uploads 1 KiB, and returns the target that reads it, and the store's own URL of the object.
async fn upload(store: &str) -> (String, String) {
    let repository = repository(store);
    let id = BinaryId::new("1k").expect("an id");
    let created = repository.create(id, png()).await;
    created.expect("a Binary");
    let content = stream::iter([Ok(Bytes::from_static(&[0x5a; 1024]))]);
    let key = mint(&repository, Access::Write).await;
    let written = repository.write(&key, Upload::new(png(), content)).await;
    written.expect("an upload");
    let expires = Expires::at(SystemTime::now() + Duration::from_secs(3600));
    let key = mint(&repository, Access::Read).await;
    let grant = Grant::new(key, ReadTerms::new(), expires);
    let url = repository.offload_reads(true).presign(&grant).await;
    let url = url.expect("a URL").expect("a URL of the store");
    (Site::target_of(&grant), url.as_str().to_owned())
}

async fn mint(repository: &ObjectStoreRepository, access: Access) -> BinaryKey {
    let target = Target::new(BinaryId::new("1k").expect("an id"), access);
    let located = repository.locate(&target).await.expect("a version");
    match located.place {
        Some(place) => located.key.with_place(place),
        None => located.key,
    }
}

pub(crate) fn repository(store: &str) -> ObjectStoreRepository {
    ObjectStoreRepository::new(s3::bucket(store))
}

pub(crate) fn store(folder: &Path) -> Router {
    let folder = folder.join("bucket");
    s3::router(folder.to_str().expect("a path"))
}
