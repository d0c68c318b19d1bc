//! Attacks with other keys than the server's, other key ids, and signatures over another text.

use http::Method;
use tower_presign::{Keyring, SigningKey, UrlSigner};

use super::forger::{genuine, read_claims, with_signature};
use super::spy::{
    BASE, KEY_ID, OLD_KEY_ID, OLD_SECRET, ORIGIN, SECRET, Server, keyring, read_grant,
};
use super::{INVALID, altered, assert_get_refused};
use crate::support::signature::{FORMAT, derive, hmac, string_to_sign};

/// A target of the server, signed by someone else.
fn signed_by(signer: &UrlSigner) -> String {
    let url = signer.sign(&read_grant("scan", "1"));
    let target = url.as_str().strip_prefix(signer.base_url()).unwrap();
    format!("/storage{target}")
}

fn signer(id: &str, secret: impl AsRef<[u8]>) -> UrlSigner {
    UrlSigner::new(SigningKey::new(id, secret).unwrap(), BASE).unwrap()
}

#[tokio::test]
async fn the_key_id_selects_the_key() {
    let server = Server::start().await;
    let genuine = server.read_target();
    let own = format!("Key-Pair-Id={KEY_ID}&");
    for id in [
        "",
        "x",
        OLD_KEY_ID,
        "2026-1",
        "2026-111",
        "2026_11",
        "2026-11%00",
        "2026-11,2026-05",
        "2026-11/../2026-05",
        "..",
        "*",
    ] {
        let target = altered(&genuine, &own, &format!("Key-Pair-Id={id}&"));
        assert_get_refused(&server, &format!("key id {id:?}"), &target, INVALID).await;
    }
    let long = altered(
        &genuine,
        &own,
        &format!("Key-Pair-Id={}&", "x".repeat(10_000)),
    );
    assert_get_refused(&server, "a long key id", &long, INVALID).await;
}

#[tokio::test]
async fn a_key_signs_under_its_own_id_alone() {
    let server = Server::start().await;
    // Under its own id the old key's signature is right, or the next ones would prove nothing.
    let by_old_key = signed_by(&signer(OLD_KEY_ID, OLD_SECRET));
    assert_eq!(server.send(Method::GET, &by_old_key).await.status, 200);
    server.journal();

    let random = b"a secret that nobody ever told us";
    let attacks = [
        ("another key of the ring", KEY_ID, OLD_SECRET),
        ("the signing key under the old id", OLD_KEY_ID, SECRET),
        ("a key of the attacker's", KEY_ID, &random[..]),
        (
            "a key of the attacker's with an id of its own",
            "mine",
            random,
        ),
    ];
    for (attack, id, secret) in attacks {
        let target = signed_by(&signer(id, secret));
        assert_get_refused(&server, attack, &target, INVALID).await;
    }
}

#[tokio::test]
async fn a_key_that_has_left_the_ring_is_worth_nothing() {
    let server = Server::start().await;
    let by_old_key = signed_by(&signer(OLD_KEY_ID, OLD_SECRET));
    assert_eq!(server.send(Method::GET, &by_old_key).await.status, 200);
    server.journal();

    server
        .signer
        .set_keyring(SigningKey::new(KEY_ID, SECRET).unwrap());
    assert_get_refused(&server, "the old key", &by_old_key, INVALID).await;
    // Its id in other hands.
    let successor = SigningKey::new(OLD_KEY_ID, SECRET).unwrap();
    server.signer.set_keyring(successor);
    assert_get_refused(&server, "the old key", &by_old_key, INVALID).await;
}

#[tokio::test]
async fn a_secret_longer_or_shorter_by_a_zero_byte_is_another_secret() {
    let secret: Vec<u8> = (1..=64).collect();
    let longer = [&secret[..], &[0]].concat();
    let server = Server::start().await;
    let cases = [
        (&secret[..], &longer[..], "a zero byte appended"),
        (&longer, &secret, "a zero byte cut off"),
        (&secret, &secret[..63], "the last byte cut off"),
        (SECRET, &[&[0], SECRET].concat(), "a zero byte in front"),
    ];
    for (own, other, attack) in cases {
        server
            .signer
            .set_keyring(SigningKey::new(KEY_ID, own).unwrap());
        let target = signed_by(&signer(KEY_ID, other));
        assert_get_refused(&server, attack, &target, INVALID).await;
    }
}

