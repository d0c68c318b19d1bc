//! The table of refusals.

use http::StatusCode;

/// Writes the enum, its table in the documentation, and its methods, from one table.
macro_rules! refusals {
    ($(
        $(#[doc = $when:literal])*
        $name:ident = $code:literal, $number:literal $status:ident, $issue_type:literal:
            $text:literal
            $diagnostics:literal
    )*) => {
        /// The reason of a refusal. Clients may rely on its [code](Self::as_str), which never
        /// changes.
        ///
        /// Every refusal is a FHIR `OperationOutcome` with the code in
        /// `issue[0].details.coding[0].code`, next to [`SYSTEM`](Self::SYSTEM). The reason also
        /// stands in the response's extensions, for layers in front:
        ///
        /// ```
        /// use tower_presign::RefusalCode;
        ///
        /// fn is_attack<B>(response: &http::Response<B>) -> bool {
        ///     response.extensions().get() == Some(&RefusalCode::InvalidSignature)
        /// }
        /// # assert!(!is_attack(&http::Response::new(())));
        /// ```
        ///
        /// [Why is my URL refused?](crate::guide::layers_nests_and_gateways#why-is-my-url-refused)
        /// has the reasons that lie in the set-up of a host, also those of a 404 without an outcome.
        ///
        /// A request to a URL is checked in this order: signature, method, expiry, policy, and then
        /// everything else. So a `PUT` to a read URL is `method-not-allowed`, even after its expiry.
        ///
        /// The operation ignores query parameters that it does not know, such as `_pretty`. It takes
        /// a `_format` that names JSON.
        ///
        /// | code | status | FHIR issue type | reason |
        /// |---|---|---|---|
        $(#[doc = concat!(
            "| `", $code, "` | ", $number, " | `", $issue_type, "` | ", $($when,)* " |"
        )])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum RefusalCode {
            $($(#[doc = $when])* $name,)*
        }

        impl RefusalCode {
            /// All codes, in the order of the table.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// The code as clients get it: stable.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $code,)* }
            }

            /// The status of the response.
            #[must_use]
            pub fn status(self) -> StatusCode {
                match self { $(Self::$name => StatusCode::$status,)* }
            }

            /// The FHIR issue type in `issue[0].code`
            /// (<https://hl7.org/fhir/R4/valueset-issue-type.html>).
            #[must_use]
            pub fn issue_type(self) -> &'static str {
                match self { $(Self::$name => $issue_type,)* }
            }

            /// `issue[0].details.text`: for people.
            pub(crate) fn text(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }

            /// `issue[0].diagnostics`, unless the refusal knows better: for developers.
            pub(crate) fn diagnostics(self) -> &'static str {
                match self { $(Self::$name => $diagnostics,)* }
            }
        }
    };
}

impl RefusalCode {
    /// The system of the codes in an `OperationOutcome`: `issue[0].details.coding[0].system`.
    pub const SYSTEM: &str =
        "https://docs.rs/tower-presign/latest/tower_presign/enum.RefusalCode.html";
}

