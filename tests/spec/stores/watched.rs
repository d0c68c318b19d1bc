//! A store that is watched.

use std::sync::{Arc, Mutex};

use futures_util::Stream;
use tower_presign::store::{
    ByteRange, Content, ContentStore, Day, Place, RepositoryError, Stored, Upload,
};
use tower_presign::{Access, Grant, PresignedUrl};

type Event = Box<dyn FnOnce() + Send>;

/// Clones are the same store.
#[derive(Clone)]
pub struct Watched<S> {
    store: S,
    asked: Arc<Mutex<Vec<&'static str>>>,
    /// Runs meanwhile, when content is next asked for.
    pub before_get: Arc<Mutex<Option<Event>>>,
}

impl<S> Watched<S> {
    pub fn new(store: S) -> Self {
        Self {
            store,
            asked: Arc::default(),
            before_get: Arc::default(),
        }
    }

    /// The questions since this was last called.
    pub fn asked(&self) -> Vec<&'static str> {
        std::mem::take(&mut self.asked.lock().unwrap())
    }

    fn ask(&self, question: &'static str) -> &S {
        self.asked.lock().unwrap().push(question);
        &self.store
    }
}

impl<S: ContentStore> ContentStore for Watched<S> {
    async fn put(&self, upload: Upload) -> Result<Stored, RepositoryError> {
        self.ask("put").put(upload).await
    }

    async fn get(
        &self,
        place: &Place,
        range: Option<ByteRange>,
    ) -> Result<Content, RepositoryError> {
        let before_get = self.before_get.lock().unwrap().take();
        if let Some(before_get) = before_get {
            before_get();
        }
        self.ask("get").get(place, range).await
    }

    async fn delete(&self, place: &Place) -> Result<(), RepositoryError> {
        self.ask("delete").delete(place).await
    }

    fn list(&self, day: Day) -> impl Stream<Item = Result<Place, RepositoryError>> + Send {
        self.ask("list").list(day)
    }

    /// As a cloud does.
    async fn presign(
        &self,
        place: &Place,
        grant: &Grant,
    ) -> Result<Option<PresignedUrl>, RepositoryError> {
        self.ask("presign");
        let url = format!("https://bucket.example.com/{}", place.as_str());
        Ok(Some(PresignedUrl::new(url, Access::Read, grant.expires)))
    }
}
