//! A small FHIR server with presigned URLs for Binary content.
//!
//! `cargo run --example axum` starts it and prints what to try; [`settings`] tells which
//! environment variables it reads.
//!
//! | request | answered by |
//! |---|---|
//! | `GET /` | [`page`], a page to try it in a browser |
//! | `POST /fhir/R4/Binary` | [`binary`] |
//! | `GET /fhir/R4/Binary/{id}` and `…/_history/{version}` | [`binary`] |
//! | `GET /fhir/R4/metadata` and `…/OperationDefinition/Binary-presigned-url` | [`conformance`] |
//! | `GET` and `POST /fhir/R4/Binary/{id}/$presigned-url` | the layer |
//! | `GET` and `PUT` below `/storage` | the layer |

mod access;
mod binary;
mod conformance;
mod fhir;
mod page;
mod settings;

use std::error::Error;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use axum::routing::{get, post};
use axum::{Router, middleware};
use http::Method;
use http::header::{ACCEPT_RANGES, CONTENT_DISPOSITION, CONTENT_RANGE, ETAG};
use tokio::net::TcpListener;
use tower::ServiceBuilder;
use tower_http::cors::{AllowHeaders, Any, CorsLayer};
use tower_http::timeout::{RequestBodyTimeoutLayer, TimeoutError};
use tower_presign::{FsRepository, PresignLayer, SigningKey, UrlSigner};

use crate::access::Tokens;
use crate::binary::Binaries;
use crate::settings::Settings;

/// For how long an upload may send nothing.
const IDLE_LIMIT: Duration = Duration::from_secs(30);

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<(), Box<dyn Error>> {
    let settings = Settings::from_env()?;
    // First, since with port 0 only the listener knows the address that URLs must point to.
    let listener = TcpListener::bind(&settings.listen)
        .await
        .map_err(|error| format!("PRESIGN_LISTEN={}: {error}", settings.listen))?;
    let origin = origin(listener.local_addr()?);
    let repository = FsRepository::open(&settings.data)
        .await
        .map_err(|error| format!("PRESIGN_DATA={}: {error}", settings.data.display()))?;

    let app = app(&settings, &origin, repository)?;
    println!("{}", introduction(&settings, &origin));
    axum::serve(listener, app)
        .with_graceful_shutdown(stop_signal())
        .await?;
    Ok(())
}

fn app(
    settings: &Settings,
    origin: &str,
    repository: FsRepository,
) -> Result<Router, Box<dyn Error>> {
    let binaries = Binaries {
        repository: repository.clone(),
        max_upload: settings.max_upload,
    };
    let fhir = Router::new()
        .merge(conformance::routes(&format!("{origin}/fhir/R4")))
        .route("/Binary", post(binary::create))
        .route("/Binary/{id}", get(binary::read))
        .route("/Binary/{id}/_history/{version}", get(binary::vread))
        .method_not_allowed_fallback(fhir::method_not_allowed)
        .fallback(fhir::not_found)
        .with_state(binaries);

    let tokens = Tokens::new(&settings.token, &settings.read_token);
    // The first layer is the outermost. CORS headers must be on refusals too, or a page cannot
    // read why it was refused; and the caller must be known when the presign layer asks.
    let layers = ServiceBuilder::new()
        .layer(cors())
        .layer(middleware::from_fn_with_state(tokens, access::identify))
        .layer(RequestBodyTimeoutLayer::new(IDLE_LIMIT))
        .layer(presign(settings, origin, repository)?);
    Ok(Router::new()
        .merge(page::routes())
        .nest("/fhir/R4", fhir)
        .fallback(fhir::not_found)
        .layer(layers))
}

