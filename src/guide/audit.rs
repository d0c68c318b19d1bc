//! Audit: a trail that misses no URL and no use, and URLs that are taken back.
//!
//! A presigned URL is used without a login, so its own id is what ties a use to the caller who got it:
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
//! | [`redeem`](crate::AccessPolicy::redeem) | `INSERT INTO url_use … SELECT id FROM url WHERE id = $1 AND revoked IS NULL` | nothing is read or written: 503; no row is 403 |
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
//! # What the trail does not have
//!
//! - URLs that a cloud store signs: their uses are in the store's own logs. Serve from here what must
//!   be audited here, or redirect each use
//!   ([`redirect_to_storage`](crate::PresignLayer::redirect_to_storage)).
//! - URLs of [`Presigner::presign`](crate::Presigner::presign), which asks no policy:
//!   [`presign_for`](crate::Presigner::presign_for) does.
//! - The URL itself. Whoever can read the trail could use it: the id is enough.
//!
//! For logs and metrics, which may miss something, the module `events` (feature `tracing`) is enough,
//! and needs no policy.