refusals! {
    /// No signature on the storage path.
    MissingSignature = "missing-signature", 403 FORBIDDEN, "security":
        "This link is incomplete."
        "The URL has no Signature parameter. Use a presigned URL as it was issued, with its whole query."
    /// Anything but what was minted: altered, re-ordered, of an unknown key or another base URL.
    InvalidSignature = "invalid-signature", 403 FORBIDDEN, "security":
        "This link is not valid."
        "The signature does not match. Use the presigned URL byte for byte as it was issued: nothing added, removed, re-ordered or re-encoded. If it is unchanged, its key is no longer in use, and a new URL is needed; or the servers that mint and verify have different storage base URLs or keys."
    /// Genuine, and too late.
    Expired = "expired", 403 FORBIDDEN, "expired":
        "This link has expired."
        "The time that Expires names has passed. Ask for a new URL."
    /// Genuine, and valid for longer than this server allows.
    LifetimeTooLong = "lifetime-too-long", 403 FORBIDDEN, "security":
        "This link is not accepted."
        "Expires is further away than this server allows. Ask for a URL with a shorter lifetime."
    /// Genuine, with a method that it is not for; or such a method at the operation.
    MethodNotAllowed = "method-not-allowed", 405 METHOD_NOT_ALLOWED, "not-supported":
        "This address does not support that action."
        "Use one of the methods that the Allow header lists."
    /// The policy knows no caller. The header `WWW-Authenticate` has the challenge.
    LoginRequired = "login-required", 401 UNAUTHORIZED, "login":
        "Please log in."
        "The request has no valid credentials. The WWW-Authenticate header says which are needed."
    /// The policy refuses this caller, or this use of a URL.
    Forbidden = "forbidden", 403 FORBIDDEN, "forbidden":
        "You may not do this."
        "The server's access policy refuses it."
    /// No such Binary, no such version of it, or no content yet.
    NotFound = "not-found", 404 NOT_FOUND, "not-found":
        "There is nothing here."
        "No such Binary or version exists, or nothing has been uploaded to it yet."
    /// There was such content, and it was deleted.
    Deleted = "deleted", 410 GONE, "deleted":
        "This content has been deleted."
        "The Binary or this version of it has been deleted."
    /// The parameter `upload`, the `Parameters` body, a digest, or `Content-Range`.
    InvalidParameter = "invalid-parameter", 400 BAD_REQUEST, "value":
        "The request is not valid."
        "A parameter of the request has a value that it cannot have."
    /// The caller takes no JSON.
    NotAcceptable = "not-acceptable", 406 NOT_ACCEPTABLE, "not-supported":
        "The requested format is not supported."
        "Only JSON is produced: ask for application/fhir+json in Accept or _format."
    /// A conditional header of the request does not hold.
    PreconditionFailed = "precondition-failed", 412 PRECONDITION_FAILED, "conflict":
        "The content is not in the expected state."
        "A conditional header of the request does not hold for the content."
    /// The version has other content: the write URL is used up.
    AlreadyWritten = "already-written", 412 PRECONDITION_FAILED, "conflict":
        "This link has already been used."
        "A write URL writes once, and this version has other content. Ask for a new URL to write another."
    /// The upload is longer than the URL or the server allows.
    TooLarge = "too-large", 413 PAYLOAD_TOO_LARGE, "too-long":
        "The content is too large."
        "The request body is longer than allowed."
    /// The media type of an upload is not the granted one, to which parameters such as `charset` may
    /// be added; or the upload has a coding.
    ContentTypeMismatch = "content-type-mismatch", 415 UNSUPPORTED_MEDIA_TYPE, "not-supported":
        "The content is not of the expected type."
        "The Content-Type is not the one that the request must have."
    /// No byte of the requested range exists. The header `Content-Range` has the length.
    RangeNotSatisfiable = "range-not-satisfiable", 416 RANGE_NOT_SATISFIABLE, "value":
        "The requested part does not exist."
        "The Range lies outside of the content, whose length the Content-Range header names."
    /// The upload has no content.
    EmptyBody = "empty-body", 400 BAD_REQUEST, "required":
        "The file is empty."
        "The request has no content. A client has probably lost it."
    /// The upload ended early.
    IncompleteBody = "incomplete-body", 400 BAD_REQUEST, "incomplete":
        "The upload was interrupted."
        "The request body ended early or broke off. Nothing was stored; send it again."
    /// The upload stalled.
    UploadTimeout = "upload-timeout", 408 REQUEST_TIMEOUT, "timeout":
        "The upload took too long."
        "No more content arrived in time. Nothing was stored; send it again."
    /// The upload is not what a digest announced: `Content-Digest` and `Repr-Digest` (RFC 9530),
    /// `Content-MD5`, `x-amz-checksum-sha256`; in the headers or after the content.
    DigestMismatch = "digest-mismatch", 400 BAD_REQUEST, "value":
        "The file was damaged on its way."
        "The content does not have the digest that was sent with it. Nothing was stored; send it again."
    /// A URL for one download, which has been used.
    Used = "used", 410 GONE, "expired":
        "This link has already been used."
        "The URL is for one download, and somebody has begun that. Ask for a new URL."
    /// The policy has seen the upload, and does not want it.
    Rejected = "rejected", 422 UNPROCESSABLE_ENTITY, "business-rule":
        "The file was not accepted."
        "The server has looked at the content and does not take it. Nothing was stored."
    /// A part of a resumable upload that does not begin where the upload is. The header
    /// `Upload-Offset` says where that is.
    OffsetMismatch = "offset-mismatch", 409 CONFLICT, "conflict":
        "The upload is at another point."
        "The part does not begin where the upload is. Go on at the offset that the Upload-Offset header names."
    /// The request has another transfer coding than `chunked`, or is a part of an upload where
    /// uploads come whole.
    UnsupportedCoding = "unsupported-coding", 501 NOT_IMPLEMENTED, "not-supported":
        "The file was sent in a form that is not supported."
        "The only transfer coding that is supported is chunked, and uploads in parts are not: send the content as it is, in one request."
    /// The repository has no room left.
    StorageFull = "storage-full", 507 INSUFFICIENT_STORAGE, "no-store":
        "The server has no room left."
        "The storage is full. Nothing was stored."
    /// The repository or the policy does not answer. The header `Retry-After` has the seconds. The
    /// reason is an event, as of `internal`.
    Unavailable = "unavailable", 503 SERVICE_UNAVAILABLE, "transient":
        "The service is not available right now."
        "A system that the server depends on does not answer. Try again later."
    /// The content is there, and not to be read yet. The header `Retry-After` has the seconds.
    NotReady = "not-ready", 503 SERVICE_UNAVAILABLE, "transient":
        "The file is not ready yet."
        "The content has been uploaded, and is still being checked. Try again later."
    /// The policy has been asked too often, or too many uploads run: two to one version, or as many
    /// as the layer takes at once. The header `Retry-After` has the seconds.
    TooManyRequests = "too-many-requests", 429 TOO_MANY_REQUESTS, "throttled":
        "That was too often."
        "Wait for the seconds that the Retry-After header names, and try again."
    /// The server failed, or a genuine URL came at another path than the storage path. The reason is
    /// an event: without the feature `tracing` and a subscriber you do not see it.
    Internal = "internal", 500 INTERNAL_SERVER_ERROR, "exception":
        "Something went wrong."
        "The server failed; its operator finds the reason in its logs."
}
