//! What a log may hold of a URI.

use http::Uri;
use tower_presign::{PresignLayer, RedactedUri, Terms};

use crate::support::*;

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
async fn however_a_client_mangles_a_url_its_signature_is_not_shown() {
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
        assert!(!shown.contains(signature), "{mangled} is shown as {shown}");
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
