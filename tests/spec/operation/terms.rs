//! On which terms a URL is given, why it is not, and what is told about it.

use std::future::ready;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::Body;
use http::{HeaderName, HeaderValue, Method, Request, StatusCode};
use serde_json::json;
use tower_presign::store::{
    ByteRange, Content, Located, Metadata, RepositoryError, Target, Upload,
};
use tower_presign::url::WriteTerms;
use tower_presign::{
    Access, AllowAll, BinaryKey, BinaryRepository, ContentType, Denial, Filename, Grant,
    MintRequest, Permission, PresignLayer, PresignedUrl, Terms, VersionId,
};

use crate::support::repository::Failing;
use crate::support::*;

const OPERATION: &str = "/fhir/R4/Binary/scan/$presigned-url";

/// A layer whose policy gives everything on these terms.
fn giving(terms: &Terms) -> PresignLayer {
    let terms = terms.clone();
    let policy = move |_: MintRequest| ready(Ok(terms.clone()));
    PresignLayer::new(signer(), scan("image/png"), policy).clock(|| at(NOW))
}

async fn read_grant(layer: &PresignLayer) -> Grant {
    grant(&mint(layer, "scan").await)
}

async fn write_grant(layer: &PresignLayer) -> Grant {
    grant(&mint_upload(layer, "scan").await)
}

// Terms

#[tokio::test]
async fn a_url_of_either_kind_is_valid_for_as_long_as_the_policy_says() {
    let layer = giving(&Terms::new().lifetime(Duration::from_secs(300)));
    for grant in [read_grant(&layer).await, write_grant(&layer).await] {
        assert_eq!(grant.expires.unix_seconds(), NOW + 300);
    }
}

#[tokio::test]
async fn filename_and_attachment_are_claims_of_a_read_url() {
    let terms = Terms::new().filename("Röntgen 7.png").attachment();
    let layer = giving(&terms);
    let Permission::Read(terms) = read_grant(&layer).await.permission else {
        panic!("not to read");
    };
    assert_eq!(terms.filename, Filename::new("Röntgen 7.png"));
    assert!(terms.attachment);
    assert_eq!(write_grant(&layer).await.access(), Access::Write);
}

#[tokio::test]
async fn a_write_url_names_the_binarys_type_and_the_lower_of_two_limits() {
    let limited = |terms: u64| giving(&Terms::new().max_length(terms)).max_upload(100);
    for (layer, limit) in [
        (giving(&Terms::new()).max_upload(100), 100),
        (limited(99), 99),
        (limited(101), 100),
        (limited(0), 0),
        (layer(scan("image/png")), 5 * 1024 * 1024 * 1024),
    ] {
        let grant = write_grant(&layer).await;
        let content_type = ContentType::new("image/png").unwrap();
        let terms = WriteTerms::new(content_type).with_max_length(limit);
        assert_eq!(grant, Grant::new(grant.key.clone(), terms, grant.expires));
    }
}

#[tokio::test]
async fn the_policy_sees_the_request_and_what_it_asks_for() {
    #[derive(Clone, Debug, PartialEq)]
    struct User(u8);

    let seen = Arc::new(Mutex::new(Vec::new()));
    let layer = {
        let seen = Arc::clone(&seen);
        let policy = move |request: MintRequest| {
            seen.lock().unwrap().push(request);
            ready(Ok(Terms::new()))
        };
        PresignLayer::new(signer(), scan("image/png"), policy)
    };
    let send = async |url: &str| {
        let request = Request::post(url)
            .header("x-tenant", "7")
            .extension(User(3));
        call(&layer, request.body(Body::empty()).unwrap()).await
    };
    send("/Binary/scan/$presigned-url?upload=true").await;
    send("/Binary/scan/_history/2/$presigned-url").await;

    let seen = seen.lock().unwrap();
    let [write, read] = &**seen else {
        panic!("asked {} times", seen.len())
    };
    assert_eq!((write.id(), write.access()), (id("scan"), Access::Write));
    assert_eq!(write.target(), &Target::new(id("scan"), Access::Write));
    let version = VersionId::new("2").unwrap();
    assert_eq!(read.target(), &Target::version_of(id("scan"), version));
    for request in [write, read] {
        assert_eq!(request.headers()["x-tenant"], "7");
        assert_eq!(request.extensions().get(), Some(&User(3)));
        assert_eq!(request.parts().method, Method::POST);
    }
}

