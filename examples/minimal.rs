//! The least that hands out presigned URLs and serves them: copy it to begin with. It prints three
//! commands, to be pasted into bash: they upload content, ask for a URL to read it, and read it.

use axum::{Router, routing::get};
use tower_presign::{
    Access, BinaryId, ContentType, Denial, FsRepository, MintRequest, PresignLayer, SigningKey,
    Target, Terms, UrlSigner,
};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
    // 32 random bytes or more, which all your servers share and nobody else knows.
    let key = SigningKey::new("2026-11", b"a secret of 32 bytes, better random")?;
    let signer = UrlSigner::new(key, "http://127.0.0.1:3000/storage")?;
    let repository = FsRepository::open("binaries").await?;
    let (note, text) = (BinaryId::random(), ContentType::new("text/plain")?);
    repository.create(note, text).await?;

    let layer = PresignLayer::new(signer, repository, authorize).fhir_base("/fhir/R4")?;
    let write = Target::new(note, Access::Write);
    let write: String = layer.presigner().presign(write, Terms::new()).await?.into();
    println!("echo Hello | curl -sSf -T - -H 'Content-Type: text/plain' '{write}'");
    let ask = format!("http://127.0.0.1:3000/fhir/R4/Binary/{note}/$presigned-url");
    let ask = format!("curl -sSf -H 'Authorization: Bearer demo' '{ask}'");
    println!(r#"url=$({ask} | sed 's/.*"valueUri":"\([^"]*\)".*/\1/')"#);
    println!(r#"curl -sSf "$url""#);

    let app = Router::new().route("/fhir/R4/Patient/7", get("a patient"));
    Ok(axum::serve(listener, app.layer(layer)).await?)
}

/// Decides who may have a URL: your own rights check.
async fn authorize(request: MintRequest) -> Result<Terms, Denial> {
    match request.headers().get("authorization") {
        Some(token) if token == "Bearer demo" => Ok(Terms::new()),
        _ => Err(Denial::login_required()),
    }
}
