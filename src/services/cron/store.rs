//! The rows of jobs and of their runs: who may run what, decided by the database.
//!
//! A tick belongs to the transaction that moves the job's `next_run_at` past it; a run belongs to whoever's `run_id` stands in the job.
//! Both are changed under a lock of the row, so of many hosts one wins. Nothing here runs anything.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::job::{Job, TIMEOUT_MS};
use crate::db::sql::{self, Lock};
use crate::db::{Conn, Filter, Op, Query, Sort, Sql, system, timestamp};
use crate::error::Result;
use crate::services::Item;

/// A clock that was ahead by more than this when a tick was taken was wrong: the job doesn't wait until the time has come again.
const WRONG_CLOCK: TimeDelta = TimeDelta::hours(3);

/// Why a job runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trigger {
    /// Its time has come.
    Schedule,
    /// A person asked.
    Manual,
    /// Code asked.
    Extension,
}

impl Trigger {
    /// As it is stored, and as the code reads it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Schedule => "schedule",
            Self::Manual => "manual",
            Self::Extension => "extension",
        }
    }
}

/// A run that somebody may begin.
#[derive(Debug, Clone)]
pub struct Run {
    /// The key of its row in the history.
    pub id: Uuid,
    /// What runs.
    pub job: Job,
    /// Why.
    pub trigger: Trigger,
    /// For which moment; the moment at which it was asked for when no clock did.
    pub scheduled_at: DateTime<Utc>,
    /// Ties log lines together.
    pub request_id: String,
    /// How deep in hooks and jobs it was asked for.
    pub depth: u32,
    /// Those hooks and jobs, outermost first.
    pub chain: Vec<String>,
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// Well.
    Success,
    /// By something thrown, a limit of memory, a dead worker.
    Error,
    /// By its time limit.
    Timeout,
}

impl Ended {
    /// As it is stored.
    pub fn name(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Error => "error",
            Self::Timeout => "timeout",
        }
    }
}

/// What is to be written down of a run that ended.
#[derive(Debug, Clone)]
pub struct End {
    /// How.
    pub how: Ended,
    /// What went wrong.
    pub error: Option<String>,
    /// What it wrote to its console: `{ level, message }`.
    pub logs: Value,
    /// How long it took, in milliseconds.
    pub millis: f64,
}

/// What there is to do.
#[derive(Debug, Clone, Default)]
pub struct Look {
    /// Whether a claim would find something.
    pub anything: bool,
    /// The next tick of any job.
    pub next: Option<DateTime<Utc>>,
}

/// What a claim found.
#[derive(Debug, Default)]
pub struct Claimed {
    /// Runs that are the caller's now.
    pub runs: Vec<Run>,
    /// Ticks that were left out because the job is still running, by its name.
    pub skipped: Vec<String>,
    /// Jobs whose run never ended: whoever ran it is gone.
    pub abandoned: Vec<String>,
    /// Rows that can't be understood: they don't run until somebody mends them.
    pub unreadable: Vec<(String, String)>,
}

