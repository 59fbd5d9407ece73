//! Concealed values, which nobody gets to read: out of answers, and out of the sight of hooks.
//!
//! A hook sees a mask in their place and may put something else there. In items that are nested in its payload each mask has a number, so that
//! a value stays with its item whatever the hook does to the list.

use std::collections::HashMap;

use serde_json::{Value, json};

use super::branches::each_inside;
use crate::db::{Collection, Field, Schema, Special};
use crate::services::Item;

/// What stands for a concealed value, in answers and in hooks.
pub const MASK: &str = "**********";

/// Whether a field's value is never shown.
pub fn is_concealed(field: &Field) -> bool {
    field.special.iter().any(|s| matches!(s, Special::Hash | Special::Conceal))
}

fn concealed(collection: &Collection) -> impl Iterator<Item = &Field> {
    collection.fields.iter().filter(|f| is_concealed(f))
}

/// Replaces concealed values by the mask, where there is one.
pub fn mask(collection: &Collection, row: &mut Item) {
    for field in concealed(collection) {
        if let Some(value) = row.get_mut(&field.name).filter(|v| !v.is_null()) {
            *value = json!(MASK);
        }
    }
}

fn is_mask(value: &Value) -> bool {
    value.as_str().is_some_and(|text| text.starts_with(MASK))
}

/// Takes the concealed values out of what a caller sent, for [`unveil`] to put back; a mask that came back from a client is dropped.
pub fn veil(schema: &Schema, collection: &Collection, item: &mut Item) -> HashMap<String, Value> {
    let mut hidden = HashMap::new();
    for field in concealed(collection) {
        if item.get(&field.name).is_some_and(is_mask) {
            item.shift_remove(&field.name);
        }
        if let Some(value) = item.get_mut(&field.name).filter(|v| !v.is_null()) {
            hidden.insert(field.name.clone(), std::mem::replace(value, json!(MASK)));
        }
    }
    each_inside(schema, collection, item, &mut |collection, row| {
        for field in concealed(collection) {
            if row.get(&field.name).is_some_and(is_mask) {
                row.shift_remove(&field.name);
            }
            hide_numbered(row, &field.name, &mut hidden);
        }
    });
    hidden
}

fn hide_numbered(row: &mut Item, field: &str, hidden: &mut HashMap<String, Value>) {
    if let Some(value) = row.get_mut(field).filter(|v| !v.is_null()) {
        // No field is called so.
        let name = format!("{MASK}:{}", hidden.len() + 1);
        hidden.insert(name.clone(), std::mem::replace(value, json!(name)));
    }
}

/// The same for what a hook answered: a mask stands for what is hidden already.
pub fn veil_again(schema: &Schema, collection: &Collection, item: &mut Item, hidden: &mut HashMap<String, Value>) {
    for field in concealed(collection) {
        match item.get_mut(&field.name) {
            Some(value) if value == MASK => {}
            Some(value) if !value.is_null() => {
                hidden.insert(field.name.clone(), std::mem::replace(value, json!(MASK)));
            }
            _ => {
                hidden.remove(&field.name);
            }
        }
    }
    each_inside(schema, collection, item, &mut |collection, row| {
        for field in concealed(collection) {
            if !row.get(&field.name).is_some_and(is_mask) {
                hide_numbered(row, &field.name, hidden);
            }
        }
    });
}

/// Puts concealed values back where a filter hook left the mask.
pub fn unveil(schema: &Schema, collection: &Collection, item: &mut Item, hidden: &HashMap<String, Value>) {
    for field in concealed(collection) {
        if let (Some(slot), Some(value)) = (item.get_mut(&field.name).filter(|v| *v == MASK), hidden.get(&field.name)) {
            *slot = value.clone();
        }
    }
    each_inside(schema, collection, item, &mut |collection, row| {
        for field in concealed(collection) {
            let Some(name) = row.get(&field.name).and_then(Value::as_str).filter(|text| text.starts_with(MASK)) else { continue };
            match hidden.get(name).cloned() {
                Some(value) => drop(row.insert(field.name.clone(), value)),
                None => drop(row.shift_remove(&field.name)),
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::FieldType;

    fn secrets() -> Collection {
        let conceal = |name: &str| Field { special: vec![Special::Conceal], ..Field::new(name, FieldType::String) };
        let fields = vec![Field::new("id", FieldType::Integer), conceal("pin"), Field::new("name", FieldType::String)];
        let meta = serde_json::Map::new();
        let name = "secrets".to_owned();
        Collection { name, system: false, singleton: false, note: None, meta, primary: 0, fields, aliases: Vec::new(), described: true }
    }

    #[test]
    fn what_is_hidden_comes_back_where_the_mask_was_left() {
        let (schema, collection) = (Schema::default(), secrets());
        let mut item = json!({ "pin": "1234", "name": "a" }).as_object().cloned().expect("an object");
        let mut hidden = veil(&schema, &collection, &mut item);
        assert_eq!(json!(item), json!({ "pin": MASK, "name": "a" }));
        veil_again(&schema, &collection, &mut item, &mut hidden);
        unveil(&schema, &collection, &mut item, &hidden);
        assert_eq!(json!(item), json!({ "pin": "1234", "name": "a" }));
        let mut sent_back = json!({ "pin": MASK }).as_object().cloned().expect("an object");
        assert!(veil(&schema, &collection, &mut sent_back).is_empty() && sent_back.is_empty());
    }
}
