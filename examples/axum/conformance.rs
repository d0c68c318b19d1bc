//! What the server can do, for clients to find out.

use axum::response::Response;
use http::StatusCode;
use serde_json::json;

use crate::fhir;

/// `GET /metadata`
pub(crate) async fn capability_statement() -> Response {
    let statement = json!({
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
                "operation": [{
                    "name": "presigned-url",
                    "definition": "OperationDefinition/Binary-presigned-url",
                }],
            }],
        }],
    });
    fhir::resource(StatusCode::OK, statement.to_string())
}

/// `GET /OperationDefinition/Binary-presigned-url`
pub(crate) async fn operation_definition() -> Response {
    let definition = json!({
        "resourceType": "OperationDefinition",
        "id": "Binary-presigned-url",
        "name": "BinaryPresignedUrl",
        "status": "active",
        "kind": "operation",
        "description": "A URL by which the content of a Binary can be read or written without \
            further credentials, for a limited time.",
        "affectsState": false,
        "code": "presigned-url",
        "resource": ["Binary"],
        "system": false,
        "type": false,
        "instance": true,
        "parameter": [
            {
                "name": "upload",
                "use": "in",
                "min": 0,
                "max": "1",
                "documentation": "Whether the URL is to write. Default: false.",
                "type": "boolean",
            },
            {
                "name": "url",
                "use": "out",
                "min": 1,
                "max": "1",
                "documentation": "The presigned URL: for GET and HEAD, or for one PUT.",
                "type": "uri",
            },
        ],
    });
    fhir::resource(StatusCode::OK, definition.to_string())
}
