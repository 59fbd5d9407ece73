//! Collections: what `/api/collections` does.

use serde_json::{Value, json};

use super::super::tool::{Action, Answer, Argument, Asked, Effect, Kind, Tool};
use super::common::COLLECTION;
use crate::error::Result;
use crate::services::{Ctx, changes, collections};

const FIELDS: Argument = Argument {
    name: "fields",
    kind: Kind::List,
    about: "its fields, each as the tool `fields` takes it: {field, type, meta?, schema?}; without a primary key among them an integer `id` is \
            made",
};
const META: Argument = Argument { name: "meta", kind: Kind::Object, about: "what else is to be known of it, such as {note}" };
const SCHEMA: Argument = Argument { name: "schema", kind: Kind::Object, about: "may be left out: every collection is a table" };

/// Collections.
pub const TOOL: Tool = Tool {
    name: "collections",
    title: "Collections",
    about: "Makes and deletes collections, the tables of this platform. Needs admin rights where it changes something; a change holds for the \
            very next call. Names that begin with `daas_` are the system's.",
    open_world: false,
    answers: || json!({ "type": ["object", "array", "null"], "description": "one collection, or all that the caller may read" }),
    actions: &[
        Action {
            name: "list",
            effect: Effect::Reads,
            about: "every collection that the caller may read",
            needs: &[],
            takes: &[],
            run: |asked| Box::pin(look(asked, |ctx| collections::read_all(ctx).map(Value::Array))),
        },
        Action {
            name: "read",
            effect: Effect::Reads,
            about: "one collection",
            needs: &[COLLECTION],
            takes: &[],
            run: |mut asked| {
                let name = asked.text("collection");
                Box::pin(look(asked, move |ctx| collections::read_one(ctx, &name)))
            },
        },
        Action {
            name: "create",
            effect: Effect::Adds,
            about: "makes a collection, with its fields in one call",
            needs: &[COLLECTION],
            takes: &[&[FIELDS, META, SCHEMA]],
            run: |asked| Box::pin(create(asked)),
        },
        Action {
            name: "delete",
            effect: Effect::Deletes,
            about: "deletes a collection with all its items",
            needs: &[COLLECTION],
            takes: &[],
            run: |asked| Box::pin(delete(asked)),
        },
    ],
};

/// Reads something of the schema that the operation sees.
pub async fn look(asked: Asked, read: impl Fn(&Ctx) -> Result<Value> + Send + Sync + 'static) -> Result<Answer> {
    let look = |ctx: Ctx| {
        let seen = read(&ctx);
        async move { seen }
    };
    Ok(Answer::of(asked.api.core.operate(asked.start, look).await?))
}

async fn create(mut asked: Asked) -> Result<Answer> {
    collections::may_change(&asked.start.who)?;
    let raw = Value::Object(std::mem::take(&mut asked.arguments));
    let made = collections::create(&asked.api.core, &raw).await?;
    settled(&asked, made).await
}

async fn delete(mut asked: Asked) -> Result<Answer> {
    collections::may_change(&asked.start.who)?;
    let name = asked.text("collection");
    collections::delete(&asked.api.core, &name).await?;
    settled(&asked, json!({ "deleted": name })).await
}

/// What a change answers, once it holds on every host.
pub async fn settled(asked: &Asked, answer: Value) -> Result<Answer> {
    asked.api.core.settle(changes::Kind::Schema, &asked.start.lagging).await?;
    Ok(Answer::of(answer))
}
