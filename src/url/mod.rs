//! Presigned URLs: their grants ([`Grant`]), their signing ([`UrlSigner`]) and verification
//! ([`UrlVerifier`]), and the keys for both ([`Keyring`]).
//!
//! # Format
//!
//! ```text
//! {storage base URL}/{id}/{versionId}?{claims}&Signature={signature}
//! ```
//!
//! 1. The claims stand in alphabetical order, each at most once:
//!
//!    | claim | grants | encoding | logs | meaning |
//!    |---|---|---|---|---|
//!    | `Content-Type` | writes, resumes, always | base64url | hidden | the media type that the upload must have |
//!    | `Context` | all | base64url | hidden | handed back to the host, a tenant for instance |
//!    | `Disposition` | reads | plain | shown | `attachment`: to be saved, and not shown |
//!    | `Expires` | all, always | number | shown | Unix seconds |
//!    | `Filename` | reads | base64url | hidden | the name of a saved file |
//!    | `Id` | all | plain | shown | identifies this very URL: `[A-Za-z0-9]{16,64}` |
//!    | `Key-Pair-Id` | all, always | plain | shown | the id of the signing key: `[A-Za-z0-9_-]{1,64}` |
//!    | `Max-Length` | writes, resumes | number | shown | bytes |
//!    | `Method` | writes, resumes, always | plain | shown | `PUT` for a write, `PATCH` for a resumable upload |
//!    | `Once` | reads | plain | shown | `1`: one download; needs `Id` |
//!    | `Place` | reads | base64url | hidden | where the repository has the content |
//!    | `Resume` | resumes, always | plain | shown | the id of the resumable upload: `[A-Za-z0-9]{16,64}` |
//!
//! 2. Base64url has no padding (RFC 4648 §5); numbers are decimal, without sign or leading zero.
//!    Names and values thus consist of `A-Z a-z 0-9 - _ .` alone, and a URL that any library
//!    parses, sorts and writes again stays the same bytes.
//! 3. The string to sign is three lines, joined by LF: `tower-presign/v1`, the storage base URL
//!    without a slash at its end, and the request target after the base, exactly as on the wire,
//!    up to and without `&Signature=`.
//! 4. The signature is HMAC-SHA256 with the key `HMAC-SHA256(secret, "tower-presign/v1")`, in
//!    base64url: 43 characters.
//! 5. Ids and versions are `[A-Za-z0-9._-]{1,64}`, other than `.` and `..`.
//!
//! A verifier refuses claims that it does not know. So a new claim is deployed to the servers that
//! verify before those that mint.
//!
//! `Expires`, `Key-Pair-Id` and `Signature` are CloudFront's names, by which existing clients
//! cache a URL.
//!
//! # In another language
//!
//! A server that verifies needs HMAC and base64, and no more. This is one in Python, which is held
//! against `tests/vectors.json`: URLs made by an independent implementation, for yours to be held
//! against too. `docs/verify.mjs` is one in JavaScript, for node, browsers and edges.
//!
//! ```python
#![doc = include_str!("../../docs/verify.py")]
//! ```
//!
//! # Why the raw bytes
//!
//! The MAC covers the bytes of the request target, never a parsed and rebuilt form of them, and no
//! claim is parsed before the MAC is right. Bytes that two parsers read differently, and claims
//! that are repeated, re-ordered, re-encoded or added, are thereby refused without a rule of their
//! own.

mod base_url;
mod claims;
mod expires;
mod format;
mod grant;
mod keyring;
mod presigned_url;
mod redacted_uri;
mod signer;
mod verifier;

pub(crate) use base_url::BaseUrl;
pub use base_url::InvalidBaseUrl;
pub use expires::Expires;
pub(crate) use expires::unix_seconds;
pub use grant::{Access, Grant, Permission, ReadTerms, ResumeTerms, WriteTerms};
pub use keyring::{KeyError, Keyring, SigningKey};
pub use presigned_url::PresignedUrl;
pub use redacted_uri::RedactedUri;
pub use signer::UrlSigner;
pub(crate) use verifier::has_signature;
pub use verifier::{DEFAULT_MAX_LIFETIME, UrlVerifier, VerifyError};
