//! One throw-away Postgres for the whole run, one database in it per test.
//!
//! It ends with the run however that ends: a small watchdog process holds the other end of a pipe and stops the server, removing its
//! files, when the pipe closes.

use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};
use std::{env, fs, thread};

use sqlx::{ConnectOptions, Connection, Executor};

struct Server {
    port: u16,
    /// Closing it is what ends the server.
    _alive: ChildStdin,
}

/// Starts the server that its arguments name, waits for the end of its input, stops the server and removes its folder.
const WATCHDOG: &str = r#"dir=$1; shift; "$@" & server=$!; read -r _; kill -INT "$server"; wait "$server"; rm -rf "$dir""#;

static SERVER: OnceLock<Result<Server, String>> = OnceLock::new();
static SKIPPED: AtomicU32 = AtomicU32::new(0);
static NEXT: AtomicU32 = AtomicU32::new(0);

/// Whether tests can run on Postgres. Without its programs that is said aloud, once now and once at the end; in CI it is a failure.
pub fn available() -> bool {
    match server() {
        Ok(_) => true,
        Err(why) if env::var_os("CI").is_some_and(|v| !v.is_empty() && v != "false") => {
            panic!("the Postgres half must run in CI, but: {why}")
        }
        Err(why) => {
            if SKIPPED.fetch_add(1, Ordering::Relaxed) == 0 {
                shout(&format!("\n*** POSTGRES SKIPPED: {why}. Half of the tests check nothing. ***\n"));
                // SAFETY: `summary` is a plain function that takes nothing and doesn't unwind.
                unsafe { libc::atexit(summary) };
            }
            false
        }
    }
}

extern "C" fn summary() {
    shout(&format!("*** POSTGRES SKIPPED: {} tests ran on SQLite only ***\n", SKIPPED.load(Ordering::Relaxed)));
}

/// Writes past the capture of the test runner.
fn shout(text: &str) {
    use std::io::Write;
    let _ = std::io::stderr().write_all(text.as_bytes());
}

/// Makes an empty database and gives its URL.
pub async fn create_database() -> String {
    let name = format!("t{}", NEXT.fetch_add(1, Ordering::Relaxed));
    admin(&format!("CREATE DATABASE {name}")).await;
    format!("postgres://trellis:trellis@127.0.0.1:{}/{name}", server().as_ref().unwrap_or_else(|e| panic!("{e}")).port)
}

/// Removes what [`create_database`] made, whoever is still connected.
pub async fn drop_database(url: &str) {
    let name = url.rsplit('/').next().unwrap_or_default();
    admin(&format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")).await;
}

async fn admin(statement: &str) {
    let port = server().as_ref().unwrap_or_else(|e| panic!("{e}")).port;
    let mut connection = connect(&format!("postgres://trellis:trellis@127.0.0.1:{port}/postgres")).await;
    connection.execute(sqlx::raw_sql(sqlx::AssertSqlSafe(statement))).await.unwrap_or_else(|e| panic!("{statement}: {e}"));
    let _ = connection.close().await;
}

/// A connection of the test's own.
pub async fn connect(url: &str) -> sqlx::PgConnection {
    let options: sqlx::postgres::PgConnectOptions = url.parse().unwrap_or_else(|e| panic!("{url}: {e}"));
    options.disable_statement_logging().connect().await.unwrap_or_else(|e| panic!("{url}: {e}"))
}

fn server() -> &'static Result<Server, String> {
    SERVER.get_or_init(|| {
        let bin = programs().ok_or("no initdb and postgres in PATH or /usr/lib/postgresql/*/bin")?;
        start(&bin)
    })
}

/// The folder with the newest server programs.
fn programs() -> Option<PathBuf> {
    let mut packaged: Vec<(u32, PathBuf)> = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path().join("bin"))))
        .collect();
    packaged.sort();
    let in_path = env::var_os("PATH").into_iter().flat_map(|path| env::split_paths(&path).collect::<Vec<_>>());
    packaged.into_iter().rev().map(|(_, path)| path).chain(in_path).find(|dir| dir.join("initdb").exists() && dir.join("postgres").exists())
}

