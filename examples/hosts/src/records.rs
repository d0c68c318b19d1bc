//! The records of Binaries and of their versions. Four methods over two tables.

use sqlx::types::time::OffsetDateTime;
use tower_presign::store::{Entry, Located, Metadata, RepositoryError, Stored};
use tower_presign::{Access, BinaryId, BinaryKey, Catalog, ContentType, Place, Target, VersionId};

use crate::{Host, rows};

/// True if it is gone, true if it is scanned, content type, place, length, SHA-256, moment.
type Version = (bool, bool, String, String, i64, [u8; 32], OffsetDateTime);

impl Catalog for Host {
    /// Without the place of the content, each read asks `find`, which knows of the quarantine.
    async fn locate(&self, target: &Target) -> Result<Located, RepositoryError> {
        let (content_type, newest) = self.binary(target.id()).await?;
        let readable = newest.max(1);
        let version = match (target.access(), target.version().map(|named| named.number())) {
            (Access::Read, Some(Some(past))) if (1..=readable).contains(&past) => past,
            (Access::Read, Some(_)) => return Err(RepositoryError::NotFound),
            (Access::Read, None) => readable,
            _ => newest + 1,
        };
        let content_type = ContentType::new(content_type).map_err(RepositoryError::internal)?;
        Ok(Located::new(target.key(VersionId::from(version)), content_type))
    }

    async fn find(&self, key: &BinaryKey) -> Result<Entry, RepositoryError> {
        let sql = r#"SELECT deleted IS NOT NULL OR is_clean IS FALSE, is_clean IS NOT NULL,
              content_type, place, length, sha256, written
            FROM version JOIN "binary" USING (tenant, id)
            WHERE tenant = $1 AND id = $2 AND number = $3"#;
        let versions: Vec<Version> = rows!(self, sql, key.id().as_str(), number(key))?;
        match versions.into_iter().next() {
            None => self.binary(key.id()).await.and(Err(RepositoryError::NotFound)),
            Some((true, ..)) => Err(RepositoryError::Deleted),
            Some((_, false, ..)) if self.scanner.is_some() => Err(RepositoryError::NotReady),
            Some((_, _, content_type, place, length, sha256, written)) => {
                let place = Place::new(place).map_err(RepositoryError::internal)?;
                let metadata = Metadata::new(content_type, length.cast_unsigned(), written.into());
                Ok(Entry::new(place, metadata.with_sha256(sha256)))
            }
        }
    }

    /// One statement is one transaction. It waits for one that deletes the Binary, and the primary
    /// key has it wait for another upload.
    async fn publish(&self, key: &BinaryKey, stored: &Stored) -> Result<Metadata, RepositoryError> {
        let sql = r#"INSERT INTO version (tenant, id, number, place, length, sha256, is_clean)
            SELECT tenant, id, $3, $4, $5, $6, (SELECT true FROM clean WHERE sha256 = $6)
            FROM "binary" WHERE tenant = $1 AND id = $2 AND deleted IS NULL FOR SHARE
            ON CONFLICT (tenant, id, number) DO NOTHING RETURNING written"#;
        let number = number(key).ok_or(RepositoryError::NotFound)?;
        let (id, place, sha256) = (key.id().to_string(), stored.place.as_str(), stored.sha256);
        let length = stored.length.cast_signed();
        let rows: Vec<(OffsetDateTime,)> = rows!(self, sql, id, number, place, length, sha256)?;
        match rows[..] {
            [(written,)] => {
                let content_type = stored.content_type.to_string();
                Ok(Metadata::new(content_type, stored.length, written.into()).with_sha256(sha256))
            }
            _ => self.binary(key.id()).await.and(Err(RepositoryError::AlreadyWritten)),
        }
    }

    async fn unreferenced(&self, places: &[Place]) -> Result<Vec<Place>, RepositoryError> {
        let sql = r#"SELECT place FROM unnest($2) free(place) WHERE NOT EXISTS (
              SELECT FROM version v JOIN "binary" USING (tenant, id)
              WHERE v.tenant = $1 AND v.place = free.place AND deleted IS NULL
            )"#;
        let places: Vec<&str> = places.iter().map(Place::as_str).collect();
        let free: Vec<(String,)> = rows!(self, sql, places)?;
        let free = free.into_iter().map(|(place,)| Place::new(place));
        free.collect::<Result<_, _>>().map_err(RepositoryError::internal)
    }
}

impl Host {
    /// From here on the Binary is gone for everybody, and its bytes are free to be discarded.
    pub async fn delete(&self, id: BinaryId) -> Result<(), RepositoryError> {
        let mut transaction = self.pool.begin().await.map_err(RepositoryError::unavailable)?;
        for sql in [
            r#"UPDATE "binary" SET deleted = now()
               WHERE tenant = $1 AND id = $2 AND deleted IS NULL"#,
            "INSERT INTO discard SELECT tenant, place FROM version WHERE tenant = $1 AND id = $2
             ON CONFLICT DO NOTHING",
        ] {
            let query = sqlx::query(sql).bind(&*self.tenant).bind(id.as_str());
            query.execute(&mut *transaction).await.map_err(RepositoryError::unavailable)?;
        }
        transaction.commit().await.map_err(RepositoryError::unavailable)
    }

    /// A Binary's content type, and the number of its newest version, 0 if it has none.
    pub async fn binary(&self, id: BinaryId) -> Result<(String, u64), RepositoryError> {
        let sql = r#"SELECT deleted IS NOT NULL, content_type, coalesce((
              SELECT max(number) FROM version v WHERE v.tenant = b.tenant AND v.id = b.id
            ), 0)
            FROM "binary" b WHERE tenant = $1 AND id = $2"#;
        let binaries: Vec<(bool, String, i64)> = rows!(self, sql, id.as_str())?;
        match binaries.into_iter().next() {
            None => Err(RepositoryError::NotFound),
            Some((true, ..)) => Err(RepositoryError::Deleted),
            Some((false, content_type, newest)) => Ok((content_type, newest.cast_unsigned())),
        }
    }
}

/// `None` for a version that is not a number: there is none like it.
fn number(key: &BinaryKey) -> Option<i64> {
    key.version().number().and_then(|number| number.try_into().ok())
}
