//! Postgres' side: how the pool is opened, how a transaction runs, how a statement runs in it, how its values become JSON.
//!
//! The same functions as `sqlite.rs`, in the same order. A connection whose state isn't known is closed, never given back to the pool.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use bigdecimal::BigDecimal;
use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, Utc};
use futures_util::{FutureExt, TryStreamExt};
use sea_query::{ArrayType, Value as Bind};
use serde_json::Value;
use sqlx::encode::IsNull;
use sqlx::pool::PoolConnection;
use sqlx::postgres::types::Oid;
use sqlx::postgres::{PgArgumentBuffer, PgArguments, PgConnectOptions, PgConnection, PgPool, PgPoolOptions, PgRow, PgTypeInfo};
use sqlx::{Arguments, AssertSqlSafe, Column, Connection, Postgres, Row, TypeInfo};
use tokio::time::{Instant, timeout_at};

use super::call::panicked;
use super::value::{binary_json, csv_json, date_time, float_json, integer_json, time_of_day, timestamp};
use super::{Conn, DbOptions, FieldType, JobFn, Sql, failure, moment};
use crate::error::{Error, ErrorCode, Result};

/// Runs of a job at most, where concurrent transactions get in its way.
const TRIES: u32 = 3;

/// Connections, and how statements run on them.
#[derive(Clone)]
pub(super) struct Pool {
    pub connections: PgPool,
    /// Whether a connection remembers its statements. One that is another after each transaction can't.
    prepared: bool,
}

/// A connection that statements run on.
pub(super) struct Session<'c> {
    conn: &'c mut PgConnection,
    prepared: bool,
}

/// Opens the pool and checks that it reaches a database that keeps text as UTF-8.
pub(super) async fn open(options: &DbOptions) -> Result<Pool> {
    let bad = |e: sqlx::Error| {
        Error::new(ErrorCode::Internal, "DATABASE_URL is not a Postgres address such as postgres://user:password@host/name")
            .with_detail(e.to_string())
    };
    let mut connect: PgConnectOptions = options.url.parse().map_err(bad)?;
    if !options.prepared {
        // Poolers refuse settings at the start that they don't know; floats come in binary anyway.
        connect = connect.statement_cache_capacity(0).extra_float_digits(None);
    }
    // Once by itself: the pool would try until its time is over, and then only say that it is.
    let first = tokio::time::timeout(options.acquire_timeout, PgConnection::connect_with(&connect)).await;
    let unreachable = |why: String| Error::new(ErrorCode::ServiceUnavailable, "DATABASE_URL: Postgres can't be reached").with_detail(why);
    match first {
        Ok(Ok(conn)) => drop(conn.close().await),
        Ok(Err(error)) => return Err(unreachable(error.to_string())),
        Err(_) => return Err(unreachable("no answer in time".to_owned())),
    }
    let pool = PgPoolOptions::new()
        .max_connections(options.pool_size.max(1))
        .acquire_timeout(options.acquire_timeout)
        .connect_with(connect.application_name("trellis"))
        .await
        .map_err(failure::postgres)?;
    let encoding = sqlx::raw_sql("SELECT getdatabaseencoding()::text").fetch_one(&pool).await.and_then(|row| row.try_get::<String, _>(0));
    let encoding = encoding.map_err(failure::postgres)?;
    if encoding != "UTF8" {
        return Err(Error::new(ErrorCode::Internal, format!("The database must keep text as UTF8, it keeps it as {encoding}")));
    }
    Ok(Pool { connections: pool, prepared: options.prepared })
}

/// A connection on loan. Dropped before it is marked clean, it is closed: nobody knows what state it is in.
pub(super) struct Lease {
    conn: Option<PoolConnection<Postgres>>,
    prepared: bool,
    clean: bool,
}

impl Lease {
    async fn take(pool: &Pool) -> Result<Self> {
        let conn = pool.connections.acquire().await.map_err(failure::postgres)?;
        Ok(Self { conn: Some(conn), prepared: pool.prepared, clean: false })
    }

    fn session(&mut self) -> Session<'_> {
        let prepared = self.prepared;
        Session { conn: self.conn(), prepared }
    }

    pub(super) fn conn(&mut self) -> &mut PgConnection {
        self.conn.as_mut().expect("the connection leaves only when the lease is dropped")
    }

    /// Gives the connection back to the pool.
    pub(super) fn give_back(mut self) {
        self.clean = true;
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if let Some(conn) = &mut self.conn
            && !self.clean
        {
            conn.close_on_drop();
        }
    }
}

