//! The fields of collections, in the shape of the REST API: `{ collection, field, type, meta: {…}, schema: {…} }`.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::changes::{self, Kind};
use super::query::{clip, nearest, show};
use super::{Core, Ctx, Item};
use crate::auth::Action;
use crate::db::{Collection, Field, FieldType, Special, ddl};
use crate::error::{Error, ErrorCode, Result};

const MEMBERS: &[&str] = &["collection", "field", "type", "meta", "schema"];
const SCHEMA_MEMBERS: &[&str] = &[
    "name",
    "table",
    "data_type",
    "default_value",
    "max_length",
    "numeric_precision",
    "numeric_scale",
    "is_nullable",
    "is_unique",
    "is_indexed",
    "is_primary_key",
    "has_auto_increment",
    "is_generated",
    "generation_expression",
    "foreign_key_table",
    "foreign_key_column",
    "comment",
];

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
    match ctx.granted(Action::Read, collection) {
        Ok(fields) => collection.fields.iter().filter(|f| fields.has(&f.name)).map(|field| to_json(collection, field)).collect(),
        Err(_) => Vec::new(),
    }
}

/// Adds a field to a collection.
pub async fn create(core: &Arc<Core>, collection: &Collection, raw: &Value) -> Result<Value> {
    changeable(collection)?;
    let (field, primary) = from_json(raw, collection.fields.len())?;
    if collection.field(&field.name).is_some() {
        return Err(Error::new(ErrorCode::Conflict, format!("There is a field `{}` in `{}` already", field.name, collection.name))
            .with_field(field.name));
    }
    if collection.fields.len() >= super::collections::MAX_FIELDS {
        return Err(Error::payload(format!("`{}` has as many fields as a collection may have", collection.name)));
    }
    if primary {
        return Err(Error::payload(format!("`{}` already has its primary key", collection.name)).with_field(field.name));
    }
    let (target, added) = (Arc::new(collection.clone()), field.clone());
    core.db
        .write(move |conn| {
            let (target, added) = (Arc::clone(&target), added.clone());
            Box::pin(async move {
                ddl::add_field(conn, &target, &added).await?;
                changes::note(conn, Kind::Schema).await
            })
        })
        .await?;
    finish(core, &collection.name, &field.name).await
}

/// Changes a field: what `raw` doesn't say stays.
pub async fn update(core: &Arc<Core>, collection: &Collection, name: &str, raw: &Value) -> Result<Value> {
    changeable(collection)?;
    let old = collection.field(name).ok_or_else(|| unknown(collection, name))?;
    let mut merged = to_json(collection, old);
    let object = raw.as_object().ok_or_else(|| Error::payload(format!("a field must be an object, not: {}", show(raw))))?;
    for (key, value) in object {
        match (merged.get_mut(key).and_then(Value::as_object_mut), value.as_object()) {
            (Some(into), Some(from)) => into.extend(from.clone()),
            _ => merged[key] = value.clone(),
        }
    }
    let (mut field, _) = from_json(&merged, 0)?;
    if field.name != name {
        return Err(Error::payload(format!("`{name}` can't be renamed")).with_field(name));
    }
    field.sort = old.sort;
    let (target, changed) = (Arc::new(collection.clone()), field.clone());
    core.db
        .write(move |conn| {
            let (target, changed) = (Arc::clone(&target), changed.clone());
            Box::pin(async move {
                ddl::alter_field(conn, &target, &changed).await?;
                changes::note(conn, Kind::Schema).await
            })
        })
        .await?;
    finish(core, &collection.name, name).await
}

/// Drops a field with its values.
pub async fn delete(core: &Arc<Core>, collection: &Collection, name: &str) -> Result<()> {
    changeable(collection)?;
    collection.field(name).ok_or_else(|| unknown(collection, name))?;
    let (target, gone) = (Arc::new(collection.clone()), name.to_owned());
    core.db
        .write(move |conn| {
            let (target, gone) = (Arc::clone(&target), gone.clone());
            Box::pin(async move {
                ddl::drop_field(conn, &target, &gone).await?;
                changes::note(conn, Kind::Schema).await
            })
        })
        .await?;
    core.reload_schema().await
}

