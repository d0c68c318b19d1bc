//! A host's table of Binaries, in memory.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::SystemTime;

use tower_presign::store::{
    Catalog, Entry, Located, Metadata, Place, RepositoryError, Stored, Target,
};
use tower_presign::{Access, BinaryId, BinaryKey, ContentType, VersionId};

/// Clones are the same table.
#[derive(Clone, Default)]
pub struct Table {
    state: Arc<Mutex<State>>,
    /// Whether URLs carry the place of the content.
    pub gives_places: bool,
}

#[derive(Default)]
struct State {
    binaries: HashMap<BinaryId, Binary>,
    asked: Vec<&'static str>,
    failure: Option<Failure>,
}

struct Binary {
    content_type: ContentType,
    is_deleted: bool,
    versions: BTreeMap<u64, Entry>,
}

/// The ways in which the database fails while a version is published.
#[derive(Clone, Copy)]
pub enum Failure {
    /// Before it has recorded anything.
    Before,
    /// After that: the answer is all that is lost.
    After,
}

impl Table {
    pub fn create(&self, id: BinaryId, content_type: ContentType) {
        let binary = Binary {
            content_type,
            is_deleted: false,
            versions: BTreeMap::new(),
        };
        self.lock().binaries.insert(id, binary);
    }

    /// Deletes a Binary, and returns the places that nothing refers to any more.
    pub fn delete(&self, id: BinaryId) -> Vec<Place> {
        let mut state = self.lock();
        let binary = state.binaries.get_mut(&id).unwrap();
        binary.is_deleted = true;
        let versions = std::mem::take(&mut binary.versions);
        versions.into_values().map(|entry| entry.place).collect()
    }

    /// Changes what is recorded of a version.
    pub fn change(&self, key: &BinaryKey, change: impl FnOnce(&mut Entry)) {
        let mut state = self.lock();
        let binary = state.binaries.get_mut(&key.id()).unwrap();
        change(
            binary
                .versions
                .get_mut(&number(key.version()).unwrap())
                .unwrap(),
        );
    }

    /// Has the next publication fail.
    pub fn fail(&self, failure: Failure) {
        self.lock().failure = Some(failure);
    }

    /// The questions asked since this was last called.
    pub fn asked(&self) -> Vec<&'static str> {
        std::mem::take(&mut self.lock().asked)
    }

    /// A database answers later.
    async fn ask(&self, question: &'static str) -> MutexGuard<'_, State> {
        self.lock().asked.push(question);
        tokio::task::yield_now().await;
        self.lock()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }
}

impl State {
    fn binary(&mut self, id: BinaryId) -> Result<&mut Binary, RepositoryError> {
        match self.binaries.get_mut(&id) {
            Some(binary) if binary.is_deleted => Err(RepositoryError::Deleted),
            Some(binary) => Ok(binary),
            None => Err(RepositoryError::NotFound),
        }
    }
}

impl Catalog for Table {
    async fn locate(&self, target: &Target) -> Result<Located, RepositoryError> {
        let mut state = self.ask("locate").await;
        let binary = state.binary(target.id())?;
        let newest = binary.versions.last_key_value().map(|(number, _)| *number);
        let number = match (target.access(), target.version()) {
            (Access::Write, _) => newest.unwrap_or(0) + 1,
            (_, Some(version)) => number(version)?,
            (_, None) => newest.unwrap_or(1),
        };
        let key = target.key(VersionId::from(number));
        let located = Located::new(key, binary.content_type.clone());
        Ok(match binary.versions.get(&number) {
            Some(entry) if self.gives_places && target.access() == Access::Read => {
                located.with_place(entry.place.clone())
            }
            _ => located,
        })
    }

    async fn find(&self, key: &BinaryKey) -> Result<Entry, RepositoryError> {
        let mut state = self.ask("find").await;
        let entry = state
            .binary(key.id())?
            .versions
            .get(&number(key.version())?);
        entry.cloned().ok_or(RepositoryError::NotFound)
    }

    async fn publish(&self, key: &BinaryKey, stored: &Stored) -> Result<Metadata, RepositoryError> {
        let mut state = self.ask("publish").await;
        let failure = state.failure.take();
        let lost = || RepositoryError::unavailable("the connection was lost");
        if let Some(Failure::Before) = failure {
            return Err(lost());
        }
        let versions = &mut state.binary(key.id())?.versions;
        let number = number(key.version())?;
        if versions.contains_key(&number) {
            return Err(RepositoryError::AlreadyWritten);
        }
        let content_type = stored.content_type.as_str();
        let metadata = Metadata::new(content_type, stored.length, SystemTime::now())
            .with_sha256(stored.sha256);
        let entry = Entry::new(stored.place.clone(), metadata.clone());
        versions.insert(number, entry);
        match failure {
            Some(_) => Err(lost()),
            None => Ok(metadata),
        }
    }

    async fn unreferenced(&self, places: &[Place]) -> Result<Vec<Place>, RepositoryError> {
        let state = self.ask("unreferenced").await;
        let versions = state.binaries.values().flat_map(|b| b.versions.values());
        let referenced: Vec<&Place> = versions.map(|entry| &entry.place).collect();
        let is_free = |place: &&Place| !referenced.contains(place);
        Ok(places.iter().filter(is_free).cloned().collect())
    }
}

/// `01` is another id than `1`, though the same number.
fn number(version: VersionId) -> Result<u64, RepositoryError> {
    let number = version.as_str().parse().ok();
    number
        .filter(|number: &u64| number.to_string() == version.as_str())
        .ok_or(RepositoryError::NotFound)
}
