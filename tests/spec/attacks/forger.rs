//! The signature of the presigned URL format, written a second time and without any check.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use super::spy::{BASE, KEY_ID, NOW, SECRET};

pub(crate) const FORMAT: &str = "tower-presign/v1";

pub(crate) fn hmac(key: &[u8], message: &str) -> Vec<u8> {
    let mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    mac.chain_update(message).finalize().into_bytes().to_vec()
}

/// The derived key, which signs.
pub(crate) fn derive(secret: &[u8]) -> Vec<u8> {
    hmac(secret, FORMAT)
}

pub(crate) fn base64url(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The request target for `signed`, which is what follows the base: the server's own key says
/// that it is genuine.
pub(crate) fn genuine(signed: &str) -> String {
    let string_to_sign = format!("{FORMAT}\n{BASE}\n{signed}");
    with_signature(signed, &hmac(&derive(SECRET), &string_to_sign))
}

pub(crate) fn with_signature(signed: &str, signature: &[u8]) -> String {
    format!("/storage{signed}&Signature={}", base64url(signature))
}

/// What is signed of a plain URL that reads `scan`.
pub(crate) fn read_claims() -> String {
    format!("/scan/1?Expires={}&Key-Pair-Id={KEY_ID}", NOW + 600)
}

/// What is signed of a plain URL that writes the next version of `scan`.
pub(crate) fn write_claims() -> String {
    let content_type = base64url("image/png");
    let expires = NOW + 600;
    format!(
        "/scan/2?Content-Type={content_type}&Expires={expires}&Key-Pair-Id={KEY_ID}&Max-Length=1000&Method=PUT"
    )
}
