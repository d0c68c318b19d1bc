//! Repositories that fail, never answer, or panic.

use std::time::Duration;

use axum::body::Body;
use futures_util::{StreamExt as _, stream};
use http::{Method, Request, StatusCode, Version};
use tower_http::timeout::TimeoutLayer;
use tower_presign::store::RepositoryError;

use super::repository::{Fault, PARTS, Point};
use super::server::{Scan, Server};
use super::{get, put, upload};
use crate::support;

const VERSIONS: [Version; 2] = [Version::HTTP_11, Version::HTTP_2];

const POINTS: [Point; 8] = [
    Point::Locate,
    Point::Head,
    Point::Read,
    Point::Write,
    Point::Chunk(0),
    Point::Chunk(1),
    Point::Chunk(2),
    Point::Commit,
];

/// A request that reaches this point.
fn request(point: Point, scan: &Scan) -> Request<Body> {
    match point {
        Point::Locate => get(&scan.operation),
        Point::Head => support::request(Method::HEAD, &scan.read, &[], Body::empty()),
        Point::Read | Point::Part(_) => get(&scan.read),
        Point::Write | Point::Chunk(_) | Point::Commit => {
            put(scan, support::body::chunks(&["con", "te", "nt"]))
        }
    }
}

/// As [`request`], but that an upload does not come to its end: one that is whole is completed,
/// whoever waits for it.
fn unfinished(point: Point, scan: &Scan) -> Request<Body> {
    let mut request = request(point, scan);
    if *request.method() == Method::PUT {
        let start = std::mem::take(request.body_mut()).into_data_stream();
        *request.body_mut() = Body::from_stream(start.chain(stream::pending()));
    }
    request
}

