//! Presigned URLs for FHIR `Binary` content, as a [tower] layer.
//!
//! [tower]: https://docs.rs/tower

#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod binary;
mod body;
mod config;
mod content_type;
mod filename;
mod future;
mod layer;
mod operation;
mod outcome;
mod policy;
pub mod repository;
mod request_body;
mod route;
mod service;
mod storage;
pub mod url;

pub use binary::{BinaryId, BinaryKey, InvalidId, VersionId};
pub use body::ResponseBody;
pub use content_type::{ContentType, InvalidContentType};
pub use filename::Filename;
pub use future::ResponseFuture;
pub use layer::PresignLayer;
pub use policy::{AccessPolicy, AllowAll, Denial, MintRequest, RedeemRequest, Terms};
#[cfg(feature = "fs")]
pub use repository::FsRepository;
pub use repository::{BinaryRepository, MemoryRepository, Target};
pub use service::Presign;
pub use url::{Access, Grant, Keyring, Permission, PresignedUrl, SigningKey, UrlSigner};
