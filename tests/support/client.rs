//! A client over sockets.

use axum::BoxError;
use axum::body::Body;
use http::Request;
use http::header::CONTENT_TYPE;
use hyper_util::client::legacy::Client as Pool;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;

use super::{Answer, soon};

/// Keeps its connections open.
pub struct Client(Pool<HttpConnector, Body>);

impl Client {
    pub fn http1() -> Self {
        Self(Pool::builder(TokioExecutor::new()).build_http())
    }

    pub fn http2() -> Self {
        let mut builder = Pool::builder(TokioExecutor::new());
        Self(builder.http2_only(true).build_http())
    }

    pub async fn get(&self, url: &str) -> Answer {
        self.send(Request::get(url).body(Body::empty()).unwrap())
            .await
    }

    /// Uploads as `image/png`.
    pub async fn put(&self, url: &str, content: impl Into<Body>) -> Answer {
        let put = Request::put(url).header(CONTENT_TYPE, "image/png");
        self.send(put.body(content.into()).unwrap()).await
    }

    /// Sends a request, and reads the answer to its end.
    pub async fn send(&self, request: Request<Body>) -> Answer {
        self.try_send(request).await.unwrap()
    }

    /// An error if the connection ends before the answer does.
    pub async fn try_send(&self, request: Request<Body>) -> Result<Answer, BoxError> {
        soon(async { Ok(Answer::of(self.0.request(request).await?).await?) }).await
    }
}
