//! The checks of a request's right to use its URL: signature, method, time.

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
    /// The result is the same on servers that take uploads in parts and on those that do not.
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
        let grant = authentic.grant()?;
        if !is_granted(&grant, &parts.method) {
            let granted = grant.access();
            return Err(VerifyError::MethodNotAllowed { granted });
        }
        self.check_time(&grant, now)?;
        Ok(grant)
    }
}

/// True if the URL is for this method.
fn is_granted(grant: &Grant, method: &Method) -> bool {
    match grant.permission {
        Permission::Read(_) => matches!(*method, Method::GET | Method::HEAD),
        Permission::Write(_) => *method == Method::PUT,
        Permission::Resume(_) => matches!(
            *method,
            Method::HEAD | Method::GET | Method::PATCH | Method::DELETE
        ),
    }
}

/// As [`is_granted`], on a server where uploads may or may not come in parts.
pub(super) fn check_method(
    grant: &Grant,
    method: &Method,
    are_resumable: bool,
) -> Result<(), Refusal> {
    let (is_allowed, allow) = match grant.permission {
        Permission::Read(_) => (is_granted(grant, method), "GET, HEAD, OPTIONS"),
        Permission::Write(_) if are_resumable => (
            is_granted(grant, method) || *method == Method::POST,
            "PUT, POST, OPTIONS",
        ),
        Permission::Write(_) => (is_granted(grant, method), "PUT, OPTIONS"),
        Permission::Resume(_) => (
            are_resumable && is_granted(grant, method),
            "HEAD, GET, PATCH, DELETE, OPTIONS",
        ),
    };
    if is_allowed {
        Ok(())
    } else {
        Err(method_not_allowed(grant.access(), allow))
    }
}

/// Its holder sees the method in the URL already.
fn method_not_allowed(granted: Access, allow: &'static str) -> Refusal {
    Refusal::method_not_allowed(allow).with_diagnostics(match granted {
        Access::Read => {
            "This URL reads. Use one of the methods that the Allow header lists, or ask the \
             operation with upload=true for a URL that writes."
        }
        Access::Write => {
            "This URL writes. Use one of the methods that the Allow header lists, or ask the \
             operation without upload for a URL that reads."
        }
    })
}

impl From<VerifyError> for Refusal {
    fn from(error: VerifyError) -> Self {
        match error {
            VerifyError::MissingSignature => RefusalCode::MissingSignature.into(),
            VerifyError::InvalidSignature => RefusalCode::InvalidSignature.into(),
            VerifyError::Expired => RefusalCode::Expired.into(),
            VerifyError::LifetimeTooLong => RefusalCode::LifetimeTooLong.into(),
            VerifyError::MethodNotAllowed { granted } => {
                let allow = match granted {
                    Access::Read => "GET, HEAD, OPTIONS",
                    Access::Write => "PUT, OPTIONS",
                };
                method_not_allowed(granted, allow)
            }
        }
    }
}
