//! The example server with its content in a cloud object store, for any number of replicas.
//!
//! ```text
//! export PRESIGN_STORE=s3://bucket PRESIGN_SECRET=$(openssl rand -hex 32)
//! export PRESIGN_STORAGE_URL=https://storage.example.com/binary
//! cargo run --example cloud --features object-store-aws,object-store-azure,object-store-gcp
//! ```
//!
//! Beside the variables of the example server:
//!
//! | variable | default | |
//! |---|---|---|
//! | `PRESIGN_STORE` | | `s3://bucket`, `gs://bucket` or `az://container`, each with an optional path |
//! | `PRESIGN_OFFLOAD` | | `reads`, `writes` or `reads,writes`: hand out the store's own URLs |
//! | `PRESIGN_REDIRECT` | | `1`: hand out our URLs, and redirect downloads to the store's own; uploads with `PRESIGN_OFFLOAD=writes` |
//! | `PRESIGN_WRITE_ONCE` | `1` | `0`: accept a store that may replace objects |
//!
//! Where the store is and who we are is told by the usual variables of each cloud:
//! `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, `AWS_REGION`, `AWS_ENDPOINT`, `AWS_ALLOW_HTTP`;
//! `GOOGLE_APPLICATION_CREDENTIALS`; `AZURE_STORAGE_ACCOUNT_NAME`, `AZURE_STORAGE_ACCOUNT_KEY`; and
//! more.

#[path = "axum/access.rs"]
mod access;
#[path = "axum/binary/mod.rs"]
mod binary;
#[path = "axum/conformance.rs"]
mod conformance;
#[path = "axum/connections.rs"]
mod connections;
#[path = "axum/fhir.rs"]
mod fhir;
#[path = "axum/page.rs"]
mod page;
#[path = "axum/server.rs"]
mod server;
#[path = "axum/settings.rs"]
mod settings;

use std::env;
use std::error::Error;
use std::process::ExitCode;
use std::sync::Arc;

use object_store::ObjectStore;
use object_store::aws::AmazonS3Builder;
use object_store::azure::MicrosoftAzureBuilder;
use object_store::gcp::GoogleCloudStorageBuilder;
use object_store::prefix::PrefixStore;
use object_store::signer::Signer;
use tower_presign::store::{ObjectStoreRepository, RepositoryError, SigningProtocol};
use tower_presign::{BinaryId, BinaryKey, ContentType};
use url::Url;

use crate::binary::Repository;
use crate::settings::Settings;

#[tokio::main]
async fn main() -> ExitCode {
    server::exit_code(run().await)
}

async fn run() -> Result<(), Box<dyn Error>> {
    let settings = Settings::from_env()?;
    if !settings.has_shared_secret() {
        return Err(
            "PRESIGN_SECRET or PRESIGN_KEYS must be set: all replicas need the same".into(),
        );
    }
    let place = env::var("PRESIGN_STORE").map_err(|_| "PRESIGN_STORE must be set: s3://bucket")?;
    let offload = env::var("PRESIGN_OFFLOAD").unwrap_or_default();
    let (offloads_reads, offloads_writes) = match offload.as_str() {
        "" => (false, false),
        "reads" => (true, false),
        "writes" => (false, true),
        "reads,writes" => (true, true),
        _ => return Err("PRESIGN_OFFLOAD must be reads, writes or reads,writes".into()),
    };
    let redirects = switch("PRESIGN_REDIRECT", false)?;
    let is_write_once = switch("PRESIGN_WRITE_ONCE", true)?;

    let repository = open(&Url::parse(&place)?, is_write_once)
        .await
        .map_err(|error| format!("PRESIGN_STORE={place}: {}", chain(error.as_ref())))?
        .offload_reads(redirects || offloads_reads)
        .offload_writes(offloads_writes);
    server::run(&settings, repository, &place, |layer| {
        // Whoever writes to the store itself must know which headers it wants.
        layer
            .redirect_to_storage(redirects)
            .describe_urls(offloads_writes)
    })
    .await
}

fn switch(name: &str, default: bool) -> Result<bool, String> {
    match env::var(name).as_deref() {
        Err(_) => Ok(default),
        Ok("0") => Ok(false),
        Ok("1") => Ok(true),
        Ok(_) => Err(format!("{name} must be 0 or 1")),
    }
}

async fn open(place: &Url, is_write_once: bool) -> Result<ObjectStoreRepository, Box<dyn Error>> {
    let path = place.path().trim_matches('/').to_owned();
    match place.scheme() {
        "s3" => {
            let store = AmazonS3Builder::from_env()
                .with_url(place.as_str())
                .build()?;
            let store = Arc::new(PrefixStore::new(store, path));
            let repository = open_store(store.clone(), is_write_once).await?;
            Ok(repository.with_signer(store as Arc<dyn Signer>, SigningProtocol::S3))
        }
        "gs" => {
            let store = GoogleCloudStorageBuilder::from_env()
                .with_url(place.as_str())
                .build()?;
            let store = Arc::new(PrefixStore::new(store, path));
            let repository = open_store(store.clone(), is_write_once).await?;
            Ok(repository.with_signer(store as Arc<dyn Signer>, SigningProtocol::Gcs))
        }
        "az" => {
            let store = MicrosoftAzureBuilder::from_env()
                .with_url(place.as_str())
                .build()?;
            Ok(open_store(Arc::new(PrefixStore::new(store, path)), is_write_once).await?)
        }
        _ => Err("it must begin with s3://, gs:// or az://".into()),
    }
}

async fn open_store(
    store: Arc<dyn ObjectStore>,
    is_write_once: bool,
) -> Result<ObjectStoreRepository, RepositoryError> {
    if is_write_once {
        ObjectStoreRepository::open(store).await
    } else {
        Ok(ObjectStoreRepository::open_without_write_once(store))
    }
}

/// An error with its causes, for the operator.
fn chain(error: &(dyn Error + 'static)) -> String {
    let causes = std::iter::successors(Some(error), |&cause| cause.source());
    causes
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(": ")
}

impl Repository for ObjectStoreRepository {
    async fn create(
        &self,
        id: BinaryId,
        content_type: ContentType,
    ) -> Result<BinaryKey, RepositoryError> {
        self.create(id, content_type).await
    }

    async fn delete(&self, id: BinaryId) -> Result<(), RepositoryError> {
        self.delete(id).await
    }
}
