//! The grants of a write URL hold for an upload in parts as well.

use http::Method;
use tower_presign::{AllowAll, PresignLayer, Terms};

use super::*;

#[tokio::test]
async fn the_type_must_be_the_granted_one() {
    let (layer, write) = in_memory().await;
    let html = [NOT_LAST, ("content-type", "text/html")];
    send(&layer, Method::POST, &write, &html, "")
        .await
        .assert_refused(415, "content-type-mismatch");
}

#[tokio::test]
async fn the_charset_that_only_the_client_knows_is_stored_with_the_content() {
    let (layer, write) = resumable(scan("text/plain")).await;
    let text = [NOT_LAST, ("content-type", "text/plain;charset=UTF-8")];
    let begun = send(&layer, Method::POST, &write, &text, "").await;
    let url = begun.header("location").unwrap();
    append_draft(&layer, url, 0, LAST, CONTENT).await;
    let read = get(&layer, &mint(&layer, "scan").await).await;
    assert_eq!(
        read.header("content-type"),
        Some("text/plain;charset=UTF-8")
    );
}

#[tokio::test]
async fn the_limit_holds_over_all_parts_together() {
    let policy = async |_| Ok(Terms::new().max_length(10));
    let layer = PresignLayer::new(signer(), scan("image/png"), policy)
        .clock(|| at(NOW))
        .resumable_uploads(true);
    let write = mint_upload(&layer, "scan").await;
    let headers = [TUS, ("upload-length", "11")];
    send(&layer, Method::POST, &write, &headers, "")
        .await
        .assert_refused(413, "too-large");
    begin_tus(&layer, &write, 10).await;
    let url = begin_draft(&layer, &write).await;
    append_draft(&layer, &url, 0, NOT_LAST, "six by").await;
    // Known from its head, it costs nothing.
    let part = append_draft(&layer, &url, 6, NOT_LAST, "five.").await;
    part.assert_refused(413, "too-large");
    assert_eq!(
        part.header("upload-limit"),
        Some("max-size=10, max-age=86400")
    );
    assert_eq!(offset(&layer, &url).await, "6");
    assert_eq!(
        append_draft(&layer, &url, 6, LAST, "four").await.status,
        200
    );
}

#[tokio::test]
async fn a_part_beyond_the_length_ends_the_upload() {
    let (layer, write) = in_memory().await;
    let url = begin_tus(&layer, &write, 6).await;
    append_tus(&layer, &url, 6, "")
        .await
        .assert_refused(409, "offset-mismatch");
    // Chunked: nobody knows it before it has come.
    let part = append_tus(&layer, &url, 0, body::chunks(&["six by", "tes and more"])).await;
    part.assert_refused(413, "too-large");
    append_tus(&layer, &url, 0, "six by")
        .await
        .assert_refused(404, "not-found");
    assert_eq!(stored(&layer).await, None);
}

#[tokio::test]
async fn an_upload_without_content_is_refused_as_one_in_one_request_is() {
    let (layer, write) = in_memory().await;
    let empty = [TUS, ("upload-length", "0")];
    send(&layer, Method::POST, &write, &empty, "")
        .await
        .assert_refused(400, "empty-body");
    let url = begin_draft(&layer, &write).await;
    append_draft(&layer, &url, 0, LAST, "")
        .await
        .assert_refused(400, "empty-body");

    let layer = layer.allow_empty_uploads(true);
    let begun = send(&layer, Method::POST, &write, &empty, "").await;
    assert_eq!(
        (begun.status.as_u16(), begun.header("upload-offset")),
        (201, Some("0"))
    );
    assert_eq!(stored(&layer).await.as_deref(), Some(""));
}

#[tokio::test]
async fn a_version_that_has_content_begins_no_upload() {
    let (layer, write) = in_memory().await;
    assert_eq!(put(&layer, &write, CONTENT).await.status, 200);
    let headers = [TUS, ("upload-length", "17")];
    let begun = send(&layer, Method::POST, &write, &headers, "").await;
    begun.assert_refused(412, "already-written");
    assert_eq!(begun.header("etag"), Some("\"1\""));
}

