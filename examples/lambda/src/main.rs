//! Presigned URLs in AWS Lambda, behind a REST API, an HTTP API, a function URL or a load balancer,
//! with content in S3. To be copied where the server is a function.
//!
//! `PRESIGN_BUCKET` names the bucket, `PRESIGN_STORAGE_URL` the URL under which clients reach
//! `/storage`, and `PRESIGN_SECRET` is a secret of 32 bytes or more. Behind a load balancer a
//! function gets and gives 1 MB at most, and 6 MB behind a gateway. So longer content goes to the
//! bucket: `redirect_to_storage`.

#[cfg(test)]
mod tests;

use std::env;

use http::StatusCode;
use lambda_http::{Body, Error, Request, Response};
use tower::{Layer as _, service_fn};
use tower_presign::object_store::aws::AmazonS3Builder;
use tower_presign::{
    Denial, MintRequest, ObjectStoreRepository, PresignLayer, SigningKey, Terms, UrlSigner,
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let bucket = AmazonS3Builder::from_env().with_bucket_name(env::var("PRESIGN_BUCKET")?);
    let repository = ObjectStoreRepository::open(bucket.build()?).await?;
    let key = SigningKey::new("lambda", env::var("PRESIGN_SECRET")?)?;
    let signer = UrlSigner::new(key, env::var("PRESIGN_STORAGE_URL")?)?;
    let layer = settings(PresignLayer::new(signer, repository, authorize))?;
    lambda_http::run(layer.redirect_to_storage(true).layer(service_fn(routes))).await
}

/// A REST API and a load balancer hand the query on as a map, which has no order.
fn settings(layer: PresignLayer) -> Result<PresignLayer, Error> {
    Ok(layer.fhir_base("/fhir/R4")?.accept_reordered_query(true))
}

/// The gateway's authoriser has let the caller through, or has not been asked.
async fn authorize(request: MintRequest) -> Result<Terms, Denial> {
    match request.headers().get("x-caller") {
        Some(_) => Ok(Terms::new()),
        None => Err(Denial::login_required()),
    }
}

async fn routes(_: Request) -> Result<Response<Body>, Error> {
    let not_found = Response::builder().status(StatusCode::NOT_FOUND);
    Ok(not_found.body(Body::Empty)?)
}
