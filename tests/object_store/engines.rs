//! The stores that the tests run against: servers written by others.

use std::env;
use std::fs;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::proxy::front::{Front, Trouble};
use crate::support::skip::skip;
use axum::Router;
use axum::body::Body;
use axum::error_handling::HandleError;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hmac::{Hmac, KeyInit as _, Mac as _};
use http::StatusCode;
use http::header::AUTHORIZATION;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::azure::MicrosoftAzureBuilder;
use object_store::memory::InMemory;
use object_store::{ObjectStore, RetryConfig};
use s3s::auth::SimpleAuth;
use s3s::service::S3ServiceBuilder;
use s3s_fs::FileSystem;
use sha2::Sha256;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tower_presign::BinaryId;
use tower_presign::store::{Bucket, ObjectStoreRepository};

pub const BUCKET: &str = "binaries";
pub const ACCESS_KEY: &str = "access-key";
pub const NEXT_ACCESS_KEY: &str = "next-access-key";
pub const SECRET_KEY: &str = "secret-key";

/// Servers in this process are slow where the machine has much else to do.
pub fn patient(bucket: Bucket) -> Bucket {
    bucket.with_patience(Duration::from_secs(60))
}

pub fn in_memory(store: &Arc<InMemory>) -> Bucket {
    Bucket::new(store.clone()).with_multipart(store.clone())
}

/// A store, opened.
pub struct Engine {
    pub store: Arc<dyn ObjectStore>,
    pub bucket: Bucket,
    pub repository: ObjectStoreRepository,
    /// True if it refuses to put an object twice.
    pub is_write_once: bool,
    _server: Option<S3Server>,
}

impl Engine {
    pub async fn memory() -> Option<Self> {
        let store = Arc::new(InMemory::new());
        Some(Self {
            bucket: in_memory(&store),
            repository: ObjectStoreRepository::open(in_memory(&store))
                .await
                .unwrap(),
            store,
            is_write_once: true,
            _server: None,
        })
    }

    pub async fn s3() -> Option<Self> {
        let server = S3Server::start().await;
        Some(Self {
            repository: server.repository().await,
            bucket: server.bucket(),
            store: Arc::new(server.store()),
            is_write_once: true,
            _server: Some(server),
        })
    }

    /// Azurite, Microsoft's own emulator, if `PRESIGN_TEST_AZURITE` says where it is.
    pub async fn azurite() -> Option<Self> {
        let Ok(endpoint) = env::var("PRESIGN_TEST_AZURITE") else {
            skip("PRESIGN_TEST_AZURITE does not tell where an Azurite is");
            return None;
        };
        let container = format!("test-{}", BinaryId::random());
        create_container(&endpoint, &container).await;
        let store = MicrosoftAzureBuilder::new()
            .with_endpoint(format!("{endpoint}/{AZURITE_ACCOUNT}"))
            .with_allow_http(true)
            .with_account(AZURITE_ACCOUNT)
            .with_access_key(AZURITE_KEY)
            .with_container_name(container)
            .build();
        let store = store.unwrap();
        Some(Self {
            bucket: patient(store.clone().into()),
            repository: ObjectStoreRepository::open(patient(store.clone().into()))
                .await
                .unwrap(),
            store: Arc::new(store),
            is_write_once: true,
            _server: None,
        })
    }

    /// Any other S3 server: `PRESIGN_TEST_S3` names a bucket, and the usual variables of AWS tell the
    /// rest. It need not refuse to put an object twice.
    pub async fn other_s3() -> Option<Self> {
        let bucket = env::var("PRESIGN_TEST_S3").unwrap();
        let store = AmazonS3Builder::from_env()
            .with_bucket_name(bucket)
            .with_allow_http(true)
            .build();
        let store = store.unwrap();
        let opened = ObjectStoreRepository::open(store.clone()).await;
        let is_write_once = opened.is_ok();
        let repository = opened.unwrap_or_else(|error| {
            eprintln!("{error}: {:?}", std::error::Error::source(&error));
            ObjectStoreRepository::new(store.clone()).without_write_once()
        });
        Some(Self {
            repository,
            bucket: store.clone().into(),
            store: Arc::new(store),
            is_write_once,
            _server: None,
        })
    }
}