/// Begins a transaction whose statements the server itself ends after `limit`.
pub(super) async fn begin(pool: &Pool, limit: Duration, read_only: bool) -> Result<Lease> {
    let mut lease = Lease::take(pool).await?;
    let mode = if read_only { " ISOLATION LEVEL REPEATABLE READ READ ONLY" } else { "" };
    let millis = limit.as_millis().clamp(1, 2_000_000_000);
    // A host that vanishes leaves no transaction open for longer than a second past its time.
    let idle = millis + 1000;
    let text = format!("BEGIN{mode}; SET LOCAL statement_timeout = {millis}; SET LOCAL idle_in_transaction_session_timeout = {idle}");
    control(lease.conn(), &text).await?;
    Ok(lease)
}

/// One job in one transaction, run again on another connection where concurrent transactions get in its way.
pub(super) async fn transact<T, F: JobFn<T>>(pool: &Pool, job: &F, limit: Duration, read_only: bool) -> Result<T> {
    let mut tries = 1;
    loop {
        let outcome = once(pool, job, limit, read_only).await;
        match outcome {
            Err(error) if error.code() == ErrorCode::TransactionConflict && tries < TRIES => {
                tracing::debug!(%error, tries, "a transaction runs again");
                // Whoever was in the way is a few milliseconds ahead.
                tokio::time::sleep(Duration::from_millis(u64::from(5 * tries))).await;
                tries += 1;
            }
            outcome => return outcome,
        }
    }
}

async fn once<T, F: JobFn<T>>(pool: &Pool, job: &F, limit: Duration, read_only: bool) -> Result<T> {
    let mut lease = begin(pool, limit, read_only).await?;
    let deadline = Instant::now() + limit;
    let Ok(outcome) = timeout_at(deadline, run(&mut lease, job)).await else {
        return Err(failure::timeout());
    };
    let ended = match &outcome {
        Ok(_) => control(lease.conn(), "COMMIT").await,
        Err(error) => {
            // After a conflict the next try takes a connection that has prepared nothing.
            if error.code() != ErrorCode::TransactionConflict && control(lease.conn(), "ROLLBACK").await.is_ok() {
                lease.give_back();
            }
            return outcome;
        }
    };
    match ended {
        Ok(()) => {
            lease.give_back();
            outcome
        }
        // A refused commit has rolled back; the server says so by an error, after which the connection is as new.
        Err(error) => {
            if error.code() == ErrorCode::InvalidForeignKey || error.code() == ErrorCode::RecordNotUnique {
                lease.give_back();
            }
            Err(error)
        }
    }
}

/// Runs a job on a connection; a panic fails the job alone.
pub(super) async fn run<T, F: JobFn<T>>(lease: &mut Lease, job: &F) -> Result<T> {
    let mut conn = Conn::postgres(lease.session());
    let outcome = match AssertUnwindSafe(async { job(&mut conn).await }).catch_unwind().await {
        Ok(outcome) => outcome,
        Err(panic) => Err(panicked(&*panic)),
    };
    conn.outcome(outcome)
}

/// Runs statements that control a transaction.
pub(super) async fn control(conn: &mut PgConnection, text: &str) -> Result<()> {
    sqlx::raw_sql(AssertSqlSafe(text)).execute(conn).await.map(drop).map_err(failure::postgres)
}

/// See `Conn::select`.
pub(super) async fn select(session: &mut Session<'_>, sql: &Sql, columns: &[FieldType]) -> Result<Vec<Vec<Value>>> {
    let (text, arguments) = bound(sql)?;
    let query = sqlx::query_with(AssertSqlSafe(text), arguments).persistent(session.prepared);
    let rows = query.fetch_all(&mut *session.conn).await.map_err(failure::postgres)?;
    rows.iter()
        .map(|row| {
            if row.len() != columns.len() {
                return Err(Error::internal(format!("{} columns for {} types: {}", row.len(), columns.len(), sql.text)));
            }
            columns.iter().enumerate().map(|(at, ty)| json(*ty, row, at)).collect()
        })
        .collect()
}

