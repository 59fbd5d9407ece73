//! Postgres behind a pooler that gives each transaction another connection: a real PgBouncer.

use std::fs;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use futures_util::future::join_all;
use serde_json::json;

use crate::support::*;

/// A PgBouncer in front of one database; it ends with this.
struct Pooler {
    port: u16,
    child: Child,
    _dir: tempfile::TempDir,
}

impl Drop for Pooler {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Whether there is a PgBouncer. Without it that is said aloud; in CI it is a failure.
fn program() -> Option<&'static str> {
    let found = ["pgbouncer", "/usr/sbin/pgbouncer"].into_iter().find(|path| Command::new(path).arg("--version").output().is_ok());
    let is_ci = std::env::var_os("CI").is_some_and(|v| !v.is_empty() && v != "false");
    assert!(found.is_some() || !is_ci, "PgBouncer is needed in CI");
    if found.is_none() {
        eprintln!("*** SKIPPED: there is no PgBouncer, so DATABASE_PREPARED=false isn't tested with one ***");
    }
    found
}

impl Pooler {
    async fn start(program: &str, database_url: &str) -> Self {
        use std::os::unix::fs::chown;
        use std::os::unix::process::CommandExt;
        let dir = tempfile::Builder::new().prefix("trellis-pgbouncer-").tempdir().unwrap();
        let port = app::free_port();
        let (host, name) = database_url.rsplit_once('@').unwrap().1.split_once('/').unwrap();
        let upstream = host.rsplit_once(':').unwrap().1;
        let settings = format!(
            "[databases]\n{name} = host=127.0.0.1 port={upstream} dbname={name} user=trellis password=trellis\n\
             [pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\nauth_type = any\n\
             pool_mode = transaction\ndefault_pool_size = 3\nmax_client_conn = 100\nserver_round_robin = 1\n"
        );
        let file = dir.path().join("pgbouncer.ini");
        fs::write(&file, settings).unwrap();
        let mut command = Command::new(program);
        command.arg(&file).stdin(Stdio::null()).stdout(Stdio::null()).stderr(fs::File::create(dir.path().join("log")).unwrap());
        // It doesn't run as root.
        if let Some((uid, gid)) = postgres::unprivileged_user() {
            chown(dir.path(), Some(uid), Some(gid)).unwrap();
            command.uid(uid).gid(gid);
        }
        let pooler = Self { port, child: command.spawn().unwrap(), _dir: dir };
        eventually("PgBouncer listens", Duration::from_secs(10), async || {
            std::net::TcpStream::connect(("127.0.0.1", port)).map(drop).map_err(|e| e.to_string())
        })
        .await;
        pooler
    }
}

#[test]
fn behind_a_pooler_per_transaction_everything_works_without_prepared_statements() {
    let Some(program) = program() else { return };
    if !postgres::available() {
        return;
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut app = TestApp::prepare(Database::Postgres, &[("DATABASE_LISTEN", "false"), ("DATABASE_PREPARED", "false")]).await;
        let pooler = Pooler::start(program, app.database_url()).await;
        let name = app.database_url().rsplit('/').next().unwrap().to_owned();
        app.set_env(&[("DATABASE_URL", &format!("postgres://trellis:trellis@127.0.0.1:{}/{name}", pooler.port))]);
        app.launch().await;
        articles(&app).await;
        filter(
            &app,
            "articles.items.create",
            "const all = await services.items('articles'); return { ...payload, views: (await all.readByQuery({})).length };",
        )
        .await;
        // More at once than the pooler has connections, the same statements again and again on whichever comes.
        for _ in 0..5 {
            let made = join_all((0..20).map(|n| app.post("/api/items/articles", json!({ "title": format!("t{n}") })))).await;
            assert!(made.iter().all(|answer| answer.status == 201), "{made:?}");
            let paths: Vec<String> = (0..20).map(|n| format!("/api/items/articles?filter[title]=t{n}&sort=-views&meta=*")).collect();
            let read = join_all(paths.iter().map(|path| app.get(path))).await;
            assert!(read.iter().all(|answer| answer.status == 200 && !answer.data().as_array().unwrap().is_empty()), "{read:?}");
        }
        assert_eq!(count(&app, "articles").await, 100);
        app.post("/api/fields/articles", field("more", "float index")).await.expect(201);
        app.patch("/api/items/articles", json!({ "query": { "filter": { "title": "t1" } }, "data": { "more": 0.1 } })).await.expect(200);
        let answer = app.get("/api/items/articles?filter[more]=0.1&aggregate[sum]=more").await.expect(200).data();
        assert!((answer[0]["sum"]["more"].as_f64().unwrap() - 0.5).abs() < 1e-9, "{answer}");
        app.restart().await;
        assert_eq!(count(&app, "articles").await, 100);
        app.finish().await;
    });
}
