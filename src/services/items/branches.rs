//! Items inside items: what a value in a field that leads to other items asks for, and the walk over all of them.
//!
//! Knows the forms (an object, a list, `{create, update, delete}`), no right and no statement: `plan` makes rows of them.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::db::Deselect;
use crate::db::{Collection, FieldType, Link, Schema};
use crate::error::{Error, Result};
use crate::services::Item;
use crate::services::query::{clip, nearest, show};

/// Levels of items inside items.
pub(super) const MAX_LEVELS: usize = 40;

/// What a field with a relation asks for beside its own row.
#[derive(Debug, Clone)]
pub(super) enum Nested {
    /// One item that the row refers to.
    One(Item),
    /// Items that refer to the row.
    Many {
        /// Whether those that aren't named leave the list.
        whole: bool,
        rows: Vec<Wish>,
        /// Keys of those that leave the list.
        gone: Vec<Value>,
    },
}

/// One item of a list.
#[derive(Debug, Clone)]
pub(super) enum Wish {
    /// Changed where its key is there already, else made.
    Row(Item),
    /// In the list as it is.
    Key(Value),
    /// Changed.
    Change(Value, Item),
}

/// A row's own columns, and what it asks for beside them.
#[derive(Debug, Default)]
pub(super) struct Split {
    pub own: Item,
    pub nested: Vec<Branch>,
}

/// A field of a row that other items hang on.
#[derive(Debug, Clone)]
pub(super) struct Branch {
    pub field: String,
    pub link: Link,
    /// The collection of the items there.
    pub collection: String,
    pub asked: Nested,
}

impl Branch {
    /// The field of the items there that holds the key of the row, where they refer to it.
    pub fn back(&self) -> Option<&str> {
        match &self.link {
            Link::OneToMany(relation) => Some(&relation.field),
            Link::ManyToOne(_) | Link::ManyToAny(_) => None,
        }
    }

    /// The items that stand there.
    pub fn rows(&self) -> impl Iterator<Item = &Item> {
        let (one, many) = match &self.asked {
            Nested::One(row) => (Some(row), &[][..]),
            Nested::Many { rows, .. } => (None, rows.as_slice()),
        };
        one.into_iter().chain(many.iter().filter_map(|wish| match wish {
            Wish::Row(row) | Wish::Change(_, row) => Some(row),
            Wish::Key(_) => None,
        }))
    }

    /// What happens to those that leave the list.
    pub fn deselect(&self) -> Deselect {
        match &self.link {
            Link::OneToMany(relation) => relation.deselect,
            Link::ManyToOne(_) | Link::ManyToAny(_) => Deselect::Nullify,
        }
    }
}

/// Takes an item apart.
///
/// # Errors
/// `InvalidPayload` for a value that is none of the forms, with the field's name.
pub(super) fn split(schema: &Schema, collection: &Collection, item: Item) -> Result<Split> {
    let mut split = Split::default();
    for (field, value) in &item {
        let Some(link) = schema.link(&collection.name, field) else { continue };
        let at = |why: String| Error::payload(format!("`{field}` in `{}` {why}", collection.name)).with_field(field.clone());
        let (target, asked) = match &link {
            Link::OneToMany(relation) => (relation.collection.clone(), many(schema, &relation.collection, value).map_err(at)?),
            Link::ManyToOne(_) | Link::ManyToAny(_) => match value {
                Value::Object(row) => (one_target(&link, &item).map_err(at)?, Nested::One(row.clone())),
                _ => continue,
            },
        };
        split.nested.push(Branch { field: field.clone(), link, collection: target, asked });
    }
    split.own = item;
    for branch in &split.nested {
        split.own.shift_remove(&branch.field);
    }
    for (field, value) in &mut split.own {
        *value = as_kept(collection, field, std::mem::take(value), || schema.link(&collection.name, field).is_some());
    }
    Ok(split)
}

/// A key as `field` holds it: as a text where it may be one of several collections, whatever the keys of these are.
fn as_kept(collection: &Collection, field: &str, key: Value, is_link: impl FnOnce() -> bool) -> Value {
    let holds_text = || collection.field(field).is_some_and(|field| matches!(field.ty, FieldType::String | FieldType::Text));
    if key.is_number() && holds_text() && is_link() { Value::String(key.to_string()) } else { key }
}

