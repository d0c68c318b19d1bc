//! The example server `axum`, as its own process: what it answers, what can be set, and what
//! survives its end.

use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use axum::body::Body;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_REQUEST_HEADERS,
    ACCESS_CONTROL_REQUEST_METHOD, ALLOW, AUTHORIZATION, CONTENT_DISPOSITION, CONTENT_LENGTH,
    CONTENT_SECURITY_POLICY, CONTENT_TYPE, LOCATION, ORIGIN, WWW_AUTHENTICATE,
    X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderName, Method, Request, StatusCode};
use serde_json::json;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::sleep;

use crate::support::client::Client;
use crate::support::example::example;
use crate::support::skip::skip;
use crate::support::{self, Answer, soon};

// The routes

#[tokio::test]
async fn the_page_and_its_files_are_served_and_need_nothing_from_elsewhere() {
    let server = Server::start(&[]).await;
    for (path, content_type) in [
        ("/", "text/html; charset=utf-8"),
        ("/page/page.css", "text/css; charset=utf-8"),
        ("/page/page.js", "text/javascript; charset=utf-8"),
    ] {
        let answer = server.get(path).send().await;
        assert_eq!(answer.status, StatusCode::OK, "{path}");
        assert_eq!(answer.header(CONTENT_TYPE), Some(content_type));
        assert!(!answer.text().contains("//cdn"), "{path}");
        assert!(!answer.text().contains("https://"), "{path}");
    }
}

#[tokio::test]
async fn the_capability_statement_lists_the_operation() {
    let server = Server::start(&[]).await;
    let answer = server.get("/fhir/R4/metadata").send().await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.header(CONTENT_TYPE), Some("application/fhir+json"));
    let statement = answer.json();
    assert_eq!(statement["resourceType"], "CapabilityStatement");
    let binary = &statement["rest"][0]["resource"][0];
    assert_eq!(binary["type"], "Binary");
    let operation = &binary["operation"][0];
    assert_eq!(operation["name"], "presigned-url");

    let definition = operation["definition"].as_str().unwrap();
    let (_, path) = definition.split_once("/fhir/R4/").unwrap();
    let answer = server.get(format!("/fhir/R4/{path}")).send().await;
    assert_eq!(answer.json()["url"], definition);
    assert_eq!(answer.json()["code"], "presigned-url");
}

#[tokio::test]
async fn a_path_that_does_not_exist_is_an_operation_outcome() {
    let server = Server::start(&[]).await;
    for path in ["/fhir/R4/Patient/1", "/fhir/R4/Binary/no_id", "/elsewhere"] {
        let answer = server.get(path).token("demo").send().await;
        assert_refused(&answer, 404, "not-found");
    }
    let answer = server.request(Method::DELETE, "/fhir/R4/Binary").send();
    let answer = answer.await;
    assert_refused(&answer, 405, "not-supported");
    assert_eq!(answer.header(ALLOW), Some("POST"));
}

// Creating and reading Binaries

#[tokio::test]
async fn content_that_is_posted_comes_back_by_its_id_and_by_its_location() {
    let server = Server::start(&[]).await;
    let content = content();
    let created = server
        .post("/fhir/R4/Binary", "image/png", content.clone())
        .send()
        .await;
    assert_eq!(created.status, StatusCode::CREATED);
    let binary = created.json();
    let id = binary["id"].as_str().unwrap();
    let expected = json!({
        "resourceType": "Binary",
        "id": id,
        "meta": { "versionId": "1" },
        "contentType": "image/png",
    });
    assert_eq!(binary, expected);
    let location = created.header(LOCATION).unwrap();
    assert_eq!(location, format!("/fhir/R4/Binary/{id}/_history/1"));

    for path in [&format!("/fhir/R4/Binary/{id}"), location] {
        let answer = server.get(path).token("demo").send().await;
        assert_eq!(answer.status, StatusCode::OK);
        assert_eq!(answer.header(CONTENT_TYPE), Some("image/png"));
        let length = content.len().to_string();
        assert_eq!(answer.header(CONTENT_LENGTH), Some(&*length));
        let expected = format!("inline; filename=\"{id}.png\"");
        assert_eq!(answer.header(CONTENT_DISPOSITION), Some(&*expected));
        assert!(answer.body == content);
    }
}

