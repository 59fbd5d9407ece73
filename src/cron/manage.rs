//! `/api/cron` without its HTTP: jobs are checked and compiled before they are stored, and run by hand.

use std::sync::Arc;

use serde_json::{Value, json};
use uuid::Uuid;

use super::Cron;
use crate::auth::Accountability;
use crate::db::sql::Lock;
use crate::db::timestamp;
use crate::error::{Error, ErrorCode, Result};
use crate::extensions::invalid_code;
use crate::services::cron::store::{self, Ended, Run, Trigger};
use crate::services::cron::{Job, check_enabled, check_members, not_found};
use crate::services::ctx::Hold;
use crate::services::items::{ItemsService, Listing};
use crate::services::members::{name, only};
use crate::services::operation::Start;
use crate::services::{Item, aggregate, module_access};

const JOBS: &str = "daas_cron_jobs";
const HISTORY: &str = "daas_cron_history";

impl Cron {
    /// A page of jobs.
    pub async fn list(&self, start: Start, query: &Item) -> Result<Listing> {
        manages(&start.who)?;
        self.page(start, JOBS, query).await
    }

    /// One job, or 404.
    pub async fn read(&self, start: Start, id: &str, query: &Item) -> Result<Item> {
        manages(&start.who)?;
        self.row(start, id, query).await
    }

    /// A page of runs, those of one job where one is named, the last first unless the query says otherwise.
    ///
    /// # Errors
    /// 404 where there is no such job.
    pub async fn history(&self, start: Start, id: Option<&str>, query: &Item) -> Result<Listing> {
        manages(&start.who)?;
        let mut query = query.clone();
        query.entry("sort").or_insert_with(|| json!("-triggered_at"));
        if let Some(id) = id {
            self.row(start.clone(), id, &Item::from_iter([("fields".to_owned(), json!(["id"]))])).await?;
            let own = json!({ "job_id": { "_eq": id } });
            let filter = match query.shift_remove("filter") {
                None | Some(Value::Null) => own,
                Some(Value::String(text)) => {
                    let asked: Value = serde_json::from_str(&text).map_err(|e| Error::query(format!("`filter` isn't JSON: {e}")))?;
                    json!({ "_and": [own, asked] })
                }
                Some(asked) => json!({ "_and": [own, asked] }),
            };
            query.insert("filter".to_owned(), filter);
        }
        self.page(start, HISTORY, &query).await
    }

    /// How many jobs there are, and how the runs ended that the history keeps:
    /// `{ jobs: { active, inactive, running }, runs: { success, error, … }, failing: [{ id, name, last_run_status, last_run_at }] }`.
    pub async fn stats(&self, start: Start) -> Result<Value> {
        manages(&start.who)?;
        let jobs = self.core.db.read(|conn| Box::pin(store::list(conn, None))).await?;
        let is = |job: &Item, name: &str, value: &Value| job.get(name) == Some(value);
        let count = |name: &str, value: Value| jobs.iter().filter(|job| is(job, name, &value)).count();
        let failed = |job: &&Item| ["error", "timeout"].iter().any(|how| is(job, "last_run_status", &json!(how)));
        let failing: Vec<Item> = jobs
            .iter()
            .filter(failed)
            .map(|job| {
                ["id", "name", "last_run_status", "last_run_at"].map(|name| (name.to_owned(), job.get(name).cloned().unwrap_or_default()))
            })
            .map(Item::from_iter)
            .collect();
        let query = &Item::from_iter([("aggregate".to_owned(), json!({ "count": ["*"] })), ("groupBy".to_owned(), json!(["status"]))]);
        let groups = self.core.operate(start, |ctx| async move { aggregate::run(&ctx, HISTORY, query).await }).await?;
        let runs: Item = groups
            .into_iter()
            .filter_map(|mut group| Some((group.get("status")?.as_str()?.to_owned(), group.shift_remove("count")?)))
            .collect();
        Ok(json!({
            "jobs": { "active": count("status", json!("active")), "inactive": count("status", json!("inactive")), "running": count("running", json!(true)) },
            "runs": runs,
            "failing": failing,
        }))
    }

