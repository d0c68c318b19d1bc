//! The words of the layer, as FHIR resources. `tests/fhir/check.mjs` finds out if these are as R4,
//! R4B and R5 define them: the last test here writes them down for it.

use std::fs;
use std::io;
use std::path::Path;

use axum::body::Body;
use bytes::Bytes;
use http::{Method, Response};
use serde_json::{Value, json};
use tower_presign::store::{RepositoryError, UploadError};
use tower_presign::{Denial, MemoryRepository, Terms, fhir};

use crate::support;
use crate::support::*;

const URL: &str = "https://health.example.com/fhir/OperationDefinition/Binary-presigned-url";

#[test]
fn the_operation_is_defined_for_an_instance_of_binary() {
    let definition = fhir::operation_definition(URL);
    assert_eq!(definition["id"], "Binary-presigned-url");
    assert_eq!(definition["url"], URL);
    assert_eq!(definition["code"], "presigned-url");
    assert_eq!(definition["resource"], json!(["Binary"]));
    let levels = ["system", "type", "instance"].map(|level| &definition[level]);
    assert_eq!(levels, [false, false, true]);
    // Otherwise GET would not be allowed (https://hl7.org/fhir/R4/operations.html#executing).
    assert_eq!(definition["affectsState"], false);
}

#[tokio::test]
async fn the_operation_takes_and_gives_the_parameters_that_its_definition_names() {
    let answer = described_upload_url().await;
    let given = answer["parameter"].as_array().unwrap();
    let definition = fhir::operation_definition(URL);
    let defined = definition["parameter"].as_array().unwrap();
    assert!(defined.len() > given.len());
    for defined in defined {
        let name = defined["name"].as_str().unwrap();
        if defined["use"] == "in" {
            assert_eq!(name, "upload");
            continue;
        }
        let given = given.iter().find(|given| given["name"] == name).unwrap();
        let kind = match given.as_object().unwrap().keys().find(|key| *key != "name") {
            Some(key) if key == "part" => &Value::Null,
            Some(key) => &json!(key.strip_prefix("value").unwrap().to_lowercase()),
            None => panic!("{name} has no value"),
        };
        assert_eq!(&defined["type"], kind, "{name}");
    }
}

#[test]
fn a_host_answers_errors_as_the_layer_does() {
    let response: Response<Bytes> = RepositoryError::unavailable("secret").into_response();
    let (parts, body) = response.into_parts();
    assert_eq!(parts.status, 503);
    assert_eq!(parts.headers["content-type"], "application/fhir+json");
    assert_eq!(parts.headers["retry-after"], "5");
    assert!(!String::from_utf8_lossy(&body).contains("secret"));
    let outcome: Value = serde_json::from_slice(&body).unwrap();
    let code = &outcome["issue"][0]["details"]["coding"][0]["code"];
    assert_eq!(code, "unavailable");

    let response: Response<Body> = Denial::login_required().into_response();
    assert_eq!(response.status(), 401);
    assert_eq!(response.headers()["www-authenticate"], "Bearer");
}

#[test]
fn a_denial_says_why_in_the_hosts_own_logs() {
    let denial = Denial::forbidden().because("The patient is not on your ward.");
    let error: Box<dyn std::error::Error> = denial.into();
    let expected = "forbidden: The patient is not on your ward.";
    assert_eq!(error.to_string(), expected);
}

#[tokio::test]
async fn every_kind_of_resource_is_written_down_to_be_validated() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("fhir");
    fs::create_dir_all(&folder).unwrap();
    let mut resources = vec![
        fhir::operation_definition(URL),
        capability_statement(),
        described_upload_url().await,
        plain_url().await,
    ];
    resources.extend(outcomes().await);
    resources.extend(with_urls().await);
    let mut types: Vec<_> = resources.iter().map(|it| &it["resourceType"]).collect();
    types.dedup();
    assert_eq!(types.len(), 7, "{types:?}");
    let json = Value::from(resources).to_string();
    fs::write(folder.join("resources.json"), json).unwrap();
}