/// An S3 server in this process, which checks signatures in full.
pub struct S3Server {
    pub endpoint: String,
    /// The folder in which it keeps its objects, as files.
    pub folder: TempDir,
    front: Arc<Front>,
}

impl S3Server {
    pub async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join(BUCKET)).unwrap();
        let mut service = S3ServiceBuilder::new(FileSystem::new(folder.path()).unwrap());
        let mut keys = SimpleAuth::from_single(ACCESS_KEY, SECRET_KEY);
        keys.register(NEXT_ACCESS_KEY.into(), SECRET_KEY.into());
        service.set_auth(keys);
        let service = HandleError::new(service.build(), |_| async { StatusCode::BAD_GATEWAY });
        let (front, router) = Front::before(Router::new().fallback_service(service));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(axum::serve(listener, router).into_future());
        Self {
            endpoint,
            folder,
            front,
        }
    }

    pub fn trouble(&self, trouble: Trouble) {
        self.front.trouble(trouble);
    }

    /// A client that does not try for long: the server panics at some ranges that S3 refuses.
    pub fn builder(&self) -> AmazonS3Builder {
        AmazonS3Builder::new()
            .with_endpoint(&self.endpoint)
            .with_allow_http(true)
            .with_region("us-east-1")
            .with_bucket_name(BUCKET)
            .with_access_key_id(ACCESS_KEY)
            .with_secret_access_key(SECRET_KEY)
            .with_retry(RetryConfig {
                max_retries: 1,
                ..RetryConfig::default()
            })
    }

    pub fn store(&self) -> AmazonS3 {
        self.builder().build().unwrap()
    }

    pub fn bucket(&self) -> Bucket {
        patient(self.store().into())
    }

    pub async fn repository(&self) -> ObjectStoreRepository {
        ObjectStoreRepository::open(self.bucket()).await.unwrap()
    }

    /// The requests since the last call, in order.
    pub fn requests(&self) -> Vec<String> {
        self.front.requests()
    }

    /// The length of the longest answer to a LIST since the server was started, in bytes.
    pub fn longest_list(&self) -> u64 {
        self.front.longest_list()
    }
}

/// Every Azurite has this account, with this key.
const AZURITE_ACCOUNT: &str = "devstoreaccount1";
const AZURITE_KEY: &str =
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";

/// `Create Container`, which is not for an [`ObjectStore`] to do, signed with the Shared Key
/// scheme: <https://learn.microsoft.com/rest/api/storageservices/authorize-with-shared-key>
async fn create_container(endpoint: &str, container: &str) {
    let date = httpdate::fmt_http_date(SystemTime::now());
    let version = "2023-11-03";
    let to_sign = format!(
        "PUT\n\n\n\n\n\n\n\n\n\n\n\nx-ms-date:{date}\nx-ms-version:{version}\n\
         /{AZURITE_ACCOUNT}/{AZURITE_ACCOUNT}/{container}\nrestype:container"
    );
    let key = BASE64.decode(AZURITE_KEY).unwrap();
    let mut mac = Hmac::<Sha256>::new_from_slice(&key).unwrap();
    mac.update(to_sign.as_bytes());
    let signature = BASE64.encode(mac.finalize().into_bytes());
    let url = format!("{endpoint}/{AZURITE_ACCOUNT}/{container}?restype=container");
    let request = http::Request::put(url)
        .header("x-ms-date", date)
        .header("x-ms-version", version)
        .header(
            AUTHORIZATION,
            format!("SharedKey {AZURITE_ACCOUNT}:{signature}"),
        )
        .header("content-length", 0);
    let client = Client::builder(TokioExecutor::new()).build_http();
    let response = client.request(request.body(Body::empty()).unwrap()).await;
    assert_eq!(response.unwrap().status(), StatusCode::CREATED);
}
