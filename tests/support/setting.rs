//! Settings from the environment: for how long, or how often, a test does something.

use std::num::ParseIntError;
use std::str::FromStr;

/// The number that the variable holds.
pub fn setting<T: FromStr<Err = ParseIntError>>(name: &str) -> Option<T> {
    let value = std::env::var(name).ok()?;
    Some(value.parse().expect(name))
}
