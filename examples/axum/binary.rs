//! The interactions of the FHIR resource `Binary`, in both of its forms: the content itself, and a
//! JSON resource that has the content in it (<https://hl7.org/fhir/R4/binary.html#rest>).

mod create;
mod read;

pub(crate) use create::create;
use http::HeaderValue;
pub(crate) use read::{read, vread};
use tower_presign::repository::RepositoryError;
use tower_presign::{BinaryKey, FsRepository};

use crate::fhir::Outcome;

#[derive(Clone)]
pub(crate) struct Binaries {
    pub(crate) repository: FsRepository,
    /// In bytes.
    pub(crate) max_upload: u64,
}

/// The resource, without `data`. Ids need no escaping.
fn json(key: &BinaryKey, content_type: &str) -> String {
    let (id, version) = (key.id(), key.version());
    let content_type = serde_json::Value::from(content_type);
    format!(
        r#"{{"resourceType":"Binary","id":"{id}","meta":{{"versionId":"{version}"}},"contentType":{content_type}}}"#
    )
}

/// A media type without its parameters.
fn essence(media_type: &str) -> String {
    let essence = media_type.split(';').next().unwrap_or_default();
    essence.trim().to_ascii_lowercase()
}

/// FHIR's entity tags are weak: the two forms of a version have the same.
fn entity_tag(key: &BinaryKey) -> Result<HeaderValue, Outcome> {
    header_value(format!("W/\"{}\"", key.version()))
}

fn header_value(text: String) -> Result<HeaderValue, Outcome> {
    HeaderValue::try_from(text).map_err(|error| RepositoryError::internal(error).into())
}