/// Whether there is anything to do. Cheap, and needs no writer. `alive` are the runs that the caller is at work on, here and below: the
/// wall clock may jump while they run. `able` are the jobs of extensions that it has the handlers of: those of others are none of its business.
pub async fn look(conn: &mut Conn<'_>, now: DateTime<Utc>, alive: &[Uuid], able: &[String]) -> Result<Look> {
    let table = system::cron_jobs_table();
    let mut look = Look::default();
    let due = Filter::And(vec![due(now), own(able)]);
    let busy = Filter::Or(vec![due, Filter::field("running", Op::Eq(json!(true))), from_a_wrong_clock(now)]);
    let names = ["id", "extension", "next_run_at", "running", "running_since", "run_id", "timeout_ms", "last_tick_at", "status"];
    for row in select(conn, &names, busy, Lock::None, None).await? {
        let is_own = row.get("extension").is_none_or(Value::is_null) || able.contains(&text(&row, "id"));
        let is_due = is_own
            && is(&row, "status", "active")
            && (moment(&row, "next_run_at").is_some_and(|at| at <= now)
                || moment(&row, "last_tick_at").is_some_and(|at| at > now + WRONG_CLOCK));
        look.anything |= is_due || is_stale(&row, now, alive);
    }
    let first = [Sort::up("next_run_at")].to_vec();
    let coming = Filter::And(vec![active(), Filter::field("next_run_at", Op::NotNull), own(able)]);
    let query = Query { filter: Some(coming), sort: first, limit: Some(1), ..Query::default() };
    let statement = sql::select_locked(conn.dialect(), &table, &["next_run_at"], &query, Lock::None)?;
    let rows = conn.select(&statement, &sql::types(&table, &["next_run_at"])?).await?;
    look.next = rows.first().and_then(|row| read_moment(row.first()?));
    Ok(look)
}

/// Takes up to `limit` ticks that are due, leaves out those of jobs that still run, and frees what a dead host left locked.
pub async fn claim(conn: &mut Conn<'_>, now: DateTime<Utc>, limit: usize, host: &str, alive: &[Uuid], able: &[String]) -> Result<Claimed> {
    let mut claimed = Claimed::default();
    for row in all(conn, Filter::field("running", Op::Eq(json!(true))), Lock::Skip).await? {
        if is_stale(&row, now, alive) {
            claimed.abandoned.push(text(&row, "name"));
            free(conn, &row, now).await?;
        }
    }
    for row in all(conn, from_a_wrong_clock(now), Lock::Skip).await? {
        let next = Job::from_row(&row).ok().and_then(|job| job.schedule.next(now));
        set(conn, &row, [("last_tick_at", Value::Null), ("next_run_at", json!(next.map(timestamp)))]).await?;
    }
    for row in first(conn, Filter::And(vec![due(now), own(able)]), limit).await? {
        let job = match Job::from_row(&row) {
            Ok(job) => job,
            Err(error) => {
                claimed.unreadable.push((text(&row, "name"), error.message().to_owned()));
                set(conn, &row, [("next_run_at", Value::Null), ("last_run_status", json!("error"))]).await?;
                continue;
            }
        };
        let next = json!(job.schedule.next(now).map(timestamp));
        if row.get("running") == Some(&json!(true)) {
            claimed.skipped.push(job.name);
            set(conn, &row, [("next_run_at", next)]).await?;
            continue;
        }
        let tick = job.schedule.last(moment(&row, "next_run_at").unwrap_or(now), now);
        let id = Uuid::now_v7();
        let run = Run { id, job, trigger: Trigger::Schedule, scheduled_at: tick, request_id: id.to_string(), depth: 0, chain: Vec::new() };
        set(conn, &row, [("next_run_at", next), ("last_tick_at", json!(timestamp(tick)))]).await?;
        lock(conn, &run, now).await?;
        insert(conn, &run, "running", now, Some(host)).await?;
        claimed.runs.push(run);
    }
    Ok(claimed)
}

/// Locks a job for a run that somebody asked for. None where it runs already.
pub async fn take(conn: &mut Conn<'_>, row: &Item, run: &Run, now: DateTime<Utc>, host: Option<&str>, alive: &[Uuid]) -> Result<bool> {
    if row.get("running") == Some(&json!(true)) {
        if !is_stale(row, now, alive) {
            return Ok(false);
        }
        free(conn, row, now).await?;
    }
    lock(conn, run, now).await?;
    insert(conn, run, if host.is_some() { "running" } else { "queued" }, now, host).await?;
    Ok(true)
}

