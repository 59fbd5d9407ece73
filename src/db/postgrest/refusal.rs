//! What the raw client is told when a request can't be done, in the words and codes that clients of PostgREST know.

use crate::error::{Error, ErrorCode, Report};

/// A refusal with its code, message, details and hint.
pub(super) fn refuse(state: &str, message: impl Into<String>, details: Option<String>, hint: Option<String>) -> Error {
    let message = message.into();
    let report = Report { state: state.to_owned(), message: message.clone(), details, hint };
    Error::new(ErrorCode::InvalidQuery, message).with_report(report)
}

/// A name for a message, cut to a length that can be read.
pub(super) fn clip(name: &str) -> String {
    match name.char_indices().nth(63) {
        Some((at, _)) => format!("{}…", &name[..at]),
        None => name.to_owned(),
    }
}

fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let near = known.into_iter().map(|k| (strsim::damerau_levenshtein(&clip(name), k), k)).min()?;
    (near.0 <= 3.min(near.1.len() / 2)).then(|| near.1.to_owned())
}

pub(super) fn no_table<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Error {
    let hint = nearest(name, known).map(|near| format!("Perhaps you meant the table 'public.{near}'"));
    refuse("PGRST205", format!("Could not find the table 'public.{}' in the schema cache", clip(name)), None, hint)
}

pub(super) fn no_function(name: &str, args: &[&str], known: bool) -> Error {
    let args = if args.is_empty() {
        "without parameters".to_owned()
    } else {
        format!("({})", args.iter().map(|a| clip(a)).collect::<Vec<_>>().join(", "))
    };
    let hint = known.then(|| "There is a function of that name with other parameters".to_owned());
    refuse("PGRST202", format!("Could not find the function public.{} {args} in the schema cache", clip(name)), None, hint)
}

pub(super) fn no_column<'a>(table: &str, name: &str, known: impl IntoIterator<Item = &'a str>) -> Error {
    let hint = nearest(name, known).map(|near| format!("Perhaps you meant to reference the column \"{table}.{near}\"."));
    refuse("42703", format!("column {table}.{} does not exist", clip(name)), None, hint)
}

pub(super) fn unwritable_column(table: &str, name: &str) -> Error {
    refuse("PGRST204", format!("Could not find the '{}' column of '{table}' in the schema cache", clip(name)), None, None)
}

/// A table that only those may touch who were granted it.
pub(super) fn not_granted(name: &str) -> Error {
    let hint = "Tables that begin with `daas_` need the capability `rawdb:system`, and to be named as such".to_owned();
    let message = format!("permission denied for table {}", clip(name));
    let report = Report { state: "42501".to_owned(), message: message.clone(), details: None, hint: Some(hint) };
    Error::forbidden(message).with_report(report)
}

/// The database is SQLite, and it can't do that.
pub(super) fn postgres_only(what: &str) -> Error {
    refuse("0A000", format!("SQLite has no counterpart for {what}: it needs Postgres"), None, None)
}

pub(super) fn zero_byte() -> Error {
    refuse("22021", "invalid byte sequence for encoding \"UTF8\": 0x00", None, None)
}

pub(super) fn not_a_value(ty: &str, given: &str) -> Error {
    let state = if ty.starts_with("timestamp") { "22007" } else { "22P02" };
    refuse(state, format!("invalid input syntax for type {ty}: \"{}\"", clip(given)), None, None)
}

pub(super) fn too_long(limit: u32) -> Error {
    refuse("22001", format!("value too long for type character varying({limit})"), None, None)
}

pub(super) fn too_many(what: &str, limit: usize) -> Error {
    refuse("54000", format!("There may be at most {limit} {what} in one request"), None, None)
}

/// More rows than one answer may have.
pub(super) fn too_many_rows(limit: u64) -> Error {
    let message = format!("The answer would have more than {limit} rows (QUERY_LIMIT_MAX)");
    let hint = Some("Ask for fewer with limit() or range()".to_owned());
    let report = Report { state: "54000".to_owned(), message: message.clone(), details: None, hint };
    Error::new(ErrorCode::QueryTooLarge, message).with_report(report)
}

pub(super) fn not_one(count: u64) -> Error {
    let details = format!("The result contains {count} rows");
    refuse("PGRST116", "Cannot coerce the result to a single JSON object", Some(details), None)
}

pub(super) fn affects_too_many(count: u64) -> Error {
    let details = Some(format!("The query affects {count} rows"));
    refuse("PGRST124", "Query result exceeds max-affected preference constraint", details, None)
}
