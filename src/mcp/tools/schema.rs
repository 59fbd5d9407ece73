//! What there is: collections and their fields, short enough for an agent to read before everything else.

use serde_json::{Value, json};

use super::super::tool::{Action, Answer, Argument, Asked, Effect, Kind, Tool};
use crate::auth::Action as Right;
use crate::db::Collection;
use crate::error::{Error, Result};
use crate::services::{Ctx, Item, fields};

const SYSTEM: Argument = Argument { name: "system", kind: Kind::Flag, about: "true lists the system's own collections as well" };
const COLLECTIONS: Argument = Argument { name: "collections", kind: Kind::Names, about: "the names of the collections to describe" };

/// The overview.
pub const TOOL: Tool = Tool {
    name: "schema",
    title: "Collections and their fields",
    about: "What data there is, as far as the caller may read it. Call `list` first: it names the collections and what the caller may do with \
            each. Then `read` describes the fields of those that you need: types, what is required, defaults, notes of their makers.",
    open_world: false,
    answers: || json!({ "type": "array", "items": { "type": "object" }, "description": "one entry for each collection" }),
    actions: &[
        Action {
            name: "list",
            effect: Effect::Reads,
            about: "names of collections, with their notes and what the caller may do with each",
            needs: &[],
            takes: &[&[SYSTEM]],
            run: |asked| Box::pin(list(asked)),
        },
        Action {
            name: "read",
            effect: Effect::Reads,
            about: "the fields of collections",
            needs: &[COLLECTIONS],
            takes: &[],
            run: |asked| Box::pin(read(asked)),
        },
    ],
};

async fn list(mut asked: Asked) -> Result<Answer> {
    let with_system = asked.take("system") == Some(json!(true));
    let look = |ctx: Ctx| {
        let seen: Vec<Value> = ctx
            .op
            .schema
            .collections()
            .filter(|collection| with_system || !collection.system)
            .filter(|collection| ctx.granted(Right::Read, collection).is_ok())
            .map(|collection| Value::Object(head(&ctx, collection)))
            .collect();
        async move { Ok(seen) }
    };
    Ok(Answer::of(asked.api.core.operate(asked.start, look).await?))
}

async fn read(mut asked: Asked) -> Result<Answer> {
    let names: Vec<String> = match asked.take("collections") {
        Some(Value::Array(names)) => names.into_iter().filter_map(|name| name.as_str().map(str::to_owned)).collect(),
        Some(Value::String(csv)) => csv.split(',').map(|name| name.trim().to_owned()).collect(),
        _ => Vec::new(),
    };
    if names.is_empty() {
        return Err(Error::payload("`collections` must name at least one").with_field("collections"));
    }
    let look = |ctx: Ctx| {
        let described: Result<Vec<Value>> = names.iter().map(|name| describe(&ctx, name)).collect();
        async move { described }
    };
    Ok(Answer::of(asked.api.core.operate(asked.start, look).await?))
}

/// Name, note and rights of a collection.
fn head(ctx: &Ctx, collection: &Collection) -> Item {
    let may: Vec<&str> = Right::ALL.into_iter().filter(|right| ctx.granted(*right, collection).is_ok()).map(Right::name).collect();
    let mut head = Item::from_iter([
        ("collection".to_owned(), json!(collection.name)),
        ("primary_key".to_owned(), json!(collection.primary_key().name)),
        ("may".to_owned(), json!(may)),
    ]);
    if let Some(note) = &collection.note {
        head.insert("note".to_owned(), json!(note));
    }
    for (name, is_so) in [("singleton", collection.singleton), ("system", collection.system)] {
        if is_so {
            head.insert(name.to_owned(), json!(true));
        }
    }
    head
}

fn describe(ctx: &Ctx, name: &str) -> Result<Value> {
    let collection = ctx.collection(name, Right::Read)?;
    let mut described = head(ctx, &collection);
    described.insert("fields".to_owned(), fields::read_collection(ctx, name)?.iter().map(brief).collect());
    Ok(Value::Object(described))
}

/// A field with what is worth knowing of it: what is as it usually is isn't said.
fn brief(field: &Value) -> Value {
    let mut brief = Item::from_iter(["field", "type"].map(|name| (name.to_owned(), field[name].clone())));
    let sections = [
        ("meta", ["required", "special", "note", "validation", "options"]),
        ("schema", ["is_primary_key", "is_unique", "default_value", "max_length", "foreign_key_table"]),
    ];
    for (section, names) in sections {
        for name in names {
            let value = &field[section][name];
            let is_usual = value.is_null() || *value == json!(false) || *value == json!([]) || *value == json!({});
            if !is_usual {
                brief.insert(name.to_owned(), value.clone());
            }
        }
    }
    if field["schema"]["is_nullable"] == json!(false) {
        brief.insert("is_nullable".to_owned(), json!(false));
    }
    Value::Object(brief)
}
