//! tus 1.0, as its text has it: <https://tus.io/protocols/resumable-upload>.

use axum::body::Body;
use http::Method;

use super::*;

#[tokio::test]
async fn an_upload_in_parts_is_stored_with_the_last() {
    let (layer, write) = in_memory().await;
    let length = CONTENT.len().to_string();
    let begun = send(
        &layer,
        Method::POST,
        &write,
        &[TUS, ("upload-length", &length)],
        "",
    )
    .await;
    assert_eq!(begun.status, 201, "{begun:?}");
    assert_eq!(begun.header("tus-resumable"), Some("1.0.0"));
    assert_eq!(
        begun.header("upload-expires"),
        Some("Sat, 16 Jan 2027 08:00:00 GMT")
    );
    let url = begun.header("location").unwrap();
    assert!(url.starts_with(BASE), "{url}");

    let part = append_tus(&layer, url, 0, &CONTENT[..9]).await;
    assert_eq!(
        (part.status.as_u16(), part.header("upload-offset")),
        (204, Some("9"))
    );
    assert_eq!(part.header("tus-resumable"), Some("1.0.0"));
    assert!(part.header("upload-expires").is_some());
    assert_eq!(stored(&layer).await, None, "nothing is visible yet");

    let progress = send(&layer, Method::HEAD, url, &[TUS], "").await;
    assert_eq!(progress.status, 200);
    assert_eq!(progress.header("upload-offset"), Some("9"));
    assert_eq!(progress.header("upload-length"), Some(&*length));
    assert_eq!(progress.header("cache-control"), Some("no-store"));

    let last = append_tus(&layer, url, 9, &CONTENT[9..]).await;
    assert_eq!(
        (last.status.as_u16(), last.header("upload-offset")),
        (204, Some(&*length))
    );
    assert_eq!(last.header("etag"), Some("\"1\""), "as PUT has it");
    assert_eq!(last.header("upload-expires"), None, "it is over");
    assert_eq!(stored(&layer).await.as_deref(), Some(CONTENT));
}

#[tokio::test]
async fn a_put_brings_the_whole_content_whatever_protocol_its_client_speaks() {
    let (layer, write) = in_memory().await;
    let stored = put_with(&layer, &write, &[TUS], CONTENT).await;
    assert_eq!(
        (stored.status.as_u16(), stored.header("etag")),
        (200, Some("\"1\""))
    );
}

#[tokio::test]
async fn the_first_part_may_come_with_the_creation() {
    let (layer, write) = in_memory().await;
    let headers = [TUS, TUS_PART, ("upload-length", "17")];
    let begun = send(&layer, Method::POST, &write, &headers, &CONTENT[..9]).await;
    assert_eq!(
        (begun.status.as_u16(), begun.header("upload-offset")),
        (201, Some("9"))
    );
    let url = begun.header("location").unwrap();
    assert_eq!(append_tus(&layer, url, 9, &CONTENT[9..]).await.status, 204);
    assert_eq!(stored(&layer).await.as_deref(), Some(CONTENT));

    let (layer, write) = in_memory().await;
    let begun = send(&layer, Method::POST, &write, &headers, CONTENT).await;
    assert_eq!(
        (begun.status.as_u16(), begun.header("upload-offset")),
        (201, Some("17"))
    );
    assert!(begun.header("location").is_some());
    assert_eq!(stored(&layer).await.as_deref(), Some(CONTENT));
}

#[tokio::test]
async fn the_length_may_be_said_later() {
    let (layer, write) = in_memory().await;
    let headers = [TUS, ("upload-defer-length", "1")];
    let begun = send(&layer, Method::POST, &write, &headers, "").await;
    let url = begun.header("location").unwrap();
    append_tus(&layer, url, 0, &CONTENT[..9]).await;
    let progress = send(&layer, Method::HEAD, url, &[TUS], "").await;
    assert_eq!(progress.header("upload-defer-length"), Some("1"));
    assert_eq!(progress.header("upload-length"), None);

    let headers = [
        TUS,
        TUS_PART,
        ("upload-offset", "9"),
        ("upload-length", "17"),
    ];
    let last = send(&layer, Method::PATCH, url, &headers, &CONTENT[9..]).await;
    assert_eq!(last.status, 204);
    assert_eq!(stored(&layer).await.as_deref(), Some(CONTENT));
}

