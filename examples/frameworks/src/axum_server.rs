//! axum over TLS, with HTTP/2: `axum-server` does it, and the layer has nothing to do with it.

use std::io;

use axum::Router;
use axum::routing::get;
use axum_server::tls_rustls::RustlsConfig;
use tokio::net::TcpListener;
use tower_presign::PresignLayer;

pub async fn serve(
    listener: TcpListener,
    tls: RustlsConfig,
    layer: PresignLayer,
) -> io::Result<()> {
    let app = Router::new()
        .route("/fhir/R4/Patient/{id}", get("a patient"))
        .layer(layer);
    let server = axum_server::from_tcp_rustls(listener.into_std()?, tls)?;
    server.serve(app.into_make_service()).await
}
