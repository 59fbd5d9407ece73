//! Counters of every extension: kept in memory, written in batches, so that counting costs no write per call.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};

use super::folders::is_folder_id;
use super::store::TABLE;
use crate::clock::Clock;
use crate::db::{Collection, Db, Dialect, Schema, Sql, sql, system, timestamp};
use crate::error::{Error, Result};

/// Text kept of an error, in characters.
const MAX_ERROR: usize = 8_000;

/// Counts since the last flush.
#[derive(Debug, Clone, Default)]
struct Counts {
    runs: u64,
    millis: f64,
    last_run: Option<DateTime<Utc>>,
    last_error: Option<(String, DateTime<Utc>)>,
}

/// The counters.
pub struct Stats {
    db: Db,
    clock: Clock,
    /// By extension id. Short sections only: a std mutex.
    counts: Mutex<HashMap<String, Counts>>,
    /// Runs and failed ones since the host began, by extension id. Short sections only: a std mutex.
    here: Mutex<HashMap<String, (u64, u64)>>,
}

impl Stats {
    /// Counters at zero.
    pub fn new(db: Db, clock: Clock) -> Self {
        Self { db, clock, counts: Mutex::default(), here: Mutex::default() }
    }

    /// Counts one run. `error` is what went wrong, for `last_error`.
    pub fn count(&self, extension: &str, elapsed: Duration, error: Option<&str>) {
        let now = self.clock.now();
        {
            let mut here = self.here.lock().unwrap_or_else(PoisonError::into_inner);
            let (runs, failed) = match here.get_mut(extension) {
                Some(entry) => entry,
                None => here.entry(extension.to_owned()).or_default(),
            };
            (*runs, *failed) = (*runs + 1, *failed + u64::from(error.is_some()));
        }
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = match counts.get_mut(extension) {
            Some(entry) => entry,
            None => counts.entry(extension.to_owned()).or_default(),
        };
        entry.runs += 1;
        entry.millis += elapsed.as_secs_f64() * 1000.0;
        entry.last_run = Some(now);
        if let Some(error) = error {
            entry.last_error = Some((clean(error), now));
        }
    }

    /// Runs of an extension since the host began, and how many of them failed.
    pub fn here(&self, extension: &str) -> (u64, u64) {
        self.here.lock().unwrap_or_else(PoisonError::into_inner).get(extension).copied().unwrap_or_default()
    }

    /// The extension is gone.
    pub fn forget(&self, extension: &str) {
        self.here.lock().unwrap_or_else(PoisonError::into_inner).remove(extension);
    }

    /// Takes note of something wrong with a run that was counted, or that never began.
    pub fn note_error(&self, extension: &str, error: &str) {
        let now = self.clock.now();
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        counts.entry(extension.to_owned()).or_default().last_error = Some((clean(error), now));
    }

    /// What was counted and isn't in the row yet, added to what the row says.
    pub fn add_to(&self, row: &mut Map<String, Value>) {
        let Some(id) = row.get("id").and_then(Value::as_str) else { return };
        let Some(counts) = self.counts.lock().unwrap_or_else(PoisonError::into_inner).get(id).cloned() else { return };
        let stored = row.get("execution_count").and_then(|v| v.as_u64().or_else(|| v.as_str()?.parse().ok())).unwrap_or(0);
        let mean = row.get("avg_execution_time_ms").and_then(Value::as_f64).unwrap_or(0.0);
        let total = stored + counts.runs;
        if row.contains_key("execution_count") {
            row.insert("execution_count".to_owned(), json!(total));
        }
        if row.contains_key("avg_execution_time_ms") && total > 0 {
            row.insert("avg_execution_time_ms".to_owned(), json!((mean * stored as f64 + counts.millis) / total as f64));
        }
        if let Some(at) = counts.last_run.filter(|_| row.contains_key("last_executed_at")) {
            row.insert("last_executed_at".to_owned(), json!(timestamp(at)));
        }
        if let Some((error, at)) = counts.last_error {
            for (name, value) in [("last_error", error), ("last_error_at", timestamp(at))] {
                if row.contains_key(name) {
                    row.insert(name.to_owned(), json!(value));
                }
            }
        }
    }

    /// Writes what was counted. What can't be written is counted on.
    pub async fn flush(&self) {
        let counted = std::mem::take(&mut *self.counts.lock().unwrap_or_else(PoisonError::into_inner));
        if counted.is_empty() {
            return;
        }
        let (dialect, schema, folders) = (self.db.dialect(), Schema::system(), system::extension_folders_table());
        let table = schema.collection(TABLE).ok_or_else(|| Error::internal("daas_extensions is not declared"));
        let statements: Result<Vec<Sql>> = table.and_then(|table| {
            let mut all = Vec::with_capacity(counted.len());
            for (id, counts) in &counted {
                all.push(update(dialect, table, id, counts)?);
                // A row may have such an id too: it is in one of the tables only.
                if is_folder_id(id) {
                    all.push(update(dialect, &folders, id, counts)?);
                }
            }
            Ok(all)
        });
        let written = match statements {
            Ok(statements) => self.db.write_all(statements).await,
            Err(error) => Err(error),
        };
        if let Err(error) = written {
            tracing::warn!(%error, "counters could not be written; they are kept for the next time");
            let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
            for (id, old) in counted {
                let entry = counts.entry(id).or_default();
                entry.runs += old.runs;
                entry.millis += old.millis;
                entry.last_run = Ord::max(entry.last_run, old.last_run);
                if entry.last_error.is_none() {
                    entry.last_error = old.last_error;
                }
            }
        }
    }
}

/// An error as a text column takes it.
pub(super) fn clean(error: &str) -> String {
    error.chars().filter(|c| *c != '\0').take(MAX_ERROR).collect()
}

/// Adds `counts` to the row.
fn update(dialect: Dialect, table: &Collection, id: &str, counts: &Counts) -> Result<Sql> {
    let mut changes = Map::new();
    if let Some(at) = counts.last_run {
        changes.insert("last_executed_at".to_owned(), json!(timestamp(at)));
    }
    if let Some((error, at)) = &counts.last_error {
        changes.insert("last_error".to_owned(), json!(error));
        changes.insert("last_error_at".to_owned(), json!(timestamp(*at)));
    }
    sql::count_runs(dialect, table, &json!(id), counts.runs, counts.millis, &changes)
}
