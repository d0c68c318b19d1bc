//! An example of a repository over a database: content in a table, whose primary key keeps the
//! promise that a version is written once.
//!
//! ```sql
//! CREATE TABLE "binary" (
//!     id text PRIMARY KEY,
//!     content_type text NOT NULL,
//!     deleted boolean NOT NULL
//! );
//! CREATE TABLE content (
//!     id text REFERENCES "binary",
//!     version bigint,
//!     written timestamptz NOT NULL,
//!     bytes bytea NOT NULL,
//!     PRIMARY KEY (id, version)
//! );
//! ```
//!
//! In the code, `Database` stands for the client of your database, and each of its methods for the
//! statement above the call. The code passes the tests of the module `contract`.
//!
//! An upload is gathered in memory before it is inserted, so this suits content of some megabytes:
//! set the limit with [`PresignLayer::max_upload`](crate::PresignLayer::max_upload). Larger content
//! belongs in files or a bucket, to which the table points.
//!
//! ```
//! use bytes::{Bytes, BytesMut};
//! use tower_presign::store::{
//!     BinaryRepository, ByteRange, Content, Located, Metadata, RepositoryError, Target, Upload,
//! };
//! use tower_presign::{Access, BinaryId, BinaryKey, ContentType, VersionId};
//! # use std::{collections::BTreeMap, io, ops::Range, sync::Mutex, time::SystemTime};
//! # struct Database(BinaryId, Mutex<BTreeMap<u64, (SystemTime, Bytes)>>);
//! # struct Binary { content_type: String, deleted: bool, newest: Option<u64> }
//! # impl Database {
//! #     async fn binary(&self, id: BinaryId) -> io::Result<Option<Binary>> {
//! #         let newest = self.1.lock().unwrap().last_key_value().map(|(number, _)| *number);
//! #         let content_type = "text/plain; charset=utf-8".to_owned();
//! #         Ok((id == self.0).then_some(Binary { content_type, deleted: false, newest }))
//! #     }
//! #     async fn metadata(&self, _: BinaryId, number: u64) -> io::Result<Option<Metadata>> {
//! #         Ok(self.1.lock().unwrap().get(&number).map(|(written, bytes)| {
//! #             Metadata::new("text/plain; charset=utf-8", bytes.len() as u64, *written)
//! #         }))
//! #     }
//! #     async fn bytes(&self, _: BinaryId, number: u64, range: Range<u64>) -> io::Result<Option<Bytes>> {
//! #         let (start, end) = (range.start as usize, range.end as usize);
//! #         Ok(self.1.lock().unwrap().get(&number).map(|(_, bytes)| bytes.slice(start..end)))
//! #     }
//! #     async fn insert(&self, id: BinaryId, number: u64, bytes: Bytes) -> io::Result<Option<SystemTime>> {
//! #         let mut content = self.1.lock().unwrap();
//! #         let now = SystemTime::now();
//! #         let is_new = id == self.0 && !content.contains_key(&number);
//! #         Ok(is_new.then(|| content.insert(number, (now, bytes))).map(|_| now))
//! #     }
//! # }
//!
//! struct Table { database: Database }
//!
//! impl Table {
//!     async fn binary(&self, id: BinaryId) -> Result<Binary, RepositoryError> {
//!         // SELECT content_type, deleted, (SELECT max(version) FROM content WHERE id = $1) AS newest
//!         // FROM "binary" WHERE id = $1
//!         match self.database.binary(id).await.map_err(RepositoryError::unavailable)? {
//!             None => Err(RepositoryError::NotFound),
//!             Some(binary) if binary.deleted => Err(RepositoryError::Deleted),
//!             Some(binary) => Ok(binary),
//!         }
//!     }
//! }
//!
//! impl BinaryRepository for Table {
//!     async fn locate(&self, target: &Target) -> Result<Located, RepositoryError> {
//!         let binary = self.binary(target.id()).await?;
//!         let newest = binary.newest.unwrap_or(0);
//!         let readable = newest.max(1); // what the first upload will create
//!         let number = match (target.access(), target.version()) {
//!             (Access::Read, Some(version)) => match number(version)? {
//!                 past if (1..=readable).contains(&past) => past,
//!                 _ => return Err(RepositoryError::NotFound), // it never was
//!             },
//!             (Access::Read, None) => readable,
//!             _ => newest + 1,
//!         };
//!         let content_type = ContentType::new(binary.content_type).map_err(RepositoryError::internal)?;
//!         Ok(Located::new(target.key(VersionId::from(number)), content_type))
//!     }
//!
//!     async fn head(&self, key: &BinaryKey) -> Result<Metadata, RepositoryError> {
//!         self.binary(key.id()).await?; // or it is no more
//!         // SELECT content_type, octet_length(bytes), written
//!         // FROM content JOIN "binary" USING (id) WHERE id = $1 AND version = $2
//!         let row = self.database.metadata(key.id(), number(key.version())?).await;
//!         row.map_err(RepositoryError::unavailable)?.ok_or(RepositoryError::NotFound)
//!     }
//!
//!     async fn read(
//!         &self,
//!         key: &BinaryKey,
//!         range: Option<ByteRange>,
//!     ) -> Result<Content, RepositoryError> {
//!         let metadata = self.head(key).await?;
//!         let range = match range {
//!             Some(range) => range.resolve(metadata.length)?,
//!             None => 0..metadata.length,
//!         };
//!         // SELECT substring(bytes FROM $3 + 1 FOR $4 - $3)
//!         // FROM content WHERE id = $1 AND version = $2
//!         let row = self.database.bytes(key.id(), number(key.version())?, range.clone()).await;
//!         let bytes = row.map_err(RepositoryError::unavailable)?;
//!         let bytes = bytes.ok_or(RepositoryError::NotFound)?; // deleted in between
//!         Ok(Content::from_bytes(metadata, range, bytes))
//!     }
//!
//!     async fn write(
//!         &self,
//!         key: &BinaryKey,
//!         mut upload: Upload,
//!     ) -> Result<Metadata, RepositoryError> {
//!         match self.head(key).await {
//!             Ok(_) => return Err(RepositoryError::AlreadyWritten),
//!             Err(RepositoryError::NotFound) => {}
//!             Err(error) => return Err(error),
//!         }
//!         let mut bytes = BytesMut::new();
//!         while let Some(chunk) = upload.next().await {
//!             bytes.extend_from_slice(&chunk?);
//!         }
//!         let length = bytes.len() as u64;
//!         // Of two uploads the later inserts nothing, and so does one to a Binary that is no more:
//!         // INSERT INTO content (id, version, written, bytes)
//!         // SELECT id, $2, now(), $3 FROM "binary" WHERE id = $1 AND NOT deleted
//!         // ON CONFLICT DO NOTHING RETURNING written
//!         let row = self.database.insert(key.id(), number(key.version())?, bytes.freeze()).await;
//!         let Some(last_modified) = row.map_err(RepositoryError::unavailable)? else {
//!             self.binary(key.id()).await?;
//!             return Err(RepositoryError::AlreadyWritten);
//!         };
//!         let content_type = upload.content_type().to_string();
//!         Ok(Metadata::new(content_type, length, last_modified))
//!     }
//! }
//!
//! fn number(version: VersionId) -> Result<u64, RepositoryError> {
//!     version.number().ok_or(RepositoryError::NotFound)
//! }
//! # #[cfg(feature = "test-util")]
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! #     tower_presign::store::contract::check(async || {
//! #         let id = BinaryId::random();
//! #         (Table { database: Database(id, Mutex::default()) }, id)
//! #     })
//! #     .await;
//! # }
//! # #[cfg(not(feature = "test-util"))]
//! # fn main() {}
//! ```