/// As small as one may be, but for what the crate adds.
fn capability_statement() -> Value {
    json!({
        "resourceType": "CapabilityStatement",
        "status": "active",
        "date": "2026-11-24",
        "kind": "instance",
        "implementation": { "description": "A server" },
        "fhirVersion": "4.0.1",
        "format": ["json"],
        "rest": [{
            "mode": "server",
            "resource": [{ "type": "Binary", "operation": [fhir::supported_operation(URL)] }],
        }],
    })
}

/// Resources with references, and the same with URLs.
async fn with_urls() -> Vec<Value> {
    let presigner = layer(scan("image/png")).presigner();
    let attachment = json!({ "contentType": "image/png", "url": "Binary/scan" });
    let patient = json!({ "resourceType": "Patient", "photo": [attachment] });
    let document = json!({
        "resourceType": "DocumentReference",
        "status": "current",
        "content": [{ "attachment": attachment }],
    });
    let mut resources = Vec::new();
    let bundle = json!({
        "resourceType": "Bundle",
        "type": "searchset",
        "link": [{ "relation": "self", "url": "https://health.example.com/fhir/Patient" }],
        "entry": [{
            "fullUrl": "https://health.example.com/fhir/Patient/1",
            "resource": patient,
            "search": { "mode": "match" },
        }],
    });
    for before in [patient, document, bundle] {
        let mut after = before.clone();
        let urls = presigner.presign_attachments(Terms::new(), &mut after);
        assert_eq!(urls.await, 1);
        // As the layer makes it.
        let json = presigner.presign_attachments_json(Terms::new(), before.to_string());
        let json: Value = serde_json::from_slice(&json.await).unwrap();
        assert_eq!(json, after);
        resources.extend([before, after]);
    }
    resources
}

async fn plain_url() -> Value {
    let layer = layer(scan("image/png"));
    get(&layer, "/Binary/scan/$presigned-url").await.json()
}

async fn described_upload_url() -> Value {
    let layer = layer(scan("image/png"))
        .describe_urls(true)
        .resumable_uploads(true);
    let answer = get(&layer, "/Binary/scan/$presigned-url?upload=true").await;
    answer.json()
}

/// At least one `OperationOutcome` of each FHIR issue type that the layer uses.
async fn outcomes() -> Vec<Value> {
    let json = |response: Response<Bytes>| serde_json::from_slice(response.body()).unwrap();
    let of_repository = [
        RepositoryError::NotFound,
        RepositoryError::Deleted,
        RepositoryError::AlreadyWritten,
        RepositoryError::range_not_satisfiable(7),
        RepositoryError::StorageFull,
        RepositoryError::unavailable("away"),
        RepositoryError::internal("broken"),
        UploadError::too_large(Some(7)).into(),
        UploadError::Empty.into(),
        UploadError::Incomplete(None).into(),
        UploadError::Timeout(io::Error::from(io::ErrorKind::TimedOut).into()).into(),
    ];
    let of_policy = [Denial::login_required(), Denial::forbidden()];
    let mut outcomes: Vec<Value> = of_repository
        .map(|error| json(error.into_response()))
        .into_iter()
        .chain(of_policy.map(|denial| json(denial.into_response())))
        .collect();

    let layer = layer(scan("image/png"));
    let url = mint(&layer, "scan").await;
    let late = layer.clone().clock(|| at(NOW + 3600));
    let delete = request(Method::DELETE, &url, &[], Body::empty());
    outcomes.extend([
        get(&layer, BASE).await.json(),
        get(&late, &url).await.json(),
        call(&layer, delete).await.json(),
    ]);
    let layer = support::layer(MemoryRepository::new());
    outcomes.push(
        get(&layer, "/Binary/a/$presigned-url?upload=1")
            .await
            .json(),
    );
    outcomes
}
