//! Whatever one may sign who has the server's key.

use super::spy::{BASE, KEY_ID, NOW, SECRET};
use crate::support::signature::{append, base64url, sign};

/// The request target for `signed`, which is what follows the base: the server's own key says
/// that it is genuine.
pub(crate) fn genuine(signed: &str) -> String {
    format!("/storage{}", sign(SECRET, BASE, signed))
}

pub(crate) fn with_signature(signed: &str, signature: &[u8]) -> String {
    format!("/storage{}", append(signed, signature))
}

/// The signed part of a plain URL that reads `scan`.
pub(crate) fn read_claims() -> String {
    format!("/scan/1?Expires={}&Key-Pair-Id={KEY_ID}", NOW + 600)
}

/// The signed part of a plain URL that writes the next version of `scan`.
pub(crate) fn write_claims() -> String {
    let content_type = base64url("image/png");
    let expires = NOW + 600;
    format!(
        "/scan/2?Content-Type={content_type}&Expires={expires}&Key-Pair-Id={KEY_ID}&Max-Length=1000&Method=PUT"
    )
}
