//! The example server is ended, again and again, while clients upload to it: what a client was told
//! is stored stays. What it was not told of is there as a whole or not at all if the server was
//! killed, and not at all if it was told to stop.
//!
//! `PRESIGN_CRASH_ROUNDS` says how often it is ended, `PRESIGN_CRASH_SEED` what is sent and when
//! the end comes. (When exactly it comes is up to the machine as well: a seed that has failed may
//! need some more rounds to fail again.)

use std::fmt;
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use futures_util::future::join_all;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::request::Builder;
use http::{Request, StatusCode};
use tokio::time::sleep;

use crate::support::Answer;
use crate::support::client::Client as HttpClient;
use crate::support::random::Random;
use crate::support::server::{Server, URL_ORIGIN};
use crate::support::setting::setting;

const CLIENTS: usize = 6;

const MAX_LENGTH: usize = 6 * 1024 * 1024;

/// Within this time of a round's begin the server is ended, in microseconds.
const MAX_LIFE: u64 = 250_000;

/// The number of versions of earlier rounds that are looked at after each end. After the last one,
/// all are.
const SAMPLE: usize = 12;

const CONTENT_TYPES: [&str; 4] = [
    "application/dicom",
    "application/pdf",
    "image/png",
    "text/plain; charset=utf-8",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whenever_the_server_is_killed_each_version_is_whole_or_absent() {
    end_while_uploading(End::Kill).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whenever_the_server_is_told_to_stop_each_upload_is_acknowledged_or_absent() {
    let figures = end_while_uploading(End::Stop).await;
    assert_eq!(figures.cut_but_whole, 0, "what is there was acknowledged");
    assert_eq!(figures.ends_with_leftovers, 0, "what has begun is done");
}

/// The ways in which the server ends.
#[derive(Clone, Copy)]
enum End {
    Kill,
    Stop,
}

async fn end_while_uploading(end: End) -> Figures {
    let rounds = setting("PRESIGN_CRASH_ROUNDS").unwrap_or(8);
    let seed = setting("PRESIGN_CRASH_SEED").unwrap_or_else(|| getrandom::u64().unwrap());
    println!("PRESIGN_CRASH_ROUNDS={rounds} PRESIGN_CRASH_SEED={seed}");
    let mut random = Random(seed);
    let source = random.bytes(2 * MAX_LENGTH);
    let mut clients = [(); CLIENTS].map(|()| Client {
        random: Random(random.next()),
        source: source.clone(),
        binaries: Vec::new(),
        uploads: Vec::new(),
    });
    let mut figures = Figures::default();
    let mut stored = Vec::new();
    let mut server = Server::start(tempfile::tempdir().unwrap()).await;
    for _ in 0..rounds {
        let uploading =
            clients.map(|client| tokio::spawn(client.upload_until_the_end(Api::new(&server))));
        // No condition to wait for: any moment may be the wrong one.
        sleep(Duration::from_micros(random.next() % MAX_LIFE)).await;
        match end {
            End::Kill => server.kill().await,
            End::Stop => server.stop().await,
        }
        let mut ended = join_all(uploading).await.into_iter();
        clients = [(); CLIENTS].map(|()| ended.next().unwrap().unwrap());
        figures.ends += 1;
        figures.ends_with_leftovers += usize::from(server.staged() > 0);

        server = Server::start(server.folder).await;
        assert_eq!(server.staged(), 0, "what was interrupted is removed");
        let api = Api::new(&server);
        for client in &mut clients {
            for upload in client.uploads.drain(..) {
                api.check(&upload, &mut figures).await;
                stored.push(upload.version);
            }
        }
        for _ in 0..SAMPLE.min(stored.len()) {
            api.assert_whole(random.choose(&stored)).await;
        }
    }
    let api = Api::new(&server);
    for version in &stored {
        api.assert_whole(version).await;
    }
    println!("{figures:?}");
    server.kill().await;
    figures
}

#[derive(Debug, Default)]
struct Figures {
    ends: usize,
    /// The number of ends that left something in the staging folder.
    ends_with_leftovers: usize,
    acknowledged: usize,
    /// Uploads that had no answer when the server ended, as the restarted server has them.
    cut_but_whole: usize,
    cut_and_absent: usize,
}

// Clients

/// Has Binaries of its own: two clients never race for a version here.
struct Client {
    random: Random,
    /// It sends parts of this.
    source: Bytes,
    binaries: Vec<Binary>,
    /// Those since the server was started.
    uploads: Vec<Upload>,
}

#[derive(Clone)]
struct Binary {
    id: String,
    content_type: &'static str,
}

/// A version as it must be, if it is there.
struct Version {
    binary: Binary,
    number: String,
    content: Bytes,
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.binary.id, self.number)
    }
}

struct Upload {
    version: Version,
    /// The write URL, without its origin: each server that is started has another.
    target: String,
    is_acknowledged: bool,
}

/// The server ended before it had answered.
#[derive(Debug)]
struct Ended;

impl Client {
    async fn upload_until_the_end(mut self, api: Api) -> Self {
        while self.upload(&api).await.is_ok() {}
        self
    }

