//! The fields of collections, in the shape of the REST API: `{ collection, field, type, meta: {…}, schema: {…} | null }`.

mod shape;

use std::sync::Arc;

use serde_json::Value;

use self::shape::column_to_json;
pub use self::shape::{Definition, alias_to_json, from_json, to_json};
pub(super) use self::shape::{only, section};

use super::query::{clip, nearest, show};
use super::schema_change::{change, known};
use super::{Core, Ctx};
use crate::auth::Action;
use crate::db::{Collection, Conn, Schema, ddl, system};
use crate::error::{Error, ErrorCode, Result};

/// Every field that the caller may know of.
pub fn read_all(ctx: &Ctx) -> Result<Vec<Value>> {
    let schema = Arc::clone(&ctx.op.schema);
    Ok(schema.collections().flat_map(|collection| visible(ctx, collection)).collect())
}

/// The fields of one collection.
pub fn read_collection(ctx: &Ctx, name: &str) -> Result<Vec<Value>> {
    let collection = ctx.collection(name, Action::Read)?;
    ctx.granted(Action::Read, &collection)?;
    Ok(visible(ctx, &collection))
}

/// One field.
pub fn read_one(ctx: &Ctx, collection: &str, name: &str) -> Result<Value> {
    let fields = read_collection(ctx, collection)?;
    fields.into_iter().find(|field| field["field"] == name).ok_or_else(|| {
        Error::new(ErrorCode::NotFound, format!("There is no field `{}` in `{}`, or you may not read it", clip(name), clip(collection)))
    })
}

fn visible(ctx: &Ctx, collection: &Collection) -> Vec<Value> {
    let Ok(granted) = ctx.granted(Action::Read, collection) else { return Vec::new() };
    let mut fields: Vec<Value> = collection
        .fields
        .iter()
        .filter(|f| granted.has(&f.name))
        .map(|field| to_json(&ctx.op.schema, collection, field))
        .chain(collection.aliases.iter().filter(|a| granted.has(&a.name)).map(|alias| alias_to_json(&collection.name, alias)))
        .collect();
    fields.sort_by_key(|field| field["meta"]["sort"].as_i64());
    fields
}

/// Adds a field to a collection. To one of the system only a field without a column can be added.
pub async fn create(core: &Arc<Core>, collection: &str, raw: &Value) -> Result<Value> {
    // A body that can't be is refused before anything waits for the database.
    let name = from_json(raw, 0)?.name().to_owned();
    let (target, raw) = (collection.to_owned(), raw.clone());
    change(core, move |conn, schema| {
        let (target, raw) = (target.clone(), raw.clone());
        Box::pin(async move { apply_create(conn, &schema, &target, &raw).await })
    })
    .await?;
    shown(core, collection, &name)
}

/// The same within a change that is under way.
pub(super) async fn apply_create(conn: &mut Conn<'_>, schema: &Schema, collection: &str, raw: &Value) -> Result<()> {
    let collection = known(schema, collection)?;
    let definition = from_json(raw, 0)?;
    let name = definition.name();
    if collection.field(name).is_some() || collection.alias(name).is_some() {
        let message = format!("There is a field `{}` in `{}` already", clip(name), collection.name);
        return Err(Error::new(ErrorCode::Conflict, message).with_field(clip(name)));
    }
    if collection.fields.len() + collection.aliases.len() >= super::collections::MAX_FIELDS {
        return Err(Error::payload(format!("`{}` has as many fields as a collection may have", collection.name)));
    }
    match definition {
        Definition::Alias(alias) => ddl::add_alias(conn, collection, &alias).await,
        Definition::Column(field, primary) => {
            changeable(collection)?;
            if primary {
                return Err(Error::payload(format!("`{}` already has its primary key", collection.name)).with_field(&field.name));
            }
            ddl::add_field(conn, collection, &field).await
        }
    }
}

/// Changes a field: what `raw` doesn't say stays.
pub async fn update(core: &Arc<Core>, collection: &str, name: &str, raw: &Value) -> Result<Value> {
    let (target, of, raw) = (collection.to_owned(), name.to_owned(), raw.clone());
    change(core, move |conn, schema| {
        let (target, of, raw) = (target.clone(), of.clone(), raw.clone());
        Box::pin(async move { apply_update(conn, &schema, &target, &of, &raw).await })
    })
    .await?;
    shown(core, collection, name)
}

/// Changes several fields of one collection, each named by its `field`: all of them or none.
pub async fn update_many(core: &Arc<Core>, collection: &str, raw: &Value) -> Result<Vec<Value>> {
    let changes = raw.as_array().ok_or_else(|| Error::payload(format!("the body must be an array of fields, not: {}", show(raw))))?;
    let named = |change: &Value| {
        let name = change.get("field").and_then(Value::as_str).map(str::to_owned);
        name.ok_or_else(|| Error::payload("each change of a field must name it, `field`"))
    };
    let names = changes.iter().map(named).collect::<Result<Vec<_>>>()?;
    let (target, changes) = (collection.to_owned(), changes.clone());
    let all = names.clone();
    change(core, move |conn, schema| {
        let (target, names, changes) = (target.clone(), all.clone(), changes.clone());
        Box::pin(async move {
            let mut schema = schema;
            for (name, raw) in names.iter().zip(&changes) {
                apply_update(conn, &schema, &target, name, raw).await?;
                schema = Arc::new(crate::db::schema::load(conn).await?);
            }
            Ok(())
        })
    })
    .await?;
    names.iter().map(|name| shown(core, collection, name)).collect()
}

