//! When an upload is refused: before its body is asked for, and so that the client hears of it.

use std::io;
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use futures_util::stream;
use http::header::CONNECTION;
use http::{Method, Request, StatusCode, Version};
use tokio::time::sleep;
use tower_presign::store::{
    ByteRange, Content, Located, Metadata, RepositoryError, Target, Upload,
};
use tower_presign::{
    AccessPolicy, BinaryKey, BinaryRepository, Denial, MemoryRepository, MintRequest, PresignLayer,
    RedeemRequest, Terms,
};

use crate::support;
use crate::support::body::{Watch, announced, chunks, watched};
use crate::support::repository::Failing;
use crate::support::*;

const MIB: u64 = 1024 * 1024;
/// The most that is thrown away of a body from the holder of a genuine URL.
const HOLDERS_REST: u64 = 256 * MIB;

/// A request that can be refused by its head alone.
struct Case {
    layer: PresignLayer,
    method: Method,
    url: String,
    headers: Vec<(&'static str, &'static str)>,
    refusal: (u16, &'static str),
}

struct Revoked;

impl AccessPolicy for Revoked {
    async fn mint(&self, _: MintRequest) -> Result<Terms, Denial> {
        Err(Denial::forbidden())
    }

    async fn redeem(&self, _: RedeemRequest<'_>) -> Result<(), Denial> {
        Err(Denial::forbidden())
    }
}

/// One case of each reason; the body is to be `content`.
async fn cases() -> Vec<Case> {
    let repository = scan("image/png");
    let layer = layer(repository.clone());
    let write = mint_upload(&layer, "scan").await;
    let read = mint(&layer, "scan").await;

    let written = support::layer(scan("image/png"));
    put(&written, &write, "other content").await;
    let deleted = scan("image/png");
    deleted.delete(id("scan")).unwrap();
    let revoked = PresignLayer::new(signer(), repository, Revoked).clock(|| at(NOW));

    let unsigned = write.split("&Signature").next().unwrap();
    let forged = write.replace("/scan/", "/other/");
    let late = layer.clone().clock(|| at(NOW + 3600));
    let early = layer.clone().clock(|| at(NOW - 8 * 24 * 3600));
    let small = layer.clone().max_upload(6);
    let full = support::layer(Failing(|| RepositoryError::StorageFull));
    let down = support::layer(Failing(|| RepositoryError::unavailable("down")));
    let png = ("content-type", "image/png");

    let case = |layer: &PresignLayer, url: &str, refusal| Case {
        layer: layer.clone(),
        method: Method::PUT,
        url: url.to_owned(),
        headers: vec![png],
        refusal,
    };
    let with = |layer: &PresignLayer, header, refusal| Case {
        headers: vec![png, header],
        ..case(layer, &write, refusal)
    };
    vec![
        case(&layer, unsigned, (403, "missing-signature")),
        case(&layer, &forged, (403, "invalid-signature")),
        case(&late, &write, (403, "expired")),
        case(&early, &write, (403, "lifetime-too-long")),
        case(&layer, &read, (405, "method-not-allowed")),
        Case {
            method: Method::POST,
            ..case(&layer, &write, (405, "method-not-allowed"))
        },
        case(&revoked, &write, (403, "forbidden")),
        Case {
            headers: vec![("content-type", "image/jpeg")],
            ..case(&layer, &write, (415, "content-type-mismatch"))
        },
        with(
            &layer,
            ("content-encoding", "gzip"),
            (415, "content-type-mismatch"),
        ),
        with(
            &layer,
            ("content-range", "bytes 0-6/7"),
            (400, "invalid-parameter"),
        ),
        with(
            &layer,
            ("content-digest", "sha-256=::"),
            (400, "invalid-parameter"),
        ),
        case(&small, &write, (413, "too-large")),
        with(&layer, ("if-match", "*"), (412, "precondition-failed")),
        case(&written, &write, (412, "already-written")),
        with(
            &written,
            ("if-none-match", "*"),
            (412, "precondition-failed"),
        ),
        case(
            &support::layer(MemoryRepository::new()),
            &write,
            (404, "not-found"),
        ),
        case(&support::layer(deleted), &write, (410, "deleted")),
        case(&full, &write, (507, "storage-full")),
        case(&down, &write, (503, "unavailable")),
        Case {
            method: Method::PUT,
            ..case(
                &layer,
                "/Binary/scan/$presigned-url",
                (405, "method-not-allowed"),
            )
        },
        Case {
            method: Method::POST,
            ..case(&layer, "/Binary/no~id/$presigned-url", (404, "not-found"))
        },
    ]
}

impl Case {
    /// The request, and a watch on its body.
    fn request(&self, further: &[(&str, &str)]) -> (Request<Body>, Watch) {
        let (body, watch) = watched("content");
        let headers = [&*self.headers, further].concat();
        (
            request(self.method.clone(), &self.url, &headers, body),
            watch,
        )
    }
}

#[tokio::test]
async fn a_client_that_waits_to_be_told_to_go_on_is_refused_before_it_does() {
    for case in cases().await {
        let (request, watch) = case.request(&[("expect", "100-continue")]);
        let answer = call(&case.layer, request).await;
        answer.assert_refused(case.refusal.0, case.refusal.1);
        assert!(!watch.is_polled(), "{:?}", case.refusal);
    }
}

#[tokio::test]
async fn from_a_client_that_is_already_sending_the_body_is_taken_and_thrown_away() {
    for version in [Version::HTTP_11, Version::HTTP_2] {
        for case in cases().await {
            let (mut request, watch) = case.request(&[]);
            *request.version_mut() = version;
            let answer = call(&case.layer, request).await;
            answer.assert_refused(case.refusal.0, case.refusal.1);
            assert_eq!(answer.header(CONNECTION), None, "it can be used again");
            soon(watch.until(7)).await;
        }
    }
}

#[tokio::test]
async fn a_refusal_does_not_wait_for_the_rest_of_the_body() {
    for case in cases().await {
        let (mut request, _) = case.request(&[("content-length", "7")]);
        *request.body_mut() = Body::from_stream(stream::pending::<io::Result<Bytes>>());
        let answer = soon(call(&case.layer, request)).await;
        answer.assert_refused(case.refusal.0, case.refusal.1);
    }
}

#[tokio::test]
async fn a_connection_is_said_to_be_closed_if_the_body_may_be_left_unread() {
    let layer = layer(scan("image/png"));
    let write = mint_upload(&layer, "scan").await;
    let forged = write.replace("/scan/", "/other/");
    let expect = ("expect", "100-continue");
    let of = |url: &str, length: u64| (url.to_owned(), &[][..], announced(length));
    for ((url, headers, body), closes) in [
        (of(&forged, MIB), false),
        (of(&forged, MIB + 1), true),
        (of(&write, HOLDERS_REST), false),
        (of(&write, HOLDERS_REST + 1), true),
        ((forged.clone(), &[][..], chunks(&["con", "tent"])), true),
        ((forged.clone(), &[expect][..], Body::from("content")), true),
        ((forged.clone(), &[expect][..], Body::empty()), false),
    ] {
        let mut put = request(Method::PUT, &url, headers, body);
        let answer = call(&layer, put).await;
        let expected = closes.then_some("close");
        assert_eq!(answer.header(CONNECTION), expected, "{answer:?}");

        // There is no such header in HTTP/2 (RFC 9113 §8.2.2).
        put = request(Method::PUT, &url, headers, chunks(&["con", "tent"]));
        *put.version_mut() = Version::HTTP_2;
        assert_eq!(call(&layer, put).await.header(CONNECTION), None);
    }
}

#[tokio::test]
async fn a_connection_is_used_again_if_a_layer_in_front_hides_that_there_is_no_body() {
    let layer = layer(scan("image/png"));
    let read = mint(&layer, "scan").await;
    let operation = "/fhir/R4/Binary/scan/$presigned-url";
    let forged = read.replace("/scan/", "/other/");
    for (path, status) in [(operation, 200), (&*read, 404), (&*forged, 403)] {
        let get = request(Method::GET, path, &[], chunks(&[]));
        let answer = call(&layer, get).await;
        assert_eq!(answer.status, status, "{answer:?}");
        assert_eq!(answer.header(CONNECTION), None, "{path}");
    }
}

#[tokio::test]
async fn a_body_that_was_not_asked_for_is_taken_as_well() {
    let layer = layer(scan("image/png"));
    put(&layer, &mint_upload(&layer, "scan").await, "content").await;
    let read = mint(&layer, "scan").await;
    for (method, url) in [
        (Method::GET, &*read),
        (Method::OPTIONS, &read),
        (Method::GET, "/fhir/Binary/scan/$presigned-url"),
    ] {
        let (body, watch) = watched("content");
        let answer = call(&layer, request(method, url, &[], body)).await;
        assert!(answer.status.is_success());
        soon(watch.until(7)).await;
    }
}

#[tokio::test]
async fn an_empty_upload_is_refused_before_its_body_is_asked_for() {
    let layer = layer(scan("image/png"));
    let write = mint_upload(&layer, "scan").await;
    let headers = [("expect", "100-continue"), ("content-length", "0")];
    for (headers, body) in [(&headers[..1], Body::empty()), (&headers, chunks(&[]))] {
        let (body, watch) = watched(body);
        let answer = put_with(&layer, &write, headers, body).await;
        answer.assert_refused(400, "empty-body");
        assert!(!watch.is_polled());
    }
}

#[tokio::test]
async fn an_upload_that_is_accepted_is_asked_for_whatever_it_expects() {
    let layer = layer(scan("image/png"));
    for expect in ["100-continue", "100-Continue", "something-else"] {
        let write = mint_upload(&layer, "scan").await;
        let (body, watch) = watched("content");
        let answer = put_with(&layer, &write, &[("expect", expect)], body).await;
        assert_eq!(answer.status, StatusCode::OK);
        assert_eq!(watch.bytes(), 7);
    }
}

/// A body without an end.
fn endless() -> Body {
    let chunk = Bytes::from(vec![0; 64 * 1024]);
    Body::from_stream(stream::repeat_with(move || {
        Ok::<_, io::Error>(chunk.clone())
    }))
}

#[tokio::test(start_paused = true)]
async fn no_more_is_thrown_away_than_a_bounded_amount() {
    let layer = PresignLayer::new(signer(), scan("image/png"), Tokens).clock(|| at(NOW));
    let write = mint_upload(&support::layer(scan("image/png")), "scan").await;
    let forged = write.replace("/scan/", "/other/");
    let unsigned = write.split('?').next().unwrap();
    let operation = "/fhir/Binary/scan/$presigned-url";
    // Of somebody whom nobody knows, and of the holder of a genuine URL.
    for (method, url, limit) in [
        (Method::PUT, &*forged, MIB),
        (Method::GET, unsigned, MIB),
        (Method::PUT, unsigned, MIB),
        (Method::GET, operation, MIB),
        (Method::POST, operation, MIB),
        (Method::DELETE, operation, MIB),
        (Method::PUT, &write, HOLDERS_REST),
    ] {
        let (body, watch) = watched(endless());
        let refused = request(method, url, &[("content-type", "image/gif")], body);
        assert!(call(&layer, refused).await.status.is_client_error());
        let dropped = async {
            while !watch.is_dropped() {
                sleep(Duration::from_secs(1)).await;
            }
        };
        soon(dropped).await;
        let most = limit + 192 * 1024;
        assert!((limit..=most).contains(&watch.bytes()), "{}", watch.bytes());
    }
}

#[tokio::test(start_paused = true)]
async fn no_more_time_is_spent_on_a_body_that_is_thrown_away_than_a_bounded_one() {
    let layer = layer(scan("image/png"));
    let write = mint_upload(&layer, "scan").await;
    let forged = write.replace("/scan/", "/other/");
    for (url, seconds) in [(forged, 10), (write, 120)] {
        // A byte each second.
        let trickle = stream::unfold((), async |()| {
            sleep(Duration::from_secs(1)).await;
            Some((Ok::<_, io::Error>("x"), ()))
        });
        let (body, watch) = watched(Body::from_stream(trickle));
        let refused = request(Method::PUT, &url, &[("content-type", "image/gif")], body);
        assert!(call(&layer, refused).await.status.is_client_error());
        sleep(Duration::from_secs(seconds - 1)).await;
        assert!(!watch.is_dropped());
        sleep(Duration::from_secs(2)).await;
        assert!(watch.is_dropped());
    }
}

/// Takes a chunk, and is full.
struct FillsUp(MemoryRepository);

impl BinaryRepository for FillsUp {
    async fn locate(&self, target: &Target) -> Result<Located, RepositoryError> {
        self.0.locate(target).await
    }

