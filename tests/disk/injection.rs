//! System calls that fail: `strace` makes them, in this very process.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, ChildStderr, Command, Stdio};

/// Which system calls fail, and how, as in `fsync:error=EIO`.
pub type Failures = &'static [&'static str];

/// From when it is made until it is dropped, these system calls fail, whichever thread makes them.
pub struct Injection {
    strace: Child,
    /// Open as long as it runs, so that it can print.
    _printed: BufReader<ChildStderr>,
}

impl Injection {
    /// `None` if it cannot be done here, which is printed.
    pub fn start(failures: Failures) -> Option<Self> {
        Self::attach(failures, None)
            .map_err(|problem| skip(&problem))
            .ok()
    }

    /// Only system calls that are about this file fail, by its path or an open descriptor.
    pub fn start_for(failures: Failures, path: &Path) -> Option<Self> {
        Self::attach(failures, Some(path))
            .map_err(|problem| skip(&problem))
            .ok()
    }

    fn attach(failures: Failures, path: Option<&Path>) -> Result<Self, String> {
        let mut strace = Command::new("strace");
        strace.args(["-f", "-o", "/dev/null"]);
        strace.args(["-p", &std::process::id().to_string()]);
        for failure in failures {
            strace.args(["-e", &format!("inject={failure}")]);
        }
        if let Some(path) = path {
            strace.arg("-P").arg(path);
        }
        let strace = strace.stderr(Stdio::piped()).spawn();
        let mut strace = strace.map_err(|error| format!("strace: {error}"))?;
        let mut printed = BufReader::new(strace.stderr.take().unwrap());
        let mut lines = String::new();
        // "strace: Process 7 attached with 3 threads"
        while !lines.contains(" attached") {
            if printed.read_line(&mut lines).unwrap() == 0 {
                strace.wait().unwrap();
                return Err(lines);
            }
        }
        Ok(Self {
            strace,
            _printed: printed,
        })
    }
}

fn skip(problem: &str) {
    let problem = problem.lines().next().unwrap_or_default();
    crate::support::skip::skip(format_args!(
        "strace cannot make system calls fail here: {problem}"
    ));
}

impl Drop for Injection {
    fn drop(&mut self) {
        // Without its tracer a process runs on as before.
        self.strace.kill().unwrap();
        self.strace.wait().unwrap();
    }
}