#[tokio::test]
async fn a_part_that_does_not_begin_at_the_offset_is_a_conflict() {
    let (layer, write) = in_memory().await;
    let url = begin_tus(&layer, &write, CONTENT.len()).await;
    append_tus(&layer, &url, 0, &CONTENT[..9]).await;
    for wrong in [0, 8, 10, 999] {
        let part = append_tus(&layer, &url, wrong, "part").await;
        part.assert_refused(409, "offset-mismatch");
        assert_eq!(part.header("upload-offset"), Some("9"));
    }
    assert_eq!(offset(&layer, &url).await, "9");
}

#[tokio::test]
async fn an_offset_is_one_to_fifteen_digits_and_nothing_else() {
    let (layer, write) = in_memory().await;
    let url = begin_tus(&layer, &write, CONTENT.len()).await;
    for offset in ["", "+0", "-0", "0.0", "0x0", "0, 0", "0000000000000000"] {
        let headers = [TUS, TUS_PART, ("upload-offset", offset)];
        send(&layer, Method::PATCH, &url, &headers, CONTENT)
            .await
            .assert_refused(400, "invalid-parameter");
    }
    let headers = [TUS, TUS_PART, ("upload-offset", "000000000000000")];
    let part = send(&layer, Method::PATCH, &url, &headers, CONTENT).await;
    assert_eq!(part.status, 204, "{part:?}");
}

#[tokio::test]
async fn the_server_says_what_it_can() {
    let (layer, write) = in_memory().await;
    let layer = layer.max_upload(1000);
    let options = send(&layer, Method::OPTIONS, &write, &[], "").await;
    assert_eq!(options.status, 204);
    assert_eq!(options.header("tus-version"), Some("1.0.0"));
    assert_eq!(options.header("tus-max-size"), Some("1000"));
    let extensions = options.header("tus-extension").unwrap();
    let extensions: Vec<_> = extensions.split(',').collect();
    for extension in [
        "creation",
        "creation-with-upload",
        "expiration",
        "checksum",
        "termination",
    ] {
        assert!(extensions.contains(&extension), "{extension}");
    }
    let algorithms = options.header("tus-checksum-algorithm").unwrap();
    assert!(algorithms.split(',').any(|algorithm| algorithm == "sha1"));
    assert_eq!(
        options.header("upload-limit"),
        Some("max-size=1000, max-age=86400")
    );
}

#[tokio::test]
async fn another_version_of_the_protocol_is_refused() {
    let (layer, write) = in_memory().await;
    let headers = [("tus-resumable", "0.2.2"), ("upload-length", "17")];
    let begun = send(&layer, Method::POST, &write, &headers, "").await;
    begun.assert_refused(412, "precondition-failed");
    assert_eq!(begun.header("tus-version"), Some("1.0.0"));
    assert_eq!(begun.header("tus-resumable"), Some("1.0.0"));
}

#[tokio::test]
async fn a_checksum_is_of_its_part_and_a_part_that_has_not_its_own_is_thrown_away() {
    let (layer, write) = in_memory().await;
    let url = begin_tus(&layer, &write, CONTENT.len()).await;
    // sha1 and base64 of the first nine bytes.
    let right = "sha1 UTrv74r4GCZXH/n3gfkZSz3vqTo=";
    let part = |checksum, bytes: &'static str| {
        let headers = [
            TUS,
            TUS_PART,
            ("upload-offset", "0"),
            ("upload-checksum", checksum),
        ];
        call(
            &layer,
            request(Method::PATCH, &url, &headers, Body::from(bytes)),
        )
    };
    let wrong = part(right, "the wrong").await;
    assert_eq!(wrong.status, 460, "{wrong:?}");
    assert_eq!(offset(&layer, &url).await, "0");
    let unknown = part("crc99 AAAA", &CONTENT[..9]).await;
    unknown.assert_refused(400, "invalid-parameter");
    let right = part(right, &CONTENT[..9]).await;
    assert_eq!(right.status, 204, "{right:?}");
    assert_eq!(append_tus(&layer, &url, 9, &CONTENT[9..]).await.status, 204);
    assert_eq!(stored(&layer).await.as_deref(), Some(CONTENT));
}

