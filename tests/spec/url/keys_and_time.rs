//! When a URL works, which keys make it work, and what neither of them gives away.

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
use tower::Layer as _;
use tower_presign::store::{
    ByteRange, Content, Located, Metadata, RepositoryError, Target, Upload,
};
use tower_presign::url::{Expires, KeyError, ReadTerms, VerifyError};
use tower_presign::{
    Access, AccessPolicy, AllowAll, BinaryKey, BinaryRepository, Denial, Grant, Keyring,
    MintRequest, PresignLayer, PresignedUrl, RedeemRequest, SigningKey, Terms, UrlSigner,
    VersionId,
};

use crate::support;
use crate::support::{BASE, NOW, SECRET, at, get, id, put, request, respond, signer};

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

/// A key whose secret no key of another id has.
fn key(id: &str) -> SigningKey {
    SigningKey::new(id, format!("{id}: {SECRET}")).unwrap()
}

/// What reads version 1 of `scan`.
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
    for millis in [0, 1, 1000, DAY * 1000].map(|more| expires * 1000 + more) {
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
        let terms = Terms::new().lifetime(wanted);
        assert_eq!(lifetime(&layer, terms).await, given, "{wanted:?}");
    }
}

#[tokio::test]
async fn what_is_minted_on_any_terms_works() {
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
async fn with_a_granularity_no_expiry_exceeds_the_maximum() {
    for (granularity, wanted) in [
        (DAY, 7 * DAY),
        (DAY, 7 * DAY - 1),
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
            let expires = mint(&layer, Access::Read, terms)
                .await
                .expires()
                .unix_seconds();
            assert!(
                expires > now && expires <= now + 7 * DAY,
                "{granularity} {wanted}"
            );
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

// Rotation

#[tokio::test]
async fn keys_rotate_while_serving() {
    let ring = |signing, verify_only| {
        Keyring::new(key(signing))
            .with_verify_only(key(verify_only))
            .unwrap()
    };
    let signer = UrlSigner::new(key("old"), BASE).unwrap();
    let layer = layer(signer.clone(), &Clock::at(NOW)).await;
    // Another replica, one step ahead.
    let ahead = UrlSigner::new(key("new"), BASE).unwrap();
    let by_new = ahead.sign(&grant(NOW + 60));
    let by_old = mint(&layer, Access::Read, Terms::new()).await;
    assert!(by_old.as_str().contains("&Key-Pair-Id=old&"));
    assert_served(&layer, &by_old).await;
    assert_refused(&layer, &by_new, "invalid-signature").await;

    signer.set_keyring(ring("old", "new"));
    assert_eq!(mint(&layer, Access::Read, Terms::new()).await, by_old);
    assert_served(&layer, &by_old).await;
    assert_served(&layer, &by_new).await;

    signer.set_keyring(ring("new", "old"));
    let minted = mint(&layer, Access::Read, Terms::new()).await;
    assert!(minted.as_str().contains("&Key-Pair-Id=new&"));
    for url in [&minted, &by_old, &by_new] {
        assert_served(&layer, url).await;
    }

    signer.set_keyring(key("new"));
    assert_refused(&layer, &by_old, "invalid-signature").await;
    for url in [&minted, &by_new] {
        assert_served(&layer, url).await;
    }
}

#[test]
fn a_rotation_reaches_every_clone_of_the_signer() {
    let original = UrlSigner::new(key("old"), BASE).unwrap();
    let clone = original.clone();
    let other_maximum = original.clone().with_max_lifetime(Duration::from_secs(5));
    clone.set_keyring(key("new"));
    for signer in [original, clone, other_maximum] {
        let url = signer.sign(&grant(NOW));
        assert!(url.as_str().contains("&Key-Pair-Id=new&"));
    }
}

#[test]
fn servers_that_share_keys_and_base_url_share_urls() {
    let by = |base: &str| UrlSigner::new(key("a"), base).unwrap().sign(&grant(NOW));
    assert_eq!(by(BASE), by(BASE));
    assert_eq!(by(BASE), by(&format!("{BASE}/")));
}

#[test]
fn a_ring_can_serve_several_base_urls_whose_urls_stay_apart() {
    let ring = Keyring::new(key("a"));
    let here = UrlSigner::new(ring.clone(), BASE).unwrap();
    let there = UrlSigner::new(ring, "https://other.example.com/binary").unwrap();
    let url = here.sign(&grant(NOW + 60));
    let target = url.as_str().strip_prefix(BASE).unwrap();
    let now = support::at(NOW);
    assert!(here.verifier().verify(target, now).is_ok());
    let error = there.verifier().verify(target, now).unwrap_err();
    assert_eq!(error, VerifyError::InvalidSignature);
}

// Keys

#[test]
fn a_key_id_is_1_to_64_of_a_few_characters() {
    let (longest, longer) = ("x".repeat(64), "x".repeat(65));
    for id in ["a", "2026-11", "A_b-9", &longest] {
        assert_eq!(SigningKey::new(id, SECRET).unwrap().id(), id);
    }
    let others = [
        "", " ", "a b", "a.b", "a/b", "a&b", "a=b", "a%20", "a\n", "~", "é", &longer,
    ];
    for id in others {
        let error = SigningKey::new(id, SECRET).unwrap_err();
        assert_eq!(error, KeyError::InvalidId(id.into()));
        let expected = format!("a key id is 1 to 64 of A-Z a-z 0-9 - _, and not {id:?}");
        assert_eq!(error.to_string(), expected);
    }
}

#[test]
fn a_secret_has_32_bytes_or_more() {
    let bytes: Vec<u8> = (0..255).collect();
    for length in [32, 33, 64, 65, 255] {
        assert!(SigningKey::new("test", &bytes[..length]).is_ok());
    }
    for length in [0, 1, 16, 31] {
        let error = SigningKey::new("test", &bytes[..length]).unwrap_err();
        assert_eq!(error, KeyError::ShortSecret(length));
        let expected = format!(
            "the secret has {length} bytes; it needs 32 or more, such as `openssl rand 32` makes"
        );
        assert_eq!(error.to_string(), expected);
    }
}

#[test]
fn a_secret_is_not_one_byte_repeated() {
    for byte in [0, b'a', 255] {
        let error = SigningKey::new("test", [byte; 64]).unwrap_err();
        assert_eq!(error, KeyError::WeakSecret);
        let expected = "the secret is one byte repeated; it must be random";
        assert_eq!(error.to_string(), expected);
    }
}

#[test]
fn a_ring_has_one_key_of_an_id() {
    let ring = Keyring::new(key("a")).with_verify_only(key("b")).unwrap();
    for id in ["a", "b"] {
        // With whatever secret.
        let another = SigningKey::new(id, format!("another secret {SECRET}")).unwrap();
        let error = ring.clone().with_verify_only(another).unwrap_err();
        assert_eq!(error, KeyError::DuplicateId(id.into()));
        let expected = format!("the keyring already has a key with the id {id}");
        assert_eq!(error.to_string(), expected);
    }
    assert!(ring.with_verify_only(key("A")).is_ok());
}

#[test]
fn debug_shows_ids_and_no_secret() {
    let shown = |secret: String| {
        let key = |id| SigningKey::new(id, &secret).unwrap();
        let ring = Keyring::new(key("a")).with_verify_only(key("b")).unwrap();
        let signer = UrlSigner::new(ring.clone(), BASE).unwrap();
        let layer = PresignLayer::new(signer.clone(), support::scan("image/png"), AllowAll);
        let service = layer.layer(());
        let debug = [
            format!("{:?}", key("a")),
            format!("{ring:?}"),
            format!("{signer:?}"),
            format!("{layer:?}"),
            format!("{service:?}"),
        ];
        assert!(!debug.concat().contains(&secret));
        debug
    };
    let debug = shown(SECRET.to_owned());
    assert!(debug[0].contains("\"a\""), "{}", debug[0]);
    assert!(debug[1].contains("\"b\""), "{}", debug[1]);
    assert!(debug[2].contains(BASE), "{}", debug[2]);
    // Nor anything that depends on it.
    assert_eq!(debug, shown(format!("another {SECRET}")));
}

#[test]
fn debug_shows_where_a_url_points_and_no_claim_or_signature() {
    let url = signer().sign(&grant(NOW));
    let debug = format!("{url:?}");
    assert!(debug.contains(&format!("{BASE}/scan/1?")), "{debug}");
    let (_, signature) = url.as_str().rsplit_once('=').unwrap();
    for hidden in [signature, "Signature", "Key-Pair-Id", "Expires="] {
        assert!(!debug.contains(hidden), "{debug}");
    }
}

/// Tracing prints a policy's arguments in this form.
#[tokio::test]
async fn debug_of_what_a_policy_is_asked_shows_neither_credentials_nor_signatures() {
    struct Printing(Arc<Mutex<Vec<String>>>);
    impl AccessPolicy for Printing {
        async fn mint(&self, request: MintRequest) -> Result<Terms, Denial> {
            self.0.lock().unwrap().push(format!("{request:?}"));
            Ok(Terms::new())
        }

        async fn redeem(&self, request: RedeemRequest<'_>) -> Result<(), Denial> {
            self.0.lock().unwrap().push(format!("{request:?}"));
            Ok(())
        }
    }
    let printed = Arc::default();
    let policy = Printing(Arc::clone(&printed));
    let layer = PresignLayer::new(signer(), support::scan("image/png"), policy);
    let layer = layer.clock(|| at(NOW));
    let token = [("authorization", "Bearer doctor")];
    let answer = support::get_with(&layer, "/Binary/scan/$presigned-url", &token).await;
    support::get_with(&layer, &answer.url(), &token).await;

    let printed = printed.lock().unwrap();
    assert_eq!(printed.len(), 2);
    for debug in printed.iter() {
        assert!(debug.contains("scan"), "{debug}");
        for hidden in ["doctor", "uthorization", "Signature", "Key-Pair-Id"] {
            assert!(!debug.contains(hidden), "{debug}");
        }
    }
}
