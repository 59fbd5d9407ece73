//! The query object of every read: parsed once, whichever door it came through.
//!
//! A query is a JSON object as `SEARCH` and `readByQuery` take it; `http` turns a query string into the same shape. What a caller may
//! read is held against it here (`names.rs`); which items count is added by `rules.rs`, and only then does it go to the database. Nothing
//! here knows SQL.

mod filter;
mod names;
mod operator;
mod pairs;
mod rules;
mod shape;
#[cfg(test)]
mod tests;
mod words;

use std::sync::Arc;

use serde_json::Value;

pub use filter::parse_filter;
pub use names::{Everything, Function, Known, Path, Reach, Reader, Sight, known, open_field, readable};
pub use pairs::from_pairs;
pub use rules::{hold, hold_query};
pub use shape::{Content, Nested, Output, Shape};
pub use words::{clip, nearest, show};
pub(super) use words::{object, texts};

use self::shape::{Level, Tally, parse_shape};
use self::words::{as_integer, whole};
use super::Item;
use crate::auth::FieldSet;
use crate::db::{Collection, FieldType, Filter, Op, Operand, Query, Sort};
use crate::error::{Error, Result};

/// Rows that a list answers where the caller names no limit.
pub const DEFAULT_LIMIT: u64 = 25;
/// Nesting of `_and`, `_or` and field objects. Deeper filters overflow SQL parsers before they mean anything.
const MAX_DEPTH: usize = 32;
/// Relations that one path may lead through, in fields, filters and orders.
const MAX_STEPS: usize = 10;
/// What a query may name.
const PARAMETERS: [&str; 10] = ["fields", "filter", "sort", "limit", "page", "offset", "search", "meta", "alias", "deep"];

/// Which counts a list wants in `meta`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// `total_count`: all rows of the collection.
    pub total: bool,
    /// `filter_count`: the rows that the filter lets through.
    pub filter: bool,
}

/// How many rows a read without `limit` answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unlimited {
    /// [`DEFAULT_LIMIT`]: lists over HTTP.
    Page,
    /// All, and an error past `QUERY_LIMIT_MAX`: hooks, which must never be cut short silently.
    All,
}

/// A query that fits its collection and its caller.
#[derive(Debug, Clone)]
pub struct Parsed {
    /// What to answer of each item.
    pub shape: Shape,
    /// Conditions, order and window.
    pub query: Query,
    /// The page, from 1.
    pub page: u64,
    /// Rows per page; `None` is all.
    pub limit: Option<u64>,
    /// Whether the limit was the caller's own word: `-1`, or none where none means all.
    pub all: bool,
    /// Which counts to make.
    pub counts: Counts,
}

/// Parses `raw`, whose JSON is decoded and whose dynamic values are in place. `max` is `QUERY_LIMIT_MAX`.
///
/// # Errors
/// `InvalidQuery` with the place of what can't be read or doesn't exist; `Forbidden` for what isn't granted.
pub fn parse(reader: &Reader<'_>, collection: &Arc<Collection>, raw: &Item, max: u64, unlimited: Unlimited) -> Result<Parsed> {
    parse_level(reader, &Level { collection, raw, max, depth: MAX_STEPS }, unlimited, &mut Tally::default())
}

/// Parses what a hook made of the query of `nested`.
///
/// # Errors
/// As [`parse`].
pub fn parse_nested(reader: &Reader<'_>, nested: &Nested, raw: &Item, max: u64) -> Result<Parsed> {
    let level = Level { collection: &nested.hop.to, raw, max, depth: nested.depth };
    parse_level(reader, &level, Unlimited::All, &mut Tally::default())
}

fn parse_level(reader: &Reader<'_>, level: &Level<'_>, unlimited: Unlimited, tally: &mut Tally) -> Result<Parsed> {
    check_parameters(level.raw, &PARAMETERS)?;
    let Conditions { mut query, page, limit, all } = parse_conditions(reader, level.collection, level.raw, level.max, unlimited)?;
    query.sort = parse_sort(reader, level.collection, level.raw.get("sort"))?;
    Ok(Parsed { shape: parse_shape(reader, level, tally)?, query, page, limit, all, counts: parse_counts(level.raw.get("meta"))? })
}

