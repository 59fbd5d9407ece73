//! SQLite's side: how a connection is opened, how a statement runs on it, how its values become JSON.
//!
//! The same functions as `postgres.rs`, in the same order. Runs on the database's own threads (`writer.rs`, `reader.rs`).

use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rusqlite::functions::FunctionFlags;
use rusqlite::types::{ToSqlOutput, Value as Stored, ValueRef};
use rusqlite::{Connection, OpenFlags, ToSql};
use sea_query::Value as Bind;
use serde_json::Value;

use super::call::Ticket;
use super::value::{binary_json, csv_json, float_json, integer_json};
use super::{FieldType, Sql, decimal, failure, fold};
use crate::error::{Error, ErrorCode, Result};

/// Virtual machine steps between two looks at the clock: about 0.1 ms.
const STEPS_PER_LOOK: i32 = 2000;

/// Ends a statement that runs past its time: SQLite asks it every few thousand steps.
#[derive(Clone)]
pub(super) struct Watch {
    epoch: Instant,
    /// Milliseconds after `epoch`; 0 = no limit. Written and read by the connection's thread only.
    until: Arc<AtomicU64>,
    /// Whose job is running, where its caller's leaving ends it. Locked by the connection's thread only.
    running: Arc<Mutex<Option<Ticket>>>,
}

impl Watch {
    fn new() -> Self {
        Self { epoch: Instant::now(), until: Arc::new(AtomicU64::new(0)), running: Arc::default() }
    }

    /// From now on statements end at `deadline`; None lifts the limit.
    pub(super) fn set(&self, deadline: Option<Instant>) {
        let millis = deadline.map(|at| at.saturating_duration_since(self.epoch).as_millis());
        // Rounded up, so that whoever looks at the clock afterwards finds the time over, too.
        let millis = millis.map_or(0, |millis| u64::try_from(millis).unwrap_or(u64::MAX).saturating_add(1));
        self.until.store(millis, Ordering::Relaxed);
    }

    /// From now on statements also end when the caller who holds `ticket` has left.
    pub(super) fn follow(&self, ticket: Option<Ticket>) {
        *self.running.lock().unwrap_or_else(PoisonError::into_inner) = ticket;
    }

    fn over(&self) -> bool {
        let until = self.until.load(Ordering::Relaxed);
        let left = || self.running.lock().unwrap_or_else(PoisonError::into_inner).as_ref().is_some_and(Ticket::caller_left);
        (until != 0 && self.epoch.elapsed() >= Duration::from_millis(until)) || left()
    }
}

/// The path of the file in a `sqlite://…` URL.
///
/// # Errors
/// A URL without a file: several connections can't share a database in memory.
pub(super) fn path(url: &str) -> Result<&Path> {
    let rest = url.strip_prefix("sqlite:").unwrap_or(url);
    let path = rest.strip_prefix("//").unwrap_or(rest);
    let path = path.split('?').next().unwrap_or_default();
    if path.is_empty() || path == ":memory:" {
        return Err(Error::new(ErrorCode::Internal, "DATABASE_URL must name a file, as in sqlite://data/trellis.db")
            .with_detail(format!("got: {url}")));
    }
    Ok(Path::new(path))
}

/// Opens the connection that writes; makes the file and its folder where they are missing.
pub(super) fn open_writer(path: &Path) -> Result<(Connection, Watch)> {
    if let Some(folder) = path.parent().filter(|f| !f.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder).map_err(|e| cannot_open(path, &e.to_string()))?;
    }
    // Made here, so that only its owner can read what is in it; SQLite gives its other files the same mode.
    std::fs::OpenOptions::new().create(true).append(true).mode(0o600).open(path).map_err(|e| cannot_open(path, &e.to_string()))?;
    let conn = Connection::open_with_flags(
        path,
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )
    .map_err(|e| cannot_open(path, &e.to_string()))?;
    // Waiting comes first: setting WAL takes a lock that another host may hold.
    conn.execute_batch("PRAGMA busy_timeout = 5000; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;")
        .map_err(|e| cannot_open(path, &e.to_string()))?;
    prepare(conn)
}

/// Opens a connection that only reads.
pub(super) fn open_reader(path: &Path) -> Result<(Connection, Watch)> {
    let conn = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX)
        .map_err(|e| cannot_open(path, &e.to_string()))?;
    conn.execute_batch("PRAGMA busy_timeout = 5000; PRAGMA query_only = ON;").map_err(failure::sqlite)?;
    prepare(conn)
}

fn cannot_open(path: &Path, why: &str) -> Error {
    Error::new(ErrorCode::ServiceUnavailable, "The database can't be opened").with_detail(format!("{}: {why}", path.display()))
}

