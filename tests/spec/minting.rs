//! Minting without HTTP, and serving without minting.

use std::error::Error as _;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::header::AUTHORIZATION;
use http::request::Parts;
use http::{Method, Request};
use tokio::sync::mpsc;
use tower_presign::store::{ByteRange, Content, Located, Metadata, Place, RepositoryError, Upload};
use tower_presign::url::{Expires, ReadTerms, VerifyError, WriteTerms};
use tower_presign::{
    Access, AccessPolicy, BinaryKey, BinaryRepository, ContentType, Denial, Grant, InvalidId,
    MintError, MintRequest, Minted, PresignLayer, Presigner, RedeemRequest, RefusalCode,
    ServeLayer, Target, Terms, UrlId, UrlVerifier, VersionId, policy_fn,
};

use crate::support::*;

fn parts(token: &str) -> Parts {
    let request = Request::get("/rpc").header(AUTHORIZATION, format!("Bearer {token}"));
    request.body(()).unwrap().into_parts().0
}

// Presigner

#[tokio::test]
async fn a_past_version_can_be_minted_without_http() {
    let layer = layer(scan("image/png"));
    for content in ["first", "second"] {
        let write = mint_upload(&layer, "scan").await;
        put(&layer, &write, content).await;
    }
    let presigner = layer.presigner();
    for (version, content) in [(1, "first"), (2, "second")] {
        let target = Target::version_of(id("scan"), VersionId::from(version));
        let url = presigner.presign(target, Terms::new()).await.unwrap();
        assert_eq!(get(&layer, url.as_str()).await.body, content);
    }
}

#[tokio::test]
async fn for_a_caller_the_policy_decides() {
    let presigner = Presigner::new(signer(), scan("image/png"), Tokens).clock(|| at(NOW));
    let read = Target::new(id("scan"), Access::Read);
    let write = Target::new(id("scan"), Access::Write);
    let doctor = parts("doctor");
    let url = presigner.presign_for(&doctor, write.clone()).await.unwrap();
    assert_eq!(grant(url.as_str()).access(), Access::Write);
    assert_eq!(url.key_id(), Some("test"));

    let nurse = parts("nurse");
    assert!(presigner.presign_for(&nurse, read.clone()).await.is_ok());
    let denied = presigner.presign_for(&nurse, write).await.unwrap_err();
    assert!(matches!(denied, MintError::Denied(_)));
    assert_eq!(denied.code(), RefusalCode::Forbidden);
    let unknown = presigner.presign_for(&parts("x"), read).await.unwrap_err();
    assert_eq!(unknown.code(), RefusalCode::LoginRequired);
    let missing = Target::new(id("missing"), Access::Read);
    let missing = presigner.presign_for(&doctor, missing).await.unwrap_err();
    let expected = MintError::Repository(RepositoryError::NotFound);
    assert_eq!(missing.code(), expected.code());
    let response: http::Response<axum::body::Body> = missing.into_response();
    assert_eq!(response.status(), 404);
}

#[tokio::test]
async fn a_presigner_has_the_settings_of_its_layer_and_others_of_its_own() {
    let minute = Duration::from_secs(60);
    let of_layer = layer(scan("image/png"))
        .max_upload(7)
        .default_lifetime(minute)
        .presigner();
    let own = Presigner::new(signer(), scan("image/png"), Tokens)
        .clock(|| at(NOW))
        .max_upload(7)
        .default_lifetime(minute);
    let hour = own.clone().expiry_granularity(Duration::from_secs(3600));
    for (presigner, lifetime) in [(of_layer, 60), (own, 60), (hour, 3600)] {
        let target = Target::new(id("scan"), Access::Write);
        let url = presigner.presign(target, Terms::new()).await.unwrap();
        let granted = grant(url.as_str());
        let png = ContentType::new("image/png").unwrap();
        let expected = WriteTerms::new(png).with_max_length(7);
        assert_eq!(granted.permission, expected.into());
        assert_eq!(granted.expires.unix_seconds(), NOW + lifetime);
    }
}

// Policies

#[tokio::test]
async fn a_policy_may_have_a_state_and_be_shared() {
    let asked = Arc::new(AtomicU32::new(0));
    let count = async |asked: Arc<AtomicU32>, _: MintRequest| {
        asked.fetch_add(1, Ordering::Relaxed);
        Ok(Terms::new())
    };
    let policy = Arc::new(policy_fn(Arc::clone(&asked), count));
    let presigner = Presigner::new(signer(), scan("image/png"), policy);
    let target = Target::new(id("scan"), Access::Read);
    presigner.presign_for(&parts("x"), target).await.unwrap();
    assert_eq!(asked.load(Ordering::Relaxed), 1);
}

