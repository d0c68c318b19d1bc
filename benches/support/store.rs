//! A store that speaks S3, and its client.

use axum::Router;
use axum::error_handling::HandleError;
use http::StatusCode;
use object_store::ClientOptions;
use object_store::aws::AmazonS3Builder;
use s3s::auth::SimpleAuth;
use s3s::service::S3ServiceBuilder;
use s3s_fs::FileSystem;
use tower_presign::store::{Bucket, Connector};

/// A store with one bucket, in a folder.
pub fn router(folder: &str) -> Router {
    std::fs::create_dir_all(format!("{folder}/binaries")).expect("a folder");
    let mut service = S3ServiceBuilder::new(FileSystem::new(folder).expect("a file system"));
    service.set_auth(SimpleAuth::from_single("key", "secret"));
    let service = HandleError::new(service.build(), |_| async { StatusCode::BAD_GATEWAY });
    Router::new().fallback_service(service)
}

pub fn bucket(origin: &str) -> Bucket {
    let store = AmazonS3Builder::new()
        .with_endpoint(origin)
        .with_region("us-east-1")
        .with_bucket_name("binaries")
        .with_access_key_id("key")
        .with_secret_access_key("secret")
        .with_client_options(ClientOptions::new().with_allow_http(true))
        .with_http_connector(Connector::new())
        .with_retry(Bucket::retry_config())
        .build()
        .expect("a client");
    Bucket::from(store)
}
