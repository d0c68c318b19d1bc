//! The example server under load, beside clients that hold a thousand connections and hardly move:
//! each request is answered as it must be, whatever the others do, and once the load has ended
//! nothing of it is left.
//!
//! `PRESIGN_SOAK_SECONDS` says for how long; `PRESIGN_SOAK_SEED` which requests are made.

#![cfg(target_os = "linux")]

#[path = "../support/mod.rs"]
mod support;

mod figures;
mod mix;
mod slow;
mod wire;

use std::sync::Arc;
use std::time::Duration;

use figures::Figures;
use futures_util::future::join_all;
use mix::Worker;
use slow::Slow;
use tempfile::TempDir;
use tokio::sync::watch;
use tokio::time::sleep;
use wire::Api;

use crate::support::random::Random;
use crate::support::server::Server;
use crate::support::setting::setting;
use crate::support::usage::{Usage, raise_descriptor_limit};

/// Connections that send one request after the other.
const WORKERS: u64 = 300;

/// Connections that hardly move.
const SLOW: u64 = 1000;

/// The room that a process needs beside those, for files and the like.
const OTHER_DESCRIPTORS: u64 = 700;

/// The most memory that the server may have resident when its clients have gone, however long the
/// load was.
const MAX_RESIDENT: u64 = 128 * 1024 * 1024;

/// Has glibc give back what is free, or that would look like memory that was kept.
const FRUGAL: [(&str, &str); 3] = [
    ("MALLOC_ARENA_MAX", "1"),
    ("MALLOC_MMAP_THRESHOLD_", "32768"),
    ("MALLOC_TRIM_THRESHOLD_", "32768"),
];

const MB: u64 = 1_000_000;

const WARM_UP: Duration = Duration::from_secs(2);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn under_load_every_request_is_answered_as_it_must_be_and_nothing_is_left_of_it() {
    let seconds = setting("PRESIGN_SOAK_SECONDS").unwrap_or(5);
    let seed = setting("PRESIGN_SOAK_SEED").unwrap_or_else(|| getrandom::u64().unwrap());
    let slow = slow_connections();
    println!("PRESIGN_SOAK_SECONDS={seconds} PRESIGN_SOAK_SEED={seed}");
    println!("{WORKERS} connections at work, {slow} that hardly move");
    let mut random = Random(seed);

    let server = Server::start_with(folder(), &FRUGAL).await;
    let process = Usage::of(server.pid());
    let idle = process.descriptors();
    let api = Arc::new(Api::new(&server, &mut random).await);

    load(&api, &mut random, slow, WARM_UP).await;
    process.until_descriptors_are(idle).await;
    let warm = process.settled().await;
    let figures = load(&api, &mut random, slow, Duration::from_secs(seconds)).await;
    process.until_descriptors_are(idle).await;
    let end = process.settled().await;
    let peak = process.memory();

    println!("{figures}");
    println!(
        "memory: {} MB after the warm-up, {} MB at the end; {peak}",
        warm / MB,
        end / MB
    );
    println!("file descriptors: {idle} idle, and as many at the end");
    assert_eq!(server.staged(), 0, "no upload is left half done");
    assert_eq!(server.unfinished(), 0, "nor is one in parts");
    assert!(end < MAX_RESIDENT, "the server has kept memory");
}

/// Makes requests for so long, beside connections that hardly move.
async fn load(api: &Arc<Api>, random: &mut Random, slow: u64, duration: Duration) -> Figures {
    let (end, ended) = watch::channel(false);
    // A server takes no more than 256 uploads at once.
    let kinds = [
        Slow::Headers,
        Slow::Download,
        Slow::Upload,
        Slow::Headers,
        Slow::Download,
        Slow::Headers,
        Slow::Download,
    ];
    let slow = (0..slow).zip(kinds.into_iter().cycle());
    let slow = join_all(slow.map(|(_, kind)| kind.begin(api))).await;
    let holding: Vec<_> = slow
        .into_iter()
        .map(|slow| tokio::spawn(slow.hold(ended.clone())))
        .collect();
    let working: Vec<_> = (0..WORKERS)
        .map(|_| Worker::new(Arc::clone(api), Random(random.next())))
        .map(|worker| tokio::spawn(worker.work(ended.clone())))
        .collect();
    sleep(duration).await;
    end.send(true).unwrap();
    let mut figures = Figures::default();
    for work in join_all(working).await {
        figures += work.unwrap();
    }
    for held in join_all(holding).await {
        held.unwrap();
    }
    figures
}

/// As many as this process and the server may have open, and [`SLOW`] at most.
fn slow_connections() -> u64 {
    let limit = raise_descriptor_limit();
    SLOW.min(limit.saturating_sub(WORKERS + OTHER_DESCRIPTORS))
}

/// In memory, where there is such a folder: thousands of files take long to remove from a disk.
fn folder() -> TempDir {
    tempfile::tempdir_in("/dev/shm").unwrap_or_else(|_| tempfile::tempdir().unwrap())
}