    async fn upload(&mut self, api: &Api) -> Result<(), Ended> {
        if self.binaries.is_empty() || self.random.below(2) == 0 {
            let content_type = self.random.choose(&CONTENT_TYPES);
            self.binaries.push(api.create(content_type).await?);
        }
        let binary = self.random.choose(&self.binaries).clone();
        let target = target(&api.mint(&binary.id, "?upload=true").await?);
        let version = Version {
            number: version_of(&target),
            content: self.random.part_of(&self.source, MAX_LENGTH),
            binary,
        };
        self.uploads.push(Upload {
            version,
            target,
            is_acknowledged: false,
        });
        let upload = self.uploads.last_mut().unwrap();
        assert_eq!(api.put(upload).await?, StatusCode::OK);
        upload.is_acknowledged = true;
        Ok(())
    }
}

/// `/storage/{id}/{version}?…`
fn version_of(target: &str) -> String {
    let (path, _) = target.split_once('?').unwrap();
    path.rsplit('/').next().unwrap().to_owned()
}

/// A server as its clients see it.
struct Api {
    origin: String,
    client: HttpClient,
}

impl Api {
    fn new(server: &Server) -> Self {
        Self {
            origin: server.origin.clone(),
            client: HttpClient::http1(),
        }
    }

    async fn create(&self, content_type: &'static str) -> Result<Binary, Ended> {
        let resource = format!(r#"{{"resourceType":"Binary","contentType":"{content_type}"}}"#);
        let request = Request::post(self.url("/fhir/R4/Binary"))
            .header(AUTHORIZATION, "Bearer demo")
            .header(CONTENT_TYPE, "application/fhir+json");
        let answer = self.send(request, resource).await?;
        assert_eq!(answer.status, StatusCode::CREATED);
        Ok(Binary {
            id: answer.json()["id"].as_str().unwrap().to_owned(),
            content_type,
        })
    }

    /// A URL for the Binary, or the version of one, at this path.
    async fn mint(&self, path: &str, query: &str) -> Result<Answer, Ended> {
        let url = format!("/fhir/R4/Binary/{path}/$presigned-url{query}");
        let request = Request::get(self.url(&url)).header(AUTHORIZATION, "Bearer demo");
        self.send(request, "").await
    }

    async fn put(&self, upload: &Upload) -> Result<StatusCode, Ended> {
        let Version {
            binary, content, ..
        } = &upload.version;
        let request = Request::put(self.url(&upload.target));
        let request = request.header(CONTENT_TYPE, binary.content_type);
        Ok(self.send(request, content.clone()).await?.status)
    }

    /// The version's content, if the server has it.
    async fn read(&self, version: &Version) -> Option<Answer> {
        let path = format!("{}/_history/{}", version.binary.id, version.number);
        let url = self.mint(&path, "").await.unwrap();
        // The first version can be asked for before it is there, further ones cannot.
        if url.status == StatusCode::NOT_FOUND && version.number != "1" {
            return None;
        }
        let request = Request::get(self.url(&target(&url)));
        let answer = self.send(request, "").await.unwrap();
        (answer.status != StatusCode::NOT_FOUND).then_some(answer)
    }

    async fn assert_whole(&self, version: &Version) {
        let answer = self.read(version).await.expect("the version is there");
        version.assert_is(&answer);
    }

    /// Holds what the server has against what the upload's client was told. Then the version is
    /// there as a whole.
    async fn check(&self, upload: &Upload, figures: &mut Figures) {
        let version = &upload.version;
        let count = if let Some(answer) = self.read(version).await {
            version.assert_is(&answer);
            if upload.is_acknowledged {
                &mut figures.acknowledged
            } else {
                &mut figures.cut_but_whole
            }
        } else {
            let is_lost = upload.is_acknowledged;
            assert!(!is_lost, "{version} was stored and is gone");
            &mut figures.cut_and_absent
        };
        *count += 1;
        // The client that repeats it learns that it is there, also if it was not.
        let repeated = self.put(upload).await.unwrap();
        assert_eq!(repeated, StatusCode::OK, "{version}, once more");
        self.assert_whole(version).await;
    }

    fn url(&self, target: &str) -> String {
        format!("{}{target}", self.origin)
    }

    async fn send(&self, request: Builder, body: impl Into<Body>) -> Result<Answer, Ended> {
        let request = request.body(body.into()).unwrap();
        self.client.try_send(request).await.map_err(|_| Ended)
    }
}

/// The target of the URL that was minted.
fn target(minted: &Answer) -> String {
    minted.url().strip_prefix(URL_ORIGIN).unwrap().to_owned()
}

impl Version {
    fn assert_is(&self, answer: &Answer) {
        assert_eq!(answer.status, StatusCode::OK, "{self}");
        let content_type = answer.header(CONTENT_TYPE);
        assert_eq!(content_type, Some(self.binary.content_type), "{self}");
        // Not `assert_eq`, which would print both.
        assert!(answer.body == self.content, "{self} is not what was sent");
    }
}
