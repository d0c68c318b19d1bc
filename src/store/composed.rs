//! [`Composed`]: a host's records and a store's bytes as one repository.

use super::{Catalog, ContentStore};

/// A [`Catalog`] and a [`ContentStore`] as one repository.
#[derive(Debug, Clone)]
pub struct Composed<C, S> {
    catalog: C,
    store: S,
}

impl<C: Catalog, S: ContentStore> Composed<C, S> {
    /// A repository of the host's records and the store's bytes.
    #[must_use]
    pub fn new(catalog: C, store: S) -> Self {
        Self { catalog, store }
    }

    /// The host's records.
    #[must_use]
    pub fn catalog(&self) -> &C {
        &self.catalog
    }

    /// The store.
    #[must_use]
    pub fn store(&self) -> &S {
        &self.store
    }
}
