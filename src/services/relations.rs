//! Relations between collections, in the shape of the REST API:
//! `{ collection, field, related_collection, meta: {…}, schema: {…} | null }`, where `schema` is the foreign key.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::fields::{only, section};
use super::query::{clip, nearest, show};
use super::schema_change::{change, known};
use super::{Core, Ctx, Item};
use crate::auth::Action;
use crate::db::{Conn, Deselect, OnDelete, Relation, Schema, ddl};
use crate::error::{Error, ErrorCode, Result};

const MEMBERS: &[&str] = &["collection", "field", "related_collection", "meta", "schema"];
const META_MEMBERS: &[&str] = &[
    "id",
    "many_collection",
    "many_field",
    "one_collection",
    "one_field",
    "one_collection_field",
    "one_allowed_collections",
    "junction_field",
    "sort_field",
    "one_deselect_action",
    "system",
];
const SCHEMA_MEMBERS: &[&str] =
    &["table", "column", "foreign_key_schema", "foreign_key_table", "foreign_key_column", "constraint_name", "on_update", "on_delete"];

/// Every relation that the caller may know of.
pub fn read_all(ctx: &Ctx) -> Result<Vec<Value>> {
    Ok(ctx.op.schema.relations().filter_map(|relation| visible(ctx, relation)).collect())
}

/// Those whose many side is `collection`.
pub fn read_collection(ctx: &Ctx, collection: &str) -> Result<Vec<Value>> {
    let found = ctx.collection(collection, Action::Read)?;
    ctx.granted(Action::Read, &found)?;
    let own = ctx.op.schema.relations().filter(|relation| relation.collection == collection);
    Ok(own.filter_map(|relation| visible(ctx, relation)).collect())
}

/// The one of this field.
pub fn read_one(ctx: &Ctx, collection: &str, field: &str) -> Result<Value> {
    let found = ctx.collection(collection, Action::Read)?;
    ctx.granted(Action::Read, &found)?;
    let relation = ctx.op.schema.relation(collection, field);
    relation.and_then(|relation| visible(ctx, relation)).ok_or_else(|| missing(&ctx.op.schema, collection, field))
}

/// The relation, as far as the caller may read what it relates.
fn visible(ctx: &Ctx, relation: &Relation) -> Option<Value> {
    let readable = |name: &str| {
        let collection = ctx.op.schema.collection(name)?;
        ctx.granted(Action::Read, collection).ok()
    };
    if !readable(&relation.collection)?.has(&relation.field) {
        return None;
    }
    match &relation.related {
        Some(related) => {
            let fields = readable(related)?;
            let hidden = relation.one_field.as_ref().is_some_and(|name| !fields.has(name));
            let shown = Relation { one_field: relation.one_field.clone().filter(|_| !hidden), ..relation.clone() };
            Some(to_json(&ctx.op.schema, &shown))
        }
        None => {
            let one_allowed: Vec<String> = relation.one_allowed.iter().filter(|name| readable(name).is_some()).cloned().collect();
            let some = !one_allowed.is_empty();
            some.then(|| to_json(&ctx.op.schema, &Relation { one_allowed, ..relation.clone() }))
        }
    }
}

/// Makes a relation, with its foreign key.
pub async fn create(core: &Arc<Core>, raw: &Value) -> Result<Value> {
    let (collection, field) = named(raw)?;
    let (of, raw) = ((collection.clone(), field.clone()), raw.clone());
    change(core, move |conn, schema| {
        let raw = raw.clone();
        Box::pin(async move { apply_create(conn, &schema, &raw).await })
    })
    .await?;
    shown(core, &of.0, &of.1)
}

/// The same within a change that is under way.
pub(super) async fn apply_create(conn: &mut Conn<'_>, schema: &Schema, raw: &Value) -> Result<()> {
    let relation = from_json(schema, raw, None)?;
    ddl::create_relation(conn, schema, &relation).await
}

/// Changes a relation: what `raw` doesn't say stays. What it relates can't be changed.
pub async fn update(core: &Arc<Core>, collection: &str, field: &str, raw: &Value) -> Result<Value> {
    let (target, of, raw) = (collection.to_owned(), field.to_owned(), raw.clone());
    change(core, move |conn, schema| {
        let (target, of, raw) = (target.clone(), of.clone(), raw.clone());
        Box::pin(async move { apply_update(conn, &schema, &target, &of, &raw).await })
    })
    .await?;
    shown(core, collection, field)
}

/// The same within a change that is under way.
pub(super) async fn apply_update(conn: &mut Conn<'_>, schema: &Schema, collection: &str, field: &str, raw: &Value) -> Result<()> {
    let old = changeable(schema, collection, field)?;
    let relation = from_json(schema, raw, Some(old))?;
    ddl::alter_relation(conn, schema, &relation).await
}

/// Forgets a relation and drops its foreign key. Its fields and their values stay.
pub async fn delete(core: &Arc<Core>, collection: &str, field: &str) -> Result<()> {
    let (target, of) = (collection.to_owned(), field.to_owned());
    change(core, move |conn, schema| {
        let (target, of) = (target.clone(), of.clone());
        Box::pin(async move { apply_delete(conn, &schema, &target, &of).await })
    })
    .await
}

