//! The files that all servers serve, and the URLs that lead to them.

use std::cell::Cell;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use futures_util::stream;
use tower_presign::store::Upload;
use tower_presign::url::{Expires, ReadTerms, WriteTerms};
use tower_presign::{
    Access, BinaryId, BinaryKey, BinaryRepository as _, ContentType, FsRepository, Grant,
    SigningKey, UrlSigner, VersionId,
};

const BASE: &str = "http://storage.example/storage";

/// The sizes of the files, in bytes, by their names.
pub(crate) const SIZES: [(&str, usize); 8] = [
    ("1k", 1024),
    ("4k", 4 * 1024),
    ("16k", 16 * 1024),
    ("64k", 64 * 1024),
    ("100k", 100 * 1024),
    ("256k", 256 * 1024),
    ("1m", 1024 * 1024),
    ("10m", 10 * 1024 * 1024),
];

/// The number of files of 1 KiB that are read in turn.
const IN_TURN: usize = 5000;

pub(crate) fn signer() -> UrlSigner {
    let key = SigningKey::new("bench", [7, 1, 8, 2].repeat(8)).expect("a key");
    UrlSigner::new(key, BASE).expect("a base URL")
}

pub(crate) fn png() -> ContentType {
    ContentType::new("image/png").expect("a type")
}

/// The ways in which nginx serves the files.
#[derive(Clone, Copy)]
pub(crate) enum Nginx {
    /// Opens each anew.
    Plain,
    /// Keeps them open.
    KeptOpen,
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
        let site = Self {
            folder,
            next_binary: Cell::new(0),
            next_file: Cell::new(0),
        };
        let files = site.path("files");
        std::fs::create_dir(&files).expect("a folder");
        std::fs::create_dir(site.path("put")).expect("a folder");
        for (name, size) in SIZES {
            std::fs::write(files.join(name), vec![0x5a; size]).expect("a file");
        }
        for number in 0..IN_TURN {
            std::fs::write(files.join(in_turn(number)), [0x5a; 1024]).expect("a file");
        }
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        runtime.block_on(site.fill());
        site.copy_binaries();
        site
    }

    /// Binaries to read, and more to write than are written.
    async fn fill(&self) {
        let repository = FsRepository::open(self.path("binaries"))
            .await
            .expect("a folder");
        let repository = repository.fsync(false);
        let names = SIZES.iter().map(|(name, _)| (*name).to_owned());
        for name in names.chain((0..IN_TURN).map(in_turn)) {
            let content = std::fs::read(self.path("files").join(&name)).expect("a file");
            let id = BinaryId::new(name).expect("an id");
            let key = repository.create(id, png()).await.expect("a Binary");
            let content = stream::iter([Ok(Bytes::from(content))]);
            let upload = Upload::new(png(), content);
            repository.write(&key, upload).await.expect("an upload");
        }
        Self::create_for_writes(&repository).await;
    }

    pub(crate) async fn create_for_writes(repository: &FsRepository) {
        for number in 0..15_000 {
            let id = BinaryId::new(format!("w{number}")).expect("an id");
            repository.create(id, png()).await.expect("a Binary");
        }
    }

    /// The name of the folder that a server has: one process at a time may open it.
    pub(crate) fn binaries(kind: &str) -> &'static str {
        match kind {
            "tls" => "binaries-tls",
            "fsync" => "binaries-fsync",
            "resumable" => "binaries-resumable",
            _ => "binaries",
        }
    }

    fn copy_binaries(&self) {
        for kind in ["tls", "fsync"] {
            let copied = Command::new("cp")
                .args(["-r", "binaries", Self::binaries(kind)])
                .current_dir(self.folder())
                .status();
            assert!(copied.is_ok_and(|status| status.success()), "cp");
        }
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn target(access: Access, id: &str) -> String {
        let expires = Expires::at(SystemTime::now() + Duration::from_secs(3600));
        let key = BinaryKey::new(BinaryId::new(id).expect("an id"), VersionId::from(1));
        let grant = match access {
            Access::Write => Grant::new(key, WriteTerms::new(png()), expires),
            _ => Grant::new(key, ReadTerms::new(), expires),
        };
        Self::target_of(&grant)
    }

    pub(crate) fn target_of(grant: &Grant) -> String {
        let url = signer().sign(grant);
        url.as_str().replacen("http://storage.example", "", 1)
    }

    pub(crate) fn signed(server: &str, name: &str) -> String {
        format!("{server}{}", Self::target(Access::Read, name))
    }

    /// `count` files of 1 KiB.
    pub(crate) fn signed_in_turn(server: &str, count: usize) -> Vec<String> {
        let names = (0..count).map(in_turn);
        names.map(|name| Self::signed(server, &name)).collect()
    }

    /// For the server `kind`.
    pub(crate) fn write_targets(&self, kind: &str, count: usize) -> Vec<String> {
        let binaries = self.path(Self::binaries(kind)).join("binaries");
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
        let ours = ["fs", "resumable"].into_iter().flat_map(|kind| {
            let binaries = self.path(Self::binaries(kind)).join("binaries");
            (0..self.next_binary.get()).map(move |number| binaries.join(format!("w{number}/v1")))
        });
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
}

/// The name of a file of 1 KiB.
fn in_turn(number: usize) -> String {
    format!("r{number}")
}

/// The next `count` numbers: no target is used twice.
fn numbers(next: &Cell<usize>, count: usize) -> std::ops::Range<usize> {
    let first = next.get();
    next.set(first + count);
    first..first + count
}

impl Nginx {
    fn location(self) -> &'static str {
        match self {
            Self::Plain => "get",
            Self::KeptOpen => "get-kept-open",
        }
    }

    /// As nginx's `secure_link` wants it: base64url of the MD5 of expiry, path and secret.
    pub(crate) fn signed(self, server: &str, name: &str) -> String {
        self.all_signed(server, std::iter::once(name.to_owned()))
            .remove(0)
    }

    /// `count` files of 1 KiB.
    pub(crate) fn signed_in_turn(self, server: &str, count: usize) -> Vec<String> {
        self.all_signed(server, (0..count).map(in_turn))
    }

    /// By one process: a thousand take as long as one.
    fn all_signed(self, server: &str, names: impl Iterator<Item = String>) -> Vec<String> {
        let paths = names.map(|name| format!("/{}/{name}", self.location()));
        let paths: Vec<_> = paths.collect();
        let mut script = "import base64, hashlib\nfor path in (".to_owned();
        for path in &paths {
            write!(script, "'{path}',").expect("a string");
        }
        script.push_str(
            "):\n\
             \x20   text = f'4102444800{path} secret'.encode()\n\
             \x20   md5 = hashlib.md5(text).digest()\n\
             \x20   print(base64.urlsafe_b64encode(md5).decode().rstrip('='))\n",
        );
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), script).expect("a file");
        let output = Command::new("python3").arg(file.path()).output();
        let output = output.expect("python3 runs");
        let output = String::from_utf8_lossy(&output.stdout);
        let signed: Vec<_> = paths
            .iter()
            .zip(output.lines())
            .map(|(path, md5)| format!("{server}{path}?md5={md5}&expires=4102444800"))
            .collect();
        assert_eq!(signed.len(), paths.len(), "python3 signs all of them");
        signed
    }
}
