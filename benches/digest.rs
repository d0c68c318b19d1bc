//! Checking a digest while an upload passes, over the floor that hashing alone sets.

mod support;

use std::hint::black_box;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use futures_util::stream;
use http::{Request, Response};
use http_body_util::{Full, StreamBody};
use hyper::body::Frame;
use sha2::{Digest as _, Sha256};
use support::{Benches, Comparison};
use tower::{Layer as _, Service as _, service_fn};
use tower_presign::store::{
    ByteRange, Content, Located, Metadata, RepositoryError, Target, Upload,
};
use tower_presign::url::{Expires, WriteTerms};
use tower_presign::{
    AllowAll, BinaryId, BinaryKey, BinaryRepository, ContentType, Grant, PresignLayer, SigningKey,
    UrlSigner, VersionId,
};

const CHUNK: usize = 64 * 1024;
const CHUNKS: usize = 16;

/// Stores nothing.
struct Sink;

impl BinaryRepository for Sink {
    async fn locate(&self, _: &Target) -> Result<Located, RepositoryError> {
        Err(RepositoryError::NotFound)
    }

    async fn head(&self, _: &BinaryKey) -> Result<Metadata, RepositoryError> {
        Err(RepositoryError::NotFound)
    }

    async fn read(&self, _: &BinaryKey, _: Option<ByteRange>) -> Result<Content, RepositoryError> {
        Err(RepositoryError::NotFound)
    }

    async fn write(&self, _: &BinaryKey, mut upload: Upload) -> Result<Metadata, RepositoryError> {
        let mut length = 0;
        while let Some(chunk) = upload.next().await {
            length += chunk?.len() as u64;
        }
        Ok(Metadata::new("", length, SystemTime::UNIX_EPOCH))
    }
}

fn main() {
    let key = SigningKey::new("bench", [7, 1, 8, 2].repeat(8)).unwrap();
    let signer = UrlSigner::new(key, "http://localhost/storage").unwrap();
    let grant = Grant::new(
        BinaryKey::new(BinaryId::new("scan").unwrap(), VersionId::from(1)),
        WriteTerms::new(ContentType::new("image/png").unwrap()),
        Expires::at(SystemTime::now() + Duration::from_secs(3600)),
    );
    let url = signer.sign(&grant);
    let chunk = Bytes::from(vec![0x5a; CHUNK]);
    let mut hash = Sha256::new();
    for _ in 0..CHUNKS {
        hash.update(&chunk);
    }
    let digest = format!("sha-256=:{}:", STANDARD.encode(hash.finalize()));
    let inner =
        service_fn(async |_| Ok::<_, std::io::Error>(Response::new(Full::<Bytes>::default())));
    let mut service = PresignLayer::new(signer, Sink, AllowAll).layer(inner);

    let hash = || {
        let mut hash = Sha256::new();
        for _ in 0..CHUNKS {
            hash.update(black_box(&chunk));
        }
        hash.finalize()
    };
    let upload = || {
        let frames: Vec<_> = (0..CHUNKS)
            .map(|_| Ok::<_, std::io::Error>(Frame::data(chunk.clone())))
            .collect();
        let request = Request::put(url.as_str())
            .header("content-type", "image/png")
            .header("content-digest", &digest)
            .body(StreamBody::new(stream::iter(frames)))
            .unwrap();
        let mut answer = pin!(service.call(request));
        match answer
            .as_mut()
            .poll(&mut Context::from_waker(Waker::noop()))
        {
            Poll::Ready(Ok(response)) => assert_eq!(response.status(), 200),
            _ => unreachable!("nothing is waited for"),
        }
    };
    let name = format!("an upload of {CHUNKS} x 64 KiB with Content-Digest");
    let mut benches = Benches::of(Comparison::Ratio);
    benches.compare(&name, hash, upload);
}
