//! The servers that are compared, each a process of its own, on the first core. (A bucket's store is
//! on the second.)
//!
//! All of them end with this process, however it ends: the kernel sends each SIGTERM
//! (`setpriv --pdeathsig`), upon which nginx ends its worker too.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use axum::serve::ListenerExt as _;
use axum_server::tls_rustls::RustlsConfig;
use bytes::Bytes;
use rustix::process::{Pid, Signal, kill_process};
use tower_http::services::ServeDir;
use tower_presign::store::{
    Catalog, Composed, Entry, FsStore, Located, Metadata, Place, RepositoryError, Stored,
};
use tower_presign::{
    AllowAll, BinaryId, BinaryKey, FsRepository, MemoryRepository, PresignLayer, Target, VersionId,
};

use crate::site::{Site, png, signer};

const NGINX_PORT: u16 = 18_437;

/// Processes that end with this value.
pub(crate) struct Servers<'a> {
    site: &'a Site,
    children: Vec<Child>,
}

/// A server that runs.
pub(crate) struct Server {
    pub(crate) address: String,
    pub(crate) pid: u32,
}

/// nginx, by what it speaks.
pub(crate) struct NginxServer {
    pub(crate) plain: String,
    pub(crate) http2: String,
    pub(crate) tls: String,
}

impl<'a> Servers<'a> {
    pub(crate) fn new(site: &'a Site) -> Self {
        let script = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \
                      -days 2 -subj /CN=localhost -keyout key.pem -out cert.pem";
        let certificate = Command::new("sh")
            .args(["-c", script])
            .current_dir(site.folder())
            .stderr(Stdio::null())
            .status();
        assert!(certificate.is_ok_and(|status| status.success()), "openssl");
        Self {
            site,
            children: Vec::new(),
        }
    }

    fn spawn(&mut self, command: &mut Command) -> &mut Child {
        let child = command.spawn().expect("setpriv and taskset are there");
        self.children.push(child);
        self.children.last_mut().expect("a child")
    }

    /// This program, started again as a server.
    pub(crate) fn start(&mut self, kind: &str) -> Server {
        self.start_on(0, kind)
    }

    pub(crate) fn start_on(&mut self, core: u8, kind: &str) -> Server {
        let folder = self.site.folder().to_owned();
        let mut command = on_core(core, &std::env::current_exe().expect("a program"));
        command.env("SERVE", kind).env("FOLDER", folder);
        let child = self.spawn(command.stdout(Stdio::piped()));
        let stdout = child.stdout.take().expect("a pipe");
        let mut address = String::new();
        BufReader::new(stdout)
            .read_line(&mut address)
            .expect("an address");
        Server {
            address: address.trim().to_owned(),
            // `setpriv` and `taskset` have become the program, with the same number.
            pid: child.id(),
        }
    }

    pub(crate) fn start_nginx(&mut self) -> NginxServer {
        let configuration = self.site.path("nginx.conf");
        std::fs::write(&configuration, nginx_configuration(self.site)).expect("a file");
        let mut command = on_core(0, Path::new("nginx"));
        self.spawn(command.arg("-c").arg(&configuration).stderr(Stdio::null()));
        let [plain, http2, tls] =
            [0, 1, 2].map(|offset| SocketAddr::from(([127, 0, 0, 1], NGINX_PORT + offset)));
        while std::net::TcpStream::connect(tls).is_err() {
            std::thread::sleep(Duration::from_millis(20));
        }
        NginxServer {
            plain: format!("http://{plain}"),
            http2: format!("http://{http2}"),
            tls: format!("https://{tls}"),
        }
    }
}

fn on_core(core: u8, program: &Path) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "TERM", "taskset", "-c"]);
    command.arg(core.to_string()).arg(program);
    command
}

impl Drop for Servers<'_> {
    fn drop(&mut self) {
        for child in &self.children {
            // One that has ended already is waited for all the same.
            let _ = kill_process(Pid::from_child(child), Signal::TERM);
        }
        for child in &mut self.children {
            drop(child.wait());
        }
    }
}

