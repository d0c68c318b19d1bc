//! A response, and what every refusal must look like.

use bytes::Bytes;
use http::header::{AsHeaderName, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE};
use http::header::{HeaderName, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderMap, Response, StatusCode};
use http_body_util::BodyExt as _;
use serde_json::Value;
use tower_presign::RefusalCode;

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

    /// The code of a refusal, which must be a whole one, with the status and the FHIR issue type of
    /// its code.
    #[track_caller]
    pub fn refusal(&self) -> &'static str {
        let outcome = self.json();
        assert_eq!(outcome["resourceType"], "OperationOutcome");
        assert_eq!(outcome["issue"].as_array().map(Vec::len), Some(1));
        let issue = &outcome["issue"][0];
        let coding = &issue["details"]["coding"];
        assert_eq!(coding.as_array().map(Vec::len), Some(1), "{self:?}");
        let is_code = |code: &&RefusalCode| coding[0]["code"] == code.as_str();
        let Some(code) = RefusalCode::ALL.iter().find(is_code) else {
            panic!("no code of the table: {self:?}");
        };
        assert_eq!(coding[0]["system"], RefusalCode::SYSTEM);
        assert_eq!(self.status, code.status(), "{self:?}");
        assert_eq!(issue["code"], code.issue_type(), "{self:?}");
        assert_eq!(issue["severity"], "error");
        assert!(issue["details"]["text"].is_string() && issue["diagnostics"].is_string());
        self.assert_own_json();
        code.as_str()
    }

    #[track_caller]
    pub fn assert_refused(&self, status: u16, code: &str) {
        let actual = (self.status.as_u16(), self.refusal());
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