/// The same within a change that is under way.
pub(super) async fn apply_delete(conn: &mut Conn<'_>, schema: &Schema, collection: &str, field: &str) -> Result<()> {
    ddl::drop_relation(conn, schema, changeable(schema, collection, field)?).await
}

fn changeable<'s>(schema: &'s Schema, collection: &str, field: &str) -> Result<&'s Relation> {
    known(schema, collection)?;
    let relation = schema.relation(collection, field).ok_or_else(|| missing(schema, collection, field))?;
    if relation.system {
        return Err(Error::forbidden(format!("The relation of `{field}` in `{collection}` belongs to the system and can't be changed")));
    }
    Ok(relation)
}

fn shown(core: &Core, collection: &str, field: &str) -> Result<Value> {
    let schema = core.schema();
    schema.relation(collection, field).map(|relation| to_json(&schema, relation)).ok_or_else(|| missing(&schema, collection, field))
}

fn missing(schema: &Schema, collection: &str, field: &str) -> Error {
    let own = schema.relations().filter(|relation| relation.collection == collection);
    let near = nearest(field, own.map(|relation| relation.field.as_str()));
    let message = format!("`{}` in `{}` refers to nothing, or you may not read it{near}", clip(field), clip(collection));
    Error::new(ErrorCode::NotFound, message)
}

/// A relation as the API shows it.
pub fn to_json(schema: &Schema, relation: &Relation) -> Value {
    let foreign_key = foreign_key(schema, relation);
    if !relation.is_described() {
        return json!({
            "collection": relation.collection,
            "field": relation.field,
            "related_collection": relation.related,
            "schema": foreign_key,
            "meta": null,
        });
    }
    let mut meta = relation.meta.clone();
    let known = json!({
        "id": relation.id,
        "many_collection": relation.collection,
        "many_field": relation.field,
        "one_collection": relation.related,
        "one_field": relation.one_field,
        "one_collection_field": relation.one_collection_field,
        "one_allowed_collections": Some(&relation.one_allowed).filter(|names| !names.is_empty()),
        "junction_field": relation.junction_field,
        "sort_field": relation.sort_field,
        "one_deselect_action": relation.deselect.name(),
    });
    if let Value::Object(known) = known {
        meta.extend(known);
    }
    if relation.system {
        meta.insert("system".to_owned(), json!(true));
    }
    json!({
        "collection": relation.collection,
        "field": relation.field,
        "related_collection": relation.related,
        "schema": foreign_key,
        "meta": meta,
    })
}

fn foreign_key(schema: &Schema, relation: &Relation) -> Option<Value> {
    let key = relation.related.as_deref().and_then(|related| schema.collection(related)).map(|one| &one.primary_key().name);
    relation.on_delete.map(|on_delete| {
        json!({
            "table": relation.collection,
            "column": relation.field,
            "foreign_key_table": relation.related,
            "foreign_key_column": key,
            "constraint_name": relation.is_described().then(|| ddl::constraint_name(&relation.collection, &relation.field)),
            "on_update": OnDelete::NoAction.name(),
            "on_delete": on_delete.name(),
        })
    })
}

/// A relation without the number that it has in this database.
pub(super) fn portable(schema: &Schema, relation: &Relation) -> Value {
    let mut shown = to_json(schema, relation);
    if let Some(meta) = shown.get_mut("meta").and_then(Value::as_object_mut) {
        meta.shift_remove("id");
    }
    shown
}

/// A relation that somebody sent, as [`portable`] would show it.
pub(super) fn normal(schema: &Schema, raw: &Value) -> Result<Value> {
    let (collection, field) = named(raw)?;
    let relation = from_json(schema, raw, None);
    let bad = |error: Error| Error::payload(format!("relation `{}.{}`: {}", clip(&collection), clip(&field), error.message()));
    // As if it were stored, so that all of it is shown.
    Ok(portable(schema, &Relation { id: Some(0), ..relation.map_err(bad)? }))
}

/// Collection and field of the many side.
fn named(raw: &Value) -> Result<(String, String)> {
    let object = raw.as_object().ok_or_else(|| Error::payload(format!("a relation must be an object, not: {}", show(raw))))?;
    let text = |name: &str| {
        let found = object.get(name).unwrap_or(&Value::Null);
        let message = || format!("a relation needs `collection` and `field`, as texts; `{name}` is: {}", show(found));
        found.as_str().map(str::to_owned).ok_or_else(|| Error::payload(message()).with_field(name))
    };
    Ok((text("collection")?, text("field")?))
}

