//! `Terms::single_use`: a URL for one download.

use std::future::ready;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::time::SystemTime;

use http::Method;
use http_body_util::BodyExt as _;
use tower_presign::store::RepositoryError;
use tower_presign::url::{Permission, ReadTerms};
use tower_presign::{
    AccessPolicy, BinaryRepository, Denial, MemoryUseLedger, MintRequest, PresignLayer,
    RedeemRequest, Terms, UrlId, UseLedger,
};

use crate::support::repository::Shelf;
use crate::support::*;

struct Once;

impl AccessPolicy for Once {
    async fn mint(&self, _: MintRequest) -> Result<Terms, Denial> {
        Ok(Terms::new().single_use())
    }

    async fn redeem(&self, request: RedeemRequest<'_>) -> Result<(), Denial> {
        if request.headers().contains_key("x-revoked") {
            return Err(Denial::forbidden());
        }
        Ok(())
    }
}

fn once(repository: impl BinaryRepository) -> PresignLayer {
    PresignLayer::new(signer(), repository, Once)
        .clock(|| at(NOW))
        .use_ledger(MemoryUseLedger::new().clock(|| at(NOW)))
}

async fn assert_used(layer: &PresignLayer, url: &str) {
    get(layer, url).await.assert_refused(410, "used");
    assert_eq!(head_with(layer, url, &[]).await.status, 410);
    get_with(layer, url, &[("range", "bytes=0-0")])
        .await
        .assert_refused(410, "used");
}

#[tokio::test]
async fn it_is_used_up_by_one_download() {
    let layer = once(Shelf::new(b"content"));
    let url = mint(&layer, "scan").await;
    assert_eq!(get(&layer, &url).await.text(), "content");
    assert_used(&layer, &url).await;
    // Another URL of the same content is another.
    let other = mint(&layer, "scan").await;
    assert_ne!(other, url);
    assert_eq!(get(&layer, &other).await.text(), "content");
}

#[tokio::test]
async fn a_part_of_the_content_uses_it_up_as_well() {
    let layer = once(Shelf::new(b"content"));
    let url = mint(&layer, "scan").await;
    let part = get_with(&layer, &url, &[("range", "bytes=0-3")]).await;
    assert_eq!(part.text(), "cont");
    assert_used(&layer, &url).await;
}

#[tokio::test]
async fn an_answer_without_content_does_not_use_it_up() {
    let layer = once(Shelf::new(b"content"));
    let url = mint(&layer, "scan").await;
    for (headers, status) in [
        (&[("range", "bytes=100-")], 416),
        (&[("if-none-match", "\"7\"")], 304),
        (&[("if-match", "\"8\"")], 412),
        (&[("x-revoked", "1")], 403),
    ] {
        assert_eq!(get_with(&layer, &url, headers).await.status, status);
    }
    assert_eq!(head_with(&layer, &url, &[]).await.status, 200);
    assert_eq!(put(&layer, &url, "content").await.status, 405);
    assert_eq!(get(&layer, &url).await.text(), "content");
    assert_used(&layer, &url).await;
}

#[tokio::test]
async fn a_client_that_leaves_before_the_first_byte_has_not_used_it() {
    let layer = once(Shelf::new(b"content"));
    let url = mint(&layer, "scan").await;
    let open = async || respond(&layer, request(Method::GET, &url, &[], "")).await;
    drop(open().await);

    let mut body = open().await.into_body();
    // While one has it, another does not.
    assert_used(&layer, &url).await;
    body.frame().await.unwrap().unwrap();
    drop(body);
    assert_used(&layer, &url).await;
}

#[tokio::test]
async fn a_storage_that_fails_before_the_first_byte_does_not_use_it_up() {
    let mut shelf = Shelf::new(b"content");
    shelf.stream = Some(|| vec![Err(RepositoryError::internal("the disk"))]);
    let ledger = MemoryUseLedger::new().clock(|| at(NOW));
    let failing = once(shelf).use_ledger(ledger.clone());
    let url = mint(&failing, "scan").await;
    let response = respond(&failing, request(Method::GET, &url, &[], "")).await;
    assert!(response.into_body().collect().await.is_err());

    let mended = once(Shelf::new(b"content")).use_ledger(ledger);
    assert_eq!(get(&mended, &url).await.text(), "content");
}

#[tokio::test]
async fn servers_that_share_a_ledger_share_the_uses() {
    let ledger = MemoryUseLedger::new().clock(|| at(NOW));
    let first = once(Shelf::new(b"content")).use_ledger(ledger.clone());
    let second = once(Shelf::new(b"content")).use_ledger(ledger);
    let url = mint(&first, "scan").await;
    assert_eq!(get(&second, &url).await.text(), "content");
    assert_used(&first, &url).await;
}