async fn finish(core: &Arc<Core>, collection: &str, field: &str) -> Result<Value> {
    core.reload_schema().await?;
    let collection = core.collection(collection)?;
    let field = collection.field(field).ok_or_else(|| Error::internal("a field is gone that was just written"))?;
    Ok(to_json(&collection, field))
}

fn changeable(collection: &Collection) -> Result<()> {
    if collection.system {
        return Err(Error::forbidden(format!("`{}` belongs to the system: its fields can't be changed", collection.name)));
    }
    Ok(())
}

fn unknown(collection: &Collection, name: &str) -> Error {
    let near = nearest(name, collection.fields.iter().map(|f| f.name.as_str()));
    Error::new(ErrorCode::NotFound, format!("There is no field `{}` in `{}`{near}", clip(name), collection.name))
}

/// A field as the API shows it.
pub fn to_json(collection: &Collection, field: &Field) -> Value {
    let primary = collection.primary_key().name == field.name;
    let (precision, scale) = match field.ty {
        FieldType::Decimal { precision, scale } => (Some(precision), Some(scale)),
        _ => (None, None),
    };
    let mut meta = field.meta.clone();
    meta.insert("special".to_owned(), json!(field.special.iter().map(Special::name).collect::<Vec<_>>()));
    meta.insert("note".to_owned(), json!(field.note));
    meta.insert("required".to_owned(), json!(field.required));
    meta.insert("validation".to_owned(), json!(field.validation));
    meta.insert("sort".to_owned(), json!(field.sort));
    json!({
        "collection": collection.name,
        "field": field.name,
        "type": field.ty.name(),
        "meta": meta,
        "schema": {
            "name": field.name,
            "table": collection.name,
            "default_value": field.default,
            "max_length": field.length_limit(),
            "numeric_precision": precision,
            "numeric_scale": scale,
            "is_nullable": field.nullable,
            "is_unique": field.unique || primary,
            "is_indexed": field.indexed,
            "is_primary_key": primary,
            "has_auto_increment": field.auto_increment,
        },
    })
}

