//! The program under test: started as a user starts it, watched from outside, stopped with a look at how it went.

use std::fs;
use std::io::Write;
use std::ops::Deref;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;
use sqlx::{Executor, Row};
use tempfile::TempDir;

use super::client::{Answer, Client};
use super::{Database, eventually, postgres, process};

pub const ADMIN_EMAIL: &str = "admin@example.com";
pub const ADMIN_PASSWORD: &str = "correct horse battery staple";
/// `SECRET` of every server.
pub const SECRET: &str = "a secret that only the tests know, long enough";
pub const ADMIN_TOKEN: &str = "admin-token-of-the-tests-0123456789";

/// One program with a database and a data directory of its own. Dereferences to a [`Client`] that speaks as the admin.
pub struct TestApp {
    pub database: Database,
    admin: Client,
    dir: TempDir,
    port: u16,
    database_url: String,
    env: Vec<(String, String)>,
    child: Option<Child>,
    starts: u32,
    errors_allowed: bool,
    panics_allowed: bool,
}

impl Deref for TestApp {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.admin
    }
}

impl TestApp {
    /// Starts the program and waits until it says that it is well. `env` is added to, or replaces, the usual variables; an empty value
    /// takes a variable away.
    pub async fn start(database: Database, env: &[(&str, &str)]) -> Self {
        let mut app = Self::prepare(database, env).await;
        app.launch().await;
        app
    }

    /// Everything but the start.
    pub async fn prepare(database: Database, env: &[(&str, &str)]) -> Self {
        let dir = tempfile::Builder::new().prefix("trellis-test-").tempdir().unwrap();
        let port = free_port();
        let database_url = match database {
            Database::Sqlite => format!("sqlite://{}", dir.path().join("data/trellis.db").display()),
            Database::Postgres => postgres::create_database().await,
        };
        let admin = Client::new(&format!("http://127.0.0.1:{port}"), Some(ADMIN_TOKEN.to_owned()));
        let mut app = Self {
            database,
            admin,
            dir,
            port,
            database_url,
            env: Vec::new(),
            child: None,
            starts: 0,
            errors_allowed: false,
            panics_allowed: false,
        };
        app.set_env(env);
        app
    }

    /// Variables for the next start.
    pub fn set_env(&mut self, env: &[(&str, &str)]) {
        for (key, value) in env {
            self.env.retain(|(known, _)| known != key);
            self.env.push(((*key).to_owned(), (*value).to_owned()));
        }
    }

