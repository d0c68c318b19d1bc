//! Attacks on the signature's 43 characters.

use http::Method;

use super::spy::{NOW, Server, expires, read_grant};
use super::{INVALID, MISSING, assert_get_refused, assert_refused};

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

const LENGTH: usize = 43;

/// A target in front of its signature, and the signature.
fn split(target: &str) -> (&str, &str) {
    let start = target.len() - LENGTH;
    assert!(target[..start].ends_with("&Signature="));
    target.split_at(start)
}

fn value_of(character: u8) -> usize {
    ALPHABET.iter().position(|c| *c == character).unwrap()
}

/// `signature` with another character at `position`.
fn with_character(signature: &str, position: usize, character: u8) -> String {
    let mut bytes = signature.as_bytes().to_vec();
    bytes[position] = character;
    String::from_utf8(bytes).unwrap()
}

#[tokio::test]
async fn unchanged_it_is_accepted() {
    let server = Server::start().await;
    let answer = server.send(Method::GET, &server.read_target()).await;
    assert_eq!(answer.status, 200);
    assert_eq!(server.journal(), ["redeem", "read"]);
}

#[tokio::test]
async fn each_of_its_characters_counts() {
    let server = Server::start().await;
    for (method, target) in [
        (Method::GET, server.read_target()),
        (Method::PUT, server.write_target()),
    ] {
        let (before, signature) = split(&target);
        for position in 0..LENGTH {
            let own = value_of(signature.as_bytes()[position]);
            // At the ends and in the middle, every other character; elsewhere, the next one.
            let others = match position {
                0 | 21 | 42 => 1..64,
                _ => 1..2,
            };
            for other in others {
                let character = ALPHABET[(own + other) % 64];
                let attack = format!("character {position} is {}", char::from(character));
                let target = format!("{before}{}", with_character(signature, position, character));
                assert_refused(&server, &attack, &method, &target, INVALID).await;
            }
        }
    }
}

#[tokio::test]
async fn it_has_43_characters_and_no_others() {
    let server = Server::start().await;
    let target = server.read_target();
    let (before, signature) = split(&target);
    for length in [0, 1, 32, 42] {
        let attack = format!("cut to {length} characters");
        let target = format!("{before}{}", &signature[..length]);
        assert_get_refused(&server, &attack, &target, INVALID).await;
    }
    for length in [44, 86, 10_000] {
        let attack = format!("filled up to {length} characters");
        let target = format!("{before}{}", signature.repeat(300).split_at(length).0);
        assert_get_refused(&server, &attack, &target, INVALID).await;
        let target = format!("{before}{signature}{}", "A".repeat(length - LENGTH));
        assert_get_refused(&server, &attack, &target, INVALID).await;
    }
}

#[tokio::test]
async fn another_spelling_of_the_same_bytes_is_another_signature() {
    let server = Server::start().await;
    // One whose signature has both characters in which the two base64 alphabets differ.
    let target = (0..1000)
        .map(|more| {
            let mut grant = read_grant("scan", "1");
            grant.expires = expires(NOW + 600 + more);
            server.sign(&grant)
        })
        .find(|target| split(target).1.contains('-') && split(target).1.contains('_'))
        .unwrap();
    let (before, signature) = split(&target);
    let first = signature.as_bytes()[0];
    let spellings = [
        ("padded", format!("{signature}=")),
        ("padded twice", format!("{signature}==")),
        (
            "in place of its last character, padding",
            format!("{}=", &signature[..42]),
        ),
        (
            "in the standard alphabet",
            signature.replace('-', "+").replace('_', "/"),
        ),
        ("with + for -", signature.replace('-', "+")),
        ("with / for _", signature.replace('_', "/")),
        ("with an encoded -", signature.replace('-', "%2D")),
        ("with an encoded _", signature.replace('_', "%5f")),
        (
            "with an encoded letter",
            format!("%{first:02X}{}", &signature[1..]),
        ),
        ("in upper case", signature.to_ascii_uppercase()),
        ("in lower case", signature.to_ascii_lowercase()),
        ("with a line break", format!("{signature}%0A")),
        ("with a blank before", format!("%20{signature}")),
        ("in quotes", format!("%22{signature}%22")),
    ];
    for (attack, spelling) in spellings {
        assert_get_refused(&server, attack, &format!("{before}{spelling}"), INVALID).await;
    }
}

#[tokio::test]
async fn the_unused_bits_of_its_last_character_are_zero() {
    let server = Server::start().await;
    let target = server.read_target();
    let (before, signature) = split(&target);
    let last = value_of(signature.as_bytes()[42]);
    assert_eq!(last % 4, 0);
    for bits in 1..4 {
        let spelling = with_character(signature, 42, ALPHABET[last + bits]);
        let attack = format!("the unused bits are {bits}");
        assert_get_refused(&server, &attack, &format!("{before}{spelling}"), INVALID).await;
    }
}

#[tokio::test]
async fn it_stands_in_its_own_parameter_at_the_end_of_the_query() {
    let server = Server::start().await;
    let target = server.read_target();
    let (before, signature) = split(&target);
    let (path, query) = before.split_once('?').unwrap();
    let claims = query.strip_suffix("&Signature=").unwrap();
    for (template, expected) in [
        ("<path>?<claims>", MISSING),
        ("<path>?<claims>&Signature", MISSING),
        ("<path>?<claims>&signature=<own>", MISSING),
        ("<path>?<claims>&SIGNATURE=<own>", MISSING),
        ("<path>?<claims>&%53ignature=<own>", MISSING),
        ("<path>?<claims>&Signature%3D<own>", MISSING),
        ("<path>?<claims>%26Signature=<own>", INVALID),
        ("<path>?<claims>;Signature=<own>", INVALID),
        ("<path>?<claims>&X-Amz-Signature=<own>", INVALID),
        ("<path>?Signature=<own>&<claims>", INVALID),
        ("<path>?&Signature=<own>", INVALID),
        ("<path>?Signature=<own>", INVALID),
        ("<path>&Signature=<own>?<claims>", INVALID),
        ("<path>&Signature=<own>", INVALID),
        ("<path>/Signature=<own>?<claims>", INVALID),
        ("<path>?<claims>&Signature=<own>&Signature=<own>", INVALID),
        ("<path>?<claims>&Signature=<own>&Signature=<zeros>", INVALID),
        ("<path>?<claims>&Signature=<zeros>&Signature=<own>", INVALID),
        ("<path>?<claims>&Signature=<own>&Signature=", INVALID),
    ] {
        let target = template
            .replace("<path>", path)
            .replace("<claims>", claims)
            .replace("<own>", signature)
            .replace("<zeros>", &"A".repeat(LENGTH));
        assert_get_refused(&server, template, &target, expected).await;
    }
}

#[tokio::test]
async fn it_is_of_one_url_alone() {
    let server = Server::start().await;
    let (read, write) = (server.read_target(), server.write_target());
    let mut later = read_grant("scan", "1");
    later.expires = expires(NOW + 601);
    let later = server.sign(&later);
    let other = server.sign(&read_grant("other", "1"));
    for (attack, signature) in [
        ("the write URL's", split(&write).1),
        ("a later URL's", split(&later).1),
        ("another Binary's", split(&other).1),
    ] {
        let target = format!("{}{signature}", split(&read).0);
        assert_get_refused(&server, attack, &target, INVALID).await;
    }
}