    /// Stores a new job: checked and compiled.
    pub async fn create(&self, start: Start, mut item: Item) -> Result<Item> {
        manages(&start.who)?;
        check_members(&item)?;
        let job = Job::from_row(&item)?;
        self.compile(&job).await?;
        item.insert("next_run_at".to_owned(), self.next_of(&job));
        let rows = self
            .core
            .operate(start, |ctx| {
                let item = item.clone();
                async move { ItemsService::by_own_door(&ctx.with(true, true), JOBS).create(vec![item]).await }
            })
            .await?;
        self.changed.notify_one();
        rows.into_iter().next().ok_or_else(|| Error::internal("a new job has no row"))
    }

    /// Changes a job. What runs of it goes on with what it began with.
    pub async fn update(&self, start: Start, id: &str, mut changes: Item) -> Result<Item> {
        manages(&start.who)?;
        check_members(&changes)?;
        if changes.shift_remove("id").is_some_and(|new| new != id) {
            return Err(Error::payload("`id` can't be changed").with_field("id"));
        }
        let old = self.row(start.clone(), id, &Item::new()).await?;
        own(&old)?;
        let mut merged = old.clone();
        merged.extend(changes.clone());
        let job = Job::from_row(&merged)?;
        let differs = |members: &[&str]| members.iter().any(|member| merged.get(*member) != old.get(*member));
        if differs(&["code", "name", "memory_limit_mb"]) {
            self.compile(&job).await?;
        }
        // Its next tick stays where the schedule does, also when that tick is due this moment.
        if differs(&["schedule", "timezone", "status"]) || (job.active && merged.get("next_run_at").is_none_or(Value::is_null)) {
            changes.insert("next_run_at".to_owned(), self.next_of(&job));
        }
        let rows = self
            .core
            .operate(start, |ctx| {
                let (key, changes) = (json!(id), changes.clone());
                async move { ItemsService::by_own_door(&ctx.with(true, true), JOBS).update(vec![key], changes).await }
            })
            .await?;
        self.changed.notify_one();
        rows.into_iter().next().ok_or_else(|| Error::internal("a changed job has no row"))
    }

    /// Deletes a job with its history. What runs of it comes to its end.
    pub async fn delete(&self, start: Start, id: &str) -> Result<()> {
        manages(&start.who)?;
        own(&self.row(start.clone(), id, &Item::new()).await?)?;
        self.core
            .operate(start, |ctx| async move {
                // One transaction, also where no hook writes.
                let ctx = ctx.joining();
                ItemsService::by_own_door(&ctx.with(true, true), JOBS).delete(vec![json!(id)]).await?;
                let statement = Arc::new(store::forget(ctx.core.db.dialect(), id)?);
                ctx.write(move |conn| {
                    let statement = Arc::clone(&statement);
                    Box::pin(async move { conn.execute(&statement).await.map(drop) })
                })
                .await
            })
            .await
    }

    /// Makes an inactive copy, called `asked.name` or after the original.
    pub async fn clone_job(&self, start: Start, id: &str, asked: &Item) -> Result<Item> {
        manages(&start.who)?;
        only(asked, &["name"])?;
        let old = self.row(start.clone(), id, &Item::new()).await?;
        own(&old)?;
        let mut copy: Item = ["description", "schedule", "timezone", "code", "timeout_ms", "memory_limit_mb"]
            .into_iter()
            .filter_map(|member| Some((member.to_owned(), old.get(member)?.clone())))
            .collect();
        let of_old = || {
            let old: String = old.get("name").and_then(Value::as_str).unwrap_or_default().chars().take(90).collect();
            format!("{old} (copy)")
        };
        copy.insert("name".to_owned(), json!(if asked.contains_key("name") { name(asked)? } else { of_old() }));
        copy.insert("status".to_owned(), json!("inactive"));
        self.create(start, copy).await
    }

