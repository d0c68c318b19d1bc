//! PostgreSQL, started by the tests themselves where Debian's is installed.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock};

use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;

use super::skip;

/// A server, which ends with the tests.
pub struct Postgres {
    folder: String,
    shell: Mutex<(ChildStdin, BufReader<ChildStdout>)>,
    _process: Child,
}

impl Postgres {
    pub fn start() -> Option<Self> {
        if !Path::new("/usr/lib/postgresql").exists() {
            skip("Debian's postgresql is not installed");
            return None;
        }
        let mut process = Command::new("sh")
            .args(["-c", include_str!("postgres.sh")])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let input = process.stdin.take().unwrap();
        let mut output = BufReader::new(process.stdout.take().unwrap());
        let mut folder = String::new();
        output.read_line(&mut folder).unwrap();
        let folder = folder.trim_end().to_owned();
        assert!(!folder.is_empty(), "initdb has failed");
        let postgres = Self { folder, shell: Mutex::new((input, output)), _process: process };
        postgres.tell("start");
        Some(postgres)
    }

    /// The server that tests share if they leave it alone.
    pub fn shared() -> Option<&'static Self> {
        static SHARED: OnceLock<Option<Postgres>> = OnceLock::new();
        SHARED.get_or_init(Self::start).as_ref()
    }

    /// Starts it, or stops it as a crash does.
    pub fn tell(&self, line: &str) {
        let mut shell = self.shell.lock().unwrap();
        writeln!(shell.0, "{line}").unwrap();
        let mut answer = String::new();
        shell.1.read_line(&mut answer).unwrap();
        assert_eq!(answer, "done\n", "{line}");
    }

    /// Makes a database with the tables of the host.
    pub async fn database(&self) -> Database {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let name = format!("test{}", NUMBER.fetch_add(1, Ordering::Relaxed));
        let admin = self.connect("postgres").await;
        let create = sqlx::AssertSqlSafe(format!("CREATE DATABASE {name}"));
        sqlx::raw_sql(create).execute(&admin).await.unwrap();
        admin.close().await;
        let pool = self.connect(&name).await;
        sqlx::raw_sql(include_str!("../../../src/schema.sql")).execute(&pool).await.unwrap();
        Database { url: self.url(&name), pool }
    }

    async fn connect(&self, database: &str) -> PgPool {
        let options = PgPoolOptions::new().max_connections(4);
        options.connect(&self.url(database)).await.unwrap()
    }

    fn url(&self, database: &str) -> String {
        format!("postgres://postgres@localhost/{database}?host={}", self.folder)
    }
}

/// A database of a test's own.
pub struct Database {
    pub url: String,
    pub pool: PgPool,
}

impl Database {
    pub async fn execute(&self, sql: &'static str) {
        sqlx::raw_sql(sql).execute(&self.pool).await.unwrap();
    }

    pub async fn count(&self, sql: &'static str) -> usize {
        let count: i64 = sqlx::query_scalar(sql).fetch_one(&self.pool).await.unwrap();
        usize::try_from(count).unwrap()
    }

    pub async fn texts(&self, sql: &'static str) -> Vec<String> {
        sqlx::query_scalar(sql).fetch_all(&self.pool).await.unwrap()
    }
}
