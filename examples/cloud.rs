//! The example server with its content in a cloud object store, for any number of replicas. Copy
//! from it where content is in a bucket.
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
//! | `PRESIGN_PATIENCE` | `10` | the seconds that the store has for an answer |
//!
//! The usual variables of each cloud give the place of the store and the credentials:
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
#[path = "axum/resources.rs"]
mod resources;
#[path = "axum/server.rs"]
mod server;
#[path = "axum/settings.rs"]
mod settings;

use std::env;
use std::error::Error;
use std::process::ExitCode;
use std::time::Duration;

use object_store::aws::{AmazonS3Builder, Checksum};
use object_store::azure::MicrosoftAzureBuilder;
use object_store::gcp::GoogleCloudStorageBuilder;
use tower_presign::store::{Bucket, Connector, ObjectStoreRepository, RepositoryError};
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
        // A client that writes to the store itself must know the headers that it wants.
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
    let at = place.clone();
    let patience = match env::var("PRESIGN_PATIENCE") {
        Ok(seconds) => seconds
            .parse()
            .map_err(|_| "PRESIGN_PATIENCE must be seconds")?,
        Err(_) => 10,
    };
    let bucket = Bucket::renewable(move || connect(&at))?
        .below(place.path())
        .with_patience(Duration::from_secs(patience));
    if is_write_once {
        Ok(ObjectStoreRepository::open(bucket).await?)
    } else {
        Ok(ObjectStoreRepository::new(bucket).without_write_once())
    }
}

/// The bucket at a place, with the credentials that there are now.
fn connect(place: &Url) -> Result<Bucket, object_store::Error> {
    let (connector, retry) = (Connector::new(), Bucket::retry_config());
    Ok(match place.scheme() {
        "s3" => AmazonS3Builder::from_env()
            .with_url(place.as_str())
            .with_http_connector(connector)
            .with_retry(retry)
            // The store compares it with what arrives.
            .with_checksum_algorithm(Checksum::SHA256)
            .build()?
            .into(),
        "gs" => GoogleCloudStorageBuilder::from_env()
            .with_url(place.as_str())
            .with_http_connector(connector)
            .with_retry(retry)
            .build()?
            .into(),
        "az" => MicrosoftAzureBuilder::from_env()
            .with_url(place.as_str())
            .with_http_connector(connector)
            .with_retry(retry)
            .build()?
            .into(),
        _ => {
            return Err(object_store::Error::Generic {
                store: "cloud",
                source: "it must begin with s3://, gs:// or az://".into(),
            });
        }
    })
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
