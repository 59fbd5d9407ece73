//! What has to change for the schema to become what a document says, as lists of changes in the form of the package `deep-diff`:
//! `{ kind: "N" | "D" | "E", path?, lhs?, rhs? }` for what is new, gone and different.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{DIRECTUS, State, VERSION, vendor};
use crate::error::{Error, Result};
use crate::services::Core;
use crate::services::query::{clip, show};

/// Compares the schema with a document. `None` where they are the same; else `{ hash, diff: { collections, fields, relations } }`. With
/// `force` the document may come from another kind of database or release.
pub fn diff(core: &Core, document: &Value, force: bool) -> Result<Option<Value>> {
    let object = document.as_object().ok_or_else(|| Error::payload(format!("a snapshot must be an object, not: {}", show(document))))?;
    if object.get("version") != Some(&json!(VERSION)) {
        let said = object.get("version").map_or_else(|| "nothing".to_owned(), show);
        return Err(Error::payload(format!("`version` of a snapshot must be {VERSION}, not: {said}")).with_field("version"));
    }
    let here = [("vendor", vendor(core.db.dialect())), ("directus", DIRECTUS)];
    for (name, is) in here.into_iter().filter(|_| !force) {
        match object.get(name) {
            Some(said) if said == is => {}
            None if name == "vendor" => {}
            said => {
                let said = said.map_or_else(|| "nothing".to_owned(), show);
                let message =
                    format!("the snapshot's `{name}` is {}, here it is {is}: send `?force=true` to compare all the same", clip(&said));
                return Err(Error::payload(message).with_field(name));
            }
        }
    }
    let schema = core.schema();
    let (current, wanted) = (State::of(&schema), State::read(&schema, document)?);
    Ok(compare(&current, &wanted))
}

fn compare(current: &State, wanted: &State) -> Option<Value> {
    let (mut collections, mut fields, mut relations) = (Vec::new(), Vec::new(), Vec::new());
    for (name, lhs, rhs) in pairs(&current.collections, &wanted.collections) {
        push(&mut collections, &json!({ "collection": name }), lhs, rhs);
    }
    // What is dropped takes its fields along.
    let dropped = |name: &String| current.collections.contains_key(name) && !wanted.collections.contains_key(name);
    for ((collection, field), lhs, rhs) in pairs(&current.fields, &wanted.fields) {
        if dropped(collection) {
            continue;
        }
        let place = json!({ "collection": collection, "field": field });
        match (lhs, rhs) {
            // A field can't get a column, or lose it.
            (Some(lhs), Some(rhs)) if lhs["schema"].is_null() != rhs["schema"].is_null() => {
                push(&mut fields, &place, Some(lhs), None);
                push(&mut fields, &place, None, Some(rhs));
            }
            (lhs, rhs) => push(&mut fields, &place, lhs, rhs),
        }
    }
    for ((collection, field), lhs, rhs) in pairs(&current.relations, &wanted.relations) {
        if dropped(collection) {
            continue;
        }
        let of = |side: &Value| json!({ "collection": collection, "field": field, "related_collection": side["related_collection"] });
        match (lhs, rhs) {
            (Some(lhs), Some(rhs)) if lhs["related_collection"] != rhs["related_collection"] => {
                push(&mut relations, &of(lhs), Some(lhs), None);
                push(&mut relations, &of(rhs), None, Some(rhs));
            }
            (lhs, rhs) => push(&mut relations, &of(rhs.or(lhs).unwrap_or(&Value::Null)), lhs, rhs),
        }
    }
    let same = collections.is_empty() && fields.is_empty() && relations.is_empty();
    let diff = json!({ "collections": collections, "fields": fields, "systemFields": [], "relations": relations });
    (!same).then(|| json!({ "hash": current.hash(), "diff": diff }))
}

/// Both sides by name, each name once.
fn pairs<'s, K: Ord>(
    current: &'s BTreeMap<K, Value>,
    wanted: &'s BTreeMap<K, Value>,
) -> impl Iterator<Item = (&'s K, Option<&'s Value>, Option<&'s Value>)> {
    let names: std::collections::BTreeSet<&K> = current.keys().chain(wanted.keys()).collect();
    names.into_iter().map(move |name| (name, current.get(name), wanted.get(name)))
}

fn push(list: &mut Vec<Value>, place: &Value, lhs: Option<&Value>, rhs: Option<&Value>) {
    let mut changes = Vec::new();
    match (lhs, rhs) {
        (None, Some(rhs)) => changes.push(json!({ "kind": "N", "rhs": rhs })),
        (Some(lhs), None) => changes.push(json!({ "kind": "D", "lhs": lhs })),
        (Some(lhs), Some(rhs)) => deep(lhs, rhs, &mut Vec::new(), &mut changes),
        (None, None) => {}
    }
    if !changes.is_empty() {
        let mut entry = place.clone();
        entry["diff"] = Value::Array(changes);
        list.push(entry);
    }
}

/// Objects member by member, everything else as a whole.
fn deep(lhs: &Value, rhs: &Value, path: &mut Vec<String>, changes: &mut Vec<Value>) {
    let (Some(left), Some(right)) = (lhs.as_object(), rhs.as_object()) else {
        if lhs != rhs {
            changes.push(json!({ "kind": "E", "path": path, "lhs": lhs, "rhs": rhs }));
        }
        return;
    };
    for (name, lhs) in left {
        path.push(name.clone());
        match right.get(name) {
            Some(rhs) => deep(lhs, rhs, path, changes),
            None => changes.push(json!({ "kind": "D", "path": path, "lhs": lhs })),
        }
        path.pop();
    }
    for (name, rhs) in right.iter().filter(|(name, _)| !left.contains_key(*name)) {
        path.push(name.clone());
        changes.push(json!({ "kind": "N", "path": path, "rhs": rhs }));
        path.pop();
    }
}
