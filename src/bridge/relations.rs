//! `services.relations()`: how collections refer to each other, and changing that outside filters and transactions.

use futures_util::FutureExt;
use serde_json::{Value, json};

use super::collections::{may_change, settled};
use super::{Call, Method, Service};
use crate::error::Result;
use crate::services::{Ctx, relations};

macro_rules! method {
    ($name:literal, $writes:literal, $run:ident) => {
        Method {
            name: concat!("relations.", $name),
            writes: $writes,
            capability: |_| Some("schema".to_owned()),
            run: |ctx, call| async move { $run(ctx, call).await.map(Some) }.boxed(),
        }
    };
}

pub(super) const SERVICE: Service = Service {
    name: "relations",
    js: include_str!("relations.js"),
    methods: &[
        method!("readAll", false, read_all),
        method!("readOne", false, read_one),
        method!("createOne", true, create_one),
        method!("updateOne", true, update_one),
        method!("deleteOne", true, delete_one),
    ],
};

async fn read_all(ctx: &Ctx, call: &Call) -> Result<Value> {
    match call.arg(0) {
        Value::Null => Ok(json!(relations::read_all(ctx)?)),
        _ => Ok(json!(relations::read_collection(ctx, call.text(0, "collection")?)?)),
    }
}

async fn read_one(ctx: &Ctx, call: &Call) -> Result<Value> {
    relations::read_one(ctx, call.text(0, "collection")?, call.text(1, "field")?)
}

async fn create_one(ctx: &Ctx, call: &Call) -> Result<Value> {
    may_change(ctx)?;
    settled(ctx, relations::create(&ctx.core, call.arg(0)).await?).await
}

async fn update_one(ctx: &Ctx, call: &Call) -> Result<Value> {
    may_change(ctx)?;
    settled(ctx, relations::update(&ctx.core, call.text(0, "collection")?, call.text(1, "field")?, call.arg(2)).await?).await
}

async fn delete_one(ctx: &Ctx, call: &Call) -> Result<Value> {
    may_change(ctx)?;
    let field = call.text(1, "field")?;
    relations::delete(&ctx.core, call.text(0, "collection")?, field).await?;
    settled(ctx, json!(field)).await
}
