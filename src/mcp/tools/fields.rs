//! Fields of collections: what `/api/fields` does.

use serde_json::{Value, json};

use super::super::tool::{Action, Answer, Argument, Asked, Effect, Kind, Tool};
use super::collections::{look, settled};
use super::common::COLLECTION;
use crate::error::Result;
use crate::services::{Item, collections, fields};

const FIELD: Argument = Argument { name: "field", kind: Kind::Text, about: "the field's name" };
const TYPE: Argument = Argument {
    name: "type",
    kind: Kind::Text,
    about: "string, text, integer, bigInteger, float, decimal, boolean, uuid, date, time, dateTime, timestamp, json, csv, hash or binary; alias for a list of \
            other items, with special o2m, m2m or m2a in `meta`",
};
const META: Argument = Argument { name: "meta", kind: Kind::Object, about: "{required, note, special, validation, …}" };
const SCHEMA: Argument =
    Argument { name: "schema", kind: Kind::Object, about: "{is_nullable, is_unique, is_indexed, default_value, max_length, …}" };

/// Fields.
pub const TOOL: Tool = Tool {
    name: "fields",
    title: "Fields of collections",
    about: "Adds, changes and drops fields of collections. Needs admin rights where it changes something; a change holds for the very next \
            call. `schema` `read` is a shorter way to see fields.",
    open_world: false,
    answers: || json!({ "type": ["object", "array", "null"], "description": "one field, or all of a collection or of every collection" }),
    actions: &[
        Action {
            name: "list",
            effect: Effect::Reads,
            about: "the fields of a collection, or of all",
            needs: &[],
            takes: &[&[COLLECTION]],
            run: |mut asked| {
                let name = asked.take("collection").and_then(|name| name.as_str().map(str::to_owned));
                Box::pin(look(asked, move |ctx| match &name {
                    Some(name) => fields::read_collection(ctx, name).map(Value::Array),
                    None => fields::read_all(ctx).map(Value::Array),
                }))
            },
        },
        Action {
            name: "read",
            effect: Effect::Reads,
            about: "one field",
            needs: &[COLLECTION, FIELD],
            takes: &[],
            run: |mut asked| {
                let (collection, field) = (asked.text("collection"), asked.text("field"));
                Box::pin(look(asked, move |ctx| fields::read_one(ctx, &collection, &field)))
            },
        },
        Action {
            name: "create",
            effect: Effect::Adds,
            about: "adds a field",
            needs: &[COLLECTION, FIELD, TYPE],
            takes: &[&[META, SCHEMA]],
            run: |asked| Box::pin(create(asked)),
        },
        Action {
            name: "update",
            effect: Effect::Changes,
            about: "changes a field; what isn't said stays",
            needs: &[COLLECTION, FIELD],
            takes: &[&[TYPE, META, SCHEMA]],
            run: |asked| Box::pin(update(asked)),
        },
        Action {
            name: "delete",
            effect: Effect::Deletes,
            about: "drops a field with its values",
            needs: &[COLLECTION, FIELD],
            takes: &[],
            run: |asked| Box::pin(delete(asked)),
        },
    ],
};

/// What is said of the field itself.
fn raw(asked: &mut Asked) -> (String, Value) {
    let collection = asked.text("collection");
    (collection, Value::Object(std::mem::replace(&mut asked.arguments, Item::new())))
}

async fn create(mut asked: Asked) -> Result<Answer> {
    collections::may_change(&asked.start.who)?;
    let (collection, raw) = raw(&mut asked);
    let made = fields::create(&asked.api.core, &collection, &raw).await?;
    settled(&asked, made).await
}

async fn update(mut asked: Asked) -> Result<Answer> {
    collections::may_change(&asked.start.who)?;
    let (collection, mut raw) = raw(&mut asked);
    let field = raw.as_object_mut().and_then(|raw| raw.shift_remove("field")).unwrap_or_default();
    let changed = fields::update(&asked.api.core, &collection, field.as_str().unwrap_or_default(), &raw).await?;
    settled(&asked, changed).await
}

async fn delete(mut asked: Asked) -> Result<Answer> {
    collections::may_change(&asked.start.who)?;
    let (collection, field) = (asked.text("collection"), asked.text("field"));
    fields::delete(&asked.api.core, &collection, &field).await?;
    settled(&asked, json!({ "deleted": field })).await
}
