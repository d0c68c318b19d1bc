//! The URL of an upload opens that upload, and nothing else.

use http::Method;
use tower_presign::url::{Permission, ResumeTerms};
use tower_presign::{BinaryKey, VersionId};

use super::*;

#[tokio::test]
async fn it_has_the_claims_of_its_write_url_and_its_own() {
    let (layer, write) = in_memory().await;
    let url = begin_tus(&layer, &write, CONTENT.len()).await;
    let (write, resume) = (grant(&write), grant(&url));
    assert_eq!(resume.key, write.key);
    assert_eq!(resume.id, write.id);
    let Permission::Resume(terms) = &resume.permission else {
        panic!("{resume:?}");
    };
    assert_eq!(Permission::Write(terms.write.clone()), write.permission);
    assert!(
        url.contains("&Method=PATCH&") && url.contains("&Resume="),
        "{url}"
    );
}

#[tokio::test]
async fn it_neither_reads_nor_writes_at_once() {
    let (layer, write) = in_memory().await;
    let url = begin_tus(&layer, &write, CONTENT.len()).await;
    put(&layer, &url, CONTENT)
        .await
        .assert_refused(405, "method-not-allowed");
    send(
        &layer,
        Method::POST,
        &url,
        &[TUS, ("upload-length", "17")],
        "",
    )
    .await
    .assert_refused(405, "method-not-allowed");
    append_tus(&layer, &write, 0, CONTENT)
        .await
        .assert_refused(405, "method-not-allowed");
    assert_eq!(stored(&layer).await, None);
}

#[tokio::test]
async fn it_opens_no_other_upload() {
    let (layer, write) = in_memory().await;
    let (one, other) = (
        begin_tus(&layer, &write, CONTENT.len()).await,
        begin_tus(&layer, &write, CONTENT.len()).await,
    );
    let id = |url: &str| match grant(url).permission {
        Permission::Resume(terms) => terms.upload.to_string(),
        permission => panic!("{permission:?}"),
    };
    let swapped = one.replace(&id(&one), &id(&other));
    append_tus(&layer, &swapped, 0, CONTENT)
        .await
        .assert_refused(403, "invalid-signature");
    assert_eq!(offset(&layer, &other).await, "0");
}

/// Whoever holds the keys could sign such a URL; it still finds nothing that is not its own.
#[tokio::test]
async fn an_upload_that_was_never_begun_is_not_there() {
    let (layer, write) = in_memory().await;
    let mut grant = grant(&begin_tus(&layer, &write, CONTENT.len()).await);
    let Permission::Resume(terms) = &grant.permission else {
        panic!("{grant:?}");
    };
    let upload = "0123456789abcdef0123456789abcdef".parse().unwrap();
    grant.permission = ResumeTerms::new(upload, terms.write.clone()).into();
    let url: String = signer().sign(&grant).into();
    append_tus(&layer, &url, 0, CONTENT)
        .await
        .assert_refused(404, "not-found");
}

#[tokio::test]
async fn it_is_of_no_use_for_another_version() {
    let (layer, write) = in_memory().await;
    let url = begin_tus(&layer, &write, CONTENT.len()).await;
    let mut grant = grant(&url);
    grant.key = BinaryKey::new(id("scan"), VersionId::from(2));
    let url: String = signer().sign(&grant).into();
    let last = append_tus(&layer, &url, 0, CONTENT).await;
    last.assert_refused(404, "not-found");
    assert_eq!(stored(&layer).await, None);
}

#[tokio::test]
async fn it_is_used_up_with_the_upload() {
    let (layer, write) = in_memory().await;
    let url = begin_tus(&layer, &write, CONTENT.len()).await;
    assert_eq!(append_tus(&layer, &url, 0, CONTENT).await.status, 204);
    append_tus(&layer, &url, CONTENT.len(), "more")
        .await
        .assert_refused(413, "too-large");
    append_tus(&layer, &url, 0, "other bytes here!")
        .await
        .assert_refused(409, "offset-mismatch");
    assert_eq!(stored(&layer).await.as_deref(), Some(CONTENT));
}

#[tokio::test]
async fn the_policy_is_asked_at_the_beginning_and_at_each_part() {
    let asked = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let layer = tower_presign::PresignLayer::new(
        signer(),
        scan("image/png"),
        Counting(std::sync::Arc::clone(&asked)),
    )
    .clock(|| at(NOW))
    .resumable_uploads(true);
    let write = mint_upload(&layer, "scan").await;
    let url = begin_tus(&layer, &write, CONTENT.len()).await;
    append_tus(&layer, &url, 0, &CONTENT[..9]).await;
    assert_eq!(asked.load(std::sync::atomic::Ordering::Relaxed), 2);
    append_tus(&layer, &url, 9, &CONTENT[9..])
        .await
        .assert_refused(403, "forbidden");
    assert_eq!(stored(&layer).await, None, "the third use is revoked");
}

/// A policy that revokes after two uses.
struct Counting(std::sync::Arc<std::sync::atomic::AtomicUsize>);

impl tower_presign::AccessPolicy for Counting {
    async fn mint(
        &self,
        _: tower_presign::MintRequest,
    ) -> Result<tower_presign::Terms, tower_presign::Denial> {
        Ok(tower_presign::Terms::new())
    }

    async fn redeem(
        &self,
        _: tower_presign::RedeemRequest<'_>,
    ) -> Result<(), tower_presign::Denial> {
        let before = self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        (before < 2)
            .then_some(())
            .ok_or(tower_presign::Denial::forbidden())
    }
}
