//! A field in the shape of the REST API, both ways: `{ collection, field, type, meta: {…}, schema: {…} | null }`.

use serde_json::{Map, Value, json};

use crate::db::schema::ALIAS;
use crate::db::{AliasField, Collection, Field, FieldType, Schema, Special};
use crate::error::{Error, Result};
use crate::services::Item;
use crate::services::query::{clip, nearest, show};

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
    // Sent by the app of Directus and in its snapshots; they say nothing here.
    "length",
    "schema",
    "foreign_key_schema",
];

/// A field as it is sent: with a column, or without one.
#[derive(Debug, Clone)]
pub enum Definition {
    /// A column, and whether it is the primary key.
    Column(Box<Field>, bool),
    /// A field without a column.
    Alias(AliasField),
}

impl Definition {
    /// Its name.
    pub fn name(&self) -> &str {
        match self {
            Self::Column(field, _) => &field.name,
            Self::Alias(alias) => &alias.name,
        }
    }
}

/// A field as the API shows it.
pub fn to_json(schema: &Schema, collection: &Collection, field: &Field) -> Value {
    column_to_json(schema, &collection.name, field, collection.primary_key().name == field.name)
}

/// The same, of a collection that need not be there.
pub(super) fn column_to_json(schema: &Schema, collection: &str, field: &Field, primary: bool) -> Value {
    let (precision, scale) = match field.ty {
        FieldType::Decimal { precision, scale } => (Some(precision), Some(scale)),
        _ => (None, None),
    };
    let target = schema.relation(collection, &field.name).filter(|relation| relation.on_delete.is_some());
    let target = target.and_then(|relation| schema.collection(relation.related.as_deref()?));
    let mut meta = field.meta.clone();
    meta.insert("special".to_owned(), json!(field.special.iter().map(Special::name).collect::<Vec<_>>()));
    meta.insert("note".to_owned(), json!(field.note));
    meta.insert("required".to_owned(), json!(field.required));
    meta.insert("validation".to_owned(), json!(field.validation));
    meta.insert("sort".to_owned(), json!(field.sort));
    json!({
        "collection": collection,
        "field": field.name,
        "type": field.ty.name(),
        "meta": meta,
        "schema": {
            "name": field.name,
            "table": collection,
            "default_value": field.default,
            "max_length": field.length_limit(),
            "numeric_precision": precision,
            "numeric_scale": scale,
            "is_nullable": field.nullable,
            "is_unique": field.unique || primary,
            "is_indexed": field.indexed,
            "is_primary_key": primary,
            "has_auto_increment": field.auto_increment,
            "foreign_key_table": target.map(|target| &target.name),
            "foreign_key_column": target.map(|target| &target.primary_key().name),
        },
    })
}

/// A field without a column as the API shows it.
pub fn alias_to_json(collection: &str, alias: &AliasField) -> Value {
    let mut meta = alias.meta.clone();
    meta.insert("special".to_owned(), json!(alias.special.iter().map(Special::name).collect::<Vec<_>>()));
    meta.insert("note".to_owned(), json!(alias.note));
    meta.insert("sort".to_owned(), json!(alias.sort));
    json!({ "collection": collection, "field": alias.name, "type": ALIAS, "schema": null, "meta": meta })
}

