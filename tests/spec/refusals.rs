//! The table of refusals: each code, provoked in every way there is to it.

use std::io;
use std::time::Duration;

use axum::body::Body;
use http::Method;
use tower_presign::store::RepositoryError;
use tower_presign::{
    Accepting, AccessPolicy, BinaryRepository, Denial, MemoryRepository, MemoryUseLedger,
    MintRequest, PresignLayer, RedeemRequest, RefusalCode, Terms,
};

use crate::support;
use crate::support::body::broken;
use crate::support::repository::{Failing, Shelf};
use crate::support::*;

const OPERATION: &str = "/fhir/R4/Binary/scan/$presigned-url";

/// The code, its status and FHIR issue type, and the header that must come with it.
type Row = (&'static str, u16, &'static str, Option<&'static str>);

const TABLE: [Row; 29] = [
    ("missing-signature", 403, "security", None),
    ("invalid-signature", 403, "security", None),
    ("expired", 403, "expired", None),
    ("lifetime-too-long", 403, "security", None),
    ("method-not-allowed", 405, "not-supported", Some("allow")),
    ("login-required", 401, "login", Some("www-authenticate")),
    ("forbidden", 403, "forbidden", None),
    ("not-found", 404, "not-found", None),
    ("deleted", 410, "deleted", None),
    ("invalid-parameter", 400, "value", None),
    ("not-acceptable", 406, "not-supported", None),
    ("precondition-failed", 412, "conflict", Some("etag")),
    ("already-written", 412, "conflict", Some("etag")),
    ("too-large", 413, "too-long", None),
    ("content-type-mismatch", 415, "not-supported", None),
    ("range-not-satisfiable", 416, "value", Some("content-range")),
    ("empty-body", 400, "required", None),
    ("incomplete-body", 400, "incomplete", None),
    ("upload-timeout", 408, "timeout", None),
    ("digest-mismatch", 400, "value", None),
    ("used", 410, "expired", None),
    ("rejected", 422, "business-rule", None),
    ("offset-mismatch", 409, "conflict", Some("upload-offset")),
    ("unsupported-coding", 501, "not-supported", None),
    ("storage-full", 507, "no-store", None),
    ("unavailable", 503, "transient", Some("retry-after")),
    ("not-ready", 503, "transient", Some("retry-after")),
    ("too-many-requests", 429, "throttled", Some("retry-after")),
    ("internal", 500, "exception", None),
];

/// Text that nobody outside may see.
const INTERNALS: &str = "password=hunter2 at db.internal:5432, /var/lib/binaries/scan/v1";

/// Denies everything.
struct Denying(fn() -> Denial);

impl AccessPolicy for Denying {
    async fn mint(&self, _: MintRequest) -> Result<Terms, Denial> {
        Err(self.0())
    }

    async fn redeem(&self, _: RedeemRequest<'_>) -> Result<(), Denial> {
        // Of what has not been seen nobody knows that it is not wanted.
        if self.0().code() == RefusalCode::Rejected {
            return Ok(());
        }
        Err(self.0())
    }

    async fn accept(&self, _: Accepting<'_>) -> Result<(), Denial> {
        Err(self.0())
    }
}

/// A layer over an empty `scan`, and URLs that read and write it.
struct Fixture {
    layer: PresignLayer,
    read: String,
    write: String,
}

impl Fixture {
    async fn new() -> Self {
        let layer = layer(scan("image/png"));
        Self {
            read: mint(&layer, "scan").await,
            write: mint_upload(&layer, "scan").await,
            layer,
        }
    }

    async fn put(&self, body: impl Into<Body>) -> Answer {
        put(&self.layer, &self.write, body).await
    }

    async fn put_with(&self, name: &str, value: &str) -> Answer {
        put_with(&self.layer, &self.write, &[(name, value)], "content").await
    }

    async fn post(&self, content_type: &str, body: impl Into<Body>) -> Answer {
        let headers = [("content-type", content_type)];
        call(
            &self.layer,
            request(Method::POST, OPERATION, &headers, body),
        )
        .await
    }

    async fn at(&self, time: u64) -> Answer {
        get(&self.layer.clone().clock(move || at(time)), &self.read).await
    }

    /// The operation, a download and an upload at a layer over this repository.
    async fn over(&self, repository: impl BinaryRepository) -> Vec<Answer> {
        self.at_layer(&layer(repository)).await
    }

    async fn denied(&self, denial: fn() -> Denial) -> Vec<Answer> {
        let layer = PresignLayer::new(signer(), MemoryRepository::new(), Denying(denial));
        self.at_layer(&layer.clock(|| at(NOW))).await
    }

    async fn at_layer(&self, layer: &PresignLayer) -> Vec<Answer> {
        vec![
            get(layer, OPERATION).await,
            get(layer, &self.read).await,
            put(layer, &self.write, "content").await,
        ]
    }
}

#[expect(clippy::too_many_lines, reason = "as long as the table")]
async fn provoke(code: &str) -> Vec<Answer> {
    let fixture = Fixture::new().await;
    let Fixture { layer, read, write } = &fixture;
    match code {
        "missing-signature" => {
            let unsigned = read.split("&Signature").next().unwrap();
            vec![get(layer, "/binary").await, get(layer, unsigned).await]
        }
        "invalid-signature" => vec![
            get(layer, &read.replace("/scan/", "/other/")).await,
            get(layer, &read.replace("Id=test", "Id=unknown")).await,
            get(layer, &format!("{read}&password=hunter2")).await,
        ],
        "expired" => vec![fixture.at(NOW + 3600).await],
        "lifetime-too-long" => vec![fixture.at(NOW - 7 * 24 * 3600).await],
        "method-not-allowed" => vec![
            put(layer, OPERATION, "content").await,
            put(layer, read, "content").await,
            get(layer, write).await,
        ],
        "login-required" => fixture.denied(Denial::login_required).await,
        "forbidden" => fixture.denied(Denial::forbidden).await,
        "too-many-requests" => {
            fixture
                .denied(|| Denial::too_many_requests(Duration::from_secs(9)))
                .await
        }
        "not-found" => {
            let bad_id = "/Binary/no_id/$presigned-url";
            let mut answers = fixture.over(MemoryRepository::new()).await;
            answers.push(get(layer, bad_id).await);
            answers.push(get(layer, read).await);
            answers
        }
        "deleted" => {
            let repository = scan("image/png");
            repository.delete(id("scan")).unwrap();
            fixture.over(repository).await
        }
        "invalid-parameter" => vec![
            get(layer, &format!("{OPERATION}?upload=hunter2")).await,
            fixture.post("application/json", "hunter2").await,
            fixture.put_with("content-range", "bytes 0-6/7").await,
            fixture.put_with("repr-digest", "sha-256=hunter2").await,
        ],
        "not-acceptable" => vec![
            get_with(layer, OPERATION, &[("accept", "text/html")]).await,
            get(layer, &format!("{OPERATION}?_format=hunter2")).await,
        ],
        "precondition-failed" => {
            fixture.put("content").await;
            vec![
                fixture.put_with("if-none-match", "*").await,
                get_with(layer, read, &[("if-match", "\"2\"")]).await,
            ]
        }
        "already-written" => {
            fixture.put("content").await;
            vec![
                fixture.put("another").await,
                fixture.put("other content").await,
            ]
        }
        "too-large" => {
            let limited = layer.clone().max_upload(6);
            let long = vec![b' '; 64 * 1024 + 1];
            vec![
                put(&limited, write, "content").await,
                put(&limited, write, support::body::chunks(&["content"])).await,
                fixture.post("application/json", long).await,
            ]
        }
        "offset-mismatch" => {
            let layer = layer.clone().resumable_uploads(true);
            let tus = ("tus-resumable", "1.0.0");
            let creation = request(Method::POST, write, &[tus, ("upload-length", "7")], "");
            let begun = call(&layer, creation).await;
            let headers = [
                tus,
                ("content-type", "application/offset+octet-stream"),
                ("upload-offset", "4"),
            ];
            let upload = begun.header("location").unwrap();
            vec![call(&layer, request(Method::PATCH, upload, &headers, "ent")).await]
        }
        "unsupported-coding" => vec![fixture.put_with("transfer-encoding", "gzip, chunked").await],
        "content-type-mismatch" => {
            let headers = [("content-type", "text/hunter2")];
            vec![
                call(layer, request(Method::PUT, write, &headers, "content")).await,
                fixture.put_with("content-encoding", "gzip").await,
                fixture.post("application/xml", "<Parameters/>").await,
            ]
        }
        "range-not-satisfiable" => {
            let layer = support::layer(Shelf::new(b"content"));
            let read = mint(&layer, "scan").await;
            let beyond = get_with(&layer, &read, &[("range", "bytes=7-")]).await;
            assert_eq!(beyond.header("content-range"), Some("bytes */7"));
            vec![beyond]
        }
        "empty-body" => vec![fixture.put("").await],
        "incomplete-body" => {
            let reset = || broken("conte", io::Error::other(INTERNALS));
            vec![
                fixture.put(reset()).await,
                fixture.post("application/json", reset()).await,
            ]
        }
        "upload-timeout" => {
            let timeout = io::Error::new(io::ErrorKind::TimedOut, INTERNALS);
            vec![fixture.put(broken("conte", timeout)).await]
        }
        "digest-mismatch" => {
            let digest = format!("sha-256=:{}=:", "A".repeat(43));
            vec![fixture.put_with("content-digest", &digest).await]
        }
        "used" => {
            let once = async |_: MintRequest| Ok(Terms::new().single_use());
            let layer = PresignLayer::new(signer(), Shelf::new(b"content"), once);
            let layer = layer.clock(|| at(NOW)).use_ledger(MemoryUseLedger::new());
            let read = mint(&layer, "scan").await;
            assert_eq!(get(&layer, &read).await.text(), "content");
            vec![get(&layer, &read).await]
        }
        "rejected" => {
            let layer = PresignLayer::new(signer(), scan("image/png"), Denying(Denial::rejected));
            vec![put(&layer.clock(|| at(NOW)), write, "content").await]
        }
        "storage-full" => fixture.over(Failing(|| RepositoryError::StorageFull)).await,
        "unavailable" => {
            let failing = Failing(|| RepositoryError::unavailable(INTERNALS));
            let mut answers = fixture.over(failing).await;
            answers.extend(fixture.denied(|| Denial::unavailable(INTERNALS)).await);
            answers
        }
        "not-ready" => fixture.over(Failing(|| RepositoryError::NotReady)).await,
        "internal" => {
            let failing = Failing(|| RepositoryError::internal(INTERNALS));
            let io_error = Failing(|| io::Error::other(INTERNALS).into());
            let mut answers = fixture.over(failing).await;
            answers.extend(fixture.over(io_error).await);
            answers
        }
        unknown => panic!("no way is known to provoke {unknown}"),
    }
}

async fn walk(check: impl Fn(&Row, &Answer)) {
    for code in RefusalCode::ALL {
        let row = TABLE.iter().find(|row| row.0 == code.as_str());
        let row = row.unwrap_or_else(|| panic!("{code:?} is not in the table"));
        let answers = provoke(row.0).await;
        assert!(!answers.is_empty(), "{code:?}");
        for answer in &answers {
            answer.assert_refused(row.1, row.0);
            check(row, answer);
        }
    }
}

#[test]
fn each_code_has_its_status_and_its_issue_type() {
    let codes = RefusalCode::ALL.iter();
    let published = codes.map(|code| (code.as_str(), code.status().as_u16(), code.issue_type()));
    let expected = TABLE.map(|(code, status, issue_type, _)| (code, status, issue_type));
    assert!(published.eq(expected));
}

#[tokio::test]
async fn the_reason_stands_in_the_responses_extensions_for_layers_in_front() {
    let fixture = Fixture::new().await;
    for (url, expected) in [
        (fixture.read.as_str(), Some(RefusalCode::NotFound)),
        (BASE, Some(RefusalCode::MissingSignature)),
        (OPERATION, None),
        ("/elsewhere", None),
    ] {
        let request = request(Method::GET, url, &[], Body::empty());
        let response = respond(&fixture.layer, request).await;
        assert_eq!(response.extensions().get(), expected.as_ref(), "{url}");
    }
}

/// So says [`Answer::assert_refused`], of each refusal in all of these tests.
#[tokio::test]
async fn each_is_an_outcome_in_fhir_json_that_nobody_keeps_or_guesses_at() {
    walk(|_, _| ()).await;
}

#[tokio::test]
async fn each_has_a_short_sentence_for_people_and_one_for_developers() {
    walk(|(code, ..), answer| {
        let issue = &answer.json()["issue"][0];
        let text = issue["details"]["text"].as_str().unwrap();
        let diagnostics = issue["diagnostics"].as_str().unwrap();
        for sentence in [text, diagnostics] {
            assert!(
                sentence.starts_with(char::is_uppercase),
                "{code}: {sentence}"
            );
            assert!(sentence.ends_with('.'), "{code}: {sentence}");
        }
        assert!(text.len() <= 60, "{code}: {text}");
        assert_ne!(text, diagnostics, "{code}");
    })
    .await;
}

#[tokio::test]
async fn the_holder_of_a_url_learns_what_it_is_for_and_how_to_get_the_other() {
    let Fixture { layer, read, write } = Fixture::new().await;
    let diagnostics = |answer: Answer| answer.json()["issue"][0]["diagnostics"].to_string();
    let reads = diagnostics(put(&layer, &read, "content").await);
    assert!(reads.contains("This URL reads."), "{reads}");
    assert!(reads.contains("upload=true"), "{reads}");
    let writes = diagnostics(get(&layer, &write).await);
    assert!(writes.contains("This URL writes."), "{writes}");
    let forged = read.replace("/scan/", "/other/");
    let answer = put(&layer, &forged, "content").await;
    answer.assert_refused(403, "invalid-signature");
}

#[tokio::test]
async fn some_come_with_a_header_that_their_status_needs() {
    const ALL: [&str; 5] = [
        "allow",
        "www-authenticate",
        "content-range",
        "retry-after",
        "etag",
    ];
    walk(|(code, _, _, header), answer| {
        for name in ALL {
            let is_there = answer.header(name).is_some_and(|value| !value.is_empty());
            assert_eq!(is_there, *header == Some(name), "{code}: {name}");
        }
    })
    .await;
}

#[tokio::test]
async fn none_tells_what_nobody_outside_may_see() {
    let Fixture { read, write, .. } = Fixture::new().await;
    let signature = |url: &str| url.rsplit_once('=').unwrap().1.to_owned();
    let secrets = [
        SECRET,
        &signature(&read),
        &signature(&write),
        "hunter2",
        "db.internal",
        "/var/lib",
        "storage.example.com",
        "Expires=",
        "/binary",
        "/fhir/R4",
    ];
    walk(|(code, ..), answer| {
        let body = String::from_utf8_lossy(&answer.body);
        let headers = format!("{:?}", answer.headers);
        for secret in secrets {
            assert!(!body.contains(secret), "{code}: {body}");
            assert!(!headers.contains(secret), "{code}: {headers}");
        }
    })
    .await;
}
