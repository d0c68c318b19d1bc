//! The server, independent of the place of its content.

use std::error::Error;
use std::io;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use axum::routing::{get, post};
use axum::{Router, middleware};
use http::header::{ACCEPT_RANGES, CONTENT_DISPOSITION, CONTENT_RANGE, ETAG, LOCATION};
use http::{HeaderName, Method};
use tokio::net::TcpListener;
use tower::ServiceBuilder;
use tower_http::cors::{AllowHeaders, AllowOrigin, CorsLayer};
use tower_http::timeout::{RequestBodyTimeoutLayer, TimeoutError};
use tower_presign::{MemoryUseLedger, PresignLayer, UrlSigner};

use crate::access::{self, Tokens};
use crate::binary::{self, Binaries, Repository};
use crate::settings::Settings;
use crate::{conformance, connections, fhir, page, resources};

/// The time for which an upload may send nothing.
const IDLE_LIMIT: Duration = Duration::from_secs(30);

/// Reports an error to the operator, if there is one.
pub(crate) fn exit_code(result: Result<(), Box<dyn Error>>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// Serves until the process is asked to stop. `configure` may change the layer; `place` names the
/// place of the content, for people.
pub(crate) async fn run(
    settings: &Settings,
    repository: impl Repository,
    place: &str,
    configure: impl FnOnce(PresignLayer) -> PresignLayer,
) -> Result<(), Box<dyn Error>> {
    // First, since with port 0 only the listener knows the address that URLs must point to.
    let listener = TcpListener::bind(&settings.listen)
        .await
        .map_err(|error| format!("PRESIGN_LISTEN={}: {error}", settings.listen))?;
    let origin = origin(listener.local_addr()?);
    let layer = configure(presign(settings, &origin, repository.clone())?);
    survive_long_files()?;

    let app = app(settings, &origin, repository, layer);
    println!("{}", introduction(settings, &origin, place));
    connections::serve(listener, app, stop_signal(), settings.shutdown).await;
    Ok(())
}

fn app<R: Repository>(
    settings: &Settings,
    origin: &str,
    repository: R,
    layer: PresignLayer,
) -> Router {
    let binaries = Binaries {
        repository,
        max_upload: settings.max_upload,
    };
    let base = format!("{origin}/fhir/R4");
    let fhir = Router::new()
        .merge(conformance::routes(&base))
        .merge(resources::routes(&base))
        .route("/Binary", post(binary::create::<R>))
        .route("/Binary/{id}", get(binary::read::<R>))
        .route("/Binary/{id}/_history/{version}", get(binary::vread::<R>))
        .method_not_allowed_fallback(fhir::method_not_allowed)
        .fallback(fhir::not_found)
        .with_state(binaries);

    let attachments = layer.attachments();
    let tokens = Tokens::new(&settings.token, &settings.read_token);
    // The first layer is the outermost. CORS headers must be on refusals too, or a page cannot
    // read why it was refused; and the caller must be known when the presign layer asks.
    let layers = ServiceBuilder::new()
        .layer(cors())
        .layer(middleware::from_fn_with_state(tokens, access::identify))
        .layer(RequestBodyTimeoutLayer::new(IDLE_LIMIT))
        .layer(layer)
        .layer(attachments);
    Router::new()
        .merge(page::routes())
        .nest("/fhir/R4", fhir)
        .fallback(fhir::not_found)
        .layer(layers)
}

fn presign(
    settings: &Settings,
    origin: &str,
    repository: impl Repository,
) -> Result<PresignLayer, Box<dyn Error>> {
    let storage_url = settings.storage_url(origin);
    let signer = UrlSigner::new(settings.keyring()?, &storage_url)
        .map_err(|error| format!("PRESIGN_STORAGE_URL={storage_url}: {error}"))?;
    if signer.verifier().base_path().is_empty() {
        // The layer would take every path for itself.
        let problem = "it needs a path of its own, such as /storage";
        return Err(format!("PRESIGN_STORAGE_URL={storage_url}: {problem}").into());
    }
    let is_resumable = repository.resumable().is_some();
    Ok(PresignLayer::new(signer, repository, access::authorize)
        .fhir_base("/fhir/R4")?
        .fhir_base_url(format!("{origin}/fhir/R4"))?
        .default_lifetime(settings.ttl)
        .use_ledger(MemoryUseLedger::new())
        .resumable_uploads(is_resumable)
        .max_upload(settings.max_upload)
        .timeout_error::<TimeoutError>())
}

/// Lets pages of any origin use the server. Some send credentials with all that they fetch, as the
/// SDK of Medplum does: a browser then wants to see its page's own origin, and no `*`.
///
/// Mirroring origins gives nothing away here. Callers are known by their tokens and signatures,
/// which a foreign page does not have; there are no cookies that a browser would send along for it.
/// A server with cookies must name the origins that it trusts.
fn cors() -> CorsLayer {
    CorsLayer::new()
        .allow_origin(AllowOrigin::mirror_request())
        .allow_credentials(true)
        .allow_methods([
            Method::GET,
            Method::HEAD,
            Method::PUT,
            Method::POST,
            Method::PATCH,
            Method::DELETE,
            Method::OPTIONS,
        ])
        // Not `Any`: the wildcard leaves out `Authorization`.
        .allow_headers(AllowHeaders::mirror_request())
        .expose_headers(EXPOSED)
        .max_age(Duration::from_secs(60 * 60))
}

/// The headers of answers that a page of another origin may read.
const EXPOSED: [HeaderName; 15] = [
    ETAG,
    ACCEPT_RANGES,
    CONTENT_RANGE,
    CONTENT_DISPOSITION,
    LOCATION,
    HeaderName::from_static("repr-digest"),
    HeaderName::from_static("upload-offset"),
    HeaderName::from_static("upload-length"),
    HeaderName::from_static("upload-expires"),
    HeaderName::from_static("upload-complete"),
    HeaderName::from_static("upload-limit"),
    HeaderName::from_static("tus-resumable"),
    HeaderName::from_static("tus-version"),
    HeaderName::from_static("tus-extension"),
    HeaderName::from_static("tus-max-size"),
];

/// The origin at which a client on this machine reaches the server.
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

/// The text that the server prints when it is ready. The commands can be pasted into bash as they
/// are.
fn introduction(settings: &Settings, origin: &str, place: &str) -> String {
    let token = &settings.token;
    format!(
        r#"Demo page: {origin}/
FHIR base: {origin}/fhir/R4
Content:   {place}

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

/// From now on, writing beyond the length that a process may give its files (`RLIMIT_FSIZE`) is an
/// error, and no longer the end of the process.
#[cfg(unix)]
fn survive_long_files() -> io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    // The same on Linux, macOS and the BSDs, but for Linux on MIPS.
    const SIGXFSZ: i32 = 25;
    // It is caught from now on, even if nobody waits for it.
    signal(SignalKind::from_raw(SIGXFSZ)).map(drop)
}

#[cfg(not(unix))]
fn survive_long_files() -> io::Result<()> {
    Ok(())
}

/// Completes when the server is asked to stop. It then accepts nothing new, and ends when the
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
