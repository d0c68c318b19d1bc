//! Attacks with other methods than the one that a URL is for.

use bytes::Bytes;
use http::{Method, Request};
use http_body_util::Full;

use super::spy::{CONTENT, NOW, Server, expires, read_grant};
use super::{INVALID, MISSING, altered, assert_get_refused, assert_refused};

fn method(name: &str) -> Method {
    Method::from_bytes(name.as_bytes()).unwrap()
}

const NOT_ALLOWED: (u16, &str) = (405, "method-not-allowed");

#[tokio::test]
async fn a_read_url_only_reads() {
    let server = Server::start().await;
    let target = server.read_target();
    for name in [
        "POST", "PUT", "DELETE", "PATCH", "TRACE", "CONNECT", "PROPFIND", "MOVE", "COPY", "get",
        "Get", "head", "GETX",
    ] {
        assert_refused(&server, name, &method(name), &target, NOT_ALLOWED).await;
        let answer = server.send(method(name), &target).await;
        assert_eq!(answer.header("allow"), Some("GET, HEAD, OPTIONS"), "{name}");
    }
}

#[tokio::test]
async fn a_write_url_only_writes() {
    let server = Server::start().await;
    let target = server.write_target();
    for name in [
        "GET", "HEAD", "POST", "DELETE", "PATCH", "TRACE", "CONNECT", "MKCOL", "put", "Put",
    ] {
        assert_refused(&server, name, &method(name), &target, NOT_ALLOWED).await;
        let answer = server.send(method(name), &target).await;
        assert_eq!(answer.header("allow"), Some("PUT, OPTIONS"), "{name}");
    }
    let upload = Request::put(&target).header("content-type", "image/png");
    let upload = upload.body(Full::from("content")).unwrap();
    assert_eq!(server.send_request(upload).await.status, 200);
    assert_eq!(server.journal(), ["redeem", "write"]);
}

#[tokio::test]
async fn which_methods_a_url_allows_is_told_to_its_holder_alone() {
    let server = Server::start().await;
    for target in [server.read_target(), server.write_target()] {
        let forged = altered(&target, "Expires=1", "Expires=2");
        let unsigned = target.split("&Signature").next().unwrap();
        for name in ["GET", "HEAD", "PUT", "POST", "DELETE", "PATCH", "BREW"] {
            assert_refused(&server, name, &method(name), &forged, INVALID).await;
            assert_refused(&server, name, &method(name), unsigned, MISSING).await;
            let answer = server.send(method(name), &forged).await;
            assert_eq!(answer.header("allow"), None, "{name}");
        }
    }
}

#[tokio::test]
async fn the_method_claim_cannot_be_changed() {
    let server = Server::start().await;
    let (read, write) = (server.read_target(), server.write_target());
    let put = altered(&read, "&Signature", "&Method=PUT&Signature");
    assert_refused(&server, "Method added", &Method::PUT, &put, INVALID).await;
    let get = altered(&write, "&Method=PUT", "");
    assert_get_refused(&server, "Method dropped", &get, INVALID).await;
    for other in ["GET", "put", "PUT,GET", "POST", ""] {
        let target = altered(&write, "Method=PUT", &format!("Method={other}"));
        assert_get_refused(&server, other, &target, INVALID).await;
        assert_refused(&server, other, &Method::PUT, &target, INVALID).await;
    }
}

#[tokio::test]
async fn a_method_in_a_header_or_a_query_is_not_one() {
    let server = Server::start().await;
    for header in [
        "x-http-method-override",
        "x-http-method",
        "x-method-override",
    ] {
        let request = |method: Method, target: &str, other: &str| {
            let request = Request::builder().method(method).uri(target);
            let request = request
                .header(header, other)
                .header("content-type", "image/png");
            request.body(Full::new(Bytes::from("new"))).unwrap()
        };
        // It stays what it is: a read.
        let read = request(Method::GET, &server.read_target(), "PUT");
        let answer = server.send_request(read).await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.body, CONTENT);
        assert_eq!(server.journal(), ["redeem", "read"], "{header}");
        // And it stays refused.
        for (method, target, other) in [
            (Method::POST, server.read_target(), "GET"),
            (Method::POST, server.write_target(), "PUT"),
            (Method::GET, server.write_target(), "PUT"),
        ] {
            let answer = server.send_request(request(method, &target, other)).await;
            assert_eq!(answer.status, 405, "{header}: {other}");
            assert_eq!(server.journal(), [""; 0], "{header}");
        }
    }
    let target = format!("{}&_method=PUT", server.read_target());
    assert_refused(&server, "_method", &Method::POST, &target, INVALID).await;
}

#[tokio::test]
async fn a_url_that_has_expired_is_still_for_one_method() {
    let server = Server::start().await;
    let mut grant = read_grant("scan", "1");
    grant.expires = expires(NOW);
    let target = server.sign(&grant);
    assert_get_refused(&server, "expired", &target, (403, "expired")).await;
    assert_refused(&server, "expired", &Method::PUT, &target, NOT_ALLOWED).await;
}
