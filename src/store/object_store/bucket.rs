//! A store, and what this repository asks of it.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::TryStreamExt as _;
use futures_util::future::try_join;
use object_store::path::Path;
use object_store::{
    Error as StoreError, GetOptions, GetRange, GetResult, ObjectStore, ObjectStoreExt as _,
    PutMode, PutOptions,
};

use super::error;
use super::layout::{self, Marker};
use crate::id::BinaryId;
use crate::key::BinaryKey;
use crate::store::{ByteRange, RepositoryError};

/// How many objects are worked on at once where there are many.
const CONCURRENCY: usize = 16;

#[derive(Clone)]
pub(super) struct Bucket {
    pub(super) store: Arc<dyn ObjectStore>,
    /// Whether it refuses to put an object twice.
    pub(super) is_write_once: bool,
    /// Whether all content is kept where it can be deleted, and not only large content: reads are
    /// offloaded.
    pub(super) keeps_apart: bool,
}

impl Bucket {
    /// Deletes a Binary with all its content.
    pub(super) async fn delete(&self, id: BinaryId) -> Result<(), RepositoryError> {
        let binary = layout::binary(id);
        if self.stat(&binary).await?.is_none() {
            return Err(RepositoryError::NotFound);
        }
        self.bury(&binary).await?;
        let mut next = 1;
        let versions = self.store.list(Some(&layout::contents(id)));
        let mut versions = versions.map_ok(|object| object.location);
        while let Some(content) = versions.try_next().await.map_err(error::from_store)? {
            next = next.max(layout::number(&content).saturating_add(1));
            self.bury(&content).await?;
        }
        // A write URL names at most the next version: when that place is taken, all are.
        loop {
            let content = layout::content(id, &next.to_string());
            let tombstone = Marker::Deleted;
            let octets = mime::APPLICATION_OCTET_STREAM.as_ref();
            match self
                .put_new(&content, tombstone.stand_in(), octets, &tombstone)
                .await
            {
                Err(RepositoryError::AlreadyWritten) => self.bury(&content).await?,
                Ok(()) | Err(RepositoryError::Deleted) => break,
                Err(error) => return Err(error),
            }
            next += 1;
        }
        self.store
            .list(Some(&layout::larges(id)))
            .map_err(error::from_store)
            .try_for_each_concurrent(CONCURRENCY, |large| async move {
                match self.store.delete(&large.location).await {
                    Ok(()) | Err(StoreError::NotFound { .. }) => Ok(()),
                    Err(error) => Err(error::from_store(error)),
                }
            })
            .await
    }

    /// Replaces an object by a tombstone.
    pub(super) async fn bury(&self, path: &Path) -> Result<(), RepositoryError> {
        let octets = mime::APPLICATION_OCTET_STREAM.as_ref();
        let options = PutOptions {
            attributes: Marker::Deleted.attributes(octets),
            ..PutOptions::default()
        };
        let content = Marker::Deleted.stand_in();
        let put = self.store.put_opts(path, content.into(), options);
        put.await.map_err(error::from_store)?;
        Ok(())
    }

    /// Puts an object where there is none.
    pub(super) async fn put_new(
        &self,
        path: &Path,
        content: Bytes,
        content_type: &str,
        marker: &Marker,
    ) -> Result<(), RepositoryError> {
        let options = PutOptions {
            mode: if self.is_write_once {
                PutMode::Create
            } else {
                PutMode::Overwrite
            },
            attributes: marker.attributes(content_type),
            ..PutOptions::default()
        };
        if !self.is_write_once
            && let Some(found) = self.stat(path).await?
        {
            return Err(taken(&found));
        }
        match self.store.put_opts(path, content.into(), options).await {
            Ok(_) => Ok(()),
            Err(error @ StoreError::AlreadyExists { .. }) => match self.stat(path).await? {
                // The client repeats a request whose answer it has not seen.
                Some(found) if Marker::of(&found).as_ref() == Some(marker) => Ok(()),
                Some(found) => Err(taken(&found)),
                // S3 reports a conflict while another put is not yet done.
                None => Err(RepositoryError::unavailable(error)),
            },
            // The answer may be all that is lost.
            Err(error @ StoreError::Generic { .. }) => match self.stat(path).await {
                Ok(Some(found)) if Marker::of(&found).as_ref() == Some(marker) => Ok(()),
                _ => Err(error::from_store(error)),
            },
            Err(error) => Err(error::from_store(error)),
        }
    }

    /// An object without its content; `None` if there is none.
    pub(super) async fn stat(&self, path: &Path) -> Result<Option<GetResult>, RepositoryError> {
        let options = GetOptions {
            head: true,
            ..GetOptions::default()
        };
        found(self.store.get_opts(path, options).await)
    }

