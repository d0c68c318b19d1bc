//! Your table, our bytes: a host keeps its Binaries in a table, and their content in a folder or a
//! bucket.
//!
//! ```text
//! Catalog       which Binaries and versions there are        your table: four methods
//! ContentStore  bytes, in places of its own making           FsStore, BucketStore
//! Composed      both of them, as one BinaryRepository        the layer's
//! ```
//!
//! # Why not a decorator
//!
//! The obvious way is a repository around another: `inner.write(key, upload).await?`, and then the
//! `INSERT`. It loses uploads for good. If a deploy, or a client that leaves, ends the future
//! between the two, the table knows nothing of the content. The version is written, so no other
//! upload is taken; and each read is answered 404, for there is no row. No order of these two steps
//! mends that, as long as the inner repository makes content visible by itself. [`Composed`]
//! separates the two: bytes to which nothing refers can neither be read nor be in the way.
//!
//! # The table
//!
//! ```sql
//! CREATE TABLE "binary" (
//!     id text PRIMARY KEY,
//!     patient text NOT NULL,          -- the compartment that Binary.securityContext names
//!     content_type text NOT NULL,
//!     deleted timestamptz
//! );
//! CREATE TABLE version (
//!     id text NOT NULL REFERENCES "binary",
//!     number bigint NOT NULL,
//!     place text NOT NULL UNIQUE,     -- a Place: up to 512 characters of ASCII
//!     length bigint NOT NULL,
//!     sha256 bytea NOT NULL,
//!     written timestamptz NOT NULL DEFAULT now(),
//!     PRIMARY KEY (id, number)        -- of two uploads, the second inserts nothing
//! );
//! CREATE TABLE discard (place text PRIMARY KEY);  -- deleted, and the bytes not yet removed
//! ```
//!
//! # The catalog
//!
//! `Database` stands for the client of your database, and each of its methods for the statement above
//! the call. The module [`contract`](../../store/contract/index.html) has the tests for it.
//!
//! ```
//! use tower_presign::store::{Entry, Located, Metadata, RepositoryError, Stored};
//! use tower_presign::{Access, BinaryId, BinaryKey, Catalog, ContentType, Place, Target, VersionId};
//! # use std::{collections::BTreeMap, io, sync::Mutex, time::SystemTime};
//! # struct Database(BinaryId, Mutex<BTreeMap<u64, Version>>, Mutex<bool>);
//! # struct Binary { content_type: String, is_deleted: bool, newest: Option<u64> }
//! # #[derive(Clone)]
//! # struct Version { place: String, length: u64, sha256: [u8; 32], written: SystemTime }
//! # impl Database {
//! #     async fn binary(&self, id: BinaryId) -> io::Result<Option<Binary>> {
//! #         let newest = self.1.lock().unwrap().last_key_value().map(|(number, _)| *number);
//! #         let content_type = "text/plain; charset=utf-8".to_owned();
//! #         let is_deleted = *self.2.lock().unwrap();
//! #         Ok((id == self.0).then_some(Binary { content_type, is_deleted, newest }))
//! #     }
//! #     async fn version(&self, _: BinaryId, number: u64) -> io::Result<Option<Version>> {
//! #         Ok(self.1.lock().unwrap().get(&number).cloned())
//! #     }
//! #     async fn insert(&self, id: BinaryId, number: u64, version: Version) -> io::Result<Option<SystemTime>> {
//! #         let mut versions = self.1.lock().unwrap();
//! #         if id != self.0 || *self.2.lock().unwrap() || versions.contains_key(&number) { return Ok(None); }
//! #         let written = version.written;
//! #         versions.insert(number, version);
//! #         Ok(Some(written))
//! #     }
//! #     async fn unreferenced(&self, places: Vec<String>) -> io::Result<Vec<String>> {
//! #         let versions = self.1.lock().unwrap();
//! #         let is_deleted = *self.2.lock().unwrap();
//! #         let is_free = |place: &String| is_deleted || versions.values().all(|it| it.place != *place);
//! #         Ok(places.into_iter().filter(is_free).collect())
//! #     }
//! # }
//!
//! struct BinaryTable { database: Database }
//!
//! impl BinaryTable {
//!     async fn binary(&self, id: BinaryId) -> Result<Binary, RepositoryError> {
//!         // SELECT content_type, deleted IS NOT NULL AS is_deleted,
//!         //   (SELECT max(number) FROM version WHERE id = $1) AS newest
//!         // FROM "binary" WHERE id = $1
//!         match self.database.binary(id).await.map_err(RepositoryError::unavailable)? {
//!             None => Err(RepositoryError::NotFound),
//!             Some(binary) if binary.is_deleted => Err(RepositoryError::Deleted),
//!             Some(binary) => Ok(binary),
//!         }
//!     }
//! }
//!
//! impl Catalog for BinaryTable {
//!     async fn locate(&self, target: &Target) -> Result<Located, RepositoryError> {
//!         let binary = self.binary(target.id()).await?;
//!         let newest = binary.newest.unwrap_or(0);
//!         let readable = newest.max(1); // what the first upload will create
//!         let number = match (target.access(), target.version()) {
//!             (Access::Read, Some(version)) => match version.number() {
//!                 Some(past) if (1..=readable).contains(&past) => past,
//!                 _ => return Err(RepositoryError::NotFound), // it never was
//!             },
//!             (Access::Read, None) => readable,
//!             _ => newest + 1,
//!         };
//!         let content_type = ContentType::new(binary.content_type).map_err(RepositoryError::internal)?;
//!         Ok(Located::new(target.key(VersionId::from(number)), content_type))
//!     }
//!
//!     async fn find(&self, key: &BinaryKey) -> Result<Entry, RepositoryError> {
//!         let binary = self.binary(key.id()).await?; // or in one statement, with a JOIN
//!         // SELECT place, length, sha256, written FROM version WHERE id = $1 AND number = $2
//!         let version = self.database.version(key.id(), number(key)?).await;
//!         let version = version.map_err(RepositoryError::unavailable)?;
//!         let version = version.ok_or(RepositoryError::NotFound)?;
//!         let place = Place::new(version.place).map_err(RepositoryError::internal)?;
//!         let metadata = Metadata::new(binary.content_type, version.length, version.written);
//!         Ok(Entry::new(place, metadata.with_sha256(version.sha256)))
//!     }
//!
//!     async fn publish(&self, key: &BinaryKey, stored: &Stored) -> Result<Metadata, RepositoryError> {
//!         let version = Version {
//!             place: stored.place.as_str().to_owned(),
//!             length: stored.length,
//!             sha256: stored.sha256,
//! #           written: SystemTime::now(),
//!         };
//!         // INSERT INTO version (id, number, place, length, sha256)
//!         // SELECT id, $2, $3, $4, $5 FROM "binary" WHERE id = $1 AND deleted IS NULL FOR SHARE
//!         // ON CONFLICT (id, number) DO NOTHING RETURNING written
//!         let row = self.database.insert(key.id(), number(key)?, version).await;
//!         let Some(written) = row.map_err(RepositoryError::unavailable)? else {
//!             self.binary(key.id()).await?; // it may have been deleted meanwhile
//!             return Err(RepositoryError::AlreadyWritten);
//!         };
//!         let metadata = Metadata::new(stored.content_type.as_str(), stored.length, written);
//!         Ok(metadata.with_sha256(stored.sha256))
//!     }
//!
//!     async fn unreferenced(&self, places: &[Place]) -> Result<Vec<Place>, RepositoryError> {
//!         let places = places.iter().map(|place| place.as_str().to_owned()).collect();
//!         // SELECT place FROM unnest($1) free(place) WHERE NOT EXISTS (
//!         //   SELECT FROM version v JOIN "binary" USING (id)
//!         //   WHERE v.place = free.place AND deleted IS NULL)
//!         let free = self.database.unreferenced(places).await;
//!         let free = free.map_err(RepositoryError::unavailable)?;
//!         let free = free.into_iter().map(Place::new);
//!         free.collect::<Result<_, _>>().map_err(RepositoryError::internal)
//!     }
//! }
//!
//! fn number(key: &BinaryKey) -> Result<u64, RepositoryError> {
//!     key.version().number().ok_or(RepositoryError::NotFound)
//! }
//! # #[cfg(feature = "test-util")]
//! # mod tests {
//! #     use super::*;
//! #     pub async fn make() -> (BinaryTable, BinaryId) {
//! #         let id = BinaryId::random();
//! #         (BinaryTable { database: Database(id, Mutex::default(), Mutex::default()) }, id)
//! #     }
//! #     pub async fn delete(table: &BinaryTable, _: BinaryId) { *table.database.2.lock().unwrap() = true; }
//! # }
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! #     #[cfg(feature = "test-util")]
//! #     {
//! #         use tower_presign::store::contract::catalog as promises;
//! #         promises::what_was_published_is_found(&tests::make).await;
//! #         promises::a_version_is_published_once(&tests::make).await;
//! #         promises::a_second_publication_makes_a_new_version_and_keeps_the_old(&tests::make).await;
//! #         promises::a_binary_that_never_was_is_not_found(&tests::make).await;
//! #         promises::places_that_no_version_refers_to_are_reported_and_no_others(&tests::make).await;
//! #         promises::what_was_deleted_is_gone_and_its_places_are_free(&tests::make, &tests::delete).await;
//! #     }
//! # }
//! ```
//!
//! With `FOR SHARE`, a publication and a deletion wait for each other: an upload that ends while
//! its Binary is deleted is in the list of places to discard, or was never published.
//!
//! **SQLite**, by rusqlite or another blocking client: run each transaction in `spawn_blocking`. It
//! runs to its end there even if the future of `publish` is dropped, which is as good as a
//! publication whose answer was lost. SQLite has one writer at a time, so `FOR SHARE` goes, and
//! `json_each` does what `unnest` does here.
//!
//! # Rights from the same rows
//!
//! A policy that looks a Binary's patient up runs before the rights are known. If it answers by
//! `self.binary(id).await?`, strangers get 410 for what was deleted, and 404 for what never was. So
//! select the patient from deleted rows too, and give
//! [`Denial::not_found`](crate::Denial::not_found) for no row as well as for no right. The catalog
//! says 410 to those who may know.
//!
//! # The repository
//!
//! An [`Arc`](std::sync::Arc) of a repository is a repository too: the layer gets one, and the
//! host keeps the other, for the round that removes the bytes of deleted Binaries. The loop's first
//! round is the one that each start needs.
//!
//! ```no_run
//! # #[cfg(all(feature = "fs", feature = "object-store"))]
//! # mod host {
//! # use tower_presign::store::{Bucket, Entry, Located, Metadata, RepositoryError, Stored, Target};
//! # use tower_presign::{AllowAll, BinaryKey, UrlSigner};
//! # pub struct BinaryTable;
//! # impl BinaryTable {
//! #     async fn to_discard(&self) -> Result<Vec<Place>, RepositoryError> { Ok(Vec::new()) }
//! #     async fn discarded(&self, _: &Place) -> Result<(), RepositoryError> { Ok(()) }
//! # }
//! # impl tower_presign::Catalog for BinaryTable {
//! #     async fn locate(&self, _: &Target) -> Result<Located, RepositoryError> { unimplemented!() }
//! #     async fn find(&self, _: &BinaryKey) -> Result<Entry, RepositoryError> { unimplemented!() }
//! #     async fn publish(&self, _: &BinaryKey, _: &Stored) -> Result<Metadata, RepositoryError> { unimplemented!() }
//! #     async fn unreferenced(&self, _: &[Place]) -> Result<Vec<Place>, RepositoryError> { unimplemented!() }
//! # }
//! # async fn example(
//! #     table: BinaryTable, folder: Option<&str>, bucket: Bucket, signer: UrlSigner,
//! # ) -> Result<(), Box<dyn std::error::Error>> {
//! # let authorize = AllowAll;
//! use std::{sync::Arc, time::Duration};
//! use tower_presign::store::{BucketStore, FsStore};
//! use tower_presign::{BoxRepository, Composed, ContentStore, Place, PresignLayer};
//!
//! let repository = match folder {
//!     Some(folder) => shared(Composed::new(table, FsStore::open(folder).await?)),
//!     None => shared(Composed::new(table, BucketStore::open(bucket).await?)),
//! };
//! let layer = PresignLayer::new(signer, repository, authorize);
//! # Ok(())
//! # }
//! # use {std::{sync::Arc, time::Duration}, tower_presign::{BoxRepository, Composed, ContentStore, Place}};
//!
//! fn shared(repository: Composed<BinaryTable, impl ContentStore>) -> BoxRepository {
//!     let repository = Arc::new(repository);
//!     tokio::spawn(discard_deleted(Arc::clone(&repository)));
//!     BoxRepository::new(repository)
//! }
//!
//! async fn discard_deleted(repository: Arc<Composed<BinaryTable, impl ContentStore>>) {
//!     let table = repository.catalog();
//!     loop {
//!         let round = async {
//!             for place in table.to_discard().await? { // SELECT place FROM discard
//!                 repository.discard(&place).await?;
//!                 table.discarded(&place).await?; // DELETE FROM discard WHERE place = $1
//!             }
//!             Ok::<(), RepositoryError>(())
//!         };
//!         if let Err(error) = round.await {
//!             eprintln!("{error}"); // the next round goes on
//!         }
//!         tokio::time::sleep(Duration::from_secs(60)).await; // or until a deletion wakes it
//!     }
//! }
//! # }
//! ```
//!
//! A folder belongs to one process. Any number of servers share a bucket and a table, and each may
//! run the round.
//!
//! # The order of things
//!
//! | step | a crash after it leaves | the remedy |
//! |---|---|---|
//! | the upload arrives | nothing that is visible, part of the bytes at most | opening the folder; the bucket's rule for incomplete uploads |
//! | [`put`](crate::ContentStore::put): bytes are durable, in a new place | bytes without a record | the [sweep](Composed::sweep), and the client, who sends them again |
//! | [`accept`](crate::AccessPolicy::accept): the policy looks at them | the same | the same |
//! | [`publish`](Catalog::publish): your transaction | an upload that is stored, and an answer that was not sent | the client: the same bytes once more are answered 200 |
//! | the answer | | |
//! | `DELETE`: your transaction, which notes the places | a record that is gone, and its bytes | your next round over `discard` |
//! | [`discard`](Composed::discard) | | |
//!
//! There never is a record without bytes: they come first and go last. When the connection to the
//! database breaks during `publish`, nobody knows whether it took place: the client gets 503, the
//! bytes stay, and the sweep removes them if no record has appeared.
//!
//! The deletion in SQL. [The round](#the-repository) does the rest:
//!
//! ```sql
//! BEGIN;
//! UPDATE "binary" SET deleted = now() WHERE id = $1 AND deleted IS NULL;
//! INSERT INTO discard SELECT place FROM version WHERE id = $1 ON CONFLICT DO NOTHING;
//! COMMIT;
//! ```
//!
//! Once a day, any server runs the [sweep](Composed::sweep), whose docs have the loop.
//!
//! # An upload is complete
//!
//! | moment | good for |
//! |---|---|
//! | [`accept`](crate::AccessPolicy::accept) | nothing of this kind: it is too early, since the upload may still lose a race for its version |
//! | [`publish`](Catalog::publish) | messages that must not be lost: a row for them in the same transaction. It knows the caller if the policy puts one into [`Terms::context`](crate::Terms::context): [`BinaryKey::context`](crate::BinaryKey::context) |
//! | [`settled`](crate::AccessPolicy::settled), with [`has_stored`](crate::Settled::has_stored) | messages that may be lost in a crash. It knows the whole request |
//!
//! # A quarantine
//!
//! A column `is_clean boolean` is enough. `find` returns [`NotReady`](RepositoryError::NotReady)
//! while it is null, which clients get as 503 `not-ready` with `Retry-After`; the scan updates it.
//! Content that is found bad while its client waits is refused in
//! [`accept`](crate::AccessPolicy::accept), before it has a record. Leave the place out of what
//! `locate` returns: with it, reads go to the store and `find` is not asked.

#[cfg(doc)]
use crate::store::{Catalog, Composed, RepositoryError};
