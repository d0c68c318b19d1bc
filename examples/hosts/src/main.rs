//! A host with records of its own: Binaries in PostgreSQL, their bytes in a folder or a bucket.
//! Copy from it where there is a table of Binaries already.
//!
//! ```text
//! createdb hosts
//! export HOSTS_DATABASE=postgres:///hosts HOSTS_CONTENT=./hosts-data HOSTS_TENANTS=acme
//! export HOSTS_LISTEN=127.0.0.1:3000 HOSTS_ORIGIN=http://127.0.0.1:3000
//! export HOSTS_SECRET=$(openssl rand -hex 32)
//! cargo run -p tower-presign-hosts
//! psql hosts -c "INSERT INTO caller VALUES (sha256('token'), 'acme', 'doctor', NULL, true)"
//! curl -H 'Authorization: Bearer token' -H 'Content-Type: application/fhir+json' \
//!   -d '{"resourceType":"Binary","contentType":"image/png","securityContext":{"reference":"Patient/1"}}' \
//!   http://127.0.0.1:3000/acme/fhir/Binary
//! ```
//!
//! | variable | |
//! |---|---|
//! | `HOSTS_DATABASE` | `postgres://…`, shared by all servers |
//! | `HOSTS_CONTENT` | a folder, for one server, or `s3://bucket`, with the variables of AWS |
//! | `HOSTS_SECRET` | at least 32 bytes, the same for all servers |
//! | `HOSTS_TENANTS` | `acme,globex`: each has a path, URLs and a place of its own |
//! | `HOSTS_LISTEN` | `127.0.0.1:3000`; port 0 takes a free one, which is printed |
//! | `HOSTS_ORIGIN` | `http://127.0.0.1:3000`: the start of URLs, before `/{tenant}/storage` |
//! | `HOSTS_CLAMD` | optional, `127.0.0.1:3310`: uploads are scanned, and in quarantine until then |

#[rustfmt::skip] #[path = "../../axum/connections.rs"] // formatted with the other example
mod connections;

use std::{env, sync::Arc, time::Duration};

use axum::Router;
use object_store::aws::AmazonS3Builder;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tower_presign::store::{Bucket, BucketStore, FsStore};
use tower_presign::{SigningKey, UrlSigner};
use tower_presign_hosts::scanner::Scanner;
use tower_presign_hosts::{Host, routes};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let database: PgConnectOptions = setting("HOSTS_DATABASE")?.parse()?;
    // A database that hangs is an error too.
    let pool = PgPoolOptions::new()
        .acquire_timeout(Duration::from_secs(3))
        .connect_with(database.options([("statement_timeout", "10s")]))
        .await?;
    sqlx::raw_sql(include_str!("schema.sql")).execute(&pool).await?;

    let listener = TcpListener::bind(setting("HOSTS_LISTEN")?).await?;
    let key = SigningKey::new("1", setting("HOSTS_SECRET")?)?;
    let (origin, content) = (setting("HOSTS_ORIGIN")?, setting("HOSTS_CONTENT")?);
    let scanner = env::var("HOSTS_CLAMD").ok().map(|it| Scanner(it.into()));

    let mut app = Router::new();
    for name in setting("HOSTS_TENANTS")?.split(',') {
        let signer = UrlSigner::new(key.clone(), format!("{origin}/{name}/storage"))?;
        let (pool, scanner) = (pool.clone(), scanner.clone());
        let host = Host { tenant: name.into(), pool, scanner, wake: Arc::default() };
        let routes = if let Some(bucket) = content.strip_prefix("s3://") {
            let bucket = AmazonS3Builder::from_env().with_bucket_name(bucket).build()?;
            routes(host, BucketStore::open(Bucket::from(bucket).below(name)).await?, signer)?
        } else {
            routes(host, FsStore::open(format!("{content}/{name}")).await?, signer)?
        };
        app = app.nest(&format!("/{name}"), routes);
    }
    println!("{}", listener.local_addr()?);
    let mut terminate = signal(SignalKind::terminate())?;
    let stop = async move { terminate.recv().await.unwrap_or_default() };
    connections::serve(listener, app, stop, Duration::from_secs(30)).await;
    Ok(())
}

fn setting(name: &str) -> Result<String, String> {
    env::var(name).map_err(|_| format!("{name} must be set"))
}
