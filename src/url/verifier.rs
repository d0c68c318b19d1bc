//! Request targets into grants.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::Mac as _;

use super::base_url::{BaseUrl, InvalidBaseUrl};
use super::expires::unix_seconds;
use super::format::{self, Malformed};
use super::grant::{Access, Grant};
use super::keyring::{FORMAT, Keyring, PreparedKeyring};

/// The maximum lifetime of a URL unless configured otherwise: 7 days, as with S3.
pub const DEFAULT_MAX_LIFETIME: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// The most by which a clock that mints may be ahead of the one that verifies.
const CLOCK_SKEW: Duration = Duration::from_secs(60);

pub(super) const SIGNATURE: &str = "&Signature=";

/// 32 bytes in base64url without padding.
const SIGNATURE_LENGTH: usize = 43;

/// Verifies presigned URLs, for servers that only serve them.
///
/// It is cheap to clone, and clones share their keys: keep one beside the layer to
/// [rotate keys](Self::set_keyring) while serving. A [`UrlSigner`](super::UrlSigner) has
/// [one](super::UrlSigner::verifier) of its own.
///
/// ```
/// use std::time::SystemTime;
/// use tower_presign::{
///     BinaryId, BinaryKey, Grant, SigningKey, UrlSigner, UrlVerifier, VersionId,
///     url::{Expires, ReadTerms},
/// };
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let key = SigningKey::new("2026-11", b"a secret of 32 bytes, better random")?;
/// let base = "https://storage.example.com/binary";
/// let signer = UrlSigner::new(key.clone(), base)?; // in one server
/// let verifier = UrlVerifier::new(key, base)?; // in another
///
/// let now = SystemTime::now();
/// let scan = BinaryKey::new(BinaryId::new("scan-7")?, VersionId::from(1));
/// let in_a_minute = Expires::at_unix_seconds(Expires::at(now).unix_seconds() + 60);
/// let grant = Grant::new(scan, ReadTerms::new(), in_a_minute);
/// let url = signer.sign(&grant);
///
/// let target = url.as_str().strip_prefix(base).unwrap_or_default();
/// assert_eq!(verifier.verify(target, now)?, grant);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct UrlVerifier {
    shared: Arc<Shared>,
    max_lifetime: Duration,
    accepts_reordered_query: bool,
}

struct Shared {
    base_url: BaseUrl,
    keyring: RwLock<Arc<PreparedKeyring>>,
}

/// The reason why a URL is refused, in the order of the checks.
///
/// All but the first two say that the signature is right.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum VerifyError {
    /// There is no `Signature` parameter.
    #[error("the URL has no signature")]
    MissingSignature,
    /// The URL is not, byte for byte, one that a key of the ring signed for this base URL.
    #[error("the URL's signature is wrong")]
    InvalidSignature,
    /// The URL is for the other kind of access. Only
    /// [`verify_request`](UrlVerifier::verify_request) checks it.
    #[error("the URL is not for this method")]
    #[non_exhaustive]
    MethodNotAllowed {
        /// The access that it gives.
        granted: Access,
    },
    /// The URL's time is over.
    #[error("the URL has expired")]
    Expired,
    /// The URL would be valid for longer than the maximum lifetime.
    #[error("the URL's lifetime is longer than allowed")]
    LifetimeTooLong,
}

impl UrlVerifier {
    /// A verifier of URLs below `storage_base_url`, with all keys of a [`Keyring`] or a single
    /// [`SigningKey`](super::SigningKey).
    ///
    /// The base URL is the signer's, to the byte: see [`UrlSigner::new`](super::UrlSigner::new).
    ///
    /// # Errors
    ///
    /// [`InvalidBaseUrl`] when the URL is not of the form that a signer needs.
    pub fn new(
        keyring: impl Into<Keyring>,
        storage_base_url: impl AsRef<str>,
    ) -> Result<Self, InvalidBaseUrl> {
        let base_url = BaseUrl::parse(storage_base_url.as_ref())?;
        let keyring = prepare(&keyring.into(), &base_url);
        Ok(Self {
            shared: Arc::new(Shared {
                base_url,
                keyring: RwLock::new(Arc::new(keyring)),
            }),
            max_lifetime: DEFAULT_MAX_LIFETIME,
            accepts_reordered_query: false,
        })
    }