/// Which rows a query is about, without their order.
pub(super) struct Conditions {
    pub query: Query,
    /// The page, from 1.
    page: u64,
    /// Rows at most; `None` is all.
    pub limit: Option<u64>,
    all: bool,
}

/// Reads `filter`, `search`, `limit`, `page` and `offset`.
pub(super) fn parse_conditions(
    reader: &Reader<'_>,
    collection: &Arc<Collection>,
    raw: &Item,
    max: u64,
    unlimited: Unlimited,
) -> Result<Conditions> {
    let usable = reader.usable(collection)?;
    let (limit, all) = parse_limit(raw.get("limit"), max, unlimited)?;
    let page = match raw.get("page") {
        None | Some(Value::Null) => 1,
        Some(page) => whole(page, "page", 1)?,
    };
    let offset = match raw.get("offset") {
        None | Some(Value::Null) => limit.unwrap_or(0).saturating_mul(page - 1),
        Some(offset) => whole(offset, "offset", 0)?,
    };
    let search = match raw.get("search") {
        None | Some(Value::Null) => None,
        Some(Value::String(text)) if text.contains('\0') => return Err(Error::query("`search` must not contain the character U+0000")),
        Some(Value::String(text)) => Some(text.trim().to_owned()).filter(|t| !t.is_empty()),
        Some(Value::Number(number)) => Some(number.to_string()),
        Some(_) => return Err(Error::query("`search` must be a text")),
    };
    // A search looks only at what the caller may read, whoever wrote it.
    let searched = match reader.sight.readable(collection)? {
        FieldSet::All => None,
        FieldSet::Some(names) => Some(names.iter().filter(|name| usable.has(name)).cloned().collect()),
    };
    let query = Query {
        filter: parse_filter(reader, collection, raw.get("filter"))?,
        sort: Vec::new(),
        // One more than the most, so that "too many" can be told from "exactly as many".
        limit: Some(limit.unwrap_or(max + 1)),
        offset: i64::try_from(offset)
            .map(|_| offset)
            .map_err(|_| Error::query("`page` and `limit` together reach beyond the last possible row"))?,
        search,
        search_fields: searched,
    };
    Ok(Conditions { query, page, limit, all })
}

/// Refuses a parameter that isn't one of `known`.
pub(super) fn check_parameters(raw: &Item, known: &[&str]) -> Result<()> {
    match raw.keys().find(|name| !known.contains(&name.as_str())) {
        None => Ok(()),
        Some(name) if name == "version" => Err(Error::query("`version` isn't possible here: items have no versions")),
        Some(name) if name == "aggregate" || name == "groupBy" => {
            Err(Error::query(format!("`{name}` isn't possible here: it answers groups instead of items")))
        }
        Some(name) => Err(Error::query(format!("There is no query parameter `{}`{}", clip(name), nearest(name, known.iter().copied())))),
    }
}

/// The same query with JSON in texts decoded, so that hooks and what follows find objects.
///
/// # Errors
/// `InvalidQuery` for a text that isn't JSON, or another kind of value.
pub fn decoded(raw: &Item) -> Result<Item> {
    let mut out = raw.clone();
    for name in ["filter", "deep", "alias", "aggregate"] {
        if out.get(name).is_some_and(Value::is_string) {
            match object(out.get(name), name)? {
                Some(members) => drop(out.insert(name.to_owned(), Value::Object(members))),
                None => drop(out.shift_remove(name)),
            }
        }
    }
    Ok(out)
}

fn parse_limit(value: Option<&Value>, max: u64, unlimited: Unlimited) -> Result<(Option<u64>, bool)> {
    let number = match value {
        None | Some(Value::Null) => {
            return Ok(match unlimited {
                Unlimited::Page => (Some(DEFAULT_LIMIT.min(max)), false),
                Unlimited::All => (None, true),
            });
        }
        Some(value) => as_integer(value).filter(|n| *n >= -1),
    };
    match number {
        Some(-1) => Ok((None, true)),
        Some(n) if n as u64 <= max => Ok((Some(n as u64), false)),
        _ => Err(Error::query(format!(
            "`limit` must be a whole number from 0 to {max}, or -1 for all, not: {}",
            show(value.unwrap_or(&Value::Null))
        ))),
    }
}

