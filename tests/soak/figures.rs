//! The requests that were made.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::AddAssign;
use std::time::Duration;

use crate::mix::Kind;

/// Requests by their kind.
#[derive(Default)]
pub struct Figures(BTreeMap<Kind, Row>);

#[derive(Default)]
struct Row {
    requests: u64,
    /// Of content, in either direction.
    bytes: u64,
    slowest: Duration,
}

impl Figures {
    pub fn count(&mut self, kind: Kind, bytes: usize, took: Duration) {
        *self += Self(BTreeMap::from([(
            kind,
            Row {
                requests: 1,
                bytes: bytes as u64,
                slowest: took,
            },
        )]));
    }
}

impl AddAssign for Figures {
    fn add_assign(&mut self, other: Self) {
        for (kind, row) in other.0 {
            let sum = self.0.entry(kind).or_default();
            sum.requests += row.requests;
            sum.bytes += row.bytes;
            sum.slowest = sum.slowest.max(row.slowest);
        }
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{:20}{:>10}{:>12}{:>10}",
            "", "requests", "MB", "slowest"
        )?;
        for (kind, row) in &self.0 {
            let (kind, slowest) = (format!("{kind:?}"), row.slowest.as_millis());
            let megabytes = row.bytes / 1_000_000;
            writeln!(
                f,
                "{kind:20}{:>10}{megabytes:>12}{slowest:>7} ms",
                row.requests
            )?;
        }
        let total: u64 = self.0.values().map(|row| row.requests).sum();
        write!(f, "{total} requests, each answered as it must be")
    }
}
