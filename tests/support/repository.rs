//! Repositories whose answers are given in advance.

use std::time::SystemTime;

use bytes::Bytes;
use futures_util::stream;
use tower_presign::store::{
    ByteRange, Content, Located, Metadata, RepositoryError, Target, Upload,
};
use tower_presign::{BinaryKey, BinaryRepository, ContentType, VersionId};

use super::{NOW, at};

/// One content under every id, as version 7, an hour old.
#[derive(Clone)]
pub struct Shelf {
    pub content: &'static [u8],
    pub content_type: &'static str,
    pub last_modified: SystemTime,
    /// Yielded by reading, in place of the content.
    pub stream: Option<fn() -> Vec<Chunk>>,
}

type Chunk = Result<Bytes, RepositoryError>;

impl Shelf {
    pub fn new(content: &'static [u8]) -> Self {
        Self {
            content,
            content_type: "image/png",
            last_modified: at(NOW - 3600),
            stream: None,
        }
    }

    fn metadata(&self) -> Metadata {
        let length = self.content.len() as u64;
        Metadata::new(self.content_type, length, self.last_modified)
    }
}

impl BinaryRepository for Shelf {
    async fn locate(&self, target: &Target) -> Result<Located, RepositoryError> {
        let content_type = ContentType::new("image/png").unwrap();
        Ok(Located::new(target.key(VersionId::from(7)), content_type))
    }

    async fn head(&self, _: &BinaryKey) -> Result<Metadata, RepositoryError> {
        Ok(self.metadata())
    }

    async fn read(
        &self,
        _: &BinaryKey,
        range: Option<ByteRange>,
    ) -> Result<Content, RepositoryError> {
        let metadata = self.metadata();
        let range = match range {
            Some(range) => range.resolve(metadata.length)?,
            None => 0..metadata.length,
        };
        if let Some(chunks) = self.stream {
            return Ok(Content::new(metadata, range, stream::iter(chunks())));
        }
        let start = usize::try_from(range.start).unwrap();
        let end = usize::try_from(range.end).unwrap();
        let part = Bytes::from_static(&self.content[start..end]);
        Ok(Content::from_bytes(metadata, range, part))
    }

    async fn write(&self, _: &BinaryKey, _: Upload) -> Result<Metadata, RepositoryError> {
        Err(RepositoryError::AlreadyWritten)
    }
}

/// Nothing but this error.
#[derive(Clone, Copy)]
pub struct Failing(pub Failure);

pub type Failure = fn() -> RepositoryError;

impl BinaryRepository for Failing {
    async fn locate(&self, _: &Target) -> Result<Located, RepositoryError> {
        Err(self.0())
    }

    async fn head(&self, _: &BinaryKey) -> Result<Metadata, RepositoryError> {
        Err(self.0())
    }

    async fn read(&self, _: &BinaryKey, _: Option<ByteRange>) -> Result<Content, RepositoryError> {
        Err(self.0())
    }

    async fn write(&self, _: &BinaryKey, _: Upload) -> Result<Metadata, RepositoryError> {
        Err(self.0())
    }
}
