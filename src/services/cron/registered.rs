//! The jobs that extensions in folders register: rows like any other, kept as the folder says and changed by nobody else.
//!
//! `crate::extensions` calls in here when it takes a folder over; the ticker finds the rows beside those that people make. A host claims
//! only those whose handlers it has, so a tick waits while the extension doesn't load.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use uuid::Uuid;

use super::schedule::Schedule;
use super::store;
use crate::db::sql::{self, Lock};
use crate::db::{Conn, Filter, Op, system, timestamp};
use crate::error::Result;
use crate::services::Item;
use crate::services::members::MAX_NAME;

/// One schedule of one extension.
#[derive(Debug, Clone)]
pub struct Scheduled {
    /// The key of its job: the same on every host and after every restart.
    pub job: String,
    /// What the job is called.
    pub name: String,
    /// Its name among the schedules of the extension.
    pub slot: String,
    /// As it was registered.
    pub schedule: String,
    /// As it was registered.
    pub timezone: String,
    /// Limit of a run.
    pub timeout: Duration,
    /// The number of its handler.
    pub handler: u32,
}

impl Scheduled {
    /// The key of the job of a schedule.
    pub fn key(extension: &str, slot: &str) -> String {
        Uuid::new_v5(&Uuid::parse_str(extension).unwrap_or_default(), slot.as_bytes()).to_string()
    }

    /// What its author said, as the row has it.
    fn members(&self, memory_limit: usize) -> Item {
        Item::from_iter([
            ("schedule".to_owned(), json!(self.schedule)),
            ("timezone".to_owned(), json!(self.timezone)),
            ("timeout_ms".to_owned(), json!(self.timeout.as_millis() as u64)),
            ("memory_limit_mb".to_owned(), json!(memory_limit >> 20)),
            ("status".to_owned(), json!("active")),
        ])
    }

    fn next(&self, now: DateTime<Utc>) -> Value {
        let next = Schedule::parse(&self.schedule, &self.timezone).ok().and_then(|schedule| schedule.next(now));
        json!(next.map(timestamp))
    }
}

/// Makes the jobs of an extension what it registers, and forgets the others. A job whose schedule is as it was keeps its next tick, also one
/// that was missed.
///
/// # Errors
/// `RecordNotUnique` where another host did the same at the same time: then it is done once more.
pub async fn keep(conn: &mut Conn<'_>, extension: &str, schedules: &[Scheduled], memory_limit: usize, now: DateTime<Utc>) -> Result<()> {
    let (dialect, table) = (conn.dialect(), system::cron_jobs_table());
    let rows = of(conn, extension).await?;
    for row in rows.iter().filter(|row| !schedules.iter().any(|scheduled| row["id"] == *scheduled.job)) {
        remove(conn, row).await?;
    }
    for scheduled in schedules {
        let (key, mut set) = (json!(scheduled.job), scheduled.members(memory_limit));
        let Some(row) = rows.iter().find(|row| row["id"] == *scheduled.job) else {
            let name = free_name(conn, scheduled).await?;
            set.extend([
                ("id".to_owned(), key),
                ("name".to_owned(), json!(name)),
                ("code".to_owned(), json!("")),
                ("extension".to_owned(), json!(extension)),
                ("slot".to_owned(), json!(scheduled.slot)),
                ("next_run_at".to_owned(), scheduled.next(now)),
                ("created_at".to_owned(), json!(timestamp(now))),
            ]);
            conn.execute(&sql::insert(dialect, &table, &set, &[])?).await?;
            continue;
        };
        set.retain(|member, value| row.get(member) != Some(value));
        if ["schedule", "timezone", "status"].iter().any(|member| set.contains_key(*member)) {
            set.insert("next_run_at".to_owned(), scheduled.next(now));
        }
        if !set.is_empty() {
            set.insert("updated_at".to_owned(), json!(timestamp(now)));
            conn.execute(&sql::update_by_keys(dialect, &table, &[key], None, &set, &[])?).await?;
        }
    }
    Ok(())
}

/// The extension is switched off: its jobs stay, with their history, and don't run.
///
/// # Errors
/// What the database refuses.
pub async fn switch_off(conn: &mut Conn<'_>, extension: &str) -> Result<()> {
    let set = Item::from_iter([("status".to_owned(), json!("inactive")), ("next_run_at".to_owned(), Value::Null)]);
    let these = Filter::field("extension", Op::Eq(json!(extension)));
    conn.execute(&sql::update_where(conn.dialect(), &system::cron_jobs_table(), &these, &set)?).await.map(drop)
}

/// The extension is gone, and its jobs with it.
///
/// # Errors
/// What the database refuses.
pub async fn forget(conn: &mut Conn<'_>, extension: &str) -> Result<()> {
    for row in of(conn, extension).await? {
        remove(conn, &row).await?;
    }
    Ok(())
}

async fn of(conn: &mut Conn<'_>, extension: &str) -> Result<Vec<Item>> {
    store::all(conn, Filter::field("extension", Op::Eq(json!(extension))), Lock::Wait).await
}

async fn remove(conn: &mut Conn<'_>, row: &Item) -> Result<()> {
    let (dialect, key) = (conn.dialect(), row.get("id").cloned().unwrap_or_default());
    conn.execute(&store::forget(dialect, key.as_str().unwrap_or_default())?).await?;
    conn.execute(&sql::delete_by_keys(dialect, &system::cron_jobs_table(), &[key], None, &[])?).await.map(drop)
}

/// Its name, or one that says more where somebody's job has it already.
async fn free_name(conn: &mut Conn<'_>, scheduled: &Scheduled) -> Result<String> {
    let taken = Filter::field("name", Op::Eq(json!(scheduled.name)));
    if store::all(conn, taken, Lock::None).await?.is_empty() {
        return Ok(scheduled.name.clone());
    }
    let short: String = scheduled.name.chars().take(MAX_NAME - 11).collect();
    Ok(format!("{short} ({})", scheduled.job.get(..8).unwrap_or_default()))
}
