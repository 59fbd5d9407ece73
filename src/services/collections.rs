//! Collections, in the shape of the REST API: `{ collection, meta: {…}, schema: { name } }`, made with their fields in one call.

use std::sync::Arc;

use serde_json::{Value, json};

use super::fields::{self, Definition};
use super::query::{clip, nearest, show};
use super::schema_change::{change, known};
use super::{Core, Ctx, Item, module_access};
use crate::auth::{Accountability, Action};
use crate::db::{Collection, Conn, Field, FieldType, Schema, ddl};
use crate::error::{Error, ErrorCode, Result};

const MEMBERS: &[&str] = &["collection", "meta", "schema", "fields"];
/// Fields of one collection: below what either database takes in a table and in one statement.
pub(super) const MAX_FIELDS: usize = 500;

/// Every collection that the caller may read.
pub fn read_all(ctx: &Ctx) -> Result<Vec<Value>> {
    let schema = &ctx.op.schema;
    let mut all: Vec<Value> = schema.collections().filter(|c| ctx.granted(Action::Read, c).is_ok()).map(|c| to_json(c)).collect();
    if ctx.elevated || ctx.who.is_admin() {
        // There, and out of reach: asking for one says why.
        all.extend(schema.unserved().map(|(name, _)| json!({ "collection": name, "meta": null, "schema": { "name": name } })));
    }
    Ok(all)
}

/// One collection.
pub fn read_one(ctx: &Ctx, name: &str) -> Result<Value> {
    let collection = ctx.collection(name, Action::Read)?;
    ctx.granted(Action::Read, &collection)?;
    Ok(to_json(&collection))
}

/// Refuses those who may not change collections and fields.
///
/// # Errors
/// 403 for everybody but admins and those with the module `system:schema`.
pub fn may_change(who: &Accountability) -> Result<()> {
    match who.grants.module(module_access::SCHEMA) {
        Some(_) => Ok(()),
        None => Err(Error::forbidden("Only admins may change the schema, and those whose policies have the module `system:schema`")),
    }
}

/// Makes a collection with its fields.
pub async fn create(core: &Arc<Core>, raw: &Value) -> Result<Value> {
    let new = from_json(core.clock.now(), raw)?;
    let name = new.name.clone();
    let new = Arc::new(new);
    change(core, move |conn, _| {
        let made = Arc::clone(&new);
        Box::pin(async move { ddl::create_collection(conn, &made).await })
    })
    .await?;
    Ok(to_json(&*core.collection(&name)?))
}

/// The same within a change that is under way.
pub(super) async fn apply_create(conn: &mut Conn<'_>, now: chrono::DateTime<chrono::Utc>, raw: &Value) -> Result<()> {
    ddl::create_collection(conn, &from_json(now, raw)?).await
}

/// Changes what is said about a collection: the members of `meta` that `raw` names.
pub async fn update(core: &Arc<Core>, name: &str, raw: &Value) -> Result<Value> {
    let (target, raw) = (name.to_owned(), raw.clone());
    change(core, move |conn, schema| {
        let (target, raw) = (target.clone(), raw.clone());
        Box::pin(async move { apply_update(conn, &schema, &target, &raw).await })
    })
    .await?;
    Ok(to_json(&*core.collection(name)?))
}

/// Changes several collections, each named by its `collection`: all of them or none.
pub async fn update_many(core: &Arc<Core>, raw: &Value) -> Result<Vec<Value>> {
    let changes = raw.as_array().ok_or_else(|| Error::payload(format!("the body must be an array of collections, not: {}", show(raw))))?;
    let named = |change: &Value| {
        let name = change.get("collection").and_then(Value::as_str).map(str::to_owned);
        name.ok_or_else(|| Error::payload("each change of a collection must name it, `collection`"))
    };
    let names = changes.iter().map(named).collect::<Result<Vec<_>>>()?;
    let (all, changes) = (names.clone(), changes.clone());
    change(core, move |conn, schema| {
        let (names, changes) = (all.clone(), changes.clone());
        Box::pin(async move {
            for (name, raw) in names.iter().zip(&changes) {
                apply_update(conn, &schema, name, raw).await?;
            }
            Ok(())
        })
    })
    .await?;
    names.iter().map(|name| Ok(to_json(&*core.collection(name)?))).collect()
}

