//! Uploads and downloads as the three kinds of gateways hand them on.

use http_body_util::BodyExt as _;
use lambda_http::request::from_str;
use serde_json::{Map, Value, json};
use tower::ServiceExt as _;
use tower_presign::{Access, AllowAll, BinaryId, ContentType, MemoryRepository, Target};

use super::*;

const HOST: &str = "health.example.com";

/// A request as its gateway makes an event of it.
type Gateway = fn(method: &str, path: &str, query: &str, body: &str) -> Value;

/// The parameters in the order of a map.
fn map(query: &str, value: impl Fn(&str) -> Value) -> Map<String, Value> {
    let parameters = query
        .split('&')
        .map(|parameter| parameter.split_once('=').unwrap());
    let mut parameters: Vec<_> = parameters.collect();
    parameters.sort_by_key(|(name, _)| (name.len(), *name));
    parameters
        .into_iter()
        .map(|(name, text)| (name.to_owned(), value(text)))
        .collect()
}

fn rest_api(method: &str, path: &str, query: &str, body: &str) -> Value {
    json!({
        "resource": "/{proxy+}", "path": path, "httpMethod": method,
        "headers": { "Host": HOST, "Content-Type": "image/png" },
        "multiValueHeaders": { "Host": [HOST], "Content-Type": ["image/png"] },
        "queryStringParameters": map(query, |text| json!(text)),
        "multiValueQueryStringParameters": map(query, |text| json!([text])),
        "pathParameters": {}, "stageVariables": {},
        "requestContext": {
            "accountId": "1", "apiId": "a", "resourceId": "r", "requestId": "q", "stage": "$default",
            "identity": {}, "resourcePath": "/{proxy+}", "httpMethod": method,
        },
        "body": body, "isBase64Encoded": false,
    })
}

fn http_api(method: &str, path: &str, query: &str, body: &str) -> Value {
    json!({
        "version": "2.0", "routeKey": "$default", "rawPath": path, "rawQueryString": query,
        "headers": { "host": HOST, "content-type": "image/png" },
        "queryStringParameters": map(query, |text| json!(text)),
        "requestContext": {
            "accountId": "1", "apiId": "a", "domainName": HOST, "domainPrefix": "health",
            "requestId": "q", "routeKey": "$default", "stage": "$default", "time": "", "timeEpoch": 0,
            "http": {
                "method": method, "path": path, "protocol": "HTTP/1.1", "sourceIp": "192.0.2.1",
                "userAgent": "curl",
            },
        },
        "body": body, "isBase64Encoded": false,
    })
}

fn load_balancer(method: &str, path: &str, query: &str, body: &str) -> Value {
    json!({
        "requestContext": { "elb": { "targetGroupArn": "arn:aws:elasticloadbalancing:a" } },
        "httpMethod": method, "path": path,
        "queryStringParameters": map(query, |text| json!(text)),
        "headers": { "host": HOST, "content-type": "image/png" },
        "body": body, "isBase64Encoded": false,
    })
}

async fn send(layer: &PresignLayer, event: &Value) -> (StatusCode, String) {
    let request = from_str(&event.to_string()).unwrap();
    let response = layer
        .layer(service_fn(routes))
        .oneshot(request)
        .await
        .unwrap();
    let (parts, body) = response.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    (parts.status, String::from_utf8(body.into()).unwrap())
}

fn layer(storage_url: &str) -> (PresignLayer, BinaryId) {
    let (repository, id) = (MemoryRepository::new(), BinaryId::random());
    repository
        .create(id, ContentType::new("image/png").unwrap())
        .unwrap();
    let key = SigningKey::new("test", b"thirty-two bytes of test secret!").unwrap();
    let signer = UrlSigner::new(key, storage_url).unwrap();
    (PresignLayer::new(signer, repository, AllowAll), id)
}

/// Path and query of a URL.
async fn mint(layer: &PresignLayer, target: Target, terms: Terms) -> (String, String) {
    let url = layer.presigner().presign(target, terms).await.unwrap();
    let origin = format!("https://{HOST}");
    let target = url.as_str().strip_prefix(&origin).unwrap();
    let (path, query) = target.split_once('?').unwrap();
    (path.to_owned(), query.to_owned())
}

async fn upload_and_download(gateway: Gateway) {
    let (layer, id) = layer(&format!("https://{HOST}/storage"));
    let layer = settings(layer).unwrap();
    // Each write URL has five parameters and a signature, and every order of them may come.
    for (method, access, body, expected) in [
        ("PUT", Access::Write, "content", ""),
        ("GET", Access::Read, "", "content"),
    ] {
        let terms = Terms::new().context("tenant");
        let (path, query) = mint(&layer, Target::new(id, access), terms).await;
        let answer = send(&layer, &gateway(method, &path, &query, body)).await;
        assert_eq!(answer, (StatusCode::OK, expected.to_owned()));
    }
}

#[tokio::test]
async fn behind_a_rest_api_urls_work_though_their_query_was_a_map() {
    upload_and_download(rest_api).await;
}

#[tokio::test]
async fn behind_an_http_api_urls_work() {
    upload_and_download(http_api).await;
}

#[tokio::test]
async fn behind_a_load_balancer_urls_work_though_their_query_was_a_map() {
    upload_and_download(load_balancer).await;
}

#[tokio::test]
async fn without_the_setting_a_query_in_another_order_is_refused() {
    let (layer, id) = layer(&format!("https://{HOST}/storage"));
    let target = Target::new(id, Access::Write);
    let (path, query) = mint(&layer, target, Terms::new()).await;
    let (status, outcome) = send(&layer, &rest_api("PUT", &path, &query, "content")).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    assert!(outcome.contains("invalid-signature"), "{outcome}");
}
