//! A response, and what every refusal must look like.

use bytes::Bytes;
use http::header::{AsHeaderName, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE};
use http::header::{HeaderName, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderMap, Response, StatusCode};
use http_body_util::BodyExt as _;
use serde_json::Value;

/// Each code of a refusal, its status and its FHIR issue type.
pub const REFUSALS: [(&str, u16, &str); 23] = [
    ("missing-signature", 403, "security"),
    ("invalid-signature", 403, "security"),
    ("expired", 403, "expired"),
    ("lifetime-too-long", 403, "security"),
    ("method-not-allowed", 405, "not-supported"),
    ("login-required", 401, "login"),
    ("forbidden", 403, "forbidden"),
    ("not-found", 404, "not-found"),
    ("deleted", 410, "deleted"),
    ("invalid-parameter", 400, "value"),
    ("not-acceptable", 406, "not-supported"),
    ("precondition-failed", 412, "conflict"),
    ("already-written", 412, "conflict"),
    ("too-large", 413, "too-long"),
    ("content-type-mismatch", 415, "not-supported"),
    ("range-not-satisfiable", 416, "value"),
    ("empty-body", 400, "required"),
    ("incomplete-body", 400, "incomplete"),
    ("upload-timeout", 408, "timeout"),
    ("digest-mismatch", 400, "value"),
    ("storage-full", 507, "no-store"),
    ("unavailable", 503, "transient"),
    ("internal", 500, "exception"),
];

/// A response, its body read to the end.
#[derive(Debug, PartialEq)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Answer {
    pub async fn of<B: http_body::Body>(response: Response<B>) -> Result<Self, B::Error> {
        let (parts, body) = response.into_parts();
        Ok(Self {
            status: parts.status,
            headers: parts.headers,
            body: body.collect().await?.to_bytes(),
        })
    }

    /// The value of a header, which is there once at most.
    #[track_caller]
    pub fn header(&self, name: impl AsHeaderName) -> Option<&str> {
        let mut values = self.headers.get_all(name).iter();
        let value = values.next().map(|value| value.to_str().unwrap());
        assert_eq!(values.next(), None, "a header twice: {self:?}");
        value
    }

    /// All headers, by name.
    pub fn sorted_headers(&self) -> Vec<(&str, &str)> {
        let names = self.headers.keys().map(HeaderName::as_str);
        let mut headers: Vec<_> = names
            .map(|name| (name, self.header(name).unwrap()))
            .collect();
        headers.sort_unstable();
        headers
    }

    #[track_caller]
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The URL that the operation answered with.
    #[track_caller]
    pub fn url(&self) -> String {
        assert_eq!(self.status, StatusCode::OK, "{self:?}");
        let url = &self.json()["parameter"][0]["valueUri"];
        url.as_str().unwrap().to_owned()
    }

    /// The code of a refusal, which must be a whole one, and as the table has it.
    #[track_caller]
    pub fn refusal(&self) -> String {
        let outcome = self.json();
        assert_eq!(outcome["resourceType"], "OperationOutcome");
        assert_eq!(outcome["issue"].as_array().map(Vec::len), Some(1));
        let issue = &outcome["issue"][0];
        let coding = &issue["details"]["coding"];
        assert_eq!(coding.as_array().map(Vec::len), Some(1), "{self:?}");
        let code = coding[0]["code"].as_str().unwrap();
        let issue_type = issue["code"].as_str().unwrap_or_default();
        let row = (code, self.status.as_u16(), issue_type);
        assert!(REFUSALS.contains(&row), "{self:?}");
        assert_eq!(issue["severity"], "error");
        assert!(issue["details"]["text"].is_string() && issue["diagnostics"].is_string());
        self.assert_own_json();
        code.to_owned()
    }

    #[track_caller]
    pub fn assert_refused(&self, status: u16, code: &str) {
        let actual = (self.status.as_u16(), &*self.refusal());
        assert_eq!(actual, (status, code), "{self:?}");
    }

    /// FHIR JSON that nobody keeps or guesses at.
    #[track_caller]
    pub fn assert_own_json(&self) {
        assert_eq!(self.header(CONTENT_TYPE), Some("application/fhir+json"));
        assert_eq!(self.header(CACHE_CONTROL), Some("no-store"));
        assert_eq!(self.header(X_CONTENT_TYPE_OPTIONS), Some("nosniff"));
        let length = self.body.len().to_string();
        assert_eq!(self.header(CONTENT_LENGTH), Some(&*length));
    }
}
