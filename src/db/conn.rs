//! What a job is given: one connection, on either database, and the statements it runs there.
//!
//! A statement that failed ends the job, whatever the job makes of it: Postgres takes no further statement then, and SQLite behaves
//! likewise so that the two agree. Every job comes through here; nothing here knows how transactions begin and end.

use futures_util::future::BoxFuture;
use sea_query::{PostgresQueryBuilder, QueryStatementWriter, SqliteQueryBuilder, Value as Bind};
use serde_json::Value;

use super::{Dialect, FieldType, postgres, sqlite};
use crate::error::{Error, Result};

/// A unit of work on a connection: `move |conn| { let x = x.clone(); Box::pin(async move { … }) }`.
///
/// May run more than once (alone after its group failed; again after a serialisation failure), so it clones what it needs. On SQLite it
/// runs on the database's thread and must wait for nothing but the connection.
pub trait JobFn<T>: for<'c> Fn(&'c mut Conn<'_>) -> BoxFuture<'c, Result<T>> + Send + Sync + 'static {}

impl<T, F> JobFn<T> for F where F: for<'c> Fn(&'c mut Conn<'_>) -> BoxFuture<'c, Result<T>> + Send + Sync + 'static {}

/// A statement: its text and the values of its parameters.
#[derive(Debug, Clone)]
pub struct Sql {
    pub(super) text: String,
    pub(super) values: Vec<Bind>,
}

impl Sql {
    /// A statement from text in the database's own placeholders (`?` on SQLite, `$1` on Postgres).
    pub fn raw(text: impl Into<String>, values: Vec<Bind>) -> Self {
        Self { text: text.into(), values }
    }

    /// Builds the text and values of `statement` for `dialect`.
    pub fn build(dialect: Dialect, statement: &impl QueryStatementWriter) -> Self {
        let (text, values) = match dialect {
            Dialect::Sqlite => statement.build(SqliteQueryBuilder),
            Dialect::Postgres => statement.build(PostgresQueryBuilder),
        };
        Self { text, values: values.0 }
    }

    /// The text, for logs and tests.
    pub fn text(&self) -> &str {
        &self.text
    }
}

/// A connection inside a transaction, or a reader.
pub struct Conn<'c> {
    side: Side<'c>,
    /// The first failure: no statement runs after it.
    failed: Option<Error>,
}

pub(super) enum Side<'c> {
    Sqlite(&'c mut rusqlite::Connection),
    Postgres(postgres::Session<'c>),
}

impl<'c> Conn<'c> {
    pub(super) fn sqlite(conn: &'c mut rusqlite::Connection) -> Self {
        Self { side: Side::Sqlite(conn), failed: None }
    }

    pub(super) fn postgres(session: postgres::Session<'c>) -> Self {
        Self { side: Side::Postgres(session), failed: None }
    }

    /// Which database this is.
    pub fn dialect(&self) -> Dialect {
        match self.side {
            Side::Sqlite(_) => Dialect::Sqlite,
            Side::Postgres(_) => Dialect::Postgres,
        }
    }

    /// Runs a statement that answers rows, also `… RETURNING`; `columns` are the types of its columns, in order.
    ///
    /// # Errors
    /// What the database refuses, by its meaning: `RecordNotUnique`, `InvalidForeignKey`, `FailedValidation` and so on.
    pub async fn select(&mut self, sql: &Sql, columns: &[FieldType]) -> Result<Vec<Vec<Value>>> {
        self.check()?;
        // Text alone: values are people's data. `LOG_LEVEL=info,trellis::db=trace` shows it.
        tracing::trace!(sql = sql.text, "a statement");
        let outcome = match &mut self.side {
            Side::Sqlite(conn) => sqlite::select(conn, sql, columns),
            Side::Postgres(session) => postgres::select(session, sql, columns).await,
        };
        self.settle(outcome)
    }

    /// Runs a statement that answers one column of text, which is never NULL; `max_bytes` is how much all rows together may have.
    ///
    /// # Errors
    /// As [`Conn::select`]; `ExtensionPayloadTooLarge` for more than that.
    pub async fn texts(&mut self, sql: &Sql, max_bytes: usize) -> Result<Vec<String>> {
        self.check()?;
        let outcome = match &mut self.side {
            Side::Sqlite(conn) => sqlite::texts(conn, sql, max_bytes),
            Side::Postgres(session) => postgres::texts(session, sql, max_bytes).await,
        };
        self.settle(outcome)
    }

    /// From now on no statement of this transaction runs for longer. SQLite needs no telling: there a statement ends when its caller left.
    ///
    /// # Errors
    /// As [`Conn::select`].
    pub async fn end_within(&mut self, limit: std::time::Duration) -> Result<()> {
        match self.dialect() {
            Dialect::Sqlite => Ok(()),
            Dialect::Postgres => self.batch(&format!("SET LOCAL statement_timeout = {}", limit.as_millis().clamp(1, 2_000_000_000))).await,
        }
    }

    /// Runs a statement that answers no rows; answers how many it changed.
    ///
    /// # Errors
    /// As [`Conn::select`].
    pub async fn execute(&mut self, sql: &Sql) -> Result<u64> {
        self.check()?;
        let outcome = match &mut self.side {
            Side::Sqlite(conn) => sqlite::execute(conn, sql),
            Side::Postgres(session) => postgres::execute(session, sql).await,
        };
        self.settle(outcome)
    }

    /// Runs statements without parameters, separated by semicolons: changes of the schema.
    ///
    /// # Errors
    /// As [`Conn::select`].
    pub async fn batch(&mut self, text: &str) -> Result<()> {
        self.check()?;
        let outcome = match &mut self.side {
            Side::Sqlite(conn) => sqlite::batch(conn, text),
            Side::Postgres(session) => postgres::batch(session, text).await,
        };
        self.settle(outcome)
    }

    /// The outcome of the job that ran here: a failed statement fails it.
    pub(super) fn outcome<T>(&mut self, outcome: Result<T>) -> Result<T> {
        match (self.failed.take(), outcome) {
            // What the job made of the failure (a better message) is what the caller reads, except where it decides on another try.
            (Some(failed), Err(_)) if failed.code() == crate::ErrorCode::TransactionConflict => Err(failed),
            (Some(failed), Ok(_)) => Err(failed),
            (_, outcome) => outcome,
        }
    }

    fn check(&self) -> Result<()> {
        self.failed.clone().map_or(Ok(()), Err)
    }

    fn settle<T>(&mut self, outcome: Result<T>) -> Result<T> {
        let outcome = match (&self.side, outcome) {
            (Side::Sqlite(conn), Ok(_)) if conn.is_autocommit() => {
                Err(Error::internal("the transaction ended within a statement that succeeded"))
            }
            (_, outcome) => outcome,
        };
        if let Err(error) = &outcome {
            self.failed = Some(error.clone());
        }
        outcome
    }
}
