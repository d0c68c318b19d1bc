//! The resource `Parameters` (<https://hl7.org/fhir/R4/parameters.html>): of the operation's call,
//! and its answer.

use std::time::{Duration, SystemTime};

use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};

use super::Refusal;
use crate::refusal::RefusalCode;
use crate::url::PresignedUrl;

const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// The values of the parameter `upload` in a call of the operation.
pub(crate) fn upload_values(json: &[u8]) -> Result<Vec<bool>, Refusal> {
    // A byte order mark may be ignored (RFC 8259 §8.1).
    let json = json.strip_prefix(BYTE_ORDER_MARK).unwrap_or(json);
    let resource: Incoming = serde_json::from_slice(json)
        .map_err(|_| invalid("The body is not a FHIR Parameters resource in JSON."))?;
    if resource.resource_type != "Parameters" {
        return Err(invalid("The body's resourceType must be Parameters."));
    }
    let uploads = resource.parameter.into_iter();
    uploads
        .filter(|parameter| parameter.name == "upload")
        .map(|parameter| {
            parameter.value_boolean.ok_or_else(|| {
                invalid("The parameter upload must have a valueBoolean of true or false.")
            })
        })
        .collect()
}

fn invalid(diagnostics: &'static str) -> Refusal {
    Refusal::because(RefusalCode::InvalidParameter, diagnostics)
}

#[derive(Deserialize)]
struct Incoming {
    #[serde(rename = "resourceType")]
    resource_type: String,
    #[serde(default)]
    parameter: Vec<IncomingParameter>,
    #[serde(flatten)]
    _others: OtherMembers,
}

#[derive(Deserialize)]
struct IncomingParameter {
    name: String,
    #[serde(rename = "valueBoolean")]
    value_boolean: Option<bool>,
    #[serde(flatten)]
    _others: OtherMembers,
}

/// Serde would also read a struct from an array, unless it has a flattened field.
type OtherMembers = IgnoredAny;

/// The operation's answer.
pub(crate) fn plain_url(presigned: &PresignedUrl) -> Outgoing<'_> {
    Outgoing {
        resource_type: "Parameters",
        parameter: vec![Parameter::new("url", Value::Uri(presigned.as_str()))],
    }
}

/// The operation's answer, with all that a client needs to use the URL. `resumes_uploads`: our own
/// write URLs take uploads in parts.
pub(crate) fn describe_url(presigned: &PresignedUrl, resumes_uploads: bool) -> Outgoing<'_> {
    let mut answer = plain_url(presigned);
    let method = presigned.method();
    let mut add = |name, value| answer.parameter.push(Parameter::new(name, value));
    add("method", Value::Code(method));
    if let Some(expires) = instant(presigned.expires().unix_seconds()) {
        add("expires", Value::Instant(expires));
    }
    if resumes_uploads && method == "PUT" && presigned.key_id().is_some() {
        add("resumable", Value::Boolean(true));
    }
    for (name, value) in presigned.headers() {
        let parts = vec![
            Parameter::new("name", Value::String(name.as_str())),
            Parameter::new("value", Value::String(value.to_str().unwrap_or_default())),
        ];
        add("header", Value::Parts(parts));
    }
    answer
}

/// A FHIR instant: RFC 3339, in UTC. `None` beyond the year 9999, which FHIR cannot write.
fn instant(unix_seconds: u64) -> Option<String> {
    const YEAR_10000: u64 = 253_402_300_800;
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(unix_seconds.min(YEAR_10000 - 1));
    (unix_seconds < YEAR_10000).then(|| humantime::format_rfc3339_seconds(time).to_string())
}

#[derive(Serialize)]
pub(crate) struct Outgoing<'a> {
    #[serde(rename = "resourceType")]
    resource_type: &'static str,
    parameter: Vec<Parameter<'a>>,
}

#[derive(Serialize)]
struct Parameter<'a> {
    name: &'static str,
    #[serde(flatten)]
    value: Value<'a>,
}

impl<'a> Parameter<'a> {
    fn new(name: &'static str, value: Value<'a>) -> Self {
        Self { name, value }
    }
}

#[derive(Serialize)]
enum Value<'a> {
    #[serde(rename = "valueUri")]
    Uri(&'a str),
    #[serde(rename = "valueBoolean")]
    Boolean(bool),
    #[serde(rename = "valueCode")]
    Code(&'a str),
    #[serde(rename = "valueInstant")]
    Instant(String),
    #[serde(rename = "valueString")]
    String(&'a str),
    #[serde(rename = "part")]
    Parts(Vec<Parameter<'a>>),
}
