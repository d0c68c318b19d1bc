//! Which keys make a URL work, and which keys there can be.

use std::time::Duration;

use http::StatusCode;
use tower_presign::url::{Expires, KeyError, ReadTerms};
use tower_presign::{
    AllowAll, BinaryKey, Grant, Keyring, PresignLayer, SigningKey, UrlSigner, VersionId,
};

use crate::support::key_with_id as key;
use crate::support::{BASE, NOW, SECRET, at, get, id, mint, mint_upload, put, ring, scan};

/// A grant that reads version 1 of `scan`, for a minute.
fn grant() -> Grant {
    let key = BinaryKey::new(id("scan"), VersionId::from(1));
    Grant::new(key, ReadTerms::new(), Expires::at_unix_seconds(NOW + 60))
}

async fn assert_served(layer: &PresignLayer, url: &str) {
    let answer = get(layer, url).await;
    assert_eq!(answer.status, StatusCode::OK, "{url}: {answer:?}");
}

async fn assert_refused(layer: &PresignLayer, url: &str) {
    get(layer, url)
        .await
        .assert_refused(403, "invalid-signature");
}

// Rotation

#[tokio::test]
async fn keys_rotate_while_serving() {
    let signer = UrlSigner::new(key("old"), BASE).unwrap();
    let repository = scan("image/png");
    let layer = PresignLayer::new(signer.clone(), repository, AllowAll).clock(|| at(NOW));
    let write = mint_upload(&layer, "scan").await;
    assert_eq!(put(&layer, &write, "content").await.status, StatusCode::OK);
    // Another replica, one step ahead.
    let ahead = UrlSigner::new(key("new"), BASE).unwrap();
    let by_new = String::from(ahead.sign(&grant()));
    let by_old = mint(&layer, "scan").await;
    assert!(by_old.contains("&Key-Pair-Id=old&"));
    assert_served(&layer, &by_old).await;
    assert_refused(&layer, &by_new).await;

    signer.set_keyring(ring("old", "new"));
    assert_eq!(mint(&layer, "scan").await, by_old);
    assert_served(&layer, &by_old).await;
    assert_served(&layer, &by_new).await;

    signer.set_keyring(ring("new", "old"));
    let minted = mint(&layer, "scan").await;
    assert!(minted.contains("&Key-Pair-Id=new&"));
    for url in [&minted, &by_old, &by_new] {
        assert_served(&layer, url).await;
    }

    signer.set_keyring(key("new"));
    assert_refused(&layer, &by_old).await;
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
        let url = signer.sign(&grant());
        assert!(url.as_str().contains("&Key-Pair-Id=new&"));
    }
}

#[test]
fn servers_that_share_keys_and_base_url_share_urls() {
    let by = |base: &str| UrlSigner::new(key("a"), base).unwrap().sign(&grant());
    assert_eq!(by(BASE), by(BASE));
    assert_eq!(by(BASE), by(&format!("{BASE}/")));
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