/// See `Conn::texts`.
pub(super) async fn texts(session: &mut Session<'_>, sql: &Sql, max_bytes: usize) -> Result<Vec<String>> {
    let (text, arguments) = bound(sql)?;
    let mut rows = sqlx::query_with(AssertSqlSafe(text), arguments).persistent(session.prepared).fetch(&mut *session.conn);
    let (mut answer, mut bytes) = (Vec::new(), 0);
    while let Some(row) = rows.try_next().await.map_err(failure::postgres)? {
        let text: Option<String> = row.try_get_unchecked(0).map_err(|e| Error::internal(format!("a column can't be read: {e}")))?;
        // The statement answers NULL for a row that is too large by itself.
        let text = text.ok_or_else(|| failure::too_large(max_bytes))?;
        bytes += text.len();
        if bytes > max_bytes {
            return Err(failure::too_large(max_bytes));
        }
        answer.push(text);
    }
    Ok(answer)
}

/// See `Conn::execute`.
pub(super) async fn execute(session: &mut Session<'_>, sql: &Sql) -> Result<u64> {
    let (text, arguments) = bound(sql)?;
    let query = sqlx::query_with(AssertSqlSafe(text), arguments).persistent(session.prepared);
    let done = query.execute(&mut *session.conn).await.map_err(failure::postgres)?;
    Ok(done.rows_affected())
}

/// See `Conn::batch`.
pub(super) async fn batch(session: &mut Session<'_>, text: &str) -> Result<()> {
    control(session.conn, text).await
}

/// The text and arguments of a statement. Prepared statements are kept by their text with the types they were first bound with, so the
/// text ends with a comment that tells the types.
fn bound(sql: &Sql) -> Result<(String, PgArguments)> {
    let mut arguments = PgArguments::default();
    let mut text = String::with_capacity(sql.text.len() + sql.values.len() + 5);
    text.push_str(&sql.text);
    if !sql.values.is_empty() {
        text.push_str(" --");
    }
    for value in &sql.values {
        text.push(bind(&mut arguments, value).map_err(|e| Error::internal(format!("a value can't be bound: {e}")))?);
    }
    Ok((text, arguments))
}

type BindError = Box<dyn std::error::Error + Send + Sync>;

/// Adds one value; answers a letter for its type.
fn bind(to: &mut PgArguments, value: &Bind) -> std::result::Result<char, BindError> {
    Ok(match value {
        Bind::Bool(v) => to.add(*v).map(|()| 'b')?,
        Bind::Int(v) => to.add(*v).map(|()| 'i')?,
        Bind::BigInt(v) => to.add(*v).map(|()| 'l')?,
        Bind::BigUnsigned(v) => to.add(v.map(|v| i64::try_from(v).unwrap_or(i64::MAX))).map(|()| 'l')?,
        Bind::Double(v) => to.add(*v).map(|()| 'd')?,
        Bind::String(v) => to.add(v.as_deref()).map(|()| 's')?,
        Bind::Bytes(v) => to.add(v.as_deref()).map(|()| 'x')?,
        Bind::Uuid(v) => to.add(*v).map(|()| 'u')?,
        Bind::ChronoDateTime(v) => to.add(*v).map(|()| 'n')?,
        Bind::ChronoDateTimeUtc(v) => to.add(*v).map(|()| 't')?,
        Bind::ChronoDate(v) => to.add(*v).map(|()| 'e')?,
        Bind::ChronoTime(v) => to.add(*v).map(|()| 'c')?,
        Bind::BigDecimal(v) => to.add(v.as_deref()).map(|()| 'm')?,
        Bind::Json(v) => to.add(v.as_ref().map(|j| JsonText(j.to_string()))).map(|()| 'j')?,
        Bind::Array(ty, items) => bind_array(to, ty, items.as_deref().map_or(&[], Vec::as_slice))?,
        other => return Err(format!("no Postgres form for {other:?}").into()),
    })
}

fn bind_array(to: &mut PgArguments, ty: &ArrayType, items: &[Bind]) -> std::result::Result<char, BindError> {
    /// The items as a vector of their own type; those of another type can't be there, see `sql::array`.
    macro_rules! items {
        ($variant:ident) => {
            items.iter().filter_map(|item| if let Bind::$variant(v) = item { v.clone() } else { None }).collect::<Vec<_>>()
        };
    }
    Ok(match ty {
        ArrayType::Bool => to.add(items!(Bool)).map(|()| 'B')?,
        ArrayType::Int => to.add(items!(Int)).map(|()| 'I')?,
        ArrayType::BigInt => to.add(items!(BigInt)).map(|()| 'L')?,
        ArrayType::Double => to.add(items!(Double)).map(|()| 'D')?,
        ArrayType::String => to.add(items!(String)).map(|()| 'S')?,
        ArrayType::Uuid => to.add(items!(Uuid)).map(|()| 'U')?,
        ArrayType::ChronoDateTime => to.add(items!(ChronoDateTime)).map(|()| 'N')?,
        ArrayType::ChronoDateTimeUtc => to.add(items!(ChronoDateTimeUtc)).map(|()| 'T')?,
        ArrayType::ChronoDate => to.add(items!(ChronoDate)).map(|()| 'E')?,
        ArrayType::ChronoTime => to.add(items!(ChronoTime)).map(|()| 'C')?,
        ArrayType::BigDecimal => to.add(items!(BigDecimal).into_iter().map(|v| *v).collect::<Vec<BigDecimal>>()).map(|()| 'M')?,
        other => return Err(format!("no Postgres array of {other:?}").into()),
    })
}

