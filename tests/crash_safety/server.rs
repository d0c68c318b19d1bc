//! The example server, as a process that can be killed.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::timeout;

/// For what takes no time at all on a machine that is not overloaded.
pub const DEADLINE: Duration = Duration::from_secs(30);

/// Where URLs point. Their port must outlive the server's, which is another after each start.
pub const URL_ORIGIN: &str = "http://storage.example.com";

pub struct Server {
    process: Child,
    /// Open as long as the server runs, so that it can print.
    _output: BufReader<ChildStdout>,
    pub origin: String,
    pub folder: TempDir,
}

impl Server {
    pub async fn start(folder: TempDir) -> Self {
        let mut process = example(&folder.path().join("data")).spawn().unwrap();
        let mut output = BufReader::new(process.stdout.take().unwrap());
        let mut line = String::new();
        let length = timeout(DEADLINE, output.read_line(&mut line)).await;
        assert_ne!(length.unwrap().unwrap(), 0, "the server has ended");
        let origin = line.strip_prefix("Demo page: ").unwrap();
        Self {
            process,
            _output: output,
            origin: origin.trim_end().trim_end_matches('/').to_owned(),
            folder,
        }
    }

    pub async fn kill(&mut self) {
        self.process.start_kill().unwrap();
        let ended = self.process.wait().await.unwrap();
        assert!(!ended.success(), "SIGKILL cannot be caught");
    }

    /// How many things are in the staging folder.
    pub fn staged(&self) -> usize {
        let folder = self.folder.path().join("data/staging");
        std::fs::read_dir(folder).unwrap().count()
    }
}

fn example(data: &Path) -> Command {
    let test = std::env::current_exe().unwrap();
    let target: PathBuf = test.parent().unwrap().with_file_name("examples");
    let example = target.join("axum");
    assert!(
        example.exists(),
        "`cargo test` builds {}; with --test, run `cargo build --example axum` first",
        example.display()
    );
    let mut command = Command::new(example);
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("PRESIGN_") {
            command.env_remove(name);
        }
    }
    command
        .env("PRESIGN_LISTEN", "127.0.0.1:0")
        .env("PRESIGN_DATA", data)
        .env("PRESIGN_STORAGE_URL", format!("{URL_ORIGIN}/storage"))
        .env("PRESIGN_SECRET", "0123456789abcdef".repeat(4))
        .stdout(Stdio::piped())
        .kill_on_drop(true);
    command
}
