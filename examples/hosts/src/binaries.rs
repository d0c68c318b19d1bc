//! FHIR's view of a Binary beside its presigned URLs: create, read, history, delete, batch.

use axum::body::{Body, to_bytes};
use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, Response, StatusCode, header, request::Parts};
use axum::{Json, Router, response::IntoResponse, routing};
use futures_util::future::join_all;
use serde_json::{Value, json};
use tower_presign::store::{RepositoryError, Upload};
use tower_presign::{
    Access, BinaryId, BinaryKey, BinaryRepository as _, BoxRepository, ContentType, Denial,
    Download, PresignLayer, Target, UrlId, VersionId,
};

use crate::{Host, policy, rows};

/// One tenant's host, its repository and its layer.
#[derive(Clone)]
pub struct App {
    pub host: Host,
    pub repository: BoxRepository,
    pub layer: PresignLayer,
}

pub fn routes() -> Router<App> {
    Router::new()
        .route("/fhir", routing::post(batch))
        .route("/fhir/Binary", routing::post(create))
        .route("/fhir/Binary/{id}", routing::get(read).delete(remove))
        .route("/fhir/Binary/{id}/_history", routing::get(history))
        .route("/fhir/Binary/{id}/_history/{version}", routing::get(read))
        .route("/urls/{id}", routing::delete(revoke))
        // A nested router needs one for the layer to be around all of its paths.
        .fallback(async || Refusal(RepositoryError::NotFound.into()))
}

type Answer = Result<Response<Body>, Refusal>;

/// The client gets the layer's own `OperationOutcome`.
struct Refusal(Denial);

impl<E: Into<Denial>> From<E> for Refusal {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response<Body> {
        self.0.into_response()
    }
}

/// A FHIR Binary gets its content through a presigned URL. Anything else is content, stored at once.
async fn create(State(app): State<App>, request: Request) -> Answer {
    let (parts, body) = request.into_parts();
    let header = |name| parts.headers.get(name).and_then(|value| value.to_str().ok());
    let (mut binary, content) = match header("content-type") {
        Some("application/fhir+json") => {
            let json = to_bytes(body, 64 * 1024).await.unwrap_or_default();
            (serde_json::from_slice::<Value>(&json).unwrap_or_default(), None)
        }
        content_type => {
            let context = json!({ "reference": header("x-security-context") });
            (json!({ "contentType": content_type, "securityContext": context }), Some(body))
        }
    };
    let reference = binary["securityContext"]["reference"].as_str().unwrap_or_default();
    let content_type = ContentType::new(binary["contentType"].as_str().unwrap_or_default());
    let (Some(patient), Ok(content_type), None) =
        (reference.strip_prefix("Patient/"), content_type, binary.get("data"))
    else {
        let reason = "It needs a contentType and a Patient as its securityContext, and no data.";
        return Err(Denial::rejected().because(reason).into());
    };
    let upload = |body| Upload::from_body(&parts, body, content_type.clone(), 5 << 30);
    let upload = content.map(upload).transpose()?;
    let (id, token) = (BinaryId::random(), policy::token(&parts.headers));
    let sql = r#"INSERT INTO "binary" (tenant, id, patient, content_type)
        SELECT tenant, $3, $4, $5 FROM caller
        WHERE tenant = $1 AND token = $2 AND may_write AND (patient IS NULL OR patient = $4)
        RETURNING id"#;
    let rows = rows!(app.host, sql, token, id.as_str(), patient, content_type.as_str())?;
    policy::done(&rows, Denial::forbidden)?;
    if let Some(upload) = upload {
        let stored = app.repository.write(&BinaryKey::new(id, VersionId::from(1)), upload).await;
        if let Err(error) = stored {
            app.host.delete(id).await?;
            return Err(error.into());
        }
        app.host.wake.notify_one();
    }
    binary["id"] = json!(id.as_str());
    let location = [(header::LOCATION, format!("Binary/{id}"))];
    Ok((StatusCode::CREATED, location, fhir(&binary)).into_response())
}

async fn read(State(app): State<App>, Path(path): Path<Vec<String>>, parts: Parts) -> Answer {
    let id = binary_id(&path[0])?;
    app.host.may(&parts.headers, id, Access::Read).await?;
    let target = match path.get(1).map(VersionId::new) {
        None => Target::new(id, Access::Read),
        Some(version) => Target::version_of(id, version.map_err(|_| RepositoryError::NotFound)?),
    };
    let key = app.repository.locate(&target).await?.key;
    Ok(Download::new(key, &parts).serve(&app.repository).await.map(Body::new))
}

async fn history(State(app): State<App>, Path(id): Path<String>, caller: HeaderMap) -> Answer {
    let id = binary_id(&id)?;
    app.host.may(&caller, id, Access::Read).await?;
    app.host.binary(id).await?;
    let sql = r#"SELECT number, to_char(written AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')
        FROM version WHERE tenant = $1 AND id = $2 ORDER BY number DESC"#;
    let versions: Vec<(i64, String)> = rows!(app.host, sql, id.as_str())?;
    let entries = versions.into_iter().map(|(number, written)| {
        json!({
            "fullUrl": format!("Binary/{id}/_history/{number}"),
            "request": { "method": "PUT", "url": format!("Binary/{id}") },
            "response": { "status": "200", "lastModified": written },
        })
    });
    Ok(bundle_of("history", &entries.collect::<Vec<_>>()))
}

/// The records first, then the bytes: a crash in between leaves the bytes to the housekeeping.
async fn remove(State(app): State<App>, Path(id): Path<String>, caller: HeaderMap) -> Answer {
    let id = binary_id(&id)?;
    app.host.may(&caller, id, Access::Write).await?;
    app.host.delete(id).await?;
    app.host.wake.notify_one();
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// Takes back a URL of the caller's own.
async fn revoke(State(app): State<App>, Path(id): Path<String>, caller: HeaderMap) -> Answer {
    let url = UrlId::new(id).map_err(|_| RepositoryError::NotFound)?;
    let sql = "UPDATE url SET revoked = coalesce(revoked, now()) FROM caller
        WHERE caller.tenant = $1 AND caller.token = $2 AND caller.name = url.caller
          AND url.tenant = $1 AND url.id = $3 RETURNING id";
    let rows = rows!(app.host, sql, policy::token(&caller), url.as_str())?;
    policy::done(&rows, Denial::not_found)?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// Each entry is answered for itself.
async fn batch(State(app): State<App>, parts: Parts, Json(bundle): Json<Value>) -> Answer {
    let entries = bundle["entry"].as_array().map(Vec::as_slice).unwrap_or_default();
    let answers = entries.iter().map(async |entry| {
        let answer = app.layer.answer_batch_entry(&parts, entry).await;
        // Here a host answers its other entries.
        answer.unwrap_or_else(|| json!({ "response": { "status": "404 Not Found" } }))
    });
    Ok(bundle_of("batch-response", &join_all(answers).await))
}

fn binary_id(id: &str) -> Result<BinaryId, RepositoryError> {
    BinaryId::new(id).map_err(|_| RepositoryError::NotFound)
}

fn bundle_of(kind: &str, entries: &[Value]) -> Response<Body> {
    fhir(&json!({ "resourceType": "Bundle", "type": kind, "entry": entries }))
}

fn fhir(resource: &Value) -> Response<Body> {
    ([(header::CONTENT_TYPE, "application/fhir+json")], resource.to_string()).into_response()
}
