//! The example servers, as built beside the tests.

use std::path::{Path, PathBuf};

use tokio::process::Command;

/// A command that starts the example `axum` on a free port, with its content in `data` and nothing
/// of the environment's own settings.
pub fn example(data: &Path) -> Command {
    let mut command = example_named("axum");
    command.env("PRESIGN_DATA", data);
    command
}

/// A command that starts an example on a free port, with nothing of the environment's own settings.
pub fn example_named(name: &str) -> Command {
    let test = std::env::current_exe().unwrap();
    let target: PathBuf = test.parent().unwrap().with_file_name("examples");
    let example = target
        .join(name)
        .with_extension(std::env::consts::EXE_EXTENSION);
    assert!(
        example.exists(),
        "`cargo test` builds {}; with --test, run `cargo build --example {name}` first",
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
        .kill_on_drop(true);
    command
}
