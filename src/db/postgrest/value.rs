//! Values on their way in and out: what a text of the caller is compared as, and how a column becomes JSON.
//!
//! Both databases answer the same JSON for what collections hold, and it is the JSON of the items API.

use sea_query::{ArrayType, Value as Bind};
use serde_json::Value;

use super::catalog::{Column, Kind};
use super::plan::Cast;
use super::refusal;
use super::text::Text;
use crate::db::{Dialect, FieldType};
use crate::error::Result;

/// An expression with what is known of its type.
#[derive(Debug, Clone)]
pub(super) struct Expr {
    pub(super) text: Text,
    pub(super) kind: Kind,
    /// The type on Postgres, as it is written in a cast.
    pub(super) sql_type: String,
}

impl Expr {
    pub(super) fn of(column: &Column, alias: &str) -> Self {
        let mut text = Text::default();
        text.column(alias, &column.name);
        Self { text, kind: column.kind, sql_type: column.sql_type.clone() }
    }
}

/// The expression as JSON.
pub(super) fn output(dialect: Dialect, expr: Expr) -> Text {
    let Expr { text, kind, .. } = expr;
    let wrap = |before: &str, after: &str| {
        let mut whole = Text::of(before);
        whole.part(text.clone()).raw(after);
        whole
    };
    if dialect == Dialect::Sqlite {
        let (name, scale) = type_name(kind);
        return wrap("json(trellis_json(", &format!(", '{name}', {scale}))"));
    }
    match kind {
        Kind::Field(FieldType::BigInteger) => {
            let mut whole = Text::of("CASE WHEN ");
            whole.part(text.clone()).raw(" BETWEEN -9007199254740991 AND 9007199254740991 THEN to_json(").part(text.clone());
            whole.raw(") ELSE to_json(").part(text).raw("::text) END");
            whole
        }
        Kind::Field(FieldType::Decimal { .. }) => wrap("(", ")::text"),
        Kind::Field(FieldType::Timestamp) => wrap("to_char((", ") AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"')"),
        Kind::Field(FieldType::Time) => wrap("replace(to_char(", ", 'HH24:MI:SS.MS'), '.000', '')"),
        Kind::Field(FieldType::Csv) => wrap("to_json(string_to_array(", ", ','))"),
        Kind::Field(FieldType::Binary) => wrap("replace(encode(", ", 'base64'), E'\\n', '')"),
        Kind::Field(FieldType::DateTime) => wrap("replace(to_char(", ", 'YYYY-MM-DD\"T\"HH24:MI:SS.MS'), '.000', '')"),
        _ => text,
    }
}

/// A type as the function `trellis_json` of SQLite takes it.
fn type_name(kind: Kind) -> (&'static str, u8) {
    match kind {
        Kind::Field(ty @ FieldType::Decimal { scale, .. }) => (ty.name(), scale),
        Kind::Field(ty) => (ty.name(), 0),
        Kind::Native => ("text", 0),
    }
}

/// The expression cast to another type.
///
/// # Errors
/// A cast that SQLite has no counterpart for.
pub(super) fn cast(dialect: Dialect, expr: Expr, to: Cast) -> Result<Expr> {
    let (name, kind) = match to {
        Cast::Text => ("text", Kind::TEXT),
        Cast::Integer => ("integer", Kind::Field(FieldType::Integer)),
        Cast::BigInteger => ("bigint", Kind::Field(FieldType::BigInteger)),
        Cast::Float => ("double precision", Kind::Field(FieldType::Float)),
        Cast::Numeric => ("numeric", Kind::Native),
        Cast::Boolean => ("boolean", Kind::Field(FieldType::Boolean)),
        Cast::Json => ("jsonb", Kind::JSON),
        Cast::Uuid => ("uuid", Kind::Field(FieldType::Uuid)),
        Cast::Date => ("date", Kind::Native),
        Cast::DateTime => ("timestamp", Kind::Field(FieldType::DateTime)),
        Cast::Timestamp => ("timestamptz", Kind::Field(FieldType::Timestamp)),
    };
    let mut text = Text::default();
    if dialect == Dialect::Postgres {
        text.raw("(").part(expr.text).raw(")::").raw(name);
        return Ok(Expr { text, kind, sql_type: name.to_owned() });
    }
    let (from, scale) = type_name(expr.kind);
    match to {
        Cast::Text => text.raw("trellis_text(").part(expr.text).raw(&format!(", '{from}', {scale})")),
        Cast::Integer | Cast::BigInteger => {
            text.raw("CAST(trellis_text(").part(expr.text).raw(&format!(", '{from}', {scale}) AS INTEGER)"))
        }
        Cast::Float | Cast::Numeric => text.raw("CAST(trellis_text(").part(expr.text).raw(&format!(", '{from}', {scale}) AS REAL)")),
        Cast::Boolean => text.raw("(").part(expr.text).raw(" IS TRUE)"),
        Cast::Json if expr.kind == Kind::JSON => text.part(expr.text),
        _ => return Err(refusal::postgres_only(&format!("the cast to `{name}`"))),
    };
    let kind = if to == Cast::Numeric { Kind::Field(FieldType::Float) } else { kind };
    Ok(Expr { text, kind, sql_type: String::new() })
}

/// A text of the caller as a value that `expr` can be compared with.
///
/// # Errors
/// A text that isn't a value of that type.
pub(super) fn operand(dialect: Dialect, kind: Kind, sql_type: &str, given: &str) -> Result<Text> {
    if given.contains('\0') {
        return Err(refusal::zero_byte());
    }
    let mut text = Text::default();
    match dialect {
        Dialect::Postgres => match as_moment(kind, given) {
            Some(moment) => text.value(moment),
            // The database reads it, as it would a literal.
            None => text.value(given).raw("::").raw(if sql_type.is_empty() { "text" } else { sql_type }),
        },
        Dialect::Sqlite => text.value(stored(kind, given)?),
    };
    Ok(text)
}

/// A moment as everything else here reads it: without an offset it is in UTC, whatever the zone of the database's session.
fn as_moment(kind: Kind, given: &str) -> Option<Bind> {
    match kind {
        Kind::Field(ty @ FieldType::Timestamp) => ty.encode(Dialect::Postgres, &Value::from(given)).ok(),
        _ => None,
    }
}

/// What SQLite stores for that text.
fn stored(kind: Kind, given: &str) -> Result<Bind> {
    let Kind::Field(ty) = kind else { return Ok(Bind::from(given)) };
    let wrong = || refusal::not_a_value(kind.name(), given);
    match ty {
        FieldType::String | FieldType::Text => Ok(Bind::from(given)),
        FieldType::Boolean => match given.to_ascii_lowercase().as_str() {
            "true" | "t" | "yes" | "y" | "on" | "1" => Ok(Bind::from(true)),
            "false" | "f" | "no" | "n" | "off" | "0" => Ok(Bind::from(false)),
            _ => Err(wrong()),
        },
        FieldType::Decimal { scale, .. } => match ty.encode(Dialect::Sqlite, &Value::from(given)) {
            Ok(bind) => Ok(bind),
            // Finer or larger than the column holds: it can still be compared with.
            Err(_) => match given.parse::<f64>() {
                Ok(number) if number.is_finite() => Ok(Bind::from(number * 10_f64.powi(i32::from(scale)))),
                _ => Err(wrong()),
            },
        },
        FieldType::Json => {
            let json: Value = serde_json::from_str(given).map_err(|_| wrong())?;
            Ok(Bind::from(json.to_string()))
        }
        // A number beyond the column's can still be compared with.
        FieldType::Integer => FieldType::BigInteger.encode(Dialect::Sqlite, &Value::from(given.trim())).map_err(|_| wrong()),
        _ => ty.encode(Dialect::Sqlite, &Value::from(given)).map_err(|_| wrong()),
    }
}

/// Several texts as one parameter: an array on Postgres, the rows of a JSON array on SQLite. Completes `expr `.
pub(super) fn one_of(dialect: Dialect, kind: Kind, sql_type: &str, given: &[String]) -> Result<Text> {
    if given.iter().any(|text| text.contains('\0')) {
        return Err(refusal::zero_byte());
    }
    let mut text = Text::default();
    if dialect == Dialect::Postgres {
        let zoned = |item: &String| match kind {
            Kind::Field(FieldType::Timestamp) => crate::db::moment::parse(item).map(|at| crate::db::timestamp(at.and_utc())),
            _ => None,
        };
        let items = given.iter().map(|item| Bind::from(zoned(item).unwrap_or_else(|| item.clone()))).collect();
        let ty = if sql_type.is_empty() { "text" } else { sql_type };
        text.raw("= ANY(").value(Bind::Array(ArrayType::String, Some(Box::new(items)))).raw("::").raw(ty).raw("[])");
        return Ok(text);
    }
    let items = given.iter().map(|item| {
        Ok(match stored(kind, item)? {
            Bind::Bool(Some(flag)) => Value::from(i64::from(flag)),
            Bind::Int(Some(number)) => Value::from(number),
            Bind::BigInt(Some(number)) => Value::from(number),
            Bind::Double(Some(number)) => Value::from(number),
            Bind::String(Some(text)) => Value::from(text.as_str()),
            _ => Value::Null,
        })
    });
    let items: Vec<Value> = items.collect::<Result<_>>()?;
    text.raw("IN (SELECT value FROM json_each(").value(Value::Array(items).to_string()).raw("))");
    Ok(text)
}

/// What SQLite stores for a JSON value in that column.
///
/// # Errors
/// A value that the column doesn't hold.
pub(super) fn cell(column: &Column, value: &Value) -> Result<Bind> {
    let Kind::Field(ty) = column.kind else { return Ok(Bind::from(value.to_string())) };
    if let (Some(limit), Value::String(text)) = (column.max_length, value)
        && text.chars().count() > limit as usize
    {
        return Err(refusal::too_long(limit));
    }
    let given = match (ty, value) {
        // As Postgres does, which reads what it is sent as text.
        (FieldType::String | FieldType::Text, Value::Number(_) | Value::Bool(_) | Value::Array(_) | Value::Object(_)) => {
            Value::String(value.to_string())
        }
        _ => value.clone(),
    };
    ty.encode(Dialect::Sqlite, &given).map_err(|_| match value.as_str() {
        Some(text) if text.contains('\0') => refusal::zero_byte(),
        Some(text) => refusal::not_a_value(column.kind.name(), text),
        None => refusal::not_a_value(column.kind.name(), &value.to_string()),
    })
}

/// A JSON value as Postgres is to read it: moments without an offset are in UTC.
pub(super) fn posted(column: &Column, value: &Value) -> Value {
    match (column.kind, value) {
        (Kind::Field(FieldType::Timestamp), Value::String(text)) => match crate::db::moment::parse(text) {
            Some(at) => Value::from(crate::db::timestamp(at.and_utc())),
            None => value.clone(),
        },
        _ => value.clone(),
    }
}