#[tokio::test]
async fn content_that_is_no_image_is_neither_guessed_at_nor_run_nor_shown() {
    let server = Server::start(&[]).await;
    for content_type in ["text/html", "image/svg+xml"] {
        let id = server.create(content_type, "<script>").await;
        let path = format!("/fhir/R4/Binary/{id}");
        let answer = server.get(path).token("demo").send().await;
        let disposition = answer.header(CONTENT_DISPOSITION).unwrap();
        assert!(disposition.starts_with("attachment"), "{disposition}");
        assert_eq!(answer.header(X_CONTENT_TYPE_OPTIONS), Some("nosniff"));
        let policy = answer.header(CONTENT_SECURITY_POLICY).unwrap();
        assert!(policy.contains("sandbox"), "{policy}");
    }
}

#[tokio::test]
async fn a_resource_and_the_content_in_it_are_two_forms_of_the_same() {
    let server = Server::start(&[]).await;
    // Of a length that is no multiple of three, and more than one chunk.
    let content = content();
    let resource = json!({
        "resourceType": "Binary",
        "contentType": "image/png",
        "data": STANDARD.encode(&content),
    });
    let created = server
        .post(
            "/fhir/R4/Binary",
            "application/fhir+json",
            resource.to_string(),
        )
        .send()
        .await;
    assert_eq!(created.status, StatusCode::CREATED);

    let location = created.header(LOCATION).unwrap();
    let raw = server.get(location).token("reader").send().await;
    assert!(raw.body == content);

    let accept = "application/fhir+json; fhirVersion=4.0, */*;q=0.1";
    let get = server.get(location).token("reader");
    let answer = get.header(http::header::ACCEPT, accept).send().await;
    assert_eq!(answer.header(CONTENT_TYPE), Some("application/fhir+json"));
    let mut expected = created.json();
    expected["data"] = STANDARD.encode(&content).into();
    assert!(answer.json() == expected);
}

#[tokio::test]
async fn json_is_a_resource_if_it_says_so_and_content_otherwise() {
    let server = Server::start(&[]).await;
    let post = async |json: &str| {
        let post = server.post("/fhir/R4/Binary", "application/json", json.to_owned());
        let binary = post.send().await.json();
        binary["contentType"].as_str().unwrap().to_owned()
    };
    let binary = r#"{ "contentType": "text/plain", "resourceType": "Binary", "data": "aGk\n=" }"#;
    assert_eq!(post(binary).await, "text/plain");
    assert_eq!(
        post(r#"{"resourceType":"Patient"}"#).await,
        "application/json"
    );
    assert_eq!(post("[1, 2]").await, "application/json");
    // Too long for a resource, so it need not be looked at as a whole.
    let long = format!("[{}1]", "1,".repeat(17 * 1024 * 1024));
    assert_eq!(post(&long).await, "application/json");
}

#[tokio::test]
async fn a_resource_that_is_no_binary_is_refused() {
    let server = Server::start(&[]).await;
    let fhir = "application/fhir+json";
    let patient = r#"{"resourceType":"Patient"}"#;
    let no_type = r#"{"resourceType":"Binary"}"#;
    let no_base64 = r#"{"resourceType":"Binary","contentType":"text/plain","data":"?"}"#;
    let long = "1".repeat(33 * 1024 * 1024);
    for (content_type, content, status) in [
        (fhir, patient, StatusCode::BAD_REQUEST),
        (fhir, no_type, StatusCode::BAD_REQUEST),
        (fhir, no_base64, StatusCode::BAD_REQUEST),
        (fhir, &long, StatusCode::PAYLOAD_TOO_LARGE),
        (
            "application/fhir+xml",
            "<Binary/>",
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
        ),
        ("no type", "text", StatusCode::UNSUPPORTED_MEDIA_TYPE),
        ("text/plain", "", StatusCode::BAD_REQUEST),
    ] {
        let post = server.post("/fhir/R4/Binary", content_type, content.to_owned());
        let answer = post.send().await;
        assert_eq!(answer.status, status, "{content_type}");
        assert_eq!(answer.json()["resourceType"], "OperationOutcome");
    }
}

// Presigned URLs

#[tokio::test]
async fn a_binary_is_created_uploaded_and_downloaded() {
    let server = Server::start(&[]).await;
    let id = server.create_empty("image/png").await;
    let path = format!("/fhir/R4/Binary/{id}");
    let answer = server.get(&path).token("demo").send().await;
    assert_refused(&answer, 404, "not-found");
    let resource = server.get(&path).token("demo");
    let resource = resource.header(http::header::ACCEPT, "application/fhir+json");
    let resource = resource.send().await;
    assert_eq!(resource.json()["contentType"], "image/png");

    let content = content();
    let write_url = server.mint(&id, "?upload=true").await;
    let answer = put(&write_url, content.clone()).await;
    assert_eq!(answer.status, StatusCode::OK);
    let answer = put(&write_url, content.clone()).await;
    assert_eq!(answer.status, StatusCode::OK);
    let answer = put(&write_url, content.slice(1..)).await;
    assert_refused(&answer, 412, "conflict");

    let answer = get(&server.mint(&id, "").await).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.header(CONTENT_TYPE), Some("image/png"));
    assert!(answer.body == content);
}

