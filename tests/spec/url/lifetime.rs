//! From when until when a URL works, and for how long it is minted.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use axum::body::Body;
use bytes::Bytes;
use http::{Method, StatusCode};
use http_body_util::BodyExt as _;
use tokio::sync::mpsc;
use tokio_stream::StreamExt as _;
use tokio_stream::wrappers::ReceiverStream;
use tower_presign::store::{
    ByteRange, Content, Located, Metadata, RepositoryError, Target, Upload,
};
use tower_presign::url::{Expires, ReadTerms};
use tower_presign::{
    Access, AllowAll, BinaryKey, BinaryRepository, Grant, PresignLayer, PresignedUrl, Terms,
    UrlSigner, VersionId,
};

use crate::support;
use crate::support::{BASE, NOW, get, id, put, request, respond, signer};

const DAY: u64 = 24 * 60 * 60;

/// A clock that the test sets, in milliseconds.
#[derive(Clone)]
struct Clock(Arc<AtomicU64>);

impl Clock {
    fn at(seconds: u64) -> Self {
        Self(Arc::new(AtomicU64::new(seconds * 1000)))
    }

    fn set(&self, seconds: u64) {
        self.set_millis(seconds * 1000);
    }

    fn set_millis(&self, millis: u64) {
        self.0.store(millis, Ordering::Relaxed);
    }

    fn now(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_millis(self.0.load(Ordering::Relaxed))
    }
}

/// A grant that reads version 1 of `scan`.
fn grant(expires: u64) -> Grant {
    let key = BinaryKey::new(id("scan"), VersionId::from(1));
    Grant::new(key, ReadTerms::new(), Expires::at_unix_seconds(expires))
}

/// Has a version 1 of `scan`.
async fn layer(signer: UrlSigner, clock: &Clock) -> PresignLayer {
    let clock = clock.clone();
    let repository = support::scan("image/png");
    let layer = PresignLayer::new(signer, repository, AllowAll).clock(move || clock.now());
    let url = mint(&layer, Access::Write, Terms::new()).await;
    assert_eq!(
        put(&layer, url.as_str(), "content").await.status,
        StatusCode::OK
    );
    layer
}

async fn mint(layer: &PresignLayer, access: Access, terms: Terms) -> PresignedUrl {
    let target = Target::new(id("scan"), access);
    layer.presigner().presign(target, terms).await.unwrap()
}

/// For how many seconds a URL is minted.
async fn lifetime(layer: &PresignLayer, terms: Terms) -> u64 {
    mint(layer, Access::Read, terms)
        .await
        .expires()
        .unix_seconds()
        - NOW
}

async fn assert_served(layer: &PresignLayer, url: &PresignedUrl) {
    let answer = get(layer, url.as_str()).await;
    assert_eq!(
        answer.status,
        StatusCode::OK,
        "{}: {answer:?}",
        url.as_str()
    );
}

async fn assert_refused(layer: &PresignLayer, url: &PresignedUrl, code: &str) {
    get(layer, url.as_str()).await.assert_refused(403, code);
}

// Expiry

#[tokio::test]
async fn a_url_works_until_the_moment_that_expires_names() {
    let clock = Clock::at(NOW);
    let layer = layer(signer(), &clock).await;
    let expires = NOW + 100;
    let url = signer().sign(&grant(expires));
    for millis in [NOW * 1000, expires * 1000 - 1000, expires * 1000 - 1] {
        clock.set_millis(millis);
        assert_served(&layer, &url).await;
    }
    let ever = u64::from(u32::MAX) * 1000;
    for millis in [0, 1, 1000, DAY * 1000, ever].map(|more| expires * 1000 + more) {
        clock.set_millis(millis);
        assert_refused(&layer, &url, "expired").await;
    }
}

#[test]
fn a_clock_before_1970_counts_as_1970() {
    let signer = signer();
    let url = signer.sign(&grant(100));
    let target = url.as_str().strip_prefix(BASE).unwrap();
    let before = SystemTime::UNIX_EPOCH - Duration::from_secs(DAY * 365);
    assert_eq!(signer.verifier().verify(target, before), Ok(grant(100)));
}

