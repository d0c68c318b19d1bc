//! Presigned URLs in poem, in salvo, and in axum over TLS: a file each, to be copied where the
//! server is one of these.
//!
//! `cargo run -p tower-presign-frameworks -- poem` (or `salvo`, or `axum-server` with the paths of a
//! certificate and its key) makes a Binary and prints the command that uploads its content.

mod axum_server;
mod poem;
mod salvo;
#[cfg(test)]
mod tests;

use std::env;
use std::error::Error;

use ::axum_server::tls_rustls::RustlsConfig;
use tokio::net::TcpListener;
use tower_presign::{
    Access, AllowAll, BinaryId, ContentType, MemoryRepository, PresignLayer, SigningKey, Target,
    Terms, UrlSigner,
};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<_> = env::args().skip(1).collect();
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    let is_tls = arguments.len() == 3;
    let scheme = if is_tls { "https" } else { "http" };
    let listener = TcpListener::bind("127.0.0.1:3000").await?;
    let (layer, scan) = layer(&format!("{scheme}://127.0.0.1:3000"))?;
    let target = Target::new(scan, Access::Write);
    let url: String = layer
        .presigner()
        .presign(target, Terms::new())
        .await?
        .into();
    println!("curl -kT scan.png -H 'Content-Type: image/png' '{url}'");
    match arguments[..] {
        ["poem"] => poem::serve(listener, layer).await?,
        ["salvo"] => salvo::serve(listener, layer).await?,
        ["axum-server", certificate, key] => {
            let tls = RustlsConfig::from_pem_file(certificate, key).await?;
            axum_server::serve(listener, tls, layer).await?;
        }
        _ => return Err("poem, salvo, or axum-server with a certificate and a key".into()),
    }
    Ok(())
}

/// The layer of a server that clients reach at this origin, and a Binary to try it with. In your
/// server the repository lasts, and the policy asks who it is that calls.
fn layer(origin: &str) -> Result<(PresignLayer, BinaryId), Box<dyn Error>> {
    let key = SigningKey::new("2026-11", b"a secret of 32 bytes, better random")?;
    let signer = UrlSigner::new(key, format!("{origin}/storage"))?;
    let (repository, scan) = (MemoryRepository::new(), BinaryId::random());
    repository.create(scan, ContentType::new("image/png")?)?;
    let layer = PresignLayer::new(signer, repository, AllowAll).fhir_base("/fhir/R4")?;
    Ok((layer, scan))
}