/// Text for a column of type `json`, which keeps it as it is; sqlx's own wrapper would pass through `jsonb` and sort the members.
struct JsonText(String);

impl sqlx::Type<Postgres> for JsonText {
    fn type_info() -> PgTypeInfo {
        /// The type `json` of every Postgres.
        const JSON: Oid = Oid(114);
        PgTypeInfo::with_oid(JSON)
    }
}

impl sqlx::Encode<'_, Postgres> for JsonText {
    fn encode_by_ref(&self, buffer: &mut PgArgumentBuffer) -> std::result::Result<IsNull, BindError> {
        buffer.extend_from_slice(self.0.as_bytes());
        Ok(IsNull::No)
    }
}

fn json(ty: FieldType, row: &PgRow, at: usize) -> Result<Value> {
    fn get<'r, T: sqlx::Decode<'r, Postgres>>(row: &'r PgRow, at: usize) -> Result<Option<T>> {
        row.try_get_unchecked(at).map_err(|e| Error::internal(format!("a column can't be read: {e}")))
    }
    // The types of the columns are ours, except in counts and sums; a table of another maker may be wider or narrower.
    let stored = row.column(at).type_info().name();
    let json = match (ty, stored) {
        (FieldType::String | FieldType::Text | FieldType::Hash, "TEXT" | "VARCHAR" | "CHAR" | "NAME") => {
            get::<String>(row, at)?.map(Value::String)
        }
        (FieldType::Integer | FieldType::BigInteger, "INT2") => get::<i16>(row, at)?.map(Value::from),
        (FieldType::Integer | FieldType::BigInteger, "INT4") => get::<i32>(row, at)?.map(Value::from),
        (FieldType::Integer | FieldType::BigInteger, "INT8") => get::<i64>(row, at)?.map(integer_json),
        (FieldType::Float, "FLOAT4") => get::<f32>(row, at)?.map(|n| float_json(n.into())),
        (FieldType::Float, "FLOAT8") => get::<f64>(row, at)?.map(float_json),
        (FieldType::Decimal { scale, .. }, "NUMERIC") => {
            get::<BigDecimal>(row, at)?.map(|n| Value::String(n.with_scale(i64::from(scale)).to_plain_string()))
        }
        (FieldType::Boolean, "BOOL") => get::<bool>(row, at)?.map(Value::Bool),
        (FieldType::Uuid, "UUID") => get::<uuid::Uuid>(row, at)?.map(|id| Value::String(id.to_string())),
        (FieldType::DateTime, "TIMESTAMP") => get::<NaiveDateTime>(row, at)?.map(|t| Value::String(date_time(t))),
        (FieldType::Timestamp, "TIMESTAMPTZ") => get::<DateTime<Utc>>(row, at)?.map(|t| Value::String(timestamp(t))),
        (FieldType::Date, "DATE") => get::<NaiveDate>(row, at)?.map(|day| Value::String(moment::day(day))),
        (FieldType::Time, "TIME") => get::<NaiveTime>(row, at)?.map(|t| Value::String(time_of_day(t))),
        (FieldType::Csv, "TEXT" | "VARCHAR") => get::<String>(row, at)?.map(|text| csv_json(&text)),
        (FieldType::Binary, "BYTEA") => get::<Vec<u8>>(row, at)?.map(|bytes| binary_json(&bytes)),
        (FieldType::Json, "JSON") => {
            let text = get::<&str>(row, at)?;
            text.map(|t| serde_json::from_str(t).map_err(|e| Error::internal(format!("a json column can't be read: {e}")))).transpose()?
        }
        (FieldType::Json, "JSONB") => get::<sqlx::types::Json<Value>>(row, at)?.map(|j| j.0),
        _ => return Err(Error::internal(format!("a column of type {stored} was read as {}", ty.name()))),
    };
    Ok(json.unwrap_or(Value::Null))
}
