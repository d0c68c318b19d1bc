//! Audit: a trail that misses no URL and no use, and URLs that are taken back.
//!
//! A presigned URL is used without a login, so its own id ties a use to the caller who got it:
//! [`Terms::id`](crate::Terms::id), which the URL carries, signed.
//!
//! ```sql
//! CREATE TABLE url (
//!     id text PRIMARY KEY,
//!     caller text NOT NULL,
//!     "binary" text NOT NULL,
//!     version text NOT NULL,
//!     access text NOT NULL,
//!     minted timestamptz NOT NULL DEFAULT now(),
//!     expires timestamptz NOT NULL,
//!     used timestamptz,
//!     revoked timestamptz
//! );
//! CREATE TABLE url_use (
//!     url text NOT NULL REFERENCES url,
//!     at timestamptz NOT NULL DEFAULT now(),
//!     event text NOT NULL,            -- 'begun', and then its end: 'ok', 'aborted', or a code
//!     bytes bigint,
//!     seconds double precision
//! );
//! ```
//!
//! | moment | statement | without it |
//! |---|---|---|
//! | [`mint`](crate::AccessPolicy::mint) | the rights check | no URL |
//! | [`minted`](crate::AccessPolicy::minted) | `INSERT INTO url` | the URL is withheld: 503 |
//! | [`redeem`](crate::AccessPolicy::redeem) | `INSERT INTO url_use … SELECT id FROM url WHERE id = $1 AND revoked IS NULL` | nothing is read or written: 503 if it fails, 403 if it inserts no row |
//! | [`settled`](crate::AccessPolicy::settled) | `INSERT INTO url_use`, with code, bytes and duration | a use without an end in the trail, as after a crash |
//!
//! So the trail fails closed: a database that is away costs availability and no knowledge. Each use
//! stands in it before its first byte. One statement is audit and revocation at once, so that no use
//! slips between a look and a note.
//!
//! ```
//! use tower_presign::{
//!     AccessPolicy, Denial, MintRequest, Minted, RedeemRequest, Settled, Terms, UrlId, UseLedger,
//! };
//! # use std::{io, time::SystemTime};
//! # struct Database;
//! # impl Database {
//! #     async fn rights(&self, _: &MintRequest) -> io::Result<Option<bool>> { Ok(None) }
//! #     async fn insert_url(&self, _: Option<&UrlId>, _: &Minted<'_>) -> io::Result<()> { Ok(()) }
//! #     async fn insert_use(&self, _: Option<&UrlId>) -> io::Result<bool> { Ok(true) }
//! #     async fn insert_end(&self, _: Option<&UrlId>, _: &str, _: u64) -> io::Result<()> { Ok(()) }
//! #     async fn set_used(&self, _: &UrlId) -> io::Result<bool> { Ok(true) }
//! #     async fn unset_used(&self, _: &UrlId) -> io::Result<()> { Ok(()) }
//! # }
//!
//! struct Audited { database: Database } // each method is a statement of the table above
//!
//! impl AccessPolicy for Audited {
//!     async fn mint(&self, request: MintRequest) -> Result<Terms, Denial> {
//!         match self.database.rights(&request).await.map_err(Denial::unavailable)? {
//!             None => Err(Denial::login_required()),
//!             Some(false) => Err(Denial::forbidden()),
//!             Some(true) => Ok(Terms::new().id(UrlId::random())),
//!         }
//!     }
//!
//!     async fn minted(&self, minted: Minted<'_>) -> Result<(), Denial> {
//!         let id = minted.grant().id.as_ref();
//!         self.database.insert_url(id, &minted).await.map_err(Denial::unavailable)
//!     }
//!
//!     async fn redeem(&self, request: RedeemRequest<'_>) -> Result<(), Denial> {
//!         let id = request.grant().id.as_ref();
//!         match self.database.insert_use(id).await.map_err(Denial::unavailable)? {
//!             true => Ok(()),
//!             false => Err(Denial::forbidden().because("This URL has been revoked.")),
//!         }
//!     }
//!
//!     async fn settled(&self, settled: Settled<'_>) {
//!         let (id, end) = (settled.grant().id.as_ref(), settled.ending().as_str());
//!         if let Err(error) = self.database.insert_end(id, end, settled.bytes()).await {
//!             eprintln!("The end of a use is not in the audit trail: {error}");
//!         }
//!     }
//! }
//!
//! /// For `Terms::single_use`. The trail knows each URL, so it is the ledger too.
//! impl UseLedger for Audited {
//!     async fn reserve(&self, id: &UrlId, _: SystemTime) -> Result<bool, Denial> {
//!         // UPDATE url SET used = now() WHERE id = $1 AND used IS NULL    -- one row: reserved
//!         self.database.set_used(id).await.map_err(Denial::unavailable)
//!     }
//!
//!     async fn release(&self, id: &UrlId) {
//!         // UPDATE url SET used = NULL WHERE id = $1
//!         if let Err(error) = self.database.unset_used(id).await {
//!             eprintln!("A URL for one download stays used: {error}");
//!         }
//!     }
//! }
//! # fn assert_policy(_: impl AccessPolicy + UseLedger) {}
//! # assert_policy(Audited { database: Database });
//! ```
//!
//! # As FHIR AuditEvents
//!
//! A FHIR server reports access as `AuditEvent`s (<https://hl7.org/fhir/R4/auditevent.html>). This
//! policy wraps the host's own. [`settled`](crate::AccessPolicy::settled) can add the outcome and the
//! bytes in the same way.
//!
//! ```
//! use std::time::SystemTime;
//!
//! use http::Extensions;
//! use serde_json::{Value, json};
//! use tower_presign::{Access, AccessPolicy, BinaryId, Denial, MintRequest, RedeemRequest, Terms};
//!
//! /// The caller, as the host's authentication adds it to a request.
//! #[derive(Clone)]
//! struct Caller { practitioner: String }
//!
//! /// The client's address, as the host's server adds it to a request.
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
//! /// The host's store of AuditEvents.
//! #[derive(Clone, Default)]
//! struct Trail(std::sync::Arc<std::sync::Mutex<Vec<Value>>>);
//!
//! impl Trail {
//!     /// Returns when the record is safe. Without a record there is no access.
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
//! # Outside of the trail
//!
//! - URLs that a cloud store signs: their uses are in the store's own logs. To audit them here,
//!   serve the content from here, or redirect each use
//!   ([`redirect_to_storage`](crate::PresignLayer::redirect_to_storage)).
//! - URLs of [`Presigner::presign`](crate::Presigner::presign), which asks no policy:
//!   [`presign_for`](crate::Presigner::presign_for) does.
//! - The URL itself. Every reader of the trail could use it, and the id is enough.
//!
//! For logs and metrics, which may miss something, the module `events` (feature `tracing`) is enough,
//! and needs no policy; its field `url_id` is the URL's id.
