//! Layers, nests, frameworks and gateways: the order of things around the layer, and in front of
//! the server.
//!
//! ```
//! use std::time::Duration;
//!
//! use axum::Router;
//! use tower::ServiceBuilder;
//! use tower_http::compression::CompressionLayer;
//! use tower_http::cors::CorsLayer;
//! use tower_http::timeout::{RequestBodyTimeoutLayer, TimeoutError};
//! use tower_presign::PresignLayer;
//!
//! fn with_presigned_urls(routes: Router, presign: PresignLayer) -> Router {
//!     let routes = routes.layer(CompressionLayer::new()); // behind: downloads stay as they are
//!     routes.layer(
//!         ServiceBuilder::new()
//!             .layer(CorsLayer::permissive()) // in front: refusals need its headers too
//!             .layer(RequestBodyTimeoutLayer::new(Duration::from_secs(30)))
//!             .layer(presign.timeout_error::<TimeoutError>()), // a stalled upload is answered 408
//!     )
//! }
//! # let key = tower_presign::SigningKey::new("a", b"a secret of 32 bytes, better random").unwrap();
//! # let signer = tower_presign::UrlSigner::new(key, "https://example.com/storage").unwrap();
//! # let repository = tower_presign::MemoryRepository::new();
//! # let presign = PresignLayer::new(signer, repository, tower_presign::AllowAll);
//! # with_presigned_urls(Router::new(), presign);
//! ```
//!
//! # Layers
//!
//! | layer | place | otherwise |
//! |---|---|---|
//! | authentication that identifies | in front | the policy has nobody to decide about |
//! | authentication that refuses strangers | behind | nobody without an account can use a URL |
//! | CORS | in front | a page of another origin cannot read a refusal |
//! | limits of body size and body time | in front | an upload may be as long and as slow as it likes |
//! | `TimeoutLayer`, of whole requests | behind | it cuts every upload and every slow download |
//! | compression | behind | see below |
//! | decompression of requests | behind | a `Content-Digest` of the coded bytes is compared with others |
//! | tracing, with [`make_span`](../../events/fn.make_span.html) | in front | the events are in no span |
//!
//! A compression in front changes the bytes of a download and leaves their strong `ETag`. A client
//! that resumes with `If-Range` then joins coded bytes and plain ones to a broken file. If it has
//! to be in front, give it a predicate: each download says `no-transform` (RFC 9111 §5.2.2.6),
//! which tower-http does not heed by itself.
//!
//! ```
//! use http::header::CACHE_CONTROL;
//! use http::{Extensions, HeaderMap, StatusCode, Version};
//! use tower_http::compression::CompressionLayer;
//! use tower_http::compression::predicate::{DefaultPredicate, Predicate};
//!
//! fn may_transform(_: StatusCode, _: Version, headers: &HeaderMap, _: &Extensions) -> bool {
//!     let values = headers.get_all(CACHE_CONTROL).into_iter();
//!     !values.filter_map(|value| value.to_str().ok()).any(|value| value.contains("no-transform"))
//! }
//!
//! let layer = CompressionLayer::new()
//!     .compress_when(DefaultPredicate::new().and(may_transform));
//! # let _: tower_http::compression::CompressionLayer<_> = layer;
//! ```
//!
//! # Nests
//!
//! A nested axum router sees paths without its prefix, and nothing at all of a path for which it has
//! no route. So a nest with the layer has a fallback, and `storage_path` names the path as it arrives.
//! Add the layer with `layer`: a `route_layer` sees only the paths of routes.
//!
//! ```
//! # use axum::{Router, http::StatusCode};
//! # use tower_presign::PresignLayer;
//! # fn nest(presign: PresignLayer) -> Result<Router, Box<dyn std::error::Error>> {
//! // The storage base URL is https://health.example.com/api/storage.
//! let nested = Router::new()
//!     .fallback(async || StatusCode::NOT_FOUND) // or no request reaches the layer
//!     .layer(presign.storage_path("/storage")?); // the path that arrives
//! Ok(Router::new().nest("/api", nested))
//! # }
//! ```
//!
//! # Why is my URL refused?
//!
//! A refusal has a code: [`RefusalCode`](crate::RefusalCode) has the table, and these are the reasons
//! that lie in the set-up.
//!
//! | seen | reason |
//! |---|---|
//! | 404 without a body at the operation or at a URL | the nest has no fallback, or the layer is a `route_layer` |
//! | 404 without a body at the operation alone | [`fhir_base`](crate::PresignLayer::fhir_base) names the public path in a nest: it is the path as it arrives |
//! | 404 without a body at a URL alone | the storage base URL lacks the prefix of the nest, so URLs lead elsewhere |
//! | 500 `internal` at a genuine URL | `storage_path` is missing, or a proxy takes a prefix away; the event names the path (feature `tracing`) |
//! | a panic at start that names the base URL | the base URL is a bare host, and would leave the routes nothing |
//! | 403 `invalid-signature` at every URL | the servers that mint and verify have different base URLs, or different keys |
//!
//! # Frameworks
//!
//! axum, hyper and tonic take the layer as it is. `examples/frameworks` runs these, a file each:
//!
//! | | |
//! |---|---|
//! | axum-server | As in axum. TLS and HTTP/2 are its own. |
//! | poem | It takes services, not layers. Put the layer around one that answers 404, and nest that at `/` with `nest_no_strip`: it gets what no other route takes. |
//! | salvo | Give the layer to `Service::hoop`. A `hoop` of a router runs only where a route matches, and the storage path has none. |
//! | poem, salvo | Their bodies are `Sync` and name the type of their error. `map_response` makes ours a stream, which both take. |
//!
//! - **loco** is axum inside. In `Hooks::after_routes`: `Ok(router.layer(presign))`.
//! - **lambda_http** takes the service as it is: `examples/lambda`, and the line on AWS Lambda below.
//!
//! # Proxies and gateways
//!
//! - A proxy may change scheme, host and the path in front of `/{id}/{versionId}`. It must leave the
//!   query alone, and let long bodies through as they come (`proxy_request_buffering off` in nginx).
//! - **AWS Lambda** behind a REST API or a load balancer gets the query as a map, whose order is any:
//!   [`accept_reordered_query`](crate::PresignLayer::accept_reordered_query) puts it right. HTTP APIs
//!   and function URLs leave it as it was.
//! - **CloudFront** reads `Expires`, `Key-Pair-Id` and `Signature` itself where viewer access is
//!   restricted, and refuses URLs that it has not signed: leave that off for the storage path.
//! - **Mail gateways** append parameters, which nobody signed: such a URL is 403. They and chat
//!   programs also open links before people do. For a link that is to work once, send people to a
//!   page of yours whose button leads to the URL.
//! - **Kubernetes**: a folder belongs to one process, so a deployment over a volume has the strategy
//!   `Recreate`. With a bucket it can be rolled.
