//! What `Debug` shows of a repository whose store and signer hold credentials.

use std::sync::Arc;

use object_store::ObjectStore;
use object_store::aws::AmazonS3Builder;
use object_store::azure::MicrosoftAzureBuilder;
use object_store::signer::Signer;
use tower_presign::store::{Bucket, BucketStore, ObjectStoreRepository, SigningProtocol};

/// Base64 of 32 bytes, as Azure's keys and those of server-side encryption are.
const KEY: &str = "c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2U=";

fn debug(store: Arc<impl ObjectStore + Signer>) -> String {
    let bucket = Bucket::new(store.clone()).with_signer(store, SigningProtocol::S3);
    let store = BucketStore::new(bucket.clone());
    let repository = ObjectStoreRepository::new(bucket).offload_reads(true);
    format!("{repository:?} {repository:#?} {store:?}")
}

#[test]
fn debug_names_the_store_and_shows_no_credentials() {
    let s3 = AmazonS3Builder::new()
        .with_bucket_name("binaries")
        .with_access_key_id("AKIASECRET")
        .with_secret_access_key("secret-access-key")
        .with_token("secret-session-token")
        .with_ssec_encryption(KEY)
        .build();
    let azure = MicrosoftAzureBuilder::new()
        .with_account("hospital")
        .with_container_name("binaries")
        .with_access_key(KEY)
        .build();
    for shown in [
        debug(Arc::new(s3.unwrap())),
        debug(Arc::new(azure.unwrap())),
    ] {
        assert!(shown.contains("binaries"), "{shown}");
        assert!(shown.contains("offloads_reads: true"), "{shown}");
        for secret in [
            KEY,
            "AKIASECRET",
            "secret-access-key",
            "secret-session-token",
        ] {
            assert!(!shown.contains(secret), "{secret} in {shown}");
        }
    }
}
