//! draft-ietf-httpbis-resumable-upload, interop version 8.

use http::Method;

use super::*;

#[tokio::test]
async fn an_upload_in_parts_is_stored_with_the_last() {
    let (layer, write) = in_memory().await;
    for method in [Method::POST, Method::PUT] {
        let begun = send(&layer, method, &write, &[NOT_LAST, PNG], "").await;
        assert_eq!(begun.status, 201, "{begun:?}");
        assert!(begun.header("location").unwrap().starts_with(BASE));
        assert_eq!(begun.header("upload-complete"), Some("?0"));
        let limit = begun.header("upload-limit").unwrap();
        assert_eq!(limit, "max-size=5368709120, max-age=86400");
    }
    let url = begin_draft(&layer, &write).await;
    let part = append_draft(&layer, &url, 0, NOT_LAST, &CONTENT[..9]).await;
    assert_eq!(
        (part.status.as_u16(), part.header("upload-complete")),
        (204, Some("?0"))
    );
    assert_eq!(stored(&layer).await, None, "nothing is visible yet");

    for method in [Method::HEAD, Method::GET] {
        let progress = send(&layer, method, &url, &[], "").await;
        assert_eq!(progress.status, 200);
        assert_eq!(progress.header("upload-offset"), Some("9"));
        assert_eq!(progress.header("upload-complete"), Some("?0"));
        assert_eq!(progress.header("upload-length"), None, "nobody has said it");
        assert_eq!(progress.header("upload-defer-length"), None, "tus has it");
        assert_eq!(progress.header("cache-control"), Some("no-store"));
        assert!(progress.header("upload-limit").is_some());
    }
    let last = append_draft(&layer, &url, 9, LAST, &CONTENT[9..]).await;
    assert_eq!(
        (last.status.as_u16(), last.header("upload-complete")),
        (200, Some("?1"))
    );
    assert_eq!(last.header("etag"), Some("\"1\""), "as PUT has it");
    assert_eq!(stored(&layer).await.as_deref(), Some(CONTENT));
}

#[tokio::test]
async fn the_end_may_be_said_in_a_request_of_its_own() {
    let (layer, write) = in_memory().await;
    let headers = [NOT_LAST, ("upload-length", "17")];
    let begun = put_with(&layer, &write, &headers, CONTENT).await;
    assert_eq!(
        (begun.status.as_u16(), begun.header("upload-complete")),
        (201, Some("?0"))
    );
    let url = begin_draft(&layer, &write).await;
    append_draft(&layer, &url, 0, NOT_LAST, CONTENT).await;
    assert_eq!(stored(&layer).await, None, "more may come");
    let last = append_draft(&layer, &url, CONTENT.len(), LAST, "").await;
    assert_eq!(
        (last.status.as_u16(), last.header("upload-complete")),
        (200, Some("?1"))
    );
    assert_eq!(stored(&layer).await.as_deref(), Some(CONTENT));
}

#[tokio::test]
async fn the_first_part_may_come_with_the_creation() {
    let (layer, write) = in_memory().await;
    let begun = put_with(&layer, &write, &[NOT_LAST], &CONTENT[..9]).await;
    assert_eq!(
        (begun.status.as_u16(), begun.header("upload-offset")),
        (201, Some("9"))
    );
    let url = begun.header("location").unwrap();
    let last = append_draft(&layer, url, 9, LAST, &CONTENT[9..]).await;
    assert_eq!(last.status, 200);
    assert_eq!(stored(&layer).await.as_deref(), Some(CONTENT));
}

#[tokio::test]
async fn a_part_that_does_not_begin_at_the_offset_is_a_problem_that_sdks_read() {
    let (layer, write) = in_memory().await;
    let url = begin_draft(&layer, &write).await;
    append_draft(&layer, &url, 0, NOT_LAST, &CONTENT[..9]).await;
    let part = append_draft(&layer, &url, 5, LAST, &CONTENT[5..]).await;
    assert_eq!(part.status, 409);
    assert_eq!(part.header("upload-offset"), Some("9"));
    assert_eq!(part.header("upload-complete"), Some("?0"));
    assert_eq!(
        part.header("content-type"),
        Some("application/problem+json")
    );
    let problem = part.json();
    let kind = "https://iana.org/assignments/http-problem-types#mismatching-upload-offset";
    assert_eq!(problem["type"], kind);
    assert_eq!(problem["expected-offset"], 9);
    assert_eq!(problem["provided-offset"], 5);
}

#[tokio::test]
async fn lengths_that_contradict_each_other_are_a_problem() {
    let (layer, write) = in_memory().await;
    let headers = [NOT_LAST, PNG, ("upload-length", "17")];
    let begun = send(&layer, Method::POST, &write, &headers, "").await;
    let url = begun.header("location").unwrap();
    let kind = "https://iana.org/assignments/http-problem-types#inconsistent-upload-length";
    for part in [
        append_draft(&layer, url, 0, LAST, "shorter").await,
        send(
            &layer,
            Method::PATCH,
            url,
            &[
                DRAFT_PART,
                NOT_LAST,
                ("upload-offset", "0"),
                ("upload-length", "18"),
            ],
            "part",
        )
        .await,
    ] {
        assert_eq!(
            (part.status.as_u16(), &part.json()["type"]),
            (400, &kind.into())
        );
    }
    assert_eq!(offset(&layer, url).await, "0");
    let progress = send(&layer, Method::HEAD, url, &[], "").await;
    assert_eq!(progress.header("upload-length"), Some("17"));
}

#[tokio::test]
async fn a_cancelled_upload_is_gone() {
    let (layer, write) = in_memory().await;
    let url = begin_draft(&layer, &write).await;
    assert_eq!(
        send(&layer, Method::DELETE, &url, &[], "").await.status,
        204
    );
    append_draft(&layer, &url, 0, LAST, CONTENT)
        .await
        .assert_refused(404, "not-found");
}

#[tokio::test]
async fn a_refusal_of_the_content_says_that_the_upload_is_over() {
    let (layer, write) = in_memory().await;
    let digest = (
        "repr-digest",
        "sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:",
    );
    let begun = put_with(&layer, &write, &[NOT_LAST, digest], "").await;
    let url = begun.header("location").unwrap();
    let last = append_draft(&layer, url, 0, LAST, CONTENT).await;
    last.assert_refused(400, "digest-mismatch");
    assert_eq!(last.header("upload-complete"), Some("?1"));
    assert_eq!(stored(&layer).await, None);
}
