//! Grants into presigned URLs.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::Mac as _;
use http::HeaderValue;
use http::header::CONTENT_TYPE;

use super::base_url::InvalidBaseUrl;
use super::format;
use super::grant::{Grant, Permission};
use super::keyring::Keyring;
use super::presigned_url::PresignedUrl;
use super::verifier::{SIGNATURE, UrlVerifier};

/// Signs grants into presigned URLs.
///
/// It is cheap to clone, and clones share their keys: keep one beside the layer to
/// [rotate keys](Self::set_keyring) while serving. Several servers that share keys and base URL
/// need nothing else in common; those that only serve need a [`UrlVerifier`].
#[derive(Clone)]
pub struct UrlSigner {
    verifier: UrlVerifier,
}

impl UrlSigner {
    /// A signer of URLs below `storage_base_url`, with a [`Keyring`] or a single
    /// [`SigningKey`](super::SigningKey).
    ///
    /// Clients reach this server (or its proxy) at the base URL. It must be spelled in the form
    /// that URL libraries leave unchanged: scheme and host in lower case, no port that the scheme
    /// implies, plain characters in the path. Slashes at its end do not count. Give it a path of
    /// its own (`/storage`): everything below that path belongs to the layer. A bare host is for
    /// servers that only serve.
    ///
    /// # Errors
    ///
    /// [`InvalidBaseUrl`] when the URL is not of that form.
    pub fn new(
        keyring: impl Into<Keyring>,
        storage_base_url: impl AsRef<str>,
    ) -> Result<Self, InvalidBaseUrl> {
        let verifier = UrlVerifier::new(keyring, storage_base_url)?;
        Ok(Self { verifier })
    }

    /// Sets the maximum lifetime, in whole seconds: no URL is minted for longer, and a URL that is
    /// valid for longer is refused. Default: 7 days. Clones made before are not affected.
    #[must_use]
    pub fn with_max_lifetime(self, max_lifetime: Duration) -> Self {
        Self {
            verifier: self.verifier.with_max_lifetime(max_lifetime),
        }
    }

    /// Replaces the keys of this signer and of all its clones, while serving.
    pub fn set_keyring(&self, keyring: impl Into<Keyring>) {
        self.verifier.set_keyring(keyring);
    }

    /// The verifier of this signer's URLs, which shares its keys.
    #[must_use]
    pub fn verifier(&self) -> &UrlVerifier {
        &self.verifier
    }

    /// The storage base URL, without a slash at its end.
    #[must_use]
    pub fn base_url(&self) -> &str {
        self.verifier.base_url()
    }

    /// The maximum lifetime of a URL.
    #[must_use]
    pub fn max_lifetime(&self) -> Duration {
        self.verifier.max_lifetime()
    }

    /// Signs a grant, as it is: the maximum lifetime is for the caller to observe.
    #[must_use]
    pub fn sign(&self, grant: &Grant) -> PresignedUrl {
        let keyring = self.verifier.keyring();
        let key = keyring.signing();
        let base_url = self.base_url();

        let mut url = String::with_capacity(base_url.len() + 384);
        url.push_str(base_url);
        format::write(grant, key.id(), &mut url);
        let signature = key.mac(&url[base_url.len()..]).finalize().into_bytes();
        url.push_str(SIGNATURE);
        URL_SAFE_NO_PAD.encode_string(signature, &mut url);

        let content_type = match &grant.permission {
            Permission::Read(_) | Permission::Resume(_) => None,
            // A content type is ASCII, and so a header value.
            Permission::Write(terms) => HeaderValue::from_str(terms.content_type.as_str()).ok(),
        };
        let presigned = PresignedUrl::signed(url, grant, Arc::clone(key.id()));
        match content_type {
            Some(content_type) => presigned.with_header(CONTENT_TYPE, content_type),
            None => presigned,
        }
    }
}

impl UrlVerifier {
    /// The signer with the same keys, for URLs that follow from those that it has verified.
    pub(crate) fn signer(&self) -> UrlSigner {
        UrlSigner {
            verifier: self.clone(),
        }
    }
}

impl From<UrlSigner> for UrlVerifier {
    fn from(signer: UrlSigner) -> Self {
        signer.verifier
    }
}

impl fmt::Debug for UrlSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UrlSigner")
            .field("verifier", &self.verifier)
            .finish()
    }
}