/// Keeps an audit trail, without which nobody gets or uses a URL.
struct Audited {
    trail: Arc<Mutex<Vec<String>>>,
    fails: bool,
}

impl Audited {
    fn record(&self, line: String) -> Result<(), Denial> {
        if self.fails {
            return Err(Denial::unavailable("the trail is full"));
        }
        self.trail.lock().unwrap().push(line);
        Ok(())
    }
}

impl AccessPolicy for Audited {
    async fn mint(&self, _: MintRequest) -> Result<Terms, Denial> {
        Ok(Terms::new().id(UrlId::new("0123456789abcdef").unwrap()))
    }

    async fn minted(&self, minted: Minted<'_>) -> Result<(), Denial> {
        let token = minted.headers()[AUTHORIZATION].to_str().unwrap();
        let (grant, url) = (minted.grant(), minted.url());
        assert_eq!(grant.expires, url.expires());
        assert_eq!(grant.key.place(), None);
        let (version, id) = (grant.key.version(), grant.id.unwrap());
        let key_id = url.key_id().unwrap();
        self.record(format!("{token}: {} {version} {id} {key_id}", url.method()))
    }

    async fn redeem(&self, request: RedeemRequest<'_>) -> Result<(), Denial> {
        self.record(format!("used: {}", request.grant().id.unwrap()))
    }
}

#[tokio::test]
async fn a_policy_sees_each_url_before_it_is_handed_out() {
    let trail = Arc::<Mutex<Vec<String>>>::default();
    let audited = |fails| Audited {
        trail: Arc::clone(&trail),
        fails,
    };
    let repository = scan("image/png");
    let layer = PresignLayer::new(signer(), repository.clone(), audited(false));
    let layer = layer.clock(|| at(NOW));
    let operation = "/fhir/R4/Binary/scan/$presigned-url?upload=true";
    let doctor = [("authorization", "Bearer doctor")];
    let url = get_with(&layer, operation, &doctor).await.url();
    assert!(url.contains("&Id=0123456789abcdef&"), "{url}");
    put(&layer, &url, "content").await;
    let target = Target::new(id("scan"), Access::Read);
    let presigner = layer.presigner();
    let nurse = presigner.presign_for(&parts("nurse"), target.clone()).await;
    nurse.unwrap();
    // Without a caller there is nobody to ask about.
    presigner.presign(target, Terms::new()).await.unwrap();
    assert_eq!(
        *trail.lock().unwrap(),
        [
            "Bearer doctor: PUT 1 0123456789abcdef test",
            "used: 0123456789abcdef",
            "Bearer nurse: GET 1 0123456789abcdef test",
        ]
    );

    let failing = PresignLayer::new(signer(), repository, audited(true)).clock(|| at(NOW));
    let answer = get_with(&failing, operation, &doctor).await;
    answer.assert_refused(503, "unavailable");
    assert!(!answer.text().contains("Signature"), "{answer:?}");
}

#[test]
fn each_denial_has_its_code() {
    for (denial, code) in [
        (Denial::login_required(), RefusalCode::LoginRequired),
        (Denial::forbidden(), RefusalCode::Forbidden),
        (Denial::not_found(), RefusalCode::NotFound),
        (Denial::gone(), RefusalCode::Deleted),
        (
            Denial::too_many_requests(Duration::ZERO),
            RefusalCode::TooManyRequests,
        ),
        (Denial::unavailable("away"), RefusalCode::Unavailable),
        // The report of a policy's own records.
        (RepositoryError::NotFound.into(), RefusalCode::NotFound),
        (
            RepositoryError::unavailable("away").into(),
            RefusalCode::Unavailable,
        ),
    ] {
        assert_eq!(denial.code(), code);
        let because = denial.because("A reason.");
        assert_eq!(because.code(), code);
        assert_eq!(because.to_string(), format!("{}: A reason.", code.as_str()));
        let response: http::Response<axum::body::Body> = because.into_response();
        assert_eq!(response.status(), code.status());
        assert_eq!(response.extensions().get(), Some(&code));
    }
    let denial = Denial::unavailable("ldap-2 does not answer").because("Try later.");
    let source = denial.source().map(ToString::to_string);
    assert_eq!(source.as_deref(), Some("ldap-2 does not answer"));
    let denial = Denial::too_many_requests(Duration::from_millis(7_900));
    let response: http::Response<axum::body::Body> = denial.into_response();
    assert_eq!(response.headers()["retry-after"], "7");
}

