//! `services.enqueue(name, data, options)`: a job for whoever hears `jobs.{name}`, run after the commit.

use futures_util::FutureExt;
use serde_json::{Value, json};

use super::{Call, Method, Service};
use crate::error::Result;
use crate::services::Ctx;
use crate::services::jobs::{self, Job};

pub(super) const SERVICE: Service = Service {
    name: "enqueue",
    js: include_str!("enqueue.js"),
    methods: &[Method {
        name: "enqueue.job",
        writes: true,
        capability: |_| Some("enqueue".to_owned()),
        run: |ctx, call| async move { enqueue(ctx, call).await.map(Some) }.boxed(),
    }],
};

async fn enqueue(ctx: &Ctx, call: &Call) -> Result<Value> {
    let job = Job::parse(call.text(0, "name")?, call.arg(1).clone(), &call.object(2, "options")?, ctx.core.clock.now())?;
    Ok(json!({ "deliveries": jobs::enqueue(ctx, &job).await? }))
}
