//! The presigned URL format, held against URLs that an independent implementation made.

use std::time::{Duration, SystemTime};

use http::Method;
use serde::Deserialize;
use tower_presign::url::VerifyError;
use tower_presign::{
    Access, BinaryId, BinaryKey, ContentType, Filename, Grant, SigningKey, UrlSigner, VersionId,
};

#[derive(Deserialize)]
struct Vectors {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    input: Input,
    url: String,
}

#[derive(Deserialize)]
struct Input {
    base: String,
    key_id: String,
    secret_hex: String,
    id: String,
    version: String,
    expires: u64,
    method: Option<String>,
    content_type: Option<String>,
    max_length: Option<u64>,
    filename: Option<String>,
    disposition: Option<String>,
    context: Option<String>,
}

impl Input {
    fn signer(&self) -> UrlSigner {
        let secret: Vec<u8> = (0..self.secret_hex.len())
            .step_by(2)
            .map(|i| u8::from_str_radix(&self.secret_hex[i..i + 2], 16).unwrap())
            .collect();
        let key = SigningKey::new(self.key_id.as_str(), secret).unwrap();
        UrlSigner::new(key, &self.base).unwrap()
    }

    fn grant(&self) -> Grant {
        let mut key = BinaryKey::new(
            BinaryId::new(&self.id).unwrap(),
            VersionId::new(&self.version).unwrap(),
        );
        if let Some(context) = &self.context {
            key = key.with_context(context.as_str());
        }
        let mut grant = match self.method.as_deref() {
            None => Grant::read(key, self.expires),
            Some("PUT") => {
                let content_type = ContentType::new(self.content_type.as_ref().unwrap());
                Grant::write(key, content_type.unwrap(), self.expires)
            }
            Some(other) => panic!("unknown method {other}"),
        };
        if let Some(filename) = &self.filename {
            grant = grant.with_filename(Filename::new(filename).unwrap());
        }
        if self.disposition.as_deref() == Some("attachment") {
            grant = grant.with_attachment();
        }
        if let Some(bytes) = self.max_length {
            grant = grant.with_max_length(bytes);
        }
        grant
    }
}

fn cases() -> Vec<Case> {
    let vectors: Vectors = serde_json::from_str(include_str!("../../vectors.json")).unwrap();
    assert_eq!(vectors.cases.len(), 10);
    vectors.cases
}

#[test]
fn every_case_is_made_byte_for_byte() {
    for case in cases() {
        let url = case.input.signer().sign(&case.input.grant());
        assert_eq!(url.as_str(), case.url, "{}", case.name);
    }
}

#[test]
fn every_case_is_verified_to_what_it_was_made_from() {
    for case in cases() {
        let signer = case.input.signer();
        let grant = case.input.grant();
        let target = case.url.strip_prefix(&case.input.base).unwrap();
        let method = match grant.access() {
            Access::Read => Method::GET,
            Access::Write => Method::PUT,
        };
        let last_second = SystemTime::UNIX_EPOCH + Duration::from_secs(grant.expires - 1);
        assert_eq!(
            signer.verify(target, &method, last_second),
            Ok(grant),
            "{}",
            case.name
        );
        assert_eq!(
            signer.verify(target, &method, last_second + Duration::from_secs(1)),
            Err(VerifyError::Expired),
            "{}",
            case.name
        );
    }
}
