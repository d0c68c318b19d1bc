//! `refusal`: there was no URL, or no content moved.

use std::future::{Future as _, ready};
use std::pin::pin;
use std::task::{Context, Waker};

use axum::body::Body;
use http::Method;
use tower_presign::store::RepositoryError;
use tower_presign::{Denial, MintRequest, PresignLayer};
use tracing::Level;

use super::{Host, Message, OPERATION};
use crate::support::repository::{Failing, Failure, Shelf};
use crate::support::{BASE, NOW, at, request, scan, signer};

// The operation

#[tokio::test]
async fn a_caller_whom_the_policy_denies_is_told_with_what_was_asked_for() {
    let host = Host::new(scan("image/png"));
    let nurse = [("authorization", "Bearer nurse")];
    let message = host.get(&format!("{OPERATION}?upload=true"), &nurse).await;
    message.assert(
        "refusal",
        &[
            ("id", "scan"),
            ("access", "write"),
            ("code", "forbidden"),
            ("status", "403"),
        ],
    );
}

#[tokio::test]
async fn a_bad_call_of_the_operation_is_told_with_what_is_known_by_then() {
    let host = Host::new(scan("image/png"));
    let message = host.get(&format!("{OPERATION}?upload=maybe"), &[]).await;
    message.assert(
        "refusal",
        &[
            ("id", "scan"),
            ("code", "invalid-parameter"),
            ("status", "400"),
        ],
    );
    let delete = request(Method::DELETE, OPERATION, &[], Body::empty());
    host.tell(delete).await.0.assert(
        "refusal",
        &[
            ("id", "scan"),
            ("code", "method-not-allowed"),
            ("status", "405"),
        ],
    );
    let message = host.get("/fhir/R4/Binary/no~id/$presigned-url", &[]).await;
    message.assert("refusal", &[("code", "not-found"), ("status", "404")]);
    let past = "/fhir/R4/Binary/scan/_history/9/$presigned-url";
    host.get(past, &[]).await.assert(
        "refusal",
        &[
            ("id", "scan"),
            ("version", "9"),
            ("access", "read"),
            ("code", "not-found"),
            ("status", "404"),
        ],
    );
}

#[tokio::test]
async fn a_caller_who_leaves_before_the_answer_got_no_url() {
    let undecided = async |_| std::future::pending().await;
    let layer = PresignLayer::new(signer(), scan("image/png"), undecided);
    let host = Host::with(layer);
    {
        let asking = request(Method::GET, OPERATION, &[], Body::empty());
        let mut answer = pin!(host.send(asking));
        let mut context = Context::from_waker(Waker::noop());
        assert!(answer.as_mut().poll(&mut context).is_pending());
    }
    host.told().assert(
        "refusal",
        &[("id", "scan"), ("access", "read"), ("code", "aborted")],
    );
}

// The storage path

#[tokio::test]
async fn a_url_that_nobody_signed_puts_nothing_of_itself_into_the_event() {
    let host = Host::new(Shelf::new(b"content"));
    let url = host.mint(OPERATION).await;
    for (forged, code) in [
        (format!("{BASE}/scan/7"), "missing-signature"),
        (url.replace("/scan/", "/other/"), "invalid-signature"),
        (url.replace("Id=test", "Id=unknown"), "invalid-signature"),
    ] {
        let message = host.get(&forged, &[]).await;
        message.assert("refusal", &[("code", code), ("status", "403")]);
    }
}

#[tokio::test]
async fn a_genuine_url_that_no_longer_holds_is_told_with_what_it_was_for() {
    let host = Host::new(Shelf::new(b"content"));
    let url = host.mint(OPERATION).await;
    let refused = |message: Message, code, status| {
        message.assert(
            "refusal",
            &[
                ("id", "scan"),
                ("version", "7"),
                ("access", "read"),
                ("key_id", "test"),
                ("code", code),
                ("status", status),
            ],
        );
    };
    let message = host.get(&url, &[("x-revoked", "1")]).await;
    refused(message, "forbidden", "403");
    refused(host.put(&url, &[], "").await, "method-not-allowed", "405");
    let message = host.get(&url, &[("range", "bytes=7-")]).await;
    refused(message, "range-not-satisfiable", "416");

    let late = Host {
        layer: host.layer.clone().clock(|| at(NOW + 3600)),
        ..host
    };
    refused(late.get(&url, &[]).await, "expired", "403");
}

#[tokio::test]
async fn the_operator_learns_why_the_policy_cannot_decide_and_the_client_does_not() {
    let policy = |_: MintRequest| ready(Err(Denial::unavailable("ldap-2 does not answer")));
    let host = Host::with(PresignLayer::new(signer(), scan("image/png"), policy));
    let request = request(Method::GET, OPERATION, &[], Body::empty());
    let (message, answer) = host.tell(request).await;
    message.assert_at(
        Level::WARN,
        "refusal",
        &[
            ("id", "scan"),
            ("access", "read"),
            ("code", "unavailable"),
            ("status", "503"),
            ("error", "ldap-2 does not answer"),
        ],
    );
    assert!(!answer.json().to_string().contains("ldap-2"));
}

// The repository

type Fields = &'static [(&'static str, &'static str)];

#[tokio::test]
async fn the_operator_learns_why_the_repository_fails_and_the_client_does_not() {
    let url = {
        let host = Host::new(Shelf::new(b"content"));
        host.mint(OPERATION).await
    };
    let cases: [(Failure, Level, Fields); 3] = [
        (
            || RepositoryError::internal("disk 3 is gone"),
            Level::ERROR,
            &[
                ("code", "internal"),
                ("status", "500"),
                ("error", "disk 3 is gone"),
            ],
        ),
        (
            || RepositoryError::unavailable("db-1 does not answer"),
            Level::WARN,
            &[
                ("code", "unavailable"),
                ("status", "503"),
                ("error", "db-1 does not answer"),
            ],
        ),
        (
            || RepositoryError::StorageFull,
            Level::WARN,
            &[("code", "storage-full"), ("status", "507")],
        ),
    ];
    for (failure, level, of_case) in cases {
        let host = Host::new(Failing(failure));
        let get = |url: &str| request(Method::GET, url, &[], Body::empty());

        let (message, answer) = host.tell(get(OPERATION)).await;
        let asked: &[_] = &[("id", "scan"), ("access", "read")];
        message.assert_at(level, "refusal", &[asked, of_case].concat());
        assert!(!answer.json().to_string().contains("disk 3"));
        assert!(!answer.json().to_string().contains("db-1"));

        let (message, answer) = host.tell(get(&url)).await;
        let granted: &[_] = &[("version", "7"), ("key_id", "test")];
        message.assert_at(level, "refusal", &[asked, granted, of_case].concat());
        assert!(!answer.json().to_string().contains("disk 3"));
        assert!(!answer.json().to_string().contains("db-1"));
    }
}
