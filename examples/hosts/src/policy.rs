//! The rights, and an audit trail without which nobody gets anything.

use std::time::{Duration, SystemTime};

use axum::http::{HeaderMap, header::AUTHORIZATION};
use sha2::{Digest as _, Sha256};
use tokio::time::timeout;
use tower_presign::store::RepositoryError;
use tower_presign::{
    Accepting, Access, AccessPolicy, BinaryId, Denial, Grant, MintRequest, Minted, RedeemRequest,
    Settled, Terms, UrlId, UseLedger,
};

use crate::{Host, rows};

/// The time that a client waits for a scan. One that takes longer goes on in the quarantine.
const PATIENCE: Duration = Duration::from_secs(10);

impl Host {
    /// An error unless the caller may do that to a Binary: within the Patient's compartment, if the
    /// caller has one.
    pub async fn may(&self, by: &HeaderMap, id: BinaryId, access: Access) -> Result<(), Denial> {
        let sql = r#"SELECT may_write, caller.patient IS NULL OR "binary".id IS NOT NULL
            FROM caller LEFT JOIN "binary" ON "binary".tenant = $1 AND "binary".id = $3
              AND "binary".patient = caller.patient
            WHERE caller.tenant = $1 AND token = $2"#;
        let rights: Vec<(bool, bool)> = rows!(self, sql, token(by), id.as_str())?;
        match rights[..] {
            [] => Err(Denial::login_required()),
            // The answer hides even that there is something.
            [(_, false), ..] => Err(Denial::not_found()),
            [(false, true), ..] if access == Access::Write => Err(Denial::forbidden()),
            _ => Ok(()),
        }
    }
}

impl AccessPolicy for Host {
    async fn mint(&self, request: MintRequest) -> Result<Terms, Denial> {
        self.may(request.headers(), request.id(), request.access()).await?;
        let terms = Terms::new().lifetime(Duration::from_secs(15 * 60)).id(UrlId::random());
        let query = request.parts().uri.query().unwrap_or_default();
        let is_single_use = query.split('&').any(|parameter| parameter == "once=true");
        Ok(if is_single_use { terms.single_use() } else { terms })
    }

    /// Without its row in the audit trail, nobody gets the URL.
    async fn minted(&self, minted: Minted<'_>) -> Result<(), Denial> {
        let (grant, key) = (minted.grant(), &minted.grant().key);
        let sql = r#"INSERT INTO url (id, tenant, caller, "binary", version, access, expires)
            SELECT $3, tenant, name, $4, $5, $6, to_timestamp($7::bigint)
            FROM caller WHERE tenant = $1 AND token = $2 RETURNING id"#;
        let (id, version) = (key.id().to_string(), key.version().to_string());
        let access = format!("{:?}", grant.access());
        let (token, expires) =
            (token(minted.headers()), grant.expires.unix_seconds().cast_signed());
        let rows = rows!(self, sql, token, url(grant), id, version, access, expires)?;
        done(&rows, Denial::login_required)
    }

    /// Without its row in the audit trail, and after its URL was revoked, no use takes place.
    async fn redeem(&self, request: RedeemRequest<'_>) -> Result<(), Denial> {
        let sql = "INSERT INTO url_use (url, event) SELECT id, 'begun' FROM url
            WHERE tenant = $1 AND id = $2 AND revoked IS NULL RETURNING url";
        let revoked = || Denial::forbidden().because("This URL has been revoked.");
        done(&rows!(self, sql, url(request.grant()))?, revoked)
    }

    /// Refuses what the scanner recognises at once. Without its answer the upload is published, and
    /// stays in the quarantine until there is one.
    async fn accept(&self, upload: Accepting<'_>) -> Result<(), Denial> {
        let Some(scanner) = &self.scanner else { return Ok(()) };
        let scan = scanner.is_clean(upload.content(None).await?);
        let Ok(Ok(is_clean)) = timeout(PATIENCE, scan).await else { return Ok(()) };
        let virus = || Denial::rejected().because("The scanner recognises a virus.");
        is_clean.then_some(()).ok_or_else(virus)?;
        let sql = "INSERT INTO clean SELECT $2 WHERE $1 <> '' ON CONFLICT DO NOTHING";
        let _: Vec<()> = rows!(self, sql, upload.sha256())?;
        Ok(())
    }

    async fn settled(&self, settled: Settled<'_>) {
        let sql = "INSERT INTO url_use (url, event, bytes, seconds)
            SELECT id, $3, $4, $5 FROM url WHERE tenant = $1 AND id = $2";
        let (url, event) = (url(settled.grant()), settled.ending().as_str());
        let (bytes, time) = (settled.bytes().cast_signed(), settled.duration().as_secs_f64());
        log(rows!(self, sql, url, event, bytes, time));
        self.wake.notify_one();
    }
}

/// The audit trail knows each URL, so it is the ledger too.
impl UseLedger for Host {
    async fn reserve(&self, id: &UrlId, _: SystemTime) -> Result<bool, Denial> {
        let sql = "UPDATE url SET used = now()
            WHERE tenant = $1 AND id = $2 AND used IS NULL RETURNING id";
        let rows: Vec<(String,)> = rows!(self, sql, id.as_str())?;
        Ok(!rows.is_empty())
    }

    async fn release(&self, id: &UrlId) {
        let sql = "UPDATE url SET used = NULL WHERE tenant = $1 AND id = $2";
        log(rows!(self, sql, id.as_str()));
    }
}

/// An error unless the statement did it.
pub fn done(rows: &[(String,)], otherwise: impl FnOnce() -> Denial) -> Result<(), Denial> {
    rows.first().map(|_| ()).ok_or_else(otherwise)
}

fn log(result: Result<Vec<()>, RepositoryError>) {
    result.map_err(|error| eprintln!("The audit trail misses something: {error}")).ok();
}

fn url(grant: &Grant) -> Option<&str> {
    grant.id.as_ref().map(UrlId::as_str)
}

/// The hash of the request's bearer token: that of nothing, if it has none.
pub fn token(headers: &HeaderMap) -> [u8; 32] {
    let header = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let token = header.and_then(|value| value.strip_prefix("Bearer "));
    Sha256::digest(token.unwrap_or_default()).into()
}
