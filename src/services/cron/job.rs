//! A job as its author defined it, checked.

use std::time::Duration;

use serde_json::Value;

use super::schedule::Schedule;
use crate::error::Result;
use crate::services::Item;
use crate::services::members::{self, Range, choice, number, only, text, wrong};

/// Largest code, in characters.
const MAX_CODE: usize = 1 << 20;
/// Longest description, in characters.
const MAX_DESCRIPTION: usize = 10_000;

/// Limit of a run, in milliseconds. An hour: nightly work takes its time, and holds nothing but its own worker.
pub const TIMEOUT_MS: Range = Range { default: 30_000, min: 1, max: 3_600_000 };
/// Limit of the heap, in MiB.
pub const MEMORY_LIMIT_MB: Range = Range { default: 64, min: 1, max: 512 };

/// What an author may set. Everything else in the row is the host's.
const WRITABLE: [&str; 9] = ["id", "name", "description", "schedule", "timezone", "code", "status", "timeout_ms", "memory_limit_mb"];

/// One job.
#[derive(Debug, Clone)]
pub struct Job {
    /// The row's key.
    pub id: String,
    /// For people; no other job has it.
    pub name: String,
    /// When it runs.
    pub schedule: Schedule,
    /// The body of an async function; empty where an extension has the handler.
    pub code: String,
    /// Whether an extension in a folder registered it.
    pub is_registered: bool,
    /// Whether it runs by the clock.
    pub active: bool,
    /// Limit of a run.
    pub timeout: Duration,
    /// Limit of its heap, in bytes.
    pub memory_limit: usize,
}

impl Job {
    /// Reads a stored row, or one that is about to be stored.
    ///
    /// # Errors
    /// 400, naming the member that is wrong and what it may be.
    pub fn from_row(row: &Item) -> Result<Self> {
        let name = members::name(row)?;
        if let Some(description) = row.get("description").filter(|value| !value.is_null()) {
            let fits = description.as_str().is_some_and(|text| text.chars().count() <= MAX_DESCRIPTION);
            fits.then_some(()).ok_or_else(|| wrong("description", &format!("must be a text of at most {MAX_DESCRIPTION} characters")))?;
        }
        let zone = match row.get("timezone") {
            None | Some(Value::Null) => "UTC",
            Some(_) => text(row, "timezone")?,
        };
        let schedule = Schedule::parse(text(row, "schedule")?, zone).map_err(|(member, why)| wrong(member, &why))?;
        let is_registered = row.get("extension").is_some_and(|extension| !extension.is_null());
        let code = text(row, "code")?.to_owned();
        if code.chars().count() > MAX_CODE {
            return Err(wrong("code", &format!("must have at most {MAX_CODE} characters")));
        }
        Ok(Self {
            id: row.get("id").and_then(Value::as_str).unwrap_or_default().to_owned(),
            name,
            schedule,
            code,
            is_registered,
            active: choice(row, "status", &[("active", true), ("inactive", false)])?,
            timeout: Duration::from_millis(number(row, "timeout_ms", TIMEOUT_MS)?.unsigned_abs()),
            memory_limit: (number(row, "memory_limit_mb", MEMORY_LIMIT_MB)? as usize) << 20,
        })
    }
}

/// Refuses members that no author may set.
pub fn check_members(changes: &Item) -> Result<()> {
    only(changes, &WRITABLE)
}
