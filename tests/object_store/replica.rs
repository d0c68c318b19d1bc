//! The example server `cloud`, as a process.

use super::engines::{ACCESS_KEY, BUCKET, S3Server, SECRET_KEY};
use super::*;
use crate::support::example::example_named;
use crate::support::server::{URL_ORIGIN, start};
use http::Request;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http_body_util::BodyExt as _;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;
use tokio::io::BufReader;
use tokio::process::{Child, ChildStdout};

pub struct Replica {
    origin: String,
    process: Child,
    _output: BufReader<ChildStdout>,
}

impl Replica {
    pub async fn start(store: &S3Server, keys: &str) -> Self {
        let mut command = example_named("cloud");
        command
            .env("PRESIGN_STORE", format!("s3://{BUCKET}/below/a/path"))
            .env("PRESIGN_KEYS", keys)
            .env("AWS_ENDPOINT", &store.endpoint)
            .env("AWS_ALLOW_HTTP", "true")
            .env("AWS_REGION", "us-east-1")
            // The store is in this process, which may have much else to do.
            .env("PRESIGN_PATIENCE", "60")
            .env("AWS_ACCESS_KEY_ID", ACCESS_KEY)
            .env("AWS_SECRET_ACCESS_KEY", SECRET_KEY);
        let (process, output, origin) = start(command).await;
        Self {
            origin,
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
        let url = url.replace(URL_ORIGIN, &self.origin);
        let request = Request::put(url).header(CONTENT_TYPE, "image/png");
        self.send(request.body(content.into()).unwrap()).await.0
    }

    pub async fn get(&self, url: &str) -> (StatusCode, Bytes) {
        let request = Request::get(url.replace(URL_ORIGIN, &self.origin));
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
