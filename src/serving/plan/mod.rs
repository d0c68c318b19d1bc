//! The decisions of RFC 9110 on a request: pure functions of headers, metadata and a moment.
//!
//! Nothing here reads, writes, waits or looks at a clock. It is public for the fuzzers, with the
//! feature `test-util`, and hidden from the documentation.

#![allow(
    unreachable_pub,
    reason = "unless the feature test-util makes it reachable"
)]

mod conditions;
mod ranges;
mod read;
mod resume;
#[cfg(test)]
mod tests;
mod write;

pub use conditions::Validators;
pub(crate) use conditions::entity_tag;
pub use read::{Decision, Opening, ReadRequest};
pub use resume::{Append, Creation, Dialect};
pub(crate) use resume::{
    TUS, TUS_RESUMABLE, TUS_VERSION, UPLOAD_COMPLETE, UPLOAD_DEFER_LENGTH, UPLOAD_LENGTH,
    UPLOAD_OFFSET, method, offset_mismatch, tus_content_type,
};
pub use write::WriteRequest;
