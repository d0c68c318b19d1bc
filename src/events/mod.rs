//! What happens, as `tracing` events: for logs, metrics and audit trails (feature `tracing`).
//!
//! Each request that the layer answers is told as one event, at its end; each call of
//! [`Presigner`](crate::Presigner) too. A CORS preflight is not told, and
//! neither is what goes to the inner service.
//!
//! | message | target | when |
//! |---|---|---|
//! | `mint` | `tower_presign::mint` | a URL has been given |
//! | `download` | `tower_presign::download` | a read URL's response has been sent, or has broken off |
//! | `upload` | `tower_presign::upload` | content has been stored, or its upload has broken off |
//! | `refusal` | `tower_presign::refusal` | there was no URL, or no content moved |
//!
//! | field | type | |
//! |---|---|---|
//! | `id`, `version` | text | the Binary, and the version of its content |
//! | `access` | text | `read` or `write` |
//! | `key_id` | text | the key that signed the URL |
//! | `code` | text | how it ended: `ok`, `aborted`, or the code that the `OperationOutcome` has |
//! | `status` | integer | what the client got; none from a `Presigner`, nor if it left before the answer |
//! | `bytes` | integer | content of a `download` or `upload` that moved |
//! | `duration` | float | in seconds, from the request's arrival to the event |
//! | `error` | error | with WARN and ERROR: the source of the [`RepositoryError`] or [`Denial`](crate::Denial) |
//!
//! A field is left out when there is nothing to tell. `id`, `version`, `access` and `key_id` come
//! from a genuine signature, or from the operation's path and parameters: nobody can put a Binary's
//! id into an event with a forged URL. Messages, targets and fields are stable, as codes are; there
//! may be more of them one day.
//!
//! The level is INFO, for refusals too: to an auditor, who was turned away matters as much as who
//! was let in, and each kind can be turned off by its target. What the operator must look after is
//! WARN (`unavailable` and `storage-full`) or ERROR (`internal`).
//!
//! A transfer of the status 307 has been sent on to the repository's storage
//! ([`redirect_to_storage`](crate::PresignLayer::redirect_to_storage)): what became of it is not
//! known here.
//!
//! `code` is `aborted` when the client left, or the server gave the request up, before the end. The
//! `bytes` of a download are those that the server took from the layer. When a client leaves, some
//! of these may still be in buffers on the way; none that are not counted have left.
//! A `HEAD` request and a 304 send none. The code of a download that breaks off because the
//! repository fails is that of the [`RepositoryError`], although the status was 200.
//!
//! No event contains a signature, a secret, a query, a file name, a context or a header. `error` is
//! what the repository or the policy says: implementations must keep their own secrets out of it.
//! Subscribers get it with its sources, but some write only its own text (the JSON format of
//! tracing-subscriber, for one): put there what the operator must know.
//!
//! # A host's own logs
//!
//! Whoever reads a presigned URL can use it. tower-http's `TraceLayer` would by default put it into
//! its span as it is; [`make_span`] makes one without:
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
//! A FHIR server must be able to tell who has seen what, by `AuditEvent`s
//! (<https://hl7.org/fhir/R4/auditevent.html>). Of the two places to event them, take the policy:
//!
//! | | [`AccessPolicy`](crate::AccessPolicy) | events |
//! |---|---|---|
//! | who asked for a URL | yes: headers and extensions | no |
//! | who uses it | address and client, by extensions; nobody is logged in | no |
//! | what, which version | at the mint what was asked for; at the use the grant | yes |
//! | refusals | its own | all |
//! | outcome, bytes, duration | no: it is asked before | yes |
//! | without a event, no access | yes: it can wait for the event, and deny | no |
//!
//! [`AccessPolicy::minted`](crate::AccessPolicy::minted) sees each URL that is about to be handed
//! out, with its version, its expiry and the [id](crate::Terms::id) by which its uses are found
//! again.
//!
//! The last row decides. An event tells what has happened to a subscriber that may filter it, drop
//! it under load or lose it in a crash; a policy makes sure that nothing happens unrecorded:
//!
//! ```
//! use std::time::SystemTime;
//!
//! use http::Extensions;
//! use serde_json::{Value, json};
//! use tower_presign::{Access, AccessPolicy, BinaryId, Denial, MintRequest, RedeemRequest, Terms};
//!
//! /// What the host's authentication adds to a request.
//! #[derive(Clone)]
//! struct Caller { practitioner: String }
//!
//! /// What the host's server adds to a request.
//! #[derive(Clone)]
//! struct Peer(std::net::IpAddr);
//!
//! /// The host's rights check, which leaves a trail.
//! struct Audited<P> { policy: P, trail: Trail }
//!
//! impl<P: AccessPolicy> AccessPolicy for Audited<P> {
//!     async fn mint(&self, request: MintRequest) -> Result<Terms, Denial> {
//!         let (id, access) = (request.id(), request.access());
//!         let what = "Asked for a presigned URL";
//!         let mut event = audit_event(what, id, access, request.extensions());
//!         let decision = self.policy.mint(request).await;
//!         event["outcome"] = json!(if decision.is_ok() { "0" } else { "4" });
//!         self.trail.record(event).await?;
//!         decision
//!     }
//!
//!     async fn redeem(&self, request: RedeemRequest<'_>) -> Result<(), Denial> {
//!         self.policy.redeem(request).await?;
//!         let (grant, extensions) = (request.grant(), request.extensions());
//!         let (id, access) = (grant.key.id(), grant.access());
//!         let what = "Used a presigned URL";
//!         self.trail.record(audit_event(what, id, access, extensions)).await
//!     }
//! }
//!
//! /// An AuditEvent of FHIR R4.
//! fn audit_event(what: &str, id: BinaryId, access: Access, extensions: &Extensions) -> Value {
//!     let mut agent = match extensions.get::<Caller>() {
//!         Some(caller) => json!({
//!             "requestor": true,
//!             "who": { "reference": format!("Practitioner/{}", caller.practitioner) },
//!         }),
//!         None => json!({ "requestor": true, "name": "The holder of a presigned URL" }),
//!     };
//!     if let Some(Peer(address)) = extensions.get() {
//!         agent["network"] = json!({ "address": address.to_string(), "type": "2" });
//!     }
//!     json!({
//!         "resourceType": "AuditEvent",
//!         "type": {
//!             "system": "http://terminology.hl7.org/CodeSystem/audit-event-type",
//!             "code": "rest",
//!         },
//!         "action": if access == Access::Read { "R" } else { "U" },
//!         "recorded": humantime::format_rfc3339_millis(SystemTime::now()).to_string(),
//!         "outcome": "0",
//!         "outcomeDesc": what,
//!         "agent": [agent],
//!         "source": { "observer": { "display": "binary-server" } },
//!         "entity": [{ "what": { "reference": format!("Binary/{id}") } }],
//!     })
//! }
//!
//! /// Where the host keeps its AuditEvents.
//! #[derive(Clone, Default)]
//! struct Trail(std::sync::Arc<std::sync::Mutex<Vec<Value>>>);
//!
//! impl Trail {
//!     /// Comes back when the event is safe. Without a event there is no access.
//!     async fn record(&self, event: Value) -> Result<(), Denial> {
//!         self.0.lock().map_err(|error| Denial::unavailable(error.to_string()))?.push(event);
//!         Ok(())
//!     }
//! }
//! # use tower::ServiceExt as _;
//! # use tower_presign::{ContentType, MemoryRepository, PresignLayer, SigningKey, UrlSigner};
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let trail = Trail::default();
//! # let policy = Audited { policy: async |_: MintRequest| Ok(Terms::new()), trail: trail.clone() };
//! # let key = SigningKey::new("a", b"a secret of 32 bytes, better random")?;
//! # let signer = UrlSigner::new(key, "https://example.com/storage")?;
//! # let repository = MemoryRepository::new();
//! # repository.create(BinaryId::new("scan")?, ContentType::new("image/png")?)?;
//! # let inner = tower::service_fn(async |_| Ok::<_, std::io::Error>(http::Response::<String>::default()));
//! # let service = tower::Layer::layer(&PresignLayer::new(signer, repository, policy), inner);
//! # let request = http::Request::get("/Binary/scan/$presigned-url").extension(Caller { practitioner: "7".into() });
//! # let response = service.oneshot(request.body(String::new())?).await?;
//! # assert_eq!(response.status(), 200);
//! # let trail = trail.0.lock().unwrap();
//! # assert_eq!(trail[0]["entity"][0]["what"]["reference"], "Binary/scan");
//! # assert_eq!(trail[0]["agent"][0]["who"]["reference"], "Practitioner/7");
//! # Ok(())
//! # }
//! ```
//!
//! That says who was let in. Whether the content arrived, and how much of it, the events add, as a
//! second `AuditEvent`, with the best effort that is in their nature:
//!
//! ```
//! use std::fmt::Debug;
//! use std::sync::mpsc::Sender;
//! use std::time::SystemTime;
//!
//! use serde_json::{Map, Value, json};
//! use tracing::field::{Field, Visit};
//! use tracing::{Event, Subscriber};
//! use tracing_subscriber::layer::{Context, Layer};
//!
//! /// Tells how downloads and uploads ended. The receiver writes it down, for a subscriber must
//! /// not wait.
//! struct Transfers(Sender<Value>);
//!
//! impl<S: Subscriber> Layer<S> for Transfers {
//!     fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
//!         let action = match event.metadata().target() {
//!             "tower_presign::download" => "R",
//!             "tower_presign::upload" => "U",
//!             _ => return,
//!         };
//!         let mut fields = Fields::default();
//!         event.record(&mut fields);
//!         let Fields(fields) = fields;
//!         let detail = |name: &str| {
//!             json!({ "type": name, "valueString": fields[name].to_string() })
//!         };
//!         let (id, version) = (text(&fields["id"]), text(&fields["version"]));
//!         let audit_event = json!({
//!             "resourceType": "AuditEvent",
//!             "type": {
//!                 "system": "http://terminology.hl7.org/CodeSystem/audit-event-type",
//!                 "code": "rest",
//!             },
//!             "action": action,
//!             "recorded": humantime::format_rfc3339_millis(SystemTime::now()).to_string(),
//!             "outcome": if fields["code"] == "ok" { "0" } else { "8" },
//!             "outcomeDesc": fields["code"],
//!             "agent": [{ "requestor": true, "name": "The holder of a presigned URL" }],
//!             "source": { "observer": { "display": "binary-server" } },
//!             "entity": [{
//!                 "what": { "reference": format!("Binary/{id}/_history/{version}") },
//!                 "detail": [detail("bytes"), detail("duration")],
//!             }],
//!         });
//!         if self.0.send(audit_event).is_err() {
//!             eprintln!("nobody writes the audit trail any more");
//!         }
//!     }
//! }
//!
//! fn text(value: &Value) -> &str {
//!     value.as_str().unwrap_or_default()
//! }
//!
//! #[derive(Default)]
//! struct Fields(Map<String, Value>);
//!
//! impl Visit for Fields {
//!     fn record_u64(&mut self, field: &Field, value: u64) {
//!         self.0.insert(field.name().into(), value.into());
//!     }
//!     fn record_f64(&mut self, field: &Field, value: f64) {
//!         self.0.insert(field.name().into(), value.into());
//!     }
//!     fn record_str(&mut self, field: &Field, value: &str) {
//!         self.0.insert(field.name().into(), value.into());
//!     }
//!     fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
//!         self.0.insert(field.name().into(), format!("{value:?}").into());
//!     }
//! }
//! # use tower::ServiceExt as _;
//! # use tower_presign::{Access, AllowAll, BinaryId, ContentType, MemoryRepository, PresignLayer, SigningKey, Target, Terms, UrlSigner};
//! # use tracing_subscriber::layer::SubscriberExt as _;
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let (sender, trail) = std::sync::mpsc::channel();
//! # let _guard = tracing::subscriber::set_default(tracing_subscriber::registry().with(Transfers(sender)));
//! # let key = SigningKey::new("a", b"a secret of 32 bytes, better random")?;
//! # let signer = UrlSigner::new(key, "https://example.com/storage")?;
//! # let repository = MemoryRepository::new();
//! # let id = BinaryId::new("scan")?;
//! # repository.create(id, ContentType::new("image/png")?)?;
//! # let layer = PresignLayer::new(signer, repository, AllowAll);
//! # let url = layer.presigner().presign(Target::new(id, Access::Write), Terms::new()).await?;
//! # let inner = tower::service_fn(async |_| Ok::<_, std::io::Error>(http::Response::<String>::default()));
//! # let request = http::Request::put(url.as_str()).header("content-type", "image/png");
//! # tower::Layer::layer(&layer, inner).oneshot(request.body("content".to_owned())?).await?;
//! # let audit_event = trail.try_recv()?;
//! # assert_eq!(audit_event["outcome"], "0");
//! # assert_eq!(audit_event["entity"][0]["what"]["reference"], "Binary/scan/_history/1");
//! # assert_eq!(audit_event["entity"][0]["detail"][0], json!({ "type": "bytes", "valueString": "7" }));
//! # assert!(trail.try_recv().is_err());
//! # Ok(())
//! # }
//! ```
//!
//! The Binary, its version and the time join the two; a request's id does so exactly, if the policy
//! finds it in the request's extensions, and the subscriber in the span around the event.
//!
//! [`RepositoryError`]: crate::store::RepositoryError
//! [`RedactedUri`]: crate::RedactedUri

mod ending;
mod request_event;

#[cfg(feature = "tracing")]
use http::Request;
#[cfg(feature = "tracing")]
use tracing::Span;

pub use ending::Ending;
pub(crate) use request_event::{Counter, Observer, RequestEvent};

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
