//! The operation's parameters, in and out.

use std::time::{Duration, SystemTime};

use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};

use crate::outcome::{Code, Refusal};
use crate::url::PresignedUrl;

/// The parameter `upload`, as far as it has been read.
#[derive(Default)]
pub(super) struct UploadParameter(Option<bool>);

impl UploadParameter {
    pub(super) fn is_requested(&self) -> bool {
        self.0.unwrap_or(false)
    }

    pub(super) fn read_query(&mut self, query: &str) -> Result<(), Refusal> {
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            if name == "upload" {
                self.set(match &*value {
                    "true" => true,
                    "false" => false,
                    _ => return Err(invalid("The parameter upload must be true or false.")),
                })?;
            }
        }
        Ok(())
    }

    /// Reads a FHIR `Parameters` resource (<https://hl7.org/fhir/R4/parameters.html>).
    pub(super) fn read_parameters(&mut self, json: &[u8]) -> Result<(), Refusal> {
        let resource: Incoming = serde_json::from_slice(json)
            .map_err(|_| invalid("The body is not a FHIR Parameters resource in JSON."))?;
        if resource.resource_type != "Parameters" {
            return Err(invalid("The body's resourceType must be Parameters."));
        }
        for parameter in resource.parameter {
            if parameter.name == "upload" {
                let value = parameter.value_boolean.ok_or_else(|| {
                    invalid("The parameter upload must have a valueBoolean of true or false.")
                })?;
                self.set(value)?;
            }
        }
        Ok(())
    }

    fn set(&mut self, value: bool) -> Result<(), Refusal> {
        match self.0.replace(value) {
            None => Ok(()),
            Some(_) => Err(invalid("The parameter upload may be given once.")),
        }
    }
}

fn invalid(diagnostics: &'static str) -> Refusal {
    Refusal::because(Code::InvalidParameter, diagnostics)
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

/// The answer: `url`, and with `describe` also what using it takes.
pub(super) fn answer(presigned: &PresignedUrl, describe: bool) -> Outgoing<'_> {
    let mut parameter = vec![Parameter::new("url", Value::Uri(presigned.as_str()))];
    if describe {
        let method = presigned.method().as_str();
        parameter.push(Parameter::new("method", Value::Code(method)));
        if let Some(expires) = instant(presigned.expires()) {
            parameter.push(Parameter::new("expires", Value::Instant(expires)));
        }
        for (name, value) in presigned.headers() {
            let parts = vec![
                Parameter::new("name", Value::String(name.as_str())),
                Parameter::new("value", Value::String(value.to_str().unwrap_or_default())),
            ];
            parameter.push(Parameter::new("header", Value::Parts(parts)));
        }
    }
    Outgoing {
        resource_type: "Parameters",
        parameter,
    }
}

/// A FHIR instant: RFC 3339, in UTC. `None` beyond the year 9999, which FHIR cannot write.
fn instant(unix_seconds: u64) -> Option<String> {
    const YEAR_10000: u64 = 253_402_300_800;
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(unix_seconds.min(YEAR_10000 - 1));
    (unix_seconds < YEAR_10000).then(|| humantime::format_rfc3339_seconds(time).to_string())
}

#[derive(Serialize)]
pub(super) struct Outgoing<'a> {
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
    #[serde(rename = "valueCode")]
    Code(&'a str),
    #[serde(rename = "valueInstant")]
    Instant(String),
    #[serde(rename = "valueString")]
    String(&'a str),
    #[serde(rename = "part")]
    Parts(Vec<Parameter<'a>>),
}