    /// The program with this app's environment, nothing of ours.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_trellis"));
        let usual = [
            ("DATABASE_URL", self.database_url.as_str()),
            ("HOST", "127.0.0.1"),
            ("PORT", &self.port.to_string()),
            ("ADMIN_EMAIL", ADMIN_EMAIL),
            ("ADMIN_PASSWORD", ADMIN_PASSWORD),
            ("ADMIN_TOKEN", ADMIN_TOKEN),
            ("SECRET", SECRET),
            ("LOG_FORMAT", "json"),
        ]
        .map(|(k, v)| (k.to_owned(), v.to_owned()));
        command.args(arguments).current_dir(self.dir.path()).env_clear();
        for (key, value) in usual.iter().chain(&self.env) {
            if value.is_empty() {
                command.env_remove(key);
            } else {
                command.env(key, value);
            }
        }
        command
    }

    /// Runs a subcommand to its end beside, or instead of, the server.
    pub fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).stdin(Stdio::null()).output().unwrap()
    }

    /// Starts the server and waits for its health.
    pub async fn launch(&mut self) {
        self.launch_with(|_| ()).await;
    }

    /// The same, with a change to how the program is started.
    pub async fn launch_with(&mut self, change: impl FnOnce(&mut Command)) {
        self.spawn_with(change);
        let health = self.admin.anonymous();
        let mut exited = None;
        eventually("the server becomes ready", Duration::from_secs(30), async || {
            if let Some(status) = self.child.as_mut().and_then(|child| child.try_wait().ok().flatten()) {
                exited = Some(status);
                return Ok(());
            }
            match Answer::try_of(health.request("GET", "/api/health")).await {
                Ok(answer) if answer.status == 200 => Ok(()),
                Ok(answer) => Err(answer.body),
                Err(error) => Err(error.to_string()),
            }
        })
        .await;
        if let Some(status) = exited {
            self.child = None;
            panic!("the server ended at its start ({status}):\n{}", self.log());
        }
    }

    /// Starts the server and waits for nothing.
    pub fn spawn(&mut self) {
        self.spawn_with(|_| ());
    }

    fn spawn_with(&mut self, change: impl FnOnce(&mut Command)) {
        assert!(self.child.is_none(), "it runs already");
        self.starts += 1;
        // Connections of the last start are dead.
        self.admin = Client::new(&format!("http://127.0.0.1:{}", self.port), Some(self.admin_token()));
        let mut log = fs::File::options().create(true).append(true).open(self.log_path()).unwrap();
        writeln!(log, "{{\"harness\":\"start {}\"}}", self.starts).unwrap();
        let mut command = self.command(&["serve"]);
        // A group of its own, so that a test can do to it what Ctrl-C in a terminal does, and a Ctrl-C of the test run doesn't.
        command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log).process_group(0);
        // SAFETY: prctl(2) is async-signal-safe and touches no memory.
        unsafe {
            // A test run that is killed leaves no server behind. Tests start servers from their own thread, which outlives them.
            command.pre_exec(|| {
                libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
                Ok(())
            });
        }
        change(&mut command);
        self.child = Some(command.spawn().unwrap());
    }

    fn admin_token(&self) -> String {
        let set = self.env.iter().find(|(key, _)| key == "ADMIN_TOKEN").map(|(_, value)| value.clone());
        set.unwrap_or_else(|| ADMIN_TOKEN.to_owned())
    }

    /// The process id of the host.
    #[track_caller]
    pub fn pid(&self) -> u32 {
        self.child.as_ref().expect("the server runs").id()
    }

    /// The process ids of its workers.
    pub fn workers(&self) -> Vec<u32> {
        process::children(self.pid())
    }

    /// Resident bytes of host and workers.
    pub fn resident(&self) -> u64 {
        process::resident_together(self.pid())
    }

    /// The data directory's parent, which is the server's working directory.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    fn log_path(&self) -> PathBuf {
        self.dir.path().join("server.log")
    }

    /// Everything that the server printed.
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&fs::read(self.log_path()).unwrap_or_default()).into_owned()
    }

    /// The log's lines that are JSON objects.
    pub fn log_lines(&self) -> Vec<Value> {
        self.log().lines().filter_map(|line| serde_json::from_str(line).ok()).filter(Value::is_object).collect()
    }

    /// For tests that make the server log errors on purpose.
    pub fn allow_errors(&mut self) {
        self.errors_allowed = true;
    }

    /// For tests that plant panics.
    pub fn allow_panics(&mut self) {
        self.panics_allowed = true;
    }

    /// Asks the server to end and gives its status once it did.
    pub async fn stop(&mut self) -> ExitStatus {
        let workers = self.workers();
        process::signal(self.pid(), libc::SIGTERM);
        let status = self.ended(Duration::from_secs(40)).await;
        eventually("the workers end with their host", Duration::from_secs(5), async || {
            let left: Vec<_> = workers.iter().filter(|pid| process::alive(**pid)).collect();
            if left.is_empty() { Ok(()) } else { Err(format!("{left:?}")) }
        })
        .await;
        status
    }

    /// Waits for an end that was asked for.
    pub async fn ended(&mut self, within: Duration) -> ExitStatus {
        let child = self.child.as_mut().expect("the server runs");
        let status = eventually("the server ends", within, async || {
            child.try_wait().map_err(|e| e.to_string())?.ok_or_else(|| "still running".to_owned())
        })
        .await;
        self.child = None;
        status
    }

    /// A clean stop and a new start on the same data.
    pub async fn restart(&mut self) {
        let status = self.stop().await;
        assert!(status.success(), "the server ended with {status}");
        self.launch().await;
    }

    /// Kills the host without a word, as a power cut would.
    pub fn kill9(&mut self) {
        let mut child = self.child.take().expect("the server runs");
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// Where its own database is, whatever stands between.
    pub fn database_url(&self) -> &str {
        &self.database_url
    }

    /// How the database would run a statement with these arguments, which are SQL; SQLite plans without them.
    pub async fn explain(&self, statement: &str, arguments: &str) -> String {
        match self.database {
            Database::Sqlite => {
                let connection = self.sqlite();
                let mut statement = connection.prepare(&format!("EXPLAIN QUERY PLAN {statement}")).unwrap();
                let mut rows = statement.raw_query();
                let mut plan = Vec::new();
                while let Some(row) = rows.next().unwrap() {
                    plan.push(row.get::<_, String>("detail").unwrap());
                }
                plan.join("\n")
            }
            Database::Postgres => {
                let mut connection = postgres::connect(&self.database_url).await;
                let prepare = format!("PREPARE looked_at AS {statement}");
                connection
                    .execute(sqlx::raw_sql(sqlx::AssertSqlSafe(prepare.as_str())))
                    .await
                    .unwrap_or_else(|e| panic!("{statement}: {e}"));
                let explain = format!("EXPLAIN EXECUTE looked_at({arguments})");
                let rows = sqlx::raw_sql(sqlx::AssertSqlSafe(explain.as_str())).fetch_all(&mut connection).await;
                let rows = rows.unwrap_or_else(|e| panic!("{statement} ({arguments}): {e}"));
                rows.iter().map(|row| row.get::<String, _>(0)).collect::<Vec<_>>().join("\n")
            }
        }
    }

    /// Executes statements on the database behind the server's back.
    pub async fn sql(&self, text: &str) {
        match self.database {
            Database::Sqlite => self.sqlite().execute_batch(text).unwrap_or_else(|e| panic!("{text}: {e}")),
            Database::Postgres => {
                let mut connection = postgres::connect(&self.database_url).await;
                connection.execute(sqlx::raw_sql(sqlx::AssertSqlSafe(text))).await.unwrap_or_else(|e| panic!("{text}: {e}"));
            }
        }
    }

    /// The number that a query gives: `SELECT count(*) …`.
    pub async fn number(&self, text: &str) -> i64 {
        self.value(text).await
    }

    /// The text that a query gives.
    pub async fn text(&self, text: &str) -> String {
        self.value(text).await
    }

    async fn value<T>(&self, text: &str) -> T
    where
        T: rusqlite::types::FromSql + for<'r> sqlx::Decode<'r, sqlx::Postgres> + sqlx::Type<sqlx::Postgres>,
    {
        match self.database {
            Database::Sqlite => self.sqlite().query_row(text, [], |row| row.get(0)).unwrap_or_else(|e| panic!("{text}: {e}")),
            Database::Postgres => {
                let mut connection = postgres::connect(&self.database_url).await;
                let row = sqlx::query(sqlx::AssertSqlSafe(text)).fetch_one(&mut connection).await.unwrap_or_else(|e| panic!("{text}: {e}"));
                row.get(0)
            }
        }
    }

    /// Everything that a table holds, as text.
    pub async fn dump(&self, table: &str) -> String {
        match self.database {
            Database::Sqlite => {
                let connection = self.sqlite();
                let mut statement = connection.prepare(&format!("SELECT * FROM {table}")).unwrap();
                let columns = statement.column_count();
                let mut rows = statement.query([]).unwrap();
                let mut out = String::new();
                while let Some(row) = rows.next().unwrap() {
                    for at in 0..columns {
                        match row.get_ref(at).unwrap() {
                            rusqlite::types::ValueRef::Text(bytes) => out.push_str(&String::from_utf8_lossy(bytes)),
                            other => out.push_str(&format!("{other:?}")),
                        }
                        out.push(' ');
                    }
                    out.push('\n');
                }
                out
            }
            Database::Postgres => self.text(&format!("SELECT coalesce(string_agg(t::text, chr(10)), '') FROM {table} t")).await,
        }
    }

    /// The numbers that a query gives, one each row: `SELECT id …`.
    pub async fn numbers(&self, text: &str) -> Vec<i64> {
        match self.database {
            Database::Sqlite => {
                let connection = self.sqlite();
                let mut statement = connection.prepare(text).unwrap_or_else(|e| panic!("{text}: {e}"));
                let rows = statement.query_map([], |row| row.get(0)).unwrap();
                rows.map(|row| row.unwrap_or_else(|e| panic!("{text}: {e}"))).collect()
            }
            Database::Postgres => {
                let mut connection = postgres::connect(&self.database_url).await;
                let text = format!("SELECT id::bigint FROM ({text}) AS q");
                let rows = sqlx::query(sqlx::AssertSqlSafe(text.as_str())).fetch_all(&mut connection).await;
                rows.unwrap_or_else(|e| panic!("{text}: {e}")).iter().map(|row| row.get(0)).collect()
            }
        }
    }

    fn sqlite(&self) -> rusqlite::Connection {
        let connection = rusqlite::Connection::open(self.database_url.trim_start_matches("sqlite://")).unwrap();
        connection.busy_timeout(Duration::from_secs(10)).unwrap();
        connection
    }

    /// The end of a test: the server ends cleanly, and its log holds nothing that the test didn't expect.
    pub async fn finish(&mut self) {
        if self.child.is_some() {
            let status = self.stop().await;
            assert!(status.success(), "the server ended with {status}");
        }
        self.check_log();
        if self.database == Database::Postgres {
            postgres::drop_database(&self.database_url).await;
        }
    }

    fn check_log(&self) {
        let log = self.log();
        let bad: Vec<&str> = log
            .lines()
            .filter(|line| {
                let level = serde_json::from_str::<Value>(line).ok().and_then(|v| v["level"].as_str().map(str::to_owned));
                (!self.panics_allowed && line.contains("panicked")) || (!self.errors_allowed && level.as_deref() == Some("ERROR"))
            })
            .collect();
        assert!(bad.is_empty(), "the log holds what no test asked for:\n{}", bad.join("\n"));
    }
}

impl Drop for TestApp {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
        if std::thread::panicking() {
            let log = self.log();
            let lines: Vec<&str> = log.lines().collect();
            eprintln!("--- the server's last words:\n{}\n---", lines[lines.len().saturating_sub(60)..].join("\n"));
        }
    }
}

/// A port that nobody listens on, below the range from which outgoing connections take theirs.
pub fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let begun = Instant::now();
    loop {
        let offset = NEXT.fetch_add(1, Ordering::Relaxed);
        let port = 12_000 + ((std::process::id() % 97) as u16 * 181 + offset) % 18_000;
        if std::net::TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
        assert!(begun.elapsed() < Duration::from_secs(10), "no free port");
    }
}
