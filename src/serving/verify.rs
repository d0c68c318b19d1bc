//! Whether a request may use the URL that it is for: signature, method, time.

use std::time::SystemTime;

use http::Method;
use http::request::Parts;

use crate::fhir::Refusal;
use crate::refusal::RefusalCode;
use crate::url::{Access, Grant, Permission, UrlVerifier, VerifyError};

impl UrlVerifier {
    /// Verifies a request to the storage base URL: its URL as [`verify`](Self::verify) does, and
    /// that its method is the URL's.
    ///
    /// The path of the request begins with that of the storage base URL, as clients send it.
    ///
    /// # Errors
    ///
    /// [`VerifyError`], the first that applies.
    ///
    /// ```
    /// # use std::time::SystemTime;
    /// # use tower_presign::{SigningKey, UrlVerifier, url::VerifyError};
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let key = SigningKey::new("2026-11", b"a secret of 32 bytes, better random")?;
    /// # let verifier = UrlVerifier::new(key, "https://storage.example.com/binary")?;
    /// let (parts, _) = http::Request::get("/binary/scan-7/1?Expires=1").body(())?.into_parts();
    /// let grant = verifier.verify_request(&parts, SystemTime::now());
    /// assert_eq!(grant, Err(VerifyError::MissingSignature));
    /// # Ok(())
    /// # }
    /// ```
    pub fn verify_request(&self, parts: &Parts, now: SystemTime) -> Result<Grant, VerifyError> {
        let target = parts
            .uri
            .path_and_query()
            .map_or("", |target| target.as_str());
        let target = target.strip_prefix(self.base_path());
        let mut sorted = String::new();
        let authentic = self.authenticate(target.unwrap_or_default(), &mut sorted)?;
        let grant = authentic.grant;
        check_method(&grant, &parts.method)?;
        self.check_time(&grant, now)?;
        Ok(grant)
    }
}

/// Whether the method is one that the URL is for.
pub(super) fn check_method(grant: &Grant, method: &Method) -> Result<(), VerifyError> {
    let is_granted = match grant.permission {
        Permission::Read(_) => matches!(*method, Method::GET | Method::HEAD),
        Permission::Write(_) => *method == Method::PUT,
        // There are none to go on with here.
        Permission::Resume(_) => false,
    };
    if is_granted {
        Ok(())
    } else {
        let granted = grant.access();
        Err(VerifyError::MethodNotAllowed { granted })
    }
}

impl From<VerifyError> for Refusal {
    fn from(error: VerifyError) -> Self {
        match error {
            VerifyError::MissingSignature => RefusalCode::MissingSignature.into(),
            VerifyError::InvalidSignature => RefusalCode::InvalidSignature.into(),
            VerifyError::Expired => RefusalCode::Expired.into(),
            VerifyError::LifetimeTooLong => RefusalCode::LifetimeTooLong.into(),
            VerifyError::MethodNotAllowed { granted } => Self::method_not_allowed(match granted {
                Access::Read => "GET, HEAD, OPTIONS",
                Access::Write => "PUT, OPTIONS",
            }),
        }
    }
}
