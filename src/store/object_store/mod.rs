//! Content in a cloud object store.

mod bucket;
mod bucket_store;
mod content_name;
mod download;
mod error;
mod layout;
mod mark;
mod parts;
mod presign;
mod removal;
mod repository;
mod slot;
mod trial;

pub use bucket::Bucket;
pub use bucket_store::BucketStore;
pub use presign::SigningProtocol;
pub use repository::ObjectStoreRepository;
