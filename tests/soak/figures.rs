//! What was done, and what it took of the server.

use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::ops::AddAssign;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use tokio::time::sleep;

use crate::mix::Kind;
use crate::support::PATIENCE;

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

/// How many files of content `FsRepository` keeps open, as its documentation says.
const MAX_KEPT_OPEN: usize = 128;

/// What a process uses, as the system knows it.
pub struct Usage(PathBuf);

/// In bytes.
pub struct Memory {
    pub resident: u64,
    /// The most that was ever resident.
    pub peak: u64,
}

impl Usage {
    pub fn of(pid: u32) -> Self {
        Self(format!("/proc/{pid}").into())
    }

    pub fn memory(&self) -> Memory {
        let status = std::fs::read_to_string(self.0.join("status")).unwrap();
        let field = |name| {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            let kibibytes = line.unwrap().trim().trim_end_matches(" kB");
            kibibytes.parse::<u64>().unwrap() * 1024
        };
        Memory {
            resident: field("VmRSS:"),
            peak: field("VmHWM:"),
        }
    }

    /// How many files and connections it has open, but for files of content that it keeps open.
    pub fn descriptors(&self) -> usize {
        let open: Vec<_> = std::fs::read_dir(self.0.join("fd"))
            .unwrap()
            .map(|entry| std::fs::read_link(entry.unwrap().path()).unwrap_or_default())
            .collect();
        let is_content = |path: &&PathBuf| path.to_string_lossy().contains("/binaries/");
        let kept: HashSet<_> = open.iter().filter(is_content).collect();
        open.len() - kept.len().min(MAX_KEPT_OPEN)
    }

    pub async fn until_descriptors_are(&self, expected: usize) {
        let start = Instant::now();
        while self.descriptors() != expected {
            let open = self.descriptors();
            assert!(
                start.elapsed() < PATIENCE,
                "{open} are open, not {expected}"
            );
            sleep(Duration::from_millis(10)).await;
        }
    }
}

impl fmt::Display for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let megabytes = |bytes| bytes / 1_000_000;
        let (resident, peak) = (megabytes(self.resident), megabytes(self.peak));
        write!(f, "{resident} MB (at most {peak} MB)")
    }
}