// Denials

#[tokio::test]
async fn each_denial_has_its_answer() {
    let challenge = HeaderValue::from_static("Basic realm=\"ward\"");
    for (denial, status, code, header) in [
        (
            Denial::login_required(),
            401,
            "login-required",
            Some(("www-authenticate", "Bearer")),
        ),
        (
            Denial::login_required_by(challenge),
            401,
            "login-required",
            Some(("www-authenticate", "Basic realm=\"ward\"")),
        ),
        (Denial::forbidden(), 403, "forbidden", None),
        (
            Denial::unavailable("no route to the rights service"),
            503,
            "unavailable",
            Some(("retry-after", "5")),
        ),
    ] {
        let policy = move |_: MintRequest| ready(Err(denial.clone()));
        let layer = PresignLayer::new(signer(), Failing(|| panic!("looked up")), policy);
        let answer = get(&layer, OPERATION).await;
        answer.assert_refused(status, code);
        if let Some((name, value)) = header {
            assert_eq!(answer.header(name), Some(value));
        }
    }
}

#[tokio::test]
async fn a_denial_can_tell_developers_why() {
    let policy = |_: MintRequest| ready(Err(Denial::forbidden().because("Scope \"b.r\" needed.")));
    let layer = PresignLayer::new(signer(), scan("image/png"), policy);
    let answer = get(&layer, OPERATION).await;
    answer.assert_refused(403, "forbidden");
    let diagnostics = &answer.json()["issue"][0]["diagnostics"];
    assert_eq!(diagnostics, "Scope \"b.r\" needed.");
}

#[tokio::test]
async fn a_policy_can_tell_callers_and_kinds_of_access_apart() {
    let layer = PresignLayer::new(signer(), scan("image/png"), Tokens);
    let write = format!("{OPERATION}?upload=true");
    for (token, url, status) in [
        (None, OPERATION, 401),
        (Some("Bearer thief"), OPERATION, 401),
        (Some("Bearer nurse"), OPERATION, 200),
        (Some("Bearer nurse"), &*write, 403),
        (Some("Bearer doctor"), OPERATION, 200),
        (Some("Bearer doctor"), &*write, 200),
    ] {
        let headers: Vec<_> = token
            .map(|token| ("authorization", token))
            .into_iter()
            .collect();
        let answer = get_with(&layer, url, &headers).await;
        assert_eq!(answer.status, status, "{token:?} {url}");
    }
}

// The repository

/// Finds everything, presigns itself if asked to, and serves a key's context as its content.
struct Tenants {
    presigns: bool,
}

impl BinaryRepository for Tenants {
    async fn locate(&self, target: &Target) -> Result<Located, RepositoryError> {
        assert_eq!(target.context(), Some("ward 7/ü"));
        let version = VersionId::new("v").unwrap();
        let content_type = ContentType::new("text/plain").unwrap();
        Ok(Located::new(target.key(version), content_type))
    }

    async fn head(&self, _: &BinaryKey) -> Result<Metadata, RepositoryError> {
        Err(RepositoryError::NotFound)
    }

    async fn read(
        &self,
        key: &BinaryKey,
        _: Option<ByteRange>,
    ) -> Result<Content, RepositoryError> {
        let content = key.context().unwrap_or_default().to_owned();
        let metadata = Metadata::new("text/plain", content.len() as u64, at(NOW));
        let range = 0..metadata.length;
        Ok(Content::from_bytes(metadata, range, content.into()))
    }