/// Begins a run that was queued, if it is still waiting for that.
pub async fn begin(conn: &mut Conn<'_>, run: Uuid, job: &str, now: DateTime<Utc>, host: &str) -> Result<Option<Item>> {
    let this = Filter::And(vec![Filter::field("id", Op::Eq(json!(job))), Filter::field("run_id", Op::Eq(json!(run.to_string())))]);
    let Some(row) = all(conn, this, Lock::Wait).await?.into_iter().next() else { return Ok(None) };
    let waiting = Filter::And(vec![Filter::field("id", Op::Eq(json!(run.to_string()))), Filter::field("status", Op::Eq(json!("queued")))]);
    let changes = members([("status", json!("running")), ("started_at", json!(timestamp(now))), ("host", json!(host))]);
    let statement = sql::update_where(conn.dialect(), &system::cron_history_table(), &waiting, &changes)?;
    if conn.execute(&statement).await? == 0 {
        return Ok(None);
    }
    set(conn, &row, [("running_since", json!(timestamp(now)))]).await?;
    Ok(Some(row))
}

/// Writes down how a run ended, frees its job, and forgets all but the last `keep` runs of the job.
pub async fn finish(conn: &mut Conn<'_>, run: Uuid, job: &str, end: &End, now: DateTime<Utc>, keep: u64) -> Result<()> {
    let (dialect, jobs, history) = (conn.dialect(), system::cron_jobs_table(), system::cron_history_table());
    let mine = Filter::And(vec![Filter::field("id", Op::Eq(json!(job))), Filter::field("run_id", Op::Eq(json!(run.to_string())))]);
    let mut changes = unlocked();
    changes.extend(members([("last_run_at", json!(timestamp(now))), ("last_run_status", json!(end.how.name()))]));
    conn.execute(&sql::update_where(dialect, &jobs, &mine, &changes)?).await?;
    let changes = members([
        ("status", json!(end.how.name())),
        ("error", json!(end.error)),
        ("logs", end.logs.clone()),
        ("finished_at", json!(timestamp(now))),
        ("duration_ms", json!(end.millis)),
    ]);
    conn.execute(&sql::update_by_keys(dialect, &history, &[json!(run.to_string())], None, &changes, &[])?).await?;
    prune(conn, job, keep).await
}

/// Frees every job: for the only host of a database, when it starts. Answers the names of those that were locked.
pub async fn free_all(conn: &mut Conn<'_>, now: DateTime<Utc>) -> Result<Vec<String>> {
    let rows = all(conn, Filter::field("running", Op::Eq(json!(true))), Lock::Wait).await?;
    for row in &rows {
        free(conn, row, now).await?;
    }
    Ok(rows.iter().map(|row| text(row, "name")).collect())
}

/// Frees the jobs of runs that their host gives up.
pub async fn give_up(conn: &mut Conn<'_>, runs: &[Uuid], now: DateTime<Utc>) -> Result<()> {
    let these = Filter::field("run_id", Op::In(runs.iter().map(|run| json!(run.to_string())).collect()));
    for row in all(conn, these, Lock::Wait).await? {
        free(conn, &row, now).await?;
    }
    Ok(())
}

/// The row of a job by its id or its name, locked where `lock` says so.
pub async fn find(conn: &mut Conn<'_>, id_or_name: &str, lock: Lock) -> Result<Option<Item>> {
    // A name may look like an id; an id is never anybody else's name for long, since ids are drawn.
    let by_id = Uuid::parse_str(id_or_name).ok().map(|id| Filter::field("id", Op::Eq(json!(id.to_string()))));
    let by_name = Filter::field("name", Op::Eq(json!(id_or_name)));
    if let Some(by_id) = by_id
        && let Some(row) = all(conn, by_id, lock).await?.into_iter().next()
    {
        return Ok(Some(row));
    }
    Ok(all(conn, by_name, lock).await?.into_iter().next())
}

/// Every job, or those with a status, by name.
pub async fn list(conn: &mut Conn<'_>, status: Option<&str>) -> Result<Vec<Item>> {
    let filter = status.map_or(Filter::Const(true), |status| Filter::field("status", Op::Eq(json!(status))));
    let mut rows = all(conn, filter, Lock::None).await?;
    rows.sort_by_key(|row| text(row, "name"));
    Ok(rows)
}

