//! URLs in resources: `Attachment.url` that a client can use as it is.
//!
//! FHIR resources name content by [`Attachment.url`]: a photo in a `Patient`, a PDF in a
//! `DocumentReference`. A host keeps a reference there, `Binary/scan-7`. A client wants a URL there
//! that an `<img>` can load. There are three ways from the one to the other, and the first two need
//! no line of code in a client.
//!
//! | way | the resource has | a picture takes | choose it when |
//! |---|---|---|---|
//! | [rewriting](#rewriting) | a presigned URL | one request, no token | clients show what they read: pages, apps, exports |
//! | [redirect](#redirect) | the reference | two requests, a token with the first | resources are cached, compared or signed, and clients send a token with every request |
//! | the operation | the reference | two requests, a token with the first | a client wants the terms of a URL: an upload, a file name |
//!
//! # Rewriting
//!
//! ```
//! use axum::{Router, routing::get};
//! use tower_presign::PresignLayer;
//!
//! fn app(presign: PresignLayer) -> Router {
//!     Router::new()
//!         .route("/fhir/R4/Patient/{id}", get(async || "a patient"))
//!         .layer(presign.attachments()) // behind the presign layer, inside of compression
//!         .layer(presign)
//! }
//! ```
//!
//! Name the FHIR base: [`fhir_base`](crate::PresignLayer::fhir_base) spares all other requests, and
//! with [`fhir_base_url`](crate::PresignLayer::fhir_base_url) absolute references to it are known.
//! References of other servers stay.
//!
//! The policy is asked for each Binary, as if the caller had called the operation. A policy that
//! looks into a database for each would slow a search down: no more than 16 questions run at once.
//! A policy that decides by the caller alone asks nobody. A reference to a version costs no
//! question to a catalog that [says so](crate::Catalog::located).
//!
//! On the way in, URLs become references to the version that they were for. So a client may send a
//! resource back as it read it. It may also put into a resource the URL to which it has just
//! uploaded.
//!
//! A URL names one version. So a reference to the current version, `Binary/scan-7`, that a client has
//! read as a URL and sends back, is stored as `Binary/scan-7/_history/2`: it is pinned to the version
//! that was read, and follows later uploads no more. A client that wants it to follow puts the
//! reference itself into the resource; a host that wants that in general takes `/_history/[vid]` off
//! before it stores.
//!
//! ## Caches
//!
//! An answer with URLs says `no-store`, and a conditional read of it is answered in full: a 304
//! would keep URLs alive that have expired. With
//! [`expiry_granularity`](crate::PresignLayer::expiry_granularity) a URL stays the same within each
//! period. Then browsers find the picture again in their cache, if
//! [`cache_downloads`](crate::PresignLayer::cache_downloads) lets them keep it; and the answer
//! itself may be kept, by them alone, until the first of its URLs expires. No shared cache keeps
//! either.
//!
//! The `ETag` is the resource's own: an update with `If-Match` works as ever.
//!
//! # Redirect
//!
//! With [`redirect_reads`](crate::AttachmentsLayer::redirect_reads) resources keep their references,
//! and `GET [base]/Binary/[id]` is answered with 307 to a read URL. A client that asks for FHIR
//! (`Accept: application/fhir+json`) gets the resource from the host, as does one whom the policy
//! denies the URL. A browser's `<img>` cannot send a token, so it needs a session, or URLs in the
//! resource.
//!
//! # Without a request
//!
//! A resource that a host sends by itself has no caller: a notification of a subscription, an
//! export. There the host sets the terms, and no policy is asked:
//!
//! ```
//! use std::time::Duration;
//! use serde_json::Value;
//! use tower_presign::{Presigner, Terms};
//!
//! async fn notify(presigner: &Presigner, resource: &mut Value) {
//!     let terms = Terms::new().lifetime(Duration::from_secs(15 * 60));
//!     presigner.presign_attachments(terms, resource).await;
//! }
//! ```
//!
//! # Bulk Data, step by step
//!
//! With `requiresAccessToken: false`, a [Bulk Data] client fetches every file of the manifest, and
//! every `Attachment.url` in these, without a token.
//!
//! 1. Write the export's NDJSON with references, as the database has them.
//! 2. Store each file as a Binary of its own, of the type `application/fhir+ndjson`, passed through
//!    [`presign_attachments_ndjson`](crate::Presigner::presign_attachments_ndjson), on terms that
//!    last as long as the export is kept: at most 7 days, unless the signer says more.
//! 3. List each in the manifest with a URL of [`presign`](crate::Presigner::presign), and say
//!    `"requiresAccessToken": false`.
//!
//! URLs that are made when the file is written expire with it. To have them fresh at each download,
//! keep the files with references, and serve them from a route of the host's own, behind the
//! attachments layer, with `"requiresAccessToken": true`.
//!
//! # SMART Health Links, step by step
//!
//! A [SMART Health Link] leads to a manifest, and that to encrypted files. A file's `location` lives
//! for an hour at most, and is meant for a single use.
//!
//! 1. Store each file as a Binary of the type `application/jose`. It is encrypted before: the server
//!    sees no content.
//! 2. At each request for the manifest, presign each file with
//!    [`Terms::single_use`](crate::Terms::single_use) and a lifetime of an hour or less, and write
//!    the URL into `location`. The layer needs a [`UseLedger`](crate::UseLedger).
//! 3. The first download uses the URL up; the second gets 410. A client that fetches the manifest
//!    anew gets new URLs, as long as the link itself holds.
//!
//! `tests/browser/documents.test.mjs` in the repository does this with `kill-the-clipboard`, and
//! reads resources with `@medplum/core` and `fhirclient`.
//!
//! [`Attachment.url`]: https://hl7.org/fhir/R4/datatypes.html#Attachment
//! [Bulk Data]: https://hl7.org/fhir/uv/bulkdata/export.html
//! [SMART Health Link]: https://hl7.org/fhir/uv/smart-health-cards-and-links/links-specification.html
