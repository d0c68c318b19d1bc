//! Tests that need something which is not everywhere.

use std::fmt::Display;
use std::io::{Write as _, stderr};

/// Says that a test, or a part of it, is skipped; fails if `PRESIGN_REQUIRE_ALL` is set.
///
/// Not by `eprintln`, whose output is only shown of tests that fail.
pub fn skip(why: impl Display) {
    assert!(std::env::var_os("PRESIGN_REQUIRE_ALL").is_none(), "{why}");
    let line = format!("skipped: {why}\n");
    stderr().write_all(line.as_bytes()).unwrap();
}
