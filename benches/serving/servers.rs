//! The servers that are compared, each a process of its own, on the first core.

use std::cell::Cell;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::time::{Duration, SystemTime};

use axum::Router;
use axum::routing::get;
use bytes::Bytes;
use futures_util::stream;
use tower_http::services::ServeDir;
use tower_presign::store::Upload;
use tower_presign::url::{Expires, ReadTerms, WriteTerms};
use tower_presign::{
    Access, AllowAll, BinaryId, BinaryKey, BinaryRepository, ContentType, FsRepository, Grant,
    MemoryRepository, PresignLayer, SigningKey, Target, UrlSigner, VersionId,
};

const BASE: &str = "http://storage.example/storage";
const NGINX_PORT: u16 = 18_437;

static CHILDREN: Mutex<Vec<Child>> = Mutex::new(Vec::new());

fn signer() -> UrlSigner {
    let key = SigningKey::new("bench", [7, 1, 8, 2].repeat(8)).expect("a key");
    UrlSigner::new(key, BASE).expect("a base URL")
}

fn png() -> ContentType {
    ContentType::new("image/png").expect("a type")
}

/// The names of files that are read in turn: more than any server keeps open.
fn in_turn() -> impl Iterator<Item = String> {
    (0..200).map(|number| format!("r{number}"))
}

/// The same files for all servers.
pub(crate) struct Site {
    folder: tempfile::TempDir,
    next_binary: Cell<usize>,
    next_file: Cell<usize>,
}

