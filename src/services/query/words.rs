//! The words of a query: numbers, lists and names as callers write them, and what is said about them in messages.
//!
//! Values that came through a query string are texts, so numbers, flags and lists are read from texts too.

use serde_json::Value;

use crate::error::{Error, Result};
use crate::services::Item;

/// A list of values: an array, an object with the keys 0, 1, 2 …, or texts between commas.
pub(super) fn values(operand: &Value) -> Result<Vec<Value>, String> {
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
pub(super) fn is_list(map: &Item) -> bool {
    !map.is_empty() && map.keys().all(|key| key.parse::<usize>().is_ok())
}

pub(in crate::services) fn texts(value: &Value, parameter: &str) -> Result<Vec<String>> {
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

pub(super) fn whole(value: &Value, name: &str, min: u64) -> Result<u64> {
    as_integer(value)
        .and_then(|n| u64::try_from(n).ok())
        .filter(|n| *n >= min)
        .ok_or_else(|| Error::query(format!("`{name}` must be a whole number from {min}, not: {}", show(value))))
}

pub(super) fn as_integer(value: &Value) -> Option<i64> {
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

/// A parameter that is an object, also where it came as JSON in a text; `None` where it says nothing.
pub(in crate::services) fn object(value: Option<&Value>, parameter: &str) -> Result<Option<Item>> {
    match value {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Object(members)) => Ok(Some(members.clone())),
        Some(Value::String(text)) if text.trim().is_empty() => Ok(None),
        Some(Value::String(text)) => match serde_json::from_str(text) {
            Ok(Value::Object(members)) => Ok(Some(members)),
            Ok(other) => Err(Error::query(format!("`{parameter}` must be an object, not: {}", show(&other)))),
            Err(e) => Err(Error::query(format!("`{parameter}` isn't valid JSON: {e}"))),
        },
        Some(other) => Err(Error::query(format!("`{parameter}` must be an object, not: {}", show(other)))),
    }
}
