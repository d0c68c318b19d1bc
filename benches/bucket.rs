//! The cost of a bucket by its distance: the requests of each operation, the time that its
//! client waits, and the speed of large content.
//!
//! The store is s3s-fs, in a process of its own; between it and the layer is a link that adds
//! latency each way, the one that the tests use.
//!
//! The program is also the store or the link alone, for what is tried by hand:
//!
//! ```text
//! PRESIGN_BENCH_STORE=/tmp/store bucket
//! PRESIGN_BENCH_LINK="http://127.0.0.1:PORT 20 5242880" bucket   # milliseconds, bytes a second
//! ```
//!
//! A link answers each line of its input with the bytes that went to the store, and that came from
//! it.

#[path = "../tests/object_store/proxy/front.rs"]
#[allow(dead_code)]
mod front;
#[path = "../tests/object_store/proxy/link.rs"]
#[allow(dead_code)]
mod link;
#[path = "support/store.rs"]
mod store;

use std::env;
use std::process::Stdio;
use std::time::{Duration, Instant, SystemTime};

use axum::Router;
use axum::routing::get;
use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::Command;
use tower_presign::store::{ByteRange, ObjectStoreRepository, Target, Upload};
use tower_presign::url::{Expires, ReadTerms};
use tower_presign::{Access, BinaryId, BinaryKey, BinaryRepository as _, ContentType, Grant};

use crate::front::Front;
use crate::link::{Link, Way};

/// Set in the process that is the store, to its folder.
const STORE: &str = "PRESIGN_BENCH_STORE";

/// Set in the process that is a link.
const LINK: &str = "PRESIGN_BENCH_LINK";

const MEBIBYTE: usize = 1024 * 1024;

fn main() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    if let Ok(folder) = env::var(STORE) {
        return runtime.block_on(serve(&folder));
    }
    if let Ok(link) = env::var(LINK) {
        return runtime.block_on(lead(&link));
    }
    // Without it, it is not a bench that is run: `cargo test` only sees whether it starts.
    if env::args().any(|argument| argument == "--bench") {
        runtime.block_on(measure());
    }
}

/// An S3 server that says what it was asked, at a path of its own.
async fn serve(folder: &str) {
    let (front, store) = Front::before(store::router(folder));
    let asked = get(async move || front.requests().join(" "));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    println!("http://{}", listener.local_addr().expect("an address"));
    let app = Router::new().route("/asked", asked).fallback_service(store);
    let listener = axum::serve::ListenerExt::tap_io(listener, |socket: &mut TcpStream| {
        drop(socket.set_nodelay(true));
    });
    axum::serve(listener, app).await.expect("a server");
}

async fn lead(link: &str) {
    let parts: Vec<&str> = link.split(' ').collect();
    let number = |index: usize| parts.get(index).and_then(|part| part.parse().ok());
    let way = Way {
        latency: Duration::from_millis(number(1).unwrap_or(0)),
        bandwidth: number(2).and_then(|bandwidth| bandwidth.try_into().ok()),
        ..Way::default()
    };
    let link = Link::to(parts[0], way).await;
    println!("{}", link.origin);
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    while let Ok(Some(_)) = lines.next_line().await {
        let [to_store, from_store] = link.passed();
        println!("{to_store} {from_store}");
    }
    std::future::pending::<()>().await;
}

async fn measure() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut store = Command::new(env::current_exe().expect("this program"))
        .env(STORE, folder.path())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("a process");
    let mut output = BufReader::new(store.stdout.take().expect("its output"));
    let mut origin = String::new();
    output.read_line(&mut origin).await.expect("a line");
    let origin = origin.trim();

    let mut table: Vec<(&str, String, Vec<String>)> = Vec::new();
    for latency in [0, 20, 100] {
        let way = Way {
            latency: Duration::from_millis(latency),
            ..Way::default()
        };
        let link = Link::to(origin, way).await;
        let measured = Measured::new(origin, &link).await.operations().await;
        for (row, (what, requests, time)) in measured.into_iter().enumerate() {
            if row == table.len() {
                table.push((what, requests, Vec::new()));
            }
            table[row].2.push(time);
        }
    }
    println!("\n| operation | requests | 0 ms | 20 ms | 100 ms |\n|---|---|---|---|---|");
    for (what, requests, times) in table {
        println!("| {what} | {requests} | {} |", times.join(" | "));
    }
}

/// A repository at the end of a link, and what is counted at the other.
struct Measured {
    origin: String,
    repository: ObjectStoreRepository,
    id: BinaryId,
}

