//! The `Parameters` body of a POST, as any bytes and as JSON of the right pieces in a wrong place,
//! against an oracle that looks at one member after the other.

use std::fmt;

use arbitrary::{Arbitrary, Unstructured};
use bytes::Bytes;
use http::Request;
use http::header::CONTENT_TYPE;
use http_body_util::Full;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;
use tower_presign::Access;

use crate::common::{BASE, at, signer};
use crate::support::{self, NOW};

const MAX_BODY: usize = 64 * 1024;

/// Text is taken as it is; from a first byte that no text starts with, JSON is built.
pub fn run(data: &[u8]) {
    match data {
        [0x80..=0xFF, rest @ ..] => {
            let mut bytes = Unstructured::new(rest);
            let mut text = String::new();
            if build(&mut bytes, &mut text, 0).is_ok() {
                // Around the longest body that is read.
                if bytes.ratio(1, 16).unwrap_or(false) {
                    let length = usize::from(bytes.arbitrary::<u8>().unwrap_or(0));
                    let blanks = (MAX_BODY - 128 + length).saturating_sub(text.len());
                    text.push_str(&" ".repeat(blanks));
                }
                check(text.into_bytes());
            }
        }
        text => check(text.to_vec()),
    }
}

fn check(body: Vec<u8>) {
    let (repository, _) = support::scan("image/png");
    let request = Request::post("/fhir/R4/Binary/scan/$presigned-url")
        .header(CONTENT_TYPE, "application/fhir+json")
        .body(Full::new(Bytes::from(body.clone())));
    let answer = support::call(&support::layer(repository), request.unwrap());

    let text = String::from_utf8_lossy(&body);
    if body.len() > MAX_BODY {
        assert_eq!(answer.refusal(), "too-large");
        return;
    }
    match is_upload(&body) {
        None => assert_eq!(answer.refusal(), "invalid-parameter", "{text}"),
        Some(is_upload) => {
            assert_eq!(answer.status, 200, "{text}: {answer:?}");
            let url = answer.url();
            let target = url.strip_prefix(BASE).unwrap();
            let grant = signer().verifier().verify(target, at(NOW)).unwrap();
            assert_eq!(grant.access() == Access::Write, is_upload, "{text}");
        }
    }
}

/// `None` if it is neither.
fn is_upload(body: &[u8]) -> Option<bool> {
    if body.is_empty() {
        return Some(false);
    }
    // Members that are not known are not looked at, yet they must be JSON.
    serde_json::from_slice::<Value>(body).ok()?;
    let resource = Object::parse(body)?;
    if resource.get::<String>("resourceType")?? != "Parameters" {
        return None;
    }
    let parameters = resource.get::<Vec<Box<RawValue>>>("parameter")?;
    let mut uploads = Vec::new();
    for parameter in parameters.unwrap_or_default() {
        let parameter = Object::parse(parameter.get().as_bytes())?;
        let name = parameter.get::<String>("name")??;
        let value = parameter.get::<Option<bool>>("valueBoolean")?.flatten();
        if name == "upload" {
            uploads.push(value?);
        }
    }
    match uploads[..] {
        [] => Some(false),
        [upload] => Some(upload),
        _ => None,
    }
}

/// The members of a JSON object, in their order, whatever they are and however often.
struct Object(Vec<(String, Box<RawValue>)>);

impl Object {
    fn parse(json: &[u8]) -> Option<Self> {
        serde_json::from_slice(json).ok()
    }

    /// `None` if there are several, or it is of another type.
    fn get<T: for<'a> Deserialize<'a>>(&self, name: &str) -> Option<Option<T>> {
        let mut values = self.0.iter().filter(|(other, _)| other == name);
        match (values.next(), values.next()) {
            (None, _) => Some(None),
            (Some((_, value)), None) => serde_json::from_str(value.get()).ok().map(Some),
            (Some(_), Some(_)) => None,
        }
    }
}

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;

        impl<'de> Visitor<'de> for Members {
            type Value = Object;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Object(members))
            }
        }

        deserializer.deserialize_map(Members)
    }
}

/// Writes JSON that is likely to be nearly a `Parameters` resource.
fn build(bytes: &mut Unstructured, text: &mut String, depth: u8) -> arbitrary::Result<()> {
    if depth > 6 {
        text.push_str("{}");
        return Ok(());
    }
    match bytes.int_in_range(0..=12)? {
        0 => text.push_str("true"),
        1 => text.push_str("false"),
        2 => text.push_str("null"),
        3 => text.push_str("\"upload\""),
        4 => text.push_str("\"Parameters\""),
        5 => text.push_str(&serde_json::to_string(<&str>::arbitrary(bytes)?).unwrap()),
        6 => text.push_str(&f64::arbitrary(bytes)?.to_string()),
        7 => text.push_str(r#"{"name":"upload","valueBoolean":true}"#),
        8 => text.push_str(r#"{"name":"other","part":[{"name":"upload"}]}"#),
        9 => {
            text.push('[');
            items(bytes, text, depth, |_, _| Ok(()))?;
            text.push(']');
        }
        kind => {
            text.push('{');
            if kind == 10 {
                text.push_str(r#""resourceType":"Parameters","parameter":["#);
                items(bytes, text, depth, |_, _| Ok(()))?;
                text.push_str("],");
            }
            items(bytes, text, depth, |bytes, text| {
                let names = [
                    "\"resourceType\":",
                    "\"parameter\":",
                    "\"name\":",
                    "\"valueBoolean\":",
                    "\"valueString\" :",
                    "\"\\u006eame\":",
                    "\"_name\":",
                ];
                text.push_str(bytes.choose(&names)?);
                Ok(())
            })?;
            // A comma that follows `],` alone is legal no more.
            if text.ends_with(',') {
                text.pop();
            }
            text.push('}');
        }
    }
    Ok(())
}

fn items(
    bytes: &mut Unstructured,
    text: &mut String,
    depth: u8,
    name: impl Fn(&mut Unstructured, &mut String) -> arbitrary::Result<()>,
) -> arbitrary::Result<()> {
    for position in 0..bytes.int_in_range(0..=4)? {
        if position > 0 {
            text.push(',');
        }
        name(bytes, text)?;
        build(bytes, text, depth + 1)?;
    }
    Ok(())
}
