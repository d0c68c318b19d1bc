//! A search of 100 documents, and what is compared with the layer that rewrites it.

use bytes::Bytes;
use serde_json::{Value, json};
use tower_presign::store::{
    ByteRange, Content, Located, Metadata, RepositoryError, Target, Upload,
};
use tower_presign::{BinaryKey, BinaryRepository, ContentType, VersionId};

/// Every Binary is there.
pub struct All;

impl BinaryRepository for All {
    async fn locate(&self, target: &Target) -> Result<Located, RepositoryError> {
        let content_type = ContentType::new("image/png").map_err(RepositoryError::internal)?;
        Ok(Located::new(target.key(VersionId::from(1)), content_type))
    }

    async fn head(&self, _: &BinaryKey) -> Result<Metadata, RepositoryError> {
        Err(RepositoryError::NotFound)
    }

    async fn read(&self, _: &BinaryKey, _: Option<ByteRange>) -> Result<Content, RepositoryError> {
        Err(RepositoryError::NotFound)
    }

    async fn write(&self, _: &BinaryKey, _: Upload) -> Result<Metadata, RepositoryError> {
        Err(RepositoryError::NotFound)
    }
}

/// The documents refer to 100 Binaries, in 164 kB.
pub fn references() -> Bytes {
    search(|number| format!("Binary/c138a343-02e1-40f0-801f-{number:012}"))
}

/// The documents are elsewhere.
pub fn foreign() -> Bytes {
    search(|number| format!("https://example.com/c138a343-02e1-40f0-801f-{number:012}"))
}

fn search(url: impl Fn(usize) -> String) -> Bytes {
    let entries: Vec<_> = (0..100).map(|number| json!({
        "fullUrl": format!("https://health.example.com/fhir/DocumentReference/{number}"),
        "resource": {
            "resourceType": "DocumentReference",
            "id": number.to_string(),
            "meta": { "versionId": "1", "lastUpdated": "2026-11-29T08:00:00.000Z" },
            "text": { "status": "generated", "div": format!("<div xmlns=\"http://www.w3.org/1999/xhtml\">{}</div>", "A summary of what was found. ".repeat(30)) },
            "status": "current",
            "type": { "coding": [{ "system": "http://loinc.org", "code": "34133-9", "display": "Summary of episode note" }] },
            "subject": { "reference": "Patient/c138a343-02e1-40f0-801f-e3d7f5317d4e" },
            "date": "2026-11-29T08:00:00.000Z",
            "author": [{ "reference": "Practitioner/1", "display": "Dr. Adam Careful" }],
            "content": [{ "attachment": {
                "contentType": "application/pdf", "url": url(number), "title": "Summary",
                "creation": "2026-11-29T08:00:00.000Z",
            } }],
        },
        "search": { "mode": "match" },
    })).collect();
    json!({ "resourceType": "Bundle", "type": "searchset", "entry": entries })
        .to_string()
        .into()
}

/// Does the work of a host without the layer, with URLs that cost nothing.
pub fn parse_walk_write(json: &Bytes) -> Vec<u8> {
    let mut value: Value = serde_json::from_slice(json).unwrap();
    walk(&mut value);
    serde_json::to_vec(&value).unwrap()
}

fn walk(value: &mut Value) {
    match value {
        Value::Array(elements) => elements.iter_mut().for_each(walk),
        Value::Object(members) => {
            if let Some(Value::String(url)) = members.get_mut("url")
                && url.starts_with("Binary/")
            {
                *url = format!(
                    "https://health.example.com/storage/{url}?{}",
                    "x".repeat(150)
                );
            }
            members.values_mut().for_each(walk);
        }
        _ => {}
    }
}
