//! What a database refuses → our meanings, alike for both.
//!
//! SQLite names the column in its message; Postgres in the fields of its error. Called by the two drivers and nothing else.

use rusqlite::ffi;
use sqlx::postgres::PgDatabaseError;

use crate::error::{Error, ErrorCode, Report};

/// The meaning of a failure of SQLite.
pub(super) fn sqlite(error: rusqlite::Error) -> Error {
    let rusqlite::Error::SqliteFailure(code, message) = &error else {
        return Error::internal(format!("SQLite: {error}"));
    };
    let message = message.as_deref().unwrap_or_default();
    // "UNIQUE constraint failed: articles.slug, articles.lang": what follows the colon names the columns.
    let named = message.rsplit_once(": ").and_then(|(_, columns)| columns.split(',').next()).and_then(|c| c.trim().split_once('.'));
    let mapped = match code.extended_code {
        ffi::SQLITE_CONSTRAINT_UNIQUE | ffi::SQLITE_CONSTRAINT_PRIMARYKEY | ffi::SQLITE_CONSTRAINT_ROWID => not_unique(named),
        ffi::SQLITE_CONSTRAINT_FOREIGNKEY => foreign_key(),
        // `ON DELETE RESTRICT` is a trigger of SQLite's own.
        ffi::SQLITE_CONSTRAINT_TRIGGER if message.starts_with("FOREIGN KEY") => foreign_key(),
        ffi::SQLITE_CONSTRAINT_NOTNULL => missing(named),
        ffi::SQLITE_CONSTRAINT_CHECK | ffi::SQLITE_CONSTRAINT_DATATYPE | ffi::SQLITE_CONSTRAINT_TRIGGER => rule(),
        _ => match code.code {
            rusqlite::ErrorCode::OperationInterrupted => timeout(),
            rusqlite::ErrorCode::DatabaseBusy
            | rusqlite::ErrorCode::DatabaseLocked
            | rusqlite::ErrorCode::DiskFull
            | rusqlite::ErrorCode::CannotOpen => unavailable(),
            _ => return Error::internal(format!("SQLite: {error}")),
        },
    };
    let state = match code.extended_code {
        ffi::SQLITE_CONSTRAINT_UNIQUE | ffi::SQLITE_CONSTRAINT_PRIMARYKEY | ffi::SQLITE_CONSTRAINT_ROWID => "23505",
        ffi::SQLITE_CONSTRAINT_FOREIGNKEY => "23503",
        ffi::SQLITE_CONSTRAINT_TRIGGER if message.starts_with("FOREIGN KEY") => "23503",
        ffi::SQLITE_CONSTRAINT_NOTNULL => "23502",
        ffi::SQLITE_CONSTRAINT_CHECK | ffi::SQLITE_CONSTRAINT_DATATYPE => "23514",
        ffi::SQLITE_CONSTRAINT_TRIGGER => "P0001",
        _ => "",
    };
    let report = Report { state: state.to_owned(), message: mapped.message().to_owned(), details: None, hint: None };
    let mapped = mapped.with_detail(format!("SQLite {}: {message}", code.extended_code));
    if state.is_empty() { mapped } else { mapped.with_report(report) }
}

/// The meaning of a failure of Postgres or of the way to it.
pub(super) fn postgres(error: sqlx::Error) -> Error {
    let database = match &error {
        sqlx::Error::Database(database) => database.downcast_ref::<PgDatabaseError>(),
        sqlx::Error::Io(_) | sqlx::Error::Tls(_) | sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed | sqlx::Error::WorkerCrashed => {
            return unavailable().with_detail(format!("Postgres: {error}"));
        }
        _ => return Error::internal(format!("Postgres: {error}")),
    };
    // "Key (slug, lang)=(a, de) already exists.": the columns stand in the first brackets.
    let first_key = database.detail().and_then(|d| d.split_once('(')).and_then(|(_, rest)| rest.split([',', ')']).next());
    let key = first_key.map(|c| c.trim().trim_matches('"'));
    let mapped = match database.code() {
        "23505" => not_unique(database.table().zip(key)),
        "23503" | "2BP01" => foreign_key(),
        "23502" => missing(database.table().zip(database.column())),
        "23514" | "23P01" | "P0001" => rule(),
        "22001" | "22003" | "22021" | "22P05" => Error::new(ErrorCode::FailedValidation, "A value doesn't fit its field"),
        "54000" => Error::new(ErrorCode::FailedValidation, "A value is too long for a field that is unique or has an index"),
        "2200H" => Error::new(ErrorCode::Conflict, "The collection has given out every number that its key can have"),
        // 0A000 besides: a prepared statement that a change of the schema overtook; another connection prepares it anew.
        "40001" | "40P01" => conflict(),
        "0A000" if database.message().contains("cached plan") => conflict(),
        "57014" | "25P03" | "25P04" => timeout(),
        code if code.starts_with("08") || code.starts_with("53") || code.starts_with("57P") || code == "55P03" => unavailable(),
        _ => Error::internal(""),
    };
    let report = Report {
        state: database.code().to_owned(),
        message: database.message().to_owned(),
        details: database.detail().map(str::to_owned),
        hint: database.hint().map(str::to_owned),
    };
    mapped.with_report(report).with_detail(format!("Postgres {}: {}", database.code(), database.message()))
}

/// More bytes than one answer may have.
pub(super) fn too_large(max_bytes: usize) -> Error {
    let message = format!("The answer would be larger than {max_bytes} bytes (EXTENSION_MAX_PAYLOAD)");
    let report = Report { state: "54000".to_owned(), message: message.clone(), details: None, hint: None };
    Error::new(ErrorCode::ExtensionPayloadTooLarge, message).with_report(report)
}

/// A foreign key that names nothing, or a row that something still names.
pub(super) fn foreign_key() -> Error {
    Error::new(ErrorCode::InvalidForeignKey, "A reference names an item that isn't there, or the item is still referred to")
}

/// Retried in vain.
pub(super) fn conflict() -> Error {
    Error::new(ErrorCode::TransactionConflict, "Concurrent changes got in each other's way; try again").with_retry_after(1)
}

/// The transaction's time is over.
pub(super) fn timeout() -> Error {
    Error::new(ErrorCode::TransactionTimeout, "The transaction took too long and was rolled back")
}

/// Busy, exhausted, closed or out of reach.
pub(super) fn unavailable() -> Error {
    Error::new(ErrorCode::ServiceUnavailable, "The database can't take this now; try again").with_retry_after(1)
}

fn not_unique(named: Option<(&str, &str)>) -> Error {
    match named {
        Some((table, field)) => Error::new(ErrorCode::RecordNotUnique, format!("`{field}` in `{table}` must be unique")).with_field(field),
        None => Error::new(ErrorCode::RecordNotUnique, "A value that must be unique is there already"),
    }
}

fn missing(named: Option<(&str, &str)>) -> Error {
    match named {
        Some((table, field)) => Error::new(ErrorCode::FailedValidation, format!("`{field}` in `{table}` needs a value")).with_field(field),
        None => Error::new(ErrorCode::FailedValidation, "A field needs a value"),
    }
}

fn rule() -> Error {
    Error::new(ErrorCode::FailedValidation, "A rule of the database refuses this")
}
