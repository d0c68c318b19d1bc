//! The presigned URL format, held against URLs that an independent implementation made.

use std::time::{Duration, SystemTime};

use serde::Deserialize;
use tower_presign::store::Place;
use tower_presign::url::VerifyError;
use tower_presign::url::{Expires, ReadTerms, ResumeTerms, WriteTerms};
use tower_presign::{
    BinaryId, BinaryKey, ContentType, Filename, Grant, Permission, SigningKey, UrlSigner, VersionId,
};
use tower_presign::{UploadId, UrlId};

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
#[serde(deny_unknown_fields)]
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
    url_id: Option<String>,
    #[serde(default)]
    once: bool,
    place: Option<String>,
    resume: Option<String>,
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
        let write_terms = || {
            let content_type = ContentType::new(self.content_type.as_ref().unwrap()).unwrap();
            let mut terms = WriteTerms::new(content_type);
            terms.max_length = self.max_length;
            terms
        };
        let permission: Permission = match self.method.as_deref() {
            None => self.read_terms().into(),
            Some("PUT") => write_terms().into(),
            Some("PATCH") => {
                let upload = UploadId::new(self.resume.as_ref().unwrap()).unwrap();
                ResumeTerms::new(upload, write_terms()).into()
            }
            Some(other) => panic!("unknown method {other}"),
        };
        let grant = Grant::new(key, permission, Expires::at_unix_seconds(self.expires));
        match &self.url_id {
            Some(id) => grant.with_id(UrlId::new(id).unwrap()),
            None => grant,
        }
    }

    fn read_terms(&self) -> ReadTerms {
        let mut terms = ReadTerms::new();
        terms.filename = self.filename.as_ref().and_then(Filename::new);
        terms.attachment = self.disposition.as_deref() == Some("attachment");
        terms.once = self.once;
        match &self.place {
            Some(place) => terms.with_place(Place::new(place.as_str()).unwrap()),
            None => terms,
        }
    }
}

fn cases() -> Vec<Case> {
    let vectors: Vectors = serde_json::from_str(include_str!("../../vectors.json")).unwrap();
    assert_eq!(vectors.cases.len(), 17);
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
        let last_second = SystemTime::UNIX_EPOCH + Duration::from_secs(case.input.expires - 1);
        assert_eq!(
            signer.verifier().verify(target, last_second),
            Ok(grant),
            "{}",
            case.name
        );
        assert_eq!(
            signer
                .verifier()
                .verify(target, last_second + Duration::from_secs(1)),
            Err(VerifyError::Expired),
            "{}",
            case.name
        );
    }
}