/// The same within a change that is under way.
pub(super) async fn apply_update(conn: &mut Conn<'_>, schema: &Schema, collection: &str, name: &str, raw: &Value) -> Result<()> {
    let collection = known(schema, collection)?;
    let object = raw.as_object().ok_or_else(|| Error::payload(format!("a field must be an object, not: {}", show(raw))))?;
    let (mut merged, sort) = match (collection.field(name), collection.alias(name)) {
        (Some(field), _) => (to_json(schema, collection, field), field.sort),
        (_, Some(alias)) => (alias_to_json(&collection.name, alias), alias.sort),
        _ => return Err(unknown(collection, name)),
    };
    for (key, value) in object {
        match (merged.get_mut(key).and_then(Value::as_object_mut), value) {
            (Some(into), Value::Object(from)) => into.extend(from.clone()),
            // As if it hadn't been sent.
            (Some(_), Value::Null) => {}
            _ => merged[key] = value.clone(),
        }
    }
    put(conn, collection, name, from_json(&merged, sort)?).await
}

/// The same with all of the field, as [`to_json`] showed it, within a change that is under way.
pub(super) async fn apply_put(conn: &mut Conn<'_>, schema: &Schema, collection: &str, name: &str, raw: &Value) -> Result<()> {
    let collection = known(schema, collection)?;
    if collection.field(name).is_none() && collection.alias(name).is_none() {
        return Err(unknown(collection, name));
    }
    put(conn, collection, name, from_json(raw, 0)?).await
}

/// A field that somebody sent, as [`to_json`] would show it; `place` is its place where neither it nor what is there says one.
pub(super) fn normal(schema: &Schema, collection: &str, raw: &Value, place: i32) -> Result<Value> {
    let here = schema.collection(collection).zip(raw.get("field").and_then(Value::as_str));
    let sort = here.and_then(|(found, name)| found.field(name).map(|f| f.sort).or_else(|| found.alias(name).map(|a| a.sort)));
    let definition = from_json(raw, sort.unwrap_or(place));
    Ok(match definition.map_err(|error| Error::payload(format!("collection `{}`, field {}", clip(collection), error.message())))? {
        Definition::Column(field, primary) => column_to_json(schema, collection, &field, primary),
        Definition::Alias(alias) => alias_to_json(collection, &alias),
    })
}

/// The fields of a collection that users made, by name.
pub(super) fn own(schema: &Schema, collection: &Collection) -> Vec<(String, Value)> {
    let columns = collection.fields.iter().filter(|_| !collection.system);
    let aliases = collection.aliases.iter().filter(|alias| own_alias(collection, &alias.name).is_ok());
    let columns = columns.map(|field| (field.name.clone(), to_json(schema, collection, field)));
    columns.chain(aliases.map(|alias| (alias.name.clone(), alias_to_json(&collection.name, alias)))).collect()
}

async fn put(conn: &mut Conn<'_>, collection: &Collection, name: &str, definition: Definition) -> Result<()> {
    if definition.name() != name {
        return Err(Error::payload(format!("`{name}` can't be renamed")).with_field(name));
    }
    match definition {
        Definition::Alias(alias) if collection.alias(name).is_some() => {
            own_alias(collection, name)?;
            ddl::alter_alias(conn, collection, &alias).await
        }
        Definition::Column(field, _) if collection.field(name).is_some() => {
            changeable(collection)?;
            ddl::alter_field(conn, collection, &field).await
        }
        _ => Err(Error::payload(format!("`{name}`: a field can't get a column or lose it: make another one")).with_field(name)),
    }
}

/// Drops a field with its values.
pub async fn delete(core: &Arc<Core>, collection: &str, name: &str) -> Result<()> {
    let (target, gone) = (collection.to_owned(), name.to_owned());
    change(core, move |conn, schema| {
        let (target, gone) = (target.clone(), gone.clone());
        Box::pin(async move { apply_delete(conn, &schema, &target, &gone).await })
    })
    .await
}

/// The same within a change that is under way.
pub(super) async fn apply_delete(conn: &mut Conn<'_>, schema: &Schema, collection: &str, name: &str) -> Result<()> {
    let collection = known(schema, collection)?;
    if collection.alias(name).is_some() {
        own_alias(collection, name)?;
    } else {
        changeable(collection)?;
        collection.field(name).ok_or_else(|| unknown(collection, name))?;
    }
    ddl::drop_field(conn, collection, name).await
}

fn shown(core: &Core, collection: &str, name: &str) -> Result<Value> {
    let schema = core.schema();
    let collection = known(&schema, collection)?;
    match (collection.field(name), collection.alias(name)) {
        (Some(field), _) => Ok(to_json(&schema, collection, field)),
        (_, Some(alias)) => Ok(alias_to_json(&collection.name, alias)),
        // Somebody else was faster.
        _ => Err(unknown(collection, name)),
    }
}

fn changeable(collection: &Collection) -> Result<()> {
    if collection.system {
        return Err(Error::forbidden(format!("`{}` belongs to the system: its fields can't be changed", collection.name)));
    }
    Ok(())
}

/// A field without a column that the host declares stays as it is.
fn own_alias(collection: &Collection, name: &str) -> Result<()> {
    if collection.system && system::collections().iter().any(|c| c.name == collection.name && c.alias(name).is_some()) {
        return Err(Error::forbidden(format!("`{name}` in `{}` belongs to the system: it can't be changed", collection.name)));
    }
    Ok(())
}

fn unknown(collection: &Collection, name: &str) -> Error {
    let names = collection.fields.iter().map(|f| f.name.as_str()).chain(collection.aliases.iter().map(|a| a.name.as_str()));
    let near = nearest(name, names);
    Error::new(ErrorCode::NotFound, format!("There is no field `{}` in `{}`{near}", clip(name), collection.name))
}
