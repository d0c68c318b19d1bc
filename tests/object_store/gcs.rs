//! Google Cloud Storage, whose emulators check no signature: the URLs are held against Google's
//! rules, and these against Google's own test vectors.
//!
//! <https://cloud.google.com/storage/docs/authentication/canonical-requests>

use std::fmt::Write as _;

use super::*;
use crate::support::skip::skip;
use http::HeaderMap;
use num_bigint::BigUint;
use object_store::gcp::{GoogleCloudStorage, GoogleCloudStorageBuilder};
use object_store::memory::InMemory;
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use tower_presign::Target;
use tower_presign::store::{Bucket, ObjectStoreRepository, SigningProtocol};
use tower_presign::{Access, PresignedUrl, Terms};
use url::Url;

/// An account that Google has published for tests.
const ACCOUNT: &str = "gcs_dummy_service_account.json";

/// Of that account; its public exponent is 65537.
const MODULUS: &str = "ac3f3322ac8a2db5f436af28d098f5a871211e1a8edfed0e3fb4c4171e55c5ce8f77006814dadf9c9448fd2f\
     99683612d5abebe4faa9a7c83cf9434e32f23556c8c633cc634dac6456ff2698aa7aa52990b2d4eddb9a7363\
     57b1036c2fe313564b058d14dc76921df9fa4bd343f0c5dd803d3fba54535b0ababd4f3fc3a8b9b58b14ee7d\
     8b2e54139757d0eff7a63bd9d87021497b31d955ad0799e5ac747c16b28934b24c10610348ccfdc917d06947\
     98094f680d81ee8aa290deb0978ba0bcda5fb7149c39fe0809e72ee2c3c304ac2152b257184116c1573e9960\
     a5a411c261b3c046dffd7a6df6aa36eb0d943209f7d23b0e68a9527805fc712e95885fad";

/// The bytes before the digest in an RSA signature of SHA-256 (RFC 8017 §9.2).
const DIGEST_INFO: &str = "3031300d060960864801650304020105000420";

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut hex, byte| {
        write!(hex, "{byte:02x}").unwrap();
        hex
    })
}

fn number(hex: &str) -> BigUint {
    BigUint::parse_bytes(hex.as_bytes(), 16).unwrap()
}

/// True if the account has signed the request for `url` with these headers.
fn is_authentic(method: &str, url: &str, headers: &HeaderMap) -> bool {
    let url = Url::parse(url).unwrap();
    let parameter = |name| {
        let mut pairs = url.query_pairs();
        pairs.find(|(key, _)| key == name).unwrap().1.into_owned()
    };
    let mut query: Vec<&str> = url.query().unwrap().split('&').collect();
    query.retain(|pair| !pair.starts_with("X-Goog-Signature="));
    query.sort_unstable();

    let mut request = format!("{method}\n{}\n{}\n", url.path(), query.join("&"));
    let signed_headers = parameter("X-Goog-SignedHeaders");
    for name in signed_headers.split(';') {
        let value = match name {
            "host" => "storage.googleapis.com",
            name => match headers.get(name) {
                Some(value) => value.to_str().unwrap(),
                None => return false,
            },
        };
        writeln!(request, "{name}:{value}").unwrap();
    }
    write!(request, "\n{signed_headers}\nUNSIGNED-PAYLOAD").unwrap();

    let date = parameter("X-Goog-Date");
    let credential = parameter("X-Goog-Credential");
    let scope = credential.split_once('/').unwrap().1;
    let request = hex(&Sha256::digest(request));
    let to_sign = format!("GOOG4-RSA-SHA256\n{date}\n{scope}\n{request}");

    let digest = hex(&Sha256::digest(to_sign));
    let padding = "f".repeat(512 - 6 - DIGEST_INFO.len() - digest.len());
    let expected = number(&format!("0001{padding}00{DIGEST_INFO}{digest}"));
    let signature = number(&parameter("X-Goog-Signature"));
    signature.modpow(&BigUint::from(65537_u32), &number(MODULUS)) == expected
}