#[tokio::test]
async fn by_its_digest_content_that_is_there_is_known_before_a_byte_of_it_has_come() {
    let (layer, write) = in_memory().await;
    assert_eq!(put(&layer, &write, CONTENT).await.status, 200);
    let begin = async |content| {
        let digest = sha256_header(content);
        let headers = [NOT_LAST, PNG, ("repr-digest", &*digest)];
        send(&layer, Method::POST, &write, &headers, "").await
    };
    let repeated = begin(CONTENT).await;
    assert_eq!(
        (repeated.status.as_u16(), repeated.header("etag")),
        (200, Some("\"1\""))
    );
    let other = begin("the other content").await;
    other.assert_refused(412, "already-written");
}

#[tokio::test]
async fn an_upload_has_a_lifetime_of_its_own() {
    let at_its_end = |layer: PresignLayer, after| layer.clock(move || at(NOW + after));
    let layer = PresignLayer::new(signer(), scan("image/png"), AllowAll)
        .clock(|| at(NOW))
        .resumable_uploads(true)
        .resume_lifetime(std::time::Duration::from_secs(7200));
    let write = mint_upload(&layer, "scan").await;
    let url = begin_tus(&layer, &write, CONTENT.len()).await;
    // The write URL has expired by then.
    let just_in_time = at_its_end(layer.clone(), 7199);
    put(&just_in_time, &write, CONTENT)
        .await
        .assert_refused(403, "expired");
    assert_eq!(
        append_tus(&just_in_time, &url, 0, &CONTENT[..9])
            .await
            .status,
        204
    );
    let too_late = at_its_end(layer, 7200);
    append_tus(&too_late, &url, 9, &CONTENT[9..])
        .await
        .assert_refused(403, "expired");
}

#[tokio::test]
async fn an_upload_that_nobody_goes_on_with_is_removed_when_its_time_is_over() {
    let repository = scan("image/png");
    let (layer, write) = resumable(repository.clone()).await;
    let url = begin_tus(&layer, &write, CONTENT.len()).await;
    append_tus(&layer, &url, 0, &CONTENT[..9]).await;
    let id = grant(&url);
    let tomorrow = layer.clock(|| at(NOW + 24 * 3600));
    let write = mint_upload(&tomorrow, "scan").await;
    begin_tus(&tomorrow, &write, CONTENT.len()).await;
    let upload = match id.permission {
        tower_presign::url::Permission::Resume(terms) => terms.upload,
        _ => panic!("{id:?}"),
    };
    let progress = repository.resumable().unwrap();
    let progress = tower_presign::store::Resumable::progress(progress, &upload).await;
    assert!(progress.is_err(), "{progress:?}");
}

#[tokio::test]
async fn a_write_url_keeps_two_unfinished_uploads_and_no_more() {
    let (layer, write) = in_memory().await;
    let mut urls = Vec::new();
    for _ in 0..3 {
        let url = begin_tus(&layer, &write, CONTENT.len()).await;
        append_tus(&layer, &url, 0, &CONTENT[..9]).await;
        urls.push(url);
    }
    append_tus(&layer, &urls[0], 9, "part")
        .await
        .assert_refused(404, "not-found");
    assert_eq!(offset(&layer, &urls[1]).await, "9");
    assert_eq!(offset(&layer, &urls[2]).await, "9");
}

#[tokio::test]
async fn a_creation_that_brings_the_content_is_repeated_when_its_answer_was_lost() {
    let (layer, write) = in_memory().await;
    let create = async |content: &'static str| {
        let length = content.len().to_string();
        let headers = [TUS, TUS_PART, ("upload-length", &*length)];
        send(&layer, Method::POST, &write, &headers, content).await
    };
    for _ in 0..2 {
        let created = create(CONTENT).await;
        assert_eq!(
            (created.status.as_u16(), created.header("upload-offset")),
            (201, Some("17"))
        );
        assert!(created.header("location").is_some());
    }
    for other in ["the other content", "shorter"] {
        create(other).await.assert_refused(412, "already-written");
    }
    assert_eq!(stored(&layer).await.as_deref(), Some(CONTENT));
}
