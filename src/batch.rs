//! The operation as an entry of a batch (<https://hl7.org/fhir/R4/http.html#transaction>).

use std::str::FromStr as _;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http::request::Parts;
use http::{HeaderValue, Method, Uri};
use http_body_util::Full;
use serde_json::{Value, json};

use crate::config::{BasePath, Config, Operation};
use crate::events::RequestEvent;
use crate::operation;
use crate::request_body::RequestBody;
use crate::route::Route;

/// The entry of the response; `None` if the entry does not call the operation.
pub(crate) async fn answer(operation: &Operation, caller: &Parts, entry: &Value) -> Option<Value> {
    let request = entry.get("request")?;
    let method = Method::from_str(request.get("method")?.as_str()?).ok()?;
    // Relative to the base (<https://hl7.org/fhir/R4/bundle-definitions.html#Bundle.entry.request.url>).
    let url = request.get("url")?.as_str()?;
    let base = operation.fhir_base.as_ref().map_or("", BasePath::as_str);
    let uri = Uri::try_from(format!("{base}/{url}")).ok()?;
    let config = Config {
        operation: Some(Arc::new(operation.clone())),
        serving: None,
    };
    let Route::Operation(_, subject) = Route::of(&config, &method, &uri)? else {
        return None;
    };

    let body = entry.get("resource").map(Value::to_string);
    let mut parts = caller.clone();
    (parts.method, parts.uri) = (method, uri);
    parts.headers.remove(CONTENT_LENGTH);
    let fhir_json = HeaderValue::from_static("application/fhir+json");
    parts.headers.insert(CONTENT_TYPE, fhir_json);
    let body = Full::new(Bytes::from(body.unwrap_or_default()));
    let mut body = RequestBody::new(body, &parts);
    let mut event = RequestEvent::new();
    let (name, response) =
        match operation::answer(operation, subject, Arc::new(parts), &mut body, &mut event).await {
            Ok(response) => {
                event.answered(response.status());
                event.complete();
                ("resource", response)
            }
            Err(refusal) => {
                event.refused(&refusal);
                ("outcome", refusal.into_response())
            }
        };
    let status = response.status().to_string();
    // It is our own.
    let resource: Value = serde_json::from_slice(response.body()).unwrap_or_default();
    Some(if name == "resource" {
        json!({ "resource": resource, "response": { "status": status } })
    } else {
        json!({ "response": { "status": status, "outcome": resource } })
    })
}
