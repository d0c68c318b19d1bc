//! The signature of a presigned URL as the docs of `tower_presign::url` tell it: without any check,
//! without regard to speed, and without the crates that the real one is made of.

use sha2::{Digest as _, Sha256};

pub const FORMAT: &str = "tower-presign/v1";

/// The text between the signed part and the signature.
pub const NAME: &str = "&Signature=";

/// `signed`, which is what follows the base, and its signature.
pub fn sign(secret: impl AsRef<[u8]>, base: &str, signed: &str) -> String {
    let signature = hmac(derive(secret), string_to_sign(base, signed));
    append(signed, &signature)
}

pub fn append(signed: &str, signature: &[u8]) -> String {
    format!("{signed}{NAME}{}", base64url(signature))
}

/// The derived key, which signs.
pub fn derive(secret: impl AsRef<[u8]>) -> [u8; 32] {
    hmac(secret, FORMAT)
}

pub fn string_to_sign(base: &str, signed: &str) -> String {
    format!("{FORMAT}\n{base}\n{signed}")
}

/// HMAC-SHA256 (RFC 2104 §2).
///
/// # Panics
///
/// If the key is longer than a block of the hash, which is 64 bytes.
pub fn hmac(key: impl AsRef<[u8]>, message: impl AsRef<[u8]>) -> [u8; 32] {
    let mut block = [0; 64];
    block[..key.as_ref().len()].copy_from_slice(key.as_ref());
    let padded_with = |byte: u8| block.map(|of_key| of_key ^ byte);
    let inner = Sha256::new()
        .chain_update(padded_with(0x36))
        .chain_update(message)
        .finalize();
    Sha256::new()
        .chain_update(padded_with(0x5C))
        .chain_update(inner)
        .finalize()
        .into()
}

/// RFC 4648 §5, without padding.
pub const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

pub fn base64url(bytes: impl AsRef<[u8]>) -> String {
    let bits: Vec<u8> = bytes
        .as_ref()
        .iter()
        .flat_map(|byte| (0..8).rev().map(move |bit| byte >> bit & 1))
        .collect();
    let character = |bits: &[u8]| {
        let value = (0..6).fold(0, |value, at| {
            value << 1 | bits.get(at).copied().unwrap_or(0)
        });
        char::from(ALPHABET[usize::from(value)])
    };
    bits.chunks(6).map(character).collect()
}

/// The bytes, if this is the one text that [`base64url`] makes of them.
pub fn from_base64url(text: &str) -> Option<Vec<u8>> {
    let mut bits = Vec::new();
    for character in text.bytes() {
        let value = ALPHABET.iter().position(|c| *c == character)?;
        bits.extend((0..6).rev().map(|bit| value >> bit & 1));
    }
    let bytes: Vec<u8> = bits
        .chunks_exact(8)
        .map(|bits| {
            bits.iter()
                .fold(0, |byte, bit| byte << 1 | u8::try_from(*bit).unwrap())
        })
        .collect();
    (base64url(&bytes) == text).then_some(bytes)
}
