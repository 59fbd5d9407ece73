//! Holding what a caller sends against what they may touch, and which items their permissions are about.

use futures_util::future::BoxFuture;
use serde_json::Value;

use super::query::{Everything, Reader, clip, nearest, parse_filter};
use super::{Ctx, Item, variables};
use crate::auth::{Action, FieldSet, Permission};
use crate::db::{Collection, Dialect, FieldType, Filter, Schema, sql};
use crate::error::{Error, ErrorCode, Result};

/// Whether the filters of a permission mean something for the collection. One that doesn't grants nothing.
pub(super) fn is_sound(schema: &Schema, collection: &Collection, permission: &Permission) -> bool {
    let sight = Everything(schema);
    let reader = Reader::of(&sight);
    [&permission.items, &permission.validation].into_iter().flatten().all(|filter| parse_filter(&reader, collection, Some(filter)).is_ok())
}

impl Ctx {
    /// The items of `collection` that the caller may touch by `action`, as a filter for the statement itself; `None` is every item. An item
    /// outside of it is one that doesn't exist, for this caller.
    ///
    /// # Errors
    /// `Forbidden` for who may not do that to any item.
    pub fn row_rule<'a>(&'a self, action: Action, collection: &'a Collection) -> BoxFuture<'a, Result<Option<Filter>>> {
        // Boxed: a rule may hold variables, which are read under rules.
        Box::pin(self.row_rule_unboxed(action, collection))
    }

    async fn row_rule_unboxed(&self, action: Action, collection: &Collection) -> Result<Option<Filter>> {
        if self.is_free() {
            return Ok(None);
        }
        let Some(filters) = &self.united(action, collection)?.items else { return Ok(None) };
        let mut any = Vec::with_capacity(filters.len());
        for raw in filters {
            match self.held_filter(collection, raw).await {
                Ok(filter) => any.push(filter),
                // A value that can't be one of its field: nobody meets that.
                Err(error) if error.class() < 500 => {
                    tracing::debug!(collection = collection.name, %error, "a permission's filter can't be used: it grants no item");
                }
                Err(error) => return Err(error),
            }
        }
        Ok(Some(Filter::Or(any)))
    }

    /// What a preset of a permission stands for.
    pub(super) async fn preset_value(&self, raw: &Value) -> Result<Value> {
        variables::resolve_value(self, raw).await
    }

    /// A filter of a permission, or of a field, with its variables replaced by what they are for the caller. It may use any field.
    pub(super) async fn held_filter(&self, collection: &Collection, raw: &Value) -> Result<Filter> {
        let raw = variables::resolve(self, raw).await?;
        let sight = Everything(&self.op.schema);
        let filter = parse_filter(&Reader::of(&sight), collection, Some(&raw))?.unwrap_or(Filter::Const(true));
        sql::condition(self.core.db.dialect(), collection, &filter)?;
        Ok(filter)
    }
}

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

/// Checks a row that is about to be inserted for values that are needed and missing. `comes` are fields that get their value later.
pub fn check_complete(collection: &Collection, item: &Item, comes: impl Fn(&str) -> bool) -> Result<()> {
    for field in &collection.fields {
        let missing = item.get(&field.name).is_none_or(Value::is_null) && !comes(&field.name);
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
