//! The program of the README, as it is there, with the commands that it prints.

use std::process::Stdio;

use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::net::TcpListener;
use tokio::process::Command;

use crate::support::example::example_named;
use crate::support::skip::skip;
use crate::support::soon;

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
    std::fs::write(folder.path().join("scan.png"), "content").unwrap();
    let mut program = example_named("minimal")
        .current_dir(folder.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut printed = BufReader::new(program.stdout.take().unwrap()).lines();
    let mut outputs = Vec::new();
    for _ in 0..2 {
        let command = soon(printed.next_line()).await.unwrap().unwrap();
        // It listens only after it has printed them.
        let command = format!("{command} -sSf --retry 9 --retry-connrefused");
        let bash = Command::new("bash")
            .args(["-c", &command])
            .current_dir(folder.path())
            .output();
        let output = soon(bash).await.unwrap();
        assert!(output.status.success(), "{output:?}");
        outputs.push(String::from_utf8(output.stdout).unwrap());
    }
    let parameters: serde_json::Value = serde_json::from_str(&outputs[1]).unwrap();
    let url = parameters["parameter"][0]["valueUri"].as_str().unwrap();
    let curl = Command::new("curl").args(["-sSf", url]).output();
    assert_eq!(soon(curl).await.unwrap().stdout, b"content");
}
