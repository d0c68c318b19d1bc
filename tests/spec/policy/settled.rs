//! `AccessPolicy::settled`: the end of each use of a URL, with its code and its bytes.

use std::io;
use std::sync::{Arc, Mutex};

use axum::body::Body;
use futures_util::{StreamExt as _, stream};
use http::Method;
use http_body_util::BodyExt as _;
use tokio::sync::Notify;
use tower_presign::store::RepositoryError;
use tower_presign::{
    Accepting, AccessPolicy, BinaryRepository, Denial, Ending, MintRequest, PresignLayer,
    RedeemRequest, RefusalCode, Settled, Terms,
};

use crate::support::body::broken;
use crate::support::repository::Shelf;
use crate::support::*;

#[derive(Default)]
struct Audit {
    ended: Mutex<Vec<(Ending, u64)>>,
    /// Of each request that ended, if it has stored the content.
    stored: Mutex<Vec<bool>>,
    has_ended: Notify,
    /// Writes the record later, as a database does.
    may_write: Option<Notify>,
}

impl Audit {
    fn ended(&self) -> Vec<(Ending, u64)> {
        std::mem::take(&mut self.ended.lock().unwrap())
    }

    fn stored(&self) -> Vec<bool> {
        std::mem::take(&mut self.stored.lock().unwrap())
    }
}

impl AccessPolicy for Audit {
    async fn mint(&self, _: MintRequest) -> Result<Terms, Denial> {
        Ok(Terms::new())
    }

    async fn redeem(&self, request: RedeemRequest<'_>) -> Result<(), Denial> {
        if request.headers().contains_key("x-revoked") {
            return Err(Denial::forbidden());
        }
        Ok(())
    }

    async fn accept(&self, upload: Accepting<'_>) -> Result<(), Denial> {
        if upload.length() == 5 {
            return Err(Denial::rejected());
        }
        Ok(())
    }

    async fn settled(&self, settled: Settled<'_>) {
        if let Some(may_write) = &self.may_write {
            may_write.notified().await;
        }
        assert_eq!(settled.grant().key.id(), id("scan"));
        assert_eq!(settled.grant().key.place(), None);
        assert!(settled.parts().uri.path().starts_with("/binary/scan/"));
        assert!(!settled.duration().is_zero() && settled.duration() < PATIENCE);
        let end = (settled.ending(), settled.bytes());
        self.ended.lock().unwrap().push(end);
        self.stored.lock().unwrap().push(settled.has_stored());
        self.has_ended.notify_one();
    }
}

fn audited(repository: impl BinaryRepository, audit: &Arc<Audit>) -> PresignLayer {
    PresignLayer::new(signer(), repository, Arc::clone(audit)).clock(|| at(NOW))
}

#[tokio::test]
async fn a_download_ends_with_its_bytes() {
    let audit = Arc::<Audit>::default();
    let layer = audited(Shelf::new(b"content"), &audit);
    let read = mint(&layer, "scan").await;
    assert_eq!(audit.ended(), []);
    for (headers, ending, bytes) in [
        (&[][..], Ending::Complete, 7),
        (&[("range", "bytes=2-4")], Ending::Complete, 3),
        (&[("if-none-match", "\"7\"")], Ending::Complete, 0),
        (
            &[("range", "bytes=9-")],
            Ending::Failed(RefusalCode::RangeNotSatisfiable),
            0,
        ),
        (
            &[("x-revoked", "1")],
            Ending::Failed(RefusalCode::Forbidden),
            0,
        ),
    ] {
        get_with(&layer, &read, headers).await;
        assert_eq!(audit.ended(), [(ending, bytes)], "{headers:?}");
    }
    head_with(&layer, &read, &[]).await;
    assert_eq!(audit.ended(), [(Ending::Complete, 0)]);
}

#[tokio::test]
async fn a_download_that_breaks_ends_with_what_was_sent() {
    let audit = Arc::<Audit>::default();
    let mut shelf = Shelf::new(b"content");
    shelf.stream = Some(|| vec![Ok("cont".into()), Err(RepositoryError::internal("disk"))]);
    let layer = audited(shelf, &audit);
    let read = mint(&layer, "scan").await;
    let response = respond(&layer, request(Method::GET, &read, &[], "")).await;
    assert!(response.into_body().collect().await.is_err());
    let ending = Ending::Failed(RefusalCode::Internal);
    assert_eq!(audit.ended(), [(ending, 4)]);

    // The client leaves.
    let response = respond(&layer, request(Method::GET, &read, &[], "")).await;
    let mut body = response.into_body();
    body.frame().await.unwrap().unwrap();
    drop(body);
    assert_eq!(audit.ended(), [(Ending::Aborted, 4)]);
}

