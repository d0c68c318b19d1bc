//! The operation as FHIR describes it.

use serde_json::{Value, json};

/// The `OperationDefinition` of `$presigned-url`
/// (<https://hl7.org/fhir/R4/operationdefinition.html>), whose `id` is `Binary-presigned-url`.
///
/// `url` is its canonical URL: an absolute one, below the host's own base, where the host should
/// serve it. The parameters besides `upload` and `url` are those of
/// [`PresignLayer::describe_urls`](crate::PresignLayer::describe_urls).
#[must_use]
pub fn operation_definition(url: &str) -> Value {
    let parameter = |usage: &str, name: &str, min: u8, kind: &str, documentation: &str| {
        json!({
            "name": name,
            "use": usage,
            "min": min,
            "max": "1",
            "documentation": documentation,
            "type": kind,
        })
    };
    json!({
        "resourceType": "OperationDefinition",
        "id": "Binary-presigned-url",
        "url": url,
        "name": "BinaryPresignedUrl",
        "title": "Presigned URL of a Binary",
        "status": "active",
        "kind": "operation",
        "description": "Gives a URL that reads or writes the content of a Binary without further \
            credentials, for a limited time. It can also be called on Binary/[id]/_history/[vid], \
            for a URL that reads that version.",
        // A URL that writes changes nothing until it is used.
        "affectsState": false,
        "code": "presigned-url",
        "resource": ["Binary"],
        "system": false,
        "type": false,
        "instance": true,
        "parameter": [
            parameter("in", "upload", 0, "boolean",
                "Whether the URL is to write, rather than to read. Default: false."),
            parameter("out", "url", 1, "uri",
                "The presigned URL: for GET and HEAD, or with upload for one PUT with the \
                Content-Type that Binary.contentType names. If it is resumable, it can also begin an \
                upload in parts, by tus 1.0 or the IETF's resumable uploads."),
            parameter("out", "method", 0, "code", "The method to use the URL with: GET or PUT."),
            parameter("out", "expires", 0, "instant", "When the URL stops working."),
            parameter("out", "resumable", 0, "boolean",
                "True of a URL that can also begin an upload in parts."),
            {
                "name": "header",
                "use": "out",
                "min": 0,
                "max": "*",
                "documentation": "A header that a request to the URL must have.",
                "part": [
                    parameter("out", "name", 1, "string", "The header's name."),
                    parameter("out", "value", 1, "string", "The header's value."),
                ],
            },
        ],
    })
}

/// The entry of `CapabilityStatement.rest.resource.operation`, for the resource `Binary`, that
/// declares the operation (<https://hl7.org/fhir/R4/capabilitystatement.html>).
///
/// `definition` is the canonical URL of the [`operation_definition`].
#[must_use]
pub fn supported_operation(definition: &str) -> Value {
    json!({ "name": "presigned-url", "definition": definition })
}
