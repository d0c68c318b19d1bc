//! `mint`: a URL has been given.

use axum::body::Body;
use http::Method;
use tower_presign::Target;
use tower_presign::store::RepositoryError;
use tower_presign::{Access, Keyring, SigningKey, Terms};
use tracing::Level;

use super::{Host, OPERATION};
use crate::support::repository::{Failing, Shelf};
use crate::support::{id, layer, request, scan, signer};

#[tokio::test]
async fn a_read_url_is_told_with_the_version_that_it_points_to() {
    let host = Host::new(Shelf::new(b"content"));
    let message = host.get(OPERATION, &[]).await;
    message.assert(
        "mint",
        &[
            ("id", "scan"),
            ("version", "7"),
            ("access", "read"),
            ("key_id", "test"),
            ("code", "ok"),
            ("status", "200"),
        ],
    );
    assert!(message.is_in_span);
}

#[tokio::test]
async fn a_write_url_is_told_too_however_it_was_asked_for() {
    let host = Host::new(scan("image/png"));
    let body =
        r#"{"resourceType":"Parameters","parameter":[{"name":"upload","valueBoolean":true}]}"#;
    let by_get = format!("{OPERATION}?upload=true");
    for request in [
        request(Method::GET, &by_get, &[], Body::empty()),
        request(Method::HEAD, &by_get, &[], Body::empty()),
        request(Method::POST, OPERATION, &[], body),
    ] {
        let (message, _) = host.tell(request).await;
        message.assert(
            "mint",
            &[
                ("id", "scan"),
                ("version", "1"),
                ("access", "write"),
                ("key_id", "test"),
                ("code", "ok"),
                ("status", "200"),
            ],
        );
    }
}

#[tokio::test]
async fn the_key_id_is_that_of_the_url() {
    let signer = signer();
    let layer = tower_presign::PresignLayer::new(signer.clone(), scan("image/png"), super::Doctors);
    let host = Host::with(layer);
    let new = SigningKey::new("new", "another secret of more than 32 bytes").unwrap();
    signer.set_keyring(Keyring::new(new));
    let message = host.get(OPERATION, &[]).await;
    assert_eq!(message.fields["key_id"], "new");
}

#[tokio::test]
async fn a_url_minted_without_http_is_told_without_a_status() {
    let host = Host::with(layer(scan("image/png")));
    let presigned = host
        .layer
        .presigner()
        .presign(Target::new(id("scan"), Access::Write), Terms::new())
        .await;
    presigned.unwrap();
    host.told().assert(
        "mint",
        &[
            ("id", "scan"),
            ("version", "1"),
            ("access", "write"),
            ("key_id", "test"),
            ("code", "ok"),
        ],
    );
}

#[tokio::test]
async fn a_failure_to_mint_without_http_is_told_as_a_refusal() {
    let failing = Failing(|| RepositoryError::unavailable("db-1 does not answer"));
    let host = Host::with(layer(failing));
    let presigned = host
        .layer
        .presigner()
        .presign(Target::new(id("scan"), Access::Read), Terms::new())
        .await;
    presigned.unwrap_err();
    host.told().assert_at(
        Level::WARN,
        "refusal",
        &[
            ("id", "scan"),
            ("access", "read"),
            ("code", "unavailable"),
            ("error", "db-1 does not answer"),
        ],
    );
}
