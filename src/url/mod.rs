//! Presigned URLs: what one grants ([`Grant`]), how it is signed and verified ([`UrlSigner`]),
//! and the keys that do it ([`Keyring`]).
//!
//! # Format
//!
//! ```text
//! {storage base URL}/{id}/{versionId}?{claims}&Signature={signature}
//! ```
//!
//! 1. The claims stand in alphabetical order, each at most once:
//!
//!    | claim | on | value |
//!    |---|---|---|
//!    | `Content-Type` | writes, always | base64url of the media type that the upload must have |
//!    | `Context` | both | base64url of what the repository wants handed back |
//!    | `Disposition` | reads | `attachment` |
//!    | `Expires` | both, always | Unix seconds |
//!    | `Filename` | reads | base64url of a UTF-8 file name |
//!    | `Key-Pair-Id` | both, always | the id of the signing key, `[A-Za-z0-9_-]{1,64}` |
//!    | `Max-Length` | writes | bytes |
//!    | `Method` | writes, always | `PUT` |
//!
//! 2. Base64url has no padding (RFC 4648 §5); numbers are decimal, without sign or leading zero.
//!    Names and values thus consist of `A-Z a-z 0-9 - _ .` alone, and a URL that any library
//!    parses, sorts and writes again stays the same bytes.
//! 3. The string to sign is three lines, joined by LF: `tower-presign/v1`, the storage base URL
//!    without a slash at its end, and the request target after the base, exactly as on the wire,
//!    up to and without `&Signature=`.
//! 4. The signature is HMAC-SHA256 with the key `HMAC-SHA256(secret, "tower-presign/v1")`, in
//!    base64url: 43 characters.
//!
//! `Expires`, `Key-Pair-Id` and `Signature` are CloudFront's names, by which existing clients
//! cache a URL.
//!
//! # In another language
//!
//! A server that verifies needs HMAC and base64, and no more. This is one in Python, which is held
//! against `tests/vectors.json`: URLs made by an independent implementation, for yours to be held
//! against too.
//!
//! ```python
#![doc = include_str!("../../docs/verify.py")]
//! ```
//!
//! # Why the raw bytes
//!
//! The MAC covers the bytes of the request target, never a parsed and rebuilt form of them, and no
//! claim is parsed before the MAC is right. What two parsers read differently, what is repeated,
//! re-ordered, re-encoded or added, is thereby refused without a rule of its own.

mod base_url;
mod claims;
mod grant;
mod keyring;
mod presigned_url;
mod redacted_uri;
mod signer;

pub use base_url::InvalidBaseUrl;
pub(crate) use claims::key_id;
pub(crate) use grant::unix_seconds;
pub use grant::{Access, Grant, Permission};
pub use keyring::{KeyError, Keyring, SigningKey};
pub use presigned_url::PresignedUrl;
pub use redacted_uri::RedactedUri;
pub use signer::{DEFAULT_MAX_LIFETIME, UrlSigner, VerifyError};
