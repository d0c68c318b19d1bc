//! One tenant's host: its share of the database, its bytes, its URLs and routes.

pub mod binaries;
pub mod housekeeping;
pub mod policy;
pub mod records;
pub mod scanner;

use std::{sync::Arc, time::Duration};

use axum::Router;
use sqlx::PgPool;
use tokio::sync::Notify;
use tower_http::cors::CorsLayer;
use tower_http::timeout::{RequestBodyTimeoutLayer, TimeoutError};
use tower_presign::{BoxRepository, Composed, ContentStore, InvalidPath, PresignLayer, UrlSigner};

use crate::binaries::App;
use crate::scanner::Scanner;

/// The records, the rights, the audit trail: a `Catalog`, an `AccessPolicy` and a `UseLedger`.
#[derive(Clone)]
pub struct Host {
    pub tenant: Arc<str>,
    pub pool: PgPool,
    /// With one, content is in quarantine until it has been scanned.
    pub scanner: Option<Scanner>,
    /// Wakes the housekeeping.
    pub wake: Arc<Notify>,
}

/// The rows of a statement, whose `$1` is the tenant and whose `$2` and so on are the values. While
/// the database does not answer, nobody gets anything.
macro_rules! rows {
    ($host:expr, $sql:expr $(, $value:expr)* $(,)?) => {
        sqlx::query_as($sql).bind(&*$host.tenant)$(.bind($value))*
            .fetch_all(&$host.pool).await.map_err(RepositoryError::unavailable)
    };
}
pub(crate) use rows;

/// A tenant's own records, bytes, URLs and routes: a URL of one is nothing to another.
pub fn routes(
    host: Host,
    store: impl ContentStore,
    signer: UrlSigner,
) -> Result<Router, InvalidPath> {
    let composed = Arc::new(Composed::new(host.clone(), store));
    tokio::spawn(housekeeping::keep_house(Arc::clone(&composed)));
    let repository = BoxRepository::new(composed);
    let layer = PresignLayer::new(signer, repository.clone(), host.clone())
        .fhir_base("/fhir")?
        .storage_path("/storage")?
        .use_ledger(host.clone())
        .timeout_error::<TimeoutError>();
    let app = App { layer: layer.clone(), repository, host };
    Ok(binaries::routes()
        .with_state(app)
        .layer(layer)
        // The time for which an upload may send nothing.
        .layer(RequestBodyTimeoutLayer::new(Duration::from_secs(30)))
        // In front, so that pages see refusals too.
        .layer(CorsLayer::permissive()))
}
