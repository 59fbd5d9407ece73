//! JSON ↔ column values: which JSON a field takes, what it is stored as and what JSON comes back.
//!
//! Both databases answer the same JSON for the same value, to the byte: what one of them can't hold exactly is stored in a form that
//! both can (`dialect.rs` has the column types). Knows nothing of collections; the SQL builders and both drivers call it.

use base64::Engine;
use base64::prelude::BASE64_STANDARD as BASE64;
use chrono::{DateTime, NaiveDateTime, NaiveTime, Utc};
use sea_query::Value as Bind;
use serde_json::{Number, Value};

use super::{Dialect, decimal, moment};

/// The largest whole number that a JSON number carries without loss: 2^53 - 1.
const SAFE_INTEGER: i64 = 9_007_199_254_740_991;

/// Levels of a json value at most: what the parser that reads it back takes.
const JSON_DEPTH: usize = 127;

/// The type of a field: what JSON it takes and gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FieldType {
    /// Short text; a length limit belongs to the field.
    String,
    /// Text of any length.
    Text,
    /// A whole number of 32 bits.
    Integer,
    /// A whole number of 64 bits; beyond 2^53 - 1 a string in JSON.
    BigInteger,
    /// A finite double.
    Float,
    /// An exact number, a string in JSON with exactly `scale` digits after the point.
    Decimal {
        /// Digits in all.
        precision: u8,
        /// Digits after the point.
        scale: u8,
    },
    /// `true` or `false`.
    Boolean,
    /// A UUID, lower-case with hyphens in JSON.
    Uuid,
    /// A date and time without a zone.
    DateTime,
    /// A moment, in UTC.
    Timestamp,
    /// A day.
    Date,
    /// A time of day, to the millisecond.
    Time,
    /// Any JSON.
    Json,
    /// A list of texts without commas, stored with commas between them.
    Csv,
    /// A password's hash: what is written is hashed, and nobody reads it.
    Hash,
    /// Bytes, in base64 in JSON.
    Binary,
}

impl FieldType {
    /// The names of all types, as in a field's `type`.
    pub const NAMES: &[&str] = &[
        "string",
        "text",
        "integer",
        "bigInteger",
        "float",
        "decimal",
        "boolean",
        "uuid",
        "dateTime",
        "timestamp",
        "date",
        "time",
        "json",
        "csv",
        "hash",
        "binary",
    ];

    /// The largest number of digits that a decimal may have on SQLite, where it is a scaled 64-bit integer.
    pub const SQLITE_PRECISION: u8 = 18;

    /// The type of that name. `precision` and `scale` count only for `decimal`, where they default to 10 and 5. None: no such type, or a
    /// scale above the precision.
    pub fn parse(name: &str, precision: Option<u8>, scale: Option<u8>) -> Option<Self> {
        Some(match name {
            "string" => Self::String,
            "text" => Self::Text,
            "integer" => Self::Integer,
            "bigInteger" => Self::BigInteger,
            "float" => Self::Float,
            "decimal" => {
                let precision = precision.unwrap_or(10);
                let scale = scale.unwrap_or(5.min(precision));
                if precision == 0 || precision > 100 || scale > precision {
                    return None;
                }
                Self::Decimal { precision, scale }
            }
            "boolean" => Self::Boolean,
            "uuid" => Self::Uuid,
            "dateTime" => Self::DateTime,
            "timestamp" => Self::Timestamp,
            "date" => Self::Date,
            "time" => Self::Time,
            "json" => Self::Json,
            "csv" => Self::Csv,
            "hash" => Self::Hash,
            "binary" => Self::Binary,
            _ => return None,
        })
    }