/// The key of an item as the field that refers to it holds it.
pub(super) fn kept_key(collection: &Collection, field: &str, key: Value) -> Value {
    as_kept(collection, field, key, || true)
}

/// The collection that a nested object belongs to.
fn one_target(link: &Link, item: &Item) -> Result<String, String> {
    match link {
        Link::ManyToOne(relation) => relation.related.clone().ok_or_else(|| "leads nowhere".to_owned()),
        Link::ManyToAny(relation) => {
            let beside = relation.one_collection_field.as_deref().unwrap_or_default();
            let named = item.get(beside).and_then(Value::as_str);
            let allowed = || relation.one_allowed.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
            match named {
                Some(name) if relation.one_allowed.iter().any(|allowed| allowed == name) => Ok(name.to_owned()),
                Some(name) => Err(format!("can't hold an item of `{}`; allowed are {}", clip(name), allowed())),
                None => Err(format!("needs `{beside}` beside it, which says whose item it is: one of {}", allowed())),
            }
        }
        Link::OneToMany(relation) => Ok(relation.collection.clone()),
    }
}

/// The parts of a list's changes.
const MEMBERS: [&str; 3] = ["create", "update", "delete"];

fn many(schema: &Schema, collection: &str, value: &Value) -> Result<Nested, String> {
    let target = schema.collection(collection).ok_or_else(|| "leads to a collection that isn't there".to_owned())?;
    let pk = target.primary_key().name.as_str();
    let is_key = |value: &Value| value.is_string() || value.is_number();
    let wish = |value: &Value| match value {
        Value::Object(row) => Ok(Wish::Row(row.clone())),
        key if is_key(key) => Ok(Wish::Key(key.clone())),
        other => Err(format!("takes items and keys, not: {}", show(other))),
    };
    let object = match value {
        Value::Null => return Ok(Nested::Many { whole: true, rows: Vec::new(), gone: Vec::new() }),
        Value::Array(rows) => {
            return Ok(Nested::Many { whole: true, rows: rows.iter().map(wish).collect::<Result<_, _>>()?, gone: Vec::new() });
        }
        Value::Object(object) => object,
        other => return Err(format!("must be an array of items and keys, or `{{create, update, delete}}`, not: {}", show(other))),
    };
    if let Some(name) = object.keys().find(|name| !MEMBERS.contains(&name.as_str())) {
        return Err(format!("takes `create`, `update` and `delete`, not `{}`{}", clip(name), nearest(name, MEMBERS)));
    }
    let list = |name: &str| match object.get(name) {
        None | Some(Value::Null) => Ok(&[][..]),
        Some(Value::Array(values)) => Ok(values.as_slice()),
        Some(other) => Err(format!("takes an array as its `{name}`, not: {}", show(other))),
    };
    let mut rows = Vec::new();
    for value in list("create")? {
        match value {
            Value::Object(row) => rows.push(Wish::Row(row.clone())),
            other => return Err(format!("takes items as its `create`, not: {}", show(other))),
        }
    }
    for value in list("update")? {
        let row = value.as_object().ok_or_else(|| format!("takes items as its `update`, not: {}", show(value)))?;
        let mut row = row.clone();
        let key = row.shift_remove(pk).filter(is_key).ok_or_else(|| format!("takes items with their key `{pk}` as its `update`"))?;
        rows.push(Wish::Change(key, row));
    }
    let gone = list("delete")?;
    if let Some(other) = gone.iter().find(|key| !is_key(key)) {
        return Err(format!("takes keys as its `delete`, not: {}", show(other)));
    }
    Ok(Nested::Many { whole: false, rows, gone: gone.to_vec() })
}

/// Visits every item inside `item`, outermost first. What has none of the forms is passed by: who writes it is told by [`split`].
pub(super) fn each_inside(schema: &Schema, collection: &Collection, item: &mut Item, visit: &mut dyn FnMut(&Collection, &mut Item)) {
    inside(schema, collection, item, MAX_LEVELS, visit);
}

