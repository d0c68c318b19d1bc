//! The work behind the requests: bytes of deleted Binaries, scans that take long, and the sweep.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::time::timeout;
use tower_presign::store::RepositoryError;
use tower_presign::{Composed, ContentStore, Place};

use crate::{Host, rows};

/// Longer than all servers may be down at once.
const SWEPT: Duration = Duration::from_secs(30 * 24 * 60 * 60);

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Any number of servers may do this at once: each step can be repeated.
pub async fn keep_house(repository: Arc<Composed<Host, impl ContentStore>>) {
    let host = repository.catalog();
    let place = |place: &str| Place::new(place).map_err(RepositoryError::internal);
    let mut swept = SystemTime::UNIX_EPOCH;
    loop {
        let round = async {
            // The remains of crashes.
            let now = SystemTime::now();
            if swept + DAY < now {
                repository.sweep(now - SWEPT).await?;
                swept = now;
            }
            // Content deleted by the host. A crash at any point leaves the rest for the next round.
            let free: Vec<(String,)> = rows!(host, "SELECT place FROM discard WHERE tenant = $1")?;
            for (free,) in free {
                repository.discard(&place(&free)?).await?;
                let sql = "DELETE FROM discard WHERE tenant = $1 AND place = $2";
                let _: Vec<()> = rows!(host, sql, free)?;
            }
            // Content in the quarantine.
            let Some(scanner) = &host.scanner else { return Ok(()) };
            let sql = r#"SELECT place FROM version JOIN "binary" USING (tenant, id)
                WHERE tenant = $1 AND is_clean IS NULL AND deleted IS NULL ORDER BY random()"#;
            let waiting: Vec<(String,)> = rows!(host, sql)?;
            for (waiting,) in waiting {
                let content = repository.store().get(&place(&waiting)?, None).await?;
                let is_clean = scanner.is_clean(content).await?;
                let sql = "WITH scanned AS (
                      UPDATE version SET is_clean = $3 WHERE tenant = $1 AND place = $2
                      RETURNING tenant, place
                    )
                    INSERT INTO discard SELECT tenant, place FROM scanned WHERE NOT $3
                    ON CONFLICT DO NOTHING";
                let _: Vec<()> = rows!(host, sql, waiting, is_clean)?;
            }
            Ok::<_, RepositoryError>(())
        };
        if let Err(error) = round.await {
            eprintln!("The housekeeping goes on later: {error}");
        }
        // Woken or not, there may be something to do.
        timeout(Duration::from_secs(60), host.wake.notified()).await.ok();
    }
}