fn parse_sort(reader: &Reader<'_>, collection: &Arc<Collection>, value: Option<&Value>) -> Result<Vec<Sort>> {
    let asked = match value {
        None | Some(Value::Null) => return Ok(Vec::new()),
        Some(value) => texts(value, "sort")?,
    };
    let mut sort: Vec<Sort> = Vec::new();
    for name in &asked {
        let (descending, name) = name.strip_prefix('-').map_or((false, name.as_str()), |name| (true, name));
        let (path, by) = operand(reader, collection, name)?;
        // A second mention decides nothing: rows that it could order are equal in it already.
        if !sort.iter().any(|known| known.path == path && known.by == by) {
            sort.push(Sort { path, by, descending });
        }
    }
    if sort.len() > MAX_DEPTH {
        return Err(Error::query(format!("`sort` names more than {MAX_DEPTH} fields")));
    }
    Ok(sort)
}

/// The value that a path leads to, through relations to one item each.
fn operand(reader: &Reader<'_>, collection: &Arc<Collection>, name: &str) -> Result<(Vec<crate::db::Hop>, Operand)> {
    let path = Path::parse(name)?;
    if path.steps.len() > MAX_STEPS {
        return Err(Error::query(format!("`{}` leads through more than {MAX_STEPS} relations", clip(name))));
    }
    let (mut at, mut hops) = (Arc::clone(collection), Vec::with_capacity(path.steps.len()));
    for step in &path.steps {
        let (hop, reach) = reader.hop(&at, step)?;
        if reach == Reach::Many {
            let message = format!("`{}` can't be sorted by: `{}` is a list; `count({})` can", clip(name), clip(step), clip(step));
            return Err(Error::query(message).with_field(clip(step)));
        }
        at = Arc::clone(&hop.to);
        hops.push(hop);
    }
    let usable = reader.usable(&at)?;
    let by = match path.function {
        None => {
            let field = open_field(&at, usable, path.field)?;
            if field.ty == FieldType::Json {
                return Err(Error::query(format!("`{}` can't be sorted by: its type is json", field.name)).with_field(&field.name));
            }
            Operand::Field(field.name.clone())
        }
        Some(Function::Part(part)) => {
            let field = open_field(&at, usable, path.field)?;
            if !part.fits(field.ty) {
                let message = format!("`{}` isn't possible: the type of `{}` is {}", clip(name), field.name, field.ty.name());
                return Err(Error::query(message).with_field(&field.name));
            }
            Operand::Part(part, field.name.clone())
        }
        Some(Function::Count) => match reader.hop(&at, path.field)? {
            (hop, Reach::Many) => Operand::Count(hop),
            (_, Reach::One) => {
                let message = format!("`{}` isn't possible: `{}` isn't a list", clip(name), clip(path.field));
                return Err(Error::query(message).with_field(clip(path.field)));
            }
        },
    };
    Ok((hops, by))
}

fn parse_counts(value: Option<&Value>) -> Result<Counts> {
    let asked = match value {
        None | Some(Value::Null) => return Ok(Counts::default()),
        Some(value) => texts(value, "meta")?,
    };
    let mut counts = Counts::default();
    for name in &asked {
        match name.as_str() {
            "*" => counts = Counts { total: true, filter: true },
            "total_count" => counts.total = true,
            "filter_count" | "total" => counts.filter = true,
            "page" | "limit" => {}
            other => {
                return Err(Error::query(format!(
                    "`meta` takes `total_count`, `filter_count`, `total`, `page`, `limit` or `*`, not: {}",
                    clip(other)
                )));
            }
        }
    }
    Ok(counts)
}

/// A query for items with certain keys.
pub fn by_keys(collection: &Collection, keys: &[Value]) -> Query {
    Query { filter: Some(keyed(collection, keys)), ..Query::default() }
}

/// The condition to have one of these keys.
pub fn keyed(collection: &Collection, keys: &[Value]) -> Filter {
    Filter::field(&collection.primary_key().name, Op::In(keys.to_vec()))
}