/// Forgets the runs of a job that is gone.
pub fn forget(dialect: crate::db::Dialect, job: &str) -> Result<Sql> {
    sql::delete_where(dialect, &system::cron_history_table(), &Filter::field("job_id", Op::Eq(json!(job))))
}

/// At most so many rows of the history go at once, so that no end of a run takes long; the next goes on.
const PRUNED_AT_ONCE: u64 = 500;

async fn prune(conn: &mut Conn<'_>, job: &str, keep: u64) -> Result<()> {
    let (dialect, history) = (conn.dialect(), system::cron_history_table());
    let sort = ["triggered_at", "id"].map(Sort::down).to_vec();
    let ended = Filter::And(vec![Filter::field("job_id", Op::Eq(json!(job))), Filter::field("finished_at", Op::NotNull)]);
    let query = Query { filter: Some(ended), sort, limit: Some(PRUNED_AT_ONCE), offset: keep, ..Query::default() };
    let statement = sql::select_locked(dialect, &history, &["id"], &query, Lock::None)?;
    let keys: Vec<Value> = conn.select(&statement, &sql::types(&history, &["id"])?).await?.into_iter().flatten().collect();
    if !keys.is_empty() {
        conn.execute(&sql::delete_by_keys(dialect, &history, &keys, None, &[])?).await?;
    }
    Ok(())
}

/// Frees a job whose run never ended, and says so in the history.
async fn free(conn: &mut Conn<'_>, row: &Item, now: DateTime<Utc>) -> Result<()> {
    let mut changes = unlocked();
    changes.extend(members([("last_run_at", json!(timestamp(now))), ("last_run_status", json!("error"))]));
    set(conn, row, changes).await?;
    let run = row.get("run_id").cloned().unwrap_or_default();
    let open = Filter::And(vec![Filter::field("id", Op::Eq(run)), Filter::field("finished_at", Op::Null)]);
    let changes = members([
        ("status", json!("error")),
        ("error", json!("The host that ran it ended, or lost the database, before the run came to its end")),
        ("finished_at", json!(timestamp(now))),
    ]);
    conn.execute(&sql::update_where(conn.dialect(), &system::cron_history_table(), &open, &changes)?).await.map(drop)
}

async fn lock(conn: &mut Conn<'_>, run: &Run, now: DateTime<Utc>) -> Result<()> {
    let changes = members([("running", json!(true)), ("running_since", json!(timestamp(now))), ("run_id", json!(run.id.to_string()))]);
    let statement = sql::update_by_keys(conn.dialect(), &system::cron_jobs_table(), &[json!(run.job.id)], None, &changes, &[])?;
    conn.execute(&statement).await.map(drop)
}

async fn insert(conn: &mut Conn<'_>, run: &Run, status: &str, now: DateTime<Utc>, host: Option<&str>) -> Result<()> {
    let row = members([
        ("id", json!(run.id.to_string())),
        ("job_id", json!(run.job.id)),
        ("job_name", json!(run.job.name)),
        ("triggered_by", json!(run.trigger.name())),
        ("triggered_at", json!(timestamp(now))),
        ("scheduled_at", json!(timestamp(run.scheduled_at))),
        ("started_at", json!(host.map(|_| timestamp(now)))),
        ("status", json!(status)),
        ("request_id", json!(run.request_id)),
        ("host", json!(host)),
    ]);
    conn.execute(&sql::insert(conn.dialect(), &system::cron_history_table(), &row, &[])?).await.map(drop)
}

async fn set(conn: &mut Conn<'_>, row: &Item, changes: impl IntoIterator<Item = (impl Into<String>, Value)>) -> Result<()> {
    let changes = changes.into_iter().map(|(name, value)| (name.into(), value)).collect();
    let key = row.get("id").cloned().unwrap_or_default();
    let statement = sql::update_by_keys(conn.dialect(), &system::cron_jobs_table(), &[key], None, &changes, &[])?;
    conn.execute(&statement).await.map(drop)
}

