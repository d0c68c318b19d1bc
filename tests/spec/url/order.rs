//! `accept_reordered_query`: a gateway has taken the query apart and put it together again.

use proptest::prelude::*;
use tower_presign::url::{Expires, VerifyError, WriteTerms};
use tower_presign::{BinaryKey, ContentType, Grant, UrlVerifier, VersionId};

use crate::support::*;

fn write_target() -> String {
    let key = BinaryKey::new(id("scan"), VersionId::from(1)).with_context("tenant");
    let terms = WriteTerms::new(ContentType::new("image/png").unwrap()).with_max_length(1000);
    let grant = Grant::new(key, terms, Expires::at_unix_seconds(NOW + 60));
    let url = String::from(signer().sign(&grant));
    url.strip_prefix(BASE).unwrap().to_owned()
}

fn lenient() -> UrlVerifier {
    let verifier = signer().verifier().clone();
    verifier.with_accept_reordered_query(true)
}

fn parameters(target: &str) -> (&str, Vec<&str>) {
    let (path, query) = target.split_once('?').unwrap();
    (path, query.split('&').collect())
}

proptest! {
    #[test]
    fn any_order_is_verified_if_that_is_wanted_and_none_but_the_signed_one_otherwise(
        order in Just((0..7).collect::<Vec<usize>>()).prop_shuffle(),
    ) {
        let target = write_target();
        let (path, signed) = parameters(&target);
        prop_assert_eq!(signed.len(), order.len());
        let query: Vec<&str> = order.iter().map(|index| signed[*index]).collect();
        let shuffled = format!("{path}?{}", query.join("&"));

        let grant = signer().verifier().verify(&target, at(NOW));
        prop_assert_eq!(&lenient().verify(&shuffled, at(NOW)), &grant);
        let strict = signer().verifier().verify(&shuffled, at(NOW));
        prop_assert_eq!(strict.is_ok(), shuffled == target);
    }
}

#[test]
fn nothing_else_may_change() {
    let target = write_target();
    let (path, signed) = parameters(&target);
    let mut reversed = signed.clone();
    reversed.reverse();
    let query = reversed.join("&");
    for altered in [
        format!(
            "{path}?{}",
            query.replace("Max-Length=1000", "Max-Length=9000")
        ),
        format!("{path}?{query}&Method=PUT"),
        format!("{path}?{query}&"),
        format!("{path}?utm_source=mail&{query}"),
        format!("{path}?{}", reversed[..6].join("&")),
        format!("/other/1?{query}"),
        format!("{path}?{}", query.replace("Method=PUT", "Method=%50UT")),
        format!("{path}?{}", query.to_lowercase()),
        path.to_owned(),
    ] {
        let verified = lenient().verify(&altered, at(NOW));
        assert!(
            matches!(
                verified,
                Err(VerifyError::InvalidSignature | VerifyError::MissingSignature)
            ),
            "{altered}: {verified:?}"
        );
    }
}

#[tokio::test]
async fn a_layer_behind_such_a_gateway_serves_what_its_url_says() {
    let layer = layer(scan("image/png"));
    let write = mint_upload(&layer, "scan").await;
    let (path, mut query) = parameters(&write);
    query.reverse();
    let shuffled = format!("{path}?{}", query.join("&"));
    put(&layer, &shuffled, "content")
        .await
        .assert_refused(403, "invalid-signature");
    let layer = layer.accept_reordered_query(true);
    assert_eq!(put(&layer, &shuffled, "content").await.status, 200);
}
