//! A host as a process, its database, its clients, and its answers.

pub mod postgres;
pub mod s3;

use std::fmt::Display;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE};
use axum::http::request::Builder;
use axum::http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::BodyExt as _;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::timeout;
use tower_presign_hosts::Host as Records;

use self::postgres::{Database, Postgres};
use self::s3::{BUCKET, S3};

/// The origin that URLs point to. Hosts have another address after each start.
pub const ORIGIN: &str = "http://storage.example.com";

/// Sees all of the tenant `acme`, and writes.
pub const DOCTOR: &str = "doctor";
/// Sees the compartment of the patient of that name.
pub const ANNA: &str = "anna";
/// As Anna, and does not write.
pub const BEN: &str = "ben";
/// Sees all of the tenant `globex`.
pub const STRANGER: &str = "stranger";

pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Says that a test is skipped; fails if `PRESIGN_REQUIRE_ALL` is set.
pub fn skip(why: impl Display) {
    assert!(std::env::var_os("PRESIGN_REQUIRE_ALL").is_none(), "{why}");
    // Not by `eprintln`, whose output is only shown of tests that fail.
    let line = format!("skipped: {why}\n");
    std::io::stderr().write_all(line.as_bytes()).unwrap();
}

/// Fails a test that waits in vain, rather than letting it hang.
pub async fn soon<F: Future>(future: F) -> F::Output {
    timeout(Duration::from_secs(60), future).await.expect("it takes too long")
}

