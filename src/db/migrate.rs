//! The migrations: numbered SQL files per dialect, embedded, each applied once in a transaction of its own.

use std::time::Duration;

use sea_query::Value as Bind;
use serde_json::Value;

use super::{Conn, Db, Dialect, FieldType, Sql, fold, value};
use crate::clock::Clock;
use crate::error::{Error, Result};

/// A migration may rewrite a large table.
const LIMIT: Duration = Duration::from_secs(3600);

/// Held on Postgres while a migration is looked for and applied, so that of several hosts one does it.
const LOCK: i64 = 0x7472_656c_6c69_7301;

pub(super) struct Migration {
    pub(super) name: &'static str,
    sqlite: &'static str,
    postgres: &'static str,
}

/// Lists the files once; both dialects have every name.
macro_rules! migrations {
    ($($name:literal),* $(,)?) => {
        &[$(Migration {
            name: $name,
            sqlite: include_str!(concat!("../../migrations/sqlite/", $name, ".sql")),
            postgres: include_str!(concat!("../../migrations/postgres/", $name, ".sql")),
        }),*]
    };
}

pub(super) const MIGRATIONS: &[Migration] = migrations![
    "0001_init",
    "0002_extension_folders",
    "0003_extension_runs",
    "0004_cron",
    "0005_mail",
    "0006_extension_management",
    "0007_extension_secrets",
    "0008_custom_services",
    "0009_deliveries",
    "0010_relations",
    "0011_changes",
    "0012_schedules",
    "0016_mcp",
    "0017_sign_in",
];

/// See [`Db::migrate`].
pub(super) async fn run(db: &Db, clock: &Clock) -> Result<Vec<String>> {
    let prepared = db.write_within(LIMIT, |conn| Box::pin(prepare(conn))).await?;
    if let Some(unknown) = prepared.iter().find(|name| !MIGRATIONS.iter().any(|m| m.name == *name)) {
        return Err(Error::internal(format!("migration {unknown} was applied by a newer version")));
    }
    let mut applied = Vec::new();
    for migration in MIGRATIONS.iter().filter(|m| !prepared.iter().any(|name| name == m.name)) {
        let at = value::timestamp(clock.now());
        let done = db.write_within(LIMIT, move |conn| {
            let at = at.clone();
            Box::pin(apply(conn, migration, at))
        });
        if done.await? {
            applied.push(migration.name.to_owned());
        }
    }
    Ok(applied)
}

/// Makes what the migrations need; answers the names of those applied.
async fn prepare(conn: &mut Conn<'_>) -> Result<Vec<String>> {
    lock(conn).await?;
    let text = match conn.dialect() {
        Dialect::Sqlite => "CREATE TABLE IF NOT EXISTS daas_migrations (name TEXT NOT NULL PRIMARY KEY, applied_at TEXT NOT NULL)",
        Dialect::Postgres => {
            // Made anew each time: the table of foldings may have grown.
            conn.batch(&fold::postgres_function()).await?;
            "CREATE TABLE IF NOT EXISTS daas_migrations (name varchar(255) COLLATE \"C\" PRIMARY KEY, applied_at timestamptz(3) NOT NULL)"
        }
    };
    conn.batch(text).await?;
    names(conn).await
}

async fn apply(conn: &mut Conn<'_>, migration: &Migration, at: String) -> Result<bool> {
    lock(conn).await?;
    if names(conn).await?.iter().any(|name| name == migration.name) {
        return Ok(false);
    }
    let dialect = conn.dialect();
    let (text, record) = match dialect {
        Dialect::Sqlite => (migration.sqlite, "INSERT INTO daas_migrations (name, applied_at) VALUES (?, ?)"),
        Dialect::Postgres => (migration.postgres, "INSERT INTO daas_migrations (name, applied_at) VALUES ($1, $2)"),
    };
    conn.batch(text).await?;
    let at = FieldType::Timestamp.encode(dialect, &Value::from(at)).map_err(Error::internal)?;
    conn.execute(&Sql::raw(record, vec![Bind::from(migration.name), at])).await?;
    Ok(true)
}

async fn names(conn: &mut Conn<'_>) -> Result<Vec<String>> {
    let rows = conn.select(&Sql::raw("SELECT name FROM daas_migrations", Vec::new()), &[FieldType::String]).await?;
    Ok(rows.into_iter().flatten().filter_map(|name| name.as_str().map(str::to_owned)).collect())
}

/// Until the end of the transaction; SQLite has one writer anyway.
async fn lock(conn: &mut Conn<'_>) -> Result<()> {
    match conn.dialect() {
        Dialect::Sqlite => Ok(()),
        Dialect::Postgres => conn.batch(&format!("SELECT pg_advisory_xact_lock({LOCK})")).await,
    }
}