/// Google's signer, in front of a store in memory. The package comes without its private key, though
/// Google has published that one.
async fn repository() -> Option<ObjectStoreRepository> {
    let account = format!(
        "{}/tests/object_store/{ACCOUNT}",
        env!("CARGO_MANIFEST_DIR")
    );
    let Ok(account) = std::fs::read_to_string(account) else {
        skip(format_args!("{ACCOUNT} is not in the package"));
        return None;
    };
    let google: GoogleCloudStorage = GoogleCloudStorageBuilder::new()
        .with_bucket_name("binaries")
        .with_service_account_key(account)
        .build()
        .unwrap();
    let bucket = Bucket::new(Arc::new(InMemory::new()));
    let bucket = bucket.with_signer(Arc::new(google), SigningProtocol::Gcs);
    let repository = ObjectStoreRepository::open(bucket).await.unwrap();
    Some(repository.offload_reads(true).offload_writes(true))
}

fn headers_of(url: &PresignedUrl) -> HeaderMap {
    url.headers().iter().cloned().collect()
}

#[test]
fn googles_own_urls_are_authentic() {
    let vectors: Value = serde_json::from_str(include_str!("gcs_v4_signatures.json")).unwrap();
    let vectors = vectors["signingV4Tests"].as_array().unwrap();
    assert_eq!(vectors.len(), 5);
    for vector in vectors {
        let headers = vector["headers"].as_object().unwrap().iter();
        let headers: HeaderMap = headers
            .map(|(name, value)| {
                let value = value.as_str().unwrap().parse().unwrap();
                (name.parse::<http::HeaderName>().unwrap(), value)
            })
            .collect();
        let method = vector["method"].as_str().unwrap();
        let url = vector["expectedUrl"].as_str().unwrap();
        assert!(is_authentic(method, url, &headers), "{vector}");
        let other = url.replace("test-object", "other-object");
        assert!(!is_authentic(method, &other, &headers), "{vector}");
    }
}

#[tokio::test]
async fn a_read_url_binds_how_the_content_is_shown() {
    let Some(repository) = repository().await else {
        return;
    };
    let id = BinaryId::random();
    let content_type = ContentType::new("text/html").unwrap();
    let key = repository.create(id, content_type.clone()).await.unwrap();
    let html = stream::iter([Ok(Bytes::from("<script>"))]);
    let upload = tower_presign::store::Upload::new(content_type, html);
    tower_presign::BinaryRepository::write(&repository, &key, upload)
        .await
        .unwrap();

    let layer = layer(repository).clock(std::time::SystemTime::now);
    let terms = Terms::new().filename("größe \"a\".html");
    let url = layer
        .presigner()
        .presign(Target::new(id, Access::Read), terms)
        .await
        .unwrap();
    assert!(
        url.as_str()
            .starts_with("https://storage.googleapis.com/binaries/20"),
        "{url:?}"
    );
    assert!(is_authentic("GET", url.as_str(), &HeaderMap::new()));
    let parameters: Vec<_> = Url::parse(url.as_str())
        .unwrap()
        .query_pairs()
        .into_owned()
        .collect();
    for (name, value) in [
        ("response-content-type", "text/html"),
        (
            "response-content-disposition",
            "attachment; filename=\"gr__e _a_.html\"; filename*=UTF-8''gr%C3%B6%C3%9Fe%20%22a%22.html",
        ),
    ] {
        assert!(
            parameters.contains(&(name.into(), value.into())),
            "{parameters:?}"
        );
    }
}

#[tokio::test]
async fn a_write_url_binds_the_type_the_length_and_that_there_is_nothing() {
    let Some(repository) = repository().await else {
        return;
    };
    let id = BinaryId::random();
    let png = ContentType::new("image/png").unwrap();
    repository.create(id, png).await.unwrap();
    let layer = layer(repository).clock(std::time::SystemTime::now);
    let terms = Terms::new().max_length(5_000_000);
    let url = layer
        .presigner()
        .presign(Target::new(id, Access::Write), terms)
        .await
        .unwrap();
    let headers = headers_of(&url);
    assert_eq!(headers["content-type"], "image/png");
    assert_eq!(headers["x-goog-if-generation-match"], "0");
    assert_eq!(headers["x-goog-content-length-range"], "0,5000000");
    assert!(is_authentic("PUT", url.as_str(), &headers));
    for (name, value) in [
        ("content-type", "text/html"),
        ("x-goog-if-generation-match", "1"),
        ("x-goog-content-length-range", "0,9000000"),
    ] {
        let mut altered = headers.clone();
        altered.insert(name, value.parse().unwrap());
        assert!(!is_authentic("PUT", url.as_str(), &altered), "{name}");
        altered.remove(name);
        assert!(
            !is_authentic("PUT", url.as_str(), &altered),
            "without {name}"
        );
    }
}