    /// Sets the maximum lifetime, in whole seconds: URLs that would be valid for longer are
    /// refused. Default: 7 days. Clones made before are not affected.
    ///
    /// A clock that mints may be a minute ahead of this one, also at the maximum lifetime.
    #[must_use]
    pub fn with_max_lifetime(mut self, max_lifetime: Duration) -> Self {
        self.max_lifetime = max_lifetime;
        self
    }

    /// Accepts a query whose parameters have come in another order. A query that is not right is
    /// verified once more, its parameters sorted by their names, as they were signed. Default: no.
    /// Clones made before are not affected.
    ///
    /// This is for gateways that take a query apart into a map and hand that on, as Amazon API
    /// Gateway's REST APIs and load balancers do in front of AWS Lambda. Every other change of a
    /// URL stays an error.
    #[must_use]
    pub fn with_accept_reordered_query(mut self, accept: bool) -> Self {
        self.accepts_reordered_query = accept;
        self
    }

    /// Replaces the keys of this verifier, of all its clones and of the signer that it is of,
    /// while serving.
    pub fn set_keyring(&self, keyring: impl Into<Keyring>) {
        let prepared = prepare(&keyring.into(), &self.shared.base_url);
        let keyring = self.shared.keyring.write();
        *keyring.unwrap_or_else(PoisonError::into_inner) = Arc::new(prepared);
    }

    /// The storage base URL, without a slash at its end.
    #[must_use]
    pub fn base_url(&self) -> &str {
        self.shared.base_url.as_str()
    }

    /// The path of the storage base URL, without a slash at its end.
    #[must_use]
    pub fn base_path(&self) -> &str {
        self.shared.base_url.path()
    }

    /// The maximum lifetime of a URL.
    #[must_use]
    pub fn max_lifetime(&self) -> Duration {
        self.max_lifetime
    }

    /// Verifies a URL: `target` is its path and query after the storage base URL, exactly as on
    /// the wire. [`verify_request`](Self::verify_request) does it for a request.
    ///
    /// Until the signature is found right, in constant time, only the key id is read from `target`.
    ///
    /// # Errors
    ///
    /// [`VerifyError`], the first that applies. An unknown key id and a wrong signature are the
    /// same error.
    pub fn verify(&self, target: &str, now: SystemTime) -> Result<Grant, VerifyError> {
        let mut sorted = String::new();
        let grant = self.authenticate(target, &mut sorted)?.grant()?;
        self.check_time(&grant, now)?;
        Ok(grant)
    }

