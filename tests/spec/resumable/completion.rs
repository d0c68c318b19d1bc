//! The end of an upload in parts: the one moment at which it becomes visible.

use bytes::Bytes;
use futures_util::stream;
use http::Method;
use tower_presign::store::Upload;
use tower_presign::{
    Accepting, AccessPolicy, Denial, MemoryRepository, MintRequest, PresignLayer, Terms,
};

use super::*;

#[tokio::test]
async fn a_last_part_whose_answer_was_lost_may_be_repeated() {
    let (layer, write) = in_memory().await;
    let url = begin_draft(&layer, &write).await;
    append_draft(&layer, &url, 0, LAST, CONTENT).await;
    let progress = send(&layer, Method::HEAD, &url, &[], "").await;
    assert_eq!(progress.header("upload-offset"), Some("17"));
    assert_eq!(progress.header("upload-complete"), Some("?1"));
    let again = append_draft(&layer, &url, CONTENT.len(), LAST, "").await;
    assert_eq!(
        (again.status.as_u16(), again.header("etag")),
        (200, Some("\"1\""))
    );

    let tus = send(&layer, Method::HEAD, &url, &[TUS], "").await;
    assert_eq!(tus.header("upload-offset"), Some("17"));
    assert_eq!(tus.header("upload-length"), Some("17"));
}

#[tokio::test]
async fn of_two_uploads_one_wins() {
    let (layer, write) = in_memory().await;
    let (one, other) = (
        begin_tus(&layer, &write, CONTENT.len()).await,
        begin_tus(&layer, &write, CONTENT.len()).await,
    );
    assert_eq!(append_tus(&layer, &one, 0, CONTENT).await.status, 204);
    let loser = append_tus(&layer, &other, 0, "the other content").await;
    loser.assert_refused(412, "already-written");
    assert_eq!(loser.header("etag"), Some("\"1\""));
    assert_eq!(stored(&layer).await.as_deref(), Some(CONTENT));
    send(&layer, Method::GET, &other, &[TUS], "")
        .await
        .assert_refused(404, "not-found");
}

#[tokio::test]
async fn two_uploads_of_the_same_bytes_are_no_failure() {
    let (layer, write) = in_memory().await;
    let (one, other) = (
        begin_tus(&layer, &write, CONTENT.len()).await,
        begin_tus(&layer, &write, CONTENT.len()).await,
    );
    assert_eq!(append_tus(&layer, &one, 0, CONTENT).await.status, 204);
    assert_eq!(append_tus(&layer, &other, 0, CONTENT).await.status, 204);
}

/// While it is asked about an upload, another one of this content becomes the version.
struct Overtaking(MemoryRepository, &'static str);

impl AccessPolicy for Overtaking {
    async fn mint(&self, _: MintRequest) -> Result<Terms, Denial> {
        Ok(Terms::new())
    }

    async fn accept(&self, upload: Accepting<'_>) -> Result<(), Denial> {
        let content = stream::iter([Ok(Bytes::from_static(self.1.as_bytes()))]);
        let faster = Upload::new(ContentType::new("image/png").unwrap(), content);
        self.0.write(&upload.grant().key, faster).await.unwrap();
        Ok(())
    }
}

#[tokio::test]
async fn an_upload_that_is_overtaken_at_its_end_is_no_failure_if_its_bytes_are_the_same() {
    for (other, is_same) in [(CONTENT, true), ("the other content", false)] {
        let repository = scan("image/png");
        let policy = Overtaking(repository.clone(), other);
        let layer = PresignLayer::new(signer(), repository, policy)
            .clock(|| at(NOW))
            .resumable_uploads(true);
        let write = mint_upload(&layer, "scan").await;
        let url = begin_tus(&layer, &write, CONTENT.len()).await;
        let last = append_tus(&layer, &url, 0, CONTENT).await;
        if is_same {
            assert_eq!(last.status, 204, "{last:?}");
        } else {
            last.assert_refused(412, "already-written");
        }
        assert_eq!(stored(&layer).await.as_deref(), Some(other));
    }
}

#[tokio::test]
async fn a_digest_of_the_whole_is_held_to_over_all_parts() {
    let wrong = &*sha256_header("another content");
    let right = sha256_header(CONTENT);
    for (digest, status) in [(&*right, 200), (wrong, 400)] {
        let (layer, write) = in_memory().await;
        let headers = [NOT_LAST, PNG, ("repr-digest", digest)];
        let begun = send(&layer, Method::POST, &write, &headers, "").await;
        let url = begun.header("location").unwrap();
        append_draft(&layer, url, 0, NOT_LAST, &CONTENT[..9]).await;
        let last = append_draft(&layer, url, 9, LAST, &CONTENT[9..]).await;
        assert_eq!(last.status, status, "{last:?}");
        assert_eq!(stored(&layer).await.is_some(), status == 200);
    }
}

/// A policy that does not want what is stored, and knows its SHA-256 and its length.
struct Picky;

impl AccessPolicy for Picky {
    async fn mint(&self, _: MintRequest) -> Result<Terms, Denial> {
        Ok(Terms::new())
    }

    async fn accept(&self, upload: Accepting<'_>) -> Result<(), Denial> {
        use sha2::Digest as _;
        assert_eq!(upload.length(), CONTENT.len() as u64);
        assert_eq!(upload.sha256()[..], sha2::Sha256::digest(CONTENT)[..]);
        Err(Denial::rejected())
    }
}

#[tokio::test]
async fn the_policy_has_the_last_word() {
    let layer = PresignLayer::new(signer(), scan("image/png"), Picky)
        .clock(|| at(NOW))
        .resumable_uploads(true);
    let write = mint_upload(&layer, "scan").await;
    let url = begin_tus(&layer, &write, CONTENT.len()).await;
    append_tus(&layer, &url, 0, &CONTENT[..9]).await;
    append_tus(&layer, &url, 9, &CONTENT[9..])
        .await
        .assert_refused(422, "rejected");
    assert_eq!(stored(&layer).await, None);
    send(&layer, Method::GET, &url, &[TUS], "")
        .await
        .assert_refused(404, "not-found");
}