/// Reads a field as the API takes it; `sort` is its place where it names none.
pub fn from_json(raw: &Value, sort: i32) -> Result<Definition> {
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
    let sort = match meta.get("sort") {
        None | Some(Value::Null) => sort,
        Some(value) => value
            .as_i64()
            .and_then(|n| i32::try_from(n).ok())
            .filter(|n| *n >= 0)
            .ok_or_else(|| bad(format!("`sort` must be a whole number from 0, not: {}", show(value))))?,
    };
    let special = specials(meta.get("special")).map_err(&bad)?;
    let is_alias = match object.get("type") {
        None | Some(Value::Null) => special.iter().any(|special| special.is_alias()),
        Some(ty) => ty == ALIAS,
    };
    if let Some(wrong) = special.iter().find(|special| special.is_alias() != is_alias) {
        let why = if is_alias { "isn't for fields of type `alias`" } else { "is for fields of type `alias`" };
        return Err(bad(format!("the special `{}` {why}", wrong.name())));
    }
    let note = meta.get("note").and_then(Value::as_str).map(str::to_owned);
    if is_alias {
        if !schema.is_empty() {
            return Err(bad("a field of type `alias` has no column: leave `schema` out, or send null".to_owned()));
        }
        let meta = without(meta, &["special", "note", "sort"]);
        return Ok(Definition::Alias(AliasField { name: name.to_owned(), special, note, meta, sort }));
    }
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
        let names = FieldType::NAMES.iter().chain([&ALIAS]).map(|n| format!("`{n}`")).collect::<Vec<_>>().join(", ");
        bad(match type_name {
            "decimal" => "`numeric_precision` must be from 1 to 100, and `numeric_scale` at most that".to_owned(),
            "" => format!("needs a `type`: {names}"),
            other => format!("there is no type `{}`{}; there are {names}", clip(other), nearest(other, FieldType::NAMES.iter().copied())),
        })
    })?;
    let mut special = special;
    if ty == FieldType::Hash && !special.contains(&Special::Hash) {
        special.push(Special::Hash);
    }
    for special in &special {
        let fits: &[&str] = match special {
            Special::CastJson => &["json"],
            Special::CastBoolean => &["boolean"],
            Special::CastCsv => &["csv"],
            Special::CastTimestamp => &["timestamp", "dateTime"],
            Special::DateCreated | Special::DateUpdated => &["timestamp", "dateTime", "date", "time"],
            _ => continue,
        };
        if !fits.contains(&ty.name()) {
            let fits = fits.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
            return Err(bad(format!("the special `{}` is for fields of type {fits}, not `{}`", special.name(), ty.name())));
        }
    }
    if schema.get("is_generated").is_some_and(|flag| flag == true) {
        return Err(bad("`is_generated`: columns that the database computes can't be made here".to_owned()));
    }
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
    let validation = match meta.get("validation") {
        None | Some(Value::Null) => None,
        Some(rule @ Value::Object(_)) => Some(rule.clone()),
        Some(other) => return Err(bad(format!("`validation` must be a filter, an object, not: {}", show(other)))),
    };
    let field = Field {
        nullable: !primary && flag(schema, "is_nullable", true)?,
        unique: !primary && flag(schema, "is_unique", false)?,
        indexed: flag(schema, "is_indexed", false)?,
        default: schema.get("default_value").filter(|v| !v.is_null()).cloned(),
        auto_increment,
        special,
        note,
        max_length,
        required: flag(meta, "required", false)?,
        validation,
        meta: without(meta, &["special", "note", "required", "validation", "sort"]),
        sort,
        ..Field::new(name, ty)
    };
    Ok(Definition::Column(Box::new(field), primary))
}

/// What the host doesn't know of `meta` and keeps for its maker.
fn without(meta: &Item, known: &[&str]) -> Item {
    let derived = ["id", "collection", "field"];
    let kept = meta.iter().filter(|(name, _)| !known.contains(&name.as_str()) && !derived.contains(&name.as_str()));
    kept.map(|(name, value)| (name.clone(), value.clone())).collect()
}

pub(in crate::services) fn section<'o>(object: &'o Item, name: &str, empty: &'o Item) -> Result<&'o Item, String> {
    match object.get(name) {
        None | Some(Value::Null) => Ok(empty),
        Some(Value::Object(section)) => Ok(section),
        Some(other) => Err(format!("`{name}` must be an object, not: {}", show(other))),
    }
}

pub(in crate::services) fn only(object: &Item, known: &[&str]) -> Result<(), String> {
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
    let known = |name: &String| {
        Special::parse(name).ok_or_else(|| {
            let names = Special::ALL.iter().map(|s| format!("`{}`", s.name())).collect::<Vec<_>>().join(", ");
            let near = nearest(name, Special::ALL.iter().map(Special::name));
            format!("there is no special `{}`{near}; there are {names}", clip(name))
        })
    };
    names.iter().map(known).collect()
}
