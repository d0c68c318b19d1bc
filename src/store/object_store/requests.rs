//! The requests that are made to a bucket.

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use futures_util::future::ready;
use futures_util::stream::{self, BoxStream, StreamExt as _, TryStreamExt as _};
use object_store::list::{PaginatedListOptions, PaginatedListStore};
use object_store::multipart::MultipartStore;
use object_store::path::Path;
use object_store::{
    Error as StoreError, GetOptions, GetRange, GetResult, MultipartUpload, ObjectMeta,
    ObjectStoreExt as _, PutMode, PutMultipartOptions, PutOptions, PutPayload, UpdateVersion,
};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::timeout;

use super::bucket::Bucket;
use super::error::{Action, Fault, Meaning};
use super::mark::Mark;

/// The slowest link that content is put over, in bytes a second, also while others share it.
const SLOWEST: u64 = 100 * 1024;

impl Bucket {
    /// The time that content of this length may take on its way in.
    pub(super) fn time_for(&self, length: usize) -> Duration {
        self.patience() + Duration::from_secs(length as u64 / SLOWEST)
    }

    /// An object without its content; `None` if there seems to be none: see [`Action::Look`].
    pub(super) async fn look(&self, name: &str) -> Result<Option<GetResult>, Fault> {
        let options = GetOptions {
            head: true,
            ..GetOptions::default()
        };
        self.ask(Action::Look, name, options).await
    }

    /// An object with its content, or a part of it; `None` if there is none.
    pub(super) async fn get(
        &self,
        name: &str,
        range: Option<GetRange>,
        if_match: Option<String>,
    ) -> Result<Option<GetResult>, Fault> {
        let options = GetOptions {
            range,
            if_match,
            ..GetOptions::default()
        };
        self.ask(Action::Get, name, options).await
    }

    async fn ask(
        &self,
        action: Action,
        name: &str,
        options: GetOptions,
    ) -> Result<Option<GetResult>, Fault> {
        let path = self.path(name);
        loop {
            let client = self.client();
            let asking = client.store.get_opts(&path, options.clone());
            match self.within(self.patience(), action, asking).await {
                Ok(object) => return Ok(Some(object)),
                Err(fault) if fault.meaning() == Meaning::Absent => return Ok(None),
                Err(fault) if self.is_renewed(&client, &fault).await => {}
                Err(fault) => return Err(fault),
            }
        }
    }

    /// All of a small object, after [`get`](Self::get).
    pub(super) async fn content(&self, object: GetResult) -> Result<Bytes, Fault> {
        let reading = object.bytes();
        self.within(self.patience(), Action::Get, reading).await
    }

    pub(super) async fn put(
        &self,
        name: &str,
        content: impl Into<PutPayload>,
        content_type: &str,
        mark: &Mark,
        mode: PutMode,
    ) -> Result<UpdateVersion, Fault> {
        let content = content.into();
        let length = content.content_length();
        let options = PutOptions {
            mode,
            attributes: mark.attributes(content_type),
            ..PutOptions::default()
        };
        let limit = self.time_for(length);
        let path = self.path(name);
        loop {
            let client = self.client();
            let putting = async {
                let _room = self.room(length).await;
                let putting = client
                    .store
                    .put_opts(&path, content.clone(), options.clone());
                self.within(limit, Action::Put, putting).await
            };
            match self.while_alive(Action::Put, putting).await {
                Ok(put) => return Ok(put.into()),
                Err(fault) if self.is_renewed(&client, &fault).await => {}
                Err(fault) => return Err(fault),
            }
        }
    }

    /// Asks the store for something about an upload in parts that outlives a request.
    pub(super) async fn multipart<T, F>(
        &self,
        action: Action,
        limit: Duration,
        ask: impl Fn(Arc<dyn MultipartStore>) -> F,
    ) -> Result<T, Fault>
    where
        F: Future<Output = Result<T, StoreError>>,
    {
        loop {
            let client = self.client();
            let Some(multipart) = client.multipart.clone() else {
                let missing = StoreError::NotImplemented {
                    operation: "uploads in parts".to_owned(),
                    implementer: "this bucket".to_owned(),
                };
                return Err(Fault::new(action, missing));
            };
            let asking = self.within(limit, action, ask(multipart));
            match self.while_alive(action, asking).await {
                Err(fault) if self.is_renewed(&client, &fault).await => {}
                answer => return answer,
            }
        }
    }

    /// Waits until content of this length may be on its way to the store. There is a limit for all
    /// content together. Short content does not wait behind long content.
    pub(super) async fn room(&self, length: usize) -> Option<OwnedSemaphorePermit> {
        let mebibytes = u32::try_from(length / Self::ROOM_UNIT).unwrap_or(u32::MAX);
        let room = self.traffic().clone();
        // Nobody closes it.
        room.acquire_many_owned(mebibytes).await.ok()
    }

