//! Fuzz targets. Each drives the crate through its public interface and holds it against an
//! oracle: a slow and obvious second implementation of what the crate promises.
//!
//! With a nightly toolchain and `cargo install cargo-fuzz`:
//!
//! ```text
//! cargo +nightly fuzz run --sanitizer none verify
//! ```
//!
//! There is no unsafe code to sanitize, and without the sanitizer it is six times as fast.
//!
//! With any toolchain, the inputs in `corpus/` alone: `cargo test --no-default-features`.

#![forbid(unsafe_code)]

pub mod attachments;
#[path = "../../tests/support/common/mod.rs"]
mod common;
pub mod conditional;
pub mod disposition;
pub mod operation;
pub mod parameters;
pub mod range;
mod support;
pub mod upload;
pub mod verify;

/// A target: it panics on an input for which the crate breaks a promise.
pub type Target = fn(&[u8]);

/// All targets, by the names of their folders in `corpus/`.
pub const TARGETS: [(&str, Target); 8] = [
    ("attachments", attachments::run),
    ("conditional", conditional::run),
    ("disposition", disposition::run),
    ("operation", operation::run),
    ("parameters", parameters::run),
    ("range", range::run),
    ("upload", upload::run),
    ("verify", verify::run),
];