fn inside(schema: &Schema, collection: &Collection, item: &mut Item, levels: usize, visit: &mut dyn FnMut(&Collection, &mut Item)) {
    let links: Vec<(String, Link)> = item
        .iter()
        .filter(|(_, v)| v.is_object() || v.is_array())
        .filter_map(|(f, _)| Some((f.clone(), schema.link(&collection.name, f)?)))
        .collect();
    for (field, link) in links {
        let Some(target) = one_target(&link, item).ok().and_then(|name| schema.collection(&name).cloned()) else { continue };
        let Some(value) = item.get_mut(&field).filter(|_| levels > 0) else { continue };
        let mut rows: Vec<&mut Item> = Vec::new();
        match (value, &link) {
            (Value::Array(values), Link::OneToMany(_)) => rows.extend(values.iter_mut().filter_map(Value::as_object_mut)),
            (Value::Object(parts), Link::OneToMany(_)) => {
                for (_, values) in parts.iter_mut() {
                    rows.extend(values.as_array_mut().into_iter().flatten().filter_map(Value::as_object_mut));
                }
            }
            (Value::Object(row), _) => rows.push(row),
            _ => {}
        }
        for row in rows {
            visit(&target, row);
            inside(schema, &target, row, levels - 1, visit);
        }
    }
}

/// The capabilities that a filter needs to have changed the items inside an item so: `items:lines:create` and so on, each once.
pub fn nested_needs(schema: &Schema, collection: &Collection, is_new: bool, before: &Item, after: &Item) -> Vec<String> {
    let mut needs = BTreeSet::new();
    collect_needs(schema, collection, is_new, before, after, &mut needs, MAX_LEVELS);
    needs.into_iter().collect()
}

/// `is_new`: the item is about to be made, so that nothing can leave its lists.
fn collect_needs(
    schema: &Schema,
    collection: &Collection,
    is_new: bool,
    before: &Item,
    after: &Item,
    needs: &mut BTreeSet<String>,
    levels: usize,
) {
    if levels == 0 {
        return;
    }
    let changed =
        Item::from_iter(after.iter().filter(|(name, value)| before.get(*name) != Some(*value)).map(|(n, v)| (n.clone(), v.clone())));
    let mut context = after.clone();
    context
        .retain(|name, _| !changed.contains_key(name) && !schema.link(&collection.name, name).is_some_and(|_| before.contains_key(name)));
    context.extend(changed.clone());
    let Ok(split) = split(schema, collection, context) else { return };
    for branch in split.nested.into_iter().filter(|branch| changed.contains_key(&branch.field)) {
        let Some(target) = schema.collection(&branch.collection) else { continue };
        let pk = &target.primary_key().name;
        let need = |needs: &mut BTreeSet<String>, action: &str| {
            needs.insert(format!("items:{}:{action}", target.name));
        };
        let deselect = branch.deselect();
        let (rows, whole, gone) = match branch.asked {
            Nested::One(row) => (vec![Wish::Row(row)], false, Vec::new()),
            Nested::Many { whole, rows, gone } => (rows, whole, gone),
        };
        if (whole && !is_new) || !gone.is_empty() {
            need(needs, if deselect == Deselect::Delete { "delete" } else { "update" });
        }
        let old = before.get(&branch.field).cloned().unwrap_or_default();
        let known = known_rows(&old);
        for wish in rows {
            let row = match wish {
                Wish::Key(key) if known.contains(&&key) => continue,
                Wish::Key(_) | Wish::Change(..) => {
                    need(needs, "update");
                    if let Wish::Change(_, row) = wish { row } else { continue }
                }
                Wish::Row(row) => {
                    if known.contains(&&json!(row)) {
                        continue;
                    }
                    need(needs, "create");
                    if row.get(pk).is_some_and(|key| !key.is_null()) {
                        need(needs, "update");
                    }
                    row
                }
            };
            let is_new = row.get(pk).is_none_or(Value::is_null);
            collect_needs(schema, target, is_new, &Item::new(), &row, needs, levels - 1);
        }
    }
}

/// The values that stood in a field: the items of a list, of the parts of one, or the one item.
fn known_rows(value: &Value) -> Vec<&Value> {
    match value {
        Value::Array(rows) => rows.iter().collect(),
        Value::Object(parts) => {
            let mut rows = vec![value];
            rows.extend(parts.values().filter_map(Value::as_array).flatten());
            rows
        }
        _ => Vec::new(),
    }
}