/// Has the content under a place, and reports each place that it is handed back.
struct Placed(mpsc::UnboundedSender<String>);

impl BinaryRepository for Placed {
    async fn locate(&self, target: &Target) -> Result<Located, RepositoryError> {
        let key = target.key(VersionId::from(1));
        let located = Located::new(key, ContentType::new("image/png").unwrap());
        Ok(located.with_place(Place::new("2027-01-15/7").unwrap()))
    }

    async fn head(&self, key: &BinaryKey) -> Result<Metadata, RepositoryError> {
        let place = key.place().map_or("none", Place::as_str).to_owned();
        self.0.send(place).unwrap();
        Ok(Metadata::new("image/png", 7, at(NOW)))
    }

    async fn read(
        &self,
        key: &BinaryKey,
        _: Option<ByteRange>,
    ) -> Result<Content, RepositoryError> {
        let metadata = self.head(key).await?;
        Ok(Content::from_bytes(metadata, 0..7, "content".into()))
    }

    async fn write(&self, key: &BinaryKey, _: Upload) -> Result<Metadata, RepositoryError> {
        self.head(key).await
    }
}

/// Sees whatever a policy is shown.
struct Curious;

impl AccessPolicy for Curious {
    async fn mint(&self, _: MintRequest) -> Result<Terms, Denial> {
        Ok(Terms::new())
    }

    async fn redeem(&self, request: RedeemRequest<'_>) -> Result<(), Denial> {
        assert_eq!(request.grant().key.place(), None);
        assert!(!format!("{:?}", request.grant()).contains("2027-01-15"));
        Ok(())
    }
}

#[tokio::test]
async fn the_place_of_content_reaches_the_repository_and_no_policy() {
    let (sender, mut places) = mpsc::unbounded_channel();
    let layer = PresignLayer::new(signer(), Placed(sender), Curious).clock(|| at(NOW));
    let read = mint(&layer, "scan").await;
    assert!(read.contains("&Place=MjAyNy0wMS0xNS83&"), "{read}");
    assert_eq!(get(&layer, &read).await.body, "content");
    assert_eq!(places.recv().await.unwrap(), "2027-01-15/7");
    assert_eq!(head_with(&layer, &read, &[]).await.status, 200);
    assert_eq!(places.recv().await.unwrap(), "2027-01-15/7");
    // A write URL has none: what it writes has no place yet.
    let write = mint_upload(&layer, "scan").await;
    assert!(!write.contains("Place"), "{write}");
    assert_eq!(put(&layer, &write, "content").await.status, 200);
    assert_eq!(places.recv().await.unwrap(), "none");
}

// Serving alone

/// Lets URLs be used by those who say so, and mints none.
struct OnlyUses;

impl AccessPolicy for OnlyUses {
    async fn mint(&self, _: MintRequest) -> Result<Terms, Denial> {
        panic!("a server that serves alone asks nobody to mint")
    }

    async fn redeem(&self, request: RedeemRequest<'_>) -> Result<(), Denial> {
        if request.headers().contains_key("x-allowed") {
            Ok(())
        } else {
            Err(Denial::forbidden())
        }
    }
}

#[tokio::test]
async fn a_server_that_serves_alone_needs_neither_policy_nor_signing_key() {
    let repository = scan("image/png");
    let minting = layer(repository.clone()).operation_only();
    let url = mint_upload(&minting, "scan").await;
    let verifier = UrlVerifier::new(key(), BASE).unwrap();
    let serving = ServeLayer::new(verifier, repository).clock(|| at(NOW));
    assert_eq!(put(&serving, &url, "content").await.status, 200);
    let operation = get(&serving, "/Binary/scan/$presigned-url").await;
    assert_eq!(operation.status, INNER);

    let asking = serving.policy(OnlyUses);
    let url = mint(&minting, "scan").await;
    get(&asking, &url).await.assert_refused(403, "forbidden");
    let allowed = get_with(&asking, &url, &[("x-allowed", "1")]).await;
    assert_eq!(allowed.body, "content");
}

