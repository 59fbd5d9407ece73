//! `services.fields()`: reading what fields collections have.

use futures_util::FutureExt;
use serde_json::{Value, json};

use super::{Call, Method, Service};
use crate::error::Result;
use crate::services::{Ctx, fields};

const SCHEMA: fn(&Call) -> Option<String> = |_| Some("schema".to_owned());

pub(super) const SERVICE: Service = Service {
    name: "fields",
    js: include_str!("fields.js"),
    methods: &[
        Method { name: "fields.readAll", capability: SCHEMA, run: |ctx, call| async move { read_all(ctx, call).await.map(Some) }.boxed() },
        Method { name: "fields.readOne", capability: SCHEMA, run: |ctx, call| async move { read_one(ctx, call).await.map(Some) }.boxed() },
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
