//! `tracing` events for logs, metrics and audit trails (feature `tracing`).
//!
//! Each request that the layer answers is one event, at its end; so is each call of
//! [`Presigner`](crate::Presigner). A CORS preflight is no event, and neither is a request of the
//! inner service.
//!
//! | message | target | when |
//! |---|---|---|
//! | `mint` | `tower_presign::mint` | a URL has been given |
//! | `download` | `tower_presign::download` | a read URL's response has been sent, or has broken off |
//! | `upload` | `tower_presign::upload` | content has been stored, or its upload has broken off |
//! | `refusal` | `tower_presign::refusal` | there was no URL, or no content moved |
//! | `attachments` | `tower_presign::attachments` | references of an answer have stayed, since there were more than [`max_urls`](crate::AttachmentsLayer::max_urls); their number is `left` (WARN) |
//! | `unflushed` | `tower_presign::store` | the file system of an [`FsRepository`](../store/struct.FsRepository.html) or [`FsStore`](../store/struct.FsStore.html) cannot flush folders, so a power failure may undo what was acknowledged; once for each that is opened (WARN, with `error`) |
//!
//! Each URL [in a resource](crate::attachments) is a `mint`, and each that is denied or missing a
//! `refusal`.
//!
//! | field | type | |
//! |---|---|---|
//! | `id`, `version` | text | the Binary, and the version of its content |
//! | `access` | text | `read` or `write` |
//! | `key_id` | text | the key that signed the URL |
//! | `url_id` | text | the [id](crate::Terms::id) of this very URL, if it has one |
//! | `code` | text | the ending: `ok`, `aborted`, or the code that the `OperationOutcome` has |
//! | `status` | integer | the status of the answer; none from a `Presigner`, nor if it left before the answer |
//! | `bytes` | integer | content of a `download` or `upload` that moved |
//! | `upload`, `step` | text | of a resumable upload: its id, and `begun`, `part`, `asked` (how far it has come), `completed`, `abandoned`, or `expired` |
//! | `duration` | float | in seconds, from the request's arrival to the event |
//! | `error` | error | with WARN and ERROR: the source of the [`RepositoryError`] or [`Denial`](crate::Denial) |
//!
//! A field without a value is left out. `id`, `version`, `access`, `key_id` and `url_id` come
//! from a genuine signature, or from the operation's path and parameters: nobody can put a Binary's
//! id into an event with a forged URL. Messages, targets and fields are stable, as codes are; there
//! may be more of them one day.
//!
//! The level is INFO, for refusals too: an auditor wants to see those who were turned away as well,
//! and each kind can be turned off by its target. A refusal that needs the operator is WARN
//! (`unavailable` and `storage-full`) or ERROR (`internal`).
//!
//! A transfer of the status 307 has been sent on to the repository's storage
//! ([`redirect_to_storage`](crate::PresignLayer::redirect_to_storage)): its end is not known here.
//!
//! `code` is `aborted` when the client left, or the server gave the request up, before the end. The
//! `bytes` of a download are those that the server took from the layer. When a client leaves, some
//! of these may still be in buffers on the way, but no byte has left uncounted. A `HEAD` request
//! and a 304 send none. The code of a download that breaks off because the repository fails is that
//! of the [`RepositoryError`], although the status was 200.
//!
//! No event contains a signature, a secret, a query, a file name, a context or a header. `error`
//! comes from the repository or the policy: implementations must keep their own secrets out of it.
//! Subscribers get it with its sources, but some write only its own text (the JSON format of
//! tracing-subscriber, for one): put there what the operator must know.
//!
//! # A host's own logs
//!
//! Everyone who reads a presigned URL can use it. tower-http's `TraceLayer` would by default put it
//! into its span as it is; [`make_span`] makes one without:
//!
//! ```
//! use axum::Router;
//! use tower_http::trace::TraceLayer;
//! use tower_presign::PresignLayer;
//! use tower_presign::events::make_span;
//!
//! fn with_presigned_urls(app: Router, presign: PresignLayer) -> Router {
//!     app.layer(presign)
//!         .layer(TraceLayer::new_for_http().make_span_with(make_span))
//! }
//! ```
//!
//! Put the `TraceLayer` in front of the [`PresignLayer`](crate::PresignLayer), and the events are
//! inside of the request's span, except for those of requests that are broken off.
//! Logs of other origin (a proxy's access log, say) must leave out the query themselves;
//! [`RedactedUri`] is for those of Rust.
//!
//! # Audit trails
//!
//! An event reaches a subscriber that may filter it, drop it under load, or lose it in a crash. A trail
//! that must not miss anything is the policy's: [`AccessPolicy`](crate::AccessPolicy) can wait for its
//! records, and refuse without them. [`guide::audit`](crate::guide::audit) has a program.
//!
//! [`RepositoryError`]: crate::store::RepositoryError
//! [`RedactedUri`]: crate::RedactedUri

mod request_event;

#[cfg(feature = "tracing")]
use http::Request;
#[cfg(feature = "tracing")]
use tracing::Span;

pub(crate) use request_event::{Counter, Observer, RequestEvent, Step};

use crate::id::UploadId;
use crate::store::RepositoryError;

/// Nobody has gone on with a resumable upload, and it has been removed.
pub(crate) fn upload_expired(upload: &UploadId) {
    #[cfg(feature = "tracing")]
    tracing::event!(
        target: "tower_presign::upload",
        tracing::Level::INFO,
        upload = %upload,
        step = "expired",
        "upload"
    );
    #[cfg(not(feature = "tracing"))]
    let _ = upload;
}

/// Expired uploads could not be removed.
pub(crate) fn sweep_failed(error: &RepositoryError) {
    #[cfg(feature = "tracing")]
    tracing::event!(
        target: "tower_presign::upload",
        tracing::Level::WARN,
        code = error.code().as_str(),
        error = error as &dyn std::error::Error,
        step = "expired",
        "upload"
    );
    #[cfg(not(feature = "tracing"))]
    let _ = error;
}

/// References of an answer have stayed as they are, since there were too many.
pub(crate) fn references_left(left: usize, max_urls: usize) {
    #[cfg(feature = "tracing")]
    tracing::event!(
        target: "tower_presign::attachments",
        tracing::Level::WARN,
        left,
        max_urls,
        "attachments"
    );
    #[cfg(not(feature = "tracing"))]
    let _ = (left, max_urls);
}

#[cfg(feature = "tracing")]
use crate::url::RedactedUri;

/// The span of a request, for tower-http's `TraceLayer`: at INFO, with the fields `method`, `uri`
/// (a [`RedactedUri`]) and `version` (of HTTP).
#[cfg(feature = "tracing")]
pub fn make_span<B>(request: &Request<B>) -> Span {
    tracing::info_span!(
        target: "tower_presign",
        "request",
        method = %request.method(),
        uri = %RedactedUri::new(request.uri()),
        version = ?request.version(),
    )
}