    /// The name, as in a field's `type`.
    pub fn name(&self) -> &'static str {
        match self {
            Self::String => "string",
            Self::Text => "text",
            Self::Integer => "integer",
            Self::BigInteger => "bigInteger",
            Self::Float => "float",
            Self::Decimal { .. } => "decimal",
            Self::Boolean => "boolean",
            Self::Uuid => "uuid",
            Self::DateTime => "dateTime",
            Self::Timestamp => "timestamp",
            Self::Date => "date",
            Self::Time => "time",
            Self::Json => "json",
            Self::Csv => "csv",
            Self::Hash => "hash",
            Self::Binary => "binary",
        }
    }

    /// A value in the one spelling that the database gives back, so that two can be compared: digits as a number, a uuid in lower case.
    ///
    /// # Errors
    /// As [`FieldType::encode`].
    pub fn canonical(&self, value: &Value) -> Result<Value, String> {
        Ok(match self.encode(Dialect::Postgres, value)? {
            Bind::Int(Some(number)) => integer_json(i64::from(number)),
            Bind::BigInt(Some(number)) => integer_json(number),
            Bind::Uuid(Some(id)) => Value::from(id.to_string()),
            _ => value.clone(),
        })
    }

    /// Whether its values are text that can be searched: string and text.
    pub fn is_text(&self) -> bool {
        matches!(self, Self::String | Self::Text)
    }

    /// Whether its values are stored as text, so that operators on text apply: those that can be searched, and lists.
    pub fn holds_text(&self) -> bool {
        matches!(self, Self::String | Self::Text | Self::Csv | Self::Hash)
    }

    /// The value to bind for this JSON. JSON null becomes a NULL of the type.
    ///
    /// # Errors
    /// A fragment that completes "`field` …" for the caller, as in "must be true or false, got: \"yes\"".
    pub fn encode(&self, dialect: Dialect, value: &Value) -> Result<Bind, String> {
        if value.is_null() {
            return Ok(self.null(dialect));
        }
        let sqlite = dialect == Dialect::Sqlite;
        Ok(match self {
            Self::String | Self::Text => {
                let text = value.as_str().ok_or_else(|| expected("a string", value))?;
                no_nul(text)?;
                Bind::String(Some(text.to_owned()))
            }
            Self::Integer => {
                let what = "a whole number between -2147483648 and 2147483647";
                let number = whole(value).ok_or_else(|| expected(what, value))?;
                Bind::Int(Some(i32::try_from(number).map_err(|_| expected(what, value))?))
            }
            Self::BigInteger => {
                let what = "a whole number between -9223372036854775808 and 9223372036854775807 (beyond 2^53 as a string)";
                Bind::BigInt(Some(whole(value).ok_or_else(|| expected(what, value))?))
            }
            Self::Float => {
                let number = match value {
                    Value::Number(n) => n.as_f64(),
                    Value::String(text) if looks_numeric(text) => text.parse().ok(),
                    _ => None,
                };
                let number = number.filter(|n: &f64| n.is_finite()).ok_or_else(|| expected("a finite number", value))?;
                // SQLite keeps no negative zero; so nobody does.
                Bind::Double(Some(if number == 0.0 { 0.0 } else { number }))
            }
            Self::Decimal { precision, scale } => {
                let text = match value {
                    Value::Number(n) => n.to_string(),
                    Value::String(text) => text.clone(),
                    _ => return Err(expected("a decimal number", value)),
                };
                let fault = |fault| format!("{}, got: {}", decimal::explain(fault, *precision, *scale), shown(value));
                let unscaled = decimal::parse(&text, *precision, *scale).map_err(fault)?;
                // 15 digits survive the way through a double; of more, nobody knows what was sent.
                if matches!(value, Value::Number(n) if n.is_f64()) && unscaled.trim_matches('-').trim_matches('0').len() > 15 {
                    return Err(format!("has more digits than a JSON number keeps: send it as a text, got: {}", shown(value)));
                }
                if sqlite {
                    let what = "must be a decimal number of at most 18 digits";
                    Bind::BigInt(Some(unscaled.parse().map_err(|_| format!("{what}, got: {}", shown(value)))?))
                } else {
                    Bind::BigDecimal(Some(Box::new(decimal::big(&unscaled, *scale).map_err(fault)?)))
                }
            }
            Self::Boolean => Bind::Bool(Some(match value {
                Value::Bool(b) => *b,
                Value::Number(n) if n.as_f64() == Some(0.0) => false,
                Value::Number(n) if n.as_f64() == Some(1.0) => true,
                Value::String(text) if text == "true" => true,
                Value::String(text) if text == "false" => false,
                _ => return Err(expected("true or false", value)),
            })),
            Self::Uuid => {
                let id = value.as_str().filter(|text| text.len() == 36).and_then(|text| uuid::Uuid::try_parse(text).ok());
                let id = id.ok_or_else(|| expected("a UUID", value))?;
                if sqlite { Bind::String(Some(id.to_string())) } else { Bind::Uuid(Some(id)) }
            }
            Self::DateTime | Self::Timestamp => {
                let example = if *self == Self::DateTime { "2026-01-31T12:30:00" } else { "2026-01-31T12:30:00Z" };
                let what = format!("a date and time such as {example}, in the years 0001 to 9999");
                let moment = value.as_str().and_then(moment::parse).ok_or_else(|| expected(&what, value))?;
                match (self, sqlite) {
                    (Self::DateTime, true) => Bind::String(Some(moment::sortable(moment))),
                    (_, true) => Bind::String(Some(timestamp(moment.and_utc()))),
                    (Self::DateTime, false) => Bind::ChronoDateTime(Some(moment)),
                    (_, false) => Bind::ChronoDateTimeUtc(Some(moment.and_utc())),
                }
            }
            Self::Date => {
                let what = "a day such as 2026-01-31, in the years 0001 to 9999";
                let day = value.as_str().and_then(moment::parse).ok_or_else(|| expected(what, value))?.date();
                if sqlite { Bind::String(Some(moment::day(day))) } else { Bind::ChronoDate(Some(day)) }
            }
            Self::Time => {
                let time = value.as_str().and_then(moment::parse_time).ok_or_else(|| expected("a time of day such as 12:30:00", value))?;
                if sqlite { Bind::String(Some(moment::sortable_time(time))) } else { Bind::ChronoTime(Some(time)) }
            }
            Self::Csv => Bind::String(Some(csv_text(value)?)),
            Self::Hash => {
                let text = value.as_str().ok_or_else(|| expected("a string", value))?;
                no_nul(text)?;
                Bind::String(Some(text.to_owned()))
            }
            Self::Binary => {
                let bytes = value.as_str().and_then(|text| BASE64.decode(text).ok());
                Bind::Bytes(Some(bytes.ok_or_else(|| expected("bytes in base64", value))?))
            }
            Self::Json => {
                check_json(value, JSON_DEPTH)?;
                if sqlite { Bind::String(Some(value.to_string())) } else { Bind::Json(Some(Box::new(value.clone()))) }
            }
        })
    }

    /// NULL as a value of this type: Postgres wants every parameter of a statement to have the same type each time.
    pub fn null(&self, dialect: Dialect) -> Bind {
        let sqlite = dialect == Dialect::Sqlite;
        match self {
            Self::String | Self::Text | Self::Csv | Self::Hash => Bind::String(None),
            Self::Integer => Bind::Int(None),
            Self::BigInteger => Bind::BigInt(None),
            Self::Float => Bind::Double(None),
            Self::Decimal { .. } if sqlite => Bind::BigInt(None),
            Self::Decimal { .. } => Bind::BigDecimal(None),
            Self::Boolean => Bind::Bool(None),
            Self::Uuid | Self::DateTime | Self::Timestamp | Self::Date | Self::Time | Self::Json if sqlite => Bind::String(None),
            Self::Date => Bind::ChronoDate(None),
            Self::Time => Bind::ChronoTime(None),
            Self::Binary => Bind::Bytes(None),
            Self::Uuid => Bind::Uuid(None),
            Self::DateTime => Bind::ChronoDateTime(None),
            Self::Timestamp => Bind::ChronoDateTimeUtc(None),
            Self::Json => Bind::Json(None),
        }
    }
}

