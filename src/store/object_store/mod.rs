//! Content in a cloud object store.

mod bucket;
mod bucket_store;
#[cfg(feature = "object-store-http")]
mod connector;
mod content_name;
mod download;
mod error;
mod joining;
mod layout;
mod mark;
mod parts;
mod patience;
mod presign;
mod removal;
mod repository;
mod requests;
mod resumable;
mod slot;
mod trial;
mod unfinished;

pub use bucket::Bucket;
pub use bucket_store::BucketStore;
#[cfg(feature = "object-store-http")]
pub use connector::Connector;
pub use presign::SigningProtocol;
pub use repository::ObjectStoreRepository;
