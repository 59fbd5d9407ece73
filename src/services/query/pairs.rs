//! Query strings: `a[b][c]=v` → the object that SEARCH and the services take.

use serde_json::{Map, Value};

use super::MAX_DEPTH;
use super::words::clip;
use crate::error::{Error, Result};
use crate::services::Item;

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