    async fn head(&self, key: &BinaryKey) -> Result<Metadata, RepositoryError> {
        self.0.head(key).await
    }

    async fn read(
        &self,
        key: &BinaryKey,
        range: Option<ByteRange>,
    ) -> Result<Content, RepositoryError> {
        self.0.read(key, range).await
    }

    async fn write(&self, _: &BinaryKey, mut upload: Upload) -> Result<Metadata, RepositoryError> {
        upload.next().await.unwrap()?;
        Err(RepositoryError::StorageFull)
    }
}

#[tokio::test]
async fn a_refusal_on_the_way_reaches_the_client_as_well() {
    let layer = layer(FillsUp(scan("image/png")));
    let write = mint_upload(&layer, "scan").await;
    // By then the client has been told to go on, and does.
    for headers in [&[][..], &[("expect", "100-continue")]] {
        let (body, watch) = watched(chunks(&["con", "tent", "."]));
        let answer = put_with(&layer, &write, headers, body).await;
        answer.assert_refused(507, "storage-full");
        soon(watch.until(8)).await;
    }
}

#[tokio::test]
async fn a_body_found_too_long_on_the_way_is_thrown_away() {
    let layer = layer(scan("image/png")).max_upload(3);
    let write = mint_upload(&layer, "scan").await;
    let (body, watch) = watched(chunks(&["con", "tent", "."]));
    let answer = put(&layer, &write, body).await;
    answer.assert_refused(413, "too-large");
    soon(watch.until(8)).await;
}
