//! The long reads, for a host that puts the pieces together.
//!
//! | page | |
//! |---|---|
//! | [`who_may_have_a_url`] | the policy, its place among your layers, and URLs that are taken back |
//! | [`your_table_our_bytes`] | records of your own, content in a folder or a bucket, and the order of things in a crash |
//! | [`one_tenant_one_place`] | tenants that have nothing in common |
//! | [`audit`] | a trail that misses no URL and no use, and takes back a URL by its id |
//! | [`resumable_uploads`] | gigabytes over networks that break: tus and the IETF's draft |
//! | [`urls_in_resources`] | `Attachment.url` that a client can use; Bulk Data, SMART Health Links |
//! | [`security`] | the powers of a presigned URL, its leaks, and the ways to take it back |
//! | [`layers_nests_and_gateways`] | the order of things around the layer and in front of the server; why a URL is refused |
//! | [`deployment`] | limits, clients that leave, keys, replicas and folders |
//!
//! `examples/hosts` in the repository does most of it, over PostgreSQL, in a folder or a bucket.

pub mod audit;
pub mod deployment;
pub mod layers_nests_and_gateways;
pub mod one_tenant_one_place;
pub mod resumable_uploads;
pub mod security;
pub mod urls_in_resources;
pub mod who_may_have_a_url;
pub mod your_table_our_bytes;