fn prepare(conn: Connection) -> Result<(Connection, Watch)> {
    let watch = Watch::new();
    let register = || -> rusqlite::Result<()> {
        // 16 MiB of pages; statements that the same few queries need again and again.
        conn.execute_batch("PRAGMA cache_size = -16384; PRAGMA temp_store = MEMORY;")?;
        conn.set_prepared_statement_cache_capacity(256);
        let pure = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC;
        conn.create_scalar_function("trellis_fold", 1, pure, |ctx| Ok(ctx.get_raw(0).as_str_or_null()?.map(fold)))?;
        conn.create_scalar_function("trellis_regexp", 2, pure, |ctx| {
            let pattern = ctx.get_or_create_aux(0, |p| -> std::result::Result<_, Box<dyn std::error::Error + Send + Sync>> {
                Ok(regex::Regex::new(p.as_str()?)?)
            })?;
            Ok(ctx.get_raw(1).as_str_or_null()?.map(|text| pattern.is_match(text)))
        })?;
        conn.create_scalar_function("trellis_json", 3, pure, |ctx| Ok(typed(ctx)?.to_string()))?;
        conn.create_scalar_function("trellis_text", 3, pure, |ctx| {
            Ok(match typed(ctx)? {
                Value::Null => None,
                Value::String(text) => Some(text),
                other => Some(other.to_string()),
            })
        })?;
        let looked = watch.clone();
        conn.progress_handler(STEPS_PER_LOOK, Some(move || looked.over()))
    };
    register().map_err(failure::sqlite)?;
    Ok((conn, watch))
}

/// The value of a column as [`select`] would answer it, for functions `(value, type, scale)`.
fn typed(ctx: &rusqlite::functions::Context<'_>) -> rusqlite::Result<Value> {
    let scale = u8::try_from(ctx.get::<i64>(2)?).unwrap_or_default();
    let name = ctx.get_raw(1).as_str()?;
    let ty = FieldType::parse(name, Some(FieldType::SQLITE_PRECISION.max(scale)), Some(scale)).unwrap_or(FieldType::Text);
    Ok(json(ty, ctx.get_raw(0)))
}

/// Runs a statement that controls a transaction.
pub(super) fn control(conn: &Connection, text: &str) -> Result<()> {
    conn.prepare_cached(text).and_then(|mut statement| statement.raw_execute()).map(drop).map_err(failure::sqlite)
}

/// Whether a foreign key is violated that only the commit would find.
pub(super) fn owes_foreign_keys(conn: &Connection) -> bool {
    let (mut now, mut high) = (0, 0);
    // SAFETY: the handle is that of an open connection, which this thread has borrowed; both pointers are to live integers.
    let status = unsafe {
        rusqlite::ffi::sqlite3_db_status(conn.handle(), rusqlite::ffi::SQLITE_DBSTATUS_DEFERRED_FKS, &raw mut now, &raw mut high, 0)
    };
    status == rusqlite::ffi::SQLITE_OK && now != 0
}

/// See `Conn::select`.
pub(super) fn select(conn: &Connection, sql: &Sql, columns: &[FieldType]) -> Result<Vec<Vec<Value>>> {
    let mut statement = conn.prepare_cached(&sql.text).map_err(failure::sqlite)?;
    if statement.column_count() != columns.len() {
        return Err(Error::internal(format!("{} columns for {} types: {}", statement.column_count(), columns.len(), sql.text)));
    }
    bind(&mut statement, &sql.values)?;
    let mut rows = statement.raw_query();
    let mut answer = Vec::new();
    while let Some(row) = rows.next().map_err(failure::sqlite)? {
        let mut cells = Vec::with_capacity(columns.len());
        for (at, ty) in columns.iter().enumerate() {
            cells.push(json(*ty, row.get_ref(at).map_err(failure::sqlite)?));
        }
        answer.push(cells);
    }
    Ok(answer)
}

/// See `Conn::texts`.
pub(super) fn texts(conn: &Connection, sql: &Sql, max_bytes: usize) -> Result<Vec<String>> {
    let limit = Length::set(conn, max_bytes);
    let outcome = (|| {
        let mut statement = conn.prepare_cached(&sql.text)?;
        for (at, value) in sql.values.iter().enumerate() {
            statement.raw_bind_parameter(at + 1, Parameter(value))?;
        }
        let mut rows = statement.raw_query();
        let (mut answer, mut bytes) = (Vec::new(), 0);
        while let Some(row) = rows.next()? {
            let text = row.get_ref(0)?.as_str_or_null()?.unwrap_or("null");
            bytes += text.len();
            if bytes > max_bytes {
                return Ok(None);
            }
            answer.push(text.to_owned());
        }
        Ok(Some(answer))
    })();
    drop(limit);
    match outcome {
        Ok(Some(answer)) => Ok(answer),
        Err(rusqlite::Error::SqliteFailure(code, _)) if code.code == rusqlite::ErrorCode::TooBig => Err(failure::too_large(max_bytes)),
        Ok(None) => Err(failure::too_large(max_bytes)),
        Err(error) => Err(failure::sqlite(error)),
    }
}

/// How long a value may become on the way to an answer, until this is dropped.
struct Length<'c> {
    conn: &'c Connection,
    before: std::ffi::c_int,
}

impl<'c> Length<'c> {
    fn set(conn: &'c Connection, bytes: usize) -> Self {
        Self { conn, before: Self::exchange(conn, std::ffi::c_int::try_from(bytes).unwrap_or(std::ffi::c_int::MAX)) }
    }

