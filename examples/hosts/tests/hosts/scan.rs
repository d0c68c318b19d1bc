//! ClamAV, and the quarantine.

use std::process::Stdio;

use axum::http::header::RETRY_AFTER;
use axum::http::{Method, StatusCode};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, Command};

use crate::support::{ANNA, DOCTOR, World, skip, until};

/// The test file of EICAR (<https://www.eicar.org/download-anti-malware-testfile/>), in two parts,
/// so that no scanner takes this file for it.
const EICAR: [&str; 2] =
    [r"X5O!P%@AP[4\PZX54(P^)7CC)7}$EICAR", "-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"];

fn eicar() -> String {
    EICAR.concat()
}

/// A clamd that knows one thing: EICAR's file.
struct Clamd {
    _process: Child,
    _folder: tempfile::TempDir,
    address: String,
}

impl Clamd {
    async fn start() -> Option<Self> {
        let is_installed = Command::new("clamd").arg("--version").stdout(Stdio::null()).status();
        if !is_installed.await.is_ok_and(|status| status.success()) {
            skip("Debian's clamav-daemon is not installed");
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().display();
        let port = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
        // One signature, by bytes, where a file of 68 of them is all that there is.
        let hex: Vec<_> = eicar().bytes().map(|byte| format!("{byte:02x}")).collect();
        let hex = hex.concat();
        std::fs::write(folder.path().join("test.ndb"), format!("Eicar-Test:0:0:{hex}\n")).unwrap();
        let configuration = format!(
            "Foreground yes\nDatabaseDirectory {path}\nTCPSocket {port}\nTCPAddr 127.0.0.1\n\
             LogFile {path}/log\nTemporaryDirectory {path}\n"
        );
        std::fs::write(folder.path().join("clamd.conf"), configuration).unwrap();
        let process = Command::new("clamd")
            .arg("--config-file")
            .arg(folder.path().join("clamd.conf"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let address = format!("127.0.0.1:{port}");
        until(async || TcpStream::connect(&address).await.is_ok()).await;
        Some(Self { _process: process, _folder: folder, address })
    }
}

#[tokio::test]
async fn clamd_has_an_infected_upload_refused_before_anybody_sees_it() {
    let Some(mut world) = World::new().await else { return };
    let Some(clamd) = Clamd::start().await else { return };
    world.variables.push(("HOSTS_CLAMD".to_owned(), clamd.address.clone()));
    let host = world.start().await;
    let binary = host.create(DOCTOR, ANNA).await;
    let url = host.mint(DOCTOR, &binary, "?upload=true").await.url();
    let refused = host.put(&url, eicar()).await;
    refused.assert_refused(422, "rejected");
    assert_eq!(world.files("acme").len(), 0, "nothing of it stays");
    host.call(DOCTOR, Method::GET, &binary).await.assert_refused(404, "not-found");
    // The URL is not used up, and what is clean can be read at once.
    assert_eq!(host.put(&url, "clean").await.status, StatusCode::OK);
    host.call(DOCTOR, Method::GET, &binary).await.assert_content("clean");
}

#[tokio::test]
async fn content_that_clamd_could_not_scan_at_once_is_not_ready_until_it_has() {
    let Some(mut world) = World::new().await else { return };
    let Some(clamd) = Clamd::start().await else { return };
    // Between the two is a scanner that is down.
    let gate = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = gate.local_addr().unwrap();
    drop(gate);
    world.variables.push(("HOSTS_CLAMD".to_owned(), address.to_string()));
    let host = world.start().await;
    let clean = host.store(DOCTOR, ANNA, "clean").await;
    let infected = host.create(DOCTOR, ANNA).await;
    let write = host.mint(DOCTOR, &infected, "?upload=true").await.url();
    assert_eq!(host.put(&write, eicar()).await.status, StatusCode::OK);
    for binary in [&clean, &infected] {
        let read = host.mint(DOCTOR, binary, "").await.url();
        let waiting = host.get(&read).await;
        waiting.assert_refused(503, "not-ready");
        assert!(waiting.headers.contains_key(RETRY_AFTER));
        host.call(DOCTOR, Method::GET, binary).await.assert_refused(503, "not-ready");
    }
    // Now it is there, and the next use of a URL wakes the housekeeping.
    let gate = TcpListener::bind(address).await.unwrap();
    tokio::spawn(forward(gate, clamd.address.clone()));
    let read = host.mint(DOCTOR, &clean, "").await.url();
    until(async || host.get(&read).await.status == StatusCode::OK).await;
    host.get(&read).await.assert_content("clean");
    until(async || host.call(DOCTOR, Method::GET, &infected).await.status == StatusCode::GONE)
        .await;
    until(async || world.files("acme").len() == 1).await;
}

async fn forward(gate: TcpListener, to: String) {
    while let Ok((mut from, _)) = gate.accept().await {
        let mut to = TcpStream::connect(&to).await.unwrap();
        tokio::spawn(async move { tokio::io::copy_bidirectional(&mut from, &mut to).await });
    }
}
