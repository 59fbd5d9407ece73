//! The query object of every read: parsed once, whichever door it came through.
//!
//! A query is a JSON object as `SEARCH` and `readByQuery` take it; `http` turns a query string into the same shape. Values that came
//! through a query string are texts, so numbers, flags and lists are read from texts too.

use serde_json::{Map, Value};

use super::Item;
use super::access::readable;
use crate::auth::FieldSet;
use crate::db::{Collection, Field, Filter, Op, Query, Sort, Special, TextMatch, TextPlace};
use crate::error::{Error, Result};

/// Rows that a list answers where the caller names no limit.
pub const DEFAULT_LIMIT: u64 = 25;
/// Nesting of `_and`, `_or` and field objects. Deeper filters overflow SQL parsers before they mean anything.
const MAX_DEPTH: usize = 32;
/// Conditions in one filter: SQLite refuses expressions deeper than 1,000.
const MAX_CONDITIONS: usize = 400;
/// What a query may name.
const PARAMETERS: &[&str] = &["fields", "filter", "sort", "limit", "page", "offset", "search", "meta"];

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
    /// Names of the fields to answer, each once, in the order asked for.
    pub fields: Vec<String>,
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

/// Parses `raw`. What it names must be readable within `fields`; conditions and order may use any field of `conditions`.
pub fn parse(
    collection: &Collection,
    fields: &FieldSet,
    conditions: &FieldSet,
    raw: &Item,
    max: u64,
    unlimited: Unlimited,
) -> Result<Parsed> {
    for name in raw.keys() {
        if !PARAMETERS.contains(&name.as_str()) {
            let near = nearest(name, PARAMETERS.iter().copied());
            return Err(Error::query(format!("There is no query parameter `{}`{near}", clip(name))));
        }
    }
    let (limit, all) = parse_limit(raw.get("limit"), max, unlimited)?;
    let page = match raw.get("page") {
        Some(page) => whole(page, "page", 1)?,
        None => 1,
    };
    let offset = match raw.get("offset") {
        Some(offset) => whole(offset, "offset", 0)?,
        None => limit.unwrap_or(0).saturating_mul(page - 1),
    };
    let search = match raw.get("search") {
        None | Some(Value::Null) => None,
        Some(Value::String(text)) if text.contains('\0') => return Err(Error::query("`search` must not contain the character U+0000")),
        Some(Value::String(text)) => Some(text.trim().to_owned()).filter(|t| !t.is_empty()),
        Some(Value::Number(number)) => Some(number.to_string()),
        Some(_) => return Err(Error::query("`search` must be a text")),
    };
    let searched = match conditions {
        FieldSet::All => None,
        FieldSet::Some(names) => Some(names.iter().cloned().collect()),
    };
    Ok(Parsed {
        fields: parse_fields(collection, fields, raw.get("fields"))?,
        query: Query {
            filter: parse_filter(collection, conditions, raw.get("filter"))?,
            sort: parse_sort(collection, conditions, raw.get("sort"))?,
            // One more than the most, so that "too many" can be told from "exactly as many".
            limit: Some(limit.unwrap_or(max + 1)),
            offset: i64::try_from(offset)
                .map(|_| offset)
                .map_err(|_| Error::query("`page` and `limit` together reach beyond the last possible row"))?,
            search,
            search_fields: searched,
        },
        page,
        limit,
        all,
        counts: parse_counts(raw.get("meta"))?,
    })
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

fn parse_fields(collection: &Collection, allowed: &FieldSet, value: Option<&Value>) -> Result<Vec<String>> {
    let mut names: Vec<String> = Vec::new();
    let mut add = |name: &str| {
        if !names.iter().any(|n| n == name) {
            names.push(name.to_owned());
        }
    };
    let asked = match value {
        None | Some(Value::Null) => vec!["*".to_owned()],
        Some(value) => texts(value, "fields")?,
    };
    for name in &asked {
        match name.as_str() {
            "*" | "*.*" => collection.fields.iter().filter(|f| allowed.has(&f.name)).for_each(|f| add(&f.name)),
            name => {
                plain(collection, name)?;
                add(&readable(collection, allowed, name)?.name);
            }
        }
    }
    Ok(names)
}

fn parse_sort(collection: &Collection, allowed: &FieldSet, value: Option<&Value>) -> Result<Vec<Sort>> {
    let asked = match value {
        None | Some(Value::Null) => return Ok(Vec::new()),
        Some(value) => texts(value, "sort")?,
    };
    let mut sort: Vec<Sort> = Vec::new();
    for name in &asked {
        let (descending, name) = name.strip_prefix('-').map_or((false, name.as_str()), |name| (true, name));
        plain(collection, name)?;
        let field = open_field(collection, allowed, name)?.name.clone();
        // A second mention decides nothing: rows that it could order are equal in it already.
        if !sort.iter().any(|known| known.field == field) {
            sort.push(Sort { field, descending });
        }
    }
    Ok(sort)
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

/// Parses a filter object. Every field in it must be one of `allowed`.
pub fn parse_filter(collection: &Collection, allowed: &FieldSet, value: Option<&Value>) -> Result<Option<Filter>> {
    let decoded;
    let value = match value {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::String(text)) if text.trim().is_empty() => return Ok(None),
        Some(Value::String(text)) => {
            decoded = serde_json::from_str::<Value>(text).map_err(|e| Error::query(format!("`filter` isn't valid JSON: {e}")))?;
            &decoded
        }
        Some(value) => value,
    };
    let mut parser = FilterParser { collection, allowed, conditions: 0 };
    parser.object(value, MAX_DEPTH).map(Some)
}

struct FilterParser<'a> {
    collection: &'a Collection,
    allowed: &'a FieldSet,
    conditions: usize,
}