/// A moment as JSON text: `YYYY-MM-DDTHH:MM:SS.mmmZ`. Also what SQLite stores, so that it sorts by time.
pub fn timestamp(at: DateTime<Utc>) -> String {
    format!("{}Z", moment::sortable(at.naive_utc()))
}

/// A date and time without a zone as JSON text: milliseconds only where there are any.
pub(super) fn date_time(at: NaiveDateTime) -> String {
    let text = moment::sortable(at);
    text.strip_suffix(".000").map_or_else(|| text.clone(), str::to_owned)
}

/// A time of day as JSON text: milliseconds only where there are any.
pub(super) fn time_of_day(at: NaiveTime) -> String {
    let text = moment::sortable_time(at);
    text.strip_suffix(".000").map_or_else(|| text.clone(), str::to_owned)
}

/// A stored list as JSON.
pub(super) fn csv_json(text: &str) -> Value {
    if text.is_empty() { Value::Array(Vec::new()) } else { text.split(',').map(Value::from).collect() }
}

/// Bytes as JSON.
pub(super) fn binary_json(bytes: &[u8]) -> Value {
    Value::String(BASE64.encode(bytes))
}

/// A list as it is stored. A text is one that somebody has put together already.
fn csv_text(value: &Value) -> Result<String, String> {
    let what = "an array of texts without commas, or such texts with commas between them";
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => {
            let items: Option<Vec<&str>> = items.iter().map(|item| item.as_str().filter(|text| !text.contains(','))).collect();
            let items = items.ok_or_else(|| expected(what, value))?;
            // Alone, it would come back as no text at all.
            if items == [""] {
                return Err("must not hold an empty text alone".to_owned());
            }
            items.join(",")
        }
        _ => return Err(expected(what, value)),
    };
    no_nul(&text)?;
    Ok(text)
}