/// Reads a relation as the API takes it; what it doesn't say is as in `old`.
fn from_json(schema: &Schema, raw: &Value, old: Option<&Relation>) -> Result<Relation> {
    let object = raw.as_object().ok_or_else(|| Error::payload(format!("a relation must be an object, not: {}", show(raw))))?;
    let bad = |message: String| Error::payload(format!("a relation: {message}"));
    only(object, MEMBERS).map_err(&bad)?;
    let empty = Map::new();
    let meta = section(object, "meta", &empty).map_err(&bad)?;
    let key = section(object, "schema", &empty).map_err(&bad)?;
    only(key, SCHEMA_MEMBERS).map_err(&bad)?;
    let mut relation = match old {
        Some(old) => old.clone(),
        None => {
            let (collection, field) = named(raw)?;
            let related = text(object, "related_collection")?.flatten();
            Relation {
                id: None,
                one_field: None,
                one_collection_field: None,
                one_allowed: Vec::new(),
                junction_field: None,
                sort_field: None,
                deselect: Deselect::Nullify,
                on_delete: None,
                system: false,
                meta: Map::new(),
                collection,
                field,
                related,
            }
        }
    };
    let fixed = [
        (object, "collection", Some(&relation.collection)),
        (object, "field", Some(&relation.field)),
        (object, "related_collection", relation.related.as_ref()),
        (meta, "many_collection", Some(&relation.collection)),
        (meta, "many_field", Some(&relation.field)),
        (meta, "one_collection", relation.related.as_ref()),
    ];
    for (from, name, is) in fixed {
        if text(from, name)?.is_some_and(|said| said.as_ref() != is) && !(from.get(name).is_some_and(Value::is_null) && old.is_none()) {
            let is = is.map_or("null", String::as_str);
            return Err(Error::payload(format!("`{name}` of this relation is `{}` and can't be changed", clip(is))).with_field(name));
        }
    }
    let texts = [
        ("one_field", &mut relation.one_field),
        ("one_collection_field", &mut relation.one_collection_field),
        ("junction_field", &mut relation.junction_field),
        ("sort_field", &mut relation.sort_field),
    ];
    for (name, slot) in texts {
        if let Some(said) = text(meta, name)? {
            *slot = said;
        }
    }
    match meta.get("one_allowed_collections") {
        None => {}
        Some(Value::Null) => relation.one_allowed = Vec::new(),
        Some(Value::String(csv)) => {
            relation.one_allowed = csv.split(',').map(|name| name.trim().to_owned()).filter(|name| !name.is_empty()).collect();
        }
        Some(Value::Array(names)) if names.iter().all(Value::is_string) => {
            relation.one_allowed = names.iter().filter_map(Value::as_str).map(str::to_owned).collect();
        }
        Some(other) => {
            let message = format!("`one_allowed_collections` must be an array of names, not: {}", show(other));
            return Err(Error::payload(message).with_field("one_allowed_collections"));
        }
    }
    if let Some(action) = text(meta, "one_deselect_action")?.flatten() {
        relation.deselect = Deselect::parse(&action).ok_or_else(|| {
            let message = format!("`one_deselect_action` must be `nullify` or `delete`, not: {}", clip(&action));
            Error::payload(message).with_field("one_deselect_action")
        })?;
    }
    let more = meta.iter().filter(|(name, _)| !META_MEMBERS.contains(&name.as_str()));
    relation.meta.extend(more.map(|(name, value)| (name.clone(), value.clone())));
    relation.on_delete = on_delete(schema, object, key, &relation, old)?;
    Ok(relation)
}

/// What the foreign key does, or `None` where there is none: for items of several collections, and where `schema` is null.
fn on_delete(schema: &Schema, object: &Item, key: &Item, relation: &Relation, old: Option<&Relation>) -> Result<Option<OnDelete>> {
    match text(key, "on_update")?.flatten() {
        Some(action) if OnDelete::parse(&action) != Some(OnDelete::NoAction) => {
            let message = format!("`on_update` must be NO ACTION or left out, not: {}: the key of an item never changes", clip(&action));
            return Err(Error::payload(message).with_field("on_update"));
        }
        _ => {}
    }
    if let Some(action) = text(key, "on_delete")?.flatten() {
        let parsed = OnDelete::parse(&action);
        return parsed.map(Some).ok_or_else(|| {
            let names = OnDelete::ALL.map(OnDelete::name).join(", ");
            Error::payload(format!("`on_delete` must be one of {names}, not: {}", clip(&action))).with_field("on_delete")
        });
    }
    if let Some(old) = old
        && object.get("schema").is_none_or(|schema| schema.is_object())
    {
        return Ok(old.on_delete);
    }
    if relation.related.is_none() || object.get("schema").is_some_and(Value::is_null) {
        return Ok(None);
    }
    let field = schema.collection(&relation.collection).and_then(|collection| collection.field(&relation.field));
    Ok(Some(if field.is_some_and(|field| !field.nullable) { OnDelete::NoAction } else { OnDelete::SetNull }))
}

/// A member that is a text or null; `None` where it isn't there.
fn text(from: &Item, name: &str) -> Result<Option<Option<String>>> {
    match from.get(name) {
        None => Ok(None),
        Some(Value::Null) => Ok(Some(None)),
        Some(Value::String(text)) => Ok(Some(Some(text.clone()))),
        Some(other) => Err(Error::payload(format!("`{name}` must be a text or null, not: {}", show(other))).with_field(name)),
    }
}