/// Reads a field as the API takes it. Answers it, and whether it is the primary key.
pub fn from_json(raw: &Value, sort: usize) -> Result<(Field, bool)> {
    let object = raw.as_object().ok_or_else(|| Error::payload(format!("a field must be an object, not: {}", show(raw))))?;
    let name = object.get("field").and_then(Value::as_str).ok_or_else(|| {
        Error::payload(format!("a field needs a name, `field`, not: {}", show(object.get("field").unwrap_or(&Value::Null))))
    })?;
    let bad = |message: String| Error::payload(format!("`{}`: {message}", clip(name))).with_field(clip(name));
    only(object, MEMBERS).map_err(&bad)?;
    let empty = Map::new();
    let schema = section(object, "schema", &empty).map_err(&bad)?;
    let meta = section(object, "meta", &empty).map_err(&bad)?;
    only(schema, SCHEMA_MEMBERS).map_err(&bad)?;
    let flag = |from: &Item, key: &str, default: bool| match from.get(key) {
        None | Some(Value::Null) => Ok(default),
        Some(Value::Bool(flag)) => Ok(*flag),
        Some(other) => Err(bad(format!("`{key}` must be true or false, not: {}", show(other)))),
    };
    let small = |key: &str| match schema.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => value
            .as_u64()
            .and_then(|n| u8::try_from(n).ok())
            .map(Some)
            .ok_or_else(|| bad(format!("`{key}` must be a small whole number, not: {}", show(value)))),
    };
    let primary = flag(schema, "is_primary_key", false)?;
    let auto_increment = flag(schema, "has_auto_increment", false)?;
    let type_name = object.get("type").and_then(Value::as_str).unwrap_or_default();
    let ty = FieldType::parse(type_name, small("numeric_precision")?, small("numeric_scale")?).ok_or_else(|| {
        let names = FieldType::NAMES.iter().map(|n| format!("`{n}`")).collect::<Vec<_>>().join(", ");
        bad(match type_name {
            "decimal" => "`numeric_precision` must be from 1 to 100, and `numeric_scale` at most that".to_owned(),
            "" => format!("needs a `type`: {names}"),
            other => format!("there is no type `{}`{}; there are {names}", clip(other), nearest(other, FieldType::NAMES.iter().copied())),
        })
    })?;
    let mut special = specials(meta.get("special")).map_err(&bad)?;
    if primary && ty == FieldType::Uuid && !special.contains(&Special::Uuid) {
        // A key that nobody gives: it is made like any other.
        special.push(Special::Uuid);
    }
    let max_length = match schema.get("max_length") {
        None | Some(Value::Null) => None,
        Some(value) => Some(
            value
                .as_u64()
                .and_then(|n| u32::try_from(n).ok())
                .filter(|n| *n > 0)
                .ok_or_else(|| bad(format!("`max_length` must be a whole number from 1, not: {}", show(value))))?,
        ),
    };
    let mut rest = meta.clone();
    for known in ["special", "note", "required", "validation", "sort"] {
        rest.shift_remove(known);
    }
    if meta.get("validation").is_some_and(|v| !v.is_null()) {
        return Err(bad("`validation` isn't supported yet".to_owned()));
    }
    let field = Field {
        nullable: !primary && flag(schema, "is_nullable", true)?,
        unique: !primary && flag(schema, "is_unique", false)?,
        indexed: flag(schema, "is_indexed", false)?,
        default: schema.get("default_value").filter(|v| !v.is_null()).cloned(),
        auto_increment,
        special,
        note: meta.get("note").and_then(Value::as_str).map(str::to_owned),
        max_length,
        required: flag(meta, "required", false)?,
        validation: None,
        meta: rest,
        sort: i32::try_from(sort).unwrap_or(i32::MAX),
        ..Field::new(name, ty)
    };
    Ok((field, primary))
}

fn section<'o>(object: &'o Item, name: &str, empty: &'o Item) -> Result<&'o Item, String> {
    match object.get(name) {
        None | Some(Value::Null) => Ok(empty),
        Some(Value::Object(section)) => Ok(section),
        Some(other) => Err(format!("`{name}` must be an object, not: {}", show(other))),
    }
}

fn only(object: &Item, known: &[&str]) -> Result<(), String> {
    match object.keys().find(|key| !known.contains(&key.as_str())) {
        Some(key) => Err(format!("there is no member `{}`{}", clip(key), nearest(key, known.iter().copied()))),
        None => Ok(()),
    }
}

fn specials(value: Option<&Value>) -> Result<Vec<Special>, String> {
    let names: Vec<String> = match value {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::String(csv)) => csv.split(',').map(|n| n.trim().to_owned()).filter(|n| !n.is_empty()).collect(),
        Some(Value::Array(names)) => names
            .iter()
            .map(|n| n.as_str().map(str::to_owned).ok_or_else(|| format!("`special` must be names, not: {}", show(n))))
            .collect::<Result<_, _>>()?,
        Some(other) => return Err(format!("`special` must be an array of names, not: {}", show(other))),
    };
    names
        .iter()
        .map(|name| {
            let supported = Special::parse(name).filter(|s| SUPPORTED.contains(s));
            supported.ok_or_else(|| {
                format!("there is no special `{}` here; there are {}", clip(name), SUPPORTED.map(|s| format!("`{}`", s.name())).join(", "))
            })
        })
        .collect()
}

/// The specials that the host acts on. Those of relations and files come with relations and files.
const SUPPORTED: [Special; 11] = [
    Special::Uuid,
    Special::DateCreated,
    Special::DateUpdated,
    Special::UserCreated,
    Special::UserUpdated,
    Special::RoleCreated,
    Special::Hash,
    Special::Conceal,
    Special::CastJson,
    Special::CastBoolean,
    Special::CastTimestamp,
];