    /// Runs a job now, also one that isn't active, and answers when it has ended.
    ///
    /// # Errors
    /// 404 where there is no such job, 409 where it runs already, 503 where no job runs or as many as may.
    pub async fn run_now(&self, start: Start, id: &str) -> Result<Value> {
        manages(&start.who)?;
        check_enabled(&self.core)?;
        let busy = || Error::new(ErrorCode::ServiceUnavailable, "As many cron jobs run on this host as may").with_retry_after(1);
        let _slot = self.slots.try_acquire().map_err(|_| busy())?;
        let key = Uuid::parse_str(id).map_err(|_| not_found(id))?.to_string();
        let (now, host, request_id) = (self.core.clock.now(), self.host.clone(), start.request_id.to_string());
        let (alive, able) = (self.alive(), self.able());
        let begun = self
            .core
            .db
            .write(move |conn| {
                let (key, host, request_id) = (key.clone(), host.clone(), request_id.clone());
                let (alive, able) = (Arc::clone(&alive), Arc::clone(&able));
                Box::pin(async move {
                    let row = store::find(conn, &key, Lock::Wait).await?.ok_or_else(|| not_found(&key))?;
                    let job = Job::from_row(&row)?;
                    if job.is_registered && !able.contains(&job.id) {
                        let why = format!("`{}` can't run here: its extension isn't active, or doesn't load", job.name);
                        return Err(Error::new(ErrorCode::ExtensionUnavailable, why));
                    }
                    let run = Run {
                        id: Uuid::now_v7(),
                        job,
                        trigger: Trigger::Manual,
                        scheduled_at: now,
                        request_id,
                        depth: 0,
                        chain: Vec::new(),
                    };
                    Ok(store::take(conn, &row, &run, now, Some(&host), &alive).await?.then_some(run))
                })
            })
            .await?;
        let Some(run) = begun else {
            return Err(Error::new(ErrorCode::Conflict, "The job is running already: its history says since when"));
        };
        let (id, name) = (run.id, run.job.name.clone());
        let message = match self.execute(run).await {
            Ended::Success => format!("`{name}` ran to its end"),
            Ended::Error => format!("`{name}` failed: the history has the details"),
            Ended::Timeout => format!("`{name}` took longer than its `timeout_ms` and was cut off"),
        };
        Ok(json!({ "historyId": id.to_string(), "message": message }))
    }

    async fn compile(&self, job: &Job) -> Result<()> {
        let unit = self.unit_of(job);
        let checked = self.pool.check(&unit).await.map_err(invalid_code).map(drop);
        self.pool.retire(unit.id);
        checked
    }

    fn next_of(&self, job: &Job) -> Value {
        let next = job.active.then(|| job.schedule.next(self.core.clock.now())).flatten();
        json!(next.map(timestamp))
    }

    async fn page(&self, start: Start, collection: &'static str, query: &Item) -> Result<Listing> {
        self.core.operate(start, |ctx| async move { ItemsService::by_own_door(&ctx.with(true, true), collection).list(query).await }).await
    }

    async fn row(&self, start: Start, id: &str, query: &Item) -> Result<Item> {
        let key = json!(id);
        self.core
            .operate(start, |ctx| {
                let key = &key;
                async move { ItemsService::by_own_door(&ctx.with(true, true), JOBS).read_one(key, query, Hold::No).await }
            })
            .await
    }
}

fn manages(who: &Accountability) -> Result<()> {
    match who.grants.module(module_access::CRON) {
        Some(_) => Ok(()),
        None => Err(Error::forbidden("Cron jobs are managed by admins, and by those whose policies have the module `system:cron`")),
    }
}

/// Refuses to change a job that an extension registers.
fn own(row: &Item) -> Result<()> {
    match row.get("extension").and_then(Value::as_str) {
        None => Ok(()),
        Some(extension) => {
            let name = row.get("name").and_then(Value::as_str).unwrap_or_default();
            let why = format!("`{name}` is what the extension {extension} registers by `schedule()`: it is changed in its files");
            Err(Error::forbidden(why))
        }
    }
}
