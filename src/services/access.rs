//! Holding what a caller sends against what they may touch.

use serde_json::Value;

use super::Item;
use super::query::{clip, nearest};
use crate::auth::{Action, FieldSet};
use crate::db::{Collection, Dialect, FieldType};
use crate::error::{Error, ErrorCode, Result};

/// Checks what a caller wants to write: every key is a field, one that they may set, with a value of its type.
///
/// Missing values are not looked at here: a filter hook may still add them.
pub fn check_input(collection: &Collection, dialect: Dialect, fields: &FieldSet, item: &Item) -> Result<()> {
    for name in item.keys() {
        match (collection.field(name), fields) {
            (Some(_), fields) if fields.has(name) => {}
            (None, FieldSet::All) => return Err(Error::payload(unknown(collection, name)).with_field(clip(name))),
            // One sentence for a field that isn't granted and for one that isn't there: a caller with a field list can't find out which.
            _ => return Err(Error::forbidden(format!("You may not set `{}` in `{}`", clip(name), collection.name)).with_field(clip(name))),
        }
    }
    check_values(collection, dialect, item)
}

/// Checks the values of known fields against their types, and that none is missing that is there to be refused: `null` where a value is needed.
pub fn check_values(collection: &Collection, dialect: Dialect, item: &Item) -> Result<()> {
    for (name, value) in item {
        let Some(field) = collection.field(name) else {
            return Err(Error::payload(unknown(collection, name)).with_field(clip(name)));
        };
        if let Err(reason) = field.ty.encode(dialect, value) {
            return Err(Error::payload(format!("`{name}` in `{}` {reason}", collection.name)).with_field(name.clone()));
        }
        if field.ty == FieldType::Json && is_deeper(value, MAX_DEPTH) {
            let message = format!("`{name}` in `{}` is nested deeper than {MAX_DEPTH} levels", collection.name);
            return Err(Error::payload(message).with_field(name.clone()));
        }
        if let (Some(max), Some(text)) = (field.length_limit(), value.as_str())
            && text.chars().count() > max as usize
        {
            let message = format!("`{name}` in `{}` has at most {max} characters, got: {}", collection.name, text.chars().count());
            return Err(Error::new(ErrorCode::FailedValidation, message).with_field(name.clone()));
        }
    }
    Ok(())
}

/// Levels of a json value. Hooks get it inside a row inside a list, and what they answer must still be readable.
const MAX_DEPTH: usize = 100;

fn is_deeper(value: &Value, levels: usize) -> bool {
    match value {
        Value::Array(items) => levels == 0 || items.iter().any(|item| is_deeper(item, levels - 1)),
        Value::Object(members) => levels == 0 || members.values().any(|member| is_deeper(member, levels - 1)),
        _ => false,
    }
}

/// Checks a row that is about to be inserted for values that are needed and missing.
pub fn check_complete(collection: &Collection, item: &Item) -> Result<()> {
    for field in &collection.fields {
        let missing = item.get(&field.name).is_none_or(Value::is_null);
        let filled_by_database = !item.contains_key(&field.name) && (field.default.is_some() || field.auto_increment);
        if missing && (field.required || !field.nullable) && !filled_by_database {
            return Err(needs_value(collection, &field.name));
        }
    }
    Ok(())
}

/// Checks changes for values that may not be taken away.
pub fn check_not_emptied(collection: &Collection, item: &Item) -> Result<()> {
    match collection.fields.iter().find(|f| (f.required || !f.nullable) && item.get(&f.name).is_some_and(Value::is_null)) {
        Some(field) => Err(needs_value(collection, &field.name)),
        None => Ok(()),
    }
}

fn needs_value(collection: &Collection, field: &str) -> Error {
    Error::new(ErrorCode::FailedValidation, format!("`{field}` in `{}` needs a value", collection.name)).with_field(field)
}

fn unknown(collection: &Collection, name: &str) -> String {
    let near = nearest(name, collection.fields.iter().map(|f| f.name.as_str()));
    format!("There is no field `{}` in `{}`{near}", clip(name), collection.name)
}

/// The field that a query names, if the caller may read it.
///
/// For a field that isn't granted and one that doesn't exist the answer is of the same kind: no oracle.
pub fn readable<'c>(collection: &'c Collection, fields: &FieldSet, name: &str) -> Result<&'c crate::db::Field> {
    match collection.field(name).filter(|_| fields.has(name)) {
        Some(field) => Ok(field),
        None if *fields == FieldSet::All => Err(Error::query(unknown(collection, name)).with_field(clip(name))),
        None => {
            let near = nearest(name, collection.fields.iter().map(|f| f.name.as_str()).filter(|f| fields.has(f)));
            Err(Error::forbidden(format!(
                "You may not {} `{}` in `{}`, or it doesn't exist{near}",
                Action::Read.name(),
                clip(name),
                collection.name
            ))
            .with_field(clip(name)))
        }
    }
}
