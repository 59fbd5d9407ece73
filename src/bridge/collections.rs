//! `services.collections()`: what collections there are, and changing that outside filters and transactions.

use futures_util::FutureExt;
use serde_json::{Value, json};

use super::{Call, Method, Service};
use crate::error::{Error, ErrorCode, Result};
use crate::services::changes::Kind;
use crate::services::{Ctx, collections};

macro_rules! method {
    ($name:literal, $writes:literal, $run:ident) => {
        Method {
            name: concat!("collections.", $name),
            writes: $writes,
            capability: |_| Some("schema".to_owned()),
            run: |ctx, call| async move { $run(ctx, call).await.map(Some) }.boxed(),
        }
    };
}

pub(super) const SERVICE: Service = Service {
    name: "collections",
    js: include_str!("collections.js"),
    methods: &[
        method!("readByQuery", false, read_by_query),
        method!("readOne", false, read_one),
        method!("readMany", false, read_many),
        method!("createOne", true, create_one),
        method!("updateOne", true, update_one),
        method!("deleteOne", true, delete_one),
    ],
};

/// A change of the schema is a transaction of its own, and the caller must be one who may change the schema.
pub(super) fn may_change(ctx: &Ctx) -> Result<()> {
    if ctx.joins() {
        let message = "The schema can't be changed in a filter or inside `transaction()`: use an action hook, or the REST API";
        return Err(Error::new(ErrorCode::DdlInFilter, message));
    }
    if ctx.elevated { Ok(()) } else { collections::may_change(&ctx.who) }
}

async fn read_by_query(ctx: &Ctx, _call: &Call) -> Result<Value> {
    Ok(json!(collections::read_all(ctx)?))
}

async fn read_one(ctx: &Ctx, call: &Call) -> Result<Value> {
    collections::read_one(ctx, call.text(0, "collection")?)
}

async fn read_many(ctx: &Ctx, call: &Call) -> Result<Value> {
    let names = call.list(0, "collections")?;
    names.iter().map(|name| collections::read_one(ctx, name.as_str().unwrap_or_default())).collect::<Result<Vec<_>>>().map(Value::Array)
}

async fn create_one(ctx: &Ctx, call: &Call) -> Result<Value> {
    may_change(ctx)?;
    let made = collections::create(&ctx.core, call.arg(0)).await?;
    settled(ctx, made["collection"].clone()).await
}

async fn update_one(ctx: &Ctx, call: &Call) -> Result<Value> {
    may_change(ctx)?;
    let name = call.text(0, "collection")?;
    collections::update(&ctx.core, name, call.arg(1)).await?;
    settled(ctx, json!(name)).await
}

async fn delete_one(ctx: &Ctx, call: &Call) -> Result<Value> {
    may_change(ctx)?;
    let name = call.text(0, "collection")?;
    collections::delete(&ctx.core, name).await?;
    settled(ctx, json!(name)).await
}

/// What a change answers, once it holds on every host.
pub(super) async fn settled(ctx: &Ctx, answer: Value) -> Result<Value> {
    ctx.core.settle(Kind::Schema, &ctx.op.lagging).await?;
    Ok(answer)
}