/// The same within a change that is under way.
pub(super) async fn apply_update(conn: &mut Conn<'_>, schema: &Schema, name: &str, raw: &Value) -> Result<()> {
    let mut collection = changeable(schema, name)?;
    let object = raw.as_object().ok_or_else(|| Error::payload(format!("a collection must be an object, not: {}", show(raw))))?;
    for (key, value) in object {
        match key.as_str() {
            "meta" => {}
            "collection" if value == name => {}
            "collection" => return Err(Error::payload(format!("`{name}` can't be renamed")).with_field("collection")),
            // As it was read; the table has no settings of its own.
            "schema" if value.is_object() => {}
            _ => {
                let message =
                    format!("of a collection `meta` can be changed, not `{}`; fields are changed at `/api/fields/{name}`", clip(key));
                return Err(Error::payload(message).with_field(clip(key)));
            }
        }
    }
    let mut meta = collection.meta.clone();
    meta.insert("singleton".to_owned(), json!(collection.singleton));
    meta.insert("note".to_owned(), json!(collection.note));
    meta.extend(read_meta(object.get("meta"))?);
    (collection.singleton, collection.note, collection.meta) = split_meta(meta)?;
    ddl::alter_collection(conn, &collection).await
}

/// The same with all of `meta`, as [`to_json`] showed it, within a change that is under way.
pub(super) async fn apply_put(conn: &mut Conn<'_>, schema: &Schema, name: &str, raw: &Value) -> Result<()> {
    let mut collection = changeable(schema, name)?;
    (collection.singleton, collection.note, collection.meta) = split_meta(read_meta(raw.get("meta"))?)?;
    ddl::alter_collection(conn, &collection).await
}

fn changeable(schema: &Schema, name: &str) -> Result<Collection> {
    let collection = known(schema, name)?;
    if collection.system {
        return Err(Error::forbidden(format!("`{name}` belongs to the system and can't be changed")));
    }
    if !collection.described {
        let message = format!("The table `{name}` wasn't made here: it is served as it is, and nothing is kept about it");
        return Err(Error::new(ErrorCode::Conflict, message));
    }
    Ok((**collection).clone())
}

/// A collection that somebody sent, without its fields, as [`to_json`] would show it.
pub(super) fn normal(raw: &Value) -> Result<Value> {
    let name = raw.get("collection").and_then(Value::as_str);
    let name = name.ok_or_else(|| Error::payload("a collection needs a name, `collection`"))?;
    let bad = |error: Error| Error::payload(format!("collection `{}`: {}", clip(name), error.message()));
    if raw.get("schema").is_some_and(Value::is_null) {
        return Err(bad(Error::payload("`schema: null` makes a folder without a table, which isn't supported")));
    }
    let (singleton, note, meta) = read_meta(raw.get("meta")).and_then(split_meta).map_err(bad)?;
    Ok(shape(name, singleton, note.as_deref(), meta, false))
}

/// Drops a collection with its items, what refers to it and the permissions on it.
pub async fn delete(core: &Arc<Core>, name: &str) -> Result<()> {
    let gone = name.to_owned();
    change(core, move |conn, schema| {
        let gone = gone.clone();
        Box::pin(async move { apply_delete(conn, &schema, &gone).await })
    })
    .await?;
    core.directory.invalidate();
    Ok(())
}

/// The same within a change that is under way.
pub(super) async fn apply_delete(conn: &mut Conn<'_>, schema: &Schema, name: &str) -> Result<()> {
    if known(schema, name)?.system {
        return Err(Error::forbidden(format!("`{name}` belongs to the system and can't be deleted")));
    }
    ddl::drop_collection(conn, name).await
}

