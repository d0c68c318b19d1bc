//! Deleting, and sweeping up objects that nothing refers to.

use std::collections::HashMap;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use object_store::PutMode;

use super::ObjectStoreRepository;
use super::content_name::ContentName;
use super::error::Fault;
use super::layout::{self, Name};
use super::mark::{Kind, Mark};
use crate::content_type::OCTET_STREAM;
use crate::id::BinaryId;
use crate::store::{Day, RepositoryError};

/// The number of objects that are worked on at once when there are many.
const CONCURRENCY: usize = 64;

/// The most by which our clock and the store's may differ.
const SLACK: Duration = Duration::from_secs(24 * 60 * 60);

/// The slots of a Binary that is being deleted.
struct Slot {
    version: u64,
    is_empty: bool,
    written: SystemTime,
}

impl ObjectStoreRepository {
    pub(super) async fn remove(&self, id: BinaryId) -> Result<(), RepositoryError> {
        // No write URL is alive that was minted before.
        let now = SystemTime::now();
        let cutoff = now.checked_sub(self.max_lifetime.saturating_add(SLACK));
        let cutoff = cutoff.unwrap_or(SystemTime::UNIX_EPOCH);
        let may_be_written = self.close(id, now).await? >= cutoff;

        let (mut slots, mut hints, mut places) = self.objects(id).await?;
        if may_be_written && let Some(slot) = self.guard(id, &slots).await? {
            slots.push(slot);
        }
        let mut gone = Vec::new();
        let mut buried = Vec::new();
        for slot in slots {
            let name = layout::slot(id, slot.version);
            let mut is_stone = false;
            if slot.is_empty && !places.contains_key(&slot.version) {
                let found = self.store.bucket().look(&name).await?;
                match found.as_ref().and_then(Mark::of).map(|mark| mark.kind) {
                    Some(Kind::Apart(content)) => drop(places.insert(slot.version, content)),
                    Some(Kind::Deleted) => is_stone = true,
                    _ => {}
                }
            }
            if !(may_be_written && slot.written >= cutoff) {
                gone.push(name);
            } else if !is_stone {
                buried.push(name);
            }
        }
        // In this order: a deletion that is cut short finds the places again.
        let bucket = self.store.bucket();
        let names = places.values().filter_map(ContentName::bytes);
        bucket.delete_all(names.collect()).await?;
        let names = places.values().map(|name| name.as_str().to_owned());
        bucket.delete_all(names.collect()).await?;
        stream::iter(buried)
            .map(|name| async move { self.bury(&name).await })
            .buffer_unordered(CONCURRENCY)
            .try_collect::<()>()
            .await?;
        gone.append(&mut hints);
        Ok(bucket.delete_all(gone).await?)
    }

    /// Ends the minting of URLs. Returns the moment at which it ended.
    async fn close(&self, id: BinaryId, now: SystemTime) -> Result<SystemTime, RepositoryError> {
        let gate = layout::gate(id);
        let found = self.store.bucket().get(&gate, None, None).await?;
        let found = found.ok_or(RepositoryError::NotFound)?;
        if found.meta.size == 0 {
            return Ok(found.meta.last_modified.into());
        }
        self.bury(&gate).await?;
        Ok(now)
    }

    /// The slots of a Binary, the names of its hints, and the places in these.
    async fn objects(
        &self,
        id: BinaryId,
    ) -> Result<(Vec<Slot>, Vec<String>, HashMap<u64, ContentName>), RepositoryError> {
        let folder = layout::folder(id);
        let (mut slots, mut hints) = (Vec::new(), Vec::new());
        let mut places = HashMap::new();
        let mut content_type = None;
        let mut listing = self.store.bucket().list(&folder);
        while let Some(object) = listing.next().await {
            let object = object?;
            match Name::parse(&object.name) {
                Some(Name::Gate) | None => continue,
                Some(Name::Slot(version)) => {
                    slots.push(Slot {
                        version,
                        is_empty: object.size == 0,
                        written: object.modified,
                    });
                    continue;
                }
                Some(Name::Type(text)) => content_type = super::content_name::decode(text),
                Some(Name::Place(version, hint)) => {
                    let content = content_type
                        .as_ref()
                        .and_then(|content_type| layout::hinted(hint, content_type));
                    if let Some(content) = content {
                        places.insert(version, content.name);
                    }
                }
            }
            hints.push(format!("{folder}/{}", object.name));
        }
        Ok((slots, hints, places))
    }

    /// Puts a stone in the place of the next version, so that no write URL still in somebody's
    /// hands brings content back: such a URL names at most that version. Returns the slot if an
    /// upload was there first.
    async fn guard(&self, id: BinaryId, slots: &[Slot]) -> Result<Option<Slot>, RepositoryError> {
        let newest = slots.iter().max_by_key(|slot| slot.version);
        let next = newest.map_or(1, |slot| slot.version.saturating_add(1));
        if let Some(newest) = newest
            && newest.is_empty
        {
            let name = layout::slot(id, newest.version);
            let found = self.store.bucket().look(&name).await?;
            if found.as_ref().and_then(Mark::of).map(|mark| mark.kind) == Some(Kind::Deleted) {
                return Ok(None);
            }
        }
        let name = layout::slot(id, next);
        let stone = Mark::deleted();
        match self
            .put_new(&name, Bytes::new(), OCTET_STREAM, &stone)
            .await
        {
            Ok(()) | Err(RepositoryError::Deleted) => Ok(None),
            Err(RepositoryError::AlreadyWritten) => Ok(Some(Slot {
                version: next,
                is_empty: true,
                written: SystemTime::now(),
            })),
            Err(error) => Err(error),
        }
    }

    /// Replaces an object by a stone.
    async fn bury(&self, name: &str) -> Result<(), Fault> {
        let (stone, mode) = (Mark::deleted(), PutMode::Overwrite);
        let bucket = self.store.bucket();
        let put = bucket.put(name, Bytes::new(), OCTET_STREAM, &stone, mode);
        put.await.map(drop)
    }

    pub(super) async fn sweep_days(&self, since: Day) -> Result<u64, RepositoryError> {
        let until = SystemTime::now().checked_sub(SLACK);
        let until = Day::of(until.unwrap_or(SystemTime::UNIX_EPOCH));
        let mut removed = 0;
        let mut day = since;
        while day < until {
            let folder = day.to_string();
            let mut listing = self.store.bucket().list(&folder);
            while let Some(object) = listing.next().await {
                let random = object?.name;
                if let Some(name) = ContentName::parse(&format!("{folder}/{random}"))
                    && self.store.is_refused(&name).await?
                {
                    self.store.delete_apart(&name).await?;
                    removed += 1;
                }
            }
            day = day.next();
        }
        Ok(removed)
    }
}
