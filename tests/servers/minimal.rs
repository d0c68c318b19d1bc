//! The program of the README, as it is there, with the commands that it prints.

use std::path::Path;
use std::process::Stdio;

use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::net::TcpListener;
use tokio::process::Command;

use crate::support::example::example_named;
use crate::support::skip::skip;
use crate::support::soon;

fn program(folder: &Path) -> Command {
    let mut program = example_named("minimal");
    program
        .current_dir(folder)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    program
}

#[tokio::test]
async fn the_commands_of_the_program_in_the_readme_work_as_printed() {
    if Command::new("curl").arg("-V").output().await.is_err() {
        return skip("there is no curl");
    }
    // The program has one port, which somebody else may use.
    if TcpListener::bind("127.0.0.1:3000").await.is_err() {
        return skip("port 3000 is taken");
    }
    let folder = tempfile::tempdir().unwrap();
    let mut server = program(folder.path()).spawn().unwrap();
    let mut printed = BufReader::new(server.stdout.take().unwrap()).lines();
    let mut commands = Vec::new();
    for _ in 0..3 {
        commands.push(soon(printed.next_line()).await.unwrap().unwrap());
    }
    let mut bash = Command::new("bash");
    bash.args(["-e", "-o", "pipefail", "-c", &commands.join("\n")]);
    let output = soon(bash.current_dir(folder.path()).output()).await;
    let output = output.unwrap();
    assert!(output.status.success(), "{output:?}");
    assert_eq!(output.stdout, b"Hello\n");

    // A second one promises nothing, and says why.
    let output = soon(program(folder.path()).output()).await.unwrap();
    assert!(!output.status.success());
    assert!(output.stdout.is_empty(), "{output:?}");
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(error.contains("AddrInUse"), "{error}");
}
