//! Collections, in the shape of the REST API: `{ collection, meta: {…}, schema: { name } }`, made with their fields in one call.

use std::sync::Arc;

use serde_json::{Value, json};

use super::changes::{self, Kind};
use super::fields;
use super::query::{clip, nearest, show};
use super::{Core, Ctx, module_access};
use crate::auth::{Accountability, Action};
use crate::db::{Collection, Field, FieldType, ddl};
use crate::error::{Error, Result};

const MEMBERS: &[&str] = &["collection", "meta", "schema", "fields"];
/// Fields of one collection: below what either database takes in a table and in one statement.
pub(super) const MAX_FIELDS: usize = 500;

/// Every collection that the caller may read.
pub fn read_all(ctx: &Ctx) -> Result<Vec<Value>> {
    Ok(ctx.op.schema.collections().filter(|c| ctx.granted(Action::Read, c).is_ok()).map(|c| to_json(c)).collect())
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
    let new = Arc::new(from_json(core, raw)?);
    let made = Arc::clone(&new);
    core.db
        .write(move |conn| {
            let made = Arc::clone(&made);
            Box::pin(async move {
                ddl::create_collection(conn, &made).await?;
                changes::note(conn, Kind::Schema).await
            })
        })
        .await?;
    core.reload_schema().await?;
    Ok(to_json(&*core.collection(&new.name)?))
}

/// Drops a collection with its items.
pub async fn delete(core: &Arc<Core>, name: &str) -> Result<()> {
    let collection = core.collection(name)?;
    if collection.system {
        return Err(Error::forbidden(format!("`{name}` belongs to the system and can't be deleted")));
    }
    core.db
        .write(move |conn| {
            let collection = Arc::clone(&collection);
            Box::pin(async move {
                ddl::drop_collection(conn, &collection.name).await?;
                changes::note(conn, Kind::Schema).await
            })
        })
        .await?;
    core.reload_schema().await
}

fn to_json(collection: &Collection) -> Value {
    let mut meta = collection.meta.clone();
    meta.insert("collection".to_owned(), json!(collection.name));
    meta.insert("singleton".to_owned(), json!(collection.singleton));
    meta.insert("note".to_owned(), json!(collection.note));
    meta.insert("system".to_owned(), json!(collection.system));
    json!({ "collection": collection.name, "meta": meta, "schema": { "name": collection.name } })
}

fn from_json(core: &Core, raw: &Value) -> Result<ddl::NewCollection> {
    let object = raw.as_object().ok_or_else(|| Error::payload(format!("a collection must be an object, not: {}", show(raw))))?;
    if let Some(key) = object.keys().find(|key| !MEMBERS.contains(&key.as_str())) {
        return Err(Error::payload(format!("a collection has no member `{}`{}", clip(key), nearest(key, MEMBERS.iter().copied()))));
    }
    let name = object.get("collection").and_then(Value::as_str).ok_or_else(|| Error::payload("a collection needs a name, `collection`"))?;
    if object.get("schema").is_some_and(Value::is_null) {
        return Err(Error::payload("`schema: null` makes a folder without a table, which isn't supported").with_field("schema"));
    }
    let mut meta = match object.get("meta") {
        None | Some(Value::Null) => serde_json::Map::new(),
        Some(Value::Object(meta)) => meta.clone(),
        Some(other) => return Err(Error::payload(format!("`meta` must be an object, not: {}", show(other)))),
    };
    for derived in ["collection", "system"] {
        meta.shift_remove(derived);
    }
    let singleton = match meta.shift_remove("singleton") {
        None | Some(Value::Null | Value::Bool(false)) => false,
        Some(Value::Bool(true)) => return Err(Error::payload("`singleton` collections aren't supported yet").with_field("singleton")),
        Some(other) => return Err(Error::payload(format!("`singleton` must be true or false, not: {}", show(&other)))),
    };
    let note = meta.shift_remove("note").and_then(|note| note.as_str().map(str::to_owned));
    let given = match object.get("fields") {
        None | Some(Value::Null) => &Vec::new(),
        Some(Value::Array(fields)) => fields,
        Some(other) => return Err(Error::payload(format!("`fields` must be an array, not: {}", show(other)))),
    };
    if given.len() > MAX_FIELDS {
        return Err(Error::payload(format!("a collection has at most {MAX_FIELDS} fields, not {}", given.len())).with_field("fields"));
    }
    let (mut made, mut primary) = (Vec::with_capacity(given.len() + 1), None);
    for (at, field) in given.iter().enumerate() {
        let (field, is_primary) = fields::from_json(field, at)?;
        if is_primary && primary.replace(at).is_some() {
            return Err(Error::payload(format!("`{}`: a collection has one primary key", field.name)).with_field(field.name));
        }
        made.push(field);
    }
    let primary = primary.unwrap_or_else(|| {
        made.insert(0, Field { auto_increment: true, nullable: false, ..Field::new("id", FieldType::Integer) });
        0
    });
    Ok(ddl::NewCollection { name: name.to_owned(), singleton, note, meta, primary, fields: made, created_at: core.clock.now() })
}
