//! Jobs that run by the clock: what they are, when they are due, and who may run them.
//!
//! Knows no worker: `crate::cron` runs what is found here, and `bridge/cron.rs` lets code ask for runs.

mod job;
pub mod registered;
mod schedule;
pub mod store;

use std::sync::Arc;

use serde_json::json;
use uuid::Uuid;

pub use job::{Job, TIMEOUT_MS, check_members};
pub use schedule::Schedule;

use self::store::{Run, Trigger};
use super::owed::{Origin, Owing};
use super::query::clip;
use super::{Core, Ctx, Item};
use crate::db::sql::Lock;
use crate::error::{Error, ErrorCode, Result};
use crate::hooks::outbox::Delivery;

/// Whose deliveries are runs of jobs: stands where those of hooks have the id of an extension.
pub const OWED: &str = "cron";

/// What code gets to see of a job: everything but its code.
const SHOWN: [&str; 13] = [
    "id",
    "name",
    "description",
    "schedule",
    "timezone",
    "status",
    "timeout_ms",
    "memory_limit_mb",
    "running",
    "running_since",
    "last_run_at",
    "last_run_status",
    "next_run_at",
];

/// Refuses where no job runs.
///
/// # Errors
/// 503 with `CRON_ENABLED=false` and in safe mode.
pub fn check_enabled(core: &Core) -> Result<()> {
    let why = match (core.config.cron_enabled, core.config.safe_mode) {
        (false, _) => "No job runs here: `CRON_ENABLED` is `false`",
        (_, true) => "No job runs here: `EXTENSIONS_SAFE_MODE` is `true`",
        _ => return Ok(()),
    };
    Err(Error::new(ErrorCode::ServiceUnavailable, why))
}

/// There is no such job.
pub fn not_found(id_or_name: &str) -> Error {
    Error::new(ErrorCode::NotFound, format!("There is no cron job `{}`", clip(id_or_name)))
}

/// Has a job run once what this belongs to is committed. None where it runs already.
///
/// # Errors
/// 404 where there is no such job; 503 where no job runs.
pub async fn trigger(ctx: &Ctx, id_or_name: &str) -> Result<Option<Uuid>> {
    check_enabled(&ctx.core)?;
    let nursery = ctx.core.dispatcher.nursery([OWED].into_iter());
    let (now, request_id, job) = (ctx.core.clock.now(), ctx.op.request_id.to_string(), id_or_name.to_owned());
    let origin = Arc::new(Origin::new(ctx, "daas_cron_jobs"));
    let written = ctx
        .write({
            move |conn| {
                let (job, request_id, origin, mut owing) =
                    (job.clone(), request_id.clone(), Arc::clone(&origin), Owing::new(now, &nursery));
                Box::pin(async move {
                    let row = store::find(conn, &job, Lock::Wait).await?.ok_or_else(|| not_found(&job))?;
                    let job = Job::from_row(&row)?;
                    let run = Run {
                        id: Uuid::now_v7(),
                        job,
                        trigger: Trigger::Extension,
                        scheduled_at: now,
                        request_id,
                        depth: 0,
                        chain: Vec::new(),
                    };
                    if !store::take(conn, &row, &run, now, None, &[]).await? {
                        return Ok(None);
                    }
                    let delivery = origin.of_host(OWED, run.id, "cron.run", json!({ "job": run.job.id }));
                    let delivery = Delivery { item_key: Some(run.job.id.clone()), ..delivery };
                    owing.add(conn, delivery, None, true).await?;
                    Ok(Some((run.id, owing.owed)))
                })
            }
        })
        .await?;
    Ok(written.map(|(run, owed)| {
        owed.note(&mut ctx.op.after());
        run
    }))
}

/// The jobs, those with `status` only where one is given, by name.
///
/// # Errors
/// 400 for a status that no job has.
pub async fn list(ctx: &Ctx, status: Option<&str>) -> Result<Vec<Item>> {
    if let Some(other) = status.filter(|status| !["active", "inactive"].contains(status)) {
        return Err(Error::payload(format!("`status` of a job is `active` or `inactive`, not: {}", clip(other))));
    }
    let status = status.map(str::to_owned);
    let rows = ctx
        .read(move |conn| {
            let status = status.clone();
            Box::pin(async move { store::list(conn, status.as_deref()).await })
        })
        .await?;
    Ok(rows.into_iter().map(shown).collect())
}

/// One job by its id or its name.
///
/// # Errors
/// 404 where there is none.
pub async fn get(ctx: &Ctx, id_or_name: &str) -> Result<Item> {
    let job = id_or_name.to_owned();
    let row = ctx
        .read(move |conn| {
            let job = job.clone();
            Box::pin(async move { store::find(conn, &job, Lock::None).await })
        })
        .await?;
    row.map(shown).ok_or_else(|| not_found(id_or_name))
}

fn shown(mut row: Item) -> Item {
    row.retain(|name, _| SHOWN.contains(&name.as_str()));
    row
}