/// The rows that wait for longest, as far as nobody else has them in hand.
async fn first(conn: &mut Conn<'_>, filter: Filter, limit: usize) -> Result<Vec<Item>> {
    let table = system::cron_jobs_table();
    let names: Vec<&str> = table.fields.iter().map(|field| field.name.as_str()).collect();
    select(conn, &names, filter, Lock::Skip, Some(limit as u64)).await
}

pub(super) async fn all(conn: &mut Conn<'_>, filter: Filter, lock: Lock) -> Result<Vec<Item>> {
    let table = system::cron_jobs_table();
    let names: Vec<&str> = table.fields.iter().map(|field| field.name.as_str()).collect();
    select(conn, &names, filter, lock, None).await
}

async fn select(conn: &mut Conn<'_>, names: &[&str], filter: Filter, lock: Lock, limit: Option<u64>) -> Result<Vec<Item>> {
    let table = system::cron_jobs_table();
    // The one that waits for longest first.
    let sort = vec![Sort::up("next_run_at")];
    let query = Query { filter: Some(filter), sort, limit, ..Query::default() };
    let statement = sql::select_locked(conn.dialect(), &table, names, &query, lock)?;
    let rows = conn.select(&statement, &sql::types(&table, names)?).await?;
    Ok(rows.into_iter().map(|row| names.iter().map(|name| (*name).to_owned()).zip(row).collect()).collect())
}

/// Whether a lock is older than any run may be, twice the time limit, and not of a run that is known to be `alive`.
fn is_stale(row: &Item, now: DateTime<Utc>, alive: &[Uuid]) -> bool {
    let timeout = row.get("timeout_ms").and_then(Value::as_i64).unwrap_or(TIMEOUT_MS.default);
    let is_alive = row.get("run_id").and_then(Value::as_str).is_some_and(|id| alive.iter().any(|run| run.to_string() == id));
    let locked = row.get("running") == Some(&json!(true)) && !is_alive;
    locked && moment(row, "running_since").is_none_or(|since| since + TimeDelta::milliseconds(timeout.saturating_mul(2)) < now)
}

fn active() -> Filter {
    Filter::field("status", Op::Eq(json!("active")))
}

/// Jobs that people made, and those that the caller has the handlers of.
fn own(able: &[String]) -> Filter {
    let made = Filter::field("extension", Op::Null);
    if able.is_empty() { made } else { Filter::Or(vec![made, Filter::field("id", Op::In(able.iter().map(|id| json!(id)).collect()))]) }
}

fn due(now: DateTime<Utc>) -> Filter {
    Filter::And(vec![active(), Filter::field("next_run_at", Op::Lte(json!(timestamp(now))))])
}

fn from_a_wrong_clock(now: DateTime<Utc>) -> Filter {
    Filter::And(vec![active(), Filter::field("last_tick_at", Op::Gt(json!(timestamp(now + WRONG_CLOCK))))])
}

fn unlocked() -> Map<String, Value> {
    members([("running", json!(false)), ("running_since", Value::Null), ("run_id", Value::Null)])
}

fn members<const N: usize>(members: [(&str, Value); N]) -> Map<String, Value> {
    members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

fn is(row: &Item, name: &str, value: &str) -> bool {
    row.get(name).is_some_and(|found| found == value)
}

fn text(row: &Item, name: &str) -> String {
    row.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn moment(row: &Item, name: &str) -> Option<DateTime<Utc>> {
    read_moment(row.get(name)?)
}

fn read_moment(value: &Value) -> Option<DateTime<Utc>> {
    DateTime::parse_from_rfc3339(value.as_str()?).ok().map(|at| at.with_timezone(&Utc))
}