    async fn write(&self, _: &BinaryKey, _: Upload) -> Result<Metadata, RepositoryError> {
        Err(RepositoryError::AlreadyWritten)
    }

    async fn presign(&self, grant: &Grant) -> Result<Option<PresignedUrl>, RepositoryError> {
        let url = format!("https://cloud.example.com/{}?sig=x", grant.key.id());
        let name = HeaderName::from_static("x-cloud-type");
        let presigned = PresignedUrl::new(url, Access::Read, grant.expires)
            .with_header(name, HeaderValue::from_static("BlockBlob"));
        Ok(self.presigns.then_some(presigned))
    }
}

fn tenants(presigns: bool) -> PresignLayer {
    let policy = async |_: MintRequest| Ok(Terms::new().context("ward 7/ü"));
    PresignLayer::new(signer(), Tenants { presigns }, policy).clock(|| at(NOW))
}

#[tokio::test]
async fn the_policys_context_reaches_the_repository_when_a_url_is_minted_and_when_it_is_used() {
    let layer = tenants(false);
    let url = mint(&layer, "scan").await;
    assert_eq!(grant(&url).key.context(), Some("ward 7/ü"));
    let answer = get(&layer, &url).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.body, "ward 7/ü");
}

#[tokio::test]
async fn a_repository_that_presigns_has_the_last_word() {
    let layer = tenants(true).describe_urls(true);
    let answer = get(&layer, OPERATION).await;
    let expected = json!({"resourceType": "Parameters", "parameter": [
        {"name": "url", "valueUri": "https://cloud.example.com/scan?sig=x"},
        {"name": "method", "valueCode": "GET"},
        {"name": "expires", "valueInstant": "2027-01-15T09:00:00Z"},
        {"name": "header", "part": [
            {"name": "name", "valueString": "x-cloud-type"},
            {"name": "value", "valueString": "BlockBlob"},
        ]},
    ]});
    assert_eq!(answer.json(), expected);
}

// Descriptions

#[tokio::test]
async fn a_description_tells_what_using_the_url_takes() {
    let repository = scan("text/plain; charset=utf-8");
    let layer = PresignLayer::new(signer(), repository, AllowAll)
        .clock(|| at(NOW))
        .describe_urls(true);
    let read = get(&layer, OPERATION).await;
    let expected = json!({"resourceType": "Parameters", "parameter": [
        {"name": "url", "valueUri": read.url()},
        {"name": "method", "valueCode": "GET"},
        {"name": "expires", "valueInstant": "2027-01-15T09:00:00Z"},
    ]});
    assert_eq!(read.json(), expected);

    let write = get(&layer, &format!("{OPERATION}?upload=true")).await;
    let expected = json!({"resourceType": "Parameters", "parameter": [
        {"name": "url", "valueUri": write.url()},
        {"name": "method", "valueCode": "PUT"},
        {"name": "expires", "valueInstant": "2027-01-15T09:00:00Z"},
        {"name": "header", "part": [
            {"name": "name", "valueString": "content-type"},
            {"name": "value", "valueString": "text/plain; charset=utf-8"},
        ]},
    ]});
    assert_eq!(write.json(), expected);
}

#[tokio::test]
async fn a_description_says_of_a_write_url_that_its_upload_may_come_in_parts() {
    let described = async |layer: PresignLayer, query: &str| {
        let layer = layer.describe_urls(true).resumable_uploads(true);
        let answer = get(&layer, &format!("{OPERATION}{query}")).await.json();
        let parameters = answer["parameter"].as_array().unwrap();
        let resumable = parameters.iter().find(|one| one["name"] == "resumable");
        resumable.map(|parameter| parameter["valueBoolean"].clone())
    };
    let layer = layer(scan("image/png"));
    let write = described(layer.clone(), "?upload=true").await;
    assert_eq!(write, Some(json!(true)));
    assert_eq!(described(layer, "").await, None, "to read");
}