    /// The grant that was signed, at whatever time. `sorted` is room for the target in another
    /// order.
    #[inline]
    pub(crate) fn authenticate<'a>(
        &self,
        target: &'a str,
        sorted: &'a mut String,
    ) -> Result<Authentic<'a>, VerifyError> {
        let authentic = self.authenticate_as_it_is(target);
        if authentic.is_ok() || !self.accepts_reordered_query {
            return authentic;
        }
        let Some((path, query)) = target.split_once('?') else {
            return authentic;
        };
        let mut parameters: Vec<&str> = query.split('&').collect();
        parameters.sort_by_key(|parameter| parameter.split('=').next());
        *sorted = format!("{path}?{}", parameters.join("&"));
        self.authenticate_as_it_is(sorted)
    }

    #[inline]
    fn authenticate_as_it_is<'a>(&self, target: &'a str) -> Result<Authentic<'a>, VerifyError> {
        let Some((signed, signature)) = split_signature(target) else {
            return Err(if target.contains("Signature=") {
                VerifyError::InvalidSignature
            } else {
                VerifyError::MissingSignature
            });
        };
        let key_id = key_id(signed)
            .filter(|key_id| self.is_authentic(signed, key_id, signature))
            .ok_or(VerifyError::InvalidSignature)?;
        Ok(Authentic { signed, key_id })
    }

    /// Checks that the grant holds at this time.
    #[inline]
    pub(crate) fn check_time(&self, grant: &Grant, now: SystemTime) -> Result<(), VerifyError> {
        let longest = self.max_lifetime.saturating_add(CLOCK_SKEW).as_secs();
        match grant.expires.unix_seconds().checked_sub(unix_seconds(now)) {
            None | Some(0) => Err(VerifyError::Expired),
            Some(left) if left > longest => Err(VerifyError::LifetimeTooLong),
            Some(_) => Ok(()),
        }
    }

    pub(super) fn keyring(&self) -> Arc<PreparedKeyring> {
        let keyring = self.shared.keyring.read();
        Arc::clone(&keyring.unwrap_or_else(PoisonError::into_inner))
    }

    fn is_authentic(&self, signed: &str, key_id: &str, signature: &str) -> bool {
        // The decoder wants room for a multiple of three bytes.
        let mut decoded = [0; 33];
        let is_decoded = URL_SAFE_NO_PAD
            .decode_slice(signature, &mut decoded)
            .is_ok();
        is_decoded
            // Under the lock, which is held for less than a microsecond: a handle of one's own would
            // cost two more atomic operations, a twentieth of a verification.
            && self
                .shared
                .keyring
                .read()
                .unwrap_or_else(PoisonError::into_inner)
                .find(key_id)
                .is_some_and(|key| key.mac(signed).verify_slice(&decoded[..32]).is_ok())
    }
}

/// A URL whose signature is right.
pub(crate) struct Authentic<'a> {
    signed: &'a str,
    pub(crate) key_id: &'a str,
}

impl Authentic<'_> {
    /// The URL's claims.
    #[expect(
        clippy::inline_always,
        reason = "the result is large, and each copy of it counts in a verification"
    )]
    #[inline(always)]
    pub(crate) fn grant(&self) -> Result<Grant, Malformed> {
        format::parse(self.signed)
    }
}

/// Nobody learns that a URL that no server of ours made has been signed all the same.
impl From<Malformed> for VerifyError {
    fn from(_: Malformed) -> Self {
        Self::InvalidSignature
    }
}

/// True if a request target ends like that of a presigned URL.
#[inline]
pub(crate) fn has_signature(target: &str) -> bool {
    split_signature(target).is_some()
}

/// The signed part, and the 43 characters after `&Signature=` at the end.
fn split_signature(target: &str) -> Option<(&str, &str)> {
    let (rest, signature) = target.split_at_checked(target.len().checked_sub(SIGNATURE_LENGTH)?)?;
    Some((rest.strip_suffix(SIGNATURE)?, signature))
}

/// The key id that a target names: one of its last claims.
fn key_id(signed: &str) -> Option<&str> {
    let mut rest = signed;
    loop {
        let start = memchr::memrchr(b'&', rest.as_bytes()).map_or(0, |before| before + 1);
        if let Some(key_id) = rest[start..].strip_prefix("Key-Pair-Id=") {
            return Some(key_id);
        }
        rest = &rest[..start.checked_sub(1)?];
    }
}

/// Every string to sign of one base URL begins alike, so that part is hashed once.
fn prepare(keyring: &Keyring, base_url: &BaseUrl) -> PreparedKeyring {
    keyring.prepare(&format!("{FORMAT}\n{}\n", base_url.as_str()))
}

impl fmt::Debug for UrlVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UrlVerifier")
            .field("base_url", &self.base_url())
            .field("keyring", &self.keyring())
            .field("max_lifetime", &self.max_lifetime)
            .finish_non_exhaustive()
    }
}
