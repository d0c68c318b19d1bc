//! The least that hands out presigned URLs and serves them: copy it to begin with.
//!
//! `cargo run --example minimal` prints the two commands that upload content and ask for a URL.

use axum::{Router, routing::get};
use tower_presign::{
    Access, BinaryId, ContentType, Denial, FsRepository, MintRequest, PresignLayer, SigningKey,
    Target, Terms, UrlSigner,
};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    // 32 random bytes or more, which all your servers share and nobody else knows.
    let key = SigningKey::new("2026-11", b"a secret of 32 bytes, better random")?;
    let signer = UrlSigner::new(key, "http://127.0.0.1:3000/storage")?;
    let repository = FsRepository::open("binaries").await?;
    let (scan, png) = (BinaryId::random(), ContentType::new("image/png")?);
    repository.create(scan, png).await?;

    let layer = PresignLayer::new(signer, repository, authorize).fhir_base("/fhir/R4")?;
    let write = Target::new(scan, Access::Write);
    let write: String = layer.presigner().presign(write, Terms::new()).await?.into();
    println!("curl -T scan.png -H 'Content-Type: image/png' '{write}'");
    let operation = format!("/fhir/R4/Binary/{scan}/$presigned-url");
    println!("curl -H 'Authorization: Bearer demo' 'http://127.0.0.1:3000{operation}'");

    let app = Router::new().route("/fhir/R4/Patient/7", get("a patient"));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
    Ok(axum::serve(listener, app.layer(layer)).await?)
}

/// Decides who may have a URL: your own rights check.
async fn authorize(request: MintRequest) -> Result<Terms, Denial> {
    match request.headers().get("authorization") {
        Some(token) if token == "Bearer demo" => Ok(Terms::new()),
        _ => Err(Denial::login_required()),
    }
}
