//! The format as the docs of `tower_presign::url` tell it, without regard to speed, and without the
//! crates that the real verifier is made of.

use std::collections::BTreeMap;

use http::Method;
use sha2::{Digest as _, Sha256};
use tower_presign::url::VerifyError;
use tower_presign::{Access, BinaryId, BinaryKey, ContentType, Filename, Grant, VersionId};

use super::OTHER_SECRET;
use crate::support::{BASE, NOW, SECRET};

const MAX_LIFETIME: u64 = 7 * 24 * 60 * 60;
const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// Appends the signature, whatever the claims are.
pub(super) fn sign(signed: &str, secret: &[u8]) -> String {
    let derived = hmac(secret, b"tower-presign/v1");
    let string_to_sign = format!("tower-presign/v1\n{BASE}\n{signed}");
    let signature = encode(&hmac(&derived, string_to_sign.as_bytes()));
    format!("{signed}&Signature={signature}")
}

pub(super) fn verify(target: &str, method: &Method) -> Result<Grant, VerifyError> {
    if !target.contains("Signature=") {
        return Err(VerifyError::MissingSignature);
    }
    let grant = authentic_grant(target).ok_or(VerifyError::InvalidSignature)?;
    let is_read = grant.access() == Access::Read;
    let methods: &[_] = if is_read {
        &[Method::GET, Method::HEAD]
    } else {
        &[Method::PUT]
    };
    if !methods.contains(method) {
        return Err(VerifyError::MethodNotAllowed {
            granted: grant.access(),
        });
    }
    if NOW >= grant.expires {
        return Err(VerifyError::Expired);
    }
    if grant.expires - NOW > MAX_LIFETIME {
        return Err(VerifyError::LifetimeTooLong);
    }
    Ok(grant)
}

fn authentic_grant(target: &str) -> Option<Grant> {
    let signed = &target[..target.rfind("&Signature=")?];
    let (path, query) = signed.split_once('?')?;
    let claims: Vec<_> = query
        .split('&')
        .map(|claim| claim.split_once('='))
        .collect();
    let claims: Vec<(&str, &str)> = claims.into_iter().collect::<Option<_>>()?;
    let secret = match claims.iter().find(|(name, _)| *name == "Key-Pair-Id")?.1 {
        "test" => SECRET,
        "old" => OTHER_SECRET,
        _ => return None,
    };
    if sign(signed, secret) != target {
        return None;
    }
    grant(path, &claims)
}

fn grant(path: &str, claims: &[(&str, &str)]) -> Option<Grant> {
    let ["", id, version] = path.split('/').collect::<Vec<_>>()[..] else {
        return None;
    };
    // In alphabetical order, each at most once.
    if !claims.is_sorted_by(|one, next| one.0 < next.0) {
        return None;
    }
    let mut claims: BTreeMap<_, _> = claims.iter().copied().collect();
    claims.remove("Key-Pair-Id");
    let mut key = BinaryKey::new(BinaryId::new(id).ok()?, VersionId::new(version).ok()?);
    if let Some(context) = claims.remove("Context") {
        key = key.with_context(decode_text(context)?);
    }
    let expires = decimal(claims.remove("Expires")?)?;
    let grant = if let Some(method) = claims.remove("Method") {
        if method != "PUT" {
            return None;
        }
        let content_type = ContentType::new(decode_text(claims.remove("Content-Type")?)?).ok()?;
        let max_length = match claims.remove("Max-Length") {
            Some(bytes) => Some(decimal(bytes)?),
            None => None,
        };
        super::write(key, content_type, max_length, expires)
    } else {
        let attachment = match claims.remove("Disposition") {
            Some("attachment") => true,
            Some(_) => return None,
            None => false,
        };
        let filename = match claims.remove("Filename") {
            Some(name) => Some(Filename::new(decode_text(name)?)?),
            None => None,
        };
        super::read(key, filename, attachment, expires)
    };
    claims.is_empty().then_some(grant)
}

fn decimal(text: &str) -> Option<u64> {
    let number = text.parse::<u64>().ok()?;
    (number.to_string() == text).then_some(number)
}

fn decode_text(base64url: &str) -> Option<String> {
    let mut bits = Vec::new();
    for character in base64url.bytes() {
        let value = ALPHABET.iter().position(|c| *c == character)?;
        bits.extend((0..6).rev().map(|bit| value >> bit & 1));
    }
    let bytes = bits
        .chunks_exact(8)
        .map(|bits| bits.iter().fold(0, |byte, bit| byte << 1 | *bit as u8));
    let bytes: Vec<u8> = bytes.collect();
    // One way only to write it.
    (encode(&bytes) == base64url)
        .then(|| String::from_utf8(bytes).ok())
        .flatten()
}

fn encode(bytes: &[u8]) -> String {
    let bits: Vec<u8> = bytes
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

/// RFC 2104 §2, for keys of up to a block.
fn hmac(key: &[u8], message: &[u8]) -> [u8; 32] {
    let pad =
        |with: u8| -> Vec<u8> { (0..64).map(|at| key.get(at).unwrap_or(&0) ^ with).collect() };
    let inner = Sha256::new()
        .chain_update(pad(0x36))
        .chain_update(message)
        .finalize();
    Sha256::new()
        .chain_update(pad(0x5C))
        .chain_update(inner)
        .finalize()
        .into()
}
