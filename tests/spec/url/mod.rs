//! Presigned URLs: what they are made of, what holds of each, and when one works.

mod base;
mod keys;
mod lifetime;
mod order;
mod properties;
mod vectors;

use tower_presign::url::{Expires, Permission, PresignedUrl, ReadTerms, ResumeTerms, WriteTerms};
use tower_presign::{BinaryKey, ContentType, Filename, Grant, UrlId, VersionId};

use crate::support::*;

fn signed(permission: impl Into<Permission>) -> PresignedUrl {
    let key = BinaryKey::new(id("scan"), VersionId::from(1));
    let grant = Grant::new(key, permission, Expires::at_unix_seconds(NOW));
    signer().sign(&grant.with_id(UrlId::random()))
}

#[test]
fn the_terms_of_a_read_url_are_set_one_beside_the_other() {
    let terms = ReadTerms::new()
        .with_once()
        .with_attachment()
        .with_filename(Filename::new("scan.png").unwrap());
    let url = signed(terms);
    for claim in ["Disposition=attachment", "Filename=c2Nhbi5wbmc", "Once=1"] {
        assert!(url.as_str().contains(claim), "{}", url.as_str());
    }
}

#[test]
fn a_url_knows_its_method() {
    let write = WriteTerms::new(ContentType::new("image/png").unwrap());
    let upload = "0123456789abcdef0123456789abcdef".parse().unwrap();
    assert_eq!(signed(ReadTerms::new()).method(), "GET");
    assert_eq!(signed(write.clone()).method(), "PUT");
    assert_eq!(signed(ResumeTerms::new(upload, write)).method(), "PATCH");
}