#[tokio::test]
async fn a_url_of_more_than_the_maximum_lifetime_is_refused_until_it_has_less() {
    for (signer, maximum) in [
        (signer(), 7 * DAY),
        (signer().with_max_lifetime(Duration::from_secs(600)), 600),
        // Whole seconds count.
        (
            signer().with_max_lifetime(Duration::from_millis(600_999)),
            600,
        ),
    ] {
        let clock = Clock::at(NOW);
        let layer = layer(signer.clone(), &clock).await;
        let at_maximum = signer.sign(&grant(NOW + maximum));
        // As minted by a clock that is a minute ahead.
        let ahead = signer.sign(&grant(NOW + maximum + 60));
        let over = signer.sign(&grant(NOW + maximum + 61));
        let endless = signer.sign(&grant(u64::MAX));
        assert_served(&layer, &at_maximum).await;
        assert_served(&layer, &ahead).await;
        assert_refused(&layer, &over, "lifetime-too-long").await;
        assert_refused(&layer, &endless, "lifetime-too-long").await;
        clock.set(NOW + 1);
        assert_served(&layer, &over).await;
    }
}

// Lifetime

#[tokio::test]
async fn a_url_is_minted_for_an_hour_unless_configured_otherwise() {
    let layer = layer(signer(), &Clock::at(NOW)).await;
    assert_eq!(lifetime(&layer, Terms::new()).await, 3600);
    let ten_minutes = layer.default_lifetime(Duration::from_secs(600));
    assert_eq!(lifetime(&ten_minutes, Terms::new()).await, 600);
}

#[tokio::test]
async fn the_lifetime_counts_from_the_time_of_the_clock() {
    let clock = Clock::at(NOW);
    let layer = layer(signer(), &clock).await;
    clock.set_millis((NOW + 5) * 1000 + 999);
    assert_eq!(
        mint(&layer, Access::Read, Terms::new())
            .await
            .expires()
            .unix_seconds(),
        NOW + 5 + 3600
    );
}

#[tokio::test]
async fn terms_say_for_how_long_from_one_second_to_the_maximum() {
    let layer = layer(signer(), &Clock::at(NOW)).await;
    let layer = layer.default_lifetime(Duration::from_secs(600));
    for (wanted, given) in [
        (Duration::ZERO, 1),
        (Duration::from_millis(1), 1),
        (Duration::from_secs(1), 1),
        (Duration::from_millis(2999), 2),
        (Duration::from_secs(60), 60),
        (Duration::from_secs(7 * DAY), 7 * DAY),
        (Duration::from_secs(7 * DAY + 1), 7 * DAY),
        (Duration::MAX, 7 * DAY),
    ] {
        for access in [Access::Read, Access::Write] {
            let url = mint(&layer, access, Terms::new().lifetime(wanted)).await;
            let expires = url.expires().unix_seconds();
            assert_eq!(expires, NOW + given, "{access:?} {wanted:?}");
        }
    }
}

#[tokio::test]
async fn a_url_minted_on_any_terms_works() {
    let signer = signer().with_max_lifetime(Duration::from_secs(600));
    let layer = layer(signer, &Clock::at(NOW))
        .await
        .expiry_granularity(Duration::from_secs(420));
    // Among them the default of an hour, which is more than the maximum.
    let wanted = [0, 1, 419, 420, 421, 599, 600, 601, 9999].map(Duration::from_secs);
    let terms = wanted.map(|wanted| Terms::new().lifetime(wanted));
    for terms in terms.into_iter().chain([Terms::new()]) {
        let url = mint(&layer, Access::Read, terms).await;
        assert_served(&layer, &url).await;
    }
}

#[tokio::test]
async fn with_a_granularity_urls_minted_within_it_are_the_same_text() {
    // 1,800,000,000 is a multiple of 600, and so is a lifetime of an hour.
    let clock = Clock::at(NOW);
    let layer = layer(signer(), &clock)
        .await
        .expiry_granularity(Duration::from_secs(600));
    let at = async |seconds| {
        clock.set(seconds);
        mint(&layer, Access::Read, Terms::new()).await
    };
    // A multiple stays, and everything else is rounded up.
    assert_eq!(at(NOW).await.expires().unix_seconds(), NOW + 3600);
    let first = at(NOW + 1).await;
    assert_eq!(first.expires().unix_seconds(), NOW + 3600 + 600);
    for seconds in [NOW + 2, NOW + 300, NOW + 600] {
        assert_eq!(at(seconds).await.as_str(), first.as_str());
    }
    let next = at(NOW + 601).await;
    assert_eq!(next.expires().unix_seconds(), NOW + 3600 + 1200);
    assert_ne!(next.as_str(), first.as_str());
}

