//! Grants into presigned URLs, and request targets back into grants.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use arc_swap::ArcSwap;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::Mac as _;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Method};

use super::base_url::{BaseUrl, InvalidBaseUrl};
use super::claims;
use super::grant::{Access, Grant, Permission, unix_seconds};
use super::keyring::{FORMAT, Keyring};
use super::presigned_url::PresignedUrl;

/// The maximum lifetime of a URL unless configured otherwise: 7 days, as with S3.
pub const DEFAULT_MAX_LIFETIME: Duration = Duration::from_secs(7 * 24 * 60 * 60);

const SIGNATURE: &str = "&Signature=";

/// 32 bytes in base64url without padding.
const SIGNATURE_LENGTH: usize = 43;

/// Signs grants into presigned URLs, and verifies them.
///
/// It is cheap to clone, and clones share their keys: keep one beside the layer to
/// [rotate keys](Self::set_keyring) while serving. Several servers that share keys and base URL
/// need nothing else in common.
///
/// ```
/// use std::time::SystemTime;
/// use http::Method;
/// use tower_presign::{BinaryId, BinaryKey, Grant, SigningKey, UrlSigner, VersionId};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let key = SigningKey::new("2026-11", b"a secret of 32 bytes, better random")?;
/// let signer = UrlSigner::new(key, "https://storage.example.com/binary")?;
///
/// let now = SystemTime::now();
/// let expires = now.duration_since(SystemTime::UNIX_EPOCH)?.as_secs() + 60;
/// let grant = Grant::read(BinaryKey::new(BinaryId::new("scan-7")?, VersionId::from(1)), expires);
/// let url = signer.sign(&grant);
///
/// let target = url.as_str().strip_prefix(signer.base_url()).unwrap_or_default();
/// assert_eq!(signer.verify(target, &Method::GET, now)?, grant);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct UrlSigner {
    shared: Arc<Shared>,
    max_lifetime: Duration,
}

struct Shared {
    base_url: BaseUrl,
    keyring: ArcSwap<Keyring>,
}

/// Why a URL is refused, in the order in which it is found out.
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
    /// The URL is for the other kind of access.
    #[error("the URL is not for this method")]
    MethodNotAllowed {
        /// What it is for.
        granted: Access,
    },
    /// The URL's time is over.
    #[error("the URL has expired")]
    Expired,
    /// The URL would be valid for longer than the maximum lifetime.
    #[error("the URL's lifetime is longer than allowed")]
    LifetimeTooLong,
}

impl UrlSigner {
    /// A signer of URLs below `storage_base_url`, with a [`Keyring`] or a single
    /// [`SigningKey`](super::SigningKey).
    ///
    /// The base URL is where clients reach this server (or its proxy); it must be spelled in the
    /// form that URL libraries leave unchanged: scheme and host in lower case, no port that the
    /// scheme implies, plain characters in the path. Slashes at its end do not count. Give it a
    /// path of its own (`/storage`): everything below that path belongs to the layer, so with a
    /// bare host as base URL, all paths do.
    ///
    /// # Errors
    ///
    /// [`InvalidBaseUrl`] when the URL is not of that form.
    pub fn new(
        keyring: impl Into<Keyring>,
        storage_base_url: impl AsRef<str>,
    ) -> Result<Self, InvalidBaseUrl> {
        let base_url = BaseUrl::parse(storage_base_url.as_ref())?;
        let keyring = prepare(keyring.into(), &base_url);
        Ok(Self {
            shared: Arc::new(Shared {
                base_url,
                keyring: ArcSwap::from_pointee(keyring),
            }),
            max_lifetime: DEFAULT_MAX_LIFETIME,
        })
    }

    /// Sets the maximum lifetime, in whole seconds: URLs that would be valid for longer are
    /// refused, and none is minted. Default: 7 days. Clones made before are not affected.
    ///
    /// Where the clocks of several servers differ, let those that verify have a minute more than
    /// those that mint.
    #[must_use]
    pub fn with_max_lifetime(mut self, max_lifetime: Duration) -> Self {
        self.max_lifetime = max_lifetime;
        self
    }

