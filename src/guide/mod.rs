//! The long reads: how a host puts the pieces together. `examples/hosts` in the repository does all
//! of it, over PostgreSQL, in a folder or a bucket.
//!
//! - [`your_table_our_bytes`]: records of your own, content in a folder or a bucket, and the order of
//!   things in a crash.
//! - [`audit`]: a trail that misses no URL and no use, and URLs that are taken back.
//! - [`urls_in_resources`]: `Attachment.url` that a client can use; Bulk Data, SMART Health Links.
//! - [`one_tenant_one_place`]: tenants that have nothing in common.

pub mod audit;
pub mod one_tenant_one_place;
pub mod urls_in_resources;
pub mod your_table_our_bytes;
