//! The example server, as a process that can be killed.

use std::fs::DirEntry;
use std::process::Stdio;

use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, ChildStdout, Command};

use super::example::example;
use super::soon;

/// Where URLs point. Their port must outlive the server's, which is another after each start.
pub const URL_ORIGIN: &str = "http://storage.example.com";

/// A quarter of the secret that URLs are signed with.
const QUARTER: u64 = 0x0123_4567_89ab_cdef;

pub fn secret() -> Vec<u8> {
    QUARTER.to_be_bytes().repeat(4)
}

/// Starts a server whose URLs point to [`URL_ORIGIN`], and returns its process, its output, which
/// must stay open as long as it runs, and its origin.
pub async fn start(mut command: Command) -> (Child, BufReader<ChildStdout>, String) {
    let mut process = command
        .env("PRESIGN_STORAGE_URL", format!("{URL_ORIGIN}/storage"))
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut output = BufReader::new(process.stdout.take().unwrap());
    let mut line = String::new();
    let length = soon(output.read_line(&mut line)).await;
    assert_ne!(length.unwrap(), 0, "the server has ended");
    let origin = line.strip_prefix("Demo page: ").unwrap();
    let origin = origin.trim_end().trim_end_matches('/').to_owned();
    (process, output, origin)
}

pub struct Server {
    process: Child,
    /// Open as long as the server runs, so that it can print.
    _output: BufReader<ChildStdout>,
    pub origin: String,
    pub folder: TempDir,
}

impl Server {
    pub async fn start(folder: TempDir) -> Self {
        Self::start_with(folder, &[]).await
    }

    pub async fn start_with(folder: TempDir, settings: &[(&str, &str)]) -> Self {
        let mut command = example(&folder.path().join("data"));
        command
            .env("PRESIGN_SECRET", format!("{QUARTER:016x}").repeat(4))
            .envs(settings.iter().copied());
        let (process, output, origin) = start(command).await;
        Self {
            process,
            _output: output,
            origin,
            folder,
        }
    }

    pub async fn kill(&mut self) {
        self.process.start_kill().unwrap();
        let ended = self.process.wait().await.unwrap();
        assert!(!ended.success(), "SIGKILL cannot be caught");
    }

    /// Tells it to stop, which it does once it has done what it has begun.
    pub async fn stop(&mut self) {
        self.tell_to_stop().await;
        self.end().await;
    }

    pub async fn tell_to_stop(&self) {
        let kill = format!("kill -TERM {}", self.pid());
        let told = Command::new("sh").args(["-c", &kill]).status().await;
        assert!(told.unwrap().success());
    }

    /// Waits until it has ended as it should.
    pub async fn end(&mut self) {
        let ended = soon(self.process.wait()).await;
        assert!(ended.unwrap().success());
    }

    pub fn pid(&self) -> u32 {
        self.process.id().unwrap()
    }

    /// The number of things in the staging folder.
    pub fn staged(&self) -> usize {
        self.names("data/staging").len()
    }

    /// The number of uploads in parts that have content which is not a version's.
    pub fn unfinished(&self) -> usize {
        let names = self.names("data/resumable");
        names
            .iter()
            .filter(|name| name.ends_with(".content"))
            .count()
    }

    fn names(&self, folder: &str) -> Vec<String> {
        let entries = std::fs::read_dir(self.folder.path().join(folder)).unwrap();
        let name = |entry: DirEntry| entry.file_name().into_string().unwrap();
        entries.map(|entry| name(entry.unwrap())).collect()
    }
}
