//! `services.cron`: what jobs there are, and having one run. The code of a job stays with those who manage it.

use futures_util::FutureExt;
use serde_json::{Value, json};

use super::{Call, Method, Service};
use crate::error::Result;
use crate::services::{Ctx, cron};

macro_rules! method {
    ($name:literal, $writes:literal, $run:ident) => {
        Method {
            name: concat!("cron.", $name),
            writes: $writes,
            capability: |_| Some("cron".to_owned()),
            run: |ctx, call| async move { $run(ctx, call).await.map(Some) }.boxed(),
        }
    };
}

pub(super) const SERVICE: Service = Service {
    name: "cron",
    js: include_str!("cron.js"),
    methods: &[method!("trigger", true, trigger), method!("list", false, list), method!("get", false, get)],
};

async fn trigger(ctx: &Ctx, call: &Call) -> Result<Value> {
    let run = cron::trigger(ctx, call.text(0, "job")?).await?;
    Ok(json!({ "historyId": run.map(|id| id.to_string()).unwrap_or_default() }))
}

async fn list(ctx: &Ctx, call: &Call) -> Result<Value> {
    let status = if call.arg(0).is_null() { None } else { Some(call.text(0, "status")?) };
    Ok(json!(cron::list(ctx, status).await?))
}

async fn get(ctx: &Ctx, call: &Call) -> Result<Value> {
    Ok(json!(cron::get(ctx, call.text(0, "job")?).await?))
}
