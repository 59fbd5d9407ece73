//! The members of a definition that somebody sends: each is read by itself, and a mistake names it and what is allowed.
//!
//! Called by whoever reads rows that people write: extensions, cron jobs, settings. Knows none of them.

use serde_json::Value;

use super::Item;
use super::query::{clip, nearest, show};
use crate::error::{Error, Result};

/// Longest name, in characters.
pub const MAX_NAME: usize = 100;

/// The whole numbers that a setting takes, and what holds where it isn't set.
#[derive(Debug, Clone, Copy)]
pub struct Range {
    /// Where nothing is said.
    pub default: i64,
    /// The smallest.
    pub min: i64,
    /// The largest.
    pub max: i64,
}

/// Refuses members other than `known`.
pub fn only(changes: &Item, known: &[&str]) -> Result<()> {
    match changes.keys().find(|key| !known.contains(&key.as_str())) {
        Some(key) => {
            let near = nearest(key, known.iter().copied());
            Err(Error::payload(format!("`{}` can't be set{near}", clip(key))).with_field(clip(key)))
        }
        None => Ok(()),
    }
}

/// The name, which is needed and has a length.
pub fn name(row: &Item) -> Result<String> {
    let name = text(row, "name")?.trim();
    if name.is_empty() || name.chars().count() > MAX_NAME {
        return Err(wrong("name", &format!("must have 1 to {MAX_NAME} characters")));
    }
    Ok(name.to_owned())
}

/// A mistake in a member.
pub fn wrong(field: &str, why: &str) -> Error {
    Error::payload(format!("`{field}`: {why}")).with_field(field)
}

/// A text that is needed.
pub fn text<'r>(row: &'r Item, field: &str) -> Result<&'r str> {
    match row.get(field) {
        Some(Value::String(text)) => Ok(text),
        None | Some(Value::Null) => Err(wrong(field, "is needed")),
        Some(other) => Err(wrong(field, &format!("must be a text, not: {}", show(other)))),
    }
}

/// One of the named choices. The first of `allowed` is the default.
pub fn choice<T: Copy>(row: &Item, field: &str, allowed: &[(&str, T)]) -> Result<T> {
    let list = || allowed.iter().map(|(name, _)| format!("`{name}`")).collect::<Vec<_>>().join(" or ");
    match row.get(field) {
        None | Some(Value::Null) => Ok(allowed[0].1),
        Some(value) => {
            let found = value.as_str().and_then(|text| allowed.iter().find(|(name, _)| *name == text));
            found.map(|(_, choice)| *choice).ok_or_else(|| wrong(field, &format!("must be {}, not: {}", list(), show(value))))
        }
    }
}

/// A whole number in its range.
pub fn number(row: &Item, field: &str, Range { default, min, max }: Range) -> Result<i64> {
    match row.get(field) {
        None | Some(Value::Null) => Ok(default),
        Some(value) => value
            .as_i64()
            .filter(|n| (min..=max).contains(n))
            .ok_or_else(|| wrong(field, &format!("must be a whole number from {min} to {max}, not: {}", show(value)))),
    }
}
