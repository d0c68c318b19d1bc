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
#[cfg(test)]
mod tests;
mod write;

pub use conditions::Validators;
pub(crate) use conditions::entity_tag;
pub use read::{Decision, Opening, ReadRequest};
pub use write::WriteRequest;
