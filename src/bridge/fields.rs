//! `services.fields()`: what fields collections have, and changing that outside filters and transactions.

use futures_util::FutureExt;
use serde_json::{Value, json};

use super::collections::{may_change, settled};
use super::{Call, Method, Service};
use crate::error::Result;
use crate::services::{Ctx, fields};

macro_rules! method {
    ($name:literal, $writes:literal, $run:ident) => {
        Method {
            name: concat!("fields.", $name),
            writes: $writes,
            capability: |_| Some("schema".to_owned()),
            run: |ctx, call| async move { $run(ctx, call).await.map(Some) }.boxed(),
        }
    };
}

pub(super) const SERVICE: Service = Service {
    name: "fields",
    js: include_str!("fields.js"),
    methods: &[
        method!("readAll", false, read_all),
        method!("readOne", false, read_one),
        method!("createField", true, create_field),
        method!("updateField", true, update_field),
        method!("deleteField", true, delete_field),
    ],
};

async fn read_all(ctx: &Ctx, call: &Call) -> Result<Value> {
    match call.arg(0) {
        Value::Null => Ok(json!(fields::read_all(ctx)?)),
        _ => Ok(json!(fields::read_collection(ctx, call.text(0, "collection")?)?)),
    }
}

async fn read_one(ctx: &Ctx, call: &Call) -> Result<Value> {
    fields::read_one(ctx, call.text(0, "collection")?, call.text(1, "field")?)
}

async fn create_field(ctx: &Ctx, call: &Call) -> Result<Value> {
    may_change(ctx)?;
    settled(ctx, fields::create(&ctx.core, call.text(0, "collection")?, call.arg(1)).await?).await
}

async fn update_field(ctx: &Ctx, call: &Call) -> Result<Value> {
    may_change(ctx)?;
    settled(ctx, fields::update(&ctx.core, call.text(0, "collection")?, call.text(1, "field")?, call.arg(2)).await?).await
}

async fn delete_field(ctx: &Ctx, call: &Call) -> Result<Value> {
    may_change(ctx)?;
    let name = call.text(1, "field")?;
    fields::delete(&ctx.core, call.text(0, "collection")?, name).await?;
    settled(ctx, json!(name)).await
}
