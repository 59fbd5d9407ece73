//! The database: jobs on SQLite or Postgres, JSON in, JSON out.
//!
//! The only place that knows sqlx, rusqlite, SQL and which of the two databases this is. Knows no HTTP, no permission, no hook. The
//! services hand it jobs ([`Db::read`], [`Db::write`]) or open a transaction ([`Db::begin`]); the SQL of items comes from [`sql`], that
//! of the schema from [`ddl`].

pub mod aggregate;
mod call;
pub mod changes;
mod condition;
mod conn;
pub mod ddl;
mod decimal;
pub mod deliveries;
mod failure;
mod fold;
mod introspect;
mod migrate;
mod moment;
pub mod nested;
mod pattern;
mod postgres;
pub mod postgrest;
pub mod query;
mod reader;
pub mod relation;
pub mod rows;
pub mod schema;
pub mod sql;
mod sqlite;
pub mod system;
mod system_relations;
#[cfg(test)]
mod tests;
mod tx;
mod value;
mod writer;

use std::sync::{Arc, mpsc};
use std::time::Duration;

pub use self::aggregate::Aggregate;
pub use self::conn::{Conn, JobFn, Sql};
pub use self::fold::fold;
pub use self::query::{DatePart, Filter, Hop, Op, Operand, Query, Sort, TextMatch, TextPlace};
pub use self::relation::{Deselect, Link, OnDelete, Relation};
pub use self::schema::{AliasField, Collection, Field, Schema, Special};
pub use self::tx::Tx;
pub use self::value::{FieldType, timestamp};

use self::call::Call;
use self::reader::Readers;
use self::writer::Request;
use crate::clock::Clock;
use crate::error::{Error, ErrorCode, Result};

/// A read ends after this in any case; the caller's own deadline is usually much shorter.
const READ_MAX: Duration = Duration::from_secs(60);

/// A change of the schema may convert every value of a large table.
const SCHEMA_MAX: Duration = Duration::from_secs(60);

/// Which database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// One file on this machine.
    Sqlite,
    /// Postgres, or what speaks its protocol.
    Postgres,
}

/// What a database is opened with.
#[derive(Clone)]
pub struct DbOptions {
    /// `sqlite://path` or `postgres://…`.
    pub url: String,
    /// Threads that read, on SQLite.
    pub readers: usize,
    /// Connections at most, on Postgres.
    pub pool_size: u32,
    /// Whether connections to Postgres remember the statements that they have run. `false` where they go through a pooler that gives each
    /// transaction another one.
    pub prepared: bool,
    /// How long a transaction may last.
    pub tx_max: Duration,
    /// How long to wait for the writer or a connection.
    pub acquire_timeout: Duration,
}

/// An open database. Clones share it.
#[derive(Clone)]
pub struct Db(Arc<Inner>);

struct Inner {
    side: Side,
    tx_max: Duration,
    acquire_timeout: Duration,
}

enum Side {
    Sqlite { writer: mpsc::Sender<Request>, readers: Readers },
    Postgres(postgres::Pool),
}

impl Db {
    /// Opens the database; on SQLite makes the file and its folder where they are missing.
    ///
    /// # Errors
    /// A URL of another kind, a file or server that can't be reached.
    pub async fn open(options: DbOptions) -> Result<Self> {
        let side = if options.url.starts_with("sqlite:") {
            let path = sqlite::path(&options.url)?.to_owned();
            let count = options.readers;
            let opened = tokio::task::spawn_blocking(move || -> Result<Side> {
                let (conn, watch) = sqlite::open_writer(&path)?;
                let readers = Readers::start(&path, count)?;
                Ok(Side::Sqlite { writer: writer::start(conn, watch)?, readers })
            });
            opened.await.map_err(|e| Error::internal(format!("opening the database: {e}")))??
        } else if options.url.starts_with("postgres:") || options.url.starts_with("postgresql:") {
            Side::Postgres(postgres::open(&options).await?)
        } else {
            let scheme = options.url.split(':').next().unwrap_or_default();
            let message = format!("DATABASE_URL must begin with sqlite:// or postgres://, got: {scheme}");
            return Err(Error::new(ErrorCode::Internal, message));
        };
        Ok(Self(Arc::new(Inner { side, tx_max: options.tx_max, acquire_timeout: options.acquire_timeout })))
    }

    /// Applies the migrations that are missing, in order, each in a transaction; answers their names. Hosts that start at the same time
    /// don't get in each other's way.
    ///
    /// # Errors
    /// What the database refuses; `Internal` when it was migrated by a newer version.
    pub async fn migrate(&self, clock: &Clock) -> Result<Vec<String>> {
        migrate::run(self, clock).await
    }

    /// Which database this is.
    pub fn dialect(&self) -> Dialect {
        match self.0.side {
            Side::Sqlite { .. } => Dialect::Sqlite,
            Side::Postgres(_) => Dialect::Postgres,
        }
    }

