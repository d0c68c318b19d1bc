//! Load, and what becomes of it.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

/// The number of times that a pair is measured, in turn.
const ROUNDS: usize = 5;

pub(crate) fn installed(tool: &str) -> bool {
    Command::new("which")
        .arg(tool)
        .stdout(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

pub(crate) fn pin_to_core(core: u8) {
    let pid = std::process::id().to_string();
    Command::new("taskset")
        .args(["-pc", &core.to_string(), &pid])
        .stdout(Stdio::null())
        .status()
        .expect("taskset runs");
}

/// One row of the table.
pub(crate) struct Row<'a> {
    name: &'a str,
    target: &'a str,
}

impl<'a> Row<'a> {
    pub(crate) fn new(name: &'a str, target: &'a str) -> Self {
        Self { name, target }
    }

    /// Requests a second for `url`, against those for `other`.
    pub(crate) fn get(self, url: &str, other: &str, connections: u32) {
        self.print(
            || (wrk(url, connections, None), wrk(other, connections, None)),
            "requests/s",
        );
    }

    /// Requests a second for all `urls` in turn, against those for `others`.
    pub(crate) fn get_in_turn(self, urls: &[String], others: &[String], connections: u32) {
        let (script, other_script) = (in_turn(urls), in_turn(others));
        self.print(
            || {
                (
                    wrk(&urls[0], connections, Some(script.path())),
                    wrk(&others[0], connections, Some(other_script.path())),
                )
            },
            "requests/s",
        );
    }

    /// Requests a second at `many` connections, against those at `few`.
    pub(crate) fn connections(self, url: &str, many: u32, few: u32) {
        self.print(|| (wrk(url, many, None), wrk(url, few, None)), "requests/s");
    }

    /// Uploads a second at `host`, against those at `other_host`; all targets are used once.
    pub(crate) fn put(
        self,
        mut targets: impl FnMut() -> Vec<String>,
        host: &str,
        mut other_targets: impl FnMut() -> Vec<String>,
        other_host: &str,
        size: usize,
    ) {
        self.print(
            || {
                (
                    put(host, &targets(), size),
                    put(other_host, &other_targets(), size),
                )
            },
            "uploads/s",
        );
    }

    fn print(self, mut round: impl FnMut() -> (f64, f64), unit: &str) {
        if !is_wanted(self.name) {
            return;
        }
        // No upload should wait for bytes that were written before this row.
        let synced = Command::new("sync").status();
        assert!(synced.is_ok_and(|status| status.success()), "sync runs");
        round();
        let mut rounds: Vec<(f64, f64)> = (0..ROUNDS).map(|_| round()).collect();
        rounds.sort_by(|a, b| (a.0 / a.1).total_cmp(&(b.0 / b.1)));
        let (ours, theirs) = rounds[ROUNDS / 2];
        println!(
            "{:45} {:6.2} x ({ours:.1} to {theirs:.1} {unit}; target: {})",
            self.name,
            ours / theirs,
            self.target
        );
    }
}

/// As in `cargo bench --bench serving -- "GET 1k"`.
fn is_wanted(name: &str) -> bool {
    let filter = std::env::args()
        .skip(1)
        .find(|argument| !argument.starts_with('-'));
    filter.is_none_or(|filter| name.contains(&filter))
}

/// The most memory that the process `pid` has had resident, after `load`.
pub(crate) fn memory(name: &str, target: &str, pid: u32, load: impl FnOnce()) {
    if !is_wanted(name) {
        return;
    }
    load();
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("a process");
    let peak = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .expect("a peak");
    println!("{name:45} {} (target: {target})", peak.trim());
}

/// A script that has wrk request one URL after the other.
fn in_turn(urls: &[String]) -> tempfile::NamedTempFile {
    let path = |url: &String| url.splitn(4, '/').last().map(|path| format!("'/{path}'"));
    let paths: Vec<_> = urls.iter().filter_map(path).collect();
    let script = tempfile::NamedTempFile::new().expect("a file");
    let text = format!(
        "local paths, requests, next = {{{}}}, {{}}, 0
        function init()
            for i, path in ipairs(paths) do requests[i] = wrk.format('GET', path) end
        end
        function request()
            next = next % #requests + 1
            return requests[next]
        end",
        paths.join(",")
    );
    std::fs::write(script.path(), text).expect("a file");
    script
}

fn wrk(url: &str, connections: u32, script: Option<&Path>) -> f64 {
    let mut command = Command::new("wrk");
    command.args(["-t1", "-d2s", &format!("-c{connections}")]);
    if let Some(script) = script {
        command.arg("-s").arg(script);
    }
    let output = command.arg(url).output().expect("wrk runs");
    let report = String::from_utf8_lossy(&output.stdout);
    assert!(!report.contains("Non-2xx"), "{url}: {report}");
    let rate = report
        .lines()
        .find_map(|line| line.strip_prefix("Requests/sec:"))
        .unwrap_or_else(|| panic!("{url}: {report}"));
    rate.trim().parse().expect("a number")
}

/// Downloads `size` bytes.
pub(crate) fn get(host: &str, target: &str, size: usize) {
    let authority = host.strip_prefix("http://").expect("plain HTTP");
    let mut connection = TcpStream::connect(authority).expect("the server listens");
    let head = format!("GET {target} HTTP/1.1\r\nHost: {authority}\r\nConnection: close\r\n\r\n");
    connection.write_all(head.as_bytes()).expect("a head");
    let mut buffer = vec![0; 1024 * 1024];
    let mut received = 0;
    loop {
        match connection.read(&mut buffer).expect("an answer") {
            0 => break,
            length => received += length,
        }
    }
    assert!(received > size, "{target}: {received}");
}

/// One connection, kept alive, and one upload after the other.
pub(crate) fn put(host: &str, targets: &[String], size: usize) -> f64 {
    let authority = host.strip_prefix("http://").expect("plain HTTP");
    let mut connection = TcpStream::connect(authority).expect("the server listens");
    connection.set_nodelay(true).expect("a socket");
    let chunk = vec![0x5a; size.min(1024 * 1024)];
    let start = Instant::now();
    for target in targets {
        let head = format!(
            "PUT {target} HTTP/1.1\r\nHost: {authority}\r\nContent-Type: image/png\r\n\
             Content-Length: {size}\r\n\r\n"
        );
        connection.write_all(head.as_bytes()).expect("a head");
        for _ in 0..size / chunk.len() {
            connection.write_all(&chunk).expect("a body");
        }
        let mut answer = [0; 4096];
        let length = connection.read(&mut answer).expect("an answer");
        let answer = String::from_utf8_lossy(&answer[..length]);
        assert!(answer.starts_with("HTTP/1.1 20"), "{target}: {answer}");
    }
    #[expect(clippy::cast_precision_loss, reason = "a few thousand")]
    let count = targets.len() as f64;
    count / start.elapsed().as_secs_f64()
}