fn nginx_configuration(site: &Site) -> String {
    let folder = site.folder().display();
    let secure_link = format!(
        "alias {folder}/files/;
        secure_link $arg_md5,$arg_expires;
        secure_link_md5 \"$secure_link_expires$uri secret\";
        if ($secure_link = \"\") {{ return 403; }}
        if ($secure_link = \"0\") {{ return 410; }}"
    );
    let locations = format!(
        "location /get/ {{ {secure_link} }}
        location /get-kept-open/ {{ {secure_link} open_file_cache max=20000; }}
        location /put/ {{ alias {folder}/put/; dav_methods PUT; }}"
    );
    let [http2, tls] = [NGINX_PORT + 1, NGINX_PORT + 2];
    format!(
        "user root; worker_processes 1; worker_rlimit_nofile 40000;
        daemon off; pid {folder}/nginx.pid; error_log stderr;
        events {{ worker_connections 8192; }}
        http {{
            access_log off; sendfile on; tcp_nopush on; keepalive_requests 1000000000;
            client_body_temp_path {folder}/body; client_max_body_size 0;
            ssl_certificate {folder}/cert.pem; ssl_certificate_key {folder}/key.pem;
            ssl_protocols TLSv1.3;
            server {{ listen 127.0.0.1:{NGINX_PORT}; {locations} }}
            server {{ listen 127.0.0.1:{http2} http2; {locations} }}
            server {{ listen 127.0.0.1:{tls} ssl http2; {locations} }}
        }}"
    )
}

/// A host's records: one Binary, in memory.
struct Records;

impl Catalog for Records {
    async fn locate(&self, target: &Target) -> Result<Located, RepositoryError> {
        Ok(Located::new(target.key(VersionId::from(1)), png()))
    }

    async fn find(&self, _: &BinaryKey) -> Result<Entry, RepositoryError> {
        Err(RepositoryError::NotFound)
    }

    async fn publish(&self, _: &BinaryKey, _: &Stored) -> Result<Metadata, RepositoryError> {
        Err(RepositoryError::NotFound)
    }

    async fn unreferenced(&self, _: &[Place]) -> Result<Vec<Place>, RepositoryError> {
        Ok(Vec::new())
    }
}

/// The program's other part: it is started as a server. Behind the kind of a server may be the
/// address of another.
#[tokio::main]
pub(crate) async fn run(kind: &str) {
    let folder = PathBuf::from(std::env::var("FOLDER").expect("a folder"));
    #[cfg_attr(not(feature = "object-store-aws"), expect(unused_variables))]
    let (kind, store) = kind.split_once(' ').unwrap_or((kind, ""));
    let app = match kind {
        "fs" | "tls" | "fsync" => {
            let repository = FsRepository::open(folder.join(Site::binaries(kind))).await;
            let repository = repository.expect("a folder").fsync(kind == "fsync");
            with_layer(PresignLayer::new(signer(), repository, AllowAll))
        }
        "resumable" => {
            let repository = FsRepository::open(folder.join(Site::binaries(kind))).await;
            let repository = repository.expect("a folder").fsync(false);
            Site::create_for_writes(&repository).await;
            let layer = PresignLayer::new(signer(), repository, AllowAll);
            with_layer(layer.resumable_uploads(true))
        }
        "memory" => {
            let repository = MemoryRepository::new();
            let id = BinaryId::new("1k").expect("an id");
            repository.create(id, png()).expect("a Binary");
            with_layer(PresignLayer::new(signer(), repository, AllowAll))
        }
        "composed" => {
            let store = FsStore::open(folder.join("store")).await.expect("a folder");
            let repository = Composed::new(Records, store);
            with_layer(PresignLayer::new(signer(), repository, AllowAll))
        }
        #[cfg(feature = "object-store-aws")]
        "bucket" => {
            let repository = crate::bucket::repository(store);
            with_layer(PresignLayer::new(signer(), repository, AllowAll))
        }
        #[cfg(feature = "object-store-aws")]
        "store" => crate::bucket::store(&folder),
        "search" => crate::resources::app(),
        "constant" => constant(),
        "serve-dir" => Router::new().fallback_service(ServeDir::new(folder.join("files"))),
        _ => Router::new().route("/hello", get(async || "Hello, World!")),
    };
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    listener.set_nonblocking(true).expect("a socket");
    if kind == "tls" {
        let tls = RustlsConfig::from_pem_file(folder.join("cert.pem"), folder.join("key.pem"));
        let tls = tls.await.expect("a certificate");
        announce(&format!("https://{address}"));
        let server = axum_server::from_tcp_rustls(listener, tls).expect("a socket");
        let ended = server.serve(app.into_make_service()).await;
        ended.expect("the server runs");
    } else {
        // The last piece of a streamed answer must not wait for acknowledgements of the others.
        let is_streamed = matches!(kind, "bucket" | "store" | "search");
        let listener = tokio::net::TcpListener::from_std(listener).expect("a socket");
        let listener = listener.tap_io(move |socket| {
            if is_streamed {
                drop(socket.set_nodelay(true));
            }
        });
        announce(&format!("http://{address}"));
        axum::serve(listener, app).await.expect("the server runs");
    }
}

fn announce(address: &str) {
    println!("{address}");
    std::io::stdout().flush().expect("a pipe");
}

fn with_layer(layer: PresignLayer) -> Router {
    Router::new().fallback(async || "").layer(layer)
}

/// A handler that only returns the layer's headers and bytes: the rest of axum's time.
fn constant() -> Router {
    let headers: [(&'static str, &'static str); 12] = [
        ("content-type", "image/png"),
        ("content-disposition", "inline; filename=\"1k.png\""),
        ("last-modified", "Tue, 24 Nov 2026 16:04:00 GMT"),
        ("etag", "\"1\""),
        ("accept-ranges", "bytes"),
        ("cache-control", "private, no-store, no-transform"),
        ("x-content-type-options", "nosniff"),
        (
            "content-security-policy",
            "default-src 'none'; style-src 'unsafe-inline'; sandbox",
        ),
        ("cross-origin-embedder-policy", "require-corp"),
        ("referrer-policy", "no-referrer"),
        ("cross-origin-resource-policy", "cross-origin"),
        ("x-robots-tag", "none"),
    ];
    let content = Bytes::from(vec![0x5a; 1024]);
    Router::new().route("/1k", get(async move || (headers, content)))
}
