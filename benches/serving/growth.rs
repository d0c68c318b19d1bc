//! Costs that must not grow with what is stored, and rates that must grow with the cores. In this
//! process, without HTTP.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::stream;
use http::Request;
use http_body_util::{BodyExt as _, Empty};
use tokio::runtime::{Builder, Runtime};
use tower::{Layer as _, ServiceExt as _, service_fn};
use tower_presign::store::Upload;
use tower_presign::{
    Access, AllowAll, BinaryId, BinaryRepository as _, FsRepository, PresignLayer, Target,
};

use crate::load::per_second;
use crate::row::Table;
use crate::site::{Site, png, signer};

/// The Binaries of the larger of two folders, unless `PRESIGN_BENCH_BINARIES` says otherwise.
const MANY: usize = 100_000;

const FEW: usize = 1000;

/// The requests of each measurement.
const SAMPLE: usize = 1000;

/// The times that a repository is opened anew, for what it does once.
const OPENINGS: u32 = 20;

pub(crate) fn measure(table: &Table) {
    versions(table);
    binaries(table);
    cores(table);
}

fn runtime(workers: usize) -> Runtime {
    Builder::new_multi_thread()
        .worker_threads(workers)
        .enable_all()
        .build()
        .expect("a runtime")
}

fn id(number: usize) -> BinaryId {
    BinaryId::new(format!("b{number}")).expect("an id")
}

/// The time of a first mint, by the number of versions: each time that it doubles takes two looks
/// more.
fn versions(table: &Table) {
    if !table.wants("versions, without HTTP") {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    runtime(1).block_on(async {
        let open = async || FsRepository::open(folder.path()).await.expect("a folder");
        let repository = open().await;
        for number in [0, 1] {
            repository
                .create(id(number), png())
                .await
                .expect("a Binary");
        }
        drop(repository);
        for version in 1..=100_000 {
            let file = folder.path().join(format!("binaries/b1/v{version}"));
            std::fs::write(file, "").expect("a file");
        }
        let target = |number| Target::new(id(number), Access::Read);
        let (one, many) = (target(0), target(1));
        // A repository looks for a version once, and then has it at hand.
        let first_mints = async |target| {
            let mut time = Duration::ZERO;
            for _ in 0..OPENINGS {
                let repository = open().await;
                let start = Instant::now();
                repository.locate(target).await.expect("a version");
                time += start.elapsed();
            }
            time / OPENINGS
        };
        first_mints(&many).await;
        for (versions, target) in [("1 version", &one), ("100,000 versions", &many)] {
            let milliseconds = first_mints(target).await.as_secs_f64() * 1000.0;
            let name = format!("first mint of {versions}, without HTTP");
            table.at_most(&name, 0.1, "ms", || milliseconds);
        }
    });
}

/// The times of the steps of a Binary's life.
struct Life([(&'static str, Duration); 5]);

async fn live(folder: &Path, binaries: usize) -> Life {
    let open = async || FsRepository::open(folder).await.expect("a folder");
    let repository = open().await.fsync(false);
    for number in 0..binaries {
        let created = repository.create(id(number), png()).await;
        let key = created.expect("a Binary");
        // Those that are read below have content.
        if number % (binaries / FEW) == 0 {
            let content = stream::iter([Ok(Bytes::from_static(&[0x5a; 1024]))]);
            let written = repository.write(&key, Upload::new(png(), content)).await;
            written.expect("an upload");
        }
    }
    // Opened anew, so that nothing is kept at hand; and the disk has nothing to catch up on.
    drop(repository);
    let synced = Command::new("sync").status();
    assert!(synced.is_ok_and(|status| status.success()), "sync runs");
    let start = Instant::now();
    let repository = open().await.fsync(false);
    let opening = start.elapsed();
    let all = || (0..binaries).step_by(binaries / FEW).map(id);

    let start = Instant::now();
    let mut keys = Vec::new();
    for id in all() {
        let target = Target::new(id, Access::Read);
        keys.push(repository.locate(&target).await.expect("a version").key);
    }
    let minting = start.elapsed();
    let start = Instant::now();
    for key in &keys {
        repository.read(key, None).await.expect("content");
    }
    let reading = start.elapsed();
    let start = Instant::now();
    for number in binaries..binaries + SAMPLE {
        let created = repository.create(id(number), png()).await;
        created.expect("a Binary");
    }
    let creating = start.elapsed();
    let start = Instant::now();
    for id in all() {
        repository.delete(id).await.expect("a deletion");
    }
    let deleting = start.elapsed();
    Life([
        ("open", opening),
        ("create", creating),
        ("mint", minting),
        ("read", reading),
        ("delete", deleting),
    ])
}

fn binaries(table: &Table) {
    let many = std::env::var("PRESIGN_BENCH_BINARIES").ok();
    let many = many.and_then(|many| many.parse().ok()).unwrap_or(MANY);
    let name = |step: &str| format!("{step} among {many} Binaries : among {FEW}, time");
    if !table.wants(&name("mint")) {
        return;
    }
    let runtime = runtime(1);
    let live = |binaries| {
        // Not on a file system in memory.
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
        runtime.block_on(live(folder.path(), binaries))
    };
    live(FEW);
    let (few, many) = (live(FEW), live(many));
    for ((step, few), (_, many)) in few.0.iter().zip(&many.0) {
        table.at_most(&name(step), 1.3, "x", || {
            many.as_secs_f64() / few.as_secs_f64()
        });
    }
}

/// The rate of downloads of 1 KiB through the layer, by the number of cores.
fn cores(table: &Table) {
    let name = "GET 1k, two cores : one, without HTTP";
    if !table.wants(name) {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let (layer, uri) = runtime(1).block_on(async {
        let repository = FsRepository::open(folder.path()).await.expect("a folder");
        let key = repository.create(id(0), png()).await.expect("a Binary");
        let content = stream::iter([Ok(Bytes::from_static(&[0x5a; 1024]))]);
        let written = repository.write(&key, Upload::new(png(), content)).await;
        written.expect("an upload");
        let url = Site::signed("", "b0").parse::<http::Uri>().expect("a URL");
        (PresignLayer::new(signer(), repository, AllowAll), url)
    });
    let rate = |workers: usize| {
        let (layer, uri) = (layer.clone(), uri.clone());
        runtime(workers).block_on(async move {
            let layer = Arc::new(layer);
            let start = Instant::now();
            let tasks: Vec<_> = (0..workers)
                .map(|_| tokio::spawn(download(Arc::clone(&layer), uri.clone())))
                .collect();
            for task in tasks {
                task.await.expect("no panic");
            }
            per_second(100 * SAMPLE * workers, start)
        })
    };
    table.ratio(name, Some(1.8), "requests/s", || (rate(2), rate(1)));
}

async fn download(layer: Arc<PresignLayer>, uri: http::Uri) {
    let inner = service_fn(async |_: Request<Empty<Bytes>>| {
        Ok::<_, std::convert::Infallible>(http::Response::new(Empty::<Bytes>::new()))
    });
    let service = layer.layer(inner);
    for request in 0..100 * SAMPLE {
        let mut head = Request::new(Empty::new());
        *head.uri_mut() = uri.clone();
        let response = service.clone().oneshot(head).await.expect("an answer");
        let body = response.into_body().collect().await.expect("content");
        assert_eq!(body.to_bytes().len(), 1024);
        if request % 64 == 0 {
            tokio::task::yield_now().await;
        }
    }
}