type Row = (&'static str, String, String);

impl Measured {
    async fn new(origin: &str, link: &Link) -> Self {
        // The store shares its machine with us, and may be busy.
        let bucket = store::bucket(&link.origin).with_patience(Duration::from_secs(60));
        let repository = ObjectStoreRepository::new(bucket);
        let id = Self::create(&repository).await;
        Self {
            origin: origin.to_owned(),
            repository,
            id,
        }
    }

    async fn create(repository: &ObjectStoreRepository) -> BinaryId {
        let id = BinaryId::random();
        let created = repository.create(id, png()).await;
        created.expect("a Binary");
        id
    }

    /// The requests to the store since the last call.
    async fn asked(&self) -> String {
        let address = self.origin.strip_prefix("http://").expect("an origin");
        let mut connection = TcpStream::connect(address).await.expect("the store");
        let request = "GET /asked HTTP/1.0\r\n\r\n";
        let sent = connection.write_all(request.as_bytes()).await;
        sent.expect("the store");
        let mut answer = String::new();
        let read = connection.read_to_string(&mut answer).await;
        read.expect("the store");
        let (_, asked) = answer.split_once("\r\n\r\n").expect("an answer");
        asked.to_owned()
    }

    async fn mint(&self, id: BinaryId, access: Access) -> BinaryKey {
        let target = Target::new(id, access);
        let located = self.repository.locate(&target).await.expect("a version");
        match located.place {
            Some(place) => located.key.with_place(place),
            None => located.key,
        }
    }

    async fn write(&self, key: &BinaryKey, length: usize) {
        let chunk = Bytes::from(vec![0x5a; MEBIBYTE.min(length)]);
        let chunks = stream::iter((0..length.div_ceil(MEBIBYTE)).map(move |_| Ok(chunk.clone())));
        let upload = Upload::new(png(), chunks).with_expects_continue(false);
        let stored = self.repository.write(key, upload).await;
        stored.expect("an upload");
    }

    async fn read(&self, key: &BinaryKey, range: Option<ByteRange>) {
        let content = self.repository.read(key, range).await.expect("content");
        let read = content.try_for_each(|_| async { Ok(()) }).await;
        read.expect("all of it");
    }

    async fn operations(self) -> Vec<Row> {
        let mut rows = Vec::new();
        let key = self.mint(self.id, Access::Write).await;
        rows.push(self.row("upload 1 KiB", || self.write(&key, 1024)).await);
        let mint = || async { drop(self.mint(self.id, Access::Read).await) };
        rows.push(self.row("mint", mint).await);
        let key = self.mint(self.id, Access::Read).await;
        rows.push(self.row("GET 1 KiB", || self.read(&key, None)).await);
        let range = Some(ByteRange::FromTo(5, 9));
        rows.push(self.row("GET a range", || self.read(&key, range)).await);
        let head = || async { drop(self.repository.head(&key).await.expect("metadata")) };
        rows.push(self.row("HEAD, 304", head).await);

        let key = self.mint(self.id, Access::Write).await;
        let large = 12 * MEBIBYTE;
        rows.push(self.row("upload 12 MiB", || self.write(&key, large)).await);
        let key = self.mint(self.id, Access::Read).await;
        rows.push(self.row("GET 12 MiB", || self.read(&key, None)).await);
        rows.push(
            self.row("GET a range of it", || self.read(&key, range))
                .await,
        );

        // Without optimisation, it is the hashing that would be measured.
        if !cfg!(debug_assertions) {
            let key = self.mint(self.id, Access::Write).await;
            let huge = 200 * MEBIBYTE;
            let upload = self.row("upload 200 MiB", || self.write(&key, huge));
            rows.push(speed(upload.await));
            let key = self.mint(self.id, Access::Read).await;
            let download = self.row("GET 200 MiB", || self.read(&key, None));
            rows.push(speed(download.await));
        }

        let offloading = self.repository.clone().offload_reads(true);
        let expires = Expires::at(SystemTime::now() + Duration::from_secs(60));
        let grant = Grant::new(key, ReadTerms::new(), expires);
        let redirect = || async {
            let url = offloading.presign(&grant).await.expect("a URL");
            url.expect("a URL of the store");
        };
        rows.push(self.row("redirect", redirect).await);

        let many = Self::create(&self.repository).await;
        let versions = 2000;
        let this = &self;
        stream::iter(1..=versions)
            .for_each_concurrent(64, |version| async move {
                let key = BinaryKey::new(many, version.into());
                this.write(&key, 10).await;
            })
            .await;
        let mint = || async { drop(self.mint(many, Access::Read).await) };
        rows.push(self.row("mint, of 2,000 versions", mint).await);
        let delete = || async { self.repository.delete(many).await.expect("deleted") };
        rows.push(self.row("delete 2,000 versions", delete).await);
        rows
    }

    /// Repeats what is short, and takes the median.
    async fn row<F: Future<Output = ()>>(
        &self,
        what: &'static str,
        operation: impl Fn() -> F,
    ) -> Row {
        self.asked().await;
        let mut times = Vec::new();
        let mut requests = String::new();
        let is_upload = what.starts_with("upload") || what.starts_with("delete");
        let tries = if is_upload { 1 } else { 9 };
        for _ in 0..tries {
            let started = Instant::now();
            operation().await;
            times.push(started.elapsed());
            requests = self.asked().await;
            if started.elapsed() > Duration::from_secs(1) {
                break;
            }
        }
        times.sort_unstable();
        let median = times[times.len() / 2];
        let time = format!("{:.1} ms", median.as_secs_f64() * 1000.0);
        (what, summary(&requests), time)
    }
}

/// Of 200 MiB.
fn speed((what, requests, time): Row) -> Row {
    let milliseconds: f64 = time.trim_end_matches(" ms").parse().expect("a number");
    let speed = format!("{:.0} MiB/s", 200.0 * 1000.0 / milliseconds);
    (what, requests, speed)
}

/// As `1 LIST, 3 PART`.
fn summary(requests: &str) -> String {
    let mut kinds: Vec<(&str, usize)> = Vec::new();
    for request in requests.split_whitespace() {
        match kinds.iter_mut().find(|(kind, _)| *kind == request) {
            Some((_, count)) => *count += 1,
            None => kinds.push((request, 1)),
        }
    }
    let kinds = kinds.iter().map(|(kind, count)| format!("{count} {kind}"));
    match kinds.collect::<Vec<_>>().join(", ") {
        none if none.is_empty() => "0".to_owned(),
        some => some,
    }
}

fn png() -> ContentType {
    ContentType::new("image/png").expect("a type")
}
