//! Texts that a log may hold: URIs without their secrets, and the `Debug` forms of all that
//! has any.

use std::sync::{Arc, Mutex};

use http::Uri;
use tower::Layer as _;
use tower_presign::url::{Expires, ReadTerms};
use tower_presign::{
    AccessPolicy, AllowAll, BinaryKey, Denial, Grant, Keyring, MintRequest, PresignLayer,
    RedactedUri, RedeemRequest, SigningKey, Terms, UrlSigner, VersionId,
};

use crate::support::*;

// URIs

fn redacted(uri: &str) -> String {
    let uri: Uri = uri.parse().unwrap();
    let shown = RedactedUri::new(&uri).to_string();
    assert_eq!(shown, format!("{:?}", RedactedUri::new(&uri)));
    shown
}

/// A URL that reads `scan`, with all the claims that a read URL can have.
async fn url() -> String {
    let policy = async |_| {
        let terms = Terms::new().filename("Erika Mustermann.png");
        Ok(terms.attachment().context("ward-7"))
    };
    let layer = PresignLayer::new(signer(), scan("image/png"), policy).clock(|| at(NOW));
    mint(&layer, "scan").await
}

#[tokio::test]
async fn of_a_presigned_url_it_shows_what_grants_nothing_and_names_nobody() {
    assert_eq!(
        redacted(&url().await),
        "/binary/scan/1?Context=***&Disposition=attachment&Expires=1800003600&Filename=***\
         &Key-Pair-Id=test&Signature=***"
    );
    let layer = layer(scan("image/png"));
    assert_eq!(
        redacted(&mint_upload(&layer, "scan").await),
        "/binary/scan/1?Content-Type=***&Expires=1800003600&Key-Pair-Id=test\
         &Max-Length=5368709120&Method=PUT&Signature=***"
    );
}

#[tokio::test]
async fn however_a_client_mangles_a_url_its_secrets_are_not_shown() {
    let url = url().await;
    let (_, signature) = url.split_once("&Signature=").unwrap();
    let (path, query) = url.split_once('?').unwrap();
    for mangled in [
        url.replace("&Signature=", ";Signature="),
        url.replace("&Signature=", "%26Signature%3D"),
        url.replace("&Signature=", "&Signature%3D"),
        url.replace("&Signature=", "&signature="),
        url.replace("&Signature=", "&"),
        url.replace("&Signature=", "?"),
        url.replace("&Signature=", "&a=b=c="),
        format!("{path}%3F{}", query.replace('=', "%3D")),
        format!("{path}%3F{query}"),
        format!("{path};{query}"),
        format!("{url}&Expires={url}"),
    ] {
        let shown = redacted(&mangled);
        for secret in [signature, "RXJpa2EgTXVzdGVybWFubi5wbmc", "d2FyZC03"] {
            assert!(!shown.contains(secret), "{mangled} is shown as {shown}");
        }
    }
}

#[test]
fn other_routes_queries_are_not_shown_but_for_the_parameters_names() {
    for (uri, shown) in [
        ("/fhir/R4/Patient", "/fhir/R4/Patient"),
        (
            "/fhir/R4/Patient?name=Mustermann&_count=10",
            "/fhir/R4/Patient?name=***&_count=***",
        ),
        ("/search?Mustermann", "/search?***"),
        ("/search?Erika%20Mustermann=1", "/search?***"),
        (
            "/fhir/R4/Binary/scan/$presigned-url?upload=true",
            "/fhir/R4/Binary/scan/$presigned-url?upload=true",
        ),
        ("https://user:password@example.com/a?b=c", "/a?b=***"),
        ("/a?", "/a?***"),
        ("*", "*"),
    ] {
        assert_eq!(redacted(uri), shown);
    }
}

// Debug forms

#[test]
fn debug_shows_ids_and_no_secret() {
    let shown = |secret: String| {
        let key = |id| SigningKey::new(id, &secret).unwrap();
        let ring = Keyring::new(key("a")).with_verify_only(key("b")).unwrap();
        let signer = UrlSigner::new(ring.clone(), BASE).unwrap();
        let layer = PresignLayer::new(signer.clone(), scan("image/png"), AllowAll);
        let service = layer.layer(());
        let debug = [
            format!("{:?}", key("a")),
            format!("{ring:?}"),
            format!("{signer:?}"),
            format!("{layer:?}"),
            format!("{service:?}"),
        ];
        assert!(!debug.concat().contains(&secret));
        debug
    };
    let debug = shown(SECRET.to_owned());
    assert!(debug[0].contains("\"a\""), "{}", debug[0]);
    assert!(debug[1].contains("\"b\""), "{}", debug[1]);
    assert!(debug[2].contains(BASE), "{}", debug[2]);
    // Nor anything that depends on it.
    assert_eq!(debug, shown(format!("another {SECRET}")));
}

#[test]
fn debug_shows_where_a_url_points_and_no_claim_or_signature() {
    let key = BinaryKey::new(id("scan"), VersionId::from(1));
    let expires = Expires::at_unix_seconds(NOW);
    let url = signer().sign(&Grant::new(key, ReadTerms::new(), expires));
    let debug = format!("{url:?}");
    assert!(debug.contains(&format!("{BASE}/scan/1?")), "{debug}");
    let (_, signature) = url.as_str().rsplit_once('=').unwrap();
    for hidden in [signature, "Signature", "Key-Pair-Id", "Expires="] {
        assert!(!debug.contains(hidden), "{debug}");
    }
}

/// Tracing prints a policy's arguments in this form.
#[tokio::test]
async fn debug_of_what_a_policy_is_asked_shows_neither_credentials_nor_signatures() {
    struct Printing(Arc<Mutex<Vec<String>>>);
    impl AccessPolicy for Printing {
        async fn mint(&self, request: MintRequest) -> Result<Terms, Denial> {
            self.0.lock().unwrap().push(format!("{request:?}"));
            Ok(Terms::new())
        }

        async fn redeem(&self, request: RedeemRequest<'_>) -> Result<(), Denial> {
            self.0.lock().unwrap().push(format!("{request:?}"));
            Ok(())
        }
    }
    let printed = Arc::default();
    let policy = Printing(Arc::clone(&printed));
    let layer = PresignLayer::new(signer(), scan("image/png"), policy);
    let layer = layer.clock(|| at(NOW));
    let token = [("authorization", "Bearer doctor")];
    let answer = get_with(&layer, "/Binary/scan/$presigned-url", &token).await;
    get_with(&layer, &answer.url(), &token).await;

    let printed = printed.lock().unwrap();
    assert_eq!(printed.len(), 2);
    for debug in printed.iter() {
        assert!(debug.contains("scan"), "{debug}");
        for hidden in ["doctor", "uthorization", "Signature", "Key-Pair-Id"] {
            assert!(!debug.contains(hidden), "{debug}");
        }
    }
}