fn presign(
    settings: &Settings,
    origin: &str,
    repository: FsRepository,
) -> Result<PresignLayer, Box<dyn Error>> {
    let key = SigningKey::new("example", settings.secret()?)
        .map_err(|error| format!("PRESIGN_SECRET: {error}"))?;
    let storage_url = settings.storage_url(origin);
    let signer = UrlSigner::new(key, &storage_url)
        .map_err(|error| format!("PRESIGN_STORAGE_URL={storage_url}: {error}"))?;
    if signer.base_path().is_empty() {
        // The layer would take every path for itself.
        let problem = "it needs a path of its own, such as /storage";
        return Err(format!("PRESIGN_STORAGE_URL={storage_url}: {problem}").into());
    }
    Ok(PresignLayer::new(signer, repository, access::authorize)
        .fhir_base("/fhir/R4")
        .default_lifetime(settings.ttl)
        .max_upload(settings.max_upload)
        .timeout_error::<TimeoutError>())
}

/// Lets pages of any origin use the server: callers are known by their tokens and signatures, not
/// by cookies, so there is nothing that a foreign page could borrow.
fn cors() -> CorsLayer {
    CorsLayer::new()
        .allow_origin(Any)
        .allow_methods([
            Method::GET,
            Method::HEAD,
            Method::PUT,
            Method::POST,
            Method::OPTIONS,
        ])
        // Not `Any`: the wildcard leaves out `Authorization`.
        .allow_headers(AllowHeaders::mirror_request())
        .expose_headers([ETAG, ACCEPT_RANGES, CONTENT_RANGE, CONTENT_DISPOSITION])
        .max_age(Duration::from_secs(60 * 60))
}

/// Where a client on this machine reaches the server.
fn origin(mut address: SocketAddr) -> String {
    if address.ip().is_unspecified() {
        address.set_ip(match address {
            SocketAddr::V4(_) => std::net::Ipv4Addr::LOCALHOST.into(),
            SocketAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
        });
    }
    // A storage base URL must not name the port that its scheme implies.
    let origin = format!("http://{address}");
    origin
        .strip_suffix(":80")
        .map_or(origin.clone(), str::to_owned)
}

/// What the server prints when it is ready. The commands can be pasted into bash as they are.
fn introduction(settings: &Settings, origin: &str) -> String {
    let data = settings.data.display();
    let token = &settings.token;
    format!(
        r#"Demo page: {origin}/
FHIR base: {origin}/fhir/R4
Content:   {data}

To try it, paste this into bash:

api={origin}/fhir/R4
auth='Authorization: Bearer {token}'
file=$(mktemp)
head -c 3000000 /dev/urandom > "$file"

id=$(curl -sSf -H "$auth" -H 'Content-Type: application/fhir+json' \
  -d '{{"resourceType":"Binary","contentType":"application/octet-stream"}}' \
  "$api/Binary" | sed 's/.*"id":"\([^"]*\)".*/\1/')
write_url=$(curl -sSf -H "$auth" "$api/Binary/$id/\$presigned-url?upload=true" \
  | sed 's/.*"valueUri":"\([^"]*\)".*/\1/')
curl -sSf -H 'Content-Type: application/octet-stream' -T "$file" "$write_url"

read_url=$(curl -sSf -H "$auth" "$api/Binary/$id/\$presigned-url" \
  | sed 's/.*"valueUri":"\([^"]*\)".*/\1/')
curl -sSf -o "$file.copy" "$read_url"
cmp "$file" "$file.copy" && echo 'The content came back as it was sent.'
"#
    )
}

/// Completes when the server is told to stop. It then accepts nothing new, and ends when the
/// requests that it has are done.
async fn stop_signal() {
    let interrupt = async {
        if tokio::signal::ctrl_c().await.is_err() {
            // Without a handler the signal ends the process by itself.
            std::future::pending::<()>().await;
        }
    };
    #[cfg(unix)]
    let terminate = async {
        use tokio::signal::unix::{SignalKind, signal};
        match signal(SignalKind::terminate()) {
            Ok(mut signal) => {
                signal.recv().await;
            }
            Err(_) => std::future::pending().await,
        }
    };
    #[cfg(not(unix))]
    let terminate = std::future::pending::<()>();

    tokio::select! {
        () = interrupt => {}
        () = terminate => {}
    }
}
