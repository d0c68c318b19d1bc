//! The memory and the files of a process, as Linux knows them.

use std::collections::HashSet;
use std::fmt;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::time::sleep;

use super::PATIENCE;

/// The number of files that `FsRepository` keeps open, as its documentation says.
const MAX_KEPT_OPEN: usize = 128;

/// The use that a process makes of the system, as the system knows it.
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

    /// The resident memory once it has not changed for a while, in bytes.
    pub async fn settled(&self) -> u64 {
        const STEP: Duration = Duration::from_millis(50);
        const STEPS: usize = 10;
        let start = Instant::now();
        let (mut last, mut unchanged) = (0, 0);
        while unchanged < STEPS {
            assert!(start.elapsed() < PATIENCE, "it does not come to rest");
            sleep(STEP).await;
            let resident = self.memory().resident;
            let is_same = resident.abs_diff(last) < 256 * 1024;
            (unchanged, last) = (if is_same { unchanged + 1 } else { 0 }, resident);
        }
        last
    }

    /// The files and connections that it has open, but for files of content that it keeps open.
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

/// Has this process, and those that it starts from now on, open as many files as it may.
pub fn raise_descriptor_limit() -> u64 {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: maximum,
        maximum,
    };
    setrlimit(Resource::Nofile, raised).unwrap();
    maximum.unwrap_or(u64::MAX)
}