/// A whole number as JSON: a string where a JSON number would lose digits.
pub(super) fn integer_json(number: i64) -> Value {
    if (-SAFE_INTEGER..=SAFE_INTEGER).contains(&number) { Value::from(number) } else { Value::String(number.to_string()) }
}

/// A double as JSON: without a fraction where it is a whole number.
pub(super) fn float_json(number: f64) -> Value {
    #[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "only within the safe range")]
    if number.fract() == 0.0 && number.abs() <= SAFE_INTEGER as f64 {
        Value::from(number as i64)
    } else {
        Number::from_f64(number).map_or(Value::Null, Value::Number)
    }
}

fn whole(value: &Value) -> Option<i64> {
    match value {
        Value::Number(n) => n.as_i64().or_else(|| {
            let float = n.as_f64()?;
            #[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "only within the safe range")]
            (float.fract() == 0.0 && float.abs() <= SAFE_INTEGER as f64).then_some(float as i64)
        }),
        Value::String(text) => {
            let digits = text.strip_prefix('-').unwrap_or(text);
            (!digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit())).then(|| text.parse().ok())?
        }
        _ => None,
    }
}

/// Keeps out what Rust's parser takes besides numbers ("inf", "nan").
fn looks_numeric(text: &str) -> bool {
    text.bytes().any(|b| b.is_ascii_digit()) && text.bytes().all(|b| b.is_ascii_digit() || b"+-.eE".contains(&b))
}

fn no_nul(text: &str) -> Result<(), String> {
    if text.contains('\0') { Err("must not contain the character U+0000".to_owned()) } else { Ok(()) }
}

fn check_json(value: &Value, levels: usize) -> Result<(), String> {
    let inside = || levels.checked_sub(1).ok_or_else(|| format!("must not be nested deeper than {JSON_DEPTH} levels"));
    match value {
        Value::String(text) => no_nul(text),
        Value::Array(items) => {
            let levels = inside()?;
            items.iter().try_for_each(|item| check_json(item, levels))
        }
        Value::Object(members) => {
            let levels = inside()?;
            members.iter().try_for_each(|(name, member)| {
                no_nul(name)?;
                check_json(member, levels)
            })
        }
        _ => Ok(()),
    }
}

