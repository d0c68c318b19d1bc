//! The operation answers in JSON, and refuses a client that will not take it.

use http::StatusCode;

use crate::support::*;

const OPERATION: &str = "/fhir/R4/Binary/scan/$presigned-url";

async fn accepting(accept: &str) -> Answer {
    get_with(&layer(scan("image/png")), OPERATION, &[("accept", accept)]).await
}

#[track_caller]
fn assert_answered(answer: &Answer, case: &str) {
    assert_eq!(answer.status, StatusCode::OK, "{case}");
    let content_type = answer.header("content-type");
    assert_eq!(content_type, Some("application/fhir+json"), "{case}");
}

#[tokio::test]
async fn whoever_takes_json_among_others_gets_it() {
    for accept in [
        "application/fhir+json",
        "application/fhir+json;fhirVersion=4.0",
        "application/fhir+json; fhirVersion=4.0; charset=UTF-8",
        "application/fhir+json, */*; q=0.1",
        "Application/FHIR+JSON",
        "application/json",
        "application/json, text/plain, */*",
        "application/json+fhir",
        "application/*+json",
        "application/*+json;q=0.5, text/html",
        "application/*",
        "*/*",
        "application/fhir+xml, */*;q=0.1",
        // HAPI FHIR's client
        "application/fhir+xml;q=1.0, application/fhir+json;q=1.0, application/xml+fhir;q=0.9, application/json+fhir;q=0.9",
        // a browser
        "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
        "text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2",
        "application/fhir+json;q=0.001",
        "application/xml;q=0, */*",
    ] {
        assert_answered(&accepting(accept).await, accept);
    }
}

#[tokio::test]
async fn whoever_says_nothing_that_can_be_understood_gets_json() {
    let answer = get(&layer(scan("image/png")), OPERATION).await;
    assert_answered(&answer, "no Accept");
    for accept in ["", "json", ";;", ","] {
        assert_answered(&accepting(accept).await, accept);
    }
}

#[tokio::test]
async fn whoever_excludes_json_is_refused() {
    for accept in [
        "application/fhir+xml",
        "application/xml",
        "application/fhir+xml, application/xml;q=0.9, text/xml",
        "text/html",
        "text/turtle",
        "image/*, application/pdf",
        "application/fhir+ndjson",
        "application/fhir+json;q=0",
        "application/fhir+json; q=0.000",
        "*/*;q=0",
        "application/*;q=0, text/plain",
    ] {
        let answer = accepting(accept).await;
        assert_eq!(answer.status, StatusCode::NOT_ACCEPTABLE, "{accept}");
        answer.assert_refused(406, "not-acceptable");
    }
}

/// RFC 9110 §12.5.1: the most specific range decides, and q=0 means "not acceptable". That JSON has
/// other names matters to those alone who use them.
#[tokio::test]
async fn a_wildcard_is_about_the_type_that_is_sent() {
    for accept in [
        "text/*",
        "application/fhir+json;q=0, */*",
        "*/*, application/fhir+json;q=0",
        "application/fhir+json;q=0, application/*;q=0.5",
    ] {
        let answer = accepting(accept).await;
        answer.assert_refused(406, "not-acceptable");
    }
    for accept in [
        "application/fhir+json, */*;q=0",
        "application/*, */*;q=0",
        "application/fhir+json;q=0.1, application/*;q=0",
    ] {
        assert_answered(&accepting(accept).await, accept);
    }
}

/// RFC 9110 §12.4.2: a weight is `OWS ";" OWS "q=" qvalue`.
#[tokio::test]
async fn white_space_may_stand_around_a_semicolon() {
    for accept in [
        "text/html, */* ; q=0.5",
        "text/html, application/fhir+json ;q=0.5",
        "text/html, application/fhir+json;\tq=0.5",
    ] {
        assert_answered(&accepting(accept).await, accept);
    }
}

#[tokio::test]
async fn accept_may_come_in_several_lines() {
    let layer = layer(scan("image/png"));
    let xml_or_json = [
        ("accept", "application/fhir+xml"),
        ("accept", "application/fhir+json"),
    ];
    let answer = get_with(&layer, OPERATION, &xml_or_json).await;
    assert_answered(&answer, "xml or json");
    let xml_or_html = [("accept", "application/fhir+xml"), ("accept", "text/html")];
    let answer = get_with(&layer, OPERATION, &xml_or_html).await;
    answer.assert_refused(406, "not-acceptable");
}

#[tokio::test]
async fn format_outweighs_accept() {
    let layer = layer(scan("image/png"));
    let get = async |format: &str, accept: &str| {
        let url = format!("{OPERATION}?_format={format}");
        get_with(&layer, &url, &[("accept", accept)]).await
    };
    for format in [
        "json",
        "application/json",
        "application/fhir+json",
        "application/fhir%2Bjson",
        "application/fhir%2Bjson%3BfhirVersion=4.0",
        "application%2Ffhir%2Bjson",
        "text/json",
    ] {
        assert_answered(&get(format, "application/fhir+xml").await, format);
        assert_answered(&get(format, "*/*").await, format);
    }
    for format in [
        "xml",
        "application/fhir+xml",
        "application/fhir%2Bxml",
        "text/xml",
        "ttl",
        "html",
        "text/html",
        "nonsense",
    ] {
        let answer = get(format, "application/fhir+json").await;
        assert_eq!(answer.status, StatusCode::NOT_ACCEPTABLE, "{format}");
        answer.assert_refused(406, "not-acceptable");
    }
}

#[tokio::test]
async fn an_empty_format_leaves_it_to_accept() {
    let layer = layer(scan("image/png"));
    let url = format!("{OPERATION}?_format=");
    assert_answered(&get(&layer, &url).await, "no Accept");
    let answer = get_with(&layer, &url, &[("accept", "text/html")]).await;
    answer.assert_refused(406, "not-acceptable");
}
