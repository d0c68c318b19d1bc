//! Load, and the rates that servers reach under it.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::time::Instant;

pub(crate) fn installed(tool: &str) -> bool {
    Command::new("which")
        .arg(tool)
        .stdout(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// Runs this thread, and those that it starts from now on, on these cores (`1`, or `0-3`).
pub(crate) fn run_on(cores: &str) {
    let pid = std::process::id().to_string();
    Command::new("taskset")
        .args(["-pc", cores, &pid])
        .stdout(Stdio::null())
        .status()
        .expect("taskset runs");
}

/// A second of requests over HTTP/1.1, for one URL or for several in turn.
pub(crate) struct Requests {
    url: String,
    connections: u32,
    /// Has wrk request one URL after the other.
    script: Option<tempfile::NamedTempFile>,
}

impl Requests {
    pub(crate) fn of(url: &str, connections: u32) -> Self {
        Self {
            url: url.to_owned(),
            connections,
            script: None,
        }
    }

    pub(crate) fn in_turn(urls: &[String], connections: u32) -> Self {
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
        Self {
            url: urls[0].clone(),
            connections,
            script: Some(script),
        }
    }

    /// Requests a second.
    pub(crate) fn rate(&self) -> f64 {
        let report = self.run();
        number(&report, "Requests/sec:").unwrap_or_else(|| panic!("{}: {report}", self.url))
    }

    /// The time in which 99 of 100 requests are answered, in milliseconds.
    pub(crate) fn p99(&self) -> f64 {
        let report = self.run();
        let text = report
            .lines()
            .find_map(|line| line.trim().strip_prefix("99%"));
        let text = text.unwrap_or_else(|| panic!("{}: {report}", self.url));
        let (figure, factor) = [("us", 0.001), ("ms", 1.0), ("s", 1000.0)]
            .iter()
            .find_map(|(unit, factor)| Some((text.trim().strip_suffix(unit)?, factor)))
            .expect("a unit");
        figure.parse::<f64>().expect("a number") * factor
    }

    fn run(&self) -> String {
        let mut command = Command::new("wrk");
        command.args(["-t1", "-d1s", "--latency"]);
        command.arg(format!("-c{}", self.connections));
        if let Some(script) = &self.script {
            command.arg("-s").arg(script.path());
        }
        let output = command.arg(&self.url).output().expect("wrk runs");
        let report = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(!report.contains("Non-2xx"), "{}: {report}", self.url);
        report
    }
}

/// Requests a second over HTTP/2, `streams` at a time on each of some connections.
pub(crate) fn http2_rate(url: &str, connections: u32, streams: u32) -> f64 {
    let output = Command::new("h2load")
        .args(["--duration", "1", "--clients"])
        .arg(connections.to_string())
        .args(["--max-concurrent-streams", &streams.to_string()])
        .arg(url)
        .output()
        .expect("h2load runs");
    let report = String::from_utf8_lossy(&output.stdout).into_owned();
    let line = |name: &str| report.lines().find(|line| line.starts_with(name));
    let are_good = line("status codes: ").is_some_and(|line| line.contains(" 0 4xx, 0 5xx"));
    let rate = line("finished in").and_then(|line| {
        let rate = line.split(", ").find(|part| part.ends_with(" req/s"))?;
        rate.trim_end_matches(" req/s").parse().ok()
    });
    match rate {
        Some(rate) if are_good => rate,
        _ => panic!("{url}: {report}"),
    }
}

fn number(report: &str, name: &str) -> Option<f64> {
    let line = report.lines().find_map(|line| line.strip_prefix(name))?;
    line.trim().parse().ok()
}

/// The most memory that the process `pid` has had resident, in MiB.
pub(crate) fn peak_memory(pid: u32) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("a process");
    let kilobytes = number(&status.replace(" kB", ""), "VmHWM:").expect("a peak");
    kilobytes / 1024.0
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

/// Uploads a second, each after the other, over one connection that is kept alive.
pub(crate) fn put(host: &str, targets: &[String], size: usize) -> f64 {
    let start = Instant::now();
    put_all(host, targets, size);
    per_second(targets.len(), start)
}

/// Uploads a second, over `clients` connections at once.
pub(crate) fn put_at_once(host: &str, targets: &[String], size: usize, clients: usize) -> f64 {
    let start = Instant::now();
    std::thread::scope(|scope| {
        for targets in targets.chunks(targets.len().div_ceil(clients)) {
            scope.spawn(move || put_all(host, targets, size));
        }
    });
    per_second(targets.len(), start)
}

#[expect(clippy::cast_precision_loss, reason = "a few thousand")]
pub(crate) fn per_second(count: usize, start: Instant) -> f64 {
    count as f64 / start.elapsed().as_secs_f64()
}

fn put_all(host: &str, targets: &[String], size: usize) {
    let mut client = Client::of(host);
    for target in targets {
        client.send("PUT", target, "Content-Type: image/png\r\n", size);
    }
}

/// Uploads a second: one by tus, in parts of `part` bytes, over one connection.
pub(crate) fn put_in_parts(host: &str, target: &str, size: usize, part: usize) -> f64 {
    let start = Instant::now();
    let mut client = Client::of(host);
    let length = format!("Tus-Resumable: 1.0.0\r\nUpload-Length: {size}\r\n");
    let begun = client.send("POST", target, &length, 0);
    let url = begun
        .lines()
        .find_map(|line| line.strip_prefix("location: "));
    let path = url.and_then(|url| url.splitn(4, '/').last());
    let target = format!("/{}", path.expect("a URL"));
    for offset in (0..size).step_by(part) {
        let headers = format!(
            "Tus-Resumable: 1.0.0\r\nContent-Type: application/offset+octet-stream\r\n\
             Upload-Offset: {offset}\r\n"
        );
        client.send("PATCH", &target, &headers, part.min(size - offset));
    }
    per_second(1, start)
}

/// The bytes of an upload, repeated up to its length.
static CHUNK: [u8; 1024 * 1024] = [0x5a; 1024 * 1024];

/// A connection that is kept alive.
struct Client<'a> {
    authority: &'a str,
    connection: TcpStream,
}

impl<'a> Client<'a> {
    fn of(host: &'a str) -> Self {
        let authority = host.strip_prefix("http://").expect("plain HTTP");
        let connection = TcpStream::connect(authority).expect("the server listens");
        connection.set_nodelay(true).expect("a socket");
        Self {
            authority,
            connection,
        }
    }

    /// Sends `size` bytes, and returns the answer.
    fn send(&mut self, method: &str, target: &str, headers: &str, size: usize) -> String {
        let head = format!(
            "{method} {target} HTTP/1.1\r\nHost: {}\r\n{headers}Content-Length: {size}\r\n\r\n",
            self.authority
        );
        self.connection.write_all(head.as_bytes()).expect("a head");
        let mut left = size;
        while left > 0 {
            let chunk = &CHUNK[..left.min(CHUNK.len())];
            self.connection.write_all(chunk).expect("a body");
            left -= chunk.len();
        }
        let mut answer = [0; 4096];
        let length = self.connection.read(&mut answer).expect("an answer");
        let answer = String::from_utf8_lossy(&answer[..length]).into_owned();
        assert!(answer.starts_with("HTTP/1.1 20"), "{target}: {answer}");
        answer
    }
}
