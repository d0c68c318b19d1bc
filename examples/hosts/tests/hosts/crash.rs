//! The remains of a client, a server or a database that goes away in the middle.

use std::time::{Duration, SystemTime};

use axum::http::{Method, StatusCode};
use futures_util::future::join_all;
use sqlx::postgres::PgListener;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tower_presign::store::{BucketStore, FsStore, Swept};
use tower_presign::{BinaryId, Composed, ContentStore};

use crate::support::postgres::Postgres;
use crate::support::{ANNA, DOCTOR, Host, ORIGIN, World, soon, until};

/// The point at which a round ends the host.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Moment {
    /// The bytes are stored, and their record waits for a lock.
    BetweenPutAndPublish,
    /// The record is committed: its notification has just arrived.
    AfterPublish,
    /// Any: uploads run without a pause.
    Any,
}

/// An upload, as its client knows it.
struct Attempt {
    binary: String,
    url: String,
    content: String,
    is_acknowledged: bool,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whenever_the_host_is_killed_there_is_no_record_without_bytes_and_no_acknowledged_upload_is_lost()
 {
    let Some(world) = World::new().await else { return };
    kill_again_and_again(&world, 100).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn so_it_is_with_a_bucket() {
    let Some(world) = World::with_bucket().await else { return };
    kill_again_and_again(&world, 12).await;
}

async fn kill_again_and_again(world: &World, rounds: usize) {
    world
        .database
        .execute(
            "CREATE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql
             AS 'BEGIN NOTIFY published; RETURN NULL; END';
             CREATE TRIGGER tell AFTER INSERT ON version EXECUTE FUNCTION tell();",
        )
        .await;
    let mut attempts = Vec::new();
    let (mut cut, mut cut_and_stored) = (0, 0);
    for round in 0..rounds {
        let moment = [Moment::BetweenPutAndPublish, Moment::AfterPublish, Moment::Any][round % 3];
        let mut host = world.start().await;
        let (mut done, begun) = begin(&host, round).await;
        done.is_acknowledged =
            host.put(&done.url, done.content.clone()).await.status == StatusCode::OK;
        assert!(done.is_acknowledged, "round {round}");
        attempts.push(done);
        let ended = kill_at(world, &mut host, moment, begun).await;
        for attempt in &ended {
            if attempt.is_acknowledged {
                continue;
            }
            cut += 1;
            cut_and_stored += usize::from(is_recorded(world, attempt).await);
        }
        if let ([attempt], false) = (&ended[..], moment == Moment::Any) {
            let is_published = moment == Moment::AfterPublish;
            assert_eq!(is_recorded(world, attempt).await, is_published, "{moment:?}");
        }
        attempts.extend(ended);
    }
    println!("{} uploads, {cut} cut, {cut_and_stored} of them stored", attempts.len());
    assert!(cut > rounds / 3 && cut_and_stored > 0 && cut_and_stored < cut);

    // Bytes without a record are those of uploads that were cut, and the sweep has them.
    let records = world.database.count("SELECT count(*) FROM version").await;
    let orphans = world.files("acme").len() - records;
    assert!(orphans > 0, "{orphans}");
    let swept = sweep(world).await;
    assert_eq!(swept.deleted, orphans as u64);
    assert_eq!(world.files("acme").len(), records, "no bytes without a record");

    // The record of each is whole, and acknowledged content is there. A client without an answer
    // sends it again, with the same URL.
    let host = world.start().await;
    for attempt in &attempts {
        if is_recorded(world, attempt).await {
            host.call(DOCTOR, Method::GET, &attempt.binary).await.assert_content(&attempt.content);
        } else {
            assert!(!attempt.is_acknowledged, "an acknowledged upload is lost");
        }
        let again = host.put(&attempt.url, attempt.content.clone()).await;
        assert_eq!(again.status, StatusCode::OK, "{again:?}");
        host.call(DOCTOR, Method::GET, &attempt.binary).await.assert_content(&attempt.content);
    }
}

/// Binaries and URLs, with nothing uploaded yet: one to be left in peace, and those to be cut.
async fn begin(host: &Host, round: usize) -> (Attempt, Vec<Attempt>) {
    let mut begun = join_all((0..4).map(async |n| {
        let binary = host.create(DOCTOR, ANNA).await;
        let url = host.mint(DOCTOR, &binary, "?upload=true").await.url();
        let content = format!("content {n} of round {round}");
        Attempt { binary, url, content, is_acknowledged: false }
    }))
    .await;
    (begun.remove(0), begun)
}

async fn kill_at(
    world: &World,
    host: &mut Host,
    moment: Moment,
    mut begun: Vec<Attempt>,
) -> Vec<Attempt> {
    let put = async |host: &Host, attempt: &mut Attempt| {
        let request = host.request(Method::PUT, &attempt.url).header("content-type", "image/png");
        let answer = host.try_send(request, attempt.content.clone()).await;
        attempt.is_acknowledged = answer.is_ok_and(|answer| answer.status == StatusCode::OK);
    };
    match moment {
        Moment::BetweenPutAndPublish => {
            begun.truncate(1);
            let mut lock = world.database.pool.begin().await.unwrap();
            sqlx::raw_sql("LOCK TABLE version IN SHARE MODE").execute(&mut *lock).await.unwrap();
            let before = world.files("acme").len();
            tokio::select! {
                () = put(host, &mut begun[0]) => panic!("it must wait for the lock"),
                () = until(async || is_waiting(world).await) => {}
            }
            assert_eq!(world.files("acme").len(), before + 1, "its bytes are there");
            host.kill().await;
            // Or else the waiting statement is done all the same: only the server has died.
            sqlx::raw_sql(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                 WHERE datname = current_database() AND wait_event_type = 'Lock'",
            )
            .execute(&mut *lock)
            .await
            .unwrap();
            until(async || !is_waiting(world).await).await;
            lock.rollback().await.unwrap();
        }
        Moment::AfterPublish => {
            begun.truncate(1);
            let mut listener = PgListener::connect_with(&world.database.pool).await.unwrap();
            listener.listen("published").await.unwrap();
            // There may be an answer already: nobody reads it.
            let mut client = TcpStream::connect(&host.address).await.unwrap();
            let Attempt { url, content, .. } = &begun[0];
            client.write_all(head_of_put(url, content.len()).as_bytes()).await.unwrap();
            client.write_all(content.as_bytes()).await.unwrap();
            soon(listener.recv()).await.unwrap();
            host.kill().await;
        }
        Moment::Any => {
            // Any moment may be the wrong one.
            let life = Duration::from_micros(rand() % 20_000);
            let uploads = begun.iter_mut().map(|attempt| put(host, attempt));
            drop(tokio::time::timeout(life, join_all(uploads)).await);
            host.kill().await;
        }
    }
    begun
}

fn head_of_put(url: &str, length: usize) -> String {
    let target = url.strip_prefix(ORIGIN).unwrap();
    format!(
        "PUT {target} HTTP/1.1\r\nHost: storage\r\nContent-Type: image/png\r\n\
         Content-Length: {length}\r\n\r\n"
    )
}

/// Differs from call to call.
fn rand() -> u64 {
    use std::hash::{BuildHasher as _, RandomState};
    RandomState::new().hash_one(0)
}

async fn is_waiting(world: &World) -> bool {
    let waiting = "SELECT count(*) FROM pg_stat_activity
        WHERE datname = current_database() AND wait_event_type = 'Lock'";
    world.database.count(waiting).await > 0
}

async fn is_recorded(world: &World, attempt: &Attempt) -> bool {
    let id = attempt.binary.rsplit('/').next().unwrap();
    let count: i64 = sqlx::query_scalar("SELECT count(*) FROM version WHERE id = $1")
        .bind(id)
        .fetch_one(&world.database.pool)
        .await
        .unwrap();
    count == 1
}

/// The sweep of the day after tomorrow.
async fn sweep(world: &World) -> Swept {
    const DAY: Duration = Duration::from_secs(24 * 60 * 60);
    async fn in_store(world: &World, store: impl ContentStore) -> Swept {
        let repository = Composed::new(world.records("acme"), store);
        let repository = repository.clock(|| SystemTime::now() + 3 * DAY);
        repository.sweep(SystemTime::now() - DAY).await.unwrap()
    }
    match &world.s3 {
        None => in_store(world, FsStore::open(world.content().join("acme")).await.unwrap()).await,
        Some(s3) => in_store(world, BucketStore::new(s3.bucket().below("acme"))).await,
    }
}

#[tokio::test]
async fn a_client_that_goes_leaves_nothing_before_its_last_byte_and_the_whole_after_it() {
    let Some(world) = World::new().await else { return };
    let host = world.start().await;
    let content = "x".repeat(100_000);
    let step = content.len() / 4;
    for sent in [0, 1, step, 2 * step, content.len() - 1, content.len()] {
        let binary = host.create(DOCTOR, ANNA).await;
        let url = host.mint(DOCTOR, &binary, "?upload=true").await.url();
        let mut client = TcpStream::connect(&host.address).await.unwrap();
        client.write_all(head_of_put(&url, content.len()).as_bytes()).await.unwrap();
        client.write_all(&content.as_bytes()[..sent]).await.unwrap();
        drop(client);
        let id = url.split('&').find_map(|it| it.strip_prefix("Id=")).unwrap().to_owned();
        let ending = async || {
            let event = "SELECT event FROM url_use WHERE url = $1 AND event <> 'begun'";
            let event: Option<(String,)> =
                sqlx::query_as(event).bind(&id).fetch_optional(&world.database.pool).await.unwrap();
            event.map(|(event,)| event)
        };
        until(async || ending().await.is_some()).await;
        let read = host.call(DOCTOR, Method::GET, &binary).await;
        if sent == content.len() {
            read.assert_content(&content);
        } else {
            read.assert_refused(404, "not-found");
            assert_ne!(ending().await.as_deref(), Some("ok"), "after {sent} bytes");
            assert_eq!(host.put(&url, content.clone()).await.status, StatusCode::OK);
            host.call(DOCTOR, Method::GET, &binary).await.assert_content(&content);
        }
    }
    assert_eq!(world.files("acme").len(), 6, "no bytes but those of six uploads");
}

#[tokio::test]
async fn a_client_that_goes_while_its_record_is_written_has_its_upload_stored() {
    let Some(world) = World::new().await else { return };
    let host = world.start().await;
    let binary = host.create(DOCTOR, ANNA).await;
    let url = host.mint(DOCTOR, &binary, "?upload=true").await.url();
    let mut lock = world.database.pool.begin().await.unwrap();
    sqlx::raw_sql("LOCK TABLE version IN SHARE MODE").execute(&mut *lock).await.unwrap();
    let mut client = TcpStream::connect(&host.address).await.unwrap();
    client.write_all(head_of_put(&url, 5).as_bytes()).await.unwrap();
    client.write_all(b"image").await.unwrap();
    until(async || is_waiting(&world).await).await;
    drop(client);
    lock.rollback().await.unwrap();
    until(async || host.call(DOCTOR, Method::GET, &binary).await.status == StatusCode::OK).await;
    host.call(DOCTOR, Method::GET, &binary).await.assert_content("image");
}

#[tokio::test]
async fn a_client_that_goes_in_a_download_has_its_use_in_the_audit_trail() {
    let Some(world) = World::new().await else { return };
    let host = world.start().await;
    let binary = host.create(DOCTOR, ANNA).await;
    let write = host.mint(DOCTOR, &binary, "?upload=true").await.url();
    let content = vec![b'x'; 64 * 1024 * 1024];
    assert_eq!(host.put(&write, content).await.status, StatusCode::OK);
    let read = host.mint(DOCTOR, &binary, "").await.url();
    let mut client = TcpStream::connect(&host.address).await.unwrap();
    let target = read.strip_prefix(ORIGIN).unwrap();
    let head = format!("GET {target} HTTP/1.1\r\nHost: storage\r\n\r\n");
    client.write_all(head.as_bytes()).await.unwrap();
    client.read_exact(&mut [0; 10_000]).await.unwrap();
    drop(client);
    let aborted =
        "SELECT count(*) FROM url_use WHERE event = 'aborted' AND bytes BETWEEN 1 AND 67108863";
    until(async || world.database.count(aborted).await == 1).await;
}

#[tokio::test]
async fn content_deleted_before_a_crash_is_freed_after_it() {
    let Some(world) = World::new().await else { return };
    let mut host = world.start().await;
    let binary = host.store(DOCTOR, ANNA, "deleted").await;
    let kept = host.store(DOCTOR, ANNA, "kept").await;
    host.kill().await;
    // The transaction is done, and the process was gone before it had freed anything.
    let id = BinaryId::new(binary.rsplit('/').next().unwrap()).unwrap();
    world.records("acme").delete(id).await.unwrap();
    assert_eq!(world.files("acme").len(), 2);
    let host = world.start().await;
    until(async || world.files("acme").len() == 1).await;
    host.call(DOCTOR, Method::GET, &binary).await.assert_refused(410, "deleted");
    host.call(DOCTOR, Method::GET, &kept).await.assert_content("kept");
}

#[tokio::test]
async fn an_upload_whose_binary_is_deleted_meanwhile_leaves_nothing() {
    let Some(world) = World::new().await else { return };
    let host = world.start().await;
    let binary = host.create(DOCTOR, ANNA).await;
    let url = host.mint(DOCTOR, &binary, "?upload=true").await.url();
    let mut client = TcpStream::connect(&host.address).await.unwrap();
    client.write_all(head_of_put(&url, 5).as_bytes()).await.unwrap();
    client.write_all(b"ima").await.unwrap();
    let begun = "SELECT count(*) FROM url_use WHERE event = 'begun'";
    until(async || world.database.count(begun).await == 1).await;
    let deleted = host.call(DOCTOR, Method::DELETE, &binary).await;
    assert_eq!(deleted.status, StatusCode::NO_CONTENT);
    client.write_all(b"ge").await.unwrap();
    let mut answer = [0; 12];
    soon(client.read_exact(&mut answer)).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 410");
    until(async || world.files("acme").is_empty()).await;
    assert_eq!(world.database.count("SELECT count(*) FROM version").await, 0);
}

#[tokio::test]
async fn without_its_database_the_host_gives_nothing_and_it_goes_on_when_that_is_back() {
    let Some(postgres) = Postgres::start() else { return };
    let world = World::on(&postgres).await;
    let host = world.start().await;
    let stored = host.store(DOCTOR, ANNA, "before").await;
    let read = host.mint(DOCTOR, &stored, "").await.url();
    let binary = host.create(DOCTOR, ANNA).await;
    let write = host.mint(DOCTOR, &binary, "?upload=true").await.url();

    // In the middle of an upload: its first bytes are there, and the rest is not.
    let mut client = TcpStream::connect(&host.address).await.unwrap();
    client.write_all(head_of_put(&write, 10).as_bytes()).await.unwrap();
    client.write_all(b"first").await.unwrap();
    let begun = "SELECT count(*) FROM url_use WHERE event = 'begun'";
    until(async || world.database.count(begun).await == 2).await;
    postgres.tell("stop");
    client.write_all(b" rest").await.unwrap();
    let mut answer = [0; 12];
    soon(client.read_exact(&mut answer)).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 503");

    host.get(&read).await.assert_refused(503, "unavailable");
    host.mint(DOCTOR, &stored, "").await.assert_refused(503, "unavailable");
    host.call(DOCTOR, Method::DELETE, &stored).await.assert_refused(503, "unavailable");

    postgres.tell("start");
    until(async || host.get(&read).await.status == StatusCode::OK).await;
    host.get(&read).await.assert_content("before");
    host.call(DOCTOR, Method::GET, &binary).await.assert_refused(404, "not-found");
    assert_eq!(host.put(&write, "again").await.status, StatusCode::OK);
    host.call(DOCTOR, Method::GET, &binary).await.assert_content("again");
}

#[tokio::test]
async fn of_two_hosts_on_one_database_and_one_bucket_one_wins_the_race_for_a_url() {
    let Some(world) = World::with_bucket().await else { return };
    let hosts = [world.start().await, world.start().await];
    let mut wins = [0, 0];
    for _ in 0..20 {
        let binary = hosts[0].create(DOCTOR, ANNA).await;
        let url = hosts[0].mint(DOCTOR, &binary, "?upload=true").await.url();
        let contents = ["of the first", "of the second"];
        let [first, second] = [0, 1].map(|n| hosts[n].put(&url, contents[n]));
        let (first, second) = tokio::join!(first, second);
        let winner = usize::from(first.status != StatusCode::OK);
        let (won, lost) = if winner == 0 { (first, second) } else { (second, first) };
        assert_eq!(won.status, StatusCode::OK, "{won:?}");
        lost.assert_refused(412, "already-written");
        wins[winner] += 1;
        for host in &hosts {
            host.call(DOCTOR, Method::GET, &binary).await.assert_content(contents[winner]);
        }
        // A link for one download is for one, whichever host is asked.
        let link = hosts[0].mint(DOCTOR, &binary, "?once=true").await.url();
        let (first, second) = tokio::join!(hosts[0].get(&link), hosts[1].get(&link));
        let mut statuses = [first.status.as_u16(), second.status.as_u16()];
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 410]);
    }
    println!("the first host won {}, the second {}", wins[0], wins[1]);
    assert_eq!(world.files("acme").len(), 20, "what lost leaves nothing");
}