#[test]
fn a_verifier_judges_a_request_by_url_method_and_time() {
    let verifier = UrlVerifier::new(key(), BASE).unwrap();
    let scan = BinaryKey::new(id("scan"), VersionId::from(1));
    let read = Grant::new(
        scan.clone(),
        ReadTerms::new(),
        Expires::at_unix_seconds(NOW + 1),
    );
    let png = ContentType::new("image/png").unwrap();
    let write = Grant::new(
        scan,
        WriteTerms::new(png),
        Expires::at_unix_seconds(NOW + 1),
    );
    for (grant, allowed) in [
        (read, &[Method::GET, Method::HEAD][..]),
        (write, &[Method::PUT]),
    ] {
        let url = signer().sign(&grant);
        for method in [
            Method::GET,
            Method::HEAD,
            Method::PUT,
            Method::POST,
            Method::PATCH,
        ] {
            let request = Request::builder().method(method.clone()).uri(url.as_str());
            let (parts, ()) = request.body(()).unwrap().into_parts();
            let verdict = verifier.verify_request(&parts, at(NOW));
            if allowed.contains(&method) {
                assert_eq!(verdict, Ok(grant.clone()), "{method}");
                let later = verifier.verify_request(&parts, at(NOW + 1));
                assert_eq!(later, Err(VerifyError::Expired), "{method}");
            } else {
                let error = verdict.unwrap_err();
                assert!(
                    matches!(error, VerifyError::MethodNotAllowed { .. }),
                    "{method}"
                );
            }
        }
        // Elsewhere than below the storage path.
        let elsewhere = url.as_str().replacen("/binary/", "/other/", 1);
        let (parts, ()) = Request::get(elsewhere).body(()).unwrap().into_parts();
        assert!(verifier.verify_request(&parts, at(NOW)).is_err());
    }
}

// Errors that say which rule is broken by what

#[test]
fn a_path_that_no_request_can_be_under_is_refused_at_the_start() {
    for path in [
        "/fhir//R4",
        "/fhir/../x",
        "/./x",
        "/fhir R4",
        "/fhir/R4?x",
        "/ü",
    ] {
        let error = layer(scan("image/png")).fhir_base(path).unwrap_err();
        assert!(error.to_string().contains(&format!("{path:?}")), "{error}");
        assert!(layer(scan("image/png")).storage_path(path).is_err());
    }
    for path in ["", "/", "/fhir/R4/", "a/%24b"] {
        assert!(layer(scan("image/png")).fhir_base(path).is_ok(), "{path}");
    }
}

#[test]
fn a_text_that_is_no_id_is_refused_with_the_reason() {
    let long = "x".repeat(65);
    for (text, expected) in [
        ("", "an id of this kind has 1 to 64 characters, not 0"),
        (&long, "an id of this kind has 1 to 64 characters, not 65"),
        (
            "a/b",
            "an id of this kind consists of A-Z a-z 0-9 - . _, without '/'",
        ),
        (
            "..",
            "neither `.` nor `..` is an id, since no path may contain them",
        ),
    ] {
        let error: InvalidId = VersionId::new(text).unwrap_err();
        assert_eq!(error.to_string(), expected);
    }
    let short = tower_presign::UrlId::new("short").unwrap_err();
    assert_eq!(
        short.to_string(),
        "an id of this kind has 16 to 64 characters, not 5"
    );
    assert!(tower_presign::UploadId::new("0123456789_bcdef").is_err());
}

#[test]
fn a_text_that_is_no_content_type_is_refused_with_the_reason() {
    let long = format!("text/{}", "x".repeat(508));
    for (text, expected) in [
        ("image", "\"image\" is no media type such as image/png"),
        (
            "image/*",
            "\"image/*\" stands for several media types; one is wanted",
        ),
        (&long, "a content type has at most 512 bytes, not 513"),
    ] {
        let error = ContentType::new(text).unwrap_err();
        assert_eq!(error.to_string(), expected);
    }
}

#[test]
fn random_ids_differ_and_are_ids() {
    let ids: Vec<_> = (0..100).map(|_| tower_presign::UrlId::random()).collect();
    for (position, id) in ids.iter().enumerate() {
        assert!(tower_presign::UrlId::new(id.as_str()).is_ok());
        assert!(!ids[..position].contains(id));
    }
}

#[test]
fn only_a_version_that_is_counted_has_a_number() {
    for (text, number) in [
        ("1", Some(1)),
        ("0", Some(0)),
        ("01", None),
        ("+1", None),
        ("a", None),
    ] {
        let version = VersionId::new(text.replace('+', "-")).unwrap();
        assert_eq!(version.number(), number.filter(|_| !text.starts_with('+')));
    }
}
