//! A small FHIR server with presigned URLs for Binary content: copy from it where a host has no
//! Binaries yet.
//!
//! `cargo run --example axum` starts it and prints commands to try; [`settings`] lists the
//! environment variables that it reads.
//!
//! | request | answered by |
//! |---|---|
//! | `GET /` | [`page`], a page to try it in a browser |
//! | `POST /fhir/R4/Binary` | [`binary`] |
//! | `GET /fhir/R4/Binary/{id}` and `…/_history/{version}` | [`binary`] |
//! | `POST` and `GET /fhir/R4/Patient` and `…/DocumentReference`, `GET …/{id}` | [`resources`] |
//! | `GET /fhir/R4/metadata` and `…/OperationDefinition/Binary-presigned-url` | [`conformance`] |
//! | `GET` and `POST /fhir/R4/Binary/{id}/$presigned-url` | the layer |
//! | all below `/storage`, also uploads in parts | the layer |

mod access;
mod binary;
mod conformance;
mod connections;
mod fhir;
mod page;
mod resources;
mod server;
mod settings;

use std::error::Error;
use std::process::ExitCode;

use tower_presign::FsRepository;

use crate::settings::Settings;

#[tokio::main]
async fn main() -> ExitCode {
    server::exit_code(run().await)
}

async fn run() -> Result<(), Box<dyn Error>> {
    let settings = Settings::from_env()?;
    let repository = FsRepository::open(&settings.data)
        .await
        .map_err(|error| format!("PRESIGN_DATA={}: {error}", settings.data.display()))?;
    let place = settings.data.display().to_string();
    server::run(&settings, repository, &place, |layer| layer).await
}
