//! URLs in resources: `Attachment.url` out as a presigned URL, and in as a reference.

mod body;
mod functions;
mod future;
mod headers;
mod layer;
mod minting;
mod output;
mod queue;
mod reference;
mod scan;
mod service;

pub use body::{ReferencesBody, UrlsBody};
pub use future::AttachmentsFuture;
pub use layer::AttachmentsLayer;
pub use service::Attachments;