#[tokio::test]
async fn a_url_ends_at_the_maximum_if_a_granularity_leads_beyond_it() {
    for (granularity, wanted) in [
        (DAY, 7 * DAY),
        (DAY, 7 * DAY - 1),
        (3 * DAY, 7 * DAY),
        (30 * DAY, 1),
        (u64::MAX, 1),
    ] {
        let clock = Clock::at(NOW);
        let layer = layer(signer(), &clock)
            .await
            .expiry_granularity(Duration::from_secs(granularity));
        for now in [NOW, NOW + 1, NOW + DAY / 2] {
            clock.set(now);
            let terms = Terms::new().lifetime(Duration::from_secs(wanted));
            let url = mint(&layer, Access::Read, terms).await;
            let expires = url.expires().unix_seconds();
            assert_eq!(expires, now + 7 * DAY, "{granularity} {wanted}");
        }
    }
}

#[tokio::test]
async fn without_a_granularity_expiries_are_not_rounded() {
    let layer = layer(signer(), &Clock::at(NOW)).await;
    let terms = || Terms::new().lifetime(Duration::from_secs(61));
    assert_eq!(lifetime(&layer, terms()).await, 61);
    let layer = layer.expiry_granularity(Duration::from_millis(999));
    assert_eq!(lifetime(&layer, terms()).await, 61);
}

// Transfers that outlast their URL

/// One content of 8 bytes, that comes as the test sends it.
struct Slow(Mutex<Option<mpsc::Receiver<Bytes>>>);

impl BinaryRepository for Slow {
    async fn locate(&self, _: &Target) -> Result<Located, RepositoryError> {
        Err(RepositoryError::NotFound)
    }

    async fn head(&self, _: &BinaryKey) -> Result<Metadata, RepositoryError> {
        Err(RepositoryError::NotFound)
    }

    async fn read(&self, _: &BinaryKey, _: Option<ByteRange>) -> Result<Content, RepositoryError> {
        let metadata = Metadata::new("image/png", 8, SystemTime::UNIX_EPOCH);
        let chunks = self.0.lock().unwrap().take();
        let chunks = ReceiverStream::new(chunks.ok_or(RepositoryError::NotFound)?);
        Ok(Content::new(metadata, 0..8, chunks.map(Ok)))
    }

    async fn write(&self, _: &BinaryKey, _: Upload) -> Result<Metadata, RepositoryError> {
        Err(RepositoryError::NotFound)
    }
}

#[tokio::test]
async fn a_download_that_began_in_time_finishes_after_expiry() {
    let (chunks, receiver) = mpsc::channel(1);
    let clock = Clock::at(NOW);
    let layer = PresignLayer::new(signer(), Slow(Mutex::new(Some(receiver))), AllowAll).clock({
        let clock = clock.clone();
        move || clock.now()
    });
    let url = signer().sign(&grant(NOW + 1));
    let get = request(Method::GET, url.as_str(), &[], Body::empty());
    let response = respond(&layer, get).await;
    assert_eq!(response.status(), StatusCode::OK);
    let mut body = response.into_body();
    chunks.send(Bytes::from("half")).await.unwrap();
    let frame = body.frame().await.unwrap().unwrap();
    assert_eq!(frame.into_data().unwrap(), "half");

    clock.set(NOW + DAY);
    assert_refused(&layer, &url, "expired").await;
    chunks.send(Bytes::from("rest")).await.unwrap();
    drop(chunks);
    assert_eq!(body.collect().await.unwrap().to_bytes(), "rest");
}

#[tokio::test]
async fn an_upload_that_began_in_time_finishes_after_expiry() {
    let clock = Clock::at(NOW);
    let layer = layer(signer(), &clock).await;
    let terms = Terms::new().lifetime(Duration::from_secs(1));
    let url = mint(&layer, Access::Write, terms).await;
    let (chunks, receiver) = mpsc::channel(1);
    let body = Body::from_stream(ReceiverStream::new(receiver).map(Ok::<Bytes, io::Error>));
    let upload = tokio::spawn({
        let (layer, url) = (layer.clone(), url.clone());
        async move { put(&layer, url.as_str(), body).await }
    });
    // The channel holds one chunk: when it takes the third, the second is being stored.
    for chunk in ["one ", "two ", "three "] {
        chunks.send(Bytes::from(chunk)).await.unwrap();
    }
    clock.set(NOW + DAY);
    put(&layer, url.as_str(), "late")
        .await
        .assert_refused(403, "expired");
    chunks.send(Bytes::from("four")).await.unwrap();
    drop(chunks);
    assert_eq!(upload.await.unwrap().status, StatusCode::OK);

    let written = mint(&layer, Access::Read, Terms::new()).await;
    assert_eq!(
        get(&layer, written.as_str()).await.body,
        "one two three four"
    );
}