fn start(bin: &Path) -> Result<Server, String> {
    let dir = tempfile::Builder::new().prefix("trellis-postgres-").tempdir().map_err(|e| e.to_string())?.keep();
    let owner = unprivileged_user();
    if let Some((uid, gid)) = owner {
        std::os::unix::fs::chown(&dir, Some(uid), Some(gid)).map_err(|e| e.to_string())?;
    }
    let as_owner = |program: &str| {
        let mut command = Command::new(if program == "sh" { PathBuf::from(program) } else { bin.join(program) });
        command.current_dir(&dir).env_remove("LC_ALL").env("LANG", "C.UTF-8");
        if let Some((uid, gid)) = owner {
            command.uid(uid).gid(gid);
        }
        command
    };
    let data = dir.join("data");
    let password = dir.join("password");
    fs::write(&password, "trellis\n").map_err(|e| e.to_string())?;
    let made = as_owner("initdb")
        .args(["--no-sync", "--username=trellis", "--auth=scram-sha-256", "--encoding=UTF8", "--locale=C.UTF-8"])
        .arg(format!("--pwfile={}", password.display()))
        .arg("-D")
        .arg(&data)
        .output()
        .map_err(|e| format!("initdb: {e}"))?;
    if !made.status.success() {
        return Err(format!("initdb: {}", String::from_utf8_lossy(&made.stderr)));
    }
    let port = super::app::free_port();
    let log = fs::File::create(dir.join("log")).map_err(|e| e.to_string())?;
    // The watchdog is the server's parent: somebody must reap it, and the test process may be gone by then. It has a process group of
    // its own, so that Ctrl-C reaches the server through the pipe and not by itself.
    let mut watchdog = as_owner("sh");
    watchdog.arg("-c").arg(WATCHDOG).arg("watchdog").arg(&dir).arg(bin.join("postgres")).arg("-D").arg(&data);
    // Durability is not what is tested here; a time zone that isn't UTC would be noticed.
    for setting in [
        "fsync=off",
        "synchronous_commit=off",
        "full_page_writes=off",
        "shared_buffers=64MB",
        "max_connections=300",
        "listen_addresses=127.0.0.1",
        "timezone=Asia/Kolkata",
        "logging_collector=off",
    ] {
        watchdog.arg("-c").arg(setting);
    }
    watchdog.arg("-c").arg(format!("port={port}")).arg("-c").arg(format!("unix_socket_directories={}", dir.display()));
    let mut watchdog =
        watchdog.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(log).process_group(0).spawn().map_err(|e| format!("sh: {e}"))?;
    let alive = watchdog.stdin.take().ok_or("no pipe to the watchdog")?;

    let end = Instant::now() + Duration::from_secs(30);
    while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() || !accepting(bin, port) {
        if Instant::now() > end {
            return Err(format!("postgres didn't become ready within 30 s: {}", fs::read_to_string(dir.join("log")).unwrap_or_default()));
        }
        thread::sleep(Duration::from_millis(20));
    }
    Ok(Server { port, _alive: alive })
}

fn accepting(bin: &Path, port: u16) -> bool {
    let ready = Command::new(bin.join("pg_isready")).args(["-q", "-h", "127.0.0.1", "-p"]).arg(port.to_string()).status();
    // Where the client programs are missing, the open port has to do.
    ready.map_or(true, |status| status.success())
}

/// Postgres refuses to run as root: then it runs as `postgres` or `nobody`.
pub fn unprivileged_user() -> Option<(u32, u32)> {
    // SAFETY: geteuid(2) has no preconditions.
    if unsafe { libc::geteuid() } != 0 {
        return None;
    }
    let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
    ["postgres", "nobody"].iter().find_map(|name| {
        let line = users.lines().find(|line| line.split(':').next() == Some(name))?;
        let mut parts = line.split(':').skip(2);
        Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
    })
}