fn expected(what: &str, got: &Value) -> String {
    format!("must be {what}, got: {}", shown(got))
}

/// The value for a message, cut to a length that can be read.
fn shown(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(60) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use serde_json::json;

    use super::*;

    fn pg(ty: FieldType, value: Value) -> Result<Bind, String> {
        ty.encode(Dialect::Postgres, &value)
    }

    #[test]
    fn whole_numbers_are_never_rounded() {
        assert_eq!(pg(FieldType::Integer, json!(1.0)), Ok(Bind::Int(Some(1))));
        assert_eq!(pg(FieldType::Integer, json!("-12")), Ok(Bind::Int(Some(-12))));
        for bad in [json!(1.5), json!(3_000_000_000_i64), json!("1e3"), json!(""), json!("-"), json!(true), json!([1])] {
            assert!(pg(FieldType::Integer, bad.clone()).is_err(), "{bad}");
        }
        assert_eq!(pg(FieldType::BigInteger, json!("9223372036854775807")), Ok(Bind::BigInt(Some(i64::MAX))));
        assert!(pg(FieldType::BigInteger, json!(1e18)).is_err());
        assert_eq!(integer_json(SAFE_INTEGER), json!(9_007_199_254_740_991_i64));
        assert_eq!(integer_json(SAFE_INTEGER + 1), json!("9007199254740992"));
        assert_eq!(pg(FieldType::Integer, json!(1.5)).unwrap_err(), "must be a whole number between -2147483648 and 2147483647, got: 1.5");
    }

    #[test]
    fn other_types_take_only_their_own() {
        assert!(pg(FieldType::String, json!(1)).is_err());
        assert!(pg(FieldType::Text, json!("a\u{0}b")).is_err());
        assert!(pg(FieldType::Json, json!({"a\u{0}": 1})).is_err());
        assert!(pg(FieldType::Float, json!("inf")).is_err());
        assert!(pg(FieldType::Float, json!("nan")).is_err());
        assert_eq!(pg(FieldType::Float, json!("1.5e1")), Ok(Bind::Double(Some(15.0))));
        assert_eq!(float_json(15.0).to_string(), "15");
        assert_eq!(float_json(0.1).to_string(), "0.1");
        assert!(pg(FieldType::Uuid, json!("{6F9619FF-8B86-D011-B42D-00CF4FC964FF}")).is_err());
        assert_eq!(
            FieldType::Uuid.encode(Dialect::Sqlite, &json!("6F9619FF-8B86-D011-B42D-00CF4FC964FF")),
            Ok(Bind::String(Some("6f9619ff-8b86-d011-b42d-00cf4fc964ff".into())))
        );
        assert!(pg(FieldType::Boolean, json!("yes")).is_err());
        assert_eq!(pg(FieldType::Boolean, json!(1)), Ok(Bind::Bool(Some(true))));
    }

    #[test]
    fn json_is_stored_only_as_deep_as_it_can_be_read_back() {
        let nested = |levels: usize| (0..levels).fold(json!(1), |inner, _| json!([inner]));
        assert!(serde_json::from_str::<Value>(&nested(JSON_DEPTH).to_string()).is_ok());
        assert!(pg(FieldType::Json, nested(JSON_DEPTH)).is_ok());
        assert!(pg(FieldType::Json, nested(JSON_DEPTH + 1)).is_err());
    }

    #[test]
    fn types_are_found_by_name() {
        for name in FieldType::NAMES {
            assert_eq!(FieldType::parse(name, None, None).map(|ty| ty.name()), Some(*name));
        }
        assert_eq!(FieldType::parse("decimal", None, None), Some(FieldType::Decimal { precision: 10, scale: 5 }));
        assert_eq!(FieldType::parse("decimal", Some(4), Some(5)), None);
        assert_eq!(FieldType::parse("varchar", None, None), None);
    }
}
