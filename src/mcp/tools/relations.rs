//! Relations between collections: what `/api/relations` does.

use serde_json::{Value, json};

use super::super::tool::{Action, Answer, Argument, Asked, Effect, Kind, Tool};
use super::collections::{look, settled};
use super::common::COLLECTION;
use crate::error::Result;
use crate::services::{Item, collections, relations};

const FIELD: Argument =
    Argument { name: "field", kind: Kind::Text, about: "the field on the many side, whose value is a key of the one side" };
const RELATED: Argument = Argument {
    name: "related_collection",
    kind: Kind::Text,
    about: "the collection that the field refers to; left out where the items are of several collections",
};
const META: Argument = Argument {
    name: "meta",
    kind: Kind::Object,
    about: "{one_field, junction_field, sort_field, one_deselect_action, one_collection_field, one_allowed_collections}",
};
const SCHEMA: Argument =
    Argument { name: "schema", kind: Kind::Object, about: "{on_delete}: SET NULL, CASCADE, RESTRICT, NO ACTION or SET DEFAULT" };

/// Relations.
pub const TOOL: Tool = Tool {
    name: "relations",
    title: "Relations between collections",
    about: "Says which field refers to items of which collection, makes such relations with their foreign keys, changes and forgets them. \
            Needs admin rights where it changes something; a change holds for the very next call. The field has to be there first: \
            `fields` `create`. So does the list on the other side that `one_field` names: a field of type alias there, with special o2m.",
    open_world: false,
    answers: || json!({ "type": ["object", "array", "null"], "description": "one relation, or all of a collection or of every collection" }),
    actions: &[
        Action {
            name: "list",
            effect: Effect::Reads,
            about: "the relations whose many side is a collection, or all",
            needs: &[],
            takes: &[&[COLLECTION]],
            run: |mut asked| {
                let name = asked.take("collection").and_then(|name| name.as_str().map(str::to_owned));
                Box::pin(look(asked, move |ctx| match &name {
                    Some(name) => relations::read_collection(ctx, name).map(Value::Array),
                    None => relations::read_all(ctx).map(Value::Array),
                }))
            },
        },
        Action {
            name: "read",
            effect: Effect::Reads,
            about: "one relation",
            needs: &[COLLECTION, FIELD],
            takes: &[],
            run: |mut asked| {
                let (collection, field) = (asked.text("collection"), asked.text("field"));
                Box::pin(look(asked, move |ctx| relations::read_one(ctx, &collection, &field)))
            },
        },
        Action {
            name: "create",
            effect: Effect::Adds,
            about: "makes a relation of a field that is there",
            needs: &[COLLECTION, FIELD],
            takes: &[&[RELATED, META, SCHEMA]],
            run: |asked| Box::pin(create(asked)),
        },
        Action {
            name: "update",
            effect: Effect::Changes,
            about: "changes a relation; what isn't said stays, and what it relates can't be changed",
            needs: &[COLLECTION, FIELD],
            takes: &[&[META, SCHEMA]],
            run: |asked| Box::pin(update(asked)),
        },
        Action {
            name: "delete",
            effect: Effect::Deletes,
            about: "forgets a relation and drops its foreign key; fields and values stay",
            needs: &[COLLECTION, FIELD],
            takes: &[],
            run: |asked| Box::pin(delete(asked)),
        },
    ],
};

async fn create(mut asked: Asked) -> Result<Answer> {
    collections::may_change(&asked.start.who)?;
    let raw = Value::Object(std::mem::replace(&mut asked.arguments, Item::new()));
    let made = relations::create(&asked.api.core, &raw).await?;
    settled(&asked, made).await
}

async fn update(mut asked: Asked) -> Result<Answer> {
    collections::may_change(&asked.start.who)?;
    let (collection, field) = (asked.text("collection"), asked.text("field"));
    let raw = Value::Object(std::mem::replace(&mut asked.arguments, Item::new()));
    let changed = relations::update(&asked.api.core, &collection, &field, &raw).await?;
    settled(&asked, changed).await
}

async fn delete(mut asked: Asked) -> Result<Answer> {
    collections::may_change(&asked.start.who)?;
    let (collection, field) = (asked.text("collection"), asked.text("field"));
    relations::delete(&asked.api.core, &collection, &field).await?;
    settled(&asked, json!({ "deleted": field })).await
}