/// Asks until the answer is yes.
pub async fn until(mut condition: impl AsyncFnMut() -> bool) {
    soon(async {
        while !condition().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
}

/// The things that outlive a host: its database, its bytes, its settings.
pub struct World {
    pub database: Database,
    pub s3: Option<S3>,
    folder: TempDir,
    pub variables: Vec<(String, String)>,
}

impl World {
    /// With content in a folder; none without a PostgreSQL.
    pub async fn new() -> Option<Self> {
        Some(Self::on(Postgres::shared()?).await)
    }

    pub async fn with_bucket() -> Option<Self> {
        let mut world = Self::new().await?;
        let s3 = S3::start().await;
        world.variables.extend(s3.variables());
        world.s3 = Some(s3);
        Some(world)
    }

    pub async fn on(postgres: &Postgres) -> Self {
        let database = postgres.database().await;
        for (tenant, name, patient, may_write) in [
            ("acme", DOCTOR, None, true),
            ("acme", ANNA, Some(ANNA), true),
            ("acme", BEN, Some(BEN), false),
            ("globex", STRANGER, None, true),
        ] {
            sqlx::query("INSERT INTO caller VALUES ($1, $2, $3, $4, $5)")
                .bind(Sha256::digest(name).to_vec())
                .bind(tenant)
                .bind(name)
                .bind(patient)
                .bind(may_write)
                .execute(&database.pool)
                .await
                .unwrap();
        }
        Self { database, s3: None, folder: tempfile::tempdir().unwrap(), variables: Vec::new() }
    }

    /// The records of a tenant, without the process.
    pub fn records(&self, tenant: &str) -> Records {
        let pool = self.database.pool.clone();
        Records { tenant: tenant.into(), pool, scanner: None, wake: Arc::default() }
    }

    pub fn content(&self) -> PathBuf {
        self.folder.path().join("content")
    }

    /// The files with content that a tenant has.
    pub fn files(&self, tenant: &str) -> Vec<PathBuf> {
        let mut files = Vec::new();
        match &self.s3 {
            None => walk(&self.content().join(tenant).join("content"), &mut files),
            Some(s3) => walk(&s3.folder.path().join(BUCKET).join(tenant), &mut files),
        }
        files
    }

    pub async fn start(&self) -> Host {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tower-presign-hosts"));
        let content = match &self.s3 {
            None => self.content().to_str().unwrap().to_owned(),
            Some(_) => format!("s3://{BUCKET}"),
        };
        command
            .env_clear()
            .env("HOSTS_DATABASE", &self.database.url)
            .env("HOSTS_CONTENT", content)
            .env("HOSTS_SECRET", "the tests' secret, which has 32 bytes and more")
            .env("HOSTS_TENANTS", "acme,globex")
            .env("HOSTS_LISTEN", "127.0.0.1:0")
            .env("HOSTS_ORIGIN", ORIGIN)
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .stdout(Stdio::piped())
            .kill_on_drop(true);
        let mut process = command.spawn().unwrap();
        let mut output = BufReader::new(process.stdout.take().unwrap());
        let mut line = String::new();
        soon(output.read_line(&mut line)).await.unwrap();
        assert!(!line.is_empty(), "the host has ended");
        let client = Client::builder(TokioExecutor::new()).build_http();
        Host { process, _output: output, address: line.trim_end().to_owned(), client }
    }
}

fn walk(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        // Files that the S3 server keeps beside its objects are hidden.
        if entry.file_name().to_string_lossy().starts_with('.') {
        } else if entry.file_type().unwrap().is_dir() {
            walk(&entry.path(), files);
        } else {
            files.push(entry.path());
        }
    }
}

pub struct Host {
    process: Child,
    /// Open as long as it runs, so that it can print.
    _output: BufReader<ChildStdout>,
    pub address: String,
    client: Client<HttpConnector, Body>,
}

impl Host {
    /// Ends the process as a crash does.
    pub async fn kill(&mut self) {
        self.process.start_kill().unwrap();
        let ended = self.process.wait().await.unwrap();
        assert!(!ended.success(), "SIGKILL cannot be caught");
    }

    /// A request to a path of the host, or with a presigned URL.
    pub fn request(&self, method: Method, url: &str) -> Builder {
        let target = url.strip_prefix(ORIGIN).unwrap_or(url);
        Request::builder().method(method).uri(format!("http://{}{target}", self.address))
    }

    pub async fn try_send(
        &self,
        request: Builder,
        body: impl Into<Body>,
    ) -> Result<Answer, BoxError> {
        let request = request.body(body.into())?;
        let response = soon(self.client.request(request)).await?;
        let (parts, body) = response.into_parts();
        let body = soon(body.collect()).await?.to_bytes();
        Ok(Answer { status: parts.status, headers: parts.headers, body })
    }

    pub async fn send(&self, request: Builder, body: impl Into<Body>) -> Answer {
        self.try_send(request, body).await.unwrap()
    }

    pub async fn get(&self, url: &str) -> Answer {
        self.send(self.request(Method::GET, url), "").await
    }

    pub async fn put(&self, url: &str, content: impl Into<Body>) -> Answer {
        let request = self.request(Method::PUT, url).header(CONTENT_TYPE, "image/png");
        self.send(request, content).await
    }

    /// A request of a caller.
    pub async fn call(&self, caller: &str, method: Method, path: &str) -> Answer {
        let request = self.request(method, path).header(AUTHORIZATION, format!("Bearer {caller}"));
        self.send(request, "").await
    }

    pub async fn post(&self, caller: &str, path: &str, resource: &Value) -> Answer {
        let request = self
            .request(Method::POST, path)
            .header(AUTHORIZATION, format!("Bearer {caller}"))
            .header(CONTENT_TYPE, "application/fhir+json");
        self.send(request, resource.to_string()).await
    }

    /// Creates an image in a patient's compartment of the tenant `acme`. Returns its path.
    pub async fn create(&self, caller: &str, patient: &str) -> String {
        let binary = json!({
            "resourceType": "Binary",
            "contentType": "image/png",
            "securityContext": { "reference": format!("Patient/{patient}") },
        });
        let created = self.post(caller, "/acme/fhir/Binary", &binary).await;
        assert_eq!(created.status, StatusCode::CREATED, "{created:?}");
        format!("/acme/fhir/Binary/{}", created.json()["id"].as_str().unwrap())
    }

    /// Asks for a URL.
    pub async fn mint(&self, caller: &str, binary: &str, query: &str) -> Answer {
        self.call(caller, Method::GET, &format!("{binary}/$presigned-url{query}")).await
    }

    /// An image with this content.
    pub async fn store(&self, caller: &str, patient: &str, content: &'static str) -> String {
        let binary = self.create(caller, patient).await;
        let url = self.mint(caller, &binary, "?upload=true").await.url();
        let stored = self.put(&url, content).await;
        assert_eq!(stored.status, StatusCode::OK, "{stored:?}");
        binary
    }
}

#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The URL that was minted.
    pub fn url(&self) -> String {
        let parameters = self.json();
        let url = parameters["parameter"][0]["valueUri"].as_str();
        url.unwrap_or_else(|| panic!("{self:?}")).to_owned()
    }

    #[track_caller]
    pub fn assert_refused(&self, status: u16, code: &str) {
        let outcome = self.json();
        let actual = outcome["issue"][0]["details"]["coding"][0]["code"].as_str();
        assert_eq!((self.status.as_u16(), actual), (status, Some(code)), "{self:?}");
    }

    #[track_caller]
    pub fn assert_content(&self, content: &str) {
        assert_eq!((self.status, self.body.as_ref()), (StatusCode::OK, content.as_bytes()));
    }
}
