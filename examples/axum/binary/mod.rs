//! The interactions of the FHIR resource `Binary`, in both of its forms: the content itself, and a
//! JSON resource that has the content in it (<https://hl7.org/fhir/R4/binary.html#rest>).

mod create;
mod read;

pub(crate) use create::create;
use http::HeaderValue;
pub(crate) use read::{read, vread};
use tower_presign::store::RepositoryError;
use tower_presign::{BinaryId, BinaryKey, BinaryRepository, ContentType, FsRepository};

use crate::fhir::Outcome;

/// A repository in which Binaries can be made, which is for hosts to do.
pub(crate) trait Repository: BinaryRepository + Clone {
    fn create(
        &self,
        id: BinaryId,
        content_type: ContentType,
    ) -> impl Future<Output = Result<BinaryKey, RepositoryError>> + Send;

    fn delete(&self, id: BinaryId) -> impl Future<Output = Result<(), RepositoryError>> + Send;
}

impl Repository for FsRepository {
    async fn create(
        &self,
        id: BinaryId,
        content_type: ContentType,
    ) -> Result<BinaryKey, RepositoryError> {
        self.create(id, content_type).await
    }

    async fn delete(&self, id: BinaryId) -> Result<(), RepositoryError> {
        self.delete(id).await
    }
}

#[derive(Clone)]
pub(crate) struct Binaries<R> {
    pub(crate) repository: R,
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
