//! [`Upload::from_body`]: an upload on a route of the host's own.

use http::request::Parts;
use http_body::Body;

use super::digest::Digests;
use super::plan::WriteRequest;
use super::upload_stream::UploadStream;
use crate::content_type::ContentType;
use crate::events::Counter;
use crate::policy::Denial;
use crate::request_body::RequestBody;
use crate::response_body::BoxError;
use crate::store::Upload;

impl Upload {
    /// The body of a request as an upload, for a route of the host's own (`POST [base]/Binary` for
    /// instance): held to `content_type`, to `max_length` in bytes, and to all that the request
    /// announces, as an upload to a presigned URL is.
    ///
    /// An error of the body is [`UploadError::Incomplete`](crate::store::UploadError), or
    /// [`Timeout`](crate::store::UploadError) if an I/O error of the kind `TimedOut` is among its
    /// sources.
    ///
    /// # Errors
    ///
    /// The refusal of an upload that the head of its request already shows to be wrong: another
    /// `Content-Type`, a `Content-Encoding`, a `Content-Range`, a malformed digest, no content, or
    /// too much. The body has not been read then.
    ///
    /// ```
    /// use axum::extract::Request;
    /// use tower_presign::store::Upload;
    /// use tower_presign::{BinaryKey, BinaryRepository, ContentType};
    ///
    /// /// Stores the body as the content of a version that the host has just made.
    /// async fn store<R: BinaryRepository>(
    ///     repository: &R,
    ///     key: &BinaryKey,
    ///     content_type: ContentType,
    ///     request: Request,
    /// ) -> http::Response<axum::body::Body> {
    ///     let (parts, body) = request.into_parts();
    ///     let upload = match Upload::from_body(&parts, body, content_type, 100 << 20) {
    ///         Ok(upload) => upload,
    ///         Err(denial) => return denial.into_response(),
    ///     };
    ///     match repository.write(key, upload).await {
    ///         Ok(_) => http::Response::default(),
    ///         Err(error) => error.into_response(),
    ///     }
    /// }
    /// ```
    pub fn from_body<B>(
        parts: &Parts,
        body: B,
        content_type: ContentType,
        max_length: u64,
    ) -> Result<Self, Denial>
    where
        B: Body + Send + 'static,
        B::Error: Into<BoxError>,
    {
        let body = RequestBody::new(body, parts);
        let length = body.remaining();
        let request = WriteRequest::new(&parts.headers, length);
        request.check(&content_type, max_length, false)?;
        let stream = UploadStream {
            received: 0,
            counter: Counter::default(),
            announced: length,
            limit: max_length,
            allows_empty: false,
            digests: Digests::announced(&parts.headers)?,
            of_part: None,
            is_timeout: Vec::new(),
            body,
        };
        Ok(stream.into_upload(request.content_type(content_type)))
    }
}