    /// An object with its content, or a part of it; `None` if there is none.
    pub(super) async fn get(
        &self,
        path: &Path,
        range: Option<ByteRange>,
    ) -> Result<Option<GetResult>, RepositoryError> {
        let range_of_store = match range {
            None => None,
            // Some stores count with a sign.
            Some(ByteRange::FromTo(first, last)) if last < i64::MAX as u64 => {
                Some(GetRange::Bounded(first..last + 1))
            }
            Some(ByteRange::FromTo(first, _) | ByteRange::From(first)) => {
                Some(GetRange::Offset(first))
            }
            // Azure knows no suffix ranges, and others stumble when the content is shorter.
            Some(range @ ByteRange::Last(_)) => return self.get_resolved(path, range).await,
        };
        let options = GetOptions {
            range: range_of_store,
            ..GetOptions::default()
        };
        match (self.store.get_opts(path, options).await, range) {
            (Err(StoreError::NotFound { .. }), _) => Ok(None),
            // Stores tell in ways of their own that a range lies outside.
            (Err(_), Some(range)) => self.get_resolved(path, range).await,
            (Ok(object), Some(range)) if object.range.is_empty() && is_content(&object) => {
                range.resolve(object.meta.size)?;
                Ok(Some(object))
            }
            (result, _) => result.map(Some).map_err(error::from_store),
        }
    }

    async fn get_resolved(
        &self,
        path: &Path,
        range: ByteRange,
    ) -> Result<Option<GetResult>, RepositoryError> {
        let Some(object) = self.stat(path).await? else {
            return Ok(None);
        };
        if !is_content(&object) {
            return Ok(Some(object));
        }
        let range = range.resolve(object.meta.size)?;
        if range.is_empty() {
            return Ok(Some(object));
        }
        let options = GetOptions {
            range: Some(GetRange::Bounded(range)),
            ..GetOptions::default()
        };
        found(self.store.get_opts(path, options).await)
    }

    /// Where a version's bytes are, and what is known of them.
    pub(super) async fn find(&self, key: &BinaryKey) -> Result<(Path, GetResult), RepositoryError> {
        let content = layout::content(key.id(), key.version().as_str());
        let Some(object) = self.stat(&content).await? else {
            return Err(self.absent(key.id()).await);
        };
        match Marker::of(&object) {
            Some(Marker::Deleted) => Err(RepositoryError::Deleted),
            Some(Marker::Large(name)) => {
                let large = layout::large(key, &name);
                match self.stat(&large).await? {
                    Some(object) => Ok((large, object)),
                    None => Err(self.absent(key.id()).await),
                }
            }
            Some(Marker::Content(_)) | None => Ok((content, object)),
        }
    }

    /// The number of the current version; 0 if there is none.
    pub(super) async fn current(&self, id: BinaryId) -> Result<u64, RepositoryError> {
        self.store
            .list(Some(&layout::contents(id)))
            .map_err(error::from_store)
            .try_fold(0, async |max, object| {
                Ok(layout::number(&object.location).max(max))
            })
            .await
    }

    /// What it means that an object of the Binary is not there.
    pub(super) async fn absent(&self, id: BinaryId) -> RepositoryError {
        match self.stat(&layout::binary(id)).await {
            Ok(Some(binary)) if Marker::of(&binary) == Some(Marker::Deleted) => {
                RepositoryError::Deleted
            }
            Ok(_) => RepositoryError::NotFound,
            Err(error) => error,
        }
    }

    /// Whether `key` may be written, as far as can be told before its content has arrived.
    pub(super) async fn check_vacant(&self, key: &BinaryKey) -> Result<(), RepositoryError> {
        let (binary, content) = (
            layout::binary(key.id()),
            layout::content(key.id(), key.version().as_str()),
        );
        match try_join(self.stat(&binary), self.stat(&content)).await? {
            (None, _) => Err(RepositoryError::NotFound),
            (Some(binary), _) if Marker::of(&binary) == Some(Marker::Deleted) => {
                Err(RepositoryError::Deleted)
            }
            (Some(_), Some(content)) => Err(taken(&content)),
            (Some(_), None) => Ok(()),
        }
    }

    /// Finds out whether the store keeps attributes and refuses to put an object twice.
    pub(super) async fn try_out(&self) -> Result<(), RepositoryError> {
        let path = layout::trial();
        let (first, second) = (Marker::content(), Marker::content());
        match self
            .put_new(&path, Bytes::new(), "text/plain", &first)
            .await
        {
            Err(RepositoryError::NotFound) => {
                return Err(RepositoryError::internal("there is no such bucket"));
            }
            put => put?,
        }
        let kept = self.stat(&path).await;
        let again = self
            .put_new(&path, Bytes::new(), "text/plain", &second)
            .await;
        self.store.delete(&path).await.map_err(error::from_store)?;
        if !kept?.is_some_and(|object| Marker::of(&object) == Some(first)) {
            return Err(RepositoryError::internal(
                "the object store does not keep attributes",
            ));
        }
        match again {
            Err(RepositoryError::AlreadyWritten) => Ok(()),
            Ok(()) => Err(RepositoryError::internal(
                "the object store replaces an object that must not be there (If-None-Match: *)",
            )),
            Err(error) => Err(error),
        }
    }
}

/// Whether an object is content itself, and not what stands in its place.
fn is_content(object: &GetResult) -> bool {
    matches!(Marker::of(object), Some(Marker::Content(_)) | None)
}

/// Why there is no room for a version where `object` is.
fn taken(object: &GetResult) -> RepositoryError {
    match Marker::of(object) {
        Some(Marker::Deleted) => RepositoryError::Deleted,
        _ => RepositoryError::AlreadyWritten,
    }
}

fn found(result: Result<GetResult, StoreError>) -> Result<Option<GetResult>, RepositoryError> {
    match result {
        Ok(object) => Ok(Some(object)),
        Err(StoreError::NotFound { .. }) => Ok(None),
        Err(error) => Err(error::from_store(error)),
    }
}