/// A collection as the API shows it. `meta` is null for the tables of others.
pub fn to_json(collection: &Collection) -> Value {
    if !collection.described {
        return json!({ "collection": collection.name, "meta": null, "schema": { "name": collection.name } });
    }
    shape(&collection.name, collection.singleton, collection.note.as_deref(), collection.meta.clone(), collection.system)
}

fn shape(name: &str, singleton: bool, note: Option<&str>, mut meta: Item, system: bool) -> Value {
    meta.insert("collection".to_owned(), json!(name));
    meta.insert("singleton".to_owned(), json!(singleton));
    meta.insert("note".to_owned(), json!(note));
    meta.insert("system".to_owned(), json!(system));
    json!({ "collection": name, "meta": meta, "schema": { "name": name } })
}

/// Reads a collection with its fields as the API takes it.
pub(super) fn from_json(now: chrono::DateTime<chrono::Utc>, raw: &Value) -> Result<ddl::NewCollection> {
    let object = raw.as_object().ok_or_else(|| Error::payload(format!("a collection must be an object, not: {}", show(raw))))?;
    if let Some(key) = object.keys().find(|key| !MEMBERS.contains(&key.as_str())) {
        return Err(Error::payload(format!("a collection has no member `{}`{}", clip(key), nearest(key, MEMBERS.iter().copied()))));
    }
    let name = object.get("collection").and_then(Value::as_str).ok_or_else(|| Error::payload("a collection needs a name, `collection`"))?;
    if object.get("schema").is_some_and(Value::is_null) {
        return Err(Error::payload("`schema: null` makes a folder without a table, which isn't supported").with_field("schema"));
    }
    let (singleton, note, meta) = split_meta(read_meta(object.get("meta"))?)?;
    let given = match object.get("fields") {
        None | Some(Value::Null) => &Vec::new(),
        Some(Value::Array(fields)) => fields,
        Some(other) => return Err(Error::payload(format!("`fields` must be an array, not: {}", show(other)))),
    };
    if given.len() > MAX_FIELDS {
        return Err(Error::payload(format!("a collection has at most {MAX_FIELDS} fields, not {}", given.len())).with_field("fields"));
    }
    let (mut made, mut aliases, mut primary) = (Vec::with_capacity(given.len() + 1), Vec::new(), None);
    for field in given {
        match fields::from_json(field, 0)? {
            Definition::Alias(alias) => aliases.push(alias),
            Definition::Column(field, is_primary) => {
                if is_primary && primary.replace(made.len()).is_some() {
                    return Err(Error::payload(format!("`{}`: a collection has one primary key", field.name)).with_field(field.name));
                }
                made.push(*field);
            }
        }
    }
    let primary = primary.unwrap_or_else(|| {
        made.insert(0, Field { auto_increment: true, nullable: false, ..Field::new("id", FieldType::Integer) });
        0
    });
    Ok(ddl::NewCollection { name: name.to_owned(), singleton, note, meta, primary, fields: made, aliases, created_at: now })
}

fn read_meta(meta: Option<&Value>) -> Result<Item> {
    let mut meta = match meta {
        None | Some(Value::Null) => Item::new(),
        Some(Value::Object(meta)) => meta.clone(),
        Some(other) => return Err(Error::payload(format!("`meta` must be an object, not: {}", show(other))).with_field("meta")),
    };
    for derived in ["collection", "system"] {
        meta.shift_remove(derived);
    }
    Ok(meta)
}

/// `singleton`, `note` and the rest, which the host keeps for its maker.
fn split_meta(mut meta: Item) -> Result<(bool, Option<String>, Item)> {
    let singleton = match meta.shift_remove("singleton") {
        None | Some(Value::Null) => false,
        Some(Value::Bool(singleton)) => singleton,
        Some(other) => {
            return Err(Error::payload(format!("`singleton` must be true or false, not: {}", show(&other))).with_field("singleton"));
        }
    };
    let note = match meta.shift_remove("note") {
        None | Some(Value::Null) => None,
        Some(Value::String(note)) => Some(note),
        Some(other) => return Err(Error::payload(format!("`note` must be a text, not: {}", show(&other))).with_field("note")),
    };
    Ok((singleton, note, meta))
}