    /// Builds the text and values of a statement, on the caller's thread.
    pub fn sql(&self, statement: &impl sea_query::QueryStatementWriter) -> Sql {
        Sql::build(self.dialect(), statement)
    }

    /// Runs a job that only reads, on one state of the database from its first statement to its last.
    ///
    /// # Errors
    /// The job's own; `ServiceUnavailable` when no reader was free in time.
    pub async fn read<T: Send + 'static, F: JobFn<T>>(&self, job: F) -> Result<T> {
        match &self.0.side {
            Side::Sqlite { readers, .. } => {
                let (work, answer) = Call::pair(job, READ_MAX);
                readers.push(work);
                answer.wait(self.0.acquire_timeout).await
            }
            Side::Postgres(pool) => postgres::transact(pool, &job, READ_MAX, true).await,
        }
    }

    /// Runs a job in a transaction of its own; answers when it is committed. Keeps nothing when the job fails.
    ///
    /// # Errors
    /// The job's own; what the database refuses at the commit; `TransactionConflict` after three tries; `TransactionTimeout` after
    /// `tx_max`; `ServiceUnavailable` when the writer or a connection wasn't free in time.
    pub async fn write<T: Send + 'static, F: JobFn<T>>(&self, job: F) -> Result<T> {
        self.write_within(self.0.tx_max, job).await
    }

    /// As [`Db::write`], for a change of the schema, which may take up to a minute.
    ///
    /// # Errors
    /// As [`Db::write`].
    pub async fn change_schema<T: Send + 'static, F: JobFn<T>>(&self, job: F) -> Result<T> {
        self.write_within(SCHEMA_MAX.max(self.0.tx_max), job).await
    }

    /// Runs statements as one transaction.
    pub async fn write_all(&self, statements: Vec<Sql>) -> Result<()> {
        let statements = Arc::new(statements);
        self.write(move |conn| {
            let statements = Arc::clone(&statements);
            Box::pin(async move {
                for statement in statements.iter() {
                    conn.execute(statement).await?;
                }
                Ok(())
            })
        })
        .await
    }

    /// As [`Db::write`], with a limit of its own: a migration may take longer than an operation.
    async fn write_within<T: Send + 'static, F: JobFn<T>>(&self, limit: Duration, job: F) -> Result<T> {
        match &self.0.side {
            Side::Sqlite { writer, .. } => {
                let (work, answer) = Call::pair(job, limit);
                writer.send(Request::Job(work)).map_err(|_| failure::unavailable())?;
                answer.wait(self.0.acquire_timeout).await
            }
            Side::Postgres(pool) => postgres::transact(pool, &job, limit, false).await,
        }
    }

    /// Opens a transaction that several calls join. On SQLite it has the writer to itself until it ends, at most `tx_max`.
    ///
    /// # Errors
    /// `ServiceUnavailable` when the writer or a connection wasn't free in time.
    pub async fn begin(&self) -> Result<Tx> {
        match &self.0.side {
            Side::Sqlite { writer, .. } => tx::begin_sqlite(writer, self.0.tx_max, self.0.acquire_timeout).await,
            Side::Postgres(pool) => tx::begin_postgres(pool, self.0.tx_max).await,
        }
    }

    /// Finishes what waits, writes everything to the main file and closes. Later calls answer `ServiceUnavailable`.
    pub async fn close(&self) {
        match &self.0.side {
            Side::Sqlite { writer, .. } => {
                let inner = self.0.clone();
                let readers = move || {
                    if let Side::Sqlite { readers, .. } = &inner.side {
                        readers.close();
                    }
                };
                if let Err(error) = tokio::task::spawn_blocking(readers).await {
                    tracing::error!(%error, "the readers could not be closed");
                }
                let (done, closed) = tokio::sync::oneshot::channel();
                if writer.send(Request::Close(done)).is_ok() {
                    // An error means that the thread has ended, which is what we wait for.
                    let _ = closed.await;
                }
            }
            Side::Postgres(pool) => pool.connections.close().await,
        }
    }

    /// Connections to the database server, open ones and those of them that nobody uses. `None` on SQLite, which has no server.
    pub fn connections(&self) -> Option<(u32, usize)> {
        match &self.0.side {
            Side::Sqlite { .. } => None,
            Side::Postgres(pool) => Some((pool.connections.size(), pool.connections.num_idle())),
        }
    }

    /// Whether the database answers.
    ///
    /// # Errors
    /// `ServiceUnavailable` when it doesn't.
    pub async fn ping(&self) -> Result<()> {
        let one = Sql::raw("SELECT 1", Vec::new());
        self.read(move |conn| {
            let one = one.clone();
            Box::pin(async move { conn.select(&one, &[FieldType::Integer]).await.map(drop) })
        })
        .await
    }
}