    fn exchange(conn: &Connection, bytes: std::ffi::c_int) -> std::ffi::c_int {
        // SAFETY: the handle is that of an open connection, which this thread has borrowed; the limit is a plain number.
        unsafe { rusqlite::ffi::sqlite3_limit(conn.handle(), rusqlite::ffi::SQLITE_LIMIT_LENGTH, bytes) }
    }
}

impl Drop for Length<'_> {
    fn drop(&mut self) {
        Self::exchange(self.conn, self.before);
    }
}

/// See `Conn::execute`.
pub(super) fn execute(conn: &Connection, sql: &Sql) -> Result<u64> {
    let mut statement = conn.prepare_cached(&sql.text).map_err(failure::sqlite)?;
    bind(&mut statement, &sql.values)?;
    let changed = statement.raw_execute().map_err(failure::sqlite)?;
    Ok(changed as u64)
}

/// See `Conn::batch`.
pub(super) fn batch(conn: &Connection, text: &str) -> Result<()> {
    conn.execute_batch(text).map_err(failure::sqlite)
}

fn bind(statement: &mut rusqlite::Statement<'_>, values: &[Bind]) -> Result<()> {
    for (at, value) in values.iter().enumerate() {
        statement.raw_bind_parameter(at + 1, Parameter(value)).map_err(failure::sqlite)?;
    }
    Ok(())
}

/// A value on its way into a statement: text is lent, not copied.
struct Parameter<'a>(&'a Bind);

impl ToSql for Parameter<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        let owned = |value: Option<i64>| Ok(ToSqlOutput::Owned(value.map_or(Stored::Null, Stored::Integer)));
        match self.0 {
            Bind::Bool(v) => owned(v.map(i64::from)),
            Bind::TinyInt(v) => owned(v.map(i64::from)),
            Bind::SmallInt(v) => owned(v.map(i64::from)),
            Bind::Int(v) => owned(v.map(i64::from)),
            Bind::BigInt(v) => owned(*v),
            Bind::TinyUnsigned(v) => owned(v.map(i64::from)),
            Bind::SmallUnsigned(v) => owned(v.map(i64::from)),
            Bind::Unsigned(v) => owned(v.map(i64::from)),
            Bind::BigUnsigned(v) => owned(v.map(|v| i64::try_from(v).unwrap_or(i64::MAX))),
            Bind::Double(v) => Ok(ToSqlOutput::Owned(v.map_or(Stored::Null, Stored::Real))),
            Bind::String(v) => {
                Ok(v.as_ref().map_or(ToSqlOutput::Owned(Stored::Null), |t| ToSqlOutput::Borrowed(ValueRef::Text(t.as_bytes()))))
            }
            Bind::Bytes(v) => Ok(v.as_ref().map_or(ToSqlOutput::Owned(Stored::Null), |b| ToSqlOutput::Borrowed(ValueRef::Blob(b)))),
            Bind::Json(v) => Ok(ToSqlOutput::Owned(v.as_ref().map_or(Stored::Null, |j| Stored::Text(j.to_string())))),
            other => Err(rusqlite::Error::ToSqlConversionFailure(format!("no SQLite form for {other:?}").into())),
        }
    }
}

/// What a column of that type holds, as JSON. Whatever other programs wrote into it that is of another kind, which SQLite keeps, is shown
/// as it is: one such value must not make a whole table unreadable.
fn json(ty: FieldType, stored: ValueRef<'_>) -> Value {
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    match (ty, stored) {
        (_, ValueRef::Null) => Value::Null,
        (FieldType::Integer | FieldType::BigInteger, ValueRef::Integer(n)) => integer_json(n),
        #[expect(clippy::cast_precision_loss, reason = "a float column may hold a whole number, which SQLite stores as an integer")]
        (FieldType::Float, ValueRef::Integer(n)) => float_json(n as f64),
        (FieldType::Decimal { scale, .. }, ValueRef::Integer(n)) => Value::String(decimal::text(n, scale)),
        (FieldType::Boolean, ValueRef::Integer(n)) => Value::Bool(n != 0),
        (FieldType::DateTime | FieldType::Time, ValueRef::Text(t)) => {
            let text = text(t);
            Value::String(text.strip_suffix(".000").map_or_else(|| text.clone(), str::to_owned))
        }
        (FieldType::Csv, ValueRef::Text(t)) => csv_json(&text(t)),
        (FieldType::Binary, ValueRef::Blob(bytes) | ValueRef::Text(bytes)) => binary_json(bytes),
        (FieldType::Json, ValueRef::Text(t)) => serde_json::from_slice(t).unwrap_or_else(|_| Value::String(text(t))),
        (_, ValueRef::Integer(n)) => integer_json(n),
        (_, ValueRef::Real(n)) => float_json(n),
        (_, ValueRef::Text(t)) => Value::String(text(t)),
        (_, ValueRef::Blob(bytes)) => Value::String(text(bytes)),
    }
}
