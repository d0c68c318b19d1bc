//! The capabilities of the server, for clients to find out.

use std::future::ready;

use axum::Router;
use axum::routing::{MethodRouter, get};
use http::StatusCode;
use serde_json::{Value, json};
use tower_presign::fhir::{operation_definition, supported_operation};

use crate::fhir;

/// `GET /metadata` and `GET /OperationDefinition/Binary-presigned-url`
pub(crate) fn routes<S>(fhir_base: &str) -> Router<S>
where
    S: Clone + Send + Sync + 'static,
{
    let definition = "/OperationDefinition/Binary-presigned-url";
    let url = format!("{fhir_base}{definition}");
    Router::new()
        .route("/metadata", serve(&capability_statement(&url)))
        .route(definition, serve(&operation_definition(&url)))
}

fn serve<S>(resource: &Value) -> MethodRouter<S>
where
    S: Clone + Send + Sync + 'static,
{
    let json = resource.to_string();
    get(move || ready(fhir::resource(StatusCode::OK, json.clone())))
}

fn capability_statement(definition: &str) -> Value {
    json!({
        "resourceType": "CapabilityStatement",
        "status": "active",
        "date": "2026-11-24",
        "kind": "instance",
        "implementation": { "description": "The example server of tower-presign" },
        "fhirVersion": "4.0.1",
        "format": ["json"],
        "rest": [{
            "mode": "server",
            "resource": [{
                "type": "Binary",
                "interaction": [
                    { "code": "create" },
                    { "code": "read" },
                    { "code": "vread" },
                ],
                "versioning": "versioned",
                "operation": [supported_operation(definition)],
            }, of_memory("DocumentReference"), of_memory("Patient")],
        }],
    })
}

/// A type whose resources are kept in memory.
fn of_memory(name: &str) -> Value {
    json!({
        "type": name,
        "interaction": [
            { "code": "create" },
            { "code": "read" },
            { "code": "search-type" },
        ],
        "versioning": "versioned",
    })
}
