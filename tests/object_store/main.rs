//! `ObjectStoreRepository`, on engines written by others: S3 in this process, Azure's emulator,
//! the store's own memory, and whichever S3 server the environment names.

#[path = "../support/mod.rs"]
mod support;

/// Makes each a test on every engine.
macro_rules! on_every_engine {
    ($($name:ident)*) => {
        mod memory { $(on_engine! { memory $name })* }
        mod s3 { $(on_engine! { s3 $name })* }
        on_engines_elsewhere! { $($name)* }
    };
}

/// Makes each a test on the engines that the environment names.
macro_rules! on_engines_elsewhere {
    ($($name:ident)*) => {
        mod azurite { $(on_engine! { azurite $name })* }
        mod other_s3 {
            $(on_engine! {
                #[ignore = "PRESIGN_TEST_S3 and the variables of AWS must tell where"]
                other_s3 $name
            })*
        }
    };
}

macro_rules! on_engine {
    ($(#[$ignore:meta])? $engine:ident $name:ident) => {
        #[tokio::test]
        $(#[$ignore])?
        async fn $name() {
            if let Some(engine) = crate::Engine::$engine().await {
                crate::$name(engine).await;
            }
        }
    };
}

mod bucket_store;
mod connector;
mod contexts;
mod contracts;
mod deletion;
mod engines;
mod errors;
mod gcs;
mod integrity;
mod links;
mod offload;
mod patience;
mod proxy;
mod redirect;
mod replica;
mod replicas;
mod requests;
mod resumable;
mod secrets;
#[path = "../spec/stores/table.rs"]
#[expect(dead_code, reason = "other tests have its database fail")]
mod table;

use std::io;
use std::sync::Arc;

use axum::body::Body;
use bucket_store::{
    a_store_keeps_bytes_in_places_of_its_own, no_place_leads_to_anything_but_content,
};
use bytes::Bytes;
use contexts::a_context_is_the_hosts_alone;
use contracts::the_contract_is_kept;
use engines::Engine;
use futures_util::future::join_all;
use futures_util::stream;
use futures_util::{StreamExt as _, TryStreamExt as _};
use http::StatusCode;
use object_store::path::Path;
use resumable::an_upload_in_parts_goes_on_at_any_server;
use support::*;
use tower_presign::store::RepositoryError;
use tower_presign::{BinaryId, ContentType, PresignLayer};

on_every_engine! {
    a_context_is_the_hosts_alone
    a_store_keeps_bytes_in_places_of_its_own
    no_place_leads_to_anything_but_content
    uploaded_content_is_downloaded_whole_and_in_part
    a_write_url_writes_once
    an_upload_of_another_type_or_too_late_or_cut_short_leaves_nothing
    old_versions_stay_readable
    of_racing_uploads_one_wins
    deleted_content_stays_deleted
    an_upload_in_parts_goes_on_at_any_server
}

/// Two parts, of 5 MiB each.
const PARTS: usize = 2 * 5 * 1024 * 1024;

/// More than a part, and no multiple of one.
const LARGE: usize = 11 * 1024 * 1024 + 7;

fn bytes(length: usize, seed: usize) -> Bytes {
    (0..251).cycle().skip(seed).take(length).collect()
}

/// A layer, and the id of a new PNG without content.
async fn layer_with_png(engine: &Engine) -> (PresignLayer, String) {
    let id = BinaryId::random();
    let png = ContentType::new("image/png").unwrap();
    engine.repository.create(id, png).await.unwrap();
    (layer(engine.repository.clone()), id.to_string())
}

/// The number of objects below a folder, or in the whole bucket.
async fn objects(engine: &Engine, folder: Option<&str>) -> usize {
    let folder = folder.map(Path::from);
    let listing = engine.store.list(folder.as_ref());
    let objects: Vec<_> = listing.try_collect().await.unwrap();
    objects.len()
}

/// The number of versions of a Binary, and that of large contents, of all Binaries.
async fn stored(engine: &Engine, id: &str) -> (usize, usize) {
    let of_binary = objects(engine, Some(&format!("binary/{id}"))).await;
    let of_all = objects(engine, Some("binary")).await;
    // The Binary itself is two objects.
    (of_binary - 2, objects(engine, None).await - of_all)
}

async fn uploaded_content_is_downloaded_whole_and_in_part(engine: Engine) {
    for length in [1000, PARTS, LARGE] {
        let (layer, id) = layer_with_png(&engine).await;
        // Minted before there is content: it leads there all the same.
        let early = mint(&layer, &id).await;
        get(&layer, &early).await.assert_refused(404, "not-found");

        let content = bytes(length, 1);
        let stored = put(&layer, &mint_upload(&layer, &id).await, content.clone()).await;
        assert_eq!(stored.status, StatusCode::OK, "{stored:?}");

        for url in [early, mint(&layer, &id).await] {
            let whole = get(&layer, &url).await;
            assert_eq!(whole.status, StatusCode::OK);
            assert_eq!(whole.header("content-type"), Some("image/png"));
            assert_eq!(whole.header("etag"), stored.header("etag"));
            assert_eq!(whole.header("content-length"), Some(&*length.to_string()));
            assert!(
                whole.body == content,
                "content of {length} bytes came back changed"
            );

            for (range, expected) in [
                ("bytes=5-9", 5..10),
                ("bytes=990-", 990..length),
                ("bytes=-10", length - 10..length),
                ("bytes=0-99999999999", 0..length),
            ] {
                let part = get_with(&layer, &url, &[("range", range)]).await;
                assert_eq!(part.status, StatusCode::PARTIAL_CONTENT, "{range}");
                assert!(part.body == content[expected], "{range} of {length} bytes");
            }
            let outside = format!("bytes={length}-");
            let outside = get_with(&layer, &url, &[("range", &outside)]).await;
            outside.assert_refused(416, "range-not-satisfiable");
            let complete_length = format!("bytes */{length}");
            assert_eq!(outside.header("content-range"), Some(&*complete_length));

            let head = head_with(&layer, &url, &[]).await;
            assert_eq!(head.header("content-length"), Some(&*length.to_string()));
            let known = stored.header("etag").unwrap();
            let unchanged = get_with(&layer, &url, &[("if-none-match", known)]).await;
            assert_eq!(unchanged.status, StatusCode::NOT_MODIFIED);
            let changed = get_with(&layer, &url, &[("if-match", "\"other\"")]).await;
            changed.assert_refused(412, "precondition-failed");
        }
    }
}

async fn a_write_url_writes_once(engine: Engine) {
    for length in [1000, LARGE] {
        let (layer, id) = layer_with_png(&engine).await;
        let url = mint_upload(&layer, &id).await;
        let first = put(&layer, &url, bytes(length, 1)).await;
        assert_eq!(first.status, StatusCode::OK, "{first:?}");
        let second = put(&layer, &url, bytes(length, 2)).await;
        second.assert_refused(412, "already-written");
        assert_eq!(second.header("etag"), first.header("etag"));
        let read = get(&layer, &mint(&layer, &id).await).await;
        assert!(read.body == bytes(length, 1));
    }
}

async fn an_upload_of_another_type_or_too_late_or_cut_short_leaves_nothing(engine: Engine) {
    let (layer, id) = layer_with_png(&engine).await;
    let url = mint_upload(&layer, &id).await;
    let pdf = [("content-type", "application/pdf")];
    let refused = call(&layer, request(http::Method::PUT, &url, &pdf, "%PDF")).await;
    refused.assert_refused(415, "content-type-mismatch");
    let too_late = layer.clone().clock(|| at(NOW + 3600));
    put(&too_late, &url, "late")
        .await
        .assert_refused(403, "expired");
    for length in [1000, LARGE] {
        let cut = [Ok(bytes(length, 1)), Err(io::ErrorKind::ConnectionReset)];
        let body = Body::from_stream(stream::iter(cut.map(|part| part.map_err(io::Error::from))));
        put(&layer, &url, body)
            .await
            .assert_refused(400, "incomplete-body");
    }
    let wrong = "sha-256=:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=:";
    let headers = [("content-digest", wrong)];
    let refused = put_with(&layer, &url, &headers, bytes(LARGE, 1)).await;
    refused.assert_refused(400, "digest-mismatch");

    get(&layer, &mint(&layer, &id).await)
        .await
        .assert_refused(404, "not-found");
    assert_eq!(stored(&engine, &id).await, (0, 0));
    let repeated = put(&layer, &url, bytes(LARGE, 3)).await;
    assert_eq!(
        repeated.status,
        StatusCode::OK,
        "a failed upload may be repeated"
    );
}

async fn old_versions_stay_readable(engine: Engine) {
    let (layer, id) = layer_with_png(&engine).await;
    for (version, length) in [(1, 10), (2, LARGE), (3, 30)] {
        let stored = put(
            &layer,
            &mint_upload(&layer, &id).await,
            bytes(length, version),
        )
        .await;
        assert_eq!(stored.status, StatusCode::OK);
    }
    for (version, length) in [(1, 10), (2, LARGE), (3, 30)] {
        let operation = format!("/Binary/{id}/_history/{version}/$presigned-url");
        let read = get(&layer, &get(&layer, &operation).await.url()).await;
        assert!(read.body == bytes(length, version), "version {version}");
    }
}

async fn of_racing_uploads_one_wins(engine: Engine) {
    if !engine.is_write_once {
        eprintln!("skipped: of racing uploads, this store lets each win");
        return;
    }
    for length in [1000, LARGE] {
        let (first, id) = layer_with_png(&engine).await;
        // The servers share the bucket, the key and the base URL. Each takes two
        // uploads to a version at once.
        let others = [(); 2].map(|()| layer(engine.repository.clone()));
        let servers = [&first, &others[0], &others[1]];
        let url = mint_upload(&first, &id).await;
        let uploads = (0..6).map(|i| put(servers[i % 3], &url, bytes(length, i)));
        let answers = join_all(uploads).await;
        let winners: Vec<_> = (0..6)
            .filter(|i| answers[*i].status == StatusCode::OK)
            .collect();
        assert_eq!(winners.len(), 1, "{answers:?}");
        for lost in answers
            .iter()
            .filter(|answer| answer.status != StatusCode::OK)
        {
            lost.assert_refused(412, "already-written");
        }
        let read = get(&others[0], &mint(&others[0], &id).await).await;
        assert!(read.body == bytes(length, winners[0]));
        // A large content has a hint beside it.
        let expected = if length == LARGE { (2, 1) } else { (1, 0) };
        assert_eq!(stored(&engine, &id).await, expected, "what lost is removed");
    }
}

async fn deleted_content_stays_deleted(engine: Engine) {
    let (layer, id) = layer_with_png(&engine).await;
    for length in [10, LARGE] {
        put(&layer, &mint_upload(&layer, &id).await, bytes(length, 1)).await;
    }
    let (read, write) = (mint(&layer, &id).await, mint_upload(&layer, &id).await);
    let id = BinaryId::new(id).unwrap();
    engine.repository.delete(id).await.unwrap();
    // The Binary itself, its two versions and the next, for URLs that are still alive.
    assert_eq!(objects(&engine, None).await, 4);
    for _ in 0..2 {
        engine.repository.delete(id).await.unwrap();
        assert_eq!(objects(&engine, None).await, 4, "it does not grow");
    }

    get(&layer, &read).await.assert_refused(410, "deleted");
    get_with(&layer, &read, &[("range", "bytes=0-9")])
        .await
        .assert_refused(410, "deleted");
    put(&layer, &write, "again")
        .await
        .assert_refused(410, "deleted");
    let operation = format!("/Binary/{id}/$presigned-url");
    get(&layer, &operation).await.assert_refused(410, "deleted");
    let png = ContentType::new("image/png").unwrap();
    let created = engine.repository.create(id, png).await;
    assert!(
        matches!(created, Err(RepositoryError::Deleted)),
        "{created:?}"
    );
    let never_was = engine.repository.delete(BinaryId::random()).await;
    assert!(
        matches!(never_was, Err(RepositoryError::NotFound)),
        "{never_was:?}"
    );
}