#[tokio::test]
async fn a_client_that_knows_no_patch_names_it() {
    let (layer, write) = in_memory().await;
    let url = begin_tus(&layer, &write, CONTENT.len()).await;
    let named = |method, offset| {
        let method = ("x-http-method-override", method);
        [TUS, TUS_PART, ("upload-offset", offset), method]
    };
    let part = send(
        &layer,
        Method::POST,
        &url,
        &named("PATCH", "0"),
        &CONTENT[..9],
    )
    .await;
    assert_eq!(part.status, 204, "{part:?}");
    // Only a POST stands for another method, and only in tus.
    let [tus, .., delete] = named("DELETE", "0");
    let progress = send(&layer, Method::GET, &url, &[tus, delete], "").await;
    assert_eq!(progress.header("upload-offset"), Some("9"), "{progress:?}");
    send(&layer, Method::POST, &url, &[delete], "")
        .await
        .assert_refused(405, "method-not-allowed");
    assert_eq!(self::offset(&layer, &url).await, "9");

    let gone = send(&layer, Method::POST, &url, &named("DELETE", "0"), "").await;
    assert_eq!(gone.status, 204, "{gone:?}");
    send(&layer, Method::GET, &url, &[TUS], "")
        .await
        .assert_refused(404, "not-found");
}

#[tokio::test]
async fn a_terminated_upload_is_gone() {
    let (layer, write) = in_memory().await;
    let url = begin_tus(&layer, &write, CONTENT.len()).await;
    append_tus(&layer, &url, 0, &CONTENT[..9]).await;
    let gone = send(&layer, Method::DELETE, &url, &[TUS], "").await;
    assert_eq!(gone.status, 204);
    append_tus(&layer, &url, 9, &CONTENT[9..])
        .await
        .assert_refused(404, "not-found");
    send(&layer, Method::DELETE, &url, &[TUS], "")
        .await
        .assert_refused(404, "not-found");
    // The write URL is not used up.
    assert_eq!(put(&layer, &write, CONTENT).await.status, 200);
}

#[tokio::test]
async fn a_request_that_is_none_of_tus_is_refused_with_a_sentence() {
    let (layer, write) = in_memory().await;
    let create = async |headers: &[(&str, &str)]| {
        let mut all = vec![TUS];
        all.extend_from_slice(headers);
        send(&layer, Method::POST, &write, &all, "").await
    };
    for headers in [
        &[][..],
        &[("upload-length", "-1")],
        &[("upload-length", "seventeen")],
        &[("upload-defer-length", "2")],
        &[("upload-defer-length", "1"), ("upload-length", "17")],
    ] {
        create(headers)
            .await
            .assert_refused(400, "invalid-parameter");
    }
    let url = begin_tus(&layer, &write, CONTENT.len()).await;
    let other_type = [TUS, PNG, ("upload-offset", "0")];
    send(&layer, Method::PATCH, &url, &other_type, "part")
        .await
        .assert_refused(415, "content-type-mismatch");
    send(&layer, Method::PATCH, &url, &[TUS, TUS_PART], "part")
        .await
        .assert_refused(400, "invalid-parameter");
}

#[tokio::test]
async fn an_upload_that_is_to_be_a_part_of_another_is_not_taken_for_the_whole() {
    let (layer, write) = in_memory().await;
    for concatenation in ["partial", "final;/a /b"] {
        let headers = [
            TUS,
            TUS_PART,
            ("upload-length", "9"),
            ("upload-concat", concatenation),
        ];
        send(&layer, Method::POST, &write, &headers, &CONTENT[..9])
            .await
            .assert_refused(400, "invalid-parameter");
    }
    assert_eq!(stored(&layer).await, None);
}

#[tokio::test]
async fn the_type_that_a_client_names_is_the_granted_one() {
    let (layer, write) = in_memory().await;
    let create = async |metadata| {
        let headers = [TUS, ("upload-length", "17"), ("upload-metadata", metadata)];
        send(&layer, Method::POST, &write, &headers, "").await
    };
    // filename, and filetype: image/png
    let right = create("filename c2Nhbi5wbmc=,filetype aW1hZ2UvcG5n").await;
    assert_eq!(right.status, 201);
    assert_eq!(create("filename c2Nhbi5wbmc=").await.status, 201);
    // text/html
    create("filetype dGV4dC9odG1s")
        .await
        .assert_refused(415, "content-type-mismatch");
}
