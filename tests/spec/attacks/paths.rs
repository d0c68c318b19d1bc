//! Attacks on the path: other content by way of a genuine query, and ways out of the folder.

use http::Method;

use super::forger::{genuine, read_claims};
use super::spy::Server;
use super::{INVALID, altered, assert_get_refused, assert_refused};

/// Paths below the storage path, none of them `/scan/1` or `/scan/2`.
#[rustfmt::skip]
fn other_paths() -> Vec<String> {
    let mut paths: Vec<String> = [
        // Other content.
        "/other/1", "/scan/3", "/scan/12", "/scan/01", "/scan/1.0", "/scan/-1", "/scan/*",
        "/Scan/1", "/SCAN/1", "/1/scan", "/scan/scan", "/1/1",
        // Bytes moved across the slash.
        "/sca/n1", "/scan1", "/scan1/", "/s/can/1", "//scan1", "/scan/1/1",
        // Parts left out.
        "", "/", "/scan", "/scan/", "//1", "/1",
        // Slashes.
        "//scan/1", "/scan//1", "/scan/1/", "/scan/1//", "/scan\\1",
        // Dot segments.
        "/./scan/1", "/scan/./1", "/scan/1/.", "/scan/../scan/1", "/../storage/scan/1",
        "/scan/1/..", "/scan/..", "/../1", "/./1", "/scan/.", "/../../etc/passwd",
        "/..%2f..%2fetc/passwd", "/%2e%2e/1", "/scan/%2e%2e", "/scan/%2E%2E/scan/1",
        "/scan/%252e%252e", "/..;/scan/1", "/scan/..%00/1",
        // Encoded characters.
        "/sc%61n/1", "/scan%2F1", "/scan%2f1", "/scan%5C1", "/scan/%31", "/scan/1%00",
        "/scan%00/1", "/%00/1", "/scan/1%20", "/scan/1%3F", "/scan/1%26", "/scan/1%0A", "/%/1",
        "/%zz/1", "/scan/1+", "/%73can/1",
        // Parameters of segments.
        "/scan;v=1/1", "/scan/1;v=1", "/scan/1,", "/scan/1~", "/scan/1.png", "/scan/1:",
        // Characters that look alike, or like nothing.
        "/sc\u{E4}n/1", "/scan/\u{FF11}", "/scan/1\u{301}", "/\u{FF53}can/1", "/scan\u{2215}1",
        "/scan/\u{200B}1",
        // FHIR's own.
        "/Binary/scan/1", "/scan/_history/1", "/scan/1/$presigned-url",
    ]
    .map(str::to_owned)
    .into();
    paths.push(format!("/{}/1", "a".repeat(65)));
    paths.push(format!("/scan/{}", "1".repeat(65)));
    paths.push(format!("{}scan/1", "/..".repeat(1000) + "/"));
    paths
}

#[tokio::test]
async fn a_genuine_query_is_worth_nothing_with_another_path() {
    let server = Server::start().await;
    for (method, target) in [
        (Method::GET, server.read_target()),
        (Method::PUT, server.write_target()),
    ] {
        let (own, query) = target.split_once('?').unwrap();
        for path in other_paths() {
            let target = format!("/storage{path}?{query}");
            let attack = format!("{path} for {own}");
            assert_refused(&server, &attack, &method, &target, INVALID).await;
        }
    }
}

/// Those that are an id and a version are genuine URLs, of content that exists or does not.
#[tokio::test]
async fn a_signature_does_not_make_a_path_right_that_is_not_an_id_and_a_version() {
    let server = Server::start().await;
    let is_id = |text: &str| {
        let is_allowed = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
        (1..=64).contains(&text.len())
            && ![".", ".."].contains(&text)
            && text.chars().all(is_allowed)
    };
    for path in other_paths() {
        let target = genuine(&altered(&read_claims(), "/scan/1", &path));
        let segments: Vec<&str> = path.split('/').collect();
        if let ["", id, version] = segments[..]
            && is_id(id)
            && is_id(version)
        {
            let answer = server.send(Method::GET, &target).await;
            assert!([200, 404].contains(&answer.status.as_u16()), "{path}");
            assert_eq!(server.journal(), ["redeem", "read"], "{path}");
        } else {
            let attack = format!("signed: {path}");
            assert_get_refused(&server, &attack, &target, INVALID).await;
        }
    }
}

#[tokio::test]
async fn the_version_in_the_url_is_the_one_that_is_served() {
    let server = Server::start().await;
    let write = server.write_target();
    // The upload's own URL, turned into one that reads what it will write.
    let (path, query) = write.split_once('?').unwrap();
    let target = format!("{path}?{}", altered(query, "&Method=PUT", ""));
    assert_get_refused(&server, "read what is being written", &target, INVALID).await;
    let target = altered(&write, "/scan/2", "/scan/1");
    assert_refused(
        &server,
        "write what is there",
        &Method::PUT,
        &target,
        INVALID,
    )
    .await;
}
