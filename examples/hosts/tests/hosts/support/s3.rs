//! An S3 server in this process.

use axum::Router;
use axum::error_handling::HandleError;
use axum::http::StatusCode;
use object_store::aws::AmazonS3Builder;
use s3s::auth::SimpleAuth;
use s3s::service::S3ServiceBuilder;
use s3s_fs::FileSystem;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tower_presign::store::Bucket;

pub const BUCKET: &str = "binaries";

pub struct S3 {
    endpoint: String,
    pub folder: TempDir,
}

impl S3 {
    pub async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join(BUCKET)).unwrap();
        let mut service = S3ServiceBuilder::new(FileSystem::new(folder.path()).unwrap());
        service.set_auth(SimpleAuth::from_single("access-key", "secret-key"));
        let service = HandleError::new(service.build(), async |_| StatusCode::BAD_GATEWAY);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new().fallback_service(service);
        tokio::spawn(axum::serve(listener, router).into_future());
        Self { endpoint, folder }
    }

    pub fn bucket(&self) -> Bucket {
        let mut builder = AmazonS3Builder::new().with_bucket_name(BUCKET);
        for (name, value) in self.variables() {
            builder = builder.with_config(name.to_lowercase().parse().unwrap(), value);
        }
        Bucket::from(builder.build().unwrap())
    }

    /// The variables by which a host finds it.
    pub fn variables(&self) -> Vec<(String, String)> {
        [
            ("AWS_ENDPOINT", self.endpoint.as_str()),
            ("AWS_ALLOW_HTTP", "true"),
            ("AWS_REGION", "us-east-1"),
            ("AWS_ACCESS_KEY_ID", "access-key"),
            ("AWS_SECRET_ACCESS_KEY", "secret-key"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .to_vec()
    }
}