    /// Replaces the keys of this signer and of all its clones, while serving.
    pub fn set_keyring(&self, keyring: impl Into<Keyring>) {
        let prepared = prepare(keyring.into(), &self.shared.base_url);
        self.shared.keyring.store(Arc::new(prepared));
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

    /// Signs a grant, as it is: the maximum lifetime is for the caller to observe.
    #[must_use]
    pub fn sign(&self, grant: &Grant) -> PresignedUrl {
        let keyring = self.shared.keyring.load();
        let key = keyring.signing();
        let base_url = self.base_url();

        let mut url = String::with_capacity(base_url.len() + 384);
        url.push_str(base_url);
        claims::write(grant, key.id(), &mut url);
        let signature = key.mac(&url[base_url.len()..]).finalize().into_bytes();
        url.push_str(SIGNATURE);
        URL_SAFE_NO_PAD.encode_string(signature, &mut url);

        match &grant.permission {
            Permission::Read { .. } => PresignedUrl::new(url, Method::GET, grant.expires),
            Permission::Write { content_type, .. } => {
                let presigned = PresignedUrl::new(url, Method::PUT, grant.expires);
                match HeaderValue::from_str(content_type.as_str()) {
                    Ok(value) => presigned.with_header(CONTENT_TYPE, value),
                    Err(_) => presigned,
                }
            }
        }
    }

    /// Verifies a request: `target` is its path and query after the storage base URL's path,
    /// exactly as on the wire.
    ///
    /// Nothing is read from `target` but the key id until its signature is found right, in
    /// constant time.
    ///
    /// # Errors
    ///
    /// [`VerifyError`], the first that applies. An unknown key id and a wrong signature are the
    /// same error.
    pub fn verify(
        &self,
        target: &str,
        method: &Method,
        now: SystemTime,
    ) -> Result<Grant, VerifyError> {
        let grant = self.authenticate(target)?;
        self.check(&grant, method, now)?;
        Ok(grant)
    }

    /// What was signed, whether it still holds or not.
    #[inline]
    pub(crate) fn authenticate(&self, target: &str) -> Result<Grant, VerifyError> {
        match split_signature(target) {
            Some((signed, signature)) if self.is_authentic(signed, signature) => {
                claims::parse(signed).ok_or(VerifyError::InvalidSignature)
            }
            None if !target.contains("Signature=") => Err(VerifyError::MissingSignature),
            _ => Err(VerifyError::InvalidSignature),
        }
    }

    /// Whether what was signed holds for this method and at this time.
    #[inline]
    pub(crate) fn check(
        &self,
        grant: &Grant,
        method: &Method,
        now: SystemTime,
    ) -> Result<(), VerifyError> {
        let granted = grant.access();
        let is_granted = match granted {
            Access::Read => matches!(*method, Method::GET | Method::HEAD),
            Access::Write => *method == Method::PUT,
        };
        if !is_granted {
            return Err(VerifyError::MethodNotAllowed { granted });
        }
        match grant.expires.checked_sub(unix_seconds(now)) {
            None | Some(0) => Err(VerifyError::Expired),
            Some(left) if left > self.max_lifetime.as_secs() => Err(VerifyError::LifetimeTooLong),
            Some(_) => Ok(()),
        }
    }

    fn is_authentic(&self, signed: &str, signature: &str) -> bool {
        // The decoder wants room for a multiple of three bytes.
        let mut decoded = [0; 33];
        if URL_SAFE_NO_PAD
            .decode_slice(signature, &mut decoded)
            .is_err()
        {
            return false;
        }
        let Some(key_id) = claims::key_id(signed) else {
            return false;
        };
        let keyring = self.shared.keyring.load();
        keyring
            .find(key_id)
            .is_some_and(|key| key.mac(signed).verify_slice(&decoded[..32]).is_ok())
    }
}

/// What is signed, and the 43 characters after `&Signature=` at the end.
fn split_signature(target: &str) -> Option<(&str, &str)> {
    let (rest, signature) = target.split_at_checked(target.len().checked_sub(SIGNATURE_LENGTH)?)?;
    Some((rest.strip_suffix(SIGNATURE)?, signature))
}

/// Every string to sign of this signer begins alike, so that part is hashed once.
fn prepare(mut keyring: Keyring, base_url: &BaseUrl) -> Keyring {
    keyring.absorb(&format!("{FORMAT}\n{}\n", base_url.as_str()));
    keyring
}

impl fmt::Debug for UrlSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UrlSigner")
            .field("base_url", &self.base_url())
            .field("keyring", &self.shared.keyring.load())
            .field("max_lifetime", &self.max_lifetime)
            .finish()
    }
}