impl Site {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let files = folder.path().join("files");
        std::fs::create_dir(&files).expect("a folder");
        for (name, size) in [
            ("1k", 1024),
            ("100k", 100 * 1024),
            ("10m", 10 * 1024 * 1024),
        ] {
            std::fs::write(files.join(name), vec![0x5a; size]).expect("a file");
        }
        for name in in_turn() {
            std::fs::write(files.join(name), [0x5a; 1024]).expect("a file");
        }
        let site = Self {
            folder,
            next_binary: Cell::new(0),
            next_file: Cell::new(0),
        };
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        runtime.block_on(site.fill());
        site
    }

    /// Binaries to read, and more to write than are written.
    async fn fill(&self) {
        let repository = FsRepository::open(self.path("binaries"))
            .await
            .expect("a folder");
        let repository = repository.fsync(false);
        let names = ["1k", "100k", "10m"].map(String::from);
        for name in names.into_iter().chain(in_turn()) {
            let content = std::fs::read(self.path("files").join(&name)).expect("a file");
            let id = BinaryId::new(name).expect("an id");
            let key = repository.create(id, png()).await.expect("a Binary");
            let content = stream::iter([Ok(Bytes::from(content))]);
            let upload = Upload::new(png(), content);
            repository.write(&key, upload).await.expect("an upload");
        }
        for number in 0..15_000 {
            let id = BinaryId::new(format!("w{number}")).expect("an id");
            repository.create(id, png()).await.expect("a Binary");
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn target(access: Access, id: &str) -> String {
        let expires = Expires::at(SystemTime::now() + Duration::from_secs(3600));
        let key = BinaryKey::new(BinaryId::new(id).expect("an id"), VersionId::from(1));
        let grant = match access {
            Access::Write => Grant::new(key, WriteTerms::new(png()), expires),
            _ => Grant::new(key, ReadTerms::new(), expires),
        };
        let url = signer().sign(&grant);
        url.as_str().replacen("http://storage.example", "", 1)
    }

    pub(crate) fn signed(server: &str, name: &str) -> String {
        format!("{server}{}", Self::target(Access::Read, name))
    }

    /// Many files of 1 KiB.
    pub(crate) fn signed_in_turn(server: &str) -> Vec<String> {
        in_turn().map(|name| Self::signed(server, &name)).collect()
    }

    pub(crate) fn write_targets(&self, count: usize) -> Vec<String> {
        let binaries = self.path("binaries/binaries");
        numbers(&self.next_binary, count)
            .map(|number| {
                let id = format!("w{number}");
                // Minting reads the folder, and an upload finds it in memory.
                let folder = std::fs::read_dir(binaries.join(&id)).expect("a folder");
                assert_eq!(folder.count(), 1, "nothing is uploaded yet");
                Self::target(Access::Write, &id)
            })
            .collect()
    }

    /// Makes room in memory: on virtual machines that which has not been in use before is slow.
    pub(crate) fn remove_uploads(&self) {
        let binaries = self.path("binaries/binaries");
        let ours = (0..self.next_binary.get()).map(|number| binaries.join(format!("w{number}/v1")));
        let put = self.path("put");
        let theirs = (0..self.next_file.get()).map(|number| put.join(number.to_string()));
        for file in ours.chain(theirs) {
            // Most are gone already.
            drop(std::fs::remove_file(file));
        }
    }

    /// The target that reads what `write_target` wrote.
    pub(crate) fn read_target_of(write_target: &str) -> String {
        let id = write_target.split('/').nth(2).expect("an id");
        Self::target(Access::Read, id)
    }

    pub(crate) fn nginx_targets(&self, count: usize) -> Vec<String> {
        numbers(&self.next_file, count)
            .map(|number| format!("/put/{number}"))
            .collect()
    }

    /// As nginx's `secure_link` wants it: base64url of the MD5 of expiry, path and secret.
    pub(crate) fn nginx_signed(server: &str, name: &str) -> String {
        Self::nginx_signed_path(server, &format!("/get/{name}"))
    }

    /// The same, where nginx keeps files open.
    pub(crate) fn nginx_signed_kept_open(server: &str, name: &str) -> String {
        Self::nginx_signed_path(server, &format!("/get-kept-open/{name}"))
    }

    pub(crate) fn nginx_signed_in_turn(server: &str) -> Vec<String> {
        in_turn()
            .map(|name| Self::nginx_signed(server, &name))
            .collect()
    }

    fn nginx_signed_path(server: &str, path: &str) -> String {
        let script = format!(
            "printf %s '4102444800{path} secret' | openssl md5 -binary | openssl base64 \
             | tr +/ -_ | tr -d ="
        );
        let output = Command::new("sh")
            .args(["-c", &script])
            .output()
            .expect("sh runs");
        let md5 = String::from_utf8_lossy(&output.stdout);
        format!("{server}{path}?md5={}&expires=4102444800", md5.trim())
    }
}

/// The next `count` numbers: no target is used twice.
fn numbers(next: &Cell<usize>, count: usize) -> std::ops::Range<usize> {
    let first = next.get();
    next.set(first + count);
    first..first + count
}

impl Drop for Site {
    fn drop(&mut self) {
        for mut child in CHILDREN.lock().expect("no panic").drain(..) {
            drop(child.kill());
            drop(child.wait());
        }
    }
}

/// This program, started again as a server.
pub(crate) struct Server {
    pub(crate) address: String,
    pub(crate) pid: u32,
}

pub(crate) fn start(kind: &str, site: &Site) -> Server {
    let mut child = Command::new("taskset")
        .args(["-c", "0"])
        .arg(std::env::current_exe().expect("a program"))
        .env("SERVE", kind)
        .env("FOLDER", site.folder.path())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the server starts");
    let stdout = child.stdout.take().expect("a pipe");
    let mut address = String::new();
    BufReader::new(stdout)
        .read_line(&mut address)
        .expect("an address");
    // `taskset` has become the program, with the same number.
    let pid = child.id();
    CHILDREN.lock().expect("no panic").push(child);
    Server {
        address: address.trim().to_owned(),
        pid,
    }
}

pub(crate) fn start_nginx(site: &Site) -> String {
    let folder = site.folder.path();
    std::fs::create_dir(site.path("put")).expect("a folder");
    let configuration = site.path("nginx.conf");
    let secure_link = format!(
        "alias {}/files/;
        secure_link $arg_md5,$arg_expires;
        secure_link_md5 \"$secure_link_expires$uri secret\";
        if ($secure_link = \"\") {{ return 403; }}
        if ($secure_link = \"0\") {{ return 410; }}",
        folder.display()
    );
    let text = format!(
        "user root; worker_processes 1; daemon off; pid {folder}/nginx.pid; error_log stderr;
        events {{ worker_connections 4096; }}
        http {{
            access_log off; sendfile on; tcp_nopush on; keepalive_requests 1000000000;
            client_body_temp_path {folder}/body; client_max_body_size 0;
            server {{
                listen 127.0.0.1:{NGINX_PORT};
                location /get/ {{ {secure_link} }}
                location /get-kept-open/ {{ {secure_link} open_file_cache max=128; }}
                location /put/ {{ alias {folder}/put/; dav_methods PUT; }}
            }}
        }}",
        folder = folder.display()
    );
    std::fs::write(&configuration, text).expect("a file");
    let child = Command::new("taskset")
        .args(["-c", "0", "nginx", "-c"])
        .arg(&configuration)
        .stderr(Stdio::null())
        .spawn()
        .expect("nginx starts");
    CHILDREN.lock().expect("no panic").push(child);
    let address = format!("127.0.0.1:{NGINX_PORT}");
    while std::net::TcpStream::connect(&address).is_err() {
        std::thread::sleep(Duration::from_millis(20));
    }
    format!("http://{address}")
}

/// The work of the program when it is started as a server.
#[tokio::main]
pub(crate) async fn run(kind: &str) {
    let folder = std::env::var("FOLDER").expect("a folder");
    let app = match kind {
        "fs" => {
            let folder = Path::new(&folder).join("binaries");
            let repository = FsRepository::open(folder).await.expect("a folder");
            let layer = PresignLayer::new(signer(), repository.fsync(false), AllowAll);
            Router::new().fallback(async || "").layer(layer)
        }
        "memory" => {
            let repository = MemoryRepository::new();
            let id = BinaryId::new("1k").expect("an id");
            repository.create(id, png()).expect("a Binary");
            let target = Target::new(id, Access::Read);
            repository.locate(&target).await.expect("a Binary");
            let layer = PresignLayer::new(signer(), repository, AllowAll);
            Router::new().fallback(async || "").layer(layer)
        }
        // A handler that only returns what the layer does: what axum leaves of the time.
        "constant" => {
            let headers: [(&'static str, &'static str); 11] = [
                ("content-type", "image/png"),
                ("content-disposition", "inline"),
                ("last-modified", "Tue, 24 Nov 2026 16:04:00 GMT"),
                ("etag", "\"1\""),
                ("accept-ranges", "bytes"),
                ("cache-control", "private, no-store, no-transform"),
                ("x-content-type-options", "nosniff"),
                (
                    "content-security-policy",
                    "default-src 'none'; style-src 'unsafe-inline'; sandbox",
                ),
                ("referrer-policy", "no-referrer"),
                ("cross-origin-resource-policy", "cross-origin"),
                ("x-robots-tag", "none"),
            ];
            let content = Bytes::from(vec![0x5a; 1024]);
            Router::new().route("/1k", get(async move || (headers, content)))
        }
        "serve-dir" => {
            Router::new().fallback_service(ServeDir::new(Path::new(&folder).join("files")))
        }
        _ => Router::new().route("/hello", get(async || "Hello, World!")),
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a port");
    println!("http://{}", listener.local_addr().expect("an address"));
    std::io::stdout().flush().expect("a pipe");
    axum::serve(listener, app).await.expect("the server runs");
}
