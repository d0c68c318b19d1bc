//! Resources of the types `Patient` and `DocumentReference`, in memory: resources that name content
//! by `Attachment.url`. The attachments layer decides what clients see in its place.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::response::Response;
use axum::routing::{get, post};
use http::header::{CONTENT_LOCATION, ETAG, LOCATION};
use http::{HeaderValue, StatusCode};
use serde_json::{Value, json};
use tower_presign::BinaryId;

use crate::access::Caller;
use crate::fhir::{self, Outcome};

pub(crate) const TYPES: [&str; 2] = ["DocumentReference", "Patient"];

/// Resources of one type, by their ids, which begin with the number in which they were created.
type Resources = Arc<Mutex<BTreeMap<String, Value>>>;

#[derive(Clone)]
struct OfType {
    name: &'static str,
    /// The FHIR base.
    base: Arc<str>,
    resources: Resources,
}

/// `base` is the FHIR base, as clients know it.
pub(crate) fn routes<S>(base: &str) -> Router<S>
where
    S: Clone + Send + Sync + 'static,
{
    TYPES.iter().fold(Router::new(), |router, name| {
        let of_type = OfType {
            name,
            base: base.into(),
            resources: Resources::default(),
        };
        let routes = Router::new()
            .route(&format!("/{name}"), post(create).get(search))
            .route(&format!("/{name}/{{id}}"), get(read))
            .method_not_allowed_fallback(fhir::method_not_allowed)
            .with_state(of_type);
        router.merge(routes)
    })
}

impl OfType {
    fn with<T>(&self, use_resources: impl FnOnce(&mut BTreeMap<String, Value>) -> T) -> T {
        let resources = self.resources.lock();
        use_resources(&mut resources.unwrap_or_else(PoisonError::into_inner))
    }
}

/// `POST /{type}`
async fn create(
    State(of_type): State<OfType>,
    caller: Caller,
    body: Bytes,
) -> Result<Response, Outcome> {
    if caller == Caller::Reader {
        return Err(Outcome::forbidden());
    }
    let name = of_type.name;
    let mut resource: Value = serde_json::from_slice(&body)
        .ok()
        .filter(|resource: &Value| resource["resourceType"] == name)
        .ok_or_else(|| Outcome::invalid(&format!("The body must be a {name} in JSON.")))?;
    let now = humantime::format_rfc3339_millis(SystemTime::now()).to_string();
    let id = of_type.with(|resources| {
        let id = format!("{:08}-{}", resources.len(), BinaryId::random());
        resource["id"] = json!(id);
        resource["meta"] = json!({ "versionId": "1", "lastUpdated": now });
        resources.insert(id.clone(), resource.clone());
        id
    });
    let mut response = fhir::resource(StatusCode::CREATED, resource.to_string());
    let location = HeaderValue::try_from(format!("/fhir/R4/{name}/{id}"));
    let location = location.map_err(tower_presign::store::RepositoryError::internal)?;
    let headers = response.headers_mut();
    headers.insert(LOCATION, location.clone());
    headers.insert(CONTENT_LOCATION, location);
    headers.insert(ETAG, HeaderValue::from_static("W/\"1\""));
    Ok(response)
}

/// `GET /{type}/{id}`
async fn read(
    State(of_type): State<OfType>,
    _: Caller,
    Path(id): Path<String>,
) -> Result<Response, Outcome> {
    let resource = of_type.with(|resources| resources.get(&id).map(Value::to_string));
    let resource = resource.ok_or_else(Outcome::not_found)?;
    let mut response = fhir::resource(StatusCode::OK, resource);
    let tag = HeaderValue::from_static("W/\"1\"");
    response.headers_mut().insert(ETAG, tag);
    Ok(response)
}

/// `GET /{type}`: all of them, the newest first.
async fn search(State(of_type): State<OfType>, _: Caller) -> Response {
    let (name, base) = (of_type.name, &of_type.base);
    let entries: Vec<Value> = of_type.with(|resources| {
        let newest_first = resources.iter().rev();
        newest_first
            .map(|(id, resource)| {
                json!({
                    "fullUrl": format!("{base}/{name}/{id}"),
                    "resource": resource,
                    "search": { "mode": "match" },
                })
            })
            .collect()
    });
    let bundle = json!({
        "resourceType": "Bundle",
        "type": "searchset",
        "total": entries.len(),
        "entry": entries,
    });
    fhir::resource(StatusCode::OK, bundle.to_string())
}