type Failure = (fn() -> RepositoryError, u16, &'static str);

const FAILURES: [Failure; 6] = [
    (|| RepositoryError::NotFound, 404, "not-found"),
    (|| RepositoryError::Deleted, 410, "deleted"),
    (|| RepositoryError::AlreadyWritten, 412, "already-written"),
    (|| RepositoryError::StorageFull, 507, "storage-full"),
    (
        || RepositoryError::unavailable("no route"),
        503,
        "unavailable",
    ),
    (|| RepositoryError::internal("a bug"), 500, "internal"),
];

#[tokio::test]
async fn wherever_a_repository_fails_the_client_is_told_and_may_try_again() {
    let server = Server::start().await;
    for version in VERSIONS {
        for (error, status, code) in FAILURES {
            for point in POINTS {
                let scan = server.scan().await;
                server.faults.prepare(point, Fault::Error(error));
                let mut client = server.client(version).await;
                let answer = client.send(request(point, &scan)).await.unwrap();
                if point == Point::Head {
                    assert_eq!(answer.status, status);
                } else {
                    answer.assert_refused(status, code);
                }
                drop(client);
                server.settle().await;
                server.assert_vacant(&scan).await;
            }
        }
    }
}

#[tokio::test]
async fn a_download_that_fails_midway_is_broken_off_and_never_looks_whole() {
    let server = Server::start().await;
    let scan = server.scan().await;
    support::put(&server.layer, &scan.write, "contents").await;
    for version in VERSIONS {
        for number in 0..PARTS {
            let error = || RepositoryError::internal("the disk is gone");
            server
                .faults
                .prepare(Point::Part(number), Fault::Error(error));
            let mut client = server.client(version).await;
            let answer = client.send(get(&scan.read)).await;
            assert!(answer.is_err(), "{version:?} {number}: {answer:?}");
            drop(client);
            server.settle().await;
        }
    }
    let answer = support::get(&server.layer, &scan.read).await;
    assert_eq!(answer.body, "contents");
}

#[tokio::test]
async fn a_repository_that_never_answers_is_dropped_when_the_client_goes_away() {
    let server = Server::start().await;
    for version in VERSIONS {
        for point in POINTS {
            if point == Point::Commit || version == Version::HTTP_11 && UNREAD.contains(&point) {
                continue;
            }
            let scan = server.scan().await;
            server.faults.prepare(point, Fault::Never);
            let mut client = server.client(version).await;
            let answer = tokio::spawn(client.send(unfinished(point, &scan)));
            server.census.until(|counts| counts.stuck == 1).await;
            answer.abort();
            if version == Version::HTTP_2 {
                // It has reset the stream, and not closed the connection.
                server.census.until(|counts| counts.alive == 0).await;
            }
            drop(client);
            server.settle().await;
            server.assert_vacant(&scan).await;
        }
    }
}

/// Points at which hyper has not read an upload to its end. Over HTTP/1 it reads no further than it
/// is asked to, and so does not find the end of the connection behind the rest.
const UNREAD: [Point; 4] = [
    Point::Write,
    Point::Chunk(0),
    Point::Chunk(1),
    Point::Chunk(2),
];

#[tokio::test]
async fn a_repository_that_leaves_an_upload_unread_for_ever_is_ended_by_a_timeout_in_front() {
    let timeout = Duration::from_millis(50);
    let timeout = TimeoutLayer::with_status_code(StatusCode::GATEWAY_TIMEOUT, timeout);
    let server = Server::start_with(|router| router.layer(timeout)).await;
    for point in UNREAD {
        for is_gone in [true, false] {
            let scan = server.scan().await;
            server.faults.prepare(point, Fault::Never);
            let mut client = server.client(Version::HTTP_11).await;
            let answer = tokio::spawn(client.send(unfinished(point, &scan)));
            server.census.until(|counts| counts.stuck == 1).await;
            if is_gone {
                answer.abort();
            } else {
                let answer = answer.await.unwrap().unwrap();
                assert_eq!(answer.status, StatusCode::GATEWAY_TIMEOUT);
            }
            drop(client);
            server.settle().await;
            server.assert_vacant(&scan).await;
        }
    }
}

#[tokio::test]
async fn a_download_that_never_goes_on_is_dropped_when_the_client_goes_away() {
    let server = Server::start().await;
    let scan = server.scan().await;
    support::put(&server.layer, &scan.write, "contents").await;
    for version in VERSIONS {
        for number in 0..PARTS {
            server.faults.prepare(Point::Part(number), Fault::Never);
            let mut client = server.client(version).await;
            let answer = tokio::spawn(client.send(get(&scan.read)));
            server.census.until(|counts| counts.stuck == 1).await;
            answer.abort();
            drop(client);
            server.settle().await;
        }
    }
}

#[tokio::test]
async fn a_repository_that_panics_ends_its_own_connection_and_no_other() {
    let server = Server::start().await;
    for version in VERSIONS {
        for point in POINTS.into_iter().chain((0..PARTS).map(Point::Part)) {
            let lasting = server.scan().await;
            let mut other = server.client(version).await;
            let (content, upload) = upload(&lasting);
            let other_answer = tokio::spawn(other.send(upload));
            let received = server.census.counts().received;
            content.send(Ok("begun ".into())).await.unwrap();
            server
                .census
                .until(|counts| counts.received > received)
                .await;

            let scan = server.scan().await;
            if let Point::Part(_) = point {
                support::put(&server.layer, &scan.write, "contents").await;
            }
            server.faults.prepare(point, Fault::Panic);
            let mut client = server.client(version).await;
            let answer = client.send(request(point, &scan)).await;
            assert!(answer.is_err(), "{version:?} {point:?}: {answer:?}");
            drop(client);

            content.send(Ok("and done".into())).await.unwrap();
            drop(content);
            let answer = other_answer.await.unwrap().unwrap();
            assert_eq!(answer.status, StatusCode::OK);
            let stored = support::get(&server.layer, &lasting.read).await;
            assert_eq!(stored.body, "begun and done");
            let mut next = server.client(version).await;
            let answer = next
                .send(request(Point::Commit, &server.scan().await))
                .await;
            assert_eq!(answer.unwrap().status, StatusCode::OK);
            drop((other, next));
            server.settle().await;
        }
    }
}