/// No attack, but a property of HMAC that whoever chooses secrets should know (RFC 2104 §2): keys
/// shorter than the hash's block of 64 bytes are filled up with zero bytes, and longer ones are
/// replaced by their hash.
#[test]
fn hmac_takes_some_secrets_for_the_same() {
    use sha2::{Digest as _, Sha256};

    let target = signed_by(&signer(KEY_ID, SECRET));
    let with_zeros = [SECRET, &[0; 32]].concat();
    assert_eq!(signed_by(&signer(KEY_ID, with_zeros)), target);

    let long: Vec<u8> = (1..=65).collect();
    let hashed = Sha256::digest(&long);
    assert_eq!(
        signed_by(&signer(KEY_ID, hashed)),
        signed_by(&signer(KEY_ID, long))
    );
}

#[tokio::test]
async fn only_the_derived_key_signs_and_only_the_whole_text() {
    let server = Server::start().await;
    let signed = read_claims();
    let derived = derive(SECRET);
    let text = string_to_sign(BASE, &signed);
    assert_eq!(
        with_signature(&signed, &hmac(derived, &text)),
        genuine(&signed)
    );

    let keys: [(&str, &[u8]); 5] = [
        ("the secret itself", SECRET),
        ("no key", b""),
        ("zeros", &[0; 64]),
        ("the name of the format", b"tower-presign/v1"),
        ("a key derived twice", &derive(derived)),
    ];
    for (attack, key) in keys {
        let target = with_signature(&signed, &hmac(key, &text));
        assert_get_refused(&server, attack, &target, INVALID).await;
    }
    let texts = [
        ("nothing", String::new()),
        ("the target alone", signed.clone()),
        (
            "the target as the server sees it",
            format!("/storage{signed}"),
        ),
        ("no format", format!("{BASE}\n{signed}")),
        ("no base", format!("{FORMAT}\n\n{signed}")),
        (
            "another format",
            format!("tower-presign/v2\n{BASE}\n{signed}"),
        ),
        (
            "a slash after the base",
            format!("{FORMAT}\n{BASE}/\n{signed}"),
        ),
        (
            "base and target in one",
            format!("{FORMAT}\n{BASE}{signed}"),
        ),
        ("a line break at the end", format!("{text}\n")),
        ("the signature's name", format!("{text}&Signature=")),
        ("CR LF", text.replace('\n', "\r\n")),
        (
            "another base's end",
            format!("{FORMAT}\n{ORIGIN}\n/storage{signed}"),
        ),
    ];
    for (attack, text) in texts {
        let target = with_signature(&signed, &hmac(derived, &text));
        assert_get_refused(&server, attack, &target, INVALID).await;
    }
}

#[tokio::test]
async fn a_url_is_for_its_own_base_alone() {
    let server = Server::start().await;
    for base in [
        "http://health.example.com/storage",
        "https://other.example.com/storage",
        "https://health.example.com.evil.example/storage",
        "https://health.example.com:8443/storage",
        "https://health.example.com/storage2",
        "https://health.example.com/other/storage",
        "https://health.example.com/Storage",
        "https://health.example.com",
    ] {
        let target = signed_by(&UrlSigner::new(keyring(), base).unwrap());
        assert_get_refused(&server, base, &target, INVALID).await;
    }
}

#[tokio::test]
async fn an_unknown_key_id_and_a_wrong_signature_get_the_same_answer() {
    let server = Server::start().await;
    let answer = async |target: String| {
        let answer = server.send(Method::GET, &target).await;
        assert_eq!(server.journal(), [""; 0]);
        answer
    };
    let genuine = server.read_target();
    let unknown = answer(altered(&genuine, KEY_ID, "unknown")).await;
    let verify_only = answer(altered(&genuine, KEY_ID, OLD_KEY_ID)).await;
    let wrong = answer(altered(&genuine, "/scan/1", "/scan/3")).await;
    let zeros = answer(format!(
        "{}{}",
        genuine.split_at(genuine.len() - 43).0,
        "A".repeat(43)
    ))
    .await;
    let other_ring = Keyring::new(SigningKey::new("mine", SECRET).unwrap());
    let other = answer(signed_by(&UrlSigner::new(other_ring, BASE).unwrap())).await;
    unknown.assert_refused(403, "invalid-signature");
    for same in [verify_only, wrong, zeros, other] {
        assert_eq!(same, unknown);
    }
}