impl FilterParser<'_> {
    fn object(&mut self, value: &Value, depth: usize) -> Result<Filter> {
        if depth == 0 {
            return Err(Error::query(format!("`filter` is nested deeper than {MAX_DEPTH} levels")));
        }
        let object = value.as_object().ok_or_else(|| Error::query(format!("`filter` must be an object, not: {}", show(value))))?;
        let mut parts = Vec::with_capacity(object.len());
        for (name, value) in object {
            parts.push(match name.as_str() {
                "_and" => Filter::And(self.list(value, "_and", depth)?),
                "_or" => Filter::Or(self.list(value, "_or", depth)?),
                name => self.field(name, value)?,
            });
        }
        Ok(if parts.len() == 1 { parts.remove(0) } else { Filter::And(parts) })
    }

    fn list(&mut self, value: &Value, name: &str, depth: usize) -> Result<Vec<Filter>> {
        // A query string writes lists as objects with the keys 0, 1, 2 …
        let items: Vec<&Value> = match value {
            Value::Array(items) => items.iter().collect(),
            Value::Object(map) if is_list(map) => map.values().collect(),
            other => return Err(Error::query(format!("`{name}` must be an array of filters, not: {}", show(other)))),
        };
        items.into_iter().map(|item| self.object(item, depth - 1)).collect()
    }

    fn field(&mut self, name: &str, value: &Value) -> Result<Filter> {
        if name.starts_with('_') && self.collection.field(name).is_none() {
            return Err(Error::query(format!(
                "`{}` isn't a filter operator here: `_and` and `_or` take arrays of filters, the others stand inside a field",
                clip(name)
            )));
        }
        plain(self.collection, name)?;
        let field = open_field(self.collection, self.allowed, name)?;
        let mut conditions = Vec::new();
        match value {
            Value::Object(operators) => {
                for (operator, operand) in operators {
                    let op = operator_of(operator, operand)
                        .map_err(|reason| Error::query(format!("`filter.{name}`: {reason}")).with_field(name))?;
                    conditions.push(Filter::Field { field: field.name.clone(), op });
                }
            }
            Value::Array(_) => {
                return Err(Error::query(format!("`filter.{name}` must be an object of operators or a value, as in {{\"_in\": [1, 2]}}"))
                    .with_field(name));
            }
            scalar => conditions.push(Filter::Field { field: field.name.clone(), op: equal(scalar) }),
        }
        self.conditions += conditions.len().max(1);
        if self.conditions > MAX_CONDITIONS {
            return Err(Error::query(format!(
                "`filter` has more than {MAX_CONDITIONS} conditions; `_in` takes any number of values in one"
            )));
        }
        Ok(if conditions.len() == 1 { conditions.remove(0) } else { Filter::And(conditions) })
    }
}

/// A field that may decide which rows are answered, or in which order: one that is masked would be told bit by bit that way.
pub fn open_field<'c>(collection: &'c Collection, allowed: &FieldSet, name: &str) -> Result<&'c Field> {
    let field = readable(collection, allowed, name)?;
    if field.is(Special::Hash) || field.is(Special::Conceal) {
        let message = format!("`{name}` in `{}` is concealed: it can't be filtered, sorted or grouped by", collection.name);
        return Err(Error::new(crate::error::ErrorCode::Forbidden, message).with_field(name));
    }
    Ok(field)
}

fn equal(value: &Value) -> Op {
    if value.is_null() { Op::Null } else { Op::Eq(value.clone()) }
}