#[tokio::test]
async fn the_commands_that_it_prints_work_as_printed() {
    let server = Server::start(&[("PRESIGN_TOKEN", "another-token")]).await;
    if Command::new("curl").arg("-V").output().await.is_err() {
        skip("there is no curl");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut bash = Command::new("bash");
    bash.args(["-e", "-o", "pipefail", "-c", server.commands()]);
    let output = bash.env("TMPDIR", folder.path()).output().await.unwrap();
    assert!(output.status.success(), "{output:?}");
    let output = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output, "The content came back as it was sent.\n");
}

#[tokio::test]
async fn the_readme_has_the_commands_that_it_prints() {
    let server = Server::start(&[]).await;
    let commands = server.commands();
    let commands = commands.replace(&server.origin, "http://127.0.0.1:3000");
    assert!(
        include_str!("../../README.md").contains(&commands),
        "{commands}"
    );
}

// The rights of each token

#[tokio::test]
async fn the_reader_may_read_and_not_write() {
    let server = Server::start(&[]).await;
    let id = server.create("text/plain", "text").await;
    let path = format!("/fhir/R4/Binary/{id}");
    for path in [&path, &format!("{path}/$presigned-url")] {
        let answer = server.get(path).token("reader").send().await;
        assert_eq!(answer.status, StatusCode::OK, "{path}");
    }
    let url = format!("{path}/$presigned-url?upload=true");
    let answer = server.get(url).token("reader").send().await;
    assert_refused(&answer, 403, "forbidden");
    let post = server.post("/fhir/R4/Binary", "text/plain", "text");
    let answer = post.token("reader").send().await;
    assert_refused(&answer, 403, "forbidden");
}

#[tokio::test]
async fn without_a_known_token_one_is_asked_for() {
    let server = Server::start(&[]).await;
    let id = server.create("text/plain", "text").await;
    let path = format!("/fhir/R4/Binary/{id}");
    for path in [&path, &format!("{path}/$presigned-url")] {
        for request in [server.get(path), server.get(path).token("unknown")] {
            let answer = request.send().await;
            assert_refused(&answer, 401, "login");
            assert_eq!(answer.header(WWW_AUTHENTICATE), Some("Bearer"));
        }
    }
    let post = server.post("/fhir/R4/Binary", "text/plain", "text");
    let answer = post.token("unknown").send().await;
    assert_refused(&answer, 401, "login");
}

#[tokio::test]
async fn the_tokens_can_be_set() {
    let tokens = [("PRESIGN_TOKEN", "all"), ("PRESIGN_READ_TOKEN", "some")];
    let server = Server::start(&tokens).await;
    for (token, status) in [
        ("all", StatusCode::NOT_FOUND),
        ("some", StatusCode::NOT_FOUND),
        ("demo", StatusCode::UNAUTHORIZED),
        ("reader", StatusCode::UNAUTHORIZED),
    ] {
        let answer = server.get("/fhir/R4/Binary/1").token(token).send().await;
        assert_eq!(answer.status, status, "{token}");
    }
}

#[tokio::test]
async fn a_page_of_another_origin_is_told_in_advance_what_it_may_send() {
    let server = Server::start(&[]).await;
    for path in [
        "/storage/scan/1",
        "/fhir/R4/Binary",
        "/fhir/R4/Binary/scan/$presigned-url",
    ] {
        let answer = server
            .request(Method::OPTIONS, path)
            .header(ORIGIN, "https://app.example.com")
            .header(ACCESS_CONTROL_REQUEST_METHOD, "PUT")
            .header(ACCESS_CONTROL_REQUEST_HEADERS, "authorization,x-anything")
            .send()
            .await;
        assert!(answer.status.is_success(), "{path}");
        let origin = answer.header(ACCESS_CONTROL_ALLOW_ORIGIN);
        assert_eq!(origin, Some("https://app.example.com"));
        let credentials = answer.header(ACCESS_CONTROL_ALLOW_CREDENTIALS);
        assert_eq!(credentials, Some("true"));
        let headers = answer.header(ACCESS_CONTROL_ALLOW_HEADERS);
        assert_eq!(headers, Some("authorization,x-anything"));
        let methods = answer.header(ACCESS_CONTROL_ALLOW_METHODS);
        assert_eq!(methods, Some("GET,HEAD,PUT,POST,PATCH,DELETE,OPTIONS"));
    }
}

