//! Entries of a batch that call the operation.

use super::*;

async fn answered(request: Value) -> Option<Value> {
    let entry = json!({ "request": request });
    let caller = read("/fhir").into_parts().0;
    cabinet().answer_batch_entry(&caller, &entry).await
}

#[tokio::test]
async fn an_entry_is_answered_as_the_operation_would_be() {
    for (url, version) in [
        ("Binary/face/$presigned-url", 7),
        ("Binary/face/%24presigned-url?upload=false", 7),
        ("Binary/face/_history/3/$presigned-url", 3),
    ] {
        let answer = answered(json!({ "method": "GET", "url": url })).await;
        let parameter = json!([{ "name": "url", "valueUri": url_of("face", version) }]);
        let expected = json!({
            "resource": { "resourceType": "Parameters", "parameter": parameter },
            "response": { "status": "200 OK" },
        });
        assert_eq!(answer, Some(expected), "{url}");
    }
}

#[tokio::test]
async fn each_refusal_has_its_outcome() {
    for (method, id, status, code) in [
        ("GET", "secret", "403 Forbidden", "forbidden"),
        ("GET", "missing", "404 Not Found", "not-found"),
        (
            "DELETE",
            "face",
            "405 Method Not Allowed",
            "method-not-allowed",
        ),
    ] {
        let url = format!("Binary/{id}/$presigned-url");
        let answer = answered(json!({ "method": method, "url": url }))
            .await
            .unwrap();
        let response = &answer["response"];
        assert_eq!(response["status"], status);
        let coding = &response["outcome"]["issue"][0]["details"]["coding"][0];
        assert_eq!(coding["code"], code);
        assert_eq!(answer.get("resource"), None);
    }
}

#[tokio::test]
async fn parameters_may_be_in_the_entry() {
    let upload = json!({ "name": "upload", "valueBoolean": true });
    let entry = json!({
        "request": { "method": "POST", "url": "Binary/face/$presigned-url" },
        "resource": { "resourceType": "Parameters", "parameter": [upload] },
    });
    let caller = request(http::Method::POST, "/fhir", &[("content-length", "9")], "");
    let caller = caller.into_parts().0;
    let answer = cabinet().answer_batch_entry(&caller, &entry).await.unwrap();
    let url = answer["resource"]["parameter"][0]["valueUri"]
        .as_str()
        .unwrap();
    assert_eq!(grant(url).access(), tower_presign::Access::Write);
}

#[tokio::test]
async fn other_entries_are_the_hosts() {
    for request in [
        json!({ "method": "GET", "url": "Binary/face" }),
        json!({ "method": "GET", "url": "Patient/face/$presigned-url" }),
        json!({ "method": "GET", "url": "https://elsewhere.example.com/Binary/face/$presigned-url" }),
        json!({ "method": "GET" }),
        json!({ "url": "Binary/face/$presigned-url" }),
        json!({ "method": 1, "url": 2 }),
        json!(null),
    ] {
        assert_eq!(answered(request.clone()).await, None, "{request}");
    }
}
