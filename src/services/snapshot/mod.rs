//! The whole schema as one document, what tells two of them apart, and making one into the other: Directus 11's snapshots.
//!
//! Both sides of a comparison go through the same readers and writers as single collections, fields and relations do, so that what is
//! left out and what is said as it would be anyway are the same. A difference is applied as one transaction, to the state that it was
//! made for and to no other.

pub mod apply;
mod diff;

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

pub use self::apply::apply;
pub use self::diff::diff;

use super::query::{clip, show};
use super::{Core, collections, fields, relations};
use crate::db::{Dialect, Schema};
use crate::error::{Error, Result};

/// The version of the document, not of the program.
const VERSION: u64 = 1;

/// The release of Directus whose documents these are.
const DIRECTUS: &str = "11.0.0";

/// Collection and field.
type Place = (String, String);

/// What a snapshot holds, by name.
#[derive(Debug, Default, PartialEq)]
struct State {
    collections: BTreeMap<String, Value>,
    fields: BTreeMap<Place, Value>,
    relations: BTreeMap<Place, Value>,
}

/// The schema as it is now, in the shape of `GET /api/schema/snapshot`.
pub fn take(core: &Core) -> Value {
    document(core.db.dialect(), &State::of(&core.schema()))
}

fn document(dialect: Dialect, state: &State) -> Value {
    let mut fields: Vec<&Value> = state.fields.values().collect();
    fields.sort_by_key(|field| (field["collection"].as_str().unwrap_or_default().to_owned(), field["meta"]["sort"].as_i64()));
    json!({
        "version": VERSION,
        "directus": DIRECTUS,
        "vendor": vendor(dialect),
        "collections": state.collections.values().collect::<Vec<_>>(),
        "fields": fields,
        "systemFields": [],
        "relations": state.relations.values().collect::<Vec<_>>(),
    })
}

fn vendor(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Sqlite => "sqlite",
        Dialect::Postgres => "postgres",
    }
}

impl State {
    /// What users made: their collections, and what they added to those of the system.
    fn of(schema: &Schema) -> Self {
        let mut state = Self::default();
        for collection in schema.collections().filter(|collection| collection.described) {
            if !collection.system {
                state.collections.insert(collection.name.clone(), collections::to_json(collection));
            }
            for (name, field) in fields::own(schema, collection) {
                state.fields.insert((collection.name.clone(), name), field);
            }
        }
        let described = |name: &String| schema.collection(name).is_some_and(|collection| collection.described);
        for relation in schema.relations().filter(|relation| !relation.system && described(&relation.collection)) {
            let place = (relation.collection.clone(), relation.field.clone());
            state.relations.insert(place, relations::portable(schema, relation));
        }
        state
    }

    /// What a document says, as the API would show it here.
    fn read(schema: &Schema, document: &Value) -> Result<Self> {
        let mut state = Self::default();
        for raw in list(document, "collections")? {
            let collection = collections::normal(raw)?;
            let name = text(&collection, "collection")?;
            if state.collections.insert(name.clone(), collection).is_some() {
                return Err(twice(&name));
            }
        }
        let mut places: BTreeMap<String, i32> = BTreeMap::new();
        for raw in list(document, "fields")? {
            let (collection, name) = (text(raw, "collection")?, text(raw, "field")?);
            let next = places.entry(collection.clone()).or_default();
            let field = fields::normal(schema, &collection, raw, *next)?;
            *next += 1;
            if state.fields.insert((collection.clone(), name.clone()), field).is_some() {
                return Err(twice(&format!("{collection}.{name}")));
            }
        }
        for raw in list(document, "relations")? {
            let relation = relations::normal(schema, raw)?;
            let place = (text(&relation, "collection")?, text(&relation, "field")?);
            if state.relations.insert(place.clone(), relation).is_some() {
                return Err(twice(&format!("{}.{}", place.0, place.1)));
            }
        }
        Ok(state)
    }

    /// What tells this state from every other.
    fn hash(&self) -> String {
        let all = json!([
            VERSION,
            self.collections.values().collect::<Vec<_>>(),
            self.fields.values().collect::<Vec<_>>(),
            self.relations.values().collect::<Vec<_>>()
        ]);
        Sha256::digest(ordered(&all).to_string()).iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// The same value with the members of its objects in the order of their names.
fn ordered(value: &Value) -> Value {
    match value {
        Value::Object(members) => {
            let sorted: BTreeMap<&String, Value> = members.iter().map(|(name, value)| (name, ordered(value))).collect();
            Value::Object(sorted.into_iter().map(|(name, value)| (name.clone(), value)).collect::<Map<_, _>>())
        }
        Value::Array(items) => items.iter().map(ordered).collect(),
        other => other.clone(),
    }
}

/// The objects of a member of a document; none where it is missing.
fn list<'v>(document: &'v Value, name: &str) -> Result<&'v [Value]> {
    match document.get(name) {
        None | Some(Value::Null) => Ok(&[]),
        Some(Value::Array(items)) => match items.iter().find(|item| !item.is_object()) {
            Some(item) => Err(Error::payload(format!("`{name}` must hold objects, not: {}", show(item))).with_field(name)),
            None => Ok(items),
        },
        Some(other) => Err(Error::payload(format!("`{name}` must be an array, not: {}", show(other))).with_field(name)),
    }
}

fn text(object: &Value, name: &str) -> Result<String> {
    let found = object.get(name).unwrap_or(&Value::Null);
    let named = found.as_str().map(str::to_owned);
    named.ok_or_else(|| Error::payload(format!("`{name}` must be a text, not: {}", show(found))).with_field(name))
}

fn twice(name: &str) -> Error {
    Error::payload(format!("`{}` is in the document twice", clip(name)))
}