#[tokio::test]
async fn a_page_of_another_origin_can_read_answers_and_refusals() {
    let server = Server::start(&[]).await;
    let id = server.create("text/plain", "text").await;
    let url = server.mint(&id, "").await;
    for (url, status) in [
        (url.as_str(), StatusCode::OK),
        (
            url.trim_end_matches(char::is_alphanumeric),
            StatusCode::FORBIDDEN,
        ),
    ] {
        let request = Request::get(url).header(ORIGIN, "https://app.example.com");
        let request = request.body(Body::empty()).unwrap();
        let answer = Client::http1().send(request).await;
        assert_eq!(answer.status, status);
        let origin = answer.header(ACCESS_CONTROL_ALLOW_ORIGIN);
        assert_eq!(origin, Some("https://app.example.com"));
        let credentials = answer.header(ACCESS_CONTROL_ALLOW_CREDENTIALS);
        assert_eq!(credentials, Some("true"));
        let exposed = answer.header(ACCESS_CONTROL_EXPOSE_HEADERS);
        let expected = "etag,accept-ranges,content-range,content-disposition,location,repr-digest,\
            upload-offset,upload-length,upload-expires,upload-complete,upload-limit,tus-resumable,\
            tus-version,tus-extension,tus-max-size";
        assert_eq!(exposed, Some(expected));
    }
}

// The settings

#[tokio::test]
async fn a_url_ends_after_the_seconds_that_are_set() {
    let server = Server::start(&[("PRESIGN_TTL", "1")]).await;
    let id = server.create("text/plain", "text").await;
    let url = server.mint(&id, "").await;
    let expired = soon(async {
        loop {
            let answer = get(&url).await;
            if answer.status != StatusCode::OK {
                return answer;
            }
            sleep(Duration::from_millis(20)).await;
        }
    });
    let expired = expired.await;
    assert_refused(&expired, 403, "expired");
}

#[tokio::test]
async fn content_is_limited_on_each_of_the_ways_in() {
    let server = Server::start(&[("PRESIGN_MAX_UPLOAD", "4")]).await;
    let resource = |data: &str| {
        let data = STANDARD.encode(data);
        json!({ "resourceType": "Binary", "contentType": "text/plain", "data": data }).to_string()
    };
    for (content_type, within, beyond) in [
        ("text/plain", "1234".to_owned(), "12345".to_owned()),
        ("application/fhir+json", resource("1234"), resource("12345")),
    ] {
        let answer = server.post("/fhir/R4/Binary", content_type, within).send();
        assert_eq!(answer.await.status, StatusCode::CREATED);
        let answer = server.post("/fhir/R4/Binary", content_type, beyond).send();
        let answer = answer.await;
        assert_refused(&answer, 413, "too-long");
    }
    let id = server.create_empty("image/png").await;
    let url = server.mint(&id, "?upload=true").await;
    let answer = put(&url, Bytes::from("12345")).await;
    assert_refused(&answer, 413, "too-long");
    assert_eq!(put(&url, Bytes::from("1234")).await.status, StatusCode::OK);
}

#[tokio::test]
async fn urls_start_with_the_storage_url_that_is_set() {
    let storage_url = "https://files.example.com/content";
    let server = Server::start(&[("PRESIGN_STORAGE_URL", storage_url)]).await;
    let id = server.create("text/plain", "text").await;
    let url = server.mint(&id, "").await;
    let target = url.strip_prefix("https://files.example.com").unwrap();
    assert!(target.starts_with(&format!("/content/{id}/1?")), "{url}");
    let answer = server.get(target).send().await;
    assert_eq!(answer.text(), "text");
}

