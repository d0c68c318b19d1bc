//! An upload of 1 GiB in 64 parts over one in one request, into `FsRepository`, with `fsync`: both
//! through the layer, in turn.
//!
//! `PRESIGN_BENCH_ROUNDS` is the number of turns (5), `PRESIGN_BENCH_MIB` the length (1024), and
//! `PRESIGN_BENCH_FOLDER` a folder on the disk to measure.

use std::env;
use std::time::{Duration, Instant};

use axum::body::Body;
use bytes::Bytes;
use futures_util::stream;
use http::{Method, Request};
use tower::util::service_fn;
use tower::{Layer as _, ServiceExt as _};
use tower_presign::{
    Access, AllowAll, BinaryId, ContentType, FsRepository, PresignLayer, SigningKey, Target, Terms,
    UrlSigner,
};

const MIB: usize = 1024 * 1024;
const PART: usize = 16 * MIB;
const CHUNK: usize = 64 * 1024;

fn number(name: &str, default: usize) -> usize {
    let value = env::var(name).ok();
    value.map_or(default, |value| value.parse().expect(name))
}

/// So many bytes in chunks, as a server takes them from a socket.
fn body(length: usize) -> Body {
    let chunk = Bytes::from(vec![0x5a; CHUNK]);
    let chunks = (0..length.div_ceil(CHUNK)).map(move |_| Ok::<_, std::io::Error>(chunk.clone()));
    Body::from_stream(stream::iter(chunks))
}

async fn send(
    layer: &PresignLayer,
    method: Method,
    url: &str,
    headers: &[(&str, &str)],
    body: Body,
) -> http::HeaderMap {
    let mut request = Request::builder().method(method).uri(url);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let inner = service_fn(async |_: Request<Body>| {
        Ok::<_, std::convert::Infallible>(http::Response::new(Body::empty()))
    });
    let service = layer.layer(inner);
    let response = service.oneshot(request.body(body).unwrap()).await.unwrap();
    assert!(response.status().is_success(), "{}", response.status());
    response.headers().clone()
}

async fn write_url(layer: &PresignLayer, id: BinaryId) -> String {
    let target = Target::new(id, Access::Write);
    let url = layer.presigner().presign(target, Terms::new()).await;
    url.unwrap().into()
}

async fn in_one_request(layer: &PresignLayer, url: &str, length: usize) {
    let png = [("content-type", "image/png")];
    send(layer, Method::PUT, url, &png, body(length)).await;
}

async fn in_parts(layer: &PresignLayer, url: &str, length: usize) {
    let tus = ("tus-resumable", "1.0.0");
    let total = length.to_string();
    let headers = [tus, ("upload-length", &*total)];
    let begun = send(layer, Method::POST, url, &headers, Body::empty()).await;
    let url = begun["location"].to_str().unwrap();
    for offset in (0..length).step_by(PART) {
        let at = offset.to_string();
        let headers = [
            tus,
            ("content-type", "application/offset+octet-stream"),
            ("upload-offset", &*at),
        ];
        let part = body(PART.min(length - offset));
        send(layer, Method::PATCH, url, &headers, part).await;
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let rounds = number("PRESIGN_BENCH_ROUNDS", 5);
    let length = number("PRESIGN_BENCH_MIB", 1024) * MIB;
    let folder = match env::var_os("PRESIGN_BENCH_FOLDER") {
        Some(folder) => tempfile::tempdir_in(folder).unwrap(),
        None => tempfile::tempdir().unwrap(),
    };
    let repository = FsRepository::open(folder.path()).await.unwrap();
    let key = SigningKey::new("bench", b"a secret of 32 bytes, better random").unwrap();
    let signer = UrlSigner::new(key, "http://127.0.0.1/storage").unwrap();
    let layer = PresignLayer::new(signer, repository.clone(), AllowAll).resumable_uploads(true);

    let mut times = [Duration::ZERO; 2];
    for _ in 0..rounds {
        for (is_in_parts, time) in [false, true].into_iter().zip(&mut times) {
            let id = BinaryId::random();
            let png = ContentType::new("image/png").unwrap();
            repository.create(id, png).await.unwrap();
            let url = write_url(&layer, id).await;
            let started = Instant::now();
            if is_in_parts {
                in_parts(&layer, &url, length).await;
            } else {
                in_one_request(&layer, &url, length).await;
            }
            *time += started.elapsed();
            repository.delete(id).await.unwrap();
        }
    }
    let [whole, parts] = times.map(|time| time.as_secs_f64());
    #[expect(clippy::cast_precision_loss, reason = "some thousands")]
    let mib = (rounds * length / MIB) as f64;
    println!("in one request: {:.0} MiB/s", mib / whole);
    println!("in parts:       {:.0} MiB/s", mib / parts);
    println!(
        "parts : one request = {:.2} (goal: at least 0.8)",
        whole / parts
    );
}