#[tokio::test]
async fn of_many_at_once_one_gets_the_content() {
    let layer = once(Shelf::new(b"content"));
    let url = mint(&layer, "scan").await;
    let gets = (0..20).map(|_| respond(&layer, request(Method::GET, &url, &[], "")));
    let answers = futures_util::future::join_all(gets).await;
    let served = answers.iter().filter(|answer| answer.status() == 200);
    assert_eq!(served.count(), 1);
}

#[tokio::test]
async fn its_id_is_random_unless_the_terms_have_one() {
    let layer = once(Shelf::new(b"content"));
    let granted = grant(&mint(&layer, "scan").await);
    assert_eq!(granted.id.unwrap().as_str().len(), 32);
    assert_eq!(
        granted.permission,
        Permission::Read(ReadTerms::new().with_once())
    );

    let own = UrlId::new("0123456789abcdef").unwrap();
    let with_id = move |_: MintRequest| ready(Ok(Terms::new().single_use().id(own)));
    let layer = PresignLayer::new(signer(), Shelf::new(b"content"), with_id).clock(|| at(NOW));
    assert_eq!(grant(&mint(&layer, "scan").await).id, Some(own));
    // A write URL writes once in any case.
    let layer = once(scan("image/png"));
    let written = grant(&mint_upload(&layer, "scan").await);
    assert_eq!(written.id, None);
}

#[tokio::test]
async fn a_browser_does_not_keep_it() {
    let layer = once(Shelf::new(b"content")).cache_downloads(true);
    let url = mint(&layer, "scan").await;
    let content = get(&layer, &url).await;
    assert_eq!(
        content.header("cache-control"),
        Some("private, no-store, no-transform")
    );
}

#[tokio::test]
async fn a_layer_without_a_ledger_serves_no_such_url() {
    let url = mint(&once(Shelf::new(b"content")), "scan").await;
    let layer = PresignLayer::new(signer(), Shelf::new(b"content"), Once).clock(|| at(NOW));
    get(&layer, &url).await.assert_refused(500, "internal");
}

struct Unreachable;

impl UseLedger for Unreachable {
    async fn reserve(&self, _: &UrlId, _: SystemTime) -> Result<bool, Denial> {
        Err(Denial::unavailable("no connection to redis.internal"))
    }

    async fn release(&self, _: &UrlId) {
        panic!("nothing was reserved");
    }
}

#[tokio::test]
async fn while_the_ledger_cannot_be_reached_nothing_is_served() {
    let layer = once(Shelf::new(b"content")).use_ledger(Unreachable);
    let url = mint(&layer, "scan").await;
    let refused = get(&layer, &url).await;
    refused.assert_refused(503, "unavailable");
    assert!(!refused.text().contains("redis"));
}

#[tokio::test]
async fn the_ledger_learns_until_when_the_use_must_be_remembered() {
    struct Until;

    impl UseLedger for Until {
        async fn reserve(&self, id: &UrlId, until: SystemTime) -> Result<bool, Denial> {
            assert_eq!((id.as_str().len(), until), (32, at(NOW + 3600)));
            Ok(true)
        }

        async fn release(&self, _: &UrlId) {}
    }

    let layer = once(Shelf::new(b"content")).use_ledger(Until);
    let url = mint(&layer, "scan").await;
    assert_eq!(get(&layer, &url).await.status, 200);
}

#[tokio::test]
async fn the_ledger_in_memory_forgets_what_expired_five_minutes_ago_and_nothing_else() {
    let now = Arc::new(AtomicU64::new(NOW));
    let clock = Arc::clone(&now);
    let ledger = MemoryUseLedger::new().clock(move || at(clock.load(Relaxed)));
    // Now and then, when there are many, it looks for those that it may forget.
    let fill = async || {
        for _ in 0..5000 {
            let id = UrlId::random();
            assert!(ledger.reserve(&id, at(NOW + 3600)).await.unwrap());
        }
    };
    let (early, late) = (UrlId::random(), UrlId::random());
    assert!(ledger.reserve(&early, at(NOW + 60)).await.unwrap());
    assert!(ledger.reserve(&late, at(NOW + 3600)).await.unwrap());
    // By the clock of another server, it may not have expired.
    now.store(NOW + 60 + 5 * 60 - 1, Relaxed);
    fill().await;
    assert!(!ledger.reserve(&early, at(NOW + 60)).await.unwrap());
    assert!(!ledger.reserve(&late, at(NOW + 3600)).await.unwrap());
    now.store(NOW + 60 + 5 * 60, Relaxed);
    fill().await;
    // Nobody can use it any more, so this does no harm.
    assert!(ledger.reserve(&early, at(NOW + 60)).await.unwrap());
    assert!(!ledger.reserve(&late, at(NOW + 3600)).await.unwrap());
    ledger.release(&late).await;
    assert!(ledger.reserve(&late, at(NOW + 3600)).await.unwrap());
}
