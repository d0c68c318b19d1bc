//! The example server `cloud`, as a process.

use std::process::Stdio;
use std::time::Duration;

use super::engines::{ACCESS_KEY, BUCKET, S3Server, SECRET_KEY};
use super::*;
use crate::example::example_named;
use http::Request;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http_body_util::BodyExt as _;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, ChildStdout};
use tokio::time::timeout;

const DEADLINE: Duration = Duration::from_secs(30);

/// What presigned URLs start with. Tests send them to the server that they mean.
const ORIGIN: &str = "http://storage.example.com";

pub struct Replica {
    origin: String,
    process: Child,
    _output: BufReader<ChildStdout>,
}

impl Replica {
    pub async fn start(store: &S3Server, keys: &str) -> Self {
        let mut process = example_named("cloud")
            .env("PRESIGN_STORE", format!("s3://{BUCKET}/below/a/path"))
            .env("PRESIGN_STORAGE_URL", format!("{ORIGIN}/storage"))
            .env("PRESIGN_KEYS", keys)
            .env("AWS_ENDPOINT", &store.endpoint)
            .env("AWS_ALLOW_HTTP", "true")
            .env("AWS_REGION", "us-east-1")
            // To put the parts of an upload together takes this server long.
            .env("AWS_TIMEOUT", "10 minutes")
            .env("AWS_ACCESS_KEY_ID", ACCESS_KEY)
            .env("AWS_SECRET_ACCESS_KEY", SECRET_KEY)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut output = BufReader::new(process.stdout.take().unwrap());
        let mut line = String::new();
        let length = timeout(DEADLINE, output.read_line(&mut line)).await;
        assert_ne!(length.unwrap().unwrap(), 0, "the server has ended");
        let origin = line.strip_prefix("Demo page: ").unwrap();
        Self {
            origin: origin.trim_end().trim_end_matches('/').to_owned(),
            process,
            _output: output,
        }
    }

    pub async fn send(&self, request: Request<Body>) -> (StatusCode, Bytes) {
        let client = Client::builder(TokioExecutor::new()).build_http();
        let response = client.request(request).await.unwrap();
        let status = response.status();
        (
            status,
            response.into_body().collect().await.unwrap().to_bytes(),
        )
    }

    pub async fn create(&self) -> String {
        let request = Request::post(format!("{}/fhir/R4/Binary", self.origin))
            .header(AUTHORIZATION, "Bearer demo")
            .header(CONTENT_TYPE, "application/fhir+json");
        let binary = r#"{"resourceType":"Binary","contentType":"image/png"}"#;
        let (status, body) = self.send(request.body(binary.into()).unwrap()).await;
        assert_eq!(status, StatusCode::CREATED, "{body:?}");
        let binary: Value = serde_json::from_slice(&body).unwrap();
        binary["id"].as_str().unwrap().to_owned()
    }

    pub async fn mint(&self, id: &str, query: &str) -> String {
        let operation = format!("{}/fhir/R4/Binary/{id}/$presigned-url{query}", self.origin);
        let request = Request::get(operation).header(AUTHORIZATION, "Bearer demo");
        let (status, body) = self.send(request.body(Body::empty()).unwrap()).await;
        assert_eq!(status, StatusCode::OK, "{body:?}");
        let parameters: Value = serde_json::from_slice(&body).unwrap();
        let url = parameters["parameter"][0]["valueUri"].as_str();
        url.unwrap().to_owned()
    }

    pub async fn put(&self, url: &str, content: impl Into<Body>) -> StatusCode {
        let url = url.replace(ORIGIN, &self.origin);
        let request = Request::put(url).header(CONTENT_TYPE, "image/png");
        self.send(request.body(content.into()).unwrap()).await.0
    }

    pub async fn get(&self, url: &str) -> (StatusCode, Bytes) {
        let request = Request::get(url.replace(ORIGIN, &self.origin));
        self.send(request.body(Body::empty()).unwrap()).await
    }

    /// The most memory that the process has had, in bytes.
    #[cfg(target_os = "linux")]
    pub fn peak_memory(&self) -> u64 {
        let status = format!("/proc/{}/status", self.process.id().unwrap());
        let status = std::fs::read_to_string(status).unwrap();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kibibytes = peak.unwrap().trim().trim_end_matches(" kB");
        kibibytes.parse::<u64>().unwrap() * 1024
    }
}
