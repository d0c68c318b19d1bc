//! Signing keys, and the ring of those in use.

use std::fmt;
use std::sync::Arc;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

/// The first line of the string to sign. A secret's signing key is derived with it too.
pub(super) const FORMAT: &str = "tower-presign/v1";

/// The shortest secret, in bytes: the length of the MAC, as RFC 2104 §3 advises.
const MIN_SECRET_LENGTH: usize = 32;

/// A secret with a name, as a host configures it.
///
/// Its memory is cleared when it is dropped, and `Debug` prints its id alone.
#[derive(Clone)]
pub struct SigningKey {
    id: Box<str>,
    /// Keyed with the derived key.
    mac: Hmac<Sha256>,
}

/// A [`SigningKey`] prepared for one base URL: its MAC has absorbed the lines with which every
/// string to sign begins there.
pub(super) struct PreparedKey {
    id: Arc<str>,
    mac: Hmac<Sha256>,
}

impl PreparedKey {
    pub(super) fn id(&self) -> &Arc<str> {
        &self.id
    }

    /// The MAC over the string to sign whose last line is `target`.
    pub(super) fn mac(&self, target: &str) -> Hmac<Sha256> {
        self.mac.clone().chain_update(target)
    }
}

/// The reason why a key or a keyring is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// The id is not 1 to 64 of `A-Z a-z 0-9 - _`.
    #[error("a key id is 1 to 64 of A-Z a-z 0-9 - _, and not {0:?}")]
    InvalidId(Box<str>),
    /// The secret is shorter than 32 bytes.
    #[error("the secret has {0} bytes; it needs 32 or more, such as `openssl rand 32` makes")]
    ShortSecret(usize),
    /// The secret is one byte repeated.
    #[error("the secret is one byte repeated; it must be random")]
    WeakSecret,
    /// The keyring already has a key of this id.
    #[error("the keyring already has a key with the id {0}")]
    DuplicateId(Box<str>),
}

impl SigningKey {
    /// Makes a key out of an id, which is public, and a secret of at least 32 random bytes.
    ///
    /// The caller must clear its own copy of the secret ([`Zeroizing`] does it). As with every use
    /// of HMAC, a secret shorter than 64 bytes and the same secret with zero bytes appended are the
    /// same key.
    ///
    /// # Errors
    ///
    /// [`KeyError::InvalidId`], [`KeyError::ShortSecret`] or [`KeyError::WeakSecret`].
    pub fn new(id: impl Into<Box<str>>, secret: impl AsRef<[u8]>) -> Result<Self, KeyError> {
        let (id, secret) = (id.into(), secret.as_ref());
        if !is_key_id(&id) {
            return Err(KeyError::InvalidId(id));
        }
        if secret.len() < MIN_SECRET_LENGTH {
            return Err(KeyError::ShortSecret(secret.len()));
        }
        if secret.iter().all(|byte| *byte == secret[0]) {
            return Err(KeyError::WeakSecret);
        }
        let derived = Zeroizing::new(<[u8; 32]>::from(
            keyed(secret).chain_update(FORMAT).finalize().into_bytes(),
        ));
        Ok(Self {
            id,
            mac: keyed(&*derived),
        })
    }

    /// The key's id, which URLs carry as `Key-Pair-Id`.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }
}

/// HMAC takes keys of any length, so the error that its trait allows for cannot occur.
#[expect(clippy::expect_used, reason = "HMAC takes keys of any length")]
fn keyed(secret: &[u8]) -> Hmac<Sha256> {
    Hmac::new_from_slice(secret).expect("HMAC takes keys of any length")
}

fn is_key_id(text: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
    (1..=64).contains(&text.len()) && text.bytes().all(allowed)
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

/// One key that signs, and any number that only verify.
///
/// To rotate: give all servers a ring in which the new key verifies, then one in which it signs
/// and the old one verifies, and drop the old one when its last URL has expired.
///
/// ```
/// use tower_presign::{Keyring, SigningKey, UrlSigner};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let (old_secret, new_secret) = ([1, 2].repeat(16), [3, 4].repeat(16));
/// let old = SigningKey::new("2026-11", old_secret)?;
/// let new = SigningKey::new("2026-12", new_secret)?;
/// let signer = UrlSigner::new(old.clone(), "https://storage.example.com/binary")?;
///
/// signer.set_keyring(Keyring::new(old.clone()).with_verify_only(new.clone())?);
/// // later, when all servers have that ring:
/// signer.set_keyring(Keyring::new(new.clone()).with_verify_only(old)?);
/// // and when the last URL of the old key has expired:
/// signer.set_keyring(new);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Keyring {
    /// The signing key first. Few, so a search from the front beats a map.
    keys: Vec<SigningKey>,
}

impl Keyring {
    /// A ring with one key, which signs and verifies.
    #[must_use]
    pub fn new(signing: SigningKey) -> Self {
        Self {
            keys: vec![signing],
        }
    }

    /// Adds a key that only verifies.
    ///
    /// # Errors
    ///
    /// [`KeyError::DuplicateId`] when the ring has a key of this id.
    pub fn with_verify_only(mut self, key: SigningKey) -> Result<Self, KeyError> {
        if self.find(&key.id).is_some() {
            return Err(KeyError::DuplicateId(key.id));
        }
        self.keys.push(key);
        Ok(self)
    }

    fn find(&self, id: &str) -> Option<&SigningKey> {
        self.keys.iter().find(|key| &*key.id == id)
    }

    /// The ring for strings to sign that begin with `prefix`.
    pub(super) fn prepare(&self, prefix: &str) -> PreparedKeyring {
        let prepare = |key: &SigningKey| PreparedKey {
            id: Arc::from(&*key.id),
            mac: key.mac.clone().chain_update(prefix),
        };
        PreparedKeyring {
            keys: self.keys.iter().map(prepare).collect(),
        }
    }
}

/// A [`Keyring`] prepared for one base URL.
pub(super) struct PreparedKeyring {
    /// The signing key first.
    keys: Vec<PreparedKey>,
}

impl PreparedKeyring {
    pub(super) fn signing(&self) -> &PreparedKey {
        &self.keys[0]
    }

    pub(super) fn find(&self, id: &str) -> Option<&PreparedKey> {
        self.keys.iter().find(|key| &*key.id == id)
    }
}

/// The ids of the keys.
impl fmt::Debug for PreparedKeyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list()
            .entries(self.keys.iter().map(PreparedKey::id))
            .finish()
    }
}

impl From<SigningKey> for Keyring {
    fn from(key: SigningKey) -> Self {
        Self::new(key)
    }
}