const OPERATORS: &[&str] = &[
    "_eq",
    "_neq",
    "_lt",
    "_lte",
    "_gt",
    "_gte",
    "_in",
    "_nin",
    "_null",
    "_nnull",
    "_contains",
    "_ncontains",
    "_icontains",
    "_nicontains",
    "_starts_with",
    "_nstarts_with",
    "_istarts_with",
    "_nistarts_with",
    "_ends_with",
    "_nends_with",
    "_iends_with",
    "_niends_with",
    "_between",
    "_nbetween",
    "_empty",
    "_nempty",
    "_regex",
];

fn operator_of(operator: &str, operand: &Value) -> Result<Op, String> {
    if let Some(matching) = text_match(operator) {
        let needle = match operand {
            Value::String(text) => text.clone(),
            other => return Err(format!("`{operator}` takes a text, not: {}", show(other))),
        };
        if needle.contains('\0') {
            return Err(format!("`{operator}` must not contain the character U+0000"));
        }
        let (place, fold, negate) = matching;
        return Ok(Op::Text(TextMatch { text: needle, place, fold, negate }));
    }
    let flag = |yes: Op, no: Op| match operand {
        Value::Bool(true) | Value::Null => Ok(yes),
        Value::Bool(false) => Ok(no),
        Value::String(text) if matches!(text.as_str(), "true" | "1" | "") => Ok(yes),
        Value::String(text) if matches!(text.as_str(), "false" | "0") => Ok(no),
        other => Err(format!("`{operator}` takes true or false, not: {}", show(other))),
    };
    let scalar = || match operand {
        Value::Array(_) | Value::Object(_) => Err(format!("`{operator}` takes one value, not: {}", show(operand))),
        value => Ok(value.clone()),
    };
    let present = || match scalar()? {
        Value::Null => Err(format!("`{operator}` takes a value, not null; use `_null` or `_nnull`")),
        value => Ok(value),
    };
    let pair = || match values(operand)?.as_slice() {
        [low, high] if !low.is_null() && !high.is_null() => Ok((low.clone(), high.clone())),
        _ => Err(format!("`{operator}` takes two values, as in [1, 5], not: {}", show(operand))),
    };
    Ok(match operator {
        "_eq" => equal(&scalar()?),
        "_neq" if operand.is_null() => Op::NotNull,
        "_neq" => Op::Neq(scalar()?),
        "_lt" => Op::Lt(present()?),
        "_lte" => Op::Lte(present()?),
        "_gt" => Op::Gt(present()?),
        "_gte" => Op::Gte(present()?),
        "_in" => Op::In(values(operand)?),
        "_nin" => Op::Nin(values(operand)?),
        "_null" => flag(Op::Null, Op::NotNull)?,
        "_nnull" => flag(Op::NotNull, Op::Null)?,
        "_empty" => flag(Op::Empty, Op::NotEmpty)?,
        "_nempty" => flag(Op::NotEmpty, Op::Empty)?,
        "_between" => pair().map(|(low, high)| Op::Between(low, high))?,
        "_nbetween" => pair().map(|(low, high)| Op::NotBetween(low, high))?,
        "_regex" => match operand {
            Value::String(pattern) => Op::Regex(pattern.clone()),
            other => return Err(format!("`_regex` takes a text, not: {}", show(other))),
        },
        other => return Err(format!("there is no operator `{}`{}", clip(other), nearest(other, OPERATORS.iter().copied()))),
    })
}

fn text_match(operator: &str) -> Option<(TextPlace, bool, bool)> {
    let name = operator.strip_prefix('_')?;
    let place = |name: &str| match name {
        "contains" => Some(TextPlace::Anywhere),
        "starts_with" => Some(TextPlace::Start),
        "ends_with" => Some(TextPlace::End),
        _ => None,
    };
    [("", false, false), ("n", false, true), ("i", true, false), ("ni", true, true)]
        .into_iter()
        .find_map(|(prefix, fold, negate)| Some((place(name.strip_prefix(prefix)?)?, fold, negate)))
}

/// A list of values: an array, an object with the keys 0, 1, 2 …, or texts between commas.
fn values(operand: &Value) -> Result<Vec<Value>, String> {
    let list: Vec<Value> = match operand {
        Value::Array(values) => values.clone(),
        Value::String(csv) if csv.is_empty() => Vec::new(),
        Value::String(csv) => csv.split(',').map(|v| Value::from(v.trim())).collect(),
        Value::Object(map) if is_list(map) => map.values().cloned().collect(),
        other => return Err(format!("a list of values is needed here, not: {}", show(other))),
    };
    match list.iter().find(|v| v.is_array() || v.is_object()) {
        Some(bad) => Err(format!("a list of plain values is needed here, not: {}", show(bad))),
        None => Ok(list),
    }
}