    pub(super) async fn put_in_parts(
        &self,
        name: &str,
        content_type: &str,
        mark: &Mark,
    ) -> Result<Box<dyn MultipartUpload>, Fault> {
        let options = PutMultipartOptions {
            attributes: mark.attributes(content_type),
            ..PutMultipartOptions::default()
        };
        let path = self.path(name);
        loop {
            let client = self.client();
            let starting = client.store.put_multipart_opts(&path, options.clone());
            match self.within(self.patience(), Action::Put, starting).await {
                Err(fault) if self.is_renewed(&client, &fault).await => {}
                started => return started,
            }
        }
    }

    /// Removes an object. A missing object is no error.
    pub(super) async fn delete(&self, name: &str) -> Result<(), Fault> {
        let path = self.path(name);
        loop {
            let client = self.client();
            let deleting = client.store.delete(&path);
            match self.within(self.patience(), Action::Delete, deleting).await {
                Err(fault) if fault.meaning() == Meaning::Absent => return Ok(()),
                Err(fault) if self.is_renewed(&client, &fault).await => {}
                deleted => return deleted,
            }
        }
    }

    /// Removes objects, of which some may not be there, in as few requests as the store allows.
    pub(super) async fn delete_all(&self, names: Vec<String>) -> Result<(), Fault> {
        let paths: Vec<_> = names.iter().map(|name| Ok(self.path(name))).collect();
        let mut deleting = self
            .client()
            .store
            .delete_stream(stream::iter(paths).boxed());
        let limit = self.patience();
        loop {
            match timeout(limit, deleting.next()).await {
                Ok(None) => return Ok(()),
                Ok(Some(Ok(_) | Err(StoreError::NotFound { .. }))) => {}
                Ok(Some(Err(error))) => return Err(Fault::new(Action::Delete, error)),
                Err(_) => return Err(Fault::late(Action::Delete, limit)),
            }
        }
    }

    /// The first objects of a folder, in the order of their names.
    pub(super) async fn first(&self, folder: &str, count: usize) -> Result<Vec<Listed>, Fault> {
        let mut objects = loop {
            let client = self.client();
            let listed = match &client.pages {
                Some(pages) => self.first_pages(pages.as_ref(), folder, count).await,
                None => self.list(folder).try_collect().await,
            };
            match listed {
                Ok(objects) => break objects,
                Err(fault) if self.is_renewed(&client, &fault).await => {}
                Err(fault) => return Err(fault),
            }
        };
        objects.sort_unstable_by(|a: &Listed, b| a.name.cmp(&b.name));
        objects.truncate(count);
        Ok(objects)
    }

    async fn first_pages(
        &self,
        pages: &dyn PaginatedListStore,
        folder: &str,
        count: usize,
    ) -> Result<Vec<Listed>, Fault> {
        let path = self.path(folder);
        let prefix = format!("{path}/");
        let mut objects = Vec::new();
        let mut page_token = None;
        // A page may have fewer objects than were asked for, though there are more.
        while objects.len() < count {
            let options = PaginatedListOptions {
                max_keys: Some(count - objects.len()),
                page_token,
                ..PaginatedListOptions::default()
            };
            let listing = pages.list_paginated(Some(&prefix), options);
            let page = self.within(self.patience(), Action::List, listing).await?;
            let listed = page.result.objects.iter();
            objects.extend(listed.filter_map(|object| Listed::new(&path, object)));
            page_token = page.page_token;
            if page_token.is_none() {
                break;
            }
        }
        Ok(objects)
    }

    /// All objects of a folder.
    pub(super) fn list(&self, folder: &str) -> BoxStream<'static, Result<Listed, Fault>> {
        let path = self.path(folder);
        let listing = self.client().store.list(Some(&path));
        let limit = self.patience();
        let objects = stream::unfold(Some(listing), move |listing| async move {
            let mut listing = listing?;
            match timeout(limit, listing.next()).await {
                Ok(None) => None,
                Ok(Some(Ok(object))) => Some((Ok(object), Some(listing))),
                Ok(Some(Err(error))) => Some((Err(Fault::new(Action::List, error)), None)),
                Err(_) => Some((Err(Fault::late(Action::List, limit)), None)),
            }
        });
        objects
            .try_filter_map(move |object| ready(Ok(Listed::new(&path, &object))))
            .boxed()
    }
}

/// An object of a folder.
#[derive(Debug)]
pub(super) struct Listed {
    /// Without the folder.
    pub(super) name: String,
    pub(super) size: u64,
    pub(super) modified: SystemTime,
}

impl Listed {
    fn new(folder: &Path, object: &ObjectMeta) -> Option<Self> {
        let name = object.location.as_ref().strip_prefix(folder.as_ref())?;
        Some(Self {
            name: name.strip_prefix('/')?.to_owned(),
            size: object.size,
            modified: object.last_modified.into(),
        })
    }
}
