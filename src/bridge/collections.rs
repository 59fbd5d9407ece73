//! `services.collections()`: reading what collections there are.

use futures_util::FutureExt;
use serde_json::{Value, json};

use super::{Call, Method, Service};
use crate::error::Result;
use crate::services::{Ctx, collections};

const SCHEMA: fn(&Call) -> Option<String> = |_| Some("schema".to_owned());

pub(super) const SERVICE: Service = Service {
    name: "collections",
    js: include_str!("collections.js"),
    methods: &[
        Method {
            name: "collections.readByQuery",
            capability: SCHEMA,
            run: |ctx, call| async move { read_by_query(ctx, call).await.map(Some) }.boxed(),
        },
        Method {
            name: "collections.readOne",
            capability: SCHEMA,
            run: |ctx, call| async move { read_one(ctx, call).await.map(Some) }.boxed(),
        },
        Method {
            name: "collections.readMany",
            capability: SCHEMA,
            run: |ctx, call| async move { read_many(ctx, call).await.map(Some) }.boxed(),
        },
    ],
};

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