/// Whether an object is how a query string writes a list: with the keys 0, 1, 2 …
fn is_list(map: &Item) -> bool {
    !map.is_empty() && map.keys().all(|key| key.parse::<usize>().is_ok())
}

fn texts(value: &Value, parameter: &str) -> Result<Vec<String>> {
    let parts: Vec<String> = match value {
        Value::String(csv) => csv.split(',').map(|part| part.trim().to_owned()).collect(),
        Value::Array(parts) if parts.iter().all(Value::is_string) => {
            parts.iter().filter_map(Value::as_str).flat_map(|part| part.split(',')).map(|part| part.trim().to_owned()).collect()
        }
        Value::Object(map) if is_list(map) && map.values().all(Value::is_string) => {
            map.values().filter_map(Value::as_str).map(str::to_owned).collect()
        }
        other => {
            return Err(Error::query(format!(
                "`{parameter}` must be an array of names, or names with commas between, not: {}",
                show(other)
            )));
        }
    };
    Ok(parts.into_iter().filter(|part| !part.is_empty()).collect())
}

fn plain(collection: &Collection, name: &str) -> Result<()> {
    match name.split_once('.') {
        Some((relation, _)) => {
            Err(Error::query(format!("`{}`: `{}` in `{}` isn't a relation", clip(name), clip(relation), collection.name))
                .with_field(clip(name)))
        }
        None => Ok(()),
    }
}

fn whole(value: &Value, name: &str, min: u64) -> Result<u64> {
    as_integer(value)
        .and_then(|n| u64::try_from(n).ok())
        .filter(|n| *n >= min)
        .ok_or_else(|| Error::query(format!("`{name}` must be a whole number from {min}, not: {}", show(value))))
}

fn as_integer(value: &Value) -> Option<i64> {
    match value {
        Value::Number(number) => number.as_i64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

/// "; did you mean `x`?" where one of `names` is near enough, else nothing.
pub fn nearest<'n>(name: &str, names: impl IntoIterator<Item = &'n str>) -> String {
    let name = clip(name);
    names
        .into_iter()
        .map(|known| (strsim::damerau_levenshtein(name, known), known))
        .filter(|(distance, known)| *distance <= 1 + known.chars().count() / 4)
        .min()
        .map_or_else(String::new, |(_, known)| format!("; did you mean `{known}`?"))
}

/// A caller's word, short enough to repeat in a message.
pub fn clip(text: &str) -> &str {
    text.char_indices().nth(64).map_or(text, |(end, _)| &text[..end])
}

/// A caller's value, short enough to repeat in a message.
pub fn show(value: &Value) -> String {
    let text = match value {
        Value::Array(_) => return "an array".to_owned(),
        Value::Object(_) => return "an object".to_owned(),
        other => other.to_string(),
    };
    clip(&text).to_owned()
}

/// A query for items with certain keys.
pub fn by_keys(collection: &Collection, keys: &[Value]) -> Query {
    let field = collection.primary_key().name.clone();
    Query { filter: Some(Filter::Field { field, op: Op::In(keys.to_vec()) }), ..Query::default() }
}

/// Reads `a[b][c]=v` pairs of a query string into nested objects.
pub fn from_pairs(pairs: impl IntoIterator<Item = (String, String)>) -> Result<Item> {
    let mut raw = Map::new();
    for (name, value) in pairs {
        let mut path = name.split('[').map(|part| part.strip_suffix(']').unwrap_or(part));
        let first = path.next().unwrap_or_default().to_owned();
        let rest: Vec<String> = path.map(str::to_owned).collect();
        if rest.len() > MAX_DEPTH {
            return Err(Error::query(format!("`{}` is nested deeper than {MAX_DEPTH} levels", clip(&first))));
        }
        insert(&mut raw, first, &rest, value)?;
    }
    Ok(raw)
}

fn insert(object: &mut Item, name: String, rest: &[String], value: String) -> Result<()> {
    let Some((next, deeper)) = rest.split_first() else {
        object.insert(name, Value::String(value));
        return Ok(());
    };
    // `fields[]=a&fields[]=b` appends.
    if next.is_empty() && deeper.is_empty() {
        let slot = object.entry(name.clone()).or_insert_with(|| Value::Array(Vec::new()));
        let list = slot.as_array_mut().ok_or_else(|| Error::query(format!("`{}` is given both as a list and as a value", clip(&name))))?;
        list.push(Value::String(value));
        return Ok(());
    }
    let slot = object.entry(name.clone()).or_insert_with(|| Value::Object(Map::new()));
    let inner = slot.as_object_mut().ok_or_else(|| Error::query(format!("`{}` is given both as an object and as a value", clip(&name))))?;
    insert(inner, next.clone(), deeper, value)
}