#[tokio::test]
async fn servers_with_the_same_secret_serve_each_others_urls() {
    let storage_url = ("PRESIGN_STORAGE_URL", "https://files.example.com/content");
    let start = async |secret| Server::start(&[storage_url, ("PRESIGN_SECRET", secret)]).await;
    let secret = "00112233445566778899aabbccddeeff00112233445566778899AABBCCDDEEFF";
    let minter = start(secret).await;
    assert!(!minter.data().join("secret").exists());
    let id = minter.create("text/plain", "text").await;
    let url = minter.mint(&id, "").await;
    let target = url.strip_prefix("https://files.example.com").unwrap();

    // It has no such content, which it tells because the signature is right.
    let answer = start(secret).await.get(target).send().await;
    assert_refused(&answer, 404, "not-found");
    let other = secret.replace("00", "01");
    let answer = start(&other).await.get(target).send().await;
    assert_refused(&answer, 403, "security");
}

#[tokio::test]
async fn a_setting_that_cannot_be_is_named() {
    for (name, value) in [
        ("PRESIGN_LISTEN", "nowhere"),
        ("PRESIGN_DATA", "/dev/null/folder"),
        ("PRESIGN_STORAGE_URL", "files.example.com"),
        ("PRESIGN_STORAGE_URL", "https://files.example.com"),
        ("PRESIGN_TOKEN", "it's"),
        ("PRESIGN_READ_TOKEN", ""),
        ("PRESIGN_SECRET", "no hex"),
        ("PRESIGN_SECRET", "abc"),
        ("PRESIGN_SECRET", "0011"),
        ("PRESIGN_TTL", "0"),
        ("PRESIGN_TTL", "an hour"),
        ("PRESIGN_MAX_UPLOAD", "-1"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let mut server = example(&folder.path().join("data"));
        let output = server.env(name, value).output();
        let output = soon(output).await.unwrap();
        assert!(!output.status.success(), "{name}={value}");
        let error = String::from_utf8(output.stderr).unwrap();
        assert!(error.starts_with(name), "{name}={value}: {error}");
        assert_eq!(error.lines().count(), 1, "{error}");
    }
}

// Content that survives

#[tokio::test]
async fn content_and_urls_survive_a_restart() {
    let storage_url = ("PRESIGN_STORAGE_URL", "https://files.example.com/content");
    let server = Server::start(&[storage_url]).await;
    let content = content();
    let id = server.create("image/png", content.clone()).await;
    let url = server.mint(&id, "").await;
    let target = url.strip_prefix("https://files.example.com").unwrap();

    let server = server.restart(&[storage_url]).await;
    let answer = server.get(target).send().await;
    assert_eq!(answer.status, StatusCode::OK);
    assert!(answer.body == content);
}

#[cfg(unix)]
#[tokio::test]
async fn the_secret_is_for_the_servers_own_user_alone() {
    use std::os::unix::fs::PermissionsExt as _;

    let server = Server::start(&[]).await;
    let secret = server.data().join("secret").metadata().unwrap();
    assert_eq!(secret.permissions().mode() & 0o777, 0o600);
    assert_eq!(secret.len(), 32);
}

#[cfg(unix)]
#[tokio::test]
async fn an_upload_that_runs_when_the_server_is_told_to_stop_is_finished() {
    let mut server = Server::start(&[]).await;
    let id = server.create_empty("image/png").await;
    let url = server.mint(&id, "?upload=true").await;
    let address = server.origin.strip_prefix("http://").unwrap();
    let target = url.strip_prefix(&server.origin).unwrap();
    let content = content();
    let (first, rest) = content.split_at(content.len() / 2);

    let mut upload = TcpStream::connect(address).await.unwrap();
    let length = content.len();
    let head = format!(
        "PUT {target} HTTP/1.1\r\nHost: {address}\r\n\
         Content-Type: image/png\r\nContent-Length: {length}\r\n\
         Expect: 100-continue\r\n\r\n"
    );
    upload.write_all(head.as_bytes()).await.unwrap();
    // The sign that the upload runs.
    let mut go_ahead = [0; 25];
    upload.read_exact(&mut go_ahead).await.unwrap();
    assert_eq!(&go_ahead, b"HTTP/1.1 100 Continue\r\n\r\n");
    upload.write_all(first).await.unwrap();
    server.tell_to_stop().await;
    // It accepts nothing new.
    while TcpStream::connect(address).await.is_ok() {
        sleep(Duration::from_millis(10)).await;
    }
    upload.write_all(rest).await.unwrap();
    let mut answer = String::new();
    upload.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert!(server.end().await.success());

    let server = server.restart(&[]).await;
    let answer = server.get(format!("/fhir/R4/Binary/{id}")).token("demo");
    assert!(answer.send().await.body == content);
}

// A server, and its clients

/// 3 MB, and not a multiple of 3 bytes.
fn content() -> Bytes {
    support::body::content(3_000_001, 0)
}

struct Server {
    process: Child,
    /// Open as long as the server runs, so that it can print.
    _output: BufReader<ChildStdout>,
    printed: String,
    origin: String,
    folder: TempDir,
}

impl Server {
    async fn start(settings: &[(&str, &str)]) -> Self {
        Self::start_in(tempfile::tempdir().unwrap(), settings).await
    }

    async fn start_in(folder: TempDir, settings: &[(&str, &str)]) -> Self {
        let mut process = example(&folder.path().join("data"))
            .envs(settings.iter().copied())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut output = BufReader::new(process.stdout.take().unwrap());
        let mut printed = String::new();
        while !printed.contains("\ncmp ") {
            let line = output.read_line(&mut printed);
            let length = soon(line).await.unwrap();
            assert_ne!(length, 0, "it ended after it printed {printed}");
        }
        let (_, origin) = printed.split_once("Demo page: ").unwrap();
        let origin = origin.lines().next().unwrap().trim_end_matches('/');
        Self {
            process,
            _output: output,
            origin: origin.to_owned(),
            printed,
            folder,
        }
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// The commands to try it, out of what it has printed.
    fn commands(&self) -> &str {
        let start = self.printed.find("api=").unwrap();
        self.printed[start..].trim_end()
    }

    #[cfg(unix)]
    async fn tell_to_stop(&self) {
        let kill = format!("kill -TERM {}", self.process.id().unwrap());
        let status = Command::new("sh").args(["-c", &kill]).status().await;
        assert!(status.unwrap().success());
    }

    async fn end(&mut self) -> ExitStatus {
        soon(self.process.wait()).await.unwrap()
    }

    /// Ends it, as hard as can be if it still runs, and starts another with its data.
    async fn restart(mut self, settings: &[(&str, &str)]) -> Self {
        self.process.kill().await.unwrap();
        Self::start_in(self.folder, settings).await
    }

    fn request(&self, method: Method, path: impl AsRef<str>) -> Outgoing {
        let url = format!("{}{}", self.origin, path.as_ref());
        let mut request = Request::new(Body::empty());
        *request.method_mut() = method;
        *request.uri_mut() = url.parse().unwrap();
        Outgoing(request)
    }

    fn get(&self, path: impl AsRef<str>) -> Outgoing {
        self.request(Method::GET, path)
    }

    /// With the token that may do everything.
    fn post(&self, path: &str, content_type: &str, content: impl Into<Body>) -> Outgoing {
        let mut post = self.request(Method::POST, path);
        *post.0.body_mut() = content.into();
        post.header(CONTENT_TYPE, content_type).token("demo")
    }

    /// Creates a Binary with content, and returns its id.
    async fn create(&self, content_type: &str, content: impl Into<Body>) -> String {
        let post = self.post("/fhir/R4/Binary", content_type, content);
        let binary = post.send().await.json();
        binary["id"].as_str().unwrap().to_owned()
    }

    async fn create_empty(&self, content_type: &str) -> String {
        let resource = json!({ "resourceType": "Binary", "contentType": content_type });
        self.create("application/fhir+json", resource.to_string())
            .await
    }

    async fn mint(&self, id: &str, query: &str) -> String {
        let path = format!("/fhir/R4/Binary/{id}/$presigned-url{query}");
        self.get(path).token("demo").send().await.url()
    }
}

struct Outgoing(Request<Body>);

impl Outgoing {
    fn header(mut self, name: HeaderName, value: &str) -> Self {
        self.0.headers_mut().insert(name, value.parse().unwrap());
        self
    }

    fn token(self, token: &str) -> Self {
        self.header(AUTHORIZATION, &format!("Bearer {token}"))
    }

    async fn send(self) -> Answer {
        Client::http1().send(self.0).await
    }
}

async fn get(url: &str) -> Answer {
    Client::http1().get(url).await
}

async fn put(url: &str, content: impl Into<Body>) -> Answer {
    Client::http1().put(url, content).await
}

/// The answer refuses with this status, for this FHIR issue type.
#[track_caller]
fn assert_refused(answer: &Answer, status: u16, issue_type: &str) {
    assert_eq!(answer.status, status, "{answer:?}");
    let outcome = answer.json();
    assert_eq!(outcome["resourceType"], "OperationOutcome");
    assert_eq!(outcome["issue"][0]["code"], issue_type);
}