#[tokio::test]
async fn an_upload_ends_with_what_arrived() {
    let audit = Arc::<Audit>::default();
    let layer = audited(scan("image/png"), &audit);
    let write = mint_upload(&layer, "scan").await;
    let reset = io::Error::from(io::ErrorKind::ConnectionReset);
    for (body, ending, bytes) in [
        (
            broken("conte", reset),
            Ending::Failed(RefusalCode::IncompleteBody),
            5,
        ),
        (
            Body::from("virus"),
            Ending::Failed(RefusalCode::Rejected),
            5,
        ),
        (Body::from("content"), Ending::Complete, 7),
        (
            Body::from("again"),
            Ending::Failed(RefusalCode::AlreadyWritten),
            0,
        ),
    ] {
        put(&layer, &write, body).await;
        let ended = audit.ended();
        assert_eq!(ended.len(), 1, "{ending:?}");
        assert_eq!(ended[0].0, ending);
        // Of a refused one it does not matter how much was taken.
        assert!(ending == Ending::Failed(RefusalCode::AlreadyWritten) || ended[0].1 == bytes);
    }
}

#[tokio::test]
async fn one_request_has_stored_the_content_and_no_repeat_of_it() {
    let audit = Arc::<Audit>::default();
    let layer = audited(scan("image/png"), &audit);
    let write = mint_upload(&layer, "scan").await;
    let sha256 = "sha-256=:7XACtDnprIRfIjV9giusFERzD722AW0+yUMil7nsn3M=:";
    for (headers, content, status, has_stored) in [
        (&[][..], "virus", 422, false),
        (&[], "content", 200, true),
        (&[], "content", 200, false),
        (&[("repr-digest", sha256)], "content", 200, false),
        (&[], "another", 412, false),
    ] {
        let answer = put_with(&layer, &write, headers, content).await;
        assert_eq!(answer.status, status, "{content}");
        assert_eq!(audit.stored(), [has_stored], "{content}");
    }
    let read = mint(&layer, "scan").await;
    get(&layer, &read).await;
    assert_eq!(audit.stored(), [false]);
}

#[tokio::test]
async fn of_an_upload_in_parts_the_last_one_has_stored_the_content() {
    let audit = Arc::<Audit>::default();
    let layer = audited(scan("image/png"), &audit).resumable_uploads(true);
    let write = mint_upload(&layer, "scan").await;
    let png = ("content-type", "image/png");
    let headers = [png, ("upload-complete", "?0")];
    let begun = call(&layer, request(Method::POST, &write, &headers, "")).await;
    let upload = begun.header("location").unwrap();
    assert_eq!(audit.stored(), [false]);
    for (offset, is_last, part, has_stored) in [
        ("0", "?0", "cont", false),
        ("4", "?1", "ent", true),
        ("7", "?1", "", false),
    ] {
        let headers = [
            ("content-type", "application/partial-upload"),
            ("upload-offset", offset),
            ("upload-complete", is_last),
        ];
        let answer = call(&layer, request(Method::PATCH, upload, &headers, part)).await;
        assert!(answer.status.is_success(), "{answer:?}");
        assert_eq!(audit.stored(), [has_stored], "{offset}");
    }
}

#[tokio::test]
async fn an_upload_whose_client_leaves_ends_too() {
    let audit = Arc::<Audit>::default();
    let layer = audited(scan("image/png"), &audit);
    let write = mint_upload(&layer, "scan").await;
    let stalled = stream::iter([Ok::<_, io::Error>("cont")]).chain(stream::pending());
    let mut upload = Box::pin(put(&layer, &write, Body::from_stream(stalled)));
    assert!(futures_util::poll!(&mut upload).is_pending());
    drop(upload);
    assert_eq!(audit.ended(), [(Ending::Aborted, 4)]);
}

#[tokio::test]
async fn a_record_that_takes_its_time_is_written_though_the_client_has_gone() {
    let audit = Arc::new(Audit {
        may_write: Some(Notify::new()),
        ..Audit::default()
    });
    let layer = audited(Shelf::new(b"content"), &audit);
    let read = mint(&layer, "scan").await;
    // The answer does not wait.
    assert_eq!(get(&layer, &read).await.text(), "content");
    drop(layer);
    audit.may_write.as_ref().unwrap().notify_one();
    soon(audit.has_ended.notified()).await;
    assert_eq!(audit.ended(), [(Ending::Complete, 7)]);
}

#[tokio::test]
async fn a_request_that_was_no_use_of_a_genuine_url_does_not_end_one() {
    let audit = Arc::<Audit>::default();
    let layer = audited(Shelf::new(b"content"), &audit);
    let read = mint(&layer, "scan").await;
    get(&layer, &read.replace("/scan/", "/other/")).await;
    get(&layer, "/binary/scan/1").await;
    put(&layer, &read, "content").await;
    get(&layer.clone().clock(|| at(NOW + 3600)), &read).await;
    assert_eq!(audit.ended(), []);
}

#[test]
fn an_end_has_the_code_of_the_events() {
    let codes = [
        Ending::Complete,
        Ending::Aborted,
        Ending::Failed(RefusalCode::NotFound),
    ];
    assert_eq!(codes.map(Ending::as_str), ["ok", "aborted", "not-found"]);
}
